package wazerohost

import (
	"fmt"
	"strconv"
	"strings"
)

// localReply is a response that the filter or the host makes.
type localReply struct {
	code       uint32
	headers    [][2]string
	body       []byte
	grpcStatus int32
	details    string
}

// noGRPCStatus says that the reply's code decides the gRPC status.
const noGRPCStatus = -1

// failDetails is what Envoy calls the 503 of a dead VM.
const failDetails = "wasm_fail_stream"

// over tells that nothing more may pass in a direction.
func (s *Stream) over(d *direction) bool {
	return s.gone || (s.replied && d == &s.request)
}

// headerMap is one of the stream's maps, nil where the phase has none.
func (s *Stream) headerMap(kind uint32, edit bool) *headerMap {
	if s.gone && !edit { // the log callback sees the headers again
		switch kind {
		case mapRequestHeaders:
			return s.request.log
		case mapResponseHeaders:
			return s.response.log
		}
	}
	switch kind {
	case mapRequestHeaders:
		return s.request.headers
	case mapRequestTrailers:
		return s.request.trailers
	case mapResponseHeaders:
		return s.response.headers
	case mapResponseTrailers:
		return s.response.trailers
	}
	return nil
}

// body is the buffer of a body callback. Outside of one there is nothing to see,
// which Envoy answers as an empty buffer.
func (s *Stream) body(kind uint32) ([]byte, func([]byte), bool) {
	d := &s.request
	if kind == bufferResponseBody {
		d = &s.response
	}
	if d.whole && !d.calling {
		return d.held, func(b []byte) { d.held = b }, true
	}
	if !d.viewable {
		return nil, nil, true
	}
	return d.view, func(b []byte) { d.view = b }, true
}

// announceReply notes a reply that cannot be right.
func (s *Stream) announceReply() {
	switch {
	case s.gone:
		s.host.misuse("send_local_response after the stream's end")
	case s.replyQueued:
		s.host.misuse("send_local_response twice on a stream")
	case s.response.phase != phaseIdle:
		s.host.misuse("send_local_response after the response had begun")
	case s.request.resuming:
		s.host.misuse("send_local_response after continue_stream")
	}
	s.replyQueued = true
}

// announceContinue notes a continue that cannot be right.
func (s *Stream) announceContinue(d *direction) {
	switch {
	case s.gone:
		s.host.misuse("continue_stream after the stream's end")
	case s.replyQueued && d == &s.request:
		s.host.misuse("continue_stream after send_local_response")
	case d.calling:
		s.host.misuse("continue_stream inside the callback that should return Continue")
	case d.resuming || d.phase == phaseOpen || d.phase == phaseIdle:
		s.host.misuse("continue_stream on a stream that is not paused")
	}
	d.resuming = true
}

// replyLocally sends a reply through the filter's own response callbacks.
func (s *Stream) replyLocally(r localReply) {
	if s.gone || s.replied {
		return
	}
	if s.response.phase != phaseIdle { // headers are on their way: Envoy cuts
		s.reset()
		return
	}
	s.replied = true
	s.setReason(r.details)
	headers, body := s.renderReply(r)
	s.response.start(headers, len(body) == 0)
	if len(body) > 0 && !s.gone {
		s.response.data(body, true)
	}
}

// renderReply makes the message as Envoy does: the given headers are appended,
// then content-length and a missing content-type follow from the body.
func (s *Stream) renderReply(r localReply) (*headerMap, []byte) {
	m := newHeaderMap([][2]string{{":status", strconv.Itoa(int(r.code))}})
	for _, h := range r.headers {
		m.add(h[0], h[1])
	}
	if s.isGRPC() {
		return s.renderGRPC(m, r), nil
	}
	if len(r.body) == 0 {
		m.remove("content-length")
		m.remove("content-type")
		return m, nil
	}
	m.set("content-length", strconv.Itoa(len(r.body)))
	if _, ok := m.get("content-type"); !ok {
		m.add("content-type", "text/plain")
	}
	if s.request.log.value(":method") == "HEAD" {
		return m, nil
	}
	return m, r.body
}

// isGRPC knows the two spellings that Envoy knows: gRPC-Web is answered like any
// other request.
func (s *Stream) isGRPC() bool {
	kind := s.request.log.value("content-type")
	return kind == "application/grpc" || strings.HasPrefix(kind, "application/grpc+")
}

// renderGRPC makes a trailers-only response.
func (s *Stream) renderGRPC(m *headerMap, r localReply) *headerMap {
	code := r.grpcStatus
	if code == noGRPCStatus {
		code = grpcStatusOf(r.code)
	}
	m.set(":status", "200")
	m.set("content-type", "application/grpc")
	m.set("grpc-status", strconv.Itoa(int(code)))
	if len(r.body) > 0 {
		m.set("grpc-message", grpcMessage(r.body))
	}
	m.remove("content-length")
	return m
}

// grpcMessage encodes a text as Envoy does, which takes the tilde for what
// cannot be printed.
func grpcMessage(text []byte) string {
	var b strings.Builder
	for _, c := range text {
		if c < ' ' || c >= '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// grpcStatusOf maps a code as gRPC's HTTP status mapping says.
func grpcStatusOf(code uint32) int32 {
	switch code {
	case 400:
		return 13
	case 401:
		return 16
	case 403:
		return 7
	case 404:
		return 12
	case 429, 502, 503, 504:
		return 14
	}
	return 2
}

// fail ends a stream whose VM is dead, by the failure policy.
func (s *Stream) fail() {
	if s.gone || s.failed {
		return
	}
	s.failed = true
	if s.failsOpen() {
		for _, d := range []*direction{&s.request, &s.response} {
			if d.phase == phaseStopped || d.phase == phaseStoppedAll {
				d.resume()
			}
		}
		return
	}
	if s.response.out.isStarted() {
		s.reset()
		return
	}
	s.replied = true
	s.response.phase = phaseIdle
	s.setReason(failDetails)
	headers, _ := s.renderReply(localReply{code: 503, grpcStatus: 14})
	s.response.log = headers
	s.response.out.setHeaders(headers.clone(), true)
	s.end()
}

func (s *Stream) failsOpen() bool { return s.host.cfg.FailurePolicy == FailOpen }

func (s *Stream) setReason(details string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isReply, s.reason = true, details
	s.cond.Broadcast()
}

// passed looks whether the response has left completely.
func (s *Stream) passed(d *direction) {
	if d == &s.response && d.out.isEnded() {
		s.end()
	}
}

// reset cuts the stream.
func (s *Stream) reset() {
	if s.gone {
		return
	}
	s.mu.Lock()
	s.wasReset = true
	s.cond.Broadcast()
	s.mu.Unlock()
	s.end()
}

// end closes the stream towards both sides and leaves its deletion for later: a
// callback of it may still be under way.
func (s *Stream) end() {
	if s.gone {
		return
	}
	s.gone = true
	s.request.hide()
	s.response.hide()
	s.mu.Lock()
	if !s.response.out.ended && !s.isReply {
		s.wasReset = true
	}
	s.mu.Unlock()
	s.request.out.abort()
	s.response.out.abort()
	s.worker.loop.later = append(s.worker.loop.later, s.delete)
}

// delete tells the module: on_log, on_done, on_delete.
func (s *Stream) delete() {
	s.worker.remove(s)
	if s.ctx == nil {
		return
	}
	s.vm.enter(s.ctx, "proxy_on_log")
	s.vm.enter(s.ctx, "proxy_on_done")
	s.vm.enter(s.ctx, "proxy_on_delete")
	delete(s.vm.contexts, s.ctx.id)
	s.root.streams--
	s.root.endIfIdle()
}
