package oidc

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
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
// in (Core, section 3.1.2.1): code flow, PKCE with S256, nonce. As the settings
// have it, the request is signed, and pushed to the provider beforehand. It waits
// for the provider to be known.
func (p *Provider) AuthorizationURL(env flow.Env, r Request) (string, error) {
	const step = "authorisation request"
	if err := p.await(env); err != nil {
		return "", err
	}
	q, err := p.authorizationRequest(step, r)
	if err != nil {
		return "", err
	}
	pushes := p.pushes()
	if p.settings.RequestObject {
		signed, err := p.signedRequest(q, env.Now())
		if err != nil {
			return "", outage(step, "request_not_signed")
		}
		if !pushes { // Core, section 6.1, wants these outside as well
			signed["response_type"], signed["scope"] = q["response_type"], []string{"openid"}
		}
		q = signed
	}
	if pushes {
		if q, err = p.push(env, q); err != nil {
			return "", err
		}
	}
	return withQuery(p.meta.authorization, q), nil
}

// authorizationRequest are the parameters of a request. Those of the settings
// never replace one of ours, or take the place of all.
func (p *Provider) authorizationRequest(step string, r Request) (url.Values, error) {
	q := url.Values{}
	for name, value := range p.settings.AuthorizationParams {
		q.Set(name, value)
	}
	for _, own := range p.ownParams(r) {
		if q.Del(own.Name); own.Value != "" {
			q.Set(own.Name, own.Value)
		}
	}
	if len(p.settings.Resources) > 0 {
		q["resource"] = p.settings.Resources
	}
	p.extraParams(q)
	return q, p.addBinding(step, q)
}

// ownParams are the parameters that are ours to set. An empty one is not sent.
func (p *Provider) ownParams(r Request) []httpmsg.Field {
	nonce, maxAge, mode, locales := r.Proof.Nonce, "", p.settings.ResponseMode, ""
	if p.settings.Plain() {
		nonce = "" // there is no ID token to hold it
	}
	if r.Step.MaxAge > 0 {
		maxAge = strconv.FormatInt(r.Step.MaxAge, 10)
	}
	if mode == "query" {
		mode = "" // it is that of codes already
	}
	if p.settings.UILocales {
		locales = uiLocales(r.Locales)
	}
	return []httpmsg.Field{
		{Name: "response_type", Value: "code"},
		{Name: "client_id", Value: p.settings.ClientID},
		{Name: "redirect_uri", Value: r.RedirectURI},
		{Name: "scope", Value: strings.Join(p.scopes(r.Step), " ")},
		{Name: "state", Value: r.State},
		{Name: "nonce", Value: nonce},
		{Name: "code_challenge", Value: r.Proof.Challenge()},
		{Name: "code_challenge_method", Value: "S256"},
		{Name: "response_mode", Value: mode},
		{Name: "acr_values", Value: strings.Join(r.Step.ACR, " ")},
		{Name: "max_age", Value: maxAge},
		{Name: "prompt", Value: p.prompt(r.Step)},
		{Name: "login_hint", Value: r.Step.Hint},
		{Name: "ui_locales", Value: locales},
		{Name: "request"}, {Name: "request_uri"},
	}
}

// addBinding binds the code to the key that its tokens will be bound to (RFC
// 9449, section 10).
func (p *Provider) addBinding(step string, q url.Values) error {
	bound, err := p.binding(step, "")
	if err != nil || bound.key == nil {
		return err
	}
	thumbprint, err := bound.thumbprint()
	if err != nil {
		return outage(step, "proof_not_made")
	}
	q.Set("dpop_jkt", thumbprint)
	return nil
}

// offline is the scope that asks for a refresh token (Core, section 11).
const offline = "offline_access"

// scopes are what a login asks for. Those that do not know the scope have their
// own ways to give refresh tokens.
func (p *Provider) scopes(step session.Step) []string {
	asked := session.Step{Scopes: p.settings.Scopes}.And(step)
	switch p.settings.Type {
	case "google", "github", "gitlab":
	default:
		if p.settings.OfflineAccess {
			asked = asked.And(session.Step{Scopes: []string{offline}})
		}
	}
	return asked.Scopes
}

// prompt is what the step asks for, or else the settings. Offline access needs
// the person's consent (Core, section 11): Google gives a refresh token at the
// first login only without it, and the other providers that have a type of their
// own see to it themselves.
func (p *Provider) prompt(step session.Step) string {
	prompt := cmp.Or(step.Prompt, p.settings.Prompt)
	wants := p.settings.OfflineAccess && (p.settings.Type == "oidc" || p.settings.Type == "google")
	if !wants || prompt == "none" || slices.Contains(strings.Fields(prompt), "consent") {
		return prompt
	}
	return strings.TrimSpace(prompt + " consent")
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
	if present && !p.isNamed(iss) {
		return refuse(step, "iss_differs")
	}
	return nil
}
