package oidc

import (
	"net/url"

	"github.com/postern-auth/postern/internal/flow"
)

// HasRevocation reports whether the provider has a revocation endpoint. It is
// meaningful once the provider is known.
func (p *Provider) HasRevocation() bool { return p.meta != nil && p.meta.revocation != nil }

// Revoke has the provider forget a token (RFC 7009, section 2.1). The hint is
// "refresh_token" or "access_token". A token that the provider does not know is
// as good as forgotten (section 2.2).
func (p *Provider) Revoke(env flow.Env, token, hint string) error {
	const step = "revocation"
	if err := p.await(env); err != nil {
		return err
	}
	if !p.HasRevocation() {
		return refuse(step, "no_endpoint")
	}
	form := url.Values{"token": {token}, "token_type_hint": {hint}}
	r, err := p.post(env, step, *p.meta.revocation, form, maxOther, 204, 400, 401)
	if err != nil {
		return err
	}
	if r.Status < 300 { // section 2.2: the body says nothing
		return nil
	}
	var doc struct {
		Error string `json:"error"`
	}
	if err := decode(step, r, &doc); err != nil {
		return err
	}
	return refusal(step, doc.Error)
}
