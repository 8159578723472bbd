package abi

import "unsafe"

// The exports. Each one that is there costs a call from the host per request,
// so those that a gate can do without (proxy_on_log, response body and trailers)
// are left out: a host takes a missing one as "go on".
// testdata/module/exports.golden holds the list.

// The version is read from this name. 0.2.1 brings proxy_get_log_level.
//
//go:wasmexport proxy_abi_version_0_2_1
func proxyABIVersion() {}

//go:wasmexport proxy_on_memory_allocate
func proxyOnMemoryAllocate(size uint32) unsafe.Pointer { return allocate(size) }

//go:wasmexport proxy_on_context_create
func proxyOnContextCreate(id, parent uint32) { callbacks.contextCreate(id, parent) }

//go:wasmexport proxy_on_vm_start
func proxyOnVMStart(id, size uint32) uint32 { return truth(callbacks.vmStart(id, int(size))) }

//go:wasmexport proxy_on_configure
func proxyOnConfigure(id, size uint32) uint32 { return truth(callbacks.configure(id, int(size))) }

//go:wasmexport proxy_on_tick
func proxyOnTick(id uint32) { callbacks.tick(id) }

//go:wasmexport proxy_on_request_headers
func proxyOnRequestHeaders(id, n, end uint32) uint32 {
	return callbacks.requestHeaders(id, int(n), end != 0)
}

//go:wasmexport proxy_on_request_body
func proxyOnRequestBody(id, size, end uint32) uint32 {
	return callbacks.requestBody(id, int(size), end != 0)
}

//go:wasmexport proxy_on_request_trailers
func proxyOnRequestTrailers(id, n uint32) uint32 {
	return callbacks.requestTrailers(id, int(n))
}

//go:wasmexport proxy_on_response_headers
func proxyOnResponseHeaders(id, n, end uint32) uint32 {
	return callbacks.responseHeaders(id, int(n), end != 0)
}

//go:wasmexport proxy_on_http_call_response
func proxyOnHTTPCallResponse(id, call, headers, body, trailers uint32) {
	callbacks.callResponse(id, call, int(headers), int(body), int(trailers))
}

// A renewal must not end with the settings under which it began, so this one is
// there for the plugin's sake.
//
//go:wasmexport proxy_on_done
func proxyOnDone(id uint32) uint32 { return truth(callbacks.done(id)) }

//go:wasmexport proxy_on_delete
func proxyOnDelete(id uint32) { callbacks.remove(id) }

func truth(ok bool) uint32 {
	if ok {
		return 1
	}
	return 0
}
