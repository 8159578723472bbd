package shared

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strconv"
	"time"
)

// State is how far the renewal of a session is.
type State uint8

// The states of a renewal. Whoever finds it Claimed past its time may take it
// over: the provider has not been asked. Once it is Sent nobody may ask again
// with the same refresh token, unless it is known not to have been used.
const (
	Free    State = iota // nobody renews the session
	Claimed              // somebody is about to ask the provider
	Sent                 // the provider is being asked
	Done                 // there is a new cookie
	Failed               // the provider could not be asked; again later
)

// Renewal is what the workers know of the renewal of one session.
type Renewal struct {
	State  State
	Base   int       // the generation that is renewed; Done gives the next one
	Before time.Time // when that generation was made by a renewal; zero if it was not, or nobody knows
	Holder uint64    // who claimed it
	At     time.Time // Claimed and Sent: when it is overdue; Done: since when, or since when Seen; Failed: when to try again
	Tries  int       // Failed: how often in a row; Sent: how often before
	Seen   bool      // Done: the new cookie has come back
	Cookie string    // Done: the new cookie's value, where it was just set or asked for

	place string // of the cookie
}

// ErrBusy says that there is no room for another renewal, or that too many
// change the same slot at once.
var ErrBusy = errors.New("shared: too many renewals")

// Renewals are the renewals that are under way, or that were made not long
// ago, within one process: a fixed number of slots with a fixed number of
// places each.
type Renewals struct{ slots }

const (
	renewalSlots  = 1024
	renewalPlaces = 8
	// keptFor is how long a renewal that is over stays known if nothing else
	// needs its place.
	keptFor = 10 * time.Minute
	// abandonedFor is how long one that is overdue stays known: whether its
	// refresh token was used is not.
	abandonedFor = time.Minute
)

// NewRenewals returns the renewals in a shared memory.
func NewRenewals(s Sealer) *Renewals { return &Renewals{newSlots(s)} }

// renewalID stands for a session's id.
type renewalID [16]byte

// locate returns the slot of a session.
func locate(sessionID string) (slot string, id renewalID) {
	sum := sha256.Sum256([]byte(sessionID))
	return "renewal/" + strconv.Itoa(int(binary.BigEndian.Uint16(sum[30:]))%renewalSlots), renewalID(sum[:16])
}

// Change shows f the renewal of a session and stores what f makes of it, all
// in one step that no other worker can come between: f may be called several
// times. If f returns false nothing is stored. Change returns what f left.
func (r *Renewals) Change(sessionID string, now time.Time, f func(*Renewal) bool) (Renewal, error) {
	slot, id := locate(sessionID)
	for range attempts {
		plain, cas, _ := r.read(slot)
		places := decodePlaces(plain)
		i := find(&places, id)
		renewal := Renewal{}
		if i >= 0 {
			renewal = places[i].Renewal
		}
		changed := f(&renewal)
		if changed && i < 0 {
			if i = vacant(&places, now); i < 0 {
				return Renewal{}, ErrBusy
			}
		}
		if i >= 0 {
			renewal.place = slot + "/" + strconv.Itoa(i)
		}
		if !changed {
			return renewal, nil
		}
		if renewal.State == Done && renewal.Cookie != "" && !r.keepCookie(id, &renewal) {
			continue
		}
		places[i] = place{id, renewal}
		if r.write(slot, encodePlaces(&places), cas) {
			return renewal, nil
		}
	}
	return Renewal{}, ErrBusy
}

// Look returns the renewal of a session.
func (r *Renewals) Look(sessionID string) Renewal {
	renewal, _ := r.Change(sessionID, time.Time{}, func(*Renewal) bool { return false })
	return renewal
}

// NewCookie returns the new cookie of a renewal that is Done, or "" where
// another renewal has taken its place.
func (r *Renewals) NewCookie(sessionID string, renewal Renewal) string {
	if renewal.Cookie != "" {
		return renewal.Cookie
	}
	_, id := locate(sessionID)
	plain, _, _ := r.read(renewal.place)
	head := cookieHead(id, renewal.Base)
	if len(plain) < len(head) || string(plain[:len(head)]) != string(head) {
		return ""
	}
	return string(plain[len(head):])
}

// keepCookie puts a new cookie where its renewal will say it is. It is read
// only through a renewal that is Done, so it goes first.
func (r *Renewals) keepCookie(id renewalID, renewal *Renewal) bool {
	_, cas, _ := r.read(renewal.place)
	return r.write(renewal.place, append(cookieHead(id, renewal.Base), renewal.Cookie...), cas)
}

func cookieHead(id renewalID, base int) []byte {
	return binary.BigEndian.AppendUint32(id[:], uint32(base))
}

// place is one renewal of a slot.
type place struct {
	id renewalID
	Renewal
}

func find(places *[renewalPlaces]place, id renewalID) int {
	for i := range places {
		if places[i].State != Free && places[i].id == id {
			return i
		}
	}
	return -1
}

// vacant returns a place that nobody needs any more: else that of the renewal
// which has been over for the longest time. Renewals under way keep theirs.
func vacant(places *[renewalPlaces]place, now time.Time) int {
	oldest := -1
	for i := range places {
		p := &places[i]
		switch {
		case p.State == Free, now.After(p.At.Add(p.keptFor())):
			return i
		case p.State == Done && (oldest < 0 || p.At.Before(places[oldest].At)):
			oldest = i
		}
	}
	return oldest
}

func (r *Renewal) keptFor() time.Duration {
	if r.State == Done {
		return keptFor
	}
	return abandonedFor
}

// placeBytes is the size of a place: id, state, seen, tries, base, holder, at,
// before.
const placeBytes = 16 + 1 + 1 + 1 + 4 + 8 + 8 + 8

func encodePlaces(places *[renewalPlaces]place) []byte {
	b := make([]byte, 0, renewalPlaces*placeBytes)
	for i := range places {
		p := &places[i]
		seen := byte(0)
		if p.Seen {
			seen = 1
		}
		b = append(b, p.id[:]...)
		b = append(b, byte(p.State), seen, byte(min(p.Tries, 255)))
		b = binary.BigEndian.AppendUint32(b, uint32(p.Base))
		b = binary.BigEndian.AppendUint64(b, p.Holder)
		b = appendTime(appendTime(b, p.At), p.Before)
	}
	return b
}

func decodePlaces(b []byte) (places [renewalPlaces]place) {
	if len(b) != renewalPlaces*placeBytes {
		return places
	}
	for i := range places {
		p := &places[i]
		p.id = renewalID(b[:16])
		p.State, p.Seen, p.Tries = State(b[16]), b[17] == 1, int(b[18])
		p.Base = int(binary.BigEndian.Uint32(b[19:]))
		p.Holder = binary.BigEndian.Uint64(b[23:])
		p.At, p.Before = readTime(b[31:]), readTime(b[39:])
		b = b[placeBytes:]
	}
	return places
}
