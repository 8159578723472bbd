package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// idleTabs is how many tabs a browser has open while nobody is there.
const idleTabs = 20

// testIdleTabs has a person come back to a browser whose access token expired
// meanwhile, and all tabs load again at once.
func testIdleTabs(t *testing.T, g *Gate, tap *Tap) {
	c := NewChromium(t)
	tap.Lifetime(shortLife)
	defer tap.Lifetime(0)
	c.Open(g.URL(tabPage(0)))
	c.SignIn(g.Provider, Alice)
	c.WaitURL(g.URL(tabPage(0)))
	tabs := []*Chromium{c}
	for range idleTabs - 1 {
		tabs = append(tabs, c.Tab())
	}
	inParallel(t, idleTabs, func(i int) error { return tabs[i].shows(g, i) })
	expire()
	tap.Lifetime(0)
	refreshed, logins := tap.Count(refreshes), tap.Count(exchanges)
	inParallel(t, idleTabs, func(i int) error { return tabs[i].shows(g, i) })
	inParallel(t, idleTabs, func(i int) error { return tabs[i].shows(g, i) })
	if n := tap.Count(refreshes) - refreshed; n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
	if n := tap.Count(exchanges) - logins; n != 0 {
		t.Errorf("%d logins, want none", n)
	}
}

// shows loads a tab's page, and wants the application's answer to Alice.
func (c *Chromium) shows(g *Gate, i int) error {
	ctx, cancel := context.WithTimeout(c.ctx, chromiumLimit)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(g.URL(tabPage(i)))); err != nil {
		return fmt.Errorf("tab %d: %w", i, err)
	}
	place, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`[location.href, document.body.innerText]`))
	if err != nil {
		return fmt.Errorf("tab %d: %w", i, err)
	}
	seen, err := ParseSeen(place[1])
	switch {
	case err != nil:
		return fmt.Errorf("tab %d at %.80s: %w", i, place[0], err)
	case !strings.HasPrefix(place[0], g.URL(tabPage(i))) || seen.Target != tabPage(i):
		return fmt.Errorf("tab %d shows %s at %.80s", i, seen.Target, place[0])
	case seen.Value("x-auth-request-user") != Alice.Name:
		return fmt.Errorf("tab %d is of %q", i, seen.Value("x-auth-request-user"))
	}
	return nil
}
