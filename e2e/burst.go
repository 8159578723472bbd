package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync"
)

// Burst is many requests at once, each on a connection of its own and each
// with the cookies that the browser had when it began.
type Burst struct {
	browser *Browser
	address string
	cookies http.Header
	shots   []*shot
	group   sync.WaitGroup
}

type shot struct {
	page   *Page
	err    error
	leave  context.CancelFunc
	absent bool // its client has left
}

// Burst prepares requests for an address.
func (b *Browser) Burst(address string) *Burst {
	return &Burst{
		browser: b.Over(&http.Transport{DialContext: dialLoopback, DisableKeepAlives: true}),
		address: address,
		cookies: http.Header{"Cookie": {b.cookieLine(address)}},
	}
}

// Send sends n requests at once; more may follow.
func (u *Burst) Send(n int) *Burst {
	begin := make(chan struct{})
	for range n {
		ctx, leave := context.WithCancel(context.Background())
		s := &shot{leave: leave}
		u.shots = append(u.shots, s)
		u.group.Go(func() {
			<-begin
			s.page, s.err = u.browser.do(ctx, http.MethodGet, u.address, "", u.cookies)
		})
	}
	close(begin)
	return u
}

// Leave has the first n clients go away without an answer.
func (u *Burst) Leave(n int) {
	for _, s := range u.shots[:n] {
		s.absent = true
		s.leave()
	}
}

// Wait returns the answers to all clients that stayed.
func (u *Burst) Wait() ([]*Page, error) {
	u.group.Wait()
	var pages []*Page
	for i, s := range u.shots {
		s.leave()
		switch {
		case s.absent:
		case s.err != nil:
			return nil, fmt.Errorf("e2e: request %d of %d at once: %w", i+1, len(u.shots), s.err)
		default:
			pages = append(pages, s.page)
		}
	}
	return pages, nil
}
