package gate

import (
	"net/url"
	"strings"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/page"
	"github.com/postern-auth/postern/internal/session"
	"github.com/postern-auth/postern/internal/shared"
)

// serveSignOut ends the session in this browser. A request that another site
// may have caused asks the person first; one that another site posted is
// refused.
func (g *Gate) serveSignOut(q *request) (Verdict, Flow) {
	rd, hasReturn := g.returnParameter(q)
	site, known := q.Header.Only("sec-fetch-site")
	ours := known && (site == "same-origin" || site == "same-site" || site == "none")
	if q.Method == "POST" && !known {
		// Browsers too old for Sec-Fetch-Site send Origin with every POST.
		from, sent := q.Header.Only("origin")
		ours = !sent || from == g.origin(q)
	}
	switch {
	case ours && hasReturn:
		return g.signOut(q, rd)
	case ours:
		return g.signOut(q, "")
	case q.Method == "POST":
		g.tell(q.Request, EventRequestRefused, "sign_out_cross_site")
		return g.fail(q, failure{status: 403, reason: "sign_out_cross_site"}), nil
	}
	action := g.paths.signOut
	if hasReturn {
		action += "?" + url.Values{"rd": {rd}}.Encode()
	}
	body, header := g.pages.SignOut(q.language(), page.SignOutPage{Action: action})
	return Verdict{Respond: &Respond{Status: 200, Header: header, Body: body, Reason: "sign_out_page"}}, nil
}

// signOut ends the session that the browser brings, here and, where the
// settings want it, at the provider; and clears its cookies, also where the
// session cannot be read.
func (g *Gate) signOut(q *request, rd string) (Verdict, Flow) {
	return g.withBrought(q, func(o *opened, err error) (Verdict, Flow) {
		g.tell(q.Request, EventSignedOut, "")
		if out := outageOf(err); out != nil {
			return g.unavailable(q, out), nil // to say that it has ended would not be true
		}
		if o == nil {
			return g.leave(q, rd), nil
		}
		return Verdict{}, func(env flow.Env) Verdict {
			g.endOwn(env, q, o.session)
			g.revoke(env, o.session)
			return g.leaveProvider(env, q, o.session, rd)
		}
	})
}

// endOwn ends the session of a person who signs out.
func (g *Gate) endOwn(env flow.Env, q *request, s *session.Session) {
	names := []shared.Key{shared.KeyOf(shared.KindSession, s.Issuer, s.ID)}
	if g.settings.SignOut.AtProvider && s.SID != "" {
		// Its sessions on other hosts of ours end with it. The one at the provider
		// may go on all the same, and then begins others.
		names = append(names, shared.KeyOf(shared.KindSignOut, s.Issuer, s.SID))
	}
	g.forget(env, s)
	if err := g.end(env, names...); err != nil {
		g.tell(q.Request, EventEndingUnshared, "")
	}
}

// leaveProvider sends a person who signs out on to the provider, where the
// settings want that and the provider offers it (RP-Initiated Logout 1.0).
func (g *Gate) leaveProvider(env flow.Env, q *request, s *session.Session, rd string) Verdict {
	if !g.settings.SignOut.AtProvider {
		return g.leave(q, rd)
	}
	back := session.SignOut{Return: rd, Made: g.now().Unix()}
	if strings.HasPrefix(rd, "/") && g.elsewhere(q) {
		back.Return = g.origin(q) + rd
	}
	state, err := g.keys.SealSignOut(back)
	if err != nil {
		return g.leave(q, rd)
	}
	p := g.partyNamed(s.Provider)
	to, offered, err := p.LogoutURL(env, s.IDToken, g.signedOutURI(q), state)
	if err != nil {
		g.failureOf(p.Provider, q.ID(), err)
	}
	if err != nil || !offered {
		return g.leave(q, rd) // here, at least
	}
	return g.leaveFor(q, to)
}

// signedOutURI is where the provider sends people back to who signed out.
func (g *Gate) signedOutURI(q *request) string {
	if g.callback != "" {
		return g.callback + g.paths.signedOut
	}
	return g.origin(q) + g.paths.signedOut
}

// leave answers a sign-out that is over: by sending the browser to rd, or by a
// page where there is none.
func (g *Gate) leave(q *request, rd string) Verdict {
	if rd != "" {
		return g.leaveFor(q, rd)
	}
	v := g.signedOutPage(q, false)
	v.Respond.Header = append(v.Respond.Header, g.cleared(q)...)
	return v
}

// leaveFor sends the browser on, without its cookies. A form's answer cannot
// redirect to another site, as our pages forbid it; a page can lead there.
func (g *Gate) leaveFor(q *request, to string) Verdict {
	if q.Method == "POST" && !strings.HasPrefix(to, "/") {
		body, header := g.pages.Onward(q.language(), page.OnwardPage{URL: to})
		return Verdict{Respond: &Respond{Status: 200, Header: append(header, g.cleared(q)...), Body: body, Reason: "signed_out"}}
	}
	return redirect(to, "signed_out", g.cleared(q))
}

// cleared clears every cookie of ours that the browser sent, and the first of
// the session's where it sent none.
func (g *Gate) cleared(q *request) httpmsg.Fields {
	cookies := append(g.clearParts(q, 0), g.clearPlanted(q)...)
	if len(cookies) == 0 {
		cookies = httpmsg.Fields{g.setCookie(g.jar.Name(0), "", -1)}
	}
	return append(append(cookies, g.setBinding("", -1)), g.forgo(q)...)
}

func (g *Gate) signedOutPage(q *request, atProvider bool) Verdict {
	body, header := g.pages.SignedOut(q.language(), page.SignedOutPage{SignIn: g.signInAgainURL(q), AtProvider: atProvider})
	return Verdict{Respond: &Respond{Status: 200, Header: header, Body: body, Reason: "signed_out"}}
}

// signInAgainURL is where somebody signs in who has signed out: where there is a
// choice, they are to have it again.
func (g *Gate) signInAgainURL(q *request) string {
	if len(g.parties) > 1 {
		return g.signInURL(q, "/")
	}
	return g.startURL("/")
}

// serveSignedOut receives a person who signed out at the provider.
func (g *Gate) serveSignedOut(q *request) (Verdict, Flow) {
	values, err := url.ParseQuery(q.target.Query)
	if states := values["state"]; err == nil && len(states) == 1 {
		back, err := g.keys.OpenSignOut(states[0], g.now())
		if err != nil {
			return g.signedOutPage(q, false), nil
		}
		// Where the application is on another host, the choice is remembered here.
		return withFields(g.forgo(q))(g.afterProvider(q, back.Return), nil)
	}
	return g.withBrought(q, func(o *opened, _ error) (Verdict, Flow) {
		if o != nil {
			return g.stillSignedInPage(q), nil
		}
		return g.signedOutPage(q, false), nil
	})
}

// afterProvider answers somebody who has signed out here and at the provider.
func (g *Gate) afterProvider(q *request, rd string) Verdict {
	if rd != "" {
		return redirect(g.returnTo(q, rd), "signed_out", nil)
	}
	return g.signedOutPage(q, true)
}

// stillSignedInPage tells so to somebody who comes to the page for those who have
// signed out.
func (g *Gate) stillSignedInPage(q *request) Verdict {
	body, header := g.pages.SignedOut(q.language(), page.SignedOutPage{StillSignedIn: true, SignOut: g.paths.signOut})
	return Verdict{Respond: &Respond{Status: 200, Header: header, Body: body, Reason: "still_signed_in"}}
}

// revokes reports whether the provider is to be told that a session's tokens
// are no longer good.
func (g *Gate) revokes(s *session.Session) bool {
	return g.settings.SignOut.Revoke && g.partyNamed(s.Provider).HasRevocation() && (s.RefreshToken != "" || s.AccessToken != "")
}

// revoke tells the provider that a session's tokens are no longer good (RFC
// 7009). Nobody waits for it.
func (g *Gate) revoke(env flow.Env, s *session.Session) {
	if !g.revokes(s) {
		return
	}
	token, hint := s.RefreshToken, "refresh_token"
	if token == "" {
		token, hint = s.AccessToken, "access_token"
	}
	p := g.partyNamed(s.Provider)
	env.Go(func(env flow.Env) {
		if err := p.Revoke(env, token, hint); err != nil {
			g.failureOf(p.Provider, "", err)
		}
	})
}
