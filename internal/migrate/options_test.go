package migrate

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// usualArgs are settings of oauth2-proxy to which one option is added.
var usualArgs = []string{
	"--provider=oidc", "--oidc-issuer-url=https://id.example.com", "--client-id=shop", "--email-domain=example.com",
	"--redirect-url=https://app.example.com/oauth2/callback",
}

// proxyCases are arguments, the option that they are about, what is told of it, and
// what is then in the settings. Options that are not here have no effect on them:
// for these what becomes of them in general is told.
var proxyCases = map[string]struct {
	args []string
	kind Kind
	want string
}{
	"provider":                               {[]string{"--provider=keycloak-oidc"}, Taken, `"type":"keycloak"`},
	"provider-display-name":                  {[]string{"--provider-display-name=Staff"}, Taken, `"display_name":"Staff"`},
	"client-id":                              {[]string{"--client-id=other"}, Taken, `"client_id":"other"`},
	"client-secret":                          {[]string{"--client-secret=hunter2"}, ToDo, `"client_secret":{"env":"OIDC_CLIENT_SECRET"}`},
	"client-secret-file":                     {[]string{"--client-secret-file=/run/secret"}, ToDo, `"client_secret":{"env":"OIDC_CLIENT_SECRET"}`},
	"oidc-issuer-url":                        {[]string{"--oidc-issuer-url=https://other.example.com"}, Taken, `"issuer":"https://other.example.com"`},
	"scope":                                  {[]string{"--scope=email orders"}, Differs, `"scopes":["email","openid","orders"]`},
	"prompt":                                 {[]string{"--prompt=login"}, Taken, `"prompt":"login"`},
	"acr-values":                             {[]string{"--acr-values=gold silver"}, Differs, `"acr":["gold","silver"]`},
	"allowed-group":                          {[]string{"--allowed-group=a,b", "--allowed-group=c"}, Taken, `"groups":["a","b","c"]`},
	"allowed-role":                           {[]string{"--provider=keycloak-oidc", "--allowed-role=r", "--allowed-role=shop:x", "--allowed-role=o.p:y"}, Taken, `"any":[{"roles":["r"]},{"claims":{"client_roles":["x"]}},{"claims":{"resource_access.o\\.p.roles":["y"]}}]`},
	"code-challenge-method":                  {[]string{"--code-challenge-method=plain"}, Differs, ``},
	"auth-request-response-mode":             {[]string{"--auth-request-response-mode=form_post"}, Differs, `"response_mode":"form_post"`},
	"backend-logout-url":                     {[]string{"--backend-logout-url=https://id.example.com/logout"}, Differs, `"sign_out":{"at_provider":true}`},
	"insecure-oidc-allow-unverified-email":   {[]string{"--insecure-oidc-allow-unverified-email"}, Differs, `"insecure_unverified_email":true`},
	"insecure-oidc-skip-issuer-verification": {[]string{"--insecure-oidc-skip-issuer-verification"}, ToDo, `"issuer":"https://id.example.com"`},
	"skip-oidc-discovery":                    {[]string{"--skip-oidc-discovery"}, ToDo, ``},
	"oidc-enabled-signing-alg":               {[]string{"--oidc-enabled-signing-alg=ES256,HS256"}, ToDo, `"algorithms":["ES256"]`},
	"oidc-groups-claim":                      {[]string{"--oidc-groups-claim=https://example.com/groups"}, Taken, `"groups":"https://example\\.com/groups"`},
	"oidc-email-claim":                       {[]string{"--oidc-email-claim=contact.mail"}, Taken, `"email":"contact.mail"`},
	"user-id-claim":                          {[]string{"--user-id-claim=upn"}, Taken, `"email":"upn"`},
	"oidc-extra-audience":                    {[]string{"--skip-jwt-bearer-tokens", "--oidc-extra-audience=api"}, Differs, `"audiences":["shop","api"]`},
	"skip-claims-from-profile-url":           {[]string{"--skip-claims-from-profile-url"}, Taken, `"userinfo":"never"`},
	"azure-tenant":                           {[]string{"--provider=azure", "--oidc-issuer-url=", "--azure-tenant=8eaef023-2b34-4da1-9baa-8bc8c9d6a490"}, Taken, `"tenant":"8eaef023-2b34-4da1-9baa-8bc8c9d6a490"`},
	"entra-id-allowed-tenant":                {[]string{"--provider=entra-id", "--oidc-issuer-url=https://login.microsoftonline.com/common/v2.0", "--entra-id-allowed-tenant=8eaef023-2b34-4da1-9baa-8bc8c9d6a490"}, Taken, `"tenants":["8eaef023-2b34-4da1-9baa-8bc8c9d6a490"]`},
	"github-org":                             {[]string{"--provider=github", "--github-org=Acme"}, Taken, `"groups":["acme"]`},
	"github-team":                            {[]string{"--provider=github", "--github-team=acme:ops"}, Taken, `"groups":["acme/ops"]`},
	"github-user":                            {[]string{"--provider=github", "--github-user=jane"}, Taken, `"claims":{"user":["jane"]}`},
	"github-repo":                            {[]string{"--provider=github", "--github-repo=acme/shop"}, ToDo, `"require":{"email_domains":["nobody.invalid"]}`},
	"gitlab-group":                           {[]string{"--provider=gitlab", "--gitlab-group=acme"}, Taken, `"groups":["acme"]`},
	"gitlab-project":                         {[]string{"--provider=gitlab", "--gitlab-project=acme/shop"}, ToDo, `"require":{"email_domains":["nobody.invalid"]}`},
	"keycloak-group":                         {[]string{"--provider=keycloak-oidc", "--keycloak-group=/a"}, Taken, `"groups":["/a"]`},
	"google-group":                           {[]string{"--provider=google", "--google-group=a@example.com"}, ToDo, `"require":{"email_domains":["nobody.invalid"]}`},
	"bitbucket-team":                         {[]string{"--provider=bitbucket", "--bitbucket-team=a"}, ToDo, `"require":{"email_domains":["nobody.invalid"]}`},
	"bitbucket-repository":                   {[]string{"--provider=bitbucket", "--bitbucket-repository=a"}, ToDo, `"require":{"email_domains":["nobody.invalid"]}`},
	"jwt-key":                                {[]string{"--provider=login.gov", "--jwt-key=hunter2"}, ToDo, `"client_key":{"env":"LOGIN_GOV_CLIENT_KEY"}`},
	"jwt-key-file":                           {[]string{"--provider=login.gov", "--jwt-key-file=/run/key"}, ToDo, `"client_key":{"env":"LOGIN_GOV_CLIENT_KEY"}`},
	"email-domain":                           {[]string{"--email-domain=.Example.org"}, Taken, `"email_domains":["example.com","*.example.org"]`},
	"authenticated-emails-file":              {[]string{"--authenticated-emails-file=/etc/emails.txt"}, ToDo, `"require":{"email_domains":["example.com"]}`},
	"skip-auth-route":                        {[]string{"--skip-auth-route=POST=^/hook$"}, Taken, `{"name":"open-POST","match":{"paths":["/hook"],"methods":["POST"]},"allow":"anyone"}`},
	"skip-auth-regex":                        {[]string{"--skip-auth-regex=^/public/"}, Taken, `{"name":"open","match":{"path_regexes":["/public/.*"]},"allow":"anyone"}`},
	"api-route":                              {[]string{"--api-route=^/api/"}, Taken, `{"name":"api","match":{"path_regexes":["/api/.*"]},"on_anonymous":"401","require":{"email_domains":["example.com"]}}`},
	"skip-auth-preflight":                    {[]string{"--skip-auth-preflight"}, Differs, `{"name":"preflight","match":{"methods":["OPTIONS"],"paths":["/*"]},"allow":"anyone"}`},
	"trusted-ip":                             {[]string{"--trusted-ip=10.0.0.0/8"}, ToDo, `"rules":[{"name":"rest"`},
	"skip-jwt-bearer-tokens":                 {[]string{"--skip-jwt-bearer-tokens"}, Differs, `"bearer":[{"provider":"oidc","audiences":["shop"]}]`},
	"extra-jwt-issuers":                      {[]string{"--skip-jwt-bearer-tokens", "--extra-jwt-issuers=https://b.example.com=api"}, Differs, `{"provider":"issuer-2","audiences":["api"]}`},
	"force-json-errors":                      {[]string{"--force-json-errors"}, Taken, `"on_anonymous":"401"`},
	"pass-user-headers":                      {[]string{"--pass-user-headers=false", "--pass-basic-auth=false"}, NotNeeded, `"headers":{}`},
	"pass-basic-auth":                        {[]string{"--pass-user-headers=false", "--pass-basic-auth"}, Taken, `"x-forwarded-user":"user"`},
	"set-xauthrequest":                       {[]string{"--set-xauthrequest"}, Taken, `"x-auth-request-groups":"groups"`},
	"prefer-email-to-user":                   {[]string{"--prefer-email-to-user"}, Taken, `"x-forwarded-user":"email"`},
	"pass-access-token":                      {[]string{"--pass-access-token"}, Taken, `"access_token":["x-forwarded-access-token"]`},
	"pass-authorization-header":              {[]string{"--pass-authorization-header"}, ToDo, `"assertion":{}`},
	"set-authorization-header":               {[]string{"--set-authorization-header"}, ToDo, `"assertion":{}`},
	"cookie-secret":                          {[]string{"--cookie-secret=hunter2"}, ToDo, `"keys":[{"id":"first","env":"POSTERN_KEY"}]`},
	"cookie-domain":                          {[]string{"--cookie-domain=.example.com", "--whitelist-domain=.example.com"}, Taken, `"domain":"example.com"`},
	"cookie-path":                            {[]string{"--cookie-path=/shop", "--redirect-url=https://app.example.com/shop/oauth2/callback"}, Taken, `"path":"/shop"`},
	"cookie-expire":                          {[]string{"--cookie-expire=12h30m"}, Taken, `"lifetime":"750m"`},
	"cookie-refresh":                         {[]string{"--cookie-refresh=90s"}, Taken, `"refresh":"90s"`},
	"cookie-secure":                          {[]string{"--cookie-secure=false", "--redirect-url=http://localhost:4180/oauth2/callback"}, Taken, `"insecure_http_cookies":true`},
	"cookie-samesite":                        {[]string{"--cookie-samesite=strict"}, Taken, `"same_site":"strict"`},
	"cookie-csrf-expire":                     {[]string{"--cookie-csrf-expire=30m"}, Taken, `"login_timeout":"30m"`},
	"session-store-type":                     {[]string{"--session-store-type=redis"}, Differs, `"webdis":{"cluster":"webdis","sessions":true`},
	"redirect-url":                           {[]string{"--whitelist-domain=b.example.com"}, Taken, `"public_url":"https://app.example.com","hosts":["b.example.com"]`},
	"proxy-prefix":                           {[]string{"--proxy-prefix=/auth", "--redirect-url=https://app.example.com/auth/callback"}, Taken, `"path_prefix":"/auth"`},
	"whitelist-domain":                       {[]string{"--whitelist-domain=*.example.org:8443"}, Differs, `"hosts":[".example.org:8443"]`},
	"banner":                                 {[]string{"--banner=Staff only"}, Taken, `"text":"Staff only"`},
	"custom-sign-in-logo":                    {[]string{"--custom-sign-in-logo=https://www.example.com/l.svg"}, Taken, `"logo":"https://www.example.com/l.svg"`},
}

func TestEveryOptionOfOAuth2ProxyIsTold(t *testing.T) {
	for _, h := range proxyOptions {
		for _, o := range h.Options {
			t.Run(o.Name, func(t *testing.T) {
				c, special := proxyCases[o.Name]
				if !special {
					c.args, c.kind = []string{"--" + o.Name + "=hunter2"}, o.Kind
					if o.flag {
						c.args = []string{"--" + o.Name}
					}
				}
				r, err := From("oauth2-proxy", Input{Args: append(slices.Clone(usualArgs), c.args...)})
				if err != nil {
					t.Fatal(err)
				}
				checkTold(t, r, o.Name, c.kind)
				if got := string(r.Settings.JSON()); !strings.Contains(got, c.want) {
					t.Errorf("the settings lack %s:\n%s", c.want, got)
				}
				if o.secret {
					checkSecret(t, r)
				}
			})
		}
	}
}

// elsewhere are options whose general word is not what is said of the sample.
var elsewhere = map[string]bool{
	"code-challenge-method": true, "entra-id-allowed-tenant": true, "oidc-audience-claim": true,
}

func checkTold(t *testing.T, r *Result, name string, kind Kind) {
	t.Helper()
	var kinds []Kind
	for _, l := range r.Report {
		if l.Option == name {
			kinds = append(kinds, l.Kind)
		}
	}
	if !slices.Contains(kinds, kind) && !elsewhere[name] || len(kinds) == 0 {
		t.Errorf("%s is told as %v, not as %s", name, kinds, kind)
	}
}

// checkSecret looks for a secret in all that is written.
func checkSecret(t *testing.T, r *Result) {
	t.Helper()
	report, err := json.Marshal(r.Report)
	if err != nil {
		t.Fatal(err)
	}
	if all := golden(t, r) + string(report); strings.Contains(all, secrets) {
		t.Errorf("a secret is in it:\n%s", all)
	}
}

// put sets a value at a path such as "providers[].clientID".
func put(root tree, path string, value any) {
	step, rest, more := strings.Cut(path, ".")
	name, isList := strings.CutSuffix(step, "[]")
	switch {
	case !more && isList:
		root[name] = []any{value}
	case !more:
		root[name] = value
	case isList:
		items := list(root[name])
		if len(items) == 0 {
			items = []any{tree{}}
		}
		put(items[0].(tree), rest, value)
		root[name] = items
	default:
		inner, ok := root[name].(tree)
		if !ok {
			inner = tree{}
		}
		put(inner, rest, value)
		root[name] = inner
	}
}

func document(t *testing.T, root tree) File {
	t.Helper()
	text, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return File{"config.json", text}
}

func TestEveryFieldOfTheAlphaConfigurationIsTold(t *testing.T) {
	for _, h := range alphaFields {
		for _, o := range h.Options {
			t.Run(o.Name, func(t *testing.T) {
				root := tree{}
				put(root, "providers[].provider", "oidc")
				put(root, "providers[].clientID", "shop")
				put(root, "providers[].oidcConfig.issuerURL", "https://id.example.com")
				value := any("hunter2")
				if o.flag {
					value = true
				}
				put(root, o.Name, value)
				r, err := From("oauth2-proxy", Input{Files: []File{document(t, root)}, Args: []string{"--email-domain=example.com"}})
				if err != nil {
					t.Fatal(err)
				}
				name := o.Name
				if o.same != "" {
					name = o.same
				}
				if !r.Report.tells(name) {
					t.Errorf("%s is not told of: %v", name, r.Report)
				}
				if o.secret {
					checkSecret(t, r)
				}
			})
		}
	}
}

func TestEveryFieldOfTheOthersIsTold(t *testing.T) {
	gateway := func(o Option) (tree, string) {
		root := tree{"kind": "SecurityPolicy"}
		put(root, "spec.oidc.provider.issuer", "https://id.example.com")
		put(root, "spec.oidc.clientID", "shop")
		path := strings.Replace(o.Name, "jwt.providers.", "jwt.providers[].", 1)
		if path == "authorization" {
			path = "authorization.defaultAction"
		}
		return root, "spec." + path
	}
	filter := func(Option) (tree, string) {
		root := tree{"@type": "x.oauth2.v3.OAuth2"}
		put(root, "config.authorization_endpoint", "https://id.example.com/auth")
		put(root, "config.credentials.client_id", "shop")
		return root, "config."
	}
	for _, h := range envoyFields {
		for _, o := range h.Options {
			t.Run(o.Name, func(t *testing.T) {
				root, at := filter(o)
				switch {
				case strings.HasPrefix(h.Title, "Envoy Gateway"):
					root, at = gateway(o)
				case o.Name == "OAuth2PerRoute":
					put(root, "other.@type", "x.oauth2.v3.OAuth2PerRoute")
					at = "other.config.auth_scopes"
				case strings.HasPrefix(o.Name, "jwt_authn."):
					put(root, "jwt.@type", "x.jwt_authn.v3.JwtAuthentication")
					put(root, "jwt.providers.p.issuer", "https://id.example.com")
					at = "jwt." + strings.Replace(strings.TrimPrefix(o.Name, "jwt_authn."), "providers.", "providers.p.", 1)
				default:
					at += o.Name
				}
				put(root, at, "hunter2")
				r, err := From("envoy-oauth2", Input{Files: []File{document(t, root)}})
				if err != nil {
					t.Fatal(err)
				}
				if !r.Report.tells(o.Name) {
					t.Errorf("not told of: %v", r.Report)
				}
				if o.secret {
					checkSecret(t, r)
				}
			})
		}
	}
	for _, o := range append(slices.Clone(serviceFields[0].Options), serviceFields[1].Options...) {
		t.Run(o.Name, func(t *testing.T) {
			root := tree{"chains": []any{tree{"name": "a", "filters": []any{tree{"oidc": tree{"configuration_uri": "https://id.example.com", "client_id": "shop"}}}}}}
			at := "chains[].filters[].oidc." + o.Name
			switch {
			case strings.HasPrefix(o.Name, "chains."):
				root["chains"].([]any)[0].(tree)["match"] = tree{"header": ":authority", "equality": "a.example.com"}
				root["chains"].([]any)[0].(tree)["filters"] = append(list(root["chains"].([]any)[0].(tree)["filters"]), tree{"mock": tree{}})
				at = "log_level"
			case o.Name == "mock":
				root["chains"].([]any)[0].(tree)["filters"] = []any{tree{"mock": tree{"allow": true}}}
				at = "log_level"
			case o.Name == "default_oidc_config":
				root["default_oidc_config"] = tree{"client_id": "shop"}
				root["chains"].([]any)[0].(tree)["filters"] = []any{tree{"oidc_override": tree{}}}
				at = "log_level"
			case slices.ContainsFunc(serviceFields[0].Options, func(s Option) bool { return s.Name == o.Name }):
				at = o.Name
			}
			put(root, at, "hunter2")
			r, err := From("authservice", Input{Files: []File{document(t, root)}})
			if err != nil {
				t.Fatal(err)
			}
			if !r.Report.tells(o.Name) {
				t.Errorf("not told of: %v", r.Report)
			}
			if o.secret {
				checkSecret(t, r)
			}
		})
	}
	for _, o := range easyFields[0].Options {
		t.Run(o.Name, func(t *testing.T) {
			root := tree{"azureAd": tree{"tenantId": "8eaef023-2b34-4da1-9baa-8bc8c9d6a490", "clientId": "shop"}}
			put(root, o.Name, "hunter2")
			r, err := From("easyauth", Input{Files: []File{document(t, root)}})
			if err != nil {
				t.Fatal(err)
			}
			if !r.Report.tells(o.Name) {
				t.Errorf("not told of: %v", r.Report)
			}
			if o.secret {
				checkSecret(t, r)
			}
		})
	}
	r, err := From("easyauth", Input{Files: files(t, "easyauth/values.yaml", "easyauth/ingress.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range easyFields[1:] {
		for _, o := range h.Options {
			if !r.Report.tells(o.Name) {
				t.Errorf("%s is not told of", o.Name)
			}
		}
	}
}
