package gate

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/session"
)

func TestAnIdleSessionEnds(t *testing.T) {
	w := newWorld(t, 1, parts{session: `,"idle":"10m"`})
	s := w.alice()
	s.AccessExpires = 0
	cookie := w.cookie(s)
	w.advance(10*time.Minute - time.Second)
	w.get(w.workers[0], "/open/page", cookie).want("forwarded alice")
	w.advance(time.Second)
	w.get(w.workers[0], "/open/page", cookie).want("forwarded")
	w.get(w.workers[0], "/page", cookie).want("login")
}

func TestASessionThatIsUsedIsGivenAgainInStepsOfATenth(t *testing.T) {
	for _, generation := range []int{0, 3} {
		w := newWorld(t, 1, parts{session: `,"idle":"10m"`})
		s := w.alice()
		s.AccessExpires, s.Generation = 0, generation
		cookie := w.cookie(s)
		given := 0
		for range 120 { // an hour of requests
			w.advance(30 * time.Second)
			v := w.get(w.workers[0], "/page", cookie).want("forwarded alice")
			if fresh := v.cookie(); fresh != "" {
				cookie, given = fresh, given+1
			}
		}
		if given != 60 {
			t.Errorf("generation %d: it was given %d times in an hour", generation, given)
		}
		if got := w.opened(cookie); got.Generation != generation || got.Begun != s.Begun || got.ID != s.ID {
			t.Errorf("generation %d: it is not the same session", generation)
		}
	}
}

func TestASessionThatATouchedAnswerTookLongForIsNotGivenAgain(t *testing.T) {
	w := newWorld(t, 1, parts{session: `,"idle":"10m"`})
	s := w.alice()
	s.AccessExpires, s.Generation = 0, 3
	cookie := w.cookie(s)
	w.advance(time.Minute)
	slow := w.get(w.workers[0], "/page", cookie).want("forwarded alice")
	w.advance(time.Minute) // whether it was renewed meanwhile may have been forgotten
	if slow.cookie() != "" {
		t.Error("it is")
	}
}

func TestALifetimeIsAbsoluteOverRenewals(t *testing.T) {
	w := newWorld(t, 1, parts{session: `,"lifetime":"15m","idle":"14m"`})
	cookie := w.cookie(w.alice())
	for n := 2; n <= 4; n++ {
		w.advance(4 * time.Minute)
		cookie = w.renew(w.workers[0], cookie, n)
	}
	w.advance(3*time.Minute - time.Second)
	w.get(w.workers[0], "/page", cookie).want("forwarded alice")
	w.advance(time.Second)
	w.get(w.workers[0], "/page", cookie).want("login")
	if w.counted(EventSessionRefused, "past_lifetime") != 1 {
		t.Errorf("events %v", w.events)
	}
}

func TestSessionsFromBeforeATimeInTheSettingsAreOver(t *testing.T) {
	w := newWorld(t, 1, parts{session: `,"not_before":"2027-01-15T08:00:00Z"`}) // when the world begins
	s := w.alice()
	w.get(w.workers[0], "/page", w.cookie(s)).want("forwarded alice")
	s.Begun--
	w.get(w.workers[0], "/page", w.cookie(s)).want("login")
	if w.counted(EventSessionRefused, "before_not_before") != 1 {
		t.Errorf("events %v", w.events)
	}
}

func TestASessionOfAnotherProviderOrClientIsRefused(t *testing.T) {
	for name, change := range map[string]func(*session.Session){
		"of another provider": func(s *session.Session) { s.Provider = "other" },
		"of another issuer":   func(s *session.Session) { s.Issuer = testIssuer + "/" },
		"of another client":   func(s *session.Session) { s.ClientID = "Shop" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, parts{})
			s := w.alice()
			change(s)
			w.get(w.workers[0], "/page", w.cookie(s)).want("login")
			if w.counted(EventSessionRefused, "other_provider_or_client") != 1 {
				t.Errorf("events %v", w.events)
			}
		})
	}
}

func TestASessionFromBeforeTheStartIsConfirmedOnce(t *testing.T) {
	w := newWorld(t, 2, parts{session: `,"revalidate_after_start":true`})
	before := w.alice()
	before.Begun, before.Confirmed = before.Begun-60_000, before.Confirmed-1
	cookie := w.cookie(before)
	v := w.get(w.workers[0], "/page", cookie)
	if !v.waits() {
		t.Fatalf("it is not confirmed: %s", v.outcome())
	}
	w.reply(w.call("/token"), 200, w.renewedTo(2))
	fresh := v.want("forwarded alice").cookie()
	for _, k := range w.workers {
		w.get(k, "/page", fresh).want("forwarded alice")
	}
	w.get(w.workers[1], "/page", w.cookie(w.alice())).want("forwarded alice")
	if w.asked["/token"] != 1 {
		t.Errorf("the provider was asked %d times", w.asked["/token"])
	}
}

func TestASessionFromBeforeTheStartIsWorthNothingUntilItIsConfirmed(t *testing.T) {
	for name, row := range map[string]struct {
		refresh, access string
		answer          func(*world)
		page, open      string
	}{
		"the provider is away":         {"refresh-1", "", func(w *world) { w.reply(w.call("/token"), 503, `{}`) }, "renewal_unavailable", "forwarded"},
		"it was ended at the provider": {"refresh-1", "", func(w *world) { w.reply(w.call("/token"), 400, `{"error":"invalid_grant"}`) }, "login", "forwarded"},
		"its access token is good":     {"", "access-1", func(w *world) { w.reply(w.call("/userinfo"), 200, `{"sub":"alice-id"}`) }, "forwarded alice", "forwarded alice"},
		"its access token is not":      {"", "access-1", func(w *world) { w.reply(w.call("/userinfo"), 401, `{}`) }, "login", "forwarded"},
		"it has no token":              {"", "", func(*world) {}, "login", "forwarded"},
	} {
		for _, target := range []string{"/page", "/open/page"} {
			t.Run(name+", "+target, func(t *testing.T) {
				w := newWorld(t, 1, parts{session: `,"revalidate_after_start":true`})
				s := w.alice()
				s.Begun, s.Confirmed, s.RefreshToken, s.AccessToken = s.Begun-60_000, s.Confirmed-1, row.refresh, row.access
				v := w.get(w.workers[0], target, w.cookie(s))
				row.answer(w)
				want := row.page
				if target != "/page" {
					want = row.open
				}
				v.want(want)
			})
		}
	}
}

func TestASessionUnderAnOlderKeyIsSealedAnewWhenTouched(t *testing.T) {
	for _, generation := range []int{0, 3} {
		w := newWorld(t, 1, parts{})
		old := newWorld(t, 1, parts{})
		old.settings.Session.Keys = old.settings.Session.Keys[1:]
		old.workers = nil
		old.begin(old.settings)
		s := w.alice()
		s.Generation = generation
		v := w.get(w.workers[0], "/page", old.cookie(s)).want("forwarded alice")
		fresh := v.cookie()
		if fresh == "" || w.opened(fresh).KeyID() != "new" {
			t.Fatalf("generation %d: it is not sealed anew under the first key", generation)
		}
		if w.get(w.workers[0], "/page", fresh).want("forwarded alice").cookie() != "" {
			t.Errorf("generation %d: it is sealed anew again", generation)
		}
	}
}

func TestGroupsThatGrowInARenewalStayWithinTheBudget(t *testing.T) {
	groups := make([]string, 200)
	for i := range groups {
		groups[i] = strings.Repeat(string(rune('a'+i%26)), 1) + session.MomentOf(time.Unix(int64(i*i*7919), 0)).Time().String()
	}
	for name, row := range map[string]struct{ limit, want string }{
		"they fit":    {"12288", "forwarded alice"},
		"they do not": {"1024", "login"},
	} {
		t.Run(name, func(t *testing.T) {
			w, cookie := due(t, 2, parts{session: `,"max_bytes":` + row.limit})
			v := w.get(w.workers[0], "/page", cookie)
			w.reply(w.call("/token"), 200, w.tokens("access-2", "refresh-2", w.idToken(map[string]any{"groups": groups})))
			v.want(row.want)
			if row.want == "login" && (!v.cleared() || w.counted(EventSessionRefused, "session_too_large") != 1) {
				t.Errorf("events %v", w.events)
			}
			if row.want != "login" && w.opened(v.cookie()).RefreshToken != "refresh-2" {
				t.Error("the refresh token is left out")
			}
		})
	}
}

func TestARenewedSessionLeavesOutTokensBeforeItIsTooLarge(t *testing.T) {
	w, cookie := due(t, 1, parts{session: `,"max_bytes":1024`})
	v := w.get(w.workers[0], "/page", cookie)
	large := strings.Repeat("0123456789abcdef", 4)
	for i := range 6 {
		large += w.idToken(map[string]any{"n": i})
	}
	w.reply(w.call("/token"), 200, w.tokens("access-2", large, w.idToken(nil)))
	if w.opened(v.want("forwarded alice").cookie()).RefreshToken != "" {
		t.Error("nothing is left out")
	}
	if w.counted(EventSessionTrimmed, "") != 1 {
		t.Errorf("events %v", w.events)
	}
}

func TestOpenRoutesNeverWaitWhileTheSessionIsGood(t *testing.T) {
	w, cookie := due(t, 1, parts{})
	w.get(w.workers[0], "/open/page", cookie).want("forwarded alice")
	if len(w.calls) > 0 {
		t.Errorf("calls %s", w.pending())
	}
	w.advance(time.Minute) // past the access token's end
	v := w.get(w.workers[0], "/open/page", cookie)
	w.reply(w.call("/token"), 503, `{}`)
	v.want("forwarded")
	if len(v.cookies()) > 0 {
		t.Error("the browser's cookies are touched")
	}
}

func TestAnOpenRouteIsForwardedWithoutTheSessionThatWasEnded(t *testing.T) {
	w := newWorld(t, 1, parts{})
	cookie := w.cookie(w.alice())
	w.signOut(w.workers[0], cookie)
	w.get(w.workers[0], "/open/page", cookie).want("forwarded")
}

func TestUserinfoOfOursRenewsAndGivesTheCookieItself(t *testing.T) {
	w, cookie := due(t, 1, parts{})
	v := w.get(w.workers[0], "/oauth2/userinfo", cookie)
	w.reply(w.call("/token"), 200, w.renewedTo(2))
	v.want("userinfo")
	if v.cookie() == "" || v.field("cache-control") != "no-store" || !strings.Contains(string(v.verdict.Respond.Body), "staff") {
		t.Error("the answer is not of the renewed session")
	}
}

func TestRequestsOfAnyMethodAreForwardedOnceAfterARenewal(t *testing.T) {
	for _, method := range []string{"HEAD", "POST", "OPTIONS", "DELETE"} {
		t.Run(method, func(t *testing.T) {
			w, cookie := due(t, 1, parts{})
			v := w.ask(w.workers[0], &httpmsg.Request{
				Method: method, Scheme: "https", Authority: "app.example.com", Target: "/page",
				Header: httpmsg.Fields{{Name: "cookie", Value: cookie}},
			})
			w.reply(w.call("/token"), 200, w.renewedTo(2))
			if v.want("forwarded alice").cookie() == "" {
				t.Error("the browser is given no cookie")
			}
		})
	}
}
