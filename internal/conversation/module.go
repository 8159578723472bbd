package conversation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/wazerohost"
)

// modulePath is where `make build` puts the module, below the repository's root.
const modulePath = "build/postern.wasm"

// Module plays scripts on the compiled module in the wazero host. Root is the
// repository's.
func Module(root string) (Driver, error) {
	code, err := os.ReadFile(filepath.Join(root, modulePath))
	if err != nil {
		return nil, fmt.Errorf("conversation: %w (make build makes it)", err)
	}
	return module{code}, nil
}

type module struct{ code []byte }

func (module) Name() string { return "module" }
func (module) Close() error { return nil }

// moduleGate is the module in hosts of its own.
type moduleGate struct {
	setup Setup
	hosts []*wazerohost.Host // by replica
	clock *wazerohost.FakeClock
	app   Reply
	open  []*moduleExchange
}

func (m module) Start(s Setup) (Gate, error) {
	g := &moduleGate{setup: s, clock: wazerohost.NewFakeClock(s.Now), app: defaultApp}
	for range max(1, s.Replicas) {
		host, err := m.newHost(s, g.clock)
		if err != nil {
			return nil, err
		}
		g.hosts = append(g.hosts, host)
	}
	g.clock.Advance(10 * time.Millisecond) // the first tick
	g.answerCalls()
	return g, nil
}

func (m module) newHost(s Setup, clock wazerohost.Clock) (*wazerohost.Host, error) {
	clusters, err := clusterNames(s.Settings)
	if err != nil {
		return nil, err
	}
	known := map[string]wazerohost.Cluster{}
	for _, name := range clusters {
		known[name] = wazerohost.Cluster{}
	}
	return wazerohost.New(context.Background(), wazerohost.Config{
		Module: m.code, PluginName: "postern", RootID: "postern", PluginConfig: s.Settings,
		Clusters: known, Clock: clock, Workers: s.Workers, Direction: directions[s.Direction], AllowOnHeadersStopIteration: !s.NoBodies,
		Log: func(_ wazerohost.Level, line string) { s.Log(line) }, LogLevel: wazerohost.LevelInfo,
		// Envoy buffers an answer whole, however long it is.
		MaxResponseBytes: 64 << 20,
	})
}

var directions = map[string]wazerohost.Direction{inbound: wazerohost.Inbound, outbound: wazerohost.Outbound}

// calls are those of all gates that wait for an answer.
func (g *moduleGate) calls() (all []*wazerohost.Call) {
	for _, h := range g.hosts {
		all = append(all, h.Calls()...)
	}
	return all
}

func (g *moduleGate) Now() time.Time { return g.clock.Now() }

// answerCalls has the provider answer what the script leaves to it.
func (g *moduleGate) answerCalls() {
	for again := true; again; {
		again = false
		for _, c := range g.calls() {
			if r, ok := g.setup.Auto(*moduleCall(c)); ok {
				deliverModule(c, r)
				again = true
			}
		}
	}
}

func moduleCall(c *wazerohost.Call) *Call {
	return &Call{
		Method: c.Header(":method"), URL: c.Header(":scheme") + "://" + c.Header(":authority") + c.Header(":path"),
		Header: fieldsOf(c.Headers), Body: string(c.Body), handle: c,
	}
}

func deliverModule(c *wazerohost.Call, r Reply) {
	switch {
	case r.Never:
		c.TimeOut()
		return
	case r.Cut:
		r = replyCut
	}
	c.Reply(r.Status, pairsOf(r.Header), []byte(r.Body))
}

func (g *moduleGate) Waiting(many int) (calls []*Call, err error) {
	err = waitFor(g, func() bool { return g.Calls() >= many })
	for _, c := range g.calls() {
		calls = append(calls, moduleCall(c))
	}
	return calls, err
}

func (g *moduleGate) Calls() int { return len(g.calls()) }

func (g *moduleGate) Reply(c *Call, r Reply) error {
	deliverModule(c.handle.(*wazerohost.Call), r)
	g.answerCalls()
	return nil
}

func (g *moduleGate) HandBack() { g.answerCalls() }

func (g *moduleGate) Application(r Reply) { g.app = r }

func (g *moduleGate) Provider(cluster string, up bool) error {
	clusters, err := clusterNames(g.setup.Settings)
	for _, h := range g.hosts {
		for _, name := range clusters {
			if cluster == "" || cluster == name {
				h.SetCluster(name, wazerohost.Cluster{Down: !up})
			}
		}
	}
	return err
}

// Advance goes in steps, so that calls which ticks make are answered before
// their time is up.
func (g *moduleGate) Advance(d time.Duration) error {
	for end := g.Now().Add(d); g.Now().Before(end); {
		g.clock.Advance(min(time.Second, end.Sub(g.Now())))
		g.answerCalls()
	}
	return nil
}

func (g *moduleGate) Settle() error { return nil }

func (g *moduleGate) Stop() error {
	var failures []error
	for _, e := range g.open {
		e.stream.Close()
	}
	for _, h := range g.hosts {
		failures = append(failures, hostFailures(h)...)
		failures = append(failures, h.Close())
	}
	return errors.Join(failures...)
}

// hostFailures is what a module did in a host that none should do.
func hostFailures(h *wazerohost.Host) (failures []error) {
	for worker := range h.Workers() {
		if err := h.Dead(worker); err != nil {
			failures = append(failures, fmt.Errorf("the module died: %w", err))
		}
		if n := h.Streams(worker); n > 0 {
			failures = append(failures, fmt.Errorf("%d streams have not ended", n))
		}
	}
	for _, what := range h.Misuse() {
		failures = append(failures, errors.New("the module misused the host: "+what))
	}
	return failures
}

// moduleExchange is a stream.
type moduleExchange struct {
	gate    *moduleGate
	stream  *wazerohost.Stream
	streams bool // the application's answer stays open
}

func (g *moduleGate) Send(r Request) (Exchange, error) {
	host := g.hosts[r.Replica]
	header := append([][2]string{
		{":method", r.Method}, {":scheme", "https"}, {":authority", r.Authority}, {":path", r.Target},
	}, pairsOf(r.Header)...)
	e := &moduleExchange{gate: g, streams: r.Stream, stream: host.OpenFrom(r.Worker, hostPeer(r.Peer), header, r.Body == "")}
	if r.Body != "" {
		e.stream.SendBody([]byte(r.Body), true)
	}
	g.open = append(g.open, e)
	g.answerCalls()
	return e, nil
}

func hostPeer(p *Peer) (out wazerohost.Peer) {
	if p == nil {
		return out
	}
	out.Address = net.JoinHostPort(p.Address, "40000")
	if c := p.Certificate; c != nil {
		out.Certificate = &wazerohost.PeerCertificate{SHA256: c.SHA256, URI: c.URI, DNS: c.DNS}
	}
	return out
}

func (e *moduleExchange) Leave() error {
	e.stream.Close()
	return nil
}

func (e *moduleExchange) Open() bool { return e.stream.Outcome().Kind != wazerohost.Reset }

func (e *moduleExchange) Cut() error {
	if err := waitFor(e.gate, func() bool { return !e.Open() }); err != nil || !e.Open() {
		return err
	}
	return errNotCut
}

func (e *moduleExchange) Done() bool { return e.stream.Outcome().Kind != wazerohost.Pending }

func (e *moduleExchange) Outcome() (Outcome, error) {
	if err := waitFor(e.gate, e.Done); err != nil {
		return Outcome{}, err
	}
	o := e.stream.Outcome()
	switch o.Kind {
	case wazerohost.Replied:
		return Outcome{Status: o.Status, Reason: reason(o.Details), Header: fieldsOf(o.Headers), Body: string(o.Body)}, nil
	case wazerohost.Forwarded:
		return e.forwarded(o), nil
	}
	return Outcome{}, fmt.Errorf("%w (%v)", errNoAnswer, o.Kind)
}

// forwarded has the application answer.
func (e *moduleExchange) forwarded(o wazerohost.Outcome) Outcome {
	f := &Forwarded{Method: o.Header(":method"), Authority: o.Header(":authority"), Target: o.Header(":path"), Header: fieldsOf(o.Headers)}
	app := e.gate.app
	e.stream.Respond(append([][2]string{{":status", strconv.Itoa(app.Status)}}, pairsOf(app.Header)...), app.Body == "" && !e.streams)
	if app.Body != "" {
		e.stream.RespondBody([]byte(app.Body), !e.streams)
	}
	r := e.stream.Response()
	return Outcome{Forwarded: f, Status: r.Status, Header: fieldsOf(r.Headers), Body: string(r.Body)}
}

// fieldsOf leaves pseudo-header fields out.
func fieldsOf(pairs [][2]string) (fields httpmsg.Fields) {
	for _, p := range pairs {
		if p[0][0] != ':' {
			fields = append(fields, httpmsg.Field{Name: p[0], Value: p[1]})
		}
	}
	return fields
}

func pairsOf(fields httpmsg.Fields) (pairs [][2]string) {
	for _, f := range fields {
		pairs = append(pairs, [2]string{f.Name, f.Value})
	}
	return pairs
}
