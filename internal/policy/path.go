package policy

import (
	"strings"

	"github.com/postern-auth/postern/internal/pathregex"
)

// pathPattern is one entry of a rule's paths or path_regexes.
type pathPattern struct {
	text  string
	regex *pathregex.Regex // of path_regexes
	base  string           // without what ends it in everything below
	below bool             // the base and everything below it
	globs []glob           // of the base's segments, where one has a "*"
}

func newPathPattern(text string) pathPattern {
	p := pathPattern{text: text}
	p.base, p.below = strings.CutSuffix(text, "/*")
	if strings.Contains(p.base, "*") {
		for _, segment := range strings.Split(p.base[1:], "/") {
			p.globs = append(p.globs, newGlob(segment))
		}
	}
	return p
}

// newRegexPattern takes an expression that config.Parse has compiled before.
func newRegexPattern(text string) pathPattern {
	regex, err := pathregex.Compile(text)
	if err != nil {
		panic("policy: an expression " + err.Error())
	}
	return pathPattern{text: text, regex: regex}
}

func (p *pathPattern) match(path string) bool {
	switch {
	case p.regex != nil:
		return p.regex.Match(path)
	case p.globs != nil:
		return strings.HasPrefix(path, "/") && p.matchGlobs(path)
	case !p.below:
		return path == p.base
	}
	return strings.HasPrefix(path, p.base) && (len(path) == len(p.base) || path[len(p.base)] == '/')
}

func (p *pathPattern) matchGlobs(rest string) bool {
	for i := range p.globs {
		if rest == "" {
			return false
		}
		var segment string
		if segment, rest = cutSegment(rest); !p.globs[i].match(segment) {
			return false
		}
	}
	return rest == "" || p.below
}

// cutSegment cuts the first segment off a path that begins with a slash.
func cutSegment(path string) (segment, rest string) {
	if i := strings.IndexByte(path[1:], '/'); i >= 0 {
		return path[1 : i+1], path[i+1:]
	}
	return path[1:], ""
}

// glob is a pattern for one segment: a "*" stands for any characters, also for
// none.
type glob struct {
	text  string
	parts []string // between the stars
}

func newGlob(text string) glob { return glob{text, strings.Split(text, "*")} }

func (g *glob) match(s string) bool {
	end := len(g.parts) - 1
	if end == 0 {
		return s == g.text
	}
	rest, ok := strings.CutPrefix(s, g.parts[0])
	if !ok {
		return false
	}
	if rest, ok = strings.CutSuffix(rest, g.parts[end]); !ok {
		return false
	}
	for _, part := range g.parts[1:end] { // where each comes first leaves the most for the others
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return true
}
