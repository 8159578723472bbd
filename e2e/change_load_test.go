package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Load is people at work: each with a browser of their own on connections that
// stay open, at a pace, for as long as it takes.
type Load struct {
	stop  chan struct{}
	group sync.WaitGroup

	mu   sync.Mutex
	took []time.Duration
	lost []error
}

// Errand is what somebody does again and again: one request, and what is wrong
// with its answer.
type Errand func() error

// pace is the pause between one request of somebody and the next.
const pace = 10 * time.Millisecond

// StartLoad has each errand run by somebody of their own.
func StartLoad(errands ...Errand) *Load {
	l := &Load{stop: make(chan struct{})}
	for _, errand := range errands {
		l.group.Go(func() { l.run(errand) })
	}
	return l
}

func (l *Load) run(errand Errand) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
		begun := time.Now()
		err := errand()
		l.note(time.Since(begun), err)
	}
}

func (l *Load) note(took time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took = append(l.took, took)
	if err != nil {
		l.lost = append(l.lost, fmt.Errorf("after %v: %w", took.Round(time.Millisecond), err))
	}
}

// Lost are the requests that were not served so far.
func (l *Load) Lost() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lost)
}

// Stop ends the load. It returns how long the requests took, in order.
func (l *Load) Stop() []time.Duration {
	close(l.stop)
	l.group.Wait()
	slices.Sort(l.took)
	return l.took
}

// servedAgain is a person's next request with their session.
func (g *Gate) servedAgain(b *Browser, target string, who Person) Errand {
	return func() error {
		page, err := b.Get(g.URL(target))
		if err != nil {
			return err
		}
		return servedTo(who)(page)
	}
}

// servedToken is a service's next request with its token.
func (g *Gate) servedToken(token, target string, who Person) Errand {
	b := NewBrowser()
	return func() error {
		page, err := b.Get(g.URL(target), http.Header{"Authorization": {"Bearer " + token}})
		if err != nil {
			return err
		}
		return servedTo(who)(page)
	}
}
