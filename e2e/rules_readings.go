package e2e

import (
	"net/url"
	"path"
	"slices"
	"strings"
)

// readings are the paths that applications may make of a request target, each in
// its way. They know nothing of how the gate reads one.
func readings(target string) []string {
	if _, rest, absolute := strings.Cut(target, "://"); absolute {
		_, target, _ = strings.Cut(rest, "/")
		target = "/" + target
	}
	found := []string{}
	for _, cutAt := range []string{"?", "?#"} {
		text := target
		if i := strings.IndexAny(text, cutAt); i >= 0 {
			text = text[:i]
		}
		for _, whole := range []string{text, decoded(text), decoded(decoded(text))} {
			for _, slashed := range []string{whole, strings.ReplaceAll(whole, `\`, "/")} {
				for _, bare := range []string{slashed, withoutParameters(slashed)} {
					found = append(found, bare, path.Clean(bare), path.Clean("/"+bare))
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// decoded decodes what can be decoded, and leaves the rest.
func decoded(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// withoutParameters cuts what follows a semicolon in each segment, as servlets do.
func withoutParameters(text string) string {
	segments := strings.Split(text, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// within says whether a path is in an application's part.
func within(part, p string) bool { return p == part || strings.HasPrefix(p, part+"/") }
