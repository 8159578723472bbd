package bearer

// Refusal says why a token or a proof is not good. Its code is what the caller
// is told (RFC 6750, section 3.1; RFC 9449, sections 7.1 and 9); its reason is a
// stable word for logs, tests and metrics. Neither repeats anything of the
// token.
type Refusal struct {
	Code, Reason string
	Scopes       []string // of which one would do; nil where that is not the point
}

func (r *Refusal) Error() string { return "bearer: " + r.Reason }

// The codes of refusals.
const (
	InvalidRequest    = "invalid_request"
	InvalidToken      = "invalid_token"
	InsufficientScope = "insufficient_scope"
	// InsufficientAuthentication is of RFC 9470, section 3.
	InsufficientAuthentication = "insufficient_user_authentication"
	InvalidProof               = "invalid_dpop_proof"
	UseNonce                   = "use_dpop_nonce"
)

func refuse(code, reason string) *Refusal { return &Refusal{Code: code, Reason: reason} }
