package gate

import (
	"cmp"
	"errors"
	"strings"

	"github.com/postern-auth/postern/internal/bearer"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/session"
)

// unclear says why the rules cannot be told under which a request falls.
func unclear(err error) string {
	if errors.Is(err, policy.ErrAmbiguous) {
		return "target_ambiguous"
	}
	return "header_repeated"
}

// findNeed finds what a request must bring, or says why that cannot be told.
func (g *Gate) findNeed(q *request) (reason string) {
	var err error
	if q.need, err = g.rules.Need(q.asks()); err != nil {
		return unclear(err)
	}
	return ""
}

// asks is a request as rules see it.
func (q *request) asks() policy.Request {
	return policy.Request{Host: q.host, Port: q.port, Path: q.target.Path, Method: q.Method, Header: q.Header, OneMethod: q.oneMethod}
}

// open reports whether a request passes whoever sent it.
func (q *request) open() bool { return q.need.Anyone || q.need.Pass }

// methodFlaw reports whether a method is one of HTTP's own in other letters:
// rules would not know it, and the application might.
func methodFlaw(method string) bool {
	for i := range len(method) {
		if 'a' <= method[i] && method[i] <= 'z' {
			switch strings.ToUpper(method) {
			case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT":
				return true
			}
			return false
		}
	}
	return false
}

// rewrites are fields by which some frameworks take another target for the
// request's than the one that rules saw.
var (
	rewrites  = []string{"x-original-url", "x-rewrite-url"}
	rewriting = httpmsg.NewNameSet(rewrites, nil)
)

// who is whom a decision is about: one of both, or neither.
type who struct {
	opened *opened
	caller *bearer.Caller
}

func (w who) subject() (subject, provider string) {
	switch {
	case w.opened != nil:
		return w.opened.session.Subject, w.opened.session.Provider
	case w.caller != nil:
		return cmp.Or(w.caller.Token.Subject, w.caller.Token.ClientID), w.caller.Provider
	}
	return "", ""
}

// user is what they are called, in the form in which applications are told of
// it: a name with a line break in it must not become a line of a log.
func (w who) user() string {
	name := ""
	switch {
	case w.opened != nil:
		name = w.opened.session.Claims["user"].First()
	case w.caller != nil:
		name = w.caller.Subject.Claims["user"].First()
	}
	var b strings.Builder
	new(header).write(&b, shortened(name), false)
	return b.String()
}

// pass lets a request go on, and notes that it may, where the settings want
// that noted.
func (g *Gate) pass(q *request, w who) Verdict {
	q.who = w
	if g.settings.Log.Decisions == "all" {
		g.decided(q, EventAccessAllowed, "", w)
	}
	return g.forward(q, w)
}

// no notes why a request may not pass, and answers it; where it is only to be
// seen what rules would do, it passes all the same.
func (g *Gate) no(q *request, w who, event, reason string, answer func() (Verdict, Flow)) (Verdict, Flow) {
	q.who = w
	if q.need.Observe {
		g.observed(q, event, reason, w)
		v := g.forward(q, w)
		if event == EventTokenRefused {
			g.spend(q, v.Forward) // nobody is to believe it
		}
		return v, nil
	}
	g.decided(q, event, reason, w)
	return answer()
}

// NoRule stands in events for the rule where none matched.
const NoRule = "unmatched"

// ReasonNoSession is the reason where nobody is known who could be signed in.
const ReasonNoSession = "no_session"

// decided makes a decision known.
func (g *Gate) decided(q *request, event, reason string, w who) {
	g.happened(q.decision(event, reason, w))
}

// observed makes known which decision did not take effect.
func (g *Gate) observed(q *request, event, reason string, w who) {
	e := q.decision(EventAccessObserved, reason, w)
	e.Would = event
	g.happened(e)
}

// decision is a decision as the log has it.
func (q *request) decision(event, reason string, w who) Event {
	subject, provider := w.subject()
	return Event{Event: event, Reason: reason, Rule: q.rule(), Subject: subject, Provider: provider, RequestID: q.ID()}
}

// rule is the rule that a request falls under, as the log has it.
func (q *request) rule() string { return cmp.Or(q.need.Rule, NoRule) }

// noting has a decision say, for the host's access log, which rule it comes of
// and whom it is about.
func (g *Gate) noting(q *request) func(Verdict, Flow) (Verdict, Flow) {
	return func(v Verdict, rest Flow) (Verdict, Flow) {
		if rest != nil {
			return v, func(env flow.Env) Verdict { return g.noted(q, rest(env)) }
		}
		if b := v.Body; b != nil {
			v.Body = &Body{Limit: b.Limit, Then: func(body []byte, err error) (Verdict, Flow) { return g.noting(q)(b.Then(body, err)) }}
		}
		return g.noted(q, v), nil
	}
}

func (g *Gate) noted(q *request, v Verdict) Verdict {
	v.Note = &Note{User: q.who.user()}
	if !g.owns(q.target.Path) {
		v.Note.Rule = q.rule()
	}
	return v
}

// decide decides a request for the application, with the session that it
// brings or without one.
func (g *Gate) decide(q *request, o *opened, err error) (Verdict, Flow) {
	w := who{opened: o}
	if o != nil && !q.need.Anyone {
		if d := q.need.Check(&o.subject, g.now(), o.party.Leeway()); d != nil {
			return g.lacks(q, o, d)
		}
	}
	out := outageOf(err)
	switch {
	case o != nil, q.open():
		return g.pass(q, w), nil
	case out != nil:
		return g.no(q, w, EventRequestRefused, out.reason(), func() (Verdict, Flow) { return g.outageFailure(q, out), nil })
	case g.passesPreflight(q):
		return g.pass(q, w), nil
	case q.need.NoSignIn || !httpmsg.Navigation(q.Request):
		f := g.anonymous(q)
		if q.need.Tokens && bearer.InQuery(q.target.Query) {
			return g.tokenRefused(q, &bearer.Refusal{Code: bearer.InvalidRequest, Reason: "token_in_query"})
		}
		return g.no(q, w, EventAccessDenied, f.reason, func() (Verdict, Flow) {
			return g.withClearedCookies(q, g.fail(q, f), err), nil
		})
	case !g.reaches(q.target.Path):
		return g.no(q, w, EventRequestRefused, "outside_cookie_path", func() (Verdict, Flow) {
			return g.fail(q, failure{status: 403, reason: "outside_cookie_path"}), nil
		})
	}
	return g.no(q, w, EventSignInNeeded, ReasonNoSession, func() (Verdict, Flow) {
		return g.signInAnew(q, q.need.Step(), err)
	})
}

// lacks answers a request whose session is good, and not good enough.
func (g *Gate) lacks(q *request, o *opened, d *policy.Denial) (Verdict, Flow) {
	w, fresh := who{opened: o}, withFields(g.fresh(q, o))
	f := failure{status: 403, reason: d.Reason, denial: d, opened: o, rule: q.need.Rule}
	switch {
	case d.Cure == nil:
		return g.no(q, w, EventAccessDenied, d.Reason, func() (Verdict, Flow) { return fresh(g.fail(q, f), nil) })
	case !q.need.NoSignIn && httpmsg.Navigation(q.Request) && g.reaches(q.target.Path):
		return g.no(q, w, EventSignInNeeded, d.Reason, func() (Verdict, Flow) {
			if v, rest, kept := g.keep(q, o.party, *d.Cure); kept {
				return fresh(v, rest)
			}
			return fresh(g.begin(q, o.party, session.Login{Return: q.wanted(), Step: *d.Cure}))
		})
	}
	return g.no(q, w, EventAccessDenied, d.Reason, func() (Verdict, Flow) {
		f.wants(d.Cure)
		return fresh(g.curable(q, f, session.Need{Step: *d.Cure}), nil)
	})
}

// wants has an answer say to a program what another login, or another token,
// has to bring (RFC 6750, section 3.1; RFC 9470, section 3).
func (f *failure) wants(cure *session.Step) {
	f.scope, f.acr, f.maxAge = strings.Join(cure.Scopes, " "), strings.Join(cure.ACR, " "), cure.MaxAge
	switch {
	case f.acr != "" || f.maxAge != 0:
		f.status, f.code = 401, bearer.InsufficientAuthentication
	case f.scope != "":
		f.status, f.code = 403, bearer.InsufficientScope
	default:
		f.status = 401
	}
}

// fresh are the cookies that a session's browser is due, for an answer of ours.
func (g *Gate) fresh(q *request, o *opened) httpmsg.Fields {
	if q.renewed != nil || o.reissuable(g.now()) {
		return g.freshCookies(q, o)
	}
	return nil
}

// signInAnew sends somebody to sign in who brings no session, or one that did
// not do.
func (g *Gate) signInAnew(q *request, step session.Step, err error) (Verdict, Flow) {
	v, rest := g.signIn(q, step)
	again := v.Respond != nil && v.Respond.Reason == reasonFormAgain
	if !again && !errors.Is(err, session.ErrTossed) && !errors.Is(err, errEnded) && !errors.Is(err, errUnrenewable) {
		return v, rest // a login overwrites whatever else is wrong with them
	}
	if rest == nil {
		return g.withClearedCookies(q, v, err), nil
	}
	return v, func(env flow.Env) Verdict { return g.withClearedCookies(q, rest(env), err) }
}

// anonymous is the answer to a request that brings nothing by which somebody
// could be known, and whose sender opens no page.
func (g *Gate) anonymous(q *request) failure {
	if q.need.NoCookie {
		return failure{status: 401, reason: "no_token"}
	}
	return failure{status: 401, reason: ReasonNoSession, signIn: true}
}
