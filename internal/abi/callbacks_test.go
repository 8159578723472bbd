package abi_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/abi/abitest"
)

// plugin is VM, plugin and stream context in one; what a test leaves nil
// lets pass, so that only the package under test can deny.
type plugin struct {
	types.DefaultVMContext
	newStream func() types.HttpContext
	start     func() types.OnPluginStartStatus
	tick      func()
	answer    func(call uint32)
	headers   func() types.Action
	body      func() types.Action
	trailers  func() types.Action
	response  func() types.Action
	done      func()
	ended     int
}

type pluginContext struct {
	types.DefaultPluginContext
	p *plugin
}

type streamContext struct {
	types.DefaultHttpContext
	p *plugin
}

func (p *plugin) NewPluginContext(uint32) types.PluginContext { return &pluginContext{p: p} }

func (c *pluginContext) OnPluginStart(int) types.OnPluginStartStatus {
	if c.p.start == nil {
		return types.OnPluginStartStatusOK
	}
	return c.p.start()
}

func (c *pluginContext) NewHttpContext(uint32) types.HttpContext {
	if c.p.newStream == nil {
		return &streamContext{p: c.p}
	}
	return c.p.newStream()
}

func (c *pluginContext) OnTick()            { c.p.tick() }
func (c *pluginContext) OnPluginDone() bool { c.p.ended++; return true }

func (c *pluginContext) OnHttpCallResponse(call uint32, _, _, _ int) { c.p.answer(call) }

func act(f func() types.Action) types.Action {
	if f == nil {
		return types.ActionContinue
	}
	return f()
}

func (c *streamContext) OnHttpRequestHeaders(int, bool) types.Action  { return act(c.p.headers) }
func (c *streamContext) OnHttpRequestBody(int, bool) types.Action     { return act(c.p.body) }
func (c *streamContext) OnHttpRequestTrailers(int) types.Action       { return act(c.p.trailers) }
func (c *streamContext) OnHttpResponseHeaders(int, bool) types.Action { return act(c.p.response) }
func (c *streamContext) OnHttpStreamDone() {
	c.p.ended++
	if c.p.done != nil {
		c.p.done()
	}
}

const (
	rootID   = 1
	streamID = 2
)

// begin starts p and one stream of it.
func begin(t *testing.T, p *plugin) (*abitest.Host, abi.Callbacks) {
	t.Helper()
	h, run := abitest.New(t)
	h.Maps[abi.RequestHeaders] = [][2]string{{":path", "/"}}
	abi.SetVMContext(p)
	run.ContextCreate(rootID, 0)
	if !run.VMStart(rootID, 0) || !run.Configure(rootID, 0) {
		t.Fatal("the plugin did not start")
	}
	run.ContextCreate(streamID, rootID)
	return h, run
}

func returns(a types.Action) func() types.Action { return func() types.Action { return a } }

func TestActionsBecomeTheHostsNumbers(t *testing.T) {
	headers := func(run abi.Callbacks) uint32 { return run.RequestHeaders(streamID, 1, true) }
	body := func(run abi.Callbacks) uint32 { return run.RequestBody(streamID, 1, true) }
	trailers := func(run abi.Callbacks) uint32 { return run.RequestTrailers(streamID, 1) }
	response := func(run abi.Callbacks) uint32 { return run.ResponseHeaders(streamID, 1, true) }
	for _, test := range []struct {
		name   string
		plugin plugin
		call   func(abi.Callbacks) uint32
		want   uint32
	}{
		{"continued headers go on", plugin{headers: returns(types.ActionContinue)}, headers, 0},
		{"paused headers stop everything", plugin{headers: returns(types.ActionPause)}, headers, 4},
		{"headers that await the body stop alone", plugin{headers: returns(abi.ActionAwaitBody)}, headers, 1},
		{"an unknown action stops everything", plugin{headers: returns(99)}, headers, 4},
		{"a continued body goes on", plugin{body: returns(types.ActionContinue)}, body, 0},
		{"a paused body is kept", plugin{body: returns(types.ActionPause)}, body, 1},
		{"an unknown action keeps the body", plugin{body: returns(99)}, body, 1},
		{"continued trailers go on", plugin{trailers: returns(types.ActionContinue)}, trailers, 0},
		{"paused trailers stop", plugin{trailers: returns(types.ActionPause)}, trailers, 1},
		{"a continued response goes on", plugin{response: returns(types.ActionContinue)}, response, 0},
		{"a paused response stops", plugin{response: returns(types.ActionPause)}, response, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, run := begin(t, &test.plugin)
			if got := test.call(run); got != test.want {
				t.Errorf("the host is told %d, want %d", got, test.want)
			}
			if len(h.Responses) != 0 {
				t.Errorf("answered: %+v", h.Responses)
			}
		})
	}
}

// wantDenied checks for exactly one 503, on the stream with that id.
func wantDenied(t *testing.T, h *abitest.Host, id uint32) {
	t.Helper()
	if len(h.Responses) != 1 || h.Responses[0].Status != 503 || h.Responses[0].Stream != id {
		t.Errorf("responses %+v, want one 503 for stream %d", h.Responses, id)
	}
	if len(h.Responses) > 0 && h.Responses[0].GRPCStatus != abi.NoGRPCStatus {
		t.Errorf("grpc status %d", h.Responses[0].GRPCStatus)
	}
	if len(h.Continued) != 0 {
		t.Errorf("streams %v were let go on", h.Continued)
	}
}

func TestAStreamWithoutAContextIsDenied(t *testing.T) {
	for _, test := range []struct {
		name   string
		id     uint32
		plugin plugin
		call   func(abi.Callbacks, uint32) uint32
		want   uint32
	}{
		{"when the host never announced it", 77, plugin{},
			func(run abi.Callbacks, id uint32) uint32 { return run.RequestHeaders(id, 1, true) }, 4},
		{"when its body comes first", 77, plugin{},
			func(run abi.Callbacks, id uint32) uint32 { return run.RequestBody(id, 1, true) }, 1},
		{"when its trailers come first", 77, plugin{},
			func(run abi.Callbacks, id uint32) uint32 { return run.RequestTrailers(id, 1) }, 1},
		{"when the plugin made none", streamID, plugin{newStream: func() types.HttpContext { return nil }},
			func(run abi.Callbacks, id uint32) uint32 { return run.RequestHeaders(id, 1, true) }, 4},
		{"when making it panicked", streamID, plugin{newStream: func() types.HttpContext { panic("no") }},
			func(run abi.Callbacks, id uint32) uint32 { return run.RequestHeaders(id, 1, true) }, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, run := begin(t, &test.plugin)
			if got := test.call(run, test.id); got != test.want {
				t.Errorf("the host is told %d, want %d", got, test.want)
			}
			wantDenied(t, h, test.id)
			if got := run.ResponseHeaders(test.id, 1, true); got != 0 {
				t.Errorf("the refusal itself was stopped with %d", got)
			}
		})
	}
}

func TestAStreamOfAnUnknownPluginIsDenied(t *testing.T) {
	h, run := begin(t, &plugin{})
	run.ContextCreate(9, 8)
	if got := run.RequestHeaders(9, 1, true); got != 4 {
		t.Errorf("the host is told %d, want 4", got)
	}
	wantDenied(t, h, 9)
}

const secret = "token-that-must-not-be-logged"

func panics() types.Action { panic(errors.New(secret)) }

func TestAPanicDeniesTheStreamAndOnlyThat(t *testing.T) {
	for _, test := range []struct {
		name     string
		callback string
		plugin   plugin
		call     func(abi.Callbacks) uint32
		want     uint32
	}{
		{"in request headers", "proxy_on_request_headers", plugin{headers: panics},
			func(run abi.Callbacks) uint32 { return run.RequestHeaders(streamID, 1, true) }, 4},
		{"in a request body", "proxy_on_request_body", plugin{body: panics},
			func(run abi.Callbacks) uint32 { return run.RequestBody(streamID, 1, true) }, 1},
		{"in request trailers", "proxy_on_request_trailers", plugin{trailers: panics},
			func(run abi.Callbacks) uint32 { return run.RequestTrailers(streamID, 1) }, 1},
		{"in response headers", "proxy_on_response_headers", plugin{response: panics},
			func(run abi.Callbacks) uint32 { return run.ResponseHeaders(streamID, 1, true) }, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, run := begin(t, &test.plugin)
			if got := test.call(run); got != test.want {
				t.Errorf("the host is told %d, want %d", got, test.want)
			}
			wantDenied(t, h, streamID)
			wantPanicLine(t, h, test.callback)

			// The plugin sees no more of this stream, and a second answer
			// would go out for none of its later callbacks.
			test.plugin.headers, test.plugin.response = returns(types.ActionContinue), panics
			if got := run.RequestHeaders(streamID, 1, true); got != 4 {
				t.Errorf("headers after the panic: the host is told %d, want 4", got)
			}
			if got := run.RequestBody(streamID, 1, true); got != 1 {
				t.Errorf("body after the panic: the host is told %d, want 1", got)
			}
			if got := run.RequestTrailers(streamID, 1); got != 1 {
				t.Errorf("trailers after the panic: the host is told %d, want 1", got)
			}
			// To a gRPC call a host would answer 200.
			h.Maps[abi.ResponseHeaders] = [][2]string{{":status", "200"}}
			if got := run.ResponseHeaders(streamID, 1, true); got != 0 {
				t.Errorf("the refusal itself was stopped with %d", got)
			}
			if got := h.Maps[abi.ResponseHeaders][0][1]; got != "503" {
				t.Errorf("the refusal has status %s", got)
			}
			wantDenied(t, h, streamID)

			run.ContextCreate(3, rootID)
			if got := run.RequestHeaders(3, 1, true); got != 0 {
				t.Errorf("another stream: the host is told %d, want 0", got)
			}
		})
	}
}

// wantPanicLine: one line that names the callback and the function, and no data.
func wantPanicLine(t *testing.T, h *abitest.Host, callback string) {
	t.Helper()
	if len(h.Lines) != 1 || !strings.HasPrefix(h.Lines[0], "critical postern: panic in "+callback+": *errors.errorString at ") {
		t.Fatalf("logged %q", h.Lines)
	}
	if strings.Contains(h.Lines[0], secret) {
		t.Errorf("the panic's value was logged: %s", h.Lines[0])
	}
	if !strings.Contains(h.Lines[0], " at abi_test.panics < ") {
		t.Errorf("where it happened is missing: %s", h.Lines[0])
	}
	if got := h.Metrics["postern_panics_total"]; got != 1 {
		t.Errorf("%d panics counted", got)
	}
}

func TestARuntimeErrorIsLoggedWithItsMessage(t *testing.T) {
	h, run := begin(t, &plugin{headers: func() types.Action {
		var none []types.Action
		return none[len(h0)]
	}})
	run.RequestHeaders(streamID, 1, true)
	wantDenied(t, h, streamID)
	if len(h.Lines) != 1 || !strings.Contains(h.Lines[0], "runtime.boundsError: runtime error: index out of range [2] with length 0") {
		t.Errorf("logged %q", h.Lines)
	}
}

var h0 = "ab"

func TestAPanicWhileStartingRefusesTheConfiguration(t *testing.T) {
	h, run := abitest.New(t)
	abi.SetVMContext(&plugin{start: func() types.OnPluginStartStatus { panics(); return true }})
	run.ContextCreate(rootID, 0)
	if !run.VMStart(rootID, 0) {
		t.Fatal("the VM did not start")
	}
	if run.Configure(rootID, 0) {
		t.Error("the configuration was accepted")
	}
	wantPanicLine(t, h, "proxy_on_configure")
}

func TestWithoutAVMContextNothingStarts(t *testing.T) {
	_, run := abitest.New(t)
	run.ContextCreate(rootID, 0)
	if run.VMStart(rootID, 0) || run.Configure(rootID, 0) {
		t.Error("it started")
	}
}

func TestAPanicOverACallsAnswerDeniesTheSelectedStream(t *testing.T) {
	p := &plugin{headers: returns(types.ActionPause), answer: func(call uint32) {
		if call != 5 {
			t.Errorf("call %d, want 5", call)
		}
		if err := abi.SetEffectiveContext(streamID); err != nil {
			t.Error(err)
		}
		panics()
	}}
	h, run := begin(t, p)
	run.RequestHeaders(streamID, 1, true)
	run.HTTPCallResponse(rootID, 5, 1, 0, 0)
	wantDenied(t, h, streamID)
	wantPanicLine(t, h, "proxy_on_http_call_response")
}

func TestAPanicInATickDeniesNoStream(t *testing.T) {
	h, run := begin(t, &plugin{tick: func() { panics() }})
	run.Tick(rootID)
	if len(h.Responses) != 0 {
		t.Errorf("answered: %+v", h.Responses)
	}
	wantPanicLine(t, h, "proxy_on_tick")
}

func TestAnEndedStreamCannotBeSelected(t *testing.T) {
	p := &plugin{}
	h, run := begin(t, p)
	p.answer = func(uint32) {
		if err := abi.SetEffectiveContext(streamID); !errors.Is(err, abi.ErrNotFound) {
			t.Errorf("error %v, want %v", err, abi.ErrNotFound)
		}
	}
	run.Delete(streamID)
	run.HTTPCallResponse(rootID, 1, 1, 0, 0)
	if h.Effective != rootID {
		t.Errorf("the host's context became %d", h.Effective)
	}
	if p.ended != 1 || abi.Alive(streamID) || !abi.Alive(rootID) {
		t.Errorf("ended %d times, stream alive %v, plugin alive %v", p.ended, abi.Alive(streamID), abi.Alive(rootID))
	}
	if !run.Done(rootID) || !run.Done(streamID) {
		t.Error("a context may not go")
	}
	run.Delete(rootID)
	run.Delete(rootID)
	if p.ended != 2 || abi.Alive(rootID) {
		t.Errorf("ended %d times, plugin alive %v", p.ended, abi.Alive(rootID))
	}
}

func TestCallbacksForUnknownPluginsDoNothing(t *testing.T) {
	h, run := begin(t, &plugin{tick: func() { t.Error("ticked") }, answer: func(uint32) { t.Error("answered") }})
	run.Tick(99)
	run.HTTPCallResponse(99, 1, 1, 0, 0)
	run.Delete(99)
	if run.Configure(99, 0) {
		t.Error("an unknown plugin was configured")
	}
	if len(h.Lines)+len(h.Responses) != 0 {
		t.Errorf("lines %q, responses %+v", h.Lines, h.Responses)
	}
}

func TestAPanicWhileEndingIsSwallowed(t *testing.T) {
	h, run := begin(t, &plugin{done: func() { panics() }})
	run.Delete(streamID)
	if len(h.Responses) != 0 || abi.Alive(streamID) {
		t.Errorf("responses %+v, alive %v", h.Responses, abi.Alive(streamID))
	}
	wantPanicLine(t, h, "proxy_on_delete")
}

func TestHeaderCalls(t *testing.T) {
	h, _ := begin(t, &plugin{})
	h.Maps[abi.RequestHeaders] = [][2]string{{":path", "/"}, {"cookie", "a=1"}, {"x-user", "eve"}, {"cookie", "b=2"}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	must(abi.ReplaceHeader(abi.RequestHeaders, "x-user", "alice"))
	must(abi.AddHeader(abi.RequestHeaders, "x-user", "bob"))
	must(abi.RemoveHeader(abi.RequestHeaders, "cookie"))
	must(abi.RemoveHeader(abi.RequestHeaders, "absent"))
	got, err := abi.AppendHeaderPairs(nil, abi.RequestHeaders)
	must(err)
	if diff := cmp.Diff([][2]string{{":path", "/"}, {"x-user", "alice"}, {"x-user", "bob"}}, got); diff != "" {
		t.Error(diff)
	}
	if value, ok, err := abi.HeaderValue(abi.RequestHeaders, "x-user"); value != "alice" || !ok || err != nil {
		t.Errorf("first value %q, %v, %v", value, ok, err)
	}
	if value, ok, err := abi.HeaderValue(abi.RequestHeaders, "absent"); value != "" || ok || err != nil {
		t.Errorf("absent value %q, %v, %v", value, ok, err)
	}
	if _, _, err := abi.HeaderValue(abi.ResponseHeaders, "x"); !errors.Is(err, abi.ErrBadArgument) {
		t.Errorf("a map out of reach: %v", err)
	}
	for _, bad := range []string{"a\r\nx-admin: yes", "a\nb", "a\x00b", "a\rb"} {
		if err := abi.ReplaceHeader(abi.RequestHeaders, "x-user", bad); !errors.Is(err, abi.ErrBadArgument) {
			t.Errorf("replaced with %q: %v", bad, err)
		}
		if err := abi.AddHeader(abi.RequestHeaders, "x-user", bad); !errors.Is(err, abi.ErrBadArgument) {
			t.Errorf("added %q: %v", bad, err)
		}
	}
}

func TestDispatchCall(t *testing.T) {
	request := [][2]string{{":method", "GET"}, {":path", "/"}, {":authority", "id.example.com"}}
	h, _ := begin(t, &plugin{})
	id, err := abi.DispatchCall("idp", request, []byte("b"), 1500*time.Millisecond)
	if err != nil || id != 1 {
		t.Fatalf("call %d, %v", id, err)
	}
	if diff := cmp.Diff([]abitest.Call{{Cluster: "idp", Headers: request, Body: "b", Timeout: 1500 * time.Millisecond}}, h.Calls); diff != "" {
		t.Error(diff)
	}
	for _, test := range []struct {
		name    string
		status  abi.Status
		timeout time.Duration
		want    error
	}{
		{"no connection is unavailable", abi.StatusInternalFailure, time.Second, abi.ErrUnavailable},
		{"an unknown cluster is a bad argument", abi.StatusBadArgument, time.Second, abi.ErrBadArgument},
		{"no timeout is refused: it would mean for ever", abi.StatusOK, 0, abi.ErrBadArgument},
		{"a timeout that rounds to none is refused", abi.StatusOK, time.Microsecond, abi.ErrBadArgument},
		{"a negative timeout is refused", abi.StatusOK, -time.Second, abi.ErrBadArgument},
	} {
		t.Run(test.name, func(t *testing.T) {
			h.CallStatus = test.status
			if _, err := abi.DispatchCall("idp", request, nil, test.timeout); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

func TestCallResponse(t *testing.T) {
	h, _ := begin(t, &plugin{})
	if _, _, err := abi.CallResponse(10); !errors.Is(err, abi.ErrUnavailable) {
		t.Errorf("no answer: %v, want %v", err, abi.ErrUnavailable)
	}
	h.Maps[abi.CallResponseHeaders] = nil
	if _, _, err := abi.CallResponse(10); !errors.Is(err, abi.ErrUnavailable) {
		t.Errorf("an answer without headers: %v, want %v", err, abi.ErrUnavailable)
	}
	h.Maps[abi.CallResponseHeaders] = [][2]string{{":status", "200"}}
	if headers, body, err := abi.CallResponse(10); len(headers) != 1 || len(body) != 0 || err != nil {
		t.Errorf("an answer without a body: %q, %q, %v", headers, body, err)
	}
	h.Buffers[abi.CallResponseBody] = []byte("0123456789")
	if _, body, err := abi.CallResponse(10); string(body) != "0123456789" || err != nil {
		t.Errorf("a body of the limit: %q, %v", body, err)
	}
	if _, body, err := abi.CallResponse(9); body != nil || !errors.Is(err, abi.ErrTooLarge) {
		t.Errorf("a body over the limit: %q, %v", body, err)
	}
}

func TestSharedDataComparesAndSwaps(t *testing.T) {
	begin(t, &plugin{})
	if _, _, err := abi.SharedData("k"); !errors.Is(err, abi.ErrNotFound) {
		t.Errorf("an absent key: %v", err)
	}
	if err := abi.SetSharedData("k", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	_, cas, _ := abi.SharedData("k")
	if err := abi.SetSharedData("k", []byte("2"), cas); err != nil {
		t.Errorf("with the current number: %v", err)
	}
	if err := abi.SetSharedData("k", []byte("3"), cas); !errors.Is(err, abi.ErrCASMismatch) {
		t.Errorf("with an old number: %v", err)
	}
}

func TestSmallCalls(t *testing.T) {
	h, _ := begin(t, &plugin{})
	h.Properties["request.id"] = "r1"
	h.Buffers[abi.PluginConfigurationBuffer] = []byte("{}")
	if v, err := abi.Property("request", "id"); string(v) != "r1" || err != nil {
		t.Errorf("property %q, %v", v, err)
	}
	if got := string(abi.PluginConfiguration()); got != "{}" {
		t.Errorf("configuration %q", got)
	}
	if err := abi.SetTick(time.Microsecond); err != nil || h.Tick != time.Millisecond {
		t.Errorf("a tick under a millisecond became %v, %v: zero would stop it", h.Tick, err)
	}
	if err := abi.SetTick(-1); !errors.Is(err, abi.ErrBadArgument) {
		t.Errorf("a negative tick: %v", err)
	}
	if !abi.Now().Equal(h.Time) {
		t.Errorf("now is %v", abi.Now())
	}
	gauge, err := abi.DefineGauge("g")
	if err != nil || gauge.Record(7) != nil || gauge.Increment(-2) != nil || h.Metrics["g"] != 5 {
		t.Errorf("metrics %v, %v", h.Metrics, err)
	}
	abi.Log(abi.LevelWarn, "a\nb")
	if diff := cmp.Diff([]string{`warn a\x0ab`}, h.Lines); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutAHostCallsFail(t *testing.T) {
	if err := abi.ContinueRequest(); !errors.Is(err, abi.StatusUnimplemented) {
		t.Errorf("error %v", err)
	}
	if err := abi.SendLocalResponse(200, "", nil, nil, abi.NoGRPCStatus); !errors.Is(err, abi.StatusUnimplemented) {
		t.Errorf("error %v", err)
	}
}
