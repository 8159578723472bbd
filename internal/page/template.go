package page

import (
	_ "embed"
	"strings"
	"unicode/utf8"
)

// markup is HTML. Only the files beside this one and what fill makes of them
// are; a value from outside never becomes markup by conversion.
type markup string

// slot is what goes into a slot of a template.
type slot struct {
	name, value string
	escaped     bool // the value is markup and stays as it is
}

func text(name, value string) slot        { return slot{name: name, value: value} }
func part(name string, value markup) slot { return slot{name, string(value), true} }

var (
	//go:embed html/document.html
	documentHTML markup
	//go:embed html/sign_in.html
	signInHTML markup
	//go:embed html/sign_out.html
	signOutHTML markup
	//go:embed html/message.html
	messageHTML markup
	//go:embed html/error.html
	errorHTML markup
	//go:embed html/email.html
	emailHTML markup
	//go:embed html/mark_door.svg
	doorMark markup
	//go:embed html/mark_done.svg
	doneMark markup
	//go:embed html/mark_stop.svg
	stopMark markup
)

const (
	actionsHTML markup = "<div class=\"actions\">\n{actions}</div>\n"
	furtherHTML markup = "<a class=\"{class}\" href=\"{url}\"><span>{name}</span></a>\n"
	detailsHTML markup = "<dl>\n{details}</dl>\n"
	detailHTML  markup = "<div><dt>{label}</dt><dd><bdi>{value}</bdi></dd></div>\n"
	siteHTML    markup = "<p class=\"site\"><bdi>{name}</bdi></p>\n"
	logoHTML    markup = "<img class=\"logo\" src=\"{src}\" alt=\"\">\n"
	bdiHTML     markup = "<bdi>{value}</bdi>"
	boldHTML    markup = "<b><bdi>{value}</bdi></b>"
)

// apart is a slot for a name from outside, whose direction is its own.
func apart(name, value string) slot { return part(name, fill(bdiHTML, text("value", value))) }

// fill puts values into the slots of a template, which are names in braces.
// Texts are escaped for element content and quoted attributes alike; what was
// put in is not looked at again. A slot without a value stays empty. Slots are a
// list, not a map: the code that makes maps is most of what this package weighs.
func fill(template markup, slots ...slot) markup {
	var b strings.Builder
	rest := string(template)
	for {
		before, after, found := strings.Cut(rest, "{")
		b.WriteString(before)
		if !found {
			return markup(b.String())
		}
		name, tail, _ := strings.Cut(after, "}")
		for _, s := range slots {
			if s.name == name && s.escaped {
				b.WriteString(s.value)
			} else if s.name == name {
				escape(&b, s.value)
			}
		}
		rest = tail
	}
}

// escaped is a text as markup.
func escaped(s string) markup {
	var b strings.Builder
	escape(&b, s)
	return markup(b.String())
}

// escape writes s as text. Control characters, which HTML forbids, and bytes
// that are not UTF-8 are replaced.
func escape(b *strings.Builder, s string) {
	for _, r := range s {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&#34;")
		case r == '\'':
			b.WriteString("&#39;")
		case r == '`':
			b.WriteString("&#96;")
		case r < ' ', r >= 0x7f && r < 0xa0:
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
	}
}

// link returns an address that may stand in a link or a form: one on this
// host, or an http or https URL. Anything else, a javascript: URL above all,
// leads to the root.
func link(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return "/"
	}
	local := strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//")
	if local || strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
		return s
	}
	return "/"
}

// image returns an address from which a logo may come, or "".
func image(s string) string {
	if strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "data:image/") {
		return s
	}
	return ""
}
