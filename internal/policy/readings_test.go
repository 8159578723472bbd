package policy

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/config"
)

func diffNeed(want, got Need) string {
	return cmp.Diff(want, got, cmp.AllowUnexported(Need{}, requirement{}, test{}, words{}))
}

func TestWhateverWayARequestIsReadItNeedsWhatThatNeeds(t *testing.T) {
	rules := Compile(&config.Config{Rules: []config.Rule{
		{Name: "admin", Match: config.Match{Paths: []string{"/admin/*"}}, Accept: []string{"session"}, Require: &config.Require{Groups: []string{"a"}}},
		{Name: "writes", Match: config.Match{Paths: []string{"/docs/*"}, Methods: []string{"POST", "DELETE"}}, Accept: []string{"session"}, Require: &config.Require{Groups: []string{"b"}}},
		{Name: "open", Match: config.Match{Paths: []string{"/*"}}, Allow: "anyone"},
	}})
	for name, c := range map[string]struct {
		r    Request
		want string // "" for an error
	}{
		"as it is":                             {Request{Path: "/docs/1", Method: "GET"}, "open"},
		"a parameter":                          {Request{Path: "/admin;x/1"}, "admin"},
		"a parameter elsewhere":                {Request{Path: "/docs;x/1", Method: "GET"}, "open"},
		"nothing but a parameter in a segment": {Request{Path: "/;x/admin"}, "admin"},
		"a parameter at the end":               {Request{Path: "/admin/;x"}, "admin"},
		"escapes beneath escapes":              {Request{Path: "/%2561dmin/1"}, "admin"},
		"escapes beneath those":                {Request{Path: "/%252561dmin/1"}, "admin"},
		"escapes and parameters":               {Request{Path: "/%2561dmin;x/1"}, "admin"},
		"an override":                          {Request{Path: "/docs/1", Method: "GET", Header: fields("x-http-method-override", "DELETE")}, "writes"},
		"an override in other letters":         {Request{Path: "/docs/1", Method: "GET", Header: fields("x-http-method-override", " delete ")}, "writes"},
		"an override in another spelling":      {Request{Path: "/docs/1", Method: "GET", Header: fields("X_HTTP_Method_Override", "DELETE")}, "writes"},
		"by the second name":                   {Request{Path: "/docs/1", Method: "GET", Header: fields("x-http-method", "POST")}, "writes"},
		"by the third name":                    {Request{Path: "/docs/1", Method: "GET", Header: fields("x-method-override", "POST")}, "writes"},
		"the method counts all the same":       {Request{Path: "/docs/1", Method: "POST", Header: fields("x-method-override", "GET")}, "writes"},
		"an override to nothing":               {Request{Path: "/docs/1", Method: "GET", Header: fields("x-method-override", "")}, "open"},
		"by each name another":                 {Request{Path: "/docs/1", Method: "GET", Header: fields("x-method-override", "PUT", "x-http-method", "PATCH", "x-http-method-override", "POST")}, "writes"},
		"two overrides of one name":            {Request{Path: "/docs/1", Method: "GET", Header: fields("x-method-override", "GET", "x-method-override", "POST")}, ""},
		"two overrides of two spellings":       {Request{Path: "/docs/1", Method: "GET", Header: fields("x-method-override", "GET", "x_method_override", "POST")}, ""},
		"two overrides in one field":           {Request{Path: "/docs/1", Method: "GET", Header: fields("x-method-override", "GET, POST")}, ""},
		"a parameter and an override":          {Request{Path: "/docs;x/1", Method: "GET", Header: fields("x-method-override", "POST")}, "writes"},
	} {
		need, err := rules.Need(c.r)
		if need.Rule != c.want || errors.Is(err, ErrRepeated) != (c.want == "") {
			t.Errorf("%s: got %q, %v", name, need.Rule, err)
		}
	}
}

func TestWhereNoRuleLooksAtMethodsNoOverrideDoesHarm(t *testing.T) {
	rules := Compile(&config.Config{Rules: []config.Rule{{Name: "open", Match: config.Match{Paths: []string{"/*"}}, Allow: "anyone"}}})
	need, err := rules.Need(Request{Path: "/", Method: "GET", Header: fields("x-method-override", "a", "x-method-override", "b")})
	if err != nil || need.Rule != "open" {
		t.Errorf("got %+v, %v", need, err)
	}
}

func TestALongPathThatCanBeReadInSeveralWaysIsAnError(t *testing.T) {
	rules := Compile(&config.Config{Rules: []config.Rule{{Match: config.Match{Paths: []string{"/*"}}, Allow: "anyone"}}})
	long := "/" + strings.Repeat("a", maxAmbiguous-1)
	for path, want := range map[string]error{long: nil, long + "a": nil, long[:maxAmbiguous-2] + ";b": nil, long + ";b": ErrAmbiguous, long + "%25": ErrAmbiguous, long + "%2541": ErrAmbiguous} {
		if need, err := rules.Need(Request{Path: path}); !errors.Is(err, want) || err != nil && need.Anyone {
			t.Errorf("%d bytes that end in %s: %v", len(path), path[len(path)-6:], err)
		}
	}
}

func TestARepeatedFieldOfAnyReadingIsAnError(t *testing.T) {
	rules := Compile(&config.Config{Rules: []config.Rule{
		{Match: config.Match{Paths: []string{"/a"}, Headers: map[string][]string{"x-t": {}}}},
		{Match: config.Match{Paths: []string{"/*"}}, Allow: "anyone"},
	}})
	if need, err := rules.Need(Request{Path: "/a;x", Header: fields("x-t", "1", "x-t", "1")}); !errors.Is(err, ErrRepeated) || need.Anyone {
		t.Errorf("got %+v, %v", need, err)
	}
}

func TestOfTwoNeedsAllRequirementsHold(t *testing.T) {
	a, b := newRequirement(config.Require{Groups: []string{"a"}}), newRequirement(config.Require{Groups: []string{"b"}})
	full := Need{Rule: "f", Pass: true, Observe: true, Prompt: "login", Forward: 3, requires: []*requirement{a}}
	for name, c := range map[string]struct{ n, other, want Need }{
		"both requirements": {Need{requires: []*requirement{a}}, Need{requires: []*requirement{b}}, Need{requires: []*requirement{a, b}}},
		"the same once":     {full, full, full},
		"pass and observe only where both do": {full, Need{Rule: "g", Forward: 4, Prompt: "consent"},
			Need{Rule: "f", Prompt: "login", Forward: 3, requires: []*requirement{a}}},
		"and the other way round": {Need{Rule: "g", Forward: 4}, full,
			Need{Rule: "g", Prompt: "login", Forward: 4, requires: []*requirement{a}}},
		"beside anyone all of the other, told as the first": {Need{Rule: "o", Anyone: true, Forward: 2}, full,
			Need{Rule: "f", Pass: true, Observe: true, Prompt: "login", Forward: 2, requires: []*requirement{a}}},
		"anyone as the other": {full, Need{Rule: "o", Anyone: true, Forward: 2}, full},
	} {
		before := slices.Clone(c.n.requires)
		if diff := diffNeed(c.want, c.n.And(c.other)); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
		if !slices.Equal(before, c.n.requires) {
			t.Errorf("%s: a need was changed", name)
		}
	}
}

func TestADemandHoldsBesideWhatARuleNeeds(t *testing.T) {
	demand := config.Require{Groups: []string{}}
	open := Need{Rule: "o", Anyone: true, demanded: true}
	if got := open.Demand(demand); got.Anyone || !got.Tokens || len(got.requires) != 1 {
		t.Errorf("got %+v", got)
	}
	if got := (Need{Pass: true}).Demand(demand); got.Pass || got.Tokens || len(got.requires) != 1 {
		t.Errorf("got %+v", got)
	}
	if got := open.Demand(config.Require{}); !got.Anyone {
		t.Errorf("a demand for nothing closes: %+v", got)
	}
}
