package plugin

import (
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/metric"
)

// state is how far a stream is. The zero state lets nothing pass.
type state uint8

const (
	undecided state = iota
	forwarded
	responded
)

// stream is one request and its response.
type stream struct {
	types.DefaultHttpContext
	plugin *plugin
	id     uint32
	state  state
	task   *flow.Task

	status  int                   // of our answer; 0 where a gRPC status says it
	plain   bool                  // it goes on, and nothing about its answer is ours
	ours    bool                  // it asked for its body: it is answered here, whatever comes
	reading *reading              // while it waits for its body
	asks    func() httpmsg.Fields // for the cookies of its answer; nil once it has
	cookies httpmsg.Fields        // that its answer is to have
	link
}

// OnHttpRequestHeaders implements types.HttpContext.
func (s *stream) OnHttpRequestHeaders(_ int, end bool) types.Action {
	r, err := readRequest()
	if err != nil {
		abi.Log(abi.LevelError, "postern: "+err.Error())
		s.carryOut(gate.Verdict{})
		return types.ActionPause
	}
	verdict, rest := s.plugin.gate.Handle(r)
	switch {
	case rest == nil && verdict.Body != nil && verdict.Forward == nil && verdict.Respond == nil:
		return s.awaitBody(r, verdict.Body, end)
	case rest == nil:
		s.carryOut(verdict)
	case s.plugin.flows.Active() >= maxFlows:
		s.carryOut(s.plugin.gate.Busy(r))
	default:
		s.run(r, rest)
	}
	if s.state == forwarded {
		return types.ActionContinue
	}
	return types.ActionPause
}

// readRequest reads the request in one host call. The strings share a buffer
// of this request alone.
func readRequest() (*httpmsg.Request, error) {
	var scratch [48][2]string
	pairs, err := abi.AppendHeaderPairs(scratch[:0], abi.RequestHeaders)
	if err != nil {
		return nil, err
	}
	r := &httpmsg.Request{Header: make(httpmsg.Fields, 0, len(pairs))}
	for _, p := range pairs {
		if p[0] == "" || p[0][0] != ':' {
			r.Header = append(r.Header, httpmsg.Field{Name: p[0], Value: p[1]})
			continue
		}
		switch p[0] {
		case ":method":
			r.Method = p[1]
		case ":scheme":
			r.Scheme = p[1]
		case ":authority":
			r.Authority = p[1]
		case ":path":
			r.Target = p[1]
		}
	}
	return r, nil
}

// run starts the rest of the request's way. If it ends at once, it ends within
// the callback of the request; else within that of a call's answer or a tick,
// where the request, paused meanwhile, has to be let go.
func (s *stream) run(r *httpmsg.Request, rest gate.Flow) {
	paused, over := false, false
	s.task = s.plugin.flows.Go(func(env flow.Env) {
		ended := false
		defer func() {
			if over = true; paused {
				s.plugin.meters.Add(metric.Parked, -1)
			}
			if !ended {
				s.makeCurrent() // a panic: whoever recovers denies the selected stream
			}
		}()
		verdict := rest(env)
		ended = true
		if !s.makeCurrent() {
			return // the client has gone
		}
		s.carryOut(verdict)
		if paused && s.state == forwarded {
			if err := abi.ContinueRequest(); err != nil {
				abi.Log(abi.LevelError, "postern: "+err.Error())
			}
		}
	}, traceOf(r)...)
	if paused = true; !over {
		s.plugin.meters.Add(metric.Parked, 1)
	}
	s.plugin.hastenTick()
}

// makeCurrent makes this stream the one that host calls concern.
func (s *stream) makeCurrent() bool { return abi.SetEffectiveContext(s.id) == nil }

// carryOut does what a verdict says, once. A verdict that says nothing, and
// one that cannot be carried out, denies.
func (s *stream) carryOut(v gate.Verdict) {
	if s.state != undecided {
		return
	}
	if v.Forward != nil && v.Respond == nil && v.Body == nil && !s.ours {
		err := edit(v.Forward)
		if err == nil {
			s.state, s.asks, s.plain = forwarded, v.Forward.Response, v.Forward.Plain
			s.plugin.watched.add(s, v.Forward.Watch)
			s.plugin.tally.forwarded++
			note(v.Note, "forwarded", "")
			return
		}
		abi.Log(abi.LevelError, "postern: "+err.Error())
	}
	if v.Respond == nil {
		v.Respond = &gate.Respond{Status: 503, Reason: "denied"}
	}
	s.state = responded
	s.plugin.tally.answered++
	s.plugin.meters.Add(metric.Answers, 1, v.Respond.Reason)
	note(v.Note, "answered", v.Respond.Reason)
	s.respond(v.Respond)
}

// note leaves a decision with the stream, for the host's access log.
func note(n *gate.Note, decision, reason string) {
	if n == nil {
		return
	}
	for _, p := range [][2]string{{"decision", decision}, {"reason", reason}, {"rule", n.Rule}, {"user", n.User}} {
		if p[1] != "" {
			complain(abi.SetProperty("postern."+p[0], p[1]))
		}
	}
}

// edit changes the request on its way to the application.
func edit(f *gate.Forward) error {
	for _, name := range f.Remove {
		if err := abi.RemoveHeader(abi.RequestHeaders, name); err != nil {
			return err
		}
	}
	switch {
	case f.Cookie == nil:
	case *f.Cookie == "":
		if err := abi.RemoveHeader(abi.RequestHeaders, "cookie"); err != nil {
			return err
		}
	default:
		if err := abi.ReplaceHeader(abi.RequestHeaders, "cookie", *f.Cookie); err != nil {
			return err
		}
	}
	last := ""
	for _, field := range f.Set {
		set := abi.ReplaceHeaderUnchecked
		if field.Name == last {
			set = abi.AddHeader
		}
		if err := set(abi.RequestHeaders, field.Name, field.Value); err != nil {
			return err
		}
		last = field.Name
	}
	return nil
}

// respond answers in the application's place.
func (s *stream) respond(r *gate.Respond) {
	header := make([][2]string, 0, len(r.Header))
	for _, f := range r.Header {
		header = append(header, [2]string{f.Name, f.Value})
	}
	grpc := int32(abi.NoGRPCStatus)
	if s.status = r.Status; r.GRPC != 0 {
		s.status, grpc = 0, int32(r.GRPC)
	}
	if err := abi.SendLocalResponse(uint32(r.Status), "postern_"+r.Reason, header, r.Body, grpc); err != nil {
		// Headers beyond what the host takes. The request stays stopped.
		abi.Log(abi.LevelError, "postern: "+err.Error())
		s.status = 503
		if err := abi.SendLocalResponse(503, "postern_denied", nil, nil, abi.NoGRPCStatus); err != nil {
			abi.Log(abi.LevelError, "postern: "+err.Error())
		}
	}
}

// OnHttpStreamDone implements types.HttpContext: nobody waits for what a flow
// may still find out.
func (s *stream) OnHttpStreamDone() {
	if s.reading != nil {
		delete(s.plugin.reading, s.id)
	}
	s.plugin.watched.remove(s)
	if s.task != nil {
		s.task.Cancel()
	}
}
