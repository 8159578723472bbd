package oidc

import (
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
)

// MaxAccessToken is the longest access token that is looked at, in bytes.
const MaxAccessToken = 16 << 10

// accessTokens is the step that failures with access tokens name.
const accessTokens = "access token"

// AccessToken is what an accepted access token says.
type AccessToken struct {
	Issuer   string
	Subject  string
	ClientID string    // whom the token was given to; empty where it does not say
	Scopes   []string  // in the order in which they were given
	Expires  time.Time // zero where the provider does not tell (introspection only)
	JKT      string    // the DPoP key it is bound to (RFC 9449, section 6.1)
	X5T      string    // the certificate it is bound to (RFC 8705, section 3.1)
	Claims   []byte    // all of them, JSON
	Authentication

	signedBy signer
}

// String never shows what a token says.
func (*AccessToken) String() string { return "access token(redacted)" }

// GoString never shows what a token says.
func (*AccessToken) GoString() string { return "access token(redacted)" }

// VerifyAccessToken verifies a signed access token (RFC 9068, section 4). The
// token comes from anybody, so all that costs little is looked at first: only
// one that would be accepted is worth a signature, or a fetch of keys. It waits
// for the provider to be known.
func (p *Provider) VerifyAccessToken(env flow.Env, raw string, want *config.Bearer) (*AccessToken, error) {
	k := &kind{asker: ofCallers, step: accessTokens, limit: MaxAccessToken, types: want.Types}
	t, err := p.parseAs(k, raw, algorithmsOf(want))
	if err != nil {
		return nil, err
	}
	token, err := p.readAccessToken(t, want, env.Now())
	if err != nil {
		return nil, err
	}
	if err := p.awaitFor(env, ofCallers); err != nil {
		return nil, err
	}
	if _, err := p.verify(env, t); err != nil { // of the very bytes that were read
		return nil, err
	}
	token.signedBy = signer{t.id, t.alg, t.tenant, t.key.Key, p.keysVersion}
	return token, nil
}

func algorithmsOf(want *config.Bearer) []jose.SignatureAlgorithm {
	algorithms := make([]jose.SignatureAlgorithm, len(want.Algorithms))
	for i, a := range want.Algorithms {
		algorithms[i] = jose.SignatureAlgorithm(a)
	}
	return algorithms
}

// readAccessToken checks everything but the signature.
func (p *Provider) readAccessToken(t *signed, want *config.Bearer, now time.Time) (*AccessToken, error) {
	payload := t.unverified()
	c, err := readAccessClaims(accessTokens, payload)
	switch {
	case err != nil:
		return nil, err
	}
	if err := p.checkAccessIssuer(accessTokens, c.Issuer, payload); err != nil {
		return nil, err
	}
	if err := c.checkAudience(accessTokens, want); err != nil {
		return nil, err
	}
	if err := p.checkAccessTimes(c, want.MaxLifetime.Std(), now); err != nil {
		return nil, err
	}
	if err := c.checkKind(accessTokens, isAccessTokenType(t.typ)); err != nil {
		return nil, err
	}
	return c.token(accessTokens, payload, want)
}

// checkAccessTimes wants exp, not too far away, and that the token is good now.
// iat may be missing: not every provider follows RFC 9068.
func (p *Provider) checkAccessTimes(c *accessClaims, maxLifetime time.Duration, now time.Time) error {
	if c.Expires == nil {
		return refuse(accessTokens, "exp_missing")
	}
	if err := p.checkTimes(accessTokens, &c.times, asTold, now); err != nil {
		return err
	}
	if c.Expires.time().After(now.Add(maxLifetime).Add(p.settings.Leeway.Std())) {
		return refuse(accessTokens, "exp_too_far")
	}
	return nil
}

// signer is the key that verified a token, as the token names it.
type signer struct {
	id      string
	alg     jose.SignatureAlgorithm
	tenant  string // see Provider.tenantNamed
	key     any    // the public key
	version int    // of the provider's keys when they last held it
}

// StillGood reports whether the key that signed t is still one of the
// provider's. It costs next to nothing while the keys are those of the last
// time. A token that the provider was asked about has no key, and stays good.
func (p *Provider) StillGood(t *AccessToken) bool {
	s := &t.signedBy
	switch {
	case s.key == nil:
		return true
	case p.keys == nil || p.keysTooOld:
		return false
	case s.version == p.keysVersion:
		return true
	}
	k, ok := p.find(s.id, s.alg, s.tenant)
	if !ok || !sameKey(k.Key, s.key) {
		return false
	}
	s.version = p.keysVersion
	return true
}
