package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sole returns the minimal settings with one provider, and more at the top.
func sole(provider, more string) string {
	return `{"providers": [{"cluster": "idp", "client_id": "c", ` + provider + `}], "hosts": ["app.example.com"],
		"session": {"keys": [{"id": "k", "env": "POSTERN_KEY"}]}` + more + `}`
}

// googleClusters are those that a provider of the type google cannot do without.
const googleClusters = `, "clusters": {"oauth2.googleapis.com": "a", "www.googleapis.com": "b", "openidconnect.googleapis.com": "c"}`

const (
	tenantA = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
	tenantB = "72f988bf-86f1-41af-91ab-2d7cd011db47"
)

// said is what a type of provider brings.
type said struct {
	Name, Issuer, Auth, Audience, Switch string
	Scopes                               []string
	User, Roles                          string
}

func TestEachTypeOfProviderBringsItsHabits(t *testing.T) {
	usual := []string{"openid", "profile", "email"}
	secret := `, "client_secret": {"env": "SHOP_CLIENT_SECRET"}`
	for name, tt := range map[string]struct {
		provider string
		want     said
	}{
		"any OpenID provider": {`"name": "a", "issuer": "https://id.example.com"` + secret,
			said{"", "https://id.example.com", "client_secret_basic", "issuer", "login", usual, "preferred_username", ""}},
		"Keycloak": {`"name": "a", "type": "keycloak", "issuer": "https://id.example.com/realms/a"` + secret,
			said{"", "https://id.example.com/realms/a", "client_secret_basic", "issuer", "login", usual, "preferred_username", "realm_access.roles"}},
		"Google": {`"name": "a", "type": "google"` + googleClusters + secret,
			said{"Google", "https://accounts.google.com", "client_secret_basic", "issuer", "select_account", usual, "email", ""}},
		"Entra": {`"name": "a", "type": "entra", "tenant": "` + tenantA + `"` + secret,
			said{"Microsoft", "https://login.microsoftonline.com/" + tenantA + "/v2.0", "client_secret_basic", "endpoint", "select_account", usual, "preferred_username", "roles"}},
		"Entra by a domain, in capitals": {`"name": "a", "type": "entra", "tenant": "Contoso.com"` + secret,
			said{"Microsoft", "https://login.microsoftonline.com/contoso.com/v2.0", "client_secret_basic", "endpoint", "select_account", usual, "preferred_username", "roles"}},
		"Entra in another cloud": {`"name": "a", "type": "entra", "issuer": "https://login.microsoftonline.us/` + tenantA + `/v2.0"` + secret,
			said{"Microsoft", "https://login.microsoftonline.us/" + tenantA + "/v2.0", "client_secret_basic", "endpoint", "select_account", usual, "preferred_username", "roles"}},
		"GitHub": {`"name": "a", "type": "github", "clusters": {"api.github.com": "api"}` + secret,
			said{"GitHub", "https://github.com", "client_secret_post", "issuer", "select_account", []string{"read:user", "user:email"}, "preferred_username", ""}},
		"a GitHub on somebody's premises": {`"name": "a", "type": "github", "issuer": "https://git.example.com"` + secret,
			said{"GitHub", "https://git.example.com", "client_secret_post", "issuer", "select_account", []string{"read:user", "user:email"}, "preferred_username", ""}},
		"GitLab": {`"name": "a", "type": "gitlab"` + secret,
			said{"GitLab", "https://gitlab.com", "client_secret_basic", "issuer", "login", usual, "nickname", ""}},
		"Okta": {`"name": "a", "type": "okta", "issuer": "https://dev.okta.com/oauth2/default"` + secret,
			said{"Okta", "https://dev.okta.com/oauth2/default", "client_secret_basic", "endpoint", "login", usual, "preferred_username", ""}},
		"Auth0": {`"name": "a", "type": "auth0", "issuer": "https://dev.eu.auth0.com/"` + secret,
			said{"Auth0", "https://dev.eu.auth0.com/", "client_secret_basic", "issuer", "login", usual, "email", ""}},
		"what the settings say instead": {`"name": "a", "type": "google", "display_name": "Staff", "scopes": ["openid"], "claims": {"user": "sub"},
				"client_auth": "client_secret_post", "client_assertion_audience": "endpoint"` + googleClusters + secret,
			said{"Staff", "https://accounts.google.com", "client_secret_post", "endpoint", "select_account", []string{"openid"}, "sub", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			p := mustParse(t, sole(tt.provider, "")).Providers[0]
			got := said{p.DisplayName, p.Issuer, p.ClientAuth, p.ClientAssertionAudience, p.SwitchPrompt(), p.Scopes, p.Claims["user"], p.Claims["roles"]}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-wanted +found):\n%s", diff)
			}
		})
	}
}

func TestAGitHubIsAskedForOrganisationsWhereGroupsAreWanted(t *testing.T) {
	const require = `, "rules": [{"match": {"paths": ["/a"]}, "require": `
	for name, tt := range map[string]struct {
		more string
		want bool
	}{
		"nothing but what is told anyway":           {``, false},
		"a rule about something else":               {require + `{"emails": ["a@example.com"]}}]`, false},
		"a rule about groups":                       {require + `{"groups": ["octo"]}}]`, true},
		"groups deep within a rule":                 {require + `{"any": [{"emails": ["a@b"]}, {"not": {"all": [{"groups": ["octo"]}]}}]}}]`, true},
		"a rule about the claim":                    {require + `{"claims": {"groups": ["octo"]}}}]`, true},
		"a header of one's own":                     {`, "forward": {"headers": {"x-groups": "groups"}}`, true},
		"a header of a rule":                        {`, "rules": [{"match": {"paths": ["/a"]}, "forward": {"headers": {"x-groups": "groups"}}}]`, true},
		"other headers of one's own":                {`, "forward": {"headers": {"x-user": "user"}}`, false},
		"an assertion that says them":               {`, "forward": {"assertion": {}}`, true},
		"an assertion that says who it is and only": {`, "forward": {"assertion": {"claims": ["user"]}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := mustParse(t, sole(`"name": "a", "type": "github", "clusters": {"api.github.com": "api"}`, tt.more)).Providers[0]
			if p.Orgs() != tt.want {
				t.Errorf("scopes %v", p.Scopes)
			}
		})
	}
	asked := mustParse(t, sole(`"name": "a", "type": "github", "clusters": {"api.github.com": "api"}, "scopes": []`, require+`{"groups": ["octo"]}}]`)).Providers[0]
	if asked.Orgs() || len(asked.Scopes) != 0 {
		t.Errorf("scopes that were given became %v", asked.Scopes)
	}
}

func TestTheProfileFAPISetsWhatItDemands(t *testing.T) {
	p := mustParse(t, sole(`"name": "a", "issuer": "https://id.example.com", "profile": "fapi2", "client_auth": "tls_client_auth"`, "")).Providers[0]
	got := []any{p.PAR, p.TokenBinding, p.Algorithms, p.ClientAuth}
	if diff := cmp.Diff([]any{"always", "dpop", []string{"PS256", "ES256", "EdDSA"}, "tls_client_auth"}, got); diff != "" {
		t.Errorf("(-wanted +found):\n%s", diff)
	}
	rsa := mustParse(t, keyed(t, pkcs8(keys().rsa), `, "profile": "fapi2", "par": "always", "token_binding": "mtls"`)).Providers[0]
	if rsa.ClientAuth != "private_key_jwt" || rsa.ClientKeyAlgorithm != "PS256" || rsa.TokenBinding != "mtls" {
		t.Errorf("%s, %s, %s", rsa.ClientAuth, rsa.ClientKeyAlgorithm, rsa.TokenBinding)
	}
}

func TestTheAPIOfAGitHub(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://github.com":             "https://api.github.com",
		"https://octo.ghe.com":           "https://api.octo.ghe.com",
		"https://badghe.com":             "https://badghe.com/api/v3",
		"https://git.example.com":        "https://git.example.com/api/v3",
		"https://git.example.com:8443/":  "https://git.example.com:8443/api/v3",
		"http://127.0.0.1:3000/github":   "http://127.0.0.1:3000/github/api/v3",
		"https://github.com.example.com": "https://github.com.example.com/api/v3",
	} {
		if got := GitHubAPI(issuer); got != want {
			t.Errorf("%s: %s, want %s", issuer, got, want)
		}
	}
}
