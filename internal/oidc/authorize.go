package oidc

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/session"
)

// Request is what an authorisation request of one login says.
type Request struct {
	RedirectURI string
	State       string
	Proof       session.Proof
	Step        session.Step // asked for beside what the settings ask for
	Locales     string       // what the browser says of its reader's languages (Accept-Language)
}

// AuthorizationURL returns the address that asks the provider to sign somebody
// in (Core, section 3.1.2.1): code flow, PKCE with S256, nonce. It waits for the
// provider to be known.
func (p *Provider) AuthorizationURL(env flow.Env, r Request) (string, error) {
	step := r.Step
	if err := p.await(env); err != nil {
		return "", err
	}
	q := url.Values{
		"response_type":         {"code"},
		"client_id":             {p.settings.ClientID},
		"redirect_uri":          {r.RedirectURI},
		"scope":                 {strings.Join(session.Step{Scopes: p.settings.Scopes}.And(step).Scopes, " ")},
		"state":                 {r.State},
		"nonce":                 {r.Proof.Nonce},
		"code_challenge":        {r.Proof.Challenge()},
		"code_challenge_method": {"S256"},
	}
	if len(step.ACR) > 0 {
		q.Set("acr_values", strings.Join(step.ACR, " "))
	}
	if step.MaxAge > 0 {
		q.Set("max_age", strconv.FormatInt(step.MaxAge, 10))
	}
	if step.Prompt != "" {
		q.Set("prompt", step.Prompt)
	}
	return withQuery(p.meta.authorization, q), nil
}

// CheckIssuer checks the iss parameter of an authorisation response (RFC 9207,
// section 2.4). It waits for the provider to be known: only then is it known
// whether the parameter must be there.
func (p *Provider) CheckIssuer(env flow.Env, iss string, present bool) error {
	const step = "authorisation response"
	if err := p.await(env); err != nil {
		return err
	}
	if !present && p.meta.sendsIssuer {
		return refuse(step, "iss_missing")
	}
	if present && iss != p.settings.Issuer {
		return refuse(step, "iss_differs")
	}
	return nil
}
