package migrate

import (
	"slices"
	"strings"
)

// isAlpha reports whether an object is oauth2-proxy's alpha configuration.
func isAlpha(d tree) bool {
	for _, key := range []string{"upstreamConfig", "injectRequestHeaders", "injectResponseHeaders", "metricsServer"} {
		if d[key] != nil {
			return true
		}
	}
	list, _ := d["providers"].([]any)
	return slices.ContainsFunc(listed(list), func(t tree) bool { return t["clientID"] != nil || t["provider"] != nil })
}

// alphaConfig reads the alpha configuration: its first provider, because
// oauth2-proxy uses no other.
func (p *proxy) alphaConfig(d tree) {
	p.seen, p.alpha = true, true
	if list, ok := d["providers"].([]any); ok && len(list) > 1 {
		p.report.add(ToDo, "providers[1]", "", "oauth2-proxy uses the first provider alone, and so does this.")
		d = clone(d)
		d["providers"] = list[:1]
	}
	p.headers = append(p.headers, listed(list(d["injectRequestHeaders"]))...)
	p.headers = append(p.headers, listed(list(d["injectResponseHeaders"]))...)
	for _, l := range leaves("", d, nil) {
		p.alphaField(l)
	}
	for _, provider := range listed(list(d["providers"])) {
		p.loginParameters(provider)
	}
	for _, u := range listed(list(get(d, "upstreamConfig", "upstreams"))) {
		if truth(u["static"]) {
			p.append("upstream", "static://"+text(u["staticCode"]))
		}
	}
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func clone(t tree) tree {
	c := make(tree, len(t))
	for k, v := range t {
		c[k] = v
	}
	return c
}

// alphaField notes a value under the flag that says the same, or tells of it.
func (p *proxy) alphaField(l leaf) {
	o, known := find(alphaFields, l.path)
	value := p.expand(text(l.value))
	switch {
	case !known:
		p.unknown(l.path)
	case o.same == "":
		p.report.add(o.Kind, o.Name, o.Becomes, o.Text)
	case value == "" && l.value == nil:
		p.options[o.same] = &given{}
	default:
		p.append(o.same, value)
	}
}

// append adds a value to an option: lists come one by one.
func (p *proxy) append(name, value string) {
	o, _ := find(proxyOptions, name)
	if g := p.options[name]; g != nil && o.plural {
		g.values = append(g.values, value)
		return
	}
	p.set(name, &given{values: []string{value}})
}

func (p *proxy) loginParameters(provider tree) {
	for _, param := range listed(list(provider["loginURLParameters"])) {
		name, values := text(param["name"]), texts(param["default"])
		switch {
		case len(values) == 0 || name == "":
		case name == "prompt":
			p.append("prompt", strings.Join(values, " "))
		case name == "acr_values":
			p.append("acr-values", strings.Join(values, " "))
		case name == "approval_prompt":
			p.append("approval-prompt", values[0])
		case len(values) > 1:
			p.report.add(ToDo, "loginURLParameters "+name, "providers[].authorization_params", "has several values; one can be sent.")
		default:
			p.params[name] = p.expand(values[0])
		}
	}
}

// unknown tells of an option that nobody knows.
func (p *maker) unknown(name string) {
	p.report.add(ToDo, name, "", "is not known, and nothing was made of it. Is it spelled right?")
}
