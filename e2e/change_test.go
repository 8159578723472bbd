package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

const (
	// changes is how often the settings change.
	changes = 100
	// settled is the change after which memory is to be flat: the heap of a module
	// has grown to what old and new settings need side by side.
	settled = changes * 2 / 5
	// settledWaver is what it may waver by, for it grows in steps.
	settledWaver = 3 << 20
)

// changing is a gate whose settings, module and keys change while people work
// with it.
type changing struct {
	*Delivered
	whole *testing.T // of the whole test: sockets stay open over its parts
	tap   *Tap

	step    int
	people  []*Browser
	token   string
	sockets []*Stream
}

func startChanging(t *testing.T, workers int) *changing {
	t.Helper()
	p := NewEmbedded(t)
	c := &changing{whole: t, tap: NewTap(t, p.Provider)}
	c.Delivered = StartDelivered(t, p.Provider, EnvoySetup{Workers: workers, Host: loopbackClient, IDP: c.tap.Addr()},
		Delivery{Settings: changingSettings(p.Provider, 0), Env: NewSecrets()})
	return c
}

// changingSettings are those of a step: each lets everybody see another page.
func changingSettings(p *Provider, step int) Settings {
	s := NewSettings(p)
	hosts(loopbackClient + ":*")(s)
	provider(s)["timeout"] = "5s"
	s["bearer"] = []Settings{{"provider": p.Name, "audiences": []string{ClientID}}}
	s["rules"] = []Settings{
		{"match": Settings{"paths": []string{"/healthz", fmt.Sprint("/step/", step)}}, "allow": "anyone"},
		{"match": Settings{"paths": []string{"/api/*"}}, "accept": []string{"bearer"}},
	}
	return s
}

// next delivers the settings of the next step, and sees that they are in force.
func (c *changing) next(t *testing.T, more ...func(*Delivery)) {
	t.Helper()
	c.step++
	c.Deliver(t, func(d *Delivery) {
		d.Settings = changingSettings(c.Provider, c.step)
		for _, change := range more {
			change(d)
		}
	})
	c.checkStep(t)
}

func (c *changing) checkStep(t *testing.T) {
	t.Helper()
	page := must(NewBrowser().Get(c.URL(fmt.Sprint("/step/", c.step))))(t)
	if page.Status != http.StatusOK {
		t.Fatalf("step %d: its open page answers %d", c.step, page.Status)
	}
}

// person is whose session a browser of the people's has.
func (c *changing) person(i int) Person { return []Person{Alice, Bob}[i%2] }

// arrive signs four people in, and takes a token.
func (c *changing) arrive(t *testing.T) {
	t.Helper()
	for i := range 4 {
		b := NewBrowser()
		page := must(c.SignIn(b, "/shop", c.person(i)))(t)
		c.people = append(c.people, b)
		c.token = must(ReadSeen(page))(t).Value("x-auth-request-access-token")
	}
}

// work is what goes on while something changes: people with their sessions, and
// a service with its token. It returns what ends it and fails the test if
// anything was lost.
func (c *changing) work(t *testing.T) (end func()) {
	var errands []Errand
	for i, b := range c.people {
		errands = append(errands, c.servedAgain(b, "/shop", c.person(i)))
	}
	load := StartLoad(append(errands, c.servedToken(c.token, "/api/orders", c.person(3)))...)
	return func() {
		t.Helper()
		took := load.Stop()
		t.Logf("%d requests: half within %v, 99 of 100 within %v, all within %v", len(took),
			took[len(took)/2].Round(time.Millisecond/10), took[len(took)*99/100].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
		lost := load.Lost()
		if len(lost) > 0 {
			t.Errorf("%d requests were lost, the first: %v", len(lost), lost[0])
		}
	}
}

// TestChangesUnderLoad changes everything that can change while Envoy runs, as
// Istio does, while people and services work. Nobody is to notice.
func TestChangesUnderLoad(t *testing.T) {
	c := startChanging(t, 2)
	c.tap.Lifetime(5 * time.Second) // so that sessions are renewed all the time
	c.arrive(t)
	t.Run("a hundred changes of the settings", c.testHundredChanges)
	c.tap.Lifetime(0)
	t.Run("a renewal under way outlives the settings under which it began", c.testRenewalOutlives)
	t.Run("a provider that is away when settings change ends no session", c.testChangeInOutage)
	t.Run("settings that are refused leave the old ones in force", c.testRefused)
	t.Run("another file of the module, and back", c.testModules)
	t.Run("streams from before all changes end with their session", c.testOldStreams)
	t.Run("keys are rotated in three steps", c.testRotation)
	checkLog(t, c.Gate)
}

// TestNothingPassesBeforeADeliveryIsTaken starts an Envoy whose first delivery is
// refused: it has no old one to go on with.
func TestNothingPassesBeforeADeliveryIsTaken(t *testing.T) {
	p := &Provider{Name: "nowhere", Issuer: "http://127.0.0.1:1"}
	d := launchDelivered(t, p, EnvoySetup{Host: loopbackClient}, Delivery{Settings: changingSettings(p, 0), Env: NewSecrets(), Module: noModule(t)})
	d.mustBeReady(t)
	for _, path := range []string{"/shop", "/step/0"} {
		page := must(NewBrowser().Get(d.URL(path)))(t)
		if page.Status != http.StatusInternalServerError {
			t.Errorf("%s answers %d", path, page.Status)
		}
	}
	if n := d.App.Requests(); n != 0 {
		t.Errorf("%d requests reached the application", n)
	}
}

// noModule is a file that no VM can be made of.
func noModule(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "none.wasm")
	if err := os.WriteFile(file, []byte("\x00asm\x01\x00\x00\x00\x07"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (c *changing) testHundredChanges(t *testing.T) {
	end := c.work(t)
	var slowest time.Duration
	var memory [2]int64
	for c.step < changes {
		switch {
		case c.step < settled/2 && c.step%10 == 0:
			c.sockets = append(c.sockets, c.OpenSocket(c.whole, c.people[0]))
		case c.step >= settled && memory[0] == 0:
			memory[0] = slices.Max(must(c.LinearMemory())(t))
		}
		begun := time.Now()
		c.next(t)
		slowest = max(slowest, time.Since(begun))
		if c.step%20 == 0 {
			c.loginAcross(t)
		}
	}
	memory[1] = slices.Max(must(c.LinearMemory())(t))
	end()
	t.Logf("the slowest change was in force after %v; linear memory %.1f MiB, then %.1f MiB", slowest.Round(time.Millisecond),
		float64(memory[0])/(1<<20), float64(memory[1])/(1<<20))
	if memory[1] > memory[0]+settledWaver {
		t.Errorf("linear memory grew from %d to %d bytes over %d changes", memory[0], memory[1], changes-settled)
	}
	if n := c.Stat(t, "wasm.envoy.wasm.runtime.v8.active"); n != c.Setup.Workers+2 {
		t.Errorf("%d VMs, not one for each worker and two for the main thread", n)
	}
	if n := c.tap.Count("refused:invalid_grant"); n != 0 {
		t.Errorf("the provider refused %d grants", n)
	}
	c.checkSockets(t)
}

// loginAcross signs somebody in who was sent to the provider under the settings
// before.
func (c *changing) loginAcross(t *testing.T) {
	t.Helper()
	login := must(c.StartLogin(NewBrowser(), "/cart"))(t)
	c.next(t)
	must(login.through("/cart", Alice))(t)
}

func (c *changing) checkSockets(t *testing.T) {
	t.Helper()
	for i, s := range c.sockets {
		if err := s.Echo("hello"); err != nil {
			t.Errorf("socket %d: %v", i, err)
		}
	}
}

// testRenewalOutlives has settings change while the provider is asked for new
// tokens: for somebody who waits, and for somebody who went away.
func (c *changing) testRenewalOutlives(t *testing.T) {
	sessions := expiredSessions(t, c.Gate, c.tap, 2)
	before, release := c.tap.Count(refreshes), c.tap.Hold()
	waits, leaves := sessions[0].Burst(c.URL("/shop")).Send(1), sessions[1].Burst(c.URL("/shop")).Send(1)
	Eventually(t, 10*time.Second, func() error {
		if n := c.tap.Count(refreshes) - before; n != 2 {
			return fmt.Errorf("the provider was asked %d times", n)
		}
		return nil
	})
	leaves.Leave(1)
	c.next(t)
	c.next(t)
	release()
	if err := checkServed(must(waits.Wait())(t), 1, Alice); err != nil {
		t.Errorf("who waited: %v", err)
	}
	for i, b := range sessions {
		if err := c.servedAgain(b, "/shop", Alice)(); err != nil {
			t.Errorf("session %d, afterwards: %v", i+1, err)
		}
	}
	if n := c.tap.Count(refreshes) - before; n != 2 {
		t.Errorf("%d refreshes, want 2", n)
	}
}

// testChangeInOutage shows what new settings need a provider for: not for
// sessions that it need not be asked about.
func (c *changing) testChangeInOutage(t *testing.T) {
	b := NewBrowser()
	must(c.SignIn(b, "/shop", Alice))(t)
	c.tap.Away(true)
	c.next(t)
	for range 4 {
		if err := c.servedAgain(b, "/shop", Alice)(); err != nil {
			t.Error(err)
		}
	}
	c.tap.Away(false)
	c.next(t) // which learns of the provider at once
	c.waitProvider(t)
}

func (c *changing) testRefused(t *testing.T) {
	end := c.work(t)
	for name, wrong := range map[string]func(*Delivery){
		"no JSON": func(d *Delivery) { d.Settings = `{"providers": [` },
		"a secret that is nowhere": func(d *Delivery) {
			s := changingSettings(c.Provider, c.step+1)
			provider(s)["client_secret"] = Settings{"env": "NO_SUCH_SECRET"}
			d.Settings = s
		},
		"a module that is none": func(d *Delivery) { d.Module = noModule(t) },
	} {
		rejected := len(c.Log.Lines("update rejected"))
		c.Misdeliver(t, wrong)
		Eventually(t, 10*time.Second, func() error {
			if len(c.Log.Lines("update rejected")) == rejected {
				return fmt.Errorf("%s: the log says nothing", name)
			}
			return nil
		})
		c.checkStep(t)
	}
	end()
	if err := c.Log.WaitFor("NO_SUCH_SECRET", time.Second); err != nil {
		t.Error("the log does not name the variable that is missing")
	}
	c.next(t) // and what is right is taken again
}

// testRotation changes the keys as operations do it, while people work. Other
// variables make another VM.
func (c *changing) testRotation(t *testing.T) {
	created := c.Stat(t, "wasm.envoy.wasm.runtime.v8.created")
	older, newer := Settings{"id": "k1", "env": "POSTERN_KEY"}, Settings{"id": "k2", "env": "POSTERN_NEW_KEY"}
	socket := c.OpenSocket(t, c.people[1])
	end := c.work(t)
	fresh := newKey()
	for _, keys := range [][]Settings{{older, newer}, {newer, older}, {newer}} {
		c.Deliver(t, func(d *Delivery) {
			s := changingSettings(c.Provider, c.step)
			s["session"].(Settings)["keys"] = keys
			d.Settings, d.Env["POSTERN_NEW_KEY"] = s, fresh
			if len(keys) == 1 {
				delete(d.Env, "POSTERN_KEY")
			}
		})
		for i, b := range c.people { // whoever comes by is sealed anew
			if err := c.servedAgain(b, "/shop", c.person(i))(); err != nil {
				t.Errorf("with %d keys: %v", len(keys), err)
			}
		}
	}
	end()
	if err := socket.Echo("hello"); err != nil {
		t.Error(err)
	}
	if n := c.Stat(t, "wasm.envoy.wasm.runtime.v8.created") - created; n < 2*(c.Setup.Workers+1) {
		t.Errorf("%d VMs were made for two environments", n)
	}
}

// testModules delivers another file of the module, which is another VM beside the
// old one, and the first file again.
func (c *changing) testModules(t *testing.T) {
	first := must(modulePath(EnvoySetup{}))(t)
	other := otherFile(t, first)
	end := c.work(t)
	for _, file := range []string{other, first} {
		login := must(c.StartLogin(NewBrowser(), "/cart"))(t)
		begun := time.Now()
		c.Deliver(t, func(d *Delivery) { d.Module = file })
		t.Logf("a module was in force after %v", time.Since(begun).Round(time.Millisecond))
		must(login.through("/cart", Bob))(t)
	}
	end()
	c.checkSockets(t)
}

// otherFile is the module with a note behind it, which is another module to Envoy.
func otherFile(t *testing.T, module string) string {
	t.Helper()
	const note = "\x04note" + "another build"
	code := must(os.ReadFile(module))(t)
	file := filepath.Join(t.TempDir(), "other.wasm")
	section := append([]byte{0, byte(len(note))}, note...) // a custom section
	if err := os.WriteFile(file, bytes.Join([][]byte{code, section}, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// testOldStreams signs somebody out whose sockets were opened under settings that
// are long gone.
func (c *changing) testOldStreams(t *testing.T) {
	must(c.people[0].Get(c.URL("/oauth2/sign_out")))(t)
	must(c.SignIn(c.people[0], "/shop", c.person(0)))(t)
	for i, s := range c.sockets {
		if err := s.Cut(cutLimit); err != nil {
			t.Errorf("socket %d: %v", i, err)
		}
	}
	Eventually(t, cutLimit, func() error {
		stats, err := c.AdminGet(context.Background(), "/stats?filter=^wasm.envoy.wasm.runtime.v8.active$")
		if err != nil {
			return err
		}
		if want := fmt.Sprintf(": %d\n", c.Setup.Workers+2); !bytes.HasSuffix(stats, []byte(want)) {
			return fmt.Errorf("old VMs are still there: %s", stats)
		}
		return nil
	})
}
