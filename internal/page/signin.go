package page

import (
	_ "embed"
	"strconv"

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
	Switch         bool   // the answer has switch=1: whoever answers wants to be somebody else
}

const (
	textHTML        markup = "<p class=\"text\" dir=\"auto\">{text}</p>\n"
	choicesHTML     markup = "<ul class=\"choices\" role=\"list\">\n{choices}</ul>\n"
	choiceHTML      markup = "<li><a class=\"{class}\" href=\"{url}\">{mark}<span>{with}</span>{last}</a></li>\n"
	lastHTML        markup = "<small>{last}</small>"
	pictureHTML     markup = "<img class=\"brand\" src=\"{src}\" alt=\"\">"
	brandHTML       markup = "<svg class=\"brand\" viewBox=\"0 0 24 24\" width=\"24\" height=\"24\" aria-hidden=\"true\">{drawing}</svg>"
	orHTML          markup = "<p class=\"or\"><span>{or}</span></p>\n"
	otherHTML       markup = "<h2>{other}</h2>\n"
	emailErrorHTML  markup = "<p class=\"wrong\" id=\"email-error\">{error}</p>\n"
	invalidHTML     markup = " aria-invalid=\"true\" aria-describedby=\"email-error\" autofocus"
	destinationHTML markup = "<p class=\"note\">{to}</p>\n"
	switchHTML      markup = "<input type=\"hidden\" name=\"switch\" value=\"1\">\n"
	endHTML         markup = "<p class=\"end\"><a href=\"{url}\">{name}</a></p>\n"
)

// SignIn writes a sign-in page.
func (s *Pages) SignIn(accept string, p SignInPage) (body []byte, header httpmsg.Fields) {
	t := s.language(accept)
	choices, sheet := t.choices(p.Choices, p.Stay != "")
	var words, stay, email, destination, end markup
	if s.text != "" {
		words = fill(textHTML, text("text", s.text))
	}
	if p.Stay != "" {
		ways := way{p.Stay, "stay"}
		if choices != "" || p.Email != nil { // whoever comes here signed in wants one of these, or was denied what Stay leads to
			stay = t.waysOf("button second", ways) + fill(otherHTML, text("other", t.say("other_way")))
		} else {
			stay = t.ways(ways)
		}
	}
	if p.Email != nil {
		email = t.email(p.Email, choices != "")
	}
	if p.Destination != "" {
		destination = fill(destinationHTML, part("to", t.tell("continue_to", apart("host", p.Destination))))
	}
	if p.SignOut != "" && p.SignedInAs != "" {
		end = fill(endHTML, text("url", link(p.SignOut)), text("name", t.say("sign_out")))
	}
	return s.write(frame{t: t, kind: "sign_in", heading: t.say("sign_in"), mark: doorMark, sheet: sheet}, signInHTML,
		part("lead", t.signInLead(&p)), part("text", words), part("stay", stay), part("choices", choices),
		part("email", email), part("destination", destination), part("end", end))
}

// signInLead is the sentence below the heading.
func (l *language) signInLead(p *SignInPage) markup {
	switch {
	case p.SignedInAs != "":
		return l.tell("signed_in_already", apart("name", plain(p.SignedInAs, maxValue)))
	case len(p.Choices) == 0 && p.Email == nil:
		return l.tell("sign_in_none")
	case len(p.Choices) == 0:
		return l.tell("sign_in_email")
	case len(p.Choices) == 1 && p.Email == nil:
		return l.tell("sign_in_one")
	}
	return l.tell("sign_in_many")
}

// choices are the buttons, the one that this browser took before first, and the
// styles of those that have a colour.
func (l *language) choices(all []Choice, second bool) (list markup, sheet string) {
	for _, last := range [...]bool{true, false} {
		for i := range all {
			if c := &all[i]; c.Last == last {
				class, colours := buttonClass(c, i, !second && (last || len(all) == 1))
				list += l.choice(c, class)
				sheet += colours
			}
		}
	}
	if list == "" {
		return "", ""
	}
	return fill(choicesHTML, part("choices", list)), sheet
}

func (l *language) choice(c *Choice, class string) markup {
	var last markup
	if c.Last {
		last = fill(lastHTML, text("last", l.say("last_used")))
	}
	mark := fill(brandHTML, part("drawing", drawing(c.Kind)))
	if src := image(c.Logo); src != "" {
		mark = fill(pictureHTML, text("src", src))
	}
	return fill(choiceHTML, text("class", class), text("url", link(c.URL)), part("mark", mark),
		part("with", l.tell("continue_with", apart("name", c.Name))), part("last", last))
}

// buttonClass is the class of a choice's button: one that is set off, or one of
// its own colour, whose styles come with it. A style attribute would be
// simpler, but no policy admits those by a hash.
func buttonClass(c *Choice, i int, setOff bool) (class, sheet string) {
	own, coloured := readColour(c.Color)
	switch {
	case coloured:
		class = "c" + strconv.Itoa(i)
		on, strong, edge := own.on().String(), own.strong().String(), own.String()
		if own.contrast(lightPalette.card) < visible || own.contrast(darkPalette.card) < 1.5 {
			edge = "var(--edge)" // it would not be seen that it is a button
		}
		sheet = ".button." + class + "{background:" + own.String() + ";border-color:" + edge + ";color:" + on + "}\n" +
			".button." + class + ":hover{background:" + strong + "}\n"
		return "button way " + class, sheet
	case setOff:
		return "button way", ""
	}
	return "button way second", ""
}

// email is the form that asks for an address, below other choices if there are any.
func (l *language) email(f *EmailForm, below bool) (form markup) {
	if below {
		form = fill(orHTML, text("or", l.say("or")))
	}
	var wrong, invalid, other markup
	if f.Switch {
		other = switchHTML
	}
	if f.Unknown {
		unknown := "email_unknown"
		if below {
			unknown = "email_unknown_choices"
		}
		wrong, invalid = fill(emailErrorHTML, text("error", l.say(unknown))), invalidHTML
	}
	return form + fill(emailHTML, text("action", link(f.Action)), text("label", l.say("email")), part("error", wrong),
		text("value", cut(f.Value, 254)), part("invalid", invalid), text("return", f.Return), part("switch", other), text("continue", l.say("email_continue")))
}

// cut is a text of at most so many bytes, or nothing where it is longer: half an
// address is none.
func cut(s string, most int) string {
	if len(s) > most {
		return ""
	}
	return s
}

//go:embed html/brands.txt
var brands string

// drawing is the mark of a kind of provider: a key where it has none.
func drawing(kind string) markup {
	all := readTerms(brands)
	if d, ok := all.of(kind); ok {
		return markup(d)
	}
	d, _ := all.of("key")
	return markup(d)
}
