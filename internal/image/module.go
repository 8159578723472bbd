package image

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// maxModule bounds what is read as a module, in bytes.
const maxModule = 64 << 20

// Module is a file that a proxy-wasm host would load.
type Module struct {
	Bytes []byte
}

// SHA256 is the hash of the file, in hexadecimal.
func (m *Module) SHA256() string {
	sum := sha256.Sum256(m.Bytes)
	return hex.EncodeToString(sum[:])
}

// ReadModule reads a module from a file.
func ReadModule(file string) (*Module, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxModule {
		return nil, fmt.Errorf("%s has %d bytes; at most %d are read", file, info.Size(), maxModule)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	m, err := NewModule(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return m, nil
}

// NewModule looks at what is to be a module.
func NewModule(b []byte) (*Module, error) {
	if len(b) > maxModule {
		return nil, fmt.Errorf("has %d bytes; at most %d are read", len(b), maxModule)
	}
	imports, exports, err := interfaceOf(b)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{abiVersion, "_initialize", "proxy_on_configure", "proxy_on_request_headers"} {
		if !slices.Contains(exports, name) {
			return nil, fmt.Errorf("exports no %s: it is not postern.wasm", name)
		}
	}
	for _, name := range imports {
		if !offered(name) {
			return nil, fmt.Errorf("imports %s, which Envoy before 1.39 does not have: `make build` takes it out", name)
		}
	}
	return &Module{b}, nil
}

// abiVersion is the export by which a host knows the version of the ABI.
const abiVersion = "proxy_abi_version_0_2_1"

// offered reports whether every host from Envoy 1.33 on has an import that does
// what a module of Go's wants of it: theirs of poll_oneoff ends the module.
func offered(name string) bool {
	if call, ok := strings.CutPrefix(name, "wasi_snapshot_preview1."); ok {
		return slices.Contains(wasi, call)
	}
	return strings.HasPrefix(name, "env.proxy_")
}

var wasi = []string{
	"args_get", "args_sizes_get", "clock_time_get", "environ_get", "environ_sizes_get", "fd_close", "fd_fdstat_get",
	"fd_fdstat_set_flags", "fd_prestat_dir_name", "fd_prestat_get", "fd_read", "fd_seek", "fd_write", "path_open",
	"proc_exit", "random_get", "sched_yield",
}

// Sections of a module that are looked at, and the kinds of what is imported, by
// the WebAssembly core specification, sections 5.5.5 and 5.5.10.
const (
	sectionImport = 2
	sectionExport = 7

	kindFunction = 0
	kindTable    = 1
	kindMemory   = 2
	kindGlobal   = 3
)

var errCutOff = errors.New("is a WebAssembly module that is cut off, or damaged")

// interfaceOf returns the functions that a module imports, as module.name, and
// those that it exports.
func interfaceOf(b []byte) (imports, exports []string, err error) {
	rest, ok := strings.CutPrefix(string(b), "\x00asm\x01\x00\x00\x00")
	if !ok {
		return nil, nil, errors.New("is not a WebAssembly module of version 1")
	}
	r := wasmReader{b: rest}
	for r.b != "" && !r.failed {
		id, body := r.byte(), wasmReader{b: r.text()}
		switch id {
		case sectionImport:
			imports = body.imports()
		case sectionExport:
			exports = body.exports()
		}
		r.failed = r.failed || body.failed
	}
	if r.failed {
		return nil, nil, errCutOff
	}
	return imports, exports, nil
}

// wasmReader reads what a module is made of. It fails for good at the first thing
// that is not there.
type wasmReader struct {
	b      string
	failed bool
}

func (r *wasmReader) byte() byte {
	if r.b == "" {
		r.failed = true
		return 0
	}
	first := r.b[0]
	r.b = r.b[1:]
	return first
}

// number reads an unsigned LEB128 of 32 bits.
func (r *wasmReader) number() (n uint32) {
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		n |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
	r.failed = true
	return 0
}

// text reads what its length precedes: a name, or a section.
func (r *wasmReader) text() string {
	n := int64(r.number())
	if r.failed || n > int64(len(r.b)) {
		r.failed = true
		return ""
	}
	text := r.b[:n]
	r.b = r.b[n:]
	return text
}

func (r *wasmReader) imports() (names []string) {
	for n := r.number(); n > 0 && !r.failed; n-- {
		name := r.text() + "." + r.text()
		switch r.byte() {
		case kindFunction:
			r.number()
			names = append(names, name)
		case kindTable:
			r.byte()
			r.limits()
		case kindMemory:
			r.limits()
		case kindGlobal:
			r.byte()
			r.byte()
		default:
			r.failed = true
		}
	}
	return names
}

func (r *wasmReader) limits() {
	bounded := r.byte() == 1
	r.number()
	if bounded {
		r.number()
	}
}

func (r *wasmReader) exports() (names []string) {
	for n := r.number(); n > 0 && !r.failed; n-- {
		name, kind := r.text(), r.byte()
		r.number()
		if kind == kindFunction {
			names = append(names, name)
		}
	}
	return names
}
