package httpmsg

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// MaxReturn is the length in bytes above which a return address is refused.
const MaxReturn = 2048

// ErrReturn is the one answer to a return address that is not safe. It does
// not say what was wrong with it: the address came from a stranger.
var ErrReturn = errors.New("httpmsg: return address refused")

// ReturnPath checks an address on this very host that a browser asked to be
// sent back to after sign-in, and returns it fit for a Location field: bytes
// that are not ASCII are percent-encoded, nothing else changes.
//
// The address must be a path that every browser and every server on the way
// reads as one, so that no parser can find another host in it: one slash at
// the start and no empty or dot segment behind it, no backslash and no
// control character anywhere.
func ReturnPath(s string) (string, error) {
	if len(s) > MaxReturn || s == "" || s[0] != '/' {
		return "", ErrReturn
	}
	if !printable(s) || !utf8.ValidString(s) || !safePath(s[:pathEnd(s)]) {
		return "", ErrReturn
	}
	out := escapeUnsafe(s)
	if len(out) > MaxReturn {
		return "", ErrReturn
	}
	return out, nil
}

// ReturnURL is ReturnPath for an address that may also be an absolute http or
// https URL on a host that allowed agrees to. The URL is built anew from the
// parts that were checked: allowed sees the very host that the browser will
// see. port is "" where it is the scheme's own.
func ReturnURL(s string, allowed func(scheme, host, port string) bool) (string, error) {
	if len(s) > MaxReturn || s == "" {
		return "", ErrReturn
	}
	if s[0] == '/' {
		return ReturnPath(s)
	}
	scheme, rest, ok := cutScheme(s)
	if !ok || allowed == nil {
		return "", ErrReturn
	}
	end := authorityEnd(rest)
	host, port, err := ParseAuthority(rest[:end])
	if err != nil {
		return "", ErrReturn
	}
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		port = ""
	}
	if !allowed(scheme, host, port) {
		return "", ErrReturn
	}
	path := rest[end:]
	if path == "" || path[0] != '/' {
		path = "/" + path
	}
	if path, err = ReturnPath(path); err != nil {
		return "", err
	}
	if port != "" {
		host += ":" + port
	}
	out := scheme + "://" + host + path
	if len(out) > MaxReturn {
		return "", ErrReturn
	}
	return out, nil
}

// cutScheme insists on both slashes: browsers also take https:host, with one
// slash or five, but nobody who means well writes that.
func cutScheme(s string) (scheme, rest string, ok bool) {
	for _, scheme := range [...]string{"https", "http"} {
		if n := len(scheme) + len("://"); hasPrefixFold(s, scheme+"://") {
			return scheme, s[n:], true
		}
	}
	return "", "", false
}

func authorityEnd(s string) int {
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		return i
	}
	return len(s)
}

func pathEnd(s string) int {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		return i
	}
	return len(s)
}

// safePath looks at the path as a server would that decodes it, once or more
// often, and redirects to what it then holds.
func safePath(path string) bool {
	for range maxLayers {
		if !safeLayer(path) {
			return false
		}
		decoded := DecodeOnce(path)
		if decoded == path {
			return true
		}
		path = decoded
	}
	return false
}

func safeLayer(path string) bool {
	if len(path) > 1 && path[1] == ' ' {
		return false
	}
	for i := 0; i+1 < len(path); i++ {
		if overlong(path[i], path[i+1]) {
			return false
		}
	}
	return printable(path) && checkSegments(path) == nil
}

// printable refuses what browsers remove from a URL (tab, CR, LF) and what
// they take for a slash.
func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f || s[i] == '\\' {
			return false
		}
	}
	return true
}

// escapeUnsafe percent-encodes what must not stand in a URI as it is: spaces
// and every byte that is not ASCII.
func escapeUnsafe(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] == ' ' || s[i] >= 0x80 {
			return escapeFrom(s, i)
		}
	}
	return s
}

func escapeFrom(s string, i int) string {
	var b strings.Builder
	b.Grow(len(s) + 16)
	b.WriteString(s[:i])
	for ; i < len(s); i++ {
		if s[i] == ' ' || s[i] >= 0x80 {
			writeNormal(&b, s[i])
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
