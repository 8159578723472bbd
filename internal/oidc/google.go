package oidc

import "net/url"

// extraParams adds to an authorisation request what a provider of this type
// wants beside.
func (p *Provider) extraParams(q url.Values) {}
