package httpmsg

import "strings"

// PrivateCacheControl is what the given Cache-Control fields become on an
// answer that is for one person: what they say of the browser's own cache
// stays, and what they allow to caches that people share goes (RFC 9111,
// section 5.2.2). Private comes first, so that nothing behind it can hide it;
// fields that cannot be read forbid all storing.
func PrivateCacheControl(values []string) string {
	out := "private"
	for _, value := range values {
		for rest := value; rest != ""; {
			var directive string
			directive, rest = cutUnquoted(rest, ',')
			if openQuote(directive) {
				return "private, no-store"
			}
			if directive = trimBlank(directive); directive != "" && !sharedDirective(directive) {
				out += ", " + directive
			}
		}
	}
	return out
}

// openQuote reports whether a quoted-string in s does not end.
func openQuote(s string) bool {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		}
	}
	return quoted
}

// sharedDirective reports whether a directive is for shared caches, or is
// private itself: for some fields alone it would be too little.
func sharedDirective(directive string) bool {
	name, _, _ := strings.Cut(directive, "=")
	switch strings.ToLower(trimBlank(name)) {
	case "public", "s-maxage", "private":
		return true
	}
	return false
}

// ForSharedCaches reports whether a field of the given lower-case name tells
// shared caches what to store, over the head of Cache-Control (RFC 9213).
func ForSharedCaches(name string) bool {
	switch name {
	case "surrogate-control", "edge-control", "x-accel-expires":
		return true
	}
	return name == "cdn-cache-control" || strings.HasSuffix(name, "-cdn-cache-control")
}
