package config

import (
	"slices"
	"strings"
)

// modifiers are those of gjson's that a path may hold. They take out what is
// there, and pass over it once. The others search everything (@dig), read text
// as JSON (@fromstr) or write it anew, for which no claim has use.
var modifiers = []string{"flatten", "keys", "values"}

// claimPathFlaw says what is wrong with a gjson path that rules and headers
// name. It must lead to what the provider said: gjson's literals (`!"x"`) and
// the objects and lists that it can put together would be there for anybody.
// In a query, `#(…)`, it is looked at in the same way.
func claimPathFlaw(path string) string {
	if !only(path, 256, func(c byte) bool { return c >= ' ' && c != 0x7f }) {
		return "is not a claim or path of up to 256 bytes, without control characters"
	}
	depth, quoted, start := 0, false, true // of parentheses, in quotes, where a component begins
	for i := 0; i < len(path); i++ {
		began := start
		start = false
		switch c := path[i]; {
		case c == '\\':
			i++
		case c == '"' && depth > 0:
			quoted = !quoted
		case quoted:
		case c == '(' && (depth > 0 || i > 0 && path[i-1] == '#'):
			depth++
			start = true
		case c == ')' && depth > 0:
			depth--
		case c == '.', c == '|':
			start = true
		case !began:
		case c == '@' && !named(modifier(path[i+1:])) && !slices.Contains(modifiers, modifier(path[i+1:])):
			return `holds a modifier other than @flatten, @keys and @values; a name that begins with "@" is written "\@…"`
		case c == '{', c == '[', c == '!' && !comparison(path[i+1:], depth):
			return "holds a value of its own; only what the provider said can be looked at"
		}
	}
	if depth > 0 {
		return "holds a query without its end"
	}
	return ""
}

// named reports whether what follows an at sign is a name, such as
// "@odata\.nextLink": no modifier's has a backslash in front of a dot.
func named(s string) bool {
	return len(s) > 1 && strings.HasSuffix(s, `\`) && !strings.Contains(s, ":")
}

// modifier is the name at which a component without arguments begins.
func modifier(rest string) string {
	if end := strings.IndexAny(rest, ".|"); end >= 0 {
		return rest[:end]
	}
	return rest
}

// comparison reports whether what follows an exclamation mark in a query makes
// it one of the operators != and !%.
func comparison(rest string, depth int) bool {
	return depth > 0 && rest != "" && (rest[0] == '=' || rest[0] == '%')
}
