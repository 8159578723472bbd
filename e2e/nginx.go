package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/internal/idp"
)

// behindNginx is nginx with the configuration of envoy/nginx in front of two
// applications, and the Envoy with Postern that it asks.
type behindNginx struct {
	*Gate // as browsers see it: at nginx's address
	Envoy *Envoy
	IDP   *idp.Provider
	Tap   *Tap
	Apps  [2]*App
	ports [4]int
}

// What the ports are of.
const (
	gatePort = iota
	nginxPort
	oauth2ProxyPort // an nginx as ingress-nginx configures it
	easyAuthPort    // another
)

// Carol is in the group that the second application is for, and Dave in more
// groups than a single cookie holds.
var (
	Carol = Person{Name: "carol", Password: "carol-password", Email: "carol@example.com", Groups: []string{"group1", "group2"}}
	Dave  = Person{Name: "dave", Password: "dave-password", Email: "dave@example.org", Groups: manyGroups(300)}
)

// manyGroups are names that do not deflate well.
func manyGroups(n int) []string {
	groups := []string{"group2"}
	for i := range n {
		groups = append(groups, strconv.FormatUint(0x9e3779b97f4a7c15*uint64(i+1), 36))
	}
	return groups
}

// startBehindNginx runs Envoy with Postern, and nginx in front as it is shipped.
// Edits change Postern's settings before they are used.
func startBehindNginx(t testing.TB, edits ...func(Settings)) *behindNginx {
	t.Helper()
	b := &behindNginx{Apps: [2]*App{newAppBelow(t, "/app1"), newAppBelow(t, "/app2")}}
	for i := range b.ports {
		port, release, err := ReservePort()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		b.ports[i] = port
	}
	provider := b.newProvider(t)
	b.Tap = NewTap(t, provider)
	b.Envoy = startNginxEnvoy(t, provider, b.ports[gatePort], b.ports[nginxPort], b.Tap.Addr(), edits...)
	b = b.front(t, provider, nginxPort, b.shippedNginx(t))
	Eventually(t, 90*time.Second, func() error {
		page, err := NewBrowser().Get(b.URL("/oauth2/start"))
		if err == nil && page.Status != http.StatusSeeOther {
			err = fmt.Errorf("e2e: postern answers %d: %.300s", page.Status, page.Body)
		}
		return err
	})
	return b
}

// front is the same Envoy behind another nginx.
func (b *behindNginx) front(t testing.TB, provider *Provider, port int, conf string) *behindNginx {
	t.Helper()
	front, envoy := *b, *b.Envoy
	startNginx(t, conf, b.ports[port])
	envoy.Addr = "127.0.0.1:" + strconv.Itoa(b.ports[port])
	front.Gate = &Gate{Envoy: &envoy, App: b.Apps[0], Provider: provider}
	return &front
}

// newProvider is the provider of internal/idp with people for these tests.
func (b *behindNginx) newProvider(t testing.TB) *Provider {
	t.Helper()
	client := idp.Client{ID: "demo", Secret: ClientSecret, ClaimsInIDToken: true}
	for _, port := range b.ports[nginxPort:] {
		client.RedirectURIs = append(client.RedirectURIs, "http://localhost:"+strconv.Itoa(port)+"/oauth2/callback")
	}
	server := httptest.NewUnstartedServer(nil)
	p := &Provider{Name: "demo", Issuer: "http://" + server.Listener.Addr().String(), userField: "username", passwordField: "password"}
	var users []idp.User
	for _, who := range []Person{Alice, Carol, Dave} {
		users = append(users, embeddedUser(who))
	}
	provider, err := idp.New(idp.Config{Issuer: p.Issuer, Users: users, Clients: []idp.Client{client}})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = provider
	server.Start()
	t.Cleanup(server.Close)
	b.IDP = provider
	return p
}

// newAppBelow is an application whose addresses all begin with a path.
func newAppBelow(t testing.TB, path string) *App {
	a := &App{}
	a.Server = httptest.NewServer(http.StripPrefix(path, http.HandlerFunc(a.serve)))
	t.Cleanup(a.Server.Close)
	return a
}

// startNginxEnvoy runs Envoy with envoy/nginx/envoy.yaml, at other addresses.
func startNginxEnvoy(t testing.TB, p *Provider, port, nginx int, idp string, edits ...func(Settings)) *Envoy {
	t.Helper()
	module, err := modulePath(EnvoySetup{})
	if err != nil {
		t.Fatal(err)
	}
	text := replaceAll(t, nginxFile(t, "envoy.yaml"), map[string]string{
		"port_value: 10000": "port_value: " + strconv.Itoa(port), "port_value: 9901": "port_value: 0",
		"http://localhost:10001": p.Issuer, "port_value: 10001": "port_value: " + idp[strings.LastIndexByte(idp, ':')+1:],
		"localhost:8080": "localhost:" + strconv.Itoa(nginx), "build/postern.wasm": module,
	})
	var bootstrap map[string]any
	if err := yaml.UnmarshalStrict([]byte(text), &bootstrap); err != nil {
		t.Fatal(err)
	}
	for _, edit := range edits {
		edit(nginxSettings(bootstrap))
	}
	file := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(file, must(yaml.Marshal(bootstrap))(t), 0o600); err != nil {
		t.Fatal(err)
	}
	binary, err := part("setup", "build", "tools", "envoy", EnvoyVersions[0], "envoy")
	if err != nil {
		t.Fatal(err)
	}
	secrets := NewSecrets()
	process, err := startProcess(binary, []string{
		"--config-path", file, "--admin-address-path", filepath.Join(filepath.Dir(file), "admin"),
		"--concurrency", "2", "--use-dynamic-base-id", "--log-level", "warning", "--component-log-level", "wasm:info",
	}, []string{"POSTERN_KEY=" + secrets["POSTERN_KEY"], "DEMO_CLIENT_SECRET=" + ClientSecret})
	if err != nil {
		t.Fatal(err)
	}
	e := &Envoy{Process: process, Setup: EnvoySetup{Version: EnvoyVersions[0], Host: "localhost", Workers: 2, Env: secrets},
		adminFile: filepath.Join(filepath.Dir(file), "admin")}
	t.Cleanup(func() {
		e.stop()
		if t.Failed() {
			t.Logf("%s:\n%s", lastLines, e.Log.Brief(40))
		}
	})
	e.mustBeReady(t)
	return e
}

// nginxSettings are Postern's settings within the bootstrap.
func nginxSettings(bootstrap map[string]any) Settings {
	at := any(bootstrap)
	for _, step := range []any{"static_resources", "listeners", 0, "filter_chains", 0, "filters", 0, "typed_config", "http_filters", 0, "typed_config", "config", "configuration", "value"} {
		switch s := step.(type) {
		case string:
			at = at.(map[string]any)[s]
		case int:
			at = at.([]any)[s]
		}
	}
	return at.(map[string]any)
}

// shippedNginx is envoy/nginx/nginx.conf, at other addresses.
func (b *behindNginx) shippedNginx(t testing.TB) string {
	t.Helper()
	return replaceAll(t, nginxFile(t, "nginx.conf"), map[string]string{
		"127.0.0.1:8080":  "127.0.0.1:" + strconv.Itoa(b.ports[nginxPort]),
		"127.0.0.1:10000": "127.0.0.1:" + strconv.Itoa(b.ports[gatePort]),
		"upstream app1    { server 127.0.0.1:10002;": "upstream app1 { server " + b.Apps[0].Addr() + ";",
		"upstream app2    { server 127.0.0.1:10002;": "upstream app2 { server " + b.Apps[1].Addr() + ";",
	})
}

// ingressNginx is what ingress-nginx makes of a file of envoy/nginx.
func (b *behindNginx) ingressNginx(t testing.TB, file string, port int, pages ...string) string {
	t.Helper()
	text := nginxFile(t, file)
	const service = "postern.auth.svc.cluster.local:10000"
	ingresses := must(readIngresses(strings.ReplaceAll(text, service, "postern.localhost")))(t)
	gate := "127.0.0.1:" + strconv.Itoa(b.ports[gatePort])
	return must(ingressNginx(ingresses, ingressPlaces{
		listen: b.ports[port], pages: pages, upstreams: map[string]string{
			"postern": gate, "postern.localhost": gate, "app1": b.Apps[0].Addr(), "app2": b.Apps[1].Addr(),
		},
	}))(t)
}

// nginxFile is a file of envoy/nginx.
func nginxFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(must(Root())(t), "envoy", "nginx", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// replaceAll replaces texts, all of which must be there.
func replaceAll(t testing.TB, text string, places map[string]string) string {
	t.Helper()
	var pairs []string
	for _, old := range slices.Backward(slices.Sorted(maps.Keys(places))) {
		if !strings.Contains(text, old) {
			t.Fatalf("e2e: the configuration does not speak of %q", old)
		}
		pairs = append(pairs, old, places[old])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// startNginx runs nginx and waits until it listens; the test's end stops it.
func startNginx(t testing.TB, conf string, port int) *Process {
	t.Helper()
	binary, err := command("nginx")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"nginx.conf": conf, "postern.conf": nginxFile(t, "postern.conf"), "application.conf": nginxFile(t, "application.conf"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// One process, which ends with the test binary.
	p, err := startProcess(binary, []string{"-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-g", "daemon off; master_process off;"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("the last lines of nginx:\n%s", p.Log.Tail(30))
		}
	})
	address := "http://127.0.0.1:" + strconv.Itoa(port) + "/"
	if err := poll(10*time.Second, p.Exited(), func(context.Context) error {
		_, err := NewBrowser().Get(address)
		return err
	}); err != nil {
		t.Fatalf("%v\n%s", err, p.Log.Tail(20))
	}
	return p
}
