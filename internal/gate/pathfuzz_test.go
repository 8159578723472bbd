package gate

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/shared"
)

// FuzzRules has strangers ask for any target under any rules: what goes on is
// open in every way in which an application may read it. Rules, parts of the
// target, hosts and fields are picked from lists by their numbers, so that the
// interesting ones are found soon; the target itself may be anything.
func FuzzRules(f *testing.F) {
	for _, rules := range seedRules {
		for _, target := range oddTargets {
			f.Add(rules, "GET", target, []byte{}, []byte{}, byte(0))
		}
		for field := range fuzzFields {
			f.Add(rules, "POST", "/public/x", []byte{}, []byte{byte(field)}, byte(0))
			f.Add(rules, "GET", "/public/x", []byte{}, []byte{0, byte(field)}, byte(0))
		}
		for host := range fuzzHosts {
			f.Add(rules, "GET", "/public/x", []byte{}, []byte{}, byte(host))
		}
		for _, method := range []string{"get", "HEAD", "head", "DELETE", "delete", "Post", "CONNECT", "OPTIONS", "PROPFIND", "", "GET "} {
			f.Add(rules, method, "/public/x", []byte{}, []byte{}, byte(0))
		}
		for piece := range fuzzPieces {
			f.Add(rules, "GET", "", []byte{0, byte(piece), 10, 1}, []byte{}, byte(0))
			f.Add(rules, "GET", "", []byte{0, 1, 10, byte(piece)}, []byte{}, byte(0))
		}
	}
	gates := map[string]*fuzzed{}
	f.Fuzz(func(t *testing.T, rules []byte, method, target string, pieces, fields []byte, host byte) {
		g := gates[string(rules)]
		if g == nil {
			if len(gates) > 2000 {
				clear(gates)
			}
			g = newFuzzed(t, rules)
			gates[string(rules)] = g
		}
		r := &httpmsg.Request{Method: method, Scheme: "https", Authority: chosen(fuzzHosts, host), Target: target + joined(fuzzPieces, pieces)}
		for _, n := range fields[:min(6, len(fields))] {
			f := chosen(fuzzFields, n)
			r.Header = append(r.Header, httpmsg.Field{Name: f[0], Value: f[1]})
		}
		g.try(t, r)
	})
}

// fuzzed is a gate, and its rules in words.
type fuzzed struct {
	gate  *Gate
	rules []plainRule
	text  string
}

// try has a stranger send a request.
func (g *fuzzed) try(t *testing.T, r *httpmsg.Request) {
	v, rest := g.gate.Handle(r)
	if rest != nil {
		v = rest(flow.Direct{Clock: g.gate.now, Do: func(flow.Call) (flow.Response, error) {
			return flow.Response{}, flow.ErrUnavailable
		}})
	}
	strict, open := g.strictest(r)
	if v.Forward == nil {
		if open && boring(r) {
			t.Errorf("%s\n%q is open, and does not go on: %+v", g.text, r.Target, v.Respond)
		}
		return
	}
	if !open {
		t.Errorf("%s\n%s %s %q %v went on; it may be read as %+v", g.text, r.Method, r.Authority, r.Target, r.Header, strict)
	}
	for _, f := range v.Forward.Set {
		if f.Name != "x-auth-request-anonymous" || f.Value != "true" {
			t.Errorf("a stranger is made known as %s: %s", f.Name, f.Value)
		}
	}
	for _, f := range r.Header {
		if misleading.MatchString(folded(f.Name)) && !removed(v.Forward.Remove, f.Name) {
			t.Errorf("%s reaches the application", f.Name)
		}
	}
}

// misleading are the names of fields by which applications take somebody for
// known, or another path for the one that was asked for.
var misleading = regexp.MustCompile(`^(x-auth-request-.*|x-forwarded-(user|email|groups|preferred-username|access-token)|x-original-url|x-rewrite-url)$`)

func folded(name string) string {
	return strings.Map(func(c rune) rune {
		if c == '_' || c == '.' {
			return '-'
		}
		return c
	}, strings.ToLower(name))
}

func removed(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// strictest returns a reading of the request that is not open, or says that all
// are.
func (g *fuzzed) strictest(r *httpmsg.Request) (plainRequest, bool) {
	host, _, _ := strings.Cut(strings.ToLower(r.Authority), ":") // most applications are found by their names alone
	host = strings.TrimSuffix(host, ".")
	token := false
	methods := []string{strings.ToUpper(r.Method)}
	fields := []map[string]string{{}}
	for _, f := range r.Header {
		token = token || f.Name == "authorization" && strings.HasPrefix(f.Value, "Bearer")
		if folded(f.Name) == "x-tenant" {
			fields = append(fields, map[string]string{"x-tenant": f.Value})
		}
		if folded(f.Name) == "x-http-method-override" {
			methods = append(methods, strings.ToUpper(f.Value))
		}
	}
	if len(fields) > 1 {
		fields = fields[1:] // whichever of them an application takes
	}
	for _, path := range readings(r.Target) {
		for _, some := range fields {
			for _, method := range methods {
				reading := plainRequest{host: host, path: path, method: method, fields: some}
				if p := firstRule(g.rules, reading); p == nil || !p.open || p.pass && token {
					return reading, false
				}
			}
		}
	}
	return plainRequest{}, true
}

// boring reports whether a request gives nobody anything to think about.
func boring(r *httpmsg.Request) bool {
	for _, f := range r.Header {
		if f.Name != "accept" && f.Name != "user-agent" {
			return false
		}
	}
	return boringTarget.MatchString(r.Target) && strings.HasSuffix(r.Authority, ".example.com") &&
		(r.Method == "GET" || r.Method == "POST" || r.Method == "DELETE")
}

var boringTarget = regexp.MustCompile(`^(/|(/[a-z0-9]+)+/?)$`)

// add adds what is not there yet.
func add(list []string, one string) []string {
	if slices.Contains(list, one) {
		return list
	}
	return append(list, one)
}

func chosen[T any](from []T, n byte) T { return from[int(n)%len(from)] }

func joined(from []string, numbers []byte) string {
	var b strings.Builder
	for _, n := range numbers[:min(16, len(numbers))] {
		b.WriteString(chosen(from, n))
	}
	return b.String()
}

// newFuzzed makes up to five rules, of four bytes each: what it lets pass, its
// paths twice, and the methods, hosts and fields that it is for.
func newFuzzed(t *testing.T, numbers []byte) *fuzzed {
	t.Helper()
	g := &fuzzed{}
	var settings []map[string]any
	for ; len(numbers) >= 4 && len(g.rules) < 5; numbers = numbers[4:] {
		rule, as := ruleOf([4]byte(numbers))
		g.rules = append(g.rules, rule)
		settings = append(settings, as)
	}
	if settings == nil {
		settings = []map[string]any{}
	}
	text, _ := json.Marshal(settings)
	g.text = string(text)
	c, err := config.Parse([]byte(`{"providers":[{"name":"main","issuer":"`+testIssuer+`","cluster":"idp","client_id":"shop"}],
		"hosts":["app.example.com","*.example.com"],"session":{"keys":[`+testKey("new")+`]},
		"bearer":[{"provider":"main","audiences":["shop-api"]}],"rules":`+g.text+`}`), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatalf("%s: %v", g.text, err)
	}
	now := func() time.Time { return time.Unix(1_800_000_000, 0) }
	memory := shared.NewLocal()
	if g.gate, err = New(c, Deps{Now: now, Clock: now, Random: endless{}, Log: func(Event) {}, Shared: memory, Signal: memory, Connection: &fakePeer{}}); err != nil {
		t.Fatal(err)
	}
	return g
}

// ruleOf is a rule in words and in settings.
func ruleOf(b [4]byte) (plainRule, map[string]any) {
	match, as := map[string]any{}, map[string]any{}
	var p plainRule
	for _, n := range b[1:3] {
		switch {
		case n >= nothing:
		case n%3 == 0:
			p.regexes = add(p.regexes, chosen(fuzzRegexes, n/3))
		default:
			p.paths = add(p.paths, chosen(fuzzPaths, n/3*2+n%3-1))
		}
	}
	p.methods = chosen([][]string{nil, nil, {"GET"}, {"POST", "DELETE"}}, b[3])
	p.hosts = chosen([][]string{nil, nil, {"app.example.com"}, {"*.example.com"}}, b[3]>>2)
	p.fields = chosen([][]string{nil, nil, nil, {"x-tenant", "red"}}, b[3]>>4)
	for name, list := range map[string][]string{"paths": p.paths, "path_regexes": p.regexes, "methods": p.methods, "hosts": p.hosts} {
		if list != nil {
			match[name] = list
		}
	}
	if p.fields != nil {
		match["headers"] = map[string][]string{p.fields[0]: p.fields[1:]}
	}
	if len(match) == 0 {
		p.paths = []string{"/*"}
		match["paths"] = p.paths
	}
	switch b[0] % 4 {
	case letsAnyone:
		p.open, as["allow"] = true, "anyone"
	case letsPass:
		p.open, p.pass, as["on_anonymous"] = true, true, "pass"
	case needsSession:
		as["require"] = map[string][]string{"groups": {"admins"}}
	case gives401:
		as["on_anonymous"] = "401"
	}
	if p.open && p.fields != nil {
		as["insecure_open_by_header"] = true
	}
	as["match"] = match
	return p, as
}
