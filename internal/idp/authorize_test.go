package idp

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAuthorizationRequestsThatAreNotRedirected(t *testing.T) {
	w := newWorld(t)
	for name, changes := range map[string]map[string]string{
		"an unknown client":   {"client_id": "nobody"},
		"no client":           {"client_id": ""},
		"no redirect address": {"redirect_uri": ""},
		"a redirect address with one letter more":   {"redirect_uri": testRedirect + "x"},
		"a redirect address with a query":           {"redirect_uri": testRedirect + "?a=b"},
		"a redirect address on another host":        {"redirect_uri": "https://evil.example/oauth2/callback"},
		"a loopback port for a client without rule": {"redirect_uri": "http://127.0.0.1:7/cb"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.do("POST", request(changes), credentials("alice"), nil)
			if a.status != http.StatusBadRequest || a.header.Get("Location") != "" {
				t.Errorf("got %d to %q, want 400 and no redirect", a.status, a.header.Get("Location"))
			}
		})
	}
	t.Run("a repeated parameter", func(t *testing.T) {
		if a := w.do("GET", request(nil)+"&client_id=shop", nil, nil); a.status != http.StatusBadRequest {
			t.Errorf("got %d, want 400", a.status)
		}
	})
}

func TestAuthorizationRequestsThatGoBackWithAnError(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		changes map[string]string
		want    string
	}{
		"no PKCE":                        {map[string]string{"code_challenge": "", "code_challenge_method": ""}, "invalid_request"},
		"plain PKCE":                     {map[string]string{"code_challenge_method": "plain"}, "invalid_request"},
		"PKCE without a method is plain": {map[string]string{"code_challenge_method": ""}, "invalid_request"},
		"a challenge that is no SHA-256": {map[string]string{"code_challenge": "short"}, "invalid_request"},
		"the implicit flow":              {map[string]string{"response_type": "id_token"}, "unsupported_response_type"},
		"the hybrid flow":                {map[string]string{"response_type": "code id_token"}, "unsupported_response_type"},
		"a response in the fragment":     {map[string]string{"response_mode": "fragment"}, "invalid_request"},
		"no openid scope":                {map[string]string{"scope": "profile"}, "invalid_scope"},
		"a resource that is not its own": {map[string]string{"resource": "https://api.example"}, "invalid_target"},
		"a thumbprint that is none":      {map[string]string{"dpop_jkt": "x"}, "invalid_request"},
		"prompt none with nobody there":  {map[string]string{"prompt": "none"}, "login_required"},
		"a max_age that is not a number": {map[string]string{"max_age": "-1"}, "invalid_request"},
		"a prompt that is not known":     {map[string]string{"prompt": "create"}, "invalid_request"},
		"prompt none beside another":     {map[string]string{"prompt": "none login"}, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			back := w.do("GET", request(test.changes), nil, nil).location(t)
			q := back.Query()
			if q.Get("error") != test.want || q.Get("state") != "st&te" || q.Get("iss") != w.base || q.Has("code") {
				t.Errorf("went back with %v, want the error %s, the state and iss", q, test.want)
			}
		})
	}
}

func TestSignInPageAsksForTheNameAndThePassword(t *testing.T) {
	w := newWorld(t)
	a := w.do("GET", request(map[string]string{"login_hint": `<b>"alice`}), nil, nil)
	for _, want := range []string{`name="username"`, `name="password"`, `value="&lt;b&gt;&#34;alice"`, "to continue to shop"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if csp := a.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(a.body, "<script") {
		t.Errorf("the page may run scripts: %q", csp)
	}
}

func TestSignInFormsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		form   map[string]string
		header map[string]string
		want   int
	}{
		"a wrong password":     {form: map[string]string{"password": "builder"}, want: http.StatusUnauthorized},
		"an unknown name":      {form: map[string]string{"username": "eve"}, want: http.StatusUnauthorized},
		"no password":          {form: map[string]string{"password": ""}, want: http.StatusUnauthorized},
		"another site's form":  {header: map[string]string{"Origin": "https://evil.example"}, want: http.StatusBadRequest},
		"a form without home":  {header: map[string]string{"Origin": "null"}, want: http.StatusBadRequest},
		"a cross-site request": {header: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.do("POST", request(nil), with(credentials("alice"), test.form), test.header)
			if a.status != test.want || a.header.Get("Location") != "" || a.header.Get("Set-Cookie") != "" {
				t.Errorf("got %d to %q, want %d, no redirect and no cookie", a.status, a.header.Get("Location"), test.want)
			}
		})
	}
	if w.p.Count("sign_in") != 0 || w.p.Count("sign_in:failed") != 3 {
		t.Errorf("counted %d sign-ins and %d failures, want 0 and 3", w.p.Count("sign_in"), w.p.Count("sign_in:failed"))
	}
}

func TestSecondLoginIsSilent(t *testing.T) {
	w := newWorld(t)
	w.code("alice", nil)
	if back := w.do("GET", request(nil), nil, nil).location(t); back.Query().Get("code") == "" {
		t.Errorf("a signed-in person came back without a code: %s", back)
	}
	for name, changes := range map[string]map[string]string{
		"prompt=login asks again":   {"prompt": "login"},
		"max_age asks again":        {"max_age": "59"},
		"a longer max_age does not": {"max_age": "61"},
	} {
		t.Run(name, func(t *testing.T) {
			w.newBrowser()
			w.code("alice", nil)
			w.advance(time.Minute)
			asked := w.do("GET", request(changes), nil, nil).status == http.StatusOK
			if want := strings.HasSuffix(name, "asks again"); asked != want {
				t.Errorf("asked: %v, want %v", asked, want)
			}
		})
	}
	t.Run("until the session expires", func(t *testing.T) {
		w.advance(24 * time.Hour)
		if a := w.do("GET", request(nil), nil, nil); a.status != http.StatusOK {
			t.Errorf("got %d, want the sign-in page", a.status)
		}
	})
}

func TestSessionCookieIsNotForScriptsOrOtherSites(t *testing.T) {
	w := newWorld(t)
	cookie := w.do("POST", request(nil), credentials("alice"), nil).header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie lacks %s", want)
		}
	}
}

func TestLoopbackPortRule(t *testing.T) {
	spa := &Client{RedirectURIs: []string{"http://127.0.0.1/cb", "http://localhost/cb", "http://[::1]/cb"}, AnyLoopbackPort: true}
	for address, want := range map[string]bool{
		"http://127.0.0.1/cb":          true,
		"http://127.0.0.1:5000/cb":     true,
		"http://[::1]:5000/cb":         true,
		"http://localhost/cb":          true,
		"http://localhost:5000/cb":     false, // a name is no loopback literal
		"http://127.0.0.1:5000/cb/":    false,
		"http://127.0.0.1:5000/cb#x":   false,
		"http://127.0.0.1:5000/cb?x":   false,
		"http://u@127.0.0.1:5000/cb":   false,
		"https://127.0.0.1:5000/cb":    false,
		"http://127.0.0.2:5000/cb":     false,
		"http://127.0.0.1.evil:80/cb":  false,
		"http://evil/127.0.0.1:500/cb": false,
	} {
		if got := spa.allowsRedirect(address); got != want {
			t.Errorf("%s: allowed %v, want %v", address, got, want)
		}
	}
	spa.AnyLoopbackPort = false
	if spa.allowsRedirect("http://127.0.0.1:5000/cb") {
		t.Error("the rule holds for a client that did not ask for it")
	}
}
