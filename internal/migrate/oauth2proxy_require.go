package migrate

import (
	"encoding/csv"
	"slices"
	"strings"
)

// mostEntries is how many entries settings take in one list.
const mostEntries = 256

// requirement is what must be true of whoever passes: of the address, of the
// groups, and of the level that was asked for.
func (p *proxy) requirement() *Map {
	all := []*Map{p.emailCondition(), p.groupCondition(), p.restriction(), p.unsaid()}
	if levels := strings.Fields(p.one("acr-values")); len(levels) > 0 && len(levels) <= 8 && len(p.one("acr-values")) <= 256 {
		all = append(all, NewMap().Set("acr", levels))
		p.tell(Differs, "acr-values", "", "")
	}
	return both(all)
}

// both is a requirement that demands all of several.
func both(all []*Map) *Map {
	all = slices.DeleteFunc(all, func(m *Map) bool { return m == nil })
	merged := NewMap()
	for _, m := range all {
		if slices.Equal(listOf(m.Get("email_domains")), []string{nobody}) {
			return lockedOut()
		}
		for _, key := range m.keys {
			if merged.Get(key) != nil {
				return NewMap().Set("all", anys(all))
			}
			merged.Set(key, m.Get(key))
		}
	}
	if len(merged.keys) == 0 {
		return nil
	}
	return merged
}

// either is a requirement that is content with one of several.
func either(all []*Map) *Map {
	all = slices.DeleteFunc(all, func(m *Map) bool { return m == nil })
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return NewMap().Set("any", anys(all))
}

func anys(all []*Map) (list []any) {
	for _, m := range all {
		list = append(list, m)
	}
	return list
}

// listOf is a setting that is a list of texts; nil where it is none.
func listOf(v any) []string { s, _ := v.([]string); return s }

// emailCondition is what addresses must be. oauth2-proxy demands one in any case.
func (p *proxy) emailCondition() *Map {
	domains := p.many("email-domain")
	if slices.Contains(domains, "*") {
		p.tell(Taken, "email-domain", "rules[].require.claims.email", "`*`: an address that is verified, whichever it is.")
		p.tell(NotNeeded, "authenticated-emails-file", "", "any address will do.")
		return NewMap().Set("claims", NewMap().Set("email", []string{}))
	}
	conditions := append(p.domainCondition(domains), p.listedCondition()...)
	if len(conditions) == 0 {
		if !p.has("authenticated-emails-file") && !p.has("email-domain") {
			p.report.add(ToDo, "email-domain", "rules[].require", "neither that nor authenticated-emails-file is there, without which oauth2-proxy lets nobody in. Nobody passes until the rule says who may.")
		}
		return lockedOut()
	}
	return either(conditions)
}

func (p *proxy) domainCondition(domains []string) []*Map {
	var good []string
	for _, d := range domains {
		d = strings.ToLower(d)
		if strings.HasPrefix(d, ".") {
			d = "*" + d
		}
		if badDomain(d) {
			p.tell(ToDo, "email-domain", "", "one of them is no domain, and was left out.")
			continue
		}
		good = append(good, d)
	}
	if len(good) == 0 {
		return nil
	}
	p.tell(Taken, "email-domain", "rules[].require.email_domains", "")
	if p.one("provider") == "" || p.one("provider") == "google" {
		p.report.add(ToDo, "email-domain", "providers[].hosted_domains", "anybody can open a Google account with an address of your domain that Workspace does not manage: `hosted_domains` asks Google whether it does (docs/providers/google.md).")
	}
	return []*Map{NewMap().Set("email_domains", good)}
}

func badDomain(d string) bool {
	return strings.ContainsAny(d, "@ /:\\") || strings.Trim(strings.TrimPrefix(d, "*."), ".") != strings.TrimPrefix(d, "*.") ||
		badRequirement(NewMap().Set("email_domains", []string{d}))
}

// listedCondition are the addresses of the file that an option names.
func (p *proxy) listedCondition() (conditions []*Map) {
	name := p.one("authenticated-emails-file")
	if name == "" {
		return nil
	}
	i := slices.IndexFunc(p.emails, func(f File) bool { return base(f.Name) == base(name) })
	if i < 0 && len(p.emails) == 1 {
		i = 0
	}
	if i < 0 {
		p.tell(ToDo, "authenticated-emails-file", "rules[].require.emails", "give the file along: until its addresses are in the rule, they do not pass.")
		return nil
	}
	addresses := addressesOf(p.emails[i])
	for chunk := range slices.Chunk(addresses, mostEntries) {
		conditions = append(conditions, NewMap().Set("emails", chunk))
	}
	p.tell(Taken, "authenticated-emails-file", "rules[].require.emails", "a copy: whoever is to be added is added in the settings.")
	return conditions
}

// addressesOf reads a list of addresses: the first field of each line.
func addressesOf(f File) (all []string) {
	r := csv.NewReader(strings.NewReader(string(f.Text)))
	r.Comment, r.FieldsPerRecord, r.LazyQuotes, r.TrimLeadingSpace = '#', -1, true, true
	records, _ := r.ReadAll()
	for _, record := range records {
		a := strings.ToLower(strings.TrimSpace(record[0]))
		if !slices.Contains(all, a) && !badRequirement(NewMap().Set("emails", []string{a})) {
			all = append(all, a)
		}
	}
	return all
}

// groupCondition is one of the groups or roles.
func (p *proxy) groupCondition() *Map {
	kind := p.settings.Get("providers").([]any)[0].(*Map).Get("type")
	groups := append(p.many("allowed-group"), p.many("keycloak-group")...)
	if kind == "gitlab" {
		groups = append(groups, p.many("gitlab-group")...)
	}
	if kind == "github" {
		for i, g := range groups {
			groups[i] = strings.ToLower(strings.Replace(g, ":", "/", 1))
		}
	}
	var conditions []*Map
	for chunk := range slices.Chunk(groups, mostEntries) {
		conditions = append(conditions, NewMap().Set("groups", chunk))
	}
	for _, name := range []string{"allowed-group", "keycloak-group", "gitlab-group"} {
		p.tell(Taken, name, "rules[].require.groups", "")
	}
	if kind == "keycloak" {
		conditions = append(conditions, p.roles()...)
	} else {
		p.tell(NotNeeded, "allowed-role", "", "works with Keycloak alone, there too.")
	}
	return either(conditions)
}

// roles are Keycloak's: of the realm, of the client, and of other clients.
func (p *proxy) roles() (conditions []*Map) {
	var realm []string
	claims := map[string][]string{}
	for _, role := range p.many("allowed-role") {
		client, inner, ofClient := strings.Cut(role, ":")
		switch {
		case !ofClient:
			realm = append(realm, role)
		case client == p.one("client-id"):
			claims["client_roles"] = append(claims["client_roles"], inner)
		default:
			at := "resource_access." + strings.ReplaceAll(claimPath(client), ".", `\.`) + ".roles"
			claims[at] = append(claims[at], inner)
		}
	}
	if realm != nil {
		conditions = append(conditions, NewMap().Set("roles", realm))
	}
	for _, name := range sortedKeys(claims) {
		conditions = append(conditions, NewMap().Set("claims", NewMap().Set(name, claims[name])))
	}
	p.tell(Taken, "allowed-role", "rules[].require.roles", "")
	return conditions
}

// restriction is what single providers demand beside.
func (p *proxy) restriction() *Map {
	switch p.one("provider") {
	case "github":
		return p.github()
	case "", "google":
		if len(p.many("google-group")) > 0 {
			p.tell(ToDo, "google-group", "", "")
			return lockedOut()
		}
	case "gitlab":
		if len(p.many("gitlab-project")) > 0 {
			p.tell(ToDo, "gitlab-project", "", "")
			if len(p.many("gitlab-group"))+len(p.many("allowed-group")) == 0 {
				return lockedOut()
			}
		}
	case "bitbucket":
		if p.one("bitbucket-team") != "" || p.one("bitbucket-repository") != "" {
			return lockedOut()
		}
	}
	return nil
}

// github is one of the users, or a member of the organisation or the teams.
func (p *proxy) github() *Map {
	var ways []*Map
	if users := cutAll(p.many("github-user")); len(users) > 0 {
		ways = append(ways, NewMap().Set("claims", NewMap().Set("user", users)))
		p.tell(Taken, "github-user", "rules[].require.claims.user", "")
	}
	org, repo := strings.ToLower(p.one("github-org")), p.one("github-repo")
	teams := cut(p.one("github-team"))
	for i, t := range teams {
		if t = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(t), ":", "/")); org != "" {
			t = org + "/" + t
		}
		teams[i] = t
	}
	switch {
	case repo != "":
		p.tell(ToDo, "github-repo", "", "")
		if len(ways) == 0 {
			return lockedOut()
		}
	case len(ways) > 0 && org == "": // then there too users alone pass
	case len(teams) > 0:
		ways = append(ways, NewMap().Set("groups", teams))
		p.tell(Taken, "github-team", "", "")
		p.tell(Taken, "github-org", "", "")
	case org != "":
		ways = append(ways, NewMap().Set("groups", []string{org}))
		p.tell(Taken, "github-org", "", "")
	}
	return either(ways)
}

func cutAll(all []string) (parts []string) {
	for _, s := range all {
		parts = append(parts, cut(s)...)
	}
	return parts
}
