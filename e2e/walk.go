package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Owns says whether an address is the gate's (or the application's behind it).
func (g *Gate) Owns(u *url.URL) bool { return "http://"+u.Host == g.URL("") }

// callback says whether an address is where a provider sends a browser back.
func (g *Gate) callback(u *url.URL) bool {
	return g.Owns(u) && (u.Path == callbackPath || strings.HasPrefix(u.Path, callbackPath+"/"))
}

const callbackPath = "/oauth2/callback"

// Login is a login under way in one browser, step by step.
type Login struct {
	Gate    *Gate
	Browser *Browser
	Started *Page    // the gate's answer that leads to the provider
	Back    *url.URL // the callback's address, once the provider has sent the browser there
}

// StartLogin opens a page that needs a session, and stops at the redirect that
// leads to the provider.
func (g *Gate) StartLogin(b *Browser, target string) (*Login, error) {
	page, err := b.Get(g.URL(target))
	if err != nil {
		return nil, err
	}
	return g.resume(b, page)
}

func (g *Gate) resume(b *Browser, page *Page) (*Login, error) {
	way, err := b.Follow(page, g.Provider.Owns)
	if err != nil {
		return nil, err
	}
	last := way[len(way)-1]
	if last.Location() == nil {
		return nil, fmt.Errorf("e2e: %s answered %d instead of leading to the provider: %.300s", last.URL.Path, last.Status, last.Body)
	}
	return &Login{Gate: g, Browser: b, Started: last}, nil
}

// AtProvider goes through the provider, filling its form if it shows one, and
// stops at the redirect back to the gate.
func (l *Login) AtProvider(who Person) error {
	way, err := l.Browser.Follow(l.Started, l.Gate.callback)
	if err != nil {
		return err
	}
	last := way[len(way)-1]
	if last.Location() == nil {
		page, err := l.Gate.Provider.SignIn(l.Browser, last, who)
		if err != nil {
			return err
		}
		if way, err = l.Browser.Follow(page, l.Gate.callback); err != nil {
			return err
		}
		last = way[len(way)-1]
	}
	if l.Back = last.Location(); l.Back == nil || !l.Gate.callback(l.Back) {
		return fmt.Errorf("e2e: %s answered %d instead of sending back: %.300s", last.URL.Path, last.Status, last.Body)
	}
	return nil
}

// Finish delivers the provider's answer to the gate and follows it to the end:
// through the provider again, if the gate begins anew. It returns every page
// on the way.
func (l *Login) Finish() ([]*Page, error) {
	page, err := l.Browser.Get(l.Back.String())
	if err != nil {
		return nil, err
	}
	return l.Browser.Follow(page, nil)
}

// SignIn makes the whole journey to a page, and returns the page.
func (g *Gate) SignIn(b *Browser, target string, who Person) (*Page, error) {
	login, err := g.StartLogin(b, target)
	if err != nil {
		return nil, err
	}
	return login.through(target, who)
}

// through goes the rest of the way, to a page that it ends at, and returns that.
func (l *Login) through(target string, who Person) (*Page, error) {
	if err := l.AtProvider(who); err != nil {
		return nil, err
	}
	way, err := l.Finish()
	if err != nil {
		return nil, err
	}
	last := way[len(way)-1]
	if last.Status != http.StatusOK || last.URL.String() != l.Gate.URL(target) {
		return nil, fmt.Errorf("e2e: the journey ended with %d at %s: %.300s", last.Status, last.URL.Path, last.Body)
	}
	return last, nil
}
