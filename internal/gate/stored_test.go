package gate

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/session"
)

func (w *world) ticket(s *session.Session) string {
	w.t.Helper()
	k := w.workers[0]
	cookie := ""
	w.carry(k, func() (Verdict, Flow) {
		return Verdict{}, func(env flow.Env) Verdict {
			parts, err := k.keepSession(env, s, "")
			if err != nil || len(parts) != 1 {
				w.t.Fatalf("%d cookies, error %v", len(parts), err)
			}
			cookie = k.jar.Name(0) + "=" + parts[0]
			return Verdict{}
		}
	})
	return cookie
}

func TestASessionInTheStoreIsGoodAtEveryGateUntilSignOut(t *testing.T) {
	w := twoGates(t, `,"sessions":true`, parts{})
	ticket := w.ticket(w.alice())
	if len(ticket) > 120 {
		t.Errorf("the ticket has %d bytes", len(ticket))
	}
	for _, k := range w.workers {
		w.get(k, "/page", ticket).want("forwarded alice")
	}
	w.signOut(w.workers[0], ticket)
	if names := w.redis.under(w, "session"); len(names) > 0 {
		t.Errorf("Redis still has %v", names)
	}
	w.get(w.workers[0], "/page", ticket).want("login")
	w.advance(time.Second)
	w.get(w.workers[1], "/page", ticket).want("login")
}

func TestATicketIsKeptWhileTheStoreIsAway(t *testing.T) {
	w := twoGates(t, `,"sessions":true`, parts{})
	ticket := w.ticket(w.alice())
	w.redis.away = true
	if w.get(w.workers[1], "/page", ticket).want("store_unavailable").cleared() {
		t.Error("the ticket is cleared")
	}
	w.redis.away = false
	w.get(w.workers[1], "/page", ticket).want("forwarded alice")
}

func TestARenewedTicketTakesTheOldOnesPlace(t *testing.T) {
	w := twoGates(t, `,"sessions":true`, parts{})
	ticket := w.ticket(w.alice())
	w.advance(4 * time.Minute)
	fresh := w.renew(w.workers[0], ticket, 2)
	if fresh == ticket || len(w.redis.under(w, "session")) != 2 {
		t.Errorf("Redis has %v", w.redis.under(w, "session"))
	}
	other := w.get(w.workers[1], "/page", ticket)
	w.advance(3 * poll)
	if other.want("forwarded alice").cookie() != fresh {
		t.Error("the other gate does not give the new ticket")
	}
	w.advance(2 * time.Minute)
	if len(w.redis.under(w, "session")) != 1 {
		t.Errorf("Redis has %v", w.redis.under(w, "session"))
	}
}

func TestASessionThatEndedIsNotWrittenToTheStoreAgain(t *testing.T) {
	w := twoGates(t, `,"sessions":true`, parts{session: `,"idle":"20m"`})
	s := w.alice()
	s.AccessExpires, s.RefreshToken = 0, ""
	ticket := w.ticket(s)
	w.advance(3 * time.Minute)
	v := w.get(w.workers[0], "/page", ticket).want("forwarded alice")
	v.verdict.Forward.Response() // it was touched, and is to be written at the next tick
	w.get(w.workers[0], "/oauth2/sign_out", ticket, ours).want("signed_out")
	w.advance(time.Second)
	if names := w.redis.under(w, "session"); len(names) > 0 {
		t.Errorf("Redis has %v again", names)
	}
}

func TestATouchedSessionIsWrittenOnceForATenthOfTheIdleTime(t *testing.T) {
	w := twoGates(t, `,"sessions":true`, parts{session: `,"idle":"20m"`})
	s := w.alice()
	s.AccessExpires, s.RefreshToken = 0, ""
	ticket := w.ticket(s)
	w.advance(3 * time.Minute)
	k := w.workers[0]
	w.get(k, "/page", ticket).verdict.Forward.Response()
	if len(k.store.touched) != 1 {
		t.Error("it is not to be written")
	}
	w.advance(time.Second)
	if w.get(k, "/page", ticket).verdict.Forward.Response != nil {
		t.Error("it is touched again at once")
	}
	w.advance(19 * time.Minute) // more than the idle time since it was first written
	w.get(w.workers[1], "/page", ticket).want("forwarded alice")
}

func TestASessionThatWasEndedDuringItsRenewalLeavesNothingInTheStore(t *testing.T) {
	w := twoGates(t, `,"sessions":true`, parts{})
	ticket := w.ticket(w.alice())
	w.advance(4 * time.Minute)
	v := w.get(w.workers[0], "/page", ticket)
	refresh := w.call("/token")
	w.signOut(w.workers[0], ticket)
	w.reply(refresh, 200, w.renewedTo(2))
	v.want("login")
	if names := w.redis.under(w, "session"); len(names) > 0 {
		t.Errorf("Redis has %v", names)
	}
}

func TestARenewedSessionIsACookieWhereTheStoreIsAway(t *testing.T) {
	w := twoGates(t, `,"sessions":true`, parts{})
	ticket := w.ticket(w.alice())
	w.advance(4 * time.Minute)
	v := w.get(w.workers[0], "/page", ticket)
	refresh := w.call("/token")
	w.redis.away = true
	w.reply(refresh, 200, w.renewedTo(2))
	fresh := v.want("forwarded alice").cookie()
	if w.opened(fresh).RefreshToken != "refresh-2" {
		t.Error("the new refresh token is lost")
	}
	w.redis.away = false
	w.advance(4 * time.Minute)
	if again := w.renew(w.workers[0], fresh, 3); len(again) > 120 {
		t.Errorf("the next renewal gives %d bytes", len(again))
	}
}

func TestATicketForNothingIsAnEndedSession(t *testing.T) {
	w := twoGates(t, `,"sessions":true`, parts{})
	ticket := w.ticket(w.alice())
	clear(w.redis.values)
	w.get(w.workers[0], "/page", ticket).want("login")
	if w.counted(EventSessionRefused, "past_lifetime") != 1 {
		t.Errorf("events %v", w.events)
	}
}

func TestOfTwoRenewalsOfAStoredSessionTheFirstCounts(t *testing.T) {
	w := twoGates(t, `,"sessions":true`, parts{})
	ticket := w.ticket(w.alice())
	w.advance(4 * time.Minute)
	v := w.get(w.workers[0], "/page", ticket)
	name := w.redis.under(w, "session")[0]
	next := strings.TrimSuffix(name, "0") + "1"
	w.redis.values[next] = redisValue{"c29tZWJvZHktZWxzZQ", w.now.Add(time.Hour)}
	w.reply(w.call("/token"), 200, w.renewedTo(2))
	v.want("forwarded alice")
	if w.redis.values[next].text != "c29tZWJvZHktZWxzZQ" {
		t.Error("it was written over")
	}
}

func TestAFrontChannelLogoutTakesTheSessionOutOfTheStore(t *testing.T) {
	w := twoGates(t, `,"sessions":true`, parts{})
	ticket := w.ticket(w.alice())
	w.get(w.workers[0], "/oauth2/frontchannel_logout?sid=sid-1&iss="+url.QueryEscape(testIssuer), ticket).want("frontchannel_logout")
	if names := w.redis.under(w, "session"); len(names) > 0 {
		t.Errorf("Redis has %v", names)
	}
}
