// Package main is a module that shows what a host does: Postern relies on these
// facts, and a test asks each version of Envoy for them.
package main

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/postern-auth/postern/internal/abi"
)

func init() { abi.SetVMContext(&vm{}) }

func main() {}

type vm struct{ types.DefaultVMContext }

func (*vm) NewPluginContext(id uint32) types.PluginContext {
	return &plugin{open: map[uint32]*stream{}}
}

type plugin struct {
	types.DefaultPluginContext
	gauge abi.Metric
	open  map[uint32]*stream
	began map[string]string // attributes, when the settings were read
	cut   []abi.StreamType  // to be done to all open streams at the next tick
}

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	var err error
	if p.gauge, err = abi.DefineGauge("facts"); err != nil {
		return types.OnPluginStartStatusFailed
	}
	p.began = map[string]string{}
	for _, path := range []string{"listener_direction", "xds.listener_direction"} {
		p.began[path] = attribute(path)
	}
	return abi.SetTick(20*time.Millisecond) == nil
}

func (p *plugin) NewHttpContext(id uint32) types.HttpContext { return &stream{plugin: p, id: id} }

// OnTick cuts streams, and tells who waits for a body that none came.
func (p *plugin) OnTick() {
	for id, s := range p.open {
		switch {
		case !s.waits.IsZero() && abi.Now().After(s.waits):
			s.waits = time.Time{}
			if abi.SetEffectiveContext(id) == nil {
				s.say("no body")
			}
		case s.waits.IsZero() && p.cut != nil && !s.cut && abi.SetEffectiveContext(id) == nil:
			s.cut = true
			for _, direction := range p.cut {
				_ = abi.CloseStream(direction)
			}
		}
	}
	p.cut = nil
}

type stream struct {
	types.DefaultHttpContext
	plugin  *plugin
	id      uint32
	waits   time.Time // for a body, until then
	cut     bool
	answers int
}

func (s *stream) say(text string) types.Action {
	_ = abi.SendLocalResponse(200, "facts", nil, []byte(text), abi.NoGRPCStatus)
	return types.ActionPause
}

func (s *stream) OnHttpRequestHeaders(_ int, end bool) types.Action {
	path, _, _ := abi.HeaderValue(abi.RequestHeaders, ":path")
	u, err := url.Parse(path)
	if err != nil {
		return s.say(err.Error())
	}
	switch u.Path {
	case "/healthz":
		return s.say("well")
	case "/raise":
		_ = s.plugin.gauge.Increment(1)
		return s.say("raised")
	case "/level":
		level, err := s.plugin.gauge.Value()
		if err != nil {
			return s.say(err.Error())
		}
		return s.say(strconv.FormatUint(level, 10))
	case "/first":
		return s.say(first(u.Query().Get("name")))
	case "/attribute":
		return s.say(attribute(u.Query().Get("path")))
	case "/attribute-at-start":
		return s.say(s.plugin.began[u.Query().Get("path")])
	case "/refuse":
		return s.refuse(u.Query())
	case "/body":
		s.waits = abi.Now().Add(500 * time.Millisecond)
		s.plugin.open[s.id] = s
		return abi.ActionAwaitBody
	case "/cut":
		for _, direction := range u.Query().Get("direction") {
			s.plugin.cut = append(s.plugin.cut, abi.StreamType(direction-'0'))
		}
		return s.say("cutting")
	}
	s.plugin.open[s.id] = s
	return types.ActionContinue
}

// attribute is what the host answers, quoted.
func attribute(dotted string) string {
	value, err := abi.Property(strings.Split(dotted, ".")...)
	if err != nil {
		return err.Error()
	}
	return strconv.Quote(string(value))
}

// refuse answers with a status, and a gRPC status where one is named.
func (s *stream) refuse(how url.Values) types.Action {
	status, _ := strconv.Atoi(how.Get("status"))
	grpc, err := strconv.Atoi(how.Get("grpc"))
	if err != nil {
		grpc = int(abi.NoGRPCStatus)
	}
	header := [][2]string{{"content-type", "application/problem+json"}, {"x-own", "yes"}}
	_ = abi.SendLocalResponse(uint32(status), "facts", header, []byte(how.Get("body")), int32(grpc))
	return types.ActionPause
}

// first gives a name its first value twice over.
func first(name string) string {
	once, twice := abi.SetSharedData(name, []byte("1"), abi.NoValueYet), abi.SetSharedData(name, []byte("2"), abi.NoValueYet)
	value, cas, err := abi.SharedData(name)
	if once != nil || !errors.Is(twice, abi.ErrCASMismatch) || err != nil || string(value) != "1" {
		return "wrong"
	}
	if abi.SetSharedData(name, []byte("3"), cas) != nil || !errors.Is(abi.SetSharedData(name, []byte("4"), cas), abi.ErrCASMismatch) {
		return "wrong"
	}
	return "right"
}

func (s *stream) OnHttpRequestBody(size int, end bool) types.Action {
	if s.waits.IsZero() {
		return types.ActionContinue
	}
	if !end {
		return types.ActionPause
	}
	s.waits = time.Time{}
	body, err := abi.RequestBodyBytes(1 << 20)
	if err != nil || len(body) != size {
		return s.say("wrong size")
	}
	return s.say("body " + string(body))
}

func (s *stream) OnHttpRequestTrailers(int) types.Action {
	if s.waits.IsZero() {
		return types.ActionContinue
	}
	s.waits = time.Time{}
	body, err := abi.RequestBodyBytes(1 << 20)
	if err != nil {
		return s.say(err.Error())
	}
	return s.say("body with trailers " + string(body))
}

// OnHttpResponseHeaders numbers the answers that it is shown.
func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	s.answers++
	_ = abi.AddHeader(abi.ResponseHeaders, "x-answers", strconv.Itoa(s.answers))
	return types.ActionContinue
}

func (s *stream) OnHttpStreamDone() { delete(s.plugin.open, s.id) }
