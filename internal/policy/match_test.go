package policy

import (
	"errors"
	"testing"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/httpmsg"
)

func paths(all ...string) (requests []Request) {
	for _, p := range all {
		requests = append(requests, Request{Path: p})
	}
	return requests
}

func fields(pairs ...string) (all httpmsg.Fields) {
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, httpmsg.Field{Name: pairs[i], Value: pairs[i+1]})
	}
	return all
}

func TestAMatchIsWhatItsDocumentationSays(t *testing.T) {
	for name, c := range map[string]struct {
		match   config.Match
		yes, no []Request
	}{
		"what is below a path holds for the path itself": {config.Match{Paths: []string{"/app2/*"}},
			paths("/app2", "/app2/", "/app2/x", "/app2/x/y"), paths("/app", "/app22", "/app2x/", "/", "/x/app2", "xapp2", "app2", "")},
		"everything": {config.Match{Paths: []string{"/*"}}, paths("/", "/a", "/a/b/"), nil},
		"a path with a slash at its end is another": {config.Match{Paths: []string{"/a/"}},
			paths("/a/"), paths("/a", "/a/b")},
		"a star stands for characters of one segment": {config.Match{Paths: []string{"/teams/*/settings"}},
			paths("/teams/red/settings", "/teams/a.b-c/settings"),
			paths("/teams/settings", "/teams/a/b/settings", "/teams/a/settings/", "/teams/a/settings/x", "/teams/a")},
		"a star within a segment": {config.Match{Paths: []string{"/static/*.css"}},
			paths("/static/a.css", "/static/.css", "/static/a.b.css"), paths("/static/a.js", "/static/a/b.css", "/static/a.css/", "/static/a.cssx")},
		"several stars within a segment": {config.Match{Paths: []string{"/a*b*c"}},
			paths("/abc", "/axbxc", "/abbcc", "/abcbc"), paths("/acb", "/ab", "/abcd", "/ac", "/a/b/c")},
		"what begins and ends a segment does not overlap": {config.Match{Paths: []string{"/aba*aba"}},
			paths("/abaaba", "/abaxaba"), paths("/aba", "/ababa")},
		"stars before everything below": {config.Match{Paths: []string{"/t/*/s/*"}},
			paths("/t/a/s", "/t/a/s/", "/t/a/s/b/c"), paths("/t/a", "/t/a/sx", "/t/a/b/s")},
		"a star in the first segment": {config.Match{Paths: []string{"/*/admin"}},
			paths("/a/admin"), paths("/admin", "/a/b/admin", "/a/admin/x")},
		"regular expressions are for the whole path": {config.Match{PathRegexes: []string{"/orders/[0-9]+(/items)?"}},
			paths("/orders/1", "/orders/12/items"), paths("/orders/x", "/orders/1/", "/x/orders/1", "/orders/1/items/x")},
		"paths and regular expressions are one list": {config.Match{Paths: []string{"/a"}, PathRegexes: []string{"/b+"}},
			paths("/a", "/bb"), paths("/c", "/ab")},
		"HEAD goes with GET": {config.Match{Methods: []string{"GET"}},
			[]Request{{Path: "/", Method: "GET"}, {Path: "/", Method: "HEAD"}},
			[]Request{{Path: "/", Method: "POST"}, {Path: "/", Method: "OPTIONS"}}},
		"GET does not go with HEAD": {config.Match{Methods: []string{"HEAD"}},
			[]Request{{Path: "/", Method: "HEAD"}}, []Request{{Path: "/", Method: "GET"}}},
		"a field with one of some values": {config.Match{Headers: map[string][]string{"X-Tenant": {"red", "blue"}}},
			[]Request{{Header: fields("x-tenant", "blue", "x-other", "1")}},
			[]Request{{}, {Header: fields("x-tenant", "green")}, {Header: fields("x-tenant", "red,blue")}, {Header: fields("x-tenant", "Red")},
				{Header: fields("x-tenant", "")}, {Header: fields("x-tenant", "red", "x-tenant", "red")}, {Header: fields("x_tenant", "red")}}},
		"a field with any value": {config.Match{Headers: map[string][]string{"x-tenant": {}}},
			[]Request{{Header: fields("x-tenant", "green")}, {Header: fields("x-tenant", "")}}, []Request{{Header: fields("x-tenants", "green")}}},
		"all fields": {config.Match{Headers: map[string][]string{"x-a": {}, "x-b": {"1"}}},
			[]Request{{Header: fields("x-b", "1", "x-a", "")}}, []Request{{Header: fields("x-b", "1")}, {Header: fields("x-a", "1")}}},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMatcher(c.match)
			rules := Compile(&config.Config{Rules: []config.Rule{{Match: c.match, Allow: "anyone"}}})
			for _, r := range c.yes {
				if !m.Matches(&r) || !rules.first(r).Anyone {
					t.Errorf("%+v does not match", r)
				}
			}
			for _, r := range c.no {
				if m.Matches(&r) || rules.first(r).Anyone {
					t.Errorf("%+v matches", r)
				}
			}
		})
	}
}

func TestAFieldThatDecidesAndCameTwiceIsAnError(t *testing.T) {
	rules := Compile(&config.Config{Rules: []config.Rule{
		{Name: "first", Match: config.Match{Paths: []string{"/first"}}},
		{Name: "tenant", Match: config.Match{Paths: []string{"/a/*"}, Methods: []string{"GET"}, Headers: map[string][]string{"x-tenant": {"red"}, "x-b": {}}}},
		{Name: "last", Match: config.Match{Paths: []string{"/*"}}},
	}})
	for name, c := range map[string]struct {
		r    Request
		want string // the rule, or "" for an error
	}{
		"twice the same":                      {Request{Path: "/a", Method: "GET", Header: fields("x-tenant", "red", "x-b", "", "x-tenant", "red")}, ""},
		"twice, and neither fits":             {Request{Path: "/a", Method: "GET", Header: fields("x-tenant", "1", "x-tenant", "2")}, ""},
		"in another spelling beside it":       {Request{Path: "/a", Method: "GET", Header: fields("x-tenant", "blue", "x_tenant", "red")}, ""},
		"in another spelling alone":           {Request{Path: "/a", Method: "GET", Header: fields("X_Tenant", "red")}, ""},
		"another field does not fit":          {Request{Path: "/a", Method: "GET", Header: fields("x-tenant", "red", "x-tenant", "blue")}, ""},
		"where another rule comes first":      {Request{Path: "/first", Method: "GET", Header: fields("x-tenant", "red", "x-tenant", "red")}, "first"},
		"where the path is another":           {Request{Path: "/b", Method: "GET", Header: fields("x-tenant", "red", "x-tenant", "red")}, "last"},
		"where the method is another":         {Request{Path: "/a", Method: "PUT", Header: fields("x-tenant", "red", "x-tenant", "red")}, "last"},
		"a field that no rule looks at":       {Request{Path: "/a", Method: "GET", Header: fields("x-c", "1", "x-c", "2", "x-tenant", "red", "x-b", "")}, "tenant"},
		"each once, and of the wrong content": {Request{Path: "/a", Method: "GET", Header: fields("x-tenant", "blue", "x-b", "")}, "last"},
	} {
		need, err := rules.Need(c.r)
		if need.Rule != c.want || errors.Is(err, ErrRepeated) != (c.want == "") {
			t.Errorf("%s: got %q, %v", name, need.Rule, err)
		}
		if c.want == "" && (rules.first(c.r).Anyone || rules.first(c.r).Rule != "") {
			t.Errorf("%s: the need is not the zero one", name)
		}
	}
}

func TestARuleSaysWhatARequestNeeds(t *testing.T) {
	c := &config.Config{Bearer: []config.Bearer{{}}, Rules: []config.Rule{
		{Match: config.Match{Paths: []string{"/open"}}, Allow: "anyone"},
		{Match: config.Match{Paths: []string{"/pass"}}, Accept: []string{"session"}, OnAnonymous: "pass"},
		{Match: config.Match{Paths: []string{"/api"}}, Accept: []string{"bearer"}, OnAnonymous: "401"},
		{Match: config.Match{Paths: []string{"/see"}}, Accept: []string{"session", "bearer"}, InsecureObserve: true},
		{Match: config.Match{Paths: []string{"/gold"}}, Accept: []string{"session"}, StepUp: config.StepUp{Prompt: "login"}, Require: &config.Require{ACR: []string{"gold"}}},
		{Match: config.Match{Paths: []string{"/told"}}, Accept: []string{"session"}, Forward: config.RuleForward{AccessToken: []string{}}},
		{Match: config.Match{Paths: []string{"/told2"}}, Allow: "anyone", Forward: config.RuleForward{Headers: map[string]config.Header{}}},
	}}
	for _, observe := range []bool{false, true} {
		c.InsecureObserve = observe
		rules := Compile(c)
		for path, want := range map[string]Need{
			"/open":  {Rule: "0", Anyone: true},
			"/pass":  {Rule: "1", Pass: true},
			"/api":   {Rule: "2", Tokens: true, NoCookie: true, NoSignIn: true},
			"/see":   {Rule: "3", Tokens: true, Observe: true},
			"/gold":  {Rule: "4", Prompt: "login"},
			"/told":  {Rule: "5", Forward: 6},
			"/told2": {Rule: "6", Anyone: true, Forward: 7},
			"/else":  {Tokens: true},
		} {
			got := rules.first(Request{Path: path})
			if (len(got.requires) == 1) != (path == "/gold") {
				t.Errorf("%s requires %d", path, len(got.requires))
			}
			got.requires, got.demanded = nil, false
			want.Observe = want.Observe || observe
			if diff := diffNeed(want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", path, diff)
			}
		}
	}
}
