package gate

import (
	"net/url"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/session"
)

// asksFor is what a browser that is sent to the provider is to bring.
func (v *visit) asksFor() url.Values {
	v.w.t.Helper()
	at := v.answered(303, "location")
	if !strings.HasPrefix(at, testIssuer+"/auth?") {
		v.w.t.Fatalf("the browser is sent to %s", at)
	}
	u, err := url.Parse(at)
	if err != nil {
		v.w.t.Fatal(err)
	}
	return u.Query()
}

// binding is the browser's cookie for logins that an answer sets.
func (v *visit) binding() string {
	for _, c := range v.cookies() {
		if pair, _, _ := strings.Cut(c, "; "); strings.HasPrefix(pair, "__Host-postern-login=") {
			return pair
		}
	}
	return ""
}

// comeBack has a browser return from the provider with a code, which is good
// for an ID token with some claims changed, and returns its session.
func (w *world) comeBack(k *worker, sent *visit, scope string, changes map[string]any) (v *visit, cookie string) {
	w.t.Helper()
	asked := sent.asksFor()
	v = w.get(k, "/oauth2/callback?code=c-1&state="+url.QueryEscape(asked.Get("state")), sent.binding())
	claims := map[string]any{"nonce": asked.Get("nonce")}
	for name, value := range changes {
		claims[name] = value
	}
	answer := w.tokens("access-2", "refresh-2", w.idToken(claims))
	if scope != "" {
		answer = strings.Replace(answer, "{", `{"scope":"`+scope+`",`, 1)
	}
	w.reply(w.call("/token"), 200, answer)
	if len(w.calls) == 1 && w.calls[0].Path == "/userinfo" {
		w.reply(w.call("/userinfo"), 200, `{"sub":"alice-id"}`)
	}
	v.answered(303, "location")
	return v, v.cookie()
}

const stepRules = `[
	{"name":"gold","match":{"paths":["/gold/*"]},"require":{"acr":["gold","platinum"]}},
	{"name":"fresh","match":{"paths":["/fresh/*"]},"require":{"max_age":"10m"},"step_up":{"prompt":"login"}},
	{"name":"orders","match":{"paths":["/orders/*"]},"require":{"scopes":["orders.read"]}},
	{"name":"both","match":{"paths":["/both/*"]},"require":{"groups":["admins"],"acr":["gold"]}},
	{"name":"script","match":{"paths":["/script/*"]},"require":{"acr":["gold"]},"on_anonymous":"401"}]`

func TestSomebodyWhoIsNotKnownIsAskedForAllThatARuleTakesAtOnce(t *testing.T) {
	for path, want := range map[string]url.Values{
		"/gold/a":   {"acr_values": {"gold platinum"}, "scope": {"openid profile email"}},
		"/fresh/a":  {"max_age": {"600"}, "prompt": {"login"}, "scope": {"openid profile email"}},
		"/orders/a": {"scope": {"openid profile email orders.read"}},
		"/":         {"scope": {"openid profile email"}},
	} {
		w := newWorld(t, 1, parts{rules: stepRules})
		asked := w.get(w.workers[0], path, "").asksFor()
		for _, name := range []string{"acr_values", "max_age", "prompt", "scope"} {
			if asked.Get(name) != want.Get(name) {
				t.Errorf("%s: %s is %q, not %q", path, name, asked.Get(name), want.Get(name))
			}
		}
	}
}

func TestASessionThatLacksSomethingStepsUpOnceAndIsThenHeldAgainstTheRule(t *testing.T) {
	for name, c := range map[string]struct {
		path    string
		good    map[string]any
		scope   string
		reason  string
		poor    map[string]any
		poorish string // scopes
	}{
		"a level": {path: "/gold/a", good: map[string]any{"acr": "platinum"}, poor: map[string]any{"acr": "bronze"}, reason: "acr_insufficient"},
		"an age":  {path: "/fresh/a", good: map[string]any{"auth_time": int64(1_800_000_000)}, poor: map[string]any{"auth_time": int64(1_799_990_000)}, reason: "login_too_old"},
		"a scope": {path: "/orders/a", scope: "openid profile email orders.read", poorish: "openid profile email", reason: "scope_missing"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, parts{rules: stepRules})
			k := w.workers[0]
			alice := w.alice()
			alice.AuthTime = w.now.Unix() - 3600
			sent := w.get(k, c.path+"?x=1", w.cookie(alice))
			sent.want("login")
			if n := w.counted(EventSignInNeeded, c.reason); n != 1 {
				t.Errorf("%d lines say why: %v", n, w.events)
			}
			back, cookie := w.comeBack(k, sent, c.scope, c.good)
			if to := back.field("location"); to != c.path+"?x=1" {
				t.Errorf("the browser is sent to %q", to)
			}
			w.get(k, c.path, cookie).want("forwarded alice")

			// The provider does not bring it.
			sent = w.get(k, c.path, w.cookie(alice))
			_, cookie = w.comeBack(k, sent, c.poorish, c.poor)
			w.get(k, c.path, cookie).want(c.reason).answered(403, "")
			if !strings.Contains(string(w.get(k, c.path, cookie).verdict.Respond.Body), "alice") {
				t.Error("the page does not say as whom one is signed in")
			}
			w.get(k, "/", cookie).want("forwarded alice")
		})
	}
}

func TestWhatNoLoginBringsEndsAtAPage(t *testing.T) {
	w := newWorld(t, 1, parts{rules: strings.Replace(stepRules, `"admins"`, `"owners"`, 1)})
	v := w.get(w.workers[0], "/both/a", w.cookie(w.alice())).want("group_missing")
	if v.answered(403, "content-type") != "text/html; charset=utf-8" {
		t.Error("no page")
	}
	body := string(v.verdict.Respond.Body)
	for _, want := range []string{"owners", "alice", "/oauth2/start?rd=%2Fboth%2Fa&amp;switch=1"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not hold %q", want)
		}
	}
	if prompt := w.get(w.workers[0], "/oauth2/start?rd=%2Fboth%2Fa&switch=1", w.cookie(w.alice())).asksFor().Get("prompt"); prompt == "" {
		t.Error("to sign in as someone else the provider is not told to ask")
	}
	if e := w.events[len(w.events)-1]; w.counted(EventAccessDenied, "group_missing") != 1 {
		t.Errorf("%+v", e)
	}
	for _, e := range w.events {
		if e.Event == EventAccessDenied && (e.Rule != "both" || e.Subject != "alice-id" || e.Provider != "main") {
			t.Errorf("the line says %+v", e)
		}
	}
}

func TestAScriptIsToldWhatALoginHasToBring(t *testing.T) {
	w := newWorld(t, 1, parts{rules: stepRules})
	k := w.workers[0]
	for path, want := range map[string]struct {
		status    int
		challenge string
	}{
		"/gold/a":   {401, `error="insufficient_user_authentication"`},
		"/script/a": {401, `error="insufficient_user_authentication"`},
		"/orders/a": {403, `error="insufficient_scope"`},
	} {
		v := w.send(k, path, "cookie", w.cookie(w.alice()), "accept", "application/json", "referer", "https://app.example.com/page")
		v.answered(want.status, "")
		if !strings.Contains(string(v.verdict.Respond.Body), `"sign_in_url":"https://app.example.com/oauth2/start?rd=%2Fpage"`) {
			t.Errorf("%s: %s", path, v.verdict.Respond.Body)
		}
		var need string
		for _, c := range v.cookies() {
			if pair, _, _ := strings.Cut(c, "; "); strings.HasPrefix(pair, "__Host-postern-need=") {
				need = pair
			}
		}
		asked := w.get(k, "/oauth2/start?rd=%2Fpage", w.cookie(w.alice())+"; "+need).asksFor()
		if asked.Get("acr_values") == "" && !strings.Contains(asked.Get("scope"), "orders.read") {
			t.Errorf("%s: the login that follows asks for %v", path, asked)
		}
	}
	// A person too gets no redirect where the rule wants none.
	w.get(k, "/script/a", w.cookie(w.alice())).answered(401, "")
}

func TestATokenIsToldWhatItLacks(t *testing.T) {
	w := newWorld(t, 1, parts{
		top: `,"bearer":[{"provider":"main","audiences":["shop-api"]}]`,
		rules: `[{"name":"gold","match":{"paths":["/gold"]},"require":{"acr":["gold"],"max_age":"5m"}},
			{"name":"write","match":{"paths":["/write"]},"require":{"scopes":["orders.read","orders.write"]}},
			{"name":"client","match":{"paths":["/client"]},"require":{"client_ids":["service-b"]}},
			{"name":"ours","match":{"paths":["/ours"]},"require":{"client_ids":["service-a"],"scopes":["orders.read"],"not":{"groups":["x"]}}}]`,
	})
	k := w.workers[0]
	bring := func(path string, changes map[string]any) *visit {
		return w.send(k, path, "authorization", "Bearer "+w.accessToken(changes))
	}
	if c := bring("/gold", nil).answered(401, "www-authenticate"); !strings.Contains(c, `error="insufficient_user_authentication"`) ||
		!strings.Contains(c, `acr_values="gold"`) || !strings.Contains(c, `max_age="300"`) {
		t.Errorf("challenge %s", c)
	}
	bring("/gold", map[string]any{"acr": "gold", "auth_time": w.now.Unix() - 10}).told("x-auth-request-user")
	if c := bring("/write", nil).answered(403, "www-authenticate"); !strings.Contains(c, `error="insufficient_scope"`) || !strings.Contains(c, `orders.write`) {
		t.Errorf("challenge %s", c)
	}
	if c := bring("/client", nil).answered(403, "www-authenticate"); c != "" {
		t.Errorf("challenge %s", c)
	}
	bring("/ours", nil).told("x-auth-request-user")
}

func TestAnAnonymousRequestPassesAsSuchWhereARuleSaysSo(t *testing.T) {
	w := newWorld(t, 1, parts{
		top:   `,"bearer":[{"provider":"main","audiences":["shop-api"]}]`,
		rules: `[{"name":"shop","match":{"paths":["/shop/*"]},"on_anonymous":"pass"}]`,
	})
	k := w.workers[0]
	v := w.get(k, "/shop/a", "", httpmsg.Field{Name: "X-Auth-Request-User", Value: "mallory"})
	if v.told("x-auth-request-anonymous") != "true" || v.told("x-auth-request-user") != "" {
		t.Error("the application is not told that nobody is signed in")
	}
	if len(v.verdict.Forward.Remove) != 1 {
		t.Errorf("removed: %v", v.verdict.Forward.Remove)
	}
	v = w.get(k, "/shop/a", w.cookie(w.alice()), httpmsg.Field{Name: "x-auth-request-anonymous", Value: "true"})
	if v.told("x-auth-request-user") != "alice" || v.told("x-auth-request-anonymous") != "" || len(v.verdict.Forward.Remove) != 1 {
		t.Error("a person is not told of, or a client may say that nobody is")
	}
	// CVE-2021-21378: a token that is there is no token that is missing.
	w.send(k, "/shop/a", "authorization", "Bearer "+w.accessToken(map[string]any{"iss": "https://elsewhere.example.com"})).answered(401, "")
	w.send(k, "/shop/a", "authorization", "Bearer "+w.accessToken(nil)).told("x-auth-request-user")
}

func TestARuleThatOnlyObservesLetsPassAndTells(t *testing.T) {
	w := newWorld(t, 1, parts{
		top:   `,"bearer":[{"provider":"main","audiences":["shop-api"]}]`,
		rules: `[{"name":"new","match":{"paths":["/new/*"]},"require":{"groups":["owners"]},"insecure_observe":true}]`,
	})
	k := w.workers[0]
	w.get(k, "/new/a", "", httpmsg.Field{Name: "x-auth-request-user", Value: "mallory"}).want("forwarded")
	w.get(k, "/new/a", w.cookie(w.alice())).want("forwarded alice")
	w.send(k, "/new/a", "authorization", "Bearer nonsense").want("forwarded")
	for _, reason := range []string{"no_session", "group_missing"} {
		if n := w.counted(EventAccessObserved, reason); n != 1 {
			t.Errorf("%s: %d lines", reason, n)
		}
	}
	if n := w.counted(EventAccessObserved, ""); n != 3 {
		t.Errorf("%d lines", n)
	}
	w.get(k, "/oauth2/userinfo", "").answered(401, "")
	w.get(k, "/new/%2e%2e/x", "").answered(400, "")
	w.get(k, "/other", "").want("login")
}

func TestEachDecisionIsToldWhereTheSettingsWantThat(t *testing.T) {
	w := newWorld(t, 1, parts{top: `,"log":{"decisions":"all"}`})
	w.get(w.workers[0], "/", w.cookie(w.alice())).want("forwarded alice")
	w.get(w.workers[0], "/open/a", "").want("forwarded")
	if n := w.counted(EventAccessAllowed, ""); n != 2 {
		t.Errorf("%d lines", n)
	}
}

func TestClaimsThatWereGatheredUnderOtherSettingsDecideNothing(t *testing.T) {
	w := newWorld(t, 1, parts{rules: `[{"name":"g","match":{"paths":["/g"]},"require":{"groups":["admins"]}},
		{"name":"n","match":{"paths":["/n"]},"require":{"not":{"groups":["banned"]}}}]`})
	alice := w.alice()
	alice.Gathered = "before"
	for _, path := range []string{"/g", "/n"} {
		sent := w.get(w.workers[0], path, w.cookie(alice)).want("login")
		_, cookie := w.comeBack(w.workers[0], sent, "", map[string]any{"groups": []string{"admins"}})
		w.get(w.workers[0], path, cookie).want("forwarded alice")
	}
	w.get(w.workers[0], "/", w.cookie(alice)).want("forwarded alice")
}

func TestAnAddressThatWasNotVerifiedIsNobodys(t *testing.T) {
	const rules = `[{"name":"mail","match":{"paths":["/mail"]},"require":{"email_domains":["example.com"]}}]`
	for provider, want := range map[string]string{
		"": "email_not_verified", `,"insecure_unverified_email":true`: "forwarded alice",
	} {
		w := newWorld(t, 1, parts{rules: rules, provider: provider})
		k := w.workers[0]
		sent := w.get(k, "/mail", "")
		_, cookie := w.comeBack(k, sent, "", map[string]any{"email_verified": false})
		w.get(k, "/mail", cookie).want(want)
	}
	w := newWorld(t, 1, parts{})
	alice := w.alice()
	alice.Unverified = true
	w.subrequest(w.workers[0], "?allowed_emails=alice@example.com", w.cookie(alice)).answered(403, "")
}

func TestFieldsThatNameAnotherTargetDoNotReachTheApplication(t *testing.T) {
	w := newWorld(t, 1, parts{top: `,"trusted_peers":{"sans":["nginx"]}`})
	more := []httpmsg.Field{{Name: "X-Original-URL", Value: "/admin"}, {Name: "x-rewrite-url", Value: "/admin"}}
	if v := w.get(w.workers[0], "/open/a", "", more...); len(v.verdict.Forward.Remove) != 2 {
		t.Errorf("removed: %v", v.verdict.Forward.Remove)
	}
	w.peer.names = []string{"nginx"}
	if v := w.get(w.workers[0], "/open/a", "", more...); len(v.verdict.Forward.Remove) != 0 {
		t.Errorf("of a trusted peer removed: %v", v.verdict.Forward.Remove)
	}
}

func TestAMethodInOtherLettersIsRefused(t *testing.T) {
	w := newWorld(t, 1, parts{})
	for method, want := range map[string]string{"get": "method_ambiguous", "Post": "method_ambiguous", "purge": "forwarded", "PURGE": "forwarded"} {
		w.ask(w.workers[0], &httpmsg.Request{Method: method, Scheme: "https", Authority: "app.example.com", Target: "/open/a"}).want(want)
	}
}

func TestRulesHoldForRequestsThatATrustedPeerAsksAbout(t *testing.T) {
	w := newWorld(t, 1, parts{
		top: `,"auth_request":{"rules":true},"trusted_peers":{"sans":["nginx"]}`,
		rules: `[{"name":"public","match":{"paths":["/public/*"]},"allow":"anyone"},
			{"name":"posts","match":{"paths":["/posts/*"],"methods":["POST"]},"require":{"groups":["owners"]}},
			{"name":"other","match":{"hosts":["other.example.com"]},"require":{"groups":["owners"]}},
			{"name":"gold","match":{"paths":["/gold/*"]},"require":{"acr":["gold"]}},
			{"name":"shop","match":{"paths":["/shop/*"]},"on_anonymous":"pass"}]`,
	})
	k := w.workers[0]
	ask := func(cookie string, fields ...string) *visit { return w.subrequest(k, "", cookie, fields...) }
	alice := w.cookie(w.alice())
	ask(alice, "x-original-url", "/public/a").answered(403, "") // nobody's word
	w.peer.names = []string{"nginx"}
	ask("", "x-original-url", "/public/a").answered(202, "")
	if ask(alice, "x-original-url", "/public/a").field("x-auth-request-user") != "alice" {
		t.Error("a person is not told of where anyone passes")
	}
	ask("", "x-original-url", "/shop/a").answered(202, "")
	if ask("", "x-original-url", "/shop/a").field("x-auth-request-anonymous") != "true" {
		t.Error("nobody is told that nobody is signed in")
	}
	ask("", "x-original-url", "/a").answered(401, "")
	ask(alice, "x-original-url", "/a").answered(202, "")
	ask(alice).answered(403, "") // no address
	ask(alice, "x-original-url", "/public/../a").answered(403, "")
	ask(alice, "x-original-url", "/posts/a").answered(202, "")
	ask(alice, "x-original-url", "/posts/a", "x-original-method", "POST").answered(403, "")
	ask(alice, "x-original-url", "/posts/a", "x-original-method", "post").answered(403, "")
	ask(alice, "x-original-url", "https://other.example.com/a").answered(403, "")
	ask(alice, "x-original-url", "https://elsewhere.example.com/a").answered(403, "")
	ask(alice, "x-forwarded-uri", "/a", "x-forwarded-host", "other.example.com", "x-forwarded-proto", "https").answered(403, "")
	if v := ask(alice, "x-original-url", "/gold/a"); v.answered(401, "") != "" || !strings.Contains(strings.Join(v.cookies(), ""), "__Host-postern-need=") {
		t.Error("what a login can cure is not said so")
	}
	w.subrequest(k, "?allowed_groups=owners", "", "x-original-url", "/public/a").answered(401, "")
}

func TestAStepThatWasAskedForSurvivesTheSealing(t *testing.T) {
	w := newWorld(t, 1, parts{})
	alice := w.alice()
	alice.Asked = session.Step{Scopes: []string{"a"}, ACR: []string{"gold"}, MaxAge: 60, Prompt: "login"}
	got := w.opened(w.cookie(alice)).Asked
	if got.MaxAge != 60 || got.Prompt != "login" || len(got.ACR) != 1 || len(got.Scopes) != 1 {
		t.Errorf("got %+v", got)
	}
}

// As Entra writes them: application roles in "roles", in the ID token and the
// access token alike.
func TestRolesAreWhereTheProviderHasThem(t *testing.T) {
	w := newWorld(t, 1, parts{
		provider: `,"claims":{"roles":"roles"}`, top: `,"bearer":[{"provider":"main","audiences":["shop-api"]}]`,
		rules: `[{"name":"orders","match":{"paths":["/orders"]},"require":{"roles":["Orders.Read"]}}]`,
	})
	k := w.workers[0]
	roles := map[string]any{"roles": []string{"Orders.Read", "Orders.Write"}}
	w.send(k, "/orders", "authorization", "Bearer "+w.accessToken(roles)).told("")
	w.send(k, "/orders", "authorization", "Bearer "+w.accessToken(nil)).want("role_missing")
	_, cookie := w.comeBack(k, w.get(k, "/orders", ""), "", roles)
	w.get(k, "/orders", cookie).want("forwarded alice")
}

func TestAStepDoesNotLoseWhatAnotherBrought(t *testing.T) {
	w := newWorld(t, 1, parts{rules: stepRules})
	alice := w.alice()
	alice.ACR, alice.Asked = "gold", session.Step{ACR: []string{"gold", "platinum"}, Scopes: []string{"mail", "refused"}}
	alice.Scopes = []string{"openid", "profile", "email", "mail"}
	asked := w.get(w.workers[0], "/orders/a", w.cookie(alice)).asksFor()
	if asked.Get("scope") != "openid profile email orders.read mail" || asked.Get("acr_values") != "gold platinum" {
		t.Errorf("asked for %v", asked)
	}
}

func TestARuleAloneMayGiveTheAccessTokenAway(t *testing.T) {
	w := newWorld(t, 1, parts{rules: `[{"name":"reports","match":{"paths":["/reports/*"]},"forward":{"access_token":["authorization"]}}]`})
	cookie := w.cookie(w.alice())
	if got := w.get(w.workers[0], "/reports/a", cookie).told("authorization"); got != "Bearer access-1" {
		t.Errorf("authorization %q", got)
	}
	if got := w.get(w.workers[0], "/", cookie).told("authorization"); got != "" {
		t.Error("the usual way tells it, too")
	}
}
