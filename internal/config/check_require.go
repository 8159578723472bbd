package config

import (
	"maps"
	"slices"
	"strings"
)

// Limits on what one rule requires. The scopes and levels of authentication that
// a login is to bring travel in its address.
const (
	maxRequireDepth = 8
	maxRequirements = 256
	maxScopeBytes   = 512
	maxACR          = 8
	maxACRBytes     = 256
	maxStepBytes    = 512 // of all that a login is to bring for a rule
)

// tally is what was met with in the requirements of one rule.
type tally struct {
	count       int
	scopes, acr []string
	curable     bool // by a login
}

// requirement checks what a rule requires, and the login that it may lead to.
func (r *reader) requirement(path string, rule *Rule, c *Config) {
	var all tally
	if here := at(path, "require"); rule.Require != nil {
		r.require(here, rule.Require, c, &all, 1)
		r.tally(here, &all)
		if bytes := all.stepBytes() + joined(rule.Enrich); r.clean(here) && bytes > maxStepBytes {
			r.problem(path, "names scopes, values of acr and questions of %d bytes together; at most %d, for they travel in the address of a login", bytes, maxStepBytes)
		}
	}
	r.stepUp(at(path, "step_up"), rule, all.curable)
}

func (r *reader) stepUp(path string, rule *Rule, curable bool) {
	here := at(path, "prompt")
	if rule.StepUp.Prompt == "" {
		return
	}
	r.oneOf(here, rule.StepUp.Prompt, "login", "consent", "select_account")
	switch {
	case !curable:
		r.problem(here, "has no meaning unless scopes, acr or max_age are required")
	case rule.refusesSessions():
		r.problem(here, "is about a login, which leads to a session, which is not accepted here")
	}
}

// stepBytes is how many bytes that takes which a login is to bring.
func (all *tally) stepBytes() int { return joined(all.scopes) + joined(all.acr) }

func joined(words []string) int { return len(strings.Join(words, " ")) }

// tally checks what concerns all requirements of a rule together.
func (r *reader) tally(path string, all *tally) {
	scopes, acr := joined(all.scopes), joined(all.acr)
	switch {
	case all.count > maxRequirements:
		r.problem(path, "holds %d requirements; at most %d", all.count, maxRequirements)
	case scopes > maxScopeBytes:
		r.problem(path, "names scopes of %d bytes together; at most %d, for they travel in the address of a login", scopes, maxScopeBytes)
	case len(all.acr) > maxACR:
		r.problem(path, "names %d values of acr; at most %d", len(all.acr), maxACR)
	case acr > maxACRBytes:
		r.problem(path, "names values of acr of %d bytes together; at most %d, for they travel in the address of a login", acr, maxACRBytes)
	}
}

// require checks one object of requirements and those within it.
func (r *reader) require(path string, q *Require, c *Config, all *tally, depth int) {
	if depth > maxRequireDepth {
		r.problem(path, "is nested more than %d deep", maxRequireDepth)
		return
	}
	count := q.criteria()
	if count == 0 && r.clean(path) {
		r.problem(path, `needs at least one requirement, such as {"groups": ["admins"]}`)
	}
	all.count += count
	r.who(path, q, c)
	r.login(path, q, all)
	r.requiredClaims(at(path, "claims"), q.Claims)
	r.requires(at(path, "all"), q.All, c, all, depth)
	r.requires(at(path, "any"), q.Any, c, all, depth)
	if q.Not != nil {
		curable := all.curable // what must not be is not asked for
		r.require(at(path, "not"), q.Not, c, all, depth+1)
		all.curable = curable
	}
}

func (r *reader) requires(path string, list []Require, c *Config, all *tally, depth int) {
	r.few(path, len(list))
	if list != nil && len(list) == 0 {
		r.problem(path, "is empty; leave the key out or put something in")
	}
	for i := range list {
		r.require(index(path, i), &list[i], c, all, depth+1)
	}
}

// criteria is how many things an object of requirements is about; those within
// it are counted there.
func (q *Require) criteria() (n int) {
	for _, given := range []bool{
		q.Groups != nil, q.Roles != nil, q.Scopes != nil, q.Emails != nil, q.EmailDomains != nil, q.ClientIDs != nil,
		q.ACR != nil, q.MaxAge != 0, q.AMR != nil, q.Provider != "", q.All != nil, q.Any != nil, q.Not != nil,
	} {
		if given {
			n++
		}
	}
	if q.Claims != nil {
		n += max(len(q.Claims), 1)
	}
	return n
}

// who checks what is required of the person or service itself.
func (r *reader) who(path string, q *Require, c *Config) {
	r.entries(at(path, "groups"), q.Groups)
	r.entries(at(path, "roles"), q.Roles)
	if q.Roles != nil {
		r.haveRoles(at(path, "roles"), c)
	}
	for i, address := range q.Emails {
		if here := index(at(path, "emails"), i); r.clean(here) && !plainEmail(address) {
			r.problem(here, `%s is not an address: something, one "@" and something, without spaces`, quote(address))
		}
	}
	r.entries(at(path, "emails"), q.Emails)
	r.emailDomains(at(path, "email_domains"), q.EmailDomains)
	r.entries(at(path, "client_ids"), q.ClientIDs)
	if q.Provider != "" {
		r.providerOf(at(path, "provider"), q.Provider, c.Providers)
	}
}

// plainEmail says whether every reader finds the same domain in an address.
func plainEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && domain != "" && !strings.ContainsAny(domain, "@") && !strings.Contains(s, " ")
}

// emailDomains checks domains and brings them into lower case.
func (r *reader) emailDomains(path string, domains []string) {
	for i, d := range domains {
		here := index(path, i)
		if !r.clean(here) {
			continue
		}
		if flaw := domainFlaw(d); flaw != "" {
			r.problem(here, "%s %s", quote(d), flaw)
		}
		domains[i] = strings.ToLower(d)
	}
	r.entries(path, domains)
}

func domainFlaw(d string) string {
	switch {
	case d == "*":
		return `would be every domain there is; leave the key out, or name a domain, such as "*.example.com"`
	case strings.HasPrefix(d, "."):
		return `begins with a dot; "*.example.com" is every domain below example.com`
	case strings.Contains(d, "@"):
		return "is more than a domain; whole addresses belong under emails"
	}
	_, address, flaw := parseHost(strings.TrimPrefix(d, "*."))
	if flaw == "" && address {
		flaw = "is an address of a machine, not a domain"
	}
	return flaw
}

// haveRoles checks that every provider whose people or tokens come here says
// where roles are.
func (r *reader) haveRoles(path string, c *Config) {
	for i, p := range c.Providers {
		comes := p.SignsIn() || slices.ContainsFunc(c.Bearer, func(b Bearer) bool { return b.Provider == p.Name })
		if comes && p.Claims["roles"] == "" && !p.brings("roles") {
			r.problem(path, `needs to know where provider %s has roles: add it to %s, such as {"roles": "realm_access.roles"}`,
				quote(p.Name), at(index("providers", i), "claims"))
		}
	}
}

// login checks what is required of how somebody signed in, and what was granted
// then.
func (r *reader) login(path string, q *Require, all *tally) {
	r.scopeNames(at(path, "scopes"), q.Scopes)
	r.entries(at(path, "scopes"), q.Scopes)
	for i, acr := range q.ACR {
		if here := index(at(path, "acr"), i); r.clean(here) && !only(acr, maxACRBytes, visible) {
			r.problem(here, "%s is not up to %d visible ASCII characters", quote(acr), maxACRBytes)
		}
	}
	r.entries(at(path, "acr"), q.ACR)
	r.entries(at(path, "amr"), q.AMR)
	all.scopes = append(all.scopes, q.Scopes...)
	all.acr = append(all.acr, q.ACR...)
	all.curable = all.curable || q.Scopes != nil || q.ACR != nil || q.MaxAge != 0
}

func (r *reader) requiredClaims(path string, claims map[string]ClaimTest) {
	if claims != nil && len(claims) == 0 && r.clean(path) {
		r.problem(path, "is empty; leave the key out or put something in")
	}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		r.claimPath(at(path, name), name)
	}
}
