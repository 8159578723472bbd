// Package policy compiles the rules of the settings, finds the one that a
// request falls under (the first that matches, by host, path, method and header
// fields), and holds whoever asks against what that one requires.
//
// It sees the path in its normal form only (RFC 3986, section 6) and never the
// query. Where an application may read a request in more than one way, what any
// of these readings needs is needed. It asks no clock, and nothing of a request
// or of a person is in an error. The zero Need is the strictest one: a session.
//
// What can be required beside a session is of OpenID Connect Core (section 2:
// acr, amr, auth_time; section 5.1: claims), RFC 6749 (section 3.3: scopes), RFC
// 8176 (amr) and RFC 9470 (stepping up).
package policy

import (
	"errors"
	"maps"
	"slices"
	"strconv"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// Request is what rules look at. Host is in lower case and without its port,
// Path in normal form.
type Request struct {
	Host, Port string
	Path       string
	Method     string
	Header     httpmsg.Fields
	OneMethod  bool // none of MethodFields is among the fields: whoever knows it spares a look at all of them
}

// ErrAmbiguous says that a path can be read in several ways and is too long to
// look at all of them.
var ErrAmbiguous = errors.New("policy: long path with several readings")

// ErrRepeated says that a field that a rule looks at came more than once, or in
// another spelling that an application may take for it.
var ErrRepeated = errors.New("policy: header field repeated")

// Rules are compiled rules. The zero Rules ask for a session everywhere. They are
// used from one thread.
type Rules struct {
	index   index
	recent  recent
	rules   []rule
	other   Need     // of what no rule matches
	methods bool     // some rule looks at the method
	paths   []string // the gjson paths that requirements and headers name
}

type rule struct {
	need    Need
	matcher Matcher
}

// Compile compiles the rules of settings that config.Parse has checked. What
// no rule matches needs a session, or a token where any are accepted.
func Compile(c *config.Config) *Rules {
	rs := &Rules{other: Need{Tokens: len(c.Bearer) > 0, Observe: c.InsecureObserve}}
	for i := range c.Rules {
		r := &c.Rules[i]
		need, matcher := needOf(c, i), NewMatcher(r.Match)
		if need.Anyone || need.Pass || need.Observe {
			matcher = matcher.AtPorts() // what opens something opens no more than it names
		}
		rs.rules = append(rs.rules, rule{need: need, matcher: matcher})
		rs.methods = rs.methods || len(r.Match.Methods) > 0
	}
	rs.index = newIndex(rs.rules)
	rs.paths = pathsOf(c)
	return rs
}

func needOf(c *config.Config, i int) Need {
	r := &c.Rules[i]
	need := Need{
		Rule: r.Name, Anyone: r.Allow == "anyone", NoSignIn: r.OnAnonymous == "401", Pass: r.OnAnonymous == "pass",
		Observe: r.InsecureObserve || c.InsecureObserve, Prompt: r.StepUp.Prompt,
	}
	if need.Rule == "" {
		need.Rule = strconv.Itoa(i)
	}
	if f := &r.Forward; f.Headers != nil || f.AccessToken != nil || f.Assertion != nil {
		need.Forward = i + 1
	}
	need.demanded = len(c.Bearer) > 0
	if need.Anyone {
		return need
	}
	need.Tokens = slices.Contains(r.Accept, "bearer")
	need.NoCookie = !slices.Contains(r.Accept, "session")
	need.Enrich, need.Providers = r.Enrich, r.SignIn.Providers
	if r.Require != nil {
		need.requires = []*requirement{newRequirement(*r.Require)}
		need.Providers = common(need.Providers, providersOf(r.Require))
	}
	return need
}

// providersOf is the provider that a requirement names, at which people sign in
// for it then.
func providersOf(r *config.Require) []string {
	if r.Provider == "" {
		return nil
	}
	return []string{r.Provider}
}

// find returns what the request needs as it is written. Where a field that
// decides came more than once, that is the zero Need.
func (rs *Rules) find(r *Request) (Need, error) {
	matching, known := rs.recent.rulesFor(rs, r)
	if !known {
		i, err := rs.index.find(rs.rules, r)
		switch {
		case err != nil:
			return Need{}, err
		case i < 0:
			return rs.other, nil
		}
		return rs.rules[i].need, nil
	}
	for _, i := range matching {
		switch rs.rules[i].matcher.differsInHeader(r.Header) {
		case same:
			return rs.rules[i].need, nil
		case repeated:
			return Need{}, ErrRepeated
		}
	}
	return rs.other, nil
}

// Gathered returns what is to be picked of what a provider says: the name under
// which rules and headers know it, to its gjson path. It is the provider's claims,
// and every path that a rule or a header names; a path that is a claim's name
// too means that claim. What questions bring is not among it: nothing else that the
// provider says is taken for it.
func (rs *Rules) Gathered(p *config.Provider) map[string]string {
	all := make(map[string]string, len(p.Claims)+len(rs.paths))
	for _, path := range rs.paths {
		all[path] = path
	}
	maps.Copy(all, p.Claims)
	for claim := range Questions(p) {
		delete(all, claim)
	}
	return all
}

// pathsOf are the gjson paths that requirements and headers name, and the names
// of claims among them.
func pathsOf(c *config.Config) (paths []string) {
	headers := []map[string]config.Header{c.Forward.Headers}
	for i := range c.Rules {
		headers = append(headers, c.Rules[i].Forward.Headers)
		if r := c.Rules[i].Require; r != nil {
			paths = claimsOf(paths, r)
		}
	}
	for _, some := range headers {
		for _, h := range some {
			if h.Path != "" {
				paths = append(paths, h.Path)
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

func claimsOf(paths []string, r *config.Require) []string {
	for name := range r.Claims {
		paths = append(paths, name)
	}
	for i := range r.All {
		paths = claimsOf(paths, &r.All[i])
	}
	for i := range r.Any {
		paths = claimsOf(paths, &r.Any[i])
	}
	if r.Not != nil {
		paths = claimsOf(paths, r.Not)
	}
	return paths
}
