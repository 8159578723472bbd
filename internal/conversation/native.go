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

// nativeGate does for the gate what the plugin does in Envoy.
type nativeGate struct {
	setup Setup
	gate  *gate.Gate
	flows *flow.Scheduler
	now   time.Time
	calls []*Call
	next  uint32
	down  bool
	app   Reply
}

func (native) Start(s Setup) (Gate, error) {
	settings, err := config.Parse(s.Settings, func(string) (string, bool) { return "", false })
	if err != nil {
		return nil, err
	}
	g := &nativeGate{setup: s, now: s.Now, app: defaultApp}
	local := shared.NewLocal()
	g.gate, err = gate.New(settings, gate.Deps{
		Now:    g.Now,
		Clock:  g.Now,
		Shared: local,
		Signal: local,
		Random: seeded(),
		Log:    func(e gate.Event) { s.Log(e.JSON()) },
	})
	if err != nil {
		return nil, err
	}
	g.flows = flow.NewScheduler(g.dispatch, g.Now)
	g.tick()
	return g, nil
}

// defaultApp is the application as long as the script does not say otherwise.
var defaultApp = Reply{Status: 200, Body: "the application",
	Header: httpmsg.Fields{{Name: "content-type", Value: "text/plain"}}}

// seeded is randomness that is the same in every run.
func seeded() io.Reader { return rand.NewChaCha8([32]byte{'p', 'o', 's', 't', 'e', 'r', 'n'}) }

func (g *nativeGate) Now() time.Time { return g.now }

// nativeCall is how the scheduler knows a call, and when Envoy would give up.
type nativeCall struct {
	id       uint32
	deadline time.Time
}

func (g *nativeGate) dispatch(c flow.Call) (uint32, error) {
	if g.down {
		g.setup.Log("postern: no call through cluster " + strconv.Quote(c.Cluster)) // as the plugin does
		return 0, flow.ErrNotSent
	}
	g.next++
	g.calls = append(g.calls, &Call{
		Method: c.Method, URL: c.Scheme + "://" + c.Authority + c.Path,
		Header: c.Header, Body: string(c.Body), handle: nativeCall{g.next, g.now.Add(c.Timeout)},
	})
	return g.next, nil
}

func (g *nativeGate) tick() {
	for _, c := range slices.Clone(g.calls) {
		if !g.now.Before(c.handle.(nativeCall).deadline) {
			g.deliver(c, replyTimeout)
		}
	}
	for _, due := range g.gate.Due() {
		g.flows.Go(due)
	}
	g.flows.Tick()
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
	g.flows.Deliver(c.handle.(nativeCall).id, flow.Response{Status: r.Status, Header: r.Header, Body: []byte(r.Body)}, nil)
}

func (g *nativeGate) Call() (*Call, error) {
	if err := waitFor(g, func() bool { return len(g.calls) > 0 }); err != nil {
		return nil, err
	}
	if len(g.calls) == 0 {
		return nil, nil
	}
	return g.calls[0], nil
}

func (g *nativeGate) Calls() int { return len(g.calls) }

func (g *nativeGate) Reply(c *Call, r Reply) error {
	g.deliver(c, r)
	g.answerCalls()
	return nil
}

func (g *nativeGate) HandBack() { g.answerCalls() }

func (g *nativeGate) Application(r Reply) { g.app = r }

func (g *nativeGate) Provider(up bool) error {
	g.down = !up
	return nil
}

func (g *nativeGate) Advance(d time.Duration) error {
	for end := g.now.Add(d); g.now.Before(end); {
		g.now = g.now.Add(min(time.Second, end.Sub(g.now)))
		g.tick()
	}
	return nil
}

func (g *nativeGate) Settle() error { return nil }

func (g *nativeGate) Stop() error {
	if n := g.flows.Active(); n > 0 {
		return fmt.Errorf("%d flows have not ended", n)
	}
	return nil
}

// nativeExchange is a request at the gate.
type nativeExchange struct {
	gate    *nativeGate
	request Request
	verdict *gate.Verdict
	task    *flow.Task
}

func (g *nativeGate) Send(r Request) (Exchange, error) {
	e := &nativeExchange{gate: g, request: r}
	verdict, rest := g.gate.Handle(&httpmsg.Request{
		Method: r.Method, Scheme: "https", Authority: r.Authority, Target: r.Target, Header: r.Header,
	})
	if rest == nil {
		e.verdict = &verdict
		return e, nil
	}
	e.task = g.flows.Go(func(env flow.Env) {
		v := rest(env)
		e.verdict = &v
	})
	g.answerCalls()
	return e, nil
}

func (e *nativeExchange) Leave() error {
	if e.task != nil {
		e.task.Cancel()
	}
	return nil
}

func (e *nativeExchange) Done() bool { return e.verdict != nil }

func (e *nativeExchange) Outcome() (Outcome, error) {
	if err := waitFor(e.gate, e.Done); err != nil {
		return Outcome{}, err
	}
	switch {
	case e.verdict == nil:
		return Outcome{}, errNoAnswer
	case e.verdict.Respond != nil:
		return e.answer(e.verdict.Respond), nil
	case e.verdict.Forward != nil:
		return e.forward(e.verdict.Forward), nil
	}
	return Outcome{Status: 503, Reason: "denied"}, nil
}

// answer is the gate's own, in the form in which Envoy sends it.
func (e *nativeExchange) answer(r *gate.Respond) Outcome {
	o := Outcome{Status: r.Status, Reason: r.Reason, Header: r.Header, Body: string(r.Body)}
	if r.GRPC != 0 {
		o.Status, o.Body = 200, ""
		o.Header = append(o.Header, httpmsg.Field{Name: "grpc-status", Value: strconv.Itoa(r.GRPC)})
	}
	if e.request.Method == "HEAD" {
		o.Body = ""
	}
	return o
}

func (e *nativeExchange) forward(f *gate.Forward) Outcome {
	o := Outcome{Status: e.gate.app.Status, Body: e.gate.app.Body, Forwarded: &Forwarded{
		Method: e.request.Method, Authority: e.request.Authority, Target: e.request.Target,
		Header: edited(e.request.Header, f),
	}}
	for _, h := range e.gate.app.Header {
		if h.Name != "set-cookie" || !e.gate.gate.OwnsCookie(httpmsg.SetCookieName(h.Value)) {
			o.Header = append(o.Header, h)
		}
	}
	return o
}

// edited is a request's header as the application receives it.
func edited(header httpmsg.Fields, f *gate.Forward) (out httpmsg.Fields) {
	gone := map[string]bool{}
	for _, name := range f.Remove {
		gone[name] = true
	}
	for _, h := range f.Set {
		gone[h.Name] = true
	}
	if f.Cookie != nil {
		gone["cookie"] = true
	}
	for _, h := range header {
		if !gone[h.Name] {
			out = append(out, h)
		}
	}
	if f.Cookie != nil && *f.Cookie != "" {
		out = append(out, httpmsg.Field{Name: "cookie", Value: *f.Cookie})
	}
	return append(out, f.Set...)
}
