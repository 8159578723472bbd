// Package main is the least that a Go module for Envoy can be: it writes one
// line when it starts. The bench holds Postern's start against it.
package main

import (
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/postern-auth/postern/internal/abi"
)

func init() { abi.SetVMContext(&vmContext{}) }

func main() {}

type vmContext struct{ types.DefaultVMContext }

func (*vmContext) NewPluginContext(uint32) types.PluginContext { return &pluginContext{} }

type pluginContext struct{ types.DefaultPluginContext }

func (*pluginContext) OnPluginStart(int) types.OnPluginStartStatus {
	abi.Log(abi.LevelInfo, "started")
	return types.OnPluginStartStatusOK
}

func (*pluginContext) NewHttpContext(uint32) types.HttpContext {
	return &types.DefaultHttpContext{}
}
