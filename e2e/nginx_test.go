package e2e

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chromedp/chromedp"
)

// Pages of the two applications behind nginx; the first has a query that must
// survive letter by letter.
const (
	nginxPage = "/app1/cart?item=1&item=2&q=a%2Fb%20c+d&empty="
	groupPage = "/app2/report?year=2026"
)

// nginxAPI is whom services' tokens must be made out to.
const nginxAPI = "apps"

// forNginxTests are the settings beside those of envoy/nginx: tokens of
// services are accepted, the further nginxes are known, and EasyAuth's headers
// are sent beside the usual ones.
func forNginxTests(s Settings) {
	s["bearer"] = []Settings{{"provider": "demo", "audiences": []string{nginxAPI}}}
	s["hosts"] = append(s["hosts"].([]any), "localhost:*", "postern.localhost")
	provider := s["providers"].([]any)[0].(Settings)
	provider["claims"] = Settings{"roles": "groups"}
	headers := s["forward"].(Settings)["headers"].(Settings)
	headers["x-injected-name"], headers["x-injected-email"] = "preferred_username", "email"
	headers["x-injected-groups"], headers["x-injected-roles"] = "groups", "roles"
}

func TestNginxAsksPostern(t *testing.T) {
	g := startBehindNginx(t, forNginxTests)
	t.Run("a person signs in and comes back to the very page", func(t *testing.T) { testNginxJourney(t, g) })
	t.Run("chromium signs in and comes back to the very page", func(t *testing.T) { testNginxChromium(t, g) })
	t.Run("the second application is for its group", func(t *testing.T) { testNginxGroup(t, g) })
	t.Run("programs are told, and not sent to sign in", func(t *testing.T) { testNginxPrograms(t, g) })
	t.Run("a WebSocket is opened with a session, and refused without", func(t *testing.T) { testNginxSocket(t, g) })
	t.Run("an identity that a client claims never arrives", func(t *testing.T) { testNginxForgery(t, g) })
	t.Run("a service's token is accepted, and another's is not", func(t *testing.T) { testNginxToken(t, g) })
	t.Run("what is asked by subrequest is asked by nobody else", func(t *testing.T) { testNginxInternal(t, g) })
	t.Run("a path that can be read in two ways reaches no application", func(t *testing.T) { testNginxReadings(t, g) })
	t.Run("the question is narrowed in its query", func(t *testing.T) { testNginxNarrowing(t, g) })
	t.Run("nginx asks over connections that stay", func(t *testing.T) { testNginxConnections(t, g) })
	t.Run("who signs out is out", func(t *testing.T) { testNginxSignOut(t, g) })

	ingress := g.front(t, g.Provider, oauth2ProxyPort, g.ingressNginx(t, "ingress-oauth2-proxy.yaml", oauth2ProxyPort, nginxPage, groupPage))
	easyAuth := g.front(t, g.Provider, easyAuthPort, g.ingressNginx(t, "ingress-easyauth.yaml", easyAuthPort, nginxPage, groupPage))
	t.Run("ingress-nginx annotated for oauth2-proxy", func(t *testing.T) { testIngress(t, ingress) })
	t.Run("ingress-nginx annotated for EasyAuth", func(t *testing.T) { testEasyAuth(t, easyAuth) })

	// Access tokens expire in real time: once, for all that wait for it.
	b := g.expired(t, Carol, Alice, Dave, Dave, Carol, Carol, Dave)
	t.Run("a session is renewed by one refresh, and the browser keeps it", func(t *testing.T) { testNginxRenewal(t, g, b[0]) })
	t.Run("requests that come at once make one refresh", func(t *testing.T) { testNginxBurst(t, g, b[1]) })
	t.Run("a session of several cookies is renewed by a redirect", func(t *testing.T) { testNginxLargeRenewal(t, g, b[2], 2) })
	t.Run("a script of such a session is told that it must be renewed", func(t *testing.T) { testNginxLargeScript(t, g, b[3]) })
	t.Run("behind ingress-nginx, one refresh too", func(t *testing.T) { testNginxRenewal(t, ingress, carried(t, g, ingress, b[5])) })
	t.Run("behind ingress-nginx, a redirect too", func(t *testing.T) { testNginxLargeRenewal(t, ingress, carried(t, g, ingress, b[6]), 3) })
	t.Run("a provider that is away is an outage, and the session is kept", func(t *testing.T) { testNginxOutage(t, g, b[4]) })
	checkLog(t, g.posternGate())
}

// posternGate is the gate as Envoy's own tests know it, for its log.
func (g *behindNginx) posternGate() *Gate {
	return &Gate{Envoy: g.Envoy, App: g.App, Provider: g.Provider}
}

// signedIn is a browser of somebody who has signed in.
func (g *behindNginx) signedIn(t *testing.T, who Person) *Browser {
	t.Helper()
	b := NewBrowser()
	must(g.SignIn(b, nginxPage, who))(t)
	return b
}

func testNginxJourney(t *testing.T, g *behindNginx) {
	b := NewBrowser()
	b.Jar.Set(address(t, g.URL("/")), []*http.Cookie{{Name: "theme", Value: "dark", Path: "/"}})
	seen := must(ReadSeen(must(g.SignIn(b, nginxPage, Carol))(t)))(t)
	if seen.Target != nginxPage {
		t.Errorf("the application saw %q, want %q", seen.Target, nginxPage)
	}
	checkIdentity(t, seen, Carol)
	checkAccessToken(t, g.Provider, seen, Carol)
	if diff := cmp.Diff([]string{"theme=dark"}, seen.Values("cookie")); diff != "" {
		t.Errorf("cookies at the application: %s", diff)
	}
	for _, c := range b.Jar.Received() {
		if c.Name == SessionCookie && !c.HttpOnly {
			t.Error("the session's cookie can be read by scripts")
		}
	}
	if refused := b.Jar.Refused(); len(refused) > 0 {
		t.Errorf("cookies that browsers refuse: %q", refused)
	}
}

func testNginxChromium(t *testing.T, g *behindNginx) {
	c := NewChromium(t)
	c.Open(g.URL(nginxPage))
	c.WaitURL(g.Provider.Issuer)
	c.SignIn(g.Provider, Alice)
	if at := c.WaitURL(g.URL("/app1/")); at != g.URL(nginxPage) {
		t.Errorf("back at %s, want %s", at, g.URL(nginxPage))
	}
	seen := must(ParseSeen(c.Text()))(t)
	checkIdentity(t, seen, Alice)
	checkAccessToken(t, g.Provider, seen, Alice)
	c.Open(g.URL(groupPage))
	if text := c.Text(); !strings.Contains(text, "403") {
		t.Errorf("the other application shows %.100q", text)
	}
	c.Open(g.URL(nginxPage))
	const socket = `new Promise((done, failed) => {
		const s = new WebSocket('ws://' + location.host + '/app1/socket')
		s.onopen = () => s.send('hello'); s.onmessage = m => done(m.data); s.onerror = () => failed('refused')
	})`
	if back := get(c, "open a WebSocket", chromedp.Evaluate[string](socket, chromedp.EvalAwaitPromise)); back != "hello" {
		t.Errorf("the WebSocket said %q", back)
	}
	c.Open(g.URL("/oauth2/sign_out"))
	c.Open(g.URL("/nowhere"))
	const fetch = `fetch('/app1/data', {headers: {accept: 'application/json'}}).then(r => r.status + ' ' + r.redirected + ' ' + r.headers.get('content-type'))`
	if got := get(c, "fetch", chromedp.Evaluate[string](fetch, chromedp.EvalAwaitPromise)); got != "401 false application/problem+json" {
		t.Errorf("a fetch without a session: %q", got)
	}
}

func testNginxGroup(t *testing.T, g *behindNginx) {
	for _, test := range []struct {
		who    Person
		status int
	}{{Alice, http.StatusForbidden}, {Carol, http.StatusOK}, {Dave, http.StatusOK}} {
		b, before := g.signedIn(t, test.who), g.Apps[1].Requests()
		page := must(b.Get(g.URL(groupPage)))(t)
		if page.Status != test.status {
			t.Errorf("%s, of %d groups: status %d, want %d", test.who.Name, len(test.who.Groups), page.Status, test.status)
		}
		reached := g.Apps[1].Requests() - before
		if test.status != http.StatusOK && reached > 0 {
			t.Errorf("%s reached the application", test.who.Name)
		}
		if test.status == http.StatusOK {
			seen := must(ReadSeen(page))(t)
			checkIdentity(t, seen, test.who)
			if cookies := seen.Value("cookie"); cookies != "" {
				t.Errorf("the session of %s reaches the application, by %d bytes", test.who.Name, len(cookies))
			}
		}
	}
}

// scripted are the headers of a page's fetch().
func scripted() http.Header {
	return http.Header{"Accept": {"application/json"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"same-origin"}}
}

func testNginxPrograms(t *testing.T, g *behindNginx) {
	for name, header := range map[string]http.Header{
		"a page's fetch":      scripted(),
		"an old page's fetch": {"Sec-Fetch-Mode": nil, "Sec-Fetch-Dest": nil, "Sec-Fetch-Site": nil, "X-Requested-With": {"XMLHttpRequest"}},
		"curl":                {"Sec-Fetch-Mode": nil, "Sec-Fetch-Dest": nil, "Sec-Fetch-Site": nil, "Accept": {"*/*"}},
		"a prefetch":          {"Sec-Purpose": {"prefetch"}},
	} {
		before := g.App.Requests()
		page := must(NewBrowser().Get(g.URL("/app1/data"), header))(t)
		if page.Status != http.StatusUnauthorized || page.Header.Get("Location") != "" {
			t.Errorf("%s: status %d, location %q", name, page.Status, page.Header.Get("Location"))
		}
		if got := page.Header.Get("Www-Authenticate"); !strings.HasPrefix(got, "Bearer") {
			t.Errorf("%s: www-authenticate %q", name, got)
		}
		if got := page.Header.Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("%s: content-type %q", name, got)
		}
		if g.App.Requests() != before {
			t.Errorf("%s reached the application", name)
		}
	}
	old := http.Header{"Sec-Fetch-Mode": nil, "Sec-Fetch-Dest": nil, "Sec-Fetch-Site": nil}
	if page := must(NewBrowser().Get(g.URL("/app1/data"), old))(t); page.Location() == nil || !g.Provider.Owns(page.Location()) {
		t.Errorf("a browser that does not say what for: status %d", page.Status)
	}
}

func testNginxSocket(t *testing.T, g *behindNginx) {
	upgrade := []string{
		"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-Fetch-Mode: websocket", "Sec-Fetch-Dest: empty",
	}
	s := g.openStream(t, g.signedIn(t, Carol), "/app1/socket", http.StatusSwitchingProtocols, upgrade...)
	if err := s.Echo("hello"); err != nil {
		t.Error(err)
	}
	before := g.App.Requests()
	g.openStream(t, NewBrowser(), "/app1/socket", http.StatusUnauthorized, upgrade...)
	if g.App.Requests() != before {
		t.Error("a WebSocket without a session reached the application")
	}
}

func testNginxForgery(t *testing.T, g *behindNginx) {
	claimed := forged()
	for _, name := range []string{"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token", "X-User", "Remote-User"} {
		claimed[name] = []string{"eve"}
	}
	claimed.Del("Authorization") // which would be a token to be judged
	b := g.signedIn(t, Carol)
	seen := must(ReadSeen(must(b.Get(g.URL(nginxPage), claimed))(t)))(t)
	checkIdentity(t, seen, Carol)
	checkAccessToken(t, g.Provider, seen, Carol)
	for name, values := range seen.Headers {
		for _, value := range values {
			if strings.Contains(value, "eve") || strings.Contains(value, "mallory") || strings.Contains(value, "forged") {
				t.Errorf("%s: %q", name, value)
			}
		}
	}
	t.Run("nor does it get anybody in", func(t *testing.T) {
		claimed["X-Auth-Request-Redirect"] = []string{"https://evil.example/"}
		claimed["X-Forwarded-Host"] = []string{"evil.example"}
		claimed["X-Forwarded-Uri"] = []string{"https://evil.example/"}
		before := g.App.Requests()
		login := must(g.StartLogin(NewBrowser(), nginxPage))(t)
		page := must(login.Browser.Get(g.URL(nginxPage), claimed))(t)
		if page.Location() == nil || !g.Provider.Owns(page.Location()) {
			t.Fatalf("status %d to %v", page.Status, page.Location())
		}
		login.Started = page
		if err := login.AtProvider(Alice); err != nil {
			t.Fatal(err)
		}
		back := must(login.Browser.Get(login.Back.String()))(t)
		if to := back.Location(); to == nil || to.String() != g.URL(nginxPage) {
			t.Errorf("after signing in, the browser is sent to %v", to)
		}
		if g.App.Requests() != before {
			t.Error("reached the application")
		}
	})
}

// expired are the browsers of people whose access tokens have expired.
func (g *behindNginx) expired(t *testing.T, people ...Person) (browsers []*Browser) {
	t.Helper()
	g.Tap.Lifetime(shortLife)
	defer g.Tap.Lifetime(0)
	for _, who := range people {
		browsers = append(browsers, g.signedIn(t, who))
	}
	expire()
	return browsers
}

// sessionCookies are those of an answer that set the session.
func sessionCookies(p *Page) (all []*http.Cookie) {
	for _, c := range p.Cookies {
		if strings.HasPrefix(c.Name, SessionCookie) && c.Value != "" && c.MaxAge >= 0 {
			all = append(all, c)
		}
	}
	return all
}

func testNginxRenewal(t *testing.T, g *behindNginx, b *Browser) {
	before := g.Tap.Count(refreshes)
	old := b.cookieLine(g.URL("/"))
	page := must(b.Get(g.URL(nginxPage)))(t)
	checkIdentity(t, must(ReadSeen(page))(t), Carol)
	if cookies := sessionCookies(page); len(cookies) != 1 || len(page.Header.Values("Set-Cookie")) != 1 {
		t.Errorf("the application's answer sets %d sessions, by %d fields", len(cookies), len(page.Header.Values("Set-Cookie")))
	}
	if b.cookieLine(g.URL("/")) == old {
		t.Error("the browser keeps the old session")
	}
	page = must(b.Get(g.URL(nginxPage)))(t)
	checkIdentity(t, must(ReadSeen(page))(t), Carol)
	if len(page.Header.Values("Set-Cookie")) != 0 {
		t.Error("a session that was just renewed is set again")
	}
	if n := g.Tap.Count(refreshes) - before; n != 1 {
		t.Errorf("%d refreshes at the provider, want 1", n)
	}
}

func testNginxBurst(t *testing.T, g *behindNginx, b *Browser) {
	before := g.Tap.Count(refreshes)
	const many = 50
	pages := must(b.Burst(g.URL(nginxPage)).Send(many).Wait())(t)
	if err := checkServed(pages, many, Alice); err != nil {
		t.Error(err)
	}
	if err := checkRenewedCookies(pages); err != nil {
		t.Error(err)
	}
	if n := g.Tap.Count(refreshes) - before; n != 1 {
		t.Errorf("%d refreshes at the provider, want 1", n)
	}
	if refused := g.Tap.Count("refused:invalid_grant"); refused != 0 {
		t.Errorf("the provider refused %d grants", refused)
	}
}

// testNginxLargeRenewal counts the pages on the way: where nginx asks Postern
// for the redirect itself, there is one less.
func testNginxLargeRenewal(t *testing.T, g *behindNginx, b *Browser, pages int) {
	old := len(sessionParts(t, g, b))
	if old < 2 {
		t.Fatalf("the session has %d cookies", old)
	}
	refreshed, logins := g.Tap.Count(refreshes), g.IDP.Count("authorize")
	way := must(b.Follow(must(b.Get(g.URL(nginxPage)))(t), nil))(t)
	last := way[len(way)-1]
	if len(way) != pages || last.URL.String() != g.URL(nginxPage) {
		t.Fatalf("not the way back to the same page:%s", trail(way))
	}
	checkIdentity(t, must(ReadSeen(last))(t), Dave)
	if n := len(sessionCookies(way[len(way)-2])); n != old {
		t.Errorf("the redirect sets %d cookies, want %d", n, old)
	}
	if n := g.Tap.Count(refreshes) - refreshed; n != 1 {
		t.Errorf("%d refreshes at the provider, want 1", n)
	}
	if n := g.IDP.Count("authorize") - logins; n != 0 {
		t.Errorf("the browser was sent to the provider %d times", n)
	}
}

// sessionParts are the names of the cookies that a browser's session has.
func sessionParts(t *testing.T, g *behindNginx, b *Browser) (parts []string) {
	for _, name := range b.Jar.Names(address(t, g.URL("/"))) {
		if name == SessionCookie || strings.HasPrefix(name, SessionCookie+"-") && name[len(SessionCookie)+1] <= '9' {
			parts = append(parts, name)
		}
	}
	return parts
}

// testNginxLargeScript has a script meet a session that must be renewed by a
// redirect: it gets the 401, with what the next visit to sign-in needs, and
// that visit renews.
func testNginxLargeScript(t *testing.T, g *behindNginx, b *Browser) {
	refreshed, logins := g.Tap.Count(refreshes), g.IDP.Count("authorize")
	page := must(b.Get(g.URL("/app1/data"), scripted()))(t)
	if page.Status != http.StatusUnauthorized || len(page.Cookies) != 1 {
		t.Fatalf("status %d with %d cookies", page.Status, len(page.Cookies))
	}
	start := g.URL("/oauth2/start?" + url.Values{"rd": {nginxPage}}.Encode())
	way := must(b.Follow(must(b.Get(start))(t), nil))(t)
	last := way[len(way)-1]
	if len(way) != 2 || last.URL.String() != g.URL(nginxPage) || last.Status != http.StatusOK {
		t.Errorf("not one redirect to the page:%s", trail(way))
	}
	if n := g.Tap.Count(refreshes) - refreshed; n != 1 {
		t.Errorf("%d refreshes at the provider, want 1", n)
	}
	if n := g.IDP.Count("authorize") - logins; n != 0 {
		t.Errorf("the browser was sent to the provider %d times", n)
	}
	if slices.ContainsFunc(b.Jar.Names(address(t, g.URL("/"))), func(name string) bool { return strings.HasSuffix(name, "-need") }) {
		t.Error("what the session needed is still in the browser")
	}
}

func testNginxToken(t *testing.T, g *behindNginx) {
	token := func(audience string, groups ...string) http.Header {
		now := time.Now()
		raw := must(g.IDP.SignJWT("RS256", "at+jwt", map[string]any{
			"iss": g.Provider.Issuer, "sub": "service", "aud": audience, "client_id": "billing", "jti": audience + strings.Join(groups, "+"),
			"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "groups": groups,
		}))(t)
		return http.Header{"Authorization": {"Bearer " + raw}, "Accept": {"*/*"}, "Sec-Fetch-Mode": nil, "Sec-Fetch-Dest": nil}
	}
	for _, test := range []struct {
		name, page string
		header     http.Header
		status     int
	}{
		{"a token for us", "/app1/data", token(nginxAPI), http.StatusOK},
		{"a token for us without the group", groupPage, token(nginxAPI, "group1"), http.StatusForbidden},
		{"a token for us with the group", groupPage, token(nginxAPI, "group2"), http.StatusOK},
		{"a token for another", "/app1/data", token("elsewhere"), http.StatusUnauthorized},
		{"no token at all", "/app1/data", http.Header{"Authorization": {"Bearer nonsense"}, "Accept": {"*/*"}, "Sec-Fetch-Mode": nil}, http.StatusUnauthorized},
	} {
		t.Run(test.name, func(t *testing.T) {
			page := must(NewBrowser().Get(g.URL(test.page), test.header))(t)
			if page.Status != test.status {
				t.Fatalf("status %d, want %d: %.200s", page.Status, test.status, page.Body)
			}
			switch test.status {
			case http.StatusOK:
				seen := must(ReadSeen(page))(t)
				if user := seen.Value("x-auth-request-user"); user != "service" {
					t.Errorf("the application is told of %q", user)
				}
				if got := seen.Value("authorization"); got != test.header.Get("Authorization") {
					t.Errorf("the application is given %d bytes of token", len(got))
				}
			case http.StatusUnauthorized:
				if got := page.Header.Get("Www-Authenticate"); !strings.Contains(got, `error="invalid_token"`) {
					t.Errorf("www-authenticate: %q", got)
				}
			}
		})
	}
}

func testNginxOutage(t *testing.T, g *behindNginx, b *Browser) {
	g.Tap.Away(true)
	defer g.Tap.Away(false)
	before := b.cookieLine(g.URL("/"))
	page := must(b.Get(g.URL(nginxPage)))(t)
	if page.Status != http.StatusServiceUnavailable || page.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, retry-after %q", page.Status, page.Header.Get("Retry-After"))
	}
	if b.cookieLine(g.URL("/")) != before {
		t.Error("the session's cookie changed")
	}
	g.Tap.Away(false)
	Eventually(t, 30*time.Second, func() error {
		page, err := b.Get(g.URL(nginxPage))
		if err == nil {
			err = checkServed([]*Page{page}, 1, Carol)
		}
		return err
	})
}

func testNginxInternal(t *testing.T, g *behindNginx) {
	b := g.signedIn(t, Carol)
	for _, path := range []string{
		"/oauth2/auth", "/oauth2/auth?allowed_groups=group2", "/oauth2/auth/", "/oauth2/auth/x", "/oauth2/%61uth", "/oauth2//auth", "/_ask/group2",
	} {
		if page := must(b.Get(g.URL(path)))(t); page.Status != http.StatusNotFound || page.Header.Get("X-Auth-Request-User") != "" {
			t.Errorf("%s answers %d from outside", path, page.Status)
		}
	}
}

// testNginxReadings asks for paths that nginx takes for open ones, and hands on as
// they came: an application that does not resolve them serves what is not open.
func testNginxReadings(t *testing.T, g *behindNginx) {
	for _, path := range []string{
		"/app2/..%2fpublic/", "/app2%2F..%2Fpublic/", "/app2/%2e%2E/public/", "/app2/../public/", "/app2/.%2e/public/?a=b", "/public/..;/app2/", "/public/%2e%2e;a=b/app2/",
		"/public/..%5capp2/", `/public/..\app2/`, "/public/./x", "/oauth2/x/../auth",
	} {
		if page := must(NewBrowser().Get(g.URL(path)))(t); page.Status != http.StatusBadRequest {
			t.Errorf("%s is answered %d", path, page.Status)
		}
	}
	for _, path := range []string{"/public/.well-known/x", "/public/a..b", "/public/x?a=%2f..%2f"} {
		if page := must(NewBrowser().Get(g.URL(path)))(t); page.Status == http.StatusBadRequest {
			t.Errorf("%s is answered %d", path, page.Status)
		}
	}
}

// testNginxNarrowing asks as nginx does, for what locations of one's own may have.
func testNginxNarrowing(t *testing.T, g *behindNginx) {
	b := g.signedIn(t, Carol) // of group1 and group2
	for _, test := range []struct {
		query  string
		status int
	}{
		{"", http.StatusAccepted},
		{"allowed_groups=group3,group2", http.StatusAccepted},
		{"allowed_groups=group", http.StatusForbidden},
		{"allowed_groups=", http.StatusForbidden},
		{"allowed_emails=dave@example.org,carol@example.com", http.StatusAccepted},
		{"allowed_emails=dave@example.org", http.StatusForbidden},
		{"allowed_email_domains=example.com", http.StatusAccepted},
		{"allowed_email_domains=*.example.com", http.StatusForbidden},
		{"allowed_groups=group1&allowed_email_domains=example.org", http.StatusForbidden},
		{"role=group2&role=group1|group3", http.StatusAccepted},
		{"role=group2&role=group3", http.StatusForbidden},
		{"scope=email", http.StatusAccepted},
		{"scope=payments", http.StatusUnauthorized},
		{"allowed_group=group1", http.StatusBadRequest},
	} {
		page := must(b.Get(g.Envoy.URL("/oauth2/auth?"+test.query), scripted()))(t)
		if page.Status != test.status {
			t.Errorf("%q: status %d, want %d", test.query, page.Status, test.status)
		}
		if needs := len(page.Cookies); (needs == 1) != (test.status == http.StatusUnauthorized) {
			t.Errorf("%q: %d cookies", test.query, needs)
		}
	}
}

func testNginxConnections(t *testing.T, g *behindNginx) {
	const stat, requests = "http.http.downstream_cx_total", 50
	b := g.signedIn(t, Carol)
	before := g.Envoy.Stat(t, stat)
	for range requests {
		checkIdentity(t, must(ReadSeen(must(b.Get(g.URL(nginxPage)))(t)))(t), Carol)
	}
	if n := g.Envoy.Stat(t, stat) - before; n > requests/10 {
		t.Errorf("%d requests took %d connections to postern", requests, n)
	}
}

func testNginxSignOut(t *testing.T, g *behindNginx) {
	b := g.signedIn(t, Carol)
	copied := http.Header{"Cookie": {b.cookieLine(g.URL("/"))}}
	must(b.Get(g.URL("/oauth2/sign_out")))(t)
	for name, header := range map[string]http.Header{"the browser": nil, "a copied cookie": copied} {
		page := must(b.Get(g.URL(nginxPage), header))(t)
		if page.Location() == nil || !g.Provider.Owns(page.Location()) {
			t.Errorf("after signing out, %s gets %d", name, page.Status)
		}
	}
}
