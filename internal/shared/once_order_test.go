package shared

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/flow"
)

// TestInWhateverOrderThingsHappenOneWorkerAsks has requests, answers, failures
// and ticks come in any order: as long as no claim is overdue, no question is
// put twice at a time, and in the end everybody has an answer or a failure.
func TestInWhateverOrderThingsHappenOneWorkerAsks(t *testing.T) {
	for seed := range uint64(300) {
		c := newCrew(t, 4, 1024)
		random := rand.New(rand.NewPCG(seed, 0))
		var outs []*outcome
		for range 80 {
			h := c.workers[random.IntN(len(c.workers))]
			question := []string{"a", "b", "c"}[random.IntN(3)]
			good := time.Duration(random.IntN(3)) * 100 * time.Millisecond
			switch random.IntN(6) {
			case 0, 1:
				outs = append(outs, h.ask(question, good))
			case 2:
				outs = append(outs, h.renew(question, good))
			case 3:
				c.now = c.now.Add(poll)
				h.Tick()
			default:
				h.replyAny(random)
			}
			c.wantOneAtATime(seed)
		}
		for range 400 {
			c.pass(poll)
			for _, h := range c.workers {
				h.replyAny(random)
			}
			c.wantOneAtATime(seed)
		}
		for i, out := range outs {
			if !out.over || out.err != nil && !errors.Is(out.err, errRefused) {
				t.Fatalf("seed %d: request %d: over %t with %v", seed, i, out.over, out.err)
			}
		}
	}
}

// replyAny answers one of the worker's calls, if it has any, or fails it.
func (h *hand) replyAny(random *rand.Rand) {
	for id, question := range h.open {
		delete(h.open, id)
		var err error
		if random.IntN(4) == 0 {
			err = errRefused
		}
		h.Deliver(id, flow.Response{Body: []byte(question)}, err)
		return
	}
}

func (c *crew) wantOneAtATime(seed uint64) {
	c.t.Helper()
	by := map[string]int{}
	for _, h := range c.workers {
		for _, question := range h.open {
			if by[question]++; by[question] > 1 {
				c.t.Fatalf("seed %d: question %s is put twice at a time", seed, question)
			}
		}
	}
}

func TestWorkersOnThreadsOfTheirOwnAskOnce(t *testing.T) {
	memory := NewLocal()
	var asked atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		once := NewOnce(sealer(t, memory), "tokens", 1)
		env := flow.Direct{
			Do: func(flow.Call) (flow.Response, error) {
				asked.Add(1)
				return flow.Response{Body: []byte("a")}, nil
			},
			Clock: func() time.Time { return start },
		}
		all.Go(func() {
			if a, err := once.Ask(env, "q", limit, goodFor("q", time.Minute)); string(a) != "a" || err != nil {
				t.Errorf("%q, %v", a, err)
			}
		})
	}
	all.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}
