package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/session"
)

func asked(step session.Step) *Subject { return with(func(s *Subject) { s.Asked = step }) }

const tenMinutes = config.Duration(10 * time.Minute)

func old(s *Subject) { s.AuthTime = now.Unix() - 3600 }

func TestALoginCuresWhatItCanAndIsNotAskedTwice(t *testing.T) {
	write, gold := config.Require{Scopes: []string{"orders.write"}}, config.Require{ACR: []string{"gold", "platinum"}}
	groups := config.Require{Groups: []string{"admins"}}
	goldStep := session.Step{ACR: []string{"gold", "platinum"}, Prompt: "login"}
	for name, c := range map[string]struct {
		require config.Require
		subject *Subject
		want    *session.Step
		tried   bool
	}{
		"a scope":            {write, alice(), &session.Step{Scopes: []string{"orders.write"}, Prompt: "login"}, false},
		"only missing ones":  {config.Require{Scopes: []string{"openid", "a", "b"}}, alice(), &session.Step{Scopes: []string{"a", "b"}, Prompt: "login"}, false},
		"levels, in order":   {gold, alice(), &goldStep, false},
		"a recent login":     {config.Require{MaxAge: tenMinutes}, with(old), &session.Step{MaxAge: 600, Prompt: "login"}, false},
		"a login of no time": {config.Require{MaxAge: tenMinutes}, with(func(s *Subject) { s.AuthTime = 0 }), &session.Step{MaxAge: 600, Prompt: "login"}, false},
		"all of it at once": {config.Require{Scopes: []string{"a"}, ACR: []string{"gold"}, MaxAge: tenMinutes}, with(old),
			&session.Step{Scopes: []string{"a"}, ACR: []string{"gold"}, MaxAge: 600, Prompt: "login"}, false},
		"under all":                  {config.Require{All: []config.Require{write, gold}}, alice(), &session.Step{Scopes: []string{"orders.write"}, ACR: goldStep.ACR, Prompt: "login"}, false},
		"levels that are in both":    {config.Require{All: []config.Require{gold, {ACR: []string{"platinum"}}}}, alice(), &session.Step{ACR: []string{"platinum"}, Prompt: "login"}, false},
		"levels that exclude others": {config.Require{All: []config.Require{gold, {ACR: []string{"silver"}}}}, alice(), nil, false},
		"what is met is asked for too": {config.Require{Scopes: []string{"a"}, ACR: []string{"silver"}, MaxAge: tenMinutes}, alice(),
			&session.Step{Scopes: []string{"a"}, ACR: []string{"silver"}, MaxAge: 600, Prompt: "login"}, false},
		"a scope that a login brought is asked for again": {config.Require{Scopes: []string{"a", "orders.read"}}, asked(session.Step{Scopes: []string{"orders.read"}}),
			&session.Step{Scopes: []string{"a", "orders.read"}, Prompt: "login"}, false},
		"a group":               {groups, alice(), nil, false},
		"a scope and a group":   {config.Require{Groups: []string{"admins"}, Scopes: []string{"a"}}, alice(), nil, false},
		"a scope but a not":     {config.Require{Scopes: []string{"a"}, Not: &config.Require{Groups: []string{"staff"}}}, alice(), nil, false},
		"nothing under not":     {config.Require{Not: &config.Require{ACR: []string{"silver"}}}, alice(), nil, false},
		"another provider":      {config.Require{Provider: "x"}, alice(), nil, false},
		"ways are not asked":    {config.Require{AMR: []string{"hwk"}}, alice(), nil, false},
		"the first curable way": {config.Require{Any: []config.Require{groups, gold, write}}, alice(), &goldStep, false},
		"a way that lacks more": {config.Require{Any: []config.Require{{Groups: []string{"admins"}, ACR: []string{"gold"}}, write}}, alice(),
			&session.Step{Scopes: []string{"orders.write"}, Prompt: "login"}, false},
		"no curable way":                  {config.Require{Any: []config.Require{groups, {AMR: []string{"hwk"}}}}, alice(), nil, false},
		"any way, beside something to do": {config.Require{Scopes: []string{"a"}, Any: []config.Require{{ACR: []string{"silver"}}, groups}}, alice(), &session.Step{Scopes: []string{"a"}, ACR: []string{"silver"}, Prompt: "login"}, false},
		"any way that asks for nothing":   {config.Require{Scopes: []string{"a"}, Any: []config.Require{{ACR: []string{"silver"}}, {Groups: []string{"staff"}}}}, alice(), &session.Step{Scopes: []string{"a"}, Prompt: "login"}, false},

		"a scope that was asked for":  {write, asked(session.Step{Scopes: []string{"x", "orders.write"}}), nil, true},
		"one of two was asked for":    {config.Require{Scopes: []string{"a", "b"}}, asked(session.Step{Scopes: []string{"a"}}), &session.Step{Scopes: []string{"a", "b"}, Prompt: "login"}, false},
		"a level that was asked for":  {gold, asked(session.Step{ACR: []string{"platinum"}}), nil, true},
		"another level was asked for": {gold, asked(session.Step{ACR: []string{"silver"}}), &goldStep, false},
		"a level of several, and another of them came": {config.Require{ACR: []string{"gold"}}, asked(session.Step{ACR: []string{"silver", "gold"}}),
			&session.Step{ACR: []string{"gold"}, Prompt: "login"}, false},
		"a recent login was asked for": {config.Require{MaxAge: tenMinutes}, with(func(s *Subject) { old(s); s.Asked.MaxAge = 300 }), nil, true},
		"a login that was recent then": {config.Require{MaxAge: tenMinutes}, with(func(s *Subject) { s.AuthTime, s.Asked.MaxAge, s.Begun = now.Unix()-720, 600, now.Unix()-180 }),
			&session.Step{MaxAge: 600, Prompt: "login"}, false},
		"a login that was just too old then": {config.Require{MaxAge: tenMinutes}, with(func(s *Subject) { s.AuthTime, s.Asked.MaxAge, s.Begun = now.Unix()-662, 600, now.Unix()-1 }), nil, true},
		"a login of no time, again":          {config.Require{MaxAge: tenMinutes}, with(func(s *Subject) { s.AuthTime, s.Asked.MaxAge = 0, 600 }), nil, true},
		"a login in the future, again":       {config.Require{MaxAge: tenMinutes}, with(func(s *Subject) { s.AuthTime, s.Asked.MaxAge = now.Unix()+3600, 600 }), nil, true},
		"a less recent one was asked for":    {config.Require{MaxAge: tenMinutes}, with(func(s *Subject) { old(s); s.Asked.MaxAge = 601 }), &session.Step{MaxAge: 600, Prompt: "login"}, false},
		"it was asked for long ago":          {config.Require{MaxAge: tenMinutes}, with(func(s *Subject) { old(s); s.Asked.MaxAge, s.Begun = 600, now.Unix()-661 }), &session.Step{MaxAge: 600, Prompt: "login"}, false},
		"it was asked for not so long ago":   {config.Require{MaxAge: tenMinutes}, with(func(s *Subject) { old(s); s.Asked.MaxAge, s.Begun = 600, now.Unix()-660 }), nil, true},
		"in vain, and a group":               {config.Require{Groups: []string{"admins"}, Scopes: []string{"orders.write"}}, asked(session.Step{Scopes: []string{"orders.write"}}), nil, false},
		"in vain, and something else":        {config.Require{Scopes: []string{"orders.write"}, ACR: []string{"gold"}}, asked(session.Step{Scopes: []string{"orders.write"}}), nil, true},
		"one way in vain, then another, and both are asked for": {config.Require{Any: []config.Require{gold, write}}, asked(session.Step{ACR: []string{"gold"}}),
			&session.Step{Scopes: []string{"orders.write"}, ACR: []string{"gold", "platinum"}, Prompt: "login"}, false},
		"two levels, one in vain": {config.Require{Any: []config.Require{{ACR: []string{"gold"}}, {ACR: []string{"platinum"}}}}, asked(session.Step{ACR: []string{"gold"}}),
			&session.Step{ACR: []string{"platinum", "gold"}, Prompt: "login"}, false},
		"each way in vain": {config.Require{Any: []config.Require{groups, gold, write}}, asked(session.Step{ACR: []string{"gold"}, Scopes: []string{"orders.write"}}), nil, true},

		"outdated":                       {groups, with(outdated), &session.Step{}, false},
		"outdated, and a scope":          {config.Require{Groups: []string{"x"}, Scopes: []string{"a"}}, with(outdated), &session.Step{Scopes: []string{"a"}, Prompt: "login"}, false},
		"outdated, and terminal":         {config.Require{Groups: []string{"x"}, AMR: []string{"hwk"}}, with(outdated), nil, false},
		"outdated, or a level":           {config.Require{Any: []config.Require{gold, groups}}, with(outdated), &session.Step{}, false},
		"outdated, but the level counts": {config.Require{Any: []config.Require{{Groups: []string{"x"}, AMR: []string{"hwk"}}, gold}}, with(outdated), &goldStep, false},
		"outdated, and tried": {config.Require{Groups: []string{"x"}, ACR: []string{"gold"}},
			with(func(s *Subject) { s.Outdated, s.Asked.ACR = true, []string{"gold"} }), nil, true},
	} {
		need := Need{Prompt: "login", requires: []*requirement{newRequirement(c.require)}}
		d := need.Check(c.subject, now, leeway)
		if d == nil {
			t.Errorf("%s: met", name)
			continue
		}
		if diff := cmp.Diff(c.want, d.Cure, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(session.Step{}, "Round")); diff != "" || d.Tried != c.tried {
			t.Errorf("%s: tried %v, -want +got\n%s", name, d.Tried, diff)
		}
		if d.Cure == nil && slices.ContainsFunc(d.Missing, func(m Missing) bool { return m.Reason == ReasonOutdated }) {
			t.Errorf("%s: what cannot be told is told", name)
		}
	}
}

func TestAllThatIsMissingIsToldInTheSettingsOrder(t *testing.T) {
	d := newRequirement(config.Require{
		Groups: []string{"admins", "owners"}, Scopes: []string{"openid", "a", "b"}, Emails: []string{"bob@example.com"}, EmailDomains: []string{"Example.org"},
		Claims: map[string]config.ClaimTest{"z": {Values: []string{"1"}}, "org.cost": {Values: []string{"1"}, Prefixes: []string{"5"}}},
		All:    []config.Require{{Roles: []string{"x"}}},
		Any:    []config.Require{{Groups: []string{"g1"}, AMR: []string{"hwk"}}, {Groups: []string{"g2"}}, {Scopes: []string{"c"}, ACR: []string{"gold"}}},
		Not:    &config.Require{Groups: []string{"staff"}}, ACR: []string{"gold"}, MaxAge: config.Duration(time.Second), Provider: "x",
	}).check(with(old), now, leeway)
	want := &Denial{Reason: ReasonGroup, Missing: []Missing{
		{Reason: ReasonGroup, Wanted: []string{"admins", "owners"}},
		{Reason: ReasonScope, Wanted: []string{"a", "b"}},
		{Reason: ReasonEmail}, // nobody is told who else may come in
		{Reason: ReasonEmailDomain, Wanted: []string{"Example.org"}},
		{Reason: ReasonClaim, Claim: "org.cost", Wanted: []string{"1"}, Prefix: []string{"5"}},
		{Reason: ReasonClaim, Claim: "z", Wanted: []string{"1"}},
		{Reason: ReasonRole, Wanted: []string{"x"}},
		{Reason: ReasonAny, Any: []Missing{
			{Reason: ReasonScope, Wanted: []string{"c"}, Beside: []Missing{{Reason: ReasonACR, Wanted: []string{"gold"}}}},
			{Reason: ReasonGroup, Wanted: []string{"g2"}},
			{Reason: ReasonGroup, Wanted: []string{"g1"}, Beside: []Missing{{Reason: ReasonAMR, Wanted: []string{"hwk"}}}},
		}},
		{Reason: ReasonNot},
		{Reason: ReasonACR, Wanted: []string{"gold"}},
		{Reason: ReasonMaxAge, MaxAge: 1},
		{Reason: ReasonProvider, Wanted: []string{"x"}},
	}}
	if diff := cmp.Diff(want, d, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestSeveralRequirementsAreHeldTogether(t *testing.T) {
	need := Need{requires: []*requirement{newRequirement(config.Require{Scopes: []string{"a"}}), newRequirement(config.Require{Scopes: []string{"b"}, ACR: []string{"silver"}})}}
	d := need.Check(alice(), now, leeway)
	if d == nil || d.Cure == nil || !slices.Equal(d.Cure.Scopes, []string{"a", "b"}) || !slices.Equal(d.Cure.ACR, []string{"silver"}) {
		t.Errorf("got %+v", d)
	}
}

func TestAFirstLoginIsAskedForWhatIsRequiredInAnyCase(t *testing.T) {
	need := Need{Prompt: "login", requires: []*requirement{newRequirement(config.Require{
		Groups: []string{"x"}, Scopes: []string{"a"}, MaxAge: tenMinutes, All: []config.Require{{ACR: []string{"gold"}}},
		Any: []config.Require{{Scopes: []string{"b"}}}, Not: &config.Require{Scopes: []string{"c"}},
	}), newRequirement(config.Require{MaxAge: config.Duration(time.Minute)})}}
	want := session.Step{Scopes: []string{"a"}, ACR: []string{"gold"}, MaxAge: 60, Prompt: "login"}
	if diff := cmp.Diff(want, need.Step()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := (&Need{Prompt: "login", requires: []*requirement{newRequirement(config.Require{Groups: []string{"x"}})}}).Step(); !got.IsZero() {
		t.Errorf("got %+v", got)
	}
}

// randomRequirement makes a requirement of what is around in these tests.
func randomRequirement(r *rand.Rand, depth int) (c config.Require) {
	pick := func(of ...string) []string { return []string{of[r.IntN(len(of))], of[r.IntN(len(of))]} }
	for range 1 + r.IntN(2) {
		switch n := r.IntN(10); {
		case n == 0:
			c.Groups = pick("g", "staff")
		case n == 1:
			c.AMR = pick("pwd", "hwk")
		case n <= 3:
			c.Scopes = pick("a", "b", "c")
		case n <= 5:
			c.ACR = pick("silver", "gold", "platinum")
		case n == 6:
			c.MaxAge = config.Duration(time.Duration(1+r.IntN(3)) * time.Minute)
		case depth == 0:
			c.Scopes = pick("a", "d")
		case n == 7:
			c.All = []config.Require{randomRequirement(r, depth-1), randomRequirement(r, depth-1)}
		case n == 8:
			c.Any = []config.Require{randomRequirement(r, depth-1), randomRequirement(r, depth-1), randomRequirement(r, depth-1)}
		default:
			inner := randomRequirement(r, depth-1)
			c.Not = &inner
		}
	}
	return c
}

func TestNoProviderLeadsAnybodyRoundInCircles(t *testing.T) {
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := randomRequirement(r, 2)
		required := newRequirement(c)
		s, at := alice(), now
		s.Outdated = r.IntN(4) == 0
		logins := 0
		for ; ; logins++ {
			d := required.check(s, at, leeway)
			if d == nil || d.Cure == nil {
				break
			}
			if logins == 12 {
				t.Fatalf("seed %d: %d logins for %+v; now %+v", seed, logins, c, d.Cure)
			}
			at = at.Add(time.Second)
			login(r, s, *d.Cure, at)
		}
	}
}

// login signs somebody in at a provider that gives what it likes.
func login(r *rand.Rand, s *Subject, step session.Step, at time.Time) {
	s.Asked, s.Begun, s.Outdated = step, at.Unix(), false
	s.Scopes = []string{"openid"}
	for _, scope := range step.Scopes {
		if r.IntN(2) == 0 {
			s.Scopes = append(s.Scopes, scope)
		}
	}
	s.ACR = append([]string{"silver", "other"}, step.ACR...)[r.IntN(2+len(step.ACR))]
	s.AuthTime = at.Unix() + []int64{0, -3600, 3600}[r.IntN(3)]
}

func TestNobodyIsAskedForMoreLoginsAtOnceThanPeopleMake(t *testing.T) {
	gold, groups := config.Require{ACR: []string{"gold"}}, config.Require{Groups: []string{"admins"}}
	for name, c := range map[string]struct {
		require config.Require
		subject Subject
		round   int // 0: no login any more
	}{
		"nothing was asked for before": {gold, *alice(), 1},
		"the second in a row":          {gold, Subject{ACR: "silver", Asked: session.Step{Round: 1}, Begun: now.Unix() - 60}, 2},
		"the last in a row":            {gold, Subject{ACR: "silver", Asked: session.Step{Round: 7}, Begun: now.Unix()}, 8},
		"one too many":                 {gold, Subject{ACR: "silver", Asked: session.Step{Round: 8}, Begun: now.Unix() - 60}, 0},
		"after a pause":                {gold, Subject{ACR: "silver", Asked: session.Step{Round: 8}, Begun: now.Unix() - 61}, 1},
		// As where replicas have different settings, and each takes the other's sessions for outdated.
		"for current claims alone": {groups, Subject{Outdated: true, Asked: session.Step{Round: 8}, Begun: now.Unix()}, 0},
	} {
		d := newRequirement(c.require).check(&c.subject, now, leeway)
		switch {
		case d == nil || d.Reason == "":
			t.Errorf("%s: got %+v", name, d)
		case c.round == 0 && (d.Cure != nil || !d.Tried), c.round != 0 && (d.Cure == nil || d.Cure.Round != c.round):
			t.Errorf("%s: got %+v, cured by %+v", name, d, d.Cure)
		}
	}
}

func TestALoginThatBringsWhatItIsAskedForIsEnough(t *testing.T) {
	cured := 0
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 2))
		c := randomRequirement(r, 2)
		required := newRequirement(c)
		s := alice()
		d := required.check(s, now, leeway)
		if d == nil || d.Cure == nil {
			continue
		}
		if hasNot(&c) {
			continue // what is brought may be what must not be there
		}
		s.Asked, s.Begun, s.AuthTime = *d.Cure, now.Unix(), now.Unix()
		s.Scopes = append([]string{"openid", "orders.read"}, d.Cure.Scopes...)
		if len(d.Cure.ACR) > 0 {
			s.ACR = d.Cure.ACR[0]
		}
		if d := required.check(s, now, leeway); d != nil {
			t.Fatalf("seed %d: %s\nstill lacks %+v", seed, fmt.Sprintf("%+v", c), d)
		}
		cured++
	}
	if cured < 1000 {
		t.Errorf("only %d were cured", cured)
	}
}

func hasNot(c *config.Require) bool {
	has := func(r config.Require) bool { return hasNot(&r) }
	return c.Not != nil || slices.ContainsFunc(c.All, has) || slices.ContainsFunc(c.Any, has)
}
