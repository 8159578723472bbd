package oidc

import (
	"errors"
	"strings"

	"github.com/postern-auth/postern/internal/flow"
)

// Failure says why a step with a provider did not succeed. It never carries
// anything that was secret, or that the provider worded.
type Failure struct {
	Step      string // "discovery", "keys", "code exchange", "ID token", "userinfo", …
	Reason    string // a stable code in snake_case, for logs, metrics and tests
	Temporary bool   // the provider may be fine in a moment

	unknown bool // the provider may have carried out what it was asked for
}

// Error implements error.
func (f *Failure) Error() string { return "oidc: " + f.Step + ": " + f.Reason }

// Reason returns the code of a Failure, or "internal" for any other error.
func Reason(err error) string {
	var f *Failure
	if errors.As(err, &f) {
		return f.Reason
	}
	return "internal"
}

// Temporary reports whether the same step may succeed in a moment.
func Temporary(err error) bool {
	var f *Failure
	return errors.As(err, &f) && f.Temporary
}

// Unknown reports whether the provider may have carried out what it was asked
// for, though no usable answer came. What must not be sent twice, such as a
// refresh token that rotates, is then not sent again. A flow that was canceled
// may have been in the middle of it.
func Unknown(err error) bool {
	var f *Failure
	return errors.As(err, &f) && f.unknown || errors.Is(err, flow.ErrCanceled)
}

// They are made in hundreds of places, in each of which they would take their room
// in the module again.

//go:noinline
func refuse(step, reason string) error { return &Failure{Step: step, Reason: reason} }

//go:noinline
func outage(step, reason string) error {
	return &Failure{Step: step, Reason: reason, Temporary: true}
}

// lost is the outage of a call whose outcome is not known.
//
//go:noinline
func lost(step, reason string) error {
	return &Failure{Step: step, Reason: reason, Temporary: true, unknown: true}
}

// statusReason begins the reason for a status that is no answer.
const statusReason = "status_"

// passing makes an outage of a status that no specification foresees, as a
// gateway answers 404 while the provider behind it is being deployed. Nobody's
// session ends for that.
func passing(err error) error {
	var f *Failure
	if errors.As(err, &f) && !f.Temporary && strings.HasPrefix(f.Reason, statusReason) {
		return outage(f.Step, f.Reason)
	}
	return err
}

// unanswered turns what a call came back with instead of an answer into a
// Failure. A flow whose outcome nobody wants stays ErrCanceled.
func unanswered(step string, err error) error {
	switch {
	case errors.Is(err, flow.ErrCanceled):
		return err
	case errors.Is(err, errNoProof):
		return outage(step, "proof_not_made")
	case errors.Is(err, flow.ErrTooLarge):
		return lost(step, "answer_too_large")
	case errors.Is(err, flow.ErrNotSent):
		return outage(step, "no_answer")
	default:
		return lost(step, "no_answer")
	}
}
