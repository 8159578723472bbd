package oidc

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/flow"
)

// IDToken is a verified ID token.
type IDToken struct {
	Issuer  string // who says so: the provider's, or the one of a tenant of it
	Subject string // unique with the issuer
	SID     string // the provider's session, where it names one
	Claims  []byte // the whole payload, JSON
	Authentication
}

// MaxIDToken is the longest ID token that is looked at, in bytes.
const MaxIDToken = 64 << 10

var idTokens = kind{step: "ID token", limit: MaxIDToken, types: []string{"JWT"}}

// Original is what a session remembers of the ID token that began it.
type Original struct {
	Issuer    string
	Subject   string
	NonceHash string // see NonceHash
	AuthTime  int64  // seconds since 1970; 0: not known
}

// NonceHash is what a session keeps of its login's nonce: enough to know it
// again, and short.
func NonceHash(nonce string) string {
	sum := sha256.Sum256([]byte(nonce))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

type idTokenClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	Party    string   `json:"azp"`
	times
	authentication
	Nonce  string `json:"nonce"`
	AtHash string `json:"at_hash"`
	SID    string `json:"sid"`
	Events events `json:"events"`
}

// VerifyIDToken verifies an ID token that came with an access token in answer
// to a login with the given nonce (Core, section 3.1.3.7). Every check is made
// and none can be switched off.
func (p *Provider) VerifyIDToken(env flow.Env, raw, nonce, accessToken string) (*IDToken, error) {
	id, c, err := p.verifyIDToken(env, raw, accessToken)
	if err != nil {
		return nil, err
	}
	if nonce == "" || subtle.ConstantTimeCompare([]byte(c.Nonce), []byte(nonce)) != 1 {
		return nil, refuse(idTokens.step, "nonce_differs")
	}
	return id, nil
}

// VerifyRenewed verifies an ID token that came with a renewal: as one of a
// login, and it must be about the same sign-in (Core, section 12.2).
func (p *Provider) VerifyRenewed(env flow.Env, raw string, was Original, accessToken string) (*IDToken, error) {
	const step = "renewed ID token"
	id, c, err := p.verifyIDToken(env, raw, accessToken)
	switch {
	case err != nil:
		return nil, err
	case c.Issuer != was.Issuer:
		return nil, refuse(step, "iss_differs")
	case c.Subject != was.Subject:
		return nil, refuse(step, "sub_differs")
	case c.Nonce != "" && subtle.ConstantTimeCompare([]byte(NonceHash(c.Nonce)), []byte(was.NonceHash)) != 1:
		return nil, refuse(step, "nonce_differs")
	case id.AuthTime != 0 && was.AuthTime != 0 && id.AuthTime != was.AuthTime:
		return nil, refuse(step, "auth_time_differs")
	}
	return id, nil
}

// verifyIDToken makes the checks that every ID token has to pass.
func (p *Provider) verifyIDToken(env flow.Env, raw, accessToken string) (*IDToken, *idTokenClaims, error) {
	t, err := p.parse(&idTokens, raw)
	if err != nil {
		return nil, nil, err
	}
	payload, err := p.verify(env, t)
	if err != nil {
		return nil, nil, err
	}
	c := &idTokenClaims{}
	if err := json.Unmarshal(payload, c); err != nil {
		return nil, nil, refuse(idTokens.step, "claims_malformed")
	}
	if err := p.checkIssuer(idTokens.step, c.Issuer, payload); err != nil {
		return nil, nil, err
	}
	if err := p.checkParties(c); err != nil {
		return nil, nil, err
	}
	if err := p.checkHosted(idTokens.step, payload); err != nil {
		return nil, nil, err
	}
	if err := p.checkTimes(idTokens.step, &c.times, expAndIat, env.Now()); err != nil {
		return nil, nil, err
	}
	// Core, section 3.1.3.6: at_hash may be left out with the code flow; where
	// it is there it must fit.
	if c.AtHash != "" && subtle.ConstantTimeCompare([]byte(c.AtHash), []byte(leftHash(t.alg, accessToken))) != 1 {
		return nil, nil, refuse(idTokens.step, "at_hash_differs")
	}
	return &IDToken{Issuer: c.Issuer, Subject: c.Subject, SID: c.SID, Claims: payload, Authentication: c.told()}, c, nil
}

// checkParties checks for whom the token was issued, and about whom.
func (p *Provider) checkParties(c *idTokenClaims) error {
	const step = "ID token"
	switch {
	case !c.Audience.has(p.settings.ClientID):
		return refuse(step, "aud_differs")
	case len(c.Audience) > 1 && c.Party == "":
		return refuse(step, "azp_missing")
	case c.Party != "" && c.Party != p.settings.ClientID:
		return refuse(step, "azp_differs")
	case c.Subject == "" || len(c.Subject) > 255:
		return refuse(step, "sub_malformed")
	case c.Events.has(logoutEvent):
		// Signed by the same key for the same client, and without a nonce it
		// could pass for a renewed ID token.
		return refuse(step, "is_logout_token")
	}
	return nil
}
