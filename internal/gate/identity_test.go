package gate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/session"
)

// request is a request for a host, as the gate understands it.
func (w *world) request(k *worker, host string, fields ...string) *request {
	w.t.Helper()
	r := &httpmsg.Request{Method: "GET", Scheme: "https", Authority: host, Target: "/"}
	for i := 0; i < len(fields); i += 2 {
		r.Header = append(r.Header, httpmsg.Field{Name: fields[i], Value: fields[i+1]})
	}
	q, reason := k.read(r)
	if reason != "" {
		w.t.Fatalf("the request is refused: %s", reason)
	}
	return &q
}

// tells is what the application is told of a session that was just opened.
func (w *world) tells(s *session.Session, forward int) httpmsg.Fields {
	w.t.Helper()
	k := w.workers[0]
	return k.identityFor(k.newOpened(s), forward, w.request(k, "app.example.com"))
}

// lines are fields as a table writes them.
func lines(fields httpmsg.Fields) (all []string) {
	for _, f := range fields {
		all = append(all, f.Name+": "+f.Value)
	}
	return all
}

// forwarding are a top level's forward and a rule's.
func forwarding(top, rule string) parts {
	return parts{top: `,"forward":{` + top + `}`, rules: `[{"match":{"paths":["/other/*"]}},{"match":{"paths":["/own/*"]},"forward":{` + rule + `}}]`}
}

func TestARuleTellsWhatItSaysAndWhatItDoesNotSayAsAllTellIt(t *testing.T) {
	const top = `"headers":{"x-user":"user","x-mail":"email"},"access_token":["x-token"]`
	for name, test := range map[string]struct {
		rule string
		want []string
	}{
		"nothing":                  {``, []string{"x-mail: alice@example.com", "x-user: alice", "x-token: access-1"}},
		"other headers":            {`"headers":{"x-team":"groups"}`, []string{"x-team: admins", "x-token: access-1"}},
		"no headers":               {`"headers":{}`, []string{"x-token: access-1"}},
		"no token":                 {`"access_token":[]`, []string{"x-mail: alice@example.com", "x-user: alice"}},
		"the token in another way": {`"access_token":["authorization"]`, []string{"x-mail: alice@example.com", "x-user: alice", "authorization: Bearer access-1"}},
		"nothing at all":           {`"headers":{},"access_token":[]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, forwarding(top, test.rule))
			if diff := cmp.Diff(test.want, lines(w.tells(w.alice(), 2))); diff != "" {
				t.Error(diff)
			}
			usual := []string{"x-mail: alice@example.com", "x-user: alice", "x-token: access-1"}
			for _, forward := range []int{0, 1} {
				if diff := cmp.Diff(usual, lines(w.tells(w.alice(), forward))); diff != "" {
					t.Errorf("%d: %s", forward, diff)
				}
			}
		})
	}
}

func TestValuesAreWrittenSoThatNoTwoClaimsShareThem(t *testing.T) {
	list := func(values ...string) session.Claim { return session.Claim{List: true, Values: values} }
	one := func(value string) session.Claim { return session.Claim{Values: []string{value}} }
	for name, test := range map[string]struct {
		header string
		claim  session.Claim
		want   []string
	}{
		"a name":                                {`{"claim":"user"}`, one("Jürgen, 50 %"), []string{"Jürgen, 50 %25"}},
		"a name in ASCII":                       {`{"claim":"user","encoding":"percent"}`, one("Jürgen €"), []string{"J%C3%BCrgen %E2%82%AC"}},
		"spaces at the ends":                    {`{"claim":"user"}`, one(" a b "), []string{"%20a b%20"}},
		"what ends a line":                      {`{"claim":"user","encoding":"percent"}`, one("a\r\nx-evil: 1\x00\x7f"), []string{"a%0D%0Ax-evil: 1%00%7F"}},
		"a list":                                {`{"claim":"user"}`, list("a", "b,c", "ü"), []string{"a,b%2Cc,ü"}},
		"a list with a field for each":          {`{"claim":"user","list":"repeat"}`, list("a", "b,c", " d"), []string{"a", "b%2Cc", "%20d"}},
		"a list in ASCII":                       {`{"claim":"user","list":"repeat","encoding":"percent"}`, list("ü", "a"), []string{"%C3%BC", "a"}},
		"a value where lists have a field each": {`{"claim":"user","list":"repeat"}`, one("a,b"), []string{"a%2Cb"}},
		"an empty list":                         {`{"claim":"user","list":"repeat"}`, list(), nil},
		"a text beside a list of all":           {`{"claim":"user","encoding":"utf-8"}`, one("ü"), []string{"ü"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, forwarding(`"headers":{}`, `"headers":{"x-a":`+test.header+`}`))
			s := w.alice()
			s.Claims["user"] = test.claim
			var want []string
			for _, v := range test.want {
				want = append(want, "x-a: "+v)
			}
			if diff := cmp.Diff(want, lines(w.tells(s, 2))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheEncodingOfAllIsThatOfEachHeaderThatSaysNothing(t *testing.T) {
	w := newWorld(t, 1, forwarding(`"encoding":"percent","headers":{"x-a":"user","x-b":{"claim":"user","encoding":"utf-8"}}`, `"headers":{"x-c":"user"}`))
	s := w.alice()
	s.Claims["user"] = session.Claim{Values: []string{"é"}}
	if diff := cmp.Diff([]string{"x-a: %C3%A9", "x-b: é"}, lines(w.tells(s, 0))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"x-c: %C3%A9"}, lines(w.tells(s, 2))); diff != "" {
		t.Error(diff)
	}
}

func TestGroupsAndRolesAreListsHoweverAProviderWritesThem(t *testing.T) {
	w := newWorld(t, 1, forwarding(`"headers":{}`, `"headers":{"x-groups":"groups"}`))
	s := w.alice()
	s.Claims["groups"] = session.Claim{Values: []string{"a,admins"}}
	if diff := cmp.Diff([]string{"x-groups: a%2Cadmins"}, lines(w.tells(s, 2))); diff != "" {
		t.Error(diff)
	}
}

func TestAClaimIsToldByTheNameThatItsPathWasGatheredBy(t *testing.T) {
	w := newWorld(t, 1, forwarding(`"headers":{}`, `"headers":{"x-team":{"path":"org.team"}}`))
	s := w.alice()
	s.Claims["org.team"] = session.Claim{Values: []string{"blue"}}
	if diff := cmp.Diff([]string{"x-team: blue"}, lines(w.tells(s, 2))); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsTooLongIsLeftOutWholeAndSaidOnce(t *testing.T) {
	many := make([]string, 51)
	for i := range many {
		many[i] = fmt.Sprintf("group-%d", i)
	}
	for name, test := range map[string]struct {
		headers string
		claims  map[string]session.Claim
		want    []string
		dropped []string
	}{
		"a long value": {
			`"x-a":"user","x-b":"email"`,
			map[string]session.Claim{"user": {Values: []string{strings.Repeat("a", 16<<10)}}, "email": {Values: []string{"b"}}},
			[]string{"x-b"}, []string{"x-a"},
		},
		"a value that encoding makes long": {
			`"x-a":{"claim":"user","encoding":"percent"},"x-b":"user"`,
			map[string]session.Claim{"user": {Values: []string{strings.Repeat("ü", 3<<10)}}},
			[]string{"x-b"}, []string{"x-a"},
		},
		"many fields": {
			`"x-a":{"claim":"groups","list":"repeat"},"x-b":"groups"`,
			map[string]session.Claim{"groups": {List: true, Values: many}},
			[]string{"x-b"}, []string{"x-a"},
		},
		"many long values": {
			`"x-a":"user","x-b":"user","x-c":"user","x-d":"email"`,
			map[string]session.Claim{"user": {Values: []string{strings.Repeat("a", 12<<10)}}, "email": {Values: []string{"b"}}},
			[]string{"x-a", "x-b", "x-d"}, []string{"x-c"},
		},
	} {
		for place, forward := range map[string]int{"for all": 0, "by a rule": 2} {
			t.Run(name+" "+place, func(t *testing.T) {
				w := newWorld(t, 1, forwarding(`"headers":{`+test.headers+`}`, `"headers":{`+test.headers+`}`))
				s, k := w.alice(), w.workers[0]
				s.Claims = test.claims
				o := k.newOpened(s)
				var names []string
				for range 3 {
					names = nil
					for _, f := range k.identityFor(o, forward, w.request(k, "app.example.com", "x-request-id", "r-1")) {
						names = append(names, f.Name)
					}
				}
				if diff := cmp.Diff(test.want, names); diff != "" {
					t.Error(diff)
				}
				want := []Event{{Event: EventIdentityTrimmed, Reason: "too_long", Dropped: test.dropped, Provider: "main", RequestID: "r-1"}}
				if diff := cmp.Diff(want, w.events); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestAnIdentityThatWasToldBeforeCostsNoMemory(t *testing.T) {
	w := newWorld(t, 1, forwarding(`"headers":{"x-user":"user"}`, `"headers":{"x-mail":"email"},"assertion":{}`))
	k := w.workers[0]
	o, q := k.newOpened(w.alice()), w.request(k, "app.example.com")
	for _, forward := range []int{0, 1, 2} {
		k.identityFor(o, forward, q)
		if n := testing.AllocsPerRun(100, func() { k.identityFor(o, forward, q) }); n != 0 {
			t.Errorf("%d: %v allocations", forward, n)
		}
	}
}

func TestNoFieldThatAnyRuleTellsComesFromAClient(t *testing.T) {
	p := forwarding(`"headers":{"x-user":"user"}`, `"headers":{"x-mail":"email"},"access_token":["x-token"],"assertion":{"header":"x-signed"}`)
	p.rules = strings.Replace(p.rules, "[", `[{"match":{"paths":["/open/*"]},"allow":"anyone"},`, 1)
	w := newWorld(t, 1, p)
	names := []string{"x-user", "X_Mail", "x-token", "x-signed", "X_SIGNED", "x-auth-request-assertion", "x-auth-request-anonymous"}
	var fields []string
	for _, name := range names {
		fields = append(fields, name, "eve")
	}
	for _, target := range []string{"/open/x", "/own/x", "/elsewhere"} {
		cookie := []string{"cookie", w.cookie(w.alice())}
		v := w.send(w.workers[0], target, append(cookie, fields...)...)
		if v.verdict == nil || v.verdict.Forward == nil {
			t.Fatalf("%s: %s", target, v.outcome())
		}
		if diff := cmp.Diff(names, v.verdict.Forward.Remove); diff != "" {
			t.Errorf("%s: %s", target, diff)
		}
	}
}

func TestATokensCallerIsToldByRuleToo(t *testing.T) {
	w := newWorld(t, 1, parts{
		top:   fmt.Sprintf(acceptTokens, `,"client_id_header":"client-id"`) + `,"forward":{"headers":{"x-user":"user"}}`,
		rules: `[{"match":{"paths":["/own/*"]},"accept":["bearer"],"forward":{"headers":{},"access_token":["x-token"]}}]`,
	})
	k, token := w.workers[0], w.accessToken(nil)
	fields := []string{"authorization", "Bearer " + token, "client-id", "service-a"}
	w.send(k, "/elsewhere", fields...).told("x-user")
	c := k.tokens.Known(token, w.now)
	if c == nil {
		t.Fatal("the token is not known")
	}
	q := w.request(k, "app.example.com", fields...)
	for forward, want := range [][]string{
		{"x-user: service-a-id", "client-id: service-a"},
		{"x-token: " + token, "client-id: service-a"},
	} {
		for range 2 {
			if diff := cmp.Diff(want, lines(k.callerIdentity(c, forward, q))); diff != "" {
				t.Errorf("%d: %s", forward, diff)
			}
		}
	}
}
