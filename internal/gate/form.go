package gate

import (
	"cmp"
	"errors"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/page"
	"github.com/postern-auth/postern/internal/session"
)

// A form that somebody sends whose session is over is kept by their browser, as
// something that only we can read, in that browser, at this host, for a while;
// and they are asked whether it is to be sent. A form that another site made them
// send is none of these: once they are signed in, nothing would tell it from one
// that they filled in here.

// keepsForm reports whether a request is a form that a page of this origin had a
// person send, in a window.
func (g *Gate) keepsForm(q *request) bool {
	return g.settings.SignIn.KeepForms && q.Method == "POST" && inWindow(q) && g.fromHere(q)
}

// inWindow reports whether no frame is said to be the one that asks: in one,
// nobody sees a page of ours.
func inWindow(q *request) bool {
	_, said := q.Header.Get("sec-fetch-dest")
	return !said || opensDocument(q)
}

// fromHere reports whether a page of this very origin sent a POST. Browsers say
// where it comes from (Fetch, section 3.1), and newer ones whether that is the
// same, which a page cannot have them say falsely: there, a page that has them
// keep back its origin is none the less ours.
func (g *Gate) fromHere(q *request) bool {
	origin, once := q.Header.Only("origin")
	ours := once && origin == g.origin(q)
	if _, said := q.Header.Get("sec-fetch-site"); !said {
		return ours
	}
	return says(q, "sec-fetch-site", "same-origin") && (ours || once && origin == "null")
}

// keepForm has the browser keep the form that it sent, and go on to where the
// person signs in. Where that cannot be done, it is said: they still have what
// they filled in on the page before.
func (g *Gate) keepForm(q *request, p *party, step session.Step) (Verdict, Flow) {
	action, err := httpmsg.ReturnPath(q.Target)
	switch {
	case err != nil:
		return g.formNotKept(q, "form_not_kept", "address"), nil
	case !urlEncoded(q):
		return g.formNotKept(q, "form_not_kept", "content_type"), nil
	case errors.Is(q.refused, errReplaced): // its successor stays, and would be waited for again
		return g.formNotKept(q, "form_not_kept", "replaced"), nil
	case q.waited:
		return g.sendAgain(q), nil
	}
	return Verdict{Body: &Body{Limit: session.MaxForm, Then: func(body []byte, err error) (Verdict, Flow) {
		if err != nil {
			return g.formUnread(q, err), nil
		}
		if _, why := readFields(string(body)); why != "" {
			return g.formNotKept(q, "form_not_kept", why), nil
		}
		return g.keepFormPage(q, p, step, session.Form{Action: action, Back: g.backFrom(q), Made: g.now().Unix(), Body: body}), nil
	}}}, nil
}

// reasonFormAgain is the reason of answers that have a browser send a form again.
const reasonFormAgain = "form_again"

// sendAgain has a browser send a form once more, whose body can no longer be
// read because its session was waited for. This answer takes the session away, or
// renews it, so that there is nothing to wait for then. 307 keeps method and body
// (RFC 9110, section 15.4.8).
func (g *Gate) sendAgain(q *request) Verdict {
	v := redirect(q.Target, reasonFormAgain, nil)
	v.Respond.Status = 307
	return v
}

// formUnread answers a form whose body could not be read.
func (g *Gate) formUnread(q *request, err error) Verdict {
	if errors.Is(err, ErrBodyTooLarge) {
		return g.formNotKept(q, "form_too_large", "")
	}
	return g.formNotKept(q, "form_not_kept", bodyFailure(err).reason)
}

// formNotKept tells a person that they have to fill in a form once more, and leads
// to where they sign in, to return to the page that it was on.
func (g *Gate) formNotKept(q *request, reason, cause string) Verdict {
	g.happened(Event{Event: EventRequestRefused, Reason: reason, Cause: cause, RequestID: q.ID()})
	return g.fail(q, failure{status: 401, reason: reason, cause: cause, retry: g.startURL(g.formPage(q))})
}

// formPage is the page that a form was on, as far as that is known: else the one
// that it was for.
func (g *Gate) formPage(q *request) string {
	if back := g.backFrom(q); back != "" {
		return back
	}
	return q.wanted()
}

// keepFormPage is the page that has the browser keep a form.
func (g *Gate) keepFormPage(q *request, p *party, step session.Step, f session.Form) Verdict {
	b, header, err := g.bind(q)
	if err != nil {
		return g.internal(q)
	}
	sealed, err := g.keys.SealForm(b, g.origin(q), f, g.random)
	if err != nil {
		return g.internal(q)
	}
	ways, err := g.waysTo(q, p, step, resuming(g.paths.form, f.Action))
	if err != nil {
		return g.internal(q)
	}
	body, fields := g.pages.KeepForm(q.language(), page.KeepFormPage{Sealed: sealed, Next: ways[0], SignIn: g.startURL(g.formPage(q))})
	return g.keeping(q, body, append(fields, header...), "keep_form")
}

// serveKeptForm has a browser hand in the form that it kept.
func (g *Gate) serveKeptForm(q *request) (Verdict, Flow) {
	back := g.returnTo(q, g.paths.behind(q.Target))
	body, header := g.pages.ResumeForm(q.language(), page.ResumeFormPage{Action: g.paths.form, Back: back})
	return Verdict{Respond: &Respond{Status: 200, Header: header, Body: body, Reason: "resume_form"}}, nil
}

// serveForm takes the sealed form that a browser kept and asks the person whether
// it is to be sent. To ask twice does no harm: what was sent, and how often, is
// for the person to know, as it is with Reload.
func (g *Gate) serveForm(q *request) (Verdict, Flow) {
	if !g.fromHere(q) || !inWindow(q) || !urlEncoded(q) {
		g.tell(q.Request, EventRequestRefused, "form_cross_site")
		return g.fail(q, failure{status: 403, reason: "form_expired", logged: "form_cross_site", retry: "/"}), nil
	}
	const name = "form="
	return Verdict{Body: &Body{Limit: session.MaxSealedForm + len(name), Then: func(body []byte, err error) (Verdict, Flow) {
		sealed, ok := strings.CutPrefix(string(body), name)
		b := g.binding(q)
		if err != nil || !ok || b == nil {
			return g.formExpired(q), nil
		}
		f, err := g.keys.OpenForm(b, g.origin(q), sealed, g.now(), g.formLifetime())
		fields, why := readFields(string(f.Body))
		if err != nil || why != "" || g.returnTo(q, f.Action) != f.Action {
			return g.formExpired(q), nil
		}
		return g.askToSend(q, f, fields)
	}}}, nil
}

// formLifetime is how long a form is kept: as long as a login may take, and a
// little, in which it leads back here.
func (g *Gate) formLifetime() time.Duration {
	return g.settings.SignIn.LoginTimeout.Std() + 5*time.Minute
}

// formExpired is the one answer to what does not open, whatever is wrong with it.
func (g *Gate) formExpired(q *request) Verdict {
	g.tell(q.Request, EventRequestRefused, "form_expired")
	return g.fail(q, failure{status: 400, reason: "form_expired", retry: "/"})
}

// askToSend asks whoever is signed in whether a form is to be sent. Whoever is
// not, because they came here by themselves, signs in, and the browser keeps it
// as before.
func (g *Gate) askToSend(q *request, f session.Form, fields []page.FormField) (Verdict, Flow) {
	return g.withSession(q, func(o *opened, err error) (Verdict, Flow) {
		out := outageOf(err)
		switch {
		case out != nil:
			return g.unavailable(q, out), nil
		case o == nil:
			return g.withClearedCookies(q, g.keepFormPage(q, nil, session.Step{}, f), err), nil
		}
		_, address, _ := strings.Cut(g.origin(q)+pathOf(f.Action), "://")
		body, header := g.pages.SendForm(q.language(), page.SendFormPage{
			Action: f.Action, Address: address, Fields: fields, Cancel: g.returnTo(q, cmp.Or(f.Back, "/")),
			SignedInAs: personOf(o.session), Provider: o.party.displayName(),
		})
		return Verdict{Respond: &Respond{Status: 200, Header: append(header, g.fresh(q, o)...), Body: body, Reason: "form_asked"}}, nil
	})
}

// maxFields is how many fields a form may have.
const maxFields = 1000

// readFields reads a body as the fields of the form that a browser sent, or says
// why it cannot be sent to the letter by another form: that is in UTF-8, sends no
// field without a name, and knows no NUL.
func readFields(body string) (fields []page.FormField, why string) {
	for rest := body; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		switch {
		case err != nil || err2 != nil || name == "":
			return nil, "malformed"
		case !utf8.ValidString(name+value) || strings.ContainsRune(name+value, 0):
			return nil, "encoding"
		case len(fields) == maxFields:
			return nil, "too_many_fields"
		}
		fields = append(fields, page.FormField{Name: name, Value: value})
	}
	return fields, ""
}
