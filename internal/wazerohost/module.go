package wazerohost

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// abiVersion is the proxy-wasm ABI that a module asks for.
type abiVersion int

const (
	abi020 abiVersion = iota + 1
	abi021
)

// detectABI reads the version from the export names, as Envoy does before it
// instantiates anything.
func detectABI(exports map[string]api.FunctionDefinition) (abiVersion, error) {
	if _, ok := exports["proxy_abi_version_0_2_1"]; ok {
		return abi021, nil
	}
	if _, ok := exports["proxy_abi_version_0_2_0"]; ok {
		return abi020, nil
	}
	return 0, errors.New("missing or unknown Proxy-Wasm ABI version")
}

// signature is one letter per value: i for i32, I for i64.
type signature struct{ params, results string }

func (s signature) String() string {
	return "(" + s.params + ") -> (" + s.results + ")"
}

func signatureOf(d api.FunctionDefinition) signature {
	return signature{letters(d.ParamTypes()), letters(d.ResultTypes())}
}

func letters(types []api.ValueType) string {
	var b strings.Builder
	for _, t := range types {
		switch t {
		case api.ValueTypeI32:
			b.WriteByte('i')
		case api.ValueTypeI64:
			b.WriteByte('I')
		default:
			b.WriteByte('?')
		}
	}
	return b.String()
}

func valueTypes(letters string) []api.ValueType {
	types := make([]api.ValueType, 0, len(letters))
	for _, l := range letters {
		if l == 'I' {
			types = append(types, api.ValueTypeI64)
		} else {
			types = append(types, api.ValueTypeI32)
		}
	}
	return types
}

// knownExports are the functions which the host looks up, with the signature
// that each must have if it is there at all.
var knownExports = map[string]signature{
	"_initialize":              {"", ""},
	"_start":                   {"", ""},
	"main":                     {"ii", "i"},
	"__main_void":              {"", "i"},
	"malloc":                   {"i", "i"},
	"proxy_on_memory_allocate": {"i", "i"},

	"proxy_validate_configuration": {"ii", "i"},
	"proxy_on_vm_start":            {"ii", "i"},
	"proxy_on_configure":           {"ii", "i"},
	"proxy_on_context_create":      {"ii", ""},
	"proxy_on_tick":                {"i", ""},
	"proxy_on_queue_ready":         {"ii", ""},
	"proxy_on_foreign_function":    {"iii", ""},
	"proxy_on_done":                {"i", "i"},
	"proxy_on_log":                 {"i", ""},
	"proxy_on_delete":              {"i", ""},

	"proxy_on_request_headers":    {"iii", "i"},
	"proxy_on_request_body":       {"iii", "i"},
	"proxy_on_request_trailers":   {"ii", "i"},
	"proxy_on_request_metadata":   {"ii", "i"},
	"proxy_on_response_headers":   {"iii", "i"},
	"proxy_on_response_body":      {"iii", "i"},
	"proxy_on_response_trailers":  {"ii", "i"},
	"proxy_on_response_metadata":  {"ii", "i"},
	"proxy_on_http_call_response": {"iiiii", ""},

	"proxy_on_new_connection":                 {"i", "i"},
	"proxy_on_downstream_data":                {"iii", "i"},
	"proxy_on_upstream_data":                  {"iii", "i"},
	"proxy_on_downstream_connection_close":    {"ii", ""},
	"proxy_on_upstream_connection_close":      {"ii", ""},
	"proxy_on_grpc_receive":                   {"iii", ""},
	"proxy_on_grpc_close":                     {"iii", ""},
	"proxy_on_grpc_receive_initial_metadata":  {"iii", ""},
	"proxy_on_grpc_receive_trailing_metadata": {"iii", ""},
}

// checkExports refuses a known export of another type, and a module without an
// allocator.
func checkExports(exports map[string]api.FunctionDefinition) error {
	for _, name := range sortedKeys(exports) {
		want, known := knownExports[name]
		if got := signatureOf(exports[name]); known && got != want {
			return fmt.Errorf("bad function signature for: %s: want %s, got %s", name, want, got)
		}
	}
	if exports["malloc"] == nil && exports["proxy_on_memory_allocate"] == nil {
		return errors.New("module is missing malloc function")
	}
	return nil
}

// checkImports refuses what this generation of Envoy does not offer, even if the
// module never calls it.
func checkImports(imports []api.FunctionDefinition, offered map[string]*hostFunction) error {
	for _, d := range imports {
		name := importName(d)
		f := offered[name]
		if f == nil {
			return fmt.Errorf("failed to load Wasm module due to a missing import: %s", name)
		}
		if got := signatureOf(d); got != f.signature {
			return fmt.Errorf("failed to load Wasm module due to an import type mismatch: %s: host %s, module %s",
				name, f.signature, got)
		}
	}
	return nil
}

func importName(d api.FunctionDefinition) string {
	module, name, _ := d.Import()
	return module + "." + name
}

// importNames lists what a module imports, sorted.
func importNames(m wazero.CompiledModule) []string {
	var names []string
	for _, d := range m.ImportedFunctions() {
		names = append(names, importName(d))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
