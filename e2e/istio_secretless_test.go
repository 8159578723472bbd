package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// TestEnvoyKeepsTheClientsSecret is about istio/secretless: Postern knows no
// secret, and Envoy adds the client's credentials to what goes to the provider,
// from a file that is followed.
func TestEnvoyKeepsTheClientsSecret(t *testing.T) {
	m := NewMesh(t)
	plugins := Manifests(t, "istio/secretless")
	if len(plugins) != 1 {
		t.Fatalf("%d plugins", len(plugins))
	}
	p, dir := plugins[0], t.TempDir()
	setup := m.setup(t, plugins)
	moveSecrets(t, dir) // the file has to be there when Envoy starts
	options := secretlessCluster(t, "istio/secretless/cluster.yaml", "/etc/postern", dir)
	e := startEdited(t, setup, func(bootstrap map[string]any) {
		for _, c := range bootstrap["static_resources"].(map[string]any)["clusters"].([]any) {
			if cluster := c.(map[string]any); cluster["name"] == p.settings(t).Providers[0].Cluster {
				cluster["typed_extension_protocol_options"] = impatient(t, options)
			}
		}
	})
	m.LeadTo(e.At(p.Name()))
	b := m.Browser()
	t.Run("without credentials nothing is sent", func(t *testing.T) {
		// Not even discovery: all that goes to this cluster needs them.
		way, _, err := b.Arrive(m.Provider, must(b.Get("https://"+meshShop+"/cart"))(t), Alice)
		if err != nil || last(way).Status != http.StatusServiceUnavailable || m.App.Requests() > 0 {
			t.Errorf("%v:%s", err, trail(way))
		}
		if calls := m.Net.Calls(meshProvider, "/"); len(calls) > 0 {
			t.Errorf("%d calls reached the provider, the first %s with %q", len(calls), calls[0].Path, calls[0].Header["Authorization"])
		}
	})
	t.Run("with wrong ones nobody is signed in", func(t *testing.T) {
		moveCredentials(t, dir, ClientID, "another secret")
		m.signsIn(t, http.StatusBadGateway)
		if n := m.App.Requests(); n > 0 {
			t.Errorf("%d requests reached the application", n)
		}
	})
	t.Run("new ones count at once", func(t *testing.T) {
		moveCredentials(t, dir, ClientID, ClientSecret)
		m.signsIn(t, http.StatusOK)
		m.journey(t, Bob)
	})
	t.Run("the provider is told the client once", func(t *testing.T) { m.checkCredentials(t) })
	checkLog(t, &Gate{Envoy: e})
}

// checkCredentials looks at what reached the provider: by its own words (RFC
// 6749, section 2.3) a client proves itself by one method in each request.
func (m *Mesh) checkCredentials(t *testing.T) {
	seen := map[string]int{}
	for _, call := range m.Net.Calls(meshProvider, "/realms/main/") {
		fields := call.Header["Authorization"]
		if len(fields) > 1 {
			t.Errorf("%s was sent with %d Authorization fields", call.Path, len(fields))
		}
		scheme, _, _ := strings.Cut(strings.Join(fields, ""), " ")
		name := call.Path[strings.LastIndexByte(call.Path, '/')+1:] + " " + scheme
		seen[name]++
		if name == "token Basic" && (call.Form.Get("client_id") != ClientID || call.Form.Has("client_secret")) {
			t.Errorf("the form says client_id %q and a secret: %v", call.Form.Get("client_id"), call.Form.Has("client_secret"))
		}
	}
	for _, name := range []string{"token Basic", "userinfo Bearer"} {
		if seen[name] == 0 {
			t.Errorf("no %s among %v", name, seen)
		}
	}
	for _, name := range []string{"token ", "userinfo Basic", "userinfo "} {
		if seen[name] > 0 {
			t.Errorf("%d times %q", seen[name], name)
		}
	}
}

// signsIn waits until somebody's way, with a new browser, ends with a status.
func (m *Mesh) signsIn(t *testing.T, status int) {
	t.Helper()
	Eventually(t, startLimit, func() error {
		b := m.Browser()
		way, forms, err := b.Arrive(m.Provider, must(b.Get("https://"+meshShop+"/cart"))(t), Alice)
		if err == nil && (last(way).Status != status || forms != 1) {
			err = fmt.Errorf("e2e: %d forms, and not %d:%s", forms, status, trail(way))
		}
		return err
	})
}

// moveCredentials puts a client's credentials where Envoy looks for them, as a
// whole, as Kubernetes does with a Secret that is mounted.
func moveCredentials(t testing.TB, dir, id, secret string) {
	t.Helper()
	pair := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id) + ":" + url.QueryEscape(secret)))
	moveSecrets(t, dir, object{
		"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", "name": "postern-client",
		"generic_secret": object{"secret": object{"inline_string": "Basic " + pair}},
	})
}

func moveSecrets(t testing.TB, dir string, secrets ...object) {
	t.Helper()
	resource := object{"resources": append([]object{}, secrets...)}
	made := filepath.Join(t.TempDir(), "client.yaml")
	if err := os.WriteFile(made, must(yaml.Marshal(resource))(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(made, filepath.Join(dir, "client.yaml")); err != nil {
		t.Fatal(err)
	}
}

// secretlessCluster is what an EnvoyFilter merges into the provider's cluster,
// with another folder in place of one.
func secretlessCluster(t testing.TB, file, folder, dir string) (options map[string]any) {
	t.Helper()
	text := string(must(os.ReadFile(filepath.Join(must(Root())(t), file)))(t))
	var filter struct {
		Spec struct {
			ConfigPatches []struct {
				Patch struct {
					Value struct {
						Options map[string]any `json:"typed_extension_protocol_options"`
					} `json:"value"`
				} `json:"patch"`
			} `json:"configPatches"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(text, folder, dir)), &filter); err != nil || len(filter.Spec.ConfigPatches) != 1 {
		t.Fatalf("e2e: %s: %v", file, err)
	}
	return filter.Spec.ConfigPatches[0].Patch.Value.Options
}

// impatient has Envoy start without a secret that is not there after a moment,
// and not after fifteen seconds.
func impatient(t testing.TB, options map[string]any) (edited map[string]any) {
	t.Helper()
	text := strings.ReplaceAll(string(must(json.Marshal(options))(t)), `"sds_config":{`, `"sds_config":{"initial_fetch_timeout":"0.5s",`)
	if err := json.Unmarshal([]byte(text), &edited); err != nil {
		t.Fatal(err)
	}
	return edited
}

// startEdited starts an Envoy with a bootstrap that is changed before.
func startEdited(t testing.TB, s EnvoySetup, edit func(map[string]any)) *Envoy {
	t.Helper()
	var bootstrap map[string]any
	if err := json.Unmarshal(must(Bootstrap(s))(t), &bootstrap); err != nil {
		t.Fatal(err)
	}
	edit(bootstrap)
	dir := t.TempDir()
	file := filepath.Join(dir, "envoy.json")
	if err := os.WriteFile(file, must(json.Marshal(bootstrap))(t), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Version, s.Host, s.Workers = EnvoyVersions[0], "localhost", 1
	process := must(startProcess(must(part("setup", "build", "tools", "envoy", s.Version, "envoy"))(t), []string{
		"--config-path", file, "--admin-address-path", filepath.Join(dir, "admin"), "--concurrency", strconv.Itoa(s.Workers),
		"--use-dynamic-base-id", "--log-level", "warning", "--component-log-level", "wasm:info,main:info,config:info",
	}, nil))(t)
	e := &Envoy{Process: process, Setup: s, adminFile: filepath.Join(dir, "admin")}
	t.Cleanup(func() {
		e.stop()
		if t.Failed() {
			t.Logf("%s %s:\n%s", lastLines, s.Version, e.Log.Brief(40))
		}
	})
	e.mustBeReady(t)
	return e
}

// TestProvidersTakeAClientsNameBesideItsCredentials is about what Envoy's
// credentials make of a token request: the form says client_id, the field says it
// once more, and only the code is wrong.
func TestProvidersTakeAClientsNameBesideItsCredentials(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *Provider{"keycloak": Keycloak, "oidc-provider": OIDCProvider} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			form := url.Values{
				"grant_type": {"authorization_code"}, "code": {"none"}, "redirect_uri": {deadEnd}, "code_verifier": {verifier}, "client_id": {ClientID},
			}
			for secret, want := range map[string]string{ClientSecret: "invalid_grant", "another": "invalid_client"} {
				basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(ClientID+":"+secret))
				page := must(NewBrowser().Do(http.MethodPost, discover(t, p).Token, form.Encode(), http.Header{"Authorization": {basic}, "Accept": {"application/json"}}))(t)
				if !strings.Contains(page.Body, `"`+want+`"`) && !(want == "invalid_client" && strings.Contains(page.Body, `"unauthorized_client"`)) {
					t.Errorf("%d %.200s, want %s", page.Status, page.Body, want)
				}
			}
		})
	}
}

// TestSecretsAreKeptTheSameWayInEnvoyAndIstio holds the cluster of
// envoy/secretless and the EnvoyFilter, which was tried out, to each other.
func TestSecretsAreKeptTheSameWayInEnvoyAndIstio(t *testing.T) {
	text := must(os.ReadFile(filepath.Join(must(Root())(t), "envoy/secretless/envoy.yaml")))(t)
	var bootstrap struct {
		StaticResources struct {
			Clusters []struct {
				Options map[string]any `json:"typed_extension_protocol_options"`
			} `json:"clusters"`
		} `json:"static_resources"`
	}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(string(text), "build/secretless", "/etc/postern")), &bootstrap); err != nil {
		t.Fatal(err)
	}
	var found map[string]any
	for _, cluster := range bootstrap.StaticResources.Clusters {
		if cluster.Options != nil {
			found = cluster.Options
		}
	}
	if diff := cmp.Diff(secretlessCluster(t, "istio/secretless/cluster.yaml", "/etc/postern", "/etc/postern"), found); diff != "" {
		t.Error(diff)
	}
}

// TestEnvoyKeepsTheSecretWithoutIstio runs envoy/secretless as it stands.
func TestEnvoyKeepsTheSecretWithoutIstio(t *testing.T) {
	dir := t.TempDir()
	moveCredentials(t, dir, "demo", ClientSecret)
	g := StartShipped(t, ShippedSetup{File: "secretless/envoy.yaml", URL: "http://localhost:10000", Edit: func(bootstrap map[string]any) {
		text := strings.ReplaceAll(string(must(json.Marshal(bootstrap))(t)), "build/secretless", dir)
		if err := json.Unmarshal([]byte(text), &bootstrap); err != nil {
			t.Fatal(err)
		}
	}})
	g.journey(t, NewBrowser(), Alice)
	g.documented(t, "")
	if n := g.IDP.Count("client:client_secret_basic"); n == 0 {
		t.Error("the provider saw no credentials")
	}
}
