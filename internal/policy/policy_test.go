package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/config"
)

// compile reads rules as the settings write them.
func compile(t *testing.T, rules string) *Rules {
	t.Helper()
	c, err := config.Parse([]byte(`{"providers":[{"name":"a","issuer":"https://id.example.com","cluster":"idp","client_id":"c"}],
		"hosts":["app.example.com"],"session":{"keys":[{"id":"k","env":"KEY"}]},"rules":`+rules+`}`),
		func(string) (string, bool) { return "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", true })
	if err != nil {
		t.Fatal(err)
	}
	return Compile(c)
}

// first is what a request needs as it is written.
func (rs *Rules) first(r Request) Need {
	need, _ := rs.find(&r)
	return need
}

func TestARuleIsForWhatItNamesAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		match   string
		yes, no []Request
	}{
		"an exact path": {`{"paths":["/a"]}`,
			[]Request{{Path: "/a"}},
			[]Request{{Path: "/a/"}, {Path: "/ab"}, {Path: "/A"}, {Path: "/"}, {Path: "/b/a"}}},
		"a prefix": {`{"paths":["/a/*"]}`,
			[]Request{{Path: "/a"}, {Path: "/a/"}, {Path: "/a/b/c"}},
			[]Request{{Path: "/ab"}, {Path: "/ab/c"}, {Path: "/b/a/c"}, {Path: "/"}, {Path: "/A/b"}}},
		"everything": {`{"paths":["/*"]}`, []Request{{Path: "/"}, {Path: "/a/b"}}, nil},
		"a method": {`{"methods":["GET","HEAD"]}`,
			[]Request{{Method: "GET"}, {Method: "HEAD"}},
			[]Request{{Method: "POST"}, {Method: "get"}, {Method: ""}}},
		"a host": {`{"hosts":["api.example.com"]}`,
			[]Request{{Host: "api.example.com"}, {Host: "api.example.com", Port: "443"}},
			[]Request{{Host: "app.example.com"}, {Host: "api.example.com", Port: "8443"}, {Host: "x.api.example.com"}, {}}},
		"a host at a port": {`{"hosts":["api.example.com:8443"]}`,
			[]Request{{Host: "api.example.com", Port: "8443"}},
			[]Request{{Host: "api.example.com"}, {Host: "api.example.com", Port: "9443"}}},
		"hosts below one": {`{"hosts":["*.example.com"]}`,
			[]Request{{Host: "a.example.com"}},
			[]Request{{Host: "example.com"}, {Host: "badexample.com"}}},
		"one of each": {`{"paths":["/a"],"methods":["GET"],"hosts":["api.example.com"]}`,
			[]Request{{Path: "/a", Method: "GET", Host: "api.example.com"}},
			[]Request{{Path: "/b", Method: "GET", Host: "api.example.com"}, {Path: "/a", Method: "POST", Host: "api.example.com"}, {Path: "/a", Method: "GET", Host: "app.example.com"}}},
	} {
		t.Run(name, func(t *testing.T) {
			rules := compile(t, `[{"match":`+c.match+`,"allow":"anyone"}]`)
			for _, r := range c.yes {
				if !rules.first(r).Anyone {
					t.Errorf("%+v is not open", r)
				}
			}
			for _, r := range c.no {
				if rules.first(r).Anyone {
					t.Errorf("%+v is open", r)
				}
			}
		})
	}
}

func TestTheFirstRuleThatMatchesDecides(t *testing.T) {
	rules := compile(t, `[
		{"name":"closed","match":{"paths":["/a/b/*"]},"on_anonymous":"401"},
		{"match":{"paths":["/a/*"]},"allow":"anyone"}]`)
	for path, want := range map[string]Need{
		"/a/b/c": {Rule: "closed", NoSignIn: true},
		"/a/c":   {Rule: "1", Anyone: true},
		"/b":     {},
	} {
		if got := rules.first(Request{Path: path}); !cmp.Equal(got, want, cmp.AllowUnexported(Need{})) {
			t.Errorf("%s: got %+v, want %+v", path, got, want)
		}
	}
}

func TestOfTwoNeedsNothingSufficesThatIsNotEnoughForEither(t *testing.T) {
	anyone, session := Need{Rule: "a", Anyone: true}, Need{Rule: "s"}
	either, token := Need{Rule: "e", Tokens: true}, Need{Rule: "t", Tokens: true, NoCookie: true, NoSignIn: true}
	for name, c := range map[string]struct{ n, other, want Need }{
		"anyone, twice":             {anyone, anyone, anyone},
		"anyone and a session":      {anyone, session, session},
		"a token and anyone":        {token, anyone, token},
		"either and a session":      {either, session, Need{Rule: "e"}},
		"either and a token":        {either, token, Need{Rule: "e", Tokens: true, NoCookie: true, NoSignIn: true}},
		"a session, and no sign-in": {session, Need{NoSignIn: true}, Need{Rule: "s", NoSignIn: true}},
		"a session and a token":     {session, token, Need{Rule: "s", NoCookie: true, NoSignIn: true}},
	} {
		if got := c.n.And(c.other); !cmp.Equal(got, c.want, cmp.AllowUnexported(Need{})) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestAHostThatIsProtectedIsSoAtEveryPort(t *testing.T) {
	rules := compile(t, `[{"name":"closed","match":{"hosts":["app.example.com"]},"require":{"groups":["x"]}},
		{"match":{"paths":["/*"]},"allow":"anyone"}]`)
	for port, want := range map[string]string{"": "closed", "443": "closed", "8443": "closed"} {
		if got := rules.first(Request{Host: "app.example.com", Port: port, Path: "/"}); got.Rule != want {
			t.Errorf("port %q: %+v", port, got)
		}
	}
}

func TestNoRulesAskForASessionEverywhere(t *testing.T) {
	if got := new(Rules).first(Request{Path: "/"}); !cmp.Equal(got, Need{}, cmp.AllowUnexported(Need{})) {
		t.Errorf("got %+v", got)
	}
}
