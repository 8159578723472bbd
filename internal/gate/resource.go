package gate

import (
	"strings"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/bearer"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// resourcePath is where a protected resource describes itself (RFC 9728,
// section 3), followed by the path of the resource.
const resourcePath = "/.well-known/oauth-protected-resource"

// describes reports whether a path is that of the metadata.
func (g *Gate) describes(path string) bool {
	rest, ok := strings.CutPrefix(path, resourcePath)
	return ok && g.tokens != nil && (rest == "" || rest[0] == '/')
}

// resourceMetadata are RFC 9728, section 2.
type resourceMetadata struct {
	Resource      string   `json:"resource"`
	Servers       []string `json:"authorization_servers"`
	Methods       []string `json:"bearer_methods_supported"`
	Scopes        []string `json:"scopes_supported,omitempty"`
	Name          string   `json:"resource_name,omitempty"`
	Documentation string   `json:"resource_documentation,omitempty"`

	DPoPAlgorithms   []string `json:"dpop_signing_alg_values_supported"`
	DPoPOnly         bool     `json:"dpop_bound_access_tokens_required,omitempty"`
	CertificateBound bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
}

// serveResource tells clients where tokens for this host are to be had. It is
// for everybody, pages of any site included.
func (g *Gate) serveResource(q *request) Verdict {
	if q.Method != "GET" && q.Method != "HEAD" {
		return g.wrongMethod(q, "GET, HEAD")
	}
	set := &g.settings.Resource
	m := resourceMetadata{
		Resource: g.origin(q) + strings.TrimPrefix(q.target.Path, resourcePath),
		Methods:  []string{"header"}, Scopes: set.Scopes, Name: set.Name, Documentation: set.Documentation,
		DPoPAlgorithms: bearer.ProofAlgorithms(), DPoPOnly: g.tokens.OnlyDPoP(),
	}
	for i := range g.settings.Bearer {
		b := &g.settings.Bearer[i]
		m.Servers = append(m.Servers, g.providers[b.Provider].Issuer())
		m.CertificateBound = m.CertificateBound || b.Bound == "certificate"
	}
	body, err := json.Marshal(m)
	if err != nil {
		return g.internal(q)
	}
	return Verdict{Respond: &Respond{Status: 200, Reason: "resource_metadata", Body: body, Header: httpmsg.Fields{
		{Name: "content-type", Value: "application/json"},
		{Name: "cache-control", Value: "public, max-age=3600"},
		{Name: "access-control-allow-origin", Value: "*"},
		{Name: "x-content-type-options", Value: "nosniff"},
	}}}
}
