package oidc

import (
	"errors"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
)

const (
	// tenantHole is where the tenant's id belongs in what many tenants share.
	tenantHole = "{tenantid}"
	// personal is the tenant of all personal Microsoft accounts.
	personal = "9188040d-6c67-4c5b-b112-36a304b66dad"

	entraV2 = "/v2.0"
)

// cloud is one of Microsoft's, by the host at which people sign in.
type cloud struct {
	graph string // Microsoft Graph
	v1    string // begins the issuer of tokens of the first version
}

func (p *Provider) cloud() cloud {
	switch p.host {
	case "login.microsoftonline.us":
		return cloud{"https://graph.microsoft.us", "https://sts.windows.net/"}
	case "login.partner.microsoftonline.cn":
		return cloud{"https://microsoftgraph.chinacloudapi.cn", "https://sts.chinacloudapi.cn/"}
	}
	return cloud{"https://graph.microsoft.com", "https://sts.windows.net/"}
}

// tenantIssuer is the issuer of a tenant's tokens.
//
//go:noinline
func (p *Provider) tenantIssuer(id string) string {
	return strings.TrimSuffix(p.settings.Issuer, p.settings.Tenant+entraV2) + id + entraV2
}

// tenantOf is the id of the tenant that an issuer is, or "".
func (p *Provider) tenantOf(issuer string) string {
	const sample = "00000000-0000-0000-0000-000000000000"
	before, after, _ := strings.Cut(p.tenantIssuer(sample), sample)
	id, ok := strings.CutPrefix(issuer, before)
	if id, ok2 := strings.CutSuffix(id, after); ok && ok2 && config.IsTenantID(id) {
		return id
	}
	return ""
}

// tenantOfV1 is the same for an issuer of tokens of the first version.
func (p *Provider) tenantOfV1(issuer string) string {
	id, ok := strings.CutPrefix(issuer, p.cloud().v1)
	if id, ok2 := strings.CutSuffix(id, "/"); ok && ok2 && config.IsTenantID(id) {
		return id
	}
	return ""
}

// isIssued reports whether a discovery document names the issuer that it has to
// (Discovery 1.0, section 4.3). That of Entra's tenants for many has a hole in it,
// and that of a tenant by another name has the tenant's id.
func (p *Provider) isIssued(issuer string) bool {
	switch tenant := p.settings.Tenant; {
	case p.settings.Type != "entra" || config.IsTenantID(tenant):
		return issuer == p.settings.Issuer
	case p.settings.ManyTenants():
		return issuer == p.tenantIssuer(tenantHole)
	case tenant == "consumers":
		return issuer == p.tenantIssuer(personal)
	}
	return p.tenantOf(issuer) != ""
}

// checkIssuer wants a token to be of this provider: where it is one of many
// tenants, of one whose people may sign in, and which the token names twice.
func (p *Provider) checkIssuer(step, issuer string, claims []byte) error {
	if p.settings.Type != "entra" {
		if issuer != p.settings.Issuer {
			return refuse(step, "iss_differs")
		}
		return nil
	}
	return p.checkTenant(step, p.tenantOf(issuer), claims)
}

// checkAccessIssuer is the same for access tokens, which Entra gives in its first
// version too: an API decides which it gets.
func (p *Provider) checkAccessIssuer(step, issuer string, claims []byte) error {
	if id := p.tenantOfV1(issuer); p.settings.Type == "entra" && id != "" && gjson.GetBytes(claims, "ver").Str == "1.0" {
		return p.checkTenant(step, id, claims)
	}
	return p.checkIssuer(step, issuer, claims)
}

func (p *Provider) checkTenant(step, id string, claims []byte) error {
	named := gjson.GetBytes(claims, "tid")
	// It may be missing where the scope profile is, and is needed only where the
	// issuer is not the one that the settings name.
	if id == "" || named.Exists() && named.Str != id || p.settings.ManyTenants() && !named.Exists() {
		return refuse(step, "iss_differs")
	}
	if p.settings.ManyTenants() {
		if !p.allowsTenant(id) {
			return refuse(step, "tenant_not_allowed")
		}
		return nil
	}
	if known, ok := p.onlyTenant(); !ok || id != known {
		return refuse(step, "iss_differs")
	}
	return nil
}

func (p *Provider) allowsTenant(id string) bool {
	if p.settings.Tenant == "organizations" && id == personal {
		return false
	}
	return p.settings.InsecureAnyTenant || slices.Contains(p.settings.Tenants, id)
}

// onlyTenant is the id of the one tenant whose people sign in. That of a tenant by
// another name is known once the provider is.
func (p *Provider) onlyTenant() (id string, ok bool) {
	switch tenant := p.settings.Tenant; {
	case config.IsTenantID(tenant):
		return tenant, true
	case tenant == "consumers":
		return personal, true
	case p.meta != nil:
		return p.tenantOf(p.meta.issuer), true
	}
	return "", false
}

// Speaks reports whether tokens of the issuer, and sessions that began with them,
// are this provider's. It is no proof of anything.
func (p *Provider) Speaks(issuer string) bool {
	if p.settings.Type != "entra" {
		return issuer == p.settings.Issuer
	}
	id := p.tenantOf(issuer)
	if id == "" {
		id = p.tenantOfV1(issuer)
	}
	if id == "" || p.settings.ManyTenants() {
		return id != "" && p.allowsTenant(id)
	}
	known, ok := p.onlyTenant()
	return !ok || id == known
}

// tenantNamed is the tenant whose keys a token has to be signed with, by what it
// says of itself; "" where that is no question.
func (p *Provider) tenantNamed(claims []byte) string {
	if p.settings.Type != "entra" {
		return ""
	}
	issuer := gjson.GetBytes(claims, "iss").Str
	if id := p.tenantOf(issuer); id != "" {
		return id
	}
	return p.tenantOfV1(issuer)
}

// signsFor reports whether a key of some issuer may sign a tenant's tokens. In the
// keys that Entra's tenants share each names its issuer, with a hole for the
// tenant's id or without.
func (p *Provider) signsFor(tenant, keyIssuer string) bool {
	if keyIssuer == "" || p.settings.Type != "entra" {
		return true
	}
	named := strings.ReplaceAll(keyIssuer, tenantHole, tenant)
	return tenant != "" && (p.tenantOf(named) == tenant || p.tenantOfV1(named) == tenant)
}

// Vouched is what a token of the provider's says, with a word on whether the address
// in it was verified. Where people of many tenants sign in at an Entra, it was only
// where the token says so in Entra's own way: whoever runs a tenant may give its
// people any address.
func (p *Provider) Vouched(claims []byte) ([]byte, error) {
	if !p.settings.ManyTenants() && (p.settings.Type != "entra" || p.settings.Tenant != "consumers") {
		return claims, nil
	}
	switch gjson.GetBytes(claims, "xms_edov").String() {
	case "true", "1":
		return claims, nil
	}
	return withClaim(claims, "email_verified", false)
}

// Complete adds to what an ID token says what has to be known beside: see Vouched.
// And an Entra leaves out the groups of people who have many, which are fetched
// where they are wanted.
func (p *Provider) Complete(env flow.Env, id *IDToken, access Access, wants func(claim string) bool) (err error) {
	if p.settings.Type != "entra" {
		return nil
	}
	if id.Claims, err = p.Vouched(id.Claims); err != nil {
		return err
	}
	if !leftOut(id.Claims) || !wants("groups") {
		return nil
	}
	groups, err := p.askGraph(env, access)
	if err == nil {
		id.Claims, err = withClaim(id.Claims, "groups", groups)
	}
	return err
}

// askGraph asks Microsoft Graph for a person's groups, at its own address: the one
// that a token brings along is an older service's.
func (p *Provider) askGraph(env flow.Env, access Access) ([]string, error) {
	const step = "groups"
	pages, err := p.Ask(env, step, Question{
		Method: "POST", URL: p.cloud().graph + "/v1.0/me/getMemberObjects", Body: `{"securityEnabledOnly":false}`,
		MaxPages: 1, MaxBytes: maxGroups,
	}, access)
	switch {
	case errors.Is(err, flow.ErrCanceled):
		return nil, err
	case err != nil:
		return nil, &Failure{Step: step, Reason: "groups_not_resolved", Temporary: Temporary(err)}
	}
	groups, ok := texts(gjson.GetBytes(pages[0], "value"))
	if !ok {
		return nil, refuse(step, "groups_not_resolved")
	}
	return groups, nil
}

// maxGroups bounds the answer: Graph names at most 11,000 groups, each by its id.
const maxGroups = 1 << 20

// leftOut reports whether an ID token is without its groups because there are too
// many.
func leftOut(claims []byte) bool {
	return gjson.GetBytes(claims, "_claim_names.groups").Exists() || gjson.GetBytes(claims, "hasgroups").Bool()
}

// texts are the strings of a list, which must hold nothing else.
func texts(v gjson.Result) (all []string, ok bool) {
	all = []string{}
	for _, item := range v.Array() {
		if item.Type != gjson.String {
			return nil, false
		}
		all = append(all, item.Str)
	}
	return all, v.IsArray()
}
