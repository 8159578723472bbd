package flow

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// bench is a scheduler with a host that notes calls and answers none.
type bench struct {
	*Scheduler
	sent []Call
	time time.Time
	fail error
}

func newBench() *bench {
	b := &bench{time: time.Unix(1_000_000, 0)}
	b.Scheduler = NewScheduler(func(c Call) (uint32, error) {
		if b.fail != nil {
			return 0, b.fail
		}
		b.sent = append(b.sent, c)
		return uint32(len(b.sent)), nil
	}, func() time.Time { return b.time })
	return b
}

func TestAFlowReadsTopToBottomOverSeveralCalls(t *testing.T) {
	b := newBench()
	var got []int
	b.Go(func(env Env) {
		for _, path := range []string{"/a", "/b"} {
			r, err := env.Fetch(Call{Path: path})
			if err != nil {
				t.Errorf("fetch %s: %v", path, err)
			}
			got = append(got, r.Status)
		}
	})
	if b.Active() != 1 || len(b.sent) != 1 {
		t.Fatalf("after the start: %d active, %d sent", b.Active(), len(b.sent))
	}
	b.Deliver(1, Response{Status: 201}, nil)
	b.Deliver(2, Response{Status: 202}, nil)
	if diff := cmp.Diff([]int{201, 202}, got); diff != "" {
		t.Error(diff)
	}
	if b.Active() != 0 {
		t.Errorf("%d flows still active", b.Active())
	}
}

func TestAnAnswerThatNobodyWaitsForIsDropped(t *testing.T) {
	b := newBench()
	if b.Deliver(7, Response{}, nil) {
		t.Error("delivered an answer to nobody")
	}
	task := b.Go(func(env Env) { _, _ = env.Fetch(Call{}) })
	task.Cancel()
	if b.Deliver(1, Response{}, nil) {
		t.Error("delivered an answer to a flow that was canceled")
	}
}

func TestACallThatCannotBeSentFailsAtOnce(t *testing.T) {
	b := newBench()
	b.fail = ErrUnavailable
	var got error
	b.Go(func(env Env) { _, got = env.Fetch(Call{}) })
	if !errors.Is(got, ErrUnavailable) || b.Active() != 0 {
		t.Errorf("got %v, %d active", got, b.Active())
	}
}

func TestAnAnswerOverTheCallsLimitIsAnError(t *testing.T) {
	b := newBench()
	var got []error
	b.Go(func(env Env) {
		for range 2 {
			_, err := env.Fetch(Call{MaxBody: 3})
			got = append(got, err)
		}
	})
	b.Deliver(1, Response{Body: []byte("1234")}, nil)
	b.Deliver(2, Response{Body: []byte("123")}, nil)
	if len(got) != 2 || !errors.Is(got[0], ErrTooLarge) || got[1] != nil {
		t.Errorf("got %v", got)
	}
}

func TestAnEventResumesAllThatWaitAndNoneThatComeLater(t *testing.T) {
	b := newBench()
	var e Event
	resumed := 0
	wait := func(env Env) {
		if err := env.Wait(&e, time.Minute); err == nil {
			resumed++
		}
	}
	b.Go(wait)
	b.Go(wait)
	e.Fire()
	b.Go(wait)
	if resumed != 2 || b.Waiting() != 1 {
		t.Errorf("%d resumed, %d waiting", resumed, b.Waiting())
	}
}

func TestAWaitEndsWhenItsTimeIsUp(t *testing.T) {
	b := newBench()
	var e Event
	var got error
	b.Go(func(env Env) { got = env.Wait(&e, time.Second) })
	b.time = b.time.Add(999 * time.Millisecond)
	b.Tick()
	if got != nil {
		t.Fatalf("ended early: %v", got)
	}
	b.time = b.time.Add(time.Millisecond)
	b.Tick()
	if !errors.Is(got, ErrTimeout) || b.Waiting() != 0 {
		t.Errorf("got %v, %d waiting", got, b.Waiting())
	}
	e.Fire() // must not resume what has ended
	if b.Active() != 0 {
		t.Errorf("%d active", b.Active())
	}
}

func TestCancelEndsAFlowWhereverItIsSuspended(t *testing.T) {
	var e Event
	for name, suspend := range map[string]func(Env) error{
		"in a call": func(env Env) error { _, err := env.Fetch(Call{}); return err },
		"in a wait": func(env Env) error { return env.Wait(&e, time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			var first, later error
			task := b.Go(func(env Env) {
				first = suspend(env)
				later = suspend(env)
			})
			task.Cancel()
			task.Cancel()
			if !errors.Is(first, ErrCanceled) || !errors.Is(later, ErrCanceled) {
				t.Errorf("got %v, then %v", first, later)
			}
			if b.Active() != 0 || b.Waiting() != 0 {
				t.Errorf("%d active, %d waiting", b.Active(), b.Waiting())
			}
			e.Fire()
		})
	}
}

func TestAFlowThatCancelsItselfLearnsOfItAtItsNextCall(t *testing.T) {
	b := newBench()
	var task *Task
	var got error
	task = b.Go(func(env Env) {
		_, _ = env.Fetch(Call{})
		task.Cancel()
		_, got = env.Fetch(Call{})
	})
	b.Deliver(1, Response{}, nil)
	if !errors.Is(got, ErrCanceled) || len(b.sent) != 1 || b.Active() != 0 {
		t.Errorf("got %v, %d sent, %d active", got, len(b.sent), b.Active())
	}
}

func TestAPanicEndsItsFlowAndNoOther(t *testing.T) {
	b := newBench()
	done := false
	b.Go(func(env Env) { _, _ = env.Fetch(Call{}); panic("broken") })
	b.Go(func(env Env) { _, _ = env.Fetch(Call{}); done = true })
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not reach the host")
			}
		}()
		b.Deliver(1, Response{}, nil)
	}()
	b.Deliver(2, Response{}, nil)
	if !done || b.Active() != 0 {
		t.Errorf("the other flow ended: %v; %d active", done, b.Active())
	}
}

func TestWorkThatIsSharedOutlivesTheFlowThatBeganIt(t *testing.T) {
	b := newBench()
	var e Event
	shared, outcome := false, error(nil)
	first := b.Go(func(env Env) {
		env.Go(func(env Env) {
			_, _ = env.Fetch(Call{})
			shared = true
			e.Fire()
		})
		outcome = env.Wait(&e, time.Minute)
	})
	other := error(ErrTimeout)
	b.Go(func(env Env) { other = env.Wait(&e, time.Minute) })
	first.Cancel()
	b.Deliver(1, Response{}, nil)
	if !shared || other != nil || !errors.Is(outcome, ErrCanceled) {
		t.Errorf("shared %v, other %v, first %v", shared, other, outcome)
	}
}

func TestAPanicOnTheWayOutLeavesTheOthersAlone(t *testing.T) {
	b := newBench()
	task := b.Go(func(env Env) {
		_, _ = env.Fetch(Call{})
		panic("broken")
	})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not reach the host")
			}
		}()
		task.Cancel()
	}()
	done := false
	b.Go(func(Env) { done = true })
	if !done || b.Active() != 0 {
		t.Errorf("the next flow ran: %v; %d active", done, b.Active())
	}
}

func TestAPauseLastsAsLongAsItSays(t *testing.T) {
	b := newBench()
	var ended []time.Duration
	start := b.time
	for _, d := range []time.Duration{300 * time.Millisecond, 100 * time.Millisecond} {
		b.Go(func(env Env) {
			if err := Pause(env, d); err != nil {
				t.Error(err)
			}
			ended = append(ended, b.time.Sub(start))
		})
	}
	for next, ok := b.Next(); ok; next, ok = b.Next() {
		b.time = next
		b.Tick()
	}
	if diff := cmp.Diff([]time.Duration{100 * time.Millisecond, 300 * time.Millisecond}, ended); diff != "" {
		t.Error(diff)
	}
}

func TestAPauseThatNobodyWantsAnyMoreEnds(t *testing.T) {
	b := newBench()
	var got error
	task := b.Go(func(env Env) { got = Pause(env, time.Hour) })
	task.Cancel()
	if !errors.Is(got, ErrCanceled) || b.Active() != 0 {
		t.Errorf("got %v, %d active", got, b.Active())
	}
	if _, waits := b.Next(); waits {
		t.Error("it still waits")
	}
}

func TestCallsCarryTheTraceOfTheirFlowAndOfTheOneThatBeganIt(t *testing.T) {
	var sent []httpmsg.Fields
	s := NewScheduler(func(c Call) (uint32, error) {
		sent = append(sent, c.Header)
		return uint32(len(sent)), nil
	}, time.Now)
	own := httpmsg.Fields{{Name: "accept", Value: "*/*"}}
	s.Go(func(env Env) {
		env.Go(func(env Env) { _, _ = env.Fetch(Call{}) })
		_, _ = env.Fetch(Call{Header: own})
	}, httpmsg.Field{Name: "x-request-id", Value: "r-1"})
	s.Go(func(env Env) { _, _ = env.Fetch(Call{Header: own}) })
	trace := httpmsg.Field{Name: "x-request-id", Value: "r-1"}
	want := []httpmsg.Fields{{own[0], trace}, {trace}, own}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("header of the calls (-want +got):\n%s", diff)
	}
}

func TestCallsAreToldOfWithTheTimeThatTheyTook(t *testing.T) {
	now, next := time.Unix(0, 0), uint32(0)
	s := NewScheduler(func(c Call) (uint32, error) {
		if c.Step == "refused" {
			return 0, ErrNotSent
		}
		next++
		return next, nil
	}, func() time.Time { return now })
	var told []string
	s.OnCall = func(c *Call, r *Response, err error, took time.Duration) {
		told = append(told, fmt.Sprint(c.Step, r.Status, err, took))
	}
	for _, step := range []string{"answered", "lost", "given up", "refused"} {
		task := s.Go(func(env Env) { _, _ = env.Fetch(Call{Step: step}) })
		now = now.Add(time.Second)
		switch step {
		case "answered":
			s.Deliver(next, Response{Status: 200}, nil)
		case "lost":
			s.Deliver(next, Response{}, ErrUnavailable)
		}
		task.Cancel()
	}
	want := []string{
		fmt.Sprint("answered", 200, nil, time.Second),
		fmt.Sprint("lost", 0, ErrUnavailable, time.Second),
		fmt.Sprint("refused", 0, ErrNotSent, time.Duration(0)),
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told of (-want +got):\n%s", diff)
	}
}
