package shared

import (
	"strings"
	"testing"
	"time"
)

// kept is what a neighbour kept of the journal, to put it back later.
type kept map[string][]byte

func keep(l *Local, names ...string) kept {
	k := kept{}
	for _, name := range names {
		for full := range l.values {
			if strings.HasSuffix(full, "/"+name) {
				k[full], _, _ = l.Get(full)
			}
		}
	}
	return k
}

func (k kept) putBack(l *Local) {
	for full, value := range k {
		_, cas, _ := l.Get(full)
		l.Set(full, value, cas)
	}
	l.Raise()
}

func TestAnOlderJournalThatANeighbourPutsBackHasAllConfirmedAnew(t *testing.T) {
	for name, slots := range map[string][]string{
		"all of it": {headSlot, segmentSlot(0)}, "its head": {headSlot}, "a segment": {segmentSlot(0)},
	} {
		t.Run(name, func(t *testing.T) {
			l := NewLocal()
			one, two := worker(t, l), worker(t, l)
			add := func(e *Endings, value string, now time.Time) {
				t.Helper()
				if err := e.Add(now, ending(KindSID, value, now)); err != nil {
					t.Fatal(err)
				}
			}
			add(one, "s1", start)
			old := keep(l, slots...)
			add(one, "s2", start)
			two.Fresh(start)
			old.putBack(l)
			now := start.Add(time.Minute)
			two.Fresh(now)
			add(one, "s3", now)
			two.Fresh(now)
			for name, e := range map[string]*Endings{"the one that writes": one, "the one that reads": two} {
				if e.Floor().Before(now) || e.TokenFloor().Before(now) {
					t.Errorf("%s: floor %v, of tokens %v", name, e.Floor(), e.TokenFloor())
				}
				if _, ended := e.Ended(KeyOf(KindSID, "https://id.example.com", "s3")); !ended {
					t.Errorf("%s does not know of a later ending", name)
				}
			}
			calm := now.Add(time.Minute)
			for _, value := range []string{"s4", "s5", "s6"} {
				add(two, value, calm)
				one.Fresh(calm)
			}
			if one.Floor().After(now) || two.Floor().After(now) {
				t.Errorf("it goes on: floors %v and %v", one.Floor(), two.Floor())
			}
		})
	}
}

func TestANeighbourThatFeignsANewerConfigurationHidesNoEnding(t *testing.T) {
	l := NewLocal()
	one, two := worker(t, l), worker(t, l)
	feign := func() {
		_, cas, _ := l.Get(one.prefix + headSlot)
		l.Set(one.prefix+headSlot, append([]byte("\x05other"), make([]byte, 64)...), cas)
		l.Raise()
	}
	feign()
	two.Fresh(start)
	now := start.Add(time.Minute)
	if err := one.Add(now, ending(KindSID, "s1", now)); err != nil {
		t.Fatal(err)
	}
	feign()
	two.Fresh(now)
	if _, ended := two.Ended(KeyOf(KindSID, "https://id.example.com", "s1")); !ended && two.Floor().Before(now) {
		t.Error("a worker neither knows of the ending nor has sessions confirmed anew")
	}
	two.Fresh(now.Add(time.Minute))
	if two.Floor().After(now) {
		t.Error("it goes on while nothing changes")
	}
}
