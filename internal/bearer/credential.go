package bearer

import (
	"net/url"
	"strings"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/oidc"
)

// Credential is a token as a request brings it.
type Credential struct {
	Token string
	DPoP  bool // under the scheme DPoP (RFC 9449, section 7.1), else Bearer
}

// Read returns the token that a request brings in its Authorization field (RFC
// 6750, section 2.1); the zero Credential where it brings none. Another scheme
// is none of ours. A request with two tokens, or with one that is malformed, is
// refused: whoever is behind us might read another one.
func Read(h httpmsg.Fields, query string) (c Credential, err error) {
	fields := 0
	for i := range h {
		if h[i].Name != "authorization" {
			continue
		}
		fields++
		read, ours := credential(h[i].Value)
		switch {
		case !ours && !listsOurs(h[i].Value):
			continue // Basic and the like
		case !ours || read.Token == "" || c.Token != "":
			return Credential{}, refuse(InvalidRequest, "authorization_malformed")
		}
		c = read
	}
	switch {
	case c.Token == "":
		return c, nil
	case fields > 1:
		return Credential{}, refuse(InvalidRequest, "two_credentials")
	case len(c.Token) > oidc.MaxAccessToken:
		return Credential{}, refuse(InvalidToken, "too_large")
	case InQuery(query):
		return Credential{}, refuse(InvalidRequest, "two_tokens")
	}
	return c, nil
}

// credential reads one Authorization field. A scheme of ours without a proper
// token gives the empty one.
func credential(value string) (c Credential, ours bool) {
	scheme, rest, proper := cutScheme(strings.Trim(value, " \t"))
	switch {
	case strings.EqualFold(scheme, "Bearer"):
	case strings.EqualFold(scheme, "DPoP"):
		c.DPoP = true
	default:
		return Credential{}, false
	}
	if token := strings.TrimLeft(rest, " "); proper && token68(token) {
		c.Token = token
	}
	return c, true
}

// cutScheme returns the first word of a field and what follows it. It is proper
// where the field begins with it and a space ends it: applications take a tab
// for one, or what is no space in ASCII, and pass over such in front.
func cutScheme(value string) (scheme, rest string, proper bool) {
	begin := 0
	for begin < len(value) && !inScheme(value[begin]) {
		begin++
	}
	end := begin
	for end < len(value) && inScheme(value[end]) {
		end++
	}
	rest = value[end:]
	return value[begin:end], rest, begin == 0 && strings.HasPrefix(rest, " ")
}

func inScheme(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

// listsOurs reports whether a field of another scheme has one of ours behind a
// comma, as where two fields were joined.
func listsOurs(value string) bool {
	_, rest, more := strings.Cut(value, ",")
	for more {
		var part string
		part, rest, more = strings.Cut(rest, ",")
		if _, ours := credential(part); ours {
			return true
		}
	}
	return false
}

// token68 is RFC 9110, section 11.2.
func token68(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		if !inToken[body[i]] {
			return false
		}
	}
	return body != ""
}

// inToken are the bytes of a token, in a table: every byte of every request's
// token is looked at.
var inToken = func() (in [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") {
		in[c] = true
	}
	return in
}()

// InQuery reports whether a query holds a token (RFC 6750, section 2.3): it
// would end up in logs and in the browser's history, and is never accepted.
func InQuery(query string) bool {
	for query != "" {
		var pair string
		end := strings.IndexAny(query, "&;") // there are readers to whom either ends a pair
		if end < 0 {
			end = len(query)
		}
		pair, query = query[:end], strings.TrimLeft(query[end:], "&;")
		name, _, _ := strings.Cut(pair, "=")
		if strings.ContainsAny(name, "%+") {
			if plain, err := url.QueryUnescape(name); err == nil {
				name = plain
			}
		}
		if name == "access_token" {
			return true
		}
	}
	return false
}
