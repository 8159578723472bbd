package gate

import (
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/session"
	"github.com/postern-auth/postern/internal/shared"
)

func TestWhatAWorkerDoesNextFollowsFromWhatIsKnownOfARenewal(t *testing.T) {
	w := newWorld(t, 1, parts{session: `,"grace":"30s"`})
	const mine = uint64(7)
	at := func(d time.Duration) time.Time { return w.now.Add(d) }
	for name, row := range map[string]struct {
		known      shared.Renewal
		generation int
		want       turn
	}{
		"nobody renews it": {shared.Renewal{}, 0, turnAsk},
		"nobody renews it, and it was renewed often before": {shared.Renewal{}, 9, turnAsk},
		"it is claimed": {shared.Renewal{State: shared.Claimed, At: at(time.Millisecond)}, 0, turnWait},
		"it was claimed, and the claim is overdue":               {shared.Renewal{State: shared.Claimed, At: at(0)}, 0, turnAsk},
		"the provider is being asked":                            {shared.Renewal{State: shared.Sent, At: at(time.Millisecond)}, 0, turnWait},
		"the provider was asked, and the answer is overdue":      {shared.Renewal{State: shared.Sent, At: at(0)}, 0, turnLost},
		"the provider could not be asked a moment ago":           {shared.Renewal{State: shared.Failed, At: at(time.Millisecond)}, 0, turnLater},
		"the provider could not be asked, and the pause is over": {shared.Renewal{State: shared.Failed, At: at(0)}, 0, turnAsk},
		"the latest generation is due again":                     {shared.Renewal{State: shared.Done, Base: 3, At: at(-time.Hour), Seen: true}, 4, turnAsk},

		"one behind, and the new cookie has not come back for a day":  {shared.Renewal{State: shared.Done, At: at(-24 * time.Hour)}, 0, turnUse},
		"one behind, at the end of the grace":                         {shared.Renewal{State: shared.Done, Seen: true, At: at(-30 * time.Second)}, 0, turnUse},
		"one behind, past the grace":                                  {shared.Renewal{State: shared.Done, Seen: true, At: at(-30*time.Second - time.Millisecond)}, 0, turnStale},
		"one behind one that is claimed, within the grace":            {shared.Renewal{State: shared.Claimed, Base: 1, At: at(time.Second), Before: at(-30 * time.Second)}, 0, turnWait},
		"one behind one that is being renewed, within the grace":      {shared.Renewal{State: shared.Sent, Base: 1, At: at(time.Second), Before: at(-30 * time.Second)}, 0, turnWait},
		"one behind one that is being renewed, past the grace":        {shared.Renewal{State: shared.Sent, Base: 1, At: at(time.Second), Before: at(-31 * time.Second)}, 0, turnStale},
		"one behind one whose renewal failed, within the grace":       {shared.Renewal{State: shared.Failed, Base: 1, At: at(time.Second), Before: at(-time.Second)}, 0, turnLater},
		"one behind one whose renewal failed, past the grace":         {shared.Renewal{State: shared.Failed, Base: 1, At: at(time.Second), Before: at(-31 * time.Second)}, 0, turnStale},
		"one behind one of which nobody knows when it was made":       {shared.Renewal{State: shared.Claimed, Base: 1, At: at(time.Second)}, 0, turnStale},
		"two behind, when both renewals were made just now":           {shared.Renewal{State: shared.Done, Base: 1, Seen: true, At: at(-time.Second), Before: at(-30 * time.Second)}, 0, turnUse},
		"two behind, and the first of the renewals is past the grace": {shared.Renewal{State: shared.Done, Base: 1, Seen: true, At: at(-time.Second), Before: at(-31 * time.Second)}, 0, turnReplay},
		"two behind, and the new cookie has not come back":            {shared.Renewal{State: shared.Done, Base: 1, At: at(-time.Second), Before: at(-31 * time.Second)}, 0, turnReplay},
		"two behind one that is being renewed":                        {shared.Renewal{State: shared.Sent, Base: 2, At: at(time.Second), Before: at(-time.Second)}, 0, turnReplay},
		"three behind":                                                {shared.Renewal{State: shared.Done, Base: 2, At: at(0), Before: at(0)}, 0, turnReplay},

		"ahead of a renewal that is over: others forgot one":   {shared.Renewal{State: shared.Done, Base: 1, At: at(0)}, 5, turnAsk},
		"ahead of one that is being made: it is one of before": {shared.Renewal{State: shared.Sent, Base: 1, At: at(time.Second)}, 2, turnAsk},
	} {
		t.Run(name, func(t *testing.T) {
			r := row.known
			got := w.workers[0].takeTurn(&r, &session.Session{Generation: row.generation}, mine, w.now)
			if got != row.want {
				t.Fatalf("turn %d, not %d", got, row.want)
			}
			switch {
			case got != turnAsk && r != row.known:
				t.Errorf("it was changed to %+v", r)
			case got == turnAsk && (r.State != shared.Claimed || r.Holder != mine || r.Base != row.generation || !r.At.Equal(at(claimFor))):
				t.Errorf("it was claimed as %+v", r)
			}
		})
	}
}

func TestOnlyARenewalThatIsStillOursIsHeld(t *testing.T) {
	const mine, theirs = uint64(7), uint64(8)
	for name, row := range map[string]struct {
		known shared.Renewal
		holds bool
	}{
		"it is":                           {shared.Renewal{State: shared.Claimed, Holder: mine, Base: 3}, true},
		"nobody remembers it":             {shared.Renewal{}, false},
		"another has taken it over":       {shared.Renewal{State: shared.Claimed, Holder: theirs, Base: 3}, false},
		"another has sent it":             {shared.Renewal{State: shared.Sent, Holder: theirs, Base: 3}, false},
		"it was sent before":              {shared.Renewal{State: shared.Sent, Holder: mine, Base: 3}, false},
		"it is over":                      {shared.Renewal{State: shared.Done, Holder: mine, Base: 3}, false},
		"it is that of a generation on":   {shared.Renewal{State: shared.Claimed, Holder: mine, Base: 4}, false},
		"it is that of a generation back": {shared.Renewal{State: shared.Claimed, Holder: mine, Base: 2}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, parts{})
			s := w.alice()
			s.Generation = 3
			w.known(row.known)
			if w.workers[0].hold(s, mine, shared.Claimed, shared.Sent) != row.holds {
				t.Fatalf("held: %v", !row.holds)
			}
			r := w.workers[0].renewals.Look(s.ID)
			if want := w.now.Add(4*5*time.Second + claimFor); row.holds && (r.State != shared.Sent || !r.At.Equal(want)) {
				t.Errorf("%+v", r)
			}
			if !row.holds && r.State != row.known.State {
				t.Errorf("it was changed to %+v", r)
			}
		})
	}
}

func TestAClaimRemembersWhenTheGenerationItRenewsWasMade(t *testing.T) {
	w := newWorld(t, 1, parts{})
	made := w.now.Add(-time.Minute)
	for name, row := range map[string]struct {
		known shared.Renewal
		want  time.Time
	}{
		"after a renewal":           {shared.Renewal{State: shared.Done, Base: 3, At: made}, made},
		"where nobody knows of one": {shared.Renewal{}, time.Time{}},
		"taken over":                {shared.Renewal{State: shared.Claimed, Base: 4, At: w.now, Before: made, Tries: 1}, made},
	} {
		t.Run(name, func(t *testing.T) {
			r := row.known
			w.workers[0].takeTurn(&r, &session.Session{Generation: 4}, 7, w.now)
			if !r.Before.Equal(row.want) {
				t.Errorf("made at %v, not %v", r.Before, row.want)
			}
			if r.Tries != row.known.Tries {
				t.Errorf("%d tries, not %d", r.Tries, row.known.Tries)
			}
		})
	}
}

func TestWhatOthersHaveGoneOnWithIsNotPutBack(t *testing.T) {
	w := newWorld(t, 1, parts{})
	s, k := w.alice(), w.workers[0]
	ahead := shared.Renewal{State: shared.Claimed, Base: 1, Holder: 7, At: w.now.Add(time.Second)}
	w.known(ahead)
	k.publish(s, []string{"1.cookie"})
	_, _, _ = k.postpone(s, errProviderAway, time.Time{})
	if r := k.renewals.Look(s.ID); r.State != ahead.State || r.Base != ahead.Base || r.Holder != ahead.Holder {
		t.Errorf("the renewal is %+v", r)
	}
}
