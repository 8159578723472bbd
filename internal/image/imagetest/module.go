// Package imagetest makes modules that package image takes for ours, for tests:
// a hundred bytes in place of eight million.
package imagetest

import "strings"

// Kinds and sections of the WebAssembly core specification, sections 5.5.2 and
// 5.5.10.
const (
	kindFunction  = 0
	kindMemory    = 2
	sectionType   = 1
	sectionImport = 2
	sectionFunc   = 3
	sectionExport = 7
)

// Module is the smallest module that is taken for ours, with further imports, as
// module.name.
func Module(imports ...string) []byte {
	imports = append([]string{"env.proxy_log"}, imports...)
	in := []byte{byte(len(imports))}
	for _, full := range imports {
		module, name, _ := strings.Cut(full, ".")
		in = append(in, named(module)...)
		in = append(in, named(name, kindFunction, 0)...)
	}
	exports := []string{"proxy_abi_version_0_2_1", "_initialize", "proxy_on_configure", "proxy_on_request_headers"}
	out := []byte{byte(len(exports) + 1)}
	for _, name := range exports {
		out = append(out, named(name, kindFunction, 1)...)
	}
	out = append(out, named("memory", kindMemory, 0)...)

	b := []byte("\x00asm\x01\x00\x00\x00")
	b = append(b, section(sectionType, 1, 0x60, 0, 0)...)
	b = append(b, section(sectionImport, in...)...)
	b = append(b, section(sectionFunc, 1, 0)...)
	b = append(b, section(sectionExport, out...)...)
	return append(b, section(0, named("padding", 1, 2, 3)...)...)
}

// section is a section of a module of less than 16 KiB: a number of two bytes
// (LEB128) precedes it.
func section(id byte, body ...byte) []byte {
	n := len(body)
	return append([]byte{id, byte(n&0x7f | 0x80), byte(n >> 7)}, body...)
}

// named is a name as a module has it, and what follows it.
func named(name string, rest ...byte) []byte {
	return append(append([]byte{byte(len(name))}, name...), rest...)
}
