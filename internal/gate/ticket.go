package gate

import (
	"net/url"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/session"
)

// With a public_url and no cookie for a whole domain, each host has sessions of
// its own, and one sign-in serves them all: the application's host begins a
// login, the login host takes the browser to the provider and back and hands
// the provider's code on in a ticket, and the application's host exchanges it.
// The verifier and the nonce are derived from the browser's binding to the
// application's host; so the login host and whoever reads a ticket can do
// nothing with the code, and a ticket in another browser is worth nothing.

// tickets reports whether other hosts than the callback host get their sessions
// by tickets.
func (g *Gate) tickets() bool { return g.callback != "" && g.settings.Session.Cookie.Domain == "" }

// beginApplication begins a login at the application's host.
func (g *Gate) beginApplication(q *request, p *party, l session.Login) (*session.Application, httpmsg.Fields, error) {
	b, header, err := g.bind(q)
	if err != nil {
		return nil, nil, err
	}
	a := session.Application{Origin: g.origin(q), Party: p.mark, Attempt: l.Attempt, Step: l.Step}
	a, err = g.keys.BeginApplication(b, a, p.Name(), p.clientID(), g.random)
	return &a, header, err
}

// beginFor takes a login of an application's host to the provider.
func (g *Gate) beginFor(q *request, start session.Start) (Verdict, Flow) {
	p := g.partyMarked(start.App.Party)
	if g.callback != g.origin(q) || p == nil {
		return g.refuseLogin(q, failure{status: 400, reason: "start_request"}), nil
	}
	if !g.allowsOrigin(start.App.Origin) {
		return g.refuseLogin(q, failure{status: 403, reason: "host_not_allowed", final: true}), nil
	}
	return g.begin(q, p, session.Login{Return: start.Return, App: start.App})
}

// allowsOrigin reports whether an origin that was sealed is one of ours: the
// settings may know fewer hosts by now.
func (g *Gate) allowsOrigin(origin string) bool {
	to, err := httpmsg.ReturnURL(origin+"/", g.allowsReturn)
	return err == nil && to == origin+"/"
}

// splitReturn takes a return address on another host apart. One that is not
// allowed becomes the root of this host.
func (g *Gate) splitReturn(address string) (origin, rd string) {
	to, err := httpmsg.ReturnURL(address, g.allowsReturn)
	if err != nil {
		return "", "/"
	}
	u, err := url.Parse(to)
	if err != nil {
		return "", "/"
	}
	origin = u.Scheme + "://" + u.Host
	return origin, to[len(origin):]
}

// handOn sends a login's code on to the host that began the login.
func (g *Gate) handOn(q *request, l *session.Login, code string) Verdict {
	if !g.allowsOrigin(l.App.Origin) {
		return g.refuseLogin(q, failure{status: 403, reason: "host_not_allowed", final: true})
	}
	to, err := g.ticketURL(session.Ticket{App: *l.App, Return: l.Return, Code: code})
	if err != nil {
		return g.refuseLogin(q, failure{status: 400, reason: "code_too_long", final: true})
	}
	return redirect(to, "handed_on", nil)
}

// ticketURL is where a ticket is good.
func (g *Gate) ticketURL(t session.Ticket) (string, error) {
	t.Made = g.now().Unix()
	sealed, err := g.keys.SealTicket(t)
	return t.App.Origin + g.paths.ticket + "?" + url.Values{"ticket": {sealed}}.Encode(), err
}

// serveTicket takes up a login where the login host left it. Whatever is wrong
// with a ticket is one and the same to the browser, and a session that it has
// stays as it is: any site can send a browser here.
func (g *Gate) serveTicket(q *request) (Verdict, Flow) {
	t, why := g.readTicket(q)
	if why != "" {
		return g.refuseTicket(q, why, ""), nil
	}
	p := g.partyMarked(t.App.Party)
	q.party, q.destination = p, t.Return
	l := &session.Login{Return: t.Return, BoundAt: t.App.BoundAt, Attempt: t.App.Attempt, Step: t.App.Step}
	b := g.binding(q)
	if b == nil {
		return g.unbound(q, l, g.unboundFailure(q, ""))
	}
	proof, err := g.keys.ProveApplication(b, &t.App, p.Name(), p.clientID())
	retry := g.startURL(g.returnTo(q, t.Return))
	switch {
	case err != nil && t.Expired(g.now()):
		return g.unbound(q, l, ticketFailure("ticket_expired", ""))
	case err != nil:
		return g.foreign(q, l, b, ticketFailure("binding_differs", ""))
	case t.Expired(g.now()):
		return g.unbound(q, l, ticketFailure("ticket_expired", retry))
	case g.used.has(t.App.ID):
		return g.unbound(q, l, ticketFailure("ticket_used", retry))
	}
	a := arrival{party: p, app: t.App, code: t.Code, proof: proof, binding: b, to: t.Return, asked: t.Asked}
	return Verdict{}, func(env flow.Env) Verdict { return g.complete(env, q, a) }
}

// readTicket opens a ticket and sees whether it is for this host.
func (g *Gate) readTicket(q *request) (t *session.Ticket, why string) {
	values, err := url.ParseQuery(q.target.Query)
	if err != nil || len(values["ticket"]) != 1 {
		return nil, "ticket_malformed"
	}
	t, err = g.keys.OpenTicket(values.Get("ticket"))
	switch {
	case err != nil:
		return nil, "ticket_not_ours"
	case t.App.Origin != g.origin(q):
		return nil, "ticket_of_another_host"
	case g.partyMarked(t.App.Party) == nil:
		return nil, "ticket_of_another_client"
	}
	return t, ""
}

// ticketFailure is the one answer to a ticket that is not good; the log knows why.
func ticketFailure(why, retry string) failure {
	return failure{status: 403, reason: "ticket_refused", logged: why, retry: retry}
}

// refuseTicket answers a ticket that is not for this host. A browser without a
// binding is told that, as it would be with a good ticket.
func (g *Gate) refuseTicket(q *request, why, retry string) Verdict {
	f := ticketFailure(why, retry)
	if g.binding(q) == nil {
		f = g.unboundFailure(q, "")
		f.logged = why
	}
	return g.refuseLogin(q, f)
}
