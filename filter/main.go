// Package main of postern.wasm: wiring only. It says what runs on the ABI.
package main

import (
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/postern-auth/postern/internal/abi"
)

func init() { abi.SetVMContext(&vmContext{}) }

// main does not run: the module is a library.
func main() {}

// vmContext refuses every request.
type vmContext struct{ types.DefaultVMContext }

func (*vmContext) NewPluginContext(uint32) types.PluginContext { return &pluginContext{} }

type pluginContext struct{ types.DefaultPluginContext }

func (*pluginContext) OnPluginStart(int) types.OnPluginStartStatus {
	abi.Log(abi.LevelInfo, "postern: no gate in this build: every request is refused")
	return types.OnPluginStartStatusOK
}

func (*pluginContext) NewHttpContext(uint32) types.HttpContext { return &httpContext{} }

type httpContext struct{ types.DefaultHttpContext }

func (*httpContext) OnHttpRequestHeaders(int, bool) types.Action {
	if err := abi.SendLocalResponse(503, "", nil, []byte("Service unavailable.\n"), abi.NoGRPCStatus); err != nil {
		abi.Log(abi.LevelError, err.Error())
	}
	return types.ActionPause
}
