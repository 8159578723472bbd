package gate

import (
	"cmp"
	"crypto/subtle"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/session"
)

// party is a provider at which people sign in, with our registration there.
type party struct {
	*oidc.Provider
	wanted
	mark []byte // of session.PartyOf: what stands for it where another host is told
}

func (g *Gate) newParty(p *oidc.Provider) *party {
	s := p.Settings()
	return &party{Provider: p, wanted: g.wanted[s.Name], mark: session.PartyOf(s.Name, s.Issuer, s.ClientID)}
}

// about is the name of the provider that a request is about, as far as that can
// be told; else "".
func (g *Gate) about(q *request) string {
	switch {
	case q.party != nil:
		return q.party.Name()
	case len(g.parties) == 1:
		return g.parties[0].Name()
	}
	return ""
}

func (p *party) clientID() string { return p.Settings().ClientID }

// displayName is what people know the provider by.
func (p *party) displayName() string { return cmp.Or(p.Settings().DisplayName, p.Name()) }

// partyNamed returns the provider of a name at which people sign in, or nil. The
// one that a session names is there once the session was admitted.
func (g *Gate) partyNamed(name string) *party {
	for _, p := range g.parties {
		if p.Name() == name {
			return p
		}
	}
	return nil
}

// partyMarked returns the provider that a login of another host names, or nil.
func (g *Gate) partyMarked(mark []byte) (found *party) {
	for _, p := range g.parties {
		if subtle.ConstantTimeCompare(p.mark, mark) == 1 {
			found = p
		}
	}
	return found
}

// partiesOf returns the providers that speak for an issuer: several where we are
// several clients of it.
func (g *Gate) partiesOf(issuer string) (all []*party) {
	for _, p := range g.parties {
		if p.Speaks(issuer) {
			all = append(all, p)
		}
	}
	return all
}

// partyOf returns the provider that a session is of, or nil where the settings do
// not know it, or know another issuer or client by its name.
func (g *Gate) partyOf(s *session.Session) *party {
	p := g.partyNamed(s.Provider)
	if p == nil || s.ClientID != p.clientID() || !p.Speaks(s.Issuer) || !p.letsIn(s.Realm) {
		return nil
	}
	return p
}

// realmOf is what has to be known of a session's person, beside the issuer, to tell
// under later settings whether people of their kind are still let in: the domain of
// a Google account; the name by which the settings know an Entra tenant whose id
// only the provider can tell.
func (p *party) realmOf(claims []byte) string {
	switch set := p.Settings(); {
	case set.Type == "google":
		return strings.ToLower(gjson.GetBytes(claims, "hd").Str)
	case set.TenantByName():
		return set.Tenant
	}
	return ""
}

// letsIn reports whether people of a realm may sign in.
func (p *party) letsIn(realm string) bool {
	set := p.Settings()
	return (len(set.HostedDomains) == 0 || slices.Contains(set.HostedDomains, realm)) && (!set.TenantByName() || realm == set.Tenant)
}

// signInProviders are the settings of those at which people sign in.
func signInProviders(c *config.Config) (all []*config.Provider) {
	for i := range c.Providers {
		if c.Providers[i].SignsIn() {
			all = append(all, &c.Providers[i])
		}
	}
	return all
}

// offered are the providers at which people sign in for something: those that are
// named, where any of these is known, else all.
func (g *Gate) offered(names []string) []*party {
	some := slices.DeleteFunc(slices.Clone(g.parties), func(p *party) bool { return !slices.Contains(names, p.Name()) })
	if len(some) == 0 {
		return g.parties
	}
	return some
}
