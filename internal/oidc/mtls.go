package oidc

import "github.com/go-jose/go-jose/v4/json"

// byCertificate reports whether the provider is to see the client's certificate,
// which Envoy's cluster shows: to know the client, or to bind tokens to it (RFC
// 8705, sections 2 and 3).
func (p *Provider) byCertificate() bool {
	return p.settings.ByCertificate() || p.settings.TokenBinding == "mtls"
}

// aliased returns the metadata with the addresses at which the provider asks for
// certificates, where it has others for that (RFC 8705, section 5).
func (d metadataDocument) aliased() metadataDocument {
	var aliases map[string]any
	if json.Unmarshal(d.Aliases, &aliases) != nil {
		return d
	}
	for _, e := range [...]struct {
		name    string
		address *string
	}{
		{"token_endpoint", &d.Token}, {"userinfo_endpoint", &d.Userinfo}, {"revocation_endpoint", &d.Revocation},
		{"introspection_endpoint", &d.Introspection}, {"pushed_authorization_request_endpoint", &d.Pushed},
	} {
		if alias, ok := aliases[e.name].(string); ok && alias != "" {
			*e.address = alias
		}
	}
	return d
}
