//go:build wasip1

// Command bareguest is a module with the Go runtime and nothing else, so that it
// loads on Envoys with the short list of imports. It collects garbage on every
// request.
package main

import (
	"runtime"
	"time"
	"unsafe"
)

//go:wasmimport env proxy_log
func proxyLog(level uint32, p *byte, n uint32) uint32

//go:wasmexport proxy_abi_version_0_2_0
func abiVersion() {}

//go:wasmexport proxy_on_memory_allocate
func allocate(size uint32) *byte { return &make([]byte, size)[0] }

func main() {}

func init() {
	say("from init")
	// A timer makes the runtime poll, also after each collection.
	time.AfterFunc(time.Hour, func() {})
}

func say(s string) { proxyLog(2, unsafe.StringData(s), uint32(len(s))) }

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(id, n, end uint32) uint32 {
	runtime.GC()
	say("collected")
	return 0
}
