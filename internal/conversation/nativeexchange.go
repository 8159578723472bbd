package conversation

import (
	"slices"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// nativeExchange is a request at the gate.
type nativeExchange struct {
	gate    *nativeGate
	worker  *nativeWorker
	request Request
	verdict *gate.Verdict
	task    *flow.Task

	ours     bool                                          // it asked for its body
	then     func([]byte, error) (gate.Verdict, gate.Flow) // while it waits for it
	deadline time.Time                                     // … until then
	cut      bool
}

func (g *nativeGate) Send(r Request) (Exchange, error) {
	e := &nativeExchange{gate: g, worker: g.workers[r.Replica][r.Worker], request: r}
	e.worker.connection.of(&r)
	verdict, rest := e.worker.gate.Handle(&httpmsg.Request{
		Method: r.Method, Scheme: "https", Authority: r.Authority, Target: r.Target, Header: r.Header,
	})
	e.worker.connection.of(nil)
	if rest == nil && verdict.Body != nil {
		e.read(verdict.Body)
	} else {
		e.goOn(verdict, rest)
	}
	if e.then != nil || r.Stream {
		g.open = append(g.open, e)
	}
	g.answerCalls()
	return e, nil
}

// bodyTime is how long the plugin waits for a body.
const bodyTime = 3 * time.Second

// read gives the gate the body, where the host lets it through.
func (e *nativeExchange) read(body *gate.Body) {
	e.ours = true
	switch text := e.request.Body; {
	case text != "" && e.gate.setup.NoBodies:
		e.then, e.deadline = body.Then, e.gate.now.Add(bodyTime)
	case len(text) > body.Limit:
		e.goOn(body.Then(nil, gate.ErrBodyTooLarge))
	default:
		e.goOn(body.Then([]byte(text), nil))
	}
}

func (e *nativeExchange) goOn(verdict gate.Verdict, rest gate.Flow) {
	if rest == nil {
		e.verdict = &verdict
		return
	}
	e.task = e.worker.flows.Go(func(env flow.Env) {
		v := rest(env)
		e.verdict = &v
	})
}

// tick ends the wait for a body, and cuts a stream whose session is over.
func (e *nativeExchange) tick() {
	if e.then != nil && !e.gate.now.Before(e.deadline) {
		then := e.then
		e.then = nil
		e.goOn(then(nil, gate.ErrNoBody))
	}
	if e.cut || !e.request.Stream || e.verdict == nil {
		return
	}
	if f := e.verdict.Forward; f != nil && f.Watch != nil {
		e.cut = e.worker.gate.Over(f.Watch)
	}
}

func (e *nativeExchange) Leave() error {
	e.then = nil
	e.gate.open = slices.DeleteFunc(e.gate.open, func(other *nativeExchange) bool { return other == e })
	if e.task != nil {
		e.task.Cancel()
	}
	return nil
}

func (e *nativeExchange) Done() bool { return e.verdict != nil }

func (e *nativeExchange) Open() bool { return !e.cut }

func (e *nativeExchange) Cut() error {
	if err := waitFor(e.gate, func() bool { return e.cut }); err != nil || e.cut {
		return err
	}
	return errNotCut
}

func (e *nativeExchange) Outcome() (Outcome, error) {
	if err := waitFor(e.gate, e.Done); err != nil {
		return Outcome{}, err
	}
	switch v := e.verdict; {
	case v == nil:
		return Outcome{}, errNoAnswer
	case v.Respond != nil:
		return e.answer(v.Respond), nil
	case v.Forward != nil && v.Body == nil && !e.ours:
		return e.forward(v.Forward), nil
	}
	return Outcome{Status: 503, Reason: "denied"}, nil
}

// answer is the gate's own, in the form in which Envoy sends it.
func (e *nativeExchange) answer(r *gate.Respond) Outcome {
	o := asEnvoyAnswersGRPC(&e.request, Outcome{Status: r.Status, Reason: r.Reason, Header: r.Header, Body: string(r.Body)}, r.GRPC)
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
		if h.Name != "set-cookie" || !e.worker.gate.OwnsCookie(httpmsg.SetCookieName(h.Value)) {
			o.Header = append(o.Header, h)
		}
	}
	if f.Response != nil {
		o.Header = withCookies(o.Header, f.Response())
	}
	return o
}

// withCookies is an application's answer with the gate's cookies.
func withCookies(header, cookies httpmsg.Fields) (out httpmsg.Fields) {
	if len(cookies) == 0 {
		return header
	}
	var caching []string
	for _, h := range header {
		switch {
		case h.Name == "cache-control":
			caching = append(caching, h.Value)
		case !httpmsg.ForSharedCaches(h.Name):
			out = append(out, h)
		}
	}
	out = append(out, httpmsg.Field{Name: "cache-control", Value: httpmsg.PrivateCacheControl(caching)})
	return append(out, cookies...)
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
