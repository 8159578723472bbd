package shared

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strconv"
	"time"
)

// Seen are ids that are good once, for all workers of one Envoy: a fixed number
// of slots with a fixed number of places each. Where there is no room an id is
// refused: nothing is forgotten before its time. A restart of the process
// forgets; whoever minds looks at when the memory began (Endings.Since).
type Seen struct {
	// Longest is how long an id is remembered at most. For as long, ids are
	// refused whose slot somebody wrote over.
	Longest time.Duration

	slots
	name   string
	places int
	counts []uint64 // how many ids each slot had noted when we last saw it
}

// longestSeen is how long an id is remembered where nobody says otherwise.
const longestSeen = 15 * time.Minute

// errNotToUse says that an id is good no more, or for too long.
var errNotToUse = errors.New("shared: id is good no more, or for longer than it can be remembered")

// NewSeen returns the ids of one name in a shared memory, which has so many
// slots for them with so many places each.
func NewSeen(s Sealer, name string, slots, places int) *Seen {
	return &Seen{
		Longest: longestSeen,
		slots:   newSlots(s), name: name, places: max(places, 1), counts: make([]uint64, max(slots, 1)),
	}
}

// Use notes an id until a time, at most Longest ahead. It reports whether the id
// is used for the first time. It fails with ErrBusy where there is no room, or
// where what was noted may have been lost. With any error nobody knows, and the
// id is to be refused.
func (s *Seen) Use(id string, now, until time.Time) (first bool, err error) {
	if !until.After(now) || until.After(now.Add(s.Longest)) {
		return false, errNotToUse
	}
	sum := sha256.Sum256([]byte(id))
	i := int(binary.BigEndian.Uint32(sum[28:]) % uint32(len(s.counts)))
	slot := s.name + "/" + strconv.Itoa(i)
	for range attempts {
		plain, cas, there := s.read(slot)
		n, ok := decodeNoted(plain, s.places)
		if there && !ok || n.count < s.counts[i] {
			// Somebody wrote over it, or put an older one back.
			n = noted{count: s.counts[i], floor: now.Add(s.Longest)}
		}
		known, err := n.add(seenID(sum[:16]), now, until, s.places)
		if known {
			return false, nil
		}
		if s.write(slot, n.encode(), cas) {
			s.counts[i] = n.count
			return err == nil, err
		}
	}
	return false, ErrBusy
}

// seenID stands for an id.
type seenID [16]byte

// note says until when an id is remembered.
type note struct {
	id    seenID
	until time.Time
}

// noted is what a slot holds.
type noted struct {
	count uint64    // notes ever made
	floor time.Time // what is good until then at most may have been used
	notes []note
}

// add notes an id, and reports whether it was known.
func (n *noted) add(id seenID, now, until time.Time, places int) (known bool, err error) {
	kept := n.notes[:0]
	for _, have := range n.notes {
		if now.After(have.until) {
			continue
		}
		kept = append(kept, have)
		known = known || have.id == id
	}
	n.notes = kept
	n.count++
	switch {
	case known:
		return true, nil
	case len(kept) >= places, !until.After(n.floor):
		return false, ErrBusy
	}
	// Rounded up: a note must not end before its time.
	n.notes = append(kept, note{id, until.Add(time.Millisecond - 1)})
	return false, nil
}

const (
	notedHead = 8 + 8
	noteBytes = len(seenID{}) + 8
)

func (n *noted) encode() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, notedHead+len(n.notes)*noteBytes), n.count)
	b = appendTime(b, n.floor)
	for _, have := range n.notes {
		b = appendTime(append(b, have.id[:]...), have.until)
	}
	return b
}

func decodeNoted(b []byte, places int) (n noted, ok bool) {
	if len(b) < notedHead || (len(b)-notedHead)%noteBytes != 0 || len(b) > notedHead+places*noteBytes {
		return n, false
	}
	n.count, n.floor = binary.BigEndian.Uint64(b), readTime(b[8:])
	for b = b[notedHead:]; len(b) > 0; b = b[noteBytes:] {
		n.notes = append(n.notes, note{seenID(b), readTime(b[len(seenID{}):])})
	}
	return n, true
}
