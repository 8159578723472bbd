package gate

import (
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/session"
	"github.com/postern-auth/postern/internal/shared"
)

// turn is what a worker that wants to renew a session has to do next.
type turn uint8

const (
	turnAsk    turn = iota // ask the provider: the renewal is ours
	turnWait               // another worker is at it
	turnUse                // there is a new cookie
	turnLater              // the provider could not be asked; not before the renewal's time
	turnLost               // the provider was asked, and nobody knows what came of it
	turnStale              // the cookie was replaced, too long ago
	turnReplay             // the cookie is too old to be a late one
)

// claimFor is how long a worker may take from claiming a renewal to asking the
// provider, which it does at once unless a store has to be asked first.
const claimFor = 5 * time.Second

// takeTurn looks at what is known of the renewal of a session, claims it where
// nobody else is at it, and says what is to be done.
func (g *Gate) takeTurn(r *shared.Renewal, s *session.Session, holder uint64, now time.Time) turn {
	latest := r.Base
	if r.State == shared.Done {
		latest++
	}
	late := func(since time.Time) bool { return !now.After(since.Add(g.settings.Session.Grace.Std())) }
	switch behind := latest - s.Generation; {
	case r.State == shared.Free || behind < 0 || behind == 0 && r.State == shared.Done:
		*r = shared.Renewal{Base: s.Generation, Before: r.At, State: shared.Claimed, Holder: holder, At: now.Add(claimFor)}
		return turnAsk
	case behind == 0:
		return overdue(r, holder, now)
	case r.State == shared.Done && behind == 1 && (!r.Seen || late(r.At)), r.State == shared.Done && behind == 2 && late(r.Before):
		return turnUse
	case r.State == shared.Failed && behind == 1 && late(r.Before):
		return turnLater
	case r.State != shared.Done && behind == 1 && late(r.Before):
		return turnWait
	case behind == 1:
		return turnStale
	}
	return turnReplay
}

// overdue looks at a renewal of the very generation that is wanted.
func overdue(r *shared.Renewal, holder uint64, now time.Time) turn {
	switch early := now.Before(r.At); {
	case r.State == shared.Failed && early:
		return turnLater
	case early:
		return turnWait
	case r.State == shared.Sent:
		return turnLost
	}
	r.State, r.Holder, r.At = shared.Claimed, holder, now.Add(claimFor)
	return turnAsk
}

// hold moves a renewal that is ours from one state to another, or keeps it
// there, for as long as the next question may take. It reports whether the
// renewal still was ours.
func (g *Gate) hold(s *session.Session, holder uint64, from, to shared.State) bool {
	now, ours, p := g.clock(), false, g.partyNamed(s.Provider).Settings()
	_, err := g.renewals.Change(s.ID, now, func(r *shared.Renewal) bool {
		ours = r.State == from && r.Holder == holder && r.Base == s.Generation
		if ours {
			r.State, r.At = to, now.Add(askFor(p))
		}
		return ours
	})
	return err == nil && ours
}

// askFor is how long a provider may be asked in a renewal: for new tokens, or
// after that for all that is to be known of the person, which takes four calls one
// after another at most where no list is longer than a page; and then all questions.
func askFor(p *config.Provider) time.Duration { return 4*p.Timeout.Std() + enrichTime(p) + claimFor }

// retake claims a renewal anew that was sent.
func (g *Gate) retake(s *session.Session, holder uint64) bool {
	now, ours := g.clock(), false
	_, err := g.renewals.Change(s.ID, now, func(r *shared.Renewal) bool {
		ours = r.State == shared.Sent && r.Base == s.Generation && r.Tries == 0
		if ours {
			r.State, r.Holder, r.Tries, r.At = shared.Claimed, holder, r.Tries+1, now.Add(claimFor)
		}
		return ours
	})
	return err == nil && ours
}
