package main

import (
	"strings"
	"testing"
)

func TestExplainAnswersQuestionsAsItIsTold(t *testing.T) {
	for name, args := range map[string][]string{
		"enrich_rule.txt":      {"GET", "https://app.example.com/red/1", "--claims", "testdata/member.json"},
		"enrich_no_answer.txt": {"GET", "https://app.example.com/bern/1", "--claims", "testdata/member.json"},
		"enrich_nobody.txt":    {"GET", "https://app.example.com/red/1"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := tryOn(t, "testdata/enrich.yaml", append([]string{"explain"}, args...)...)
			if code != 0 || errOut != "" {
				t.Errorf("exit %d: %s", code, errOut)
			}
			golden(t, name, out)
		})
	}
}

const enriching = `
providers:
- name: main
  issuer: https://id.example.com
  cluster: idp
  client_id: shop
  enrich:
  - {name: teams, url: "https://id.example.com/teams", select: {teams: value}, when: rule}
  - {name: badge, url: "https://id.example.com/badge", select: {badge: value}, required: true}
hosts: [app.example.com]
session: {keys: [{id: k, env: POSTERN_KEY}]}
`

func TestATableHoldsAnswersToQuestions(t *testing.T) {
	code, out, errOut := run(t, enriching+`rules: [{name: red, match: {paths: [/red]}, enrich: [teams], require: {claims: {teams: [red]}}}]`,
		"check", "-t", table(t, `
- {request: GET https://app.example.com/red, expect: login}
- {request: GET https://app.example.com/red, claims: {sub: a, enrich: {badge: {value: 1}, teams: {value: [red]}}}, expect: step_up, reason: enrich_missing}
- {request: GET https://app.example.com/, claims: {sub: b, enrich: {badge: {value: 1}}}, expect: pass}
`))
	if code != 0 || errOut != "" {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	code, out, _ = run(t, enriching, "check", "-t", table(t, `[{request: GET https://app.example.com/, claims: {sub: b}, expect: pass}]`))
	if code != 1 || !strings.Contains(out, "the login ends with 502 (enrich_failed), not pass") {
		t.Errorf("a login without the answer that is required: exit %d: %s", code, out)
	}
}

func TestCheckWarnsOfQuestions(t *testing.T) {
	for name, c := range map[string]struct{ rule, want string }{
		"that a rule does not name": {`require: {claims: {teams: [red]}}`,
			"rules[0] looks at teams, which is known only of those for whom teams was asked, and does not name that in enrich: whoever comes signs in twice"},
		"that a rule need not name": {`enrich: [badge]`,
			`rules[0] names badge in enrich, though every login asks that; "when": "rule" in the question leaves it to rules`},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := run(t, enriching+"rules: [{match: {paths: [/*]}, "+c.rule+"}]", "check", "--strict")
			if code != 1 || errOut != "" || !strings.Contains(out, c.want) {
				t.Errorf("exit %d: %s%s", code, out, errOut)
			}
		})
	}
}
