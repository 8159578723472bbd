package oidc

import (
	"time"

	"github.com/postern-auth/postern/internal/flow"
)

// Identify says whom tokens are for that were given for a code: by the ID token
// (Core, section 3.1.3.7), or, of a provider without ID tokens, by asking it. What
// it returns is verified. The nonce is the login's.
func (p *Provider) Identify(env flow.Env, t Tokens, nonce string) (*IDToken, error) {
	return p.VerifyIDToken(env, t.ID, nonce, t.Access)
}

// IdentifyAgain is Identify for the tokens of a refresh, which must be for the
// same person (Core, section 12.2). It returns nil where the provider says nothing
// of the person there.
func (p *Provider) IdentifyAgain(env flow.Env, t Tokens, was Original) (*IDToken, error) {
	if t.ID == "" {
		return nil, nil
	}
	return p.VerifyRenewed(env, t.ID, was, t.Access)
}

// Question is a call with a person's access token.
type Question struct {
	Method   string // GET or POST
	URL      string // its host must have a cluster in the provider's settings
	Body     string // JSON, of a POST
	Header   map[string]string
	Next     string        // a gjson path to the next page's address, or "link" (RFC 8288); "" for one page
	MaxPages int           // at least 1
	MaxBytes int           // of one page
	Timeout  time.Duration // of one page; 0 for the provider's own
}

// Ask asks a question and returns the pages of the answer, which are JSON. step
// names it in a Failure. A page on another host than the first is not fetched.
func (p *Provider) Ask(env flow.Env, step string, q Question, access Access) ([][]byte, error) {
	return nil, refuse(step, "not_asked")
}
