package tryout

import (
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-auth/postern/internal/config"
)

// office is what all clients of one issuer have in common: whoever is several of
// them is answered at the same addresses.
type office struct {
	signers map[string]*signer // by algorithm
	codes   map[string]login   // given out and not exchanged
	granted map[string]Claims  // what access tokens say
	people  map[string]Claims  // and whom they are of, where these signed in
}

func newOffice() *office {
	return &office{signers: map[string]*signer{}, codes: map[string]login{}, granted: map[string]Claims{}, people: map[string]Claims{}}
}

// employ has an office sign by all of some algorithms.
func (o *office) employ(algorithms []string) error {
	for _, a := range algorithms {
		if o.signers[a] != nil {
			continue
		}
		s, err := newSigner(a)
		if err != nil {
			return err
		}
		o.signers[a] = s
	}
	return nil
}

func (o *office) public() (set jose.JSONWebKeySet) {
	for _, s := range o.signers {
		set.Keys = append(set.Keys, s.public())
	}
	return set
}

const (
	entraV2 = "/v2.0"
	// someTenant is the Entra tenant of those whose claims name none.
	someTenant = "00000000-0000-4000-8000-000000000001"
	// personal is the tenant of all personal Microsoft accounts.
	personal = "9188040d-6c67-4c5b-b112-36a304b66dad"
)

// tenant is the id of the Entra tenant that claims are of, or "" where the issuer
// is one in itself.
func (c Claims) tenant(p *config.Provider) string {
	switch named := c.text("tid"); {
	case p.Type != "entra" || config.IsTenantID(p.Tenant):
		return ""
	case p.Tenant == "consumers":
		return personal
	case !p.ManyTenants():
		return someTenant
	case named != "":
		return named
	case len(p.Tenants) > 0:
		return p.Tenants[0]
	}
	return someTenant
}

// issuerOf is the issuer of tokens that are of a tenant.
func issuerOf(p *config.Provider, tenant string) string {
	if tenant == "" {
		return p.Issuer
	}
	return strings.TrimSuffix(p.Issuer, p.Tenant+entraV2) + tenant + entraV2
}

// names reports whether claims are said to be of a provider: by its issuer, or by
// its name in the settings. Those that say nothing may be of any.
func (c Claims) names(p *config.Provider) bool {
	named := c.text("iss")
	return slices.Contains([]string{"", p.Name, p.Issuer, issuerOf(p, c.tenant(p))}, named)
}
