package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The module that is handed out has no way to be ended by a request.
func TestTheTrapIsInNoModuleButItsOwn(t *testing.T) {
	list := exec.Command("go", "list", "-f", "{{.GoFiles}}", "./filter")
	list.Dir, list.Env = must(Root())(t), append(list.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	files := string(must(list.Output())(t))
	if !strings.Contains(files, "main.go") || strings.Contains(files, "trap") {
		t.Errorf("the module is made of %s", files)
	}
}

// idleTimeout is after how long Envoy ends a stream on which nothing moves.
const idleTimeout = 2 * time.Second

// reloadPause is longer than the second, and the half that Envoy may add to it, in
// which a VM that was just made is not made again.
const reloadPause = 1600 * time.Millisecond

// trapping is a gate on one worker whose module a request can end.
type trapping struct {
	*Delivered
	tap  *Tap
	slow chan struct{} // what requests for /slow wait for, at the application
	made time.Time     // the VM, as far as is known
}

func startTrapping(t *testing.T, version string) *trapping {
	t.Helper()
	p := NewEmbedded(t)
	g := &trapping{tap: NewTap(t, p.Provider), slow: make(chan struct{})}
	app := &App{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-g.slow
		}
		app.serve(w, r)
	}))
	t.Cleanup(server.Close)
	settings := changingSettings(p.Provider, 0)
	provider(settings)["timeout"] = "1s"
	g.Delivered = StartDelivered(t, p.Provider, EnvoySetup{
		Version: version, Host: loopbackClient, App: server.Listener.Addr().String(), IDP: g.tap.Addr(),
		Listener: func(l map[string]any) { managerOf(l)["stream_idle_timeout"] = idleTimeout.String() },
	}, Delivery{Settings: settings, Env: NewSecrets(), Module: trapModule(t)})
	g.App, g.made = app, time.Now()
	return g
}

// trap sends a request that ends the module, once it is old enough to be made
// anew at once, and returns the answer.
func (g *trapping) trap(t *testing.T, b *Browser, how, at string) *Page {
	t.Helper()
	<-time.After(time.Until(g.made.Add(reloadPause))) // in real time, as it is Envoy's clock
	page := must(b.Get(g.URL("/shop"), http.Header{"X-Trap": {how}, "X-Trap-At": {at}}))(t)
	g.made = time.Now()
	return page
}

func (g *trapping) reloads(t *testing.T) int {
	t.Helper()
	return g.Stat(t, "wasm.postern.vm_reload_success")
}

func TestTrap(t *testing.T) {
	t.Parallel()
	g := startTrapping(t, EnvoyVersions[0])
	b := NewBrowser()
	must(g.SignIn(b, "/shop", Alice))(t)
	t.Run("a panic costs its own request only", func(t *testing.T) { g.testPanic(t, b) })
	for _, trap := range []struct{ name, how, at string }{
		{"Go's runtime gives up", "deadlock", ""},
		{"the stack is exhausted", "stack", ""},
		{"the memory is exhausted", "memory", ""},
		{"in the application's answer", "deadlock", "response"},
	} {
		t.Run(trap.name, func(t *testing.T) { g.testNext(t, b, trap.how, trap.at) })
	}
	t.Run("in a tick", func(t *testing.T) { g.testTick(t, b) })
	t.Run("what is under way on the worker", func(t *testing.T) { g.testUnderWay(t, b) })
	t.Run("a module that traps again and again is made anew each second", func(t *testing.T) { g.testBackoff(t, b) })
	t.Run("what was ended stays ended", g.testEnded)
	t.Run("streams end with their next byte, and are watched no more", g.testStreamsOfDead)
	var cutOff *Browser
	t.Run("who waits for the provider, and the answer that comes too late", func(t *testing.T) { cutOff = g.testParked(t, b) })
	t.Run("FAIL_CLOSED answers 503 until there are new settings", func(t *testing.T) { g.testFailClosed(t, b) })
	t.Run("a session whose renewal was cut off signs in again", func(t *testing.T) { g.testCutOff(t, cutOff) })
}

func (g *trapping) testPanic(t *testing.T, b *Browser) {
	socket, before := g.OpenSocket(t, b), g.Stat(t, "wasmcustom.postern_panics_total")
	page := g.trap(t, b, "panic", "")
	if page.Status != http.StatusServiceUnavailable {
		t.Errorf("a panic is answered %d", page.Status)
	}
	if err := g.servedAgain(b, "/shop", Alice)(); err != nil {
		t.Error(err)
	}
	if err := socket.Echo("hello"); err != nil {
		t.Error(err)
	}
	if n := g.Stat(t, "wasmcustom.postern_panics_total") - before; n != 1 || g.reloads(t) != 0 {
		t.Errorf("%d panics were counted, and %d VMs made anew", n, g.reloads(t))
	}
}

// testNext has a request end the module: it is answered 503, and the next is
// served.
func (g *trapping) testNext(t *testing.T, b *Browser, how, at string) {
	before := g.reloads(t)
	page := g.trap(t, b, how, at)
	if page.Status != http.StatusServiceUnavailable || page.Body != "" {
		t.Errorf("the request that traps is answered %d %.60q", page.Status, page.Body)
	}
	begun := time.Now()
	if err := g.servedAgain(b, "/shop", Alice)(); err != nil {
		t.Errorf("the next request: %v", err)
	}
	t.Logf("the next request took %v", time.Since(begun).Round(time.Millisecond))
	if n := g.reloads(t) - before; n != 1 {
		t.Errorf("%d VMs were made anew, want 1", n)
	}
}

func (g *trapping) testTick(t *testing.T, b *Browser) {
	before := g.reloads(t)
	if page := g.trap(t, b, "deadlock", "tick"); page.Status != http.StatusOK {
		t.Errorf("the request before the tick is answered %d", page.Status)
	}
	Eventually(t, 10*time.Second, func() error {
		if err := g.servedAgain(b, "/shop", Alice)(); err != nil {
			return err
		}
		if g.reloads(t) == before {
			return fmt.Errorf("the module has not trapped yet")
		}
		return nil
	})
	g.made = time.Now()
}

// testUnderWay has a request wait for the application while another one traps.
func (g *trapping) testUnderWay(t *testing.T, b *Browser) {
	before := g.App.Requests()
	waits := b.Burst(g.URL("/slow")).Send(1)
	Eventually(t, 10*time.Second, func() error {
		if n := g.Stat(t, "cluster.app.upstream_rq_active"); n != 1 {
			return fmt.Errorf("%d requests wait for the application", n)
		}
		return nil
	})
	g.trap(t, b, "deadlock", "")
	g.slow <- struct{}{}
	if pages := must(waits.Wait())(t); pages[0].Status != http.StatusServiceUnavailable {
		t.Errorf("who waited for the application is answered %d", pages[0].Status)
	}
	if n := g.App.Requests() - before; n != 1 {
		t.Errorf("the application saw %d requests", n)
	}
}

func (g *trapping) testBackoff(t *testing.T, b *Browser) {
	if err := g.servedAgain(b, "/shop", Alice)(); err != nil {
		t.Fatal(err) // the VM is made now
	}
	before := g.Stat(t, "wasm.postern.vm_reload_backoff")
	must(b.Get(g.URL("/shop"), http.Header{"X-Trap": {"deadlock"}}))(t)
	page := must(b.Get(g.URL("/shop")))(t)
	if page.Status != http.StatusServiceUnavailable || g.Stat(t, "wasm.postern.vm_reload_backoff") == before {
		t.Errorf("a VM that trapped at once is made anew at once: %d", page.Status)
	}
	begun := time.Now()
	Eventually(t, 10*time.Second, g.servedAgain(b, "/shop", Alice))
	if took := time.Since(begun); took > 2*reloadPause {
		t.Errorf("it took %v until a VM was made anew", took)
	}
	g.made = time.Now()
}

// testEnded signs somebody out, and has the module end: the table of what was
// ended is Envoy's.
func (g *trapping) testEnded(t *testing.T) {
	b := NewBrowser()
	must(g.SignIn(b, "/shop", Bob))(t)
	cookies := copied(b, g.URL("/shop"))
	must(b.Get(g.URL("/oauth2/sign_out")))(t)
	g.trap(t, NewBrowser(), "deadlock", "")
	g.waitProvider(t)
	checkAnonymous(t, g.Gate, must(NewBrowser().Get(g.URL("/shop"), cookies))(t))
}

// testStreamsOfDead shows the limit: nobody is left who would cut the streams of
// a worker whose module has ended.
func (g *trapping) testStreamsOfDead(t *testing.T) {
	b := NewBrowser()
	must(g.SignIn(b, "/shop", Bob))(t)
	socket, quiet := g.OpenSocket(t, b), g.OpenEvents(t, b)
	g.trap(t, NewBrowser(), "deadlock", "")
	g.waitProvider(t)
	must(b.Get(g.URL("/oauth2/sign_out")))(t)
	if !quiet.Open() {
		t.Error("a stream on which nothing moves has ended by itself")
	}
	if err := socket.Echo("hello"); err == nil {
		t.Error("a stream of a session that was ended goes on")
	}
	if err := quiet.Cut(2 * idleTimeout); err != nil {
		t.Error(err)
	}
}

// testParked has a request wait for the provider's answer while another one traps.
// Envoy holds it until it is idle for too long. It returns whose renewal was lost.
func (g *trapping) testParked(t *testing.T, b *Browser) *Browser {
	p := expiredSessions(t, g.Gate, g.tap, 1)[0]
	before, release := g.tap.Count(refreshes), g.tap.Hold()
	waits := p.Burst(g.URL("/shop")).Send(1)
	Eventually(t, 10*time.Second, func() error {
		if g.tap.Count(refreshes) == before {
			return fmt.Errorf("the provider was not asked")
		}
		return nil
	})
	g.trap(t, b, "deadlock", "")
	if err := g.servedAgain(b, "/shop", Alice)(); err != nil {
		t.Errorf("the next request: %v", err)
	}
	release() // to a VM that is no more
	if pages := must(waits.Wait())(t); pages[0].Status != http.StatusServiceUnavailable {
		t.Errorf("who waited for the provider is answered %d", pages[0].Status)
	}
	return p
}

// testCutOff shows that a refresh token which was sent is not sent again: the
// session waits for as long as its renewal could have taken, and is over.
func (g *trapping) testCutOff(t *testing.T, b *Browser) {
	before := g.tap.Count(refreshes)
	Eventually(t, 20*time.Second, func() error {
		page, err := b.Get(g.URL("/shop"))
		if err != nil {
			return err
		}
		return g.anonymous(page)
	})
	if n := g.tap.Count(refreshes) - before; n != 0 {
		t.Errorf("the refresh token was sent %d times more", n)
	}
}

func (g *trapping) testFailClosed(t *testing.T, b *Browser) {
	g.Deliver(t, func(d *Delivery) { d.Policy = "FAIL_CLOSED" })
	if err := g.servedAgain(b, "/shop", Alice)(); err != nil {
		t.Fatal(err)
	}
	g.trap(t, b, "deadlock", "")
	<-time.After(reloadPause) // in real time, as it is Envoy's clock
	if page := must(b.Get(g.URL("/shop")))(t); page.Status != http.StatusServiceUnavailable {
		t.Errorf("a module that has ended answers %d", page.Status)
	}
	g.Deliver(t, func(d *Delivery) {
		d.Settings = changingSettings(g.Provider, 1)
		d.Policy = "FAIL_RELOAD"
	})
	if err := g.servedAgain(b, "/shop", Alice)(); err != nil {
		t.Errorf("with new settings: %v", err)
	}
}

// TestTrapOnTheOldestEnvoy is what else differs by version: up to 1.38 a VM keeps
// the environment that it was made with.
func TestTrapOnTheOldestEnvoy(t *testing.T) {
	t.Parallel()
	g := startTrapping(t, EnvoyVersions[len(EnvoyVersions)-1])
	b := NewBrowser()
	must(g.SignIn(b, "/shop", Alice))(t)
	t.Run("a trap", func(t *testing.T) { g.testNext(t, b, "deadlock", "") })
	t.Run("the environment is that of the VM", func(t *testing.T) {
		newKey := func(d *Delivery) {
			s := changingSettings(g.Provider, 1)
			s["session"].(Settings)["keys"] = []Settings{{"id": "k1", "env": "POSTERN_KEY"}, {"id": "k2", "env": "POSTERN_NEW_KEY"}}
			d.Settings, d.Env["POSTERN_NEW_KEY"] = s, newKey()
		}
		g.Misdeliver(t, newKey)
		g.Deliver(t, func(d *Delivery) { newKey(d); d.Revision = "2" })
		if err := g.servedAgain(b, "/shop", Alice)(); err != nil {
			t.Error(err)
		}
	})
}
