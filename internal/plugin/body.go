package plugin

import (
	"errors"
	"time"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/httpmsg"
)

const (
	// maxReading is how many requests of one worker may wait for their body:
	// for each one more, another gives way at the next tick.
	maxReading = 64
	// mostReading is how many may until then.
	mostReading = 4 * maxReading
	// maxBody is the longest body that is read, in bytes, whatever the gate
	// allows. All of it waits in the host's memory.
	maxBody = 64 << 10
	// bodyTime is how long a body may take.
	bodyTime = 3 * time.Second
)

// reading is what a stream waits for its body with.
type reading struct {
	request  *httpmsg.Request
	body     *gate.Body
	deadline time.Time
}

func (r *reading) limit() int { return min(r.body.Limit, maxBody) }

// awaitBody stops the request until its body is there. From here on the request
// is ours to answer: a host may have been told to let go of what is stopped so.
func (s *stream) awaitBody(r *httpmsg.Request, body *gate.Body, end bool) types.Action {
	if !end && len(s.plugin.reading) >= mostReading {
		s.carryOut(s.plugin.gate.Busy(r))
		return types.ActionPause
	}
	if !end && len(s.plugin.reading) >= maxReading {
		s.plugin.makeRoom()
	}
	s.ours = true
	s.reading = &reading{r, body, s.plugin.exact().Add(bodyTime)}
	if end {
		s.goOn([]byte{}, nil)
		return types.ActionPause
	}
	s.plugin.reading[s.id] = s
	return abi.ActionAwaitBody
}

// makeRoom has whoever has waited for the longest wait no more: a provider's body
// is there within a moment, so whoever keeps the places taken by bodies that do
// not come drives out others of the kind only. It is left to the next tick,
// because a host that answers one stream while another one calls us keeps the
// caller's body as well.
func (p *plugin) makeRoom() {
	now := p.exact()
	var longest *stream
	for _, s := range p.reading {
		if now.Before(s.reading.deadline) && (longest == nil || s.reading.deadline.Before(longest.reading.deadline)) {
			longest = s
		}
	}
	if longest != nil {
		longest.reading.deadline = now
	}
	if p.period > nearTick {
		p.setTick(nearTick)
	}
}

// OnHttpRequestBody implements types.HttpContext. The host keeps what came
// before, and size is that of all of it.
func (s *stream) OnHttpRequestBody(size int, end bool) types.Action {
	if s.state == forwarded {
		return types.ActionContinue
	}
	if s.reading == nil {
		return types.ActionPause
	}
	s.plugin.bodies = true
	switch {
	case size > s.reading.limit():
		s.goOn(nil, gate.ErrBodyTooLarge)
	case end:
		s.readBody()
	}
	return types.ActionPause
}

// OnHttpRequestTrailers implements types.HttpContext. Applications may merge
// trailers into the headers (RFC 9110, section 6.5.1): what is ours to set is
// taken out of both.
func (s *stream) OnHttpRequestTrailers(int) types.Action {
	if s.reading != nil {
		s.plugin.bodies = true
		s.readBody() // trailers end it
	}
	if s.state != forwarded {
		return types.ActionPause
	}
	if s.plain {
		return types.ActionContinue
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

// readBody takes the body out of the host, within one of its callbacks.
func (s *stream) readBody() {
	body, err := abi.RequestBodyBytes(s.reading.limit())
	switch {
	case errors.Is(err, abi.ErrTooLarge):
		s.goOn(nil, gate.ErrBodyTooLarge)
	case err != nil:
		abi.Log(abi.LevelError, "postern: "+err.Error())
		s.reading = nil
		delete(s.plugin.reading, s.id)
		s.carryOut(gate.Verdict{})
	default:
		s.goOn(append([]byte{}, body...), nil)
	}
}

// goOn takes the rest of the way, once, with the body or the reason why there
// is none.
func (s *stream) goOn(body []byte, err error) {
	r := s.reading
	s.reading = nil
	delete(s.plugin.reading, s.id)
	verdict, rest := r.body.Then(body, err)
	switch {
	case rest == nil:
		s.carryOut(verdict)
	case s.plugin.flows.Active() >= maxFlows:
		s.carryOut(s.plugin.gate.Busy(r.request))
	default:
		s.run(r.request, rest)
	}
}

// endReading ends the waits for bodies whose time is up. Where no body ever
// came the host lets none through: it takes a setting of its own for that.
func (p *plugin) endReading() {
	for _, s := range p.reading {
		if p.now.Before(s.reading.deadline) {
			continue
		}
		if !s.makeCurrent() {
			delete(p.reading, s.id)
			continue
		}
		if p.bodies {
			s.goOn(nil, gate.ErrBodySlow)
		} else {
			s.goOn(nil, gate.ErrNoBody)
		}
	}
}
