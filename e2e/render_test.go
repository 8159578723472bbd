package e2e

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/idp"
	"github.com/postern-auth/postern/internal/render"
)

// renderedSettings are for both sides of a sidecar, as somebody writes them down
// who leaves clusters to render. Words and numbers in them are such as parsers of
// YAML disagree about.
const renderedSettings = `# Both sides.
providers:
- name: demo
  issuer: %s
  client_id: demo
  client_secret: {env: DEMO_CLIENT_SECRET}
  scopes: [openid, profile, email, groups] # groups for a scope
- name: services
  sign_in: no
  issuer: %[1]s
  client_id: script
  client_secret: {env: SCRIPT_CLIENT_SECRET}
hosts: ["localhost:%d"]
session:
  keys: [{id: "012", env: POSTERN_KEY}]
  max_bytes: 0x3000
forward: {access_token: [authorization]}
rules:
- {name: "on", match: {paths: ["/public/*"]}, allow: anyone}
outbound:
- match: {hosts: ["orders.localhost:*"]}
  provider: services
`

// TestRenderedSettingsRunAsTheyStand starts Envoy with what render prints, letter
// by letter: TLS on both sides, HTTP/3, what leads to https, and calls that the
// application makes.
func TestRenderedSettingsRunAsTheyStand(t *testing.T) {
	t.Parallel()
	dir := makeCertificates(t)
	ports := freePorts(t, 3)
	g := &Shipped{App: NewApp(t), ports: map[int]int{}, browserURL: fmt.Sprintf("https://localhost:%d", ports[0])}
	provider := certificate(t, dir, "provider")
	g.startProvider(t, ShippedSetup{
		ProviderCertificate: func() *tls.Certificate { return provider },
		Clients:             []idp.Client{{ID: "script", Secret: "jabberwocky", Audience: "demo-api", ServiceAccount: true}},
	})
	s, err := render.ReadForEnvoy(fmt.Appendf(nil, renderedSettings, g.Provider.Issuer, ports[0]), render.Reading{Lookup: renderedVariable})
	if err != nil {
		t.Fatal(err)
	}
	out, err := render.Envoy(s, render.EnvoyOptions{
		Listen: loopbackAt(ports[0]), Outbound: loopbackAt(ports[1]), HTTPRedirect: loopbackAt(ports[2]), Admin: "127.0.0.1:" + fmt.Sprint(freePorts(t, 1)[0]),
		Upstreams: []string{g.App.Addr(), "orders.localhost=" + g.App.Addr()}, Module: must(modulePath(EnvoySetup{}))(t),
		Certificate: filepath.Join(dir, "gate.pem"), Key: filepath.Join(dir, "gate.key"), CA: filepath.Join(dir, "authority.pem"), HTTP3: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	g.runText(t, out.Files[0].Text, []string{"SCRIPT_CLIENT_SECRET=jabberwocky"})
	g.journey(t, newBrowser(overHTTP2(t, dir)), Alice)
	g.open(t, newBrowser(overHTTP2(t, dir)), g.Base())
	t.Run("HTTP/3 is served, and browsers are told", func(t *testing.T) {
		page := must(newBrowser(overHTTP3(t, dir)).Get(g.Base() + "/public/hello"))(t)
		if want := fmt.Sprintf(`h3=":%d"`, ports[0]); page.Status != http.StatusOK || !strings.HasPrefix(page.Header.Get("alt-svc"), want) {
			t.Errorf("%d, alt-svc: %s", page.Status, page.Header.Get("alt-svc"))
		}
	})
	t.Run("plain http leads to https", func(t *testing.T) {
		page := must(NewBrowser().Get(fmt.Sprintf("http://localhost:%d/a?b=c", ports[2])))(t)
		if to := page.Location(); to == nil || to.String() != g.Base()+"/a?b=c" {
			t.Errorf("%d to %v", page.Status, to)
		}
	})
	t.Run("a call that the application makes gets a token", func(t *testing.T) {
		orders := to(fmt.Sprintf("orders.localhost:%d", ports[1]))
		seen := must(ReadSeen(must(NewScript().Get("http://"+loopbackAt(ports[1])+"/level", orders))(t)))(t)
		if claims := must(readClaims(strings.TrimPrefix(seen.Value("authorization"), "Bearer ")))(t); claims["client_id"] != "script" {
			t.Errorf("it was sent with a token of %v", claims)
		}
	})
	t.Run("metrics have the labels that they are rendered for", func(t *testing.T) {
		stats := string(must(g.AdminGet(t.Context(), "/stats/prometheus?filter=postern_logins"))(t))
		if want := `postern_logins_succeeded_total{provider="demo"} 1`; !strings.Contains(stats, want) {
			t.Errorf("there is no %s:\n%s", want, stats)
		}
	})
	g.logIsClean(t)
}

// renderedVariable has something for each variable, so that settings can be checked.
func renderedVariable(name string) (string, bool) {
	if name == "POSTERN_KEY" {
		return NewSecrets()[name], true
	}
	return "a secret of " + name, true
}

func loopbackAt(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// freePorts are ports that stay free until the test's end.
func freePorts(t *testing.T, many int) (ports []int) {
	t.Helper()
	for range many {
		port, release, err := ReservePort()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		ports = append(ports, port)
	}
	return ports
}
