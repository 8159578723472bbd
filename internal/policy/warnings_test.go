package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/config"
)

func TestRulesThatDoSomethingElseThanTheySeemAreWarnedOf(t *testing.T) {
	admins := &config.Require{Groups: []string{"admins"}}
	closed := func(m config.Match) config.Rule { return config.Rule{Match: m, Require: admins} }
	open := func(m config.Match) config.Rule { return config.Rule{Match: m, Allow: "anyone"} }
	hosts := patterns(t, "a.example.com", "*.example.com", "b.example.com:8443", "a.example.com:*")
	all := config.Match{Paths: []string{"/*"}}
	for name, c := range map[string]struct {
		rules []config.Rule
		want  []string // kind, place and a part of the text; those of what is open are left out unless they are asked for
	}{
		"nothing wrong": {[]config.Rule{closed(config.Match{Paths: []string{"/admin/*"}}), {Match: all}}, nil},

		"the same twice":                             {[]config.Rule{{Match: all}, {Match: all}}, []string{"never_matches rules[1] rules[0] comes first"}},
		"a path below":                               {[]config.Rule{{Match: config.Match{Paths: []string{"/a/*"}}}, {Match: config.Match{Paths: []string{"/a", "/a/b", "/a/*/c/*"}}}}, []string{"never_matches rules[1]"}},
		"one path of two":                            {[]config.Rule{{Match: config.Match{Paths: []string{"/a/*"}}}, {Match: config.Match{Paths: []string{"/a/b", "/b"}}}}, nil},
		"a wider path later":                         {[]config.Rule{{Match: config.Match{Paths: []string{"/a/b"}}}, {Match: config.Match{Paths: []string{"/a/*"}}}}, nil},
		"a glob":                                     {[]config.Rule{{Match: config.Match{Paths: []string{"/a/*.css"}}}, {Match: config.Match{Paths: []string{"/a/b*.css"}}}}, []string{"never_matches rules[1]"}},
		"an expression under a path":                 {[]config.Rule{{Match: config.Match{Paths: []string{"/a/*"}}}, {Match: config.Match{PathRegexes: []string{"/a/[0-9]+"}}}}, []string{"never_matches rules[1]"}},
		"a path under an expression":                 {[]config.Rule{{Match: config.Match{PathRegexes: []string{"/a(/.*)?"}}}, {Match: config.Match{Paths: []string{"/a/*"}}}}, []string{"never_matches rules[1]"}},
		"an expression that is wider":                {[]config.Rule{{Match: config.Match{PathRegexes: []string{"/a/[0-9]+"}}}, {Match: config.Match{PathRegexes: []string{"/a/[0-9a]+"}}}}, nil},
		"a host among those below":                   {[]config.Rule{{Match: config.Match{Hosts: hosts[1:2]}}, {Match: config.Match{Hosts: hosts[:1]}}}, []string{"never_matches rules[1]"}},
		"closed at every port, opened at one before": {[]config.Rule{open(config.Match{Hosts: hosts[:1]}), closed(config.Match{Hosts: hosts[:1]})}, []string{"open rules[0]"}},
		"opened at every port before":                {[]config.Rule{open(config.Match{Hosts: hosts[3:4]}), closed(config.Match{Hosts: hosts[:1]})}, []string{"open rules[0]", "never_matches rules[1]"}},
		"opened twice":                               {[]config.Rule{open(config.Match{Hosts: hosts[:1]}), open(config.Match{Hosts: hosts[:1]})}, []string{"open rules[0]", "never_matches rules[1]"}},
		"opened at a port, after its own":            {[]config.Rule{open(config.Match{Hosts: hosts[1:2]}), open(config.Match{Hosts: hosts[2:3]})}, []string{"open rules[0]", "open rules[1]"}},
		"closed at a port, after every port":         {[]config.Rule{closed(config.Match{Hosts: hosts[1:2]}), closed(config.Match{Hosts: hosts[2:3]})}, []string{"never_matches rules[1]"}},
		"hosts below, later":                         {[]config.Rule{{Match: config.Match{Hosts: hosts[:1]}}, {Match: config.Match{Hosts: hosts[1:2]}}}, nil},
		"every host, later":                          {[]config.Rule{{Match: config.Match{Hosts: hosts[:1]}}, {Match: all}}, nil},
		"a host, after every path":                   {[]config.Rule{{Match: all}, {Match: config.Match{Hosts: hosts[:1]}}}, []string{"never_matches rules[1]"}},
		"any path, after every path":                 {[]config.Rule{{Match: config.Match{Hosts: hosts[:1]}}, {Match: config.Match{Hosts: hosts[:1], Paths: []string{"/a"}}}}, []string{"never_matches rules[1]"}},
		"a method among others":                      {[]config.Rule{{Match: config.Match{Methods: []string{"GET", "POST"}}}, {Match: config.Match{Methods: []string{"HEAD"}}}}, []string{"never_matches rules[1]"}},
		"every method, later":                        {[]config.Rule{{Match: config.Match{Methods: []string{"GET"}}}, {Match: all}}, nil},
		"a field decides first":                      {[]config.Rule{{Match: config.Match{Paths: []string{"/*"}, Headers: map[string][]string{"x-a": {}}}}, {Match: all}}, nil},
		"the same field twice":                       {[]config.Rule{{Match: config.Match{Headers: map[string][]string{"x-a": {"1"}}}}, {Match: config.Match{Headers: map[string][]string{"x-a": {"1"}}}}}, []string{"never_matches rules[1]"}},
		"the field with other values":                {[]config.Rule{{Match: config.Match{Headers: map[string][]string{"x-a": {"1"}}}}, {Match: config.Match{Headers: map[string][]string{"x-a": {"2"}}}}}, nil},
		"the name of what comes first":               {[]config.Rule{{Name: "first", Match: all}, {Match: all}}, []string{`never_matches rules[1] rules[0] ("first")`}},
		"the same of more hosts":                     {[]config.Rule{{Match: config.Match{Hosts: hosts[:1]}}, {Match: config.Match{Hosts: hosts[:3]}}}, nil},

		"what is open": {[]config.Rule{open(config.Match{Paths: []string{"/a", "/b/*"}, PathRegexes: []string{"/c+"}, Methods: []string{"GET"}, Hosts: hosts[1:2]})},
			[]string{"open rules[0] anyone: /a, /b/*, /c+, with GET, at *.example.com"}},
		"all is open": {[]config.Rule{open(config.Match{Hosts: hosts[:1]})}, []string{"open rules[0] anyone: every path, at a.example.com"}},
		"what is only observed": {[]config.Rule{{Match: config.Match{Paths: []string{"/a/*"}}, Require: admins, InsecureObserve: true}},
			[]string{"open rules[0] lets everybody pass, whatever it decides, by insecure_observe: /a/*"}},
		"what is only observed, and lets strangers pass": {[]config.Rule{{Match: all, OnAnonymous: "pass", InsecureObserve: true}}, []string{"open rules[0] everybody"}},
		"who may pass": {[]config.Rule{{Match: all, OnAnonymous: "pass"}}, []string{"open rules[0] who is not signed in: /*"}},

		"open with a slash": {[]config.Rule{closed(config.Match{Paths: []string{"/admin"}}), open(all)}, []string{`weaker_path rules[0] is for /admin alone: /admin/ falls under rules[1], which asks for less`, "open rules[1]"}},
		"open below": {[]config.Rule{closed(config.Match{Paths: []string{"/admin"}}), closed(config.Match{Paths: []string{"/admin/"}}), open(all)},
			[]string{"weaker_path rules[0] /admin/x falls under rules[2]", "open rules[2]"}},
		"open without the slash":          {[]config.Rule{closed(config.Match{Paths: []string{"/admin/"}}), open(all)}, []string{"weaker_path rules[0] is for /admin/ alone: /admin falls under rules[1]", "open rules[1]"}},
		"less with a slash":               {[]config.Rule{closed(config.Match{Paths: []string{"/admin"}})}, []string{"weaker_path rules[0] /admin/ falls under no rule, and whoever is known may pass"}},
		"a glob with a slash":             {[]config.Rule{closed(config.Match{Paths: []string{"/t/*/admin"}}), {Match: all}}, []string{"weaker_path rules[0] is for /t/*/admin alone: /t/x/admin/ falls under rules[1]"}},
		"at a host with a slash":          {[]config.Rule{closed(config.Match{Hosts: hosts[2:3], Paths: []string{"/admin"}}), {Match: all}}, []string{"weaker_path rules[0]"}},
		"who may pass, with a slash":      {[]config.Rule{{Match: config.Match{Paths: []string{"/a"}}, OnAnonymous: "pass"}, {Match: all, OnAnonymous: "pass"}}, []string{"open rules[0]", "open rules[1]"}},
		"who may pass with a slash alone": {[]config.Rule{{Match: config.Match{Paths: []string{"/a"}}}, {Match: all, OnAnonymous: "pass"}}, []string{"weaker_path rules[0]", "open rules[1]"}},
		"the first page":                  {[]config.Rule{closed(config.Match{Paths: []string{"/"}}), {Match: all}}, nil},
		"what is open with a slash":       {[]config.Rule{open(config.Match{Paths: []string{"/admin"}})}, []string{"open rules[0]"}},
		"the same with a slash":           {[]config.Rule{closed(config.Match{Paths: []string{"/admin"}}), closed(all)}, nil},

		"a field to leave out": {[]config.Rule{closed(config.Match{Paths: []string{"/a/*"}, Headers: map[string][]string{"x-tenant": {"red"}}}), open(all)},
			[]string{"weaker_without_header rules[0] (x-tenant): without them /a/x falls under rules[1], which asks for less", "open rules[1]"}},
		"a field alone":              {[]config.Rule{closed(config.Match{Headers: map[string][]string{"x-tenant": {}}})}, []string{"weaker_without_header rules[0] falls under no rule"}},
		"a field that makes it less": {[]config.Rule{{Match: config.Match{Paths: []string{"/*"}, Headers: map[string][]string{"x-a": {}}}}, closed(all)}, nil},

		"other methods are open": {[]config.Rule{closed(config.Match{Paths: []string{"/a/*"}, Methods: []string{"GET"}}), open(all)},
			[]string{"weaker_method rules[0] is for GET or HEAD alone: OPTIONS, POST, PUT, PATCH or DELETE /a/x falls under rules[1], which asks for less", "open rules[1]"}},
		"other ways to write are freer": {[]config.Rule{closed(config.Match{Paths: []string{"/a/*"}, Methods: []string{"POST"}}), {Match: all}},
			[]string{"weaker_method rules[0] is for POST alone: PUT, PATCH or DELETE /a/x falls under rules[1], which asks for less"}},
		"reading is freer than writing": {[]config.Rule{closed(config.Match{Paths: []string{"/a/*"}, Methods: []string{"POST", "PUT", "PATCH", "DELETE"}}), open(all)}, []string{"open rules[1]"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Warnings(&config.Config{Rules: c.rules})
			if len(got) != len(c.want) {
				t.Fatalf("got %d: %+v", len(got), got)
			}
			for i, w := range got {
				words := strings.SplitN(c.want[i], " ", 3)
				if w.Kind != words[0] || w.Place != words[1] || len(words) > 2 && !strings.Contains(w.Text, words[2]) {
					t.Errorf("got %+v, want %s", w, c.want[i])
				}
			}
		})
	}
}

func TestWhatIsOnlyObservedIsOpenWhole(t *testing.T) {
	c := &config.Config{InsecureObserve: true, Rules: []config.Rule{{Match: config.Match{Paths: []string{"/a/*"}}}}}
	got := Warnings(c)
	if len(got) != 1 || got[0].Kind != WarnsOpen || got[0].Place != "insecure_observe" || !strings.Contains(got[0].Text, "everybody pass") {
		t.Errorf("got %+v", got)
	}
}

func TestProvidersThatDoNotNameThemselvesAreToldOfWhereThereAreSeveral(t *testing.T) {
	provider := func(kind string, own bool) config.Provider {
		return config.Provider{Name: kind, Type: kind, ClientID: "shop", SignIn: true, OwnCallback: own}
	}
	only := provider("google", false)
	only.SignIn = false
	for name, c := range map[string]struct {
		providers []config.Provider
		want      []string
	}{
		"one alone":                       {[]config.Provider{provider("github", false)}, nil},
		"two, of which one is named":      {[]config.Provider{provider("keycloak", false), provider("github", false)}, []string{"providers[1]"}},
		"two with addresses of their own": {[]config.Provider{provider("entra", true), provider("github", true)}, nil},
		"one that nobody signs in at":     {[]config.Provider{provider("github", false), only}, nil},
		"all kinds":                       {[]config.Provider{provider("google", false), provider("entra", false), provider("gitlab", false), provider("oauth2", false), provider("oidc", false)}, []string{"providers[1]", "providers[2]", "providers[3]"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, w := range Warnings(&config.Config{Providers: c.providers}) {
				if w.Kind == WarnsMixUp {
					got = append(got, w.Place)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v; want %v", got, c.want)
			}
		})
	}
}

func TestAWarningNamesItsRule(t *testing.T) {
	got := Warnings(&config.Config{Rules: []config.Rule{{Name: "health", Match: config.Match{Paths: []string{"/healthz"}}, Allow: "anyone"}}})
	if len(got) != 1 || got[0].Rule != "health" {
		t.Errorf("got %+v", got)
	}
}
