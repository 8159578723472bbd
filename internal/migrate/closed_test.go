package migrate

import (
	"strings"
	"testing"
)

// made are the settings of a text, as JSON.
func made(t *testing.T, system, text string) string {
	t.Helper()
	r, err := From(system, Input{Files: []File{{"file.yaml", []byte(text)}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(r.Settings.JSON())
}

const (
	filterBegin = `{"@type": x.oauth2.v3.OAuth2, config: {authorization_endpoint: "https://id.example.com/auth", redirect_uri: "https://a.example.com/callback", credentials: {client_id: shop}, token_endpoint: {cluster: idp}, `
	policyBegin = `{kind: SecurityPolicy, spec: {oidc: {provider: {issuer: "https://id.example.com"}, clientID: shop}, jwt: {providers: [{name: main, issuer: "https://id.example.com"}]}, authorization: `
	chainBegin  = `{"chains": [{"name": "all", "filters": [{"oidc": {"configuration_uri": "https://id.example.com", "client_id": "shop", "callback_uri": "https://a.example.com/callback"}}]}`
	closedRule  = `"require":{"email_domains":["nobody.invalid"]}`
)

func TestWhatCannotBeTakenOverCloses(t *testing.T) {
	for name, c := range map[string]struct{ system, text, want, not string }{
		"several routes that are turned around":        {"oauth2-proxy", `{"provider": "oidc", "email_domains": "*", "skip_auth_routes": ["!=^/a", "!=^/b"]}`, `"rest"`, `"anyone"`},
		"nobody is named who may in":                   {"oauth2-proxy", `{"provider": "oidc", "client_id": "x"}`, closedRule, `"anyone"`},
		"a domain that is none":                        {"oauth2-proxy", `{"provider": "oidc", "email_domains": ["a b"]}`, closedRule, `"anyone"`},
		"nobody but people with passwords":             {"oauth2-proxy", `{"provider": "oidc", "htpasswd_file": "/x"}`, closedRule, `"anyone"`},
		"cookies over http for all the world":          {"oauth2-proxy", `{"provider": "oidc", "email_domains": "*", "cookie_secure": false, "redirect_url": "http://a.example.com/oauth2/callback"}`, `"a.example.com"`, `insecure_http`},
		"an issuer that is none":                       {"oauth2-proxy", `{"provider": "oidc", "email_domains": "*", "oidc_issuer_url": "id.example.com"}`, `"https://issuer.invalid"`, `"id.example.com"`},
		"a matcher that is turned around":              {"envoy-oauth2", filterBegin + `pass_through_matcher: [{name: ":path", string_match: {prefix: /a}, invert_match: true}]}}`, `"hosts"`, `"anyone"`},
		"a matcher of a field's presence":              {"envoy-oauth2", filterBegin + `pass_through_matcher: [{name: ":path", present_match: true}]}}`, `"hosts"`, `"anyone"`},
		"whatever is in Authorization":                 {"envoy-oauth2", filterBegin + `pass_through_matcher: [{name: authorization, present_match: true}]}}`, `"hosts"`, `"bearer"`},
		"claims of a provider that is not there":       {"envoy-oauth2", policyBegin + `{defaultAction: Deny, rules: [{action: Allow, principal: {jwt: {provider: other, claims: [{name: a, values: [b]}]}}}]}}}`, closedRule, `"claims":{"a"`},
		"what a policy denies":                         {"envoy-oauth2", policyBegin + `{defaultAction: Allow, rules: [{action: Deny, principal: {clientCIDRs: [10.0.0.0/8]}}]}}}`, closedRule, `"claims"`},
		"what a policy denies in other letters":        {"envoy-oauth2", policyBegin + `{defaultAction: Allow, rules: [{action: deny, principal: {clientCIDRs: [10.0.0.0/8]}}]}}}`, closedRule, `"claims"`},
		"who is allowed by address alone":              {"envoy-oauth2", policyBegin + `{defaultAction: Deny, rules: [{action: Allow, principal: {clientCIDRs: [10.0.0.0/8]}}]}}}`, closedRule, `"claims"`},
		"several trigger rules with exclusions":        {"authservice", chainBegin + `], "trigger_rules": [{"excluded_paths": [{"prefix": "/a"}]}, {"included_paths": [{"prefix": "/a/b"}]}]}`, `"hosts"`, `"anyone"`},
		"an inclusion whose characters may be escaped": {"authservice", chainBegin + `], "trigger_rules": [{"included_paths": [{"regex": "^/a.b"}]}]}`, `"hosts"`, `"anyone"`},
		"an inclusion of everything":                   {"authservice", chainBegin + `], "trigger_rules": [{"included_paths": [{"prefix": "/"}]}]}`, `"hosts"`, `not-included`},
		"several filters of one chain":                 {"authservice", `{"chains": [{"name": "a", "filters": [{"mock": {"allow": true}}, {"oidc": {"client_id": "x"}}]}]}`, closedRule, `"anyone"`},
		"a token that was exchanged":                   {"authservice", strings.Replace(chainBegin, `"client_id"`, `"access_token": {"header": "x-t"}, "token_exchange": {"token_exchange_uri": "https://x"}, "client_id"`, 1) + `]}`, `"hosts"`, `access_token`},
		"a parameter of auth-url that nobody knows":    {"easyauth", `{kind: Ingress, metadata: {annotations: {nginx.ingress.kubernetes.io/auth-url: "https://$host/easyauth/auth?group=a"}}, spec: {rules: [{host: a.example.com, http: {paths: [{path: /}]}}]}}`, closedRule, `"anyone"`},
		"a tenant that is none":                        {"easyauth", `{azureAd: {tenantId: "a b"}}`, `"tenant":"00000000-0000-0000-0000-000000000000"`, `"a b"`},
	} {
		t.Run(name, func(t *testing.T) {
			got := made(t, c.system, c.text)
			if !strings.Contains(got, c.want) || strings.Contains(got, c.not) {
				t.Errorf("without %s, or with %s:\n%s", c.want, c.not, got)
			}
		})
	}
}

func TestAChainForAllAndInclusionsProtectWhatIsIncluded(t *testing.T) {
	got := made(t, "authservice", chainBegin+`, {"name": "b", "match": {"header": ":authority", "equality": "b.example.com"}, "filters": [{"mock": {}}]}], "trigger_rules": [{"included_paths": [{"prefix": "/a"}]}]}`)
	if want := `{"name":"all-included-1","match":{"path_regexes":["/a.*"]},"require":{"provider":"all"}}`; !strings.Contains(got, want) {
		t.Errorf("without %s:\n%s", want, got)
	}
}

func TestARuleThatIsNotAcceptedLetsLessPass(t *testing.T) {
	for name, c := range map[string]struct {
		rule *Map
		want string
	}{
		"one that opens goes":                        {rule("x", NewMap().Set("paths", []string{"a"})).Set("allow", "anyone"), `"rules":[]`},
		"one that lets pass goes":                    {rule("x", NewMap().Set("paths", []string{"a"})).Set("on_anonymous", "pass"), `"rules":[]`},
		"one that protects nobody knows what closes": {rule("x", NewMap().Set("paths", []string{"a"})), `{"name":"x","match":{"paths":["/*"]},` + closedRule + `}`},
		"one that requires what there is not closes": {rule("x", everything()).Set("require", NewMap().Set("groups", []string{""})), closedRule},
	} {
		t.Run(name, func(t *testing.T) {
			m := &maker{settings: NewMap()}
			m.settings.Set("providers", []any{ofIssuer("https://id.example.com").settings().Set("client_id", "shop").Set("client_secret", NewMap().Set("env", "X"))})
			m.keys("x", "")
			m.hosts("x", []string{"a.example.com"})
			m.addRule(c.rule)
			if err := m.repair(); err != nil {
				t.Fatal(err)
			}
			if got := string(m.settings.JSON()); !strings.Contains(got, c.want) || len(m.report.Of(ToDo)) < 2 {
				t.Errorf("without %s:\n%s", c.want, got)
			}
		})
	}
}

func TestWhatOneConfigurationOfEnvoysLeavesOpenDoesNotOpenAnother(t *testing.T) {
	for name, c := range map[string]string{
		"by route": filterBegin + `pass_through_matcher: [{name: ":path", string_match: {prefix: /}}]}}` + "\n---\n" +
			strings.Replace(filterBegin, ".OAuth2,", ".OAuth2PerRoute,", 1) + `resources: [b]}}`,
		"by policy": policyBegin + "{defaultAction: Allow}}}\n---\n" + policyBegin + `{defaultAction: Deny, rules: []}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if got := made(t, "envoy-oauth2", c); !strings.Contains(got, `"rules":[{"name":"several","match":{"paths":["/*"]},`+closedRule) {
				t.Errorf("somebody passes:\n%s", got)
			}
		})
	}
	if got := made(t, "envoy-oauth2", filterBegin+"}}\n---\n"+filterBegin+"}}"); strings.Contains(got, "several") {
		t.Errorf("the same twice closes:\n%s", got)
	}
}

func TestAChainThatCannotBeToldApartIsNotTheNextOnes(t *testing.T) {
	for name, match := range map[string]string{
		"the beginning of a host":  `"header": ":authority", "prefix": "admin"`,
		"no host at all":           `"header": ":authority", "prefix": "admin."`,
		"the beginning of a field": `"header": "x-tenant", "prefix": "admin"`,
	} {
		t.Run(name, func(t *testing.T) {
			chain := strings.Replace(chainBegin[len(`{"chains": [`):], `"name": "all"`, `"name": "strict", "match": {`+match+`}`, 1)
			got := made(t, "authservice", strings.Replace(chainBegin, `{"name": "all"`, chain+`, {"name": "all"`, 1)+`]}`)
			closed, all := strings.Index(got, `{"name":"closed-1","match":{"paths":["/*"]},`+closedRule), strings.Index(got, `{"name":"all",`+`"match":{"paths"`)
			if closed < 0 || closed > all {
				t.Errorf("its requests are the next chain's:\n%s", got)
			}
		})
	}
}
