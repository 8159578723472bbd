package httpmsg

import (
	"errors"
	"strings"
)

// ClientCert is a client's certificate as one hop tells of it in
// X-Forwarded-Client-Cert.
type ClientCert struct {
	By      string   // the first name of the hop that tells of it
	Hash    string   // SHA-256 of the certificate, hexadecimal digits
	Subject string   // by RFC 2253, with that one's escapes
	URI     []string // subject alternative names
	DNS     []string
}

// Bounds of an X-Forwarded-Client-Cert field.
const (
	maxXFCC      = 60 << 10 // bytes: it may hold whole certificates
	maxXFCCHops  = 32
	maxXFCCPairs = 256 // of all hops
)

var errXFCC = errors.New("httpmsg: x-forwarded-client-cert is malformed")

// ParseXFCC reads an X-Forwarded-Client-Cert field as Envoy writes it: hops
// separated by commas, the last one nearest to us; of each hop pairs of key and
// value separated by semicolons. A value may be in double quotes, and then keeps
// what is escaped by a backslash as it is, which is how Envoy writes a subject.
//
// What a hop says twice, though it can be said but once, is refused: names are
// written without quotes, so that one with a semicolon in it could else say
// anything. Keys that are not known are passed over.
func ParseXFCC(value string) ([]ClientCert, error) {
	if len(value) > maxXFCC {
		return nil, errXFCC
	}
	var certs []ClientCert
	hop := xfccHop{}
	for pairs := 0; ; pairs++ {
		key, rest, ok := strings.Cut(value, "=")
		if !ok || pairs == maxXFCCPairs {
			return nil, errXFCC
		}
		content, rest, ok := cutXFCCValue(rest)
		if !ok || !hop.add(strings.Trim(key, " \t"), content) {
			return nil, errXFCC
		}
		if rest == "" || rest[0] == ',' {
			if certs = append(certs, hop.cert); len(certs) > maxXFCCHops {
				return nil, errXFCC
			}
			hop = xfccHop{}
		}
		if rest == "" {
			return certs, nil
		}
		value = rest[1:]
	}
}

// cutXFCCValue returns the value that s begins with and what follows it, which
// is nothing or begins with a comma or a semicolon.
func cutXFCCValue(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		end := strings.IndexAny(s, ",;")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], strings.IndexByte(s[:end], '"') < 0
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			rest = s[i+1:]
			return s[1:i], rest, rest == "" || rest[0] == ',' || rest[0] == ';'
		}
	}
	return "", "", false
}

// xfccHop is what a hop has said so far.
type xfccHop struct {
	cert          ClientCert
	hash, subject bool // were said
}

// add adds a pair, and reports whether it may be there.
func (h *xfccHop) add(key, value string) bool {
	again := false
	switch strings.ToLower(key) {
	case "by": // one pair for each name of the hop
		if h.cert.By == "" {
			h.cert.By = value
		}
	case "hash":
		h.cert.Hash, h.hash, again = value, true, h.hash
	case "subject":
		h.cert.Subject, h.subject, again = value, true, h.subject
	case "uri":
		h.cert.URI = appendName(h.cert.URI, value)
	case "dns":
		h.cert.DNS = appendName(h.cert.DNS, value)
	}
	return token(key) && !again
}

// appendName adds a name; the key is there without one, too.
func appendName(names []string, name string) []string {
	if name == "" {
		return names
	}
	return append(names, name)
}
