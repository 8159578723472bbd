package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// replicas are two Envoys of four workers each with a Redis between them.
type replicas struct {
	provider *Embedded
	tap      *Tap
	redis    *Redis
	gates    [2]*Gate
}

// reachLimit is how long the other Envoy may take to learn of an end: its
// interval is half a second.
const reachLimit = 2 * time.Second

func startReplicas(t *testing.T, store Settings) *replicas {
	t.Helper()
	p := NewEmbedded(t)
	r := &replicas{provider: p, tap: NewTap(t, p.Provider), redis: StartRedis(t)}
	secrets := NewSecrets()
	for i := range r.gates {
		setup := EnvoySetup{Workers: 4, Host: loopbackClient, IDP: r.tap.Addr(), Env: secrets, AllowHeadersStop: true}
		join := r.redis.Join(&setup, store)
		r.gates[i] = launchGate(t, p.Provider, setup, hosts(loopbackClient+":*"), join)
	}
	for _, g := range r.gates {
		g.wait(t)
	}
	return r
}

func TestReplicasWithRedis(t *testing.T) {
	for name, store := range map[string]Settings{
		// More patient than the defaults: a machine that is busy is no outage.
		"sessions in cookies": {"stale": "4s", "timeout": "4s"},
		"sessions in redis":   {"stale": "4s", "timeout": "4s", "sessions": true},
	} {
		t.Run(name, func(t *testing.T) {
			r := startReplicas(t, store)
			t.Run("200 requests at once over both make one refresh, 3 times", func(t *testing.T) { testOneRefreshOverReplicas(t, r, 3) })
			t.Run("signing out at one is signing out at the other", func(t *testing.T) { testSignOutReaches(t, r) })
			t.Run("a back-channel logout at one ends the session at the other", func(t *testing.T) { testBackChannelReaches(t, r) })
			t.Run("redis is stopped and started under load", func(t *testing.T) { testRedisAway(t, r) })
			if store["sessions"] == true {
				t.Run("the browser holds a small ticket", func(t *testing.T) { testTicketIsSmall(t, r) })
			}
			for _, g := range r.gates {
				checkLog(t, g)
			}
		})
	}
}

func testOneRefreshOverReplicas(t *testing.T, r *replicas, rounds int) {
	for round, b := range expiredSessions(t, r.gates[0], r.tap, rounds) {
		before := r.tap.Count(refreshes)
		var bursts []*Burst
		for _, g := range r.gates {
			bursts = append(bursts, b.Burst(g.URL("/shop")))
		}
		for _, burst := range bursts {
			burst.Send(atOnce / len(bursts))
		}
		for i, burst := range bursts {
			if err := checkServed(must(burst.Wait())(t), atOnce/len(bursts), Alice); err != nil {
				t.Errorf("round %d, envoy %d: %v", round+1, i+1, err)
			}
		}
		if n := r.tap.Count(refreshes) - before; n != 1 {
			t.Errorf("round %d: %d refreshes, want 1", round+1, n)
		}
	}
	if n := r.provider.IDP.Count("refused:invalid_grant"); n != 0 {
		t.Errorf("the provider refused %d grants", n)
	}
}

// checkReaches waits until every worker of a gate refuses a session.
func checkReaches(t *testing.T, g *Gate, workers []*http.Transport, cookies http.Header, begun time.Time) {
	t.Helper()
	for _, worker := range workers {
		Eventually(t, reachLimit, func() error {
			page, err := NewBrowser().Over(worker).Get(g.URL("/shop"), cookies)
			if err != nil {
				return err
			}
			return anonymous(g, page)
		})
	}
	t.Logf("the other Envoy's %d workers refused the session within %v", len(workers), time.Since(begun).Round(time.Millisecond))
}

func testSignOutReaches(t *testing.T, r *replicas) {
	here, there, b := r.gates[0], r.gates[1], NewBrowser()
	must(here.SignIn(b, "/shop", Alice))(t)
	cookies, workers := copied(b, here.URL("/shop")), there.Workers(t)
	checkEverywhere(t, there, workers, cookies, servedTo(Alice))
	begun := time.Now()
	must(b.Get(here.URL("/oauth2/sign_out")))(t)
	checkEverywhere(t, here, here.Workers(t), cookies, here.anonymous)
	checkReaches(t, there, workers, cookies, begun)
}

func testBackChannelReaches(t *testing.T, r *replicas) {
	here, there, b := r.gates[0], r.gates[1], NewBrowser()
	must(here.SignIn(b, "/shop", Bob))(t)
	cookies, workers := copied(b, here.URL("/shop")), there.Workers(t)
	checkEverywhere(t, there, workers, cookies, servedTo(Bob))
	begun := time.Now()
	for _, token := range must(r.provider.IDP.LogoutTokens(Bob.Name))(t) {
		form := url.Values{"logout_token": {token.Raw}}.Encode()
		if page := must(NewBrowser().Do(http.MethodPost, here.URL(backChannel), form))(t); page.Status != http.StatusOK && page.Status != http.StatusNoContent {
			t.Fatalf("the back channel answered %d", page.Status)
		}
	}
	checkEverywhere(t, here, here.Workers(t), cookies, here.anonymous)
	checkReaches(t, there, workers, cookies, begun)
}

// testRedisAway has sessions in use, and ended ones tried, while Redis is
// stopped and started again: the former are never lost, the latter never let in.
func testRedisAway(t *testing.T, r *replicas) {
	c := gather(t, r)
	defer c.dismiss()
	leaving, workers := NewBrowser(), r.gates[0].Workers(t)
	must(r.gates[0].SignIn(leaving, "/shop", Bob))(t)
	left := copied(leaving, r.gates[0].URL("/shop"))
	checkEverywhere(t, r.gates[0], workers, left, servedTo(Bob))
	r.redis.Stop(t)
	Eventually(t, awayLimit, func() error { // until it has been away for too long
		if n := c.refused.Load(); n < 20 {
			return fmt.Errorf("%d requests were refused while redis was away", n)
		}
		return nil
	})
	must(leaving.Over(workers[0]).Get(r.gates[0].URL("/oauth2/sign_out")))(t)
	checkEverywhere(t, r.gates[0], workers, left, notServed)
	checkBackChannelAway(t, r)
	r.redis.Start(t)
	for _, g := range r.gates {
		eventuallyEverywhere(t, g, copied(c.alive[0], g.URL("/shop")), servedTo(Alice))
		eventuallyEverywhere(t, g, left, g.anonymous)
	}
	c.dismiss()
	if wrong := c.wrong.Load(); wrong != nil {
		t.Error(*wrong)
	}
	t.Logf("%d answers, %d times 503", c.served.Load(), c.refused.Load())
}

// awayLimit bounds how long it takes to see that Redis is away, or back.
const awayLimit = 20 * time.Second

// checkBackChannelAway wants the provider to be told to try again.
func checkBackChannelAway(t *testing.T, r *replicas) {
	t.Helper()
	for _, token := range must(r.provider.IDP.LogoutTokens(Bob.Name))(t) {
		form := url.Values{"logout_token": {token.Raw}}.Encode()
		page := must(NewBrowser().Do(http.MethodPost, r.gates[0].URL(backChannel), form))(t)
		if page.Status < http.StatusInternalServerError {
			t.Errorf("without redis, the back channel answered %d", page.Status)
		}
	}
}

func eventuallyEverywhere(t *testing.T, g *Gate, cookies http.Header, check func(*Page) error) {
	t.Helper()
	for _, worker := range g.Workers(t) {
		Eventually(t, awayLimit, func() error {
			page, err := NewBrowser().Over(worker).Get(g.URL("/shop"), cookies)
			if err != nil {
				return err
			}
			return check(page)
		})
	}
}

// crowd keeps asking with sessions, at both gates in turn, and notes what came.
type crowd struct {
	alive   []*Browser
	dismiss func()

	stop    chan struct{}
	group   sync.WaitGroup
	served  atomic.Int64
	refused atomic.Int64 // 503
	wrong   atomic.Pointer[string]
}

// gather makes a crowd of Alice's sessions, which go on, and of Bob's, which
// were ended before.
func gather(t *testing.T, r *replicas) *crowd {
	t.Helper()
	c := &crowd{stop: make(chan struct{})}
	c.dismiss = sync.OnceFunc(func() { close(c.stop); c.group.Wait() })
	for i := range 4 {
		b := NewBrowser()
		must(r.gates[i%2].SignIn(b, "/shop", Alice))(t)
		c.alive = append(c.alive, b)
		c.watch(r, b, servedTo(Alice))
	}
	for _, here := range r.gates {
		b := NewBrowser()
		must(here.SignIn(b, "/shop", Bob))(t)
		cookies := copied(b, here.URL("/shop"))
		must(b.Get(here.URL("/oauth2/sign_out")))(t)
		for _, g := range r.gates {
			eventuallyEverywhere(t, g, cookies, g.anonymous)
		}
		c.watch(r, NewBrowser(), here.anonymous, cookies)
	}
	return c
}

// watch has one session ask until the crowd is dismissed. Each answer must be
// 503, or one that allowed says yes to. Headers replace what the browser sends.
func (c *crowd) watch(r *replicas, b *Browser, allowed func(*Page) error, headers ...http.Header) {
	c.group.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-c.stop:
				return
			default:
			}
			page, err := b.Get(r.gates[i%len(r.gates)].URL("/shop"), headers...)
			if err == nil && page.Status == http.StatusServiceUnavailable {
				c.refused.Add(1)
				continue
			}
			if err == nil {
				err = allowed(page)
			}
			if err != nil {
				text := err.Error()
				c.wrong.CompareAndSwap(nil, &text)
				return
			}
			c.served.Add(1)
		}
	})
}

func notServed(p *Page) error {
	if p.Status == http.StatusOK {
		return fmt.Errorf("e2e: an ended session was served")
	}
	return nil
}

func testTicketIsSmall(t *testing.T, r *replicas) {
	b := NewBrowser()
	must(r.gates[0].SignIn(b, "/shop", Alice))(t)
	for _, c := range b.Jar.For(address(t, r.gates[0].URL("/"))) {
		if n := len(c.Name) + len(c.Value); c.Name == SessionCookie && n >= 200 {
			t.Errorf("the session's cookie has %d bytes", n)
		}
	}
}
