package shared

import "time"

// Feed is how far the workers of one Envoy have read what other gates ended,
// and when it was last heard from. One of them reads for all.
type Feed struct{ slots }

const (
	feedSlot = "feed"
	maxPlace = 64 // bytes
)

// NewFeed returns the feed of a shared memory.
func NewFeed(s Sealer) *Feed { return &Feed{newSlots(s)} }

// Reading is the state of a feed.
type Reading struct {
	Place string    // the last entry that was read; "" for none
	Heard time.Time // when the feed was last read to its end; zero for never
	next  time.Time // when it is to be read again
}

// Take returns the state of the feed, and whether it is for the caller to read
// it now: then nobody else does for the given time, or until Done.
func (f *Feed) Take(now time.Time, every time.Duration) (r Reading, mine bool) {
	plain, cas, _ := f.read(feedSlot)
	r = decodeReading(plain)
	if now.Before(r.next) {
		return r, false
	}
	r.next = now.Add(every)
	return r, f.write(feedSlot, r.encode(), cas)
}

// Done notes that the feed was read to its end. Whoever was slower than
// another does not put an older state back.
func (f *Feed) Done(place string, now time.Time, every time.Duration) {
	for range attempts {
		plain, cas, _ := f.read(feedSlot)
		r := decodeReading(plain)
		if now.Before(r.Heard) {
			return
		}
		if f.write(feedSlot, (&Reading{place, now, now.Add(every)}).encode(), cas) {
			return
		}
	}
}

func (r *Reading) encode() []byte {
	return append(appendTime(appendTime(nil, r.Heard), r.next), r.Place...)
}

func decodeReading(b []byte) Reading {
	if len(b) < 16 || len(b) > 16+maxPlace {
		return Reading{}
	}
	return Reading{Heard: readTime(b), next: readTime(b[8:]), Place: string(b[16:])}
}
