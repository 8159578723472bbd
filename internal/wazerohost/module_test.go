package wazerohost

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// tinyFunc is an imported or exported function of a handmade module.
type tinyFunc struct {
	module, name string // module is empty for an export
	sig          signature
	calls        int // index+1 of the import that an export calls
}

// tinyModule writes a WebAssembly binary: every export drops what its call gives
// and returns zeros.
func tinyModule(functions ...tinyFunc) []byte {
	var types, imports, funcs, exports, code [][]byte
	for _, f := range functions {
		if f.module != "" {
			imports = append(imports, slices.Concat(vec(f.module), vec(f.name), []byte{0, byte(len(types))}))
			types = append(types, funcType(f.sig))
		}
	}
	count := len(imports)
	for _, f := range functions {
		if f.module == "" {
			exports = append(exports, slices.Concat(vec(f.name), []byte{0, byte(count + len(funcs))}))
			funcs = append(funcs, []byte{byte(len(types))})
			types = append(types, funcType(f.sig))
			code = append(code, tinyBody(f, functions))
		}
	}
	exports = append(exports, slices.Concat(vec("memory"), []byte{2, 0}))
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = append(out, section(1, types)...)
	out = append(out, section(2, imports)...)
	out = append(out, section(3, funcs)...)
	out = append(out, section(5, [][]byte{{0, 1}})...)
	out = append(out, section(7, exports)...)
	return append(out, section(10, code)...)
}

func tinyBody(f tinyFunc, functions []tinyFunc) []byte {
	body := []byte{0} // no locals
	zeros := func(types string) {
		for _, l := range types {
			body = append(body, 0x41+byte(strings.IndexRune("iI", l)), 0)
		}
	}
	if f.calls > 0 {
		sig := functions[f.calls-1].sig
		zeros(sig.params)
		body = append(body, 0x10, byte(f.calls-1))
		for range sig.results {
			body = append(body, 0x1a) // drop
		}
	}
	zeros(f.sig.results)
	body = append(body, 0x0b)
	return append(leb(len(body)), body...)
}

func funcType(s signature) []byte {
	b := []byte{0x60}
	for _, types := range []string{s.params, s.results} {
		b = append(b, byte(len(types)))
		for _, l := range types {
			b = append(b, map[rune]byte{'i': 0x7f, 'I': 0x7e}[l])
		}
	}
	return b
}

func vec(s string) []byte { return append(leb(len(s)), s...) }

func section(id byte, items [][]byte) []byte {
	if len(items) == 0 {
		return nil
	}
	body := append(leb(len(items)), slices.Concat(items...)...)
	return slices.Concat([]byte{id}, leb(len(body)), body)
}

func leb(n int) []byte {
	var b []byte
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}

var (
	abi21  = tinyFunc{name: "proxy_abi_version_0_2_1"}
	abi20  = tinyFunc{name: "proxy_abi_version_0_2_0"}
	malloc = tinyFunc{name: "proxy_on_memory_allocate", sig: signature{"i", "i"}}
)

func TestWhatEnvoyWouldNotLoadIsAnError(t *testing.T) {
	wasi := func(name, params string) tinyFunc {
		return tinyFunc{module: moduleWASI, name: name, sig: signature{params, "i"}}
	}
	logLevel := tinyFunc{module: moduleEnv, name: "proxy_get_log_level", sig: signature{"i", "i"}}
	for _, tt := range []struct {
		name       string
		module     []byte
		generation Generation
		want       string // empty: it loads
	}{
		{"a plain module loads", tinyModule(abi21, malloc), Envoy139, ""},
		{"rubbish", []byte("no wasm"), Envoy139, "failed to load Wasm bytecode"},
		{"no ABI version", tinyModule(malloc), Envoy139, "missing or unknown Proxy-Wasm ABI version"},
		{"no allocator", tinyModule(abi21), Envoy139, "missing malloc"},
		{"plain malloc is an allocator", tinyModule(abi21, tinyFunc{name: "malloc", sig: signature{"i", "i"}}), Envoy139, ""},
		{"an import that nobody offers", tinyModule(tinyFunc{module: moduleEnv, name: "proxy_unheard_of", sig: signature{"", "i"}}, abi21, malloc),
			Envoy139, "missing import: env.proxy_unheard_of"},
		{"an import of a module that nobody offers", tinyModule(tinyFunc{module: "gojs", name: "x"}, abi21, malloc), Envoy139, "missing import: gojs.x"},
		{"path_filestat_get on an old Envoy", tinyModule(wasi("path_filestat_get", "iiiii"), abi21, malloc), Envoy133,
			"missing import: wasi_snapshot_preview1.path_filestat_get"},
		{"path_filestat_get on a new Envoy", tinyModule(wasi("path_filestat_get", "iiiii"), abi21, malloc), Envoy139, ""},
		{"poll_oneoff on an old Envoy loads", tinyModule(wasi("poll_oneoff", "iiii"), abi21, malloc), Envoy133, ""},
		{"wasi_unstable is offered as well", tinyModule(tinyFunc{module: moduleUnstable, name: "sched_yield", sig: signature{"", "i"}}, abi21, malloc), Envoy133, ""},
		{"an import of another type", tinyModule(tinyFunc{module: moduleEnv, name: "proxy_log", sig: signature{"ii", "i"}}, abi21, malloc),
			Envoy139, "import type mismatch: env.proxy_log"},
		{"a known export of another type", tinyModule(abi21, malloc, tinyFunc{name: "proxy_on_request_headers", sig: signature{"ii", "i"}}),
			Envoy139, "bad function signature for: proxy_on_request_headers"},
		{"get_log_level under ABI 0.2.1", tinyModule(logLevel, abi21, malloc), Envoy139, ""},
		{"get_log_level under ABI 0.2.0", tinyModule(logLevel, abi20, malloc), Envoy139, "missing import: env.proxy_get_log_level"},
		{"a command module whose start calls the host",
			tinyModule(tinyFunc{module: moduleEnv, name: "proxy_done", sig: signature{"", "i"}}, abi21, malloc, tinyFunc{name: "_start", calls: 1}),
			Envoy139, "restricted_callback: env.proxy_done"},
		{"a main that calls the host",
			tinyModule(tinyFunc{module: moduleEnv, name: "proxy_done", sig: signature{"", "i"}}, abi21, malloc,
				tinyFunc{name: "_initialize"}, tinyFunc{name: "main", sig: signature{"ii", "i"}, calls: 1}),
			Envoy139, "restricted_callback: env.proxy_done"},
		{"poll_oneoff during start on an old Envoy",
			tinyModule(wasi("poll_oneoff", "iiii"), abi21, malloc, tinyFunc{name: "_initialize", calls: 1}),
			Envoy133, "restricted_callback: wasi_snapshot_preview1.poll_oneoff"},
		{"poll_oneoff during start on a new Envoy",
			tinyModule(wasi("poll_oneoff", "iiii"), abi21, malloc, tinyFunc{name: "_initialize", calls: 1}), Envoy139, ""},
		{"path_open during start on a new Envoy",
			tinyModule(wasi("path_open", "iiiiiIIii"), abi21, malloc, tinyFunc{name: "_initialize", calls: 1}),
			Envoy139, "restricted_callback: wasi_snapshot_preview1.path_open"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := New(context.Background(), Config{Module: tt.module, Generation: tt.generation})
			if err == nil {
				h.Close()
			}
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestTheOldAllowListIsExactlyEnvoys(t *testing.T) {
	var got []string
	for name := range offeredImports(Envoy133, abi021) {
		if name, ok := strings.CutPrefix(name, moduleWASI+"."); ok {
			got = append(got, name)
		}
	}
	want := strings.Fields("fd_write fd_read fd_seek fd_close fd_fdstat_get fd_fdstat_set_flags environ_get " +
		"environ_sizes_get args_get args_sizes_get clock_time_get random_get sched_yield poll_oneoff proc_exit " +
		"path_open fd_prestat_get fd_prestat_dir_name")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("offered %v, want %v", got, want)
	}
}

func TestMissingExportsAreNoOps(t *testing.T) {
	h, err := New(context.Background(), Config{Module: tinyModule(abi21, malloc)})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	s := h.Open(0, [][2]string{{":method", "GET"}, {":path", "/"}, {":authority", "a"}}, true)
	wantKind(t, s, Forwarded)
	s.Respond([][2]string{{":status", "200"}}, true)
	if !s.Response().Complete {
		t.Error("the response has not passed")
	}
	if got := h.Imports(); len(got) != 0 {
		t.Errorf("imports %v, want none", got)
	}
}
