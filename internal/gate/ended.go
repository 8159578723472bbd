package gate

import (
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/session"
	"github.com/postern-auth/postern/internal/shared"
)

// endingsOf returns the names by which a session can be ended.
func endingsOf(s *session.Session) []shared.Key {
	names := []shared.Key{
		shared.KeyOf(shared.KindSession, s.Issuer, s.ID),
		shared.KeyOf(shared.KindSubject, s.Issuer, s.Subject),
	}
	if s.SID == "" {
		return append(names, shared.KeyOf(shared.KindUnnamed, s.Issuer, s.Subject))
	}
	return append(names, shared.KeyOf(shared.KindSID, s.Issuer, s.SID), shared.KeyOf(shared.KindSignOut, s.Issuer, s.SID))
}

// ended reports whether a session that goes by the names was ended.
func (g *Gate) ended(s *session.Session, names []shared.Key) bool {
	for _, name := range names {
		at, ended := g.endings.Ended(name)
		if ended && (!endsByTime(shared.Kind(name[0])) || !s.Begun.Time().After(at)) {
			return true
		}
	}
	return false
}

// endsByTime reports whether what ends a session of the kind ends only those
// that had begun by then, so that a new login works: of a person who was logged
// out, or who signed out here while their session at the provider went on.
func endsByTime(k shared.Kind) bool {
	return k == shared.KindSubject || k == shared.KindSignOut || k == shared.KindUnnamed
}

// endedNow is ended as of this very moment.
func (g *Gate) endedNow(s *session.Session) bool {
	g.endings.Fresh(g.clock())
	return g.ended(s, endingsOf(s))
}

// floor is the time before which a session must have been confirmed by the
// provider to be confirmed anew: what was ended before it is not known.
func (g *Gate) floor() time.Time {
	floor := g.endings.Floor()
	if since := g.endings.Since(); g.settings.Session.RevalidateAfterStart && since.After(floor) {
		return since
	}
	return floor
}

// end ends what the names stand for: on all workers at once, and with a store,
// soon after at other gates.
func (g *Gate) end(env flow.Env, names ...shared.Key) error {
	now := g.clock()
	list := make([]shared.Ending, len(names))
	for i, name := range names {
		list[i] = shared.Ending{Key: name, At: now}
	}
	if err := g.endings.Add(now, list...); err != nil {
		return err
	}
	if g.store == nil {
		return nil
	}
	return g.sendEndings(env, list)
}

// Watch is the session that an open stream was begun with.
type Watch struct{ opened *opened }

// Over reports whether a stream's session was ended or is past its lifetime,
// so that the stream is to be cut. A token that expires, and idle time, cut
// none: a socket holds the cookie that it came with.
func (g *Gate) Over(w *Watch) bool {
	lifetime := w.opened.session.Begun.Time().Add(g.settings.Session.Lifetime.Std())
	return !g.now().Before(lifetime) || g.ended(w.opened.session, w.opened.names)
}

// Due returns the work that is due now beside any request.
func (g *Gate) Due() (due []flow.Func) {
	g.endings.Sync(g.now())
	if g.store != nil {
		due = g.storeDue(g.now())
	}
	if g.relay != nil {
		due = append(due, g.relay.takeDue()...)
	}
	for i := range g.settings.Providers {
		if p := g.providers[g.settings.Providers[i].Name]; p.Due(g.now()) {
			due = append(due, p.Learn)
		}
	}
	return due
}
