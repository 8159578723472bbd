package gate

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/page"
	"github.com/postern-auth/postern/internal/session"
)

// reasonLoginLoop is the reason of the page that stops it.
const reasonLoginLoop = "login_loop"

// A browser that keeps no session would be sent to the provider and back for
// ever. So the binding remembers the sessions that were put into the browser
// and did not come back; the answer to one too many is a page that says what is
// known of the reason.
const (
	loopWindow = time.Minute
	loopRounds = 3 // the one that is not gone through with
)

// unfollowed returns when, of late, sessions were put into this browser of which
// none came back, and what is wrong with what came instead. Tabs that come back
// together, long after the session's end, are none: each brings what the one
// before it was given.
func (g *Gate) unfollowed(env flow.Env, q *request, b *session.Binding) (settled []int64, why error) {
	now := g.now()
	for _, at := range b.Settled {
		if now.Sub(time.Unix(at, 0)) < loopWindow {
			settled = append(settled, at)
		}
	}
	if len(settled) == 0 {
		return nil, nil
	}
	o, err := g.open(q)
	if errors.Is(err, errTicket) {
		o, err = g.fetchFor(env, q)
	}
	if o != nil || outageOf(err) != nil {
		return nil, nil // while the store is away, nobody knows
	}
	return settled, err
}

// countSettled has an answer that puts a session into the browser count it.
func (g *Gate) countSettled(v Verdict, b *session.Binding, before []int64) Verdict {
	if v.Respond == nil || v.Respond.Reason != reasonSignedIn {
		return v
	}
	if keep := loopRounds - 2; len(before) > keep {
		before = before[len(before)-keep:]
	}
	bytes := 0
	for _, f := range v.Respond.Header {
		if f.Name == "set-cookie" && g.jar.Owns(httpmsg.SetCookieName(f.Value)) {
			pair, _, _ := strings.Cut(f.Value, ";")
			_, value, _ := strings.Cut(pair, "=")
			bytes += len(value)
		}
	}
	field, err := g.sealedBinding(b.WithSettled(append(before, g.now().Unix()), bytes))
	if err == nil {
		v.Respond.Header = append(v.Respond.Header, field)
	}
	return v
}

// reasonSignedIn is the reason of the answers that put a session into a browser.
const reasonSignedIn = "signed_in"

// suspect answers a login that looks like one too many. Browsers send no strict
// cookie in a navigation that the provider's site began, and no lax one with a form
// that it posts: there, a page of ours asks first.
func (g *Gate) suspect(q *request, a *arrival, settled []int64, why error) Verdict {
	if (g.settings.Session.Cookie.SameSite == "strict" || q.Method == "POST") && !a.asked {
		to, err := g.ticketURL(session.Ticket{App: a.app, Return: a.to, Code: a.code, Asked: true})
		if err == nil {
			body, header := g.pages.Onward(q.language(), page.OnwardPage{URL: to})
			return Verdict{Respond: &Respond{Status: 200, Header: header, Body: body, Reason: "session_asked"}}
		}
	}
	g.used.add(a.app.ID)
	return g.loop(q, a, settled, why)
}

// loop answers the login that would be one too many. The count begins anew: who
// has put things right, and tries again, gets in.
func (g *Gate) loop(q *request, a *arrival, settled []int64, why error) Verdict {
	cause := "no_cookie"
	if why != nil {
		cause = sessionReason(why)
	}
	number, bytes := g.received(q)
	v := g.refuseLogin(q, failure{
		status: 403, reason: reasonLoginLoop, cause: cause, retry: g.startURL(a.to),
		figures: []page.Figure{
			{Key: "rounds", Value: strconv.Itoa(len(settled))},
			{Key: "seconds", Value: strconv.FormatInt(max(0, g.now().Unix()-settled[0]), 10)},
			{Key: "cookie", Value: g.cookieForm()},
			{Key: "bytes_set", Value: strconv.Itoa(a.binding.Bytes)},
			{Key: "cookies_received", Value: strconv.Itoa(number)},
			{Key: "bytes_received", Value: strconv.Itoa(bytes)},
		},
	})
	if field, err := g.sealedBinding(a.binding.WithSettled(nil, 0)); err == nil {
		v.Respond.Header = append(v.Respond.Header, field)
	}
	return g.withClearedCookies(q, v, why)
}

// cookieForm is what a browser may object to in the session's cookie.
func (g *Gate) cookieForm() string {
	c := &g.settings.Session.Cookie
	form := c.Name + "; Path=" + c.Path
	if c.Domain != "" {
		form += "; Domain=" + c.Domain
	}
	if !g.settings.InsecureHTTPCookies {
		form += "; Secure"
	}
	return form + "; SameSite=" + c.SameSite
}

// received counts the session's cookies that came, whatever is in them.
func (g *Gate) received(q *request) (number, bytes int) {
	httpmsg.WithoutCookies(q.Header, func(name, value string) bool {
		if g.jar.Owns(name) {
			number, bytes = number+1, bytes+len(value)
		}
		return false
	})
	return number, bytes
}

// unboundFailure is the answer to a browser that brings no binding: what kept
// its cookies back would keep back a session as well.
func (g *Gate) unboundFailure(q *request, retry string) failure {
	f := failure{status: 403, reason: "binding_missing", retry: retry}
	switch {
	case q.cookies.bindings > 1:
		f.cause = "cookie_sent_twice"
	case q.cookies.bindings == 1:
		f.cause = "does_not_open"
	case q.Scheme == "http" && !g.settings.InsecureHTTPCookies:
		f.cause = "plain_http"
	}
	return f
}

// tooLarge answers where a session does not fit into the browser's cookies,
// even with the tokens left out that could be. Trying again would not help.
func (g *Gate) tooLarge(q *request, err error) Verdict {
	const reason = "session_too_large"
	var e *session.TooLargeError
	if !errors.As(err, &e) {
		return g.internal(q)
	}
	g.happened(Event{
		Event: EventLoginRefused, Reason: reason, Provider: g.about(q),
		Bytes: e.Bytes, Dropped: e.Dropped, RequestID: q.ID(),
	})
	figures := []page.Figure{
		{Key: "bytes_needed", Value: strconv.Itoa(e.Bytes)},
		{Key: "bytes_allowed", Value: strconv.Itoa(g.settings.Session.MaxBytes)},
	}
	if len(e.Dropped) > 0 {
		figures = append(figures, page.Figure{Key: "left_out", Value: strings.Join(e.Dropped, ", ")})
	}
	return g.fail(q, failure{status: 500, reason: reason, final: true, figures: figures})
}
