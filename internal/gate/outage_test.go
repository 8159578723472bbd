package gate

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/oidc"
)

// unanswered are the ways in which a provider can be away so that a refresh
// token is certainly not used up.
var unanswered = map[string]func(*world){
	"status 503":                      func(w *world) { w.reply(w.call("/token"), 503, `{}`) },
	"status 429":                      func(w *world) { w.reply(w.call("/token"), 429, `{}`) },
	"status 404":                      func(w *world) { w.reply(w.call("/token"), 404, `{}`) },
	"a server error":                  func(w *world) { w.reply(w.call("/token"), 400, `{"error":"temporarily_unavailable"}`) },
	"our client is refused":           func(w *world) { w.reply(w.call("/token"), 401, `{"error":"invalid_client"}`) },
	"a request that it does not like": func(w *world) { w.reply(w.call("/token"), 400, `{"error":"invalid_request"}`) },
}

func TestWhileTheProviderIsAwayASessionLastsAsLongAsItsAccessToken(t *testing.T) {
	for name, fail := range unanswered {
		t.Run(name, func(t *testing.T) {
			w, cookie := due(t, 1, parts{})
			k := w.workers[0]
			tries := 0
			var pauses []time.Duration
			last := w.now
			for end := w.now.Add(time.Minute); w.now.Before(end); w.advance(time.Second) {
				v := w.get(k, "/page", cookie)
				if v.waits() {
					pauses = append(pauses, w.now.Sub(last))
					last, tries = w.now, tries+1
					fail(w)
				}
				if v.want("forwarded alice").cookie() != "" {
					t.Fatal("the browser is given a cookie")
				}
			}
			if tries < 4 || tries > 7 {
				t.Errorf("the provider was asked %d times in a minute, after pauses of %v", tries, pauses)
			}
			for i := 2; i < len(pauses); i++ {
				if pauses[i] < 2*pauses[i-1]-time.Second {
					t.Errorf("the pauses do not grow: %v", pauses)
				}
			}
			v := w.get(k, "/page", cookie)
			if v.waits() {
				fail(w)
			}
			v.want("renewal_unavailable")
			if after, _ := strconv.Atoi(v.field("retry-after")); v.verdict.Respond.Status != 503 || after < 1 || after > 60 {
				t.Errorf("status %d, retry-after %q", v.verdict.Respond.Status, v.field("retry-after"))
			}
			if len(v.cookies()) > 0 {
				t.Error("the answer touches the browser's cookies")
			}
			w.advance(time.Minute)
			back := w.get(k, "/page", cookie)
			w.reply(w.call("/token"), 200, w.renewedTo(2))
			back.want("forwarded alice")
		})
	}
}

func TestARequestThatCannotBeSentIsAnOutageToo(t *testing.T) {
	w, cookie := due(t, 1, parts{})
	w.away = true
	w.get(w.workers[0], "/page", cookie).want("forwarded alice")
	w.advance(time.Minute)
	w.get(w.workers[0], "/page", cookie).want("renewal_unavailable")
	w.away = false
	w.advance(time.Minute)
	w.renew(w.workers[0], cookie, 2)
	if w.counted(EventRefreshLost, "") > 0 {
		t.Error("the refresh token counts as lost")
	}
}

func TestAllWorkersKeepThePause(t *testing.T) {
	w, cookie := due(t, 3, parts{})
	v := w.get(w.workers[0], "/page", cookie)
	w.reply(w.call("/token"), 503, `{}`)
	v.want("forwarded alice")
	for _, k := range w.workers {
		w.get(k, "/page", cookie).want("forwarded alice")
	}
	if w.asked["/token"] != 1 {
		t.Errorf("the provider was asked %d times", w.asked["/token"])
	}
}

func TestAPauseDoesNotOutlastTheAccessToken(t *testing.T) {
	w, cookie := due(t, 1, parts{})
	w.advance(59 * time.Second)
	for range 3 { // so that the pause is longer than the token lasts
		v := w.get(w.workers[0], "/page", cookie)
		if v.waits() {
			w.reply(w.call("/token"), 503, `{}`)
		}
		v.want("forwarded alice")
	}
	w.advance(time.Second)
	w.get(w.workers[0], "/page", cookie)
	if len(w.calls) == 1 {
		w.reply(w.call("/token"), 503, `{}`)
	}
	w.get(w.workers[0], "/page", cookie).want("renewal_unavailable")
}

func TestALongPauseEndsWithTheAccessToken(t *testing.T) {
	w := newWorld(t, 1, parts{session: `,"refresh":"1m"`})
	s := w.alice()
	s.AccessExpires = w.now.Unix() + 100
	cookie := w.cookie(s)
	w.advance(time.Minute)
	for w.now.Unix() < s.AccessExpires {
		v := w.get(w.workers[0], "/page", cookie)
		if v.waits() {
			w.reply(w.call("/token"), 503, `{}`)
		}
		v.want("forwarded alice")
		w.advance(time.Second)
	}
	v := w.get(w.workers[0], "/page", cookie)
	if v.waits() {
		w.reply(w.call("/token"), 503, `{}`)
	}
	v.want("renewal_unavailable")
}

func TestWhoWantsItStrictRefusesDuringAnOutage(t *testing.T) {
	w, cookie := due(t, 1, parts{session: `,"on_outage":"refuse"`})
	v := w.get(w.workers[0], "/page", cookie)
	w.reply(w.call("/token"), 503, `{}`)
	v.want("renewal_unavailable")
	if len(v.cookies()) > 0 {
		t.Error("the answer touches the browser's cookies")
	}
}

func TestARefusedRefreshEndsTheSession(t *testing.T) {
	for name, row := range map[string]struct {
		status int
		body   string
	}{
		"the token is no good":           {400, `{"error":"invalid_grant"}`},
		"the token is no good, by 200":   {200, `{"error":"invalid_grant"}`},
		"the client gets no renewals":    {400, `{"error":"unauthorized_client"}`},
		"the provider knows no renewals": {400, `{"error":"unsupported_grant_type"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w, cookie := due(t, 2, parts{})
			page := w.get(w.workers[0], "/page", cookie)
			program := w.ask(w.workers[0], &httpmsg.Request{
				Method: "GET", Scheme: "https", Authority: "app.example.com", Target: "/data",
				Header: httpmsg.Fields{{Name: "accept", Value: "application/json"}, {Name: "cookie", Value: cookie}},
			})
			w.reply(w.call("/token"), row.status, row.body)
			if !page.want("login").cleared() || !program.want("no_session").cleared() {
				t.Error("the browser keeps its cookie")
			}
			if program.verdict.Respond.Status != 401 {
				t.Errorf("a program is answered with %d", program.verdict.Respond.Status)
			}
			w.get(w.workers[1], "/page", cookie).want("login")
			if w.asked["/token"] != 1 {
				t.Errorf("the provider was asked %d times", w.asked["/token"])
			}
		})
	}
}

func TestARenewedIDTokenThatDoesNotFitEndsTheSession(t *testing.T) {
	for name, changes := range map[string]map[string]any{
		"another issuer":    {"iss": "https://evil.example.com"},
		"another client":    {"aud": "another"},
		"another person":    {"sub": "bob-id"},
		"another nonce":     {"nonce": "another"},
		"another sign-in":   {"auth_time": 1_700_000_000},
		"an expired one":    {"exp": 1_700_000_000},
		"a logout token":    {"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}},
		"a wrong signature": nil,
	} {
		t.Run(name, func(t *testing.T) {
			w, cookie := due(t, 2, parts{top: `,"forward":{"access_token":["authorization"]}`})
			v := w.get(w.workers[0], "/page", cookie)
			token := w.idToken(changes)
			if changes == nil {
				token = w.signed(testKeys().stranger, "JWT", map[string]any{
					"iss": testIssuer, "aud": "shop", "sub": "alice-id", "iat": w.now.Unix(), "exp": w.now.Unix() + 60,
				}, nil)
			}
			w.reply(w.call("/token"), 200, w.tokens("access-2", "refresh-2", token))
			if v.want("login").cookie() != "" || !v.cleared() {
				t.Error("the browser is given a session, or keeps its own")
			}
			for _, k := range w.workers {
				w.get(k, "/page", cookie).want("login")
			}
			if w.counted(EventProviderFailure, "") != 1 || w.asked["/userinfo"] > 0 {
				t.Errorf("events %v", w.events)
			}
		})
	}
}

func TestARenewedIDTokenMayNameTheSignInOnceMore(t *testing.T) {
	w, cookie := due(t, 1, parts{})
	v := w.get(w.workers[0], "/page", cookie)
	changes := map[string]any{"nonce": "nonce-of-alice", "auth_time": w.opened(cookie).AuthTime}
	w.reply(w.call("/token"), 200, w.tokens("access-2", "refresh-2", w.idToken(changes)))
	v.want("forwarded alice")
}

func TestNewTokensAreKeptWhereUserinfoFailsForAMoment(t *testing.T) {
	for name, status := range map[string]int{"status 503": 503, "status 502": 502, "status 404": 404, "no answer": 0} {
		t.Run(name, func(t *testing.T) {
			w, cookie := due(t, 1, parts{provider: `,"userinfo":"always"`})
			v := w.get(w.workers[0], "/page", cookie)
			w.reply(w.call("/token"), 200, w.renewedTo(2))
			if info := w.call("/userinfo"); status == 0 {
				w.lose(info)
			} else {
				w.reply(info, status, `{}`)
			}
			if v.told("x-auth-request-groups") != "admins" {
				t.Error("what the person was known as does not hold")
			}
			fresh := v.cookie()
			w.advance(4 * time.Minute)
			w.get(w.workers[0], "/page", fresh)
			if got := w.call("/token").form().Get("refresh_token"); got != "refresh-2" {
				t.Error("the next refresh uses a token that is used up")
			}
		})
	}
}

func TestUserinfoAboutSomebodyElseEndsTheSession(t *testing.T) {
	for name, row := range map[string]struct {
		status int
		body   string
	}{
		"another person":           {200, `{"sub":"bob-id"}`},
		"the new token is refused": {401, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			w, cookie := due(t, 1, parts{provider: `,"userinfo":"always"`})
			v := w.get(w.workers[0], "/page", cookie)
			w.reply(w.call("/token"), 200, w.renewedTo(2))
			w.reply(w.call("/userinfo"), row.status, row.body)
			v.want("login")
		})
	}
}

// confirmable is a world in which a session without refresh token is to be
// confirmed after a minute, with its access token good for an hour.
func confirmable(t *testing.T, p parts) (*world, string) {
	t.Helper()
	p.session += `,"refresh":"1m"`
	w := newWorld(t, 2, p)
	s := w.alice()
	s.RefreshToken, s.AccessExpires = "", w.now.Unix()+3600
	cookie := w.cookie(s)
	w.advance(time.Minute)
	return w, cookie
}

func TestASessionWithoutRefreshTokenIsConfirmedAtUserinfo(t *testing.T) {
	w, cookie := confirmable(t, parts{})
	v := w.get(w.workers[0], "/page", cookie)
	if got, _ := w.call("/userinfo").Header.Get("authorization"); got != "Bearer access-1" {
		t.Error("the access token is not shown")
	}
	w.reply(w.call("/userinfo"), 200, `{"sub":"alice-id","groups":["staff"]}`)
	if v.told("x-auth-request-groups") != "staff" || v.cookie() == "" {
		t.Error("what the provider says does not take effect")
	}
	w.advance(59 * time.Second)
	w.get(w.workers[0], "/page", v.cookie()).want("forwarded alice")
	w.advance(time.Second)
	w.get(w.workers[0], "/page", v.cookie())
	w.call("/userinfo")
}

func TestASessionThatTheProviderCannotConfirmLeadsToSignIn(t *testing.T) {
	w := newWorld(t, 1, parts{session: `,"refresh":"1m"`, metadata: `"userinfo_endpoint":null`})
	s := w.alice()
	s.RefreshToken = ""
	cookie := w.cookie(s)
	w.advance(time.Minute)
	w.get(w.workers[0], "/page", cookie).want("login")
	if w.counted(EventSessionRefused, "not_renewable") != 1 || w.counted(EventProviderFailure, "") > 0 {
		t.Errorf("events %v", w.events)
	}
}

func TestASessionWithoutRefreshTokenIsConfirmedByIntrospection(t *testing.T) {
	const metadata = `"userinfo_endpoint":null,"introspection_endpoint":"https://id.example.com/introspect"`
	for name, row := range map[string]struct{ body, want string }{
		"active":                      {`{"active":true,"sub":"alice-id"}`, "forwarded alice"},
		"active, without a subject":   {`{"active":true}`, "forwarded alice"},
		"not active":                  {`{"active":false}`, "login"},
		"active for somebody else":    {`{"active":true,"sub":"bob-id"}`, "login"},
		"an answer that says nothing": {`{}`, "forwarded alice"},
	} {
		t.Run(name, func(t *testing.T) {
			w, cookie := confirmable(t, parts{metadata: metadata})
			v := w.get(w.workers[0], "/page", cookie)
			w.reply(w.call("/introspect"), 200, row.body)
			v.want(row.want)
		})
	}
}

func TestWhatUserinfoSaysOfASessionWithoutRefreshTokenHolds(t *testing.T) {
	for name, row := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"the token is no good any more": {401, `{}`, "login"},
		"it is forbidden":               {403, `{}`, "login"},
		"it is for somebody else":       {200, `{"sub":"bob-id"}`, "login"},
		"the provider is away":          {503, `{}`, "forwarded alice"},
		"it is being deployed":          {404, `{}`, "forwarded alice"},
	} {
		t.Run(name, func(t *testing.T) {
			w, cookie := confirmable(t, parts{})
			v := w.get(w.workers[0], "/page", cookie)
			w.reply(w.call("/userinfo"), row.status, row.body)
			if v.want(row.want).cleared() != (row.want == "login") {
				t.Error("cookies are cleared where they must not be, or the reverse")
			}
			w.get(w.workers[1], "/page", cookie).want(row.want)
		})
	}
}

func TestWithoutRefreshTokenTheAccessTokensEndLeadsToSignIn(t *testing.T) {
	w, cookie := confirmable(t, parts{})
	w.advance(time.Hour)
	if !w.get(w.workers[0], "/page", cookie).want("login").cleared() {
		t.Error("the browser keeps its cookie")
	}
	if len(w.calls) > 0 {
		t.Errorf("calls %s", w.pending())
	}
}

func TestAnAccessTokenThatIsForwardedIsNotForwardedPastItsEnd(t *testing.T) {
	w := newWorld(t, 1, parts{top: `,"forward":{"access_token":["authorization"]}`})
	s := w.alice()
	s.RefreshToken = ""
	cookie := w.cookie(s)
	w.advance(5*time.Minute - time.Second)
	w.get(w.workers[0], "/page", cookie).want("forwarded alice")
	w.advance(time.Second)
	w.get(w.workers[0], "/page", cookie).want("login")
}

func TestThePageOfAnOutageLeadsBackToWhatWasAskedFor(t *testing.T) {
	w, cookie := due(t, 1, parts{})
	w.away = true
	w.advance(time.Minute)
	v := w.get(w.workers[0], "/page?month=11", cookie)
	v.want("renewal_unavailable")
	if body := string(v.verdict.Respond.Body); !strings.Contains(body, `href="/page?month=11"`) {
		t.Errorf("the page has no such link:\n%s", body)
	}
}

func TestWhatSaysNothingOfThePersonEndsNobodysSession(t *testing.T) {
	for reason, want := range map[string]bool{
		"key_unknown": true, "status_404": true, "status_302": true,
		"status_401": false, "status_403": false, "signature": false, "sub_differs": false,
	} {
		if unforeseen(&oidc.Failure{Step: "ID token", Reason: reason}) != want {
			t.Errorf("%s: %v", reason, !want)
		}
	}
}
