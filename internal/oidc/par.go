package oidc

import (
	"net/url"

	"github.com/postern-auth/postern/internal/flow"
)

// maxRequestURI is the longest name of a pushed request, in bytes.
const maxRequestURI = 512

// pushes reports whether authorisation requests are pushed: by the settings, or
// because the provider takes no others (RFC 9126, section 5).
func (p *Provider) pushes() bool {
	switch p.settings.PAR {
	case "always":
		return true
	case "never":
		return false
	}
	return p.meta.demandsPushed
}

// push hands an authorisation request to the provider, with the client's
// authentication, and returns what browsers carry in its place (RFC 9126,
// sections 2 and 4).
func (p *Provider) push(env flow.Env, request url.Values) (url.Values, error) {
	const step = "pushed request"
	if p.meta.pushed == nil {
		return nil, refuse(step, "no_endpoint")
	}
	r, err := p.post(env, step, *p.meta.pushed, request, maxOther, 201, 400, 401, 403)
	if err != nil {
		return nil, err
	}
	var doc struct {
		RequestURI string `json:"request_uri"`
		Error      string `json:"error"`
	}
	if err := decode(step, r, &doc); err != nil {
		return nil, err
	}
	switch {
	case r.Status >= 400 || doc.Error != "":
		return nil, refusal(step, doc.Error)
	case doc.RequestURI == "" || len(doc.RequestURI) > maxRequestURI || !visible(doc.RequestURI):
		return nil, refuse(step, "request_uri_malformed")
	}
	return url.Values{"client_id": {p.settings.ClientID}, "request_uri": {doc.RequestURI}}, nil
}
