// Package policy compiles the rules of the settings and finds the one that a
// request falls under: the first that matches, by host, path and method.
//
// It sees the path in its normal form only (RFC 3986, section 6) and never
// the query. The zero Need is the strictest one: a session.
package policy

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// Request is what rules look at. Host is in lower case and without its port,
// Path in normal form.
type Request struct {
	Host, Port string
	Path       string
	Params     bool // the path holds path parameters (RFC 3986, section 3.3)
	Method     string
	Header     httpmsg.Fields
}

// Need is what a request must bring.
type Need struct {
	Rule     string // the rule's name, or "" where none matched
	Anyone   bool   // no session is needed
	NoSignIn bool   // an anonymous request is answered with 401, never sent to sign in
	Tokens   bool   // a token does, and where there is one it decides
	NoCookie bool   // a session does not
	Pass     bool   // an anonymous request goes on as such
	Observe  bool   // what is decided is logged, and the request passes
	Prompt   string // of a login that a requirement leads to
	Forward  int    // which of the settings' ways to tell the application: 0 is the usual one, n that of rule n-1

	requires []*config.Require // all of them
}

// Check holds whoever asks against what is required, and returns what is
// missing, or nil. The leeway is how far the provider's clock may be from ours.
func (n *Need) Check(s *Subject, now time.Time, leeway time.Duration) *Denial {
	if len(n.requires) == 0 {
		return nil
	}
	return &Denial{Reason: ReasonNot}
}

// Need returns what the request needs, however an application may read it: it
// is refused where a field that a rule looks at came twice.
func (rs *Rules) Need(r Request) (Need, error) {
	need := rs.Find(r)
	if !r.Params {
		return need, nil
	}
	r.Path = httpmsg.WithoutParams(r.Path)
	return need.And(rs.Find(r)), nil
}

// ErrRepeated says that a field that a rule looks at came more than once.
var ErrRepeated = errors.New("policy: header field repeated")

// Gathered returns what is to be picked of what a provider says: the name under
// which rules and headers know it, to its gjson path. It is the provider's claims,
// and every path that a rule or a header names.
func (rs *Rules) Gathered(p *config.Provider) map[string]string { return p.Claims }

// And returns what satisfies both: of a request that can be read in two ways
// nothing suffices that would not under either reading.
func (n Need) And(other Need) Need {
	switch {
	case n.Anyone:
		return other
	case other.Anyone:
		return n
	}
	n.Tokens = n.Tokens && other.Tokens
	n.NoCookie = n.NoCookie || other.NoCookie
	n.NoSignIn = n.NoSignIn || other.NoSignIn
	return n
}

// Rules are compiled rules. The zero Rules ask for a session everywhere.
type Rules struct {
	rules []rule
	other Need // of what no rule matches
}

type rule struct {
	need    Need
	matcher Matcher
}

// Matcher finds the requests that a rule is for. The zero Matcher is for all.
type Matcher struct {
	hosts   []config.HostPattern
	exact   []string
	prefix  []string // each ends in a slash
	methods []string
}

// Compile compiles the rules of settings that config.Parse has checked. What
// no rule matches needs a session, or a token where any are accepted.
func Compile(c *config.Config) *Rules {
	compiled := &Rules{other: Need{Tokens: len(c.Bearer) > 0}}
	for i, r := range c.Rules {
		compiled.rules = append(compiled.rules, rule{need: needOf(&r, i), matcher: NewMatcher(r.Match)})
	}
	return compiled
}

func needOf(r *config.Rule, i int) Need {
	need := Need{Rule: r.Name, Anyone: r.Allow == "anyone", NoSignIn: r.OnAnonymous == "401"}
	if need.Rule == "" {
		need.Rule = strconv.Itoa(i)
	}
	if !need.Anyone {
		need.Tokens = slices.Contains(r.Accept, "bearer")
		need.NoCookie = !slices.Contains(r.Accept, "session")
	}
	return need
}

// NewMatcher compiles what a rule is for.
func NewMatcher(m config.Match) Matcher {
	c := Matcher{hosts: m.Hosts, methods: m.Methods}
	for _, p := range m.Paths {
		if prefix, open := strings.CutSuffix(p, "*"); open {
			c.prefix = append(c.prefix, prefix)
		} else {
			c.exact = append(c.exact, p)
		}
	}
	return c
}

// Find returns what the request needs.
func (rs *Rules) Find(r Request) Need {
	for i := range rs.rules {
		if rs.rules[i].matcher.Matches(&r) {
			return rs.rules[i].need
		}
	}
	return rs.other
}

// Matches reports whether the rule is for a request.
func (m *Matcher) Matches(r *Request) bool {
	return m.matchesMethod(r.Method) && m.matchesPath(r.Path) && m.matchesHost(r.Host, r.Port)
}

func (m *Matcher) matchesMethod(method string) bool {
	if len(m.methods) == 0 {
		return true
	}
	for _, have := range m.methods {
		if have == method {
			return true
		}
	}
	return false
}

func (m *Matcher) matchesPath(path string) bool {
	if len(m.exact) == 0 && len(m.prefix) == 0 {
		return true
	}
	for _, p := range m.exact {
		if p == path {
			return true
		}
	}
	for _, p := range m.prefix {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

func (m *Matcher) matchesHost(host, port string) bool {
	if len(m.hosts) == 0 {
		return true
	}
	for _, h := range m.hosts {
		if h.Match(host, port, true) || h.Match(host, port, false) {
			return true
		}
	}
	return false
}
