package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/postern-auth/postern/internal/idp"
)

// callers are an API behind a gate that accepts sessions and the tokens of two
// issuers, and those who call it: pages of two sites, and programs.
type callers struct {
	gate     *Gate     // lets the preflights of the known site pass
	closed   *Gate     // the same, but that it lets none pass
	a, b     *Embedded // the issuers; people sign in at the first
	api      *api
	known    string // origin of the site that the settings name
	stranger string // origin of one that they do not
}

// Whom tokens are made out to; the MCP server is known by its address.
const (
	apiOfA = "api-a"
	apiOfB = "api-b"
)

// TestCallersThatOpenNoPage is about those who are answered, and not sent to
// sign in.
func TestCallersThatOpenNoPage(t *testing.T) {
	w := newCallers(t)
	c := NewChromium(t)
	t.Run("a prefetch begins no login", func(t *testing.T) { w.prefetch(t, c) })
	t.Run("a page of a site that is named reads the refusal", func(t *testing.T) { w.refusedPage(t, c) })
	t.Run("a page of any other site reads nothing", func(t *testing.T) { w.strangePage(t, c) })
	t.Run("preflights pass by setting alone", func(t *testing.T) { w.preflights(t, c) })
	t.Run("who follows the address in the refusal is served", func(t *testing.T) { w.signedInPage(t, c) })
	t.Run("an MCP client finds its way to a token", w.mcp)
	t.Run("tokens of two issuers, each by its own keys", w.issuers)
	t.Run("another Envoy asks by ext_authz", w.extAuthz)
	checkLog(t, w.gate)
}

func newCallers(t *testing.T) *callers {
	t.Helper()
	port, release, err := ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	const host = "api.shop.localhost"
	origin := fmt.Sprintf("http://%s:%d", host, port)
	w := &callers{known: newSite(t, "www.shop.localhost"), stranger: newSite(t, "blog.shop.localhost")}
	w.a = newEmbedded(t, shopClient(origin), idp.Client{
		ID: "agent", Secret: clientSecret, ServiceAccount: true, Scopes: []string{"tools"}, Targets: []string{origin + "/mcp", apiOfA},
	})
	w.b = newEmbedded(t, idp.Client{ID: "partner", Secret: clientSecret, ServiceAccount: true, Targets: []string{apiOfA, apiOfB}})
	w.b.Name = "partner"
	w.api = newAPI(t, w.known)
	e := StartEnvoy(t, EnvoySetup{
		Workers: 2, Host: host, Port: port, App: w.api.server.Listener.Addr().String(), IDP: w.a.Addr(),
		Clusters: map[string]string{"partner": w.b.Addr()}, Env: NewSecrets(),
		Config: w.settings(origin, true),
		Beside: map[string]func(*EnvoySetup){"closed": func(s *EnvoySetup) { s.Config = w.settings(origin, false) }},
	})
	w.gate = &Gate{Envoy: e, Provider: w.a.Provider}
	w.closed = &Gate{Envoy: e.At("closed"), Provider: w.a.Provider}
	for _, g := range []*Gate{w.gate, w.closed} {
		eventuallyServed(t, g.URL("/"), bearer(w.token(t, w.a, "agent", apiOfA)))
		eventuallyServed(t, g.URL("/"), bearer(w.token(t, w.b, "partner", apiOfB)))
	}
	return w
}

func (w *callers) settings(origin string, preflights bool) Settings {
	s := NewSettings(w.a.Provider)
	partner := serviceProvider(w.b.Provider, Service{ID: "partner", Secret: clientSecret})
	partner["cluster"], partner["sign_in"] = "partner", false
	s["providers"] = append(s["providers"].([]Settings), partner)
	s["hosts"] = []string{".shop.localhost:*"}
	s["bearer"] = []Settings{
		{"provider": w.a.Name, "audiences": []string{apiOfA, origin + "/mcp"}},
		{"provider": w.b.Name, "audiences": []string{apiOfB}},
	}
	s["resource"] = Settings{"name": "Shop", "scopes": []string{"tools"}}
	s["cors"] = Settings{"origins": []string{w.known}, "forward_preflights": preflights}
	s["auth_request"] = Settings{"status": 200}
	s["rules"] = []Settings{
		{"match": Settings{"paths": []string{"/public/*"}}, "allow": "anyone"},
		{"match": Settings{"paths": []string{"/mcp"}}, "accept": []string{"bearer"}},
	}
	return s
}

// token fetches one of a service's own for an API.
func (w *callers) token(t *testing.T, issuer *Embedded, client, api string) string {
	t.Helper()
	service := Service{Provider: issuer.Provider, ID: client, Secret: clientSecret}
	return must(service.Token(url.Values{"audience": {api}}))(t)
}

// newSite starts a site of one empty page, and returns its origin.
func newSite(t *testing.T, host string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>A site</title>")
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", host, 1)
}

// api is an application that lets the pages of one site read its answers.
type api struct {
	server *httptest.Server
	origin string

	mu   sync.Mutex
	seen map[string]int // requests by method
}

func newAPI(t *testing.T, origin string) *api {
	a := &api{origin: origin, seen: map[string]int{}}
	a.server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.server.Close)
	return a
}

// Seen is how many requests of a method reached it.
func (a *api) Seen(method string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[method]
}

func (a *api) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.seen[r.Method]++
	a.mu.Unlock()
	if r.Header.Get("Origin") == a.origin {
		w.Header().Set("Access-Control-Allow-Origin", a.origin)
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		w.Header().Set("Access-Control-Allow-Methods", "PUT")
		w.Header().Set("Access-Control-Allow-Headers", "content-type")
	}
	if strings.HasPrefix(r.URL.Path, "/public/") {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>For everybody</title>")
		return
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Received", fmt.Sprint(len(body)))
	_ = json.NewEncoder(w).Encode(Seen{Method: r.Method, Host: r.Host, Target: r.RequestURI, Headers: r.Header})
}

// fetched is what a page's script learns by fetch().
type fetched struct {
	Status    int
	Challenge string
	Body      string
	Failed    bool
}

// fetch has the page that is open ask for an address, with its person's cookies.
// A PUT takes a preflight.
func fetch(c *Chromium, method, address string) fetched {
	c.t.Helper()
	const script = `(async (method, address) => {
		const init = {method, credentials: 'include'}
		if (method === 'PUT') Object.assign(init, {body: '{}', headers: {'content-type': 'application/json'}})
		try {
			const r = await fetch(address, init)
			return {Status: r.status, Challenge: r.headers.get('www-authenticate') ?? '', Body: await r.text()}
		} catch { return {Failed: true} }
	})`
	return get(c, "fetch", chromedp.Evaluate[fetched](fmt.Sprintf("%s(%q, %q)", script, method, address), chromedp.EvalAwaitPromise))
}

// signInAddress is where a refusal says that its reader can sign in.
func (f fetched) signInAddress(t *testing.T) string {
	t.Helper()
	var problem struct {
		Status int    `json:"status"`
		SignIn string `json:"sign_in_url"`
	}
	if err := json.Unmarshal([]byte(f.Body), &problem); err != nil || problem.Status != http.StatusUnauthorized {
		t.Fatalf("%v: %+v", err, f)
	}
	return problem.SignIn
}

func (w *callers) prefetch(t *testing.T, c *Chromium) {
	c.Open(w.gate.URL("/public/page"))
	wanted, before := w.gate.URL("/ahead"), w.api.Seen(http.MethodGet)
	const link = `(address => new Promise(done => {
		new PerformanceObserver(list => list.getEntriesByName(address).forEach(e => done(e.responseStatus))).observe({type: 'resource', buffered: true})
		document.head.append(Object.assign(document.createElement('link'), {rel: 'prefetch', href: address}))
	}))`
	if status := get(c, "prefetch", chromedp.Evaluate[int](fmt.Sprintf("%s(%q)", link, wanted), chromedp.EvalAwaitPromise)); status != http.StatusUnauthorized {
		t.Errorf("answered %d", status)
	}
	for _, kind := range []string{"prefetch", "prerender"} {
		refused := w.gate.Stat(t, "http.gate.downstream_rq_4xx")
		const rules = `(rules => { document.head.append(Object.assign(document.createElement('script'), {type: 'speculationrules', textContent: rules})); return true })`
		get(c, kind, chromedp.Evaluate[bool](fmt.Sprintf("%s(%q)", rules, `{"`+kind+`": [{"urls": ["/`+kind+`"], "eagerness": "immediate"}]}`)))
		Eventually(t, chromiumLimit, func() error {
			// A browser may ask for more of its own accord, such as the page's icon.
			if n := w.gate.Stat(t, "http.gate.downstream_rq_4xx") - refused; n < 1 {
				return fmt.Errorf("no %s by rules was refused", kind)
			}
			return nil
		})
	}
	if n, cookies := w.a.IDP.Count("authorize"), c.Cookies(wanted); n != 0 || len(cookies) != 0 {
		t.Errorf("%d calls at the provider, cookies %v", n, cookies)
	}
	if n := w.api.Seen(http.MethodGet) - before; n != 0 {
		t.Errorf("%d reached the application", n)
	}
	c.Open(wanted)
	c.WaitURL(w.a.Issuer)
}

func (w *callers) refusedPage(t *testing.T, c *Chromium) {
	c.Open(w.known)
	got := fetch(c, http.MethodGet, w.gate.URL("/orders"))
	want := fmt.Sprintf(`Bearer scope="tools", resource_metadata="%s"`, w.gate.URL("/.well-known/oauth-protected-resource/orders"))
	if got.Status != http.StatusUnauthorized || got.Challenge != want {
		t.Errorf("the page reads %+v", got)
	}
	if at, want := got.signInAddress(t), w.gate.URL("/oauth2/start?rd=")+url.QueryEscape(w.known+"/"); at != want {
		t.Errorf("people sign in at %s, not at %s", at, want)
	}
}

func (w *callers) strangePage(t *testing.T, c *Chromium) {
	c.Open(w.stranger)
	before := w.gate.Stat(t, "http.gate.downstream_rq_4xx")
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		if got := fetch(c, method, w.gate.URL("/orders")); !got.Failed {
			t.Errorf("%s: the page reads %+v", method, got)
		}
	}
	if n := w.gate.Stat(t, "http.gate.downstream_rq_4xx") - before; n != 2 {
		t.Errorf("%d refusals", n)
	}
	if n := w.api.Seen(http.MethodOptions); n != 0 {
		t.Errorf("%d preflights reached the application", n)
	}
}

func (w *callers) preflights(t *testing.T, c *Chromium) {
	c.Open(w.known)
	if got := fetch(c, http.MethodPut, w.closed.URL("/orders")); !got.Failed || w.api.Seen(http.MethodOptions) != 0 {
		t.Errorf("without the setting the page reads %+v, after %d preflights at the application", got, w.api.Seen(http.MethodOptions))
	}
	got := fetch(c, http.MethodPut, w.gate.URL("/orders"))
	if got.Status != http.StatusUnauthorized || w.api.Seen(http.MethodOptions) != 1 || w.api.Seen(http.MethodPut) != 0 {
		t.Errorf("the page reads %+v, after %d preflights and %d requests at the application", got, w.api.Seen(http.MethodOptions), w.api.Seen(http.MethodPut))
	}
}

func (w *callers) signedInPage(t *testing.T, c *Chromium) {
	c.Open(w.known)
	c.Open(fetch(c, http.MethodGet, w.gate.URL("/orders")).signInAddress(t))
	c.WaitURL(w.a.Issuer)
	c.SignIn(w.a.Provider, Alice)
	c.WaitURL(w.known)
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		got := fetch(c, method, w.gate.URL("/orders"))
		if got.Status != http.StatusOK {
			t.Fatalf("%s: the page reads %+v", method, got)
		}
		checkIdentity(t, must(ParseSeen(got.Body))(t), Alice)
	}
	c.Open(w.stranger)
	if got := fetch(c, http.MethodPut, w.gate.URL("/orders")); !got.Failed || w.api.Seen(http.MethodPut) != 1 {
		t.Errorf("a page of another site reads %+v, after %d requests at the application", got, w.api.Seen(http.MethodPut))
	}
}

func (w *callers) issuers(t *testing.T) {
	sign := func(issuer, key *Embedded, audience string) string {
		now := int(time.Now().Unix())
		return must(key.IDP.SignJWT("RS256", "at+jwt", Claims{
			"iss": issuer.Issuer, "sub": "someone", "client_id": "someone", "aud": audience, "iat": now, "exp": now + 60, "jti": issuer.Name + key.Name + audience,
		}))(t)
	}
	if a, b := keyID(t, sign(w.a, w.a, apiOfA)), keyID(t, sign(w.b, w.b, apiOfB)); a != b {
		t.Fatalf("the issuers' keys are called %s and %s: only where they have one name is there something to confuse", a, b)
	}
	for name, test := range map[string]struct {
		token  string
		status int
	}{
		"A's, signed by A":                      {sign(w.a, w.a, apiOfA), http.StatusOK},
		"B's, signed by B":                      {sign(w.b, w.b, apiOfB), http.StatusOK},
		"A's, signed by B":                      {sign(w.a, w.b, apiOfA), http.StatusUnauthorized},
		"B's, signed by A":                      {sign(w.b, w.a, apiOfB), http.StatusUnauthorized},
		"B's, for what A's tokens are for":      {w.token(t, w.b, "partner", apiOfA), http.StatusUnauthorized},
		"A's, for what nobody's tokens are for": {sign(w.a, w.a, "elsewhere"), http.StatusUnauthorized},
	} {
		page := must(NewScript().Get(w.gate.URL("/orders"), bearer(test.token)))(t)
		challenge := page.Header.Get("WWW-Authenticate")
		if page.Status != test.status || (test.status != http.StatusOK && !strings.HasPrefix(challenge, `Bearer error="invalid_token"`)) {
			t.Errorf("a token of %s: %d %s", name, page.Status, challenge)
		}
	}
}
