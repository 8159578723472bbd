package conversation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/idp"
	"github.com/postern-auth/postern/internal/wazerohost"
)

// editedGate is the module in a host whose settings are edited, with a provider that
// answers its calls and one person's browser.
type editedGate struct {
	*wazerohost.Host
	t        *testing.T
	clock    *wazerohost.FakeClock
	provider *idp.Provider
	jar      map[string]string
}

const (
	editedIssuer = "https://id.example.com"
	editedHost   = "app.example.com"
)

// newEdited starts the module with settings. Its VM has no id of its own, as in
// Istio.
func newEdited(t *testing.T, settings []byte) *editedGate {
	t.Helper()
	path := os.Getenv("POSTERN_WASM")
	if path == "" {
		path = filepath.Join("..", "..", modulePath)
	}
	code, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err, "(make build makes it)")
	}
	g := &editedGate{t: t, clock: wazerohost.NewFakeClock(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)), jar: map[string]string{}}
	g.provider, err = idp.New(idp.Config{
		Issuer: editedIssuer, Clock: g.clock.Now, AccessTokenLifetime: time.Hour,
		Clients: []idp.Client{{ID: "shop", Secret: "a-secret-of-the-shop", RedirectURIs: []string{"https://" + editedHost + "/oauth2/callback"}}},
		Users:   []idp.User{{PreferredUsername: "alice", Password: "wonderland", Email: "alice@example.com", Groups: []string{"staff"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	g.Host, err = wazerohost.New(context.Background(), wazerohost.Config{
		Module: code, PluginName: "postern", RootID: "postern", PluginConfig: settings, Clock: g.clock, Workers: 2,
		Clusters: map[string]wazerohost.Cluster{"idp": {}}, AllowOnHeadersStopIteration: true, FailurePolicy: wazerohost.FailReload,
		Env: map[string]string{"SHOP_CLIENT_SECRET": "a-secret-of-the-shop", "POSTERN_KEY": keyOf("1"), "POSTERN_KEY_2": keyOf("2")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.end)
	g.advance(20 * time.Millisecond)
	return g
}

// keyOf is a key that seals sessions.
func keyOf(which string) string {
	key := sha256.Sum256([]byte(which))
	return base64.StdEncoding.EncodeToString(key[:])
}

// end holds the module to what none may do.
func (g *editedGate) end() {
	for _, failure := range hostFailures(g.Host) {
		g.t.Error(failure)
	}
	_ = g.Close()
}

// settingsWith are settings, changed.
func settingsWith(t *testing.T, change func(map[string]any)) []byte {
	t.Helper()
	s := map[string]any{
		"providers": []any{map[string]any{
			"name": "idp", "issuer": editedIssuer, "cluster": "idp", "client_id": "shop",
			"client_secret": map[string]any{"env": "SHOP_CLIENT_SECRET"}, "scopes": []any{"openid", "profile", "email", "groups"},
		}},
		"hosts":   []any{editedHost},
		"session": map[string]any{"keys": []any{map[string]any{"id": "1", "env": "POSTERN_KEY"}}},
		"forward": map[string]any{"headers": map[string]any{"x-user": "user"}},
		"sign_in": map[string]any{"keep_fragment": false},
	}
	if change != nil {
		change(s)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// edit puts new settings beside the old ones on every worker.
func (g *editedGate) edit(settings []byte) {
	g.t.Helper()
	if err := g.Reconfigure(settings); err != nil {
		g.t.Fatal(err)
	}
	g.advance(20 * time.Millisecond)
}

// advance lets time pass, while the provider answers.
func (g *editedGate) advance(d time.Duration) {
	g.answer()
	for end := g.clock.Now().Add(d); g.clock.Now().Before(end); {
		g.clock.Advance(min(time.Second, end.Sub(g.clock.Now())))
		g.answer()
	}
}

// answer has the provider answer what waits.
func (g *editedGate) answer() {
	for calls := g.Calls(); len(calls) > 0; calls = g.Calls() {
		for _, c := range calls {
			g.reply(c)
		}
	}
}

func (g *editedGate) reply(c *wazerohost.Call) {
	r := httptest.NewRequest(c.Header(":method"), c.Header(":scheme")+"://"+c.Header(":authority")+c.Header(":path"), bytes.NewReader(c.Body))
	for _, h := range c.Headers {
		if !strings.HasPrefix(h[0], ":") {
			r.Header.Add(h[0], h[1])
		}
	}
	w := httptest.NewRecorder()
	g.provider.ServeHTTP(w, r)
	var fields [][2]string
	for name, values := range w.Header() {
		for _, value := range values {
			fields = append(fields, [2]string{strings.ToLower(name), value})
		}
	}
	c.Reply(w.Code, fields, w.Body.Bytes())
}

// send is a request of the browser, as far as it gets without the provider.
func (g *editedGate) send(worker int, path string) *wazerohost.Stream {
	header := [][2]string{
		{":method", "GET"}, {":path", path}, {":authority", editedHost}, {":scheme", "https"}, {"x-forwarded-proto", "https"},
		{"accept", "text/html"}, {"sec-fetch-mode", "navigate"}, {"sec-fetch-dest", "document"}, {"sec-fetch-site", "none"},
	}
	for name, value := range g.jar {
		header = append(header, [2]string{"cookie", name + "=" + value})
	}
	return g.Open(worker, header, true)
}

// get is a request with its answer, which the application gives with 200 where the
// gate lets it pass.
func (g *editedGate) get(worker int, path string) wazerohost.Outcome {
	g.t.Helper()
	s := g.send(worker, path)
	g.answer()
	return g.finish(s)
}

// finish is what became of a request that needs nothing any more.
func (g *editedGate) finish(s *wazerohost.Stream) wazerohost.Outcome {
	g.t.Helper()
	o := s.Outcome()
	if o.Kind == wazerohost.Pending {
		g.t.Fatal("the request still waits")
	}
	if o.Kind == wazerohost.Forwarded {
		s.Respond([][2]string{{":status", "200"}}, true)
	}
	g.keep(s.Response().Values("set-cookie"))
	s.Close()
	return o
}

// keep does with cookies what a browser does.
func (g *editedGate) keep(cookies []string) {
	for _, line := range cookies {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			g.t.Fatal(err)
		}
		if c.MaxAge < 0 || c.Value == "" {
			delete(g.jar, c.Name)
		} else {
			g.jar[c.Name] = c.Value
		}
	}
}

// begin opens a page and returns where the provider sends the browser back to.
func (g *editedGate) begin(worker int, path string) (callback string) {
	g.t.Helper()
	o := g.get(worker, path)
	to := o.Header("location")
	if o.Status != http.StatusSeeOther || !strings.HasPrefix(to, editedIssuer) {
		g.t.Fatalf("not sent to the provider: %d %s %s", o.Status, to, o.Details)
	}
	form := url.Values{"username": {"alice"}, "password": {"wonderland"}}
	r := httptest.NewRequest(http.MethodPost, to, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", editedIssuer)
	w := httptest.NewRecorder()
	g.provider.ServeHTTP(w, r)
	back, err := url.Parse(w.Header().Get("Location"))
	if err != nil || back.Host != editedHost {
		g.t.Fatalf("the provider does not send back: %d %v %s", w.Code, back, w.Body)
	}
	return back.RequestURI()
}

// signIn goes the whole way.
func (g *editedGate) signIn(worker int) {
	g.t.Helper()
	if o := g.get(worker, g.begin(worker, "/")); o.Status != http.StatusSeeOther {
		g.t.Fatalf("no session: %d %s", o.Status, o.Details)
	}
}

// known reports as whom the application knows the browser.
func (g *editedGate) known(worker int, header string) string {
	g.t.Helper()
	o := g.get(worker, "/page")
	if o.Kind != wazerohost.Forwarded {
		g.t.Fatalf("not forwarded: %d %s", o.Status, o.Details)
	}
	return o.Header(header)
}

// wantPlugins holds each worker to how many configurations it has: more than one
// while an old one has streams.
func (g *editedGate) wantPlugins(want int) {
	g.t.Helper()
	for worker := range g.Workers() {
		if n := g.Plugins(worker); n != want {
			g.t.Errorf("worker %d has %d configurations, want %d", worker, n, want)
		}
	}
}
