package oidc

import (
	"net/url"
	"strings"

	"github.com/postern-auth/postern/internal/flow"
)

// LogoutURL returns the address that asks the provider to sign a person out
// (RP-Initiated Logout 1.0, section 2), or false where the provider has none.
// It waits for the provider to be known. The ID token and the address to
// return to may be empty; state goes along with the latter only.
func (p *Provider) LogoutURL(env flow.Env, idTokenHint, postLogoutRedirectURI, state string) (string, bool, error) {
	if err := p.await(env); err != nil {
		return "", false, err
	}
	if p.meta.endSession == "" {
		return "", false, nil
	}
	q := url.Values{"client_id": {p.settings.ClientID}}
	if idTokenHint != "" {
		q.Set("id_token_hint", idTokenHint)
	}
	if postLogoutRedirectURI != "" {
		q.Set("post_logout_redirect_uri", postLogoutRedirectURI)
		if state != "" {
			q.Set("state", state)
		}
	}
	return withQuery(p.meta.endSession, q), true, nil
}

// withQuery adds parameters to those that an address may have already.
func withQuery(address string, q url.Values) string {
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + q.Encode()
}
