// Package page writes what a person sees when the gate itself answers: the
// sign-in page, the question before signing out, the page after it, error
// pages, and the page that says no to somebody who is signed in; and for
// programs the JSON form of an error.
//
// It runs no script, loads nothing from anywhere but a logo, and puts no text
// into a page unescaped; an address that is not a plain http, https or local
// one becomes no link. It never shows what a provider or a browser worded,
// only its own words for a reason. Of what a rule demands it shows no persons,
// nor what excludes somebody.
//
// It follows the HTML standard, Content Security Policy level 3, WCAG 2.2
// level AA and, for programs, RFC 9457.
package page

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// SignInPage lets a person choose how to sign in.
type SignInPage struct {
	Destination string // the host that waits behind the sign-in; "" to say nothing
	Choices     []Choice
	Email       *EmailForm // asks for an e-mail address, by whose domain the provider is found; nil for no such question
	SignedInAs  string     // a name; "" where nobody is signed in
	SignOut     string     // where to sign out; "" for nowhere
	Stay        string     // where somebody who is signed in already goes on to; "" for nowhere
}

// Choice is one way to sign in.
type Choice struct {
	Name, URL string
	Kind      string // the provider's type in the settings, whose mark the button has
	Logo      string // an https: or data:image/ address in place of that mark
	Color     string // "#rrggbb"; "" for the usual one
	Last      bool   // this browser signed in that way before
}

// EmailForm asks for an e-mail address. The answer is a GET of Action with the
// address as email and Return as rd.
type EmailForm struct {
	Action, Return string
	Value          string // what was typed before
	Unknown        bool   // no provider is known for that
}

// SignOutPage asks whether to sign out. The answer is a POST to Action.
type SignOutPage struct {
	Action string
	Cancel string // where "stay signed in" leads; "" for the root
}

// OnwardPage sends a browser on to another site once a form has been posted.
// A redirect would not do: browsers hold the form-action of the page that
// posted against every redirect that follows (CSP level 3, section 6.4.2), and
// drop the request without a word.
type OnwardPage struct {
	URL string
}

// SignedOutPage says that the session is over.
type SignedOutPage struct {
	SignIn     string // where to sign in again; "" for nowhere
	AtProvider bool   // the session at the provider has ended as well
}

// ErrorPage says why something did not happen, in the words that belong to
// the reason, or to the status where the reason has none.
type ErrorPage struct {
	Status    int
	Reason    string // a stable code in snake_case
	Cause     string // what the reason comes of, in snake_case; "" where it says all
	RequestID string
	Retry     string // where to try again; "" for nowhere
	Figures   []Figure
}

// Figure is something that was counted. The key is one that the language has a
// name for; others are shown as they are.
type Figure struct{ Key, Value string }

// SignIn writes a sign-in page.
func (s *Pages) SignIn(accept string, p SignInPage) (body []byte, header httpmsg.Fields) {
	t := s.language(accept)
	lead := t.signInMany
	switch len(p.Choices) {
	case 0:
		lead = t.signInNone
	case 1:
		lead = t.signInOne
	}
	var choices markup
	for i, c := range p.Choices {
		class := "button"
		if i > 0 {
			class = "button second"
		}
		choices += fill(choiceHTML, text("class", class), text("url", link(c.URL)), text("with", t.continueWith), text("name", c.Name))
	}
	var destination markup
	if p.Destination != "" {
		destination = fill(destinationHTML, text("to", t.continueTo), text("host", p.Destination))
	}
	content := fill(signInHTML, text("lead", lead), part("choices", choices), part("destination", destination))
	return document(frame{t: t, heading: t.signIn, site: s.Title, logo: s.Logo, mark: doorMark}, content), headers()
}

// SignOut writes the question before a sign-out.
func (s *Pages) SignOut(accept string, p SignOutPage) (body []byte, header httpmsg.Fields) {
	t := s.language(accept)
	if p.Cancel == "" {
		p.Cancel = "/"
	}
	content := fill(signOutHTML, text("lead", t.signOutLead),
		text("action", link(p.Action)), text("yes", t.signOut),
		text("cancel", link(p.Cancel)), text("no", t.staySignedIn))
	return document(frame{t: t, heading: t.signOutAsk, site: s.Title, logo: s.Logo, mark: doorMark}, content), headers()
}

// SignedOut writes the page after a sign-out.
func (s *Pages) SignedOut(accept string, p SignedOutPage) (body []byte, header httpmsg.Fields) {
	t := s.language(accept)
	lead := t.signedOutLead
	if p.AtProvider {
		lead = t.signedOutAtProvider
	}
	content := fill(messageHTML, text("lead", lead), part("action", action(p.SignIn, t.signInAgain)))
	return document(frame{t: t, heading: t.signedOut, site: s.Title, logo: s.Logo, mark: doneMark}, content), headers()
}

// Onward writes a page that a browser leaves at once.
func (s *Pages) Onward(accept string, p OnwardPage) (body []byte, header httpmsg.Fields) {
	t := s.language(accept)
	content := fill(messageHTML, text("lead", t.onwardLead), part("action", action(p.URL, t.onwardNow)))
	body = document(frame{t: t, heading: t.onward, site: s.Title, logo: s.Logo, mark: doorMark}, content)
	return body, append(headers(), httpmsg.Field{Name: "refresh", Value: "0;url=" + link(p.URL)})
}

// Error writes an error page.
func (s *Pages) Error(accept string, p ErrorPage) (body []byte, header httpmsg.Fields) {
	t := s.language(accept)
	e := t.explain(p.Status, p.Reason, p.Cause)
	labels := make([]label, 0, len(p.Figures)+3)
	for _, f := range p.Figures {
		labels = append(labels, label{t.figure(f.Key), f.Value})
	}
	labels = append(labels, label{t.reason, p.Reason}, label{t.cause, p.Cause}, label{t.requestID, shorten(p.RequestID)})
	name := t.tryAgain
	if p.Status == 401 {
		name = t.signIn
	}
	retry := action(p.Retry, name)
	content := fill(errorHTML, text("lead", e.detail), text("advice", e.advice), part("retry", retry), part("details", details(labels...)))
	return document(frame{t: t, heading: e.title, site: s.Title, logo: s.Logo, mark: stopMark}, content), headers()
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

// action is a link that looks like a button, or nothing where it leads
// nowhere.
func action(url, name string) markup {
	if url == "" {
		return ""
	}
	return fill(actionHTML, text("url", link(url)), text("name", name))
}

// frame is what is around the content of every page.
type frame struct {
	t          *language
	heading    string
	site, logo string
	mark       markup
}

func document(f frame, content markup) []byte {
	mark, title := f.mark, f.heading
	if src := image(f.logo); src != "" {
		mark = fill(logoHTML, text("src", src))
	}
	var site markup
	if f.site != "" {
		title += " \u00b7 " + f.site
		site = fill(siteHTML, text("name", f.site))
	}
	return []byte(fill(documentHTML, text("lang", f.t.tag), text("dir", f.t.dir), part("style", markup(style)),
		text("title", title), text("heading", f.heading), part("mark", mark), part("site", site), part("content", content)))
}

//go:embed html/style.css
var style string

var styleHash = hashOf(style)

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// headers are the fields that every page is sent with.
func headers() httpmsg.Fields {
	return append(httpmsg.Fields{
		{Name: "content-type", Value: "text/html; charset=utf-8"},
		{Name: "content-security-policy", Value: "default-src 'none'; style-src " + styleHash +
			"; img-src https: data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
		{Name: "x-frame-options", Value: "DENY"},
	}, common()...)
}

// common are the fields that pages and problems share.
func common() httpmsg.Fields {
	return httpmsg.Fields{
		{Name: "cache-control", Value: "no-store"},
		{Name: "x-content-type-options", Value: "nosniff"},
		{Name: "referrer-policy", Value: "no-referrer"},
	}
}
