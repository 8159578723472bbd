package config

import (
	"net/url"
	"strings"
)

// kind checks what belongs to the types of providers.
func (r *reader) kind(path string, p *Provider) {
	for _, part := range []struct {
		key   string
		given bool
		of    string
	}{
		{"tenant", p.Tenant != "", "entra"},
		{"tenants", p.Tenants != nil, "entra"},
		{"insecure_any_tenant", p.InsecureAnyTenant, "entra"},
		{"hosted_domains", p.HostedDomains != nil, "google"},
		{"endpoints", p.Endpoints != Endpoints{}, "oauth2"},
		{"subject", p.Subject != "", "oauth2"},
	} {
		if part.given && p.Type != part.of && r.clean(at(path, "type")) {
			r.problem(at(path, part.key), "has a meaning for the type %q only", part.of)
		}
	}
	switch p.Type {
	case "entra":
		r.tenant(path, p)
	case "google":
		r.hostedDomains(at(path, "hosted_domains"), p.HostedDomains)
		r.googleClusters(at(path, "clusters"), p)
	case "oauth2":
		r.endpoints(path, p)
		r.claimPath(at(path, "subject"), p.Subject)
	case "github":
		r.hasCluster(at(path, "clusters"), p, GitHubAPI(p.Issuer))
	}
	if p.OfflineAccess && (p.Type == "gitlab" || p.Type == "github") {
		r.problem(at(path, "offline_access"), "has no meaning for the type %q, which gives refresh tokens without being asked, or not at all", p.Type)
	}
}

// tenant checks of which Entra tenants people may be. A tenant's id is the only
// thing of it that nobody else can have.
func (r *reader) tenant(path string, p *Provider) {
	if here := at(path, "tenant"); p.Tenant != "" && r.clean(here) {
		if flaw := tenantFlaw(p.Tenant); flaw != "" {
			r.problem(here, "%s %s", quote(p.Tenant), flaw)
		}
		p.Tenant = strings.ToLower(p.Tenant)
	}
	if p.Tenant == "" && p.Issuer == "" {
		r.required(at(path, "tenant"), "", "the id of the Entra tenant whose people sign in")
	}
	if p.Tenant == "" {
		p.Tenant = issuerTenant(p.Issuer)
	}
	here := at(path, "tenants")
	for i, id := range p.Tenants {
		if p.Tenants[i] = strings.ToLower(id); r.clean(index(here, i)) && !IsTenantID(p.Tenants[i]) {
			r.problem(index(here, i), "%s is not a tenant's id, such as %q", quote(id), "8eaef023-2b34-4da1-9baa-8bc8c9d6a490")
		}
	}
	r.entries(here, p.Tenants)
	many := p.ManyTenants()
	switch {
	case many && p.Tenants == nil && !p.InsecureAnyTenant && r.clean(here):
		r.problem(here, "is required: the ids of the tenants whose people may sign in; anybody can make a tenant")
	case many && p.Tenants != nil && p.InsecureAnyTenant:
		r.problem(at(path, "insecure_any_tenant"), "has no meaning beside tenants")
	case !many && p.Tenants != nil && p.Tenant != "":
		r.problem(here, `has a meaning with the tenants "common" and "organizations" only`)
	case !many && p.InsecureAnyTenant:
		r.problem(at(path, "insecure_any_tenant"), `has a meaning with the tenants "common" and "organizations" only`)
	}
}

// tenantFlaw says what is wrong with a tenant's name.
func tenantFlaw(tenant string) string {
	switch t := strings.ToLower(tenant); {
	case t == "common", t == "organizations", t == "consumers", IsTenantID(t):
	case !strings.Contains(t, ".") || domainFlaw(t) != "" || strings.HasPrefix(t, "*"):
		return `is not a tenant: its id, one of its domains, "common", "organizations" or "consumers"`
	}
	return ""
}

// IsTenantID reports whether s is the id of an Entra tenant: a GUID in lower case.
func IsTenantID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (s[i] == '-') || !dash && !digit(s[i]) && (s[i] < 'a' || s[i] > 'f') {
			return false
		}
	}
	return true
}

// issuerTenant is the tenant that an issuer of Entra's names, or "".
func issuerTenant(issuer string) string {
	rest, ok := strings.CutSuffix(issuer, "/v2.0")
	if !ok {
		return ""
	}
	tenant := rest[strings.LastIndexByte(rest, '/')+1:]
	if tenantFlaw(tenant) != "" || tenant != strings.ToLower(tenant) {
		return ""
	}
	return tenant
}

// entraIssuer checks an issuer that is one of Entra's, in whichever of its clouds.
func (r *reader) entraIssuer(path string, p *Provider, u address) {
	if !r.clean(at(path, "tenant")) {
		return
	}
	named := issuerTenant(p.Issuer)
	switch {
	case named == "" || u.path != "/"+named+"/v2.0":
		r.problem(at(path, "issuer"), `must be the host, the tenant in lower case and "/v2.0", such as "https://login.microsoftonline.com/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0"`)
	case named != p.Tenant:
		r.problem(at(path, "tenant"), "is another one than the issuer's, %s", quote(named))
	}
}

// hostedDomains checks domains of Google Workspace, and brings them into lower
// case.
func (r *reader) hostedDomains(path string, domains []string) {
	r.emailDomains(path, domains)
	for i, d := range domains {
		if strings.HasPrefix(d, "*") && r.clean(index(path, i)) {
			r.problem(index(path, i), "%s is not one domain; Google names each", quote(d))
		}
	}
}

// GoogleHosts are what Google has beside the issuer's host: for tokens, for keys, and
// for userinfo.
func GoogleHosts() []string {
	return []string{"oauth2.googleapis.com", "www.googleapis.com", "openidconnect.googleapis.com"}
}

// googleClusters notes which of Google's hosts no cluster leads to: without the first
// two nobody can sign in, and the third is asked for more about whoever does.
func (r *reader) googleClusters(path string, p *Provider) {
	if p.Issuer != habits["google"].issuer {
		return // a stand-in for it
	}
	hosts := GoogleHosts()
	if p.Userinfo == "never" {
		hosts = hosts[:2]
	}
	for _, host := range hosts {
		r.hasCluster(at(path, host), p, "https://"+host)
	}
}

// endpoints checks the addresses of a provider without a discovery document.
func (r *reader) endpoints(path string, p *Provider) {
	here := at(path, "endpoints")
	e := &p.Endpoints
	for _, part := range []struct {
		key, address string
		required     string
		called       bool // by us, and not by browsers
	}{
		{"authorization", e.Authorization, "where people are sent to sign in", false},
		{"token", e.Token, "where codes are exchanged", true},
		{"userinfo", e.Userinfo, "where it is asked who the person is", true},
		{"revocation", e.Revocation, "", true},
		{"introspection", e.Introspection, "", true},
	} {
		place := at(here, part.key)
		if part.address == "" {
			if part.required != "" {
				r.required(place, "", part.required)
			}
			continue
		}
		if r.endpoint(place, part.address, p) && part.called {
			r.hasCluster(place, p, part.address)
		}
	}
}

// endpoint checks an address that may have a query.
func (r *reader) endpoint(path, address string, p *Provider) (ok bool) {
	bare, query, _ := strings.Cut(address, "?")
	u, ok := r.address(path, bare)
	switch {
	case !ok:
		return false
	case !only(address, 2048, visible) || strings.ContainsAny(query, `#"\`):
		r.problem(path, "must be an address of at most 2048 visible ASCII characters, without fragment")
		return false
	case u.scheme == "http" && !p.InsecureIssuer:
		r.problem(path, "must be an https address; insecure_issuer accepts http, with its dangers")
		return false
	}
	return true
}

// hasCluster notes an address that no cluster leads to.
func (r *reader) hasCluster(path string, p *Provider, address string) {
	u, err := url.Parse(address)
	issuer, bad := url.Parse(p.Issuer)
	if err != nil || bad != nil || u.Host == "" || issuer.Host == "" {
		return // told of elsewhere
	}
	host := HostOf(u)
	if p.Clusters[host] == "" && host != HostOf(issuer) && r.clean(path) {
		r.problem(path, "needs a cluster for calls to %s, in clusters", quote(host))
	}
}

// HostOf is an address's host in lower case, with its port unless that is the
// scheme's own: as clusters name it.
func HostOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

// GitHubAPI is the address of the API of a GitHub: of github.com, of an enterprise's
// own below ghe.com, or of one on somebody's premises.
func GitHubAPI(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	host := HostOf(u)
	if host == "github.com" || under(host, "ghe.com") {
		return u.Scheme + "://api." + u.Host
	}
	return strings.TrimSuffix(issuer, "/") + "/api/v3"
}
