package abi

import "github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

// ActionAwaitBody, returned from OnHttpRequestHeaders, stops the headers but
// lets the body callbacks run. Hosts turn it into a full stop unless the
// plugin's allow_on_headers_stop_iteration is set, so it never lets a request
// pass; but then each body and trailers callback must pause until the verdict.
const ActionAwaitBody types.Action = 2

// What the host is told. For headers 4 stops everything, with back pressure;
// 1 would let body callbacks release the request, where the host allows it.
const (
	hostContinue      uint32 = 0
	hostStopIteration uint32 = 1
	hostStopAll       uint32 = 4
)

const contextMissing = "postern: no context for this stream"

// stream is one HTTP stream. A denied one was answered by this package: the
// plugin sees no more of it.
type stream struct {
	http   types.HttpContext
	denied bool
}

// dispatcher knows the contexts and runs their callbacks.
type dispatcher struct {
	vm        types.VMContext
	plugins   map[uint32]types.PluginContext
	streams   map[uint32]stream
	effective uint32 // the context that host calls concern at the moment
	panics    Metric
	counting  bool
}

// callbacks serves the one VM that a module is.
var callbacks = newDispatcher()

func newDispatcher() *dispatcher {
	return &dispatcher{plugins: map[uint32]types.PluginContext{}, streams: map[uint32]stream{}}
}

// SetVMContext says what to run. Call it from an init function: a module that
// is a library never runs main.
func SetVMContext(vm types.VMContext) {
	callbacks.vm = vm
}

// Alive tells whether a stream or plugin context has not ended yet.
func Alive(id uint32) bool { return callbacks.alive(id) }

func (d *dispatcher) alive(id uint32) bool {
	if _, ok := d.streams[id]; ok {
		return true
	}
	_, ok := d.plugins[id]
	return ok
}

func (d *dispatcher) contextCreate(id, parent uint32) {
	defer d.recoverQuietly("proxy_on_context_create")
	d.effective = id
	if parent == 0 {
		if d.vm != nil {
			d.plugins[id] = d.vm.NewPluginContext(id)
		}
		return
	}
	plugin, ok := d.plugins[parent]
	if !ok {
		return
	}
	if http := plugin.NewHttpContext(id); http != nil {
		d.streams[id] = stream{http: http}
	}
}

func (d *dispatcher) vmStart(id uint32, size int) (ok bool) {
	defer d.recoverStart("proxy_on_vm_start", &ok)
	d.effective = id
	d.definePanics()
	return d.vm != nil && bool(d.vm.OnVMStart(size))
}

func (d *dispatcher) configure(id uint32, size int) (ok bool) {
	defer d.recoverStart("proxy_on_configure", &ok)
	d.effective = id
	plugin, known := d.plugins[id]
	return known && plugin != nil && bool(plugin.OnPluginStart(size))
}

func (d *dispatcher) tick(id uint32) {
	defer d.recoverAsync("proxy_on_tick")
	d.effective = id
	if plugin, ok := d.plugins[id]; ok {
		plugin.OnTick()
	}
}

func (d *dispatcher) callResponse(id, call uint32, headers, body, trailers int) {
	defer d.recoverAsync("proxy_on_http_call_response")
	d.effective = id
	if receiver, ok := d.plugins[id].(CallReceiver); ok {
		receiver.OnHttpCallResponse(call, headers, body, trailers)
	}
}

func (d *dispatcher) requestHeaders(id uint32, n int, end bool) (action uint32) {
	defer d.recoverStream("proxy_on_request_headers", id, &action, hostStopAll)
	d.effective = id
	s, ok := d.streams[id]
	if !ok || s.denied {
		return d.deny(id, hostStopAll)
	}
	switch s.http.OnHttpRequestHeaders(n, end) {
	case types.ActionContinue:
		return hostContinue
	case ActionAwaitBody:
		return hostStopIteration
	default:
		return hostStopAll
	}
}

func (d *dispatcher) requestBody(id uint32, size int, end bool) (action uint32) {
	defer d.recoverStream("proxy_on_request_body", id, &action, hostStopIteration)
	d.effective = id
	s, ok := d.streams[id]
	if !ok || s.denied {
		return d.deny(id, hostStopIteration)
	}
	return stopUnlessContinue(s.http.OnHttpRequestBody(size, end))
}

func (d *dispatcher) requestTrailers(id uint32, n int) (action uint32) {
	defer d.recoverStream("proxy_on_request_trailers", id, &action, hostStopIteration)
	d.effective = id
	s, ok := d.streams[id]
	if !ok || s.denied {
		return d.deny(id, hostStopIteration)
	}
	return stopUnlessContinue(s.http.OnHttpRequestTrailers(n))
}

// responseHeaders also runs on the answers that this module gives itself. A
// stream without a context was denied on its way in: its answer is ours.
func (d *dispatcher) responseHeaders(id uint32, n int, end bool) (action uint32) {
	defer d.recoverStream("proxy_on_response_headers", id, &action, hostStopIteration)
	d.effective = id
	s, ok := d.streams[id]
	if !ok || s.denied {
		// The host's answer to a gRPC call has the status 200, which another proxy
		// that asks by a subrequest takes for a yes.
		hostReplaceHeader(ResponseHeaders, ":status", "503")
		return hostContinue
	}
	return stopUnlessContinue(s.http.OnHttpResponseHeaders(n, end))
}

// done tells whether a context may be deleted now. A stream always may; a plugin
// that has something under way may once it has called Done.
func (d *dispatcher) done(id uint32) (now bool) {
	plugin := d.plugins[id]
	if plugin == nil {
		return true
	}
	now = true
	defer d.recoverQuietly("proxy_on_done")
	d.effective = id
	return plugin.OnPluginDone()
}

// remove ends a context.
func (d *dispatcher) remove(id uint32) {
	defer d.recoverQuietly("proxy_on_delete")
	d.effective = id
	if s, ok := d.streams[id]; ok {
		delete(d.streams, id)
		s.http.OnHttpStreamDone()
		return
	}
	delete(d.plugins, id)
}

func stopUnlessContinue(action types.Action) uint32 {
	if action == types.ActionContinue {
		return hostContinue
	}
	return hostStopIteration
}

// deny answers 503 for a stream, once, and returns what stops it.
func (d *dispatcher) deny(id uint32, stop uint32) uint32 {
	s, ok := d.streams[id]
	if ok && s.denied {
		return stop
	}
	if ok {
		s.denied = true
		d.streams[id] = s
	} else {
		Log(LevelError, contextMissing)
	}
	respondUnavailable()
	return stop
}

// respondUnavailable needs no plugin, no configuration and no memory of size.
func respondUnavailable() {
	headers := [][2]string{{"content-type", "text/plain; charset=utf-8"}, {"cache-control", "no-store"}}
	if SendLocalResponse(503, "postern_denied", headers, []byte("Service unavailable.\n"), NoGRPCStatus) != nil {
		hostCloseStream(RequestStream)
	}
}
