//go:build soak

package e2e

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// The soak's size. The first rounds warm up: they fill the session cache and
// the table of used logins, which are bounded.
const (
	soakRounds   = 10
	soakWarm     = 2
	soakRequests = 50_000 // in each
	soakLogins   = 2_000  // in each
)

// Memory of one worker's module: the bound, and what a flat line may waver by
// (the heap grows in steps).
const (
	soakMemory = 40 << 20
	soakWaver  = 4 << 20
)

func TestSoakMemoryStaysFlat(t *testing.T) {
	ForEachEnvoy(t, func(t *testing.T, version string) {
		g := soakGate(t, version)
		var warm int64
		for round := range soakRounds {
			soakRound(t, g)
			sizes := must(g.LinearMemory())(t)
			if len(sizes) == 0 {
				t.Fatal("envoy shows no linear memory")
			}
			t.Logf("round %d: linear memory %.1f MiB", round+1, float64(sizes[0])/(1<<20))
			if round < soakWarm {
				warm = sizes[0]
			}
			if sizes[0] > soakMemory {
				t.Errorf("round %d: %d bytes, the bound is %d", round+1, sizes[0], soakMemory)
			}
			if sizes[0] > warm+soakWaver {
				t.Errorf("round %d: %d bytes, after warming up it was %d", round+1, sizes[0], warm)
			}
		}
		checkLog(t, g)
	})
}

// soakGate is answered by Envoy itself, in front of a provider inside the test.
func soakGate(t *testing.T, version string) *Gate {
	t.Helper()
	p := NewEmbedded(t).Provider
	settings := NewSettings(p)
	settings["hosts"] = []string{loopbackClient + ":*"}
	e := StartEnvoy(t, EnvoySetup{
		Version: version, Workers: 1, Host: loopbackClient, IDP: p.Addr(), Config: settings, Env: NewSecrets(),
	})
	g := &Gate{Envoy: e, App: NewApp(t), Provider: p}
	g.waitProvider(t)
	return g
}

func soakRound(t *testing.T, g *Gate) {
	t.Helper()
	const browsers = 4
	inParallel(t, browsers, func(int) error {
		for i := range soakLogins / browsers {
			if _, err := g.SignIn(NewBrowser(), "/shop?n="+strconv.Itoa(i), Alice); err != nil {
				return fmt.Errorf("login %d: %w", i, err)
			}
		}
		return nil
	})
	b := NewBrowser()
	must(g.SignIn(b, "/shop", Alice))(t)
	load(t, g, b)
}

// load sends requests with the browser's session; each must be answered by 200.
func load(t *testing.T, g *Gate, b *Browser) {
	t.Helper()
	var cookies []string
	for _, c := range b.Jar.For(address(t, g.URL("/"))) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	h2load := must(command("h2load"))(t)
	out, err := exec.Command(h2load, "--h1", "-c", "16", "-n", strconv.Itoa(soakRequests),
		"-H", "cookie: "+strings.Join(cookies, "; "), g.URL("/shop")).CombinedOutput()
	if err != nil {
		t.Fatalf("h2load: %v\n%s", err, out)
	}
	if want := fmt.Sprintf("%d 2xx", soakRequests); !strings.Contains(string(out), want) {
		t.Errorf("h2load: not %s:\n%s", want, out)
	}
}
