package shared

import (
	"encoding/binary"
	"strconv"
)

// How the journal of endings is laid out: a head, and segments that begin with
// the number of the first ending in them.

const headSlot = "endings"

func segmentSlot(i uint64) string { return headSlot + "/" + strconv.FormatUint(i, 10) }

// maxLength is more endings than there will ever be: reckoning with them does
// not overflow.
const maxLength = 1 << 62

const (
	headBytes   = 5 * 8
	endingBytes = len(Key{}) + 8
)

func (h *head) encode() []byte {
	b := append(appendTime(nil, h.since), h.process[:]...)
	b = binary.BigEndian.AppendUint64(b, h.length)
	return appendTime(appendTime(b, h.floor), h.tokenFloor)
}

func decodeHead(b []byte) (h head, ok bool) {
	if len(b) != headBytes {
		return h, false
	}
	h = head{
		since: readTime(b), process: [8]byte(b[8:]), length: binary.BigEndian.Uint64(b[16:]),
		floor: readTime(b[24:]), tokenFloor: readTime(b[32:]),
	}
	return h, h.length < maxLength
}

// before reports whether a head is older than another one. Those who write the
// journal only ever move it on.
func (h *head) before(o head) bool {
	return h.floor.Before(o.floor) || h.tokenFloor.Before(o.tokenFloor) || h.process == o.process && h.length < o.length
}

func encodeSegment(base uint64, list []Ending) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(list)*endingBytes), base)
	for _, ending := range list {
		b = appendTime(append(b, ending.Key[:]...), ending.At)
	}
	return b
}

func decodeSegment(b []byte) (base uint64, list []Ending, ok bool) {
	if len(b) < 8 || (len(b)-8)%endingBytes != 0 || len(b) > 8+segmentSize*endingBytes {
		return 0, nil, false
	}
	base = binary.BigEndian.Uint64(b)
	for b = b[8:]; len(b) > 0; b = b[endingBytes:] {
		list = append(list, Ending{Key(b[:len(Key{})]), readTime(b[len(Key{}):])})
	}
	return base, list, true
}
