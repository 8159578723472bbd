package migrate

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/pathregex"
)

func TestExpressionsFitWhatTheyFitted(t *testing.T) {
	for pattern, want := range map[string]string{
		"^/healthz$":         "/healthz",
		"^/public/":          "/public/.*",
		"^/public":           "/public.*",
		"/public":            "(.*/public.*)",
		`\.css$`:             `(.*\.css)`,
		"^/a$|^/b":           "(/a|/b.*)",
		"^/api/v[0-9]+/":     "/api/v[0-9]+/.*",
		"^/(a|b)/c$":         "/[ab]/c",
		"^/(?:aa|bb)$":       "/(aa|bb)",
		"":                   "(.*)",
		"^/":                 "/.*",
		".*":                 "(.*)",
		"^/x/[^/]+$":         "/x/[^/]+",
		"^/x/.$":             "/x/[^%]",
		"^/x/.{2}$":          "/x/[^%][^%]",
		"(?i)^/Ab$":          "/[Aa][Bb]",
		"^/(foo(bar)?)+$":    "/(foo(bar)?)+",
		`^/a\.b\-c$`:         `/a\.b-c`,
		`^/\d{3}$`:           "/[0-9][0-9][0-9]",
		"^/static/.*[.]js$":  `/static/.*\.js`,
		"^/(metrics|probe)$": "/(metrics|probe)",
	} {
		got, err := expression(pattern)
		if err != nil || got != want {
			t.Errorf("%q became %q, %v; want %q", pattern, got, err, want)
		}
	}
}

func TestExpressionsThatCannotBeToldAreRefused(t *testing.T) {
	for _, pattern := range []string{`\bx`, "a(", "^/é$", "^/a b$", "a^b", "^/a%20b$", "(?m)^/a$", strings.Repeat("(a|b)?", 300)} {
		if got, err := expression(pattern); err == nil {
			t.Errorf("%q became %q", pattern, got)
		}
	}
}

// An expression that opens something must never fit more than it did; one whose
// complement is opened must never fit less.
func FuzzExpressionsNeverOpenMore(f *testing.F) {
	for _, seed := range [][2]string{
		{"^/public/", "/public/x"}, {"^/x/[^ ]+$", "/x/a%20b"}, {"^/x/...$", "/x/%20"}, {"^/x/[^/]+$", "/x/%C3%A9"},
		{"/a|b$", "/xb"}, {"(?i)^/AdMin", "/admin"}, {"^/x/[^a]$", "/x/%41"}, {"^/.$", "/%C3%A9"}, {"^/x/[^é]+$", "/x/%C3%A9"},
		{"^/x/[[:^alpha:]]*$", "/x/%20"}, {`^/x/\S+$`, "/x/%20"}, {"^(/a|/b)?/c", "/a/c"}, {"^/x{0}/y", "/y"}, {"^/x[^0-9]*$", "/x%20"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		theirs, err := regexp.Compile(pattern)
		if err != nil || !normal(path) {
			return
		}
		whole, err := expression(pattern)
		if err != nil {
			return
		}
		ours, err := pathregex.Compile(whole)
		if err != nil {
			t.Fatalf("%q became %q: %v", pattern, whole, err)
		}
		decoded, err := url.PathUnescape(path)
		if err != nil {
			return
		}
		there, here := theirs.MatchString(decoded), ours.Match(path)
		if here && !there {
			t.Errorf("%q fits %q by %q, and did not", pattern, path, whole)
		}
		if there && !here && exact(pattern) {
			t.Errorf("%q does not fit %q by %q, and did", pattern, path, whole)
		}
	})
}

// normal reports whether a path is one that reaches rules: in its normal form, with
// escapes only of what needs them.
func normal(path string) bool {
	if !strings.HasPrefix(path, "/") {
		return false
	}
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c != '%' {
			if !unescaped(rune(c)) {
				return false
			}
			continue
		}
		if i+2 >= len(path) || strings.ToUpper(path[i:i+3]) != path[i:i+3] {
			return false
		}
		decoded, err := url.PathUnescape(path[i : i+3])
		if err != nil || decoded[0] < 0x80 && (unescaped(rune(decoded[0])) || decoded[0] < ' ' || strings.ContainsAny(decoded, "/\\%?#\x7f")) {
			return false
		}
		i += 2
	}
	decoded, err := url.PathUnescape(path)
	return err == nil && strings.ToValidUTF8(decoded, "") == decoded
}
