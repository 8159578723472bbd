package policy

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/session"
)

// member is somebody whose provider can be asked about teams and about a badge.
func member(change func(*Subject)) *Subject {
	return with(func(s *Subject) {
		s.Questions = map[string]string{"teams": "graph", "offices": "graph", "badge": "badge"}
		s.Begun = now.Unix() - 300
		if change != nil {
			change(s)
		}
	})
}

func answered(s *Subject) {
	s.Enriched = []string{"graph"}
	s.Claims["teams"] = session.Claim{List: true, Values: []string{"red"}}
}

func inVain(s *Subject) { s.Asked.Enrich = []string{"graph"} }

func ofToken(s *Subject) { s.Begun = 0 }

func claim(name string, values ...string) config.Require {
	return config.Require{Claims: map[string]config.ClaimTest{name: {Values: values}}}
}

func TestARuleWantsItsQuestionsAnsweredOnce(t *testing.T) {
	cure := func(names ...string) *session.Step { return &session.Step{Enrich: names} }
	for name, c := range map[string]struct {
		subject *Subject
		enrich  []string
		require config.Require
		reason  string
		cure    *session.Step
		tried   bool
	}{
		"answered":                          {member(answered), []string{"graph"}, config.Require{}, "", nil, false},
		"not asked":                         {member(nil), []string{"graph"}, config.Require{}, ReasonEnrich, cure("graph"), false},
		"two, of which one was asked":       {member(answered), []string{"graph", "badge"}, config.Require{}, ReasonEnrich, cure("badge"), false},
		"asked in vain":                     {member(inVain), []string{"graph"}, config.Require{}, ReasonEnrich, nil, true},
		"one in vain, one not asked":        {member(inVain), []string{"graph", "badge"}, config.Require{}, ReasonEnrich, cure("graph", "badge"), false},
		"a question of another provider":    {member(nil), []string{"other"}, config.Require{}, "", nil, false},
		"a provider without any":            {alice(), []string{"graph"}, config.Require{}, "", nil, false},
		"a token":                           {member(ofToken), []string{"graph"}, config.Require{}, "", nil, false},
		"answered under other settings":     {member(func(s *Subject) { answered(s); inVain(s); outdated(s) }), []string{"graph"}, config.Require{}, ReasonEnrich, cure("graph"), false},
		"and something that nobody cures":   {member(nil), []string{"graph"}, config.Require{AMR: []string{"hwk"}}, ReasonEnrich, nil, false},
		"a claim of one that is answered":   {member(answered), nil, claim("teams", "red"), "", nil, false},
		"and is another":                    {member(answered), nil, claim("teams", "blue"), ReasonClaim, nil, false},
		"a claim of one that was not asked": {member(nil), nil, claim("teams", "red"), ReasonEnrich, cure("graph"), false},
		"and asked in vain":                 {member(inVain), nil, claim("teams", "red"), ReasonEnrich, nil, true},
		"named and looked at":               {member(nil), []string{"graph"}, claim("teams", "red"), ReasonEnrich, cure("graph"), false},
		"none of them, not asked":           {member(nil), nil, config.Require{Not: ptr(claim("teams", "red"))}, ReasonEnrich, cure("graph"), false},
		"none of them, asked in vain":       {member(inVain), nil, config.Require{Not: ptr(claim("teams", "red"))}, ReasonEnrich, nil, true},
		"none of them, answered":            {member(answered), nil, config.Require{Not: ptr(claim("teams", "blue"))}, "", nil, false},
		"a token's claim":                   {member(ofToken), nil, claim("teams", "red"), ReasonClaim, nil, false},
		"none of them, by a token":          {member(ofToken), nil, config.Require{Not: ptr(claim("teams", "red"))}, ReasonNot, nil, false},
		"either is met":                     {member(nil), nil, config.Require{Any: []config.Require{claim("teams", "red"), {Groups: []string{"staff"}}}}, "", nil, false},
		"either, the other terminal":        {member(nil), nil, config.Require{Any: []config.Require{{Groups: []string{"x"}}, claim("teams", "red")}}, ReasonAny, cure("graph"), false},
		"either in vain, and then the other": {member(inVain), nil, config.Require{Any: []config.Require{claim("teams", "red"), claim("badge", "7")}}, ReasonAny,
			cure("badge", "graph"), false},
		"beside a scope": {member(nil), []string{"graph"}, config.Require{Scopes: []string{"a"}}, ReasonEnrich,
			&session.Step{Scopes: []string{"a"}, Enrich: []string{"graph"}, Prompt: "login"}, false},
		"what was answered is asked again": {member(func(s *Subject) { answered(s); inVain(s) }), nil, config.Require{Scopes: []string{"a"}}, ReasonScope,
			&session.Step{Scopes: []string{"a"}, Enrich: []string{"graph"}, Prompt: "login"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			need := Need{Prompt: "login", Enrich: c.enrich}
			if r := newRequirement(c.require); len(r.tests) > 0 {
				need.requires = []*requirement{r}
			}
			d := need.Check(c.subject, now, leeway)
			if d == nil || c.reason == "" {
				if d != nil || c.reason != "" {
					t.Fatalf("got %+v, want %q", d, c.reason)
				}
				return
			}
			if diff := cmp.Diff(c.cure, d.Cure, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(session.Step{}, "Round")); diff != "" {
				t.Errorf("the cure (-want +got):\n%s", diff)
			}
			if d.Reason != c.reason || d.Tried != c.tried {
				t.Errorf("got %s, tried %t; want %s, %t", d.Reason, d.Tried, c.reason, c.tried)
			}
			if n := len(slices.DeleteFunc(d.Missing, func(m Missing) bool { return m.Reason != ReasonEnrich })); n > 1 {
				t.Errorf("%d times it is told that answers are missing", n)
			}
		})
	}
}

func ptr(r config.Require) *config.Require { return &r }

func TestALoginIsToldWhichQuestionsToAskAndWhere(t *testing.T) {
	rules := []config.Rule{
		{Match: config.Match{Paths: []string{"/a"}}, Enrich: []string{"graph"}, SignIn: config.RuleSignIn{Providers: []string{"main", "other"}}, StepUp: config.StepUp{Prompt: "login"}},
		{Match: config.Match{Paths: []string{"/b"}}, Require: &config.Require{Provider: "main"}},
		{Match: config.Match{Paths: []string{"/c"}}, Enrich: []string{"badge"}, SignIn: config.RuleSignIn{Providers: []string{"other", "third"}}},
		{Match: config.Match{Paths: []string{"/d"}}},
	}
	c := &config.Config{Rules: rules}
	need := func(i int) Need { return needOf(c, i) }
	for name, tt := range map[string]struct {
		need      Need
		enrich    []string
		providers []string
	}{
		"as the rule says":          {need(0), []string{"graph"}, []string{"main", "other"}},
		"the provider required":     {need(1), nil, []string{"main"}},
		"nothing said":              {need(3), nil, nil},
		"both of two rules":         {need(0).And(need(2)), []string{"graph", "badge"}, []string{"other"}},
		"one of them for any":       {need(3).And(need(0)), []string{"graph"}, []string{"main", "other"}},
		"two that have none common": {need(1).And(need(2)), []string{"badge"}, []string{"main"}},
		"a demand for a provider":   {need(0).Demand(config.Require{Provider: "main"}), []string{"graph"}, []string{"main"}},
		"a demand for none":         {need(0).Demand(config.Require{Groups: []string{"x"}}), []string{"graph"}, []string{"main", "other"}},
	} {
		t.Run(name, func(t *testing.T) {
			if !slices.Equal(tt.need.Providers, tt.providers) {
				t.Errorf("providers %q, want %q", tt.need.Providers, tt.providers)
			}
			if step := tt.need.Step(); !slices.Equal(step.Enrich, tt.enrich) || step.Prompt != "" {
				t.Errorf("step %+v, want %q", step, tt.enrich)
			}
		})
	}
}

func withQuestions() *config.Provider {
	return &config.Provider{Name: "main", Claims: config.Claims{"user": "sub", "groups": "groups"}, Enrich: []config.Enrich{
		{Name: "graph", When: "rule", Select: map[string]string{"teams": "value.#.name", "groups": "value.#.id"}},
		{Name: "badge", When: "login", Select: map[string]string{"badge": "number"}},
	}}
}

func TestNothingElseThatAProviderSaysIsTakenForAnAnswer(t *testing.T) {
	rules := Compile(&config.Config{Rules: []config.Rule{{Match: config.Match{Paths: []string{"/a"}}, Require: ptr(claim("teams", "red"))}}})
	if diff := cmp.Diff(map[string]string{"user": "sub"}, rules.Gathered(withQuestions())); diff != "" {
		t.Errorf("gathered of a provider with the question (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"user": "sub", "teams": "teams"}, rules.Gathered(&config.Provider{Claims: config.Claims{"user": "sub"}})); diff != "" {
		t.Errorf("gathered of another (-want +got):\n%s", diff)
	}
}

func TestRulesThatForgetAQuestionOrNeedNotNameItAreToldOf(t *testing.T) {
	for name, c := range map[string]struct {
		rule config.Rule
		kind string
	}{
		"a claim of a question of rules":             {config.Rule{Require: ptr(claim("teams", "red"))}, WarnsNotAsked},
		"a claim of one deep within":                 {config.Rule{Require: &config.Require{Any: []config.Require{{Not: ptr(claim("teams", "red"))}, claim("x", "y")}}}, WarnsNotAsked},
		"the groups, which one brings":               {config.Rule{Require: &config.Require{Groups: []string{"x"}}}, WarnsNotAsked},
		"which it names":                             {config.Rule{Require: ptr(claim("teams", "red")), Enrich: []string{"graph"}}, ""},
		"a claim of a question of every login":       {config.Rule{Require: ptr(claim("badge", "1"))}, ""},
		"a question of every login that it names":    {config.Rule{Enrich: []string{"badge"}}, WarnsNeedless},
		"another claim, and a question that it does": {config.Rule{Require: ptr(claim("x", "y")), Enrich: []string{"graph"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.rule.Match.Paths = []string{"/*"}
			var kinds []string
			for _, w := range Warnings(&config.Config{Providers: []config.Provider{*withQuestions()}, Rules: []config.Rule{c.rule}}) {
				if w.Kind == WarnsNotAsked || w.Kind == WarnsNeedless {
					kinds = append(kinds, w.Kind)
				}
			}
			if want := slices.DeleteFunc([]string{c.kind}, func(s string) bool { return s == "" }); !slices.Equal(kinds, want) {
				t.Errorf("warned of %q, want %q", kinds, want)
			}
		})
	}
}

func TestExplainTellsOfQuestions(t *testing.T) {
	need := Need{Enrich: []string{"graph"}, requires: []*requirement{newRequirement(claim("teams", "red"))}}
	held := func(s *Subject) []Held {
		e := Explanation{Need: need}
		e.Hold(s, now, leeway)
		return e.Requirements
	}
	want := []Held{
		{Key: "enrich", State: StateUnmet, Values: []string{"graph"}, Unanswered: []string{"graph"}},
		{Key: "claims.teams", State: StateUnknown, Values: []string{"red"}, Unanswered: []string{"graph"}},
	}
	if diff := cmp.Diff(want, held(member(nil)), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("not asked (-want +got):\n%s", diff)
	}
	want = []Held{
		{Key: "enrich", State: StateMet, Values: []string{"graph"}, Has: []string{"graph"}},
		{Key: "claims.teams", State: StateMet, Values: []string{"red"}, Has: []string{"red"}},
	}
	if diff := cmp.Diff(want, held(member(answered)), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("answered (-want +got):\n%s", diff)
	}
	if got := held(nil); got[0].State != StateUnknown {
		t.Errorf("nobody: %+v", got)
	}
}
