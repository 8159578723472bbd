package gate

import (
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/session"
	"github.com/postern-auth/postern/internal/shared"
)

// arrived notes that the new cookie of a renewed session came back, from which
// on the grace of the old one counts.
func (g *Gate) arrived(s *session.Session) {
	if s.Generation == 0 {
		return
	}
	now := g.clock()
	first := func(r *shared.Renewal) bool {
		if r.State != shared.Done || r.Base+1 != s.Generation || r.Seen {
			return false
		}
		r.Seen, r.At = true, now
		return true
	}
	// That it could not be noted leaves the grace longer, for a while.
	_, _ = g.renewals.Change(s.ID, now, first)
}

// current reports whether a generation of a session is still the latest, as
// far as anybody knows, so that the browser may be given it: a slow answer must
// not put an older one back over a newer one. The request came with it at the
// given time.
func (g *Gate) current(s *session.Session, since time.Time) bool {
	if g.endedNow(s) {
		return false
	}
	switch r := g.renewals.Look(s.ID); r.State {
	case shared.Free:
		// A renewal that nobody remembers was not made just now.
		return g.clock().Sub(since) <= g.settings.Session.Grace.Std()
	case shared.Done:
		return s.Generation > r.Base
	default:
		return s.Generation >= r.Base
	}
}

// reissuable reports whether the browser is to be given a session again: with
// the time of its last request, or under the first key.
func (o *opened) reissuable(now time.Time) bool { return !o.reissue.IsZero() && !now.Before(o.reissue) }

// freshCookies makes the fields that give the browser its session's new cookies, where
// it is to have some. It is for when the answer is there: by then there may be
// newer ones.
func (g *Gate) freshCookies(q *request, o *opened) httpmsg.Fields {
	if q.renewed == nil && !o.reissuable(g.now()) || !g.current(o.session, q.began) {
		return nil
	}
	if q.renewed != nil {
		return g.giveParts(q, q.renewed)
	}
	n := *o.session
	n.Seen = session.MomentOf(q.began)
	if n.Ticket() != nil {
		g.touch(o, &n)
		return nil
	}
	parts, err := g.pack(&n, q.ID())
	if err != nil {
		return nil // the one that the browser has stays good
	}
	return g.giveParts(q, parts)
}

// touch has the store keep the time of a session's last request.
func (g *Gate) touch(o *opened, n *session.Session) {
	g.store.touched[n.ID] = n
	fresh := g.newOpened(n)
	o.session, o.ends, o.reissue = n, fresh.ends, fresh.reissue
}
