package migrate

import (
	"errors"
	"strings"
	"testing"
)

const proxyBegin = `{kind: Deployment, spec: {containers: [{image: oauth2-proxy, args: [--provider=oidc, "--oidc-issuer-url=https://id.example.com", --client-id=shop, "--email-domain=*", "--redirect-url=https://a.example.com/oauth2/callback"`

func TestARestrictionThatWasNotReadClosesEverything(t *testing.T) {
	inCode := `"provider": "oidc", "oidc_issuer_url": "https://id.example.com", "client_id": "shop", "email_domains": "*"`
	for name, text := range map[string]string{
		"groups in a ConfigMap":                   proxyBegin + `], env: [{name: OAUTH2_PROXY_ALLOWED_GROUPS, valueFrom: {configMapKeyRef: {name: c, key: groups}}}]}]}}`,
		"groups in a Secret":                      proxyBegin + `], env: [{name: OAUTH2_PROXY_ALLOWED_GROUPS, valueFrom: {secretKeyRef: {name: c, key: groups}}}]}]}}`,
		"groups in the environment of Compose":    `{services: {gate: {image: oauth2-proxy, command: [--provider=oidc, "--email-domain=*"], environment: [OAUTH2_PROXY_ALLOWED_GROUPS]}}}`,
		"an organisation in a Secret":             strings.Replace(proxyBegin, "=oidc", "=github", 1) + `], env: [{name: OAUTH2_PROXY_GITHUB_ORG, valueFrom: {secretKeyRef: {name: c, key: org}}}]}]}}`,
		"a list of an empty group":                `{` + inCode + `, "allowed_groups": [""]}`,
		"an environment that was not given":       proxyBegin + `], envFrom: [{secretRef: {name: c}}]}]}}`,
		"a file of variables that was not given":  `{services: {gate: {image: oauth2-proxy, command: [--provider=oidc, "--email-domain=*"], env_file: gate.env}}}`,
		"a configuration file that was not given": proxyBegin + `, --config=/etc/oauth2-proxy.cfg]}]}}`,
		"an alpha configuration that was not":     proxyBegin + `, --alpha-config=/etc/alpha.yaml]}]}}`,
		"a chart's ConfigMap that was not":        `{config: {existingConfig: c, clientID: shop}, extraArgs: {provider: oidc, email-domain: "*"}}`,
		"a chart's environment that was not":      `{config: {clientID: shop}, extraArgs: {provider: oidc, email-domain: "*"}, envFrom: [{configMapRef: {name: c}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if got := made(t, "oauth2-proxy", text); !strings.Contains(got, closedRule) {
				t.Errorf("somebody passes:\n%s", got)
			}
		})
	}
}

func TestAnEmptyValueTakesNoRestrictionAway(t *testing.T) {
	const want = `"groups":["admins"]`
	begin := `{"provider": "oidc", "client_id": "shop", "email_domains": "*", "allowed_groups": ["admins"]}`
	r, err := From("oauth2-proxy", Input{Files: []File{{"a.json", []byte(begin)}, {"a.env", []byte("OAUTH2_PROXY_ALLOWED_GROUPS=\n")}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(r.Settings.JSON()); !strings.Contains(got, want) {
		t.Errorf("a variable without a value: without %s:\n%s", want, got)
	}
	alpha := `{providers: [{provider: oidc, clientID: shop, allowedGroups: [admins, ""]}], upstreamConfig: {}}`
	r, err = From("oauth2-proxy", Input{Files: []File{{"alpha.yaml", []byte(alpha)}}, Args: []string{"--email-domain=*"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(r.Settings.JSON()); !strings.Contains(got, want) {
		t.Errorf("an empty entry behind another: without %s:\n%s", want, got)
	}
}

func TestATenantThatWasNotReadIsNotEveryTenant(t *testing.T) {
	begin := strings.Replace(strings.Replace(proxyBegin, "=oidc", "=entra-id", 1), `"--oidc-issuer-url=https://id.example.com", `, "", 1)
	for name, text := range map[string]string{
		"a tenant in a Secret":               begin + `], env: [{name: OAUTH2_PROXY_AZURE_TENANT, valueFrom: {secretKeyRef: {name: c, key: t}}}]}]}}`,
		"an issuer in a Secret":              begin + `], env: [{name: OAUTH2_PROXY_OIDC_ISSUER_URL, valueFrom: {secretKeyRef: {name: c, key: t}}}]}]}}`,
		"tenants in a Secret":                begin + `], env: [{name: OAUTH2_PROXY_ENTRA_ID_ALLOWED_TENANTS, valueFrom: {secretKeyRef: {name: c, key: t}}}]}]}}`,
		"a tenant of another cloud":          begin + `, "--oidc-issuer-url=https://login.microsoftonline.us/11111111-1111-1111-1111-111111111111/v2.0"]}]}}`,
		"a tenant in an issuer of version 1": begin + `, "--oidc-issuer-url=https://sts.windows.net/11111111-1111-1111-1111-111111111111/"]}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if got := made(t, "oauth2-proxy", text); strings.Contains(got, "insecure_any_tenant") {
				t.Errorf("people of any tenant sign in:\n%s", got)
			}
		})
	}
}

func TestWhatOneProxyLeavesOpenDoesNotOpenAnother(t *testing.T) {
	one, other := proxyBegin+`, --allowed-group=admins]}]}}`, proxyBegin+`, --skip-auth-route=/]}]}}`
	for name, files := range map[string][]File{
		"two Deployments":         {{"a.yaml", []byte(one + "\n---\n" + other)}},
		"two configuration files": {{"a.cfg", []byte(`allowed_groups = ["admins"]`)}, {"b.cfg", []byte(`skip_auth_routes = ["/"]`)}},
	} {
		if _, err := From("oauth2-proxy", Input{Files: files}); !errors.Is(err, errSeveral) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := From("oauth2-proxy", Input{Files: []File{{"a.yaml", []byte(one + "\n---\n" + one)}}}); err != nil {
		t.Errorf("a Deployment and its pod: %v", err)
	}
}
