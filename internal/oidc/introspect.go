package oidc

import (
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/jws"
)

const introspection = "introspection"

// signedAnswer is the media type of a signed answer (RFC 9701, section 4).
const signedAnswer = "application/token-introspection+jwt"

// The type is what keeps any other token of the provider's from being taken
// for an answer (RFC 9701, section 8.1): it must be there.
var introspectionAnswers = kind{step: introspection, limit: maxOther, types: []string{"token-introspection+jwt"}}

// Introspect asks the provider what a token is good for (RFC 7662) and returns
// the answer, JSON. It fails with reason "token_inactive" where the provider
// says that the token is not good, and whoever asks may hold that against the
// token; every other failure but "too_large" and "malformed" is about us or the
// provider. It waits for the provider to be known.
func (p *Provider) Introspect(env flow.Env, raw string, want *config.Bearer) ([]byte, error) {
	switch {
	case len(raw) > MaxAccessToken:
		return nil, refuse(introspection, "too_large")
	case raw == "" || !visible(raw):
		return nil, refuse(introspection, "malformed")
	}
	if err := p.awaitFor(env, ofCallers); err != nil {
		return nil, err
	}
	if !p.canIntrospect() {
		return nil, outage(introspection, "no_endpoint")
	}
	ask, read := p.askPlain, p.readPlain
	if want.Introspection.JWT {
		ask, read = p.askSigned, p.readSigned
	}
	r, err := ask(env, url.Values{"token": {raw}, "token_type_hint": {"access_token"}})
	if err != nil {
		return nil, oursToMend(err)
	}
	claims, err := read(env, r)
	if err != nil {
		return nil, oursToMend(err)
	}
	if err := checkActive(claims); err != nil {
		return nil, err
	}
	return claims, nil
}

// oursToMend makes an outage of a refusal: the provider did not refuse the
// token but us, or sent what is not to be trusted, and the caller is not to
// blame for either.
func oursToMend(err error) error {
	if err, ok := err.(*Failure); ok && !err.Temporary {
		return outage(err.Step, err.Reason)
	}
	return err
}

func (p *Provider) askPlain(env flow.Env, form url.Values) (flow.Response, error) {
	return p.post(env, introspection, *p.meta.introspection, form, maxOther)
}

func (p *Provider) askSigned(env flow.Env, form url.Values) (flow.Response, error) {
	return p.post(wanting{env, signedAnswer}, introspection, *p.meta.introspection, form, maxOther)
}

// wanting is an Env whose calls want an answer of another media type.
type wanting struct {
	flow.Env
	media string
}

// Fetch implements flow.Fetcher.
func (w wanting) Fetch(c flow.Call) (flow.Response, error) {
	for i := range c.Header {
		if c.Header[i].Name == "accept" {
			c.Header[i].Value = w.media
		}
	}
	return w.Env.Fetch(c)
}

// readPlain reads an answer in JSON (RFC 7662, section 2.2).
func (p *Provider) readPlain(_ flow.Env, r flow.Response) ([]byte, error) {
	var whole json.RawMessage
	if err := decode(introspection, r, &whole); err != nil {
		return nil, err
	}
	return whole, nil
}

// readSigned verifies a signed answer (RFC 9701, section 5) and returns what
// it says of the token.
func (p *Provider) readSigned(env flow.Env, r flow.Response) ([]byte, error) {
	if mediaType(r.Header) != signedAnswer {
		return nil, refuse(introspection, "answer_not_signed")
	}
	t, err := p.parse(&introspectionAnswers, strings.TrimSpace(string(r.Body)))
	if err != nil {
		return nil, err
	}
	payload, err := p.verify(env, t)
	if err != nil {
		return nil, err
	}
	return p.readSignedClaims(payload, env.Now())
}

func (p *Provider) readSignedClaims(payload []byte, now time.Time) ([]byte, error) {
	if jws.Deeper(payload, jws.MaxNesting+1) {
		return nil, refuse(introspection, "nested_too_deep")
	}
	var c struct {
		Issuer   string   `json:"iss"`
		Audience audience `json:"aud"`
		times
		Answer json.RawMessage `json:"token_introspection"`
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, refuse(introspection, "claims_malformed")
	}
	switch {
	case c.Issuer != p.settings.Issuer:
		return nil, refuse(introspection, "iss_differs")
	case !c.Audience.has(p.settings.ClientID):
		return nil, refuse(introspection, "aud_differs")
	case c.IssuedAt == nil:
		return nil, refuse(introspection, "iat_missing")
	case c.Answer == nil:
		return nil, refuse(introspection, "answer_missing")
	}
	if err := p.checkTimes(introspection, &c.times, asTold, now); err != nil {
		return nil, err
	}
	return c.Answer, nil
}

func mediaType(h httpmsg.Fields) string {
	media, _ := h.Get("content-type")
	media, _, _ = strings.Cut(media, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// checkActive reads the one member that every answer has.
func checkActive(answer []byte) error {
	c, err := readAccessClaims(introspection, answer)
	switch {
	case err != nil || c.Active == nil:
		return outage(introspection, "answer_malformed")
	case !*c.Active:
		return refuse(introspection, "token_inactive")
	}
	return nil
}

// ReadIntrospection reads what Introspect returned: the token must be active,
// good now, for us, and say what is required of it. Whom the issuer is missing
// from, it is the provider: it was asked about its own.
func (p *Provider) ReadIntrospection(claims []byte, want *config.Bearer, now time.Time) (*AccessToken, error) {
	if err := checkActive(claims); err != nil {
		return nil, err
	}
	c, err := readAccessClaims(introspection, claims)
	if err != nil {
		return nil, err
	}
	if c.Issuer == "" {
		c.Issuer = p.settings.Issuer
	}
	if c.Issuer != p.settings.Issuer {
		return nil, refuse(introspection, "iss_differs")
	}
	if err := c.checkAudience(introspection, want); err != nil {
		return nil, err
	}
	if err := p.checkTimes(introspection, &c.times, asTold, now); err != nil {
		return nil, err
	}
	if err := c.checkKind(introspection, false); err != nil {
		return nil, err
	}
	return c.token(introspection, claims, want)
}
