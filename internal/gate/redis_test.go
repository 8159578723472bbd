package gate

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/shared"
)

// redis is a Redis behind a Webdis, as far as the gate goes.
type redis struct {
	values map[string]redisValue
	lists  map[string][]string
	away   bool
	mute   bool // what it does is done, and its answers are lost
}

type redisValue struct {
	text string
	ends time.Time
}

// answer answers a command, unless Redis is away.
func (r *redis) answer(w *world, c *call) {
	if r.away {
		w.lose(c)
		return
	}
	words := strings.Split(string(c.Body), "/")
	body, _ := json.Marshal(map[string]any{words[0]: r.run(w, words)})
	if r.mute {
		w.lose(c)
		return
	}
	address, _ := url.Parse(c.Path)
	w.reply(c, 200, address.Query().Get("jsonp")+"("+string(body)+");\n")
}

func (r *redis) run(w *world, words []string) any {
	key := words[1]
	was, there := r.values[key]
	there = there && w.now.Before(was.ends)
	switch words[0] {
	case "SET":
		if there && words[len(words)-1] == "NX" {
			return nil
		}
		ms, _ := strconv.Atoi(words[4])
		r.values[key] = redisValue{words[2], w.now.Add(time.Duration(ms) * time.Millisecond)}
		return []any{true, "OK"}
	case "GET":
		if there {
			return was.text
		}
		return nil
	case "DEL":
		delete(r.values, key)
		return 1
	case "LPUSH":
		r.lists[key] = append([]string{words[2]}, r.lists[key]...)
		return len(r.lists[key])
	case "LRANGE":
		start, _ := strconv.Atoi(words[2])
		stop, _ := strconv.Atoi(words[3])
		list := r.lists[key]
		return slices.Clone(append([]string{}, list[min(start, len(list)):min(stop+1, len(list))]...))
	}
	w.t.Fatalf("Redis is asked to %s", words[0])
	return nil
}

// under returns the names of what is kept under a kind of name.
func (r *redis) under(w *world, kind string) (names []string) {
	for name, value := range r.values {
		if strings.HasPrefix(name, "postern:"+kind+":") && w.now.Before(value.ends) {
			names = append(names, name)
		}
	}
	return names
}

// twoGates is a world with two Envoys of one worker each, and Redis between
// them.
func twoGates(t *testing.T, webdis string, p parts) *world {
	t.Helper()
	p.redis = &redis{values: map[string]redisValue{}, lists: map[string][]string{}}
	p.session += `,"store":{"webdis":{"cluster":"redis"` + webdis + `}}`
	w := newWorld(t, 1, p)
	w.memory = shared.NewLocal()
	w.begin(w.settings)
	return w
}

// dueAtTwoGates is one in which alice's session is due for renewal, and her
// cookie.
func dueAtTwoGates(t *testing.T, p parts) (w *world, cookie string) {
	t.Helper()
	w = twoGates(t, "", p)
	cookie = w.cookie(w.alice())
	w.advance(4 * time.Minute)
	return w, cookie
}

func TestTwoGatesWithRedisBetweenThemRefreshASessionOnce(t *testing.T) {
	w, cookie := dueAtTwoGates(t, parts{})
	first := w.get(w.workers[0], "/page", cookie)
	other := w.get(w.workers[1], "/page", cookie)
	if refresh := w.call("/token"); first.waits() && other.waits() {
		w.reply(refresh, 200, w.renewedTo(2))
	}
	w.advance(3 * poll)
	for _, v := range []*visit{first, other} {
		if v.want("forwarded alice").told("x-auth-request-groups") != "staff" || v.cookie() == "" {
			t.Error("a gate did not take the outcome")
		}
	}
	if w.opened(first.cookie()).RefreshToken != "refresh-2" || first.cookie() != other.cookie() {
		t.Error("the gates give different cookies")
	}
	if w.asked["/token"] != 1 {
		t.Errorf("the provider was asked %d times", w.asked["/token"])
	}
}

func TestARefreshTokenThatAnotherGateSentIsNotSentAgain(t *testing.T) {
	w, cookie := dueAtTwoGates(t, parts{})
	w.get(w.workers[0], "/page", cookie)
	w.forget(w.call("/token")) // and that gate is gone
	v := w.get(w.workers[1], "/page", cookie)
	w.advance(patience)
	v.want("forwarded alice")
	w.advance(time.Minute)
	w.get(w.workers[1], "/page", cookie).want("login")
	if w.asked["/token"] != 1 {
		t.Errorf("the provider was asked %d times", w.asked["/token"])
	}
}

func TestWithoutTheStoreARefreshWaitsOrGoesOnAsTheSettingsSay(t *testing.T) {
	for setting, asked := range map[string]int{"refuse": 0, "admit": 1} {
		t.Run(setting, func(t *testing.T) {
			w := twoGates(t, `,"stale":"1h","on_outage":"`+setting+`"`, parts{})
			cookie := w.cookie(w.alice())
			w.advance(4 * time.Minute)
			w.redis.away = true
			v := w.get(w.workers[0], "/page", cookie)
			if w.asked["/token"] != asked {
				t.Fatalf("the provider was asked %d times", w.asked["/token"])
			}
			if asked == 1 {
				w.reply(w.call("/token"), 200, w.renewedTo(2))
			}
			v.want("forwarded alice")
			if asked == 1 {
				return
			}
			w.advance(time.Minute)
			if w.get(w.workers[0], "/page", cookie).want("store_unavailable").cleared() {
				t.Error("the session is cleared")
			}
			w.redis.away = false
			w.advance(2 * time.Second) // the second pause; nobody holds a claim meanwhile
			w.renew(w.workers[0], cookie, 2)
		})
	}
}

func TestAGateWhoseClaimHadNoAnswerKnowsItForItsOwn(t *testing.T) {
	w, cookie := dueAtTwoGates(t, parts{})
	w.redis.mute = true
	w.get(w.workers[0], "/page", cookie).want("forwarded alice")
	if w.asked["/token"] != 0 || len(w.redis.under(w, "sent")) != 1 {
		t.Error("the claim was not made, or used")
	}
	w.redis.mute = false
	w.advance(time.Second)
	w.renew(w.workers[0], cookie, 2)
}

func TestAGateThatFollowsAnotherGivesItsClaimUpWhereItCannot(t *testing.T) {
	for name, harm := range map[string]func(w *world){
		"the store goes away": func(w *world) { w.redis.away = true },
		"what the other left does not open": func(w *world) {
			sent := w.redis.under(w, "sent")[0]
			w.redis.values[strings.Replace(sent, ":sent:", ":renewed:", 1)] = redisValue{"bm90LW91cnM", w.now.Add(time.Hour)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, cookie := dueAtTwoGates(t, parts{})
			w.get(w.workers[0], "/page", cookie)
			other := w.get(w.workers[1], "/page", cookie)
			harm(w)
			w.advance(3 * poll)
			other.want("forwarded alice")
			if r := w.workers[1].renewals.Look("session-of-alice"); r.State != shared.Failed {
				t.Errorf("the renewal is %+v", r)
			}
		})
	}
}

func TestAnOutageAtOneGateIsKeptByTheOther(t *testing.T) {
	w, cookie := dueAtTwoGates(t, parts{})
	w.known(shared.Renewal{State: shared.Failed, At: w.now, Tries: 3}) // so that the next pause is longer
	first := w.get(w.workers[0], "/page", cookie)
	other := w.get(w.workers[1], "/page", cookie)
	w.reply(w.call("/token"), 503, "")
	w.advance(3 * poll)
	first.want("forwarded alice")
	other.want("forwarded alice")
	w.advance(8*time.Second - 4*poll)
	w.get(w.workers[1], "/page", cookie).want("forwarded alice")
	if w.asked["/token"] != 1 {
		t.Fatalf("the provider was asked %d times", w.asked["/token"])
	}
	w.advance(poll)
	v := w.get(w.workers[1], "/page", cookie)
	w.reply(w.call("/token"), 200, w.renewedTo(2))
	v.want("forwarded alice")
}

func TestARefusedRefreshEndsTheSessionAtTheOtherGateToo(t *testing.T) {
	w, cookie := dueAtTwoGates(t, parts{})
	first := w.get(w.workers[0], "/page", cookie)
	other := w.get(w.workers[1], "/page", cookie)
	w.reply(w.call("/token"), 400, `{"error":"invalid_grant"}`)
	w.advance(3 * poll)
	if !first.want("login").cleared() || !other.want("login").cleared() {
		t.Error("a cookie is not cleared")
	}
}

func TestWhatIsEndedAtOneGateIsSoonOverAtTheOther(t *testing.T) {
	w := twoGates(t, "", parts{})
	cookie := w.cookie(w.alice())
	w.get(w.workers[1], "/page", cookie).want("forwarded alice")
	w.signOut(w.workers[0], cookie)
	w.advance(w.settings.Session.Store.Webdis.Interval.Std())
	w.get(w.workers[1], "/page", cookie).want("login")
}

func TestALogoutDuringAnOutageOfTheStoreIsNotAcknowledgedUntilOthersKnow(t *testing.T) {
	w := twoGates(t, "", parts{})
	cookie, token := w.cookie(w.alice()), w.logoutToken("jti-1", nil)
	w.redis.away = true
	if w.logOut(w.workers[0], token).want("not_recorded").field("retry-after") == "" {
		t.Error("the provider is not asked to come again")
	}
	w.get(w.workers[0], "/page", cookie).want("login")
	w.redis.away = false
	w.logOut(w.workers[0], token).want("backchannel_logout")
	w.advance(w.settings.Session.Store.Webdis.Interval.Std())
	w.get(w.workers[1], "/page", cookie).want("login")
	w.logOut(w.workers[1], token).want("jti_used")
}

func TestWhatWasEndedDuringAnOutageOfTheStoreIsToldAfterwards(t *testing.T) {
	w := twoGates(t, "", parts{})
	cookie := w.cookie(w.alice())
	w.redis.away = true
	w.signOut(w.workers[0], cookie)
	if w.counted(EventEndingUnshared, "") != 1 {
		t.Errorf("events %v", w.events)
	}
	w.advance(time.Second)
	w.redis.away = false
	w.advance(3 * time.Second)
	w.get(w.workers[1], "/page", cookie).want("login")
}

func TestEndingsThatAStoreIsAwayForTooLongToHearOfAreBoundedAndNotDroppedSilently(t *testing.T) {
	w := twoGates(t, "", parts{})
	w.redis.away = true
	k := w.workers[0]
	list := make([]shared.Ending, maxUnsent)
	for range 2 {
		w.carry(k, func() (Verdict, Flow) {
			return Verdict{}, func(env flow.Env) Verdict { _ = k.sendEndings(env, list); return Verdict{} }
		})
		if len(k.store.unsent) != maxUnsent {
			t.Errorf("%d endings wait", len(k.store.unsent))
		}
	}
	if w.counted(EventEndingUnshared, "") != 1 {
		t.Errorf("events %v", w.events)
	}
}

func TestAStoreThatIsAwayForTooLongIsRefusedOrAdmittedAsTheSettingsSay(t *testing.T) {
	for setting, wants := range map[string]string{"refuse": "store_unavailable", "admit": "forwarded alice"} {
		t.Run(setting, func(t *testing.T) {
			w := twoGates(t, `,"on_outage":"`+setting+`"`, parts{})
			cookie := w.cookie(w.alice())
			w.redis.away = true
			w.advance(9 * time.Second)
			w.get(w.workers[0], "/page", cookie).want("forwarded alice")
			w.advance(3 * time.Second)
			w.get(w.workers[0], "/page", cookie).want(wants)
			if loud := w.counted(EventStoreAdmits, "") > 0; loud != (setting == "admit") {
				t.Errorf("events %v", w.events)
			}
			w.redis.away = false
			w.advance(3 * time.Second)
			w.get(w.workers[0], "/page", cookie).want("forwarded alice")
		})
	}
}

func TestAGateThatStartsWhileTheStoreIsAwayDoesAsTheSettingsSay(t *testing.T) {
	for setting, wants := range map[string]string{"refuse": "store_unavailable", "admit": "forwarded alice"} {
		t.Run(setting, func(t *testing.T) {
			w := twoGates(t, `,"on_outage":"`+setting+`"`, parts{session: `,"revalidate_after_start":false`})
			w.redis.away, w.memory = true, shared.NewLocal()
			started := w.begin(w.settings)
			w.events = nil
			w.get(started, "/page", w.cookie(w.alice())).want(wants)
			w.advance(time.Second)
			if loud := w.counted(EventStoreAdmits, "") > 0; loud != (setting == "admit") {
				t.Errorf("events %v", w.events)
			}
		})
	}
}

func TestSessionsAreConfirmedAnewWhereTheStoreMayHaveLostEndings(t *testing.T) {
	for name, harm := range map[string]func(w *world, journal string){
		"the journal is gone": func(w *world, journal string) { delete(w.redis.lists, journal) },
		"an entry does not open": func(w *world, journal string) {
			w.redis.lists[journal] = append([]string{"bm90LW91cnM"}, w.redis.lists[journal]...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := twoGates(t, "", parts{})
			cookie := w.cookie(w.alice())
			w.signOut(w.workers[0], w.cookie(w.another("elsewhere", "sid-2")))
			w.advance(time.Second)
			w.get(w.workers[1], "/page", cookie).want("forwarded alice")
			for journal := range w.redis.lists {
				harm(w, journal)
			}
			w.advance(time.Second)
			v := w.get(w.workers[1], "/page", cookie)
			w.reply(w.call("/token"), 200, w.renewedTo(2))
			v.want("forwarded alice")
			fresh := v.cookie()
			w.advance(10 * time.Second)
			w.get(w.workers[1], "/page", fresh).want("forwarded alice") // once is enough
			if n := w.counted(EventStoreGap, ""); n != len(w.workers) {
				t.Errorf("told %d times", n)
			}
		})
	}
}

// ticket keeps a session in Redis and returns the cookie for it.
func TestAWorkerThatDoesNotReadTheJournalHearsOfItFromTheOneThatDoes(t *testing.T) {
	w := twoGates(t, "", parts{})
	reads, hears := w.workers[1], w.begin(w.settings)
	for range 30 {
		w.now = w.now.Add(time.Second)
		for _, due := range append(reads.Due(), hears.Due()...) { // the first takes it each time
			reads.flows.Go(due)
		}
		w.inform()
	}
	w.get(hears, "/page", w.cookie(w.alice())).want("forwarded alice")
	if hears.store.stale(w.now) {
		t.Error("it takes the store for away")
	}
}

func TestEachOutageOfTheStoreIsTold(t *testing.T) {
	w := twoGates(t, "", parts{})
	for i := range 2 {
		w.redis.away = true
		w.advance(10 * time.Second)
		w.redis.away = false
		w.advance(10 * time.Second)
		if n := w.counted(EventStoreFailure, "no_answer"); n != (i+1)*len(w.workers) {
			t.Errorf("told %d times", n)
		}
	}
}

func TestManyEndingsReachTheOtherGate(t *testing.T) {
	w := twoGates(t, "", parts{})
	var list []shared.Ending
	for i := range 2*journalEntry + 1 {
		list = append(list, shared.Ending{Key: shared.KeyOf(shared.KindSession, testIssuer, strconv.Itoa(i)), At: w.now})
	}
	k := w.workers[0]
	w.carry(k, func() (Verdict, Flow) {
		return Verdict{}, func(env flow.Env) Verdict { _ = k.sendEndings(env, list); return Verdict{} }
	})
	w.advance(time.Second)
	for _, ending := range list {
		if at, known := w.workers[1].endings.Ended(ending.Key); !known || !at.Equal(ending.At) {
			t.Fatal("an ending is missing")
		}
	}
}
