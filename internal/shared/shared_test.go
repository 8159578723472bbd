package shared

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/session"
)

var start = time.UnixMilli(1_800_000_000_000)

func sealer(t testing.TB, m Memory, scope ...string) Sealer {
	t.Helper()
	ring, err := session.NewKeyring([]session.Key{{ID: "k", Secret: bytes.Repeat([]byte{7}, 32)}})
	if err != nil {
		t.Fatal(err)
	}
	return Sealer{Memory: m, Keys: ring, Random: rand.Reader, Scope: append([]string{"https://id.example.com"}, scope...)}
}

func claim(holder uint64, now time.Time) func(*Renewal) bool {
	return func(r *Renewal) bool {
		if r.State == Claimed && now.Before(r.At) {
			return false
		}
		r.State, r.Holder, r.At = Claimed, holder, now.Add(time.Second)
		return true
	}
}

func finish(cookie string, now time.Time) func(*Renewal) bool {
	return func(r *Renewal) bool {
		r.State, r.Cookie, r.At = Done, cookie, now
		return true
	}
}

func change(t *testing.T, r *Renewals, id string, now time.Time, f func(*Renewal) bool) Renewal {
	t.Helper()
	renewal, err := r.Change(id, now, f)
	if err != nil {
		t.Fatal(err)
	}
	return renewal
}

func TestOneOfAnyNumberOfWorkersClaimsARenewal(t *testing.T) {
	memory := NewLocal()
	var won sync.Map
	var all sync.WaitGroup
	for worker := range uint64(16) {
		renewals := NewRenewals(sealer(t, memory))
		all.Go(func() {
			r, err := renewals.Change("session", start, claim(worker+1, start))
			if err != nil {
				t.Error(err)
			}
			won.Store(r.Holder, true)
		})
	}
	all.Wait()
	n := 0
	won.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d workers hold the renewal", n)
	}
}

func TestWhoeverFindsAClaimOverdueTakesItOver(t *testing.T) {
	r := NewRenewals(sealer(t, NewLocal()))
	change(t, r, "session", start, claim(1, start))
	soon, late := start.Add(999*time.Millisecond), start.Add(time.Second)
	if got := change(t, r, "session", soon, claim(2, soon)); got.Holder != 1 {
		t.Errorf("within its time the claim is %d's", got.Holder)
	}
	if got := change(t, r, "session", late, claim(2, late)); got.Holder != 2 {
		t.Errorf("past its time the claim is %d's", got.Holder)
	}
}

func TestEveryWorkerFindsTheNewCookie(t *testing.T) {
	memory := NewLocal()
	cookie := strings.Repeat("c", 4000)
	change(t, NewRenewals(sealer(t, memory)), "session", start, finish(cookie, start))
	other := NewRenewals(sealer(t, memory))
	found := other.Look("session")
	if found.State != Done || !found.At.Equal(start) || other.NewCookie("session", found) != cookie {
		t.Errorf("found %+v", found.State)
	}
	if other.Look("another").State != Free || other.NewCookie("another", found) != "" {
		t.Error("another session finds it too")
	}
	if elsewhere := NewRenewals(sealer(t, memory, "another client")); elsewhere.Look("session").State != Free {
		t.Error("another client's gate finds it too")
	}
}

func TestTheMemoryDoesNotGrowAndRenewalsUnderWayKeepTheirPlace(t *testing.T) {
	memory := NewLocal()
	r := NewRenewals(sealer(t, memory))
	change(t, r, "under way", start, func(r *Renewal) bool { *r = Renewal{State: Sent, At: start.Add(time.Second)}; return true })
	busy := 0
	for i := range 3 * renewalSlots * renewalPlaces {
		now := start.Add(time.Duration(i) * time.Millisecond)
		if _, err := r.Change(fmt.Sprint(i), now, finish("cookie", now)); err != nil {
			busy++
		}
	}
	if n, most := len(memory.Names()), renewalSlots*(1+renewalPlaces); n > most {
		t.Errorf("%d names, more than %d", n, most)
	}
	if busy > 0 {
		t.Errorf("%d renewals found no room, with all others over", busy)
	}
	if r.Look("under way").State != Sent {
		t.Error("a renewal under way lost its place")
	}
}

func TestThereIsNoRoomWhereEveryRenewalIsUnderWay(t *testing.T) {
	r := NewRenewals(sealer(t, NewLocal()))
	var last error
	for i := range 2 * renewalSlots * renewalPlaces {
		_, last = r.Change(fmt.Sprint(i), start, claim(1, start))
	}
	if last != ErrBusy {
		t.Errorf("the error is %v", last)
	}
}

func TestANewCookieWhosePlaceAnotherTookIsNotFound(t *testing.T) {
	r := NewRenewals(sealer(t, NewLocal()))
	change(t, r, "session", start, finish("cookie", start))
	found := r.Look("session")
	for i := range 2 * renewalSlots * renewalPlaces {
		now := start.Add(time.Duration(i+1) * time.Millisecond)
		change(t, r, fmt.Sprint(i), now, finish("another's", now))
	}
	if got := r.NewCookie("session", found); got != "" {
		t.Errorf("found %q", got)
	}
}

func TestWhatANeighbourWritesCountsAsAbsent(t *testing.T) {
	memory := NewLocal()
	r := NewRenewals(sealer(t, memory))
	change(t, r, "session", start, finish("cookie", start))
	a, _ := locate("session")
	other := "renewal/" + fmt.Sprint(renewalSlots) // a slot that is nobody's
	box, _, _ := memory.Get(r.prefix + a)
	for name, forged := range map[string][]byte{
		"anything": []byte("anything"), "nothing": {}, "another slot's": sealedFor(t, r, other),
	} {
		t.Run(name, func(t *testing.T) {
			_, cas, _ := memory.Get(r.prefix + a)
			memory.Set(r.prefix+a, forged, cas)
			if r.Look("session").State != Free {
				t.Error("it is believed")
			}
			if got := change(t, r, "session", start, claim(1, start)); got.State != Claimed {
				t.Error("it cannot be replaced")
			}
		})
	}
	if bytes.Contains(box, []byte("cookie")) {
		t.Error("the memory shows a cookie")
	}
}

func sealedFor(t *testing.T, r *Renewals, slot string) []byte {
	t.Helper()
	box, err := r.Keys.SealBox(session.PurposeShared, r.prefix+slot, encodePlaces(new([renewalPlaces]place)), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// worker is a worker's view of the endings in a memory that it shares.
func worker(t testing.TB, l *Local) *Endings {
	t.Helper()
	e := NewEndings(sealer(t, l), l, time.Hour)
	e.Fresh(start)
	return e
}

func ending(k Kind, value string, at time.Time) Ending {
	return Ending{KeyOf(k, "https://id.example.com", value), at}
}

func TestAnEndingIsKnownToEveryWorkerAtOnce(t *testing.T) {
	l := NewLocal()
	one, two := worker(t, l), worker(t, l)
	before := two.Version()
	if err := one.Add(start, ending(KindSID, "s1", start)); err != nil {
		t.Fatal(err)
	}
	two.Fresh(start)
	if at, ended := two.Ended(KeyOf(KindSID, "https://id.example.com", "s1")); !ended || !at.Equal(start) {
		t.Errorf("ended %v at %v", ended, at)
	}
	if two.Version() == before {
		t.Error("the version is the same")
	}
	for name, k := range map[string]Key{
		"another value":  KeyOf(KindSID, "https://id.example.com", "s2"),
		"another kind":   KeyOf(KindSubject, "https://id.example.com", "s1"),
		"another issuer": KeyOf(KindSID, "https://other.example.com", "s1"),
	} {
		if _, ended := two.Ended(k); ended {
			t.Errorf("%s has ended too", name)
		}
	}
}

func TestAWorkerThatStartsLaterKnowsWhatWasEnded(t *testing.T) {
	l := NewLocal()
	one := worker(t, l)
	for i := range 3*segmentSize + 7 {
		if err := one.Add(start, ending(KindSession, fmt.Sprint(i), start)); err != nil {
			t.Fatal(err)
		}
	}
	late := worker(t, l)
	for i := range 3*segmentSize + 7 {
		if _, ended := late.Ended(KeyOf(KindSession, "https://id.example.com", fmt.Sprint(i))); !ended {
			t.Fatalf("ending %d is not known", i)
		}
	}
	if !late.Floor().IsZero() || !late.Since().Equal(start) {
		t.Errorf("floor %v, since %v", late.Floor(), late.Since())
	}
}

func TestManyWorkersWriteAtOnceAndNothingIsLost(t *testing.T) {
	l := NewLocal()
	const workers, each = 8, 100
	var all sync.WaitGroup
	for w := range workers {
		e := worker(t, l)
		all.Go(func() {
			for i := range each {
				for e.Add(start, ending(KindSession, fmt.Sprint(w, i), start)) != nil {
				}
			}
		})
	}
	all.Wait()
	e := worker(t, l)
	for w := range workers {
		for i := range each {
			if _, ended := e.Ended(KeyOf(KindSession, "https://id.example.com", fmt.Sprint(w, i))); !ended {
				t.Fatalf("ending %d of worker %d is lost", i, w)
			}
		}
	}
}

func TestWhatTheJournalForgetsRaisesTheFloor(t *testing.T) {
	l := NewLocal()
	e, witness := worker(t, l), worker(t, l)
	write := func(from, to int, now time.Time) {
		for i := from; i < to; i += segmentSize {
			var list []Ending
			for j := range segmentSize {
				list = append(list, ending(KindSession, fmt.Sprint(i+j), now))
			}
			if err := e.Add(now, list...); err != nil {
				t.Fatal(err)
			}
		}
	}
	const full = segments * segmentSize
	write(0, full, start)
	if !e.Floor().IsZero() {
		t.Fatal("the floor is raised before anything was forgotten")
	}
	now := start.Add(time.Minute)
	write(full, full+segmentSize, now)
	if want := start.Add(time.Millisecond); !e.Floor().Equal(want) {
		t.Errorf("the floor is %v, not %v", e.Floor(), want)
	}
	witness.Fresh(now)
	if !witness.Floor().Equal(e.Floor()) {
		t.Error("another worker does not know of it")
	}
	if n := len(l.Names()); n > segments+1 {
		t.Errorf("%d names", n)
	}
	late := start.Add(2 * time.Hour) // past every session's lifetime
	before := e.Floor()
	write(full+segmentSize, 2*full, late)
	if !e.Floor().Equal(before) {
		t.Error("endings that matter no more raise the floor")
	}
	if len(e.known) > full {
		t.Errorf("the copy has %d endings", len(e.known))
	}
}

func TestAForgottenTokenRaisesAFloorOfItsOwn(t *testing.T) {
	l := NewLocal()
	e := worker(t, l)
	for i := range segments + 1 {
		var list []Ending
		for j := range segmentSize {
			list = append(list, ending(KindToken, fmt.Sprint(i, j), start))
		}
		if err := e.Add(start, list...); err != nil {
			t.Fatal(err)
		}
	}
	if !e.Floor().IsZero() || !e.TokenFloor().After(start) {
		t.Errorf("floor %v, of tokens %v", e.Floor(), e.TokenFloor())
	}
}

func TestAJournalThatCannotBeReadRaisesTheFloor(t *testing.T) {
	for name, slot := range map[string]string{"its head": headSlot, "a segment": segmentSlot(0)} {
		t.Run(name, func(t *testing.T) {
			l := NewLocal()
			one, two := worker(t, l), worker(t, l)
			if err := one.Add(start, ending(KindSID, "s1", start)); err != nil {
				t.Fatal(err)
			}
			_, cas, _ := l.Get(one.prefix + slot)
			l.Set(one.prefix+slot, []byte("scribble"), cas)
			later := start.Add(time.Minute)
			two.Sync(later)
			if two.Floor().Before(later.Truncate(time.Millisecond)) {
				t.Errorf("the floor is %v", two.Floor())
			}
			if err := one.Add(later, ending(KindSID, "s2", later)); err != nil {
				t.Fatal(err)
			}
			two.Sync(later)
			if _, ended := two.Ended(KeyOf(KindSID, "https://id.example.com", "s2")); !ended {
				t.Error("the journal does not go on")
			}
		})
	}
}

// keyed is a sealer with the keys of the given numbers, the first of which seals.
func keyed(t testing.TB, l *Local, keys ...byte) Sealer {
	t.Helper()
	var list []session.Key
	for _, k := range keys {
		list = append(list, session.Key{ID: fmt.Sprint(k), Secret: bytes.Repeat([]byte{k}, 32)})
	}
	ring, err := session.NewKeyring(list)
	if err != nil {
		t.Fatal(err)
	}
	return Sealer{Memory: l, Keys: ring, Random: rand.Reader, Scope: []string{"issuer"}}
}

func TestTheJournalOutlivesTheKeyThatItWasBegunWith(t *testing.T) {
	l := NewLocal()
	var last *Endings
	for _, keys := range [][]byte{{1}, {1, 2}, {2, 1}, {2}} {
		e := NewEndings(keyed(t, l, keys...), l, time.Hour)
		e.Fresh(start)
		if len(keys) == 1 && keys[0] == 1 {
			if err := e.Add(start, ending(KindSID, "s1", start)); err != nil {
				t.Fatal(err)
			}
		}
		last = e
	}
	if _, ended := last.Ended(KeyOf(KindSID, "https://id.example.com", "s1")); !ended || !last.Floor().IsZero() {
		t.Errorf("ended %v, floor %v", ended, last.Floor())
	}
}

func TestAConfigurationThatWasReplacedDoesNotWriteOverItsSuccessor(t *testing.T) {
	l := NewLocal()
	old, fresh := NewEndings(keyed(t, l, 1), l, time.Hour), NewEndings(keyed(t, l, 2, 1), l, time.Hour)
	old.Fresh(start)
	if err := old.Add(start, ending(KindSID, "s1", start)); err != nil {
		t.Fatal(err)
	}
	fresh.Fresh(start) // and seals it anew
	for i := range 3 {
		old.Sync(start.Add(time.Duration(i+1) * time.Second))
	}
	fresh.Sync(start.Add(time.Minute))
	if !fresh.Floor().IsZero() {
		t.Error("the successor has lost the journal")
	}
	if _, ended := old.Ended(KeyOf(KindSID, "https://id.example.com", "s1")); !ended || !old.Floor().Equal(start.Add(time.Second)) {
		t.Errorf("the one that was replaced: ended %v, floor %v", ended, old.Floor())
	}
}

func TestALaterEndingOfTheSamePersonCountsAndAnEarlierOneDoesNot(t *testing.T) {
	l := NewLocal()
	e := worker(t, l)
	k := KeyOf(KindSubject, "https://id.example.com", "alice")
	for _, step := range []struct{ at, want time.Duration }{{0, 0}, {time.Hour, time.Hour}, {time.Minute, time.Hour}} {
		if err := e.Add(start, Ending{k, start.Add(step.at)}); err != nil {
			t.Fatal(err)
		}
		if at, _ := e.Ended(k); !at.Equal(start.Add(step.want)) {
			t.Errorf("after one at %v: %v", step.at, at.Sub(start))
		}
	}
}

func TestARenewalThatIsWrittenAnewIsFoundWithItsCookie(t *testing.T) {
	memory := NewLocal()
	r := NewRenewals(sealer(t, memory))
	change(t, r, "session", start, claim(1, start))
	change(t, r, "session", start, func(r *Renewal) bool {
		*r = Renewal{State: Done, Cookie: "cookie", At: start}
		return true
	})
	other := NewRenewals(sealer(t, memory))
	if got := other.NewCookie("session", other.Look("session")); got != "cookie" {
		t.Errorf("found %q", got)
	}
}
