package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestManifestsGateWhatTheySay takes the settings and the environment out of
// each manifest of istio/ and envoy-gateway/, and of what the chart renders, puts
// them into one Envoy as the control plane does, and walks the journey through
// each. Those of istio/ share a VM there, as in a proxy with several of them.
func TestManifestsGateWhatTheySay(t *testing.T) {
	m := NewMesh(t)
	var plugins []*Manifested
	for _, p := range append(Manifests(t, "istio"), Manifests(t, "envoy-gateway")...) {
		if p.settings(t).Providers[0].ClientAuth != "none" { // istio_secretless_test.go
			plugins = append(plugins, p)
		}
	}
	for _, file := range []string{
		"istio/gateway/wasmplugin.yaml", "istio/gateway/wasmplugin-selector.yaml", "istio/sidecar/wasmplugin.yaml",
		"istio/waypoint/wasmplugin.yaml", "istio/outbound/wasmplugin.yaml", "istio/bodies/gateway.yaml", "istio/bodies/sidecar.yaml",
		"envoy-gateway/policy.yaml", "istio/testdata/rendered/gateway.yaml",
	} {
		if !slices.ContainsFunc(plugins, func(p *Manifested) bool { return p.File == file }) {
			t.Errorf("no settings were found in %s", file)
		}
	}
	e := StartEnvoy(t, m.setup(t, plugins))
	vms := map[string]bool{}
	for _, p := range plugins {
		vms[p.VMID] = true
	}
	// Each VM is there three times: compiled, on the main thread, and on the worker.
	if n := e.Stat(t, "wasm.envoy.wasm.runtime.v8.active"); n != 3*len(vms) || len(vms) != 2 {
		t.Errorf("%d instances of %d VMs", n, len(vms))
	}
	for _, p := range plugins {
		t.Run(p.Name(), func(t *testing.T) {
			m.LeadTo(e.At(p.Name()))
			if settings := p.settings(t); len(settings.Outbound) > 0 {
				m.testOutbound(t, e.At(p.Name()))
			} else {
				m.testInbound(t, e.At(p.Name()), p, settings)
			}
		})
	}
	if lines := e.Log.Lines("panic in"); len(lines) > 0 {
		t.Errorf("the module panicked: %q", lines)
	}
}

func (m *Mesh) testInbound(t *testing.T, e *Envoy, p *Manifested, settings *meshSettings) {
	b := m.journey(t, Bob)
	if settings.PublicURL != "" {
		way, forms, err := b.Arrive(m.Provider, must(b.Get("https://"+meshOrders+"/list"))(t), Bob)
		if err != nil || forms != 0 || last(way).URL.String() != "https://"+meshOrders+"/list" {
			t.Errorf("the second application: %d forms, %v:%s", forms, err, trail(way))
		}
	}
	if settings.rule("admin") {
		m.testAdmin(t, b)
	}
	if settings.Bearer != nil {
		m.testCaller(t, e)
	}
	if p.AllowStop || p.File == "istio/gateway/wasmplugin.yaml" { // the others' no takes as long: it waits for a body
		testBodies(t, e, p.AllowStop)
	}
	if status, _ := bare(t, e, http.MethodGet, "elsewhere.example.net", "/", ""); status != http.StatusMisdirectedRequest {
		t.Errorf("a host that is not served: %d", status)
	}
}

// journey signs somebody in, with a new browser, and returns that.
func (m *Mesh) journey(t *testing.T, who Person) *Browser {
	t.Helper()
	b, page := m.Browser(), "https://"+meshShop+"/cart?item=1"
	var first *Page
	Eventually(t, startLimit, func() (err error) {
		if first, err = b.Get(page); err == nil && first.Status != http.StatusSeeOther {
			err = fmt.Errorf("e2e: the gate answers %d: %.300s", first.Status, first.Body)
		}
		return err
	})
	before := m.App.Requests()
	way, _, err := b.Arrive(m.Provider, first, who)
	if err != nil {
		t.Fatal(err)
	}
	if n := m.App.Requests() - before; n != 1 || last(way).URL.String() != page {
		t.Fatalf("%d requests reached the application:%s\n%.500s", n, trail(way), last(way).Body)
	}
	claimed := forged()
	claimed.Del("Authorization") // a token, where tokens are accepted
	seen := must(ReadSeen(must(b.Get(page, claimed))(t)))(t)
	if seen.Value("x-auth-request-user") != who.Name || seen.Value("x-auth-request-groups") != strings.Join(who.Groups, ",") {
		t.Errorf("the application was told %q", seen.Headers)
	}
	if cookies := seen.Values("cookie"); len(cookies) > 0 {
		t.Errorf("cookies reached the application: %q", cookies)
	}
	if refused := b.Jar.Refused(); len(refused) > 0 {
		t.Errorf("cookies that browsers refuse: %q", refused)
	}
	nobody := must(m.Browser().Get("https://"+meshShop+"/cart", http.Header{"Accept": {"application/json"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}}))(t)
	if nobody.Status != http.StatusUnauthorized {
		t.Errorf("a script without a session: %d", nobody.Status)
	}
	return b
}

func testBodies(t *testing.T, e *Envoy, let bool) {
	status, _ := bare(t, e, http.MethodPost, meshShop, "/oauth2/backchannel_logout", "logout_token=none",
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	if want := map[bool]int{true: http.StatusBadRequest, false: http.StatusNotImplemented}[let]; status != want {
		t.Errorf("the back channel answers %d, want %d", status, want)
	}
}

func (m *Mesh) testAdmin(t *testing.T, bob *Browser) {
	page := "https://" + meshShop + "/admin/users"
	if got := must(bob.Get(page))(t); got.Status != http.StatusForbidden {
		t.Errorf("bob on the administrators' page: %d", got.Status)
	}
	b := m.Browser()
	way, _, err := b.Arrive(m.Provider, must(b.Get(page))(t), Alice)
	if err != nil || last(way).Status != http.StatusOK {
		t.Errorf("alice on the administrators' page: %v:%s", err, trail(way))
	}
	if seen := must(ReadSeen(must(m.Browser().Get("https://" + meshShop + "/public/a"))(t)))(t); seen.Value("x-auth-request-user") != "" {
		t.Errorf("on the open page somebody is %q", seen.Value("x-auth-request-user"))
	}
}

func (m *Mesh) testCaller(t *testing.T, e *Envoy) {
	if status, _ := bare(t, e, http.MethodGet, meshService+":8080", "/", ""); status != http.StatusUnauthorized {
		t.Errorf("a service without a token: %d", status)
	}
	status, body := bare(t, e, http.MethodGet, meshService+":8080", "/", "", bearer(m.CallersToken(t)))
	if status != http.StatusOK {
		t.Fatalf("a service with a token: %d %.300s", status, body)
	}
	if seen := must(ParseSeen(body))(t); seen.Value("x-auth-request-user") != "caller" {
		t.Errorf("the application is called by %q", seen.Value("x-auth-request-user"))
	}
}

// testOutbound is about what an application sends: to one host with a token of
// its own, to another with its caller's, exchanged, and anywhere else as it is.
func (m *Mesh) testOutbound(t *testing.T, e *Envoy) {
	sent := func(host string, headers ...http.Header) (claims Claims) {
		var body string
		Eventually(t, startLimit, func() (err error) {
			status := 0
			if status, body = bare(t, e, http.MethodGet, host, "/", "", headers...); status != http.StatusOK {
				err = fmt.Errorf("e2e: %s answers %d: %.300s", host, status, body)
			}
			return err
		})
		token, _ := strings.CutPrefix(must(ParseSeen(body))(t).Value("authorization"), "Bearer ")
		if token == "" {
			return nil
		}
		return must(readClaims(token))(t)
	}
	if claims := sent(meshOrders); claims["client_id"] != ClientID || claims["scope"] != "orders" {
		t.Errorf("orders are asked for with %v", claims)
	}
	if claims := sent(meshStock+":80", bearer(m.CallersToken(t))); !hasAudience(claims, "stock-api") {
		t.Errorf("the stock is asked for with %v", claims)
	}
	if claims := sent("elsewhere.example.net"); claims != nil {
		t.Errorf("elsewhere gets a token of %v", claims)
	}
}

// TestManifestsOfOneProxyGoTogether is about a sidecar with both plugins: of one
// image and with the same variables they share a VM, and with others each would
// have its own. And each finds its provider where istio/base puts it.
func TestManifestsOfOneProxyGoTogether(t *testing.T) {
	names := func(p *Manifested) (all []string) {
		for _, v := range p.Env {
			all = append(all, v.Name)
		}
		slices.Sort(all)
		return all
	}
	byFile := map[string][]string{}
	for _, p := range Manifests(t, "istio") {
		byFile[p.File] = names(p)
		settings := p.settings(t)
		for _, provider := range settings.Providers {
			if u, err := url.Parse(meshIssuer); err != nil || provider.Cluster != "outbound|443||"+u.Host {
				t.Errorf("%s: the cluster is %s", p.File, provider.Cluster)
			}
		}
	}
	if in, out := byFile["istio/sidecar/wasmplugin.yaml"], byFile["istio/outbound/wasmplugin.yaml"]; !slices.Equal(in, out) || len(in) == 0 {
		t.Errorf("a sidecar with both has %q and %q", in, out)
	}
}

// TestPosternCheckReadsEachManifest runs the command on the files as they stand,
// without the secrets, as somebody does before applying them.
func TestPosternCheckReadsEachManifest(t *testing.T) {
	args, files := []string{"run", "./cmd/postern", "check", "--strict"}, map[string]bool{}
	for _, p := range append(Manifests(t, "istio"), Manifests(t, "envoy-gateway")...) {
		// A tag in place of a digest is warned of, as it should be.
		if !files[p.File] && p.File != "istio/testdata/rendered/gateway-labels.yaml" {
			files[p.File] = true
			args = append(args, p.File)
		}
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = must(Root())(t)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), "The settings are valid."); n != len(files) || n < 14 {
		t.Errorf("%d of %d are valid:\n%s", n, len(files), out)
	}
}
