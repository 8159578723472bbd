package policy

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/config"
)

func TestAnExplanationSaysWhyEachRuleWasNotTheOne(t *testing.T) {
	hosts := patterns(t, "api.example.com")
	rules := Compile(&config.Config{Rules: []config.Rule{
		{Name: "api", Match: config.Match{Hosts: hosts}},
		{Match: config.Match{Paths: []string{"/*"}, Methods: []string{"POST"}}},
		{Match: config.Match{Paths: []string{"/b/*"}}},
		{Match: config.Match{Paths: []string{"/*"}, Headers: map[string][]string{"x-a": {"1"}}}},
		{Name: "it", Match: config.Match{Paths: []string{"/a/*"}}, Require: &config.Require{Groups: []string{"staff"}, ACR: []string{"gold"}}},
		{Match: config.Match{Paths: []string{"/*"}}},
	}})
	e := rules.Explain(Request{Host: "app.example.com", Path: "/a/b", Method: "GET"}, alice(), now, leeway)
	want := []Reading{{Path: "/a/b", Method: "GET", Rule: 4, Name: "it", Looked: []Looked{
		{"api", "rules[0]", DiffersInHost}, {"1", "rules[1]", DiffersInMethod}, {"2", "rules[2]", DiffersInPath},
		{"3", "rules[3]", DiffersInHeader}, {"it", "rules[4]", ""},
	}}}
	if diff := cmp.Diff(want, e.Readings); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if e.Denial == nil || e.Denial.Reason != ReasonACR || e.Need.Rule != "it" || e.Repeated {
		t.Errorf("got %+v", e)
	}
	held := []Held{
		{Key: "groups", State: StateMet, Values: []string{"staff"}, Has: []string{"staff", "editors"}},
		{Key: "acr", State: StateUnmet, Values: []string{"gold"}, Has: []string{"silver"}},
	}
	if diff := cmp.Diff(held, e.Requirements); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestAnExplanationTellsEachWayToReadARequest(t *testing.T) {
	rules := Compile(&config.Config{Rules: []config.Rule{
		{Name: "admin", Match: config.Match{Paths: []string{"/admin/*"}, Methods: []string{"DELETE"}}},
		{Name: "open", Match: config.Match{Paths: []string{"/*"}}, Allow: "anyone"},
	}})
	e := rules.Explain(Request{Path: "/admin;x", Method: "GET", Header: fields("x-method-override", "delete")}, nil, now, leeway)
	var ways [][3]string
	for _, r := range e.Readings {
		ways = append(ways, [3]string{r.Path, r.Method, r.Name})
	}
	want := [][3]string{{"/admin;x", "GET", "open"}, {"/admin;x", "DELETE", "open"}, {"/admin", "GET", "open"}, {"/admin", "DELETE", "admin"}}
	if diff := cmp.Diff(want, ways); diff != "" || e.Need.Rule != "admin" || e.Denial != nil {
		t.Errorf("needs %+v; -want +got\n%s", e.Need, diff)
	}
}

func TestAnExplanationSaysWhatCannotBeTold(t *testing.T) {
	rules := Compile(&config.Config{Rules: []config.Rule{
		{Match: config.Match{Paths: []string{"/*"}, Headers: map[string][]string{"x-a": {}}}},
		{Match: config.Match{Paths: []string{"/*"}}, Require: &config.Require{MaxAge: tenMinutes, Not: &config.Require{Groups: []string{"x"}}}},
	}})
	e := rules.Explain(Request{Path: "/", Header: fields("x-a", "1", "x-a", "2")}, alice(), now, leeway)
	if !e.Repeated || len(e.Readings) != 1 || e.Readings[0].Looked[0].Differs != DiffersByRepeated || e.Readings[0].Rule != -1 {
		t.Errorf("got %+v", e)
	}
	e = rules.Explain(Request{Path: "/"}, nil, now, leeway)
	want := []Held{
		{Key: "not", State: StateUnknown, Parts: []Part{{StateUnknown, []Held{{Key: "groups", State: StateUnknown, Values: []string{"x"}}}}}},
		{Key: "max_age", State: StateUnknown, MaxAge: 600, Leeway: 60},
	}
	if diff := cmp.Diff(want, e.Requirements); diff != "" || e.Denial != nil {
		t.Errorf("-want +got\n%s", diff)
	}
	e = rules.Explain(Request{Path: "/"}, alice(), now, leeway)
	if e.Requirements[1].Has[0] != "300s" || e.Requirements[0].State != StateMet {
		t.Errorf("got %+v", e.Requirements)
	}
}

// stateFrom works out the state of a requirement from those of its parts alone.
func stateFrom(all []Held) string {
	state := StateMet
	for _, h := range all {
		switch s := h.from(); {
		case s == StateUnmet:
			return StateUnmet
		case s == StateUnknown:
			state = StateUnknown
		}
	}
	return state
}

func (h *Held) from() string {
	var parts []string
	for _, p := range h.Parts {
		parts = append(parts, stateFrom(p.Held))
	}
	has := func(s string) bool { return slices.Contains(parts, s) }
	switch h.Key {
	case "all":
		if has(StateUnmet) {
			return StateUnmet
		} else if has(StateUnknown) {
			return StateUnknown
		}
		return StateMet
	case "any":
		if has(StateMet) {
			return StateMet
		} else if has(StateUnknown) {
			return StateUnknown
		}
		return StateUnmet
	case "not":
		return map[string]string{StateMet: StateUnmet, StateUnmet: StateMet, StateUnknown: StateUnknown}[parts[0]]
	}
	return h.State
}

func TestWhatIsExplainedIsWhatIsDecided(t *testing.T) {
	denied := 0
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 3))
		c := randomRequirement(r, 3)
		s := alice()
		s.Outdated = r.IntN(3) == 0
		rules := Compile(&config.Config{Rules: []config.Rule{{Match: config.Match{Paths: []string{"/*"}}, Require: &c}}})
		e := rules.Explain(Request{Path: "/"}, s, now, leeway)
		d := e.Need.Check(s, now, leeway)
		if d != nil {
			denied++
		}
		state := stateFrom(e.Requirements)
		if (d == nil) != (state == StateMet) || !cmp.Equal(d, e.Denial) {
			t.Fatalf("seed %d: %+v\nis explained as %s, and decided as %+v", seed, c, state, d)
		}
		if d != nil && (d.Reason == ReasonOutdated) != (state == StateUnknown) && d.Cure == nil {
			t.Fatalf("seed %d: %+v\nis explained as %s, and decided as %+v", seed, c, state, d)
		}
		for _, h := range e.Requirements {
			if h.State != h.from() {
				t.Fatalf("seed %d: %s is %s, and its parts make it %s", seed, h.Key, h.State, h.from())
			}
		}
	}
	if denied < 1000 || denied > 19_000 {
		t.Errorf("%d were denied", denied)
	}
}

func TestALoginOfNoTimeIsNeverRecent(t *testing.T) {
	required := newRequirement(config.Require{MaxAge: tenMinutes})
	if d := required.check(&Subject{}, time.Unix(60, 0), leeway); d == nil {
		t.Error("it is where the clock is near its beginning")
	}
}

func TestAnAddressThatIsNotVerifiedIsSaidToBe(t *testing.T) {
	rules := Compile(&config.Config{Rules: []config.Rule{
		{Match: config.Match{Paths: []string{"/*"}}, Require: &config.Require{Groups: []string{"staff"}, Emails: []string{"alice@example.com"}, EmailDomains: []string{"example.com"}}},
	}})
	for _, unverified := range []bool{false, true} {
		s := alice()
		s.Unverified = unverified
		for _, h := range rules.Explain(Request{Path: "/"}, s, now, leeway).Requirements {
			if want := unverified && h.Key != "groups"; h.Unverified != want {
				t.Errorf("%s: got %v", h.Key, h.Unverified)
			}
		}
	}
}
