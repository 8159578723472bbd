package config

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// habit is what a type of provider is known to have or to want. What is left out
// is as with any OpenID provider.
type habit struct {
	displayName string
	issuer      string
	scopes      []string
	claims      Claims
	clientAuth  string // with a client_secret
	audience    string // of a client assertion
	prompt      string // by which people sign in as someone else
	userinfo    string // when it is asked
}

// habits are those of the types that have any of their own.
var habits = map[string]habit{
	// Google has no user names.
	"google": {displayName: "Google", issuer: "https://accounts.google.com", claims: Claims{"user": "email"}, prompt: "select_account"},
	// Entra's userinfo says less than its ID tokens.
	"entra": {displayName: "Microsoft", claims: Claims{"roles": "roles"}, audience: "endpoint", prompt: "select_account", userinfo: "never"},
	"github": {
		displayName: "GitHub", issuer: "https://github.com", scopes: []string{"read:user", "user:email"},
		clientAuth: "client_secret_post", prompt: "select_account",
	},
	"gitlab": {displayName: "GitLab", issuer: "https://gitlab.com", claims: Claims{"user": "nickname", "preferred_username": "nickname"}},
	"okta":   {displayName: "Okta", audience: "endpoint"},
	// A nickname is the beginning of an address there, which many may share.
	"auth0":  {displayName: "Auth0", claims: Claims{"user": "email", "preferred_username": "nickname"}},
	"oauth2": {scopes: []string{}},
}

// preset fills in what the provider's type says and the settings leave out. Groups
// say whether anything depends on them.
func (p *Provider) preset(groups bool) {
	h := habits[p.Type]
	p.DisplayName = cmp.Or(p.DisplayName, h.displayName)
	p.Issuer = cmp.Or(p.Issuer, h.issuer, p.entraIssuer())
	p.ClientAssertionAudience = cmp.Or(p.ClientAssertionAudience, h.audience, "issuer")
	p.Userinfo = cmp.Or(p.Userinfo, h.userinfo, "auto")
	if p.Type == "oauth2" {
		p.Subject = cmp.Or(p.Subject, "sub")
	}
	if p.Scopes == nil {
		p.Scopes = slices.Clone(h.scopes)
		if p.Type == "github" && groups {
			p.Scopes = append(p.Scopes, "read:org")
		}
	}
	if p.Scopes == nil {
		p.Scopes = []string{"openid", "profile", "email"}
	}
	p.profile()
}

// profile fills in what the profile says.
func (p *Provider) profile() {
	algorithms, binding, par := []string{"RS256", "ES256"}, "none", "auto"
	if p.Profile == "fapi2" {
		algorithms, binding, par = slices.Clone(fapiAlgorithms), "dpop", "always"
	}
	if p.Algorithms == nil {
		p.Algorithms = algorithms
	}
	p.TokenBinding = cmp.Or(p.TokenBinding, binding)
	p.PAR = cmp.Or(p.PAR, par)
}

// entraIssuer is the issuer of an Entra tenant.
func (p *Provider) entraIssuer() string {
	if p.Type != "entra" || tenantFlaw(p.Tenant) != "" {
		return ""
	}
	return "https://login.microsoftonline.com/" + strings.ToLower(p.Tenant) + "/v2.0"
}

// defaultClientAuth is how a client proves itself that has a key, a secret, or
// neither.
func (p *Provider) defaultClientAuth() string {
	switch {
	case p.ClientKey.IsSet():
		return "private_key_jwt"
	case p.ClientSecret.IsSet():
		return cmp.Or(habits[p.Type].clientAuth, "client_secret_basic")
	}
	return "none"
}

// allClaims are the claims that the provider's settings name, and the defaults
// for those that they do not.
func (p *Provider) allClaims() Claims {
	all := Claims{
		"user":               "preferred_username",
		"email":              "email",
		"groups":             "groups",
		"preferred_username": "preferred_username",
	}
	maps.Copy(all, habits[p.Type].claims)
	if p.Type == "keycloak" {
		all["roles"] = "realm_access.roles"
		if p.ClientID != "" {
			all["client_roles"] = "resource_access." + gjson.Escape(p.ClientID) + ".roles"
		}
	}
	maps.Copy(all, p.Claims)
	return all
}

// tellsGroups reports whether anything that was said on purpose depends on groups.
func (c *Config) tellsGroups() bool {
	told := func(headers map[string]Header, a *Assertion) bool {
		for _, h := range headers {
			if h.Claim == "groups" {
				return true
			}
		}
		return a != nil && slices.Contains(a.Claims, "groups")
	}
	if !c.Forward.usual() && told(c.Forward.Headers, nil) || told(nil, c.Forward.Assertion) {
		return true
	}
	return slices.ContainsFunc(c.Rules, func(rule Rule) bool {
		return rule.Require != nil && rule.Require.groups() || told(rule.Forward.Headers, rule.Forward.Assertion)
	})
}

// usual reports whether the headers are those that are told without a word about it.
func (f *Forward) usual() bool {
	for name, h := range f.Headers {
		if h != (Header{Claim: h.Claim}) || name != "x-auth-request-"+strings.ReplaceAll(h.Claim, "_", "-") {
			return false
		}
	}
	return len(f.Headers) == 4
}

// groups reports whether groups are among what is required.
func (q *Require) groups() bool {
	some := func(r Require) bool { return r.groups() }
	_, claim := q.Claims["groups"]
	return q.Groups != nil || claim || q.Not != nil && q.Not.groups() ||
		slices.ContainsFunc(q.All, some) || slices.ContainsFunc(q.Any, some)
}

// Plain reports whether the provider speaks OAuth 2.0 alone: it has no ID
// tokens, no keys and no discovery document.
func (p *Provider) Plain() bool { return p.Type == "github" || p.Type == "oauth2" }

// SignsIn reports whether people may sign in at the provider.
func (p *Provider) SignsIn() bool { return p.SignIn && p.ClientID != "" }

// SwitchPrompt is the prompt by which the provider lets people sign in as someone
// else.
func (p *Provider) SwitchPrompt() string { return cmp.Or(habits[p.Type].prompt, "login") }

// ManyTenants reports whether people of several Entra tenants may sign in, each of
// which is an issuer of its own.
func (p *Provider) ManyTenants() bool {
	return p.Type == "entra" && (p.Tenant == "common" || p.Tenant == "organizations")
}

// TenantByName reports whether people of one Entra tenant sign in that the settings
// know by a domain, so that its id is known once the provider is.
func (p *Provider) TenantByName() bool {
	return p.Type == "entra" && strings.Contains(p.Tenant, ".")
}

// Orgs reports whether a GitHub is asked for organisations and teams: where a
// scope is asked for that allows it.
func (p *Provider) Orgs() bool {
	return slices.ContainsFunc(p.Scopes, func(s string) bool { return s == "read:org" || s == "write:org" || s == "admin:org" })
}
