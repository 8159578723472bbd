package page

import (
	_ "embed"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// KeepFormPage has the browser keep a form and goes on to where somebody signs
// in. A browser that does not keep it says so.
type KeepFormPage struct {
	Sealed string // the form
	Next   string // where to go once it is kept
	SignIn string // where to sign in by hand, without it
}

// ResumeFormPage has the browser send the form that it kept to Action, sealed as
// it is. A browser that has none says so.
type ResumeFormPage struct {
	Action string
	Back   string // where to go then
}

// SendFormPage asks whether a form is to be sent. The answer is a POST of the
// fields to Action, which only a person's click sends.
type SendFormPage struct {
	Action     string
	Address    string // host and path, as people read them
	Fields     []FormField
	SignedInAs string // a name; "" where none is known
	Provider   string // the display name of the provider that said so
	Cancel     string // where to go without sending it
}

// FormField is a field of a form.
type FormField struct{ Name, Value string }

var (
	//go:embed html/form_keep.html
	formKeepHTML markup
	//go:embed html/form_keep.js
	formKeepScript string
	//go:embed html/form_resume.html
	formResumeHTML markup
	//go:embed html/form_resume.js
	formResumeScript string
	//go:embed html/form_send.html
	formSendHTML markup
)

// KeepForm writes a page that a browser leaves at once, if it can keep the form.
func (s *Pages) KeepForm(accept string, p KeepFormPage) (body []byte, header httpmsg.Fields) {
	t := s.language(accept)
	e := t.explain(401, "form_not_kept", "")
	return s.scripted(frame{t: t, heading: e.title}, formKeepScript, formKeepHTML, text("moment", t.say("onward")),
		text("form", p.Sealed), text("next", link(p.Next)),
		text("lead", e.detail), text("advice", e.advice), part("actions", t.ways(way{p.SignIn, "sign_in"})))
}

// ResumeForm writes a page that a browser leaves at once, if it has a form.
func (s *Pages) ResumeForm(accept string, p ResumeFormPage) (body []byte, header httpmsg.Fields) {
	t := s.language(accept)
	e := t.explain(400, "form_expired", "")
	body, header = s.scripted(frame{t: t, heading: t.say("onward")}, formResumeScript, formResumeHTML,
		text("action", link(p.Action)),
		text("lead", e.detail), text("advice", e.advice), part("actions", t.ways(way{p.Back, "onward_now"})))
	return body, tellsOrigin(header)
}

// SendForm writes the question before a form is sent. It runs no script: nothing
// but the person sends it.
func (s *Pages) SendForm(accept string, p SendFormPage) (body []byte, header httpmsg.Fields) {
	t := s.language(accept)
	body, header = s.write(frame{t: t, heading: t.say("form_ask"), mark: doorMark}, formSendHTML,
		text("lead", t.say("form_lead")), part("who", t.who(p.SignedInAs, p.Provider)),
		part("details", details(
			label{t.say("form_to"), plain(p.Address, maxAddress)},
			label{t.say("form_fields"), strconv.Itoa(len(p.Fields))},
		)),
		text("action", link(p.Action)), part("inputs", inputs(p.Fields)), text("send", t.say("form_send")),
		text("cancel", link(p.Cancel)), text("drop", t.say("form_drop")))
	return body, anywhere(tellsOrigin(header))
}

// tellsOrigin has the form of a page say which origin it comes from: whoever guards
// forms looks at that, we and applications alike. The page's own address is kept
// back: applications lead to the one that a form came from, and nothing is there.
func tellsOrigin(header httpmsg.Fields) httpmsg.Fields {
	return changed(header, "referrer-policy", func(string) string { return "strict-origin" })
}

// anywhere takes out of a page's policy where forms may go. It holds for the
// redirects after a form, too, and where the application sends a browser once it
// has the form is not ours to say.
func anywhere(header httpmsg.Fields) httpmsg.Fields {
	return changed(header, "content-security-policy", func(policy string) string {
		return strings.Replace(policy, "form-action 'self'; ", "", 1)
	})
}

func changed(header httpmsg.Fields, name string, to func(string) string) httpmsg.Fields {
	for i := range header {
		if header[i].Name == name {
			header[i].Value = to(header[i].Value)
		}
	}
	return header
}

// inputs are the fields of a form as a browser sends them, in their order.
func inputs(fields []FormField) markup {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(`<input type="hidden" name="`)
		verbatim(&b, f.Name)
		b.WriteString(`" value="`)
		verbatim(&b, f.Value)
		b.WriteString("\">\n")
	}
	return markup(b.String())
}

// maxAddress bounds what is shown of where a form goes, in characters.
const maxAddress = 200

// verbatim writes s as the value of a quoted attribute that a browser reads back
// to the letter. The line breaks stand as references, because a parser would make
// one of two; nothing can stand for NUL, which is not for here.
func verbatim(b *strings.Builder, s string) {
	for i := range len(s) {
		switch c := s[i]; c {
		case '&', '<', '>', '"', '\'', '`', '\r', '\n', '\t':
			b.WriteString("&#" + strconv.Itoa(int(c)) + ";")
		default:
			b.WriteByte(c)
		}
	}
}
