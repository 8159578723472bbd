package conversation

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/shared"
)

// Native plays scripts on the gate as Go code: fast, and with a debugger at
// hand.
func Native() Driver { return native{} }

type native struct{}

func (native) Name() string { return "native" }
func (native) Close() error { return nil }

// nativeGate does for gates what the plugin, and Envoy, do.
type nativeGate struct {
	setup   Setup
	workers [][]*nativeWorker // by replica
	now     time.Time
	calls   []*Call
	next    uint32
	down    map[string]bool // clusters
	app     Reply
	open    []*nativeExchange // those that time concerns
}

// nativeWorker is a gate as one worker has it.
type nativeWorker struct {
	gate       *gate.Gate
	flows      *flow.Scheduler
	connection nativeConnection
}

func (native) Start(s Setup) (Gate, error) {
	settings, err := config.Parse(s.Settings, func(string) (string, bool) { return "", false })
	if err != nil {
		return nil, err
	}
	g := &nativeGate{setup: s, now: s.Now, app: defaultApp, down: map[string]bool{}}
	for range max(1, s.Replicas) {
		memory := shared.NewLocal()
		var workers []*nativeWorker
		for range max(1, s.Workers) {
			w, err := g.newWorker(settings, memory)
			if err != nil {
				return nil, err
			}
			workers = append(workers, w)
		}
		g.workers = append(g.workers, workers)
	}
	g.tick()
	return g, nil
}

func (g *nativeGate) newWorker(settings *config.Config, memory *shared.Local) (*nativeWorker, error) {
	w := &nativeWorker{connection: nativeConnection{direction: g.setup.Direction}}
	w.flows = flow.NewScheduler(func(c flow.Call) (uint32, error) { return g.dispatch(w, c) }, g.Now)
	g.next++
	var err error
	w.gate, err = gate.New(settings, gate.Deps{
		Now: g.Now, Clock: g.Now,
		Random: seeded(byte(g.next)),
		Log:    func(e gate.Event) { g.setup.Log(e.JSON()) },
		Shared: memory, Signal: memory,
		Connection: &w.connection,
	})
	return w, err
}

// defaultApp is the application as long as the script does not say otherwise.
var defaultApp = Reply{Status: 200, Body: "the application",
	Header: httpmsg.Fields{{Name: "content-type", Value: "text/plain"}}}

// seeded is randomness that is the same in every run, and another for each n.
func seeded(n byte) io.Reader {
	return rand.NewChaCha8([32]byte{'p', 'o', 's', 't', 'e', 'r', 'n', n})
}

func (g *nativeGate) Now() time.Time { return g.now }

// nativeCall is whose a call is, how its scheduler knows it, and when Envoy
// would give up.
type nativeCall struct {
	worker   *nativeWorker
	id       uint32
	deadline time.Time
}

func (g *nativeGate) dispatch(w *nativeWorker, c flow.Call) (uint32, error) {
	if g.down[c.Cluster] {
		g.setup.Log("postern: no call through cluster " + strconv.Quote(c.Cluster)) // as the plugin does
		return 0, flow.ErrNotSent
	}
	g.next++
	g.calls = append(g.calls, &Call{
		Method: c.Method, URL: c.Scheme + "://" + c.Authority + c.Path,
		Header: c.Header, Body: string(c.Body), handle: nativeCall{w, g.next, g.now.Add(c.Timeout)},
	})
	return g.next, nil
}

// eachWorker goes over the workers of all gates.
func (g *nativeGate) eachWorker(do func(*nativeWorker)) {
	for _, workers := range g.workers {
		for _, w := range workers {
			do(w)
		}
	}
}

func (g *nativeGate) tick() {
	for _, c := range slices.Clone(g.calls) {
		if !g.now.Before(c.handle.(nativeCall).deadline) {
			g.deliver(c, replyTimeout)
		}
	}
	for _, e := range slices.Clone(g.open) {
		e.tick()
	}
	g.eachWorker(func(w *nativeWorker) {
		for _, due := range w.gate.Due() {
			w.flows.Go(due)
		}
		w.flows.Tick()
	})
	g.answerCalls()
}

// answerCalls has the provider answer what the script leaves to it.
func (g *nativeGate) answerCalls() {
	for i := 0; i < len(g.calls); {
		r, ok := g.setup.Auto(*g.calls[i])
		if !ok {
			i++
			continue
		}
		c := g.calls[i]
		g.deliver(c, r)
		i = 0
	}
}

func (g *nativeGate) deliver(c *Call, r Reply) {
	g.calls = slices.DeleteFunc(g.calls, func(other *Call) bool { return other == c })
	switch {
	case r.Never:
		r = replyTimeout
	case r.Cut:
		r = replyCut
	}
	call := c.handle.(nativeCall)
	call.worker.flows.Deliver(call.id, flow.Response{Status: r.Status, Header: r.Header, Body: []byte(r.Body)}, nil)
}

func (g *nativeGate) Waiting(many int) ([]*Call, error) {
	err := waitFor(g, func() bool { return len(g.calls) >= many })
	return slices.Clone(g.calls), err
}

func (g *nativeGate) Calls() int { return len(g.calls) }

func (g *nativeGate) Reply(c *Call, r Reply) error {
	g.deliver(c, r)
	g.answerCalls()
	return nil
}

func (g *nativeGate) HandBack() { g.answerCalls() }

func (g *nativeGate) Application(r Reply) { g.app = r }

func (g *nativeGate) Provider(cluster string, up bool) error {
	names, err := clusterNames(g.setup.Settings)
	for _, name := range names {
		if cluster == "" || cluster == name {
			g.down[name] = !up
		}
	}
	return err
}

// Advance goes on by ticks, and by shorter steps where something waits for less.
func (g *nativeGate) Advance(d time.Duration) error {
	for end := g.now.Add(d); g.now.Before(end); {
		step := min(time.Second, end.Sub(g.now))
		g.eachWorker(func(w *nativeWorker) {
			step = min(step, w.gate.Interval())
			if next, ok := w.flows.Next(); ok && next.After(g.now) {
				step = min(step, next.Sub(g.now))
			}
		})
		g.now = g.now.Add(step)
		g.tick()
	}
	return nil
}

func (g *nativeGate) Settle() error { return nil }

func (g *nativeGate) Stop() (err error) {
	g.eachWorker(func(w *nativeWorker) {
		if n := w.flows.Active(); n > 0 {
			err = fmt.Errorf("%d flows have not ended", n)
		}
	})
	return err
}
