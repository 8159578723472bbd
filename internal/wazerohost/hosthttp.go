package wazerohost

import (
	"strings"
	"time"
)

// headersOf is the map as this moment of the context has it; nil where the ABI
// says that it cannot be had. Reading reaches a little further than editing: a
// call's response is read-only, and the log callback sees everything again.
func headersOf(c *moduleContext, kind uint32, edit bool) *headerMap {
	if kind >= mapCallResponseHeaders {
		if edit || c.root == nil || c.root.answer == nil {
			return nil
		}
		if kind == mapCallResponseHeaders {
			return c.root.answer.headers
		}
		return c.root.answer.trailers
	}
	if c.stream == nil {
		return nil
	}
	return c.stream.headerMap(kind, edit)
}

// editHeaders runs an edit of a header map for a name and, if given, a value.
func editHeaders(v *vm, p args, values bool, edit func(m *headerMap, name, value string)) status {
	if p.u32(0) >= mapTypes {
		return statusBadArgument
	}
	name, ok := p.bytes(v, 1)
	var value []byte
	if ok && values {
		value, ok = p.bytes(v, 3)
	}
	if !ok {
		return statusInvalidMemoryAccess
	}
	m := headersOf(v.context(), p.u32(0), true)
	if m == nil {
		v.host.misuse("header " + string(name) + " edited where its map cannot be had")
		return statusBadArgument
	}
	v.checkField(string(name), string(value))
	edit(m, string(name), string(value))
	return statusOK
}

// checkField notes what Envoy's release builds would put on the wire unchecked.
func (v *vm) checkField(name, value string) {
	if strings.ContainsAny(name+value, "\r\n\x00") {
		v.host.misuse("control character in header " + name)
	}
}

func proxyAddHeader(v *vm, p args) status {
	return editHeaders(v, p, true, (*headerMap).add)
}

func proxyReplaceHeader(v *vm, p args) status {
	return editHeaders(v, p, true, (*headerMap).set)
}

func proxyRemoveHeader(v *vm, p args) status {
	return editHeaders(v, p, false, func(m *headerMap, name, _ string) { m.remove(name) })
}

func proxyGetHeader(v *vm, p args) status {
	if p.u32(0) >= mapTypes {
		return statusBadArgument
	}
	name, ok := p.bytes(v, 1)
	if !ok {
		return statusInvalidMemoryAccess
	}
	m := headersOf(v.context(), p.u32(0), false)
	if m == nil {
		return statusBadArgument
	}
	value, ok := m.get(string(name))
	if !ok {
		return statusNotFound
	}
	return v.give([]byte(value), p.u32(3), p.u32(4))
}

// proxyGetPairs answers an absent map as an empty one.
func proxyGetPairs(v *vm, p args) status {
	if p.u32(0) >= mapTypes {
		return statusBadArgument
	}
	m := headersOf(v.context(), p.u32(0), false)
	if m.size() == 0 {
		return v.give(nil, p.u32(1), p.u32(2))
	}
	return v.give(encodePairs(m.pairs), p.u32(1), p.u32(2))
}

// pairsFrom decodes what the guest hands over; too much is silently nothing.
func (v *vm) pairsFrom(b []byte, what string) [][2]string {
	pairs, ok := decodePairs(b)
	if !ok {
		v.host.misuse(what + ": pairs are malformed or over the limits and were dropped")
	}
	return pairs
}

func proxySetPairs(v *vm, p args) status {
	if p.u32(0) >= mapTypes {
		return statusBadArgument
	}
	b, ok := p.bytes(v, 1)
	if !ok {
		return statusInvalidMemoryAccess
	}
	m := headersOf(v.context(), p.u32(0), true)
	if m == nil {
		v.host.misuse("header pairs set where their map cannot be had")
		return statusBadArgument
	}
	m.pairs = newHeaderMap(v.pairsFrom(b, "set_header_map_pairs")).pairs
	return statusOK
}

func proxyGetMapSize(v *vm, p args) status {
	if p.u32(0) >= mapTypes {
		return statusBadArgument
	}
	m := headersOf(v.context(), p.u32(0), true)
	if m == nil {
		return statusBadArgument
	}
	return okIf(v.write32(p.u32(1), uint32(m.byteSize())))
}

// bufferOf is a buffer as this moment has it; edit is nil for a read-only one.
func (v *vm) bufferOf(kind uint32) (data []byte, edit func([]byte), ok bool) {
	c := v.context()
	switch kind {
	case bufferVMConfiguration:
		return v.host.cfg.VMConfig, nil, true
	case bufferPluginConfiguration:
		if c.root != nil && c.root.configReadable {
			return c.root.config, nil, true
		}
	case bufferCallResponseBody:
		if c.root != nil && c.root.answer != nil {
			return c.root.answer.body, nil, true
		}
	case bufferRequestBody, bufferResponseBody:
		if c.stream != nil {
			return c.stream.body(kind)
		}
	case bufferCallData:
		return nil, nil, true
	}
	return nil, nil, false
}

func proxyGetBuffer(v *vm, p args) status {
	if p.u32(0) >= bufferTypes {
		return statusBadArgument
	}
	data, _, ok := v.bufferOf(p.u32(0))
	if !ok {
		return statusNotFound
	}
	start := min(uint64(p.u32(1)), uint64(len(data)))
	end := min(uint64(p.u32(1))+uint64(p.u32(2)), uint64(len(data)))
	return v.give(data[start:end], p.u32(3), p.u32(4))
}

func proxyBufferStatus(v *vm, p args) status {
	if p.u32(0) >= bufferTypes {
		return statusBadArgument
	}
	data, _, ok := v.bufferOf(p.u32(0))
	if !ok {
		return statusNotFound
	}
	return okIf(v.write32(p.u32(1), uint32(len(data))) && v.write32(p.u32(2), 0))
}

// proxySetBuffer may prepend, append or replace the whole, as in Envoy.
func proxySetBuffer(v *vm, p args) status {
	if p.u32(0) >= bufferTypes {
		return statusBadArgument
	}
	data, edit, ok := v.bufferOf(p.u32(0))
	if !ok {
		return statusNotFound
	}
	insert, ok := p.bytes(v, 3)
	if !ok {
		return statusInvalidMemoryAccess
	}
	start, length, size := uint64(p.u32(1)), uint64(p.u32(2)), uint64(len(data))
	switch {
	case edit == nil:
		return statusBadArgument
	case start == 0 && length == 0:
		edit(append(insert, data...))
	case start == 0 && length >= size:
		edit(insert)
	case start >= size:
		edit(append(append([]byte(nil), data...), insert...))
	default:
		return statusBadArgument
	}
	return statusOK
}

// proxySendLocalResponse always answers OK; the reply goes out after the current
// callback has returned, and whatever that returns counts as "stop".
func proxySendLocalResponse(v *vm, p args) status {
	details, ok1 := p.bytes(v, 1)
	body, ok2 := p.bytes(v, 3)
	pairs, ok3 := p.bytes(v, 5)
	if !ok1 || !ok2 || !ok3 {
		return statusInvalidMemoryAccess
	}
	reply := localReply{
		code: p.u32(0), body: body, grpcStatus: int32(p.u32(7)),
		headers: v.pairsFrom(pairs, "send_local_response"),
		details: strings.Join(strings.Fields(string(details)), "_"),
	}
	for _, h := range reply.headers {
		v.checkField(h[0], h[1])
	}
	if s := v.context().stream; s != nil {
		s.announceReply()
		v.deferCall(func() { s.replyLocally(reply) })
	}
	v.stopNext = true
	return statusOK
}

// proxyContinueStream hides the request's maps and buffers at once and continues
// after the current callback has returned.
func proxyContinueStream(v *vm, p args) status {
	s := v.context().stream
	switch kind := p.u32(0); {
	case kind > streamResponse:
		return statusBadArgument
	case s == nil:
		v.host.misuse("continue_stream outside of a stream")
	case kind == streamRequest:
		s.announceContinue(&s.request)
		v.deferCall(s.request.resume)
	default:
		s.announceContinue(&s.response)
		v.deferCall(s.response.resume)
	}
	if s != nil {
		s.request.hide()
	}
	return statusOK
}

// proxyCloseStream resets the stream, whichever direction is named.
func proxyCloseStream(v *vm, p args) status {
	if p.u32(0) >= streamTypes {
		return statusBadArgument
	}
	s := v.context().stream
	if s == nil {
		v.host.misuse("close_stream outside of a stream")
		return statusOK
	}
	if s.closing || s.gone {
		// Envoy frees the stream for the first and follows it for the second.
		v.host.misuse("close_stream twice, or after the stream's end")
	}
	s.closing = true
	v.deferCall(s.reset)
	return statusOK
}

// proxyHTTPCall starts a call on the plugin's behalf, whichever stream is the
// current one.
func proxyHTTPCall(v *vm, p args) status {
	cluster, ok1 := p.bytes(v, 0)
	pairs, ok2 := p.bytes(v, 2)
	body, ok3 := p.bytes(v, 4)
	trailers, ok4 := p.bytes(v, 6)
	tokenPtr := p.u32(9)
	if !ok1 || !ok2 || !ok3 || !ok4 || !v.write32(tokenPtr, 0) {
		return statusInvalidMemoryAccess
	}
	root := v.context().root
	if root == nil || int32(p.u32(8)) < 0 {
		return statusBadArgument
	}
	c := &Call{
		Cluster: string(cluster), Body: body,
		Headers:  v.pairsFrom(pairs, "http_call"),
		Trailers: v.pairsFrom(trailers, "http_call trailers"),
		Timeout:  time.Duration(p.u32(8)) * time.Millisecond,
		root:     root,
	}
	if s := root.dispatch(c); s != statusOK {
		return s
	}
	return okIf(v.write32(tokenPtr, c.Token))
}
