// Package abi binds the proxy-wasm ABI 0.2.1 to standard Go compiled for
// wasip1/wasm: the host calls (go:wasmimport env proxy_…), the callbacks that
// the host makes (go:wasmexport proxy_on_…), the codec for header pairs, and
// typed functions for the plugin. It is the only package that uses unsafe.
//
// The contexts that it serves are those of the proxy-wasm Go SDK's types
// package, so a plugin reads like any other Go plugin; only SetVMContext and
// the functions below replace the SDK's own, which bind TinyGo alone.
//
// It refuses to let a request pass by accident: a stream that the plugin does
// not know, an action that it does not know, and every panic deny (503), and
// no panic reaches the host, which would end all streams of its worker. It
// refuses header names and values that would break out of their line, and
// header blocks over the host's limits, which the host would drop in silence.
//
// Rules: proxy-wasm specification, abi-versions/v0.2.1.
package abi

import (
	"math"
	"strings"
	"time"
)

// MapType names a header map of the current stream or call.
type MapType uint32

// The header maps of ABI 0.2.1 that a gate reads or writes.
const (
	RequestHeaders      MapType = 0
	RequestTrailers     MapType = 1
	ResponseHeaders     MapType = 2
	ResponseTrailers    MapType = 3
	CallResponseHeaders MapType = 6
	CallTrailers        MapType = 7
)

// BufferType names a byte buffer of the host.
type BufferType uint32

// The buffers of ABI 0.2.1 that a gate reads.
const (
	RequestBody               BufferType = 0
	CallResponseBody          BufferType = 4
	PluginConfigurationBuffer BufferType = 7
)

// StreamType names one direction of a stream.
type StreamType uint32

// The two directions of an HTTP stream.
const (
	RequestStream  StreamType = 0
	ResponseStream StreamType = 1
)

// NoGRPCStatus is SendLocalResponse's grpcStatus for "leave it to the host".
// Zero would mean OK, and add that trailer for gRPC callers.
const NoGRPCStatus int32 = -1

// maxConfiguration bounds the plugin configuration that is read.
const maxConfiguration = 16 << 20

// CallReceiver is implemented by a plugin context that makes HTTP calls. The
// SDK's types have no such callback: a call's answer belongs to the plugin
// context, which finds the stream by call id and selects it by
// SetEffectiveContext, which refuses a stream that has ended meanwhile.
type CallReceiver interface {
	// OnHttpCallResponse receives the answer; numHeaders is 0 when the
	// connection failed or the answer did not fit the host's buffer.
	OnHttpCallResponse(callID uint32, numHeaders, bodySize, numTrailers int)
}

// AppendHeaderPairs appends the fields of a header map to dst, in their order
// and with repeated names, {name, value} each. All strings of one call share
// one buffer that is never written again: they may be kept for ever, but each
// keeps the whole block alive; clone what outlives the request.
func AppendHeaderPairs(dst [][2]string, m MapType) ([][2]string, error) {
	block, status := hostHeaderPairs(m)
	if status != StatusOK {
		return dst, failed("proxy_get_header_map_pairs", status)
	}
	return decodePairs(dst, block)
}

// HeaderValue returns the first value of a field and whether there is one. The
// host shows no further values: where a field may be repeated and that
// matters, use AppendHeaderPairs.
func HeaderValue(m MapType, name string) (string, bool, error) {
	value, status := hostHeaderValue(m, name)
	switch status {
	case StatusOK:
		return stringOf(value), true, nil
	case StatusNotFound:
		return "", false, nil
	default:
		return "", false, failed("proxy_get_header_map_value", status)
	}
}

// ReplaceHeader sets a field to one value, in place of all that it had.
func ReplaceHeader(m MapType, name, value string) error {
	if !validPair(name, value) {
		return failed("proxy_replace_header_map_value", StatusBadArgument)
	}
	return failed("proxy_replace_header_map_value", hostReplaceHeader(m, name, value))
}

// ReplaceHeaderUnchecked is ReplaceHeader for what the caller has checked
// before, once for many requests: neither name nor value may hold CR, LF or
// NUL, for the host writes what it is given.
func ReplaceHeaderUnchecked(m MapType, name, value string) error {
	return failed("proxy_replace_header_map_value", hostReplaceHeader(m, name, value))
}

// AddHeader appends a field and keeps those of the same name.
func AddHeader(m MapType, name, value string) error {
	if !validPair(name, value) {
		return failed("proxy_add_header_map_value", StatusBadArgument)
	}
	return failed("proxy_add_header_map_value", hostAddHeader(m, name, value))
}

// RemoveHeader removes all fields of a name; that there is none is no error.
func RemoveHeader(m MapType, name string) error {
	status := hostRemoveHeader(m, name)
	if status == StatusNotFound {
		return nil
	}
	return failed("proxy_remove_header_map_value", status)
}

// SendLocalResponse answers the current stream. The host does it when the
// callback returns, appends the headers (several set-cookie are fine), stops
// the request whatever the callback returns, and then runs the stream's
// response callbacks on this answer. A block over the host's limits, which
// would lose every header, is refused with ErrTooLarge.
func SendLocalResponse(status uint32, details string, headers [][2]string, body []byte, grpcStatus int32) error {
	block, err := encodePairs(headers)
	if err != nil {
		return err
	}
	return failed("proxy_send_local_response", hostSendLocalResponse(status, details, block, body, grpcStatus))
}

// ContinueRequest lets a paused request go on when the callback returns. The
// request headers are out of reach from here on: change them before. Call it
// once, and never after SendLocalResponse or on a stream that was not paused.
func ContinueRequest() error {
	return failed("proxy_continue_stream", hostContinueStream(RequestStream))
}

// CloseStream resets one direction of the current stream.
func CloseStream(t StreamType) error {
	return failed("proxy_close_stream", hostCloseStream(t))
}

// DispatchCall sends an HTTP request to a cluster of the host and returns the
// call's id, with which CallReceiver receives the answer. The headers need
// :method, :path, :authority and should have :scheme. The timeout must be
// positive: zero would wait for ever. ErrUnavailable means that no connection
// can be had now (and that no answer will come), ErrBadArgument that the host
// does not know the cluster or refuses the headers.
func DispatchCall(cluster string, headers [][2]string, body []byte, timeout time.Duration) (uint32, error) {
	ms := timeout.Milliseconds()
	if ms <= 0 || ms > math.MaxInt32 {
		return 0, failed("proxy_http_call: timeout", StatusBadArgument)
	}
	block, err := encodePairs(headers)
	if err != nil {
		return 0, err
	}
	id, status := hostHTTPCall(cluster, block, body, uint32(ms))
	return id, failed("proxy_http_call", status)
}

// CallResponse returns the answer to a call, within OnHttpCallResponse only.
// An answer that never came is ErrUnavailable (a time-out comes as an answer
// with :status 504), one over maxBody ErrTooLarge.
func CallResponse(maxBody int) (headers [][2]string, body []byte, err error) {
	headers, err = AppendHeaderPairs(nil, CallResponseHeaders)
	if err != nil || len(headers) == 0 {
		return nil, nil, failed("call response", StatusInternalFailure)
	}
	body, err = bufferBytes(CallResponseBody, maxBody)
	if err != nil {
		return nil, nil, err
	}
	return headers, body, nil
}

// RequestBodyBytes returns the body buffered so far, within a body callback.
func RequestBodyBytes(maxBody int) ([]byte, error) {
	return bufferBytes(RequestBody, maxBody)
}

// PluginConfiguration returns the settings, within OnPluginStart only; nil
// where there are none or the host does not give them.
func PluginConfiguration() []byte {
	b, err := bufferBytes(PluginConfigurationBuffer, maxConfiguration)
	if err != nil {
		return nil
	}
	return b
}

// bufferBytes asks for one byte more than allowed, to tell "fits" from "cut".
func bufferBytes(t BufferType, limit int) ([]byte, error) {
	if limit < 0 || limit >= math.MaxInt32 {
		return nil, failed("proxy_get_buffer_bytes", StatusBadArgument)
	}
	b, status := hostBufferBytes(t, 0, uint32(limit)+1)
	switch {
	case status == StatusNotFound || status == StatusEmpty:
		return nil, nil
	case status != StatusOK:
		return nil, failed("proxy_get_buffer_bytes", status)
	case len(b) > limit:
		return nil, ErrTooLarge
	}
	return b, nil
}

// SetTick has OnTick called every d from now on; zero stops it. It belongs to
// the plugin context. Durations are rounded up to a millisecond.
func SetTick(d time.Duration) error {
	ms := (d + time.Millisecond - 1).Milliseconds()
	if d < 0 || ms > math.MaxInt32 {
		return failed("proxy_set_tick_period_milliseconds", StatusBadArgument)
	}
	return failed("proxy_set_tick_period_milliseconds", hostSetTick(uint32(ms)))
}

// SetEffectiveContext selects the stream or plugin context that the next host
// calls of this callback concern. ErrNotFound says that it has ended.
func SetEffectiveContext(id uint32) error {
	if !callbacks.alive(id) {
		return failed("proxy_set_effective_context", StatusNotFound)
	}
	status := hostSetEffectiveContext(id)
	if status == StatusOK {
		callbacks.effective = id
	}
	return failed("proxy_set_effective_context", status)
}

// Done tells the host that a plugin context whose OnPluginDone asked to wait has
// nothing left to do: it is deleted once the callback has returned.
func Done() error { return failed("proxy_done", hostDone()) }

// SharedData returns a value that all VMs with this vm_id share, with its
// compare-and-swap number; ErrNotFound where there is none.
func SharedData(key string) (value []byte, cas uint32, err error) {
	value, cas, status := hostSharedData(key)
	return value, cas, failed("proxy_get_shared_data", status)
}

// NoValueYet is SetSharedData's cas for a name that must not have a value yet:
// hosts look at cas only where there is one, and no value has this number.
const NoValueYet uint32 = 1<<32 - 1

// SetSharedData stores a value if cas is its current number, or always where
// cas is 0 or the name has no value. ErrCASMismatch: another VM was first.
func SetSharedData(key string, value []byte, cas uint32) error {
	return failed("proxy_set_shared_data", hostSetSharedData(key, value, cas))
}

// Property returns a host attribute such as {"request", "id"}, raw.
func Property(path ...string) ([]byte, error) {
	value, status := hostProperty(strings.Join(path, "\x00"))
	return value, failed("proxy_get_property", status)
}

// SetProperty leaves a value with the current stream, for the host's access log
// and for what comes after us: Envoy keeps it as filter state under the path with
// "wasm." before it.
func SetProperty(path, value string) error {
	return failed("proxy_set_property", hostSetProperty(path, value))
}

// Now is the host's clock. It has no monotonic part.
func Now() time.Time {
	return time.Unix(0, hostNow())
}
