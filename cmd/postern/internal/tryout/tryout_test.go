package tryout

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/policy"
)

var testTime = time.Unix(1_800_000_000, 0)

const testKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// try makes a tryout of settings: their members beside the first ones.
func try(t *testing.T, more string) *Tryout {
	t.Helper()
	text := `{"session":{"keys":[{"id":"k","value":"` + testKey + `"}]}`
	if !strings.Contains(more, `"providers"`) {
		text += `,"providers":[{"name":"main","issuer":"https://id.example.com/realm","cluster":"idp","client_id":"shop","claims":{"roles":"realm_access.roles"}}]`
	}
	if !strings.Contains(more, `"hosts":`) {
		text += `,"hosts":["app.example.com"]`
	}
	c, err := config.Parse([]byte(text+more+"}"), func(string) (string, bool) { return testKey, true })
	if err != nil {
		t.Fatal(err)
	}
	try, err := New(c, func() time.Time { return testTime })
	if err != nil {
		t.Fatal(err)
	}
	return try
}

// asked is a case: "GET https://…", and the claims of whoever asks, "" for
// nobody.
func asked(t *testing.T, request, claims string, token bool) *Case {
	t.Helper()
	method, address, _ := strings.Cut(request, " ")
	a, err := ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	c := &Case{Method: method, URL: a, Token: token}
	if claims != "" {
		if c.Claims, err = ParseClaims([]byte(claims), testTime); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func outcome(t *testing.T, try *Tryout, c *Case) *Outcome {
	t.Helper()
	o, err := try.Try(c)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestWhoeverAsksGoesTheWholeWay(t *testing.T) {
	const admins = `,"rules":[{"name":"admin","match":{"paths":["/admin/*"]},"require":{"groups":["admins"]}}]`
	const api = `,"bearer":[{"provider":"main","audiences":["api"]%s}]`
	bound := func(more string) string { return fmt.Sprintf(api, more) }
	for name, c := range map[string]struct {
		settings, request, claims string
		token                     bool
		kind, reason              string
	}{
		"nobody is sent to sign in":                         {"", "GET https://app.example.com/", "", false, Login, "no_session"},
		"nobody's script is not":                            {"", "PUT https://app.example.com/", "", false, "401", "no_session"},
		"whoever signed in passes":                          {"", "GET https://app.example.com/", `{"sub":"1"}`, false, Pass, ""},
		"claims without a subject are of somebody":          {"", "GET https://app.example.com/", `{}`, false, Pass, ""},
		"a rule is met":                                     {admins, "GET https://app.example.com/admin", `{"groups":["admins"]}`, false, Pass, ""},
		"a rule is not met":                                 {admins, "GET https://app.example.com/admin/x", `{"groups":["staff"]}`, false, "403", "group_missing"},
		"a target with two readings":                        {admins, "GET https://app.example.com/a//b", `{"groups":["admins"]}`, false, "400", "target_double_slash"},
		"another host":                                      {admins, "GET https://other.example.com/", `{"groups":["admins"]}`, false, "421", "host_not_allowed"},
		"an authority that is none":                         {admins, "GET https://a_b:x/", "", false, "400", "authority_bad_port"},
		"an address of ours":                                {admins, "GET https://app.example.com/oauth2/userinfo", `{}`, false, Own, "userinfo"},
		"a callback host, and tickets":                      {`,"public_url":"https://auth.example.com"` + admins, "GET https://app.example.com/admin", `{"groups":["admins"]}`, false, Pass, ""},
		"a callback host, and nobody":                       {`,"public_url":"https://auth.example.com"` + admins, "GET https://app.example.com/admin", "", false, Login, "no_session"},
		"the page that lets people choose":                  {`,"sign_in":{"page":"always"}`, "GET https://app.example.com/", "", false, Login, "no_session"},
		"a token is accepted":                               {bound(""), "GET https://app.example.com/", `{"azp":"script"}`, true, Pass, ""},
		"a token for somebody else":                         {bound(""), "GET https://app.example.com/", `{"aud":"other"}`, true, "401", "aud_differs"},
		"a token where none counts":                         {"", "GET https://app.example.com/", `{"azp":"script"}`, true, "401", "no_session"},
		"a token that is asked about":                       {bound(`,"check":"introspection"`), "GET https://app.example.com/", `{}`, true, Pass, ""},
		"a token that is asked about, with a signed answer": {bound(`,"check":"introspection","introspection":{"jwt":true}`), "GET https://app.example.com/", `{}`, true, Pass, ""},
		"a token that a proof comes with":                   {bound(`,"bound":"dpop"`), "GET https://app.example.com/a?b", `{}`, true, Pass, ""},
		"a proof with a nonce":                              {bound(`,"bound":"dpop","dpop":{"nonce":true}`), "GET https://app.example.com/", `{}`, true, Pass, ""},
		"a token of a certificate":                          {bound(`,"bound":"certificate"`), "GET https://app.example.com/", `{}`, true, Pass, ""},
		"a token and the name of its client":                {bound(`,"client_id_header":"client-id"`), "GET https://app.example.com/", `{"azp":"script"}`, true, Pass, ""},
		"a token and the address of its client":             {bound(`,"client_address":true`), "GET https://app.example.com/", `{"clientAddress":"198.51.100.7"}`, true, Pass, ""},
		"a token signed by RSA":                             {bound(`,"algorithms":["PS256"],"types":["JWT"]`), "GET https://app.example.com/", `{}`, true, Pass, ""},
		"an unverified address is none": {`,"rules":[{"match":{"paths":["/*"]},"require":{"email_domains":["example.com"]}}]`,
			"GET https://app.example.com/", `{"email":"a@example.com","email_verified":false}`, false, "403", "email_not_verified"},
	} {
		t.Run(name, func(t *testing.T) {
			var providers string
			if strings.Contains(c.settings, "introspection") {
				providers = `,"providers":[{"name":"main","issuer":"https://id.example.com/realm","cluster":"idp","client_id":"shop","client_secret":{"value":"hush-hush"}}]`
			}
			o := outcome(t, try(t, providers+c.settings), asked(t, c.request, c.claims, c.token))
			if o.Kind != c.kind || o.Reason != c.reason {
				t.Errorf("%s (%s), not %s (%s)", o.Kind, o.Reason, c.kind, c.reason)
			}
		})
	}
}

func TestAStepUpSaysWhatIsAskedForAndWhatComesOfTheSameAnswer(t *testing.T) {
	const settings = `,"rules":[{"match":{"paths":["/*"]},"require":{"acr":["gold","silver"],"max_age":"10m","scopes":["reports"]},"step_up":{"prompt":"login"}}]`
	o := outcome(t, try(t, settings), asked(t, "GET https://app.example.com/", `{"scope":"openid","auth_time":"-1h"}`, false))
	want := &Asked{Provider: "main", Scopes: []string{"reports"}, ACR: []string{"gold", "silver"}, MaxAge: "600", Prompt: "login"}
	if diff := cmp.Diff(want, o.Asked); o.Kind != StepUp || diff != "" {
		t.Errorf("%s: %s", o.Kind, diff)
	}
	if o.Again == nil || o.Again.Kind != "403" {
		t.Errorf("the same answer again: %+v", o.Again)
	}
	o = outcome(t, try(t, settings), asked(t, "GET https://app.example.com/", `{"acr":"silver","auth_time":"-1m"}`, false))
	if o.Kind != StepUp || o.Again == nil || o.Again.Kind != Pass {
		t.Errorf("all that is asked for is granted: %s, then %+v", o.Kind, o.Again)
	}
}

func TestWhatIsOnlyObservedIsDecidedBesides(t *testing.T) {
	o := outcome(t, try(t, `,"insecure_observe":true,"rules":[{"name":"a","match":{"paths":["/*"]},"require":{"groups":["a"]}}]`),
		asked(t, "GET https://app.example.com/", `{}`, false))
	if o.Kind != Pass || !o.Observed || o.Without == nil || o.Without.Kind != "403" || o.Without.Observed {
		t.Errorf("%+v, without %+v", o, o.Without)
	}
}

func TestNothingIsToldOfTokens(t *testing.T) {
	o := outcome(t, try(t, `,"forward":{"access_token":["authorization","x-token"],"assertion":{}}`), asked(t, "GET https://app.example.com/", `{"sub":"1"}`, false))
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "eyJ") || !strings.Contains(string(text), "Bearer and the access token") {
		t.Errorf("%s", text)
	}
	hidden := 0
	for _, h := range o.Headers {
		if h.Hidden {
			hidden++
		}
	}
	if hidden != 3 {
		t.Errorf("%d values are hidden: %s", hidden, text)
	}
}

func TestATokenThatIsRefusedMakesNobodyKnown(t *testing.T) {
	w := try(t, `,"bearer":[{"provider":"main","audiences":["api"],"client_id_header":"client-id"}],"rules":[{"match":{"paths":["/*"]},"require":{"client_ids":["script"]}}]`)
	c := asked(t, "GET https://app.example.com/", `{"azp":"script"}`, true)
	if o := outcome(t, w, c); o.Kind != Pass || !o.Seen.Known {
		t.Errorf("%s (%s), known: %v", o.Kind, o.Reason, o.Seen.Known)
	}
	c.Header = append(c.Header, field("client-id", "other"))
	if o := outcome(t, w, c); o.Kind != "401" || o.Reason != "client_id_differs" || o.Seen.Known {
		t.Errorf("%s (%s), known: %v", o.Kind, o.Reason, o.Seen.Known)
	}
}

func TestClaimsOfStrangersAreRefused(t *testing.T) {
	w := try(t, `,"bearer":[{"provider":"main","audiences":["api"]}]`)
	for _, token := range []bool{false, true} {
		if o, err := w.Try(asked(t, "GET https://app.example.com/", `{"iss":"https://evil.example.com"}`, token)); err == nil {
			t.Errorf("token %v: %+v", token, o)
		}
	}
}

func TestSettingsForOutgoingCallsAloneProtectNothing(t *testing.T) {
	if _, err := New(&config.Config{}, time.Now); err != ErrNothingProtected {
		t.Errorf("%v", err)
	}
}

// What is explained and what is decided come by different ways out of the same
// rules: they must say the same, whoever asks for whatever.
func TestWhatIsExplainedIsWhatIsDecided(t *testing.T) {
	const rules = `,"bearer":[{"provider":"main","audiences":["api"]}],"hosts":["app.example.com","api.example.com"],"rules":[
		{"name":"open","match":{"paths":["/open/*"]},"allow":"anyone"},
		{"name":"admin","match":{"paths":["/admin/*"],"hosts":["app.example.com"]},"require":{"groups":["admins"],"acr":["gold"]}},
		{"name":"script","match":{"hosts":["api.example.com"],"methods":["PUT"]},"accept":["bearer"],"require":{"client_ids":["script"],"scopes":["write"]}},
		{"name":"tenant","match":{"headers":{"x-tenant":["red"]}},"require":{"claims":{"tenant":["red"]}}},
		{"name":"news","match":{"paths":["/news/*"]},"on_anonymous":"pass"},
		{"name":"mixed","match":{"path_regexes":["/m[0-9]+"]},"require":{"any":[{"groups":["a"],"roles":["b"]},{"emails":["x@example.com"]}],"not":{"groups":["out"]}}},
		{"name":"old","match":{"paths":["/old"]},"require":{"max_age":"10m","amr":["otp"]}},
		{"name":"seen","match":{"paths":["/seen"]},"require":{"groups":["admins"]},"insecure_observe":true}]`
	people := []string{
		"", `{}`, `{"groups":["admins"]}`, `{"groups":["admins"],"acr":"gold"}`, `{"acr":"silver"}`, `{"azp":"script","scope":"write"}`,
		`{"tenant":"red"}`, `{"groups":["a"],"realm_access":{"roles":["b"]}}`, `{"groups":["a","out"],"realm_access":{"roles":["b"]}}`,
		`{"email":"X@example.com"}`, `{"email":"x@example.com","email_verified":false}`, `{"auth_time":"-5m","amr":["otp"]}`, `{"auth_time":"-1h","amr":["otp"]}`,
	}
	targets := []string{"/", "/open", "/open/a", "/admin", "/admin/", "/admin;x/a", "/Admin", "/news/1", "/m12", "/m", "/old", "/seen", "/open/..;/admin", "/admin%2fa", "/oauth2/userinfo"}
	w, tried := try(t, rules), 0
	for _, host := range []string{"app.example.com", "api.example.com", "else.example.com"} {
		for _, method := range []string{"GET", "PUT", "get"} {
			for _, target := range targets {
				for i, claims := range people {
					c := asked(t, method+" https://"+host+target, claims, i > 0 && (i+len(target))%2 == 0)
					if i%3 == 0 {
						c.Header = append(c.Header, field("x-tenant", "red"))
					}
					agree(t, c, outcome(t, w, c))
					tried++
				}
			}
		}
	}
	if tried != 3*3*len(targets)*len(people) {
		t.Errorf("%d were tried", tried)
	}
}

// agree holds what is explained of a case against what was decided.
func agree(t *testing.T, c *Case, o *Outcome) {
	t.Helper()
	e := &o.Seen
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s %s by %v (token %v): %s; decided %s (%s) by %q", c.Method, c.URL, c.Claims, c.Token, fmt.Sprintf(format, args...), o.Kind, o.Reason, o.Rule)
	}
	switch {
	case e.Refused != "":
		if o.Kind != "400" || o.Reason != e.Refused {
			fail("explained as refused for %s", e.Refused)
		}
		return
	case e.Own:
		if o.Kind != Own {
			fail("explained as an address of ours")
		}
		return
	case o.Kind == "421":
		return
	}
	rule := e.Need.Rule
	if rule == "" {
		rule = Unmatched
	}
	if rule != o.Rule {
		fail("explained by rule %q", rule)
	}
	states := map[string]int{}
	for _, h := range e.Requirements {
		states[h.State]++
	}
	decided := o
	if o.Observed {
		decided = o.Without
	}
	met := e.Need.Anyone || e.Need.Pass && !e.Known || e.Known && states[policy.StateUnmet]+states[policy.StateUnknown] == 0
	if met != (decided.Kind == Pass) {
		fail("explained as met: %v (known %v, %v)", met, e.Known, states)
	}
	if (e.Denial != nil) != (e.Known && !met) {
		fail("explained with a denial: %v", e.Denial)
	}
	if e.Denial != nil && e.Denial.Reason != decided.Reason {
		fail("explained for %s", e.Denial.Reason)
	}
	if last := e.Readings[0]; len(e.Readings) == 1 && last.Name != e.Need.Rule {
		fail("explained by looking at rules up to %q", last.Name)
	}
}

func TestWhatAnotherProxyIsTold(t *testing.T) {
	const rules = `,"rules":[{"name":"admin","match":{"paths":["/admin/*"],"methods":["PUT"]},"require":{"groups":["admins"]}%s}]`
	const envoy = `,"auth_request":{"status":200,"rules":true},"trusted_peers":{"sans":["spiffe://envoy"]}`
	ask := func(more, request, claims string) *Outcome {
		return outcome(t, try(t, envoy+fmt.Sprintf(rules, more)), asked(t, request, claims, false))
	}
	o := ask("", "PUT https://app.example.com/oauth2/auth/admin/x?scope=its-own", `{"groups":["admins"]}`)
	if !o.Answered || o.Kind != Own || o.Status != 200 || o.Rule != "admin" || len(o.Headers) == 0 || !slices.Contains(o.Removed, "x-auth-request-email") {
		t.Errorf("got %+v", o)
	}
	o = ask("", "PUT https://app.example.com/oauth2/auth/admin/x", `{"groups":["staff"]}`)
	if o.Answered || o.Kind != Own || o.Status != 403 || o.Rule != "admin" || o.Headers != nil || len(o.Seen.Requirements) != 1 {
		t.Errorf("got %+v", o)
	}
	o = ask(`,"insecure_observe":true`, "PUT https://app.example.com/oauth2/auth/admin/x", `{"groups":["staff"]}`)
	if !o.Answered || !o.Observed || o.Without == nil || o.Without.Answered || o.Without.Status != 403 {
		t.Errorf("got %+v", o)
	}
	o = ask("", "GET https://app.example.com/oauth2/authx", "")
	if o.Answered || o.Seen.Asked || o.Status != 404 {
		t.Errorf("got %+v", o)
	}
}
