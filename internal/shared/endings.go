package shared

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"time"
)

// Kind says what an ending names.
type Kind byte

// What can be ended, and what can be used up.
const (
	KindSession Kind = iota + 1 // one session of ours
	KindSID                     // all sessions of one session at the provider
	KindSubject                 // all sessions of a person that began before
	KindSignOut                 // all sessions of one session at the provider that began before
	KindUnnamed                 // those sessions of a person that the provider never named, and that began before
	KindToken                   // a logout token, which is good once
)

// Key stands for what was ended.
type Key [17]byte

// KeyOf returns the key of what a value names with an issuer.
func KeyOf(k Kind, issuer, value string) Key {
	a, b := sha256.Sum256([]byte(issuer)), sha256.Sum256([]byte(value))
	sum := sha256.Sum256(append(append([]byte{byte(k)}, a[:]...), b[:]...))
	return Key(append([]byte{byte(k)}, sum[:16]...))
}

// Ending says that something was ended, and when.
type Ending struct {
	Key Key
	At  time.Time
}

// Endings are the sessions that were ended: a journal of a fixed length in
// shared memory, and a copy of it in this worker. What the journal forgets
// before its time raises the floor, so that no ending is dropped silently.
type Endings struct {
	slots
	signal Signal
	keep   [KindToken + 1]time.Duration // how long an ending of a kind matters

	head    head
	version uint64
	level   uint64
	begun   bool
	cutOff  uint32    // the number of a head under keys that we lack: a newer configuration writes the journal
	blind   time.Time // when we last found the journal unreadable
	known   map[Key]time.Time
	copies  [segments][]Ending
}

const (
	segments    = 64
	segmentSize = 256 // endings
	// tokenMatters is how long a logout token that was used could be accepted
	// again: its greatest age, and the greatest leeway before and after.
	tokenMatters = 15 * time.Minute
)

// head is the journal's own record.
type head struct {
	since      time.Time // when the memory began
	process    [8]byte   // random, for the process that it is of
	length     uint64    // endings ever written
	floor      time.Time // sessions confirmed before this must be confirmed anew
	tokenFloor time.Time // logout tokens issued before this are refused
}

// NewEndings returns the endings in a shared memory. An ending matters for as
// long as a session lasts.
func NewEndings(s Sealer, signal Signal, lifetime time.Duration) *Endings {
	e := &Endings{slots: newSlots(s), signal: signal, known: map[Key]time.Time{}}
	for k := range e.keep {
		e.keep[k] = lifetime
	}
	e.keep[KindToken] = tokenMatters
	return e
}

// Version changes whenever there may be a new ending.
func (e *Endings) Version() uint64 { return e.version }

// Ended returns when something was ended.
func (e *Endings) Ended(k Key) (at time.Time, ended bool) {
	at, ended = e.known[k]
	return at, ended
}

// Floor returns the time before which a session must have been confirmed to be
// confirmed anew: endings from before it may have been forgotten.
func (e *Endings) Floor() time.Time { return later(e.head.floor, e.blind) }

// TokenFloor returns the time before which a logout token must have been
// issued to be refused: whether it was used may have been forgotten.
func (e *Endings) TokenFloor() time.Time { return later(e.head.tokenFloor, e.blind) }

// Process returns what tells this process from all others.
func (e *Endings) Process() []byte { return e.head.process[:] }

// Since returns when the memory began: what was ended before is not known.
func (e *Endings) Since() time.Time { return e.head.since }

// Fresh brings the copy up to date if somebody raised the signal since it last
// was. It is for every request.
func (e *Endings) Fresh(now time.Time) {
	if level := e.signal.Level(); level != e.level || !e.begun {
		e.level = level
		e.Sync(now)
	}
}

// Sync brings the copy up to date.
func (e *Endings) Sync(now time.Time) {
	plain, cas, there := e.read(headSlot)
	h, ok := decodeHead(plain)
	switch {
	case ok:
		e.cutOff = 0
	case e.begun && e.foreign(headSlot):
		// The journal goes on without us; what we know of it stays. Each time that
		// it does, something may have been ended.
		if cas != e.cutOff {
			e.lose(now)
		}
		e.cutOff = cas
		return
	default:
		h = e.restart(cas, there || e.begun, now)
	}
	if h != e.head || !e.begun {
		e.follow(h, now)
	}
	e.begun = true
}

// restart begins the journal. If there was one that cannot be read, what it
// said is not known.
func (e *Endings) restart(cas uint32, lost bool, now time.Time) head {
	h := head{since: now.Truncate(time.Millisecond)}
	if _, err := io.ReadFull(e.Random, h.process[:]); err != nil {
		return h
	}
	if lost {
		h.floor, h.tokenFloor = h.since, h.since
		e.lose(now)
	}
	if !e.write(headSlot, h.encode(), cas) {
		plain, _, _ := e.read(headSlot) // another was first
		if first, ok := decodeHead(plain); ok {
			return first
		}
	}
	return h
}

// lose notes that the journal could not be read: what it said is not known, so
// every session must be confirmed anew.
func (e *Endings) lose(now time.Time) {
	e.blind = now
	e.version++
}

// follow reads what was written since the copy's head.
func (e *Endings) follow(h head, now time.Time) {
	if h.before(e.head) {
		e.lose(now) // somebody put an older one back
	}
	from := e.head.length
	if h.length < from || h.length-from > segments*segmentSize {
		from = h.length - min(h.length, segments*segmentSize)
	}
	for base := from - from%segmentSize; base < h.length; base += segmentSize {
		e.copySegment(base, min(segmentSize, h.length-base), now)
	}
	e.head = h
	e.version++
}

// copySegment reads the segment that begins at base and has, by the head, so
// many endings. One with fewer is an older one that somebody put back.
func (e *Endings) copySegment(base, has uint64, now time.Time) {
	i := base / segmentSize % segments
	plain, _, _ := e.read(segmentSlot(i))
	is, list, ok := decodeSegment(plain)
	if !ok || is != base {
		if !ok || is < base {
			e.lose(now)
		}
		return // a later one: its head is on its way
	}
	if uint64(len(list)) < has {
		e.lose(now)
	}
	for _, old := range e.copies[i] {
		if at, there := e.known[old.Key]; there && !at.After(old.At) {
			delete(e.known, old.Key)
		}
	}
	e.copies[i] = list
	for _, ending := range list {
		if at := e.known[ending.Key]; at.Before(ending.At) {
			e.known[ending.Key] = ending.At
		}
	}
}

// Add writes endings and lets every worker know. What is known already is left
// out. It fails with ErrBusy.
func (e *Endings) Add(now time.Time, list ...Ending) error {
	e.Sync(now)
	var fresh []Ending
	for _, ending := range list {
		if at, there := e.known[ending.Key]; !there || at.Before(ending.At) {
			fresh = append(fresh, ending)
		}
	}
	for tries := attempts; len(fresh) > 0 && tries > 0; tries-- {
		fresh = fresh[e.append(fresh, now):]
	}
	e.Sync(now)
	e.signal.Raise()
	if len(fresh) > 0 {
		return ErrBusy
	}
	return nil
}

// Raise raises the floor: what was ended before a time may not be known.
func (e *Endings) Raise(now time.Time) {
	e.Sync(now)
	to := e.head
	to.floor = now.Truncate(time.Millisecond)
	e.advance(to)
	e.Sync(now)
	e.signal.Raise()
}

// EncodeEndings returns endings as they travel to other gates.
func EncodeEndings(list []Ending) []byte { return encodeSegment(0, list) }

// DecodeEndings reads what EncodeEndings returned, or says that it is not that.
func DecodeEndings(b []byte) ([]Ending, bool) {
	_, list, ok := decodeSegment(b)
	return list, ok
}

// append writes as many endings as fit into the journal's last segment, and
// returns how many.
func (e *Endings) append(list []Ending, now time.Time) (written int) {
	plain, cas, there := e.read(headSlot)
	h, ok := decodeHead(plain)
	if !ok {
		e.restart(cas, there, now)
		return 0
	}
	base := h.length - h.length%segmentSize
	slot := segmentSlot(base / segmentSize % segments)
	plain, cas, there = e.read(slot)
	is, had, ok := decodeSegment(plain)
	switch {
	case ok && is > base: // whoever wrote it did not come to move the head
		h.length = is + uint64(len(had))
		e.advance(h)
		return 0
	case there && !ok, h.length > base && (is < base || uint64(len(had)) < h.length-base):
		// Somebody wrote over it, or put an older one back. The next one is whole.
		h.floor, h.tokenFloor = now.Truncate(time.Millisecond), now.Truncate(time.Millisecond)
		h.length = base + segmentSize
		e.advance(h)
		return 0
	case is < base:
		e.forget(&h, had, now)
		had = nil
	}
	n := min(len(list), segmentSize-len(had))
	if n > 0 && !e.write(slot, encodeSegment(base, append(had, list[:n]...)), cas) {
		return 0
	}
	h.length = base + uint64(len(had)+n)
	if !e.advance(h) {
		return 0
	}
	return n
}

// forget raises the floors for endings that are written over while they still
// matter.
func (e *Endings) forget(h *head, list []Ending, now time.Time) {
	for _, ending := range list {
		kind := Kind(ending.Key[0])
		if kind > KindToken || now.After(ending.At.Add(e.keep[kind])) {
			continue
		}
		floor := &h.floor
		if kind == KindToken {
			floor = &h.tokenFloor
		}
		*floor = later(*floor, ending.At.Add(time.Millisecond))
	}
}

// advance moves the head forward, never back.
func (e *Endings) advance(to head) bool {
	for range attempts {
		plain, cas, _ := e.read(headSlot)
		h, ok := decodeHead(plain)
		if !ok {
			return false
		}
		h.length = max(h.length, to.length)
		h.floor, h.tokenFloor = later(h.floor, to.floor), later(h.tokenFloor, to.tokenFloor)
		if e.write(headSlot, h.encode(), cas) {
			return true
		}
	}
	return false
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func appendTime(b []byte, t time.Time) []byte {
	ms := int64(0)
	if !t.IsZero() {
		ms = t.UnixMilli()
	}
	return binary.BigEndian.AppendUint64(b, uint64(ms))
}

func readTime(b []byte) time.Time {
	ms := int64(binary.BigEndian.Uint64(b))
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
