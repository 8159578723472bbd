package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/e2e/standins"
)

// One Envoy serves all of these: each start compiles the module anew.
func TestGitHubGoogleAndEntra(t *testing.T) { startStandins(t).test(t) }

// TestGitHubGoogleAndEntraNatively is the same without Envoy.
func TestGitHubGoogleAndEntraNatively(t *testing.T) {
	w, gates := newStandins(t)
	app, secrets := NewApp(t), standinSecrets()
	for _, g := range gates {
		w.gates[g.name] = startNative(t, w, g, app, secrets)
	}
	w.test(t)
}

func (w *Standins) test(t *testing.T) {
	t.Run("GitHub", w.testGitHub)
	t.Run("a GitHub App", w.testGitHubApp)
	t.Run("GitHub Enterprise", w.testEnterprise)
	t.Run("Google", w.testGoogle)
	t.Run("Entra", w.testEntra)
	t.Run("Entra for many tenants", w.testManyTenants)
	t.Run("an Entra tenant by its domain", func(t *testing.T) {
		told(t, w.traveller("abe@acme.example").seen(t, w.gates["domain"], "/home"), map[string]string{"x-auth-request-user": "abe@acme.example"})
	})
	t.Run("all of them at one gate", w.testAll)
	for _, host := range []string{"github.com", standins.GoogleTokens, standins.EntraLogin} {
		for _, c := range w.net.Calls(host, "/") {
			if strings.Contains(c.Query.Encode(), standinSecret) {
				t.Errorf("the client's secret travels in an address of %s", host)
			}
		}
	}
	for _, g := range w.gates {
		checkLog(t, g)
		for _, secret := range []string{standinPass, standinSecret, "gho_", "ghu_", "ghr_", "ya29.", "1//"} {
			if lines := g.Log.Lines(secret); len(lines) > 0 {
				t.Errorf("a secret is in the log: %q", lines)
			}
		}
	}
}

func (w *Standins) testGitHub(t *testing.T) {
	g := w.gates["gate"]
	p := w.traveller("octocat")
	t.Run("signs people in, by the number of their account", func(t *testing.T) {
		told(t, p.seen(t, g, "/home"), map[string]string{
			"x-auth-request-user": "Octocat", "x-auth-request-email": "mona@example.com", "x-subject": "9007199254740993",
		})
		for _, c := range w.net.Calls("github.com", "/login/oauth/authorize")[:1] {
			if c.Query.Get("code_challenge_method") != "S256" || c.Query.Get("scope") != "read:user user:email read:org" {
				t.Errorf("GitHub was asked for %v", c.Query)
			}
		}
	})
	t.Run("teams come over pages, and decide", func(t *testing.T) {
		pages := map[string]bool{}
		for _, c := range w.net.Calls("api.github.com", "/user/teams") {
			pages[c.Query.Get("page")] = true
		}
		if !pages[""] || !pages["2"] {
			t.Errorf("pages of teams that were fetched: %v", pages)
		}
		p.seen(t, g, "/last-team/x")
		p.seen(t, g, "/org/x")
		if page := last(p.arrive(t, g.URL("/no-team/x"))); page.Status != http.StatusForbidden {
			t.Errorf("somebody who is in no such team: %d", page.Status)
		}
	})
	t.Run("only the primary address counts", func(t *testing.T) {
		p.seen(t, g, "/primary/x")
		if page := last(p.arrive(t, g.URL("/secondary/x"))); page.Status != http.StatusForbidden {
			t.Errorf("an address that is not the primary one: %d", page.Status)
		}
	})
	t.Run("somebody else may sign in", func(t *testing.T) {
		page := last(must(p.Follow(must(p.Get(g.URL("/oauth2/start?rd=/home&switch=1")))(t), nil))(t))
		if page.URL.Host != "github.com" || !strings.Contains(page.Body, "Select an account") {
			t.Errorf("no account picker: %d at %s", page.Status, page.URL)
		}
	})
	t.Run("who asks GitHub too often keeps their session, and cannot begin one", func(t *testing.T) {
		w.github.LeaveRequests(0)
		late := w.traveller("octocat")
		if page := last(late.arrive(t, g.URL("/home"))); !g.Owns(page.URL) || page.Status != http.StatusServiceUnavailable && page.Status != http.StatusBadGateway {
			t.Errorf("a login ends with %d at %s", page.Status, page.URL)
		}
		before := len(w.net.Calls("api.github.com", "/user"))
		Eventually(t, 15*time.Second, func() error { // until a renewal has tried
			if page, err := p.Get(g.URL("/home")); err != nil || page.Status != http.StatusOK {
				return fmt.Errorf("e2e: the session ended: %d, %w", page.Status, err)
			}
			if len(w.net.Calls("api.github.com", "/user")) == before {
				return fmt.Errorf("e2e: nobody asked GitHub")
			}
			return nil
		})
		w.github.LeaveRequests(5000)
		p.seen(t, g, "/org/x")
	})
	t.Run("a token without expiry ends when it is withdrawn", func(t *testing.T) {
		w.github.Withdraw("Octocat")
		w.ends(t, p, g)
		if calls := w.net.Calls("github.com", "/login/oauth/access_token"); slices.ContainsFunc(calls, func(c standins.Call) bool { return c.Form.Get("grant_type") == "refresh_token" }) {
			t.Error("GitHub was asked to refresh a token that it gave no refresh token for")
		}
	})
	t.Run("somebody without a verified address stays out", func(t *testing.T) {
		nova := w.traveller("nova")
		nova.refused(t, g, nova.arrive(t, g.URL("/home")), "provider_access_denied")
	})
	t.Run("who says no stays out", func(t *testing.T) {
		no := w.traveller("octocat")
		no.no = true
		no.refused(t, g, no.arrive(t, g.URL("/home")), "provider_access_denied")
	})
}

// ends waits until a session is over, for a person who has it.
func (w *Standins) ends(t *testing.T, p *Traveller, g *Gate) {
	t.Helper()
	Eventually(t, 15*time.Second, func() error {
		page, err := p.Get(g.URL("/home"))
		if err != nil {
			return err
		}
		return anonymous(g, page)
	})
}

// renews waits until the application is given another access token, and returns
// what it was told then.
func (w *Standins) renews(t *testing.T, p *Traveller, g *Gate, old string) *Seen {
	t.Helper()
	var seen *Seen
	Eventually(t, 15*time.Second, func() error {
		page, err := p.Get(g.URL("/home"))
		if err != nil {
			return err
		}
		if seen, err = ReadSeen(page); err != nil {
			return err
		}
		if seen.Value("authorization") == old {
			return fmt.Errorf("e2e: still the same access token")
		}
		return nil
	})
	return seen
}

func (w *Standins) testGitHubApp(t *testing.T) {
	g, p := w.gates["app"], w.traveller("octocat")
	token := p.seen(t, g, "/home").Value("authorization")
	for range 2 { // the second refresh token is the first one's successor
		seen := w.renews(t, p, g, token)
		told(t, seen, map[string]string{"x-subject": "9007199254740993", "x-auth-request-email": "mona@example.com"})
		token = seen.Value("authorization")
	}
	p.seen(t, g, "/last-team/x")
	w.github.Withdraw("Octocat")
	w.ends(t, p, g)
}

func (w *Standins) testEnterprise(t *testing.T) {
	g, nova := w.gates["enterprise"], w.traveller("nova")
	told(t, nova.seen(t, g, "/org/x"), map[string]string{"x-auth-request-user": "nova", "x-auth-request-email": "", "x-subject": "2"})
	if page := last(nova.arrive(t, g.URL("/primary/x"))); page.Status != http.StatusForbidden {
		t.Errorf("an address that nobody has verified: %d", page.Status)
	}
	if n := len(w.net.Calls(enterpriseHost, "/api/v3/user")); n == 0 {
		t.Error("the enterprise's own API was not asked")
	}
}

func (w *Standins) testGoogle(t *testing.T) {
	g, p := w.gates["google"], w.traveller("jane@example.com")
	seen := p.seen(t, g, "/home")
	told(t, seen, map[string]string{
		"x-auth-request-user": "jane@example.com", "x-auth-request-email": "jane@example.com", "x-subject": "110169484474386276334",
	})
	for _, c := range w.net.Calls(standins.GoogleAccounts, "/o/oauth2/v2/auth")[:1] {
		if c.Query.Get("hd") != "example.com" || c.Query.Get("access_type") != "offline" || c.Query.Get("prompt") != "consent" {
			t.Errorf("Google was asked for %v", c.Query)
		}
	}
	t.Run("sessions go on by the refresh token", func(t *testing.T) { w.renews(t, p, g, seen.Value("authorization")) })
	t.Run("scopes are granted that it spells in another way", func(t *testing.T) { p.seen(t, g, "/scoped/x") })
	t.Run("a foreign account is refused, whatever the address says", func(t *testing.T) {
		eve := w.traveller("eve@example.com.evil.example")
		way := must(eve.Follow(must(eve.Get(g.URL("/home")))(t), g.Provider.Owns))(t)
		to := last(way).Location()
		query := to.Query()
		query.Del("hd") // as somebody does who is not meant to sign in
		to.RawQuery = query.Encode()
		eve.refused(t, g, eve.arrive(t, to.String()), "hosted_domain_not_allowed")
	})
	t.Run("an address that Google has not verified is none", func(t *testing.T) {
		p.seen(t, g, "/mail/x")
		unverified := w.traveller("new@example.com")
		unverified.seen(t, g, "/home")
		if page := last(unverified.arrive(t, g.URL("/mail/x"))); page.Status != http.StatusForbidden {
			t.Errorf("%d", page.Status)
		}
	})
	t.Run("signing out gives the token back", func(t *testing.T) {
		page := must(p.Get(g.URL("/oauth2/sign_out"), http.Header{"Sec-Fetch-Site": {"same-origin"}}))(t)
		must(p.Follow(page, nil))(t)
		Eventually(t, 20*time.Second, func() error { // the browser does not wait for it
			if len(w.net.Calls(standins.GoogleTokens, "/revoke")) == 0 {
				return errors.New("e2e: nothing was revoked")
			}
			return nil
		})
	})
	t.Run("access that was withdrawn ends the session", func(t *testing.T) {
		again := w.traveller("jane@example.com")
		again.seen(t, g, "/home")
		w.google.Withdraw("jane@example.com")
		w.ends(t, again, g)
	})
}

func (w *Standins) testEntra(t *testing.T) {
	g, abe := w.gates["entra"], w.traveller("abe@acme.example")
	seen := abe.seen(t, g, "/admin/x")
	told(t, seen, map[string]string{"x-auth-request-user": "abe@acme.example", "x-auth-request-email": "abe@acme.example"})
	abe.seen(t, g, "/seventh/x")
	t.Run("sessions go on by the refresh token", func(t *testing.T) { w.renews(t, abe, g, seen.Value("authorization")) })
	t.Run("more groups than a token holds are fetched", func(t *testing.T) {
		max := w.traveller("max@acme.example")
		max.seen(t, g, "/last/x")
		if page := last(max.arrive(t, g.URL("/admin/x"))); page.Status != http.StatusForbidden {
			t.Errorf("without the role: %d", page.Status)
		}
		if n := len(w.net.Calls(standins.EntraGraph, "/v1.0/me/getMemberObjects")); n == 0 {
			t.Error("Graph was not asked")
		}
	})
	t.Run("a scope is asked for where it is needed", func(t *testing.T) {
		no := w.traveller("abe@acme.example")
		no.seen(t, g, "/home")
		no.no = true
		if page := last(no.arrive(t, g.URL("/calendar/x"))); !g.Owns(page.URL) || page.Status < 400 {
			t.Errorf("who says no gets %d at %s", page.Status, page.URL)
		}
		if page := must(no.Get(g.URL("/home")))(t); page.Status != http.StatusOK {
			t.Errorf("and then elsewhere %d", page.Status)
		}
		before := len(w.net.Calls(standins.EntraLogin, "/"+acmeTenant+"/oauth2/v2.0/authorize"))
		abe.seen(t, g, "/calendar/x")
		asked := w.net.Calls(standins.EntraLogin, "/"+acmeTenant+"/oauth2/v2.0/authorize")[before:]
		if len(asked) != 2 || !strings.Contains(asked[0].Query.Get("scope"), "Calendars.Read") { // the page, and its answer
			t.Errorf("Entra was asked %d times: %v", len(asked), asked)
		}
		if page := must(abe.Get(g.URL("/calendar/y")))(t); page.Status != http.StatusOK {
			t.Errorf("the next page answers %d", page.Status)
		}
	})
	t.Run("tokens that services send, of both versions", func(t *testing.T) { w.entraTokens(t) })
	t.Run("signing out is signing out of Microsoft", func(t *testing.T) {
		page := must(abe.Get(g.URL("/oauth2/sign_out"), http.Header{"Sec-Fetch-Site": {"same-origin"}}))(t)
		way := must(abe.Follow(page, nil))(t)
		if _, err := visited(way, "/"+acmeTenant+"/oauth2/v2.0/logout"); err != nil {
			t.Error(err)
		}
		if err := g.arrivedAt(way, last(way).URL.Path, http.StatusOK); err != nil || last(way).URL.Path != "/oauth2/signed_out" {
			t.Errorf("signing out ends at %s: %v", last(way).URL, err)
		}
		if page := last(must(abe.Follow(must(abe.Get(g.URL("/home")))(t), nil))(t)); !page.hasField("passwd") {
			t.Errorf("still signed in at Microsoft: %d at %s", page.Status, page.URL)
		}
	})
}

func (w *Standins) entraTokens(t *testing.T) {
	g, program := w.gates["entra"], NewBrowser()
	status := func(token string) int {
		return must(program.Get(g.URL("/api/x"), bearer(token), http.Header{"Accept": {"application/json"}}))(t).Status
	}
	for _, api := range []string{apiV1, apiV2} {
		if got := status(must(w.entra.APIToken(api, "abe@acme.example", "orders"))(t)); got != http.StatusOK {
			t.Errorf("a token for the API %s: %d", api, got)
		}
		if got := status(must(w.entra.APIToken(api, "abe@acme.example", "other"))(t)); got != http.StatusForbidden {
			t.Errorf("a token without the scope for the API %s: %d", api, got)
		}
		if got := status(must(w.entra.APIToken(api, "eve@other.example", "orders"))(t)); got != http.StatusUnauthorized {
			t.Errorf("another tenant's token for the API %s: %d", api, got)
		}
	}
	if got := status(must(w.entra.APIToken(standinClient, "abe@acme.example", "orders"))(t)); got != http.StatusUnauthorized {
		t.Errorf("a token for another API: %d", got)
	}
}

func (w *Standins) testManyTenants(t *testing.T) {
	g := w.gates["many"]
	t.Run("people of the tenants that are named may sign in", func(t *testing.T) {
		w.traveller("abe@acme.example").seen(t, g, "/seventh/x")
	})
	t.Run("an address is somebody's where the tenant owns its domain", func(t *testing.T) {
		w.traveller("abe@acme.example").seen(t, g, "/mail/x")
		ann := w.traveller("ann@acme.example") // who had abe's address written into the directory
		if page := last(ann.arrive(t, g.URL("/mail/x"))); page.Status != http.StatusForbidden {
			t.Errorf("somebody else with the address: %d", page.Status)
		}
	})
	for _, stranger := range []string{"eve@other.example", "kim@outlook.com"} {
		t.Run(stranger+" may not", func(t *testing.T) {
			p := w.traveller(stranger)
			p.refused(t, g, p.arrive(t, g.URL("/home")), "tenant_not_allowed")
		})
	}
	t.Run("nobody gets in without the groups that matter", func(t *testing.T) { // Graph wants User.Read
		max := w.traveller("max@acme.example")
		max.refused(t, g, max.arrive(t, g.URL("/seventh/x")), "groups_not_resolved")
	})
	t.Run("a key of one issuer signs for no other", func(t *testing.T) {
		now := time.Now().Unix()
		claims := map[string]any{
			"iss": "https://" + standins.EntraLogin + "/" + acmeTenant + "/v2.0", "aud": apiV2, "sub": "abe", "oid": "abe", "tid": acmeTenant, "ver": "2.0",
			"azp": apiV2, "scp": "orders", "iat": now, "nbf": now, "exp": now + 600,
		}
		status := func(token string) int {
			return must(NewBrowser().Get(g.URL("/api/x"), bearer(token), http.Header{"Accept": {"application/json"}}))(t).Status
		}
		if got := status(must(w.entra.Forge(claims))(t)); got != http.StatusUnauthorized {
			t.Errorf("a token of an organisation by the key of personal accounts: %d", got)
		}
		if got := status(must(w.entra.APIToken(apiV2, "abe@acme.example", "orders"))(t)); got != http.StatusOK {
			t.Errorf("one by its own key: %d", got)
		}
	})
}

func (w *Standins) testAll(t *testing.T) {
	g := w.gates["all"]
	start := func(provider string) string { return g.URL("/oauth2/start?provider=" + provider + "&rd=/home") }
	for provider, account := range map[string]struct{ who, user string }{
		"github": {"octocat", "Octocat"}, "google": {"jane@example.com", "jane@example.com"}, "entra": {"abe@acme.example", "abe@acme.example"},
	} {
		t.Run(provider, func(t *testing.T) {
			p := w.traveller(account.who)
			way := p.arrive(t, start(provider))
			if err := g.arrivedAt(way, "/home", http.StatusOK); err != nil {
				t.Fatalf("%v\n%.1500s", err, last(way).Body)
			}
			told(t, must(ReadSeen(last(way)))(t), map[string]string{"x-auth-request-user": account.user})
		})
	}
	// answer is what GitHub answers to a login that was begun there.
	answer := func(t *testing.T, p *Traveller) url.Values {
		t.Helper()
		p.arrive(t, start("github")) // signed in, and consented
		way := must(p.Follow(must(p.Get(start("github")))(t), func(u *url.URL) bool { return g.Owns(u) && u.Query().Has("code") }))(t)
		to := last(way).Location()
		if to == nil || to.Path != "/oauth2/callback/github" {
			t.Fatalf("GitHub does not send back to its own address: %v%s", to, trail(way))
		}
		p.Jar.Set(to, []*http.Cookie{{Name: SessionCookie, Path: "/", MaxAge: -1}})
		return to.Query()
	}
	t.Run("a code of one under the state of another is refused", func(t *testing.T) {
		p := w.traveller("octocat")
		github := answer(t, p)
		toEntra := last(must(p.Follow(must(p.Get(start("entra")))(t), func(u *url.URL) bool { return u.Host == standins.EntraLogin }))(t)).Location()
		mixed := url.Values{"code": {github.Get("code")}, "state": {toEntra.Query().Get("state")}}
		p.refused(t, g, p.arrive(t, g.URL("/oauth2/callback/entra?"+mixed.Encode())), "invalid_grant")
		if calls := w.net.Calls("github.com", "/login/oauth/access_token"); calls[len(calls)-1].Form.Get("code") == github.Get("code") {
			t.Error("GitHub was shown the code")
		}
	})
	t.Run("an answer at the address of another is refused", func(t *testing.T) {
		p := w.traveller("octocat")
		github := answer(t, p)
		for _, path := range []string{"/oauth2/callback/entra", "/oauth2/callback"} {
			p.refused(t, g, p.arrive(t, g.URL(path+"?"+github.Encode())), "callback_of_another_provider")
		}
	})
}
