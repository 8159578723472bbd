package httpmsg

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// exampleHosts allows app.example.com and what is below .example.com, each on
// its scheme's own port.
func exampleHosts(_, host, port string) bool {
	return port == "" && strings.HasSuffix(host, ".example.com")
}

func TestReturnURL(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"the root":                               {"/", "/"},
		"a path":                                 {"/a/b", "/a/b"},
		"a path with a query and a fragment":     {"/a?b=c#d", "/a?b=c#d"},
		"a URL in the query":                     {"/a?next=https://b.example//c/../d", "/a?next=https://b.example//c/../d"},
		"an escaped slash further back":          {"/projects/group%2Fname", "/projects/group%2Fname"},
		"escaped line breaks in a query":         {"/a?text=b%0D%0Ac", "/a?text=b%0D%0Ac"},
		"an escaped percent sign":                {"/100%25", "/100%25"},
		"a percent sign that escapes nothing":    {"/100%", "/100%"},
		"names that begin with a dot":            {"/.well-known/x", "/.well-known/x"},
		"text beyond ASCII is escaped":           {"/bücher?q=ü", "/b%C3%BCcher?q=%C3%BC"},
		"a slash of another script is only text": {"/／evil.com", "/%EF%BC%8Fevil.com"},
		"spaces are escaped":                     {"/a b?c d", "/a%20b?c%20d"},
		"an allowed host":                        {"https://app.example.com/a?b#c", "https://app.example.com/a?b#c"},
		"an allowed host without a path":         {"https://app.example.com", "https://app.example.com/"},
		"an allowed host and a query":            {"https://app.example.com?a", "https://app.example.com/?a"},
		"an allowed host and a fragment":         {"https://app.example.com#a", "https://app.example.com/#a"},
		"capitals":                               {"HTTPS://App.Example.COM/A", "https://app.example.com/A"},
		"the scheme's own port":                  {"https://app.example.com:443/", "https://app.example.com/"},
		"the other scheme's own port":            {"http://app.example.com:80/", "http://app.example.com/"},
		"the longest address":                    {"/" + strings.Repeat("a", MaxReturn-1), "/" + strings.Repeat("a", MaxReturn-1)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReturnURL(tc.in, exampleHosts)
			if err != nil || got != tc.want {
				t.Fatalf("got %q, %v", got, err)
			}
			checkStays(t, got)
			if tc.in[0] != '/' {
				return
			}
			if path, err := ReturnPath(tc.in); path != got || err != nil {
				t.Errorf("ReturnPath says %q, %v", path, err)
			}
		})
	}
}

func TestReturnURLRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"an address that is too long":              "/" + strings.Repeat("a", MaxReturn),
		"an address that is too long once escaped": "/" + strings.Repeat("ü", MaxReturn/4),
		"text that is not UTF-8":                   "/\xff",
		"a slash as two raw bytes":                 "/\xc0\xafevil.com",
		"nothing":                                  "",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ReturnURL(in, exampleHosts); err != ErrReturn || got != "" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	if got, err := ReturnURL("https://app.example.com/", nil); err != ErrReturn || got != "" {
		t.Errorf("with no host allowed: %q, %v", got, err)
	}
}

func TestHostileReturnAddressesAreRefused(t *testing.T) {
	n := 0
	for name, address := range hostileAddresses(t) {
		n++
		t.Run(name, func(t *testing.T) {
			if got, err := ReturnPath(address); err != ErrReturn || got != "" {
				t.Errorf("ReturnPath(%q) = %q, %v", address, got, err)
			}
			if got, err := ReturnURL(address, exampleHosts); err != ErrReturn || got != "" {
				t.Errorf("ReturnURL(%q) = %q, %v", address, got, err)
			}
		})
	}
	if n < 150 {
		t.Errorf("only %d spellings were read", n)
	}
}

// The browser's reading is only worth something as an oracle if it sees
// through the spellings that are known to work in browsers.
func TestTheBrowserOracleIsFooledAsBrowsersAre(t *testing.T) {
	for in, want := range map[string]string{
		"/a":                           "app.example.com",
		"//evil.com":                   "evil.com",
		"/\\evil.com":                  "evil.com",
		"/\t/evil.com":                 "evil.com",
		" //evil.com":                  "evil.com",
		"ht\ntps:/\\evil.com":          "evil.com",
		"https:evil.com":               "app.example.com",
		"http:evil.com":                "evil.com",
		"https://a@evil.com\\@b":       "evil.com",
		"https://evil\u3002com/":       "evil.com",
		"https://%65vil.com":           "evil.com",
		"javascript:alert(1)":          "",
		"https://evil.com\uff0f.x.com": "evil.com/.x.com",
	} {
		if got := browserHost("https", in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzReturnURL(f *testing.F) {
	for _, address := range hostileAddresses(f) {
		f.Add(address)
	}
	f.Add("/a?b#c")
	f.Add("https://app.example.com:443/%C3%BC")
	f.Fuzz(func(t *testing.T, address string) {
		got, err := ReturnURL(address, exampleHosts)
		if err != nil {
			return
		}
		checkStays(t, got)
		if again, err := ReturnURL(got, exampleHosts); err != nil || again != got {
			t.Fatalf("%q: the canonical %q is not accepted as it is: %q, %v", address, got, again, err)
		}
	})
}

func hostileAddresses(t testing.TB) map[string]string {
	t.Helper()
	file, err := os.Open("testdata/hostile_return_addresses.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	addresses := make(map[string]string)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if line := lines.Text(); line != "" && line[0] != '#' {
			name, quoted, _ := strings.Cut(line, ": ")
			var address string
			if err := json.Unmarshal([]byte(quoted), &address); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			addresses[name] = address
		}
	}
	return addresses
}

// checkStays asks two readers that share nothing with ReturnURL where an
// address leads: net/url, and a browser's algorithm. It asks again for what a
// server makes of it that decodes the path and redirects there.
func checkStays(t *testing.T, address string) {
	t.Helper()
	if strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		t.Fatalf("%q cannot stand in a Location field", address)
	}
	decoded := regexp.MustCompile(`%[0-9a-fA-F]{2}`).ReplaceAllStringFunc(pathOf(address), oracleDecode)
	for _, a := range []string{address, decoded} {
		for _, scheme := range []string{"https", "http"} {
			if host := browserHost(scheme, a); !strings.HasSuffix(host, ".example.com") {
				t.Fatalf("%q leads a browser to %q", a, host)
			}
		}
	}
	base := &url.URL{Scheme: "https", Host: "app.example.com", Path: "/"}
	u, err := base.Parse(address)
	if bad := url.EscapeError(""); errors.As(err, &bad) {
		return // net/url does not follow it anywhere
	}
	if err != nil || u.User != nil || !strings.HasSuffix(u.Host, ".example.com") || u.Scheme != "https" && u.Scheme != "http" {
		t.Fatalf("%q leads net/url to %v, %v", address, u, err)
	}
}

// pathOf returns a local address's path, the whole of another one's.
func pathOf(address string) string {
	if !strings.HasPrefix(address, "/") {
		return address
	}
	path, _, _ := strings.Cut(address, "?")
	path, _, _ = strings.Cut(path, "#")
	return path
}

// browserHost returns the host to which a browser goes that finds address on
// a page of app.example.com, or "" where it goes to none: the parts of the
// WHATWG URL standard that decide it, written from the standard's states.
func browserHost(baseScheme, address string) string {
	s := strings.TrimFunc(address, func(r rune) bool { return r <= ' ' })
	s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	const slashes = `/\`
	if m := regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.\-]*:`).FindString(s); m != "" {
		scheme := strings.ToLower(strings.TrimSuffix(m, ":"))
		rest := s[len(m):]
		if scheme != "http" && scheme != "https" {
			return ""
		}
		if scheme != baseScheme || strings.HasPrefix(rest, "//") {
			return authorityHost(strings.TrimLeft(rest, slashes))
		}
		s = rest
	}
	if len(s) >= 2 && strings.Contains(slashes, s[:1]) && strings.Contains(slashes, s[1:2]) {
		return authorityHost(strings.TrimLeft(s, slashes))
	}
	return "app.example.com"
}

func authorityHost(s string) string {
	if i := strings.IndexAny(s, `/\?#`); i >= 0 {
		s = s[:i]
	}
	s = s[strings.LastIndex(s, "@")+1:]
	s = regexp.MustCompile(`%[0-9a-fA-F]{2}`).ReplaceAllStringFunc(s, oracleDecode)
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\u3002' || r == '\uff61':
			return '.'
		case r >= '\uff01' && r <= '\uff5e':
			return r - '\uff01' + '!'
		case r == '\u00ad' || r == '\u200d' || r == '\ufeff':
			return -1
		}
		return r
	}, s)
	if i := strings.LastIndex(s, ":"); i >= 0 && !strings.HasSuffix(s, "]") {
		s = s[:i]
	}
	return strings.ToLower(s)
}

func ExampleReturnURL() {
	address, err := ReturnURL("https://App.Example.com:443/a b", exampleHosts)
	fmt.Println(address, err)
	// Output: https://app.example.com/a%20b <nil>
}
