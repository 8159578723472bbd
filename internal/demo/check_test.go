package demo

import (
	"net/http"
	"strings"
	"testing"
)

func TestCheckPassesWhenAllIsWell(t *testing.T) {
	g := newFakeGate(t, "")
	var out strings.Builder
	if !check(t.Context(), &g.place, &out) || strings.Contains(out.String(), "✗") {
		t.Errorf("the check found fault with a good gate:\n%s", out.String())
	}
	if n := strings.Count(out.String(), "✓"); n != 25 {
		t.Errorf("%d steps were checked, want 25:\n%s", n, out.String())
	}
	if strings.Contains(out.String(), "eyJ") {
		t.Error("the check printed a token")
	}
}

func TestCheckSeesWhatIsWrong(t *testing.T) {
	for fault, step := range map[string]string{
		"programs are redirected":                 "a program without a session",
		"PKCE is plain":                           "the first page leads to the provider",
		"no nonce":                                "the first page leads to the provider",
		"state can be guessed":                    "the first page leads to the provider",
		"redirects may be cached":                 "the first page leads to the provider",
		"the first page is forgotten":             "the callback leads to the first page",
		"scripts can read the session":            "the callback leads to the first page",
		"other sites' requests carry the session": "the callback leads to the first page",
		"the session is shared with other hosts":  "the callback leads to the first page",
		"the session is too long":                 "the callback leads to the first page",
		"everybody is alice":                      "the application knows who it is",
		"the groups are missing":                  "the application knows who it is",
		"the user is told twice":                  "the application knows who it is",
		"no access token":                         "the application knows who it is",
		"everybody has every application":         "the application for group2",
		"a no leads to the provider":              "the application for group2",
		"nobody steps up":                         "the page for admins asks for the password once more",
		"step-up is forgotten":                    "the page for admins asks for the password once more",
		"step-up goes in circles":                 "and opens after that",
		"forged headers pass on open pages":       "a page that is open to anyone",
		"forged headers pass in another spelling": "a page that is open to anyone",
		"the application gets the session cookie": "cookies that the application gets",
		"the application's cookies are lost":      "cookies that the application gets",
		"altered cookies count":                   "an altered session cookie",
		"signing out keeps the session":           "signing out",
		"signing out goes in circles":             "signing out",
	} {
		t.Run(fault, func(t *testing.T) {
			g := newFakeGate(t, fault)
			var out strings.Builder
			if check(t.Context(), &g.place, &out) {
				t.Fatalf("the check passed:\n%s", out.String())
			}
			if !strings.Contains(out.String(), "✗ "+step+":") {
				t.Errorf("the check did not blame the step %q:\n%s", step, out.String())
			}
		})
	}
}

func TestCheckFailsWithoutAGate(t *testing.T) {
	g := newFakeGate(t, "")
	closed := place{listen: "127.0.0.1:1", idp: g.idp}
	var out strings.Builder
	if check(t.Context(), &closed, &out) {
		t.Errorf("the check passed with nothing there:\n%s", out.String())
	}
}

func TestBrowserKeepsCookiesAsBrowsersDo(t *testing.T) {
	good := http.Cookie{Name: "a", Value: "1", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	for name, test := range map[string]struct {
		change func(*http.Cookie)
		fault  string
	}{
		"a good one":              {func(*http.Cookie) {}, ""},
		"one for scripts":         {func(c *http.Cookie) { c.HttpOnly = false }, "scripts"},
		"one without SameSite":    {func(c *http.Cookie) { c.SameSite = 0 }, "other sites"},
		"one for a whole domain":  {func(c *http.Cookie) { c.Domain = "localhost" }, "other hosts"},
		"a __Host- one over http": {func(c *http.Cookie) { c.Name = "__Host-a" }, "not kept"},
		"a long one":              {func(c *http.Cookie) { c.Value = strings.Repeat("x", 4096) }, "longer"},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			test.change(&c)
			if got := faultOf(&c); (got == "") != (test.fault == "") || !strings.Contains(got, test.fault) {
				t.Errorf("fault %q, want %q", got, test.fault)
			}
		})
	}
	b := newBrowser()
	b.keep(&good)
	b.keep(&http.Cookie{Name: "a", MaxAge: -1})
	if len(b.cookies) != 0 {
		t.Error("an expired cookie was kept")
	}
}
