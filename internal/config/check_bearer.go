package config

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// bearers checks which tokens are accepted.
func (r *reader) bearers(path string, c *Config) {
	seen, issuers := make(map[string]string), make(map[string]string)
	for i := range c.Bearer {
		b, here := &c.Bearer[i], index(path, i)
		p := r.providerOf(at(here, "provider"), b.Provider, c.Providers)
		if other, ok := seen[b.Provider]; ok && b.Provider != "" {
			r.problem(at(here, "provider"), "%s has %s already; each provider has one entry", quote(b.Provider), other)
		}
		seen[b.Provider] = here
		if p != nil {
			if other, ok := issuers[p.Issuer]; ok && r.clean(at(here, "provider")) {
				r.problem(at(here, "provider"), "has the issuer of %s, by which tokens are told apart; one of the two has to do", other)
			}
			issuers[p.Issuer] = here
		}
		r.bearer(here, b, p)
	}
	r.between("bearer_cache_bytes", c.BearerCacheBytes, 0, 256<<20)
}

// providerOf returns the provider of a name, or nil and a problem.
func (r *reader) providerOf(path, name string, providers []Provider) *Provider {
	if !r.required(path, name, "the name of one of the providers") {
		return nil
	}
	names := make([]string, 0, len(providers))
	for i := range providers {
		if providers[i].Name == name {
			return &providers[i]
		}
		names = append(names, providers[i].Name)
	}
	r.problem(path, "%s is not the name of a provider: %s", quote(name), list(names))
	return nil
}

func (r *reader) bearer(path string, b *Bearer, p *Provider) {
	r.oneOf(at(path, "check"), b.Check, "jwt", "introspection", "auto")
	r.audiences(path, b)
	r.bearerAlgorithms(at(path, "algorithms"), b, p)
	for i, typ := range b.Types {
		if here := index(at(path, "types"), i); r.clean(here) && !only(typ, 64, func(c byte) bool { return token(c) || c == '/' }) {
			r.problem(here, "%s is not a type, such as %q", quote(typ), "at+jwt")
		}
	}
	r.filled(at(path, "types"), b.Types)
	for _, claim := range slices.Sorted(maps.Keys(b.RequiredClaims)) {
		r.atMost(at(at(path, "required_claims"), claim), claim, 256)
	}
	r.within(at(path, "max_lifetime"), b.MaxLifetime, minute, 0)
	r.within(at(at(path, "introspection"), "cache"), b.Introspection.Cache, 0, hour)
	r.within(at(at(path, "introspection"), "negative_cache"), b.Introspection.NegativeCache, 0, 5*minute)
	if here := at(path, "client_id_header"); b.ClientIDHeader != "" {
		r.header(here, b.ClientIDHeader, map[string]string{})
		b.ClientIDHeader = strings.ToLower(b.ClientIDHeader)
	}
	r.oneOf(at(path, "bound"), b.Bound, "if_bound", "dpop", "certificate", "always")
	r.within(at(at(path, "dpop"), "window"), b.DPoP.Window, 5*time.Second, 5*minute)
	if p != nil && b.Check != "jwt" {
		r.mayAsk(at(path, "check"), p)
	}
	if p != nil {
		r.tenantKnown(at(path, "provider"), p)
	}
	if p != nil && p.Plain() && (b.Check != "introspection" || p.Endpoints.Introspection == "") && r.clean(at(path, "check")) {
		r.problem(at(path, "check"), `must be "introspection" for provider %s, which has no keys, and its endpoints.introspection be set`, quote(p.Name))
	}
}

// tenantKnown wants the tenant's id of an Entra whose tokens are judged: by the name
// of a domain they could not be told from others' before it is asked.
func (r *reader) tenantKnown(path string, p *Provider) {
	if strings.Contains(p.Tenant, ".") && r.clean(path) {
		r.problem(path, "needs the tenant of provider %s as its id, by which tokens name it", quote(p.Name))
	}
}

// audiences wants to know for whom a token is made out, or that it does not
// matter.
func (r *reader) audiences(path string, b *Bearer) {
	here := at(path, "audiences")
	r.filled(here, b.Audiences)
	switch none := b.Audiences == nil; {
	case none && !b.InsecureAnyAudience && r.clean(here):
		r.problem(here, `is required: the names under which the provider makes tokens out to this service, such as ["shop-api"]`)
	case !none && b.InsecureAnyAudience:
		r.problem(at(path, "insecure_any_audience"), "has no meaning beside audiences")
	}
}

func (r *reader) bearerAlgorithms(path string, b *Bearer, p *Provider) {
	if b.Algorithms == nil && p != nil {
		b.Algorithms = p.Algorithms
		return
	}
	r.algorithms(path, b.Algorithms)
}

// mayAsk checks that a provider can be asked as a client of its own: it has no
// reason to answer anybody else (RFC 7662, section 2.1).
func (r *reader) mayAsk(path string, p *Provider) {
	switch {
	case p.ClientID == "":
		r.problem(path, "needs the client_id of provider %s", quote(p.Name))
	case p.ClientAuth == "none":
		r.problem(path, "needs a client that proves who it is: client_secret or client_key of provider %s", quote(p.Name))
	}
}

func (r *reader) outbound(path string, c *Config) {
	for i := range c.Outbound {
		o, here := &c.Outbound[i], index(path, i)
		r.match(at(here, "match"), &o.Match, nil)
		// A token is not for whatever host an application may be brought to call.
		m := &o.Match
		if hosts := at(at(here, "match"), "hosts"); len(m.Hosts) == 0 && len(m.Paths)+len(m.PathRegexes)+len(m.Methods)+len(m.Headers) > 0 && r.clean(hosts) {
			r.problem(hosts, "is required: the hosts that the token is for")
		}
		if p := r.providerOf(at(here, "provider"), o.Provider, c.Providers); p != nil {
			r.mayAsk(at(here, "provider"), p)
		}
		r.oneOf(at(here, "grant"), o.Grant, "client_credentials", "token_exchange")
		r.oneOf(at(here, "existing"), o.Existing, "keep", "replace")
		r.scopeNames(at(here, "scopes"), o.Scopes)
		r.once(at(here, "audiences"), o.Audiences)
		r.once(at(here, "resources"), o.Resources)
		for j, resource := range o.Resources {
			r.address(index(at(here, "resources"), j), resource)
		}
	}
}

func (r *reader) cors(path string, c *CORS) {
	here := at(path, "origins")
	for i, origin := range c.Origins {
		if !r.clean(index(here, i)) {
			continue
		}
		u, ok := r.address(index(here, i), origin)
		if ok && (u.path != "" || u.origin() != origin) {
			r.problem(index(here, i), "%s is not an origin as browsers write it: scheme, host in lower case, and the port unless it is the scheme's own", quote(origin))
		}
	}
	r.once(here, c.Origins)
	if c.ForwardPreflights && len(c.Origins) == 0 && r.clean(path) {
		r.problem(at(path, "forward_preflights"), "needs origins")
	}
}

func (r *reader) resource(path string, res *Resource) {
	r.atMost(at(path, "name"), res.Name, 100)
	if res.Documentation != "" {
		r.address(at(path, "documentation"), res.Documentation)
	}
	r.scopeNames(at(path, "scopes"), res.Scopes)
}

func (r *reader) authRequest(path string, a *AuthRequest, t *TrustedPeers) {
	if a.Status != 200 && a.Status != 202 {
		r.problem(at(path, "status"), "%d is neither 200 nor 202", a.Status)
	}
	if a.Rules && !t.Listener && len(t.SANs) == 0 && r.clean("trusted_peers") {
		r.problem(at(path, "rules"), "is about what trusted peers ask: say who is one, by sans or listener of trusted_peers")
	}
}

func (r *reader) trustedPeers(path string, t *TrustedPeers) {
	r.once(at(path, "sans"), t.SANs)
	r.between(at(path, "hops"), t.Hops, 0, 16)
	if t.Hops > 0 && !t.Listener && len(t.SANs) == 0 && r.clean(path) {
		r.problem(at(path, "hops"), "is about what trusted peers write: say who is one, by sans or listener")
	}
}
