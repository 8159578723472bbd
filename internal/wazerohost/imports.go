package wazerohost

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// hostFunction is an import that the host offers.
type hostFunction struct {
	signature
	call  func(v *vm, p args) uint64
	since Generation // Envoy133 means in both generations
	abi   abiVersion // the least ABI that has it
}

// args are the parameters of a host call.
type args []uint64

func (p args) u32(i int) uint32 { return uint32(p[i]) }

// bytes reads the range whose pointer and size are at i and i+1.
func (p args) bytes(v *vm, i int) ([]byte, bool) { return v.read(p.u32(i), p.u32(i+1)) }

const (
	moduleEnv      = "env"
	moduleWASI     = "wasi_snapshot_preview1"
	moduleUnstable = "wasi_unstable"
)

// offeredImports is the allow-list for a generation and an ABI version, keyed by
// "module.name".
func offeredImports(g Generation, abi abiVersion) map[string]*hostFunction {
	offered := map[string]*hostFunction{}
	for name, f := range proxyFunctions() {
		if f.abi <= abi {
			offered[moduleEnv+".proxy_"+name] = f
		}
	}
	offered[moduleEnv+".pthread_equal"] = &hostFunction{signature: signature{"ii", "i"}, call: pthreadEqual}
	offered[moduleEnv+".emscripten_notify_memory_growth"] = &hostFunction{signature: signature{"i", ""}, call: answer(0)}
	for name, f := range wasiFunctions(g) {
		if f.since == Envoy133 || g == Envoy139 {
			offered[moduleWASI+"."+name] = f
			offered[moduleUnstable+"."+name] = f
		}
	}
	return offered
}

func pthreadEqual(_ *vm, p args) uint64 {
	if p.u32(0) == p.u32(1) {
		return 1
	}
	return 0
}

// answer is a function that always returns the same.
func answer(n uint64) func(*vm, args) uint64 {
	return func(*vm, args) uint64 { return n }
}

// instantiateImports makes the host modules of the functions that the module
// imports.
func instantiateImports(ctx context.Context, rt wazero.Runtime, m wazero.CompiledModule, offered map[string]*hostFunction) error {
	builders := map[string]wazero.HostModuleBuilder{}
	seen := map[string]bool{}
	for _, d := range m.ImportedFunctions() {
		full := importName(d)
		if seen[full] {
			continue
		}
		seen[full] = true
		module, name, _ := d.Import()
		if builders[module] == nil {
			builders[module] = rt.NewHostModuleBuilder(module)
		}
		f := offered[full]
		builders[module].NewFunctionBuilder().
			WithGoModuleFunction(f.bind(full), valueTypes(f.params), valueTypes(f.results)).
			Export(name)
	}
	for _, module := range sortedKeys(builders) {
		if _, err := builders[module].Instantiate(ctx); err != nil {
			return fmt.Errorf("host module %s: %w", module, err)
		}
	}
	return nil
}

// bind makes the function callable; a call that the present moment forbids traps.
func (f *hostFunction) bind(full string) api.GoModuleFunction {
	return api.GoModuleFunc(func(ctx context.Context, _ api.Module, stack []uint64) {
		v := ctx.Value(vmKey{}).(*vm)
		if v.allowed != nil && !v.allowed[full] {
			panic(fmt.Errorf("restricted_callback: %s", full))
		}
		r := f.call(v, args(stack))
		if f.results != "" {
			stack[0] = r
		}
	})
}

func allow(env []string, wasi ...string) map[string]bool {
	set := map[string]bool{}
	for _, name := range env {
		set[moduleEnv+"."+name] = true
	}
	for _, name := range wasi {
		set[moduleWASI+"."+name] = true
		set[moduleUnstable+"."+name] = true
	}
	return set
}

// startAllowed is what a module may call from its start function.
var startAllowed = map[Generation]map[string]bool{
	Envoy133: allow([]string{"proxy_log"},
		"fd_write", "args_sizes_get", "args_get", "environ_sizes_get", "environ_get",
		"fd_prestat_get", "fd_prestat_dir_name", "clock_time_get", "random_get",
		"fd_fdstat_get", "fd_fdstat_set_flags"),
	Envoy139: allow([]string{"proxy_log", "emscripten_notify_memory_growth"},
		"fd_write", "args_sizes_get", "args_get", "environ_sizes_get", "environ_get",
		"clock_time_get", "clock_res_get", "random_get", "poll_oneoff",
		"fd_fdstat_get", "fd_fdstat_set_flags", "fd_advise", "fd_allocate", "fd_datasync",
		"fd_fdstat_set_rights", "fd_filestat_get", "fd_filestat_set_size", "fd_filestat_set_times",
		"fd_pread", "fd_prestat_dir_name", "fd_prestat_get", "fd_pwrite", "fd_readdir",
		"fd_renumber", "fd_sync", "fd_tell", "path_create_directory", "path_filestat_get",
		"path_filestat_set_times", "path_link", "path_readlink", "path_remove_directory",
		"path_rename", "path_symlink", "path_unlink_file", "sock_accept", "sock_recv",
		"sock_send", "sock_shutdown"),
}

// mallocAllowed is what a module may call from its allocator.
var mallocAllowed = map[Generation]map[string]bool{
	Envoy133: allow([]string{"proxy_log"}, "fd_write", "clock_time_get"),
	Envoy139: allow([]string{"proxy_log"}, "fd_write", "clock_time_get", "poll_oneoff"),
}
