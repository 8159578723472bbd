package gate

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/jws"
	"github.com/postern-auth/postern/internal/session"
)

// signer signs assertions: JWTs (RFC 7519) by ES256 (RFC 7518, section 3.4).
type signer struct {
	key    *ecdsa.PrivateKey
	header map[string]any
	set    []byte // the public keys, as a JWK Set (RFC 7517, section 5)
}

// newSigner signs with the key of the ring that seals, and publishes those of
// all its keys: what another gate signed that has them in another order can be
// verified, too.
func newSigner(ring *session.Keyring) (*signer, error) {
	keys, err := ring.SigningKeys()
	if err != nil {
		return nil, err
	}
	set := jose.JSONWebKeySet{}
	for _, key := range keys {
		public := jose.JSONWebKey{Key: key.Public(), Use: "sig", Algorithm: string(jose.ES256)}
		thumbprint, err := public.Thumbprint(crypto.SHA256) // RFC 7638
		if err != nil {
			return nil, err
		}
		public.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
		set.Keys = append(set.Keys, public)
	}
	s := &signer{key: keys[0]}
	if s.set, err = json.Marshal(set); err != nil {
		return nil, err
	}
	s.header = map[string]any{"alg": "ES256", "kid": set.Keys[0].KeyID, "typ": "JWT"}
	return s, nil
}

// sign returns a JWT with the claims.
func (s *signer) sign(random io.Reader, claims map[string]any) (string, error) {
	return jws.Sign(s.header, claims, func(input []byte) ([]byte, error) { return jws.SignES256(random, s.key, input) })
}

// assertionSigner is made when it is first needed: few settings do.
func (g *Gate) assertionSigner() (*signer, error) {
	if g.signer == nil {
		s, err := newSigner(g.keys)
		if err != nil {
			return nil, err
		}
		g.signer = s
	}
	return g.signer, nil
}

// errNotOurs says that a request came for a host that is not ours: it must not
// be what an assertion names.
var errNotOurs = errors.New("gate: assertion for another host")

// assert adds a signed assertion to what was made. An application that waits for
// one refuses whoever comes without it, so where it cannot be made, it is left
// out.
func (g *Gate) assert(e *made, q *request, f *facts, now time.Time) {
	set := e.by.assertion
	lifetime := set.Lifetime.Std()
	e.expires, e.half = now.Add(lifetime), now.Add(lifetime/2)
	if end := ceil(f.ends); !f.ends.IsZero() && end.Before(e.expires) {
		e.expires = end
	}
	token, err := g.assertion(e, q, f, now)
	reason := ""
	switch {
	case err == nil && len(token) <= maxHeader:
		e.fields = append(e.fields, httpmsg.Field{Name: set.Header, Value: token})
		return
	case err == nil:
		reason = "too_long"
	case errors.Is(err, errNotOurs):
		reason = "host_not_allowed"
	default:
		reason = "internal"
	}
	g.happened(Event{Event: EventIdentityTrimmed, Reason: reason, Dropped: []string{set.Header}, Provider: f.subject.Provider, RequestID: q.ID()})
}

// ceil rounds up to the second, in which JWTs count.
func ceil(t time.Time) time.Time {
	if whole := t.Truncate(time.Second); !whole.Equal(t) {
		return whole.Add(time.Second)
	}
	return t
}

// assertion is a signed one.
func (g *Gate) assertion(e *made, q *request, f *facts, now time.Time) (string, error) {
	if e.host != "" && !q.authority.ours {
		return "", errNotOurs
	}
	s, err := g.assertionSigner()
	if err != nil {
		return "", err
	}
	id := make([]byte, 16)
	if _, err := io.ReadFull(g.random, id); err != nil {
		return "", err
	}
	set, origin := e.by.assertion, g.origin(q)
	claims := assertedClaims(set.Claims, f)
	claims["iss"] = cmp.Or(g.settings.PublicURL, origin)
	claims["aud"] = cmp.Or(set.Audience, origin)
	claims["iat"], claims["exp"] = now.Unix(), e.expires.Unix()
	claims["jti"] = base64.RawURLEncoding.EncodeToString(id)
	return s.sign(g.random, claims)
}

// assertedClaims are what an assertion says of a person or a service. A service
// without a subject goes by its client's name (RFC 9068, section 2.2).
func assertedClaims(named []string, f *facts) map[string]any {
	claims := map[string]any{}
	for _, name := range named {
		if c, known := f.subject.Claims[name]; known {
			c.List = isList(name, c)
			claims[name] = c
		}
	}
	claims["sub"], claims["provider"] = f.id, f.subject.Provider
	add := func(name string, value any, known bool) {
		if known {
			claims[name] = value
		}
	}
	add("acr", f.subject.ACR, f.subject.ACR != "")
	add("amr", f.subject.AMR, len(f.subject.AMR) > 0)
	add("auth_time", f.subject.AuthTime, f.subject.AuthTime != 0)
	if !f.session {
		add("client_id", f.subject.ClientID, f.subject.ClientID != "")
		add("scope", strings.Join(f.subject.Scopes, " "), len(f.subject.Scopes) > 0)
	}
	return claims
}

// serveJWKS tells everybody the keys that assertions are verified with.
func (g *Gate) serveJWKS(q *request) (Verdict, Flow) {
	if len(g.tellings.signed) == 0 {
		return g.fail(q, failure{status: 404, reason: "no_such_endpoint"}), nil
	}
	s, err := g.assertionSigner()
	if err != nil {
		return g.internal(q), nil
	}
	return Verdict{Respond: &Respond{Status: 200, Reason: "jwks", Body: s.set, Header: httpmsg.Fields{
		{Name: "content-type", Value: "application/jwk-set+json"},
		{Name: "cache-control", Value: "public, max-age=300"},
		{Name: "access-control-allow-origin", Value: "*"}, // public keys are for everybody
		{Name: "x-content-type-options", Value: "nosniff"},
	}}}, nil
}
