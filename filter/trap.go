//go:build trap

package main

import (
	"os"
	"strings"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/plugin"
)

// With the build tag trap, and with it alone, a request can end the module: this
// is for tests of what a host does then. The field x-trap says how, and x-trap-at
// within which callback: of the request, unless it is "response", "call" (the next
// answer of a provider) or "tick" (the next one).
func init() { abi.SetVMContext(trapVM{plugin.NewVM()}) }

type trapVM struct{ types.VMContext }

func (v trapVM) NewPluginContext(id uint32) types.PluginContext {
	return &trapPlugin{PluginContext: v.VMContext.NewPluginContext(id)}
}

type trapPlugin struct {
	types.PluginContext
	atCall, atTick string
}

func (p *trapPlugin) NewHttpContext(id uint32) types.HttpContext {
	stream := p.PluginContext.NewHttpContext(id)
	if stream == nil {
		return nil
	}
	return &trapStream{HttpContext: stream, plugin: p}
}

func (p *trapPlugin) OnTick() {
	trap(p.atTick)
	p.PluginContext.OnTick()
}

func (p *trapPlugin) OnHttpCallResponse(call uint32, headers, body, trailers int) {
	trap(p.atCall)
	p.PluginContext.(abi.CallReceiver).OnHttpCallResponse(call, headers, body, trailers)
}

type trapStream struct {
	types.HttpContext
	plugin *trapPlugin
	how    string // in the response
}

func (s *trapStream) OnHttpRequestHeaders(n int, end bool) types.Action {
	how, _, _ := abi.HeaderValue(abi.RequestHeaders, "x-trap")
	switch at, _, _ := abi.HeaderValue(abi.RequestHeaders, "x-trap-at"); at {
	case "response":
		s.how = how
	case "call":
		s.plugin.atCall = how
	case "tick":
		s.plugin.atTick = how
	default:
		trap(how)
	}
	return s.HttpContext.OnHttpRequestHeaders(n, end)
}

func (s *trapStream) OnHttpResponseHeaders(n int, end bool) types.Action {
	trap(s.how)
	return s.HttpContext.OnHttpResponseHeaders(n, end)
}

// trap ends the module in one of the ways in which Go code can.
func trap(how string) {
	switch how {
	case "deadlock":
		select {} // the runtime gives up: there is nobody who could go on
	case "stack":
		deeper(1)
	case "memory":
		for {
			kept = append(kept, strings.Repeat("x", 64<<20))
		}
	case "exit":
		os.Exit(3)
	case "panic":
		panic("a panic, which is none of these: it is recovered")
	}
}

var kept []string

// deeper needs a stack that no host has.
func deeper(n int) int {
	var room [64]int
	room[n%64] = deeper(n + 1)
	return room[0] + n
}
