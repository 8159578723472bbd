package page

import (
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/spelling"
)

// template is HTML of the settings with placeholders. Where each stands was
// looked at when it was read, so that filling needs to know nothing of HTML.
type template struct {
	name   string
	pieces []piece
	sheets []string // what its style elements hold
}

// piece is HTML as it stands, and the placeholder that follows.
type piece struct{ before, name string }

// templateNames are the pages that may have a template, and the one for all.
var templateNames = [...]string{"page", "sign_in", "signed_out", "error", "denied"}

// The kinds of what goes into a placeholder.
const (
	isText   = 't' // escaped: in elements, and in attributes that do nothing
	isMarkup = 'm' // elements: where elements may stand
	isImage  = 'i' // an address: a whole src or href
	isStyle  = 's' // a style sheet: in a style element
)

// kinds are the placeholders that there are.
var kinds = [...]struct {
	name string
	kind byte
}{
	{"actions", isMarkup}, {"advice", isText}, {"choices", isMarkup}, {"content", isMarkup}, {"details", isMarkup},
	{"dir", isText}, {"email", isMarkup}, {"heading", isText}, {"lang", isText}, {"lead", isText}, {"logo", isImage}, {"mark", isMarkup},
	{"missing", isMarkup}, {"reason", isText}, {"request_id", isText}, {"site", isText}, {"style", isStyle}, {"title", isText}, {"who", isMarkup},
}

// fill puts values into the template. Slots that it has no placeholder for stay
// out.
func (t *template) fill(slots []slot) markup {
	var b strings.Builder
	for _, p := range t.pieces {
		b.WriteString(p.before)
		if p.name != "" {
			b.WriteString(string(fill(markup("{"+p.name+"}"), slots...)))
		}
	}
	return markup(b.String())
}

// policy is how a policy names the template's styles (CSP level 3, section
// 2.3.1), of which some hold our own sheet.
func (t *template) policy(sheet string) string {
	if len(t.sheets) == 0 {
		return "'none'"
	}
	hashes := make([]string, len(t.sheets))
	for i, s := range t.sheets {
		hashes[i] = hashOf(strings.ReplaceAll(s, "{{style}}", sheet))
	}
	return strings.Join(hashes, " ")
}

// lacks says what a template has to hold and does not.
func lacks(name, source string) string {
	has := func(placeholder string) bool { return strings.Contains(source, "{{"+placeholder+"}}") }
	switch {
	case has("content"):
		return ""
	case name == "page":
		return "must hold {{content}}, in which the page's words and buttons are"
	case name == "sign_in" && !has("choices"):
		return "must hold {{content}} or {{choices}}, without which nobody can sign in"
	case name != "sign_in" && !has("lead"):
		return "must hold {{content}} or {{lead}}, in which it is said what happened"
	}
	return ""
}

// scanner reads a template as a browser would (HTML, section 13.2.5), as far as
// it takes to know where a placeholder stands.
type scanner struct {
	source  string
	at      int // what comes before has been looked at
	from    int // what comes before is in pieces
	pieces  []piece
	sheets  []string
	flaw    string
	drawing int // how many svg elements are open
}

// readTemplate reads a template. The message says what is wrong with it, and in
// which line.
func readTemplate(source string) (t *template, message string) {
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n") // as browsers do, before they hash
	s := &scanner{source: source}
	if !s.next("<!doctype html>") {
		s.fail("must begin with <!doctype html>")
	}
	if at := strings.IndexByte(source, 0); at >= 0 {
		s.at = at
		s.fail("has a character that HTML forbids")
	}
	for s.flaw == "" && s.at < len(s.source) {
		s.step()
	}
	if s.flaw != "" {
		return nil, s.flaw
	}
	return &template{pieces: append(s.pieces, piece{before: source[s.from:]}), sheets: s.sheets}, ""
}

func (s *scanner) fail(message string) {
	if s.flaw == "" {
		s.flaw = "line " + strconv.Itoa(1+strings.Count(s.source[:min(s.at, len(s.source))], "\n")) + ": " + message
	}
}

// next reports whether something comes next, in any case.
func (s *scanner) next(what string) bool {
	rest := s.source[s.at:]
	return len(rest) >= len(what) && strings.EqualFold(rest[:len(what)], what)
}

// until is what comes before the next of something, which is passed over.
func (s *scanner) until(what string) string {
	before, _, found := strings.Cut(s.source[s.at:], what)
	if !found {
		s.fail("something begins here that has no " + what)
		s.at = len(s.source)
		return ""
	}
	s.at += len(before) + len(what)
	return before
}

// plain passes over what no placeholder may stand in.
func (s *scanner) plain(end, where string) string {
	text := s.until(end)
	if strings.Contains(text, "{{") {
		s.fail("no placeholder may stand in " + where)
	}
	return text
}

func (s *scanner) step() {
	switch {
	case s.next("{{"):
		s.placeholder("an element", isText, isMarkup)
	case s.next("<!--"):
		s.at += len("<!--")
		s.plain("-->", "a comment")
	case s.next("<!doctype"):
		s.plain(">", "the doctype")
	case s.next("<!"), s.next("<?"):
		s.fail("is no HTML")
	case s.next("</"):
		if s.next("</svg") && s.drawing > 0 {
			s.drawing--
		}
		if tag := strings.TrimPrefix(s.plain(">", "an end tag"), "</"); strings.ContainsAny(tag, "<\"'=") {
			s.fail("an end tag has no attributes")
		}
	case s.next("<") && s.at+1 < len(s.source) && letter(s.source[s.at+1]):
		s.at++
		s.element()
	default:
		s.at++
	}
}

func letter(c byte) bool { c |= 0x20; return c >= 'a' && c <= 'z' }

// placeholder reads one, which stands where only some kinds may.
func (s *scanner) placeholder(where string, allowed ...byte) {
	begin := s.at
	s.at += len("{{")
	name := s.until("}}")
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
		if k.name != name {
			continue
		}
		if !strings.Contains(string(allowed), string(k.kind)) {
			s.fail("{{" + name + "}} may not stand in " + where)
		}
		s.pieces = append(s.pieces, piece{s.source[s.from:begin], name})
		s.from = s.at
		return
	}
	if near := spelling.Nearest(name, names); near != "" {
		s.fail("there is no such placeholder; did you mean {{" + near + "}}?")
	}
	s.fail("there is no such placeholder; there are " + strings.Join(names, ", "))
}

// refused are elements of whose content or effect a page of ours wants nothing,
// or which browsers read otherwise than the rest.
const refused = " script iframe object embed applet frame frameset base xmp noembed noframes noscript plaintext template math "

const blank = " \t\n\f"

func (s *scanner) element() {
	name := strings.ToLower(s.word(blank + "/>"))
	switch {
	case strings.Contains(refused, " "+name+" "):
		s.fail("<" + name + "> is not for pages of ours: they run no script and load nothing")
	case strings.Contains(name, "{{"):
		s.fail("no placeholder may stand in the name of an element")
	case name == "svg":
		s.drawing++
	case name == "style" && s.drawing > 0:
		s.fail("<style> may not stand in <svg>")
	}
	for s.flaw == "" {
		s.at += len(s.source[s.at:]) - len(strings.TrimLeft(s.source[s.at:], blank+"/"))
		if s.at >= len(s.source) {
			s.fail("<" + name + "> has no end")
		} else if s.next(">") {
			s.at++
			break
		} else {
			s.attribute(name)
		}
	}
	switch name {
	case "style":
		s.raw(name, isStyle)
	case "title", "textarea":
		s.raw(name, isText)
	}
}

// word is what comes before the next of some characters.
func (s *scanner) word(ends string) string {
	rest := s.source[s.at:]
	if end := strings.IndexAny(rest, ends); end >= 0 {
		rest = rest[:end]
	}
	s.at += len(rest)
	return rest
}

// attribute reads an attribute of an element, beginning with its name.
func (s *scanner) attribute(element string) {
	begin := s.at
	s.at++ // even = begins a name
	s.word(blank + "/>=")
	name := strings.ToLower(s.source[begin:s.at])
	switch {
	case strings.Contains(name, "{{"):
		s.fail("no placeholder may stand in the name of an attribute, or for a whole one")
	case strings.HasPrefix(name, "on"):
		s.fail(name + " would never run: pages of ours run no script")
	case name == "style":
		s.fail("style attributes do not work under our policy: put it into a <style> element")
	case name == "srcdoc", name == "http-equiv":
		s.fail(name + " is not for pages of ours")
	}
	s.at += len(s.source[s.at:]) - len(strings.TrimLeft(s.source[s.at:], blank))
	if s.flaw != "" || !s.next("=") {
		return
	}
	s.at++
	s.at += len(s.source[s.at:]) - len(strings.TrimLeft(s.source[s.at:], blank))
	begin = s.at
	if s.next(`"`) || s.next(`'`) {
		s.value(name, s.source[s.at:s.at+1])
	} else if strings.Contains(s.word(blank+">"), "{{") {
		s.fail("the value of " + name + " needs quotes around it, for a placeholder to stand in it")
	}
	if message := blockedAttribute(element, name, strings.Trim(s.source[begin:min(s.at, len(s.source))], `"'`)); message != "" {
		s.at = begin
		s.fail(message)
	}
}

// harmless are attributes that only ever say something.
const harmless = " lang dir title alt class id value placeholder aria-label aria-description "

// value reads an attribute's value in quotes.
func (s *scanner) value(name, quote string) {
	s.at++
	begin := s.at
	for s.flaw == "" && !s.next(quote) {
		switch {
		case s.at >= len(s.source):
			s.fail("the value of " + name + " has no end")
		case !s.next("{{"):
			s.at++
		case strings.Contains(harmless, " "+name+" "), strings.HasPrefix(name, "data-"):
			s.placeholder("an attribute", isText)
		case name == "src" || name == "href":
			s.placeholder(name, isImage)
			if s.source[begin:min(s.at, len(s.source))] != "{{logo}}" || !s.next(quote) {
				s.fail("{{logo}} must be the whole " + name)
			}
		default:
			s.fail("no placeholder may stand in the attribute " + name)
		}
	}
	s.at++
}

// raw reads the content of an element in which there are no others.
func (s *scanner) raw(name string, allowed byte) {
	begin := s.at
	for s.flaw == "" && !s.next("</"+name) {
		switch {
		case s.at >= len(s.source):
			s.fail("<" + name + "> has no end")
		case s.next("{{"):
			s.placeholder("<"+name+">", allowed)
		case s.next("<") && s.drawing > 0: // where a title may hold elements
			s.fail("<" + name + "> may hold nothing but text in <svg>")
		default:
			s.at++
		}
	}
	if name != "style" || s.flaw != "" {
		return
	}
	if message, at := blockedStyle(s.source[begin:s.at]); message != "" {
		s.at = begin + at
		s.fail(message)
	}
	s.sheets = append(s.sheets, s.source[begin:s.at])
}
