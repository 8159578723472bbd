package gate

import (
	"encoding/base64"
	"errors"
	"io"
	"net/url"
	"slices"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/session"
)

// response is an authorisation response (RFC 6749, section 4.1.2; RFC 9207).
type response struct {
	code, state, issuer, errorCode string
	hasIssuer                      bool
}

// maxCode is the longest code that is passed on, in bytes.
const maxCode = 8 << 10

// readResponse reads the parameters of a callback. Each may come once; what is
// not known is passed over (RFC 6749, section 4.1.2).
func readResponse(query string) (r response, reason string) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return r, "query_malformed"
	}
	for _, name := range []string{"state", "code", "iss", "error"} {
		if len(values[name]) > 1 {
			return r, name + "_repeated"
		}
	}
	r = response{
		code: values.Get("code"), state: values.Get("state"), issuer: values.Get("iss"),
		errorCode: values.Get("error"), hasIssuer: values.Has("iss"),
	}
	switch {
	case r.state == "":
		return r, "state_missing"
	case len(r.state) > session.MaxState:
		return r, "state_too_long"
	case values.Has("error") && values.Has("code"):
		return r, "code_and_error"
	case len(r.code) > maxCode:
		return r, "code_too_long"
	}
	return r, ""
}

// serveCallback takes up a login where the provider left it. Whatever is wrong
// with the answer, a session that the browser has stays as it is: any site can
// send a browser here.
func (g *Gate) serveCallback(q *request) (Verdict, Flow) {
	if q.Method != "POST" {
		return g.takeUp(q, q.target.Query)
	}
	return g.withForm(q, maxResponse, func(form string) (Verdict, Flow) { return g.takeUp(q, form) }, func(f failure) Verdict {
		return g.refuseLogin(q, f)
	})
}

// maxResponse is the longest authorisation response in a form, in bytes.
const maxResponse = maxCode + session.MaxState + 4<<10

// misdirected says what is wrong with where a provider's answer arrived. One with
// a redirect address of its own answers nowhere else, and nobody else there: so no
// code of one provider reaches another that names none (RFC 9700, section 4.4).
func (g *Gate) misdirected(q *request, p *party) (reason string) {
	posts := p.Settings().ResponseMode == "form_post"
	switch {
	case q.target.Path != g.callbackPath(p):
		return "callback_of_another_provider"
	case posts != (q.Method == "POST"):
		return "response_mode_differs"
	}
	return ""
}

// takeUp goes on with a login by the parameters that the provider answered with.
func (g *Gate) takeUp(q *request, parameters string) (Verdict, Flow) {
	r, reason := readResponse(parameters)
	if reason != "" {
		return g.refuseLogin(q, failure{status: 400, reason: reason}), nil
	}
	l, err := g.keys.OpenLogin(r.state)
	if err != nil {
		return g.refuseLogin(q, failure{status: 400, reason: "state_not_ours"}), nil
	}
	p := g.partyNamed(l.Provider)
	if p == nil {
		return g.refuseLogin(q, failure{status: 400, reason: "state_not_ours"}), nil
	}
	q.party, q.destination = p, l.Destination()
	retry := g.startURL(l.Destination())
	if reason := g.misdirected(q, p); reason != "" {
		return g.refuseLogin(q, failure{status: 403, reason: reason, retry: retry}), nil
	}
	if l.Expired(g.now(), g.settings.SignIn.LoginTimeout.Std()) {
		return g.refuseLogin(q, failure{status: 400, reason: "state_expired", retry: retry}), nil
	}
	b := g.binding(q)
	if b == nil {
		return g.unbound(q, l, g.unboundFailure(q, retry))
	}
	proof, err := g.keys.Prove(b, l, p.clientID())
	if err != nil {
		return g.foreign(q, l, b, failure{status: 403, reason: "binding_differs", retry: retry})
	}
	if g.used.has(l.ID) {
		return g.unbound(q, l, failure{status: 400, reason: "state_used", retry: retry})
	}
	return Verdict{}, func(env flow.Env) Verdict { return g.finish(env, q, p, l, r, b, proof) }
}

// unbound answers a login that cannot be finished in this browser. If the
// browser has a session all the same, as when somebody presses Reload, or when
// another tab was faster, the person goes where they wanted to; nothing about
// the session changes. A login of another host is for that host to look at, and a
// form that the provider's page posts brings no session that could be seen.
func (g *Gate) unbound(q *request, l *session.Login, f failure) (Verdict, Flow) {
	return g.signedIn(q, func(is bool) (Verdict, Flow) {
		if is || f.reason == "state_used" && (l.App != nil || q.Method == "POST") {
			g.tell(q.Request, EventLoginRefused, f.forLog())
			return redirect(g.returnTo(q, l.Destination()), "session_kept", nil), nil
		}
		return g.refuseLogin(q, f), nil
	})
}

// signedIn goes on with whether the browser has a session, wherever that is kept.
func (g *Gate) signedIn(q *request, then func(bool) (Verdict, Flow)) (Verdict, Flow) {
	return g.withBrought(q, func(o *opened, _ error) (Verdict, Flow) { return then(o != nil) })
}

const (
	// race is how far apart the bindings of tabs that were opened at once are
	// made.
	race = 10 * time.Second
	// maxRestarts is how often a login is begun anew: answers to tabs overtake
	// each other, so that a binding that has won may lose again.
	maxRestarts = 4
)

// foreign answers a login whose binding is not the browser's. Tabs that are
// opened at once in a new browser are each given a binding, and the last one
// wins: such a login is begun anew under the binding that won. The
// person signs in as themselves, so it does no harm that somebody else may
// have begun it.
func (g *Gate) foreign(q *request, l *session.Login, b *session.Binding, f failure) (Verdict, Flow) {
	apart := time.Duration(b.Made-l.BoundAt) * time.Second
	if l.Attempt >= maxRestarts || apart > race || apart < -race {
		return g.unbound(q, l, f)
	}
	return g.signedIn(q, func(is bool) (Verdict, Flow) {
		if is {
			return g.unbound(q, l, f)
		}
		g.tell(q.Request, EventLoginRestarted, f.forLog())
		return g.begin(q, q.party, session.Login{Return: l.Return, App: l.App, Attempt: l.Attempt + 1, Step: l.Step})
	})
}

// finish looks at what the provider answered, and turns the code into a session
// or hands it on to the host that began the login.
func (g *Gate) finish(env flow.Env, q *request, p *party, l *session.Login, r response, b *session.Binding, proof session.Proof) Verdict {
	retry := g.startURL(l.Destination())
	if err := p.CheckIssuer(env, r.issuer, r.hasIssuer); err != nil {
		if oidc.Temporary(err) || errors.Is(err, flow.ErrCanceled) {
			return g.providerRefused(q, err, l.Destination())
		}
		return g.refuseLogin(q, failure{status: 403, reason: oidc.Reason(err), retry: retry})
	}
	if r.errorCode != "" {
		return g.refuseLogin(q, failure{status: 403, reason: "provider_" + oidc.ErrorCode(r.errorCode), retry: retry})
	}
	if r.code == "" {
		return g.refuseLogin(q, failure{status: 400, reason: "code_missing", retry: retry})
	}
	a := arrival{party: p, app: l.Application(g.origin(q), p.mark), code: r.code, proof: proof, binding: b, to: l.Return}
	if l.App == nil {
		return g.complete(env, q, a)
	}
	if g.used.has(l.ID) {
		return g.refuseLogin(q, failure{status: 400, reason: "state_used", retry: retry})
	}
	g.used.add(l.ID)
	return g.handOn(q, l, r.code)
}

// arrival is a login that came back with a code, to the browser that began it
// and to the host that will have the session.
type arrival struct {
	party   *party
	app     session.Application
	code    string
	proof   session.Proof
	binding *session.Binding
	to      string // where the browser wanted to go
	asked   bool   // the browser was asked for a strict session cookie
}

// complete turns a code into a session (Core, section 3.1.3).
func (g *Gate) complete(env flow.Env, q *request, a arrival) Verdict {
	if g.used.has(a.app.ID) {
		return g.refuseLogin(q, failure{status: 400, reason: "state_used", retry: g.startURL(a.to)})
	}
	settled, why := g.unfollowed(env, q, a.binding)
	if len(settled) >= loopRounds-1 {
		return g.suspect(q, &a, settled, why)
	}
	// Only now, and whatever comes of it: a code is for one use.
	g.used.add(a.app.ID)
	s, err := g.redeem(env, q, &a)
	if err != nil {
		return g.providerRefused(q, err, a.to)
	}
	return g.countSettled(g.settle(env, q, s, g.returnTo(q, a.to)), a.binding, settled)
}

// redeem exchanges a code and verifies all that comes back.
func (g *Gate) redeem(env flow.Env, q *request, a *arrival) (*session.Session, error) {
	// Before the provider is asked: a logout that comes meanwhile ends it too.
	now := env.Now()
	p := a.party
	t, err := p.Exchange(env, a.code, g.redirectURI(q, p), a.proof.Verifier)
	if err != nil {
		return nil, err
	}
	id, err := p.Identify(env, t, a.proof.Nonce)
	if err != nil {
		return nil, err
	}
	s := &session.Session{
		Provider: p.Name(), Issuer: id.Issuer, ClientID: p.clientID(), Subject: id.Subject, SID: id.SID, AuthTime: id.AuthTime, NonceHash: oidc.NonceHash(a.proof.Nonce),
		AccessToken: t.Access, Proof: t.Proof, IDToken: t.ID, RefreshToken: t.Refresh, AccessExpires: accessExpires(now, t),
		Asked: a.app.Step.Asked(),
	}
	if err := g.gather(env, p, s, id); err != nil {
		return nil, err
	}
	if err := g.enrich(env, p, s, nil); err != nil {
		return nil, err
	}
	p.noteScopes(s, t)
	return s, g.beginSession(s, now)
}

// beginSession gives a session its name, and notes where and when it began.
func (g *Gate) beginSession(s *session.Session, now time.Time) error {
	var random [16]byte
	if _, err := io.ReadFull(g.random, random[:]); err != nil {
		return err
	}
	moment := session.MomentOf(now)
	s.ID = base64.RawURLEncoding.EncodeToString(random[:])
	s.Begun, s.Confirmed, s.Seen = moment, moment, moment
	return nil
}

// noteScopes notes which scopes were granted. A provider that does not say has
// granted all that was asked for (RFC 6749, section 5.1).
func (p *party) noteScopes(s *session.Session, t oidc.Tokens) {
	usual := p.Settings().Scopes
	asked := session.Step{Scopes: usual}.And(s.Asked).Scopes
	granted := asked
	if t.Scope != nil {
		granted = p.Granted(asked, t.Scope)
	}
	s.Scopes = nil
	if len(granted) != len(usual) || slices.ContainsFunc(usual, func(u string) bool { return !slices.Contains(granted, u) }) {
		s.Scopes = granted
	}
	if granted != nil && len(granted) == 0 {
		s.Scopes = []string{""} // no scope's name: none at all would be taken for the settings' ones
	}
}

// granted are the scopes that a session has: none that are known, where it has
// those that other settings asked for.
func (g *Gate) granted(s *session.Session) []string {
	if s.Scopes != nil || s.Gathered != g.wanted[s.Provider].stamp {
		return s.Scopes
	}
	return g.partyNamed(s.Provider).Settings().Scopes
}

// accessExpires is when an access token expires that was got at a time, in
// seconds since 1970; 0 where the provider does not say.
func accessExpires(got time.Time, t oidc.Tokens) int64 {
	if t.Lifetime <= 0 {
		return 0
	}
	return got.Add(t.Lifetime).Unix()
}
