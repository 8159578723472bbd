package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
)

const tabs = 50

// testTabs is a browser that restores its window: every tab asks for its page
// at once, the person signs in in one of them, and the provider sends all of
// them back in whatever order.
func testTabs(t *testing.T, g *Gate, b *Browser) {
	logins := make([]*Login, tabs)
	inParallel(t, tabs, func(i int) (err error) {
		logins[i], err = g.StartLogin(b, tabPage(i))
		return err
	})
	home := address(t, g.URL("/"))
	if names := b.Jar.Names(home); len(names) != 1 {
		t.Errorf("%d logins left the cookies %q, want one binding", tabs, names)
	}
	// One tab shows the form; the provider knows the person in the others.
	for _, login := range logins {
		if err := login.AtProvider(Alice); err != nil {
			t.Fatal(err)
		}
	}
	const seed = 42
	order := rand.New(rand.NewPCG(seed, seed)).Perm(tabs)
	inParallel(t, tabs, func(i int) error { return arrives(logins[order[i]], order[i]) })

	if page := must(b.Get(g.URL("/shop")))(t); page.Status != http.StatusOK {
		t.Errorf("after all, a page answers %d", page.Status)
	}
	bindings := 0
	for _, name := range b.Jar.Names(home) {
		if name != SessionCookie && name != SessionCookie+"-1" && name != SessionCookie+"-2" {
			bindings++
		}
	}
	if bindings > 1 {
		t.Errorf("cookies in the end: %q", b.Jar.Names(home))
	}
}

// testReplacedBinding is one interleaving of tabs opened at once, step by step:
// two of them were each given a binding, a third began its login with the
// first, and then the answer with the second arrived and replaced it.
func testReplacedBinding(t *testing.T, g *Gate) {
	b, other := NewBrowser(), NewBrowser()
	must(g.StartLogin(b, tabPage(0)))(t)
	login := must(g.StartLogin(b, tabPage(2)))(t)
	b.Jar.Set(address(t, g.URL("/")), must(g.StartLogin(other, tabPage(1)))(t).Started.Cookies)
	if err := login.AtProvider(Alice); err != nil {
		t.Fatal(err)
	}
	if err := arrives(login, 2); err != nil {
		t.Error(err)
	}
}

func tabPage(i int) string { return fmt.Sprintf("/shop/tab?n=%d", i) }

func arrives(login *Login, i int) error {
	way, err := login.Finish()
	if err != nil {
		return fmt.Errorf("tab %d: %w", i, err)
	}
	last := way[len(way)-1]
	seen, err := ReadSeen(last)
	if err != nil {
		return fmt.Errorf("tab %d: %w%s", i, err, trail(way))
	}
	if seen.Target != tabPage(i) {
		return fmt.Errorf("tab %d shows %s", i, seen.Target)
	}
	return nil
}

// inParallel runs n pieces of work at once and reports each that fails.
func inParallel(t *testing.T, n int, work func(int) error) {
	t.Helper()
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { errs[i] = work(i) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}
