package shared

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/postern-auth/postern/internal/flow"
)

// Once has a provider asked one question once, however many requests on
// however many workers want the answer. Answers are kept sealed in a fixed
// number of slots of the shared memory, and in this worker as far as it has
// seen them. An answer that is longer than MaxAnswer is kept in the worker that
// asked alone.
//
// A Once is used from one thread, as the scheduler of its flows is.
type Once struct {
	slots
	name   string
	count  int
	asking map[questionID]*asking
	known  knownAnswers
}

const (
	// MaxAnswer is the longest answer that workers share, in bytes.
	MaxAnswer = 24 << 10
	// poll is how often a worker looks whether another one has the answer.
	poll = 25 * time.Millisecond
	// longestClaim is how long a question may be claimed at most. A claim that
	// says more is of a clock that was set back.
	longestClaim = 5 * time.Minute
)

// NewOnce returns the questions of one name in a shared memory, which has so
// many slots for them.
func NewOnce(s Sealer, name string, slots int) *Once {
	slots = max(slots, 1)
	return &Once{
		slots: newSlots(s), name: name, count: slots,
		asking: map[questionID]*asking{}, known: newKnownAnswers(slots),
	}
}

// Asker asks a provider. It returns the answer, and until when that is good for
// whoever asks later; the zero time is for an answer that is for those alone
// who wait for it.
type Asker func(flow.Env) (answer []byte, good time.Time, err error)

// Ask returns the answer to a question: one that is known and good, or else
// what one worker is told while everybody else waits, for no longer than limit.
// The one who asks gives up its claim after limit as well, and another worker
// may take over. An error is for those who wait in this worker; other workers
// then ask for themselves. Nobody may change the answer.
func (o *Once) Ask(env flow.Env, question string, limit time.Duration, ask Asker) ([]byte, error) {
	id := idOf(question)
	if k, ok := o.known.get(id, env.Now()); ok {
		return k.bytes, nil
	}
	return o.await(env, &query{id: id, limit: limit, ask: ask})
}

// Peek returns the answer that is known and good, and until when it is.
func (o *Once) Peek(question string, now time.Time) (answer []byte, good time.Time, ok bool) {
	id := idOf(question)
	k, ok := o.known.get(id, now)
	if !ok {
		plain, _, _ := o.read(o.slot(id))
		r := decodeRecord(plain)
		if k, ok = r.answer, r.answer.goodFor(id, now); ok {
			o.known.put(id, k, now)
		}
	}
	if !ok {
		return nil, time.Time{}, false
	}
	return k.bytes, k.good, true
}

// Renew is Ask for an answer that is to be had ahead of time, though the one
// that this worker knows is still good. That one stays known meanwhile, and
// stays if asking fails. What another worker was told since is taken for new.
func (o *Once) Renew(env flow.Env, question string, limit time.Duration, ask Asker) ([]byte, error) {
	id := idOf(question)
	q := &query{id: id, limit: limit, ask: ask, renew: true}
	q.had, _ = o.known.get(id, env.Now())
	return o.await(env, q)
}

// query is a question as it is put.
type query struct {
	id     questionID
	limit  time.Duration
	ask    Asker
	renew  bool
	had    answer // what was known when it was to be renewed
	waited uint64 // the first round that another worker was seen to be asking in; 0 for none
}

// asking is one question under way in this worker, for all who wait for it.
type asking struct {
	over  flow.Event
	ended bool
	bytes []byte
	err   error
}

var (
	errPanicked = errors.New("shared: asking ended in a panic")
	errOverdue  = fmt.Errorf("shared: another worker still asks: %w", flow.ErrTimeout)
)

// await waits for the answer. Whoever joined somebody that gave up waiting goes
// on until its own time is up.
func (o *Once) await(env flow.Env, q *query) ([]byte, error) {
	q.limit = min(q.limit, longestClaim)
	for end := env.Now().Add(q.limit); ; {
		a := o.join(env, q)
		for !a.ended {
			if err := env.Wait(&a.over, end.Sub(env.Now())); err != nil && !a.ended {
				return nil, fmt.Errorf("shared: waiting for an answer: %w", err)
			}
		}
		if a.err != errOverdue || !env.Now().Before(end) {
			return a.bytes, a.err
		}
	}
}

// join returns the question that is under way in this worker, and begins it
// where there is none. It belongs to no request: whoever goes away harms
// nobody.
func (o *Once) join(env flow.Env, q *query) *asking {
	if a := o.asking[q.id]; a != nil {
		return a
	}
	a := &asking{err: errPanicked}
	o.asking[q.id] = a
	own := *q
	env.Go(func(env flow.Env) {
		defer func() {
			a.ended = true
			delete(o.asking, own.id)
			a.over.Fire()
		}()
		a.bytes, a.err = o.settle(env, &own)
	})
	return a
}

// settle asks, or waits for the worker that does.
func (o *Once) settle(env flow.Env, q *query) ([]byte, error) {
	var random [8]byte
	if _, err := io.ReadFull(o.Random, random[:]); err != nil {
		return nil, fmt.Errorf("shared: %w", err)
	}
	holder := binary.BigEndian.Uint64(random[:])
	end := env.Now().Add(q.limit)
	for range q.limit/poll + 1 {
		next, r := o.takeTurn(q, holder, env.Now())
		switch next {
		case turnUse:
			o.known.put(q.id, r.answer, env.Now())
			return r.answer.bytes, nil
		case turnAsk:
			return o.put(env, q, r.round, holder)
		case turnAlone:
			return o.put(env, q, r.round, 0)
		}
		if !env.Now().Before(end) {
			break
		}
		if err := flow.Pause(env, poll); err != nil {
			return nil, err
		}
	}
	return nil, errOverdue
}

// turn is what is to be done next to have an answer.
type turn uint8

const (
	turnWait  turn = iota // another worker asks
	turnUse               // the answer is there
	turnAsk               // the claim is ours
	turnAlone             // the place is not to be had: nobody else will learn the answer
)

// takeTurn looks at what is known of a question, claims it where nobody else is
// at it, and says what is to be done.
func (o *Once) takeTurn(q *query, holder uint64, now time.Time) (next turn, r record) {
	slot := o.slot(q.id)
	for range attempts {
		plain, cas, _ := o.read(slot)
		r = decodeRecord(plain)
		if next = q.turn(&r, now); next != turnAsk {
			if next == turnWait && q.waited == 0 {
				q.waited = r.round
			}
			return next, r
		}
		r.round++
		r.claim = lease{q.id, holder, now.Add(q.limit)}
		if o.write(slot, r.encode(), cas) {
			return turnAsk, r
		}
	}
	return turnAlone, r
}

// turn says what a record means to who puts the question.
func (q *query) turn(r *record, now time.Time) turn {
	switch {
	case q.answeredBy(&r.answer, now):
		return turnUse
	case !r.claim.inForce(now):
		return turnAsk
	case r.claim.id == q.id:
		return turnWait
	}
	return turnAlone
}

// answeredBy reports whether an answer will do: a good one, newer than what is
// to be renewed, or one that was waited for.
func (q *query) answeredBy(a *answer, now time.Time) bool {
	if q.waited != 0 && a.id == q.id && a.round >= q.waited {
		return true
	}
	if !a.goodFor(q.id, now) {
		return false
	}
	return !q.renew || q.had.id == q.id && (a.round > q.had.round || a.good.After(q.had.good))
}

// put puts the question to the provider and keeps what it says. Without a
// holder it is for this worker alone.
func (o *Once) put(env flow.Env, q *query, round, holder uint64) ([]byte, error) {
	a, err := answer{id: q.id, round: round}, errPanicked
	defer func() {
		now := env.Now()
		if !a.good.After(now) {
			a.good = time.Time{}
		}
		if holder != 0 {
			o.conclude(&a, holder, err == nil)
		}
		if err == nil {
			o.known.put(q.id, a, now)
		}
	}()
	a.bytes, a.good, err = q.ask(env)
	if err != nil {
		return nil, err
	}
	return a.bytes, nil
}

// conclude gives up a claim, and leaves the answer to the other workers, unless
// somebody who asked later has left one. In the place of an answer that is too
// long nothing is left: the one before does not hold any more.
func (o *Once) conclude(a *answer, holder uint64, answered bool) {
	slot := o.slot(a.id)
	for range attempts {
		plain, cas, _ := o.read(slot)
		r := decodeRecord(plain)
		ours := r.claim.id == a.id && r.claim.holder == holder
		if ours {
			r.claim = lease{}
		}
		leave := answered && (r.answer.id != a.id || r.answer.round <= a.round)
		if leave {
			r.round, r.answer = max(r.round, a.round), *a
		}
		if leave && len(a.bytes) > MaxAnswer {
			r.answer = answer{}
		}
		if !(ours || leave) || o.write(slot, r.encode(), cas) {
			return
		}
	}
}
