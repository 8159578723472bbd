package page

import (
	_ "embed"
	"strings"
	"unicode/utf8"
)

// markup is HTML. Only the files beside this one and what fill makes of them
// are; a value from outside never becomes markup by conversion.
type markup string

type (
	texts map[string]string // slots that are filled escaped
	parts map[string]markup // slots that are filled as they are
)

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
	//go:embed html/mark_door.svg
	doorMark markup
	//go:embed html/mark_done.svg
	doneMark markup
	//go:embed html/mark_stop.svg
	stopMark markup
)

const (
	choiceHTML      markup = "<li><a class=\"{class}\" href=\"{url}\"><span>{with} <bdi>{name}</bdi></span></a></li>\n"
	destinationHTML markup = "<p class=\"note\">{to} <bdi>{host}</bdi></p>\n"
	actionHTML      markup = "<p><a class=\"button\" href=\"{url}\"><span>{name}</span></a></p>\n"
	detailsHTML     markup = "<dl>\n{details}</dl>\n"
	detailHTML      markup = "<div><dt>{label}</dt><dd><bdi>{value}</bdi></dd></div>\n"
	siteHTML        markup = "<p class=\"site\"><bdi>{name}</bdi></p>\n"
	logoHTML        markup = "<img class=\"logo\" src=\"{src}\" alt=\"\">\n"
)

// fill puts texts and parts into the slots of a template, which are names in
// braces. Texts are escaped for element content and quoted attributes alike;
// what was put in is not looked at again. A slot without a value stays empty.
func fill(template markup, t texts, p parts) markup {
	var b strings.Builder
	rest := string(template)
	for {
		before, after, found := strings.Cut(rest, "{")
		b.WriteString(before)
		if !found {
			return markup(b.String())
		}
		name, tail, _ := strings.Cut(after, "}")
		if part, ok := p[name]; ok {
			b.WriteString(string(part))
		} else {
			escape(&b, t[name])
		}
		rest = tail
	}
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
