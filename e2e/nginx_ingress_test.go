package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// carried gives a browser to another nginx before the same Envoy: ports do not
// part cookies, so it is signed in there as well.
func carried(t *testing.T, from, to *behindNginx, b *Browser) *Browser {
	t.Helper()
	if from.cookiesAt(t, b) != to.cookiesAt(t, b) {
		t.Fatal("the session is for one nginx alone")
	}
	return b
}

func (g *behindNginx) cookiesAt(t *testing.T, b *Browser) string {
	t.Helper()
	return b.cookieLine(g.URL("/"))
}

func testIngress(t *testing.T, g *behindNginx) {
	b := NewBrowser()
	seen := must(ReadSeen(must(g.SignIn(b, nginxPage, Carol))(t)))(t)
	if seen.Target != nginxPage {
		t.Errorf("the application saw %q, want %q", seen.Target, nginxPage)
	}
	checkIdentity(t, seen, Carol)
	checkAccessToken(t, g.Provider, seen, Carol)
	t.Run("what a client claims never arrives", func(t *testing.T) {
		claimed := forged()
		claimed.Del("Authorization")
		seen := must(ReadSeen(must(b.Get(g.URL(nginxPage), claimed))(t)))(t)
		checkIdentity(t, seen, Carol)
		checkAccessToken(t, g.Provider, seen, Carol)
	})
	t.Run("the second application is for its group", func(t *testing.T) {
		checkIdentity(t, must(ReadSeen(must(b.Get(g.URL(groupPage)))(t)))(t), Carol)
		before := g.Apps[1].Requests()
		if page := must(g.signedIn(t, Alice).Get(g.URL(groupPage)))(t); page.Status != http.StatusForbidden || g.Apps[1].Requests() != before {
			t.Errorf("without the group: status %d", page.Status)
		}
	})
	t.Run("nobody passes by a content type that Envoy answers 200", func(t *testing.T) {
		for _, kind := range []string{"application/grpc", "application/grpc+proto", "application/grpc-web", "application/grpc-web-text"} {
			before := g.Apps[0].Requests() + g.Apps[1].Requests()
			for _, page := range []string{nginxPage, groupPage} {
				got := must(NewBrowser().Get(g.URL(page), http.Header{"Content-Type": {kind}}))(t)
				if got.Status != http.StatusFound || g.Apps[0].Requests()+g.Apps[1].Requests() != before {
					t.Errorf("%s: status %d for a stranger", kind, got.Status)
				}
			}
		}
	})
	t.Run("a WebSocket is opened", func(t *testing.T) {
		s := g.openStream(t, b, "/app1/socket", http.StatusSwitchingProtocols,
			"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
		if err := s.Echo("hello"); err != nil {
			t.Error(err)
		}
	})
}

// testEasyAuth signs in to an application that needs a scope which logins do
// not ask for: the second visit to sign-in does, as the cookie of the 401 says.
func testEasyAuth(t *testing.T, g *behindNginx) {
	b := NewBrowser()
	way, forms, err := b.Arrive(g.Provider, must(b.Get(g.URL(nginxPage)))(t), Carol)
	if err != nil {
		t.Fatal(err)
	}
	last := way[len(way)-1]
	if last.URL.String() != g.URL(nginxPage) || forms != 1 {
		t.Fatalf("%d forms, and then %d at %s:%s", forms, last.Status, last.URL, trail(way))
	}
	seen := must(ReadSeen(last))(t)
	for name, want := range map[string]string{
		"x-injected-name": Carol.Name, "x-injected-email": Carol.Email,
		"x-injected-groups": strings.Join(Carol.Groups, ","), "x-injected-roles": strings.Join(Carol.Groups, ","),
	} {
		if got := seen.Value(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	var asked []string
	for _, page := range way {
		if page.Method == http.MethodGet && g.Provider.Owns(page.URL) && page.URL.Query().Get("scope") != "" {
			asked = append(asked, page.URL.Query().Get("scope"))
		}
	}
	if len(asked) != 2 || strings.Contains(asked[0], "reports") || !strings.Contains(asked[1], "reports") {
		t.Errorf("the provider was asked for %q", asked)
	}
	if page := must(b.Get(g.URL("/oauth2/auth")))(t); page.Status != http.StatusNotFound {
		t.Errorf("/oauth2/auth answers %d from outside", page.Status)
	}
	t.Run("the second application is for its roles", func(t *testing.T) {
		if page := must(b.Get(g.URL(groupPage)))(t); page.Status != http.StatusOK {
			t.Errorf("with the roles: status %d", page.Status)
		}
		alice := NewBrowser()
		if way, _, err = alice.Arrive(g.Provider, must(alice.Get(g.URL(nginxPage)))(t), Alice); err != nil {
			t.Fatal(err)
		}
		before := g.Apps[1].Requests()
		if page := must(alice.Get(g.URL(groupPage)))(t); page.Status != http.StatusForbidden || g.Apps[1].Requests() != before {
			t.Errorf("without the roles: status %d", page.Status)
		}
	})
}
