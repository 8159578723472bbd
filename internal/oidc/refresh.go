package oidc

import (
	"net/url"

	"github.com/postern-auth/postern/internal/flow"
)

// Refresh turns a refresh token into new tokens (RFC 6749, section 6; Core,
// section 12.1). An ID token and a new refresh token may be missing from the
// answer: without the latter the old one stays in use.
//
// Its errors fall into three kinds. Where Temporary is false the provider has
// refused; its word is in Reason, such as "provider_invalid_grant". Where
// Temporary is true and Unknown false, the token was certainly not used up.
// Where Unknown is true it may have been, and a provider that rotates refresh
// tokens may take a second use for theft (RFC 9700, section 4.14.2).
//
// The proof of refresh is the key of the access token before: a client that proves
// itself by nothing else has its refresh tokens bound to that, too (RFC 9449,
// section 5).
func (p *Provider) Refresh(env flow.Env, refresh Access) (Tokens, error) {
	const step = "token refresh"
	if refresh.Token == "" {
		return Tokens{}, refuse(step, "no_refresh_token")
	}
	if err := p.await(env); err != nil {
		return Tokens{}, err
	}
	bound, err := p.binding(step, p.lastingKey(refresh))
	if err != nil {
		return Tokens{}, err
	}
	doc, err := p.askTokens(env, step, url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {refresh.Token},
		"resource":      p.settings.Resources,
	}, bound)
	if err != nil {
		return Tokens{}, passing(err)
	}
	t, err := readTokens(step, doc, bound)
	if err != nil {
		// The provider has answered with tokens, so the old one may be spent.
		return Tokens{}, lost(step, Reason(err))
	}
	return t, nil
}

// lastingKey is the id of the key that a refresh has to be proved by, or "" where
// the current one is as good.
func (p *Provider) lastingKey(refresh Access) string {
	if p.settings.ClientAuth != "none" {
		return ""
	}
	return refresh.Proof
}
