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
	Done() Status
	SharedData(key string) ([]byte, uint32, Status)
	SetSharedData(key string, value []byte, cas uint32) Status
	DefineMetric(kind uint32, name string) (uint32, Status)
	IncrementMetric(id uint32, offset int64) Status
	RecordMetric(id uint32, value uint64) Status
	Metric(id uint32) (uint64, Status)
	Property(path string) ([]byte, Status)
	SetProperty(path, value string) Status
}

// native is the host of the test that runs; outside tests there is none.
var native Host = absentHost{}

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

// enter tells the host which context the callback concerns, as a host knows.
func (c Callbacks) enter(id uint32) *dispatcher {
	native.SetEffectiveContext(id)
	return c.d
}

// ContextCreate makes a plugin context (parent 0) or a stream.
func (c Callbacks) ContextCreate(id, parent uint32) { c.enter(id).contextCreate(id, parent) }

// VMStart is proxy_on_vm_start.
func (c Callbacks) VMStart(id uint32, size int) bool { return c.enter(id).vmStart(id, size) }

// Configure is proxy_on_configure.
func (c Callbacks) Configure(id uint32, size int) bool { return c.enter(id).configure(id, size) }

// Tick is proxy_on_tick.
func (c Callbacks) Tick(id uint32) { c.enter(id).tick(id) }

// RequestHeaders is proxy_on_request_headers.
func (c Callbacks) RequestHeaders(id uint32, n int, end bool) uint32 {
	return c.enter(id).requestHeaders(id, n, end)
}

// RequestBody is proxy_on_request_body.
func (c Callbacks) RequestBody(id uint32, size int, end bool) uint32 {
	return c.enter(id).requestBody(id, size, end)
}

// RequestTrailers is proxy_on_request_trailers.
func (c Callbacks) RequestTrailers(id uint32, n int) uint32 {
	return c.enter(id).requestTrailers(id, n)
}

// ResponseHeaders is proxy_on_response_headers.
func (c Callbacks) ResponseHeaders(id uint32, n int, end bool) uint32 {
	return c.enter(id).responseHeaders(id, n, end)
}

// HTTPCallResponse is proxy_on_http_call_response.
func (c Callbacks) HTTPCallResponse(id, call uint32, headers, body, trailers int) {
	c.enter(id).callResponse(id, call, headers, body, trailers)
}

// Done is proxy_on_done.
func (c Callbacks) Done(id uint32) bool { return c.enter(id).done(id) }

// Delete is proxy_on_delete.
func (c Callbacks) Delete(id uint32) { c.enter(id).remove(id) }

func hostLog(level LogLevel, message string) Status {
	native.Log(level, message)
	return StatusOK
}

func hostLogLevel() (LogLevel, Status) {
	return native.LogLevel(), StatusOK
}

func hostNow() int64 {
	return native.Now().UnixNano()
}

func hostHeaderPairs(m MapType) ([]byte, Status) {
	pairs, status := native.HeaderPairs(m)
	if status != StatusOK {
		return nil, status
	}
	return layOut(pairs), StatusOK
}

func hostHeaderValue(m MapType, name string) ([]byte, Status) {
	value, status := native.HeaderValue(m, name)
	return []byte(value), status
}

func hostReplaceHeader(m MapType, name, value string) Status {
	return native.ReplaceHeader(m, name, value)
}

func hostAddHeader(m MapType, name, value string) Status {
	return native.AddHeader(m, name, value)
}

func hostRemoveHeader(m MapType, name string) Status {
	return native.RemoveHeader(m, name)
}

func hostSendLocalResponse(status uint32, details string, headers, body []byte, grpcStatus int32) Status {
	pairs, err := decodePairs(nil, headers)
	if err != nil {
		return StatusSerializationFailure
	}
	return native.SendLocalResponse(status, details, pairs, body, grpcStatus)
}

func hostContinueStream(t StreamType) Status {
	return native.ContinueStream(t)
}

func hostCloseStream(t StreamType) Status {
	return native.CloseStream(t)
}

func hostHTTPCall(cluster string, headers, body []byte, timeout uint32) (uint32, Status) {
	pairs, err := decodePairs(nil, headers)
	if err != nil {
		return 0, StatusSerializationFailure
	}
	return native.HTTPCall(cluster, pairs, body, time.Duration(timeout)*time.Millisecond)
}

func hostBufferBytes(t BufferType, start, limit uint32) ([]byte, Status) {
	return native.BufferBytes(t, int(start), int(limit))
}

func hostSetTick(ms uint32) Status {
	return native.SetTick(time.Duration(ms) * time.Millisecond)
}

func hostSetEffectiveContext(id uint32) Status {
	return native.SetEffectiveContext(id)
}

func hostDone() Status { return native.Done() }

func hostSharedData(key string) ([]byte, uint32, Status) {
	return native.SharedData(key)
}

func hostSetSharedData(key string, value []byte, cas uint32) Status {
	return native.SetSharedData(key, value, cas)
}

func hostDefineMetric(kind uint32, name string) (uint32, Status) {
	return native.DefineMetric(kind, name)
}

func hostIncrementMetric(id uint32, offset int64) Status {
	return native.IncrementMetric(id, offset)
}

func hostRecordMetric(id uint32, value uint64) Status {
	return native.RecordMetric(id, value)
}

func hostMetric(id uint32) (uint64, Status) {
	return native.Metric(id)
}

func hostProperty(path string) ([]byte, Status) {
	return native.Property(path)
}

func hostSetProperty(path, value string) Status {
	return native.SetProperty(path, value)
}

// absentHost is what a native program without a test's host has.
type absentHost struct{}

func (absentHost) Log(LogLevel, string)                              {}
func (absentHost) LogLevel() LogLevel                                { return LevelCritical }
func (absentHost) Now() time.Time                                    { return time.Time{} }
func (absentHost) HeaderPairs(MapType) ([][2]string, Status)         { return nil, StatusUnimplemented }
func (absentHost) HeaderValue(MapType, string) (string, Status)      { return "", StatusUnimplemented }
func (absentHost) ReplaceHeader(MapType, string, string) Status      { return StatusUnimplemented }
func (absentHost) AddHeader(MapType, string, string) Status          { return StatusUnimplemented }
func (absentHost) RemoveHeader(MapType, string) Status               { return StatusUnimplemented }
func (absentHost) ContinueStream(StreamType) Status                  { return StatusUnimplemented }
func (absentHost) CloseStream(StreamType) Status                     { return StatusUnimplemented }
func (absentHost) BufferBytes(BufferType, int, int) ([]byte, Status) { return nil, StatusUnimplemented }
func (absentHost) SetTick(time.Duration) Status                      { return StatusUnimplemented }
func (absentHost) SetEffectiveContext(uint32) Status                 { return StatusUnimplemented }
func (absentHost) Done() Status                                      { return StatusUnimplemented }
func (absentHost) SharedData(string) ([]byte, uint32, Status)        { return nil, 0, StatusUnimplemented }
func (absentHost) SetSharedData(string, []byte, uint32) Status       { return StatusUnimplemented }
func (absentHost) DefineMetric(uint32, string) (uint32, Status)      { return 0, StatusUnimplemented }
func (absentHost) IncrementMetric(uint32, int64) Status              { return StatusUnimplemented }
func (absentHost) RecordMetric(uint32, uint64) Status                { return StatusUnimplemented }
func (absentHost) Metric(uint32) (uint64, Status)                    { return 0, StatusUnimplemented }
func (absentHost) Property(string) ([]byte, Status)                  { return nil, StatusUnimplemented }
func (absentHost) SetProperty(string, string) Status                 { return StatusUnimplemented }

func (absentHost) SendLocalResponse(uint32, string, [][2]string, []byte, int32) Status {
	return StatusUnimplemented
}

func (absentHost) HTTPCall(string, [][2]string, []byte, time.Duration) (uint32, Status) {
	return 0, StatusUnimplemented
}
