package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestWhatATypeOfProviderCannotHave(t *testing.T) {
	entra := func(more string) string { return sole(`"name": "a", "type": "entra"`+more, "") }
	oauth2 := func(endpoints, more string) string {
		return sole(`"name": "a", "type": "oauth2", "issuer": "https://id.example.com", "endpoints": {`+endpoints+`}`+more, "")
	}
	const three = `"authorization": "https://www.example.com/a?x=y", "token": "https://id.example.com/t", "userinfo": "https://id.example.com/u"`
	const notTenant = ` is not a tenant: its id, one of its domains, "common", "organizations" or "consumers"`
	const entraForm = `providers[0].issuer: must be the host, the tenant in lower case and "/v2.0", such as "https://login.microsoftonline.com/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0"`
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"what belongs to other types", provider(t, `"tenant": "`+tenantA+`", "tenants": ["`+tenantA+`"], "insecure_any_tenant": true,
			"hosted_domains": ["example.com"], "endpoints": {"token": "https://id.example.com/t"}, "subject": "id"`), []string{
			`providers[0].tenant: has a meaning for the type "entra" only`,
			`providers[0].tenants: has a meaning for the type "entra" only`,
			`providers[0].insecure_any_tenant: has a meaning for the type "entra" only`,
			`providers[0].hosted_domains: has a meaning for the type "google" only`,
			`providers[0].endpoints: has a meaning for the type "oauth2" only`,
			`providers[0].subject: has a meaning for the type "oauth2" only`}},

		{"an Entra without a tenant", entra(``), []string{
			`providers[0].tenant: is required: the id of the Entra tenant whose people sign in`}},
		{"a tenant that is none", entra(`, "tenant": "contoso"`), []string{`providers[0].tenant: "contoso"` + notTenant}},
		{"a tenant with a slash", entra(`, "tenant": "common/../evil.com"`), []string{`providers[0].tenant: "common/../evil.com"` + notTenant}},
		{"a tenant that is all below a domain", entra(`, "tenant": "*.contoso.com"`), []string{`providers[0].tenant: "*.contoso.com"` + notTenant}},
		{"everybody", entra(`, "tenant": "common"`), []string{
			`providers[0].tenants: is required: the ids of the tenants whose people may sign in; anybody can make a tenant`}},
		{"every organisation, by an issuer", entra(`, "issuer": "https://login.microsoftonline.us/organizations/v2.0"`), []string{
			`providers[0].tenants: is required: the ids of the tenants whose people may sign in; anybody can make a tenant`}},
		{"everybody and some", entra(`, "tenant": "common", "insecure_any_tenant": true, "tenants": ["` + tenantA + `"]`), []string{
			`providers[0].insecure_any_tenant: has no meaning beside tenants`}},
		{"no tenants", entra(`, "tenant": "common", "tenants": []`), []string{
			`providers[0].tenants: is empty; leave the key out or put something in`}},
		{"tenants by their domains, and one twice", entra(`, "tenant": "common", "tenants": ["contoso.com", "` + tenantA + `", "` + strings.ToUpper(tenantA) + `"]`), []string{
			`providers[0].tenants[0]: "contoso.com" is not a tenant's id, such as "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"`,
			`providers[0].tenants[2]: "8eaef023-2b34-4da1-9baa-8bc8c9d6a490" is given twice`}},
		{"tenants beside one tenant", entra(`, "tenant": "` + tenantA + `", "tenants": ["` + tenantB + `"]`), []string{
			`providers[0].tenants: has a meaning with the tenants "common" and "organizations" only`}},
		{"any tenant beside one tenant", entra(`, "tenant": "consumers", "insecure_any_tenant": true`), []string{
			`providers[0].insecure_any_tenant: has a meaning with the tenants "common" and "organizations" only`}},
		{"an issuer of the first version", entra(`, "tenant": "` + tenantA + `", "issuer": "https://sts.windows.net/` + tenantA + `/"`), []string{entraForm}},
		{"an issuer with more in it", entra(`, "tenant": "` + tenantA + `", "issuer": "https://login.example.com/x/` + tenantA + `/v2.0"`), []string{entraForm}},
		{"an issuer in capitals", entra(`, "tenant": "` + tenantA + `", "issuer": "https://login.microsoftonline.com/` + strings.ToUpper(tenantA) + `/v2.0"`), []string{entraForm}},
		{"another issuer than the tenant's", entra(`, "tenant": "` + tenantB + `", "issuer": "https://login.microsoftonline.com/` + tenantA + `/v2.0"`), []string{
			`providers[0].tenant: is another one than the issuer's, "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"`}},
		{"tokens of a tenant that is known by its domain", sole(`"name": "a", "type": "entra", "tenant": "contoso.com"`, `, "bearer": [{"provider": "a", "audiences": ["x"]}]`), []string{
			`bearer[0].provider: needs the tenant of provider "a" as its id, by which tokens name it`}},

		{"hosted domains that are none", sole(`"name": "a", "type": "google", "hosted_domains": ["*.example.com", "a@example.com", "example.com", "EXAMPLE.com"]`+googleClusters, ""), []string{
			`providers[0].hosted_domains[1]: "a@example.com" is more than a domain; whole addresses belong under emails`,
			`providers[0].hosted_domains[3]: "example.com" is given twice`,
			`providers[0].hosted_domains[0]: "*.example.com" is not one domain; Google names each`}},

		{"a Google of which only the sign-in page is reached", sole(`"name": "a", "type": "google", "clusters": {"www.googleapis.com": "keys"}`, ""), []string{
			`providers[0].clusters["oauth2.googleapis.com"]: needs a cluster for calls to "oauth2.googleapis.com", in clusters`,
			`providers[0].clusters["openidconnect.googleapis.com"]: needs a cluster for calls to "openidconnect.googleapis.com", in clusters`}},
		{"a Google that is not asked for more", sole(`"name": "a", "type": "google", "userinfo": "never", "clusters": {"www.googleapis.com": "keys"}`, ""), []string{
			`providers[0].clusters["oauth2.googleapis.com"]: needs a cluster for calls to "oauth2.googleapis.com", in clusters`}},
		{"a type in capitals, and no issuer", sole(`"name": "a", "type": "GitHub"`, ""), []string{
			`providers[0].type: "GitHub" is not one of oidc, keycloak, google, entra, github, gitlab, okta, auth0, oauth2; did you mean "github"?`}},
		{"a type by another name, and no issuer", sole(`"name": "a", "type": "azure"`, ""), []string{
			`providers[0].type: "azure" is not one of oidc, keycloak, google, entra, github, gitlab, okta, auth0, oauth2`}},

		{"no endpoints", oauth2(``, ``), []string{
			`providers[0].endpoints.authorization: is required: where people are sent to sign in`,
			`providers[0].endpoints.token: is required: where codes are exchanged`,
			`providers[0].endpoints.userinfo: is required: where it is asked who the person is`}},
		{"endpoints that are none", oauth2(`"authorization": "http://id.example.com/a", "token": "https://id.example.com/t#f", "userinfo": "/u", "revocation": "https://id.example.com/r?a=\"b"`, ``), []string{
			`providers[0].endpoints.authorization: must be an https address; insecure_issuer accepts http, with its dangers`,
			`providers[0].endpoints.token: must be an absolute address such as "https://id.example.com", without query and fragment`,
			`providers[0].endpoints.userinfo: must be an absolute address such as "https://id.example.com"`,
			`providers[0].endpoints.revocation: must be an address of at most 2048 visible ASCII characters, without fragment`}},
		{"an endpoint on a host without a cluster", oauth2(three+`, "introspection": "https://other.example.com/i"`, ``), []string{
			`providers[0].endpoints.introspection: needs a cluster for calls to "other.example.com", in clusters`}},
		{"a subject that everybody would have", oauth2(three, `, "subject": "!\"everybody\""`), []string{
			`providers[0].subject: "!\"everybody\"" holds a value of its own; only what the provider said can be looked at`}},
		{"what only OpenID providers can be asked for", oauth2(three, `, "par": "always", "token_binding": "mtls"`), []string{
			`providers[0].par: has no meaning for the type "oauth2", which has no discovery document to say that it is known there`,
			`providers[0].token_binding: has no meaning for the type "oauth2", which has no discovery document to say that it is known there`}},
		{"signed tokens of a provider without keys", sole(`"name": "a", "type": "oauth2", "issuer": "https://id.example.com", "client_secret": {"env": "SHOP_CLIENT_SECRET"}, "endpoints": {`+three+`}`,
			`, "bearer": [{"provider": "a", "audiences": ["x"]}]`), []string{
			`bearer[0].check: must be "introspection" for provider "a", which has no keys, and its endpoints.introspection be set`}},

		{"a GitHub whose API no cluster leads to", sole(`"name": "a", "type": "github"`, ""), []string{
			`providers[0].clusters: needs a cluster for calls to "api.github.com", in clusters`}},
		{"refresh tokens that are not asked for", sole(`"name": "a", "type": "gitlab", "offline_access": true`, ""), []string{
			`providers[0].offline_access: has no meaning for the type "gitlab", which gives refresh tokens without being asked, or not at all`}},
		{"an Auth0 without the slash", sole(`"name": "a", "type": "auth0", "issuer": "https://dev.eu.auth0.com"`, ""), []string{
			`providers[0].issuer: must end in "/" right after the host: that is how Auth0 spells it`}},
		{"an Okta without an issuer", sole(`"name": "a", "type": "okta"`, ""), []string{
			`providers[0].issuer: is required: the provider's issuer, such as "https://id.example.com/realms/main"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.settings, tt.want...) })
	}
}

func TestTypesOfProvidersThatAreAccepted(t *testing.T) {
	for name, settings := range map[string]string{
		"some tenants":         sole(`"name": "a", "type": "entra", "tenant": "organizations", "tenants": ["`+tenantA+`", "`+tenantB+`"]`, ""),
		"personal accounts":    sole(`"name": "a", "type": "entra", "tenant": "consumers"`, ""),
		"a stand-in for Entra": sole(`"name": "a", "type": "entra", "issuer": "http://127.0.0.1:8443/`+tenantA+`/v2.0", "insecure_issuer": true`, ""),
		"OAuth 2.0 with queries and several hosts": sole(`"name": "a", "type": "oauth2", "issuer": "https://id.example.com", "subject": "data.id", "clusters": {"api.example.com": "api"},
			"endpoints": {"authorization": "https://www.example.com/a?x=y", "token": "https://id.example.com/t", "userinfo": "https://api.example.com:443/u?fields=id"}`, ""),
		"introspection at OAuth 2.0": sole(`"name": "a", "type": "oauth2", "issuer": "https://id.example.com", "client_secret": {"env": "SHOP_CLIENT_SECRET"},
			"endpoints": {"authorization": "https://id.example.com/a", "token": "https://id.example.com/t", "userinfo": "https://id.example.com/u", "introspection": "https://id.example.com/i"}`,
			`, "bearer": [{"provider": "a", "audiences": ["x"], "check": "introspection"}]`),
		"a GitHub on somebody's premises": sole(`"name": "a", "type": "github", "issuer": "https://git.example.com"`, ""),
	} {
		t.Run(name, func(t *testing.T) { mustParse(t, settings) })
	}
}

func TestAnyTenantIsAmongWhatGivesUpAProtection(t *testing.T) {
	c := mustParse(t, sole(`"name": "a", "type": "entra", "tenant": "common", "insecure_any_tenant": true`, ""))
	if got := c.Insecure(); !slices.Equal(got, []string{"providers[0].insecure_any_tenant"}) {
		t.Errorf("got %v", got)
	}
}

// several returns settings with these providers.
func several(providers ...string) string {
	for i, p := range providers {
		providers[i] = fmt.Sprintf(`{"name": "p%d", "cluster": "idp", %s}`, i, p)
	}
	return `{"providers": [` + strings.Join(providers, ",") + `], "hosts": ["app.example.com"], "session": {"keys": [{"id": "k", "env": "POSTERN_KEY"}]}}`
}

func TestProvidersBesideEachOther(t *testing.T) {
	const id = `"issuer": "https://id.example.com"`
	alike := make([]string, 65)
	for i := range alike {
		alike[i] = fmt.Sprintf(`%s, "client_id": "c%d"`, id, i)
	}
	many := several(alike...)
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"two clients of one issuer", several(id+`, "client_id": "a"`, id+`, "client_id": "b"`), nil},
		{"one client twice", several(id+`, "client_id": "a"`, id+`, "client_id": "a"`), []string{
			`providers[1].issuer: is the same as that of providers[0]; each needs a client_id of its own then`}},
		{"one without a client first", several(id, id+`, "client_id": "a"`), []string{
			`providers[1].issuer: is the same as that of providers[0]; each needs a client_id of its own then`}},
		{"the second one is for signing in", several(id, `"issuer": "https://b.example.com", "client_id": "a"`), nil},
		{"no one is for signing in", several(id + `, "client_id": "a", "sign_in": false`), []string{
			`providers[0].sign_in: leaves no provider where people can sign in`}},
		{"one domain at two", several(id+`, "client_id": "a", "email_domains": ["a.example.com", "Example.com"]`, `"issuer": "https://b.example.com", "client_id": "a", "email_domains": ["example.com"]`), []string{
			`providers[1].email_domains[0]: is the same as that of providers[0]`}},
		{"domains that are none", several(id + `, "client_id": "a", "email_domains": ["*", "a@example.com"]`), []string{
			`providers[0].email_domains[0]: "*" would be every domain there is; leave the key out, or name a domain, such as "*.example.com"`,
			`providers[0].email_domains[1]: "a@example.com" is more than a domain; whole addresses belong under emails`}},
		{"more than there may be", many, []string{`providers: holds 65 providers; at most 64`}},
		{"tokens of one issuer for two", strings.Replace(several(id+`, "client_id": "a"`, id+`, "client_id": "b"`), `"hosts"`,
			`"bearer": [{"provider": "p0", "audiences": ["x"]}, {"provider": "p1", "audiences": ["y"]}], "hosts"`, 1), []string{
			`bearer[1].provider: has the issuer of bearer[0], by which tokens are told apart; one of the two has to do`}},
		{"roles where a provider has none", strings.Replace(several(id+`, "client_id": "a", "claims": {"roles": "r"}`, `"issuer": "https://b.example.com", "client_id": "b"`), `"hosts"`,
			`"rules": [{"match": {"paths": ["/a"]}, "require": {"roles": ["x"]}}], "hosts"`, 1), []string{
			`rules[0].require.roles: needs to know where provider "p1" has roles: add it to providers[1].claims, such as {"roles": "realm_access.roles"}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == nil {
				mustParse(t, tt.settings)
				return
			}
			refused(t, tt.settings, tt.want...)
		})
	}
}

func TestHowAButtonLooks(t *testing.T) {
	const logo = `providers[0].logo: must be an https address, or "data:image/" with at most 8192 bytes`
	long := strings.Repeat("A", 8192)
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"an address", provider(t, `"logo": "https://www.example.com/mark.svg?v=2", "color": "#1d5B4f"`), nil},
		{"a picture", provider(t, `"logo": "data:image/png;base64,`+long[:8000]+`"`), nil},
		{"a picture that is too long", provider(t, `"logo": "data:image/png;base64,`+long+`"`), []string{`providers[0].logo: is longer than 8192 bytes`}},
		{"over http", provider(t, `"logo": "http://www.example.com/mark.svg"`), []string{logo}},
		{"a page", provider(t, `"logo": "data:text/html,<script>"`), []string{logo}},
		{"a script", provider(t, `"logo": "javascript:alert(1)"`), []string{`providers[0].logo: must be an absolute address such as "https://id.example.com"`}},
		{"a quotation mark", provider(t, `"logo": "https://www.example.com/a?\"onerror=x"`), []string{logo}},
		{"nothing in it", provider(t, `"logo": "data:image/png"`), []string{logo}},
		{"a colour by name, one that is short, and one that ends a declaration", several(`"issuer": "https://a.example.com", "client_id": "a", "color": "red"`,
			`"issuer": "https://b.example.com", "client_id": "a", "color": "#fff"`, `"issuer": "https://c.example.com", "client_id": "a", "color": "#12345;"`), []string{
			`providers[0].color: "red" is not a colour: "#" and six hexadecimal digits`,
			`providers[1].color: "#fff" is not a colour: "#" and six hexadecimal digits`,
			`providers[2].color: "#12345;" is not a colour: "#" and six hexadecimal digits`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == nil {
				mustParse(t, tt.settings)
				return
			}
			refused(t, tt.settings, tt.want...)
		})
	}
}
