package policy

import (
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/pathregex"
)

// covering finds rules that others leave nothing for. It compares rules in
// pairs: one that several others cover together is not found.
type covering struct {
	rules []rule
	paths [][]set // of each rule
}

// set is the set of the paths that a pattern matches.
type set struct {
	text    string
	regex   *pathregex.Regex // nil for patterns that are too large to be compared
	example string
}

func newCovering(rules []rule) *covering {
	c := &covering{rules: rules}
	for i := range rules {
		var sets []set
		for j := range rules[i].matcher.paths {
			p := &rules[i].matcher.paths[j]
			sets = append(sets, set{p.text, p.automaton(), p.example()})
		}
		c.paths = append(c.paths, sets)
	}
	return c
}

// by returns the first rule before rule i that matches all that i does, or -1.
func (c *covering) by(i int) int {
	for earlier := range i {
		if c.covers(earlier, i) {
			return earlier
		}
	}
	return -1
}

func (c *covering) covers(wide, narrow int) bool {
	w, n := &c.rules[wide].matcher, &c.rules[narrow].matcher
	return coversHosts(w, n) && coversMethods(w.methods, n.methods) &&
		(len(w.headers) == 0 || slices.EqualFunc(w.headers, n.headers, headerTest.equal)) &&
		coversPaths(c.paths[wide], c.paths[narrow])
}

func (t headerTest) equal(other headerTest) bool {
	return t.name == other.name && slices.Equal(t.values, other.values)
}

// example is a field that the test takes.
func (t *headerTest) example() httpmsg.Field {
	if len(t.values) == 0 {
		return httpmsg.Field{Name: t.name, Value: "x"}
	}
	return httpmsg.Field{Name: t.name, Value: t.values[0]}
}

func coversHosts(wide, narrow *Matcher) bool {
	return len(wide.hosts) == 0 || len(narrow.hosts) > 0 && !slices.ContainsFunc(narrow.hosts, func(n config.HostPattern) bool {
		return !slices.ContainsFunc(wide.hosts, func(w config.HostPattern) bool {
			return w.Covers(n) && (!wide.ports || coversPorts(portOf(w), portOf(n), narrow.ports))
		})
	})
}

// coversPorts is about a rule that is for its hosts at their own ports only.
func coversPorts(wide, narrow string, ports bool) bool {
	return wide == "*" || wide == narrow && (wide != "" || ports)
}

// portOf is the port that a pattern names, or "".
func portOf(p config.HostPattern) string {
	text := p.String()
	i := strings.LastIndexByte(text, ':')
	if i < 0 || strings.HasSuffix(text, "]") {
		return ""
	}
	return text[i+1:]
}

func coversMethods(wide, narrow []string) bool {
	return len(wide) == 0 || len(narrow) > 0 && !slices.ContainsFunc(narrow, func(m string) bool { return !slices.Contains(wide, m) })
}

// everyPath is what a rule without paths is for.
var everyPath = newPathPattern("/*")

func coversPaths(wide, narrow []set) bool {
	if len(wide) > 0 && len(narrow) == 0 {
		narrow = []set{{everyPath.text, everyPath.automaton(), everyPath.example()}}
	}
	return len(wide) == 0 || !slices.ContainsFunc(narrow, func(n set) bool {
		return !slices.ContainsFunc(wide, func(w set) bool { return w.covers(n) })
	})
}

// covers asks about one path first: that is no for nearly all pairs.
func (s set) covers(narrow set) bool {
	if s.regex == nil || narrow.regex == nil {
		return s.text == narrow.text
	}
	return s.regex.Match(narrow.example) && s.regex.Covers(narrow.regex)
}

// automaton returns a pattern as a regular expression, or nil where it is too
// large for one.
func (p *pathPattern) automaton() *pathregex.Regex {
	if p.regex != nil {
		return p.regex
	}
	var b strings.Builder
	for i := range len(p.base) {
		switch c := p.base[i]; {
		case c == '*':
			b.WriteString("[^/]*")
		case '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			b.WriteByte(c)
		default:
			b.WriteString(`\` + string(c))
		}
	}
	switch {
	case p.base == "" && p.below:
		b.WriteString("/.*")
	case p.below:
		b.WriteString("(/.*)?")
	}
	regex, err := pathregex.Compile(b.String())
	if err != nil {
		return nil
	}
	return regex
}

// example is a path that the pattern matches.
func (p *pathPattern) example() string {
	switch {
	case p.regex != nil:
		path, _ := p.regex.Example()
		return path
	case p.below:
		return strings.ReplaceAll(p.base, "*", "x") + "/x"
	}
	return strings.ReplaceAll(p.base, "*", "x")
}

// examples are paths that a rule is for.
func (m *Matcher) examples() (paths []string) {
	if len(m.paths) == 0 {
		return []string{"/"}
	}
	for i := range m.paths {
		paths = append(paths, m.paths[i].example())
	}
	return paths
}
