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

// owns reports whether a path is one of Postern's, and not the application's.
func (g *Gate) owns(path string) bool { return g.describes(path) || g.paths.own(path) }

// resourceLimit bounds the paths that we name metadata for.
const resourceLimit = 512

// resourceOf is the path of the resource that a request is for, as its client
// wrote it: to a client that keeps to RFC 9728, section 3.3, metadata are of use
// only if they are about the very address that it asked for. It is "", which
// stands for the whole host, for what is ours and for what is in no client's
// settings.
func (g *Gate) resourceOf(q *request) string {
	path, _, _ := strings.Cut(q.target.Raw, "?")
	switch rest, ok := strings.CutPrefix(path, g.paths.auth); {
	case !g.paths.own(q.target.Path):
	case !ok:
		return ""
	case rest != "":
		path = rest
	default:
		path = pathOf(g.wantedOf(q))
	}
	if path == "/" || len(path) > resourceLimit || strings.ContainsAny(path, `"\`) {
		return ""
	}
	return path
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
	raw, _, _ := strings.Cut(q.target.Raw, "?")
	path, ok := strings.CutPrefix(raw, resourcePath)
	if !ok { // some of it came escaped
		path = strings.TrimPrefix(q.target.Path, resourcePath)
	}
	m := resourceMetadata{
		Resource: g.origin(q) + path,
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
