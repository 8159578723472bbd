package gate

import (
	"errors"
	"net/url"
	"strings"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/shared"
)

// serveFrontchannelLogout ends the session that a browser brings when a page of
// the provider asks for it (Front-Channel Logout 1.0, section 3). The page
// shows us in a frame, so the cookie comes along only where provider and
// application are of one site; without the very session that the provider
// names nothing happens, for any site can show such a frame.
func (g *Gate) serveFrontchannelLogout(q *request) (Verdict, Flow) {
	issuer, named := g.namedSID(q)
	if named == "" {
		return g.framed(nil), nil
	}
	return g.withBrought(q, func(o *opened, _ error) (Verdict, Flow) {
		if o == nil || o.session.SID != named || o.session.Issuer != issuer {
			return g.framed(nil), nil
		}
		return Verdict{}, func(env flow.Env) Verdict {
			g.forget(env, o.session)
			if err := g.end(env, shared.KeyOf(shared.KindSID, o.session.Issuer, o.session.SID)); err != nil {
				g.tell(q.Request, EventEndingUnshared, "")
			}
			g.happened(Event{Event: EventSessionEnded, Reason: "frontchannel_logout", Provider: o.session.Provider, RequestID: q.ID()})
			return g.framed(g.cleared(q))
		}
	})
}

// namedSID returns the session at a provider of ours that a request names, and
// the provider's issuer; or nothing.
func (g *Gate) namedSID(q *request) (issuer, sid string) {
	values, err := url.ParseQuery(q.target.Query)
	if err != nil || len(values["iss"]) != 1 || len(values["sid"]) != 1 || len(g.partiesOf(values.Get("iss"))) == 0 {
		return "", ""
	}
	return values.Get("iss"), values.Get("sid")
}

// framed is an empty page that our providers may show in a frame.
func (g *Gate) framed(cookies httpmsg.Fields) Verdict {
	by := "frame-ancestors"
	for _, p := range g.parties {
		by += " " + originOf(p.Issuer())
	}
	header := httpmsg.Fields{
		{Name: "content-type", Value: "text/html; charset=utf-8"},
		{Name: "cache-control", Value: "no-store"},
		{Name: "content-security-policy", Value: "default-src 'none'; " + by},
		{Name: "referrer-policy", Value: "no-referrer"},
		{Name: "x-content-type-options", Value: "nosniff"},
	}
	return Verdict{Respond: &Respond{Status: 200, Header: append(header, cookies...), Body: []byte("<!doctype html><title>-</title>\n"), Reason: "frontchannel_logout"}}
}

// originOf is the origin of an address that was checked.
func originOf(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// maxLogoutBody is the longest form with a logout token, in bytes.
const maxLogoutBody = oidc.MaxLogoutToken + 1024

// serveBackchannelLogout takes the provider's word that somebody's sessions are
// over (Back-Channel Logout 1.0, section 2.5).
func (g *Gate) serveBackchannelLogout(q *request) (Verdict, Flow) {
	return g.withForm(q, maxLogoutBody, func(body string) (Verdict, Flow) {
		form, err := url.ParseQuery(body)
		if err != nil || len(form["logout_token"]) != 1 {
			return g.refuseLogout(q, failure{status: 400, reason: "logout_token_missing"}), nil
		}
		return Verdict{}, func(env flow.Env) Verdict { return g.logOut(env, q, form.Get("logout_token")) }
	}, func(f failure) Verdict { return g.refuseLogout(q, f) })
}

// logOut ends what a logout token names.
func (g *Gate) logOut(env flow.Env, q *request, raw string) Verdict {
	t, err := g.verifyLogout(env, q, raw)
	switch {
	case errors.Is(err, flow.ErrCanceled):
		return Verdict{} // nobody is there to be answered
	case oidc.Temporary(err):
		return g.refuseLogout(q, failure{status: 503, reason: oidc.Reason(err), retryAfter: retryAfter})
	case err != nil:
		return g.refuseLogout(q, failure{status: 400, reason: oidc.Reason(err)})
	}
	used := shared.KeyOf(shared.KindToken, t.Issuer, t.ID)
	g.endings.Sync(g.clock())
	// Where it may have been forgotten that a token was used, one that names a
	// session is good all the same: to end that one twice does no harm.
	forgotten := t.SID == "" && t.Issued.Before(g.endings.TokenFloor())
	if _, known := g.endings.Ended(used); known || forgotten {
		return g.refuseLogout(q, failure{status: 400, reason: "jti_used"})
	}
	// The token counts as used once all who must know do: until then the
	// provider may send it again.
	err = g.end(env, g.endingsBy(t)...)
	if err == nil {
		err = g.end(env, used)
	}
	if err != nil {
		return g.refuseLogout(q, failure{status: 503, reason: "not_recorded", retryAfter: retryAfter})
	}
	g.happened(Event{Event: EventSessionEnded, Reason: "backchannel_logout", Provider: g.about(q), RequestID: q.ID()})
	return Verdict{Respond: &Respond{Status: 200, Header: httpmsg.Fields{{Name: "cache-control", Value: "no-store"}}, Reason: "backchannel_logout"}}
}

// verifyLogout verifies a logout token as one of the provider that it says it is
// of. Of several of one issuer, the one whose client it is for takes it.
func (g *Gate) verifyLogout(env flow.Env, q *request, raw string) (t *oidc.LogoutToken, err error) {
	issuer, _ := oidc.IssuerOf(raw)
	of := g.partiesOf(issuer)
	if len(of) == 0 {
		of = g.parties[:1] // which says what is wrong with it
	}
	for _, q.party = range of {
		if t, err = q.party.VerifyLogoutToken(env, raw); oidc.Reason(err) != "aud_differs" {
			break
		}
	}
	return t, err
}

// endingsBy returns what a logout token ends: the session that it names, and
// sessions of the person that it may be meant for as their ID tokens named none;
// or, where it names a person alone, all of theirs.
func (g *Gate) endingsBy(t *oidc.LogoutToken) (names []shared.Key) {
	issuer, ofPerson := t.Issuer, shared.KindSubject
	if t.SID != "" {
		names, ofPerson = append(names, shared.KeyOf(shared.KindSID, issuer, t.SID)), shared.KindUnnamed
	}
	if t.Subject != "" {
		names = append(names, shared.KeyOf(ofPerson, issuer, t.Subject))
	}
	return names
}

func (g *Gate) refuseLogout(q *request, f failure) Verdict {
	g.happened(Event{Event: EventLogoutRefused, Reason: f.reason, Provider: g.about(q), RequestID: q.ID()})
	return g.fail(q, f)
}
