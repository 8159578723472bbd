package wazerohost

import (
	"slices"
	"sync"
	"time"
)

// Clock is the host's time: what the module reads as real time, and what ticks
// and call time-outs are measured by.
type Clock interface {
	Now() time.Time
	// AfterFunc runs f in its own time once d has passed. Calling stop prevents
	// a run that has not begun.
	AfterFunc(d time.Duration, f func()) (stop func())
}

// systemClock is the machine's clock.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) func() {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}

// FakeClock stands still until Advance moves it.
type FakeClock struct {
	mu     sync.Mutex
	now    time.Time
	timers []*fakeTimer
}

type fakeTimer struct {
	due time.Time
	f   func()
}

// NewFakeClock is a clock that shows now.
func NewFakeClock(now time.Time) *FakeClock { return &FakeClock{now: now} }

// Now is the time that the clock shows.
func (c *FakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc runs f within the Advance that reaches its time.
func (c *FakeClock) AfterFunc(d time.Duration, f func()) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &fakeTimer{due: c.now.Add(d), f: f}
	c.timers = append(c.timers, t)
	return func() { c.remove(t) }
}

func (c *FakeClock) remove(t *fakeTimer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.timers, t); i >= 0 {
		c.timers = slices.Delete(c.timers, i, i+1)
	}
}

// Advance moves the clock by d and runs, in order and at their own times, the
// timers that come due on the way, also those which earlier ones armed.
func (c *FakeClock) Advance(d time.Duration) {
	end := c.Now().Add(d)
	for {
		t := c.next(end)
		if t == nil {
			return
		}
		t.f()
	}
}

// next takes the earliest timer due by end and moves the clock to it; without
// one it moves the clock to end.
func (c *FakeClock) next(end time.Time) *fakeTimer {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := -1
	for i, t := range c.timers {
		if !t.due.After(end) && (first < 0 || t.due.Before(c.timers[first].due)) {
			first = i
		}
	}
	if first < 0 {
		c.now = end
		return nil
	}
	t := c.timers[first]
	c.timers = slices.Delete(c.timers, first, first+1)
	if t.due.After(c.now) {
		c.now = t.due
	}
	return t
}
