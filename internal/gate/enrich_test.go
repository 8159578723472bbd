package gate

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/session"
)

// questions are a provider's settings of questions, each of which takes a second.
const questions = `,"clusters":{"graph.example.com":"graph"},"timeout":"1s","enrich":[
	{"name":"teams","url":"https://graph.example.com/teams","select":{"teams":"value.#.name","team":"value.0.name","lead":"lead"},"next":"next"},
	{"name":"rest","when":"rule","url":"https://graph.example.com/rest","select":{"rest":"rest"}}]`

// graph is a gate with these settings, and a network on which answers are by path.
func graph(t *testing.T, answers map[string]string) (*Gate, *party, flow.Env) {
	w := newWorld(t, 1, parts{provider: questions})
	g := w.workers[0].Gate
	env := flow.Direct{Clock: func() time.Time { return w.now }, Do: func(c flow.Call) (flow.Response, error) {
		body, ok := answers[c.Path]
		if !ok {
			return flow.Response{Status: 503}, nil
		}
		return flow.Response{Status: 200, Body: []byte(body), Header: httpmsg.Fields{{Name: "content-type", Value: "application/json"}}}, nil
	}}
	return g, g.parties[0], env
}

func one(v string) session.Claim        { return session.Claim{Values: []string{v}} }
func several(v ...string) session.Claim { return session.Claim{List: true, Values: v} }

func TestWhatIsPickedOfAnAnswerIsWholeOrNothing(t *testing.T) {
	name := func(n int) string { return `{"name":"` + strings.Repeat("x", n) + `"}` }
	list := func(n int, item string) string {
		return `{"value":[` + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + `]}`
	}
	for title, c := range map[string]struct {
		pages  []string
		want   map[string]session.Claim
		reason string
	}{
		"values and lists": {[]string{`{"value":[{"name":"a"},{"name":"b"}],"lead":true}`},
			map[string]session.Claim{"teams": several("a", "b"), "team": one("a"), "lead": one("true")}, ""},
		"numbers as they are written": {[]string{`{"lead":12345678901234567890,"value":[{"name":1.50}]}`},
			map[string]session.Claim{"teams": several("1.50"), "team": one("1.50"), "lead": one("12345678901234567890")}, ""},
		"nothing":                         {[]string{`{}`}, map[string]session.Claim{}, ""},
		"null, and an empty text":         {[]string{`{"lead":null,"value":[{"name":""},{"name":null},{"name":"a"}]}`}, map[string]session.Claim{"teams": several("a")}, ""},
		"an empty list":                   {[]string{`{"value":[]}`}, map[string]session.Claim{"teams": several()}, ""},
		"two pages":                       {[]string{`{"value":[{"name":"a"}],"lead":"l"}`, `{"value":[{"name":"b"}],"lead":"m"}`}, map[string]session.Claim{"teams": several("a", "b"), "team": several("a", "b"), "lead": several("l", "m")}, ""},
		"two pages, of which one says it": {[]string{`{"value":[{"name":"a"}]}`, `{"lead":"m"}`}, map[string]session.Claim{"teams": several("a"), "team": one("a"), "lead": one("m")}, ""},
		"an object":                       {[]string{`{"lead":{"id":1}}`}, nil, "answer_unusable"},
		"an object in a list":             {[]string{`{"value":[{"name":"a"},{"name":{"de":"b"}}]}`}, nil, "answer_unusable"},
		"a list in a list":                {[]string{`{"value":[{"name":["a"]}]}`}, nil, "answer_unusable"},
		"an object on the second page":    {[]string{`{"lead":"a"}`, `{"lead":{}}`}, nil, "answer_unusable"},
		"as many values as there may be":  {[]string{list(maxAnswerValues-1, `{"name":"x"}`)}, nil, ""},
		"one more":                        {[]string{list(maxAnswerValues, `{"name":"x"}`)}, nil, "answer_holds_too_much"},
		"one more, over pages":            {[]string{list(maxAnswerValues/2, `{"name":"x"}`), list(maxAnswerValues/2, `{"name":"x"}`)}, nil, "answer_holds_too_much"},
		"as many bytes as there may be":   {[]string{`{"value":[{},` + name(maxAnswerBytes) + `]}`}, nil, ""},
		"one byte more":                   {[]string{`{"value":[{},` + name(maxAnswerBytes) + `],"lead":1}`}, nil, "answer_holds_too_much"},
		"values that are not picked count not": {[]string{`{"value":[{"name":"a"}],"other":"` + strings.Repeat("x", 2*maxAnswerBytes) + `"}`},
			map[string]session.Claim{"teams": several("a"), "team": one("a")}, ""},
	} {
		t.Run(title, func(t *testing.T) {
			answers := map[string]string{}
			path := "/teams"
			for i, page := range c.pages {
				if i+1 < len(c.pages) {
					page = page[:len(page)-1] + `,"next":"/more"}`
				}
				answers[path], path = page, "/more"
			}
			_, p, env := graph(t, answers)
			got, err := ask(env, p, &p.Settings().Enrich[0], oidc.Access{Token: "at"})
			if (err == nil) != (c.reason == "") || err != nil && oidc.Reason(err) != c.reason {
				t.Fatalf("got %v, want %q", err, c.reason)
			}
			if err != nil && (got != nil || oidc.Temporary(err)) {
				t.Errorf("with %v came %v", err, got)
			}
			if diff := cmp.Diff(c.want, got); diff != "" && c.want != nil {
				t.Errorf("picked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestASessionSaysWhatItsQuestionsSay(t *testing.T) {
	const teams, rest = `{"value":[{"name":"red"}]}`, `{"rest":"r"}`
	former := func(change func(*session.Session)) *session.Session {
		s := &session.Session{Enriched: []string{"teams", "rest"}, Asked: session.Step{Enrich: []string{"rest"}},
			Claims: map[string]session.Claim{"teams": several("old"), "rest": one("old"), "user": one("u")}}
		if change != nil {
			change(s)
		}
		return s
	}
	for title, c := range map[string]struct {
		answers map[string]string
		asked   []string
		was     func(*session.Session)
		again   bool // at a renewal
		want    map[string]session.Claim
		names   []string
		still   []string // what the login counts as having asked
	}{
		"a login asks what every login asks": {map[string]string{"/teams": teams, "/rest": rest}, nil, nil, false,
			map[string]session.Claim{"user": one("u"), "teams": several("red"), "team": one("red")}, []string{"teams"}, nil},
		"and what a rule wants": {map[string]string{"/teams": teams, "/rest": rest}, []string{"rest"}, nil, false,
			map[string]session.Claim{"user": one("u"), "teams": several("red"), "team": one("red"), "rest": one("r")}, []string{"teams", "rest"}, []string{"rest"}},
		"and nothing that there is not": {map[string]string{"/teams": teams}, []string{"gone"}, nil, false,
			map[string]session.Claim{"user": one("u"), "teams": several("red"), "team": one("red")}, []string{"teams"}, []string{"gone"}},
		"without an answer it is asked in vain": {map[string]string{"/teams": teams}, []string{"rest"}, nil, false,
			map[string]session.Claim{"user": one("u"), "teams": several("red"), "team": one("red")}, []string{"teams"}, []string{"rest"}},
		"a renewal takes what is new, and keeps what has no answer": {map[string]string{"/teams": teams}, []string{"rest"}, nil, true,
			map[string]session.Claim{"user": one("u"), "teams": several("red"), "team": one("red"), "rest": one("old")}, []string{"teams", "rest"}, []string{"rest"}},
		"not what was asked under other settings": {map[string]string{"/teams": teams}, []string{"rest"}, func(s *session.Session) { s.Gathered = "other" }, true,
			map[string]session.Claim{"user": one("u"), "teams": several("red"), "team": one("red")}, []string{"teams"}, nil},
		"nor what was never answered": {map[string]string{"/teams": teams}, []string{"rest"}, func(s *session.Session) { s.Enriched = nil }, true,
			map[string]session.Claim{"user": one("u"), "teams": several("red"), "team": one("red")}, []string{"teams"}, []string{"rest"}},
	} {
		t.Run(title, func(t *testing.T) {
			g, p, env := graph(t, c.answers)
			s := &session.Session{Provider: "main", Subject: "u", AccessToken: "at", Asked: session.Step{Enrich: c.asked},
				Claims: map[string]session.Claim{"user": one("u"), "teams": several("planted"), "rest": one("planted")}}
			var was *session.Session
			if c.again {
				was = former(func(s *session.Session) { s.Gathered = p.stamp })
				if c.was != nil {
					c.was(was)
				}
			}
			if err := g.enrich(env, p, s, was); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, s.Claims); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.names, s.Enriched); diff != "" {
				t.Errorf("answered (-want +got):\n%s", diff)
			}
			if len(c.still)+len(s.Asked.Enrich) > 0 && !cmp.Equal(c.still, s.Asked.Enrich) {
				t.Errorf("asked %q, want %q", s.Asked.Enrich, c.still)
			}
		})
	}
}

func TestAnotherQuestionMakesSessionsOutdated(t *testing.T) {
	base := config.Enrich{Name: "a", URL: "https://h/", Method: "GET", Select: map[string]string{"x": "y"}, MaxPages: 1, When: "login"}
	seen := map[string]string{}
	for name, change := range map[string]func(*config.Enrich){
		"as it was":      func(*config.Enrich) {},
		"its address":    func(e *config.Enrich) { e.URL += "?" },
		"its method":     func(e *config.Enrich) { e.Method = "POST" },
		"its body":       func(e *config.Enrich) { e.Body = "{}" },
		"its fields":     func(e *config.Enrich) { e.Headers = map[string]string{"a": "b"} },
		"what is picked": func(e *config.Enrich) { e.Select = map[string]string{"x": "z"} },
		"its pages":      func(e *config.Enrich) { e.Next = "link" },
		"for whom":       func(e *config.Enrich) { e.When = "rule" },
		"its name":       func(e *config.Enrich) { e.Name = "b" },
	} {
		e := base
		change(&e)
		stamp := enrichStamp(&config.Provider{Enrich: []config.Enrich{e}})
		if other, known := seen[stamp]; known {
			t.Errorf("%s and %s have one stamp", name, other)
		}
		seen[stamp] = name
	}
	if enrichStamp(&config.Provider{}) != "" {
		t.Error("no questions have a stamp")
	}
	slow := base
	slow.Timeout, slow.Required = config.Duration(time.Second), true
	if enrichStamp(&config.Provider{Enrich: []config.Enrich{slow}}) != enrichStamp(&config.Provider{Enrich: []config.Enrich{base}}) {
		t.Error("how long a question may take makes sessions outdated")
	}
}
