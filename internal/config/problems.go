package config

import (
	"fmt"
	"strconv"
	"strings"
)

// maxProblems bounds what a hopeless input can make us write.
const maxProblems = 100

// Problem is one thing that is wrong with the settings.
type Problem struct {
	// Path is where: `providers[0].issuer`, or "" for the settings as a whole.
	Path string `json:"path"`
	// Message is what is wrong there and what would be right. It never holds a
	// secret.
	Message string `json:"message"`
}

func (p Problem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// Problems is everything that is wrong with the settings.
type Problems []Problem

// Error returns the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// reader collects the problems while settings are decoded and checked.
type reader struct {
	env      func(name string) (string, bool)
	problems Problems
	broken   []string // paths at which there is nothing that could be checked
}

// problem notes what is wrong at path. Only the first thing is noted, and
// nothing below a value of the wrong kind: what follows from it would be noise.
func (r *reader) problem(path, format string, args ...any) {
	for _, p := range r.problems {
		if p.Path == path {
			return
		}
	}
	for _, b := range r.broken {
		if below(path, b) {
			return
		}
	}
	switch n := len(r.problems); {
	case n < maxProblems:
		r.problems = append(r.problems, Problem{path, fmt.Sprintf(format, args...)})
	case n == maxProblems:
		r.problems = append(r.problems, Problem{"", "there are more problems; these are the first " + strconv.Itoa(maxProblems)})
	}
}

// clean says that nothing is wrong at path or below it, so that its value may
// be relied upon.
func (r *reader) clean(path string) bool {
	for _, p := range r.problems {
		if below(p.Path, path) {
			return false
		}
	}
	return true
}

// below says whether a path is another one, or leads further from there.
func below(path, other string) bool {
	rest, ok := strings.CutPrefix(path, other)
	return ok && (rest == "" || other == "" || rest[0] == '.' || rest[0] == '[')
}

// at appends a key to a path.
func at(path, key string) string {
	if !plainKey(key) {
		return path + "[" + quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// index appends a list's index to a path.
func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

func plainKey(key string) bool {
	return only(key, 64, func(c byte) bool { return lower(c) || upper(c) || digit(c) || c == '_' })
}

// quote returns s as it may be shown: escaped, and cut where it is long.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		return strconv.Quote(strings.ToValidUTF8(s[:most], "")) + "…"
	}
	return strconv.Quote(s)
}

// list returns words as a sentence lists them.
func list(words []string) string { return strings.Join(words, ", ") }

// only says that s has 1 to most bytes, all of them accepted.
func only(s string, most int, accepted func(byte) bool) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if !accepted(s[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) bool { return 'a' <= c && c <= 'z' }
func upper(c byte) bool { return 'A' <= c && c <= 'Z' }
func digit(c byte) bool { return '0' <= c && c <= '9' }

// identifier holds the characters of names that end up in headers, metrics and
// logs.
func identifier(c byte) bool {
	return lower(c) || upper(c) || digit(c) || c == '.' || c == '_' || c == '-'
}

// printable holds the characters of RFC 6749, appendix A (VSCHAR).
func printable(c byte) bool { return c >= ' ' && c <= '~' }

// visible holds those that are not spaces.
func visible(c byte) bool { return c > ' ' && c <= '~' }

// token holds the characters of RFC 9110, section 5.6.2.
func token(c byte) bool {
	return lower(c) || upper(c) || digit(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
