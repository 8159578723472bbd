package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// checkAnonymous wants a page answered as to somebody who has no session: by
// the way to sign in.
func checkAnonymous(t *testing.T, g *Gate, p *Page) {
	t.Helper()
	if err := anonymous(g, p); err != nil {
		t.Error(err)
	}
}

func anonymous(g *Gate, p *Page) error {
	if to := p.Location(); to == nil || !g.Provider.Owns(to) {
		return fmt.Errorf("e2e: %s answered %d to %v, not with the way to sign in", p.URL.Path, p.Status, to)
	}
	return nil
}

// copied is a browser with a copy of another's cookies.
func copied(b *Browser, address string) http.Header {
	return http.Header{"Cookie": {b.cookieLine(address)}}
}

// checkEverywhere has each worker asked with the same cookies.
func checkEverywhere(t *testing.T, g *Gate, workers []*http.Transport, cookies http.Header, check func(*Page) error) {
	t.Helper()
	for i, worker := range workers {
		page := must(NewBrowser().Over(worker).Get(g.URL("/shop"), cookies))(t)
		if err := check(page); err != nil {
			t.Errorf("worker %d of %d: %v", i+1, len(workers), err)
		}
	}
}

func servedTo(who Person) func(*Page) error {
	return func(p *Page) error { return checkServed([]*Page{p}, 1, who) }
}

func (g *Gate) anonymous(p *Page) error { return anonymous(g, p) }

func testSignOutEverywhere(t *testing.T, g *Gate) {
	workers, b, other := g.Workers(t), NewBrowser(), NewBrowser()
	must(g.SignIn(b, "/shop", Alice))(t)
	must(g.SignIn(other, "/shop", Alice))(t)
	cookies, others := copied(b, g.URL("/shop")), copied(other, g.URL("/shop"))
	checkEverywhere(t, g, workers, cookies, servedTo(Alice)) // each of them knows the session now
	page := must(b.Over(workers[0]).Get(g.URL("/oauth2/sign_out")))(t)
	if page.Status != http.StatusOK {
		t.Errorf("sign_out answered %d", page.Status)
	}
	checkEverywhere(t, g, workers, cookies, g.anonymous)
	checkEverywhere(t, g, workers, others, servedTo(Alice)) // the same person, elsewhere
}

// testOldCookieEnds keeps a cookie that a renewal replaced: within the grace it
// stands for the session, but not beyond the session's end.
func testOldCookieEnds(t *testing.T, g *Gate, tap *Tap) {
	workers, b := g.Workers(t), expiredSessions(t, g, tap, 1)[0]
	before := tap.Count(refreshes)
	old := copied(b, g.URL("/shop"))
	must(ReadSeen(must(b.Get(g.URL("/shop")))(t)))(t)
	checkEverywhere(t, g, workers, old, servedTo(Alice))
	must(b.Get(g.URL("/oauth2/sign_out")))(t)
	checkEverywhere(t, g, workers, old, g.anonymous)
	if n := tap.Count(refreshes) - before; n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
}

// cutLimit bounds what a stream may take to end after its session: the gate
// looks once a second.
const cutLimit = 10 * time.Second

func testStreams(t *testing.T, g *Gate) {
	leaves, stays := NewBrowser(), NewBrowser()
	must(g.SignIn(leaves, "/shop", Alice))(t)
	must(g.SignIn(stays, "/shop", Bob))(t)
	var ending, lasting []*Stream
	for range 4 { // so that several workers hold some
		ending = append(ending, g.OpenSocket(t, leaves), g.OpenEvents(t, leaves))
		lasting = append(lasting, g.OpenSocket(t, stays), g.OpenEvents(t, stays))
	}
	for i := 0; i < len(ending); i += 2 {
		if err := ending[i].Echo("before"); err != nil {
			t.Fatal(err)
		}
	}
	must(leaves.Get(g.URL("/oauth2/sign_out")))(t)
	ended := time.Now()
	for i, s := range ending {
		if err := s.Cut(time.Until(ended.Add(cutLimit))); err != nil {
			t.Errorf("stream %d: %v", i, err)
		}
	}
	t.Logf("%d open streams were cut within %v of signing out", len(ending), time.Since(ended).Round(time.Millisecond))
	for i := 0; i < len(lasting); i += 2 {
		if err := lasting[i].Echo("after"); err != nil {
			t.Errorf("a stream of another session: %v", err)
		}
		if !lasting[i+1].Open() {
			t.Error("an event stream of another session was cut")
		}
	}
}
