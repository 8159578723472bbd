//go:build !wasip1

package abi

import "time"

// Host answers the host calls in native tests, in place of a proxy. Values and
// statuses are those of the ABI; header blocks are encoded and decoded on the
// way, so the codec is part of what a test runs through.
type Host interface {
	Log(level LogLevel, message string)
	LogLevel() LogLevel
	Now() time.Time
	HeaderPairs(m MapType) ([][2]string, Status)
	HeaderValue(m MapType, name string) (string, Status)
	ReplaceHeader(m MapType, name, value string) Status
	AddHeader(m MapType, name, value string) Status
	RemoveHeader(m MapType, name string) Status
	SendLocalResponse(status uint32, details string, headers [][2]string, body []byte, grpcStatus int32) Status
	ContinueStream(t StreamType) Status
	CloseStream(t StreamType) Status
	HTTPCall(cluster string, headers [][2]string, body []byte, timeout time.Duration) (uint32, Status)
	BufferBytes(t BufferType, start, limit int) ([]byte, Status)
	SetTick(d time.Duration) Status
	SetEffectiveContext(id uint32) Status
	SharedData(key string) ([]byte, uint32, Status)
	SetSharedData(key string, value []byte, cas uint32) Status
	DefineMetric(gauge bool, name string) (uint32, Status)
	IncrementMetric(id uint32, offset int64) Status
	RecordMetric(id uint32, value uint64) Status
	Property(path string) ([]byte, Status)
}

// native is nil outside tests: every call is StatusUnimplemented then.
var native Host

// Callbacks makes the host's callbacks in a native test, as the exports do in
// the module; the results are the ABI's numbers.
type Callbacks struct{ d *dispatcher }

// UseHost puts a host and fresh, empty contexts in place, until restore. It is
// for native tests, one at a time: the module has but one host.
func UseHost(h Host) (run Callbacks, restore func()) {
	oldHost, oldCallbacks := native, callbacks
	native, callbacks = h, newDispatcher()
	return Callbacks{callbacks}, func() { native, callbacks = oldHost, oldCallbacks }
}

// ContextCreate makes a plugin context (parent 0) or a stream.
func (c Callbacks) ContextCreate(id, parent uint32) { c.d.contextCreate(id, parent) }

// VMStart is proxy_on_vm_start.
func (c Callbacks) VMStart(id uint32, size int) bool { return c.d.vmStart(id, size) }

// Configure is proxy_on_configure.
func (c Callbacks) Configure(id uint32, size int) bool { return c.d.configure(id, size) }

// Tick is proxy_on_tick.
func (c Callbacks) Tick(id uint32) { c.d.tick(id) }

// RequestHeaders is proxy_on_request_headers.
func (c Callbacks) RequestHeaders(id uint32, n int, end bool) uint32 {
	return c.d.requestHeaders(id, n, end)
}

// RequestBody is proxy_on_request_body.
func (c Callbacks) RequestBody(id uint32, size int, end bool) uint32 {
	return c.d.requestBody(id, size, end)
}

// RequestTrailers is proxy_on_request_trailers.
func (c Callbacks) RequestTrailers(id uint32, n int) uint32 { return c.d.requestTrailers(id, n) }

// ResponseHeaders is proxy_on_response_headers.
func (c Callbacks) ResponseHeaders(id uint32, n int, end bool) uint32 {
	return c.d.responseHeaders(id, n, end)
}

// HTTPCallResponse is proxy_on_http_call_response.
func (c Callbacks) HTTPCallResponse(id, call uint32, headers, body, trailers int) {
	c.d.callResponse(id, call, headers, body, trailers)
}

// Delete is proxy_on_delete.
func (c Callbacks) Delete(id uint32) { c.d.remove(id) }

func hostLog(level LogLevel, message string) Status {
	if native == nil {
		return StatusUnimplemented
	}
	native.Log(level, message)
	return StatusOK
}

func hostLogLevel() (LogLevel, Status) {
	if native == nil {
		return 0, StatusUnimplemented
	}
	return native.LogLevel(), StatusOK
}

func hostNow() int64 {
	if native == nil {
		return 0
	}
	return native.Now().UnixNano()
}

func hostHeaderPairs(m MapType) ([]byte, Status) {
	if native == nil {
		return nil, StatusUnimplemented
	}
	pairs, status := native.HeaderPairs(m)
	if status != StatusOK {
		return nil, status
	}
	return layOut(pairs), StatusOK
}

func hostHeaderValue(m MapType, name string) ([]byte, Status) {
	if native == nil {
		return nil, StatusUnimplemented
	}
	value, status := native.HeaderValue(m, name)
	return []byte(value), status
}

func hostReplaceHeader(m MapType, name, value string) Status {
	if native == nil {
		return StatusUnimplemented
	}
	return native.ReplaceHeader(m, name, value)
}

func hostAddHeader(m MapType, name, value string) Status {
	if native == nil {
		return StatusUnimplemented
	}
	return native.AddHeader(m, name, value)
}

func hostRemoveHeader(m MapType, name string) Status {
	if native == nil {
		return StatusUnimplemented
	}
	return native.RemoveHeader(m, name)
}

func hostSendLocalResponse(status uint32, details string, headers, body []byte, grpcStatus int32) Status {
	if native == nil {
		return StatusUnimplemented
	}
	pairs, err := decodePairs(nil, headers)
	if err != nil {
		return StatusSerializationFailure
	}
	return native.SendLocalResponse(status, details, pairs, body, grpcStatus)
}

func hostContinueStream(t StreamType) Status {
	if native == nil {
		return StatusUnimplemented
	}
	return native.ContinueStream(t)
}

func hostCloseStream(t StreamType) Status {
	if native == nil {
		return StatusUnimplemented
	}
	return native.CloseStream(t)
}

func hostHTTPCall(cluster string, headers, body []byte, timeout uint32) (uint32, Status) {
	if native == nil {
		return 0, StatusUnimplemented
	}
	pairs, err := decodePairs(nil, headers)
	if err != nil {
		return 0, StatusSerializationFailure
	}
	return native.HTTPCall(cluster, pairs, body, time.Duration(timeout)*time.Millisecond)
}

func hostBufferBytes(t BufferType, start, limit uint32) ([]byte, Status) {
	if native == nil {
		return nil, StatusUnimplemented
	}
	return native.BufferBytes(t, int(start), int(limit))
}

func hostSetTick(ms uint32) Status {
	if native == nil {
		return StatusUnimplemented
	}
	return native.SetTick(time.Duration(ms) * time.Millisecond)
}

func hostSetEffectiveContext(id uint32) Status {
	if native == nil {
		return StatusUnimplemented
	}
	return native.SetEffectiveContext(id)
}

func hostSharedData(key string) ([]byte, uint32, Status) {
	if native == nil {
		return nil, 0, StatusUnimplemented
	}
	return native.SharedData(key)
}

func hostSetSharedData(key string, value []byte, cas uint32) Status {
	if native == nil {
		return StatusUnimplemented
	}
	return native.SetSharedData(key, value, cas)
}

func hostDefineMetric(kind uint32, name string) (uint32, Status) {
	if native == nil {
		return 0, StatusUnimplemented
	}
	return native.DefineMetric(kind == metricGauge, name)
}

func hostIncrementMetric(id uint32, offset int64) Status {
	if native == nil {
		return StatusUnimplemented
	}
	return native.IncrementMetric(id, offset)
}

func hostRecordMetric(id uint32, value uint64) Status {
	if native == nil {
		return StatusUnimplemented
	}
	return native.RecordMetric(id, value)
}

func hostProperty(path string) ([]byte, Status) {
	if native == nil {
		return nil, StatusUnimplemented
	}
	return native.Property(path)
}
