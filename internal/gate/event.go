package gate

import (
	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/httpmsg"
)

//go:generate go run ../../tools/observability -o ../../docs

// Event is something an operator may want to know: one line of JSON in the
// log. It holds codes and names only, nothing that a caller or a provider
// worded freely but the subject, and no secret. Its fields are a promise:
// docs/events.schema.json has them, and a release that takes one away, or gives
// one another meaning, says so.
type Event struct {
	// What happened.
	Event string `json:"event"`
	// Why, as a code.
	Reason string `json:"reason,omitempty"`
	// The provider that it is about, by its name in the settings.
	Provider string `json:"provider,omitempty"`
	// What was asked of the provider.
	Step string `json:"step,omitempty"`
	// What the reason comes of, as a code.
	Cause string `json:"cause,omitempty"`
	// What was left out: the names of tokens, claims or fields.
	Dropped []string `json:"dropped,omitempty"`
	// How much room something takes.
	Bytes int `json:"bytes,omitempty"`
	// The request, by its x-request-id, of which at most 128 bytes.
	RequestID string `json:"request_id,omitempty"`
	// The rule that decided, by its name or its number; `unmatched` where none
	// fitted.
	Rule string `json:"rule,omitempty"`
	// Whom the decision is about, as their provider names them (`sub`), of which at
	// most 128 bytes.
	Subject string `json:"subject,omitempty"`
	// The event that an observed one would have been.
	Would string `json:"would,omitempty"`
}

// The names of events.
const (
	// A login brought a session.
	EventSignedIn = "signed_in"
	// Somebody signed out.
	EventSignedOut = "signed_out"
	// A login cannot go on, and the person was told why.
	EventLoginRefused = "login_refused"
	// A login was begun anew, as another tab had taken its place.
	EventLoginRestarted = "login_restarted"
	// A request can be read in two ways, is for another host, or needs what is not
	// to be had now.
	EventRequestRefused = "request_refused"
	// A rule did not let a request pass.
	EventAccessDenied = "access_denied"
	// A rule would not have let a request pass, and it did, for `insecure_observe`.
	EventAccessObserved = "access_observed"
	// A request passed. It is told where `log.decisions` is `all`.
	EventAccessAllowed = "access_allowed"
	// A browser was sent to sign in, or to do so anew.
	EventSignInNeeded = "sign_in_needed"
	// A session's cookies were not accepted.
	EventSessionRefused = "session_refused"
	// A caller's token was not accepted.
	EventTokenRefused = "token_refused"
	// A request of the application's could not be given a token.
	EventOutboundRefused = "outbound_refused"
	// A session was made without some of its tokens, to fit into the browser's
	// cookies.
	EventSessionTrimmed = "session_trimmed"
	// The application is not told all of an identity: a field is too long, or could
	// not be signed.
	EventIdentityTrimmed = "identity_trimmed"
	// A provider did not answer, or not with what it should.
	EventProviderFailure = "provider_failure"
	// The provider has confirmed a session, which goes on.
	EventSessionRenewed = "session_renewed"
	// A session was ended by somebody or something else than its own browser.
	EventSessionEnded = "session_ended"
	// A cookie that was just replaced was taken for the new one.
	EventSessionGrace = "session_grace"
	// A cookie that was replaced long ago came back, as a stolen one would. Its
	// session is over.
	EventSessionReplayed = "session_replayed"
	// A provider's word that a session is over was not accepted.
	EventLogoutRefused = "logout_refused"
	// A refresh token was sent and no answer came.
	EventRefreshLost = "refresh_lost"
	// The store did not answer, or refused.
	EventStoreFailure = "store_failure"
	// Something in the store is not of ours.
	EventStoreRefused = "store_refused"
	// The store has lost endings. All sessions are confirmed anew.
	EventStoreGap = "store_gap"
	// A session goes on though the store is away.
	EventStoreAdmits = "store_admits"
	// Other workers do not learn of a renewal.
	EventRenewalUnshared = "renewal_unshared"
	// Other workers do not learn of an ending.
	EventEndingUnshared = "ending_unshared"
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
