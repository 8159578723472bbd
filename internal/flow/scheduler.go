package flow

import (
	"iter"
	"slices"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// Scheduler runs flows as coroutines on the one thread of its host. The host
// tells it of answers (Deliver) and of time (Tick).
type Scheduler struct {
	dispatch func(Call) (id uint32, err error)
	now      func() time.Time

	// OnCall, unless it is nil, is told of each call that was answered, or failed,
	// and how long that took.
	OnCall func(c *Call, r *Response, err error, took time.Duration)

	calls   map[uint32]*Task // suspended in Fetch, by call id
	waiting []*Task          // suspended in Wait, in order of arrival
	ready   []*Task          // to be resumed by the outermost run
	active  int              // started and not ended
	depth   int              // > 0 while a task runs
}

// NewScheduler returns a scheduler that sends calls by dispatch and takes the
// time from now. Dispatch returns an id that Deliver will name, or an error if
// the call could not be sent.
func NewScheduler(dispatch func(Call) (uint32, error), now func() time.Time) *Scheduler {
	return &Scheduler{dispatch: dispatch, now: now, calls: map[uint32]*Task{}}
}

// Active returns how many flows have begun and not ended.
func (s *Scheduler) Active() int { return s.active }

// Waiting returns how many flows wait for an event.
func (s *Scheduler) Waiting() int { return len(s.waiting) }

// Next returns when the first of the waits ends, if there is any: the host is
// to call Tick then.
func (s *Scheduler) Next() (first time.Time, ok bool) {
	for _, t := range s.waiting {
		if !ok || t.deadline.Before(first) {
			first, ok = t.deadline, true
		}
	}
	return first, ok
}

// Go starts f and runs it until it first suspends or ends. Within a flow it
// puts f in line, to begin when that flow suspends or ends. The trace is the
// fields that go along with each of its calls, and with those of the flows that
// it starts.
func (s *Scheduler) Go(f Func, trace ...httpmsg.Field) *Task {
	t := &Task{s: s, trace: trace}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		f(t)
	})
	s.active++
	s.ready = append(s.ready, t)
	s.run()
	return t
}

// Deliver resumes the flow that made the call. It reports whether there was
// one; an answer that nobody waits for any more is dropped.
func (s *Scheduler) Deliver(id uint32, r Response, err error) bool {
	t, ok := s.calls[id]
	if !ok {
		return false
	}
	delete(s.calls, id)
	t.response = r
	s.resume(t, err)
	s.run()
	return true
}

// Tick ends the waits whose time is up.
func (s *Scheduler) Tick() {
	now := s.now()
	kept := s.waiting[:0]
	for _, t := range s.waiting {
		if now.Before(t.deadline) {
			kept = append(kept, t)
			continue
		}
		t.event.forget(t)
		s.resume(t, ErrTimeout)
	}
	clear(s.waiting[len(kept):])
	s.waiting = kept
	s.run()
}

// resume puts t in line to go on with err.
func (s *Scheduler) resume(t *Task, err error) {
	t.err = err
	s.ready = append(s.ready, t)
}

// run resumes tasks until none is ready. A task that makes another ready (by
// firing an event) does not nest into it: the outermost run takes it up.
func (s *Scheduler) run() {
	if s.depth > 0 {
		return
	}
	s.depth++
	defer func() { s.depth-- }()
	for len(s.ready) > 0 {
		t := s.ready[0]
		s.ready = s.ready[1:]
		if !t.ended {
			t.step()
		}
	}
	s.ready = nil
}

func (s *Scheduler) unwait(t *Task) {
	for i, w := range s.waiting {
		if w == t {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			return
		}
	}
}

// Task is a flow under way. It is the Env of its flow.
type Task struct {
	s     *Scheduler
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	trace httpmsg.Fields

	running  bool
	ended    bool
	canceled bool

	call     uint32 // the call it is suspended on, if onCall
	onCall   bool
	event    *Event // the event it is suspended on, if not nil
	deadline time.Time

	response Response // what it is resumed with
	err      error
}

// step runs the task until it suspends or ends. A panic ends it as well, and
// goes on to the caller.
func (t *Task) step() {
	suspended := false
	t.running = true
	defer func() {
		t.running = false
		if !suspended {
			t.end()
		}
	}()
	_, suspended = t.next()
}

// Go implements Env.
func (t *Task) Go(f Func) { t.s.Go(f, t.trace...) }

// Now implements Env.
func (t *Task) Now() time.Time { return t.s.now() }

// Fetch implements Fetcher.
func (t *Task) Fetch(c Call) (Response, error) {
	if t.canceled {
		return Response{}, ErrCanceled
	}
	begun := t.s.now()
	r, err := t.fetch(c)
	if t.s.OnCall != nil && err != ErrCanceled {
		t.s.OnCall(&c, &r, err, t.s.now().Sub(begun))
	}
	if err != nil {
		return Response{}, err
	}
	if c.MaxBody > 0 && len(r.Body) > c.MaxBody {
		return Response{}, ErrTooLarge
	}
	return r, nil
}

// fetch sends a call, with the trace, and waits for what comes of it.
func (t *Task) fetch(c Call) (Response, error) {
	if len(t.trace) > 0 {
		c.Header = slices.Concat(c.Header, t.trace)
	}
	id, err := t.s.dispatch(c)
	if err != nil {
		return Response{}, err
	}
	t.call, t.onCall = id, true
	t.s.calls[id] = t
	err = t.suspend()
	t.onCall = false
	r := t.response
	t.response = Response{}
	return r, err
}

// Wait implements Env.
func (t *Task) Wait(e *Event, d time.Duration) error {
	if t.canceled {
		return ErrCanceled
	}
	t.event, t.deadline = e, t.s.now().Add(d)
	e.waiters = append(e.waiters, t)
	t.s.waiting = append(t.s.waiting, t)
	err := t.suspend()
	t.event = nil
	return err
}

// suspend gives the thread back until the scheduler resumes the task, and
// returns the error it is resumed with.
func (t *Task) suspend() error {
	if !t.yield(struct{}{}) {
		return ErrCanceled
	}
	return t.err
}

// Cancel ends the flow: the call or wait it is suspended on returns
// ErrCanceled, and so does every later one. A flow that is running learns of
// it at its next call; one that has ended is left alone.
func (t *Task) Cancel() {
	if t.ended || t.canceled {
		return
	}
	t.canceled = true
	if t.running {
		return
	}
	if t.onCall {
		delete(t.s.calls, t.call)
	}
	if t.event != nil {
		t.event.forget(t)
		t.s.unwait(t)
	}
	t.unwind()
	t.s.run()
}

// unwind runs the flow to its end. What it fires on its way out is taken up by
// the next run; a panic goes on to the caller.
func (t *Task) unwind() {
	t.s.depth++
	defer func() {
		t.s.depth--
		t.end()
	}()
	t.stop()
}

func (t *Task) end() {
	if !t.ended {
		t.ended = true
		t.s.active--
	}
}

// Event is something that several flows may wait for. The zero Event is ready
// for use; it can fire any number of times.
type Event struct{ waiters []*Task }

// Fire resumes every flow that waits for the event now.
func (e *Event) Fire() {
	waiters := e.waiters
	e.waiters = nil
	var s *Scheduler
	for _, t := range waiters {
		s = t.s
		s.unwait(t)
		s.resume(t, nil)
	}
	if s != nil {
		s.run()
	}
}

func (e *Event) forget(t *Task) {
	for i, w := range e.waiters {
		if w == t {
			e.waiters = append(e.waiters[:i], e.waiters[i+1:]...)
			return
		}
	}
}

// Direct is an Env for code that may block: tests and command-line tools. Do
// makes the calls; a wait finds nobody who could fire the event and times out.
type Direct struct {
	Do    func(Call) (Response, error)
	Clock func() time.Time
}

// Fetch implements Fetcher.
func (d Direct) Fetch(c Call) (Response, error) {
	r, err := d.Do(c)
	if err == nil && c.MaxBody > 0 && len(r.Body) > c.MaxBody {
		return Response{}, ErrTooLarge
	}
	return r, err
}

// Wait implements Env.
func (d Direct) Wait(*Event, time.Duration) error { return ErrTimeout }

// Go implements Env: the flow has ended when Go returns.
func (d Direct) Go(f Func) { f(d) }

// Now implements Env.
func (d Direct) Now() time.Time { return d.Clock() }
