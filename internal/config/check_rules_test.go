package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rule is the minimal settings with one rule for a path.
func rule(t *testing.T, more string) string {
	return top(t, `"rules": [{"match": {"paths": ["/a"]}, `+more+`}]`)
}

// tokens is the minimal settings with that rule, where tokens are accepted.
func tokens(t *testing.T, more string) string {
	return top(t, `"bearer": [{"provider": "a", "audiences": ["x"]}], "rules": [{"match": {"paths": ["/a"]}, `+more+`}]`)
}

// members returns n members of an object.
func members(n int, form string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(form, i)
	}
	return strings.Join(all, ", ")
}

// many returns a list of n strings.
func many(n int, form string) string {
	return "[" + members(n, `"`+form+`"`) + "]"
}

func TestRulesThatAreRefused(t *testing.T) {
	alone := func(s string) string { return top(t, `"rules": [{`+s+`}]`) }
	const byHeader = `"match": {"paths": ["/a"], "headers": {"x-tenant": ["red"]}}, `
	const whoever = `would open this to whoever sends the fields of match.headers; insecure_open_by_header accepts that`
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"nothing to match", alone(`"allow": "anyone"`), []string{
			`rules[0].match: needs at least one of hosts, paths, path_regexes, methods and headers; every request is "paths": ["/*"]`}},
		{"empty lists", alone(`"match": {"hosts": [], "paths": [], "methods": []}`), []string{
			`rules[0].match.hosts: is empty; leave the key out or put something in`,
			`rules[0].match.paths: is empty; leave the key out or put something in`,
			`rules[0].match.methods: is empty; leave the key out or put something in`}},
		{"an unknown permission", rule(t, `"allow": "everyone"`), []string{
			`rules[0].allow: must be "anyone"`}},
		{"both a permission and a refusal", rule(t, `"allow": "anyone", "on_anonymous": "login"`), []string{
			`rules[0].on_anonymous: has no meaning beside "allow"`}},
		{"a status as a number", rule(t, `"on_anonymous": 401`), []string{
			`rules[0].on_anonymous: must be a string, not a number; put it in quotes`}},
		{"a word that YAML takes for a truth", rule(t, `"on_anonymous": false`), []string{
			`rules[0].on_anonymous: must be a string, not true or false; put it in quotes`}},
		{"a list where a word belongs", rule(t, `"on_anonymous": ["401"]`), []string{
			`rules[0].on_anonymous: must be a string, not a list`}},
		{"another status", rule(t, `"on_anonymous": "403"`), []string{
			`rules[0].on_anonymous: "403" is not one of login, 401, pass`}},
		{"two rules of one name", top(t, `"rules": [{"name": "a", "match": {"paths": ["/a"]}}, {"name": "a", "match": {"paths": ["/b"]}}]`), []string{
			`rules[1].name: "a" is the name of rules[0] too`}},
		{"a name that breaks a log line", alone(`"name": "a b", "match": {"paths": ["/a"]}`), []string{
			`rules[0].name: "a b" is not up to 64 of A-Z, a-z, 0-9, ".", "_" and "-"`}},
		{"a name that could be a rule's number", rule(t, `"name": "12"`), []string{
			`rules[0].name: "12" is a number, by which a rule without a name goes`}},
		{"a permission beside all that asks for somebody", rule(t, `"allow": "anyone", "accept": ["session"], "on_anonymous": "pass", "require": {}, "step_up": {"prompt": "login"}`), []string{
			`rules[0].accept: has no meaning beside "allow"`,
			`rules[0].on_anonymous: has no meaning beside "allow"`,
			`rules[0].require: has no meaning beside "allow"`,
			`rules[0].step_up: has no meaning beside "allow"`}},
		{"an open door for some, and a closed one for others", rule(t, `"on_anonymous": "pass", "require": {"groups": ["admins"]}`), []string{
			`rules[0].on_anonymous: "pass" has no place beside require: who brings nothing would pass where others are refused`}},
		{"a permission by a field that anybody can send", alone(byHeader + `"allow": "anyone"`), []string{
			`rules[0].allow: ` + whoever}},
		{"an open door by a field that anybody can send", alone(byHeader + `"on_anonymous": "pass"`), []string{
			`rules[0].on_anonymous: ` + whoever}},
		{"a rule that is rolled out to those who send a field", alone(byHeader + `"insecure_observe": true`), []string{
			`rules[0].insecure_observe: ` + whoever}},
		{"a danger that is accepted where there is none, for want of a field", rule(t, `"allow": "anyone", "insecure_open_by_header": true`), []string{
			`rules[0].insecure_open_by_header: has no meaning without match.headers`}},
		{"a danger that is accepted where there is none, for want of an open door", alone(byHeader + `"insecure_open_by_header": true`), []string{
			`rules[0].insecure_open_by_header: has no meaning in a rule that opens nothing by "allow", "on_anonymous": "pass" or "insecure_observe"`}},
		{"a prompt that there is not", rule(t, `"require": {"acr": ["gold"]}, "step_up": {"prompt": "none"}`), []string{
			`rules[0].step_up.prompt: "none" is not one of login, consent, select_account`}},
		{"a prompt for nothing", rule(t, `"step_up": {"prompt": "login"}`), []string{
			`rules[0].step_up.prompt: has no meaning unless scopes, acr or max_age are required`}},
		{"a prompt for what no login can bring", rule(t, `"require": {"groups": ["admins"], "not": {"acr": ["silver"]}}, "step_up": {"prompt": "login"}`), []string{
			`rules[0].step_up.prompt: has no meaning unless scopes, acr or max_age are required`}},
		{"a prompt where nobody signs in", tokens(t, `"accept": ["bearer"], "require": {"scopes": ["orders"]}, "step_up": {"prompt": "consent"}`), []string{
			`rules[0].step_up.prompt: is about a login, which leads to a session, which is not accepted here`}},
		{"more rules than are compiled while Envoy waits", top(t, `"rules": [`+strings.Repeat(`{"match": {"paths": ["/a"]}},`, 10_000)+`{"match": {"paths": ["/a"]}}]`), []string{
			`rules: holds 10001 rules; at most 10000`}},
		{"more expressions than there is room for", top(t, `"rules": [`+strings.Repeat(`{"match": {"path_regexes": `+many(200, "/%d")+`}},`, 5)+`{"match": {"path_regexes": ["/a"]}}]`), []string{
			`rules: hold 1001 path_regexes; at most 1000 in all`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.settings, tt.want...) })
	}
}

func TestRulesThatAreAccepted(t *testing.T) {
	tests := []struct {
		name, settings string
		got            func(*Config) any
		want           any
	}{
		{"anyone, by a field, where that is said", top(t, `"rules": [{"match": {"headers": {"X-Tenant": []}}, "allow": "anyone", "insecure_open_by_header": true}]`),
			func(c *Config) any { return c.Rules[0].Match.Headers }, map[string][]string{"x-tenant": {}}},
		{"an open door by a field, where that is said", top(t, `"rules": [{"match": {"headers": {"x-tenant": ["red"]}}, "on_anonymous": "pass", "insecure_open_by_header": true}]`),
			func(c *Config) any { return c.Rules[0].OnAnonymous }, "pass"},
		{"requirements that are rolled out by a field, where that is said", top(t, `"rules": [{"match": {"headers": {"x-tenant": ["red"]}}, "require": {"groups": ["a"]}, "insecure_observe": true, "insecure_open_by_header": true}]`),
			func(c *Config) any { return c.Rules[0].InsecureObserve }, true},
		{"a rule by a field that opens nothing", top(t, `"rules": [{"match": {"headers": {"x-tenant": ["red"]}}, "require": {"groups": ["a"]}}]`),
			func(c *Config) any { return c.Rules[0].OnAnonymous }, "login"},
		{"an open door for services", tokens(t, `"accept": ["bearer"], "on_anonymous": "pass"`),
			func(c *Config) any { return c.Rules[0].OnAnonymous }, "pass"},
		{"a prompt where something within any can be cured", rule(t, `"require": {"any": [{"groups": ["a"]}, {"max_age": "10m"}]}, "step_up": {"prompt": "login"}`),
			func(c *Config) any { return c.Rules[0].StepUp.Prompt }, "login"},
		{"as many expressions as there is room for", top(t, `"rules": [`+strings.Repeat(`{"match": {"path_regexes": `+many(200, "/%d")+`}},`, 4)+`{"match": {"path_regexes": `+many(200, "/%d")+`}}]`),
			func(c *Config) any { return len(c.Rules) }, 5},
		{"a name that begins with a digit", rule(t, `"name": "2nd"`),
			func(c *Config) any { return c.Rules[0].Name }, "2nd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got(mustParse(t, tt.settings))); diff != "" {
				t.Errorf("(-wanted +found):\n%s", diff)
			}
		})
	}
}
