// Package flow lets code that needs the network read top to bottom inside a
// host that only calls back.
//
// A Func is ordinary Go: it fetches, looks at the answer, fetches again and
// returns. A Scheduler runs it as a coroutine; each Fetch and each Wait
// suspends it until the host delivers the answer, the event fires, or time
// runs out. Nothing here starts a goroutine that outlives a call, reads a
// clock or knows a host: the host hands in how a call is dispatched and what
// time it is.
//
// A scheduler belongs to one plugin context and is used from one thread.
package flow

import (
	"errors"
	"fmt"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// Errors that a flow may branch on.
var (
	// ErrUnavailable says that the call got no answer: no healthy host, a
	// reset, or the time was up.
	ErrUnavailable = errors.New("flow: no answer")
	// ErrNotSent is the ErrUnavailable of a call that the host did not take:
	// not a byte of it has left. What must not be sent twice may be sent again.
	ErrNotSent = fmt.Errorf("%w: not sent", ErrUnavailable)
	// ErrTooLarge says that the answer was larger than the call allowed.
	ErrTooLarge = errors.New("flow: answer too large")
	// ErrCanceled says that whoever wanted the outcome has gone.
	ErrCanceled = errors.New("flow: canceled")
	// ErrTimeout says that an event did not come in time.
	ErrTimeout = errors.New("flow: timed out")
)

// Call is one HTTP request to a provider.
type Call struct {
	Provider  string // whom it is to, by the name in the settings
	Step      string // what it is for; both are for whoever measures it
	Cluster   string // the Envoy cluster it goes to
	Method    string
	Scheme    string // "https" or "http"
	Authority string
	Path      string // with its query
	Header    httpmsg.Fields
	Body      []byte
	Timeout   time.Duration
	MaxBody   int // bytes; a longer answer is ErrTooLarge
}

// Response is the answer to a Call.
type Response struct {
	Status int
	Header httpmsg.Fields
	Body   []byte
}

// Fetcher makes calls. Within a flow Fetch suspends the flow until the answer
// is there.
type Fetcher interface {
	Fetch(Call) (Response, error)
}

// Env is what a flow may ask of the world.
type Env interface {
	Fetcher
	// Wait suspends the flow until e fires. It returns ErrTimeout after d and
	// ErrCanceled where the outcome is no longer wanted.
	Wait(e *Event, d time.Duration) error
	// Go starts another flow, which outlives this one: work that several
	// share must not end because the one that began it is no longer wanted.
	Go(Func)
	// Now is the time of the host's clock.
	Now() time.Time
}

// Pause suspends a flow for d. It returns ErrCanceled where the outcome is no
// longer wanted.
func Pause(env Env, d time.Duration) error {
	var never Event
	if err := env.Wait(&never, d); err != ErrTimeout {
		return err
	}
	return nil
}

// Func is a piece of work that needs the network.
type Func func(Env)
