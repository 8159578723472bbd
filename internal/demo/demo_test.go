package demo

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/idp"
)

func testPlace() *place {
	return &place{
		listen: "127.0.0.1:10000", idp: "127.0.0.1:10001", app: "127.0.0.1:10002", module: `/a "b"/postern.wasm`,
		env: map[string]string{"POSTERN_KEY": secret(), "DEMO_CLIENT_SECRET": secret()},
	}
}

func TestSettingsAreValid(t *testing.T) {
	p := testPlace()
	text, err := p.settings()
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse(text, func(name string) (string, bool) { v, ok := p.env[name]; return v, ok })
	if err != nil {
		t.Fatalf("the gate would refuse the settings:\n%v", err)
	}
	if c.Providers[0].Issuer != "http://localhost:10001" || !c.AllowsHost("localhost", "10000") {
		t.Errorf("issuer %s, hosts %v", c.Providers[0].Issuer, c.Hosts)
	}
}

func TestBootstrapHoldsTheSettingsButNoSecret(t *testing.T) {
	p := testPlace()
	text, err := p.bootstrap()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"filename":"/a \"b\"/postern.wasm"`, `"port_value":10000`, `\"issuer\":\"http://localhost:10001\"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the bootstrap lacks %s", want)
		}
	}
	for name, value := range p.env {
		if strings.Contains(string(text), value) {
			t.Errorf("the value of %s stands in the bootstrap", name)
		}
	}
}

func TestAPartnerIsAnotherProviderToSignInAt(t *testing.T) {
	p := testPlace()
	p.partner = "127.0.0.1:10003"
	text, err := p.settings()
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse(text, func(name string) (string, bool) { v, ok := p.env[name]; return v, ok })
	if err != nil {
		t.Fatalf("the gate would refuse the settings:\n%v", err)
	}
	if len(c.Providers) != 2 || !c.Providers[1].SignsIn() || c.Providers[1].Issuer != "http://127.0.0.1:10003" || c.Providers[0].Issuer == c.Providers[1].Issuer {
		t.Errorf("providers %+v", c.Providers)
	}
	for i, users := range [][]idp.User{people, partners} {
		for _, u := range users {
			if _, domain, _ := strings.Cut(u.Email, "@"); !slices.Contains(c.Providers[i].EmailDomains, domain) {
				t.Errorf("%s is not led to provider %d by their address: it has %v", u.Email, i, c.Providers[i].EmailDomains)
			}
		}
	}
	bootstrap, err := p.bootstrap()
	if err != nil || !strings.Contains(string(bootstrap), `"port_value":10003`) {
		t.Errorf("the bootstrap has no way to the second provider: %v", err)
	}
}

func TestFillRefusesVariablesWithoutValue(t *testing.T) {
	if _, err := fill("a: ${b}", nil); err == nil {
		t.Error("accepted")
	}
	if _, err := fill("a: [", nil); err == nil {
		t.Error("broken YAML was accepted")
	}
}

func TestApplicationShowsWhatItWasTold(t *testing.T) {
	token := "eyJhbGciOiJSUzI1NiJ9." + strings.Repeat("x", 60) + ".sig"
	ask := func(accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/a?b=%3Ci%3E", nil)
		r.Header = http.Header{
			"Accept": {accept}, "X-Auth-Request-User": {"al<i>ce"}, "X-Auth-Request-Email": {"alice@example.com"},
			"X-Auth-Request-Groups": {"admins, staff"}, "Authorization": {"Bearer " + token}, "Cookie": {"theme=dark; postern=" + token},
		}
		w := httptest.NewRecorder()
		app("http://id.example/end")(w, r)
		if strings.Contains(w.Body.String(), token) {
			t.Errorf("the whole token is in the answer to %s", accept)
		}
		return w
	}
	var got seen
	if err := json.Unmarshal(ask("application/json").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := seen{
		Path: "/a?b=%3Ci%3E", User: "al<i>ce", Email: "alice@example.com", Groups: []string{"admins", "staff"}, Cookies: []string{"theme", "postern"},
		Headers: []header{
			{"Accept", "application/json"}, {"Authorization", "Bearer eyJhbGci… (85 characters)"}, {"X-Auth-Request-Email", "alice@example.com"},
			{"X-Auth-Request-Groups", "admins, staff"}, {"X-Auth-Request-User", "al<i>ce"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	if page := ask("text/html").Body.String(); !strings.Contains(page, "Signed in as al&lt;i&gt;ce") {
		t.Errorf("page:\n%s", page)
	}
}

func TestOptionsThatAreRefused(t *testing.T) {
	module := filepath.Join(t.TempDir(), "postern.wasm")
	if err := os.WriteFile(module, []byte("not a module"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := Options{Host: "wazero", Listen: "127.0.0.1:0", IdP: "127.0.0.1:0", App: "127.0.0.1:0", Module: module}
	for name, test := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"a file that is no module":         {func(*Options) {}, "wazerohost"},
		"no module":                        {func(o *Options) { o.Module += "x" }, "make build"},
		"an unknown host":                  {func(o *Options) { o.Host = "nginx" }, "is none of"},
		"a listener on every interface":    {func(o *Options) { o.Listen = "0.0.0.0:0" }, "loopback"},
		"a provider on a name":             {func(o *Options) { o.IdP = "example.com:80" }, "loopback"},
		"an address without port":          {func(o *Options) { o.App = "127.0.0.1" }, "address"},
		"an application on the same place": {func(o *Options) { o.App, o.IdP = taken(t), taken(t) }, "in use"},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			test.change(&o)
			o.Out, o.Log = t.Output(), t.Output()
			err := Run(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something about %q", err, test.want)
			}
		})
	}
}

func TestCheckShowsTheProxysLogWhenItFails(t *testing.T) {
	module := filepath.Join(t.TempDir(), "postern.wasm")
	if err := os.WriteFile(module, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	envoy := script(t, says("1.40.0"), "case $* in *validate*) exit 0;; esac; echo 'settings refused' >&2; exit 1")
	t.Setenv("ENVOY", envoy)
	var log strings.Builder
	ok, err := Check(t.Context(), Options{
		Host: "envoy", Listen: "127.0.0.1:0", IdP: "127.0.0.1:0", App: "127.0.0.1:0", Module: module, Out: t.Output(), Log: &log,
	})
	if ok || err == nil || !strings.Contains(err.Error(), "before it was ready") || !strings.Contains(log.String(), "settings refused") {
		t.Errorf("got %v, %v, log %q", ok, err, log.String())
	}
}

func TestSomebodyElseCanSignIn(t *testing.T) {
	g := newFakeGate(t, "")
	d := &demo{place: g.place}
	h, err := d.application("")
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/public/", nil))
	_, link, _ := strings.Cut(w.Body.String(), `<a href="`+g.issuer())
	link, _, _ = strings.Cut(link, `"`)
	b := newBrowser()
	r, err := b.open(t.Context(), g.issuer()+html.UnescapeString(link))
	if err != nil {
		t.Fatal(err)
	}
	if to, err := r.location(); err != nil || to.String() != g.base()+signInAgain {
		t.Errorf("the provider's sign-out %q leads to %v, %v", link, to, err)
	}
}

// taken is an address that somebody else listens on.
func taken(t *testing.T) string {
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestRunSaysWhoCanSignInAndStopsWithTheContext(t *testing.T) {
	g := newFakeGate(t, "")
	stopped := false
	d := &demo{place: g.place, proxy: &proxy{done: make(chan error), stop: func() { stopped = true }}}
	var out strings.Builder
	d.out = &out
	ctx, cancel := context.WithCancel(t.Context())
	if err := d.await(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := d.run(ctx); err != nil || !stopped {
		t.Errorf("ended with %v, proxy stopped: %v", err, stopped)
	}
	for _, want := range []string{g.base(), "alice", "wonderland", "bob", "builder", "Ctrl-C"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the welcome lacks %q:\n%s", want, out.String())
		}
	}
}

func TestAnEnvoyOfSomebodysOwnNeedsNoModuleOfOurs(t *testing.T) {
	t.Setenv("DEMO_CLIENT_SECRET", secret())
	var out strings.Builder
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := Run(ctx, Options{
		Host: "none", Listen: "127.0.0.1:0", IdP: "127.0.0.1:0", App: "127.0.0.1:0",
		Module: filepath.Join(t.TempDir(), "none.wasm"), Out: &out, Log: t.Output(),
	})
	if err != nil || !strings.Contains(out.String(), "An Envoy of yours") {
		t.Errorf("got %v: %s", err, out.String())
	}
}

func TestRunEndsWhenTheProxyDies(t *testing.T) {
	done := make(chan error, 1)
	done <- errors.New("killed")
	d := &demo{out: t.Output(), proxy: &proxy{done: done, stop: func() {}}}
	if err := d.run(t.Context()); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("ended with %v", err)
	}
}

func TestGateThatStaysUnreadyIsReported(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := &demo{place: place{listen: s.Listener.Addr().String()}}
	if err := d.await(ctx); err == nil {
		t.Error("a gate that answers 503 counts as ready")
	}
}
