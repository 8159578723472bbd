package migrate

import "strings"

// Option is one setting of another system, and what becomes of it in general. The
// report of one migration may say more, or otherwise where its value matters.
type Option struct {
	Name    string // as it is called there
	Kind    Kind   // what becomes of it
	Becomes string // where it is in Postern's settings
	Text    string // why, how it differs, or what to do

	plural bool   // in files it has another name, with an "s"
	flag   bool   // true or false
	secret bool   // its value is shown to nobody
	same   string // of oauth2-proxy's alpha configuration: the flag that says the same
}

func (o Option) list() Option   { o.plural = true; return o }
func (o Option) truth() Option  { o.flag = true; return o }
func (o Option) hidden() Option { o.secret = true; return o }

// Heading is a part of a table of options.
type Heading struct {
	Title   string
	Options []Option
}

func taken(name, becomes, text string) Option {
	return Option{Name: name, Kind: Taken, Becomes: becomes, Text: text}
}
func differs(name, becomes, text string) Option {
	return Option{Name: name, Kind: Differs, Becomes: becomes, Text: text}
}
func toDo(name, becomes, text string) Option {
	return Option{Name: name, Kind: ToDo, Becomes: becomes, Text: text}
}
func unneeded(name, text string) Option { return Option{Name: name, Kind: NotNeeded, Text: text} }

// Tables are all options of a system that are known by name.
func Tables(system string) []Heading {
	switch system {
	case "oauth2-proxy":
		return append(append([]Heading{}, proxyOptions...), alphaFields...)
	case "envoy-oauth2":
		return envoyFields
	case "authservice":
		return serviceFields
	case "easyauth":
		return easyFields
	}
	return nil
}

// find is the option of a name in tables.
func find(tables []Heading, name string) (Option, bool) {
	for _, h := range tables {
		for _, o := range h.Options {
			if o.Name == name {
				return o, true
			}
		}
	}
	return Option{}, false
}

// Table writes the options of a system as a table in Markdown.
func Table(system string) string {
	var out strings.Builder
	for _, h := range Tables(system) {
		out.WriteString("### " + h.Title + "\n\n| there | what becomes of it | here | |\n|---|---|---|---|\n")
		for _, o := range h.Options {
			out.WriteString("| `" + o.Name + "` | " + words[o.Kind] + " | " + code(o.Becomes) + " | " + strings.ReplaceAll(o.Text, "|", `\|`) + " |\n")
		}
		out.WriteString("\n")
	}
	return out.String()
}

// words are the kinds as people read them.
var words = map[Kind]string{Taken: "taken over", Differs: "differs", ToDo: "to do", NotNeeded: "not needed"}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(s, ", ", "`, `") + "`"
}
