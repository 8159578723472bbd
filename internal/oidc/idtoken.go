package oidc

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/flow"
)

// IDToken is a verified ID token.
type IDToken struct {
	Subject string
	SID     string // the provider's session, where it names one
	Claims  []byte // the whole payload, JSON
}

// maxJOSEHeader is the longest header of a token, encoded, that is looked at.
const maxJOSEHeader = 2048

// MaxIDToken is the longest ID token that is looked at, in bytes.
const MaxIDToken = 64 << 10

type idTokenClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	Party     string   `json:"azp"`
	Expires   *seconds `json:"exp"`
	IssuedAt  *seconds `json:"iat"`
	NotBefore *seconds `json:"nbf"`
	Nonce     string   `json:"nonce"`
	AtHash    string   `json:"at_hash"`
	SID       string   `json:"sid"`
}

// VerifyIDToken verifies an ID token that came with an access token in answer
// to a login with the given nonce (Core, section 3.1.3.7). Every check is made
// and none can be switched off.
func (p *Provider) VerifyIDToken(env flow.Env, raw, nonce, accessToken string) (*IDToken, error) {
	const step = "ID token"
	payload, alg, err := p.verifySignature(env, raw)
	if err != nil {
		return nil, err
	}
	var c idTokenClaims
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, refuse(step, "claims_malformed")
	}
	if err := p.checkParties(&c); err != nil {
		return nil, err
	}
	if err := p.checkTimes(&c, env.Now()); err != nil {
		return nil, err
	}
	if nonce == "" || subtle.ConstantTimeCompare([]byte(c.Nonce), []byte(nonce)) != 1 {
		return nil, refuse(step, "nonce_differs")
	}
	// Section 3.1.3.6: at_hash may be left out with the code flow; where it
	// is there it must fit.
	if c.AtHash != "" && subtle.ConstantTimeCompare([]byte(c.AtHash), []byte(leftHash(alg, accessToken))) != 1 {
		return nil, refuse(step, "at_hash_differs")
	}
	return &IDToken{Subject: c.Subject, SID: c.SID, Claims: payload}, nil
}

// checkParties checks who issued the token, for whom, and about whom.
func (p *Provider) checkParties(c *idTokenClaims) error {
	const step = "ID token"
	switch {
	case c.Issuer != p.settings.Issuer:
		return refuse(step, "iss_differs")
	case !c.Audience.has(p.settings.ClientID):
		return refuse(step, "aud_differs")
	case len(c.Audience) > 1 && c.Party == "":
		return refuse(step, "azp_missing")
	case c.Party != "" && c.Party != p.settings.ClientID:
		return refuse(step, "azp_differs")
	case c.Subject == "" || len(c.Subject) > 255:
		return refuse(step, "sub_malformed")
	}
	return nil
}

func (p *Provider) checkTimes(c *idTokenClaims, now time.Time) error {
	const step = "ID token"
	leeway := p.settings.Leeway.Std()
	switch {
	case c.Expires == nil:
		return refuse(step, "exp_missing")
	case !now.Before(c.Expires.time().Add(leeway)):
		return refuse(step, "expired")
	case c.IssuedAt == nil:
		return refuse(step, "iat_missing")
	case c.IssuedAt.time().After(now.Add(leeway)):
		return refuse(step, "iat_in_future")
	case c.NotBefore != nil && c.NotBefore.time().After(now.Add(leeway)):
		return refuse(step, "not_valid_yet")
	}
	return nil
}

// verifySignature verifies a compact JWS (RFC 7515) by one of the provider's
// own keys. A key or an address that the token itself brings (jwk, jku, x5u,
// x5c) is never looked at, and an extension that is marked critical and not
// known is refused by the library (section 4.1.11).
func (p *Provider) verifySignature(env flow.Env, raw string) (payload []byte, alg jose.SignatureAlgorithm, err error) {
	const step = "ID token"
	// The library reads the header before anything is verified, and by
	// recursion: nesting that deep would end the VM.
	if len(raw) > MaxIDToken || strings.IndexByte(raw, '.') > maxJOSEHeader {
		return nil, "", refuse(step, "too_large")
	}
	jws, err := jose.ParseSignedCompact(raw, p.algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, "", refuse(step, "malformed_or_algorithm")
	}
	header := jws.Signatures[0].Protected
	if typ, ok := header.ExtraHeaders[jose.HeaderType]; ok {
		// RFC 8725, section 3.11: a token of another kind is no ID token.
		if s, ok := typ.(string); !ok || !strings.EqualFold(s, "JWT") {
			return nil, "", refuse(step, "typ_differs")
		}
	}
	alg = jose.SignatureAlgorithm(header.Algorithm)
	key, err := p.key(env, header.KeyID, alg)
	if err != nil {
		return nil, "", err
	}
	payload, err = jws.Verify(key.Key)
	if err != nil {
		return nil, "", refuse(step, "signature")
	}
	return payload, alg, nil
}

// leftHash is the left half of the hash of a token, by the algorithm of the
// signature (Core, section 3.1.3.6).
func leftHash(alg jose.SignatureAlgorithm, token string) string {
	var sum []byte
	switch alg {
	case jose.RS384, jose.PS384, jose.ES384:
		h := sha512.Sum384([]byte(token))
		sum = h[:]
	case jose.RS512, jose.PS512, jose.ES512, jose.EdDSA:
		h := sha512.Sum512([]byte(token))
		sum = h[:]
	default:
		h := sha256.Sum256([]byte(token))
		sum = h[:]
	}
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// audience is a string or an array of strings (RFC 7519, section 4.1.3).
type audience []string

func (a audience) has(client string) bool {
	for _, s := range a {
		if s == client {
			return true
		}
	}
	return false
}

// UnmarshalJSON reads a string or an array of strings.
func (a *audience) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*a = audience{s}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// seconds is a NumericDate (RFC 7519, section 2): a JSON number, which may
// have a fraction.
type seconds float64

// maxSeconds is the year 9999; beyond it arithmetic with times overflows.
const maxSeconds = 253402300799

func (s seconds) time() time.Time {
	return time.Unix(int64(max(0, min(float64(s), maxSeconds))), 0)
}
