package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// Matcher finds the requests that a rule is for. The zero Matcher is for all.
type Matcher struct {
	hosts   []config.HostPattern
	paths   []pathPattern
	methods []string
	headers []headerTest
	ports   bool // hosts at their own ports only
}

// headerTest is a field that a request must have.
type headerTest struct {
	name   string
	values []string // one of these, or any where there are none
}

// NewMatcher compiles what a rule is for.
func NewMatcher(m config.Match) Matcher {
	c := Matcher{hosts: m.Hosts, methods: m.Methods}
	if slices.Contains(m.Methods, "GET") && !slices.Contains(m.Methods, "HEAD") {
		c.methods = append(slices.Clone(m.Methods), "HEAD") // RFC 9110, section 9.3.2
	}
	for _, text := range m.Paths {
		c.paths = append(c.paths, newPathPattern(text))
	}
	for _, text := range m.PathRegexes {
		c.paths = append(c.paths, newRegexPattern(text))
	}
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		c.headers = append(c.headers, headerTest{strings.ToLower(name), m.Headers[name]})
	}
	return c
}

// AtPorts returns a matcher for which a host without a port is one at its
// scheme's own.
func (m Matcher) AtPorts() Matcher {
	m.ports = true
	return m
}

// Matches reports whether the rule is for a request. One that has a field twice
// by which the rule chooses is none of its.
func (m *Matcher) Matches(r *Request) bool { return m.differs(r) == same }

// difference is what a request has otherwise than a rule wants it.
type difference uint8

const (
	same difference = iota
	inHost
	inMethod
	inPath
	inHeader
	repeated // nothing, but a field by which the rule chooses is there more than once
)

// differs returns the first difference.
func (m *Matcher) differs(r *Request) difference {
	switch {
	case !m.matchesHost(r.Host, r.Port):
		return inHost
	case !m.matchesMethod(r.Method):
		return inMethod
	case !m.matchesPath(r.Path):
		return inPath
	}
	return m.differsInHeader(r.Header)
}

// differsBesidePath is differs for a request whose path is known to match, or is
// to be looked at last.
func (m *Matcher) differsBesidePath(r *Request) difference {
	switch {
	case !m.matchesHost(r.Host, r.Port):
		return inHost
	case !m.matchesMethod(r.Method):
		return inMethod
	}
	return m.differsInHeader(r.Header)
}

func (m *Matcher) matchesHost(host, port string) bool {
	if len(m.hosts) == 0 {
		return true
	}
	for _, h := range m.hosts {
		if h.Holds(host, port) && (!m.ports || h.Match(host, port, true) || h.Match(host, port, false)) {
			return true
		}
	}
	return false
}

func (m *Matcher) matchesMethod(method string) bool {
	return len(m.methods) == 0 || slices.Contains(m.methods, method)
}

func (m *Matcher) matchesPath(path string) bool {
	if len(m.paths) == 0 {
		return true
	}
	for i := range m.paths {
		if m.paths[i].match(path) {
			return true
		}
	}
	return false
}

// differsInHeader looks for repeated fields first, so that it does not depend on
// an order which of several fields decides.
func (m *Matcher) differsInHeader(header httpmsg.Fields) difference {
	d := same
	for i := range m.headers {
		switch m.headers[i].differs(header) {
		case repeated:
			return repeated
		case inHeader:
			d = inHeader
		}
	}
	return d
}

// differs looks at the fields that an application may take for the one that is
// meant: policies that look at the first of several are fooled by the others.
func (t *headerTest) differs(header httpmsg.Fields) difference {
	found, value := 0, ""
	for i := range header {
		if len(header[i].Name) != len(t.name) || !httpmsg.SameSpelling(header[i].Name, t.name) {
			continue
		}
		if found++; found > 1 || header[i].Name != t.name {
			return repeated
		}
		value = header[i].Value
	}
	if found == 0 || len(t.values) > 0 && !slices.Contains(t.values, value) {
		return inHeader
	}
	return same
}
