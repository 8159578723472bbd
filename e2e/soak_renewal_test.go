//go:build soak

package e2e

import (
	"fmt"
	"testing"
	"time"
)

// TestSoakOneRefresh is the test of one refresh, a hundred times in a row.
func TestSoakOneRefresh(t *testing.T) {
	p := NewEmbedded(t)
	tap := NewTap(t, p.Provider)
	g := StartGate(t, p.Provider, EnvoySetup{Workers: 4, Host: loopbackClient, IDP: tap.Addr()}, hosts(loopbackClient+":*"))
	for range 10 {
		testOneRefresh(t, g, tap, 10)
	}
	if n := p.IDP.Count("refused:invalid_grant"); n != 0 {
		t.Errorf("the provider refused %d grants", n)
	}
	checkLog(t, g)
}

// The size of the soak of refreshes: each session is renewed at each visit, as
// its access tokens live no longer than a second, and a round takes longer.
const (
	soakSessions  = 1_000
	soakRefreshes = 100_000
	soakWarmed    = 20_000
)

func TestSoakMemoryOverRefreshes(t *testing.T) {
	p := NewEmbedded(t)
	tap := NewTap(t, p.Provider)
	g := StartGate(t, p.Provider, EnvoySetup{Host: loopbackClient, IDP: tap.Addr()}, hosts(loopbackClient+":*"))
	tap.Lifetime(time.Second)
	const atATime = 8
	browsers := make([]*Browser, soakSessions)
	each := func(visit func(i int) error) {
		t.Helper()
		inParallel(t, atATime, func(first int) error {
			for i := first; i < soakSessions; i += atATime {
				if err := visit(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	each(func(i int) (err error) {
		browsers[i] = NewBrowser()
		_, err = g.SignIn(browsers[i], "/shop", Alice)
		return err
	})
	var warm int64
	for told := 0; tap.Count(refreshes) < soakRefreshes; {
		round := time.After(time.Second)
		each(func(i int) error {
			page, err := browsers[i].Get(g.URL("/shop"))
			if err != nil {
				return err
			}
			return checkServed([]*Page{page}, 1, Alice)
		})
		<-round
		done := tap.Count(refreshes)
		sizes := must(g.LinearMemory())(t)
		if len(sizes) == 0 {
			t.Fatal("envoy shows no linear memory")
		}
		if done <= soakWarmed {
			warm = sizes[0]
		}
		if done/10_000 > told {
			told = done / 10_000
			t.Logf("%d refreshes: linear memory %.1f MiB", done, float64(sizes[0])/(1<<20))
		}
		if err := flat(warm, sizes[0]); err != nil {
			t.Fatalf("after %d refreshes: %v", done, err)
		}
	}
	if n := tap.Count("refused:invalid_grant"); n != 0 {
		t.Errorf("the provider refused %d grants", n)
	}
	checkLog(t, g)
}

// flat compares a module's memory with what it was after warming up.
func flat(warm, now int64) error {
	if now > soakMemory || now > warm+soakWaver {
		return fmt.Errorf("%d bytes, after warming up it was %d", now, warm)
	}
	return nil
}
