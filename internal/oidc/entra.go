package oidc

import "github.com/postern-auth/postern/internal/flow"

// Speaks reports whether tokens of the issuer are this provider's to verify.
func (p *Provider) Speaks(issuer string) bool { return issuer == p.settings.Issuer }

// Complete adds to what an ID token says what the provider left out of it because
// it was too much, where it is wanted.
func (p *Provider) Complete(env flow.Env, id *IDToken, access Access, wants func(claim string) bool) error {
	return nil
}

// Granted are the scopes that were granted, in the words in which they were asked
// for.
func (p *Provider) Granted(asked, granted []string) []string { return granted }
