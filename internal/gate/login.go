package gate

import (
	"net/url"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/session"
)

// signIn answers a navigation without a session: by the page that lets the
// person choose, or by a login at once.
func (g *Gate) signIn(q *request, step session.Step) (Verdict, Flow) {
	rd := q.wanted()
	if g.settings.SignIn.Page == "always" {
		return redirect(g.paths.signIn+"?"+url.Values{"rd": {rd}}.Encode(), "sign_in", nil), nil
	}
	return g.begin(q, session.Login{Return: rd, Step: step})
}

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
// sealed request of another host of ours says.
func (g *Gate) serveStart(q *request) (Verdict, Flow) {
	values, err := url.ParseQuery(q.target.Query)
	if sealed := values["request"]; err == nil && len(sealed) == 1 {
		start, err := g.keys.OpenStart(sealed[0], g.now())
		switch {
		case err != nil:
			return g.refuseLogin(q, failure{status: 400, reason: "start_request"}), nil
		case start.App != nil:
			return g.beginFor(q, start)
		}
		return g.begin(q, session.Login{Return: g.returnTo(q, start.Return), Step: start.Step})
	}
	rd, _ := g.returnParameter(q)
	if values.Has("switch") {
		return g.begin(q, session.Login{Return: rd, Step: session.Step{Prompt: "login"}})
	}
	need, clear := g.takeNeed(q)
	begin := func() (Verdict, Flow) {
		return withFields(clear)(g.begin(q, session.Login{Return: rd, Step: need.Step}))
	}
	if need.Renew {
		return g.renewAndReturn(q, rd, clear, begin)
	}
	return begin()
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
func (g *Gate) begin(q *request, l session.Login) (Verdict, Flow) {
	if g.elsewhere(q) {
		return g.beginElsewhere(q, l), nil
	}
	l.Provider = g.provider.Name()
	b, header, err := g.bind(q)
	if err != nil {
		return g.internal(q), nil
	}
	state, proof, err := g.keys.BeginLogin(b, l, g.clientID(), g.now(), g.random)
	if err != nil {
		return g.internal(q), nil
	}
	return Verdict{}, func(env flow.Env) Verdict {
		to, err := g.provider.AuthorizationURL(env, oidc.Request{
			RedirectURI: g.redirectURI(q), State: state, Proof: proof, Step: l.Asks(), Locales: q.language(),
		})
		if err != nil {
			return g.providerRefused(q, err, l.Destination())
		}
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
func (g *Gate) beginElsewhere(q *request, l session.Login) Verdict {
	start, header := session.Start{Return: l.Return, Step: l.Step, Made: g.now().Unix()}, httpmsg.Fields(nil)
	var err error
	if g.tickets() {
		start.App, header, err = g.beginApplication(q, l)
	} else if strings.HasPrefix(l.Return, "/") {
		start.Return = g.origin(q) + l.Return
	}
	if err != nil {
		return g.internal(q)
	}
	sealed, err := g.keys.SealStart(start)
	if err != nil {
		return g.internal(q)
	}
	return redirect(g.callback+g.paths.start+"?"+url.Values{"request": {sealed}}.Encode(), "login", header)
}

// redirectURI is where the provider sends the browser back to.
func (g *Gate) redirectURI(q *request) string {
	if g.callback != "" {
		return g.callback + g.paths.callback
	}
	return g.origin(q) + g.paths.callback
}

func (g *Gate) clientID() string { return g.settings.Providers[0].ClientID }

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

func (g *Gate) setBinding(value string, lifetime time.Duration) httpmsg.Field {
	return g.setOwn(g.bindingName(), value, lifetime)
}

// setOwn sets a cookie that is for this host alone.
func (g *Gate) setOwn(name, value string, lifetime time.Duration) httpmsg.Field {
	return httpmsg.Field{Name: "set-cookie", Value: httpmsg.SetCookie{
		Name: name, Value: value, Path: "/", MaxAge: lifetime,
		SameSite: httpmsg.SameSiteLax, Secure: !g.settings.InsecureHTTPCookies, HTTPOnly: true,
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
