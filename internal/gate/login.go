package gate

import (
	"net/url"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/session"
)

// signIn answers a navigation without a session: by the page that lets the
// person choose, or by a login at once.
func (g *Gate) signIn(q *request) (Verdict, Flow) {
	rd, err := httpmsg.ReturnPath(q.Target)
	if err != nil {
		// Too long, most likely: the page without its query is better than none.
		if rd, err = httpmsg.ReturnPath(q.target.Path); err != nil {
			rd = "/"
		}
	}
	if g.settings.SignIn.Page == "always" {
		return redirect(g.paths.signIn+"?"+url.Values{"rd": {rd}}.Encode(), "sign_in", nil), nil
	}
	return g.begin(q, session.Login{Return: rd})
}

// serveStart begins a login: to return to the rd parameter, or to where a
// sealed request of another host of ours says.
func (g *Gate) serveStart(q *request) (Verdict, Flow) {
	values, err := url.ParseQuery(q.target.Query)
	if sealed := values["request"]; err == nil && len(sealed) == 1 {
		start, err := g.keys.OpenStart(sealed[0], g.now())
		if err != nil {
			return g.refuseLogin(q, failure{status: 400, reason: "start_request"}), nil
		}
		return g.begin(q, session.Login{Return: g.returnTo(q, start.Return)})
	}
	rd, _ := g.returnParameter(q)
	return g.begin(q, session.Login{Return: rd})
}

// begin sends the browser to the provider, or to our own callback host, where
// that is another: the login must begin where its answer arrives, because the
// binding cookie is for that host alone.
func (g *Gate) begin(q *request, l session.Login) (Verdict, Flow) {
	if g.callback != "" && g.callback != g.origin(q) {
		return g.beginElsewhere(q, l), nil
	}
	l.Provider = g.provider.Name()
	b, fresh, err := session.NewBinding(g.binding(q), g.now(), g.random)
	if err != nil {
		return g.internal(q), nil
	}
	state, proof, err := g.keys.BeginLogin(b, l, g.clientID(), g.now(), g.random)
	if err != nil {
		return g.internal(q), nil
	}
	var header httpmsg.Fields
	if fresh {
		sealed, err := g.keys.SealBinding(b)
		if err != nil {
			return g.internal(q), nil
		}
		header = httpmsg.Fields{g.setBinding(sealed, session.BindingLifetime)}
	}
	return Verdict{}, func(env flow.Env) Verdict {
		to, err := g.provider.AuthorizationURL(env, g.redirectURI(q), state, proof)
		if err != nil {
			return g.providerRefused(q, err, l.Return)
		}
		return redirect(to, "login", header)
	}
}

// beginElsewhere sends the browser to the callback host, with a return address
// that only this gate can have written.
func (g *Gate) beginElsewhere(q *request, l session.Login) Verdict {
	rd := l.Return
	if strings.HasPrefix(rd, "/") {
		rd = g.origin(q) + rd
	}
	sealed, err := g.keys.SealStart(session.Start{Return: rd, Made: g.now().Unix()})
	if err != nil {
		return g.internal(q)
	}
	return redirect(g.callback+g.paths.start+"?"+url.Values{"request": {sealed}}.Encode(), "login", nil)
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

func (g *Gate) setBinding(value string, lifetime time.Duration) httpmsg.Field {
	return httpmsg.Field{Name: "set-cookie", Value: httpmsg.SetCookie{
		Name: g.bindingName(), Value: value, Path: "/", MaxAge: lifetime,
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
