package migrate

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

// byNginx orders paths as nginx chooses: by the host that is closest, what is
// exact, and the longest. Of the same path twice what is closed comes first; what
// closes a host comes before all else of it.
func byNginx(a, b ingressPath) int {
	first := func(a, b bool) int { return map[[2]bool]int{{true, false}: -1, {false, true}: 1}[[2]bool{a, b}] }
	wild := func(p ingressPath) bool { return p.host == "" || strings.HasPrefix(p.host, "*") }
	return cmp.Or(first(!wild(a), !wild(b)), wider(a, b, wild), first(a.closing, b.closing), first(a.exact, b.exact), len(b.path)-len(a.path), first(!a.open, !b.open))
}

// wider compares hosts with a star by their length; no host at all is the widest.
func wider(a, b ingressPath, wild func(ingressPath) bool) int {
	if !wild(a) || !wild(b) {
		return 0
	}
	return len(b.host) - len(a.host)
}

// guards are what else decides who passes an ingress, which no rule takes over. Of
// one that EasyAuth is asked about, what says how it is asked is none.
func (e *easy) guards(d tree, prefix string) (names []string) {
	asked := authURL(d)
	if u, err := url.Parse(asked); asked != "" && (err != nil || u.Path != prefix+"/auth") {
		names = append(names, "auth-url")
	}
	annotated, _ := get(d, "metadata", "annotations").(tree)
	for _, full := range sorted(annotated) {
		name, ofNginx := strings.CutPrefix(full, annotations)
		if ofNginx && (decides(name) || asked == "" && strings.HasPrefix(name, "auth-") || asked == "" && strings.HasSuffix(name, "-snippet")) {
			names = append(names, name)
		}
	}
	return names
}

// decides reports whether an annotation keeps people out by itself.
func decides(name string) bool {
	return strings.HasSuffix(name, "-source-range") || strings.HasPrefix(name, "auth-tls-") ||
		slices.Contains([]string{"auth-type", "auth-secret", "auth-secret-type", "enable-global-auth", "satisfy"}, name)
}

// expressions reports whether nginx takes the paths of a host for expressions in
// whichever case: for all of them, if one ingress says so or rewrites.
func (e *easy) expressions(host string) bool {
	return slices.ContainsFunc(e.ingresses, func(d tree) bool {
		if !truth(annotation(d, "use-regex")) && annotation(d, "rewrite-target") == "" {
			return false
		}
		return slices.ContainsFunc(listed(list(get(d, "spec", "rules"))), func(r tree) bool { return strings.EqualFold(text(r["host"]), host) })
	})
}
