package gate

import (
	"fmt"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/shared"
)

// due is a world in which alice's session is due for renewal, and her cookie.
func due(t *testing.T, workers int, p parts) (*world, string) {
	t.Helper()
	w := newWorld(t, workers, p)
	cookie := w.cookie(w.alice())
	w.advance(4 * time.Minute)
	return w, cookie
}

// renewedTo is what the provider answers a refresh with.
func (w *world) renewedTo(n int) string {
	return w.tokens(fmt.Sprintf("access-%d", n), fmt.Sprintf("refresh-%d", n), w.idToken(nil))
}

// renew has a browser's session renewed and returns the new cookie.
func (w *world) renew(k *worker, cookie string, n int) string {
	w.t.Helper()
	v := w.get(k, "/page", cookie)
	w.reply(w.call("/token"), 200, w.renewedTo(n))
	v.want("forwarded alice")
	if v.cookie() == "" {
		w.t.Fatal("the browser is given no new cookie")
	}
	return v.cookie()
}

func TestFiftyRequestsShareOneRenewalAndGoOnWhenTheFirstClientLeaves(t *testing.T) {
	w, cookie := due(t, 1, parts{})
	var visits []*visit
	for range 50 {
		visits = append(visits, w.get(w.workers[0], "/page", cookie))
	}
	visits[0].task.Cancel()
	w.reply(w.call("/token"), 200, w.renewedTo(2))
	for i, v := range visits[1:] {
		if v.outcome() != "forwarded alice" || v.told("x-auth-request-groups") != "staff" || v.cookie() == "" {
			t.Errorf("request %d: %s", i+1, v.outcome())
		}
	}
	visits[0].want("denied")
	if w.asked["/token"] != 1 {
		t.Errorf("the provider was asked %d times", w.asked["/token"])
	}
}

func TestWorkersShareOneRenewal(t *testing.T) {
	w, cookie := due(t, 4, parts{})
	var visits []*visit
	for i := range 40 {
		visits = append(visits, w.get(w.workers[i%4], "/page", cookie))
	}
	w.advance(500 * time.Millisecond) // the others look again and again
	w.reply(w.call("/token"), 200, w.renewedTo(2))
	w.advance(poll)
	given := visits[0].cookie()
	for i, v := range visits {
		if v.want("forwarded alice").cookie() != given {
			t.Errorf("request %d is given another cookie", i)
		}
	}
	if w.asked["/token"] != 1 || given == "" {
		t.Errorf("the provider was asked %d times", w.asked["/token"])
	}
	if got := w.opened(given); got.Generation != 1 || got.RefreshToken != "refresh-2" || got.ID != "session-of-alice" {
		t.Error("the new cookie is not the renewed session")
	}
}

func TestARenewalThatPanicsHarmsNobody(t *testing.T) {
	for _, where := range []string{"random", EventSessionRenewed} {
		t.Run("at "+where, func(t *testing.T) {
			w, cookie := due(t, 2, parts{})
			w.fail = func(at string) {
				if at == where {
					w.fail = func(string) {}
					panic("broken")
				}
			}
			var first *visit
			broke := panics(func() { first = w.get(w.workers[0], "/page", cookie) })
			waiting := w.get(w.workers[0], "/page", cookie)
			if !broke {
				broke = panics(func() { w.reply(w.call("/token"), 200, w.renewedTo(2)) })
			}
			if !broke {
				t.Fatal("nothing panicked")
			}
			w.tick()
			if len(w.calls) == 1 { // it had not been asked
				w.reply(w.call("/token"), 200, w.renewedTo(2))
			}
			if first != nil {
				first.want("forwarded alice")
			}
			waiting.want("forwarded alice")
			w.get(w.workers[0], "/page", cookie).want("forwarded alice")
			w.advance(poll)
			w.get(w.workers[1], "/page", cookie).want("forwarded alice")
			if w.asked["/token"] != 1 {
				t.Errorf("the provider was asked %d times", w.asked["/token"])
			}
		})
	}
}

// known has other workers, which may be no more, have got so far with the
// renewal of alice's session.
func (w *world) known(of shared.Renewal) {
	w.t.Helper()
	_, err := w.workers[0].renewals.Change("session-of-alice", w.now, func(r *shared.Renewal) bool {
		*r = of
		return true
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestAWorkerThatDiesBeforeItAsksIsReplacedByAnother(t *testing.T) {
	w, cookie := due(t, 2, parts{})
	w.advance(time.Minute) // the access token is no good any more
	w.known(shared.Renewal{State: shared.Claimed, Holder: 1, At: w.now.Add(claimFor)})
	v := w.get(w.workers[1], "/page", cookie)
	w.advance(claimFor - time.Millisecond)
	if !v.waits() || len(w.calls) > 0 {
		t.Fatalf("before the claim is overdue: %s, calls %s", v.outcome(), w.pending())
	}
	w.advance(poll)
	w.reply(w.call("/token"), 200, w.renewedTo(2))
	v.want("forwarded alice")
}

func TestARequestThatCanDoWithoutARenewalWaitsForItBrieflyOnly(t *testing.T) {
	w, cookie := due(t, 2, parts{})
	first := w.get(w.workers[0], "/page", cookie)
	other := w.get(w.workers[1], "/page", cookie)
	w.advance(patience - time.Millisecond)
	if !first.waits() || !other.waits() {
		t.Errorf("it goes on at once: %s, %s", first.outcome(), other.outcome())
	}
	w.advance(time.Millisecond)
	if first.want("forwarded alice").cookie() != "" || other.want("forwarded alice").cookie() != "" {
		t.Error("the browser is given a cookie")
	}
	w.reply(w.call("/token"), 200, w.renewedTo(2))
	w.advance(poll)
	for _, k := range w.workers {
		late := w.get(k, "/page", cookie).want("forwarded alice")
		if late.cookie() == "" || late.told("x-auth-request-groups") != "staff" {
			t.Error("the renewal did not go on by itself")
		}
	}
	if w.asked["/token"] != 1 {
		t.Errorf("the provider was asked %d times", w.asked["/token"])
	}
}

func TestARefreshTokenWhoseFateIsUnknownIsNotSentAgain(t *testing.T) {
	for name, lose := range map[string]func(*world, *worker, string) *visit{
		"the worker that sent it died": func(w *world, k *worker, cookie string) *visit {
			w.known(shared.Renewal{State: shared.Sent, Holder: 1, At: w.now.Add(time.Second)})
			v := w.get(k, "/page", cookie)
			w.advance(time.Second + poll)
			return v
		},
		"no answer came": func(w *world, k *worker, cookie string) *visit {
			v := w.get(k, "/page", cookie)
			w.lose(w.call("/token"))
			return v
		},
		"the answer cannot be read": func(w *world, k *worker, cookie string) *visit {
			v := w.get(k, "/page", cookie)
			w.reply(w.call("/token"), 200, `{"access_token":"access-2"`)
			return v
		},
		"a gateway gave up": func(w *world, k *worker, cookie string) *visit {
			v := w.get(k, "/page", cookie)
			w.reply(w.call("/token"), 504, `{}`)
			return v
		},
	} {
		for _, p := range []parts{{}, {session: `,"refresh":"1m"`}, {top: `,"forward":{"access_token":["authorization"]}`}} {
			t.Run(name+p.session+p.top, func(t *testing.T) {
				w, cookie := due(t, 2, p)
				sent := w.asked["/token"]
				v := lose(w, w.workers[1], cookie).want("forwarded alice")
				kept := v.cookie()
				if s := w.opened(kept); s.RefreshToken != "" || s.Generation != 1 {
					t.Errorf("the browser is given generation %d, with a refresh token: %v", s.Generation, s.RefreshToken != "")
				}
				for _, k := range w.workers {
					w.get(k, "/page", cookie).want("forwarded alice") // in its grace
					w.get(k, "/page", kept).want("forwarded alice")
				}
				w.advance(time.Minute - 2*time.Second) // the access token expires in a moment
				w.get(w.workers[0], "/page", kept).want("forwarded alice")
				w.advance(2 * time.Second)
				for _, k := range w.workers {
					w.get(k, "/page", kept).want("login")
				}
				if w.asked["/token"] > sent+1 || w.counted(EventRefreshLost, "") != 1 {
					t.Errorf("the provider was asked %d times; events %v", w.asked["/token"]-sent, w.events)
				}
			})
		}
	}
}

func TestARefreshTokenIsSentOnceMoreWhereTheSettingsSaySo(t *testing.T) {
	w, cookie := due(t, 2, parts{session: `,"refresh_retry":"once"`})
	v := w.get(w.workers[0], "/page", cookie)
	w.lose(w.call("/token"))
	if again := w.call("/token"); again.form().Get("refresh_token") != "refresh-1" {
		t.Error("another token is sent")
	}
	w.lose(w.call("/token"))
	v.want("forwarded alice")
	if w.opened(v.cookie()).RefreshToken != "" || w.asked["/token"] != 2 {
		t.Errorf("the token was sent %d times, or is kept", w.asked["/token"])
	}
}

func TestASecondTryThatIsAnsweredRenewsTheSession(t *testing.T) {
	w, cookie := due(t, 1, parts{session: `,"refresh_retry":"once"`})
	v := w.get(w.workers[0], "/page", cookie)
	w.lose(w.call("/token"))
	w.reply(w.call("/token"), 200, w.renewedTo(2))
	if w.opened(v.want("forwarded alice").cookie()).RefreshToken != "refresh-2" {
		t.Error("the new refresh token is not kept")
	}
}

func TestASessionWhoseRefreshWasLostEndsWithItsAccessToken(t *testing.T) {
	w, cookie := due(t, 1, parts{})
	w.advance(time.Minute) // the access token is no good any more
	v := w.get(w.workers[0], "/page", cookie)
	w.lose(w.call("/token"))
	if !v.want("login").cleared() || w.counted(EventSessionRefused, "not_renewable") != 1 {
		t.Errorf("events %v", w.events)
	}
}

func TestASlowAnswerPutsNothingBackOverANewerSession(t *testing.T) {
	w, first := due(t, 2, parts{})
	slow := w.get(w.workers[0], "/download", first)
	w.reply(w.call("/token"), 200, w.renewedTo(2))
	second := w.get(w.workers[1], "/page", first).cookie()
	w.advance(4 * time.Minute)
	third := w.renew(w.workers[1], second, 3)
	if slow.cookie() != "" {
		t.Error("the slow answer gives the browser a session that was replaced")
	}
	if w.get(w.workers[0], "/page", third).want("forwarded alice").cookie() != "" {
		t.Error("a cookie that is good is given again")
	}
}

func TestASlowAnswerDoesNotBringBackASessionThatWasEnded(t *testing.T) {
	w, cookie := due(t, 2, parts{})
	slow := w.get(w.workers[0], "/download", cookie)
	w.reply(w.call("/token"), 200, w.renewedTo(2))
	w.signOut(w.workers[1], cookie)
	if slow.cookie() != "" {
		t.Error("the slow answer gives the browser its session back")
	}
}

func TestAReplacedCookieIsGoodForTheGraceAfterItsSuccessorCameBack(t *testing.T) {
	w, old := due(t, 2, parts{session: `,"grace":"30s"`})
	fresh := w.renew(w.workers[0], old, 2)
	w.advance(2 * time.Minute) // the answer got lost: the browser has the old one only
	late := w.get(w.workers[1], "/page", old).want("forwarded alice")
	if late.cookie() != fresh || late.told("x-auth-request-groups") != "staff" {
		t.Error("it does not stand for the new session")
	}
	w.get(w.workers[1], "/page", fresh).want("forwarded alice")
	w.advance(30 * time.Second)
	w.get(w.workers[0], "/page", old).want("forwarded alice")
	w.advance(time.Second)
	for _, k := range w.workers {
		v := w.get(k, "/page", old).want("login")
		if v.cleared() {
			t.Error("the browser's cookie is cleared, which may be the new one by now")
		}
		w.get(k, "/page", fresh).want("forwarded alice")
	}
	if w.counted(EventSessionGrace, "") < 2 || w.counted(EventSessionRefused, "replaced") != 2 || w.asked["/token"] != 1 {
		t.Errorf("asked %d times; events %v", w.asked["/token"], w.events)
	}
}

func TestACookieThatIsTwoBehindEndsTheSessionEverywhere(t *testing.T) {
	w, first := due(t, 2, parts{})
	second := w.renew(w.workers[0], first, 2)
	w.advance(4 * time.Minute)
	third := w.renew(w.workers[0], second, 3)
	w.get(w.workers[0], "/page", third).want("forwarded alice")
	w.advance(31 * time.Second)
	if !w.get(w.workers[1], "/page", first).want("login").cleared() {
		t.Error("the cookie is not cleared")
	}
	for _, k := range w.workers {
		if !w.get(k, "/page", third).want("login").cleared() {
			t.Error("the cookie is not cleared")
		}
	}
	if w.counted(EventSessionReplayed, "") != 1 || w.asked["/token"] != 2 {
		t.Errorf("asked %d times; events %v", w.asked["/token"], w.events)
	}
}

func TestARenewalOnItsWayDoesNotBringASignedOutSessionBack(t *testing.T) {
	for name, k := range map[string]int{"on the same worker": 0, "on another worker": 1} {
		t.Run(name, func(t *testing.T) {
			w, cookie := due(t, 2, parts{})
			asking := w.get(w.workers[0], "/page", cookie)
			waiting := w.get(w.workers[1], "/page", cookie)
			refresh := w.call("/token")
			w.signOut(w.workers[k], cookie)
			w.advance(poll)
			if !waiting.want("login").cleared() {
				t.Error("who waited keeps the cookie")
			}
			w.reply(refresh, 200, w.renewedTo(2))
			if !asking.want("login").cleared() {
				t.Error("who asked keeps the cookie")
			}
			if c := w.call("/revoke"); c.form().Get("token") != "refresh-2" {
				t.Error("the new refresh token is not revoked")
			}
		})
	}
}

func TestWhoWaitsInVainForARenewalIsNotForwardedOnceTheSessionWasEnded(t *testing.T) {
	w, cookie := due(t, 2, parts{})
	asking := w.get(w.workers[0], "/page", cookie)
	refresh := w.call("/token")
	w.signOut(w.workers[1], cookie)
	w.now = w.now.Add(patience) // with no tick between the ending and the end of the wait
	w.workers[0].flows.Tick()
	if !asking.want("login").cleared() {
		t.Error("the cookie is not cleared")
	}
	w.forget(refresh)
}

// signOut has a browser sign out, with the call that revokes its tokens.
func (w *world) signOut(k *worker, cookie string) *visit {
	w.t.Helper()
	v := w.get(k, "/oauth2/sign_out", cookie, ours).want("signed_out")
	for _, c := range w.calls {
		if c.Path == "/revoke" {
			w.reply(c, 200, "")
			return v
		}
	}
	w.t.Error("the tokens are not revoked")
	return v
}

func TestAProviderThatGivesNoNewRefreshTokenLeavesTheOldOneInUse(t *testing.T) {
	w, cookie := due(t, 1, parts{})
	v := w.get(w.workers[0], "/page", cookie)
	w.reply(w.call("/token"), 200, w.tokens("access-2", "", w.idToken(nil)))
	w.advance(4 * time.Minute)
	w.get(w.workers[0], "/page", v.cookie())
	if got := w.call("/token").form().Get("refresh_token"); got != "refresh-1" {
		t.Error("another token is sent")
	}
}

func TestTheClaimsOfARenewalTakeTheOldOnesPlace(t *testing.T) {
	for name, row := range map[string]struct {
		p       parts
		idToken map[string]any
		info    string // the answer at userinfo, if asked
		want    string
	}{
		"from the ID token":             {parts{}, map[string]any{"groups": []string{"a", "b"}}, "", "a,b"},
		"from userinfo beside it":       {parts{provider: `,"userinfo":"always"`}, map[string]any{"groups": nil}, `{"sub":"alice-id","groups":["c"]}`, "c"},
		"from userinfo without one":     {parts{}, map[string]any{"none": true}, `{"sub":"alice-id","groups":["d"]}`, "d"},
		"none left":                     {parts{}, map[string]any{"groups": []string{}}, "", ""},
		"no ID token and no userinfo":   {parts{provider: `,"userinfo":"never"`}, map[string]any{"none": true}, "", "admins"},
		"userinfo says nothing of them": {parts{}, map[string]any{"none": true}, `{"sub":"alice-id"}`, "admins"},
	} {
		t.Run(name, func(t *testing.T) {
			w, cookie := due(t, 1, row.p)
			v := w.get(w.workers[0], "/page", cookie)
			token := ""
			if row.idToken["none"] == nil {
				token = w.idToken(row.idToken)
			}
			w.reply(w.call("/token"), 200, w.tokens("access-2", "refresh-2", token))
			if row.info != "" {
				w.reply(w.call("/userinfo"), 200, row.info)
			}
			if got := v.told("x-auth-request-groups"); got != row.want {
				t.Errorf("groups %q, not %q", got, row.want)
			}
		})
	}
}

func TestARefreshHappensAheadOfTheAccessTokensEnd(t *testing.T) {
	for name, row := range map[string]struct {
		lifetime int64
		refresh  string
		want     time.Duration
	}{
		"a minute before the end":             {3600, "0s", 59 * time.Minute},
		"a fifth before the end, if short":    {100, "0s", 80 * time.Second},
		"when the settings say so, if sooner": {3600, "10m", 10 * time.Minute},
		"ahead of what the settings say":      {300, "1h", 4 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, parts{session: `,"refresh":"` + row.refresh + `"`})
			s := w.alice()
			s.AccessExpires = w.now.Unix() + row.lifetime
			cookie := w.cookie(s)
			w.advance(row.want - time.Second)
			w.get(w.workers[0], "/page", cookie).want("forwarded alice")
			if w.asked["/token"] > 0 {
				t.Error("it is renewed too early")
			}
			w.advance(time.Second)
			w.get(w.workers[0], "/page", cookie)
			w.call("/token")
		})
	}
}

func TestARenewalThatOthersCannotLearnOfIsUsedAllTheSame(t *testing.T) {
	w, cookie := due(t, 1, parts{})
	v := w.get(w.workers[0], "/page", cookie)
	c := w.call("/token")
	w.fail = func(at string) {
		if at == EventSessionRenewed {
			w.known(shared.Renewal{State: shared.Claimed, Base: 9, At: w.now.Add(time.Second)}) // far ahead
		}
	}
	w.reply(c, 200, w.renewedTo(2))
	if v.want("forwarded alice").cookie() != "" {
		t.Error("the browser is given a session that another has gone on with")
	}
}

func TestWhatIsLeftToAskAfterARefreshTakesItsTimeAsWell(t *testing.T) {
	w, cookie := due(t, 2, parts{})
	w.advance(time.Minute) // the access token is no good any more
	first := w.get(w.workers[0], "/page", cookie)
	other := w.get(w.workers[1], "/page", cookie)
	w.advance(10 * time.Second)
	w.reply(w.call("/token"), 200, w.tokens("access-2", "refresh-2", ""))
	w.advance(10 * time.Second) // longer, together, than the provider had to answer the first
	w.reply(w.call("/userinfo"), 200, `{"sub":"alice-id","preferred_username":"alice"}`)
	w.advance(poll)
	first.want("forwarded alice")
	other.want("forwarded alice")
	if w.counted(EventRefreshLost, "") > 0 {
		t.Error("another worker took the refresh token for lost")
	}
}

func TestARenewedSessionKeepsNothingOfTheTokensBefore(t *testing.T) {
	w := newWorld(t, 1, parts{top: `,"sign_out":{"at_provider":true},"forward":{"access_token":["authorization"]}`})
	s := w.alice()
	s.IDToken = "id-token-1"
	cookie := w.cookie(s)
	w.advance(4 * time.Minute)
	v := w.get(w.workers[0], "/page", cookie)
	idToken := w.idToken(nil)
	w.reply(w.call("/token"), 200, `{"access_token":"access-2","token_type":"Bearer","id_token":"`+idToken+`"}`)
	got := w.opened(v.want("forwarded alice").cookie())
	if got.AccessToken != "access-2" || got.AccessExpires != 0 || got.RefreshToken != "refresh-1" || got.IDToken != idToken {
		t.Error("a token, or its time, is of another generation")
	}
}

func TestASessionThatIsDueGoesOnAtOnceWhereTheProviderIsNotKnown(t *testing.T) {
	w, cookie := due(t, 1, parts{})
	w.away, w.memory = true, shared.NewLocal()
	w.get(w.begin(w.settings), "/page", cookie).want("forwarded alice")
}
