package tryout

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/config"
)

// Claims are what a provider says of somebody.
type Claims map[string]any

// MaxClaims is how long a text of claims may be, in bytes: none that would fit
// into a session or a request is longer.
const MaxClaims = 128 << 10

// tokenLife is how long tokens are good.
const tokenLife = time.Hour

// ParseClaims reads claims, a JSON object. `auth_time` may be a time ago, such as
// "-10m".
func ParseClaims(text []byte, now time.Time) (Claims, error) {
	if len(text) > MaxClaims {
		return nil, fmt.Errorf("the claims are longer than %d bytes", MaxClaims)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // numbers go on as they are written
	var c Claims
	if err := decoder.Decode(&c); err != nil {
		return nil, errors.New("the claims are no JSON object")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the claims")
	}
	if c == nil {
		return nil, errors.New("the claims are no JSON object")
	}
	if all, told := c[answersTo]; told {
		if _, ok := all.(map[string]any); !ok {
			return nil, errors.New(answersTo + " must be an object: the name of a question to its answer")
		}
	}
	return c, c.settle(now)
}

// settle writes a time ago as a time.
func (c Claims) settle(now time.Time) error {
	text, ago := c["auth_time"].(string)
	if !ago {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d > 0 {
		return errors.New(`auth_time is neither a number of seconds since 1970 nor a time ago, such as "-10m"`)
	}
	c["auth_time"] = now.Add(d).Unix()
	return nil
}

// text is a claim that is a string, or "".
func (c Claims) text(name string) string {
	s, _ := c[name].(string)
	return s
}

// scope is what was granted, if the claims say so (RFC 6749, section 3.3).
func (c Claims) scope() (scope string, told bool) {
	for _, name := range []string{"scope", "scp"} {
		switch v := c[name].(type) {
		case string:
			return v, true
		case []any:
			var words []string
			for _, item := range v {
				if s, ok := item.(string); ok {
					words = append(words, s)
				}
			}
			return strings.Join(words, " "), true
		}
	}
	return "", false
}

// unlike are claims by which a token is of one kind, is good at some time, or is
// bound to something: those of tokens that are made here are made here, too.
var unlike = []string{"iss", "exp", "iat", "nbf", "typ", "nonce", "at_hash", "c_hash", "s_hash", "events", "cnf", "token_use", "token_type", "active", answersTo}

// answersTo is the member of claims that no token says: the answers to questions
// that are asked after a login (enrich), by their names.
const answersTo = "enrich"

// answer is what a question about somebody is answered with.
func (c Claims) answer(question string) (answer any, told bool) {
	all, _ := c[answersTo].(map[string]any)
	answer, told = all[question]
	return answer, told
}

// token are the claims of a token that is good now.
func (c Claims) token(p *config.Provider, now time.Time) Claims {
	t := maps.Clone(c)
	if t == nil {
		t = Claims{}
	}
	for _, name := range unlike {
		delete(t, name)
	}
	tenant := c.tenant(p)
	t["iss"], t["iat"], t["exp"] = issuerOf(p, tenant), now.Unix(), now.Add(tokenLife).Unix()
	if tenant != "" {
		t["tid"] = tenant
	}
	return t
}

// somebody is the subject of claims that name none.
const somebody = "somebody"

// idToken are the claims of an ID token (OpenID Connect Core, section 2).
func (c Claims) idToken(p *config.Provider, nonce string, now time.Time) Claims {
	t := c.token(p, now)
	t["aud"], t["nonce"] = p.ClientID, nonce
	delete(t, "azp")
	if t.text("sub") == "" {
		t["sub"] = somebody
	}
	return t
}

// accessToken are the claims of the access token that comes with an ID token.
func (c Claims) accessToken(p *config.Provider, now time.Time) Claims {
	t := c.idToken(p, "", now)
	delete(t, "nonce")
	return t
}

// bearer are the claims of an access token that is sent to this gate (RFC 9068,
// section 2.2): made out to it, unless they say to whom.
func (c Claims) bearer(p *config.Provider, b *config.Bearer, now time.Time) Claims {
	t := c.token(p, now)
	if _, told := t["aud"]; !told && len(b.Audiences) > 0 {
		t["aud"] = b.Audiences[0]
	}
	if t.text("sub") == "" && t.client() == "" {
		t["sub"] = somebody
	}
	return t
}

// client is whom a token was given to, as the claims have it.
func (c Claims) client() string {
	for _, name := range []string{"azp", "client_id", "clientId", "cid", "appid"} {
		if id := c.text(name); id != "" {
			return id
		}
	}
	return ""
}
