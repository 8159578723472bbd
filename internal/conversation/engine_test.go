package conversation

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
)

func TestPatterns(t *testing.T) {
	for name, tt := range map[string]struct {
		pattern, text string
		want          bool
		captured      string
	}{
		"the same text":                  {"abc", "abc", true, ""},
		"other text":                     {"abc", "abd", false, ""},
		"a part is not the whole":        {"abc", "abcd", false, ""},
		"a star is any text":             {"a*d", "abcd", true, ""},
		"a star is nothing":              {"a*", "a", true, ""},
		"dots are dots":                  {"a.c", "abc", false, ""},
		"a capture":                      {"a=<x>; *", "a=1; Path=/", true, "1"},
		"a capture is never empty":       {"a=<x>; *", "a=; Path=/", false, ""},
		"a value":                        {"$v/*", "1.5/x", true, ""},
		"a value is no pattern":          {"$star", "abc", false, ""},
		"text over several lines":        {"a*c", "a\nb\nc", true, ""},
		"what looks like markup is text": {"<H1>", "<H1>", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVars()
			v.values["v"], v.values["star"] = "1.5", "*"
			got, err := v.match(tt.pattern, tt.text)
			if err != nil || got != tt.want || v.values["x"] != tt.captured {
				t.Errorf("got %v, %v, captured %q", got, err, v.values["x"])
			}
		})
	}
}

func TestReferences(t *testing.T) {
	v := newVars()
	v.values["a"], v.values["b"] = "one", "two"
	v.later["c"] = "$a$b"
	for text, want := range map[string]string{
		"$a and $b":            "one and two",
		"$c":                   "onetwo",
		"$$a":                  "$a",
		"$text($a)x":           "onex",
		"$first(2, $text($a))": "on",
		"$repeat(3, ab)":       "ababab",
		"$alter(0, Abc)":       "Bbc",
		"$alter(-1, abc)":      "abA",
		"$part(1, a.b.c)":      "b",
		"$base64(a:b)":         "YTpi",
		// RFC 7636, appendix B.
		"$s256(dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk)": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
	} {
		if got, err := v.expand(text); err != nil || got != want {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"$", "$ a", "$text(", "$repeat(x, a)", "$alter(9, abc)", "$part(5, a.b)"} {
		if got, err := v.expand(text); err == nil {
			t.Errorf("%s: got %q", text, got)
		}
	}
}

func TestBrowsersKeepCookiesAsTheRulesSay(t *testing.T) {
	now := began
	b := &browser{}
	take := func(host, field string) {
		t.Helper()
		if err := b.take(host, field, now); err != nil {
			t.Error(err)
		}
	}
	take("app.example.com", "a=1; Path=/; Max-Age=60")
	take("app.example.com", "b=2; Path=/x")
	take("app.example.com", "c=3; Domain=example.com; Path=/")
	for _, tt := range []struct {
		host, target string
		later        time.Duration
		want         string
	}{
		{"app.example.com", "/?x", 0, "a=1; c=3"},
		{"APP.example.com", "/x/y", 0, "a=1; b=2; c=3"},
		{"app.example.com", "/xy", 0, "a=1; c=3"},
		{"other.example.com", "/", 0, "c=3"},
		{"evilexample.com", "/", 0, ""},
		{"app.example.com", "/", time.Minute, "c=3"},
	} {
		if got := b.header(tt.host, tt.target, now.Add(tt.later)); got != tt.want {
			t.Errorf("%s%s after %v: %q, want %q", tt.host, tt.target, tt.later, got, tt.want)
		}
	}
	take("app.example.com", "a=; Path=/; Max-Age=0")
	if got := b.header("app.example.com", "/", now); got != "c=3" {
		t.Errorf("after clearing: %q", got)
	}
}

func TestACookieThatBrowsersThrowAwayIsAFailure(t *testing.T) {
	for name, field := range map[string]string{
		"__Host- without Secure":     "__Host-a=1; Path=/",
		"__Host- with a domain":      "__Host-a=1; Path=/; Secure; Domain=app.example.com",
		"__Host- below a path":       "__Host-a=1; Path=/x; Secure",
		"__Secure- without Secure":   "__Secure-a=1; Path=/",
		"SameSite=None":              "a=1; SameSite=None",
		"somebody else's domain":     "a=1; Domain=evil.example",
		"a name that only ends like": "a=1; Domain=p.example.com",
		"too long":                   "a=" + strings.Repeat("x", maxCookie),
		"nothing":                    "",
	} {
		t.Run(name, func(t *testing.T) {
			if err := new(browser).take("app.example.com", field, began); err == nil {
				t.Error("the cookie was kept")
			}
		})
	}
}

func TestSecretsAreFoundAndNotRepeated(t *testing.T) {
	var s secrets
	s.add("short", "a-long-secret")
	if err := s.in("the log", "short texts are found everywhere"); err != nil {
		t.Error(err)
	}
	err := s.in("the log", `{"reason":"a-long-secret"}`)
	if err == nil || strings.Contains(err.Error(), "a-long-secret") {
		t.Errorf("got %v", err)
	}
}

// A gate that logs what it should not, or answers with it, fails every script
// that has the secret.
func TestASecretInTheLogOrInAnAnswerFailsTheScript(t *testing.T) {
	p := &player{script: &Script{Name: "x"}, gate: &nativeGate{}}
	p.reset(Case{})
	p.rememberTokens(`{"access_token":"access-of-alice"}`)
	p.hear(`postern: {"event":"x","reason":"access-of-alice"}`)
	p.issued = nil
	if err := p.finish(); err == nil || !strings.Contains(err.Error(), "a secret") {
		t.Errorf("in the log: %v", err)
	}
	header := httpmsg.Fields{{Name: "cache-control", Value: "no-store"}}
	for name, o := range map[string]Outcome{
		"a page":     {Reason: "x", Header: header, Body: "<p>access-of-alice"},
		"a location": {Reason: "x", Header: append(header, httpmsg.Field{Name: "location", Value: "/?t=access-of-alice"})},
	} {
		if err := p.checkOwn(&o); err == nil || !strings.Contains(err.Error(), "a secret") {
			t.Errorf("in %s: %v", name, err)
		}
	}
}

func TestAnAnswerOfTheGateMustNotBeStored(t *testing.T) {
	p := &player{}
	if err := p.checkOwn(&Outcome{Status: 401, Reason: "no_session"}); err == nil {
		t.Error("an answer without cache-control passed")
	}
}

func TestTheGatesLineIsTakenOutOfEnvoysLog(t *testing.T) {
	gate, text, ok := eventOf(`[source/x.cc:1] wasm log gate-7 gate-7 postern: postern: {"event":"x"}`)
	if gate != "gate-7" || text != `postern: {"event":"x"}` || !ok {
		t.Errorf("got %q, %q, %v", gate, text, ok)
	}
	if _, _, ok := eventOf("something else"); ok {
		t.Error("a line of Envoy's own was taken for the gate's")
	}
}

func TestTheReasonIsTakenOutOfEnvoysDetails(t *testing.T) {
	for details, want := range map[string]string{
		"via_wasm::gate-7::postern_no_session": "no_session",
		"postern_login":                        "login",
		"route_not_found":                      "",
		"":                                     "",
	} {
		if got := reason(details); got != want {
			t.Errorf("%s: got %q", details, got)
		}
	}
}

func TestARequestGoesOutByteForByte(t *testing.T) {
	r := Request{Method: "POST", Authority: "App", Target: "/a\\b", Body: "x=y"}
	want := "POST /a\\b HTTP/1.1\r\nhost: App\r\nconnection: close\r\ncontent-length: 3\r\n\r\nx=y"
	if got := wire(r); got != want {
		t.Errorf("got %q", got)
	}
}
