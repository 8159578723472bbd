package oidc

import (
	"strings"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/flow"
)

// metadata is what Discovery 1.0, section 3 tells, as far as it is used.
type metadata struct {
	issuer        string // with tenantHole in it where many tenants share it
	authorization string
	token         endpoint
	userinfo      *endpoint
	jwks          endpoint
	sendsIssuer   bool // RFC 9207, section 3; FAPI 2.0 demands it

	endSession    string    // RP-Initiated Logout 1.0, section 2.1; browsers go there
	revocation    *endpoint // RFC 8414, section 2
	introspection *endpoint // the same
	pushed        *endpoint // RFC 9126, section 5
	demandsPushed bool      // the same
}

type metadataDocument struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Userinfo      string `json:"userinfo_endpoint"`
	JWKS          string `json:"jwks_uri"`
	SendsIssuer   bool   `json:"authorization_response_iss_parameter_supported"`
	EndSession    string `json:"end_session_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
	Introspection string `json:"introspection_endpoint"`
	Pushed        string `json:"pushed_authorization_request_endpoint"`
	DemandsPushed bool   `json:"require_pushed_authorization_requests"`

	Aliases json.RawMessage `json:"mtls_endpoint_aliases"`
}

// discover fetches the metadata (Discovery 1.0, section 4).
func (p *Provider) discover(env flow.Env) (*metadata, error) {
	const step = "discovery"
	e, err := p.endpoint(step, strings.TrimSuffix(p.settings.Issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	r, err := p.call(env, step, e, flow.Call{Method: "GET", MaxBody: maxMetadata})
	if err != nil {
		return nil, err
	}
	var doc metadataDocument
	if err := decode(step, r, &doc); err != nil {
		return nil, err
	}
	return p.readMetadata(&doc)
}

// readMetadata resolves the addresses. One that a login needs must be of use;
// the others may be missing.
func (p *Provider) readMetadata(doc *metadataDocument) (m *metadata, err error) {
	const step = "discovery"
	// Section 4.3: the issuer must be exactly the one that was asked.
	if !p.isIssued(doc.Issuer) {
		return nil, refuse(step, "issuer_differs")
	}
	if p.byCertificate() {
		aliased := doc.aliased()
		doc = &aliased
	}
	m = &metadata{issuer: doc.Issuer, sendsIssuer: doc.SendsIssuer || p.settings.Profile == "fapi2", demandsPushed: doc.DemandsPushed}
	// Browsers are sent there; we never call it, and it needs no cluster.
	authorization, err := p.address(step, doc.Authorization)
	if err != nil {
		return nil, err
	}
	m.authorization = authorization.String()
	if m.token, err = p.endpoint(step, doc.Token); err != nil {
		return nil, err
	}
	if m.jwks, err = p.endpoint(step, doc.JWKS); err != nil {
		return nil, err
	}
	if doc.Userinfo != "" {
		e, err := p.endpoint(step, doc.Userinfo)
		switch {
		case err == nil:
			m.userinfo = &e
		case p.settings.Userinfo != "never":
			return nil, err
		}
	}
	p.readOptional(m, doc)
	if m.pushed == nil && p.settings.PAR == "always" {
		return nil, refuse(step, "no_par_endpoint")
	}
	return m, nil
}

// readOptional resolves the endpoints that a login does without.
func (p *Provider) readOptional(m *metadata, doc *metadataDocument) {
	if u, err := p.address("discovery", doc.EndSession); p.useful("end_session_endpoint", doc.EndSession, err) {
		m.endSession = u.String()
	}
	if e, err := p.endpoint("discovery", doc.Revocation); p.useful("revocation_endpoint", doc.Revocation, err) {
		m.revocation = &e
	}
	if e, err := p.endpoint("discovery", doc.Introspection); p.useful("introspection_endpoint", doc.Introspection, err) {
		m.introspection = &e
	}
	if e, err := p.endpoint("discovery", doc.Pushed); p.useful("pushed_authorization_request_endpoint", doc.Pushed, err) {
		m.pushed = &e
	}
}

// useful reports whether an optional endpoint is there and of use. One that is
// there and not of use (no cluster leads there, it is not https) counts as
// absent and is told of once.
func (p *Provider) useful(name, address string, err error) bool {
	unusable := address != "" && err != nil
	if unusable && !p.unusable[name] {
		p.OnFailure(refuse("discovery", name+"_unusable"))
	}
	p.unusable[name] = unusable
	return address != "" && err == nil
}
