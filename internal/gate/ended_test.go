package gate

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/session"
)

// another is a second session of alice's, made by a login of its own.
func (w *world) another(id, sid string) *session.Session {
	s := w.alice()
	s.ID, s.SID = id, sid
	return s
}

func TestACopiedCookieIsWorthNothingAfterSignOut(t *testing.T) {
	w := newWorld(t, 3, parts{})
	cookie := w.cookie(w.alice())
	for _, k := range w.workers {
		w.get(k, "/page", cookie).want("forwarded alice")
	}
	if !w.signOut(w.workers[0], cookie).cleared() {
		t.Error("the browser keeps its cookie")
	}
	for _, k := range w.workers {
		if !w.get(k, "/page", cookie).want("login").cleared() {
			t.Error("the copy is not cleared")
		}
	}
	if w.counted(EventSessionRefused, "ended") != 3 {
		t.Errorf("events %v", w.events)
	}
}

func TestSignOutEndsEveryGenerationOfASession(t *testing.T) {
	w, old := due(t, 2, parts{})
	fresh := w.renew(w.workers[0], old, 2)
	w.signOut(w.workers[1], fresh)
	for _, cookie := range []string{old, fresh} {
		w.get(w.workers[0], "/page", cookie).want("login")
	}
}

func TestSignOutAtTheProviderEndsItsSessionsOnAllHostsAndNoLaterOne(t *testing.T) {
	for name, metadata := range map[string]string{
		"the provider asks the person": ``, "the provider cannot end it": `"end_session_endpoint":null`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2, parts{top: `,"sign_out":{"at_provider":true,"revoke":false}`, metadata: metadata})
			here, there, apart := w.cookie(w.alice()), w.cookie(w.another("elsewhere", "sid-1")), w.cookie(w.another("apart", "sid-2"))
			w.get(w.workers[0], "/oauth2/sign_out", here, ours).want("signed_out")
			for _, k := range w.workers {
				w.get(k, "/page", here).want("login")
				w.get(k, "/page", there).want("login")
				w.get(k, "/page", apart).want("forwarded alice")
			}
			// The person stays signed in there, and comes back with the same session.
			w.advance(time.Second)
			again := w.cookie(w.another("again", "sid-1"))
			for _, k := range w.workers {
				w.get(k, "/page", again).want("forwarded alice")
			}
		})
	}
}

func TestSignOutWhileTheProviderIsAwayEndsTheSessionAllTheSame(t *testing.T) {
	w := newWorld(t, 2, parts{top: `,"sign_out":{"at_provider":true}`})
	cookie := w.cookie(w.alice())
	w.away = true
	v := w.get(w.workers[0], "/oauth2/sign_out", cookie, ours)
	if !v.cleared() {
		t.Error("the browser keeps its cookie")
	}
	w.get(w.workers[1], "/page", cookie).want("login")
}

func TestWhoSignsOutAtTheProviderComesBackToTheHostTheySignedOutFrom(t *testing.T) {
	w := newWorld(t, 1, parts{top: `,"public_url":"https://auth.example.com","sign_out":{"at_provider":true,"revoke":false}`})
	k := w.workers[0]
	out := w.get(k, "/oauth2/sign_out?rd=/bye", w.cookie(w.alice()), ours).want("signed_out")
	at, err := url.Parse(out.field("location"))
	if err != nil || at.Query().Get("post_logout_redirect_uri") != "https://auth.example.com/oauth2/signed_out" {
		t.Fatalf("sent to %s, %v", at, err)
	}
	back := w.ask(k, &httpmsg.Request{
		Method: "GET", Scheme: "https", Authority: "auth.example.com",
		Target: "/oauth2/signed_out?" + url.Values{"state": {at.Query().Get("state")}}.Encode(),
	})
	if to := back.want("signed_out").field("location"); to != "https://app.example.com/bye" {
		t.Errorf("sent back to %s", to)
	}
}

func TestWhoComesBackFromTheProviderIsNotSentToAHostThatIsOursNoMore(t *testing.T) {
	w := newWorld(t, 1, parts{})
	state, err := w.workers[0].keys.SealSignOut(session.SignOut{Return: "https://gone.example.com/", Made: w.now.Unix()})
	if err != nil {
		t.Fatal(err)
	}
	v := w.get(w.workers[0], "/oauth2/signed_out?state="+url.QueryEscape(state), "")
	if to := v.want("signed_out").field("location"); to != "/" {
		t.Errorf("sent to %s", to)
	}
}

func TestAFormsSignOutLeadsToAnotherSiteByAPage(t *testing.T) {
	for rd, wants := range map[string]int{"/bye": 303, "https://other.example.com/bye": 200} {
		t.Run(rd, func(t *testing.T) {
			w := newWorld(t, 1, parts{})
			v := w.ask(w.workers[0], &httpmsg.Request{
				Method: "POST", Scheme: "https", Authority: "app.example.com", Target: "/oauth2/sign_out?rd=" + url.QueryEscape(rd),
				Header: httpmsg.Fields{{Name: "accept", Value: "text/html"}, ours},
			}).want("signed_out")
			r := v.verdict.Respond
			if r.Status != wants || wants == 200 && !strings.Contains(string(r.Body), rd) {
				t.Errorf("status %d: %s", r.Status, r.Body)
			}
		})
	}
}

func TestSignOutRevokesTheTokenThatLivesLongest(t *testing.T) {
	for name, row := range map[string]struct{ refresh, token, hint string }{
		"a refresh token": {"refresh-1", "refresh-1", "refresh_token"},
		"none":            {"", "access-1", "access_token"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, parts{})
			s := w.alice()
			s.RefreshToken = row.refresh
			w.get(w.workers[0], "/oauth2/sign_out", w.cookie(s), ours).want("signed_out") // it waits for no answer
			form := w.call("/revoke").form()
			if form.Get("token") != row.token || form.Get("token_type_hint") != row.hint {
				t.Errorf("hint %s", form.Get("token_type_hint"))
			}
			w.reply(w.call("/revoke"), 503, `{}`)
		})
	}
}

func TestAStreamIsCutOnceItsSessionWasEndedOrIsPastItsLifetime(t *testing.T) {
	for name, row := range map[string]struct {
		p    parts
		end  func(*world, string)
		want bool
	}{
		"signed out":                 {parts{}, func(w *world, c string) { w.signOut(w.workers[1], c) }, true},
		"logged out at the provider": {parts{}, func(w *world, _ string) { w.logOut(w.workers[1], w.logoutToken("1", nil)) }, true},
		"past its lifetime":          {parts{session: `,"lifetime":"1h"`}, func(w *world, _ string) { w.advance(time.Hour) }, true},
		"its access token expired":   {parts{}, func(w *world, _ string) { w.advance(time.Hour) }, false},
		"idle":                       {parts{session: `,"idle":"10m"`}, func(w *world, _ string) { w.advance(time.Hour) }, false},
		"somebody else's was ended": {parts{}, func(w *world, _ string) {
			w.signOut(w.workers[1], w.cookie(w.another("another", "sid-2")))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2, row.p)
			cookie := w.cookie(w.alice())
			v := w.get(w.workers[0], "/events", cookie).want("forwarded alice")
			watch := v.verdict.Forward.Watch
			if w.workers[0].Over(watch) {
				t.Fatal("it is cut at once")
			}
			row.end(w, cookie)
			w.tick()
			if got := w.workers[0].Over(watch); got != row.want {
				t.Errorf("cut: %v", got)
			}
		})
	}
}

func TestStreamsAreLeftAloneWhereTheSettingsSaySo(t *testing.T) {
	w := newWorld(t, 1, parts{session: `,"close_streams":false`})
	if w.get(w.workers[0], "/events", w.cookie(w.alice())).verdict.Forward.Watch != nil {
		t.Error("they are watched")
	}
}

func TestALogoutTokenThatNamesASessionEndsThatOneOnAllWorkers(t *testing.T) {
	w := newWorld(t, 2, parts{})
	one, two, apart := w.cookie(w.alice()), w.cookie(w.another("two", "sid-1")), w.cookie(w.another("apart", "sid-2"))
	v := w.logOut(w.workers[0], w.logoutToken("1", map[string]any{"sub": "alice-id"})).want("backchannel_logout")
	if v.verdict.Respond.Status != 200 || v.field("cache-control") != "no-store" {
		t.Errorf("status %d, cache-control %q", v.verdict.Respond.Status, v.field("cache-control"))
	}
	for _, k := range w.workers {
		w.get(k, "/page", one).want("login")
		w.get(k, "/page", two).want("login")
		w.get(k, "/page", apart).want("forwarded alice")
	}
}

func TestALogoutTokenOfASessionEndsThePersonsSessionsThatWereNeverNamed(t *testing.T) {
	w := newWorld(t, 2, parts{})
	unnamed := func(id, subject string) string {
		s := w.another(id, "")
		s.Subject = subject
		return w.cookie(s)
	}
	hers, bobs := unnamed("unnamed", "alice-id"), unnamed("bob's", "bob-id")
	w.logOut(w.workers[0], w.logoutToken("1", map[string]any{"sub": "alice-id"})).want("backchannel_logout")
	w.now = w.now.Add(time.Millisecond)
	later := unnamed("later", "alice-id")
	for _, k := range w.workers {
		w.get(k, "/page", hers).want("login")
		w.get(k, "/page", bobs).want("forwarded alice")
		w.get(k, "/page", later).want("forwarded alice")
	}
}

func TestALogoutTokenThatNamesAPersonEndsWhatBeganBeforeAndNothingLater(t *testing.T) {
	w := newWorld(t, 2, parts{})
	before := w.cookie(w.alice())
	other := w.another("bob's", "sid-1")
	other.Subject = "bob-id"
	w.logOut(w.workers[0], w.logoutToken("1", map[string]any{"sid": nil, "sub": "alice-id"})).want("backchannel_logout")
	w.now = w.now.Add(time.Millisecond)
	later := w.cookie(w.another("later", "sid-3"))
	for _, k := range w.workers {
		w.get(k, "/page", before).want("login")
		w.get(k, "/page", w.cookie(other)).want("forwarded alice")
		w.get(k, "/page", later).want("forwarded alice")
	}
}

func TestALogoutTokenIsGoodOnceOnAllWorkers(t *testing.T) {
	w := newWorld(t, 2, parts{})
	token := w.logoutToken("1", nil)
	w.logOut(w.workers[0], token).want("backchannel_logout")
	w.logOut(w.workers[0], token).want("jti_used")
	w.logOut(w.workers[1], token).want("jti_used")
	w.logOut(w.workers[1], w.logoutToken("2", nil)).want("backchannel_logout")
}

func TestALogoutTokenOfWhichNobodyRemembersWhetherItWasUsedIsGoodForOneSessionOnly(t *testing.T) {
	w := newWorld(t, 1, parts{})
	person := w.logoutToken("jti-1", map[string]any{"sid": nil, "sub": "alice-id"})
	session := w.logoutToken("jti-2", nil)
	w.now = w.now.Add(2 * time.Second)
	for _, name := range w.memory.Names() {
		_, cas, _ := w.memory.Get(name)
		w.memory.Set(name, []byte("rubbish"), cas)
	}
	w.logOut(w.workers[0], person).want("jti_used") // it would end what began later as well
	w.logOut(w.workers[0], session).want("backchannel_logout")
	w.logOut(w.workers[0], session).want("jti_used")
	w.now = w.now.Add(time.Second)
	w.logOut(w.workers[0], w.logoutToken("jti-3", map[string]any{"sid": nil, "sub": "alice-id"})).want("backchannel_logout")
}

func TestLogoutTokensThatAreRefusedEndNothing(t *testing.T) {
	for want, changes := range map[string]map[string]any{
		"iss_differs":         {"iss": "https://evil.example.com"},
		"aud_differs":         {"aud": "another"},
		"nonce_present":       {"nonce": "n"},
		"event_missing":       {"events": nil},
		"jti_malformed":       {"jti": nil},
		"sid_and_sub_missing": {"sid": nil},
		"expired":             {"exp": 1_700_000_000},
		"iat_too_old":         {"iat": 1_700_000_000},
		"iat_in_future":       {"iat": 1_900_000_000, "exp": 1_900_000_060},
	} {
		t.Run(want, func(t *testing.T) {
			w := newWorld(t, 1, parts{})
			cookie := w.cookie(w.alice())
			v := w.logOut(w.workers[0], w.logoutToken("1", changes)).want(want)
			if v.verdict.Respond.Status != 400 || w.counted(EventLogoutRefused, want) != 1 {
				t.Errorf("status %d; events %v", v.verdict.Respond.Status, w.events)
			}
			w.get(w.workers[0], "/page", cookie).want("forwarded alice")
		})
	}
}

func TestALogoutTokenOfAStrangerIsRefused(t *testing.T) {
	w := newWorld(t, 1, parts{})
	v := w.logOut(w.workers[0], w.signed(testKeys().stranger, "logout+jwt", map[string]any{
		"iss": testIssuer, "aud": "shop", "iat": w.now.Unix(), "exp": w.now.Unix() + 60, "jti": "1", "sid": "sid-1",
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}, nil))
	if v.verdict.Respond.Status != 400 {
		t.Errorf("status %d", v.verdict.Respond.Status)
	}
	w.get(w.workers[0], "/page", w.cookie(w.alice())).want("forwarded alice")
}

func TestFormsWithoutExactlyOneLogoutTokenAreRefused(t *testing.T) {
	w := newWorld(t, 1, parts{})
	token := url.QueryEscape(w.logoutToken("1", nil))
	const form = "application/x-www-form-urlencoded"
	for name, row := range map[string]struct {
		contentType, body string
		err               error
		want              string
		status            int
	}{
		"no form":             {"application/json", "{}", nil, "not_a_form", 400},
		"no type":             {"", "logout_token=" + token, nil, "not_a_form", 400},
		"another type":        {form + "x", "logout_token=" + token, nil, "not_a_form", 400},
		"no token":            {form, "", nil, "logout_token_missing", 400},
		"another parameter":   {form, "token=" + token, nil, "logout_token_missing", 400},
		"two tokens":          {form, "logout_token=" + token + "&logout_token=" + token, nil, "logout_token_missing", 400},
		"a broken form":       {form, "logout_token=%zz", nil, "logout_token_missing", 400},
		"too long":            {form, "", ErrBodyTooLarge, "body_too_large", 413},
		"too slow":            {form, "", ErrBodySlow, "body_too_slow", 408},
		"no body let through": {form, "", ErrNoBody, "bodies_not_let_through", 501},
	} {
		t.Run(name, func(t *testing.T) {
			v := w.post(w.workers[0], row.contentType, row.body, row.err).want(row.want)
			if v.verdict.Respond.Status != row.status {
				t.Errorf("status %d", v.verdict.Respond.Status)
			}
		})
	}
	for name, contentType := range map[string]string{
		"with a charset": "Application/X-WWW-Form-Urlencoded; charset=utf-8", "with more parameters": form,
	} {
		t.Run(name, func(t *testing.T) {
			w.post(w.workers[0], contentType, "a=b&logout_token="+url.QueryEscape(w.logoutToken(name, nil)), nil).want("backchannel_logout")
		})
	}
}

func TestTheFormWithALogoutTokenIsBounded(t *testing.T) {
	w := newWorld(t, 1, parts{})
	v, _ := w.workers[0].Handle(&httpmsg.Request{
		Method: "POST", Scheme: "https", Authority: "app.example.com", Target: "/oauth2/backchannel_logout",
		Header: httpmsg.Fields{{Name: "content-type", Value: "application/x-www-form-urlencoded"}},
	})
	if v.Body == nil || v.Body.Limit > 32<<10 {
		t.Errorf("the body is not bounded: %+v", v.Body)
	}
}

func TestAFrontChannelLogoutEndsOnlyTheSessionThatItNames(t *testing.T) {
	const good = "iss=https%3A%2F%2Fid.example.com&sid=sid-1"
	for query, ends := range map[string]bool{
		good:                                    true,
		good + "&more=1":                        true,
		"sid=sid-1":                             false,
		"iss=https%3A%2F%2Fid.example.com":      false,
		"iss=https%3A%2F%2Fid.example.com&sid=": false,
		"iss=https%3A%2F%2Fid.example.com&sid=sid-2":   false,
		"iss=https%3A%2F%2Fevil.example.com&sid=sid-1": false,
		good + "&sid=sid-1":                            false,
		good + "&iss=https%3A%2F%2Fid.example.com":     false,
		good + "&a=%zz":                                false,
		"":                                             false,
	} {
		t.Run(query, func(t *testing.T) {
			w := newWorld(t, 2, parts{})
			cookie := w.cookie(w.alice())
			v := w.get(w.workers[0], "/oauth2/frontchannel_logout?"+query, cookie).want("frontchannel_logout")
			if v.verdict.Respond.Status != 200 || v.cleared() != ends || !strings.Contains(v.field("content-security-policy"), "frame-ancestors "+testIssuer) {
				t.Errorf("status %d, cleared %v", v.verdict.Respond.Status, v.cleared())
			}
			want := map[bool]string{true: "login", false: "forwarded alice"}[ends]
			for _, k := range w.workers {
				w.get(k, "/page", cookie).want(want)
			}
		})
	}
}

func TestAFrontChannelLogoutWithoutTheSessionsCookieDoesNothing(t *testing.T) {
	w := newWorld(t, 1, parts{})
	v := w.get(w.workers[0], "/oauth2/frontchannel_logout?iss=https%3A%2F%2Fid.example.com&sid=sid-1", "").want("frontchannel_logout")
	if len(v.cookies()) > 0 {
		t.Error("cookies are cleared")
	}
	w.get(w.workers[0], "/page", w.cookie(w.alice())).want("forwarded alice")
}

func TestALoginUnderWayIsEndedByALogoutThatComesMeanwhile(t *testing.T) {
	w := newWorld(t, 1, parts{provider: `,"userinfo":"always"`})
	k := w.workers[0]
	begun := w.get(k, "/page", "").want("login")
	to, _ := url.Parse(begun.field("location"))
	binding, _, _ := strings.Cut(begun.cookies()[0], ";")
	v := w.get(k, "/oauth2/callback?code=c&state="+url.QueryEscape(to.Query().Get("state")), binding)
	w.reply(w.call("/token"), 200, w.tokens("access", "", w.idToken(map[string]any{"nonce": to.Query().Get("nonce")})))
	info := w.call("/userinfo")
	w.now = w.now.Add(time.Second)
	w.logOut(k, w.logoutToken("1", map[string]any{"sid": nil, "sub": "alice-id"})).want("backchannel_logout")
	w.now = w.now.Add(time.Second)
	w.reply(info, 200, `{"sub":"alice-id"}`)
	if cookie := v.cookie(); cookie != "" {
		w.get(k, "/page", cookie).want("login")
	}
}
