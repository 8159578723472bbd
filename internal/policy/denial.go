package policy

import "github.com/postern-auth/postern/internal/session"

// Denial says why somebody may not pass, and whether a login can cure it.
type Denial struct {
	Reason  string    // of the first thing that is missing: one of the Reason constants
	Missing []Missing // all that is missing, in the settings' order
	// Cure is what a login has to bring so that nothing is missing any more; nil
	// where no login can, or where one was asked for it in vain.
	Cure *session.Step
	// Tried says that a login could cure it, and one that asked for it did not
	// bring it.
	Tried bool
}

// Missing is a requirement that is not met.
type Missing struct {
	Reason string
	Claim  string    // of ReasonClaim: its name or path
	Wanted []string  // what would do: one of these, or all of ReasonScope and ReasonEnrich
	Prefix []string  // of ReasonClaim: beginnings of which one would do
	MaxAge int64     // of ReasonMaxAge: seconds
	Any    []Missing // of ReasonAny: what is missing in each alternative, the nearest first
	Beside []Missing // of an alternative: what is missing in it, too
}

// Reasons for which somebody may not pass. They are stable: logs, metrics,
// answers and tests name them.
const (
	ReasonGroup       = "group_missing"
	ReasonRole        = "role_missing"
	ReasonScope       = "scope_missing"
	ReasonEmail       = "email_not_allowed"
	ReasonEmailDomain = "email_domain_not_allowed"
	ReasonUnverified  = "email_not_verified"
	ReasonClient      = "client_not_allowed"
	ReasonClaim       = "claim_missing"
	ReasonACR         = "acr_insufficient"
	ReasonMaxAge      = "login_too_old"
	ReasonAMR         = "amr_missing"
	ReasonProvider    = "provider_not_allowed"
	ReasonAny         = "none_met"
	ReasonNot         = "excluded"
	ReasonOutdated    = "claims_outdated"
	ReasonEnrich      = "enrich_missing" // a question about them found no answer
)
