package e2e

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"
)

const backChannel = "/oauth2/backchannel_logout"

// TestSessionsWithKeycloak is about sessions at a provider that takes each
// refresh token once and ends everything when one comes again ("revoke refresh
// token", reuse 0), and that says by itself when a session has ended.
func TestSessionsWithKeycloak(t *testing.T) {
	p := Keycloak(t)
	tap := NewTap(t, p)
	g := StartGate(t, p, EnvoySetup{Workers: 4, AllowHeadersStop: true, IDP: tap.Addr()}, signOutAtProvider)
	t.Run("200 requests at once with an expired access token make one refresh, 5 times", func(t *testing.T) { testOneRefresh(t, g, tap, 5) })
	t.Run("keycloak ends sessions by the back channel, on 4 workers", func(t *testing.T) { testBackChannel(t, g) })
	t.Run("keycloak ends sessions by the front channel", func(t *testing.T) { testFrontChannel(t, g) })
	t.Run("signing out signs out at keycloak", func(t *testing.T) { testSignOutAtProvider(t, g, tap, "revoke") })
	t.Run("twenty tabs of chromium after the access token expired", func(t *testing.T) { testIdleTabs(t, g, tap) })
	checkLog(t, g)
}

func TestSignOutWithOIDCProvider(t *testing.T) {
	p := OIDCProvider(t)
	tap := NewTap(t, p)
	g := StartGate(t, p, EnvoySetup{IDP: tap.Addr()}, signOutAtProvider)
	testSignOutAtProvider(t, g, tap, "revocation")
	checkLog(t, g)
}

func signOutAtProvider(s Settings) { s["sign_out"] = Settings{"at_provider": true} }

// testBackChannel has Keycloak's administrator sign a person out. Keycloak
// answers once it has told the gate (OpenID Connect Back-Channel Logout 1.0,
// section 2.5), so the very next request must be anonymous, on any worker.
func testBackChannel(t *testing.T, g *Gate) {
	admin := registeredBackChannel(t, g)
	workers, alice, bob := g.Workers(t), NewBrowser(), NewBrowser()
	must(g.SignIn(alice, "/shop", Alice))(t)
	must(g.SignIn(bob, "/shop", Bob))(t)
	alices, bobs := copied(alice, g.URL("/shop")), copied(bob, g.URL("/shop"))
	checkEverywhere(t, g, workers, alices, servedTo(Alice))
	socket := g.OpenSocket(t, alice)
	begun := time.Now()
	if err := admin.SignOut(Alice); err != nil {
		t.Fatal(err)
	}
	told := time.Since(begun)
	checkEverywhere(t, g, workers, alices, g.anonymous)
	t.Logf("Keycloak's logout took %v, then %d workers refused the session within %v",
		told.Round(time.Millisecond), len(workers), (time.Since(begun) - told).Round(time.Millisecond))
	checkEverywhere(t, g, workers, bobs, servedTo(Bob))
	if err := socket.Cut(cutLimit); err != nil {
		t.Error(err)
	}
	t.Run("and the person can sign in again", func(t *testing.T) {
		must(ReadSeen(must(g.SignIn(alice, "/shop", Alice))(t)))(t)
	})
	t.Run("and no forgery does that", func(t *testing.T) {
		for _, token := range []string{"junk", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IifQ."} {
			page := must(NewBrowser().Do(http.MethodPost, g.URL(backChannel), url.Values{"logout_token": {token}}.Encode()))(t)
			if page.Status != http.StatusBadRequest {
				t.Errorf("status %d, want 400", page.Status)
			}
		}
		checkEverywhere(t, g, workers, bobs, servedTo(Bob))
	})
}

// registeredBackChannel makes the gate the one that Keycloak tells, until the
// test's end.
func registeredBackChannel(t *testing.T, g *Gate) *Administrator {
	t.Helper()
	admin := must(NewAdministrator(g.Provider))(t)
	if err := admin.BackChannel(g.URL(backChannel)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin.BackChannel(""); err != nil {
			t.Error(err)
		}
	})
	return admin
}

// testNoBackChannel is for an Envoy without allow_on_headers_stop_iteration.
func testNoBackChannel(t *testing.T, g *Gate) {
	page := must(NewBrowser().Do(http.MethodPost, g.URL(backChannel), url.Values{"logout_token": {"junk"}}.Encode()))(t)
	if page.Status != http.StatusNotImplemented {
		t.Errorf("status %d, want 501", page.Status)
	}
}

// testFrontChannel visits the gate as the frame on the provider's page does
// (OpenID Connect Front-Channel Logout 1.0, section 2).
func testFrontChannel(t *testing.T, g *Gate) {
	admin := must(NewAdministrator(g.Provider))(t)
	if err := admin.SignOut(Bob); err != nil {
		t.Fatal(err)
	}
	b := NewBrowser()
	must(g.SignIn(b, "/shop", Bob))(t)
	ids := must(admin.Sessions(Bob))(t)
	if len(ids) != 1 {
		t.Fatalf("Bob has %d sessions", len(ids))
	}
	frame := func(b *Browser, sid string) {
		t.Helper()
		q := url.Values{"iss": {g.Provider.Issuer}, "sid": {sid}}
		page := must(b.Get(g.URL("/oauth2/frontchannel_logout?"+q.Encode()), http.Header{
			"Sec-Fetch-Site": {"same-site"}, "Sec-Fetch-Dest": {"iframe"},
		}))(t)
		if page.Status != http.StatusOK {
			t.Errorf("the frame shows %d", page.Status)
		}
	}
	old := copied(b, g.URL("/shop"))
	frame(NewBrowser(), ids[0])
	frame(b, "another")
	checkEverywhere(t, g, []*http.Transport{browserTransport}, old, servedTo(Bob))
	frame(b, ids[0])
	checkEverywhere(t, g, g.Workers(t), old, g.anonymous)
	if slices.Contains(b.Jar.Names(address(t, g.URL("/"))), SessionCookie) {
		t.Error("the session's cookie is still there")
	}
}

// testSignOutAtProvider is OpenID Connect RP-Initiated Logout 1.0, and RFC 7009.
func testSignOutAtProvider(t *testing.T, g *Gate, tap *Tap, revocation string) {
	b := NewBrowser()
	must(g.SignIn(b, "/shop", Alice))(t)
	old, revoked := copied(b, g.URL("/shop")), tap.Count(revocation)
	first := must(b.Get(g.URL("/oauth2/sign_out")))(t)
	to := first.Location()
	if to == nil || !g.Provider.Owns(to) {
		t.Fatalf("sign_out answered %d to %v, not to the provider", first.Status, to)
	}
	if q := to.Query(); q.Get("id_token_hint") == "" || q.Get("state") == "" || q.Get("post_logout_redirect_uri") != g.URL("/oauth2/signed_out") {
		t.Errorf("the provider gets %d parameters: %.60s", len(q), q.Get("post_logout_redirect_uri"))
	}
	way := must(b.Follow(first, nil))(t)
	if last := way[len(way)-1]; g.Provider.Owns(last.URL) { // it asks once more
		way = must(b.Follow(must(b.Submit(last, map[string]string{"logout": "yes"}))(t), nil))(t)
	}
	if last := way[len(way)-1]; last.Status != http.StatusOK || last.URL.Path != "/oauth2/signed_out" || !g.Owns(last.URL) {
		t.Fatalf("the way ends with %d at %s:%s\n%.500s", last.Status, last.URL, trail(way), last.Body)
	}
	checkEverywhere(t, g, g.Workers(t), old, g.anonymous)
	Eventually(t, 10*time.Second, func() error {
		if tap.Count(revocation) == revoked {
			return errors.New("e2e: no token was revoked")
		}
		return nil
	})
	if _, forms, err := b.Arrive(g.Provider, must(b.Get(g.URL("/shop")))(t), Alice); err != nil || forms != 1 {
		t.Errorf("afterwards the provider asked %d times who it is: %v", forms, err)
	}
}
