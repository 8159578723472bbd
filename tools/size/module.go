package main

import (
	"errors"
	"fmt"
	"slices"
)

// module is what the goldens need to know of a WebAssembly file.
type module struct {
	imports  []string       // "module name", functions only
	exports  []string       // names
	sections map[string]int // bytes by name of the section
	bodies   []int          // bytes of each function that the module defines
	names    map[int]string // from the name section, by index in imports, then bodies
}

// Section ids, kinds and the subsection of function names: WebAssembly core
// specification, section 5.5, and its appendix on custom sections.
const (
	sectionCustom   = 0
	sectionImport   = 2
	sectionExport   = 7
	sectionCode     = 10
	kindFunction    = 0
	kindTable       = 1
	kindMemory      = 2
	kindGlobal      = 3
	functionNames   = 1
	limitsHaveUpper = 1
)

var sectionNames = map[int]string{
	1: "type", 2: "import", 3: "function", 4: "table", 5: "memory", 6: "global",
	7: "export", 8: "start", 9: "element", 10: "code", 11: "data", 12: "data count",
}

func parseModule(file []byte) (*module, error) {
	if len(file) < 8 || string(file[:8]) != "\x00asm\x01\x00\x00\x00" {
		return nil, errors.New("not a WebAssembly module of version 1")
	}
	m := &module{sections: map[string]int{}, names: map[int]string{}}
	r := &reader{b: file[8:]}
	for len(r.b) > 0 {
		id := int(r.byte())
		body := &reader{b: r.take(r.number())}
		if r.failed {
			return nil, errors.New("a section is cut off")
		}
		size := len(body.b)
		name := m.section(id, body)
		if body.failed {
			return nil, fmt.Errorf("section %q is malformed", name)
		}
		m.sections[name] += size
	}
	slices.Sort(m.imports)
	slices.Sort(m.exports)
	return m, nil
}

// section reads what one section has to say and returns its name.
func (m *module) section(id int, r *reader) string {
	switch id {
	case sectionCustom:
		name := r.string()
		if name == "name" {
			m.readNames(r)
		}
		return name
	case sectionImport:
		m.readImports(r)
	case sectionExport:
		for range r.number() {
			m.exports = append(m.exports, r.string())
			r.byte()
			r.number()
		}
	case sectionCode:
		for range r.number() {
			m.bodies = append(m.bodies, len(r.take(r.number())))
		}
	}
	return sectionNames[id]
}

func (m *module) readImports(r *reader) {
	for range r.number() {
		module, name := r.string(), r.string()
		switch r.byte() {
		case kindFunction:
			r.number()
			m.imports = append(m.imports, module+" "+name)
		case kindTable:
			r.byte()
			r.limits()
		case kindMemory:
			r.limits()
		case kindGlobal:
			r.take(2)
		default:
			r.failed = true
		}
		if r.failed {
			return
		}
	}
}

func (m *module) readNames(r *reader) {
	for len(r.b) > 0 && !r.failed {
		id := r.byte()
		sub := &reader{b: r.take(r.number())}
		if id != functionNames {
			continue
		}
		for range sub.number() {
			index := sub.number()
			m.names[index] = sub.string()
		}
		r.failed = r.failed || sub.failed
	}
}

// reader takes a module apart; what it cannot read sets failed and is zero.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.failed, r.b = true, nil
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// number is an unsigned LEB128 of 32 bits. A count is never more than there
// are bytes left, so loops over a malformed one end.
func (r *reader) number() int {
	value := 0
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		value |= int(b&0x7f) << shift
		if b < 0x80 {
			return value
		}
	}
	r.failed = true
	return 0
}

func (r *reader) string() string { return string(r.take(r.number())) }

func (r *reader) limits() {
	flags := r.byte()
	r.number()
	if flags&limitsHaveUpper != 0 {
		r.number()
	}
}
