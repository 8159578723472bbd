package config

import "slices"

// Limits on rules: far more than people write, and few enough to be compiled
// while Envoy waits.
const (
	maxRules = 10_000
	maxList  = 256 // entries of one list
	// Each expression is made into a table of its own.
	maxRegexes = 1000
)

func (r *reader) rules(path string, c *Config) {
	if len(c.Rules) > maxRules {
		r.problem(path, "holds %d rules; at most %d", len(c.Rules), maxRules)
		return
	}
	if n := countRegexes(c.Rules); n > maxRegexes {
		r.problem(path, "hold %d path_regexes; at most %d in all", n, maxRegexes)
		return
	}
	told := r.ruleForwards(path, c)
	names := make(map[string]string)
	for i := range c.Rules {
		here := index(path, i)
		r.rule(here, &c.Rules[i], c, told)
		r.ruleName(at(here, "name"), c.Rules[i].Name, here, names)
	}
}

func countRegexes(rules []Rule) (n int) {
	for i := range rules {
		n += len(rules[i].Match.PathRegexes)
	}
	return n
}

func (r *reader) rule(path string, rule *Rule, c *Config, told map[string]bool) {
	r.match(at(path, "match"), &rule.Match, told)
	if rule.Allow != "" {
		r.allow(path, rule)
	} else {
		r.accept(at(path, "accept"), rule, c)
		r.onAnonymous(path, rule)
		r.requirement(path, rule, c)
		r.ruleQuestions(at(path, "enrich"), rule, c)
		r.ruleSignIn(at(path, "sign_in"), rule, c)
	}
	r.openByHeader(path, rule)
}

// refusesSessions reports whether a rule says what it accepts, and sessions are not
// among it: then nothing about logins has a place in it.
func (rule *Rule) refusesSessions() bool {
	return rule.Accept != nil && !slices.Contains(rule.Accept, "session")
}

// allow checks a rule that asks for nobody, beside which nothing else can be
// asked for.
func (r *reader) allow(path string, rule *Rule) {
	r.oneOf(at(path, "allow"), rule.Allow, "anyone")
	for _, other := range []struct {
		key   string
		given bool
	}{
		{"accept", rule.Accept != nil},
		{"on_anonymous", rule.OnAnonymous != ""},
		{"require", rule.Require != nil},
		{"step_up", rule.StepUp != StepUp{}},
		{"enrich", rule.Enrich != nil},
		{"sign_in", rule.SignIn.Providers != nil},
	} {
		if other.given {
			r.problem(at(path, other.key), `has no meaning beside "allow"`)
		}
	}
}

// accept checks what a rule's requests may bring.
func (r *reader) accept(path string, rule *Rule, c *Config) {
	if rule.Accept == nil {
		rule.Accept = c.accepted()
		return
	}
	for i, what := range rule.Accept {
		r.oneOf(index(path, i), what, "session", "bearer")
		if what == "bearer" && len(c.Bearer) == 0 {
			r.problem(index(path, i), "needs an entry in bearer, which says whose tokens are accepted")
		}
	}
	r.filled(path, rule.Accept)
}

func (r *reader) onAnonymous(path string, rule *Rule) {
	session := slices.Contains(rule.Accept, "session")
	if rule.OnAnonymous == "" {
		rule.OnAnonymous = "login"
		if !session {
			rule.OnAnonymous = "401"
		}
	}
	here := at(path, "on_anonymous")
	r.oneOf(here, rule.OnAnonymous, "login", "401", "pass")
	switch {
	case rule.OnAnonymous == "login" && !session && r.clean(path):
		r.problem(here, `"login" leads to a session, which is not accepted here`)
	case rule.OnAnonymous == "pass" && rule.Require != nil:
		r.problem(here, `"pass" has no place beside require: who brings nothing would pass where others are refused`)
	}
}

// openByHeader sees to it that nobody opens a rule by a field of their own
// request, unless that is wanted.
func (r *reader) openByHeader(path string, rule *Rule) {
	opens := ""
	switch {
	case rule.Allow != "":
		opens = "allow"
	case rule.OnAnonymous == "pass":
		opens = "on_anonymous"
	case rule.InsecureObserve:
		opens = "insecure_observe"
	}
	header := rule.Match.Headers != nil
	switch {
	case opens != "" && header && !rule.InsecureOpenByHeader:
		r.problem(at(path, opens), "would open this to whoever sends the fields of match.headers; insecure_open_by_header accepts that")
	case rule.InsecureOpenByHeader && !header && r.clean(at(path, "match")):
		r.problem(at(path, "insecure_open_by_header"), "has no meaning without match.headers")
	case rule.InsecureOpenByHeader && opens == "":
		r.problem(at(path, "insecure_open_by_header"), `has no meaning in a rule that opens nothing by "allow", "on_anonymous": "pass" or "insecure_observe"`)
	}
}

func (r *reader) ruleName(path, name, rule string, names map[string]string) {
	if name == "" {
		return
	}
	if !only(name, 64, identifier) {
		r.problem(path, `%s is not up to 64 of A-Z, a-z, 0-9, ".", "_" and "-"`, quote(name))
	}
	if only(name, 64, digit) {
		r.problem(path, "%s is a number, by which a rule without a name goes", quote(name))
	}
	if other, ok := names[name]; ok {
		r.problem(path, "%s is the name of %s too", quote(name), other)
	}
	names[name] = rule
}

// entries notes a list that is too long, or was given without anything in it,
// or holds something twice.
func (r *reader) entries(path string, words []string) {
	r.few(path, len(words))
	r.filled(path, words)
}

// few notes a list that is too long.
func (r *reader) few(path string, n int) {
	if n > maxList {
		r.problem(path, "holds %d entries; at most %d", n, maxList)
	}
}
