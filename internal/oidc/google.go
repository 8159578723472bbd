package oidc

import (
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// extraParams adds to an authorisation request what a provider of this type wants
// beside.
func (p *Provider) extraParams(q url.Values) {
	if p.settings.Type != "google" {
		return
	}
	// Only what Google shows: whether it holds is checked in the ID token.
	switch domains := p.settings.HostedDomains; len(domains) {
	case 0:
	case 1:
		q.Set("hd", domains[0])
	default:
		q.Set("hd", "*")
	}
	if p.settings.OfflineAccess {
		q.Set("access_type", "offline")
	}
}

// checkHosted wants a person of one of the Google Workspace domains that the
// settings name. An address's ending would not do: anybody can have a Google
// account with an address of any domain.
func (p *Provider) checkHosted(step string, claims []byte) error {
	domains := p.settings.HostedDomains
	if len(domains) == 0 {
		return nil
	}
	hd := gjson.GetBytes(claims, "hd").Str // "" for what is no string
	if !slices.Contains(domains, strings.ToLower(hd)) {
		return refuse(step, "hosted_domain_not_allowed")
	}
	return nil
}
