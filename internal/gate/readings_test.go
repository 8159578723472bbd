package gate

import (
	"regexp"
	"strings"
)

// readings are the paths that some application or other may see in a request
// target, each in the form in which people write paths into rules. It is
// written from what servers and frameworks do, in whatever order they do it,
// and shares nothing with the code that the gate reads targets with.
func readings(target string) []string {
	path, _, _ := strings.Cut(target, "?")
	type reading struct {
		path    string
		decoded int
	}
	seen := map[reading]bool{}
	todo := []reading{{path: path}}
	for len(todo) > 0 && len(seen) < 500 {
		r := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[r] {
			continue
		}
		seen[r] = true
		for _, does := range habits {
			todo = append(todo, reading{does(r.path), r.decoded})
		}
		if r.decoded < 2 { // some decode what a proxy in front of them had decoded
			todo = append(todo, reading{percentDecoded(r.path), r.decoded + 1},
				reading{percentDecoded(encodedSlash.ReplaceAllString(r.path, keptSlash)), r.decoded + 1})
		}
	}
	known := map[string]bool{}
	var paths []string
	for r := range seen {
		if p := written(r.path); r.decoded > 0 && !known[p] {
			known[p] = true
			paths = append(paths, p)
		}
	}
	return paths
}

// keptSlash stands for an encoded slash that is none to an application: it splits
// no segment.
const keptSlash = "%01"

// habits are what applications do to a path beside decoding it.
var habits = []func(string) string{
	func(p string) string { return strings.ReplaceAll(p, `\`, "/") },
	func(p string) string { return slashes.ReplaceAllString(p, "/") },
	func(p string) string { return parameters.ReplaceAllString(p, "") },
	func(p string) string { p, _, _ = strings.Cut(p, "#"); return p },
	func(p string) string { p, _, _ = strings.Cut(p, "\x00"); return p },
	func(p string) string { p, _, _ = strings.Cut(p, "?"); return p },
	overlong.Replace,
	lineBreaks.Replace,
	withoutScheme,
	resolved,
}

var (
	encodedSlash = regexp.MustCompile(`%(2f|2F|5c|5C)`)
	slashes      = regexp.MustCompile(`/{2,}`)
	parameters   = regexp.MustCompile(`;[^/]*`)
	overlong     = strings.NewReplacer("\xc0\xaf", "/", "\xe0\x80\xaf", "/", "\xf0\x80\x80\xaf", "/", "\xc0\xae", ".", "\xe0\x80\xae", ".")
	lineBreaks   = strings.NewReplacer("\r", "", "\n", "", "\t", "")
)

// withoutScheme is the path of an address in absolute form.
func withoutScheme(p string) string {
	if _, rest, ok := strings.Cut(p, "://"); ok && !strings.HasPrefix(p, "/") {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			return rest[i:]
		}
		return "/"
	}
	return p
}

// resolved is a path without dot segments (RFC 3986, section 5.2.4).
func resolved(p string) string {
	var out []string
	segments := strings.Split(strings.TrimPrefix(p, "/"), "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s == "." && last:
			out = append(out, "")
		case s == ".":
		case s == "..":
			out = out[:max(0, len(out)-1)]
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, s)
		}
	}
	return "/" + strings.Join(out, "/")
}

var escape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// percentDecoded decodes once, and leaves alone what is no escape.
func percentDecoded(p string) string {
	return escape.ReplaceAllStringFunc(p, func(e string) string {
		const digits = "0123456789abcdef"
		e = strings.ToLower(e)
		return string([]byte{byte(strings.IndexByte(digits, e[1])<<4 | strings.IndexByte(digits, e[2]))})
	})
}

// written is a decoded path as rules know it: what cannot be printed, and what
// is beyond ASCII, is written as an escape.
func written(p string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(p) {
		if c := p[i]; c <= ' ' || c >= 0x7f || c == '%' {
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
			continue
		}
		b.WriteByte(p[i])
	}
	return b.String()
}

// plainRule is a rule as its words say it, for a matcher without a thought of
// speed.
type plainRule struct {
	open, pass             bool
	paths, regexes         []string
	methods, hosts, fields []string // fields are name and value each
}

// plainRequest is one reading of a request.
type plainRequest struct {
	host, path, method string
	fields             map[string]string
}

// firstRule returns the first rule that a request falls under, or nil.
func firstRule(rules []plainRule, r plainRequest) *plainRule {
	for i := range rules {
		if rules[i].matches(r) {
			return &rules[i]
		}
	}
	return nil
}

func (p *plainRule) matches(r plainRequest) bool {
	return (len(p.paths)+len(p.regexes) == 0 || p.matchesPath(r.path)) &&
		(len(p.methods) == 0 || p.matchesMethod(r.method)) &&
		(len(p.hosts) == 0 || p.matchesHost(r.host)) &&
		(len(p.fields) == 0 || r.fields[p.fields[0]] == p.fields[1])
}

func (p *plainRule) matchesPath(path string) bool {
	for _, re := range p.regexes {
		if fits(`^(?:`+re+`)$`, path) {
			return true
		}
	}
	for _, pattern := range p.paths {
		below, open := strings.CutSuffix(pattern, "/*")
		expr := "^" + strings.ReplaceAll(regexp.QuoteMeta(below), `\*`, `[^/]*`)
		if open {
			expr += "(/.*)?"
		}
		if fits(expr+"$", path) {
			return true
		}
	}
	return false
}

// expressions are those that were compiled already.
var expressions = map[string]*regexp.Regexp{}

func fits(expr, path string) bool {
	if expressions[expr] == nil {
		expressions[expr] = regexp.MustCompile(expr)
	}
	return expressions[expr].MatchString(path)
}

func (p *plainRule) matchesMethod(method string) bool {
	for _, m := range p.methods {
		if m == method || m == "GET" && method == "HEAD" {
			return true
		}
	}
	return false
}

func (p *plainRule) matchesHost(host string) bool {
	for _, h := range p.hosts {
		below, wild := strings.CutPrefix(h, "*")
		if host == h || wild && strings.HasSuffix(host, below) {
			return true
		}
	}
	return false
}
