// Package policy compiles the rules of the settings and finds the one that a
// request falls under: the first that matches, by host, path and method.
//
// It sees the path in its normal form only (RFC 3986, section 6) and never
// the query. What no rule matches needs a session: the zero Need is the
// strictest one.
package policy

import (
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/config"
)

// Request is what rules look at. Host is in lower case and without its port,
// Path in normal form.
type Request struct {
	Host, Port string
	Path       string
	Method     string
}

// Need is what a request must bring.
type Need struct {
	Rule     string // the rule's name, or "" where none matched
	Anyone   bool   // no session is needed
	NoSignIn bool   // an anonymous request is answered with 401, never sent to sign in
}

// Rules are compiled rules. The zero Rules ask for a session everywhere.
type Rules struct{ rules []rule }

type rule struct {
	need    Need
	hosts   []config.HostPattern
	exact   []string
	prefix  []string // each ends in a slash
	methods []string
}

// Compile compiles rules that config.Parse has checked.
func Compile(rules []config.Rule) *Rules {
	compiled := &Rules{}
	for i, r := range rules {
		c := rule{
			need:    Need{Rule: r.Name, Anyone: r.Allow == "anyone", NoSignIn: r.OnAnonymous == "401"},
			hosts:   r.Match.Hosts,
			methods: r.Match.Methods,
		}
		if c.need.Rule == "" {
			c.need.Rule = strconv.Itoa(i)
		}
		for _, p := range r.Match.Paths {
			if prefix, open := strings.CutSuffix(p, "*"); open {
				c.prefix = append(c.prefix, prefix)
			} else {
				c.exact = append(c.exact, p)
			}
		}
		compiled.rules = append(compiled.rules, c)
	}
	return compiled
}

// Find returns what the request needs.
func (rs *Rules) Find(r Request) Need {
	for i := range rs.rules {
		if rs.rules[i].matches(&r) {
			return rs.rules[i].need
		}
	}
	return Need{}
}

func (c *rule) matches(r *Request) bool {
	return c.matchesMethod(r.Method) && c.matchesPath(r.Path) && c.matchesHost(r.Host, r.Port)
}

func (c *rule) matchesMethod(method string) bool {
	if len(c.methods) == 0 {
		return true
	}
	for _, m := range c.methods {
		if m == method {
			return true
		}
	}
	return false
}

func (c *rule) matchesPath(path string) bool {
	if len(c.exact) == 0 && len(c.prefix) == 0 {
		return true
	}
	for _, p := range c.exact {
		if p == path {
			return true
		}
	}
	for _, p := range c.prefix {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

func (c *rule) matchesHost(host, port string) bool {
	if len(c.hosts) == 0 {
		return true
	}
	for _, h := range c.hosts {
		if h.Match(host, port, true) || h.Match(host, port, false) {
			return true
		}
	}
	return false
}
