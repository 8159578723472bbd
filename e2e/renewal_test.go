package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// atOnce is how many requests meet one expired access token.
const atOnce = 200

// TestSessionsOnFourWorkers is about what the workers of one Envoy must know
// together. One Envoy serves all of it: each start takes seconds.
func TestSessionsOnFourWorkers(t *testing.T) {
	p := NewEmbedded(t)
	tap := NewTap(t, p.Provider)
	g := StartGate(t, p.Provider, EnvoySetup{Workers: 4, Host: loopbackClient, IDP: tap.Addr()}, hosts(loopbackClient+":*"))
	t.Run("200 requests at once with an expired access token make one refresh, 10 times", func(t *testing.T) {
		testOneRefresh(t, g, tap, 10)
		if n := p.IDP.Count("refused:invalid_grant"); n != 0 {
			t.Errorf("the provider refused %d grants", n)
		}
	})
	t.Run("clients that leave half-way harm nobody", func(t *testing.T) { testLeaving(t, g, tap) })
	t.Run("a provider that is away ends no session", func(t *testing.T) { testProviderAway(t, g, tap) })
	t.Run("a refresh that the provider refuses ends the session", func(t *testing.T) {
		b := expiredSessions(t, g, tap, 1)[0]
		p.IDP.EndSessions()
		checkAnonymous(t, g, must(b.Get(g.URL("/shop")))(t))
		if names := b.Jar.Names(address(t, g.URL("/"))); slices.Contains(names, SessionCookie) {
			t.Errorf("the session's cookie is still there: %q", names)
		}
	})
	t.Run("signing out on one worker ends every copy on all of them", func(t *testing.T) { testSignOutEverywhere(t, g) })
	t.Run("a cookie from before the renewal ends with the session", func(t *testing.T) { testOldCookieEnds(t, g, tap) })
	t.Run("open streams end with their session", func(t *testing.T) { testStreams(t, g) })
	checkLog(t, g)
}

// expiredSessions signs Alice in n times, and waits until the access tokens of
// all of them have expired. Tokens that are issued afterwards last.
func expiredSessions(t *testing.T, g *Gate, tap *Tap, n int) []*Browser {
	t.Helper()
	tap.Lifetime(shortLife)
	defer tap.Lifetime(0)
	browsers := make([]*Browser, n)
	inParallel(t, min(n, 4), func(first int) error {
		for i := first; i < n; i += min(n, 4) {
			browsers[i] = NewBrowser()
			if _, err := g.SignIn(browsers[i], "/shop", Alice); err != nil {
				return err
			}
		}
		return nil
	})
	expire()
	return browsers
}

// shortLife is the life of an access token that is to expire.
const shortLife = time.Second

// expire waits until such a token has expired for the gate: in real time, as it
// is Envoy's clock, which the gate reads once a second.
func expire() { <-time.After(shortLife + 2*time.Second) }

// testOneRefresh shows that requests that come at once with one session, whose
// access token has expired, make one refresh: each round with a session of its own.
func testOneRefresh(t *testing.T, g *Gate, tap *Tap, rounds int) {
	t.Helper()
	for round, b := range expiredSessions(t, g, tap, rounds) {
		if err := oneRefresh(t, g, tap, b); err != nil {
			t.Fatalf("round %d: %v", round+1, err)
		}
	}
}

func oneRefresh(t *testing.T, g *Gate, tap *Tap, b *Browser) error {
	t.Helper()
	before, refused := tap.Count(refreshes), tap.Count("refused:invalid_grant")
	old := http.Header{"Cookie": {b.cookieLine(g.URL("/shop"))}}
	met := must(g.workerConnections())(t)
	pages, err := b.Burst(g.URL("/shop")).Send(atOnce).Wait()
	if err != nil {
		return err
	}
	if workers := risen(met, must(g.workerConnections())(t)); len(workers) != g.Setup.Workers {
		return fmt.Errorf("only the workers %q served", workers)
	}
	if err := checkServed(pages, atOnce, Alice); err != nil {
		return err
	}
	if err := checkRenewedCookies(pages); err != nil {
		return err
	}
	// Then the browser goes on with what it was given, and somebody is late.
	for name, header := range map[string]http.Header{"the new cookie": nil, "the old cookie, late": old} {
		page, err := b.Get(g.URL("/shop"), header)
		if err != nil {
			return err
		}
		if err := checkServed([]*Page{page}, 1, Alice); err != nil {
			return fmt.Errorf("with %s: %w", name, err)
		}
	}
	if n := tap.Count(refreshes) - before; n != 1 {
		return fmt.Errorf("%d refreshes at the provider, want 1", n)
	}
	if n := tap.Count("refused:invalid_grant") - refused; n != 0 {
		return fmt.Errorf("the provider refused %d grants", n)
	}
	return nil
}

// checkServed says how many of the answers were not the application's to this person.
func checkServed(pages []*Page, want int, who Person) error {
	served, other := 0, ""
	for _, p := range pages {
		seen, err := ReadSeen(p)
		switch {
		case err != nil:
			other = fmt.Sprintf("status %d, location %.60q", p.Status, p.Header.Get("Location"))
		case seen.Value("x-auth-request-user") != who.Name:
			other = fmt.Sprintf("for %q", seen.Value("x-auth-request-user"))
		default:
			served++
		}
	}
	if served != want || len(pages) != want {
		return fmt.Errorf("%d answers of %d came from the application; another: %s", served, want, other)
	}
	return nil
}

// checkRenewedCookies wants new cookies on the application's answers, and
// those kept out of shared caches.
func checkRenewedCookies(pages []*Page) error {
	renewed := 0
	for _, p := range pages {
		if len(p.Cookies) == 0 {
			continue
		}
		renewed++
		if control := p.Header.Get("Cache-Control"); !strings.Contains(control, "private") && !strings.Contains(control, "no-store") {
			return fmt.Errorf("an answer sets a session, with cache-control %q", control)
		}
	}
	if renewed == 0 {
		return fmt.Errorf("no answer brought the renewed session")
	}
	return nil
}

// testLeaving has a quarter of the clients leave while the refresh is under
// way, the one that began it among them.
func testLeaving(t *testing.T, g *Gate, tap *Tap) {
	b := expiredSessions(t, g, tap, 1)[0]
	before := tap.Count(refreshes)
	release := tap.Hold()
	defer release()
	burst := b.Burst(g.URL("/shop")).Send(1)
	Eventually(t, 5*time.Second, func() error {
		if n := tap.Count(refreshes) - before; n != 1 {
			return fmt.Errorf("%d refreshes were begun", n)
		}
		return nil
	})
	const leaving = 50
	burst.Send(atOnce - 1)
	waitActive(t, g, atOnce)
	burst.Leave(leaving)
	waitActive(t, g, atOnce-leaving)
	release()
	if err := checkServed(must(burst.Wait())(t), atOnce-leaving, Alice); err != nil {
		t.Error(err)
	}
	if n := tap.Count(refreshes) - before; n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
}

// waitActive waits until so many requests are under way in Envoy.
func waitActive(t *testing.T, g *Gate, n int) {
	t.Helper()
	Eventually(t, 5*time.Second, func() error {
		if active := g.Stat(t, "http.gate.downstream_rq_active"); active != n {
			return fmt.Errorf("e2e: %d requests are under way, not %d", active, n)
		}
		return nil
	})
}

func testProviderAway(t *testing.T, g *Gate, tap *Tap) {
	b := expiredSessions(t, g, tap, 1)[0]
	logins := tap.Count(exchanges)
	session := b.cookieLine(g.URL("/"))
	tap.Away(true)
	defer tap.Away(false)
	for range 3 {
		checkUnavailable(t, must(b.Get(g.URL("/shop")))(t))
	}
	if b.cookieLine(g.URL("/")) != session {
		t.Error("the session's cookie changed while the provider was away")
	}
	tap.Away(false)
	Eventually(t, 30*time.Second, func() error {
		page, err := b.Get(g.URL("/shop"))
		if err != nil {
			return err
		}
		return checkServed([]*Page{page}, 1, Alice)
	})
	if n := tap.Count(exchanges) - logins; n != 0 {
		t.Errorf("%d logins, want none", n)
	}
}
