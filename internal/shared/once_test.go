package shared

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/session"
)

// crew are workers with one memory and one clock, and a provider that answers
// when it is told to.
type crew struct {
	t       *testing.T
	now     time.Time
	memory  *Local
	workers []*hand
}

// hand is one worker.
type hand struct {
	*flow.Scheduler
	crew  *crew
	once  *Once
	calls uint32
	open  map[uint32]string // calls that are not answered yet, by what they ask
}

// outcome is what came of a request.
type outcome struct {
	over   bool
	answer string
	err    error
}

func newCrew(t *testing.T, workers, slots int) *crew {
	c := &crew{t: t, now: start, memory: NewLocal()}
	for range workers {
		h := &hand{crew: c, once: NewOnce(sealer(t, c.memory), "tokens", slots), open: map[uint32]string{}}
		h.Scheduler = flow.NewScheduler(func(call flow.Call) (uint32, error) {
			h.calls++
			h.open[h.calls] = call.Path
			return h.calls, nil
		}, func() time.Time { return c.now })
		c.workers = append(c.workers, h)
	}
	return c
}

// limit is how long the requests of a crew wait.
const limit = 5 * time.Second

// goodFor is an Asker that fetches the answer, which is good for a while.
func goodFor(question string, d time.Duration) Asker {
	return func(env flow.Env) ([]byte, time.Time, error) {
		r, err := env.Fetch(flow.Call{Path: question})
		if err != nil {
			return nil, time.Time{}, err
		}
		if d == 0 {
			return r.Body, time.Time{}, nil
		}
		return r.Body, env.Now().Add(d), nil
	}
}

func (h *hand) begin(f func(env flow.Env) ([]byte, error)) (*outcome, *flow.Task) {
	out := &outcome{}
	return out, h.Go(func(env flow.Env) {
		answer, err := f(env)
		*out = outcome{true, string(answer), err}
	})
}

func (h *hand) ask(question string, good time.Duration) *outcome {
	out, _ := h.begin(func(env flow.Env) ([]byte, error) {
		return h.once.Ask(env, question, limit, goodFor(question, good))
	})
	return out
}

func (h *hand) renew(question string, good time.Duration) *outcome {
	out, _ := h.begin(func(env flow.Env) ([]byte, error) {
		return h.once.Renew(env, question, limit, goodFor(question, good))
	})
	return out
}

// reply answers the worker's one call.
func (h *hand) reply(answer string, err error) {
	h.crew.t.Helper()
	if len(h.open) != 1 {
		h.crew.t.Fatalf("the worker has %d calls under way, not one", len(h.open))
	}
	for id := range h.open {
		delete(h.open, id)
		h.Deliver(id, flow.Response{Status: 200, Body: []byte(answer)}, err)
	}
}

// pass lets time go by, with a tick of every worker as often as they look.
func (c *crew) pass(d time.Duration) {
	for end := c.now.Add(d); c.now.Before(end); {
		c.now = c.now.Add(poll)
		for _, h := range c.workers {
			h.Tick()
		}
	}
}

// asked returns how often the provider was asked.
func (c *crew) asked() (n int) {
	for _, h := range c.workers {
		n += int(h.calls)
	}
	return n
}

func (c *crew) wantAsked(n int) {
	c.t.Helper()
	if got := c.asked(); got != n {
		c.t.Errorf("the provider was asked %d times, not %d", got, n)
	}
}

func wantAnswer(t *testing.T, want string, outs ...*outcome) {
	t.Helper()
	for i, out := range outs {
		if !out.over || out.err != nil || out.answer != want {
			t.Fatalf("request %d: over %t, %.40q, %v; wanted %.40q", i, out.over, out.answer, out.err, want)
		}
	}
}

var errRefused = errors.New("refused")

func TestAThousandRequestsOnFourWorkersAskOnce(t *testing.T) {
	for name, good := range map[string]time.Duration{
		"an answer that is good for later":       time.Minute,
		"an answer for those alone who wait now": 0,
	} {
		t.Run(name, func(t *testing.T) {
			c := newCrew(t, 4, 8)
			var outs []*outcome
			for i := range 1000 {
				outs = append(outs, c.workers[i%4].ask("q", good))
			}
			c.pass(time.Second)
			c.workers[0].reply("a", nil)
			c.pass(2 * poll)
			wantAnswer(t, "a", outs...)
			c.wantAsked(1)
		})
	}
}

func TestAGoodAnswerIsKnownToEveryWorkerUntilItEnds(t *testing.T) {
	c := newCrew(t, 2, 8)
	first := c.workers[0].ask("q", time.Minute)
	c.workers[0].reply("a", nil)
	wantAnswer(t, "a", first, c.workers[0].ask("q", time.Minute), c.workers[1].ask("q", time.Minute))
	for i, h := range c.workers {
		if a, good, ok := h.once.Peek("q", c.now); string(a) != "a" || !good.Equal(c.now.Add(time.Minute)) || !ok {
			t.Errorf("worker %d knows %q until %v, %t", i, a, good, ok)
		}
		if _, _, ok := h.once.Peek("another", c.now); ok {
			t.Errorf("worker %d knows the answer to another question", i)
		}
	}
	c.now = c.now.Add(time.Minute)
	for i, h := range c.workers {
		if _, _, ok := h.once.Peek("q", c.now); ok {
			t.Errorf("worker %d knows the answer past its end", i)
		}
	}
	c.workers[1].ask("q", time.Minute)
	c.wantAsked(2)
}

func TestAnAnswerThatIsForThoseWhoWaitIsForNobodyElse(t *testing.T) {
	c := newCrew(t, 2, 8)
	waiting := []*outcome{c.workers[0].ask("q", 0), c.workers[1].ask("q", 0)}
	c.workers[0].reply("a", nil)
	late := c.workers[0].ask("q", 0)
	c.workers[0].reply("b", nil)
	c.pass(time.Second)
	if wantAnswer(t, "b", late); waiting[1].answer == "" {
		t.Error("whoever waited in another worker has no answer")
	}
	c.workers[1].ask("q", 0)
	c.wantAsked(3)
}

func TestAFailureIsForThoseWhoWaitInTheSameWorker(t *testing.T) {
	c := newCrew(t, 2, 8)
	same := []*outcome{c.workers[0].ask("q", time.Minute), c.workers[0].ask("q", time.Minute)}
	other := c.workers[1].ask("q", time.Minute)
	c.workers[0].reply("", errRefused)
	for _, out := range same {
		if !out.over || !errors.Is(out.err, errRefused) {
			t.Errorf("over %t with %v", out.over, out.err)
		}
	}
	c.pass(poll)
	c.workers[1].reply("a", nil)
	wantAnswer(t, "a", other, c.workers[0].ask("q", time.Minute))
	c.wantAsked(2)
}

func TestTheQuestionOfAWorkerThatDiedIsTakenOver(t *testing.T) {
	c := newCrew(t, 2, 8)
	c.workers[0].ask("q", time.Minute)
	c.pass(limit - time.Second)
	out := c.workers[1].ask("q", time.Minute)
	c.wantAsked(1)
	c.pass(time.Second + poll)
	c.wantAsked(2)
	c.workers[1].reply("a", nil)
	wantAnswer(t, "a", out)
}

func TestAnAnswerThatComesAfterItsQuestionWasTakenOverIsNoNewerThanTheOther(t *testing.T) {
	c := newCrew(t, 3, 8)
	c.workers[0].ask("q", time.Minute)
	c.pass(limit)
	out := c.workers[1].ask("q", time.Minute)
	c.wantAsked(2)
	c.workers[1].reply("new", nil)
	c.workers[0].reply("old", nil)
	wantAnswer(t, "new", out, c.workers[2].ask("q", time.Minute))
}

func TestALateAnswerLeavesTheClaimOfWhoeverTookOver(t *testing.T) {
	c := newCrew(t, 3, 8)
	c.workers[0].ask("q", 0)
	c.pass(limit)
	c.workers[1].ask("q", 0)
	out := c.workers[2].ask("q", 0)
	c.workers[0].reply("old", nil)
	c.pass(time.Second)
	if c.wantAsked(2); out.over {
		t.Errorf("whoever waits for the second answer got %q", out.answer)
	}
	c.workers[1].reply("new", nil)
	c.pass(poll)
	wantAnswer(t, "new", out)
}

func TestAPanicLeavesNobodyWaiting(t *testing.T) {
	c := newCrew(t, 2, 8)
	h := c.workers[0]
	panics := func(env flow.Env) ([]byte, time.Time, error) {
		if _, err := env.Fetch(flow.Call{}); err != nil {
			return nil, time.Time{}, err
		}
		panic("asking")
	}
	first, _ := h.begin(func(env flow.Env) ([]byte, error) { return h.once.Ask(env, "q", limit, panics) })
	second, other := h.ask("q", time.Minute), c.workers[1].ask("q", time.Minute)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("nobody learns of the panic")
			}
		}()
		h.reply("", nil)
	}()
	c.pass(poll)
	for i, out := range []*outcome{first, second} {
		if !out.over || out.err != errPanicked {
			t.Errorf("request %d: over %t with %v", i, out.over, out.err)
		}
	}
	c.workers[1].reply("a", nil)
	wantAnswer(t, "a", other, h.ask("q", time.Minute))
}

func TestWhoeverGoesAwayHarmsNobody(t *testing.T) {
	c := newCrew(t, 1, 8)
	h := c.workers[0]
	gone, task := h.begin(func(env flow.Env) ([]byte, error) {
		return h.once.Ask(env, "q", limit, goodFor("q", time.Minute))
	})
	stays := h.ask("q", time.Minute)
	task.Cancel()
	if !errors.Is(gone.err, flow.ErrCanceled) {
		t.Errorf("whoever went away got %v", gone.err)
	}
	h.reply("a", nil)
	wantAnswer(t, "a", stays)
	c.wantAsked(1)
}

func TestNobodyWaitsLongerThanTheirLimit(t *testing.T) {
	c := newCrew(t, 2, 8)
	c.workers[0].ask("q", time.Minute)
	late := make([]*outcome, 2)
	for i, h := range c.workers {
		late[i], _ = h.begin(func(env flow.Env) ([]byte, error) {
			return h.once.Ask(env, "q", time.Second, goodFor("q", time.Minute))
		})
	}
	c.pass(time.Second + poll)
	for i, out := range late {
		if !out.over || !errors.Is(out.err, flow.ErrTimeout) {
			t.Errorf("on worker %d: over %t with %v", i, out.over, out.err)
		}
	}
}

func TestWhoeverJoinsSomebodyThatGivesUpGoesOn(t *testing.T) {
	c := newCrew(t, 2, 8)
	c.workers[0].ask("q", time.Minute)
	h := c.workers[1]
	hasty, _ := h.begin(func(env flow.Env) ([]byte, error) {
		return h.once.Ask(env, "q", time.Second, goodFor("q", time.Minute))
	})
	patient := h.ask("q", time.Minute)
	c.pass(3 * time.Second)
	if !hasty.over || patient.over {
		t.Fatalf("over: %t and %t", hasty.over, patient.over)
	}
	c.workers[0].reply("a", nil)
	c.pass(poll)
	wantAnswer(t, "a", patient)
	c.wantAsked(1)
}

func TestAnAnswerIsRenewedByOneWorkerWhileTheOldOneServes(t *testing.T) {
	c := newCrew(t, 2, 8)
	c.workers[0].ask("q", time.Minute)
	c.workers[0].reply("old", nil)
	wantAnswer(t, "old", c.workers[1].ask("q", time.Minute))
	c.pass(50 * time.Second)
	renewals := []*outcome{c.workers[0].renew("q", time.Minute), c.workers[1].renew("q", time.Minute), c.workers[1].renew("q", time.Minute)}
	wantAnswer(t, "old", c.workers[0].ask("q", time.Minute), c.workers[1].ask("q", time.Minute))
	c.workers[0].reply("new", nil)
	c.pass(poll)
	wantAnswer(t, "new", renewals...)
	wantAnswer(t, "new", c.workers[0].ask("q", time.Minute), c.workers[1].ask("q", time.Minute))
	c.wantAsked(2)
}

func TestARenewalThatAnotherWorkerMadeIsTakenForNew(t *testing.T) {
	c := newCrew(t, 2, 8)
	c.workers[0].ask("q", time.Minute)
	c.workers[0].reply("old", nil)
	wantAnswer(t, "old", c.workers[1].ask("q", time.Minute))
	c.workers[0].renew("q", time.Second) // a new one may be good for less
	c.workers[0].reply("new", nil)
	wantAnswer(t, "old", c.workers[1].ask("q", time.Minute))
	wantAnswer(t, "new", c.workers[1].renew("q", time.Minute))
	c.wantAsked(2)
	c.workers[1].renew("q", time.Minute)
	c.wantAsked(3)
}

func TestARenewalThatFailsLeavesTheOldAnswer(t *testing.T) {
	c := newCrew(t, 2, 8)
	c.workers[0].ask("q", time.Minute)
	c.workers[0].reply("old", nil)
	out := c.workers[0].renew("q", time.Minute)
	c.workers[0].reply("", errRefused)
	if !errors.Is(out.err, errRefused) {
		t.Errorf("the renewal came to %v", out.err)
	}
	wantAnswer(t, "old", c.workers[0].ask("q", time.Minute), c.workers[1].ask("q", time.Minute))
}

func TestAnAnswerThatIsNotForLaterReplacesTheOldOne(t *testing.T) {
	c := newCrew(t, 2, 8)
	c.workers[0].ask("q", time.Minute)
	c.workers[0].reply("active", nil)
	c.workers[0].renew("q", 0)
	c.workers[0].reply("inactive", nil)
	for i, h := range c.workers {
		if a, _, ok := h.once.Peek("q", c.now); ok {
			t.Errorf("worker %d still knows %q", i, a)
		}
	}
}

func TestOfTwoQuestionsInOneSlotTheLaterTakesThePlaceOfAnAnswerButNotOfAClaim(t *testing.T) {
	c := newCrew(t, 3, 1)
	first := c.workers[0].ask("p", time.Minute)
	alone := c.workers[1].ask("q", time.Minute)
	c.workers[1].reply("b", nil) // goes on without sharing
	wantAnswer(t, "b", alone)
	waits := c.workers[2].ask("p", time.Minute)
	c.wantAsked(2)
	c.workers[0].reply("a", nil)
	c.pass(poll)
	wantAnswer(t, "a", first, waits)
	later := c.workers[2].ask("q", time.Minute)
	c.workers[2].reply("c", nil)
	wantAnswer(t, "c", later)
	fresh := NewOnce(sealer(t, c.memory), "tokens", 1)
	if _, _, ok := fresh.Peek("p", c.now); ok {
		t.Error("the earlier answer kept the place")
	}
	if a, _, _ := fresh.Peek("q", c.now); string(a) != "c" {
		t.Errorf("of the later one the place has %q", a)
	}
	wantAnswer(t, "a", c.workers[0].ask("p", time.Minute)) // who knew it still does
}

func TestAnAnswerThatIsTooLongToShareIsKnownToTheWorkerThatAsked(t *testing.T) {
	c := newCrew(t, 2, 8)
	long := strings.Repeat("a", MaxAnswer+1)
	c.workers[0].ask("q", time.Minute)
	c.workers[0].reply("short", nil)
	c.workers[0].renew("q", time.Minute)
	c.workers[0].reply(long, nil)
	wantAnswer(t, long, c.workers[0].ask("q", time.Minute))
	other := c.workers[1].ask("q", time.Minute)
	c.workers[1].reply(long[1:], nil)
	wantAnswer(t, long[1:], other)
	c.wantAsked(3)
}

func TestNeitherMemoryGrowsWithTheNumberOfQuestions(t *testing.T) {
	const slots = 4
	for name, length := range map[string]int{"short answers": 1, "answers as long as are shared": MaxAnswer, "longer ones": 2 * MaxAnswer} {
		t.Run(name, func(t *testing.T) {
			c := newCrew(t, 1, slots)
			h := c.workers[0]
			for i := range 100 {
				c.now = c.now.Add(time.Millisecond)
				h.ask(fmt.Sprint(i), time.Minute)
				h.reply(strings.Repeat("a", length), nil)
			}
			shared := 0
			for _, name := range c.memory.Names() {
				value, _, _ := c.memory.Get(name)
				shared += len(value)
			}
			if most := slots * (recordHead + MaxAnswer + 64); shared > most {
				t.Errorf("%d bytes are shared, more than %d", shared, most)
			}
			k := &h.once.known
			if n := len(k.answers); n == 0 || n > slots || n*length > slots*MaxAnswer || k.room != slots*MaxAnswer-n*length {
				t.Errorf("%d answers are known, with room for %d bytes", n, k.room)
			}
			if _, _, ok := h.once.Peek("99", c.now); !ok {
				t.Error("the last one is not known")
			}
			if len(h.once.asking) != 0 {
				t.Errorf("%d questions are under way", len(h.once.asking))
			}
		})
	}
}

func TestAnAnswerThatThereIsNoRoomForIsGivenAndForgotten(t *testing.T) {
	c := newCrew(t, 1, 1)
	huge := strings.Repeat("a", MaxAnswer+1)
	out := c.workers[0].ask("q", time.Minute)
	c.workers[0].reply(huge, nil)
	wantAnswer(t, huge, out)
	if _, _, ok := c.workers[0].once.Peek("q", c.now); ok {
		t.Error("it is kept")
	}
}

func TestAClaimFromBeforeTheClockWasSetBackHoldsNobodyUp(t *testing.T) {
	c := newCrew(t, 2, 8)
	c.workers[0].ask("q", time.Minute)
	c.now = c.now.Add(-time.Hour)
	c.workers[1].ask("q", time.Minute)
	c.wantAsked(2)
}

func TestAnswersUnderOtherKeysAreNobodys(t *testing.T) {
	c := newCrew(t, 1, 1)
	c.workers[0].ask("q", time.Minute)
	c.workers[0].reply("a", nil)
	ring, err := session.NewKeyring([]session.Key{{ID: "another", Secret: bytes.Repeat([]byte{8}, 32)}})
	if err != nil {
		t.Fatal(err)
	}
	s := sealer(t, c.memory)
	s.Keys = ring
	newer := &hand{crew: c, Scheduler: c.workers[0].Scheduler, once: NewOnce(s, "tokens", 1), open: c.workers[0].open}
	out := newer.ask("q", time.Minute)
	newer.reply("b", nil)
	wantAnswer(t, "b", out)
	if a, _, _ := NewOnce(s, "tokens", 1).Peek("q", c.now); string(a) != "b" {
		t.Errorf("its workers share %q", a)
	}
}

func TestQuestionsOfAnotherNameOrGateAreOthers(t *testing.T) {
	c := newCrew(t, 1, 1)
	c.workers[0].ask("q", time.Minute)
	c.workers[0].reply("a", nil)
	for name, other := range map[string]*Once{
		"another name": NewOnce(sealer(t, c.memory), "keys", 1),
		"another gate": NewOnce(sealer(t, c.memory, "another"), "tokens", 1),
	} {
		if a, _, ok := other.Peek("q", c.now); ok {
			t.Errorf("%s: %q", name, a)
		}
	}
}

func TestWithoutRandomnessNobodyAsks(t *testing.T) {
	c := newCrew(t, 1, 1)
	c.workers[0].once.Random = strings.NewReader("")
	out := c.workers[0].ask("q", time.Minute)
	if c.wantAsked(0); !out.over || out.err == nil {
		t.Errorf("over %t with %v", out.over, out.err)
	}
}
