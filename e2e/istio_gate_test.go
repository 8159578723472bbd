package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/e2e/standins"
	"github.com/postern-auth/postern/internal/idp"
	"github.com/postern-auth/postern/internal/manifest"
)

// What the manifests of istio/ and envoy-gateway/ speak of.
const (
	meshIssuer   = "https://id.example.com/realms/main"
	meshProvider = "id.example.com"
	meshLogin    = "auth.example.com"
	meshShop     = "shop.example.com"
	meshOrders   = "orders.example.com"
	meshService  = "shop.shop.svc.cluster.local"
	meshStock    = "stock.stock.svc.cluster.local"
	meshAudience = "shop-api"
)

// Mesh has the hosts that the manifests speak of under their own names, by TLS,
// and a way from the applications' hosts to one of Envoy's listeners, as a load
// balancer in front of a gateway has it, or a gateway in front of a sidecar.
type Mesh struct {
	Net      *standins.Internet
	IDP      *idp.Provider
	Provider *Provider
	App      *App

	behind atomic.Pointer[string] // the listener that the applications' hosts lead to
}

// NewMesh starts the hosts; the test's end stops them.
func NewMesh(t testing.TB) *Mesh {
	t.Helper()
	m := &Mesh{
		Net: must(standins.NewInternet())(t), App: NewApp(t),
		Provider: &Provider{Name: "keycloak", Issuer: meshIssuer, userField: "username", passwordField: "password"},
	}
	t.Cleanup(m.Net.Close)
	m.IDP = must(idp.New(idp.Config{
		Issuer: meshIssuer, Clients: meshClients(), Users: []idp.User{embeddedUser(Alice), embeddedUser(Bob)},
	}))(t)
	served := map[string]http.Handler{meshProvider: m.IDP, meshShop: m.front(), meshLogin: m.front(), meshOrders: m.front()}
	for host, handler := range served {
		if err := m.Net.Serve(host, handler); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func meshClients() []idp.Client {
	shop := idp.Client{
		ID: ClientID, Secret: ClientSecret, Audience: meshAudience, ServiceAccount: true, Scopes: []string{"orders"},
		TokenExchange: true, Targets: []string{"stock-api"},
	}
	for _, host := range []string{meshLogin, meshShop} {
		shop.RedirectURIs = append(shop.RedirectURIs, "https://"+host+"/oauth2/callback")
	}
	return []idp.Client{shop, {ID: "caller", Secret: ClientSecret, Audience: meshAudience, ServiceAccount: true}}
}

// front ends TLS and goes on by plain HTTP.
func (m *Mesh) front() http.Handler {
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", *m.behind.Load()
		r.Out.Header.Set("X-Forwarded-Proto", "https")
	}}
}

// LeadTo has the applications' hosts lead to a listener.
func (m *Mesh) LeadTo(e *Envoy) { m.behind.Store(&e.Addr) }

// Browser is a new one that finds these hosts.
func (m *Mesh) Browser() *Browser { return newBrowser(m.Net.Transport(dialLoopback)) }

// CallersToken is another service's, made out to the shop.
func (m *Mesh) CallersToken(t testing.TB) string {
	t.Helper()
	return m.token(t, url.Values{"grant_type": {"client_credentials"}})
}

func (m *Mesh) token(t testing.TB, form url.Values) string {
	t.Helper()
	req := must(http.NewRequest(http.MethodPost, meshIssuer+"/token", strings.NewReader(form.Encode())))(t)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("caller", ClientSecret)
	res := must((&http.Client{Transport: m.Net.Transport(dialLoopback)}).Do(req))(t)
	var tokens Tokens
	if err := json.Unmarshal(must(drain(res.Body))(t), &tokens); err != nil || tokens.Access == "" {
		t.Fatalf("e2e: the provider gives no token: %d, %v", res.StatusCode, err)
	}
	return tokens.Access
}

// Manifested is a plugin that a manifest puts into a proxy.
type Manifested struct {
	manifest.Found
	File string // within the repository
}

// Name is what its listener is called.
func (m *Manifested) Name() string { return fmt.Sprintf("%s.%d", m.File, m.Document) }

// Manifests are all plugins in the YAML below a folder of the repository, but
// for the chart's templates, which are none.
func Manifests(t testing.TB, folder string) []*Manifested {
	t.Helper()
	root := must(Root())(t)
	var all []*Manifested
	err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" || strings.Contains(path, "/templates/") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found, err := manifest.Find(text)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, f := range found {
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			if f.Kind != manifest.Settings { // values of a chart have some, too
				all = append(all, &Manifested{Found: f, File: filepath.ToSlash(name)})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// filter is the plugin as istiod's agent, or Envoy Gateway, hands it to Envoy:
// with the module from a file and the variables of Envoy's own environment.
func (m *Manifested) filter(module string) object {
	env := object{"host_env_keys": []string{}}
	for _, v := range m.Env {
		if v.Host {
			env["host_env_keys"] = append(env["host_env_keys"].([]string), v.Name)
		}
	}
	plugin := object{
		"name": m.Namespace + "." + m.Found.Name, "root_id": m.RootID, "failure_policy": m.FailurePolicy,
		"configuration": object{"@type": "type.googleapis.com/google.protobuf.StringValue", "value": string(m.Settings)},
		"vm_config": object{
			"vm_id": m.VMID, "runtime": "envoy.wasm.runtime.v8",
			"code": object{"local": object{"filename": module}}, "environment_variables": env,
		},
	}
	if m.AllowStop {
		plugin["allow_on_headers_stop_iteration"] = true
	}
	return typed("envoy.filters.http.wasm",
		"type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", object{"config": plugin})
}

// settings are some of what the plugin is told.
type meshSettings struct {
	Providers []struct {
		Cluster    string `json:"cluster"`
		ClientAuth string `json:"client_auth"`
	} `json:"providers"`
	PublicURL string   `json:"public_url"`
	Hosts     []string `json:"hosts"`
	Bearer    []any    `json:"bearer"`
	Outbound  []any    `json:"outbound"`
	Forward   struct {
		Assertion *struct{} `json:"assertion"`
	} `json:"forward"`
	Rules []struct {
		Name string `json:"name"`
	} `json:"rules"`
}

func (m *Manifested) settings(t testing.TB) *meshSettings {
	t.Helper()
	var s meshSettings
	if err := json.Unmarshal(m.Settings, &s); err != nil {
		t.Fatalf("%s: %v", m.File, err)
	}
	return &s
}

func (s *meshSettings) rule(name string) bool {
	for _, r := range s.Rules {
		if r.Name == name {
			return true
		}
	}
	return false
}

// setup is an Envoy with a listener for each plugin, whose clusters lead to the
// provider by verified TLS.
func (m *Mesh) setup(t testing.TB, plugins []*Manifested) EnvoySetup {
	t.Helper()
	for name, value := range NewSecrets() {
		t.Setenv(name, value)
	}
	module := must(modulePath(EnvoySetup{}))(t)
	s := EnvoySetup{
		App: m.App.Addr(), Clusters: map[string]string{}, Sockets: map[string]object{}, Beside: map[string]func(*EnvoySetup){},
	}
	for _, p := range plugins {
		settings := p.settings(t)
		for _, provider := range settings.Providers {
			s.Clusters[provider.Cluster] = m.Net.Addr(meshProvider)
			s.Sockets[provider.Cluster] = verifiedTLS(meshProvider, m.Net.Authority())
		}
		direction := "INBOUND"
		if len(settings.Outbound) > 0 {
			direction = "OUTBOUND"
		}
		filters := []object{p.filter(module)}
		if settings.Forward.Assertion != nil {
			filters = append(filters, requestAuthentication(p.verifiedBy(t)))
			s.Clusters["jwks"], s.Sockets["jwks"] = m.Net.Addr(meshShop), verifiedTLS(meshShop, m.Net.Authority())
		}
		s.Beside[p.Name()] = func(s *EnvoySetup) {
			s.Filters = filters
			s.Listener = func(l map[string]any) { l["traffic_direction"] = direction }
		}
	}
	return s
}

// jwtRule is that of a RequestAuthentication.
type jwtRule struct {
	Issuer      string   `json:"issuer"`
	JWKSURI     string   `json:"jwksUri"`
	Audiences   []string `json:"audiences"`
	FromHeaders []object `json:"fromHeaders"`
}

// verifiedBy is the rule that comes with a plugin: that of its own file, or that
// of istio/policy.
func (m *Manifested) verifiedBy(t testing.TB) *jwtRule {
	t.Helper()
	for _, file := range []string{m.File, "istio/policy/request-authentication.yaml"} {
		text := must(os.ReadFile(filepath.Join(must(Root())(t), file)))(t)
		for doc := range strings.SplitSeq("\n"+string(text), "\n---\n") {
			var policy struct {
				Kind string `json:"kind"`
				Spec struct {
					JWTRules []*jwtRule `json:"jwtRules"`
				} `json:"spec"`
			}
			if err := yaml.Unmarshal([]byte(doc), &policy); err != nil {
				t.Fatalf("e2e: %s: %v", file, err)
			}
			if policy.Kind == "RequestAuthentication" && len(policy.Spec.JWTRules) == 1 {
				return policy.Spec.JWTRules[0]
			}
		}
	}
	t.Fatal("e2e: there is no RequestAuthentication")
	return nil
}

// requestAuthentication is the filter that Istio makes of a rule, behind Postern:
// whoever comes to a page that is not open needs an assertion. Istio fetches the
// keys itself; here Envoy does, from the same address.
func requestAuthentication(rule *jwtRule) object {
	return typed("envoy.filters.http.jwt_authn", "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication", object{
		"providers": object{"postern": object{
			"issuer": rule.Issuer, "audiences": rule.Audiences, "from_headers": rule.FromHeaders, "forward": true,
			"remote_jwks": object{"http_uri": object{"uri": rule.JWKSURI, "cluster": "jwks", "timeout": "5s"}},
		}},
		"rules": []object{
			{"match": object{"prefix": "/public/"}},
			{"match": object{"prefix": "/"}, "requires": object{"provider_name": "postern"}},
		},
	})
}

// bare is an answer of a listener's, without a browser.
func bare(t testing.TB, e *Envoy, method, host, path, body string, headers ...http.Header) (int, string) {
	t.Helper()
	req := must(http.NewRequest(method, "http://"+e.Addr+path, strings.NewReader(body)))(t)
	req.Host = host
	req.Header.Set("X-Forwarded-Proto", "https")
	for _, h := range headers {
		for name, values := range h {
			req.Header[name] = values
		}
	}
	res := must(http.DefaultTransport.RoundTrip(req))(t)
	defer func() { _, _ = io.Copy(io.Discard, res.Body); _ = res.Body.Close() }()
	return res.StatusCode, string(must(io.ReadAll(res.Body))(t))
}
