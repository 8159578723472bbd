package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// forward checks the header names and brings them into lower case.
func (r *reader) forward(path string, c *Config) {
	f := &c.Forward
	seen := make(map[string]string) // folded name to where it was given
	headers := make(map[string]Header, len(f.Headers))
	for _, name := range slices.Sorted(maps.Keys(f.Headers)) {
		here := at(at(path, "headers"), name)
		claim := f.Headers[name]
		if strings.EqualFold(name, "authorization") {
			r.problem(here, "carries the access token, if anything: list it under forward.access_token")
			continue
		}
		r.header(here, name, seen)
		if claim.Claim != "" {
			r.claim(here, claim.Claim, c.Providers)
		}
		headers[strings.ToLower(name)] = claim
	}
	f.Headers = headers
	for i, name := range f.AccessToken {
		r.header(index(at(path, "access_token"), i), name, seen)
		f.AccessToken[i] = strings.ToLower(name)
	}
}

// header checks the name of a header that the gate sets.
func (r *reader) header(path, name string, seen map[string]string) {
	if !r.clean(path) {
		return
	}
	if !only(name, 128, token) {
		r.problem(path, "%s is not a header's name", quote(name))
		return
	}
	folded := fold(name)
	if reserved(folded) {
		r.problem(path, "%s has a meaning of its own for the proxy or the protocol; take another name", quote(name))
		return
	}
	if other, ok := seen[folded]; ok {
		r.problem(path, "is the same header as %s", other)
		return
	}
	seen[folded] = path
}

// fold returns a header's name as the least careful application reads it: CGI
// and WSGI make X-User and X_User one variable.
func fold(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "-") }

// reserved says whether a header steers the connection, the message's framing
// or the proxy itself, so that a person's name has no business in it.
func reserved(name string) bool {
	for _, prefix := range []string{"content-", "proxy-", "sec-", "x-envoy-", "access-control-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	switch name {
	case "connection", "cookie", "cookie2", "expect", "forwarded", "host", "http2-settings", "keep-alive",
		"origin", "referer", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "via",
		"x-forwarded-client-cert", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto",
		"x-real-ip", "x-request-id":
		return true
	}
	return false
}

// claim checks that a header's claim is one that a provider gives.
func (r *reader) claim(path, name string, providers []Provider) {
	if len(providers) == 0 || !r.clean(path) {
		return
	}
	for _, p := range providers {
		if p.Claims[name] == "" {
			known := slices.Sorted(maps.Keys(p.Claims))
			r.problem(path, "%s is not one of the provider's claims: %s", quote(name), list(known))
		}
	}
}

func (r *reader) rules(path string, c *Config) {
	names := make(map[string]string)
	for i := range c.Rules {
		here := index(path, i)
		r.rule(here, &c.Rules[i], c)
		r.ruleName(at(here, "name"), c.Rules[i].Name, here, names)
	}
}

func (r *reader) rule(path string, rule *Rule, c *Config) {
	r.match(at(path, "match"), rule.Match)
	if rule.Allow != "" {
		r.oneOf(at(path, "allow"), rule.Allow, "anyone")
		if rule.OnAnonymous != "" {
			r.problem(at(path, "on_anonymous"), `has no meaning beside "allow"`)
		}
		if rule.Accept != nil {
			r.problem(at(path, "accept"), `has no meaning beside "allow"`)
		}
		return
	}
	r.accept(at(path, "accept"), rule, c)
	session := slices.Contains(rule.Accept, "session")
	if rule.OnAnonymous == "" {
		rule.OnAnonymous = "login"
		if !session {
			rule.OnAnonymous = "401"
		}
	}
	r.oneOf(at(path, "on_anonymous"), rule.OnAnonymous, "login", "401")
	if rule.OnAnonymous == "login" && !session && r.clean(path) {
		r.problem(at(path, "on_anonymous"), `"login" leads to a session, which is not accepted here`)
	}
}

// accept checks what a rule's requests may bring.
func (r *reader) accept(path string, rule *Rule, c *Config) {
	if rule.Accept == nil {
		rule.Accept = c.accepted()
		return
	}
	for i, what := range rule.Accept {
		r.oneOf(index(path, i), what, "session", "bearer")
		if what == "bearer" && len(c.Bearer) == 0 {
			r.problem(index(path, i), "needs an entry in bearer, which says whose tokens are accepted")
		}
	}
	r.filled(path, rule.Accept)
}

func (r *reader) ruleName(path, name, rule string, names map[string]string) {
	if name == "" {
		return
	}
	if !only(name, 64, identifier) {
		r.problem(path, `%s is not up to 64 of A-Z, a-z, 0-9, ".", "_" and "-"`, quote(name))
	}
	if other, ok := names[name]; ok {
		r.problem(path, "%s is the name of %s too", quote(name), other)
	}
	names[name] = rule
}

func (r *reader) match(path string, m Match) {
	if m.Hosts == nil && m.Paths == nil && m.Methods == nil && r.clean(path) {
		r.problem(path, `needs at least one of hosts, paths and methods; every request is "paths": ["/*"]`)
	}
	if m.Hosts != nil && len(m.Hosts) == 0 {
		r.problem(at(path, "hosts"), "is empty; leave the key out or put something in")
	}
	r.patterns(at(path, "hosts"), m.Hosts)
	r.paths(at(path, "paths"), m.Paths)
	r.methods(at(path, "methods"), m.Methods)
}

func (r *reader) paths(path string, paths []string) {
	for i, p := range paths {
		here := index(path, i)
		if !r.clean(here) {
			continue
		}
		if flaw := pathFlaw(p); flaw != "" {
			r.problem(here, "%s %s", quote(p), flaw)
			continue
		}
		if before, star := strings.CutSuffix(p, "/*"); strings.Contains(before, "*") || !star && strings.Contains(p, "*") {
			r.problem(here, `%s has a "*" that is not the last segment, as in "/public/*"`, quote(p))
		}
	}
	r.filled(path, paths)
}

// pathFlaw says why a path is not in the normal form in which requests are
// compared: such a path would never match. The normal form is httpmsg's;
// everything before that only finds better words.
func pathFlaw(p string) string {
	switch {
	case !strings.HasPrefix(p, "/"):
		return `does not begin with "/"`
	case len(p) > 1024:
		return "is longer than 1024 bytes"
	case strings.ContainsAny(p, "?#"):
		return "holds a ? or #; only the path is compared"
	case strings.Contains(p, "%"):
		return `holds a "%"; a path with escapes cannot be named here`
	case strings.Contains(p, "//"):
		return `holds "//", which never reaches the rules`
	}
	if normal, err := httpmsg.NormalPath(p); err != nil || normal != p {
		return "holds a dot segment, a backslash or another character that never reaches the rules"
	}
	return ""
}

// plainPath says whether a path has only characters that need no escape
// anywhere: pchar of RFC 3986, section 3.3, without those that mean something
// to cookies and patterns.
func plainPath(p string) bool {
	return only(p, 64, func(c byte) bool { return identifier(c) || strings.IndexByte("/~!$&'()+,=:@", c) >= 0 })
}

func (r *reader) methods(path string, methods []string) {
	for i, m := range methods {
		here := index(path, i)
		switch {
		case !r.clean(here):
		case !only(m, 32, token):
			r.problem(here, "%s is not a method", quote(m))
		case m != strings.ToUpper(m):
			r.problem(here, "%s is in lower case; methods are compared letter by letter: %q", quote(m), strings.ToUpper(m))
		}
	}
	r.filled(path, methods)
}
