package plugin

import (
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/httpmsg"
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
}

// OnHttpRequestHeaders implements types.HttpContext.
func (s *stream) OnHttpRequestHeaders(int, bool) types.Action {
	r, err := readRequest()
	if err != nil {
		abi.Log(abi.LevelError, "postern: "+err.Error())
		s.carryOut(gate.Verdict{})
		return types.ActionPause
	}
	verdict, rest := s.plugin.gate.Handle(r)
	switch {
	case rest == nil:
		s.carryOut(verdict)
	case s.plugin.flows.Active() >= maxFlows:
		s.carryOut(s.plugin.gate.Busy(r))
	default:
		s.run(rest)
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
func (s *stream) run(rest gate.Flow) {
	paused := false
	s.task = s.plugin.flows.Go(func(env flow.Env) {
		ended := false
		defer func() {
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
	})
	paused = true
}

// makeCurrent makes this stream the one that host calls concern.
func (s *stream) makeCurrent() bool { return abi.SetEffectiveContext(s.id) == nil }

// carryOut does what a verdict says, once. A verdict that says nothing, and
// one that cannot be carried out, denies.
func (s *stream) carryOut(v gate.Verdict) {
	if s.state != undecided {
		return
	}
	if v.Forward != nil && v.Respond == nil {
		err := edit(v.Forward)
		if err == nil {
			s.state = forwarded
			return
		}
		abi.Log(abi.LevelError, "postern: "+err.Error())
	}
	s.state = responded
	s.respond(v.Respond)
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
	for _, field := range f.Set {
		if err := abi.ReplaceHeaderUnchecked(abi.RequestHeaders, field.Name, field.Value); err != nil {
			return err
		}
	}
	return nil
}

// respond answers in the application's place; nil denies.
func (s *stream) respond(r *gate.Respond) {
	if r == nil {
		r = &gate.Respond{Status: 503, Reason: "denied"}
	}
	header := make([][2]string, 0, len(r.Header))
	for _, f := range r.Header {
		header = append(header, [2]string{f.Name, f.Value})
	}
	grpc := int32(abi.NoGRPCStatus)
	if r.GRPC != 0 {
		grpc = int32(r.GRPC)
	}
	if err := abi.SendLocalResponse(uint32(r.Status), "postern_"+r.Reason, header, r.Body, grpc); err != nil {
		// Headers beyond what the host takes. The request stays stopped.
		abi.Log(abi.LevelError, "postern: "+err.Error())
		if err := abi.SendLocalResponse(503, "postern_denied", nil, nil, abi.NoGRPCStatus); err != nil {
			abi.Log(abi.LevelError, "postern: "+err.Error())
		}
	}
}

// OnHttpRequestBody implements types.HttpContext.
func (s *stream) OnHttpRequestBody(int, bool) types.Action {
	if s.state == forwarded {
		return types.ActionContinue
	}
	return types.ActionPause
}

// OnHttpRequestTrailers implements types.HttpContext. Applications may merge
// trailers into the headers (RFC 9110, section 6.5.1): what is ours to set is
// taken out of both.
func (s *stream) OnHttpRequestTrailers(int) types.Action {
	if s.state != forwarded {
		return types.ActionPause
	}
	trailers, err := abi.AppendHeaderPairs(nil, abi.RequestTrailers)
	for _, p := range trailers {
		if err == nil && s.plugin.gate.Strips(p[0]) {
			err = abi.RemoveHeader(abi.RequestTrailers, p[0])
		}
	}
	if err != nil {
		abi.Log(abi.LevelError, "postern: "+err.Error())
		return types.ActionPause
	}
	return types.ActionContinue
}

// OnHttpResponseHeaders implements types.HttpContext: it keeps an application
// from setting cookies of our names. Our own answers pass here as well.
func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	if s.state != forwarded {
		return types.ActionContinue
	}
	_, some, err := abi.HeaderValue(abi.ResponseHeaders, "set-cookie")
	if err == nil && !some {
		return types.ActionContinue
	}
	if err := s.keepCookies(); err != nil {
		abi.Log(abi.LevelError, "postern: "+err.Error())
		if err := abi.RemoveHeader(abi.ResponseHeaders, "set-cookie"); err != nil {
			abi.Log(abi.LevelError, "postern: "+err.Error())
		}
	}
	return types.ActionContinue
}

// keepCookies takes our names out of the application's Set-Cookie fields and
// leaves the others as they are.
func (s *stream) keepCookies() error {
	pairs, err := abi.AppendHeaderPairs(nil, abi.ResponseHeaders)
	if err != nil {
		return err
	}
	var kept []string
	dropped := false
	for _, p := range pairs {
		if p[0] != "set-cookie" {
			continue
		}
		if s.plugin.gate.OwnsCookie(httpmsg.SetCookieName(p[1])) {
			dropped = true
		} else {
			kept = append(kept, p[1])
		}
	}
	if !dropped {
		return nil
	}
	if err := abi.RemoveHeader(abi.ResponseHeaders, "set-cookie"); err != nil {
		return err
	}
	for _, value := range kept {
		if err := abi.AddHeader(abi.ResponseHeaders, "set-cookie", value); err != nil {
			return err
		}
	}
	return nil
}

// OnHttpStreamDone implements types.HttpContext: nobody waits for what a flow
// may still find out.
func (s *stream) OnHttpStreamDone() {
	if s.task != nil {
		s.task.Cancel()
	}
}
