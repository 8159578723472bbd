package shared

import (
	"testing"
	"time"
)

func TestOneWorkerReadsTheFeedForAll(t *testing.T) {
	memory, at := NewLocal(), time.Unix(1_800_000_000, 0)
	one, other := NewFeed(sealer(t, memory)), NewFeed(sealer(t, memory))
	const every, patience = time.Second, 3 * time.Second
	for _, step := range []struct {
		name  string
		feed  *Feed
		now   time.Time
		mine  bool
		place string
	}{
		{"whoever comes first reads it", one, at, true, ""},
		{"nobody else does meanwhile", other, at.Add(patience - time.Millisecond), false, ""},
		{"nor does the same once more", one, at.Add(patience - time.Millisecond), false, ""},
		{"unless it takes too long", other, at.Add(patience), true, ""},
	} {
		if r, mine := step.feed.Take(step.now, patience); mine != step.mine || r.Place != step.place || !r.Heard.IsZero() {
			t.Errorf("%s: %v, %+v", step.name, mine, r)
		}
	}
	at = at.Add(patience)
	other.Done("entry-2", at, every)
	one.Done("entry-1", at.Add(-time.Second), every) // who was slower puts nothing back
	if r, mine := one.Take(at.Add(every-time.Millisecond), patience); mine || r.Place != "entry-2" || !r.Heard.Equal(at) {
		t.Errorf("after it was read: %v, %+v", mine, r)
	}
	if _, mine := one.Take(at.Add(every), patience); !mine {
		t.Error("it is not read again in time")
	}
}
