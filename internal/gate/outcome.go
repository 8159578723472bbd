package gate

import (
	"errors"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/metric"
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
		g.meter.Add(metric.RefreshesFailed, 1, s.Provider, oidc.Reason(err))
		g.failureOf(g.partyNamed(s.Provider).Provider, "", err)
		return g.notRenewed(env, s, err)
	}
	parts, err := g.keepSession(env, n, "")
	if err != nil {
		return g.unkept(env, s, n, err)
	}
	if g.endedNow(s) || g.endedNow(n) {
		// The person signed out meanwhile, or was signed out. The provider may go
		// on with another session of its own; what ended ours stays.
		g.forget(env, n)
		g.revoke(env, n)
		return nil, nil, errEnded
	}
	g.publish(s, parts)
	g.leaveOutcome(env, s, leftCookie, g.clock(), session.JoinParts(parts), g.settings.Session.Grace.Std()+time.Minute)
	g.retire(env, s)
	g.happened(Event{Event: EventSessionRenewed, Provider: s.Provider})
	return g.openParts(env, parts)
}

// unkept goes on where a renewed session cannot be kept: it is too large by
// now, or its store is away. Then it is a cookie until its next renewal, as its
// refresh token must not be lost.
func (g *Gate) unkept(env flow.Env, s, n *session.Session, err error) (*opened, []string, error) {
	if outageOf(err) != nil {
		if parts, err := g.pack(n, ""); err == nil {
			g.publish(s, parts)
			return g.openParts(env, parts)
		}
	}
	g.happened(Event{Event: EventSessionRefused, Reason: "session_too_large", Provider: s.Provider})
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
		g.happened(Event{Event: EventRenewalUnshared, Provider: s.Provider})
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
		g.leaveOutcome(env, s, leftEnded, g.clock(), "", g.settings.Session.Grace.Std())
		return nil, nil, errEnded
	case neverRenews(err):
		g.endSession(env, s)
		return nil, nil, errUnrenewable
	}
	_, _, err = g.postpone(s, err, time.Time{})
	if out := outageOf(err); out != nil && s.RefreshToken != "" {
		g.leaveOutcome(env, s, leftFailed, out.again, "", max(time.Second, out.again.Sub(g.clock())))
	}
	return nil, nil, err
}

// postpone makes known that the provider could not be asked, and gives up the
// claim. The pause grows each time, and lasts until notBefore at least.
func (g *Gate) postpone(s *session.Session, cause error, notBefore time.Time) (*opened, []string, error) {
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

// refreshLost goes on where a refresh token was sent and no answer came. It may have
// been used up, and to send it again may end everything that grew from the
// login (RFC 9700, section 4.14.2). Unless the settings say to try once more,
// the session goes on without it, for as long as its access token is good.
func (g *Gate) refreshLost(env flow.Env, s *session.Session, holder uint64, tries int) (*opened, []string, error) {
	g.meter.Add(metric.RefreshesFailed, 1, s.Provider, "no_answer")
	g.happened(Event{Event: EventRefreshLost, Provider: s.Provider})
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
	parts, err := g.keepSession(env, &n, "")
	if err != nil {
		return nil, nil, errUnrenewable
	}
	g.publish(s, parts)
	o, parts, err := g.openParts(env, parts)
	if errors.Is(err, session.ErrExpired) {
		err = errUnrenewable
	}
	return o, parts, err
}

// endSession ends one session of ours.
func (g *Gate) endSession(env flow.Env, s *session.Session) {
	g.forget(env, s)
	if err := g.end(env, shared.KeyOf(shared.KindSession, s.Issuer, s.ID)); err != nil {
		g.happened(Event{Event: EventEndingUnshared, Provider: s.Provider})
	}
}
