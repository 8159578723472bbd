package wazerohost

// The answers of a headers callback. 2 (ContinueAndEndStream) and unknown small
// numbers count as Continue in Envoy; above the last one everything stops.
const (
	headersContinue = iota
	headersStopIteration
	headersContinueAndEnd
	headersStopAllAndBuffer
	headersStopAllAndWatermark
)

// The answers of a body callback.
const (
	bodyContinue = iota
	bodyStopAndBuffer
	bodyStopAndWatermark
	bodyStopNoBuffer
)

// phase is how far Envoy's filter manager has got with a direction.
type phase int

const (
	phaseIdle       phase = iota // nothing has come
	phaseOpen                    // what comes passes
	phaseStopped                 // held, but further parts still reach the filter
	phaseStoppedAll              // held, and further parts wait outside
)

// direction takes a request or a response through the filter, under the rules of
// Envoy's filter manager. It belongs to the worker's loop.
type direction struct {
	s        *Stream
	response bool
	out      *message // what has left the filter
	phase    phase
	calling  bool // a callback of this direction is running

	log      *headerMap // the headers, as the log callback and properties see them
	headers  *headerMap // null whenever the module may not touch them
	trailers *headerMap // likewise
	view     []byte     // the body as a callback sees it
	viewable bool
	whole    bool // the module asked for buffering: it sees all that is held

	held         []byte // body that waits
	heldTrailers *headerMap
	ended        bool // the sender has finished
	resuming     bool // a continue is queued
	full         bool // StopAllIterationAndBuffer: the limit applies
}

func (d *direction) name(part string) string {
	if d.response {
		return "proxy_on_response_" + part
	}
	return "proxy_on_request_" + part
}

// hide takes the maps and buffers away from the module.
func (d *direction) hide() { d.headers, d.trailers, d.view, d.viewable = nil, nil, nil, false }

// enter makes a callback. ok is false when the stream ended in it.
func (d *direction) enter(part string, a ...uint32) (result, bool) {
	d.calling = true
	r := d.s.vm.enter(d.s.ctx, d.name(part), a...)
	d.calling = false
	if r.failed {
		d.s.fail()
		if d.s.failsOpen() {
			return result{}, !d.s.over(d)
		}
		return r, false
	}
	return r, !d.s.over(d)
}

func flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// start takes the headers in.
func (d *direction) start(headers *headerMap, end bool) {
	d.phase, d.ended = phaseOpen, end
	d.headers, d.log = headers, headers
	r, ok := d.enter("headers", uint32(headers.size()), flag(end))
	if !ok {
		return
	}
	switch d.headersVerdict(r) {
	case headersContinue:
		d.headers = nil
		d.emitHeaders(end)
	case headersStopIteration:
		d.phase = phaseStopped
	case headersStopAllAndBuffer:
		d.phase, d.full = phaseStoppedAll, true
	default:
		d.phase = phaseStoppedAll
	}
}

// headersVerdict is what the callback's answer means here.
func (d *direction) headersVerdict(r result) int {
	switch {
	case r.stop || r.value > headersStopAllAndWatermark:
		return headersStopAllAndWatermark
	case r.value == headersStopIteration && !d.s.host.cfg.AllowOnHeadersStopIteration:
		return headersStopAllAndWatermark
	case r.value == headersContinueAndEnd:
		return headersContinue
	}
	return int(r.value)
}

// data takes a part of the body in.
func (d *direction) data(part []byte, end bool) {
	d.ended = d.ended || end
	if d.phase == phaseStoppedAll {
		d.hold(part)
		return
	}
	d.filterData(part, end)
}

func (d *direction) filterData(part []byte, end bool) {
	if d.whole { // the module buffers: it sees what is held and the new part
		d.hold(part)
		if d.s.over(d) {
			return
		}
		part = nil
		d.view = d.held
	} else {
		d.view = part
	}
	d.viewable = true
	r, ok := d.enter("body", uint32(len(d.view)), flag(end))
	if !ok {
		return
	}
	if d.whole {
		d.held = d.view
	} else {
		part = d.view
	}
	d.whole = false
	switch {
	case r.stop || r.value >= bodyStopNoBuffer:
		d.phase = phaseStopped
	case r.value == bodyContinue:
		d.viewable = false
		d.release(part, end)
	default:
		d.whole = r.value == bodyStopAndBuffer
		d.phase = phaseStopped
		d.hold(part)
	}
}

// hold keeps a part of the body. What the filter makes Envoy buffer is limited;
// behind a watermark Envoy stops reading instead.
func (d *direction) hold(part []byte) {
	d.held = append(d.held, part...)
	if (d.whole || d.full) && len(d.held) > d.s.host.cfg.MaxRequestBytes {
		d.held = nil
		if d.response {
			d.s.reset()
			return
		}
		d.s.replyLocally(localReply{code: 413, body: []byte("Payload Too Large"), details: "request_payload_too_large"})
	}
}

// release passes on what was held and this part behind it. Held headers go first:
// a Continue from the body callback lets them go.
func (d *direction) release(part []byte, end bool) {
	d.phase = phaseOpen
	all := append(d.held, part...)
	d.held = nil
	d.emitHeaders(false)
	d.out.addData(all, end)
	d.s.passed(d)
}

// finish takes the trailers in; they end the direction.
func (d *direction) finish(trailers *headerMap) {
	d.ended = true
	if d.phase == phaseStoppedAll {
		d.heldTrailers = trailers
		return
	}
	d.filterTrailers(trailers)
}

func (d *direction) filterTrailers(trailers *headerMap) {
	d.trailers = trailers
	r, ok := d.enter("trailers", uint32(trailers.size()))
	if !ok {
		return
	}
	if r.stop || r.value != 0 {
		d.phase, d.heldTrailers = phaseStopped, trailers
		return
	}
	d.trailers = nil
	d.release(nil, false)
	d.out.addTrailers(trailers)
	d.s.passed(d)
}

// resume is continue_stream, after the callback that asked for it.
func (d *direction) resume() {
	d.resuming = false
	if d.s.over(d) || d.phase == phaseIdle {
		return
	}
	all := d.phase == phaseStoppedAll
	d.phase = phaseOpen
	d.headers, d.trailers = nil, nil
	d.emitHeaders(d.ended && len(d.held) == 0 && d.heldTrailers == nil)
	held, trailers := d.held, d.heldTrailers
	d.held, d.heldTrailers = nil, nil
	d.whole = false
	if len(held) > 0 {
		end := d.ended && trailers == nil
		if all { // the filter has not seen this body yet
			d.filterData(held, end)
		} else {
			d.out.addData(held, end)
		}
	}
	if trailers != nil && !d.s.over(d) {
		d.resumeTrailers(trailers, all)
	}
	d.s.passed(d)
	d.s.noteHolding()
}

func (d *direction) resumeTrailers(trailers *headerMap, all bool) {
	switch {
	case all && d.phase == phaseStoppedAll:
		d.heldTrailers = trailers
	case all:
		d.filterTrailers(trailers)
	default:
		d.out.addTrailers(trailers)
	}
}

func (d *direction) emitHeaders(end bool) {
	if d.out.setHeaders(d.log.clone(), end) {
		d.s.passed(d)
	}
}
