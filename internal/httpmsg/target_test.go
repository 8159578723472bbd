package httpmsg

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTarget(t *testing.T) {
	for name, tc := range map[string]struct {
		raw  string
		want Target
	}{
		"the root":                                      {"/", Target{Path: "/"}},
		"a plain path":                                  {"/a/b.html", Target{Path: "/a/b.html"}},
		"a trailing slash stays":                        {"/a/", Target{Path: "/a/"}},
		"the query stands apart":                        {"/a?b=c", Target{Path: "/a", Query: "b=c"}},
		"only the first question mark divides":          {"/a?b?c", Target{Path: "/a", Query: "b?c"}},
		"slashes and dots in a query decide nothing":    {"/a?x=/../%2f//", Target{Path: "/a", Query: "x=/../%2f//"}},
		"a stray percent sign in a query is let be":     {"/a?x=100%", Target{Path: "/a", Query: "x=100%"}},
		"unescaped text in a query is let be":           {"/a?x=ü", Target{Path: "/a", Query: "x=ü"}},
		"escaped letters are decoded":                   {"/%61dmin%2Dx", Target{Path: "/admin-x"}},
		"escaped marks are decoded":                     {"/%40me/%7Eyou%21", Target{Path: "/@me/~you!"}},
		"other escapes are written in upper case":       {"/a%20b/%c3%bc", Target{Path: "/a%20b/%C3%BC"}},
		"a percent sign stays escaped":                  {"/100%25", Target{Path: "/100%25"}},
		"a percent sign before harmless digits":         {"/a%25200", Target{Path: "/a%25200"}},
		"names that begin with dots are no dot segment": {"/.well-known/..a/...", Target{Path: "/.well-known/..a/..."}},
		"a path parameter stays":                        {"/a;b=c/d", Target{Path: "/a;b=c/d"}},
		"an escaped path parameter is decoded":          {"/a%3Bb", Target{Path: "/a;b"}},
		"latin-1 is not overlong":                       {"/%E9t%E9", Target{Path: "/%E9t%E9"}},
		"the longest target":                            {"/" + strings.Repeat("a", MaxTarget-1), Target{Path: "/" + strings.Repeat("a", MaxTarget-1)}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.want.Raw = tc.raw
			got, err := ParseTarget(tc.raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseTargetRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ raw, reason string }{
		"nothing at all":                               {"", ReasonNotOriginForm},
		"only a query":                                 {"?a", ReasonNotOriginForm},
		"the asterisk form":                            {"*", ReasonNotOriginForm},
		"the absolute form":                            {"http://a.example/b", ReasonNotOriginForm},
		"the authority form":                           {"a.example:443", ReasonNotOriginForm},
		"a relative path":                              {"a/b", ReasonNotOriginForm},
		"more than the limit":                          {"/" + strings.Repeat("a", MaxTarget), ReasonTooLong},
		"a fragment":                                   {"/a#b", ReasonFragment},
		"a fragment behind the query":                  {"/a?b#c", ReasonFragment},
		"a space":                                      {"/a b", ReasonControl},
		"a space in the query":                         {"/a?b c", ReasonControl},
		"a line break":                                 {"/a\r\nb", ReasonControl},
		"a line break in the query":                    {"/a?b\nc", ReasonControl},
		"a NUL":                                        {"/a\x00", ReasonControl},
		"a DEL":                                        {"/a\x7f", ReasonControl},
		"raw text":                                     {"/ü", ReasonNonASCII},
		"a backslash":                                  {`/a\b`, ReasonBackslash},
		"a backslash after the first slash":            {`/\evil.com`, ReasonBackslash},
		"two slashes at the start":                     {"//evil.com", ReasonDoubleSlash},
		"two slashes within":                           {"/a//b", ReasonDoubleSlash},
		"two slashes at the end":                       {"/a//", ReasonDoubleSlash},
		"a dot":                                        {"/.", ReasonDotSegment},
		"a dot within":                                 {"/a/./b", ReasonDotSegment},
		"two dots":                                     {"/a/..", ReasonDotSegment},
		"two dots within":                              {"/public/../admin", ReasonDotSegment},
		"an escaped dot":                               {"/a/%2e/b", ReasonDotSegment},
		"two escaped dots":                             {"/a/%2e%2E/b", ReasonDotSegment},
		"a dot and an escaped dot":                     {"/a/.%2e", ReasonDotSegment},
		"two dots with a parameter":                    {"/a/..;/b", ReasonDotSegment},
		"two dots with a named parameter":              {"/a/..;x=y/b", ReasonDotSegment},
		"two dots with an escaped parameter":           {"/a/..%3b/b", ReasonDotSegment},
		"a dot with a parameter":                       {"/a/.;/b", ReasonDotSegment},
		"an escaped slash":                             {"/a%2fb", ReasonEncodedSlash},
		"an escaped slash in upper case":               {"/a%2Fb", ReasonEncodedSlash},
		"an escaped backslash":                         {"/a%5cb", ReasonEncodedBackslash},
		"an escaped NUL":                               {"/a%00.html", ReasonEncodedNUL},
		"an escaped line break":                        {"/a%0d%0ab", ReasonEncodedControl},
		"an escaped DEL":                               {"/a%7f", ReasonEncodedControl},
		"an escaped number sign":                       {"/a%23b", ReasonEncodedDelimiter},
		"an escaped question mark":                     {"/a%3fb", ReasonEncodedDelimiter},
		"a percent sign alone":                         {"/100%", ReasonBadEscape},
		"half an escape":                               {"/a%2", ReasonBadEscape},
		"an escape that is none":                       {"/a%zz", ReasonBadEscape},
		"an escape as Windows servers knew it":         {"/a%u002fb", ReasonBadEscape},
		"an escape split by another":                   {"/a%%32%66", ReasonBadEscape},
		"a slash as two bytes":                         {"/a%c0%afb", ReasonOverlong},
		"a dot as two bytes":                           {"/%c0%ae%c0%ae/b", ReasonOverlong},
		"a slash as three bytes":                       {"/a%e0%80%afb", ReasonOverlong},
		"a slash as four bytes":                        {"/a%f0%80%80%afb", ReasonOverlong},
		"a slash escaped twice":                        {"/a%252fb", ReasonDoubleEncoding},
		"a slash escaped three times":                  {"/a%25252fb", ReasonDoubleEncoding},
		"a backslash escaped twice":                    {"/a%255cb", ReasonDoubleEncoding},
		"dots escaped twice":                           {"/a/%252e%252e/b", ReasonDoubleEncoding},
		"a NUL escaped twice":                          {"/a%2500", ReasonDoubleEncoding},
		"a number sign escaped twice":                  {"/a%2523", ReasonDoubleEncoding},
		"a question mark escaped twice":                {"/a%253f", ReasonDoubleEncoding},
		"a parameter escaped twice":                    {"/a/..%253b/b", ReasonDoubleEncoding},
		"the second escape's digits escaped":           {"/a%25%32%66b", ReasonDoubleEncoding},
		"a slash behind a stray percent, in layer 2":   {"/a%25%2532%2566", ReasonDoubleEncoding},
		"percent signs all the way down":               {"/a%2525252525", ReasonDoubleEncoding},
		"a reason in the path before one in the query": {"/a//b?c d", ReasonDoubleSlash},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseTarget(tc.raw)
			var refused *TargetError
			if !errors.As(err, &refused) || refused.Reason != tc.reason {
				t.Errorf("got %v, want reason %s", err, tc.reason)
			}
			if got != (Target{}) {
				t.Errorf("a refused target came back: %+v", got)
			}
		})
	}
}

func TestARefusalDoesNotRepeatTheTarget(t *testing.T) {
	_, err := ParseTarget("//callback?code=hush")
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("got %v", err)
	}
}

// The oracle decides by regular expressions over the whole path what the
// parser decides byte by byte.
var (
	anEscape   = regexp.MustCompile(`%[0-9a-fA-F]{2}`)
	rawPath    = regexp.MustCompile(`^/[!"$->@-\[\]-~]*$`)
	structural = regexp.MustCompile(`(?i)%(2f|5c|23|3f|[01][0-9a-f]|7f)`)
	hidden     = regexp.MustCompile(`(?i)%(2f|5c|23|3f|[01][0-9a-f]|7f|2e|3b)`)
	tooLong    = regexp.MustCompile(`(?i)%c[01]%[89ab]|%e0%[89]|%f0%8`)
	dotSegment = regexp.MustCompile(`^\.\.?(;.*)?$`)
	readable   = regexp.MustCompile(`^[!-$&-~]$`)
)

func oracleDecode(s string) string {
	return anEscape.ReplaceAllStringFunc(s, func(e string) string {
		return string([]byte{unhexByTable(e[1])<<4 | unhexByTable(e[2])})
	})
}

func unhexByTable(c byte) byte {
	return byte(strings.IndexByte("0123456789abcdef", c|0x20))
}

func oracleNormal(path string) (string, bool) {
	if len(path) > MaxTarget || !rawPath.MatchString(path) ||
		strings.Contains(anEscape.ReplaceAllString(path, ""), "%") ||
		structural.MatchString(path) || tooLong.MatchString(path) {
		return "", false
	}
	if strings.Contains(path, "%25") && !oracleLayers(oracleDecode(path), 3) {
		return "", false
	}
	normal := anEscape.ReplaceAllStringFunc(path, func(e string) string {
		if d := oracleDecode(e); readable.MatchString(d) {
			return d
		}
		return strings.ToUpper(e)
	})
	segments := strings.Split(normal, "/")[1:]
	for i, s := range segments {
		if s == "" && i != len(segments)-1 || dotSegment.MatchString(s) {
			return "", false
		}
	}
	return normal, true
}

func oracleLayers(s string, n int) bool {
	switch {
	case !anEscape.MatchString(s):
		return n > 0
	case n == 0 || hidden.MatchString(s):
		return false
	}
	return oracleLayers(oracleDecode(s), n-1)
}

func FuzzNormalPath(f *testing.F) {
	for _, s := range []string{"/", "/a/b", "/a%2eb", "/..;/x", "/%252f", "/%25%32%66", "/%c0%af", "//", "/%c3%bc", "/a%2520b", "/%25%2532%2566"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		want, wantOK := oracleNormal(path)
		got, err := NormalPath(path)
		if (err == nil) != wantOK || got != want {
			t.Fatalf("%q: got %q, %v; the oracle says %q, %v", path, got, err, want, wantOK)
		}
		if err != nil {
			return
		}
		if again, err := NormalPath(got); err != nil || again != got {
			t.Fatalf("%q: the normal form %q is not its own normal form: %q, %v", path, got, again, err)
		}
	})
}

func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"/a?b", "*", "/?", "/a?%00", "/a#b", "http://a/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := ParseTarget(raw)
		if err != nil {
			return
		}
		path, query, _ := strings.Cut(raw, "?")
		want, ok := oracleNormal(path)
		if !ok || got.Path != want || got.Query != query || got.Raw != raw {
			t.Fatalf("%q: got %+v", raw, got)
		}
	})
}

func TestAPlainTargetCostsNoMemory(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { _, _ = ParseTarget("/shop/basket/items.html?page=2") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParseTarget(b *testing.B) {
	for name, raw := range map[string]string{
		"plain":   "/shop/basket/items.html?page=2&sort=name",
		"escaped": "/shop/b%C3%BCcher/items%2Ehtml?page=2",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseTarget(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
