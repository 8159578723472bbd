package conversation

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// script is a small one around the given steps.
func script(steps string) string { return "# A title.\n-- script --\n" + steps }

func TestAScriptThatIsNotUnderstoodIsRefusedWithItsLine(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"a step that nobody knows":             {script("dance\n"), "x.txtar:3: \"dance\" is no step"},
		"a step in other letters":              {script("Browser bob\n"), "x.txtar:3"},
		"a line that belongs to nothing":       {script("   a: b\n"), "x.txtar:3: a script begins in the first column"},
		"a line that means nothing":            {script("browser bob\n   a: b\n"), "x.txtar:4: \"a: b\" means nothing below"},
		"a line without a colon":               {script("<- 200\n   nonsense\n"), "x.txtar:4"},
		"a form where there is none":           {script("<- 200\n   & a=b\n"), "x.txtar:4"},
		"a query where there is none":          {script("-> GET /\n   ? a=b\n"), "x.txtar:4"},
		"a parameter without a value":          {script("<- 303\n   ? a\n"), "x.txtar:4"},
		"a part that is not there":             {script("browser a\ninclude nothing\n"), "x.txtar:4: include nothing"},
		"no title":                             {"-- script --\nbrowser a\n", "begins with its title"},
		"a comment that is none":               {"# A title.\nhello\n-- script --\nbrowser a\n", "x.txtar:2: \"hello\""},
		"a place without a reason":             {"# A title.\nonly: native\n-- script --\nbrowser a\n", "x.txtar:2: only: needs a reason"},
		"no script":                            {"# A title.\n-- settings.json --\n{}\n", "there is no script"},
		"a file that means nothing":            {"# A title.\n-- notes --\nhi\n-- script --\nbrowser a\n", "x.txtar:2: a file named notes"},
		"a file twice":                         {"# A title.\n-- a.json --\n{}\n-- a.json --\n{}\n-- script --\nbrowser a\n", "x.txtar:4: a.json is there twice"},
		"a worker without a number":            {script("worker\n"), "x.txtar:3: worker: they are numbered from 1"},
		"a worker too many":                    {script("worker 9\n"), "x.txtar:3: worker 9: they are numbered from 1 to 8"},
		"a gate before the first":              {script("gate 0\n"), "x.txtar:3: gate 0: they are numbered from 1"},
		"an empty table":                       {"# A title.\n-- cases --\nname | $a\n-- script --\nbrowser a\n", "x.txtar:3: cases: there are none"},
		"a line of a table with other columns": {"# A title.\n-- cases --\nname | $a\nx\n-- script --\nbrowser a\n", "x.txtar:4: cases: 1 columns"},
		"a string of a table that is not JSON": {"# A title.\n-- cases --\nname | $a\nx | \"a\\z\"\n-- script --\nbrowser a\n", "x.txtar:4: cases"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse("x.txtar", corpus, []byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// playText plays a script natively and returns its first failure.
func playText(t *testing.T, text string) (failure error) {
	t.Helper()
	s, err := parse("x.txtar", corpus, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	Play(s, Native(), func(_ string, play func() error) {
		if err := play(); err != nil && failure == nil {
			failure = err
		}
	})
	return failure
}

func TestAScriptThatIsNotTrueFailsWithItsLine(t *testing.T) {
	const begin = "-> GET https://app.example.com/page?x=1\n   accept: text/html\n"
	const cookie = "   set-cookie: __Host-postern-login=*\n"
	callback := "include begin\n-> GET https://app.example.com/oauth2/callback?code=code-of-alice&state=$state&iss=$issuer\n"
	for name, tt := range map[string]struct{ steps, want string }{
		"another status":                 {begin + "<- 302 login\n" + cookie, "x.txtar:5: <- 302 login: it is 303 login"},
		"another reason":                 {begin + "<- 303 logout\n" + cookie, "the reason is \"login\""},
		"no reason":                      {begin + "<- 303\n" + cookie, "the reason is \"login\""},
		"another field":                  {begin + "<- 303 login\n   location: /\n" + cookie, "location is \"https://id.example.com/auth"},
		"a field that is not there":      {begin + "<- 303 login\n   x-a: *b\n" + cookie, "x-a is \"\""},
		"a field that is there":          {begin + "<- 303 login\n   absent: location\n" + cookie, "there is a field location"},
		"another parameter":              {begin + "<- 303 login\n   ? client_id=office\n" + cookie, "client_id is \"shop\""},
		"a cookie not mentioned":         {begin + "<- 303 login\n", "cookies that the script does not mention"},
		"a cookie that is not set":       {begin + "<- 303 login\n" + cookie + cookie, "no cookie is __Host-postern-login=*"},
		"another text":                   {"-> GET /oauth2/x\n<- 404 no_such_endpoint\n   body contains hello\n", "does not contain \"hello\""},
		"a text that must not be":        {"-> GET /oauth2/x\n<- 404 no_such_endpoint\n   body lacks status\n", "the body contains \"status\""},
		"another body":                   {"-> GET /healthz\n=> forwarded\n<- 200\n   body: hello\n", "the body is \"the application\""},
		"another JSON member":            {"-> GET /oauth2/x\n<- 404 no_such_endpoint\n   json status: 400\n", "status is \"404\""},
		"an event not mentioned":         {"-> GET //\n<- 400 target_double_slash\n", "an event that the script does not mention"},
		"an event that does not come":    {"-> GET /healthz\n=> forwarded\nevent signed_in\n", "there is no such event"},
		"another event":                  {"-> GET //\n<- 400 target_double_slash\nevent login_refused target_double_slash\n", "event is not login_refused"},
		"another reason of an event":     {"-> GET //\n<- 400 target_double_slash\nevent request_refused other\n", "reason is not other"},
		"an event without its reason":    {"-> GET //\n<- 400 target_double_slash\nevent request_refused\n", "a reason that the script does not mention"},
		"an event with other things":     {"-> GET //\n<- 400 target_double_slash\nevent request_refused target_double_slash step=x\n", "step is not x"},
		"a request let through":          {"-> GET /healthz\n<- 200\n", "the request reached the application"},
		"a request not let through":      {begin + "=> forwarded\n", "it was answered with 303 login"},
		"a field for the application":    {"-> GET /healthz\n   x-a: b\n=> forwarded\n   x-a: c\n", "x-a is \"b\", not c"},
		"a field kept from it":           {"-> GET /healthz\n   x_a: b\n=> forwarded\n   absent: x-a\n", "the application sees x_a"},
		"an answer not mentioned":        {"-> GET /healthz\n", "does not say what becomes of the request"},
		"a request before the answer":    {"-> GET /healthz\n-> GET /healthz\n", "the request before has no answer yet"},
		"a call not mentioned":           {callback, "at the end: a call that the script does not mention: POST"},
		"another call":                   {callback + "call GET https://id.example.com/token\n", "the gate calls POST"},
		"a call that does not come":      {"-> GET /healthz\n=> forwarded\ncall GET *\n", "the gate makes no call"},
		"a call without a reply":         {callback + "call POST *\n", "the last call has no reply"},
		"a reply without a call":         {"reply 200\n", "no call waits for an answer"},
		"another form":                   {callback + "call POST *\n   & grant_type=refresh_token\n", "grant_type is \"authorization_code\""},
		"a form parameter left out":      {callback + "call POST *\n   & grant_type=authorization_code\n", "a form parameter that the script does not mention"},
		"a field of a call":              {callback + "call POST *\n   accept: text/html\n", "accept is \"application/json\""},
		"a field missing from a call":    {callback + "call POST *\n   absent: authorization\n", "there is a field authorization"},
		"a variable without a value":     {"-> GET /$nothing\n", "$nothing has no value"},
		"a function that nobody knows":   {"-> GET /$nothing(1)\n", "there is no function $nothing"},
		"a comparison that fails":        {"assert a = b\n", "\"a\" and \"b\""},
		"a difference that is none":      {"assert a != a\n", "\"a\" and \"a\""},
		"an answer that is not pending":  {"-> GET /healthz\npending\n", "the request is not pending"},
		"a tab that is not there":        {"<- [b] 200\n", "there is no request in tab \"b\""},
		"settings that are not there":    {"restart with other.json\n", "the script has no other.json"},
		"a cookie to take out":           {"jar a gone\n", "the browser has no such cookie"},
		"a line of the log":              {"log mentions hello\n", "there is no such line"},
		"a stream not mentioned":         {"stream GET /healthz\n=> forwarded\n<- 200\n", "the stream in tab \"\" is still open"},
		"a stream in a stream's place":   {"stream GET /healthz\n=> forwarded\n-> GET /healthz\n", "the stream before is still open"},
		"a stream that is not cut":       {"stream GET /healthz\n=> forwarded\n<- 200\ncut\n", "the stream is still open"},
		"a cut answer that is no stream": {"-> GET /healthz\n=> forwarded\n<- 200\ncut\n", "there is no stream"},
		"a stream that was refused":      {"stream GET /oauth2/x\n<- 404 no_such_endpoint\nopen\n", "there is no stream"},
		"a clock that goes back":         {"clock -1s\n", "the clock goes on by a duration"},
	} {
		t.Run(name, func(t *testing.T) {
			err := playText(t, script(tt.steps))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestSettingsThatTheGateRefusesFailTheScript(t *testing.T) {
	err := playText(t, "# A title.\n-- settings.json --\n{\"hosts\": []}\n-- script --\n-> GET /\n")
	if err == nil || !strings.Contains(err.Error(), "hosts") {
		t.Errorf("got %v", err)
	}
}

func TestSettingsAreLaidOverTheDefault(t *testing.T) {
	got, err := overlay(
		[]byte(`{"a":{"b":1,"c":2},"list":[{"x":1,"y":2}],"names":["p","q"],"gone":1}`),
		[]byte(`{"a":{"c":3},"list":[{"y":4}],"names":["r","s"],"gone":null}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"a":{"b":1,"c":3},"list":[{"x":1,"y":4}],"names":["r","s"]}`, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestATableStandsForTheConversationsInIt(t *testing.T) {
	s, err := parse("x.txtar", corpus, []byte("# A title.\n-- cases --\nname | $a | $b\none | $c | \"x $y\"\ntwo |  |\n-- script --\nbrowser a\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Case{
		{"one", map[string]string{"a": "$c", "b": "x $$y"}},
		{"two", map[string]string{"a": "", "b": ""}},
	}
	if diff := cmp.Diff(want, s.Cases); diff != "" {
		t.Error(diff)
	}
}

func TestWorkersShareWhatGatesDoNot(t *testing.T) {
	s, err := parse("x.txtar", corpus, []byte("# A title.\nthe host lets no bodies through\n-- script --\nworker 3\ngate 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Workers != 3 || s.Replicas != 2 || !s.NoBodies {
		t.Errorf("%d workers, %d gates, no bodies: %v", s.Workers, s.Replicas, s.NoBodies)
	}
	g, err := Native().Start(Setup{Settings: defaultSettings(t), Workers: s.Workers, Replicas: s.Replicas, Now: began,
		Auto: func(Call) (Reply, bool) { return Reply{Status: 500}, true }, Log: func(string) {}})
	if err != nil {
		t.Fatal(err)
	}
	workers := g.(*nativeGate).workers
	if len(workers) != 2 || len(workers[0]) != 3 || len(workers[1]) != 3 {
		t.Errorf("the gates have workers %v", workers)
	}
}

func TestWhatOneEnvoyWithOneWorkerCannotPlayIsRefused(t *testing.T) {
	for name, setup := range map[string]Setup{
		"several workers": {Workers: 2}, "several gates": {Replicas: 2}, "a host without bodies": {NoBodies: true},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := (&envoy{}).Start(setup); err == nil {
				t.Error("it began")
			}
		})
	}
}

func TestTheGatesCookiesMakeAnAnswerPrivate(t *testing.T) {
	cookie := httpmsg.Field{Name: "set-cookie", Value: "a=b"}
	got := withCookies(httpmsg.Fields{{Name: "cache-control", Value: "public, max-age=1"}, {Name: "surrogate-control", Value: "x"}}, httpmsg.Fields{cookie})
	if diff := cmp.Diff(httpmsg.Fields{{Name: "cache-control", Value: "private, max-age=1"}, cookie}, got); diff != "" {
		t.Error(diff)
	}
}

func defaultSettings(t *testing.T) []byte {
	t.Helper()
	s, err := parse("x.txtar", corpus, []byte(script("browser a\n")))
	if err != nil {
		t.Fatal(err)
	}
	settings, err := s.settings("settings.json")
	if err != nil {
		t.Fatal(err)
	}
	return settings
}
