package oidc

import (
	"errors"

	"github.com/postern-auth/postern/internal/flow"
)

// Failure says why a step with a provider did not succeed. It never carries
// anything that was secret, or that the provider worded.
type Failure struct {
	Step      string // "discovery", "keys", "code exchange", "ID token", "userinfo"
	Reason    string // a stable code in snake_case, for logs, metrics and tests
	Temporary bool   // the provider may be fine in a moment
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

func refuse(step, reason string) error { return &Failure{Step: step, Reason: reason} }

func outage(step, reason string) error {
	return &Failure{Step: step, Reason: reason, Temporary: true}
}

// unanswered turns what a call came back with instead of an answer into a
// Failure. A flow whose outcome nobody wants stays ErrCanceled.
func unanswered(step string, err error) error {
	switch {
	case errors.Is(err, flow.ErrCanceled):
		return err
	case errors.Is(err, flow.ErrTooLarge):
		return outage(step, "answer_too_large")
	default:
		return outage(step, "no_answer")
	}
}
