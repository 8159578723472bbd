package migrate

import (
	"errors"
	"reflect"
	"slices"
	"strings"
)

// restrictions are the options that say who may pass. One of them whose value is
// kept elsewhere may say anything, and so nobody passes until it is known.
var restrictions = []string{
	"allowed-group", "allowed-role", "keycloak-group", "gitlab-group", "gitlab-project", "github-org", "github-team",
	"github-user", "github-repo", "google-group", "bitbucket-team", "bitbucket-repository",
}

// noTenant is no tenant's id.
const noTenant = "00000000-0000-0000-0000-000000000000"

var errSeveral = errors.New("migrate: several oauth2-proxies that differ are in what was given, or several of their configuration files: give those of one at a time, because what one leaves open another closes")

// unsaid is a requirement that nobody meets, if something that restricts was said
// where it was not read. It is nil if all was read.
func (p *proxy) unsaid() *Map {
	closed := false
	for _, name := range restrictions {
		if p.isUnsaid(name) {
			closed = true
			p.tell(ToDo, name, "rules[].require", "its value is empty, or kept where it was not read. Nobody passes until the rule says whom it lets pass.")
		}
	}
	for _, source := range p.unread {
		closed = true
		p.report.add(ToDo, source, "rules[].require", "was not given along, and may say who passes. Nobody does until it is: give it along, or write the rule.")
	}
	if !closed {
		return nil
	}
	return lockedOut()
}

// isUnsaid reports whether an option is there without a value that is known. A list
// with nothing but an empty entry lets nobody pass there either.
func (p *proxy) isUnsaid(name string) bool {
	g := p.options[name]
	if g == nil || len(p.many(name)) > 0 {
		return false
	}
	o, _ := find(proxyOptions, name)
	return g.secret != "" || o.plural && len(g.values) > 0
}

// sources notes which of the files that were named were not given along.
func (p *proxy) sources(containers []tree, environments int) {
	for option, read := range map[string]bool{"config": p.files > 0, "alpha-config": p.alpha} {
		if p.one(option) != "" && !read {
			p.unread = append(p.unread, "file of "+option)
		}
	}
	for _, c := range containers {
		for _, from := range listed(list(c["envFrom"])) {
			name := text(get(from, "configMapRef", "name"))
			if !slices.Contains(p.configMaps, name) {
				p.unread = append(p.unread, "envFrom "+name+text(get(from, "secretRef", "name")))
			}
		}
		if c["env_file"] != nil && environments == 0 {
			p.unread = append(p.unread, "env_file")
		}
	}
	slices.Sort(p.unread)
	p.unread = slices.Compact(p.unread)
}

// several reports whether containers are of proxies that differ. Those of a
// Deployment and of its pods do not.
func several(containers []tree) bool {
	settings := func(c tree) []any { return []any{c["command"], c["args"], c["env"], c["environment"], c["envFrom"]} }
	return slices.ContainsFunc(containers, func(c tree) bool {
		return !reflect.DeepEqual(settings(c), settings(containers[0]))
	})
}

// keptIn tells where the value of a variable of a container is kept, if it is not
// said: "" if it is.
func keptIn(v tree) string {
	from, ok := v["valueFrom"].(tree)
	if !ok {
		return ""
	}
	for _, kind := range []string{"Secret", "ConfigMap"} {
		ref, ok := from[strings.ToLower(kind[:1])+kind[1:]+"KeyRef"].(tree)
		if ok {
			return "the key " + text(ref["key"]) + " of the " + kind + " " + text(ref["name"])
		}
	}
	return "what Kubernetes puts there"
}
