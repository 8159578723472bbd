package gate

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
)

const acceptTokens = `,"bearer":[{"provider":"main","audiences":["shop-api"]%s}]`

// newTokenWorld is a world whose gates accept tokens.
func newTokenWorld(t *testing.T, workers int, entry, top string) *world {
	t.Helper()
	return newWorld(t, workers, parts{
		top:      fmt.Sprintf(acceptTokens, entry) + top,
		metadata: `"introspection_endpoint":"` + testIssuer + `/introspect"`,
	})
}

// accessToken is a good one of a service, with some claims changed.
func (w *world) accessToken(changes map[string]any) string {
	return w.signed(testKeys().published, "at+jwt", map[string]any{
		"iss": testIssuer, "aud": "shop-api", "sub": "service-a-id", "client_id": "service-a", "jti": "t-1",
		"iat": w.now.Unix(), "exp": w.now.Add(time.Minute).Unix(), "scope": "orders.read profile",
	}, changes)
}

// send has a program send a request with header fields, name and value each.
func (w *world) send(k *worker, target string, fields ...string) *visit {
	r := &httpmsg.Request{Method: "GET", Scheme: "https", Authority: "app.example.com", Target: target}
	for i := 0; i < len(fields); i += 2 {
		r.Header = append(r.Header, httpmsg.Field{Name: fields[i], Value: fields[i+1]})
	}
	return w.ask(k, r)
}

// answered fails the test unless a request was answered with a status, and
// returns a field of the answer.
func (v *visit) answered(status int, field string) string {
	v.w.t.Helper()
	if v.verdict == nil || v.verdict.Respond == nil || v.verdict.Respond.Status != status {
		v.w.t.Fatalf("%s; want status %d", v.outcome(), status)
	}
	value, _ := v.verdict.Respond.Header.Get(field)
	return value
}

func TestATokenSpeaksForItsServiceAndNotForTheSessionBesideIt(t *testing.T) {
	w := newTokenWorld(t, 1, "", "")
	v := w.send(w.workers[0], "/", "authorization", "Bearer "+w.accessToken(nil), "cookie", w.cookie(w.alice()), "x-auth-request-user", "mallory")
	if user := v.told("x-auth-request-user"); user != "service-a-id" {
		t.Errorf("the application is told of %q", user)
	}
	removed := strings.Join(v.verdict.Forward.Remove, " ")
	if !strings.Contains(removed, "authorization") || !strings.Contains(removed, "x-auth-request-user") {
		t.Errorf("taken out: %s", removed)
	}
	if v.verdict.Forward.Cookie == nil || *v.verdict.Forward.Cookie != "" {
		t.Error("the session's cookie reaches the application")
	}
}

func TestATokenThatIsNotGoodIsNotMadeUpForByASession(t *testing.T) {
	w := newTokenWorld(t, 1, "", "")
	v := w.send(w.workers[0], "/", "authorization", "Bearer "+w.accessToken(map[string]any{"aud": "other"}), "cookie", w.cookie(w.alice()))
	want := `Bearer error="invalid_token", resource_metadata="https://app.example.com/.well-known/oauth-protected-resource"`
	if got := v.answered(401, "www-authenticate"); got != want {
		t.Errorf("challenge %s", got)
	}
	if w.counted(EventTokenRefused, "aud_differs") != 1 {
		t.Errorf("not logged: %v", w.events)
	}
}

func TestCredentialsThatCanBeReadInTwoWaysAreRefused(t *testing.T) {
	w := newTokenWorld(t, 1, "", "")
	good := w.accessToken(nil)
	for name, c := range map[string]struct {
		target string
		fields []string
	}{
		"two fields":               {"/", []string{"authorization", "Bearer " + good, "authorization", "Bearer " + good}},
		"two in one field":         {"/", []string{"authorization", "Bearer " + good + ",Bearer " + good}},
		"another scheme in front":  {"/", []string{"authorization", "Basic YTpi, Bearer " + good}},
		"another scheme beside":    {"/", []string{"authorization", "Basic YTpi", "authorization", "Bearer " + good}},
		"another scheme's list":    {"/", []string{"authorization", `Digest a="b", bearer ` + good}},
		"no token":                 {"/", []string{"authorization", "Bearer"}},
		"a space in the token":     {"/", []string{"authorization", "Bearer a b"}},
		"one more in the query":    {"/?access_token=x", []string{"authorization", "Bearer " + good}},
		"one more, encoded":        {"/?a=b&acc%65ss_token=x", []string{"authorization", "Bearer " + good}},
		"in the query alone":       {"/?access_token=" + good, nil},
		"in the query, with Basic": {"/?access_token=" + good, []string{"authorization", "Basic YTpi"}},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			challenge := w.send(w.workers[0], c.target, c.fields...).answered(400, "www-authenticate")
			if !strings.HasPrefix(challenge, `Bearer error="invalid_request"`) {
				t.Errorf("challenge %s", challenge)
			}
		})
	}
}

func TestAParameterOfTheApplicationsOwnIsNoneOfOursWhereThereIsASession(t *testing.T) {
	w := newTokenWorld(t, 1, "", "")
	v := w.send(w.workers[0], "/?access_token=mine", "cookie", w.cookie(w.alice()), "authorization", "Basic YTpi")
	if v.told("x-auth-request-user") != "alice" {
		t.Error("not alice")
	}
	v = w.send(w.workers[0], "/", "cookie", w.cookie(w.alice()), "authorization", `Digest username="a", realm="b"`)
	if v.told("x-auth-request-user") != "alice" {
		t.Error("not alice, with Digest")
	}
}

func TestATokenThatIsGoodForLessIsToldWhatItTakes(t *testing.T) {
	w := newTokenWorld(t, 1, `,"required_claims":{"scope":["orders.write"]}`, "")
	challenge := w.send(w.workers[0], "/", "authorization", "Bearer "+w.accessToken(nil)).answered(403, "www-authenticate")
	if !strings.HasPrefix(challenge, `Bearer error="insufficient_scope", scope="orders.write"`) {
		t.Errorf("challenge %s", challenge)
	}
	w.send(w.workers[0], "/", "authorization", "Bearer "+w.accessToken(map[string]any{"scope": "orders.write"})).told("x-auth-request-user")
	forged := w.accessToken(nil)
	w.send(w.workers[0], "/", "authorization", "Bearer "+forged[:len(forged)-8]+"AAAAAAAA").answered(401, "")
}

func TestRulesSayWhatIsAccepted(t *testing.T) {
	w := newWorld(t, 1, parts{top: fmt.Sprintf(acceptTokens, ""), rules: `[
		{"match":{"paths":["/open/*"]},"allow":"anyone"},
		{"match":{"paths":["/api/*"]},"accept":["bearer"]},
		{"match":{"paths":["/app/*"]},"accept":["session"]}]`})
	k, token, cookie := w.workers[0], "Bearer "+w.accessToken(nil), w.cookie(w.alice())
	if v := w.send(k, "/api/x", "authorization", token); v.told("x-auth-request-user") != "service-a-id" {
		t.Error("a token where tokens are accepted")
	}
	w.send(k, "/api/x", "cookie", cookie).answered(401, "www-authenticate")
	w.send(k, "/api/x", "cookie", cookie, "accept", "text/html", "sec-fetch-mode", "navigate").answered(401, "www-authenticate")
	w.send(k, "/app/x", "authorization", token).answered(401, "www-authenticate")
	if v := w.send(k, "/app/x", "authorization", token, "cookie", cookie); v.told("x-auth-request-user") != "alice" {
		t.Error("where only sessions are accepted, a token is the application's own affair")
	}
	w.send(k, "/app;x/x", "authorization", token).answered(401, "www-authenticate")
	w.send(k, "/api;x/x", "cookie", cookie).answered(401, "www-authenticate")
	v := w.send(k, "/open/x", "authorization", "Bearer nonsense")
	if v.told("x-auth-request-user") != "" || len(v.verdict.Forward.Remove) != 0 {
		t.Error("where anyone passes, a token is the application's own affair")
	}
}

func TestAnOpaqueTokenIsAskedAboutOnceForAllWorkers(t *testing.T) {
	w := newTokenWorld(t, 2, `,"check":"introspection"`, "")
	var visits []*visit
	for i := range 1000 {
		visits = append(visits, w.send(w.workers[i/900], "/", "authorization", "Bearer opaque-1"))
	}
	w.reply(w.call("/introspect"), 200, `{"active":true,"aud":"shop-api","sub":"service-b","client_id":"b"}`)
	w.advance(time.Second)
	for _, v := range visits {
		if v.told("x-auth-request-user") != "service-b" {
			t.Fatal("not service-b")
		}
	}
	if n := w.asked["/introspect"]; n != 1 {
		t.Errorf("asked %d times", n)
	}
	w.advance(31 * time.Second)
	w.send(w.workers[1], "/", "authorization", "Bearer opaque-1")
	w.reply(w.call("/introspect"), 200, `{"active":false}`)
	if n := w.asked["/introspect"]; n != 2 {
		t.Errorf("asked %d times after the answer was too old", n)
	}
}

func TestTokensThatAreMadeUpMakeNoMoreThanSoManyQuestionsAtOnce(t *testing.T) {
	w := newTokenWorld(t, 1, `,"check":"introspection"`, "")
	const most = 256
	for i := range most {
		w.send(w.workers[0], "/", "authorization", fmt.Sprintf("Bearer made-up-%d", i))
	}
	w.send(w.workers[0], "/", "authorization", "Bearer opaque-1").answered(503, "retry-after")
	if n := w.asked["/introspect"]; n != most || w.counted(EventTokenRefused, "too_many_waiting") != 1 {
		t.Errorf("asked %d times", n)
	}
	w.reply(w.calls[0], 200, `{"active":false}`)
	v := w.send(w.workers[0], "/", "authorization", "Bearer opaque-1")
	w.reply(w.calls[len(w.calls)-1], 200, `{"active":true,"aud":"shop-api","sub":"service-b","client_id":"b"}`)
	if v.told("x-auth-request-user") != "service-b" {
		t.Error("not service-b, when there was room again")
	}
}

func TestAnAnswerIsForThoseAloneWhoWouldHaveAskedTheSame(t *testing.T) {
	w := newTokenWorld(t, 1, `,"check":"introspection"`, "")
	v := w.send(w.workers[0], "/", "authorization", "Bearer opaque-1")
	w.reply(w.call("/introspect"), 200, `{"active":true,"aud":"shop-api","sub":"service-b","client_id":"b"}`)
	if v.told("x-auth-request-user") != "service-b" {
		t.Fatal("not service-b")
	}
	for name, entry := range map[string]string{
		"the same":              `,"check":"introspection"`,
		"a signed answer":       `,"check":"introspection","introspection":{"jwt":true}`,
		"another answer's time": `,"check":"introspection","introspection":{"cache":"1s"}`,
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			k := w.begin(testSettings(t, parts{top: fmt.Sprintf(acceptTokens, entry)}))
			before := w.asked["/introspect"]
			w.send(k, "/", "authorization", "Bearer opaque-1")
			if asked := w.asked["/introspect"] > before; asked != (name != "the same") {
				t.Errorf("asked: %t", asked)
			}
		})
	}
}

func TestAWithdrawnTokenIsRefusedAndThatIsRememberedForAWhile(t *testing.T) {
	w := newTokenWorld(t, 2, `,"check":"introspection"`, "")
	v := w.send(w.workers[0], "/", "authorization", "Bearer opaque-1")
	w.reply(w.call("/introspect"), 200, `{"active":false}`)
	v.answered(401, "www-authenticate")
	w.send(w.workers[1], "/", "authorization", "Bearer opaque-1").answered(401, "www-authenticate")
	if n := w.asked["/introspect"]; n != 1 {
		t.Errorf("asked %d times", n)
	}
	w.advance(6 * time.Second)
	w.send(w.workers[1], "/", "authorization", "Bearer opaque-1")
	w.call("/introspect")
}

func TestAProviderThatCannotBeAskedIsNoFaultOfTheToken(t *testing.T) {
	w := newTokenWorld(t, 1, `,"check":"introspection"`, "")
	v := w.send(w.workers[0], "/", "authorization", "Bearer opaque-1")
	w.reply(w.call("/introspect"), 401, `{"error":"invalid_client"}`)
	if v.answered(503, "retry-after") == "" {
		t.Error("no Retry-After")
	}
	v = w.send(w.workers[0], "/", "authorization", "Bearer opaque-1")
	w.lose(w.call("/introspect"))
	v.answered(503, "retry-after")
}

func TestATokenSeenBeforeIsRefusedOnceItHasExpired(t *testing.T) {
	w := newTokenWorld(t, 1, "", "")
	token := "Bearer " + w.accessToken(nil)
	w.send(w.workers[0], "/", "authorization", token).told("x-auth-request-user")
	w.advance(time.Minute + 59*time.Second) // with the leeway
	w.send(w.workers[0], "/", "authorization", token).told("x-auth-request-user")
	w.advance(time.Second)
	challenge := w.send(w.workers[0], "/", "authorization", token).answered(401, "www-authenticate")
	if !strings.Contains(challenge, `error_description="The token has expired."`) {
		t.Errorf("challenge %s", challenge)
	}
}

func TestTheCallerIsWhoTheTokenSays(t *testing.T) {
	w := newTokenWorld(t, 1, `,"client_id_header":"Client-Id","client_address":true`, `,"trusted_peers":{"listener":true,"hops":1}`)
	token := "Bearer " + w.accessToken(map[string]any{"clientAddress": "192.0.2.7"})
	for name, c := range map[string]struct {
		fields []string
		status int
	}{
		"who it says":           {[]string{"client-id", "service-a", "x-forwarded-for", "203.0.113.9, 192.0.2.7"}, 0},
		"another client":        {[]string{"client-id", "service-b", "x-forwarded-for", "192.0.2.7"}, 401},
		"no client":             {[]string{"x-forwarded-for", "192.0.2.7"}, 401},
		"two clients":           {[]string{"client-id", "service-a", "client-id", "service-b", "x-forwarded-for", "192.0.2.7"}, 401},
		"another address":       {[]string{"client-id", "service-a", "x-forwarded-for", "192.0.2.8"}, 401},
		"no address":            {[]string{"client-id", "service-a"}, 401},
		"an address of its own": {[]string{"client-id", "service-a", "x-forwarded-for", "192.0.2.7, 198.51.100.1"}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			v := w.send(w.workers[0], "/", append([]string{"authorization", token}, c.fields...)...)
			if c.status == 0 {
				v.told("x-auth-request-user")
				return
			}
			v.answered(c.status, "www-authenticate")
		})
	}
}

func TestAClientIsNamedByATokenOrNotAtAll(t *testing.T) {
	w := newTokenWorld(t, 1, `,"client_id_header":"Client-Id"`, "")
	v := w.send(w.workers[0], "/", "client-id", "service-a", "client_id", "x", "cookie", w.cookie(w.alice()))
	if v.told("client-id") != "" || len(v.verdict.Forward.Remove) != 2 {
		t.Errorf("a session's request names a client; taken out: %v", v.verdict.Forward.Remove)
	}
	v = w.send(w.workers[0], "/", "client-id", "service-a", "authorization", "Bearer "+w.accessToken(nil))
	if v.told("client-id") != "service-a" {
		t.Error("the token's client is not named")
	}
}

func TestASignedTokenThatCannotBeReadIsShownToNobody(t *testing.T) {
	w := newTokenWorld(t, 1, `,"check":"auto"`, "")
	long := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","x":"` + strings.Repeat("x", 3000) + `"}`))
	w.send(w.workers[0], "/", "authorization", "Bearer "+long+".e30.AAAA").answered(401, "")
	if w.asked["/introspect"] != 0 {
		t.Error("it was shown to the provider")
	}
}

func TestPagesOfOtherSitesMayReadAnswersWhereTheSettingsNameThem(t *testing.T) {
	w := newTokenWorld(t, 1, "", `,"cors":{"origins":["https://spa.example.net"],"forward_preflights":true}`)
	ask := func(origin string) *visit {
		return w.send(w.workers[0], "/", "origin", origin, "sec-fetch-mode", "cors")
	}
	if got := ask("https://spa.example.net").answered(401, "access-control-allow-origin"); got != "https://spa.example.net" {
		t.Errorf("allowed: %q", got)
	}
	for _, origin := range []string{"https://evil.example.net", "null", "https://spa.example.net.evil.example", "http://spa.example.net"} {
		if got := ask(origin).answered(401, "access-control-allow-origin"); got != "" {
			t.Errorf("%s is told %q", origin, got)
		}
		if got := ask(origin).answered(401, "vary"); got != "origin" {
			t.Errorf("vary %q", got)
		}
	}
	preflight := func(origin string) *visit {
		return w.ask(w.workers[0], &httpmsg.Request{Method: "OPTIONS", Authority: "app.example.com", Target: "/api", Header: httpmsg.Fields{
			{Name: "origin", Value: origin}, {Name: "access-control-request-method", Value: "PUT"}, {Name: "x-auth-request-user", Value: "mallory"}}})
	}
	if v := preflight("https://spa.example.net"); v.told("x-auth-request-user") != "" || len(v.verdict.Forward.Remove) != 1 {
		t.Error("a preflight passes without an identity")
	}
	preflight("https://evil.example.net").answered(401, "")
}

func TestTheResourceDescribesItself(t *testing.T) {
	w := newTokenWorld(t, 1, "", `,"log":{"properties":true},"resource":{"name":"Shop","scopes":["orders.read"]}`)
	v := w.send(w.workers[0], "/.well-known/oauth-protected-resource/mcp")
	v.answered(200, "")
	if v.verdict.Note == nil || v.verdict.Note.Rule != "" {
		t.Errorf("a rule is noted for an address of ours: %+v", v.verdict.Note)
	}
	for _, part := range []string{`"resource":"https://app.example.com/mcp"`, `"authorization_servers":["` + testIssuer + `"]`, `"scopes_supported":["orders.read"]`} {
		if !strings.Contains(string(v.verdict.Respond.Body), part) {
			t.Errorf("%s lacks %s", v.verdict.Respond.Body, part)
		}
	}
	without := newWorld(t, 1, parts{})
	without.send(without.workers[0], "/.well-known/oauth-protected-resource").answered(401, "")
}

func TestAChallengeNamesTheMetadataOfTheVeryAddress(t *testing.T) {
	w := newTokenWorld(t, 1, "", `,"trusted_peers":{"sans":["nginx"]},"auth_request":{"status":200}`)
	for target, path := range map[string]string{
		"/":                            "",
		"/mcp":                         "/mcp",
		"/mcp/?session=1":              "/mcp/",
		"/%6Dcp":                       "/%6Dcp",
		`/m"cp`:                        "",
		"/" + strings.Repeat("a", 600): "",
		"/oauth2/userinfo":             "",
		"/oauth2/auth":                 "",
		"/oauth2/auth/mcp?page=1":      "/mcp",
	} {
		want := `Bearer resource_metadata="https://app.example.com/.well-known/oauth-protected-resource` + path + `"`
		if got := w.send(w.workers[0], target).answered(401, "www-authenticate"); got != want {
			t.Errorf("%.40s: %s", target, got)
		}
	}
	w.peer.names = []string{"nginx"}
	v := w.send(w.workers[0], "/oauth2/auth", "x-auth-request-redirect", "/mcp?page=1")
	if got := v.answered(401, "www-authenticate"); !strings.HasSuffix(got, `oauth-protected-resource/mcp"`) {
		t.Errorf("by subrequest: %s", got)
	}
}
