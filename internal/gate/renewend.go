package gate

import (
	"errors"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/session"
	"github.com/postern-auth/postern/internal/shared"
)

// conclude makes known what came of a renewal: n is the next generation.
func (g *Gate) conclude(env flow.Env, s, n *session.Session, err error) (*opened, []string, error) {
	switch {
	case errors.Is(err, flow.ErrCanceled):
		return nil, nil, err
	case err != nil:
		g.providerFailure("", err)
		return g.notRenewed(env, s, err)
	}
	parts, err := g.keep(env, n, "")
	if err != nil {
		return g.unkept(env, s, n, err)
	}
	if g.over(s) || g.over(n) {
		// The person signed out meanwhile, or was signed out. The provider may go
		// on with another session of its own; what ended ours stays.
		g.forget(env, n)
		g.revoke(env, n)
		return nil, nil, errEnded
	}
	g.publish(s, parts)
	g.tellGates(env, s, leftCookie, g.clock(), session.JoinParts(parts), g.settings.Session.Grace.Std()+time.Minute)
	g.retire(env, s)
	g.log(Event{Event: EventSessionRenewed, Provider: s.Provider})
	return g.take(env, parts)
}

// unkept goes on where a renewed session cannot be kept: it is too large by
// now, or its store is away. Then it is a cookie until its next renewal, as its
// refresh token must not be lost.
func (g *Gate) unkept(env flow.Env, s, n *session.Session, err error) (*opened, []string, error) {
	var out *outage
	if errors.As(err, &out) {
		if parts, err := g.pack(n, ""); err == nil {
			g.publish(s, parts)
			return g.take(env, parts)
		}
	}
	g.log(Event{Event: EventSessionRefused, Reason: "session_too_large", Provider: s.Provider})
	g.endSession(env, s)
	return nil, nil, errEnded
}

// publish gives the other workers the new cookies of a session.
func (g *Gate) publish(s *session.Session, parts []string) {
	now := g.clock()
	_, err := g.renewals.Change(s.ID, now, func(r *shared.Renewal) bool {
		if r.State != shared.Free && r.Base > s.Generation {
			return false // it went on without us
		}
		*r = shared.Renewal{State: shared.Done, Base: s.Generation, Before: r.Before, At: now, Cookie: session.JoinParts(parts)}
		return true
	})
	if err != nil {
		g.log(Event{Event: EventRenewalUnshared, Provider: s.Provider})
	}
}

// endsSession are the provider's errors after which a refresh token is no
// longer good, and nothing is wrong with our settings.
func endsSession(err error) bool {
	switch oidc.Reason(err) {
	case "provider_invalid_grant", "token_refused":
		return true
	}
	return false
}

// neverRenews are the provider's errors by which it says that this client gets
// no renewals: the person signs in again when the session is due.
func neverRenews(err error) bool {
	switch oidc.Reason(err) {
	case "provider_unsupported_grant_type", "provider_unauthorized_client":
		return true
	}
	return false
}

// notRenewed makes known that a session was not renewed.
func (g *Gate) notRenewed(env flow.Env, s *session.Session, err error) (*opened, []string, error) {
	var f *oidc.Failure
	unverified := errors.As(err, &f) && !f.Temporary && f.Step != "token refresh"
	switch {
	case endsSession(err) || unverified:
		g.endSession(env, s)
		g.tellGates(env, s, leftEnded, g.clock(), "", g.settings.Session.Grace.Std())
		return nil, nil, errEnded
	case neverRenews(err):
		g.endSession(env, s)
		return nil, nil, errUnrenewable
	}
	_, _, err = g.later(s, err, time.Time{})
	var out *outage
	if errors.As(err, &out) && s.RefreshToken != "" {
		g.tellGates(env, s, leftFailed, out.again, "", max(time.Second, out.again.Sub(g.clock())))
	}
	return nil, nil, err
}

// later makes known that the provider could not be asked, and gives up the
// claim. The pause grows each time, and lasts until notBefore at least.
func (g *Gate) later(s *session.Session, cause error, notBefore time.Time) (*opened, []string, error) {
	now := g.clock()
	again := now.Add(time.Second)
	// Where it cannot be made known, others try as well.
	_, _ = g.renewals.Change(s.ID, now, func(r *shared.Renewal) bool {
		if r.State != shared.Free && r.Base > s.Generation {
			return false
		}
		pause := min(time.Second<<min(r.Tries, 10), time.Minute)
		again = now.Add(pause)
		if again.Before(notBefore) {
			again = notBefore
		}
		*r = shared.Renewal{State: shared.Failed, Base: s.Generation, Before: r.Before, Tries: r.Tries + 1, At: again}
		return true
	})
	return nil, nil, &outage{again: again, cause: cause}
}

// lost goes on where a refresh token was sent and no answer came. It may have
// been used up, and to send it again may end everything that grew from the
// login (RFC 9700, section 4.14.2). Unless the settings say to try once more,
// the session goes on without it, for as long as its access token is good.
func (g *Gate) lost(env flow.Env, s *session.Session, holder uint64, tries int) (*opened, []string, error) {
	g.log(Event{Event: EventRefreshLost, Provider: s.Provider})
	if g.settings.Session.RefreshRetry == "once" && tries == 0 && g.retake(s, holder) {
		return g.ask(env, s, holder)
	}
	n := *s
	n.Generation++
	n.RefreshToken = ""
	n.Seen = session.MomentOf(g.clock())
	n.Until = n.Seen
	if s.AccessExpires > 0 {
		n.Until = session.MomentOf(time.Unix(s.AccessExpires, 0))
	}
	parts, err := g.keep(env, &n, "")
	if err != nil {
		return nil, nil, errUnrenewable
	}
	g.publish(s, parts)
	o, parts, err := g.take(env, parts)
	if errors.Is(err, session.ErrExpired) {
		err = errUnrenewable
	}
	return o, parts, err
}

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

// endSession ends one session of ours.
func (g *Gate) endSession(env flow.Env, s *session.Session) {
	g.forget(env, s)
	if err := g.end(env, shared.KeyOf(shared.KindSession, s.Issuer, s.ID)); err != nil {
		g.log(Event{Event: EventEndingUnshared, Provider: s.Provider})
	}
}

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
	if g.over(s) {
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

// give makes the fields that give the browser its session's new cookies, where
// it is to have some. It is for when the answer is there: by then there may be
// newer ones.
func (g *Gate) give(q *request, o *opened) httpmsg.Fields {
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
	fresh := g.accept(n)
	o.session, o.ends, o.reissue = n, fresh.ends, fresh.reissue
}
