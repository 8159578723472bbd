package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/doctest"
	"github.com/postern-auth/postern/internal/idp"
)

// TestConfigurationsRunAsTheyStand starts each configuration of envoy/ that is
// for an Envoy, walks the journey through it, and then tries what it is about.
func TestConfigurationsRunAsTheyStand(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"gateway/envoy.yaml":    testShippedGateway,
		"sidecar/envoy.yaml":    testShippedSidecar,
		"standalone/envoy.yaml": testShippedStandalone,
		"outbound/envoy.yaml":   testShippedOutbound,
		"tls/envoy.yaml":        testShippedTLS,
		"http3/envoy.yaml":      testShippedHTTP3,
		"filters/envoy.yaml":    testShippedFilters,
		"access-log/envoy.yaml": testShippedAccessLog,
		"envoy.yaml":            testShippedCapabilities,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for its Envoy's one thread to compile the module
			test(t)
		})
	}
}

// awaits waits until the gate knows its provider, and answers an address as it
// would ever after.
func (g *Shipped) awaits(t *testing.T, b *Browser, address string, status int) {
	t.Helper()
	Eventually(t, startLimit, func() error {
		page, err := b.Get(address)
		if err == nil && page.Status != status {
			err = fmt.Errorf("e2e: %s answers %d: %.300s", address, page.Status, page.Body)
		}
		return err
	})
}

// journey signs somebody in who comes to a page, tries what a client may forge,
// and signs them out again. The browser is new.
func (g *Shipped) journey(t *testing.T, b *Browser, who Person) {
	t.Helper()
	page := g.Base() + deepPage
	g.awaits(t, b, page, http.StatusSeeOther)
	before := g.App.Requests()
	fetch := must(b.Do(http.MethodGet, page, "", http.Header{"Accept": {"application/json"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}}))(t)
	if fetch.Status != http.StatusUnauthorized || g.App.Requests() != before {
		t.Errorf("a script without a session: %d, %d requests reached the application", fetch.Status, g.App.Requests()-before)
	}
	g.signIn(t, b, page, who)
	seen := must(ReadSeen(must(b.Get(page, forgedIdentity()))(t)))(t)
	if seen.Target != deepPage {
		t.Errorf("the application saw %q, want %q", seen.Target, deepPage)
	}
	checkIdentity(t, seen, who)
	for _, name := range b.Jar.Names(address(t, page)) {
		if _, reached := seen.Cookie(name); reached && strings.Contains(name, "postern") {
			t.Errorf("the cookie %s reached the application", name)
		}
	}
	if refused := b.Jar.Refused(); len(refused) > 0 {
		t.Errorf("cookies that browsers refuse: %q", refused)
	}
	must(b.Get(g.Base() + "/oauth2/sign_out"))(t)
	if out := must(b.Get(page))(t); out.Status != http.StatusSeeOther {
		t.Errorf("after signing out, a page answers %d", out.Status)
	}
}

// signIn goes to a page, and on to where that leads, and wants to be shown the
// page in the end. It returns how often somebody had to say who they are.
func (g *Shipped) signIn(t *testing.T, b *Browser, page string, who Person) (forms int) {
	t.Helper()
	way, forms, err := b.Arrive(g.Provider, must(b.Get(page))(t), who)
	if err != nil {
		t.Fatal(err)
	}
	last := way[len(way)-1]
	if last.URL.String() != page {
		t.Fatalf("the way ends with %d at %s:%s", last.Status, last.URL, trail(way))
	}
	checkIdentity(t, must(ReadSeen(last))(t), who)
	return forms
}

// forgedIdentity is what a client may claim to be, without credentials: these
// are an application's own where the settings do not say that Postern sets them.
func forgedIdentity() http.Header {
	headers := forged()
	headers.Del("Authorization")
	return headers
}

// open checks that anyone may see what is below /public/, as nobody. The browser
// is new.
func (g *Shipped) open(t *testing.T, nobody *Browser, base string) {
	t.Helper()
	seen := must(ReadSeen(must(nobody.Get(base+"/public/hello", forgedIdentity()))(t)))(t)
	for name := range forgedIdentity() {
		if values := seen.Values(name); len(values) > 0 {
			t.Errorf("%s: %q", name, values)
		}
	}
}

// logIsClean looks for what must never be in the log, access log included.
func (g *Shipped) logIsClean(t *testing.T) {
	t.Helper()
	checkLog(t, &Gate{Envoy: g.Envoy})
	if err := g.Log.WaitFor("via_upstream", 10*time.Second); err != nil {
		t.Errorf("the access log: %v", err)
	}
}

// documented runs the commands of the configuration's page that show whether it
// works, and wants them to say what the page says.
func (g *Shipped) documented(t *testing.T, certificates string) {
	t.Helper()
	if g.runs(t, "envoy/"+g.Folder+"/README.md", "build/certificates", certificates) < 2 {
		t.Errorf("%s has too few commands", g.Folder)
	}
}

// runs runs the commands of a page's console blocks, and compares what they say.
// Texts are replaced by others, in pairs, and ports by those in use.
func (g *Shipped) runs(t *testing.T, file string, others ...string) (tried int) {
	t.Helper()
	text := must(os.ReadFile(filepath.Join(must(Root())(t), filepath.FromSlash(file))))(t)
	page := must(doctest.Parse(file, string(text)))(t)
	here := func(text string) string { return strings.NewReplacer(others...).Replace(g.at(text)) }
	for _, b := range page.Blocks {
		if b.Kind != "console" {
			continue
		}
		for _, part := range strings.Split("\n"+b.Text, "\n$ ")[1:] {
			line, want, _ := strings.Cut(part, "\n")
			tried++
			Eventually(t, 10*time.Second, func() error { // some numbers are told once a second
				out, err := exec.Command("sh", "-c", here(line)).CombinedOutput()
				if got := strings.TrimSpace(string(out)); got != strings.TrimSpace(here(want)) {
					return fmt.Errorf("%s: %s: %q, %v", b.Where(), here(line), got, err)
				}
				return nil
			})
		}
	}
	return tried
}

func testShippedGateway(t *testing.T) {
	g := StartShipped(t, ShippedSetup{File: "gateway/envoy.yaml", URL: "http://auth.localhost:10000"})
	app1, app2 := g.at("http://app1.localhost:10000"), g.at("http://app2.localhost:10000")
	b := NewBrowser()
	g.awaits(t, b, app1+"/", http.StatusSeeOther)
	g.open(t, NewBrowser(), app1)
	if forms := g.signIn(t, b, app1+deepPage, Carol); forms != 1 {
		t.Errorf("%d forms were filled", forms)
	}
	before := g.IDP.Count("token")
	if forms := g.signIn(t, b, app2+deepPage, Carol); forms != 0 {
		t.Errorf("%d forms were filled for the second application", forms)
	}
	if g.IDP.Count("token") != before {
		t.Error("the provider was asked again for the second application")
	}
	for _, c := range b.Jar.Received() {
		if c.Domain != "" {
			t.Errorf("the cookie %s is shared with %s", c.Name, c.Domain)
		}
	}
	t.Run("an application is for its group", func(t *testing.T) {
		alice := NewBrowser()
		g.signIn(t, alice, app1+"/", Alice)
		way, _, err := alice.Arrive(g.Provider, must(alice.Get(app2+"/"))(t), Alice)
		if err != nil || way[len(way)-1].Status != http.StatusForbidden {
			t.Errorf("%v:%s", err, trail(way))
		}
	})
	t.Run("a script is told", func(t *testing.T) {
		if page := must(NewBrowser().Get(app1 + "/api/orders"))(t); page.Status != http.StatusUnauthorized {
			t.Errorf("%d", page.Status)
		}
	})
	t.Run("another host is nobody's", func(t *testing.T) {
		if page := must(NewBrowser().Get(g.at("http://app3.localhost:10000/")))(t); page.Status != http.StatusMisdirectedRequest {
			t.Errorf("%d", page.Status)
		}
	})
	t.Run("the login's own host leads to an application", func(t *testing.T) {
		page := must(b.Get(g.Base() + "/x"))(t)
		for page.Location() != nil && page.URL.Host != address(t, app1).Host {
			page = must(b.Get(page.Location().String()))(t)
		}
		if page.URL.String() != app1+"/" {
			t.Errorf("it leads to %s", page.URL)
		}
	})
	g.addressOf(t, b, app1+"/", "192.0.2.7", "127.0.0.1")
	g.edge(t, app1)
	g.documented(t, "")
	g.logIsClean(t)
}

// addressOf checks which address the application is told that a request is
// from, where its client says that it is from another.
func (g *Shipped) addressOf(t *testing.T, b *Browser, page, said, want string) {
	t.Helper()
	seen := must(ReadSeen(must(b.Get(page, http.Header{"X-Forwarded-For": {said}}))(t)))(t)
	if got := seen.Value("x-envoy-external-address"); got != want {
		t.Errorf("with x-forwarded-for %q the client's address is %q, not %q", said, got, want)
	}
}

// edge tries what an edge proxy refuses or makes one spelling of.
func (g *Shipped) edge(t *testing.T, base string) {
	t.Helper()
	raw := func(path string) *Page {
		u := address(t, base)
		return must(NewScript().sendRaw(u, path))(t)
	}
	if page := raw("/public%2F..%2fadmin"); page.Status != http.StatusBadRequest {
		t.Errorf("an encoded slash: %d", page.Status)
	}
	seen := must(ReadSeen(raw("/x/..//public//hello")))(t)
	if seen.Target != "/public/hello" {
		t.Errorf("the application saw %q", seen.Target)
	}
}

// sendRaw asks for a path as it is written.
func (s *Script) sendRaw(base *url.URL, path string) (*Page, error) {
	u := *base
	u.Opaque = "//" + u.Host + path
	req, err := http.NewRequest(http.MethodGet, base.String(), nil)
	if err != nil {
		return nil, err
	}
	req.URL = &url.URL{Scheme: u.Scheme, Host: u.Host, Opaque: path}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	body, err := drain(res.Body)
	return &Page{Method: req.Method, URL: base, Status: res.StatusCode, Header: res.Header, Body: string(body)}, err
}

func testShippedSidecar(t *testing.T) {
	g := StartShipped(t, ShippedSetup{
		File: "sidecar/envoy.yaml", URL: "http://localhost:10000",
		Clients: []idp.Client{{ID: "script", Secret: "jabberwocky", Audience: "demo-api", ServiceAccount: true}},
	})
	g.journey(t, NewBrowser(), Alice)
	b := NewBrowser()
	g.signIn(t, b, g.Base()+"/", Bob)
	g.open(t, NewBrowser(), g.Base())
	t.Run("the proxy in front is believed, and what its client told it is not", func(t *testing.T) {
		g.addressOf(t, b, g.Base()+"/", "6.6.6.6, 192.0.2.7", "192.0.2.7")
	})
	t.Run("a service's token is accepted", func(t *testing.T) {
		service := Service{Provider: g.Provider, ID: "script", Secret: "jabberwocky"}
		seen := must(ReadSeen(must(NewScript().Get(g.Base()+"/api", bearer(must(service.Token())(t))))(t)))(t)
		if got := seen.Value("x-auth-request-user"); got != "script" {
			t.Errorf("the application is called by %q", got)
		}
	})
	t.Run("a probe gets through, by whatever name", func(t *testing.T) {
		must(ReadSeen(must(NewScript().Get(g.Base()+"/healthz", to("10.1.2.3:8080")))(t)))(t)
		if page := must(NewScript().Get(g.Base()+"/", to("10.1.2.3:8080")))(t); page.Status != http.StatusMisdirectedRequest {
			t.Errorf("anything else: %d", page.Status)
		}
	})
	g.documented(t, "")
	g.logIsClean(t)
}

func testShippedStandalone(t *testing.T) {
	g := StartShipped(t, ShippedSetup{File: "standalone/envoy.yaml", URL: "http://localhost:4180"})
	g.journey(t, NewBrowser(), Alice)
	b := NewBrowser()
	g.signIn(t, b, g.Base()+"/", Carol)
	g.open(t, NewBrowser(), g.Base())
	t.Run("the fields of oauth2-proxy are there", func(t *testing.T) {
		seen := must(ReadSeen(must(b.Get(g.Base()+"/", http.Header{"X-Forwarded-User": {"eve"}}))(t)))(t)
		for name, want := range map[string]string{
			"x-forwarded-user": Carol.Name, "x-forwarded-email": Carol.Email,
			"x-auth-request-access-token": strings.TrimPrefix(seen.Value("authorization"), "Bearer "),
		} {
			if got := seen.Value(name); got != want || got == "" {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	})
	t.Run("addresses of another domain are refused", func(t *testing.T) {
		stranger := NewBrowser()
		way, _, err := stranger.Arrive(g.Provider, must(stranger.Get(g.Base()+"/"))(t), Dave)
		if err != nil || way[len(way)-1].Status != http.StatusForbidden {
			t.Errorf("%v:%s", err, trail(way))
		}
	})
	t.Run("its addresses are where oauth2-proxy has them", func(t *testing.T) {
		for path, status := range map[string]int{
			"/oauth2/auth": http.StatusAccepted, "/oauth2/userinfo": http.StatusOK, "/oauth2/start?rd=/": http.StatusSeeOther, "/ping": http.StatusOK,
		} {
			if page := must(b.Get(g.Base() + path))(t); page.Status != status {
				t.Errorf("%s: %d, want %d", path, page.Status, status)
			}
		}
		if page := must(NewBrowser().Get(g.Base() + "/oauth2/auth"))(t); page.Status != http.StatusUnauthorized {
			t.Errorf("/oauth2/auth without a session: %d", page.Status)
		}
	})
	g.documented(t, "")
	g.logIsClean(t)
}

func testShippedOutbound(t *testing.T) {
	g := StartShipped(t, ShippedSetup{
		File: "outbound/envoy.yaml", URL: "http://localhost:10000", Env: []string{"SCRIPT_CLIENT_SECRET=jabberwocky"},
		Clients: []idp.Client{{ID: "script", Secret: "jabberwocky", Audience: "demo-api", ServiceAccount: true}},
	})
	g.journey(t, NewBrowser(), Alice)
	out := g.at("http://127.0.0.1:10003")
	orders := to(g.at("orders.localhost:10003"))
	t.Run("a call that the application makes gets a token, the same for all", func(t *testing.T) {
		before := g.IDP.Count("token:client_credentials")
		for range 5 {
			seen := must(ReadSeen(must(NewScript().Get(out+"/level", orders))(t)))(t)
			claims := must(readClaims(strings.TrimPrefix(seen.Value("authorization"), "Bearer ")))(t)
			if !hasAudience(claims, "demo-api") || claims["client_id"] != "script" {
				t.Fatalf("it was sent with a token of %v", claims)
			}
		}
		if n := g.IDP.Count("token:client_credentials") - before; n != 1 {
			t.Errorf("%d tokens were fetched", n)
		}
	})
	t.Run("what the application sends is not changed otherwise", func(t *testing.T) {
		sent := http.Header{"X_Under_Score": {"kept"}, "X-Auth-Request-User": {"alice"}, "X-Forwarded-For": {"192.0.2.7"}}
		seen := must(ReadSeen(must(NewScript().Get(out+"/a%2Fb//c", orders, sent))(t)))(t)
		got := []string{seen.Target, seen.Value("x-under-score"), seen.Value("x-auth-request-user"), seen.Value("x-forwarded-for")}
		if diff := cmp.Diff([]string{"/a%2Fb//c", "kept", "alice", "192.0.2.7"}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the way in gives nobody a token", func(t *testing.T) {
		if page := must(NewScript().Get(g.Base()+"/level", orders))(t); page.Status != http.StatusMisdirectedRequest {
			t.Errorf("%d", page.Status)
		}
	})
	g.documented(t, "")
	g.logIsClean(t)
}

func testShippedFilters(t *testing.T) {
	g := StartShipped(t, ShippedSetup{File: "filters/envoy.yaml", URL: "http://localhost:10000"})
	g.journey(t, NewBrowser(), Alice)
	alice, bob := NewBrowser(), NewBrowser()
	g.signIn(t, alice, g.Base()+"/", Alice)
	g.signIn(t, bob, g.Base()+"/", Bob)
	g.open(t, NewBrowser(), g.Base())
	admin := g.Base() + "/admin/users"
	t.Run("rbac goes by the groups that Postern sets", func(t *testing.T) {
		checkIdentity(t, must(ReadSeen(must(alice.Get(admin))(t)))(t), Alice)
		for name, header := range map[string]http.Header{"": {}, " who says otherwise": forgedIdentity()} {
			before := g.App.Requests()
			if page := must(bob.Get(admin, header))(t); page.Status != http.StatusForbidden || g.App.Requests() != before {
				t.Errorf("somebody without the group%s: %d", name, page.Status)
			}
		}
		if n := g.Stat(t, "http.http.rbac.denied"); n < 2 {
			t.Errorf("rbac denied %d requests", n)
		}
	})
	t.Run("the application's side believes a signed assertion alone", func(t *testing.T) {
		direct := g.at("http://localhost:10003/")
		if page := must(NewScript().Get(direct, http.Header{"X-Auth-Request-User": {"alice"}, "X-Auth-Request-Assertion": {"e30.e30.e30"}}))(t); page.Status != http.StatusUnauthorized {
			t.Errorf("past the gate: %d", page.Status)
		}
		seen := must(ReadSeen(must(bob.Get(g.Base() + "/"))(t)))(t)
		assertion := http.Header{"X-Auth-Request-Assertion": {seen.Value("x-auth-request-assertion")}}
		if page := must(NewScript().Get(direct, assertion))(t); page.Status != http.StatusOK {
			t.Errorf("with an assertion: %d %.200s", page.Status, page.Body)
		}
	})
	t.Run("the rate is of each person", func(t *testing.T) {
		limited := 0
		for range 101 {
			page := must(bob.Get(g.Base()+"/", http.Header{"X-Auth-Request-User": {rateName(limited)}}))(t)
			if page.Status == http.StatusTooManyRequests {
				limited++
			}
		}
		if limited == 0 || limited > 20 {
			t.Errorf("%d of 101 requests were too many", limited)
		}
		if page := must(alice.Get(g.Base() + "/"))(t); page.Status != http.StatusOK {
			t.Errorf("another person: %d", page.Status)
		}
	})
	g.documented(t, "")
	g.logIsClean(t)
}

// rateName is another name each time, as somebody would send who wants buckets
// of their own.
func rateName(n int) string { return fmt.Sprintf("somebody-%d", n) }

func testShippedAccessLog(t *testing.T) {
	g := StartShipped(t, ShippedSetup{File: "access-log/envoy.yaml", URL: "http://localhost:10000"})
	g.journey(t, NewBrowser(), Alice)
	b := NewBrowser()
	g.signIn(t, b, g.Base()+"/?secret=query", Bob)
	must(ReadSeen(must(b.Get(g.Base() + "/public/hello"))(t)))(t)
	if page := must(b.Get(g.Base()+"/admin/", http.Header{"X-Auth-Request-User": {"alice"}}))(t); page.Status != http.StatusForbidden {
		t.Errorf("%d", page.Status)
	}
	g.documented(t, "")
	for _, want := range documentedLines(t, "access-log/README.md") {
		g.hasLine(t, want)
	}
	g.hasLine(t, map[string]any{"path": "/", "status": 200.0, "decision": "forwarded", "rule": "unmatched", "reason": nil, "user": "bob"})
	g.hasLine(t, map[string]any{"path": "/public/hello", "decision": "forwarded", "rule": "public", "user": "bob", "client": "127.0.0.1"})
	if lines := g.Log.Lines("secret=query"); len(lines) > 0 {
		t.Errorf("the query is in the log: %q", lines)
	}
	g.logIsClean(t)
}

// documentedLines are the objects that a page shows as JSON.
func documentedLines(t *testing.T, file string) (all []map[string]any) {
	t.Helper()
	text := must(os.ReadFile(filepath.Join(must(Root())(t), "envoy", filepath.FromSlash(file))))(t)
	page := must(doctest.Parse(file, string(text)))(t)
	for _, b := range page.Blocks {
		for line := range strings.Lines(b.Text) {
			var object map[string]any
			if b.Kind == "json" && json.Unmarshal([]byte(line), &object) == nil {
				all = append(all, object)
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s shows no line", file)
	}
	return all
}

// hasLine waits until the access log has a line with all these fields.
func (g *Shipped) hasLine(t *testing.T, want map[string]any) {
	t.Helper()
	path := fmt.Sprintf("%q:%q", "path", want["path"])
	Eventually(t, 10*time.Second, func() error {
		for _, text := range g.Log.Lines(path) {
			var got map[string]any
			if json.Unmarshal([]byte(text), &got) != nil {
				continue
			}
			same := true
			for field, value := range want {
				in, there := got[field]
				same = same && there && in == value
			}
			if same {
				return nil
			}
		}
		return fmt.Errorf("no line says %v:\n%s", want, strings.Join(g.Log.Lines(path), "\n"))
	})
}

// testShippedCapabilities runs the smallest configuration with the list of what
// the module may ask of its host, and of what it may be asked.
func testShippedCapabilities(t *testing.T) {
	list := readShipped(t, "capabilities.yaml")
	g := StartShipped(t, ShippedSetup{
		File: "envoy.yaml", URL: "http://localhost:10000",
		Edit: func(bootstrap map[string]any) {
			shippedPlugin(bootstrap)["capability_restriction_config"] = list["capability_restriction_config"]
		},
	})
	g.journey(t, NewBrowser(), Alice)
	b := NewBrowser()
	g.signIn(t, b, g.Base()+"/", Dave)
	g.open(t, NewBrowser(), g.Base())
	g.edge(t, g.Base())
	t.Run("bodies are let through", func(t *testing.T) {
		logout := must(NewScript().Send(http.MethodPost, g.Base()+"/oauth2/backchannel_logout", "logout_token=x",
			http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}))(t)
		if logout.Status != http.StatusBadRequest {
			t.Errorf("%d", logout.Status)
		}
	})
	g.logIsClean(t)
}

// shippedPlugin is the configuration of the first Wasm filter of a bootstrap.
func shippedPlugin(bootstrap map[string]any) map[string]any {
	var plugin map[string]any
	var look func(part any)
	look = func(part any) {
		switch part := part.(type) {
		case map[string]any:
			if config, found := part["config"].(map[string]any); found && config["vm_config"] != nil && plugin == nil {
				plugin = config
			}
			for _, value := range part {
				look(value)
			}
		case []any:
			for _, value := range part {
				look(value)
			}
		}
	}
	look(bootstrap)
	return plugin
}

// TestTheListOfCapabilitiesIsTheModules holds the list that is shipped to what
// the module imports and exports.
func TestTheListOfCapabilitiesIsTheModules(t *testing.T) {
	root := must(Root())(t)
	var want []string
	for _, file := range []string{"imports.golden", "exports.golden"} {
		text, err := os.ReadFile(filepath.Join(root, "testdata", "module", file))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			if name := words[len(words)-1]; name != "memory" && !strings.HasPrefix(name, "proxy_abi_version") {
				want = append(want, name)
			}
		}
	}
	restriction, _ := readShipped(t, "capabilities.yaml")["capability_restriction_config"].(map[string]any)
	allowed, _ := restriction["allowed_capabilities"].(map[string]any)
	var got []string
	for name := range allowed {
		got = append(got, name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("envoy/capabilities.yaml is not what the module needs (-needed +listed):\n%s", diff)
	}
}

// makeCertificates runs the script that is shipped, and returns its folder.
func makeCertificates(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	script := filepath.Join(must(Root())(t), "envoy", "tls", "certificates.sh")
	if out, err := exec.Command("sh", script, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

func certificate(t *testing.T, dir, name string) *tls.Certificate {
	t.Helper()
	c := must(tls.LoadX509KeyPair(filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")))(t)
	return &c
}

// trusting is what a browser is told that trusts the authority of a folder.
func trusting(t *testing.T, dir string) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(must(os.ReadFile(filepath.Join(dir, "authority.pem")))(t)) {
		t.Fatal("no certificate")
	}
	return &tls.Config{RootCAs: pool}
}
