package shared

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/flow"
)

// FuzzRenewals has a slot hold anything at all: what is read of it is written
// again as the same, and a renewal can be claimed and found whatever was there.
func FuzzRenewals(f *testing.F) {
	var places [renewalPlaces]place
	places[1] = place{renewalID{1}, Renewal{State: Done, Base: 3, Seen: true, At: start, Before: start}}
	places[7] = place{renewalID{2}, Renewal{State: Sent, Holder: 9, Tries: 255, At: start}}
	f.Add(encodePlaces(&places), int64(0))
	f.Add([]byte(nil), int64(1))
	f.Add(bytes.Repeat([]byte{0xff}, renewalPlaces*placeBytes), int64(-1))
	f.Fuzz(func(t *testing.T, plain []byte, ms int64) {
		places := decodePlaces(plain)
		again := decodePlaces(encodePlaces(&places))
		if again != places {
			t.Fatalf("%+v became %+v", places, again)
		}
		memory := NewLocal()
		r := NewRenewals(sealer(t, memory))
		slot, _ := locate("session")
		r.write(slot, plain, 0)
		now := start.Add(time.Duration(ms%1e9) * time.Millisecond)
		done := func(r *Renewal) bool { *r = Renewal{State: Done, Base: 4, Cookie: "cookie", At: now}; return true }
		if _, err := r.Change("session", now, done); err != nil {
			if err != ErrBusy {
				t.Fatal(err)
			}
			return // every place may seem to be taken
		}
		if found := r.Look("session"); found.State != Done || r.NewCookie("session", found) != "cookie" {
			t.Errorf("found %+v", found)
		}
	})
}

// FuzzEndings has the journal's head and a segment hold anything at all: an
// ending that is added is known to whoever comes later.
func FuzzEndings(f *testing.F) {
	f.Add((&head{since: start, length: 7}).encode(), encodeSegment(0, []Ending{ending(KindSID, "s", start)}))
	f.Add([]byte(nil), []byte(nil))
	f.Add(bytes.Repeat([]byte{0xff}, headBytes), bytes.Repeat([]byte{0xff}, 8+endingBytes))
	f.Fuzz(func(t *testing.T, headPlain, segment []byte) {
		if base, list, ok := decodeSegment(segment); ok && !bytes.Equal(encodeSegment(base, list), segment) {
			t.Error("a segment is written again as another")
		}
		l := NewLocal()
		e := NewEndings(sealer(t, l), l, time.Hour)
		e.write(headSlot, headPlain, 0)
		for i := range uint64(segments) {
			if !strings.HasPrefix(string(headPlain), "\x00") && i > 0 {
				break
			}
			e.write(segmentSlot(i), segment, 0)
		}
		e.Fresh(start)
		own := ending(KindSession, "own", start)
		if err := e.Add(start, own); err != nil {
			return // said so: nobody takes it for recorded
		}
		late := worker(t, l)
		if _, ended := late.Ended(own.Key); !ended {
			t.Error("an ending that was acknowledged is not known")
		}
	})
}

// FuzzOnce has a slot hold anything at all: what is read of it is written again
// as the same, and whoever asks has an answer in the end: the one that was
// there, where it is good, or the provider's.
func FuzzOnce(f *testing.F) {
	id := idOf("q")
	f.Add((&record{round: 1, answer: answer{id: id, round: 1, good: start.Add(time.Minute), bytes: []byte("known")}}).encode())
	f.Add((&record{round: 2, claim: lease{id, 7, start.Add(time.Second)}}).encode())
	f.Add((&record{round: 3, claim: lease{idOf("p"), 7, start.Add(time.Hour)}}).encode())
	f.Add([]byte(nil))
	f.Add(bytes.Repeat([]byte{0xff}, recordHead+1))
	f.Fuzz(func(t *testing.T, plain []byte) {
		r := decodeRecord(plain)
		if again := r.encode(); len(plain) >= recordHead && len(plain) <= recordHead+MaxAnswer && !bytes.Equal(again, plain) {
			t.Errorf("%x became %x", plain, again)
		}
		o := NewOnce(sealer(t, NewLocal()), "tokens", 1)
		o.write(o.slot(id), plain, 0)
		now := start
		env := flow.Direct{
			Do:    func(flow.Call) (flow.Response, error) { return flow.Response{Body: []byte("told")}, nil },
			Clock: func() time.Time { now = now.Add(time.Millisecond); return now },
		}
		want := "told"
		if r.answer.goodFor(id, start.Add(time.Hour)) {
			want = string(r.answer.bytes)
		}
		got, err := o.Ask(env, "q", longestClaim, goodFor("q", time.Minute))
		if err != nil || string(got) != want && string(got) != string(r.answer.bytes) {
			t.Errorf("%q, %v; wanted %q", got, err, want)
		}
	})
}

// FuzzSeen has a slot hold anything at all: what is read of it is written again
// as the same, and no id is good twice.
func FuzzSeen(f *testing.F) {
	f.Add((&noted{count: 1, notes: []note{{seenID{1}, start}, {seenID{2}, start.Add(time.Hour)}}}).encode())
	f.Add((&noted{count: 9, floor: start.Add(time.Hour)}).encode())
	f.Add([]byte(nil))
	f.Add(bytes.Repeat([]byte{0xff}, notedHead+noteBytes))
	f.Fuzz(func(t *testing.T, plain []byte) {
		memory := NewLocal()
		s := ids(t, memory, 1, 8)
		if n, ok := decodeNoted(plain, s.places); ok && !bytes.Equal(n.encode(), plain) {
			t.Errorf("%x became %x", plain, n.encode())
		}
		s.write("proof/0", plain, 0)
		first := 0
		for _, worker := range []*Seen{s, ids(t, memory, 1, 8), s} {
			if ok, err := worker.Use("id", start, start.Add(time.Minute)); ok && err == nil {
				first++
			}
		}
		if first > 1 {
			t.Errorf("an id is good %d times", first)
		}
	})
}
