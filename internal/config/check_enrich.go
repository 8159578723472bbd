package config

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Limits on questions: each is asked of a provider for every login, and what a
// login has to ask travels in its address.
const (
	maxQuestions     = 16
	maxSelect        = 16
	maxFields        = 16
	maxRuleQuestions = 8
)

// questions checks what is asked after a login. The claims are still those that
// the settings name, without any defaults: of those a question may take the place.
func (r *reader) questions(path string, p *Provider) {
	switch n := len(p.Enrich); {
	case n > maxQuestions:
		r.problem(path, "holds %d questions; at most %d", n, maxQuestions)
		return
	case n > 0 && !p.SignsIn() && r.clean(path):
		r.problem(path, "has no meaning where nobody signs in")
	}
	names, selected := make(map[string]string), make(map[string]string)
	for i := range p.Enrich {
		e, here := &p.Enrich[i], index(path, i)
		r.questionName(at(here, "name"), e.Name)
		r.unlike(at(here, "name"), e.Name, here, names)
		r.questionURL(at(here, "url"), e.URL, p)
		r.questionBody(here, e)
		r.questionHeaders(at(here, "headers"), e.Headers)
		r.selects(at(here, "select"), e, p, selected)
		r.nextPage(at(here, "next"), e.Next)
		r.between(at(here, "max_pages"), e.MaxPages, 1, 20)
		r.between(at(here, "max_bytes"), e.MaxBytes, 1<<10, 1<<20)
		if e.Timeout == 0 {
			e.Timeout = p.Timeout
		} else {
			r.within(at(here, "timeout"), e.Timeout, 100*time.Millisecond, minute)
		}
		r.oneOf(at(here, "when"), e.When, "login", "rule")
	}
}

func (r *reader) questionName(path, name string) {
	if r.required(path, name, `what the question is called, such as "teams"`) && r.clean(path) && !questionName(name) {
		r.problem(path, `%s is not up to 32 of a-z, 0-9, "_" and "-"`, quote(name))
	}
}

func questionName(name string) bool {
	return only(name, 32, func(c byte) bool { return lower(c) || digit(c) || c == '_' || c == '-' })
}

func (r *reader) questionURL(path, address string, p *Provider) {
	if r.required(path, address, "the address that is asked") && r.clean(path) && r.endpoint(path, address, p) {
		r.hasCluster(path, p, address)
	}
}

func (r *reader) questionBody(path string, e *Enrich) {
	if here := at(path, "method"); r.clean(here) {
		if e.Method == "" {
			e.Method = "GET"
			if e.Body != "" {
				e.Method = "POST"
			}
		}
		r.oneOf(here, e.Method, "GET", "POST")
	}
	here := at(path, "body")
	switch {
	case e.Body == "" || !r.clean(here):
	case e.Method == "GET":
		r.problem(here, `has no meaning with "method": "GET"`)
	default:
		if _, flaw := parseJSON([]byte(e.Body)); flaw != nil {
			r.problem(here, "is not a JSON object")
		}
	}
}

// questionHeaders checks further fields.
func (r *reader) questionHeaders(path string, headers map[string]string) {
	if len(headers) > maxFields {
		r.problem(path, "holds more fields than 16")
		return
	}
	for _, name := range sorted(headers) {
		if flaw := questionFieldFlaw(name, headers[name]); flaw != "" {
			r.problem(at(path, name), "%s", flaw)
		}
	}
}

func questionFieldFlaw(name, value string) string {
	switch folded := fold(name); {
	case !only(name, 128, token):
		return "is not a header's name"
	case folded == "authorization", folded == "dpop", folded == "accept-encoding", reserved(folded):
		return "is set by this gate or by the protocol"
	case !only(value, 1024, printable), strings.TrimSpace(value) != value:
		return "is not up to 1024 printable ASCII characters, without spaces around them"
	}
	return ""
}

// selects checks what is picked of an answer. Two places at which a claim could be
// would leave open which one it is from.
func (r *reader) selects(path string, e *Enrich, p *Provider, seen map[string]string) {
	switch n := len(e.Select); {
	case n == 0 && r.clean(path):
		r.problem(path, `is required: what to pick of the answer, such as {"teams": "value.#.displayName"}`)
	case n > maxSelect:
		r.problem(path, "holds %d claims; at most %d", n, maxSelect)
		return
	}
	for _, name := range sorted(e.Select) {
		here := at(path, name)
		switch {
		case !r.clean(here):
		case !claimName(name):
			r.problem(here, "is not a claim's name: up to 64 of a-z, 0-9 and _")
		case p.Claims[name] != "":
			r.problem(here, "is one of the provider's claims too; take another name, or leave it out there")
		default:
			r.unlike(here, name, path, seen)
			r.claimPath(here, e.Select[name])
		}
	}
}

func claimName(name string) bool {
	return only(name, 64, func(c byte) bool { return lower(c) || digit(c) || c == '_' })
}

func (r *reader) nextPage(path, next string) {
	if next != "" && next != "link" {
		r.claimPath(path, next)
	}
}

// sorted are the keys of an object in order.
func sorted(object map[string]string) []string { return slices.Sorted(maps.Keys(object)) }

// brings reports whether one of the provider's questions brings a claim.
func (p *Provider) brings(claim string) bool {
	for i := range p.Enrich {
		if p.Enrich[i].Select[claim] != "" {
			return true
		}
	}
	return false
}

// signInAsks reports whether people sign in at a provider that has a question of
// a name.
func (c *Config) signInAsks(name string) bool {
	for i := range c.Providers {
		p := &c.Providers[i]
		for j := range p.Enrich {
			if p.Enrich[j].Name == name && p.SignsIn() {
				return true
			}
		}
	}
	return false
}

// ruleQuestions checks the questions that a rule names.
func (r *reader) ruleQuestions(path string, rule *Rule, c *Config) {
	if len(rule.Enrich) > maxRuleQuestions {
		r.problem(path, "holds %d questions; at most %d, for they travel in the address of a login", len(rule.Enrich), maxRuleQuestions)
	}
	r.filled(path, rule.Enrich)
	for i, name := range rule.Enrich {
		if here := index(path, i); r.clean(here) && !c.signInAsks(name) {
			r.problem(here, "%s is no question of a provider where people sign in", quote(name))
		}
	}
	switch {
	case len(rule.Enrich) == 0:
	case rule.refusesSessions():
		r.problem(path, "is about a login, which leads to a session, which is not accepted here")
	case rule.OnAnonymous == "pass":
		r.problem(path, `has no place beside "on_anonymous": "pass": who brings nothing would pass where others are refused`)
	}
}

// ruleSignIn checks where people sign in for a rule.
func (r *reader) ruleSignIn(path string, rule *Rule, c *Config) {
	path = at(path, "providers")
	names := rule.SignIn.Providers
	r.filled(path, names)
	for i, name := range names {
		here := index(path, i)
		if p := r.providerOf(here, name, c.Providers); p != nil && !p.SignsIn() {
			r.problem(here, "%s is not a provider where people sign in", quote(name))
		}
	}
	switch {
	case len(names) == 0:
	case rule.refusesSessions():
		r.problem(path, "is about a login, which leads to a session, which is not accepted here")
	case rule.OnAnonymous == "pass":
		r.problem(path, `has no meaning beside "on_anonymous": "pass", with which nobody is asked to sign in`)
	case rule.Require != nil && rule.Require.Provider != "" && !slices.Contains(names, rule.Require.Provider) && r.clean(path):
		r.problem(path, "does not hold %s, which require.provider demands", quote(rule.Require.Provider))
	}
}
