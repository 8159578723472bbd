package abi

import (
	"encoding/binary"
	"errors"
	"strings"
)

// The host decodes a block over one of these as empty, without a word.
const (
	maxPairs      = 1024
	maxPairsBytes = 1 << 20
	pairOverhead  = 4 + 4 + 1 + 1 // two lengths, two NUL
)

// errPairs is a block that does not follow the ABI's encoding.
var errPairs = errors.New("abi: malformed header block")

// encodePairs lays pairs out as the ABI has it: the count, the two lengths of
// each pair, then name NUL value NUL of each; numbers are 32 bits little endian.
func encodePairs(pairs [][2]string) ([]byte, error) {
	size := 4
	for _, p := range pairs {
		if !validPair(p[0], p[1]) {
			return nil, failed("header "+printable(p[0]), StatusBadArgument)
		}
		size += pairOverhead + len(p[0]) + len(p[1])
	}
	if len(pairs) > maxPairs || size > maxPairsBytes {
		return nil, ErrTooLarge
	}
	return layOut(pairs), nil
}

func layOut(pairs [][2]string) []byte {
	size := 4
	for _, p := range pairs {
		size += pairOverhead + len(p[0]) + len(p[1])
	}
	block := binary.LittleEndian.AppendUint32(make([]byte, 0, size), uint32(len(pairs)))
	for _, p := range pairs {
		block = binary.LittleEndian.AppendUint32(block, uint32(len(p[0])))
		block = binary.LittleEndian.AppendUint32(block, uint32(len(p[1])))
	}
	for _, p := range pairs {
		block = append(append(block, p[0]...), 0)
		block = append(append(block, p[1]...), 0)
	}
	return block
}

// decodePairs appends the pairs of a block to dst; their strings alias it.
// Every length is checked against what is there before anything is allocated,
// and a block must be used up exactly. An empty block is an empty map.
func decodePairs(dst [][2]string, block []byte) ([][2]string, error) {
	if len(block) == 0 {
		return dst, nil
	}
	if len(block) < 4 {
		return dst, errPairs
	}
	count := uint64(binary.LittleEndian.Uint32(block))
	if count > uint64(len(block)-4)/8 {
		return dst, errPairs
	}
	lengths, data := block[4:4+8*count], stringOf(block[4+8*count:])
	start := len(dst)
	if need := start + int(count); cap(dst) < need {
		dst = append(make([][2]string, 0, need), dst...)
	}
	for ; len(lengths) > 0; lengths = lengths[8:] {
		name, rest, ok := cutField(data, binary.LittleEndian.Uint32(lengths))
		if !ok {
			return dst[:start], errPairs
		}
		value, rest, ok := cutField(rest, binary.LittleEndian.Uint32(lengths[4:]))
		if !ok {
			return dst[:start], errPairs
		}
		dst, data = append(dst, [2]string{name, value}), rest
	}
	if data != "" {
		return dst[:start], errPairs
	}
	return dst, nil
}

// cutField takes n bytes and the NUL behind them.
func cutField(data string, n uint32) (field, rest string, ok bool) {
	if uint64(n) >= uint64(len(data)) || data[n] != 0 {
		return "", "", false
	}
	return data[:n], data[n+1:], true
}

// validPair refuses what would end a header line early, RFC 9110 section 5.5.
// The host writes what it is given.
func validPair(name, value string) bool {
	return name != "" && len(name)+len(value) < maxPairsBytes && !breaksLine(name) && !breaksLine(value)
}

// breaksLine looks three times, since IndexByte is the fastest loop there is.
func breaksLine(s string) bool {
	return strings.IndexByte(s, '\n') >= 0 || strings.IndexByte(s, '\r') >= 0 || strings.IndexByte(s, 0) >= 0
}
