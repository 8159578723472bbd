package shared

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/session"
)

// ids returns a worker's view of ids that are good once.
func ids(t testing.TB, m Memory, slots, places int) *Seen {
	t.Helper()
	return NewSeen(sealer(t, m), "proof", slots, places)
}

func use(t *testing.T, s *Seen, id string, now, until time.Time) bool {
	t.Helper()
	first, err := s.Use(id, now, until)
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	return first
}

func TestAnIDIsGoodOnceOnWhicheverWorker(t *testing.T) {
	memory := NewLocal()
	one, two := ids(t, memory, 4, 8), ids(t, memory, 4, 8)
	until := start.Add(time.Minute)
	if !use(t, one, "id", start, until) {
		t.Error("it is not good at all")
	}
	for name, s := range map[string]*Seen{"the same": one, "the other": two} {
		if use(t, s, "id", start, until) || use(t, s, "id", until, until.Add(time.Second)) {
			t.Errorf("%s worker takes it again", name)
		}
	}
	if !use(t, two, "another", start, until) {
		t.Error("another id was used up with it")
	}
	if past := until.Add(time.Millisecond); !use(t, two, "id", past, past.Add(time.Second)) {
		t.Error("it is remembered past its time")
	}
}

func TestAnIDIsRememberedToTheVeryEndOfItsTime(t *testing.T) {
	s := ids(t, NewLocal(), 1, 2)
	until := start.Add(time.Minute + time.Microsecond)
	use(t, s, "id", start, until)
	if use(t, s, "id", until, until.Add(time.Second)) {
		t.Error("it is good again")
	}
}

func TestOfAnyNumberOfWorkersExactlyOneIsFirst(t *testing.T) {
	memory := NewLocal()
	for round := range 50 {
		var first atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			s := ids(t, memory, 1, 64)
			all.Go(func() {
				ok, err := s.Use(fmt.Sprint(round), start, start.Add(time.Minute))
				if err != nil {
					t.Error(err)
				}
				if ok {
					first.Add(1)
				}
			})
		}
		all.Wait()
		if n := first.Load(); n != 1 {
			t.Fatalf("round %d: %d workers are first", round, n)
		}
	}
}

func TestWhereThereIsNoRoomAnIDIsRefused(t *testing.T) {
	s := ids(t, NewLocal(), 1, 2)
	until := start.Add(time.Minute)
	use(t, s, "a", start, until)
	use(t, s, "b", start, until.Add(time.Minute))
	if first, err := s.Use("c", start, until); first || !errors.Is(err, ErrBusy) {
		t.Errorf("%t, %v", first, err)
	}
	if use(t, s, "a", start, until) || use(t, s, "b", start, until) {
		t.Error("one that is remembered is good again")
	}
	now := until.Add(time.Millisecond) // the first place is free again
	if !use(t, s, "c", now, now.Add(time.Minute)) || use(t, s, "b", now, now.Add(time.Minute)) {
		t.Error("a place that is free is not used, or one that is not was")
	}
}

func TestAnIDIsRefusedThatIsGoodNoMoreOrForTooLong(t *testing.T) {
	s := ids(t, NewLocal(), 1, 2)
	for name, until := range map[string]time.Time{"no more": start, "for too long": start.Add(s.Longest + 1)} {
		if first, err := s.Use("id", start, until); first || err == nil {
			t.Errorf("%s: %t, %v", name, first, err)
		}
	}
}

func TestTheMemoryDoesNotGrowWithTheIDs(t *testing.T) {
	const slots, places = 4, 8
	memory := NewLocal()
	s := ids(t, memory, slots, places)
	for i := range 1000 {
		now := start.Add(time.Duration(i) * time.Millisecond)
		s.Use(fmt.Sprint(i), now, now.Add(5*time.Millisecond))
	}
	if n := len(memory.Names()); n != slots {
		t.Errorf("%d slots, not %d", n, slots)
	}
	for _, name := range memory.Names() {
		value, _, _ := memory.Get(name)
		if most := notedHead + places*noteBytes + 64; len(value) > most {
			t.Errorf("%s has %d bytes, more than %d", name, len(value), most)
		}
	}
}

func TestWhatANeighbourDoesToASlotHasIDsRefusedThatMayHaveBeenUsed(t *testing.T) {
	until := start.Add(time.Minute)
	overwrite := func(value []byte) func(*Local, *Seen) {
		return func(l *Local, s *Seen) {
			_, cas, _ := l.Get(s.prefix + "proof/0")
			l.Set(s.prefix+"proof/0", value, cas)
		}
	}
	for name, harm := range map[string]func(*Local, *Seen){
		"writes over it":               overwrite([]byte("rubbish")),
		"empties it":                   overwrite(nil),
		"feigns a newer configuration": overwrite(append([]byte("\x05other"), make([]byte, 64)...)),
		"takes it away":                func(l *Local, s *Seen) { clear(l.values) },
	} {
		t.Run(name, func(t *testing.T) {
			memory := NewLocal()
			one, two := ids(t, memory, 1, 8), ids(t, memory, 1, 8)
			use(t, one, "id", start, until)
			harm(memory, one)
			for _, id := range []string{"id", "another"} {
				if first, err := one.Use(id, start, until); first || !errors.Is(err, ErrBusy) {
					t.Errorf("%s: %t, %v", id, first, err)
				}
			}
			if first, err := two.Use("id", start, until); first || !errors.Is(err, ErrBusy) {
				t.Errorf("on another worker: %t, %v", first, err)
			}
			later := start.Add(one.Longest)
			if !use(t, one, "new", later, later.Add(time.Second)) {
				t.Error("it goes on")
			}
		})
	}
}

func TestAnOlderSlotThatANeighbourPutsBackIsNoticed(t *testing.T) {
	memory := NewLocal()
	s := ids(t, memory, 1, 8)
	until := start.Add(time.Minute)
	use(t, s, "first", start, until)
	old := keep(memory, "proof/0")
	use(t, s, "id", start, until)
	old.putBack(memory)
	if first, err := s.Use("id", start, until); first || !errors.Is(err, ErrBusy) {
		t.Errorf("%t, %v", first, err)
	}
}

func TestIDsAreRememberedWhenTheKeyThatSealsChanges(t *testing.T) {
	memory := NewLocal()
	old := ids(t, memory, 1, 8)
	use(t, old, "id", start, start.Add(time.Minute))
	ring, err := session.NewKeyring([]session.Key{
		{ID: "new", Secret: bytes.Repeat([]byte{8}, 32)}, {ID: "k", Secret: bytes.Repeat([]byte{7}, 32)},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := sealer(t, memory)
	s.Keys = ring
	if use(t, NewSeen(s, "proof", 1, 8), "id", start, start.Add(time.Minute)) {
		t.Error("it is good again")
	}
}
