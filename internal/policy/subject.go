package policy

import (
	"github.com/postern-auth/postern/internal/session"
)

// Subject is who asks, as requirements see them.
type Subject struct {
	Provider string // its name in the settings
	ClientID string // whom the session or the token was given to
	Claims   map[string]session.Claim
	Scopes   []string // that were granted

	ACR      string // OpenID Connect Core, section 2
	AMR      []string
	AuthTime int64 // seconds since 1970; 0: not told

	// Unverified says that the provider says that the e-mail address was not
	// verified.
	Unverified bool
	// Outdated says that the claims were picked under other settings: what these
	// demand of claims cannot be told by them.
	Outdated bool
	// Questions are the questions that the person's provider can be asked, by the
	// claims that they bring, and Enriched those that found an answer.
	Questions map[string]string
	Enriched  []string
	// Asked is what the login asked for beside the usual, and Begun when it was
	// done, in seconds since 1970: what was asked for then and not given is not
	// asked for again. Of a token both are zero.
	Asked session.Step
	Begun int64
}
