package gate

import (
	"reflect"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/session"
)

// What other gates got wrong about rules, hosts, paths and header fields, by
// the numbers of their advisories. Each test is named by what must not happen.
// docs/security.md lists them, and where else the others are held.

// guarded are rules as people write them: something open, something within that
// which is not, and something open by each kind of pattern.
const guarded = `[
	{"name":"admin","match":{"paths":["/public/admin/*","/admin/*"]},"require":{"groups":["nobody"]}},
	{"name":"public","match":{"paths":["/public/*","/healthz"]},"allow":"anyone"},
	{"name":"styles","match":{"path_regexes":["/[a-z]+/[^/]*[.]css"]},"allow":"anyone"},
	{"name":"status","match":{"hosts":["status.example.com"]},"allow":"anyone"},
	{"name":"below","match":{"hosts":["*.open.example.com"]},"allow":"anyone"},
	{"name":"read","match":{"paths":["/articles/*"],"methods":["GET"]},"allow":"anyone"},
	{"name":"partner","match":{"paths":["/partner/*"]},"require":{"email_domains":["example.com","*.staff.example.com"]}},
	{"name":"greets","match":{"paths":["/greets/*"]},"on_anonymous":"pass"},
	{"name":"rest","match":{"paths":["/*"]},"on_anonymous":"401"}]`

const acceptsTokens = `,"bearer":[{"provider":"main","audiences":["shop-api"]}]`

func newGuarded(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, 1, parts{rules: guarded, top: acceptsTokens})
	// What is open is so, and what is not is not: else nothing here shows anything.
	for target, want := range map[string]string{"/public/x": "forwarded", "/healthz": "forwarded", "/a/b.css": "forwarded", "/public/admin/x": "no_session", "/x": "no_session"} {
		w.send(w.workers[0], target).want(want)
	}
	return w
}

// closed fails the test where a stranger's request reaches the application.
func (w *world) closed(what string, r *httpmsg.Request) {
	w.t.Helper()
	if r.Authority == "" {
		r.Authority = "app.example.com"
	}
	if r.Method == "" {
		r.Method = "GET"
	}
	r.Scheme = "https"
	if v := w.ask(w.workers[0], r); v.verdict == nil || v.verdict.Respond == nil || v.verdict.Respond.Status < 400 {
		w.t.Errorf("%s: %s %s%s: %s", what, r.Method, r.Authority, r.Target, v.outcome())
	}
}

// CVE-2025-54576: skip rules were held against path and query.
func TestAQueryDoesNotOpenAPath(t *testing.T) {
	w := newGuarded(t)
	for _, target := range []string{"/admin?/public/x", "/admin/x?x=/public/", "/x?/a/b.css", "/admin/secret?.css", "/x?=/healthz", "/?public/x"} {
		w.closed("by its query", &httpmsg.Request{Target: target})
	}
}

// CVE-2026-41059: a fragment, encoded or not, widened a skip rule. CVE-2020-8595:
// what follows ? or # dodged a rule for an exact path. CVE-2021-39156: so did a
// fragment.
func TestAFragmentNeitherOpensAPathNorDodgesARule(t *testing.T) {
	w := newGuarded(t)
	for _, target := range []string{
		"/admin#/public/x", "/admin/x#/a/b.css", "/admin%23/public/x", "/public/admin/x%23", "/public/admin#", "/public/admin%23x", "/public/admin?", "/public/admin?#",
		"/admin/x%23.css", "/public%23/../admin", "/healthz#", "/healthz%23x",
	} {
		w.closed("by a fragment", &httpmsg.Request{Target: target})
	}
}

// CVE-2021-31920: more than one slash dodged a rule; CVE-2021-39206 and the
// like: so did escapes of slashes, dot segments, parameters and case of escapes.
func TestAnotherSpellingOfAPathDodgesNoRule(t *testing.T) {
	w := newGuarded(t)
	for _, target := range []string{
		"//public/admin/x", "/public//admin/x", "/public/admin//x", "/public///admin", "//admin", "/public/./admin/x", "/public/x/../admin/x", "/public/../admin",
		"/public/%61dmin/x", "/public/%41dmin/../admin", "/public%2fadmin/x", "/public%2Fadmin/x", "/public/%2e%2e/admin", "/public/.%2E/admin", `/public\admin\x`, "/public/%5cadmin",
		"/public/admin;a=b/x", "/public;a/admin/x", "/public/;/admin/x", "/public/..;/admin/x", "/public/admin%3b/x", "/public/%252e%252e/admin", "/public/%25%36%31dmin/../x", "/public/admin%00/x",
		"/public/%c0%ae%c0%ae/admin", "/public/..%c0%afadmin", "http://app.example.com/public/admin", "https://app.example.com/admin", "*", "", "public/x", "app.example.com:443",
	} {
		w.closed("in another spelling", &httpmsg.Request{Target: target})
	}
}

// CVE-2021-43824: a CONNECT, which has no path, crashed a regular expression.
func TestAConnectRequestNeitherPassesNorPanics(t *testing.T) {
	w := newGuarded(t)
	for _, target := range []string{"", "app.example.com:443", "/public/x", "*", "/"} {
		w.closed("CONNECT", &httpmsg.Request{Method: "CONNECT", Target: target})
		w.closed("no method", &httpmsg.Request{Method: "connect", Target: target})
	}
	w.closed("OPTIONS *", &httpmsg.Request{Method: "OPTIONS", Target: "*"})
}

// CVE-2021-21291: a host was compared by its end. CVE-2021-39155: by its case.
func TestAHostThatLooksLikeAnotherIsNotThatHost(t *testing.T) {
	w := newGuarded(t)
	for _, host := range []string{
		"badstatus.example.com", "status.example.com.evil.example", "xopen.example.com", "open.example.com", "a.open.example.com.", "status.example.com.",
		"status.example.com@evil.example", "evil.example", "status.example.com:443:1", "status_example.com", "app.example.com#status.example.com", "[status.example.com]",
	} {
		w.closed("by its host", &httpmsg.Request{Authority: host, Target: "/x"})
	}
	for _, host := range []string{"STATUS.Example.COM", "status.example.com:443", "A.open.example.com"} {
		w.ask(w.workers[0], &httpmsg.Request{Method: "GET", Scheme: "https", Authority: host, Target: "/x"}).want("forwarded")
	}
	// And a rule that protects a host protects it in any case, and at any port.
	w = newWorld(t, 1, parts{rules: `[{"match":{"hosts":["APP.example.com"]},"on_anonymous":"401"},{"match":{"paths":["/*"]},"allow":"anyone"},{"match":{"methods":["PUT"]}}]`})
	for _, host := range []string{"app.example.com", "App.Example.Com", "app.example.com:443", "APP.EXAMPLE.COM:443", "app.example.com:8443"} {
		w.closed("in another case or at another port", &httpmsg.Request{Authority: host, Target: "/x"})
	}
}

// CVE-2026-40575: skip rules were held against X-Forwarded-Uri. CVE-2023-27487,
// CVE-2024-45806: x-envoy-original-path and its like chose the rule. Other
// gates fell back to X-Forwarded-Host.
func TestAFieldDoesNotStandForTheTargetOrTheHost(t *testing.T) {
	w := newGuarded(t)
	for _, name := range []string{
		"x-forwarded-uri", "x-forwarded-path", "x-forwarded-prefix", "x-original-url", "x-original-uri", "x-rewrite-url", "x-envoy-original-path", "x-envoy-original-url",
		"x-auth-request-redirect", "x-forwarded-host", "x-original-host", "x-envoy-original-host", "x-host", "host", "forwarded", ":path", ":authority",
	} {
		for _, value := range []string{"/public/x", "/healthz", "status.example.com", "https://status.example.com/public/x", "host=status.example.com"} {
			w.closed(name+": "+value, &httpmsg.Request{Target: "/admin/x", Header: httpmsg.Fields{{Name: name, Value: value}}})
		}
	}
	// Nor does what some frameworks route by reach them.
	for _, name := range []string{"x-original-url", "x-rewrite-url", "X_Original_URL"} {
		v := w.send(w.workers[0], "/public/x", name, "/admin/x")
		if !removed(v.want("forwarded").verdict.Forward.Remove, name) {
			t.Errorf("%s reaches the application", name)
		}
	}
}

// CVE-2026-34457: the User-Agent of a health check opened every path.
func TestNobodyPassesForWhatTheyCallThemselves(t *testing.T) {
	w := newGuarded(t)
	for _, agent := range []string{"GoogleHC/1.0", "kube-probe/1.34", "ELB-HealthChecker/2.0", "Envoy/HC", "Prometheus/3.0"} {
		for _, target := range []string{"/", "/x", "/admin", "/healthz/x"} {
			w.closed(agent, &httpmsg.Request{Target: target, Header: httpmsg.Fields{{Name: "user-agent", Value: agent}}})
		}
	}
}

// CVE-2025-64484: only one spelling of the identity's fields was taken out.
// mod_auth_openidc, 2026: forged claims passed on routes that were let through,
// such as preflights.
func TestAForgedIdentityReachesNoApplicationInAnySpellingOnAnyRoute(t *testing.T) {
	w := newWorld(t, 1, parts{rules: guarded, top: `,"bearer":[{"provider":"main","audiences":["shop-api"]}],
		"cors":{"origins":["https://spa.example.net"],"forward_preflights":true},"forward":{"headers":{"x-user":"user"},"access_token":["x-token"]}`})
	names := []string{"x-user", "X-User", "x_user", "X_USER", "x.user", "x-token", "x_token", "x-auth-request-user", "X_Auth_Request_Email", "x-auth-request-anonymous", "x_forwarded_user", "X-Forwarded-Groups"}
	routes := map[string]*httpmsg.Request{
		"open": {Method: "GET", Target: "/public/x"}, "to whom nobody is known": {Method: "GET", Target: "/greets/x"}, "by a pattern": {Method: "GET", Target: "/a/b.css"},
		"a preflight":    {Method: "OPTIONS", Target: "/x", Header: httpmsg.Fields{{Name: "origin", Value: "https://spa.example.net"}, {Name: "access-control-request-method", Value: "PUT"}}},
		"with a session": {Method: "GET", Target: "/x", Header: httpmsg.Fields{{Name: "cookie", Value: w.cookie(w.alice())}}},
		"with a token":   {Method: "GET", Target: "/x", Header: httpmsg.Fields{{Name: "authorization", Value: "Bearer " + w.accessToken(nil)}}},
	}
	for route, r := range routes {
		for _, name := range names {
			r.Scheme, r.Authority = "https", "app.example.com"
			sent := *r
			sent.Header = append(httpmsg.Fields{{Name: name, Value: "eve"}, {Name: name, Value: "mallory"}}, r.Header...)
			v := w.ask(w.workers[0], &sent)
			if v.verdict == nil || v.verdict.Forward == nil {
				t.Fatalf("%s: %s", route, v.outcome())
			}
			if !removed(v.verdict.Forward.Remove, name) {
				t.Errorf("%s: %s reaches the application", route, name)
			}
		}
	}
}

// CVE-2026-26308: of several values of a field only the first was looked at.
func TestSeveralValuesOfAFieldDoNotHideOneFromARule(t *testing.T) {
	w := newWorld(t, 1, parts{rules: `[{"match":{"paths":["/*"],"headers":{"x-tenant":["red"]}},"on_anonymous":"401"},
		{"match":{"paths":["/*"],"headers":{"x-internal":[]}},"on_anonymous":"401"},{"match":{"paths":["/*"]},"allow":"anyone"}]`})
	w.send(w.workers[0], "/x", "x-tenant", "blue").want("forwarded")
	for _, values := range [][]string{{"red", "blue"}, {"blue", "red"}, {"red", "red"}, {"", "red"}, {"blue", "blue", "red"}} {
		var header httpmsg.Fields
		for _, v := range values {
			header = append(header, httpmsg.Field{Name: "x-tenant", Value: v})
		}
		w.closed(strings.Join(values, " and "), &httpmsg.Request{Target: "/x", Header: header})
	}
	w.closed("an empty one", &httpmsg.Request{Target: "/x", Header: httpmsg.Fields{{Name: "x-internal", Value: ""}}})
}

// CVE-2021-21378: a token of an unknown issuer passed for none. CVE-2022-29226:
// the presence of any token passed for somebody. CVE-2019-12995: one that is no
// token crashed the filter.
func TestATokenThatIsNotGoodPassesNeitherForNoneNorForSomebody(t *testing.T) {
	w := newGuarded(t)
	w.send(w.workers[0], "/greets/x").want("forwarded")
	for name, token := range map[string]string{
		"of an unknown issuer": w.accessToken(map[string]any{"iss": "https://id.evil.example"}), "for somebody else": w.accessToken(map[string]any{"aud": "other"}),
		"of nobody": w.accessToken(map[string]any{"iss": nil}), "no token": "x", "half a token": "a.b.", "dots": "....", "an empty one": "",
		"signed by a stranger": w.signed(testKeys().stranger, "at+jwt", map[string]any{"iss": testIssuer, "aud": "shop-api", "sub": "eve", "iat": w.now.Unix(), "exp": w.now.Unix() + 60}, nil),
	} {
		for _, target := range []string{"/greets/x", "/x", "/admin/x"} {
			w.closed(name, &httpmsg.Request{Target: target, Header: httpmsg.Fields{{Name: "authorization", Value: "Bearer " + token}}})
		}
		// Where anyone may pass it is not looked at, and nothing of it believed (Envoy's pull request 43630).
		v := w.send(w.workers[0], "/public/x", "authorization", "Bearer "+token).want("forwarded")
		if len(v.verdict.Forward.Set) > 0 {
			t.Errorf("%s: the application is told %v", name, v.verdict.Forward.Set)
		}
	}
}

// Envoy's pull request 43630: claims of tokens that were not verified looked
// like those of verified ones. Nor where rules are only observed.
func TestClaimsOfATokenThatIsNotGoodAreToldToNobody(t *testing.T) {
	w := newWorld(t, 1, parts{rules: `[{"match":{"paths":["/*"]},"insecure_observe":true}]`, top: `,"bearer":[{"provider":"main","audiences":["shop-api"]}]`})
	for name, token := range map[string]string{
		"of an unknown issuer": w.accessToken(map[string]any{"iss": "https://id.evil.example"}), "expired": w.accessToken(map[string]any{"exp": w.now.Unix() - 3600}),
	} {
		v := w.send(w.workers[0], "/x", "authorization", "Bearer "+token).want("forwarded")
		for _, f := range v.verdict.Forward.Set {
			if f.Name != "x-auth-request-anonymous" {
				t.Errorf("%s: the application is told %s: %s", name, f.Name, f.Value)
			}
		}
	}
}

// CVE-2021-21411: after a change a restriction was no longer enforced, and
// nobody was told. Every key that a requirement can have refuses who does not
// meet it; one that is added and missing here fails the test.
func TestNoRequirementIsSilentlyNotEnforced(t *testing.T) {
	unmet := map[string]string{
		"groups": `["x"]`, "roles": `["x"]`, "scopes": `["x"]`, "emails": `["x@example.com"]`, "email_domains": `["x.example"]`, "client_ids": `["x"]`,
		"claims": `{"department":["x"]}`, "all": `[{"groups":["x"]}]`, "any": `[{"groups":["x"]},{"groups":["y"]}]`, "not": `{"groups":["admins"]}`,
		"acr": `["x"]`, "max_age": `"30s"`, "amr": `["x"]`, "provider": `"second"`,
	}
	fields := reflect.TypeFor[config.Require]()
	for i := range fields.NumField() {
		key, _, _ := strings.Cut(fields.Field(i).Tag.Get("json"), ",")
		t.Run(key, func(t *testing.T) {
			value, known := unmet[key]
			if !known {
				t.Fatalf("nothing here says how %s is not met", key)
			}
			rules := `[{"match":{"paths":["/*"]},"require":{"` + key + `":` + value + `}}]`
			more := `,"bearer":[{"provider":"main","audiences":["shop-api"]},{"provider":"second","audiences":["shop-api"]}]`
			c, err := config.Parse([]byte(`{"providers":[{"name":"main","issuer":"`+testIssuer+`","cluster":"idp","client_id":"shop","claims":{"roles":"roles"}},
				{"name":"second","issuer":"https://other.example.com","cluster":"idp","client_id":"shop","claims":{"roles":"roles"}}],
				"hosts":["app.example.com"],"rules":`+rules+`,"session":{"keys":[`+testKey("new")+`]}`+more+`}`), func(string) (string, bool) { return "", false })
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(t, 0, parts{})
			k := w.begin(c)
			s := w.alice()
			s.AuthTime = w.now.Unix() - 3600
			v := w.get(k, "/x", w.cookie(s))
			if v.verdict == nil || v.verdict.Forward != nil {
				t.Errorf("a session: %s", v.outcome())
			}
			changes := map[string]any{"auth_time": w.now.Unix() - 3600, "groups": []string{"admins"}}
			if v := w.send(k, "/x", "authorization", "Bearer "+w.accessToken(changes)); v.verdict == nil || v.verdict.Forward != nil {
				t.Errorf("a token: %s", v.outcome())
			}
		})
	}
	if n := fields.NumField(); n != len(unmet) {
		t.Errorf("%d keys, and %d here", n, len(unmet))
	}
}

// GHSA-c5c4-8r6x-56w3: an address with several at signs passed for one of
// another domain.
func TestAnAddressWithSeveralAtSignsIsInNoDomain(t *testing.T) {
	w := newGuarded(t)
	for email, want := range map[string]string{
		"alice@example.com": "forwarded alice", "alice@Example.COM": "forwarded alice", "alice@a.staff.example.com": "forwarded alice",
		"eve@evil.example@example.com": "email_domain_not_allowed", "eve@example.com@evil.example": "email_domain_not_allowed", `"eve@evil.example"@example.com`: "email_domain_not_allowed",
		"eve@badexample.com": "email_domain_not_allowed", "eve@example.com.evil.example": "email_domain_not_allowed", "@example.com": "email_domain_not_allowed", "example.com": "email_domain_not_allowed",
		"eve@x@a.staff.example.com": "email_domain_not_allowed", "eve@staff.example.com": "email_domain_not_allowed", "eve@.staff.example.com": "email_domain_not_allowed", "": "email_domain_not_allowed", "eve@": "email_domain_not_allowed",
	} {
		s := w.alice()
		s.Claims["email"] = session.Claim{Values: []string{email}}
		if got := w.get(w.workers[0], "/partner/x", w.cookie(s)).outcome(); got != want {
			t.Errorf("%q: %s, not %s", email, got, want)
		}
	}
}

// CVE-2021-41230: claims changed at the provider, and the policy went on with
// the old ones.
func TestWhatTheProviderTookAwayIsGoneWithTheNextRenewal(t *testing.T) {
	w, cookie := due(t, 1, parts{rules: `[{"match":{"paths":["/admin/*"]},"require":{"groups":["admins"]}}]`})
	first := w.get(w.workers[0], "/admin/x", cookie)
	w.reply(w.call("/token"), 200, w.tokens("access-2", "refresh-2", w.idToken(map[string]any{"groups": []string{"staff"}})))
	first.want("group_missing")
	w.get(w.workers[0], "/admin/x", first.cookie()).want("group_missing")
	w.get(w.workers[0], "/page", first.cookie()).want("forwarded alice")
}

// CVE-2023-33189: a request was held against another one's route.
func TestARequestIsNotHeldAgainstTheRouteOfTheOneBefore(t *testing.T) {
	w := newGuarded(t)
	cookie := w.cookie(w.alice())
	for range 3 {
		for _, c := range []struct{ host, target, cookie, want string }{
			{"status.example.com", "/x", "", "forwarded"}, {"app.example.com", "/x", "", "no_session"},
			{"app.example.com", "/public/x", cookie, "forwarded alice"}, {"app.example.com", "/admin/x", cookie, "group_missing"},
			{"app.example.com", "/public/x", "", "forwarded"}, {"app.example.com", "/public/admin/x", "", "no_session"},
			{"app.example.com", "/x", cookie, "forwarded alice"}, {"app.example.com", "/admin/x", cookie, "group_missing"},
			{"status.example.com", "/admin/x", "", "host_not_allowed"}, {"app.example.com", "/healthz", "", "forwarded"}, {"app.example.com", "/healthz/x", "", "no_session"},
		} {
			r := &httpmsg.Request{Method: "GET", Scheme: "https", Authority: c.host, Target: c.target}
			if c.cookie != "" {
				r.Header = httpmsg.Fields{{Name: "cookie", Value: c.cookie}}
			}
			if got := w.ask(w.workers[0], r).outcome(); got != c.want {
				t.Errorf("%s%s: %s, not %s", c.host, c.target, got, c.want)
			}
		}
	}
}

// CVE-2022-24797: what tells of the process was open to everybody. Other gates
// have a health check of their own on their users' hosts.
func TestThereAreNoOpenAddressesThatNoRuleOpens(t *testing.T) {
	w := newGuarded(t)
	for _, target := range []string{"/metrics", "/debug/pprof/", "/stats/prometheus", "/ping", "/ready", "/plugin-health", "/.well-known/x", "/favicon.ico", "/robots.txt", "/oauth2x", "/oauth2/callback/x.css/../y"} {
		w.closed("an address of ours", &httpmsg.Request{Target: target})
	}
}

// A callback was known by how its address begins: other paths passed for it.
func TestAnAddressThatBeginsLikeOneOfOursIsNotThatOne(t *testing.T) {
	w := newGuarded(t)
	for _, target := range []string{"/oauth2/callbackx", "/oauth2/callback/x", "/oauth2/callback;x", "/oauth2x/callback", "/x/oauth2/callback", "/oauth2/auth/../x", "/oauth2/startle", "/oauth2/sign_in.css", "/oauth2/jwks/x"} {
		w.closed("it begins like ours", &httpmsg.Request{Target: target})
	}
}

// An expression that was not anchored fitted anywhere in a path.
func TestAnExpressionDoesNotFitInTheMiddleOfAPath(t *testing.T) {
	w := newGuarded(t)
	for _, target := range []string{"/a/b.css/x", "/x/a/b.css", "/A/b.css", "/a/b.cssx", "/admin/a/b.css", "/admin/b.css", "/admin/x.css", "/public/admin/x.css", "/a/b.css/..;/x", "/a/b%2fc.css"} {
		w.closed("in the middle", &httpmsg.Request{Target: target})
	}
}

// A method in other letters, and a field that pretends one.
func TestAnotherMethodIsNotLetPassForOneThatIsOpen(t *testing.T) {
	w := newGuarded(t)
	w.send(w.workers[0], "/articles/1").want("forwarded")
	for _, method := range []string{"POST", "DELETE", "get", "Get", "GET ", "PROPFIND", "TRACE", "HEADX"} {
		w.closed("another method", &httpmsg.Request{Method: method, Target: "/articles/1"})
	}
	for _, name := range []string{"x-http-method-override", "x-http-method", "x-method-override", "X_HTTP_Method_Override"} {
		for _, value := range []string{"DELETE", "delete", "POST", " PUT", "GET, DELETE"} {
			w.closed(name, &httpmsg.Request{Target: "/articles/1", Header: httpmsg.Fields{{Name: name, Value: value}}})
		}
	}
}
