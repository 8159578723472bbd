package wazerohost

import "encoding/binary"

// Limits of the pairs that a guest may hand over. Beyond them Envoy decodes an
// empty list and says nothing.
const (
	maxPairsBytes = 1 << 20
	maxPairsCount = 1024
)

// encodePairs writes the host's form: a count, then the lengths of all names and
// values, then each name and value with a zero byte behind it, little endian.
func encodePairs(pairs [][2]string) []byte {
	size := 4
	for _, p := range pairs {
		size += 10 + len(p[0]) + len(p[1])
	}
	b := make([]byte, 0, size)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(pairs)))
	for _, p := range pairs {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p[0])))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p[1])))
	}
	for _, p := range pairs {
		b = append(append(b, p[0]...), 0)
		b = append(append(b, p[1]...), 0)
	}
	return b
}

// decodePairs reads what a guest wrote. Whatever is over the limits or not
// exactly of the form is an empty list; ok tells a test's log, not the guest.
func decodePairs(b []byte) (pairs [][2]string, ok bool) {
	if len(b) == 0 {
		return nil, true
	}
	if len(b) > maxPairsBytes || len(b) < 4 {
		return nil, false
	}
	n := binary.LittleEndian.Uint32(b)
	if n > maxPairsCount || uint64(len(b)) < 4+8*uint64(n) {
		return nil, false
	}
	sizes, rest := b[4:4+8*n], b[4+8*n:]
	for i := range n {
		var p [2]string
		for j := range p {
			size := binary.LittleEndian.Uint32(sizes[8*i+4*uint32(j):])
			if uint64(len(rest)) < uint64(size)+1 || rest[size] != 0 {
				return nil, false
			}
			p[j], rest = string(rest[:size]), rest[size+1:]
		}
		pairs = append(pairs, p)
	}
	if len(rest) != 0 {
		return nil, false
	}
	return pairs, true
}
