package oidc

import "github.com/postern-auth/postern/internal/flow"

// Identify says whom tokens are for that were given for a code: by the ID token
// (Core, section 3.1.3.7), or, of a provider without ID tokens, by asking it. What
// it returns is verified. The nonce is the login's.
func (p *Provider) Identify(env flow.Env, t Tokens, nonce string) (*IDToken, error) {
	if p.settings.Plain() {
		return p.askWho(env, Access{Token: t.Access, Proof: t.Proof})
	}
	return p.VerifyIDToken(env, t.ID, nonce, t.Access)
}

// IdentifyAgain is Identify for the tokens of a refresh, which must be for the
// same person (Core, section 12.2). It returns nil where the provider says nothing
// of the person there.
func (p *Provider) IdentifyAgain(env flow.Env, t Tokens, was Original) (*IDToken, error) {
	if p.settings.Plain() {
		return p.askWhoAgain(env, Access{Token: t.Access, Proof: t.Proof}, was)
	}
	if t.ID == "" {
		return nil, nil
	}
	return p.VerifyRenewed(env, t.ID, was, t.Access)
}
