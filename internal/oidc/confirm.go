package oidc

import (
	"net/url"

	"github.com/postern-auth/postern/internal/flow"
)

// CanConfirm reports whether the provider can be asked whether a sign-in still
// holds. It is meaningful once the provider is known.
func (p *Provider) CanConfirm() bool {
	return p.settings.Plain() || p.HasUserinfo() || p.canIntrospect()
}

// canIntrospect reports whether we may ask the introspection endpoint: it
// answers only callers that prove who they are (RFC 7662, section 2.1).
func (p *Provider) canIntrospect() bool {
	return p.meta != nil && p.meta.introspection != nil && p.settings.ClientAuth != "none"
}

// Confirm asks the provider whether it still stands by an access token and the
// person it is for: at the userinfo endpoint, whose claims it returns, or by
// introspection, which has none. It fails with reason "token_refused" or
// "sub_differs" where the provider does not, and every other failure is
// Temporary, but for a provider that cannot be asked, or one without ID tokens
// that no longer says all that Identify needs.
func (p *Provider) Confirm(env flow.Env, access Access, subject string) ([]byte, error) {
	if err := p.await(env); err != nil {
		return nil, err
	}
	switch {
	case p.settings.Plain():
		return p.confirmPlain(env, access, subject)
	case p.HasUserinfo():
		return p.confirmByUserinfo(env, access, subject)
	case p.canIntrospect():
		return nil, p.confirmByIntrospection(env, access.Token, subject)
	}
	return nil, refuse("confirmation", "no_endpoint")
}

func (p *Provider) confirmByUserinfo(env flow.Env, access Access, subject string) ([]byte, error) {
	const step = "userinfo"
	r, err := p.askUserinfo(env, step, access, 401, 403)
	if err != nil {
		return nil, passing(err)
	}
	if r.Status != 200 {
		return nil, refuse(step, "token_refused")
	}
	return readUserinfo(step, r, subject)
}

// confirmByIntrospection asks about the access token (RFC 7662, section 2). A
// 401 there is about us and not about the token.
func (p *Provider) confirmByIntrospection(env flow.Env, accessToken, subject string) error {
	const step = "introspection"
	form := url.Values{"token": {accessToken}, "token_type_hint": {"access_token"}}
	r, err := p.post(env, step, *p.meta.introspection, form, maxOther)
	if err != nil {
		return passing(err)
	}
	var doc struct {
		Active  *bool  `json:"active"`
		Subject string `json:"sub"`
	}
	if err := decode(step, r, &doc); err != nil {
		return err
	}
	switch {
	case doc.Active == nil:
		return outage(step, "answer_malformed")
	case !*doc.Active:
		return refuse(step, "token_refused")
	case doc.Subject != "" && doc.Subject != subject:
		return refuse(step, "sub_differs")
	}
	return nil
}
