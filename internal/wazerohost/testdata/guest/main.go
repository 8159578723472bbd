//go:build wasip1

// Command guest is a proxy-wasm module that does what its configuration says:
// each line is an event, a colon, and commands separated by semicolons. Every
// command logs its status and value.
package main

import (
	"os"
	"strings"
)

func main() {}

// init misbehaves during _initialize, if the environment says so.
func init() {
	switch os.Getenv("INIT") {
	case "call":
		var ns uint64
		proxyGetCurrentTime(&ns)
	case "log":
		p, n := bytesOf("from init")
		proxyLog(2, p, n)
	}
}

// script is a root context's commands by event.
type script map[string][]string

var (
	scripts = map[uint32]script{} // by root id
	roots   = map[uint32]uint32{} // stream to root
	streams []uint32              // in order of creation
)

func parse(config string) script {
	s := script{}
	for _, line := range strings.Split(config, "\n") {
		event, commands, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		for _, c := range strings.Split(commands, ";") {
			s[strings.TrimSpace(event)] = append(s[strings.TrimSpace(event)], strings.TrimSpace(c))
		}
	}
	return s
}

//go:wasmexport proxy_on_context_create
func onContextCreate(id, root uint32) {
	if root == 0 {
		// The configuration can be read already here in Envoy.
		scripts[id] = parse(buffer(7))
		run("context_create", id, 0)
		return
	}
	roots[id] = root
	streams = append(streams, id)
}

//go:wasmexport proxy_on_vm_start
func onVMStart(id, size uint32) uint32 { return run("vm_start", id, 1) }

//go:wasmexport proxy_on_configure
func onConfigure(id, size uint32) uint32 {
	scripts[id] = parse(buffer(7))
	return run("configure", id, 1)
}

//go:wasmexport proxy_on_tick
func onTick(id uint32) { run("tick", id, 0) }

//go:wasmexport proxy_on_queue_ready
func onQueueReady(id, token uint32) { run("queue_ready", id, 0) }

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(id, n, end uint32) uint32 { return run("request_headers", id, 0) }

//go:wasmexport proxy_on_request_body
func onRequestBody(id, n, end uint32) uint32 { return run("request_body", id, 0) }

//go:wasmexport proxy_on_request_trailers
func onRequestTrailers(id, n uint32) uint32 { return run("request_trailers", id, 0) }

//go:wasmexport proxy_on_response_headers
func onResponseHeaders(id, n, end uint32) uint32 { return run("response_headers", id, 0) }

//go:wasmexport proxy_on_response_body
func onResponseBody(id, n, end uint32) uint32 { return run("response_body", id, 0) }

//go:wasmexport proxy_on_response_trailers
func onResponseTrailers(id, n uint32) uint32 { return run("response_trailers", id, 0) }

//go:wasmexport proxy_on_http_call_response
func onHTTPCallResponse(id, token, headers, body, trailers uint32) {
	logf("http_call_response", id, "token", token, "headers", headers, "body", body, "trailers", trailers)
	run("http_call_response", id, 0)
}

//go:wasmexport proxy_on_log
func onLog(id uint32) { run("log", id, 0) }

//go:wasmexport proxy_on_done
func onDone(id uint32) uint32 { return run("done", id, 1) }

//go:wasmexport proxy_on_delete
func onDelete(id uint32) {
	run("delete", id, 0)
	delete(roots, id)
	delete(scripts, id)
}
