package gate

import (
	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// Event is something an operator may want to know: one line of JSON in the
// log. It holds codes and names only, nothing that a caller or a provider
// worded freely but the subject, and no secret.
type Event struct {
	Event     string   `json:"event"`
	Reason    string   `json:"reason,omitempty"`
	Provider  string   `json:"provider,omitempty"`
	Step      string   `json:"step,omitempty"`
	Cause     string   `json:"cause,omitempty"`
	Dropped   []string `json:"dropped,omitempty"`
	Bytes     int      `json:"bytes,omitempty"`
	RequestID string   `json:"request_id,omitempty"`

	// Rule is the rule that decided, by its name or its number, and Subject whom
	// the decision is about, as their provider names them.
	Rule    string `json:"rule,omitempty"`
	Subject string `json:"subject,omitempty"`

	// Would is the event that an observed one would have been.
	Would string `json:"would,omitempty"`
}

// The names of events.
const (
	EventSignedIn        = "signed_in"
	EventSignedOut       = "signed_out"
	EventLoginRefused    = "login_refused"
	EventLoginRestarted  = "login_restarted"
	EventRequestRefused  = "request_refused"
	EventAccessDenied    = "access_denied"   // a rule did not let a request pass
	EventAccessObserved  = "access_observed" // a rule would not have let it pass, and it did
	EventAccessAllowed   = "access_allowed"
	EventSignInNeeded    = "sign_in_needed" // a browser was sent to sign in, or to do so anew
	EventSessionRefused  = "session_refused"
	EventTokenRefused    = "token_refused"
	EventOutboundRefused = "outbound_refused" // a request of the application's could not be given a token
	EventSessionTrimmed  = "session_trimmed"
	EventIdentityTrimmed = "identity_trimmed" // fields of an identity are not sent: too long, or not signed
	EventProviderFailure = "provider_failure"
	EventSessionRenewed  = "session_renewed"
	EventSessionEnded    = "session_ended"    // it was ended by somebody or something else than its own browser
	EventSessionGrace    = "session_grace"    // a cookie that was just replaced was taken for the new one
	EventSessionReplayed = "session_replayed" // a cookie that was replaced long ago came back
	EventLogoutRefused   = "logout_refused"   // a provider's word that a session is over was not accepted
	EventRefreshLost     = "refresh_lost"     // a refresh token was sent and no answer came
	EventStoreFailure    = "store_failure"    // the store did not answer, or refused
	EventStoreRefused    = "store_refused"    // something in the store is not of ours
	EventStoreGap        = "store_gap"        // the store has lost endings; all sessions are confirmed anew
	EventStoreAdmits     = "store_admits"     // a session goes on though the store is away
	EventRenewalUnshared = "renewal_unshared" // other workers do not learn of a renewal
	EventEndingUnshared  = "ending_unshared"  // other workers do not learn of an ending
)

// maxLogged bounds a request id and a subject in the log: a client may choose
// its own of the one, and a provider of the other.
const maxLogged = 128

// JSON returns the event as one line.
func (e Event) JSON() string {
	e.RequestID, e.Subject = shortened(e.RequestID), shortened(e.Subject)
	line, err := json.Marshal(e)
	if err != nil {
		return `{"event":"` + e.Event + `"}`
	}
	return string(line)
}

func shortened(s string) string { return s[:min(len(s), maxLogged)] }

func (g *Gate) tell(r *httpmsg.Request, event, reason string) {
	g.happened(Event{Event: event, Reason: reason, RequestID: r.ID()})
}

// Routine reports whether the event is an ordinary one, that nobody needs to
// look at.
func (e Event) Routine() bool {
	switch e.Event {
	case EventSignedIn, EventSignedOut, EventSessionRenewed, EventSessionGrace, EventSessionEnded, EventAccessAllowed, EventSignInNeeded:
		return true
	}
	return false
}
