package e2e

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// deepPage is a page that people come back to: with a query that must survive
// letter by letter.
const deepPage = "/shop/cart?item=1&item=2&q=a%2Fb%20c&empty="

// One Envoy serves all tests of a version and a provider: each start compiles
// the module anew, for seconds.
func TestGateWithKeycloak(t *testing.T) {
	ForEachEnvoy(t, func(t *testing.T, version string) {
		g := StartGate(t, Keycloak(t), EnvoySetup{Version: version, Workers: 2, AllowHeadersStop: true})
		t.Run("a strict browser's journey", func(t *testing.T) { testJourney(t, g, Alice) })
		t.Run("chromium's journey", func(t *testing.T) { testChromiumJourney(t, g, Bob) })
		t.Run("keycloak ends sessions by the back channel", func(t *testing.T) { testBackChannel(t, g) })
		if version == EnvoyVersions[0] {
			t.Run("inspect opens what a browser was given", func(t *testing.T) { testInspect(t, g, Alice) })
			t.Run("fifty tabs", func(t *testing.T) { testTabs(t, g, NewBrowser()) })
		}
		checkLog(t, g)
	})
}

func TestGateWithOIDCProvider(t *testing.T) {
	ForEachEnvoy(t, func(t *testing.T, version string) {
		tap := NewTap(t, OIDCProvider(t))
		g := StartGate(t, OIDCProvider(t), EnvoySetup{Version: version, Workers: 2, IDP: tap.Addr()})
		t.Run("a strict browser's journey", func(t *testing.T) { testJourney(t, g, Bob) })
		t.Run("the provider is told which request it is asked for", func(t *testing.T) { testTrace(t, g, tap) })
		if version == EnvoyVersions[0] {
			t.Run("chromium's journey", func(t *testing.T) { testChromiumJourney(t, g, Alice) })
		}
		t.Run("a forged identity never reaches the application", func(t *testing.T) { testForgery(t, g) })
		t.Run("200 requests at once with an expired access token make one refresh", func(t *testing.T) { testOneRefresh(t, g, tap, 2) })
		t.Run("an envoy that keeps bodies back has no back channel", func(t *testing.T) { testNoBackChannel(t, g) })
		t.Run("only navigation is sent to sign in", func(t *testing.T) { testNavigation(t, g) })
		t.Run("fifty tabs of a browser that was never here", func(t *testing.T) { testTabs(t, g, NewBrowser()) })
		t.Run("a tab whose binding another tab's has replaced", func(t *testing.T) { testReplacedBinding(t, g) })
		t.Run("fifty tabs of a browser that began a login before", func(t *testing.T) {
			b := NewBrowser()
			must(g.StartLogin(b, "/earlier"))(t)
			testTabs(t, g, b)
		})
		checkLog(t, g)
	})
}

// testTrace finds the last login's request in the gate's log and at the provider.
func testTrace(t *testing.T, g *Gate, tap *Tap) {
	var signedIn []string
	Eventually(t, 20*time.Second, func() error {
		if signedIn = g.Log.Lines(`"event":"signed_in"`); len(signedIn) == 0 {
			return errors.New("e2e: nobody signed in")
		}
		return nil
	})
	for _, id := range tap.Exchanges() {
		if id != "" && strings.Contains(signedIn[len(signedIn)-1], `"request_id":"`+id+`"`) {
			return
		}
	}
	t.Errorf("%q is none of the requests that the provider was told of, %q", signedIn, tap.Exchanges())
}

// checkLog looks for what must never be in the log, whatever happened before.
func checkLog(t *testing.T, g *Gate) {
	t.Helper()
	if lines := g.Log.Lines("panic in"); len(lines) > 0 {
		t.Errorf("the module panicked: %q", lines)
	}
	secrets := append(values(g.Setup.Env), Alice.Password, Bob.Password, "eyJ", "code=", "state=")
	for _, secret := range secrets {
		if lines := g.Log.Lines(secret); len(lines) > 0 {
			t.Errorf("a secret is in the log: %q", lines)
		}
	}
}

func testJourney(t *testing.T, g *Gate, who Person) {
	b := NewBrowser()
	b.Jar.Set(address(t, g.URL("/")), []*http.Cookie{{Name: "theme", Value: "dark", Path: "/"}})
	before := g.App.Requests()

	login := must(g.StartLogin(b, deepPage))(t)
	checkAuthorisationRequest(t, g, login.Started)
	checkOurCookies(t, login.Started.Cookies)
	if err := login.AtProvider(who); err != nil {
		t.Fatal(err)
	}
	if n := g.App.Requests() - before; n != 0 {
		t.Fatalf("%d requests reached the application without a session", n)
	}

	answer := must(b.Get(login.Back.String()))(t)
	checkCallbackAnswer(t, g, answer)
	checkOurCookies(t, answer.Cookies)

	page := must(b.Get(answer.Location().String()))(t)
	seen := must(ReadSeen(page))(t)
	if seen.Target != deepPage {
		t.Errorf("the application saw %q, want %q", seen.Target, deepPage)
	}
	checkIdentity(t, seen, who)
	checkAccessToken(t, g.Provider, seen, who)
	checkCookiesAtApplication(t, b, g, seen)
	checkUserinfo(t, g, b, who)
	checkSignOut(t, g, b)

	if refused := b.Jar.Refused(); len(refused) > 0 {
		t.Errorf("cookies that browsers refuse: %q", refused)
	}
}

// checkAuthorisationRequest is OpenID Connect Core, section 3.1.2.1, RFC 7636
// and RFC 9700, section 4.12 (303, so that no form is sent on).
func checkAuthorisationRequest(t *testing.T, g *Gate, start *Page) {
	t.Helper()
	to := start.Location()
	if start.Status != http.StatusSeeOther {
		t.Errorf("status %d, want 303", start.Status)
	}
	if got := start.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		t.Errorf("cache-control: %q", got)
	}
	if want := discover(t, g.Provider).Authorization; strings.TrimSuffix(to.String(), "?"+to.RawQuery) != want {
		t.Errorf("sent to %s, want %s", to, want)
	}
	q := to.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": ClientID, "redirect_uri": g.URL("/oauth2/callback"),
		"scope": "openid profile email", "code_challenge_method": "S256",
	} {
		if diff := cmp.Diff([]string{want}, q[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if n := len(q.Get("code_challenge")); n != 43 {
		t.Errorf("code_challenge has %d characters, a SHA-256 has 43", n)
	}
	if n := len(q.Get("state")); n < 43 || n > 1536 {
		t.Errorf("state has %d characters", n)
	}
	if n := len(q.Get("nonce")); n < 22 {
		t.Errorf("nonce has %d characters", n)
	}
	if strings.Contains(to.String(), "cart") {
		t.Error("the return address can be read in the request to the provider")
	}
}

func checkCallbackAnswer(t *testing.T, g *Gate, answer *Page) {
	t.Helper()
	to := answer.Location()
	if answer.Status != http.StatusSeeOther || to == nil {
		t.Fatalf("the callback answered %d: %.300s", answer.Status, answer.Body)
	}
	if to.String() != g.URL(deepPage) {
		t.Errorf("sent to %s, want %s", to, g.URL(deepPage))
	}
	if !slices.ContainsFunc(answer.Cookies, func(c *http.Cookie) bool { return c.Name == SessionCookie }) {
		t.Errorf("no session cookie among %d", len(answer.Cookies))
	}
	if got := answer.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		t.Errorf("cache-control: %q", got)
	}
}

func checkOurCookies(t *testing.T, cookies []*http.Cookie) {
	t.Helper()
	if len(cookies) == 0 {
		t.Error("no cookie was set")
	}
	for _, c := range cookies {
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
			t.Errorf("%s: HttpOnly %v, SameSite %v, domain %q", c.Name, c.HttpOnly, c.SameSite, c.Domain)
		}
		if n := len(c.Name) + len(c.Value); n > 3900 {
			t.Errorf("%s has %d bytes", c.Name, n)
		}
	}
}

func checkIdentity(t *testing.T, seen *Seen, who Person) {
	t.Helper()
	for name, want := range map[string]string{
		"x-auth-request-user":               who.Name,
		"x-auth-request-email":              who.Email,
		"x-auth-request-groups":             strings.Join(who.Groups, ","),
		"x-auth-request-preferred-username": who.Name,
	} {
		if got := seen.Value(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// checkAccessToken asks the provider whose token it is.
func checkAccessToken(t *testing.T, p *Provider, seen *Seen, who Person) {
	t.Helper()
	token, bearer := strings.CutPrefix(seen.Value("authorization"), "Bearer ")
	if !bearer || token == "" || token != seen.Value("x-auth-request-access-token") {
		t.Fatal("the two access tokens are not one")
	}
	answer := must(NewBrowser().Get(discover(t, p).Userinfo, http.Header{"Authorization": {"Bearer " + token}}))(t)
	var owner userinfo
	if err := json.Unmarshal([]byte(answer.Body), &owner); err != nil || owner.User != who.Name {
		t.Errorf("the provider says %d, the token is of %q", answer.Status, owner.User)
	}
}

func checkCookiesAtApplication(t *testing.T, b *Browser, g *Gate, seen *Seen) {
	t.Helper()
	sent := b.Jar.Names(address(t, g.URL("/shop/cart")))
	if len(sent) < 2 {
		t.Fatalf("the browser sends only %q", sent)
	}
	for _, name := range sent {
		_, reached := seen.Cookie(name)
		if want := name == "theme"; reached != want {
			t.Errorf("cookie %s reached the application: %v, want %v", name, reached, want)
		}
	}
}

func checkUserinfo(t *testing.T, g *Gate, b *Browser, who Person) {
	t.Helper()
	page := must(b.Get(g.URL("/oauth2/userinfo")))(t)
	var got struct {
		User   string   `json:"user"`
		Email  string   `json:"email"`
		Groups []string `json:"groups"`
	}
	if err := json.Unmarshal([]byte(page.Body), &got); err != nil {
		t.Fatalf("userinfo answered %d: %v: %.200s", page.Status, err, page.Body)
	}
	if got.User != who.Name || got.Email != who.Email || !slices.Equal(got.Groups, who.Groups) {
		t.Errorf("userinfo: %+v", got)
	}
	if strings.Contains(page.Body, "token") {
		t.Error("userinfo speaks of tokens")
	}
}

func checkSignOut(t *testing.T, g *Gate, b *Browser) {
	t.Helper()
	home := address(t, g.URL("/"))
	old := b.Jar.For(home)
	out := must(b.Get(g.URL("/oauth2/sign_out?rd=/public/bye")))(t)
	if to := out.Location(); to == nil || to.String() != g.URL("/public/bye") {
		t.Errorf("sign_out answered %d to %v", out.Status, out.Location())
	}
	if diff := cmp.Diff([]string{"theme"}, b.Jar.Names(home)); diff != "" {
		t.Errorf("cookies left behind, of %d: %s", len(old), diff)
	}
	if page := must(b.Get(g.URL(deepPage)))(t); page.Location() == nil || !g.Provider.Owns(page.Location()) {
		t.Errorf("after signing out, a page answers %d", page.Status)
	}
}

func testChromiumJourney(t *testing.T, g *Gate, who Person) {
	c := NewChromium(t)
	c.Open(g.URL(deepPage))
	c.WaitURL("http://" + g.Provider.Addr())
	c.Screenshot(g.Provider.Name + " login form")
	c.SignIn(g.Provider, who)
	if at := c.WaitURL(g.URL("/shop")); at != g.URL(deepPage) {
		t.Errorf("back at %s, want %s", at, g.URL(deepPage))
	}
	seen := must(ParseSeen(c.Text()))(t)
	c.Screenshot(g.Provider.Name + " application")
	checkIdentity(t, seen, who)
	checkAccessToken(t, g.Provider, seen, who)
	for _, cookie := range c.Cookies(g.URL("/shop")) {
		if !cookie.HTTPOnly || cookie.SameSite != "Lax" {
			t.Errorf("chromium keeps %s: HttpOnly %v, SameSite %v", cookie.Name, cookie.HTTPOnly, cookie.SameSite)
		}
	}
	c.Open(g.URL("/oauth2/sign_out"))
	c.WaitURL(g.URL("/oauth2/sign_out"))
	c.Screenshot("signed out")
	c.Open(g.URL("/oauth2/userinfo"))
	c.Screenshot("no session")
	if text := c.Text(); strings.Contains(text, who.Email) {
		t.Error("after signing out, userinfo still knows the person")
	}
}

// forged are identity headers as a client might send them: every spelling,
// and several of one.
func forged() http.Header {
	return http.Header{
		"X-Auth-Request-User":               {"eve", "mallory"},
		"x-auth-request-user":               {"eve"},
		"x_auth_request_user":               {"eve"},
		"X-Auth_Request-User":               {"eve"},
		"X-AUTH-REQUEST-EMAIL":              {"eve@example.com"},
		"X_Auth_Request_Email":              {"eve@example.com"},
		"x-Auth-request-Groups":             {"admins", "users"},
		"X_AUTH_REQUEST_GROUPS":             {"admins"},
		"X-Auth-Request-Preferred-Username": {"eve"},
		"X-Auth-Request-Access-Token":       {"forged"},
		"x_auth_request_access_token":       {"forged"},
		"Authorization":                     {"Bearer forged"},
	}
}

func testForgery(t *testing.T, g *Gate) {
	for _, path := range []string{"/public/page", "/healthz"} {
		t.Run("from nobody on the open route "+path, func(t *testing.T) {
			seen := must(ReadSeen(must(NewBrowser().Get(g.URL(path), forged()))(t)))(t)
			for name := range forged() {
				if values := seen.Values(name); len(values) > 0 {
					t.Errorf("%s: %q", name, values)
				}
			}
		})
	}
	t.Run("from a signed-in person", func(t *testing.T) {
		b := NewBrowser()
		must(g.SignIn(b, "/", Bob))(t)
		seen := must(ReadSeen(must(b.Get(g.URL("/shop"), forged()))(t)))(t)
		checkIdentity(t, seen, Bob)
		checkAccessToken(t, g.Provider, seen, Bob)
	})
	t.Run("from nobody on a route that needs a session", func(t *testing.T) {
		before := g.App.Requests()
		if page := must(NewBrowser().Get(g.URL("/shop"), forged()))(t); page.Status == http.StatusOK {
			t.Error("passed")
		}
		if g.App.Requests() != before {
			t.Error("reached the application")
		}
	})
}

func testNavigation(t *testing.T, g *Gate) {
	fetch := http.Header{"Accept": {"application/json"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}}
	for _, test := range []struct {
		name, method string
		header       http.Header
		status       int
	}{
		{"a page opened by a person", http.MethodGet, nil, http.StatusSeeOther},
		{"a script's fetch", http.MethodGet, fetch, http.StatusUnauthorized},
		{"a form that a person posts", http.MethodPost, nil, http.StatusSeeOther},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, b := g.App.Requests(), NewBrowser()
			body := ""
			if test.method == http.MethodPost {
				body = url.Values{"amount": {"1"}}.Encode()
			}
			page := must(b.Do(test.method, g.URL("/shop"), body, test.header))(t)
			if page.Status != test.status {
				t.Errorf("status %d, want %d", page.Status, test.status)
			}
			if test.status == http.StatusUnauthorized && test.header != nil {
				if got := page.Header.Get("Content-Type"); got != "application/problem+json" {
					t.Errorf("content-type %q (RFC 9457)", got)
				}
			}
			if g.App.Requests() != before {
				t.Error("reached the application")
			}
		})
	}
}
