package main

import "slices"

// unpacker is the function that unpacks a block to where it belongs. It unpacks in
// place: the block is laid at the end of that, and a little beyond, so that what
// was read is never behind what was written; LZ4 says how much beyond. What lies
// there is zero again afterwards.
type unpacker struct {
	start, end int // of what is unpacked
	packed     int // how many bytes the block has
}

// last is the end of the memory that the function needs.
func (u *unpacker) last() int { return u.end + u.packed>>8 + 32 }

// The locals of the function.
const (
	from   = iota // what is read next
	to            // what is written next
	length        // of what is copied
	token
	more   // a byte by which a length goes on
	behind // how far behind a match is
	locals
)

// Instructions.
var (
	loop   = []byte{0x03, 0x40}
	when   = []byte{0x04, 0x40}
	orElse = []byte{0x05}
	end    = []byte{0x0b}
	load8  = []byte{0x2d, 0, 0}
	load16 = []byte{0x2f, 0, 0}
	store8 = []byte{0x3a, 0, 0}
	equal  = []byte{0x46}
	below  = []byte{0x49} // unsigned
	add    = []byte{0x6a}
	sub    = []byte{0x6b}
	and    = []byte{0x71}
	shift  = []byte{0x76} // to the right, unsigned

	initSegment = []byte{0xfc, 0x08, 0, 0}
	dropSegment = []byte{0xfc, 0x09, 0}
	copyBytes   = []byte{0xfc, 0x0a, 0, 0}
	fillBytes   = []byte{0xfc, 0x0b, 0}
)

func get(local byte) []byte              { return []byte{0x20, local} }
func set(local byte) []byte              { return []byte{0x21, local} }
func again(depth byte) []byte            { return []byte{0x0c, depth} }
func all(parts ...[]byte) []byte         { return slices.Concat(parts...) }
func raise(local byte, by []byte) []byte { return all(get(local), by, add, set(local)) }

// constant is a number, which LEB128 has signed here.
func constant(n int) []byte {
	out := []byte{0x41}
	for n >= 0x40 {
		out = append(out, byte(n)|0x80)
		n >>= 7
	}
	return append(out, byte(n))
}

// function is the code, with its locals.
func (u *unpacker) function() []byte {
	at := u.last() - u.packed
	return all([]byte{1, locals, 0x7f}, // all of them i32
		constant(at), constant(0), constant(u.packed), initSegment, dropSegment,
		constant(at), set(from), constant(u.start), set(to),
		loop,
		get(from), load8, set(token), raise(from, constant(1)),
		u.literals(),
		get(from), constant(u.last()), below, when, // the last token has no match
		u.match(),
		again(1), end,
		end,
		constant(u.end), constant(0), constant(u.last()-u.end), fillBytes,
		end)
}

// literals copies what stands in the block as it is.
func (u *unpacker) literals() []byte {
	return all(
		get(token), constant(4), shift, set(length), u.longer(),
		get(to), get(from), get(length), copyBytes,
		raise(from, get(length)), raise(to, get(length)))
}

// match copies what was written before. A match may reach into what it writes, and
// is then copied byte by byte.
func (u *unpacker) match() []byte {
	return all(
		get(from), load16, set(behind), raise(from, constant(2)),
		get(token), constant(15), and, set(length), u.longer(), raise(length, constant(4)),
		get(behind), get(length), below, when,
		get(to), get(length), add, set(token), // where the match ends
		loop,
		get(to), get(to), get(behind), sub, load8, store8, raise(to, constant(1)),
		get(to), get(token), below, []byte{0x0d, 0},
		end,
		orElse,
		get(to), get(to), get(behind), sub, get(length), copyBytes, raise(to, get(length)),
		end)
}

// longer adds to a length of 15 the bytes that follow, up to one that is not 255.
func (u *unpacker) longer() []byte {
	return all(
		get(length), constant(15), equal, when,
		loop,
		get(from), load8, set(more), raise(from, constant(1)), raise(length, get(more)),
		get(more), constant(255), equal, []byte{0x0d, 0},
		end,
		end)
}
