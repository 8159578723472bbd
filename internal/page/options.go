package page

import (
	"errors"
	"sort"
	"strings"

	"github.com/postern-auth/postern/internal/spelling"
)

// Options say how pages look, and what they say.
type Options struct {
	Title     string                       // what one signs in to; "" to say nothing
	Logo      string                       // an https: or data:image/ address; "" for the plain mark
	Text      string                       // a sentence or two on the sign-in page
	Language  string                       // a language's tag; "auto" or "" for what the browser prefers
	Colors    map[string]string            // name to "#rrggbb"
	Texts     map[string]map[string]string // language to name to text
	Templates map[string]string            // page to HTML with placeholders
}

// Pages writes pages of one look.
type Pages struct {
	title, logo, text string
	all               []*language
	only              *language // that everybody gets; nil for what they prefer
	sheet, hash       string    // the styles, and how a policy names them
	templates         []*template
}

// New returns the pages of a look. It fails where Check finds a flaw.
func New(o Options) (*Pages, error) {
	if flaws := Check(o); len(flaws) > 0 {
		return nil, errors.New("page: " + strings.Join(flaws[0].Path, ".") + ": " + flaws[0].Message)
	}
	s := &Pages{title: o.Title, logo: o.Logo, text: o.Text, all: languages(o.Texts), sheet: style + palettes(o.Colors)}
	s.hash = hashOf(s.sheet)
	for _, l := range s.all {
		if l.tag == o.Language {
			s.only = l
		}
	}
	for _, name := range sorted(o.Templates) {
		t, _ := readTemplate(o.Templates[name])
		t.name = name
		s.templates = append(s.templates, t)
	}
	return s, nil
}

// language is the one for a browser that sends the given Accept-Language.
func (s *Pages) language(accept string) *language {
	if s.only != nil {
		return s.only
	}
	return preferred(s.all, accept)
}

// template is the one for a kind of page, or the one for all, or nil.
func (s *Pages) template(kind string) (found *template) {
	for _, t := range s.templates {
		switch t.name {
		case kind:
			return t
		case "page":
			found = t
		}
	}
	return found
}

// Flaw is something in options that does not fit, and where it stands.
type Flaw struct {
	Path    []string
	Message string
}

// Check finds everything in options that does not fit, in a stable order.
func Check(o Options) (flaws []Flaw) {
	note := func(message string, path ...string) {
		if message != "" {
			flaws = append(flaws, Flaw{path, message})
		}
	}
	tags := Languages()
	if o.Language != "" {
		note(oneOf(o.Language, append([]string{"auto"}, tags...)), "language")
	}
	for _, name := range sorted(o.Colors) {
		note(colourFlaw(o.Colors, name), "colors", name)
	}
	if len(flaws) == 0 {
		note(paletteFlaw(o.Colors), "colors")
	}
	for _, tag := range sorted(o.Texts) {
		at := position(tags, tag)
		if at < 0 {
			note(oneOf(tag, tags), "texts", tag)
			continue
		}
		ours := languages(nil)[at].terms()
		for _, name := range sorted(o.Texts[tag]) {
			note(textFlaw(ours, name, o.Texts[tag][name]), "texts", tag, name)
		}
	}
	for _, name := range sorted(o.Templates) {
		note(templateFlaw(name, o.Templates[name]), "templates", name)
	}
	return flaws
}

func templateFlaw(name, source string) string {
	if message := oneOf(name, templateNames[:]); message != "" {
		return message
	}
	if _, message := readTemplate(source); message != "" {
		return message
	}
	return lacks(name, source)
}

func position(list []string, s string) int {
	for i := range list {
		if list[i] == s {
			return i
		}
	}
	return -1
}

func sorted[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// oneOf says what is wrong with a name that is none of those that there are.
func oneOf(name string, there []string) string {
	if position(there, name) >= 0 {
		return ""
	}
	if near := spelling.Nearest(name, there); near != "" {
		return "is not known; did you mean " + near + "?"
	}
	return "is none of " + strings.Join(there, ", ")
}

// maxText bounds a text of the settings.
const maxText = 600

// textFlaw says what is wrong with a text of the settings: beside being of a name
// that there is, it must have the parts and the placeholders of ours.
func textFlaw(ours terms, name, text string) string {
	was, ok := ours.of(name)
	if !ok {
		names := make([]string, len(ours))
		for i := range ours {
			names[i] = ours[i].key
		}
		if near := spelling.Nearest(name, names); near != "" {
			return "is not the name of a text; did you mean " + near + "?"
		}
		return "is not the name of a text (postern pages --texts prints them all)"
	}
	holds, want := placeholders(text), placeholders(was)
	switch {
	case strings.TrimSpace(text) == "":
		return "must not be empty"
	case len(text) > maxText:
		return "is longer than 600 bytes"
	case strings.ContainsFunc(text, unseen):
		return "must be one line without control characters"
	case strings.HasPrefix(name, "error.") && (strings.Count(text, parts) < 1 || strings.Count(text, parts) > 2):
		return "must be what happened, why, and what to do about it, of which the last may be missing, with \" | \" between them"
	case strings.Join(holds, "") == strings.Join(want, ""):
		return ""
	case len(want) == 0:
		return "must be without braces"
	}
	return "must have the placeholders of our own text, once each: " + strings.Join(want, ", ")
}

// placeholders are those of a text, sorted. A brace that belongs to none counts
// as one, so that it fits no text of ours.
func placeholders(text string) (all []string) {
	for {
		before, after, found := strings.Cut(text, "{")
		if strings.Contains(before, "}") {
			all = append(all, "}")
		}
		if !found {
			sort.Strings(all)
			return all
		}
		name, rest, _ := strings.Cut(after, "}")
		all = append(all, "{"+name+"}")
		text = rest
	}
}
