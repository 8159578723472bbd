package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/pathregex"
)

// match checks which requests something is for. The fields that the gate sets
// in those that come in are told.
func (r *reader) match(path string, m *Match, told map[string]bool) {
	if m.Hosts == nil && m.Paths == nil && m.PathRegexes == nil && m.Methods == nil && m.Headers == nil && r.clean(path) {
		r.problem(path, `needs at least one of hosts, paths, path_regexes, methods and headers; every request is "paths": ["/*"]`)
	}
	if m.Hosts != nil && len(m.Hosts) == 0 {
		r.problem(at(path, "hosts"), "is empty; leave the key out or put something in")
	}
	r.few(at(path, "hosts"), len(m.Hosts))
	r.patterns(at(path, "hosts"), m.Hosts)
	r.paths(at(path, "paths"), m.Paths)
	r.pathRegexes(at(path, "path_regexes"), m.PathRegexes)
	r.methods(at(path, "methods"), m.Methods)
	r.matchHeaders(at(path, "headers"), m, told)
}

func (r *reader) paths(path string, paths []string) {
	for i, p := range paths {
		here := index(path, i)
		if !r.clean(here) {
			continue
		}
		flaw := pathFlaw(p)
		if flaw == "" {
			flaw = starFlaw(p)
		}
		if flaw != "" {
			r.problem(here, "%s %s", quote(p), flaw)
		}
	}
	r.entries(path, paths)
}

// starFlaw says what is wrong with the stars of a path.
func starFlaw(p string) string {
	const maxStars = 8
	switch {
	case strings.Contains(p, "**"):
		return `holds "**"; "/*" at the end is everything below, and elsewhere a "*" stays within its segment`
	case strings.Count(p, "*") > maxStars:
		return `holds more than 8 "*"`
	}
	return ""
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

func (r *reader) pathRegexes(path string, patterns []string) {
	for i, p := range patterns {
		here := index(path, i)
		if !r.clean(here) {
			continue
		}
		if flaw := regexFlaw(p); flaw != "" {
			r.problem(here, "%s %s", quote(p), flaw)
		}
	}
	r.entries(path, patterns)
}

// regexFlaw says what is wrong with a regular expression for paths.
func regexFlaw(p string) string {
	switch {
	case strings.HasPrefix(p, "^"):
		return `begins with "^"; leave it out: the whole path is compared anyway`
	case strings.HasSuffix(p, "$") && !strings.HasSuffix(p, `\$`):
		return `ends with "$"; leave it out: the whole path is compared anyway`
	case !strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "("):
		return `begins neither with "/" nor with "(", as everything that fits a path does`
	}
	if _, err := pathregex.Compile(p); err != nil {
		return err.Error()
	}
	return ""
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
	r.entries(path, methods)
}

// matchHeaders checks the request fields that are compared, and brings their
// names into lower case.
func (r *reader) matchHeaders(path string, m *Match, told map[string]bool) {
	if m.Headers == nil {
		return
	}
	if len(m.Headers) == 0 && r.clean(path) {
		r.problem(path, "is empty; leave the key out or put something in")
	}
	r.few(path, len(m.Headers))
	lowered := make(map[string][]string, len(m.Headers))
	seen := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		here := at(path, name)
		if flaw := fieldFlaw(name, told); flaw != "" {
			r.problem(here, "%s %s", quote(name), flaw)
			continue
		}
		r.sameHeader(here, name, seen)
		r.fieldValues(here, m.Headers[name])
		lowered[strings.ToLower(name)] = m.Headers[name]
	}
	m.Headers = lowered
}

// fieldFlaw says why a request field cannot be compared.
func fieldFlaw(name string, told map[string]bool) string {
	if !only(name, 128, token) {
		return "is not a header's name"
	}
	switch name = fold(name); {
	case name == "host":
		return "is compared under hosts"
	case name == "cookie", name == "authorization", name == "proxy-authorization", name == "dpop":
		return "is for the gate to judge; accept says what a request may bring"
	case told[name], told != nil && strings.HasPrefix(name, "x-auth-request-"):
		return "is set by this gate, and taken out of each request that comes in"
	}
	return ""
}

func (r *reader) fieldValues(path string, values []string) {
	for i, v := range values {
		if here := index(path, i); r.clean(here) && (!only(v, 256, printable) || strings.TrimSpace(v) != v) {
			r.problem(here, "%s is not up to 256 printable ASCII characters without a space at either end", quote(v))
		}
	}
	r.few(path, len(values))
	r.once(path, values)
}
