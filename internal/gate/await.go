package gate

import (
	"errors"

	"github.com/postern-auth/postern/internal/flow"
)

// withSession goes on with the session that a request brings, or with nil and
// the error that says why its cookies did not do.
func (g *Gate) withSession(q *request, then func(*opened, error) (Verdict, Flow)) (Verdict, Flow) {
	o, err := g.open(q)
	if !g.waits(o, err, false) {
		return then(o, err)
	}
	return Verdict{}, g.afterWait(q, o, err, false, then)
}

// afterWait goes on once all that a session waits for is done.
func (g *Gate) afterWait(q *request, o *opened, err error, optional bool, then func(*opened, error) (Verdict, Flow)) Flow {
	return func(env flow.Env) Verdict {
		o, err := g.await(env, q, o, err, optional)
		if errors.Is(err, flow.ErrCanceled) {
			return Verdict{} // nobody is there to be answered
		}
		q.waited, q.refused = true, err
		return carry(env)(then(o, err))
	}
}

// waits reports whether the network is needed before a session can be used: it
// is in the store, or due for renewal. Where a session is optional, only one
// that could not be used without is renewed.
func (g *Gate) waits(o *opened, err error, optional bool) bool {
	switch {
	case o == nil:
		return errors.Is(err, errTicket)
	case g.store != nil && g.store.stale(g.now()):
		return true
	}
	return o.due(g.now()) && !(optional && g.servable(o, g.now()))
}

// await does what a session waits for: it is fetched, it is made sure that it
// was not ended elsewhere, and it is renewed.
func (g *Gate) await(env flow.Env, q *request, o *opened, err error, optional bool) (*opened, error) {
	if errors.Is(err, errTicket) {
		o, err = g.fetchFor(env, q)
	}
	if err == nil && g.store != nil {
		err = g.vouched(env)
	}
	if err == nil {
		err = g.checkAgain(o)
	}
	if err == nil && g.waits(o, nil, optional) && o.due(g.now()) {
		o, q.renewed, err = g.renewed(env, o)
	}
	if err != nil {
		if !errors.Is(err, flow.ErrCanceled) && outageOf(err) == nil { // an outage is told of where it is answered
			g.tell(q.Request, EventSessionRefused, sessionReason(err))
		}
		return nil, err
	}
	return o, nil
}

// withBrought goes on with the session that a request brings as it is: fetched,
// if it is in the store, and not renewed.
func (g *Gate) withBrought(q *request, then func(*opened, error) (Verdict, Flow)) (Verdict, Flow) {
	o, err := g.open(q)
	if !errors.Is(err, errTicket) {
		return then(o, err)
	}
	return Verdict{}, func(env flow.Env) Verdict { return carry(env)(then(g.fetchFor(env, q))) }
}

// fetchFor returns the session for the ticket that a request brings.
func (g *Gate) fetchFor(env flow.Env, q *request) (*opened, error) {
	chunks, err := q.cookies.session.Chunks()
	if err != nil {
		return nil, err
	}
	o, err := g.fetch(env, &chunks)
	if err == nil {
		g.tallies.fetched++
	}
	return g.brought(o), err
}

// carry carries a decision through to its verdict.
func carry(env flow.Env) func(Verdict, Flow) Verdict {
	return func(v Verdict, rest Flow) Verdict {
		if rest == nil {
			return v
		}
		return rest(env)
	}
}
