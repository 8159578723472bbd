package policy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/config"
)

// Warning is something about the rules that whoever wrote them may not have
// meant.
type Warning struct {
	Kind  string `json:"kind"`  // one of the Warns constants
	Rule  string `json:"rule"`  // "" where it is about all of them
	Place string `json:"place"` // where it is in the settings
	Text  string `json:"text"`  // the rest of a sentence about it
}

// Kinds of warnings. They are stable.
const (
	WarnsNeverMatches = "never_matches"
	WarnsOpen         = "open"
	WarnsPath         = "weaker_path"
	WarnsHeader       = "weaker_without_header"
	WarnsMethod       = "weaker_method"
	WarnsNotAsked     = "question_not_named"
	WarnsNeedless     = "question_asked_anyway"
	WarnsMixUp        = "provider_without_name"
	WarnsNeverMet     = "never_met"
)

// asWritten are compiled rules beside what their writer wrote.
type asWritten struct {
	*Rules
	settings []config.Rule
}

// Warnings looks for rules that do something else than it seems. It finds what
// people get wrong, not everything that can be.
func Warnings(c *config.Config) (all []Warning) {
	rs := &asWritten{Compile(c), c.Rules}
	if rs.other.Observe {
		all = append(all, Warning{WarnsOpen, "", "insecure_observe", "lets everybody pass, whatever is decided: every path, at every host"})
	}
	all = append(all, nameless(c)...)
	covers := newCovering(rs.rules)
	for i := range rs.rules {
		add := func(kind, text string) {
			if text != "" {
				all = append(all, Warning{kind, rs.rules[i].need.Rule, place(i), text})
			}
		}
		if earlier := covers.by(i); earlier >= 0 {
			add(WarnsNeverMatches, "never matches: "+rs.called(earlier)+" comes first and matches all that this one does")
			continue
		}
		add(WarnsOpen, rs.opens(i))
		for _, text := range rs.weakerPaths(i) {
			add(WarnsPath, text)
		}
		add(WarnsHeader, rs.weakerWithoutHeader(i))
		add(WarnsMethod, rs.weakerMethods(i))
		add(WarnsNeverMet, rs.neverMet(c, i))
		add(WarnsNotAsked, rs.questionsNotNamed(c, i))
		add(WarnsNeedless, rs.questionsAskedAnyway(c, i))
	}
	return all
}

// nameless finds providers that are known not to say in their answers who they are
// (RFC 9207), among several whose answers arrive at one address.
func nameless(c *config.Config) (all []Warning) {
	var found []Warning
	several := 0
	for i := range c.Providers {
		p := &c.Providers[i]
		if !p.SignsIn() {
			continue
		}
		several++
		if !p.OwnCallback && (p.Plain() || p.Type == "entra" || p.Type == "gitlab") {
			found = append(found, Warning{WarnsMixUp, "", "providers[" + strconv.Itoa(i) + "]",
				"does not say in its answers who it is, so that another provider that means harm could be sent its codes: own_callback gives it an address of its own"})
		}
	}
	if several > 1 {
		all = found
	}
	return all
}

// called is how a warning names a rule.
func (rs *asWritten) called(i int) string {
	if name := rs.settings[i].Name; name != "" {
		return place(i) + ` ("` + name + `")`
	}
	return place(i)
}

// falls says what a request falls under that is asked for less.
func (rs *asWritten) falls(i int) string {
	if i < 0 {
		return "falls under no rule, and whoever is known may pass"
	}
	return "falls under " + rs.called(i) + ", which asks for less"
}

// opens says what a rule opens.
func (rs *asWritten) opens(i int) string {
	need, m := rs.rules[i].need, rs.settings[i].Match
	text := ""
	switch {
	case need.Anyone:
		text = "is open to anyone: "
	case rs.settings[i].InsecureObserve:
		text = "lets everybody pass, whatever it decides, by insecure_observe: "
	case need.Pass:
		text = "lets pass who is not signed in: "
	default:
		return ""
	}
	text += allOr(slices.Concat(m.Paths, m.PathRegexes), "every path")
	if len(m.Methods) > 0 {
		text += ", with " + strings.Join(m.Methods, ", ")
	}
	if len(m.Hosts) > 0 {
		var hosts []string
		for _, h := range m.Hosts {
			hosts = append(hosts, h.String())
		}
		text += ", at " + strings.Join(hosts, ", ")
	}
	return text
}

func allOr(words []string, nothing string) string {
	if len(words) == 0 {
		return nothing
	}
	return strings.Join(words, ", ")
}

// weakerPaths finds single paths that are protected, while what applications
// often take for the same, or put below it, is less so.
func (rs *asWritten) weakerPaths(i int) (texts []string) {
	for _, p := range rs.rules[i].matcher.paths {
		if p.regex != nil || p.below || p.base == "/" {
			continue
		}
		path := p.example()
		near := []string{path + "/", path + "/x"}
		if trimmed, ok := strings.CutSuffix(path, "/"); ok {
			near = []string{trimmed}
		}
		for _, r := range rs.probes(i, path) {
			if weaker, at, found := rs.weakerAt(i, r, near); found {
				texts = append(texts, "is for "+p.text+" alone: "+at+" "+rs.falls(weaker)+
					`, though applications often serve the same there, or what belongs to it; "`+strings.TrimSuffix(p.text, "/")+`/*" covers both`)
				break
			}
		}
	}
	return texts
}

// weakerAt finds the first of some paths at which less is asked for than rule i
// asks for at the request's.
func (rs *asWritten) weakerAt(i int, r Request, paths []string) (weaker int, at string, found bool) {
	if n, err := rs.index.find(rs.rules, &r); err != nil || n != i {
		return 0, "", false
	}
	for _, r.Path = range paths {
		if n, err := rs.index.find(rs.rules, &r); err == nil && n != i && rs.asksLess(n, i) {
			return n, r.Path, true
		}
	}
	return 0, "", false
}

// weakerWithoutHeader says what a request falls under that leaves out the fields
// by which a rule chooses.
func (rs *asWritten) weakerWithoutHeader(i int) string {
	m := &rs.rules[i].matcher
	if len(m.headers) == 0 {
		return ""
	}
	var names []string
	for _, h := range m.headers {
		names = append(names, h.name)
	}
	for _, path := range m.examples() {
		for _, r := range rs.probes(i, path) {
			r.Header = nil
			if n, err := rs.index.find(rs.rules, &r); err == nil && rs.asksLess(n, i) {
				return "depends on fields that whoever sends the request may leave out (" + strings.Join(names, ", ") + "): without them " +
					path + " " + rs.falls(n)
			}
		}
	}
	return ""
}

// usual are methods that a rule may have forgotten; those that read come first.
var usual = []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}

const reading = 3

// weakerMethods says which methods fall under something weaker than a rule that
// is for some of them. That reading is freer than writing is what people mean.
func (rs *asWritten) weakerMethods(i int) string {
	m := &rs.rules[i].matcher
	if len(m.methods) == 0 {
		return ""
	}
	others := usual
	if !slices.ContainsFunc(m.methods, func(method string) bool { return slices.Contains(usual[:reading], method) }) {
		others = usual[reading:]
	}
	for _, path := range m.examples() {
		for _, r := range rs.probes(i, path) {
			if n, err := rs.index.find(rs.rules, &r); err != nil || n != i {
				continue
			}
			var methods []string
			weaker := 0
			for _, r.Method = range others {
				if n, err := rs.index.find(rs.rules, &r); err == nil && rs.asksLess(n, i) {
					methods, weaker = append(methods, r.Method), n
				}
			}
			if methods != nil {
				return "is for " + oneOf(m.methods) + " alone: " + oneOf(methods) + " " + path + " " + rs.falls(weaker)
			}
		}
	}
	return ""
}

// oneOf lists words of which one is meant.
func oneOf(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// asksLess reports whether a rule, or what holds where none matches (-1), asks
// for less than another. Different requirements are not compared.
func (rs *asWritten) asksLess(i, than int) bool {
	need, other := rs.other, rs.rules[than].need
	if i >= 0 {
		need = rs.rules[i].need
	}
	switch {
	case other.Anyone:
		return false
	case need.Anyone, need.Pass && !other.Pass:
		return true
	}
	return len(need.requires) == 0 && len(other.requires) > 0
}

// probes are requests for a path as a rule wants them: one for each of its
// hosts.
func (rs *asWritten) probes(i int, path string) (all []Request) {
	m := &rs.rules[i].matcher
	r := Request{Path: path, Method: "GET"}
	if len(m.methods) > 0 {
		r.Method = m.methods[0]
	}
	for _, h := range m.headers {
		r.Header = append(r.Header, h.example())
	}
	if len(m.hosts) == 0 {
		return []Request{r}
	}
	for _, h := range m.hosts {
		r.Host, r.Port = exampleHost(h)
		all = append(all, r)
	}
	return all
}

// exampleHost is a host that a pattern holds.
func exampleHost(p config.HostPattern) (host, port string) {
	name, itself, _ := p.Name()
	if !itself {
		name = "x." + name
	}
	if port = portOf(p); port == "*" {
		port = ""
	}
	return name, port
}
