package gate

import (
	"net/url"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/metric"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/session"
)

// wanted is the address of what was asked for, to come back to.
func (q *request) wanted() string {
	for _, address := range []string{q.Target, q.target.Path} { // too long, most likely: without its query is better than none
		if rd, err := httpmsg.ReturnPath(address); err == nil {
			return rd
		}
	}
	return "/"
}

// serveStart begins a login: to return to the rd parameter, or to where a
// sealed request of another host of ours says; at the provider that the provider
// parameter names, or where the person chooses.
func (g *Gate) serveStart(q *request) (Verdict, Flow) {
	values, err := url.ParseQuery(q.target.Query)
	if sealed := values["request"]; err == nil && len(sealed) == 1 {
		return g.serveSealedStart(q, sealed[0])
	}
	rd, _ := g.returnParameter(q)
	p, ok := g.namedIn(values)
	if !ok {
		return g.refuseLogin(q, failure{status: 400, reason: "provider_unknown", retry: g.signInURL(q, rd)}), nil
	}
	if values.Has("switch") {
		return g.switchPerson(q, p, rd)
	}
	need, clear := g.takeNeed(q)
	begin := func() (Verdict, Flow) { return withFields(clear)(g.startAt(q, p, rd, need.Step, p != nil)) }
	if need.Renew {
		return g.renewAndReturn(q, rd, clear, begin)
	}
	return begin()
}

// serveSealedStart begins a login as a value says that only we can have made.
func (g *Gate) serveSealedStart(q *request, sealed string) (Verdict, Flow) {
	start, err := g.keys.OpenStart(sealed, g.now())
	p := g.partyNamed(start.Provider)
	switch {
	case err != nil, p == nil && start.Provider != "":
		return g.refuseLogin(q, failure{status: 400, reason: "start_request"}), nil
	case start.App != nil:
		return g.beginFor(q, start)
	}
	return g.startAt(q, p, g.returnTo(q, start.Return), start.Step, start.Chosen)
}

// namedIn returns the provider that a query names, or nil where it names none. It
// is not ok to name one that there is not, or two.
func (g *Gate) namedIn(query url.Values) (p *party, ok bool) {
	named := query["provider"]
	if len(named) != 1 {
		return nil, len(named) == 0
	}
	p = g.partyNamed(named[0])
	return p, p != nil
}

// switching is the parameter of those who want to be somebody else.
const switching = "&switch=1"

// switchPerson begins a login for somebody who wants to be somebody else.
func (g *Gate) switchPerson(q *request, p *party, rd string) (Verdict, Flow) {
	if of := g.offered(g.needOf(q, rd).Providers); p == nil && (len(of) == 1 || g.settings.SignIn.Page == "never") {
		p = g.choose(q, of)
	}
	if p == nil {
		return redirect(g.signInURL(q, rd)+switching, "sign_in", nil), nil
	}
	return g.startAt(q, p, rd, session.Step{Prompt: p.Settings().SwitchPrompt()}, true)
}

// withFields has the answer that a decision leads to carry further fields.
func withFields(fields httpmsg.Fields) func(Verdict, Flow) (Verdict, Flow) {
	return func(v Verdict, rest Flow) (Verdict, Flow) {
		switch {
		case len(fields) == 0:
		case rest != nil:
			return v, func(env flow.Env) Verdict {
				v, _ := withFields(fields)(rest(env), nil)
				return v
			}
		case v.Respond != nil:
			v.Respond.Header = append(v.Respond.Header, fields...)
		}
		return v, rest
	}
}

// begin sends the browser to the provider, or to our own callback host, where
// that is another: the login must begin where its answer arrives, because the
// binding cookie is for that host alone.
func (g *Gate) begin(q *request, p *party, l session.Login) (Verdict, Flow) {
	q.party, q.destination = p, l.Destination()
	l.Provider = p.Name()
	if g.elsewhere(q) {
		return g.beginElsewhere(q, p, l), nil
	}
	b, header, err := g.bind(q)
	if err != nil {
		return g.internal(q), nil
	}
	state, proof, err := g.keys.BeginLogin(b, l, p.clientID(), g.now(), g.random)
	if err != nil {
		return g.internal(q), nil
	}
	return Verdict{}, func(env flow.Env) Verdict {
		to, err := p.AuthorizationURL(env, oidc.Request{
			RedirectURI: g.redirectURI(q, p), State: state, Proof: proof, Step: l.Asks(), Locales: q.language(),
		})
		if err != nil {
			return g.providerRefused(q, err, l.Destination())
		}
		g.meter.Add(metric.LoginsStarted, 1, p.Name())
		return redirect(to, "login", header)
	}
}

// elsewhere reports whether the provider's answers arrive at another host than
// the request's.
func (g *Gate) elsewhere(q *request) bool { return g.callback != "" && g.callback != g.origin(q) }

// bind returns the browser's binding, and the field that sets it where it is new.
func (g *Gate) bind(q *request) (*session.Binding, httpmsg.Fields, error) {
	b, fresh, err := session.NewBinding(g.binding(q), g.now(), g.random)
	if err != nil || !fresh {
		return b, nil, err
	}
	field, err := g.sealedBinding(b)
	return b, httpmsg.Fields{field}, err
}

// sealedBinding is the field that sets a binding, for as long as it is good.
func (g *Gate) sealedBinding(b *session.Binding) (httpmsg.Field, error) {
	sealed, err := g.keys.SealBinding(b)
	if err != nil {
		return httpmsg.Field{}, err
	}
	return g.setBinding(sealed, b.Left(g.now())), nil
}

// beginElsewhere sends the browser to the callback host, with a request that
// only this gate can have written. Where sessions are of single hosts, it binds
// the login to this browser at this host first.
func (g *Gate) beginElsewhere(q *request, p *party, l session.Login) Verdict {
	start, header := session.Start{Return: l.Return, Provider: l.Provider, Step: l.Step}, httpmsg.Fields(nil)
	var err error
	if g.tickets() {
		start.App, header, err = g.beginApplication(q, p, l)
	} else if strings.HasPrefix(l.Return, "/") {
		start.Return = g.origin(q) + l.Return
	}
	if err != nil {
		return g.internal(q)
	}
	to, err := g.sealedStart(start)
	if err != nil {
		return g.internal(q)
	}
	return redirect(g.callback+to, "login", header)
}

// sealedStart is the address, without its host, at which a login begins as only we
// can have said, and now.
func (g *Gate) sealedStart(start session.Start) (string, error) {
	start.Made = g.now().Unix()
	sealed, err := g.keys.SealStart(start)
	return g.paths.start + "?" + url.Values{"request": {sealed}}.Encode(), err
}

// redirectURI is where the provider sends the browser back to.
func (g *Gate) redirectURI(q *request, p *party) string {
	if g.callback != "" {
		return g.callback + g.callbackPath(p)
	}
	return g.origin(q) + g.callbackPath(p)
}

// callbackPath is the path at which a provider's answers arrive.
func (g *Gate) callbackPath(p *party) string {
	if p.Settings().OwnCallback {
		return g.paths.callback + "/" + p.Name()
	}
	return g.paths.callback
}

// bindingName is the name of the cookie that ties logins to a browser. It is
// for this host alone, whatever the session's cookie is: a binding that a
// sibling host could plant would let it sign people in as somebody else.
func (g *Gate) bindingName() string {
	if g.settings.InsecureHTTPCookies {
		return "postern-login"
	}
	return "__Host-postern-login"
}

// needName is the name of the cookie that says what a session lacks.
func (g *Gate) needName() string {
	if g.settings.InsecureHTTPCookies {
		return "postern-need"
	}
	return "__Host-postern-need"
}

func (g *Gate) setNeed(value string, lifetime time.Duration) httpmsg.Field {
	return g.setOwn(g.needName(), value, lifetime)
}

// setBinding sets the binding. Forms that a provider's page posts bring no other
// cookies than those that go along from everywhere.
func (g *Gate) setBinding(value string, lifetime time.Duration) httpmsg.Field {
	if g.posted {
		return g.setFor(httpmsg.SameSiteNone, g.bindingName(), value, lifetime)
	}
	return g.setOwn(g.bindingName(), value, lifetime)
}

// setOwn sets a cookie that is for this host alone.
func (g *Gate) setOwn(name, value string, lifetime time.Duration) httpmsg.Field {
	return g.setFor(httpmsg.SameSiteLax, name, value, lifetime)
}

// secure reports whether a cookie travels over https alone. Browsers take one that
// goes along from other sites on no other terms, and plain http to one's own machine
// for secure enough.
func (g *Gate) secure(sites httpmsg.SameSite) bool {
	return !g.settings.InsecureHTTPCookies || sites == httpmsg.SameSiteNone
}

func (g *Gate) setFor(sites httpmsg.SameSite, name, value string, lifetime time.Duration) httpmsg.Field {
	return httpmsg.Field{Name: "set-cookie", Value: httpmsg.SetCookie{
		Name: name, Value: value, Path: "/", MaxAge: lifetime,
		SameSite: sites, Secure: g.secure(sites), HTTPOnly: true,
	}.String()}
}

// binding returns the binding that the browser sent: nil where there is none,
// where it does not open, and where it came twice.
func (g *Gate) binding(q *request) *session.Binding {
	if q.cookies.bindings != 1 {
		return nil
	}
	b, err := g.keys.OpenBinding(q.cookies.binding, g.now())
	if err != nil {
		return nil
	}
	return b
}
