package oidc

import "github.com/postern-auth/postern/internal/flow"

// HasUserinfo reports whether the provider has a userinfo endpoint beside what
// Identify says. It is meaningful once the provider is known.
func (p *Provider) HasUserinfo() bool { return p.meta != nil && p.meta.userinfo != nil }

// Userinfo asks the provider about the person that an access token is for
// (Core, section 5.3) and returns the answer, JSON. The subject must be the
// ID token's: otherwise the answer may be about somebody else (section 5.3.2).
func (p *Provider) Userinfo(env flow.Env, access Access, subject string) ([]byte, error) {
	const step = "userinfo"
	if !p.HasUserinfo() {
		return nil, refuse(step, "no_endpoint")
	}
	r, err := p.askUserinfo(env, step, access)
	if err != nil {
		return nil, err
	}
	return readUserinfo(step, r, subject)
}

func (p *Provider) askUserinfo(env flow.Env, step string, access Access, accept ...int) (flow.Response, error) {
	env, err := p.bearing(env, step, access)
	if err != nil {
		return flow.Response{}, err
	}
	return p.call(env, step, *p.meta.userinfo, flow.Call{Method: "GET", MaxBody: maxUserinfo}, accept...)
}

func readUserinfo(step string, r flow.Response, subject string) ([]byte, error) {
	var doc struct {
		Subject string `json:"sub"`
	}
	if err := decode(step, r, &doc); err != nil {
		return nil, err
	}
	if doc.Subject != subject {
		return nil, refuse(step, "sub_differs")
	}
	return r.Body, nil
}
