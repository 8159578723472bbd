package oidc

import (
	"net/url"
	"strings"

	"github.com/postern-auth/postern/internal/flow"
)

// Grant is what an access token is asked for, where it is for a service and not
// for a person's sign-in.
type Grant struct {
	Scopes    []string
	Audiences []string // names of services (RFC 8693, section 2.1)
	Resources []string // their addresses (RFC 8707, section 2)
}

// form is a request for the grant.
func (g Grant) form(grantType string) url.Values {
	form := url.Values{"grant_type": {grantType}}
	if len(g.Scopes) > 0 {
		form.Set("scope", strings.Join(g.Scopes, " "))
	}
	// Each may come several times.
	form["audience"], form["resource"] = g.Audiences, g.Resources
	return form
}

// Names of RFC 8693, sections 2.1 and 3.
const (
	exchangeGrant   = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessTokenType = "urn:ietf:params:oauth:token-type:access_token"
)

// ClientCredentials gets an access token of the client's own (RFC 6749, section
// 4.4).
func (p *Provider) ClientCredentials(env flow.Env, g Grant) (Tokens, error) {
	const step = "client credentials"
	if err := p.await(env); err != nil {
		return Tokens{}, err
	}
	t, _, err := p.askGrant(env, step, g.form("client_credentials"))
	return t, err
}

// ExchangeToken gets an access token for another one (RFC 8693, section 2),
// such as one of a caller's that is good for less.
func (p *Provider) ExchangeToken(env flow.Env, subjectToken string, g Grant) (Tokens, error) {
	const step = "token exchange"
	if subjectToken == "" || !visible(subjectToken) {
		return Tokens{}, refuse(step, "subject_token_malformed")
	}
	if err := p.await(env); err != nil {
		return Tokens{}, err
	}
	form := g.form(exchangeGrant)
	form.Set("subject_token", subjectToken)
	form.Set("subject_token_type", accessTokenType)
	form.Set("requested_token_type", accessTokenType)
	t, issued, err := p.askGrant(env, step, form)
	if err == nil && issued != accessTokenType { // required, section 2.2.1
		return Tokens{}, refuse(step, "issued_token_type_differs")
	}
	return t, err
}

// askGrant asks for an access token. What may come beside it is dropped: such a
// token is asked for anew and not refreshed (RFC 6749, section 4.4.3), and is
// nobody's sign-in. It is bound to no key of ours: it is for others to use.
func (p *Provider) askGrant(env flow.Env, step string, form url.Values) (t Tokens, issued string, err error) {
	doc, err := p.askTokens(env, step, form, binding{})
	if err != nil {
		return Tokens{}, "", passing(err)
	}
	if t, err = readTokens(step, doc, binding{}); err != nil {
		return Tokens{}, "", err
	}
	t.Refresh, t.ID = "", ""
	return t, doc.IssuedTokenType, nil
}
