package migrate

import (
	"errors"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode"

	"github.com/postern-auth/postern/internal/pathregex"
)

// expression turns a regular expression that is searched for anywhere in a path,
// as Go's regexp does it, into one that fits whole paths and means the same.
//
// Others look at the path with its escapes decoded, and Postern at its normal
// form, in which what is no character of paths stays escaped ("%20"). So
// what could stand for part of an escape is narrowed: an expression that opens
// something must not fit here what it did not fit there.
func expression(pattern string) (string, error) {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", errors.New("is not a regular expression that Go would take")
	}
	w := &regexWriter{}
	whole := w.whole(tree.Simplify(), true, true)
	if w.flaw != "" {
		return "", errors.New(w.flaw)
	}
	if !strings.HasPrefix(whole, "/") && !(strings.HasPrefix(whole, "(") && closes(whole)) {
		whole = "(" + whole + ")"
	}
	if _, err := pathregex.Compile(whole); err != nil {
		return "", err
	}
	return whole, nil
}

// closes reports whether an expression's first parenthesis closes, or that the
// expression goes on behind it: either way it begins with one.
func closes(s string) bool {
	return strings.HasPrefix(s, "(") && !strings.Contains(topLevelBar(s), "|")
}

// topLevelBar is what stands outside of all parentheses and classes.
func topLevelBar(s string) string {
	var out strings.Builder
	depth, class := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')':
			depth--
		case depth == 0:
			out.WriteByte(c)
		}
	}
	return out.String()
}

// regexWriter writes an expression in the syntax that rules know.
type regexWriter struct{ flaw string }

func (w *regexWriter) cannot(why string) string {
	if w.flaw == "" {
		w.flaw = why
	}
	return ""
}

const anything = ".*"

// whole writes an expression that fits a path from its beginning to its end. Where
// it is open at one of them, anything may stand there.
func (w *regexWriter) whole(re *syntax.Regexp, openStart, openEnd bool) string {
	switch re.Op {
	case syntax.OpBeginText:
		return mark(openEnd)
	case syntax.OpEndText:
		return mark(openStart)
	case syntax.OpCapture:
		return w.whole(re.Sub[0], openStart, openEnd)
	case syntax.OpEmptyMatch:
		return mark(openStart || openEnd)
	case syntax.OpAlternate:
		parts := make([]string, len(re.Sub))
		for i, sub := range re.Sub {
			parts[i] = w.whole(sub, openStart, openEnd)
		}
		return group(parts)
	case syntax.OpConcat:
		if len(re.Sub) > 1 {
			last := len(re.Sub) - 1
			return w.start(re.Sub[0], openStart) + w.all(re.Sub[1:last]) + w.end(re.Sub[last], openEnd)
		}
	}
	return join(mark(openStart), w.write(re, false), mark(openEnd))
}

// start writes the first part of several.
func (w *regexWriter) start(re *syntax.Regexp, open bool) string {
	if re.Op == syntax.OpBeginText {
		return ""
	}
	return w.whole(re, open, false)
}

// end writes the last part of several.
func (w *regexWriter) end(re *syntax.Regexp, open bool) string {
	if re.Op == syntax.OpEndText {
		return ""
	}
	return w.whole(re, false, open)
}

func (w *regexWriter) all(list []*syntax.Regexp) string {
	var out strings.Builder
	for _, re := range list {
		out.WriteString(w.write(re, false))
	}
	return out.String()
}

// mark is what stands at an end that is open.
func mark(open bool) string {
	if open {
		return anything
	}
	return ""
}

// join puts parts together; anything beside anything is anything.
func join(start, middle, end string) string {
	if strings.HasPrefix(middle, anything) {
		start = ""
	}
	if strings.HasSuffix(middle, anything) && !strings.HasSuffix(middle, `\`+anything) {
		end = ""
	}
	return start + middle + end
}

func group(parts []string) string {
	var kept []string
	optional := false
	for _, p := range parts {
		if p == "" {
			optional = true
			continue
		}
		kept = append(kept, p)
	}
	if len(kept) == 0 {
		return ""
	}
	out := "(" + strings.Join(kept, "|") + ")"
	if optional {
		out += "?"
	}
	return out
}

// write writes an expression as it stands. Repeated says that more of the same may
// follow, so that an escape can be fitted character by character.
func (w *regexWriter) write(re *syntax.Regexp, repeated bool) string {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return ""
	case syntax.OpLiteral:
		return w.literal(re)
	case syntax.OpCharClass:
		return w.class(re.Rune, repeated)
	case syntax.OpAnyCharNotNL, syntax.OpAnyChar:
		if repeated {
			return "."
		}
		return "[^%]"
	case syntax.OpCapture:
		return w.write(re.Sub[0], false) // whatever needs a group has one
	case syntax.OpConcat:
		return w.all(re.Sub)
	case syntax.OpAlternate:
		parts := make([]string, len(re.Sub))
		for i, sub := range re.Sub {
			parts[i] = w.write(sub, false)
		}
		return group(parts)
	case syntax.OpStar:
		return w.repeat(re.Sub[0], "*", true)
	case syntax.OpPlus:
		return w.repeat(re.Sub[0], "+", true)
	case syntax.OpQuest:
		return w.repeat(re.Sub[0], "?", false)
	case syntax.OpRepeat:
		return w.repeat(re.Sub[0], counts(re.Min, re.Max), re.Max < 0 && re.Min <= 1)
	case syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine:
		return w.cannot(`has a "^" or "$" in the middle`)
	case syntax.OpNoMatch:
		return w.cannot("fits nothing")
	}
	return w.cannot(`looks at the edges of words (\b), which rules cannot`)
}

func (w *regexWriter) repeat(sub *syntax.Regexp, suffix string, repeated bool) string {
	inner := w.write(sub, repeated)
	switch sub.Op {
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpCharClass:
		return inner + suffix
	case syntax.OpLiteral:
		if len(sub.Rune) == 1 {
			return inner + suffix
		}
	}
	if inner == "" {
		return ""
	}
	if strings.HasPrefix(inner, "(") && topLevelBar(inner) == "" {
		return inner + suffix
	}
	return "(" + inner + ")" + suffix
}

func counts(least, most int) string {
	switch {
	case most < 0:
		return "{" + strconv.Itoa(least) + ",}"
	case most == least:
		return "{" + strconv.Itoa(least) + "}"
	}
	return "{" + strconv.Itoa(least) + "," + strconv.Itoa(most) + "}"
}

// unescaped reports whether a character stands in the normal form of a path as it
// is: pchar and the slash (RFC 3986, section 3.3), without the percent sign.
func unescaped(r rune) bool {
	return r > ' ' && r < 0x7f && !strings.ContainsRune("\"#%<>?[\\]^`{|}", r)
}

const special = `\.+*?()|[]{}^$-`

func (w *regexWriter) literal(re *syntax.Regexp) string {
	var out strings.Builder
	for _, r := range re.Rune {
		if !unescaped(r) {
			return w.cannot("has a character that is escaped in paths")
		}
		upper, lower := strings.ToUpper(string(r)), strings.ToLower(string(r))
		switch {
		case re.Flags&syntax.FoldCase != 0 && upper != lower:
			out.WriteString("[" + upper + lower + "]")
		default:
			out.WriteString(quoted(r))
		}
	}
	return out.String()
}

func quoted(r rune) string {
	if strings.ContainsRune(special, r) && r != '-' {
		return `\` + string(r)
	}
	return string(r)
}

// class writes a class of characters. The percent sign stays in it only where it
// holds everything that is escaped, and more of the same may follow: then it fits
// an escape as it fits what is escaped.
func (w *regexWriter) class(runes []rune, repeated bool) string {
	var in [0x7f]bool
	escapes := true
	for c := rune(' '); c < 0x7f; c++ {
		in[c] = holds(runes, c)
		if !unescaped(c) && !in[c] && c != '/' && c != '?' && c != '#' && c != '\\' {
			escapes = false
		}
	}
	escapes = escapes && beyondASCII(runes)
	for c := range in {
		if !unescaped(rune(c)) {
			in[c] = false
		}
	}
	in['%'] = repeated && escapes
	if in['%'] { // the digits of an escape come with it
		for c := '0'; c <= '9'; c++ {
			in['%'] = in['%'] && in[c]
		}
		for c := 'A'; c <= 'F'; c++ {
			in['%'] = in['%'] && in[c]
		}
	}
	return w.set(in[:])
}

// beyondASCII reports whether a class holds everything that is not ASCII.
func beyondASCII(runes []rune) bool {
	for i := 0; i+1 < len(runes); i += 2 {
		if runes[i] <= 0x80 && runes[i+1] == unicode.MaxRune {
			return true
		}
	}
	return false
}

func holds(runes []rune, r rune) bool {
	for i := 0; i+1 < len(runes); i += 2 {
		if runes[i] <= r && r <= runes[i+1] {
			return true
		}
	}
	return false
}

// set writes the characters of a class, whichever way is shorter.
func (w *regexWriter) set(in []bool) string {
	var with, without strings.Builder
	for c := ' '; c < 0x7f; c++ {
		switch usable := unescaped(c) || c == '%'; {
		case in[c]:
			c = run(&with, in, c, true)
		case usable:
			c = run(&without, in, c, false)
		}
	}
	switch {
	case with.Len() == 0:
		return w.cannot("has a class of characters that are escaped in paths")
	case without.Len() == 0:
		return "."
	case without.Len() < with.Len():
		return "[^" + without.String() + "]"
	}
	return "[" + with.String() + "]"
}

// run writes a run of characters that are in a class, or not, and returns the last.
func run(out *strings.Builder, in []bool, from rune, want bool) rune {
	to := from
	for to+1 < 0x7f && in[to+1] == want && (unescaped(to+1) || to+1 == '%') {
		to++
	}
	out.WriteString(inClass(from))
	if to > from+1 {
		out.WriteString("-")
	}
	if to > from {
		out.WriteString(inClass(to))
	}
	return to
}

func inClass(r rune) string {
	if strings.ContainsRune(`\]^-[`, r) {
		return `\` + string(r)
	}
	return string(r)
}

// exact reports whether an expression fits here all that it fits there, escapes
// included: it is made of characters of paths, of anything, and of choices.
func exact(pattern string) bool {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	return err == nil && exactTree(tree.Simplify())
}

func exactTree(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpStar, syntax.OpPlus:
		if any := re.Sub[0].Op; any == syntax.OpAnyChar || any == syntax.OpAnyCharNotNL {
			return true
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return false
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i+1] >= 0x7f || re.Rune[i+1]-re.Rune[i] > 30 {
				return false
			}
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if !unescaped(r) {
					return false
				}
			}
		}
	}
	for _, sub := range re.Sub {
		if !exactTree(sub) {
			return false
		}
	}
	return true
}

// paths are what a rule matches by: "paths" where an expression is one path or
// everything, which reads better, else "path_regexes".
func pathsOf(patterns []string) *Map {
	var paths, regexes []string
	for _, p := range patterns {
		switch plain := unquoted(p); {
		case p == "/.*", p == "(.*)", p == "(/.*)":
			paths = append(paths, "/*")
		case plain != "" && !badPath(plain):
			paths = append(paths, plain)
		default:
			regexes = append(regexes, p)
		}
	}
	m := NewMap()
	if len(paths) > 0 {
		m.Set("paths", paths)
	}
	if len(regexes) > 0 {
		m.Set("path_regexes", regexes)
	}
	return m
}

// unquoted is the one path that an expression fits, or "".
func unquoted(pattern string) string {
	var out strings.Builder
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		if c == '\\' && i+1 < len(pattern) && !alphanumeric(pattern[i+1]) {
			i++
			c = pattern[i]
		} else if strings.IndexByte(special, c) >= 0 && c != '-' {
			return ""
		}
		if c == '*' {
			return "" // a path's star is no character
		}
		out.WriteByte(c)
	}
	return out.String()
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
