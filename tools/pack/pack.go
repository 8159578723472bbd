package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/pierrec/lz4/v4"
)

// Sections, by their ids.
const (
	sectionCustom    = 0
	sectionType      = 1
	sectionImport    = 2
	sectionFunction  = 3
	sectionMemory    = 5
	sectionStart     = 8
	sectionDataCount = 12
	sectionCode      = 10
	sectionData      = 11
)

// order is where sections stand in a module: not by their ids.
var order = []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11}

const pageSize = 64 << 10

// section is a part of a module.
type section struct {
	id   byte
	body []byte
}

var magic = []byte("\x00asm\x01\x00\x00\x00")

// pack returns a module whose memory begins as the given one's.
func pack(module []byte) ([]byte, error) {
	sections, err := split(module)
	if err != nil {
		return nil, err
	}
	if find(sections, sectionStart) != nil {
		return nil, errors.New("it has a start function already")
	}
	first, memory, err := initialMemory(find(sections, sectionData))
	if err != nil {
		return nil, err
	}
	packed, err := compress(memory)
	if err != nil {
		return nil, err
	}
	code := unpacker{start: first, end: first + len(memory), packed: len(packed)}
	if code.last() > initialSize(find(sections, sectionMemory)) {
		return nil, errors.New("its memory is too small at first to unpack in")
	}
	return join(sections, code.function(), packed)
}

// split takes a module apart.
func split(module []byte) (sections []section, err error) {
	rest, ok := bytes.CutPrefix(module, magic)
	if !ok {
		return nil, errors.New("not a WebAssembly module of version 1")
	}
	r := reader{rest}
	for len(r.b) > 0 {
		id := r.byte()
		body := r.take(r.number())
		if r.b == nil {
			return nil, errors.New("a section is cut off")
		}
		sections = append(sections, section{id, body})
	}
	return sections, nil
}

// find returns the body of a section, or nil.
func find(sections []section, id byte) []byte {
	for _, s := range sections {
		if s.id == id {
			return s.body
		}
	}
	return nil
}

// piece is what a module writes at a place.
type piece struct {
	at      int
	content []byte
}

// initialMemory returns what a data section writes, with zeros in between, and
// where it begins.
func initialMemory(data []byte) (first int, memory []byte, err error) {
	pieces, err := readData(data)
	if err != nil {
		return 0, nil, err
	}
	slices.SortFunc(pieces, func(a, b piece) int { return a.at - b.at })
	first = pieces[0].at
	for _, p := range pieces {
		gap := p.at - first - len(memory)
		if gap < 0 {
			return 0, nil, fmt.Errorf("two pieces of data are for byte %d", p.at)
		}
		memory = append(append(memory, make([]byte, gap)...), p.content...)
	}
	return first, memory, nil
}

func readData(data []byte) (pieces []piece, err error) {
	const constI32, end = 0x41, 0x0b
	r := reader{data}
	for i := range r.number() {
		active, op := r.byte(), r.byte()
		at, ended := r.number(), r.byte()
		if active != 0 || op != constI32 || ended != end {
			return nil, fmt.Errorf("segment %d is not at a constant place in the first memory", i)
		}
		pieces = append(pieces, piece{at, r.take(r.number())})
	}
	if r.b == nil || len(pieces) == 0 {
		return nil, errors.New("it has no data, or its data is cut off")
	}
	return pieces, nil
}

// compress packs data into one block.
func compress(data []byte) ([]byte, error) {
	packed := make([]byte, lz4.CompressBlockBound(len(data)))
	n, err := lz4.CompressBlockHC(data, packed, lz4.Level9, nil, nil)
	if err != nil || n == 0 {
		return nil, fmt.Errorf("its data cannot be packed: %v", err)
	}
	return packed[:n], nil
}

// initialSize is how many bytes the memory has at first.
func initialSize(memory []byte) int {
	r := reader{memory}
	r.number()
	r.number()
	return r.number() * pageSize
}

// join puts a module together again, with the function that unpacks.
func join(sections []section, function, packed []byte) ([]byte, error) {
	types, functions, codes := find(sections, sectionType), find(sections, sectionFunction), find(sections, sectionCode)
	imported, err := importedFunctions(find(sections, sectionImport))
	if err != nil {
		return nil, err
	}
	index := imported + count(functions)
	replaced := map[byte][]byte{
		sectionType:      grown(types, []byte{0x60, 0, 0}),
		sectionFunction:  grown(functions, number(count(types))),
		sectionCode:      grown(codes, append(number(len(function)), function...)),
		sectionStart:     number(index),
		sectionDataCount: number(1),
		// One passive segment.
		sectionData: slices.Concat([]byte{1, 1}, number(len(packed)), packed),
	}
	out := slices.Clone(magic)
	for _, id := range order {
		body, changed := replaced[id]
		if !changed {
			body = find(sections, id)
		}
		if body != nil {
			out = appendSection(out, id, body)
		}
	}
	for _, s := range sections {
		if s.id == sectionCustom {
			out = appendSection(out, s.id, s.body)
		}
	}
	return out, nil
}

func appendSection(out []byte, id byte, body []byte) []byte {
	out = append(append(out, id), number(len(body))...)
	return append(out, body...)
}

// grown is a vector with one more item.
func grown(vector, item []byte) []byte {
	r := reader{vector}
	n := r.number()
	return slices.Concat(number(n+1), r.b, item)
}

func count(vector []byte) int {
	r := reader{vector}
	return r.number()
}

// importedFunctions is how many functions come before a module's own.
func importedFunctions(imports []byte) (n int, err error) {
	const function = 0
	if imports == nil {
		return 0, nil
	}
	r := reader{imports}
	for range r.number() {
		r.take(r.number())
		r.take(r.number())
		if r.byte() != function {
			return 0, errors.New("it imports something else than functions")
		}
		r.number()
		n++
	}
	if r.b == nil {
		return 0, errors.New("its imports are cut off")
	}
	return n, nil
}

// reader reads a module. Once it is at an end that should not be there, b is nil.
type reader struct{ b []byte }

func (r *reader) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b = nil
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

// number reads LEB128. Places in memory are signed there, and none is so high
// that it would make a difference.
func (r *reader) number() int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > 1<<31-1 {
		r.b = nil
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

// number is LEB128, unsigned.
func number(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }
