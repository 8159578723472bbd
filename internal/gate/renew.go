package gate

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/session"
	"github.com/postern-auth/postern/internal/shared"
)

// Why a session was not renewed.
var (
	// errReplaced says that a newer cookie took this one's place too long ago.
	errReplaced = errors.New("gate: session cookie was replaced")
	// errUnrenewable says that the provider can no longer be asked about a
	// session: the person has to sign in again.
	errUnrenewable = errors.New("gate: session cannot be renewed")
)

// outage says that a session could not be renewed now, and may be later.
type outage struct {
	again time.Time
	cause error
}

func (o *outage) Error() string { return "gate: renewal: " + o.cause.Error() }

// reason says what is away, in snake_case.
func (o *outage) reason() string {
	if errors.Is(o, errStore) {
		return "store_unavailable"
	}
	return "renewal_unavailable"
}

// Unwrap returns what the outage is of.
func (o *outage) Unwrap() error { return o.cause }

// outageOf returns the outage that an error is of, or nil.
func outageOf(err error) *outage {
	if err == nil {
		return nil // the usual case, which costs no memory
	}
	var out *outage
	errors.As(err, &out)
	return out
}

// renewalOf returns when a session is due for renewal, or the zero time.
func (g *Gate) renewalOf(s *session.Session) (due time.Time) {
	if refresh := g.settings.Session.Refresh.Std(); refresh > 0 {
		due = s.Confirmed.Time().Add(refresh)
	}
	if s.AccessExpires == 0 {
		return due
	}
	expires := time.Unix(s.AccessExpires, 0)
	switch {
	case s.Until != 0 && s.RefreshToken == "" && s.AccessToken == "":
		return time.Time{} // its refresh token was lost; it just lasts until then
	case s.RefreshToken != "":
		// Ahead of time, so that the outage of a moment does no harm.
		expires = expires.Add(-min(time.Minute, expires.Sub(s.Confirmed.Time())/5))
	case !g.tellings.spends:
		return due
	}
	if due.IsZero() || expires.Before(due) {
		due = expires
	}
	return due
}

// due reports whether a session is to be renewed.
func (o *opened) due(now time.Time) bool {
	return o.anew || !o.renew.IsZero() && !now.Before(o.renew)
}

// servable reports whether a session that is due may be used while it cannot
// be renewed.
func (g *Gate) servable(o *opened, now time.Time) bool {
	expires := o.session.AccessExpires
	return g.settings.Session.OnOutage == "serve" && !o.anew && (expires == 0 || now.Before(time.Unix(expires, 0)))
}

// renewal is one renewal under way in this worker, for all requests that wait
// for it.
type renewal struct {
	over   flow.Event
	ended  bool
	opened *opened
	parts  []string // the new cookies
	err    error
}

// renewed waits for the renewal of a session and returns the session to use,
// and the cookies to give the browser, if any. A session that can be used as it
// is waits for a short time only; its renewal goes on by itself.
func (g *Gate) renewed(env flow.Env, o *opened) (*opened, []string, error) {
	limit := renewalLimit
	if g.servable(o, g.now()) {
		if !o.party.Known() {
			return o, nil, nil
		}
		limit = patience
	}
	r := g.join(env, o)
	for end := env.Now().Add(limit); !r.ended; {
		err := env.Wait(&r.over, end.Sub(env.Now()))
		if errors.Is(err, flow.ErrCanceled) {
			return nil, nil, err
		}
		if err != nil && !r.ended {
			return g.unrenewed(o, &outage{again: env.Now().Add(patience), cause: err})
		}
	}
	if r.err != nil {
		return g.unrenewed(o, r.err)
	}
	return r.opened, r.parts, nil
}

const (
	// patience is how long a request waits for a renewal that it could do
	// without.
	patience = 2 * time.Second
	// renewalLimit is how long one waits that could not: longer than any
	// renewal takes by its own limits.
	renewalLimit = 5 * time.Minute
)

// unrenewed returns what can be made of a session that was not renewed: it may
// be used until its access token expires, or until the renewal is tried again.
func (g *Gate) unrenewed(o *opened, err error) (*opened, []string, error) {
	out := outageOf(err)
	if out == nil {
		return nil, nil, err
	}
	if ended := g.checkAgain(o); ended != nil {
		return nil, nil, ended
	}
	if !g.servable(o, g.now()) {
		return nil, nil, err
	}
	o.renew = out.again
	if expires := o.session.AccessExpires; expires > 0 && out.again.After(time.Unix(expires, 0)) {
		o.renew = time.Unix(expires, 0)
	}
	return o, nil, nil
}

// join returns the renewal of a session that is under way in this worker, and
// begins it where there is none. It belongs to no request: whoever goes away
// harms nobody.
func (g *Gate) join(env flow.Env, o *opened) *renewal {
	of := renewalOf{o.session.ID, o.session.Generation}
	if r := g.renewing[of]; r != nil {
		g.took(o.session.Provider, follower)
		return r
	}
	r := &renewal{err: &outage{again: env.Now(), cause: errors.New("panic")}}
	g.renewing[of] = r
	env.Go(func(env flow.Env) {
		defer func() {
			r.ended = true
			delete(g.renewing, of)
			r.over.Fire()
		}()
		r.opened, r.parts, r.err = g.renew(env, o.session)
		if r.err == nil {
			o.renew = g.now() // for those who went on without it: there is a new one to be had
		}
	})
	return r
}

type renewalOf struct {
	id         string
	generation int
}

// poll is how often a worker looks whether another one has renewed a session.
const poll = 25 * time.Millisecond

// renewable waits for the provider to be known, and fails where it cannot be
// asked about a session.
func (g *Gate) renewable(env flow.Env, s *session.Session) error {
	if s.RefreshToken == "" && !g.confirmable(s) {
		return errUnrenewable
	}
	p := g.partyNamed(s.Provider)
	if err := p.Await(env); err != nil {
		return &outage{again: env.Now().Add(retryAfter * time.Second), cause: err}
	}
	if s.RefreshToken == "" && !p.CanConfirm() {
		return errUnrenewable
	}
	return nil
}

// renew renews a session, or waits for the worker that is at it.
func (g *Gate) renew(env flow.Env, s *session.Session) (*opened, []string, error) {
	if err := g.renewable(env, s); err != nil {
		return nil, nil, err
	}
	var random [8]byte
	if _, err := io.ReadFull(g.random, random[:]); err != nil {
		return nil, nil, &outage{again: env.Now(), cause: err}
	}
	holder, part := binary.BigEndian.Uint64(random[:]), grace
	for {
		var next turn
		r, err := g.renewals.Change(s.ID, g.clock(), func(r *shared.Renewal) bool {
			next = g.takeTurn(r, s, holder, g.clock())
			return next == turnAsk
		})
		switch {
		case err != nil:
			return nil, nil, &outage{again: env.Now().Add(time.Second), cause: err}
		case next != turnWait:
			return g.doTurn(env, s, holder, next, r, part)
		case g.endedNow(s):
			return nil, nil, errEnded
		}
		if err := flow.Pause(env, poll); err != nil {
			return nil, nil, err
		}
		part = follower
	}
}

// doTurn does what a turn says, with what is known of the renewal; part is this
// worker's where another one has renewed the session.
func (g *Gate) doTurn(env flow.Env, s *session.Session, holder uint64, next turn, r shared.Renewal, part string) (*opened, []string, error) {
	switch next {
	case turnAsk:
		return g.ask(env, s, holder)
	case turnUse:
		return g.useRenewed(env, s, r, part)
	case turnLater:
		return nil, nil, &outage{again: r.At, cause: errProviderAway}
	case turnLost:
		return g.refreshLost(env, s, holder, r.Tries)
	case turnStale:
		return nil, nil, errReplaced
	}
	g.happened(Event{Event: EventSessionReplayed, Provider: s.Provider})
	g.endSession(env, s)
	return nil, nil, errEnded
}

var errProviderAway = errors.New("provider away")

// useRenewed takes the cookie that another worker got for a session.
func (g *Gate) useRenewed(env flow.Env, s *session.Session, r shared.Renewal, part string) (*opened, []string, error) {
	cookie := g.renewals.NewCookie(s.ID, r)
	if cookie == "" {
		return nil, nil, errReplaced // it had to make room
	}
	g.took(s.Provider, part)
	g.happened(Event{Event: EventSessionGrace, Provider: s.Provider})
	return g.openParts(env, session.CutParts(cookie))
}

// confirmable reports whether the provider can be asked about a session
// without a refresh token.
func (g *Gate) confirmable(s *session.Session) bool {
	return s.AccessToken != "" && (s.AccessExpires == 0 || g.now().Before(time.Unix(s.AccessExpires, 0)))
}

// ask asks the provider: the renewal is claimed.
func (g *Gate) ask(env flow.Env, s *session.Session, holder uint64) (*opened, []string, error) {
	if s.RefreshToken == "" {
		if !g.hold(s, holder, shared.Claimed, shared.Claimed) {
			return g.renew(env, s)
		}
		g.took(s.Provider, leader)
		n, err := g.confirm(env, s)
		return g.conclude(env, s, n, err)
	}
	mine, err := g.claimAmongGates(env, s)
	switch {
	case err != nil:
		return g.postpone(s, err, time.Time{})
	case !mine:
		return g.followGate(env, s, holder)
	case !g.hold(s, holder, shared.Claimed, shared.Sent):
		return g.renew(env, s) // we were too slow, and another worker took over
	}
	g.took(s.Provider, leader)
	t, err := g.partyNamed(s.Provider).Refresh(env, oidc.Access{Token: s.RefreshToken, Proof: s.Proof})
	if oidc.Unknown(err) {
		return g.refreshLost(env, s, holder, g.renewals.Look(s.ID).Tries)
	}
	if err != nil {
		return g.conclude(env, s, nil, err)
	}
	g.hold(s, holder, shared.Sent, shared.Sent) // what is left to ask takes its time as well
	n, err := g.refreshed(env, s, t)
	return g.conclude(env, s, n, err)
}

// confirm shows the provider the access token of a session that has no refresh
// token.
func (g *Gate) confirm(env flow.Env, s *session.Session) (*session.Session, error) {
	p := g.partyNamed(s.Provider)
	info, err := p.Confirm(env, accessOf(s), s.Subject)
	if err != nil {
		return nil, err
	}
	n := g.successor(s)
	if info != nil {
		p.addClaims(n, info)
	}
	return n, g.enrich(env, p, n, s)
}

// successor is a session as its renewal begins with it.
func (g *Gate) successor(s *session.Session) *session.Session {
	n := *s
	n.Generation++
	n.Confirmed = session.MomentOf(g.clock())
	n.Seen = n.Confirmed
	return &n
}

// refreshed makes the next generation of a session from what a refresh gave
// (OpenID Connect Core, section 12.2).
func (g *Gate) refreshed(env flow.Env, s *session.Session, t oidc.Tokens) (*session.Session, error) {
	n, p := g.successor(s), g.partyNamed(s.Provider)
	n.AccessToken, n.Proof, n.AccessExpires = t.Access, t.Proof, accessExpires(g.clock(), t)
	if t.Refresh != "" {
		n.RefreshToken = t.Refresh
	}
	if t.Scope != nil {
		p.noteScopes(n, t)
	}
	err := g.reclaim(env, p, n, t)
	if oidc.Temporary(err) || unforeseen(err) {
		// The old refresh token is used up, so the new one must not be lost.
		// What the person was known as holds until the next renewal.
		g.failureOf(p.Provider, "", err)
		return n, nil
	}
	g.forgetLost(n, s)
	if err == nil {
		err = g.enrich(env, p, n, s)
	}
	return n, err
}

// forgetLost forgets of what the login was asked for what it brought and the
// renewal took away: that was not asked for in vain, and may be again.
func (g *Gate) forgetLost(n, was *session.Session) {
	if slices.Contains(n.Asked.ACR, was.ACR) && !slices.Contains(n.Asked.ACR, n.ACR) {
		n.Asked.ACR = nil
	}
	had, has := g.granted(was), g.granted(n)
	n.Asked.Scopes = slices.DeleteFunc(slices.Clone(n.Asked.Scopes), func(scope string) bool {
		return slices.Contains(had, scope) && !slices.Contains(has, scope)
	})
}

// unforeseen reports whether a provider answered with a status that says
// nothing of the person, as a gateway answers 404 while the provider behind it
// is being deployed, or signed with a key that it does not show yet, as where
// its keys come from a cache. 401 and 403 refuse the token.
func unforeseen(err error) bool {
	reason := oidc.Reason(err)
	return reason == "key_unknown" || strings.HasPrefix(reason, "status_") && !tokenNotTaken(err)
}

// reclaim verifies the new ID token of a renewed session and reads the claims
// anew.
func (g *Gate) reclaim(env flow.Env, p *party, n *session.Session, t oidc.Tokens) error {
	was := oidc.Original{Subject: n.Subject, Issuer: n.Issuer, NonceHash: n.NonceHash, AuthTime: n.AuthTime}
	id, err := p.IdentifyAgain(env, t, was)
	if err != nil {
		return err
	}
	if id == nil {
		if p.Settings().Userinfo == "never" || !p.HasUserinfo() {
			return nil
		}
		info, err := p.Userinfo(env, accessOf(n), n.Subject)
		if err == nil {
			p.addClaims(n, info)
		}
		return err
	}
	n.IDToken = t.ID
	if id.SID != "" {
		n.SID = id.SID
	}
	return g.gather(env, p, n, id)
}
