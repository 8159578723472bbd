// Package page writes what a person sees when the gate itself answers: the
// sign-in page, the question before signing out, the page after it, error
// pages, and the page that says no to somebody who is signed in; and for
// programs the JSON form of an error.
//
// It loads nothing from anywhere but logos, and puts no text into a page
// unescaped; an address that is not a plain http, https or local one becomes no
// link. It never shows what a provider or a browser worded, only its own words
// for a reason. Of what a rule demands it shows no persons, nor what excludes
// somebody. Templates of the settings have no say in any of this: where a value
// stands in one decides how it is escaped, and where that would not help they
// are refused.
//
// It follows the HTML standard, Content Security Policy level 3, WCAG 2.2
// level AA, RFC 9110 (section 12.5.4, the languages) and, for programs, RFC 9457.
package page

import "github.com/postern-auth/postern/internal/httpmsg"

// SignOutPage asks whether to sign out. The answer is a POST to Action.
type SignOutPage struct {
	Action string
	Cancel string // where "stay signed in" leads; "" for the root
}

// OnwardPage sends a browser on to another site once a form has been posted.
// A redirect would not do: browsers hold the form-action of the page that
// posted against every redirect that follows (CSP level 3, section 6.4.1), and
// drop the request without a word.
type OnwardPage struct {
	URL string
}

// SignedOutPage says that the session is over, or that it is not.
type SignedOutPage struct {
	SignIn        string // where to sign in again; "" for nowhere
	AtProvider    bool   // the session at the provider has ended as well
	StillSignedIn bool   // the session here has not ended after all
	SignOut       string // where to end it then; "" for nowhere
}

// ErrorPage says why something did not happen, in the words that belong to
// the reason, or to the status where the reason has none.
type ErrorPage struct {
	Status    int
	Reason    string // a stable code in snake_case
	Cause     string // what the reason comes of, in snake_case; "" where it says all
	RequestID string
	Retry     string // where to try again; "" for nowhere
	Other     string // where to choose another way to sign in; "" for nowhere
	Figures   []Figure
}

// Figure is something that was counted. The key is one that the language has a
// name for; others are shown as they are.
type Figure struct{ Key, Value string }

// SignOut writes the question before a sign-out.
func (s *Pages) SignOut(accept string, p SignOutPage) (body []byte, header httpmsg.Fields) {
	t := s.language(accept)
	if p.Cancel == "" {
		p.Cancel = "/"
	}
	return s.write(frame{t: t, heading: t.say("sign_out_ask"), mark: doorMark}, signOutHTML, text("lead", t.say("sign_out_lead")),
		text("action", link(p.Action)), text("yes", t.say("sign_out")),
		text("cancel", link(p.Cancel)), text("no", t.say("stay_signed_in")))
}

// SignedOut writes the page after a sign-out.
func (s *Pages) SignedOut(accept string, p SignedOutPage) (body []byte, header httpmsg.Fields) {
	t := s.language(accept)
	f := frame{t: t, kind: "signed_out", heading: t.say("signed_out"), mark: doneMark}
	lead, ways := t.say("signed_out_lead"), t.ways(way{p.SignIn, "sign_in_again"})
	switch {
	case p.StillSignedIn:
		f.heading, f.mark = t.say("still_signed_in"), doorMark
		lead, ways = t.say("still_signed_in_lead"), t.ways(way{p.SignOut, "sign_out"})
	case p.AtProvider:
		lead = t.say("signed_out_at_provider")
	}
	return s.write(f, messageHTML, text("lead", lead), part("actions", ways))
}

// Onward writes a page that a browser leaves at once.
func (s *Pages) Onward(accept string, p OnwardPage) (body []byte, header httpmsg.Fields) {
	t := s.language(accept)
	f := frame{t: t, heading: t.say("onward"), mark: doorMark}
	body, header = s.write(f, messageHTML, text("lead", t.say("onward_lead")), part("actions", t.ways(way{p.URL, "onward_now"})))
	return body, append(header, httpmsg.Field{Name: "refresh", Value: "0;url=" + link(p.URL)})
}

// Error writes an error page.
func (s *Pages) Error(accept string, p ErrorPage) (body []byte, header httpmsg.Fields) {
	t := s.language(accept)
	e := t.explain(p.Status, p.Reason, p.Cause)
	labels := make([]label, 0, len(p.Figures)+3)
	for _, f := range p.Figures {
		labels = append(labels, label{t.figure(f.Key), f.Value})
	}
	labels = append(labels, label{t.say("reason"), p.Reason}, label{t.say("cause"), p.Cause}, label{t.say("request"), shorten(p.RequestID)})
	retry := "try_again"
	if p.Status == 401 {
		retry = "sign_in"
	}
	return s.write(frame{t: t, kind: "error", heading: e.title, mark: stopMark}, errorHTML,
		text("lead", e.detail), text("advice", e.advice),
		part("actions", t.ways(way{p.Retry, retry}, way{p.Other, "choose_other"})), part("details", details(labels...)),
		text("reason", p.Reason), text("request_id", shorten(p.RequestID)))
}

// label is a value and what it is called.
type label struct{ name, value string }

// details are what whoever looks after the site wants to know.
func details(labels ...label) (list markup) {
	for _, d := range labels {
		if d.value != "" {
			list += fill(detailHTML, text("label", d.name), text("value", d.value))
		}
	}
	if list == "" {
		return ""
	}
	return fill(detailsHTML, part("details", list))
}

// maxRequestID bounds what is shown of a request id: a client may choose one.
const maxRequestID = 128

func shorten(id string) string {
	if len(id) > maxRequestID {
		id = id[:maxRequestID]
	}
	return id
}
