package gate

import (
	"errors"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/session"
)

// errTicket says that a session has yet to be fetched from the store.
var errTicket = errors.New("gate: session is in the store")

// keepSession returns the cookies for a session: itself, sealed, or a ticket for it
// where the settings have sessions kept in the store. It fails with
// session.ErrTooLarge, or an outage of the store.
func (g *Gate) keepSession(env flow.Env, s *session.Session, requestID string) ([]string, error) {
	if g.store == nil || !g.store.settings.Sessions {
		return g.pack(s, requestID)
	}
	g.dropUnneeded(s)
	return g.keepStored(env, s, s.Generation > 0)
}

// keepStored writes a session to the store. A renewal writes what was not there
// before: of two, the first counts.
func (g *Gate) keepStored(env flow.Env, s *session.Session, renewal bool) ([]string, error) {
	t, err := g.ticketOf(s)
	if err != nil {
		return nil, err
	}
	value, err := g.keys.SealStored(t, s, g.random)
	if err != nil {
		return nil, err
	}
	left := g.newOpened(s).ends.Sub(g.clock())
	ok := true
	if renewal {
		ok, err = g.store.client.SetNX(env, storedName(t), value, left)
	} else {
		err = g.store.client.Set(env, storedName(t), value, left)
	}
	if err != nil || !ok {
		g.storeFailure(err)
		return nil, storeOutage(env)
	}
	return g.keys.StoredParts(t)
}

func storedName(t session.Stored) string { return "session:" + t.Name() }

// ticketOf returns the ticket for a session: the one that it has, for its
// generation, or a new one.
func (g *Gate) ticketOf(s *session.Session) (session.Stored, error) {
	if t := s.Ticket(); t != nil {
		return t.Of(s.Generation), nil
	}
	t, err := session.NewStored(g.random)
	return t.Of(s.Generation), err
}

// retire has the store forget a generation that was replaced, once no late
// request can bring it any more.
func (g *Gate) retire(env flow.Env, s *session.Session) {
	t := s.Ticket()
	if t == nil {
		return
	}
	value, err := g.keys.SealStored(*t, s, g.random)
	if err == nil {
		err = g.store.client.Set(env, storedName(*t), value, g.settings.Session.Grace.Std()+time.Minute)
	}
	if err != nil {
		g.storeFailure(err)
	}
}

// forget has the store forget a generation of a session that is over. It may
// have been made just now, with the ticket of the one before.
func (g *Gate) forget(env flow.Env, s *session.Session) {
	t := s.Ticket()
	if g.store == nil || t == nil {
		return
	}
	if err := g.store.client.Delete(env, storedName(t.Of(s.Generation))); err != nil {
		g.storeFailure(err)
	}
}

// fetch returns the session that a ticket is for.
func (g *Gate) fetch(env flow.Env, c *session.Chunks) (*opened, error) {
	t, err := g.keys.ParseStored(c.Join())
	if err != nil {
		return nil, err
	}
	value, found, err := g.store.client.Get(env, storedName(t))
	switch {
	case err != nil:
		g.storeFailure(err)
		return nil, storeOutage(env)
	case !found:
		return nil, session.ErrExpired
	}
	s, err := g.keys.OpenStored(t, value)
	if err != nil {
		return nil, err
	}
	return g.admit(c, s)
}

// openParts returns the session that cookies stand for which were just made.
func (g *Gate) openParts(env flow.Env, parts []string) (*opened, []string, error) {
	chunks := session.ChunksOf(parts)
	o, err := g.lookUp(&chunks)
	if errors.Is(err, errTicket) {
		o, err = g.fetch(env, &chunks)
	}
	return o, parts, err
}
