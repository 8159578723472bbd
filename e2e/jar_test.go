package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJarKeepsWhatBrowsersKeep(t *testing.T) {
	long := strings.Repeat("x", 4100)
	for _, test := range []struct{ name, from, line, to, want string }{
		{"a plain cookie goes back to its host", "http://shop.test/a", "a=1", "http://shop.test/b/c", "a"},
		{"a host's cookie does not go to a host below it", "http://shop.test/", "a=1", "http://x.shop.test/", ""},
		{"a domain's cookie goes to a host below it", "http://shop.test/", "a=1; Domain=shop.test", "http://x.shop.test/", "a"},
		{"a domain's cookie does not go to a host that ends like it", "http://shop.test/", "a=1; Domain=shop.test", "http://myshop.test/", ""},
		{"nobody sets cookies for another domain", "http://shop.test/", "a=1; Domain=bank.test", "http://bank.test/", ""},
		{"ports do not part cookies", "http://localhost:1/", "a=1", "http://localhost:2/", "a"},
		{"a path's cookie stays below it", "http://shop.test/", "a=1; Path=/x", "http://shop.test/xy", ""},
		{"a path's cookie goes below it", "http://shop.test/", "a=1; Path=/x", "http://shop.test/x/y", "a"},
		{"without a path, it is the folder of the page", "http://shop.test/x/y", "a=1", "http://shop.test/z", ""},
		{"secure is refused over plain http", "http://shop.test/", "a=1; Secure", "https://shop.test/", ""},
		{"secure is kept over http on localhost", "http://localhost:1/", "a=1; Secure", "http://localhost:1/", "a"},
		{"secure does not go out over plain http", "https://shop.test/", "a=1; Secure", "http://shop.test/", ""},
		{"__Host- is kept with all that it needs", "https://shop.test/", "__Host-a=1; Secure; Path=/", "https://shop.test/", "__Host-a"},
		{"__Host- is refused with a domain", "https://shop.test/", "__Host-a=1; Secure; Path=/; Domain=shop.test", "https://shop.test/", ""},
		{"__Host- is refused with a path", "https://shop.test/", "__Host-a=1; Secure; Path=/x", "https://shop.test/x/", ""},
		{"__Host- is refused without Secure", "https://shop.test/", "__Host-a=1; Path=/", "https://shop.test/", ""},
		{"the prefix counts in any case", "https://shop.test/", "__host-a=1; Path=/", "https://shop.test/", ""},
		{"__Secure- is refused without Secure", "https://shop.test/", "__Secure-a=1", "https://shop.test/", ""},
		{"SameSite=None is refused without Secure", "https://shop.test/", "a=1; SameSite=None", "https://shop.test/", ""},
		{"more than 4096 bytes are refused", "https://shop.test/", "a=" + long, "https://shop.test/", ""},
		{"one in the past is not kept", "https://shop.test/", "a=1; Max-Age=0", "https://shop.test/", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			jar, from, to := &Jar{}, address(t, test.from), address(t, test.to)
			jar.Set(from, (&http.Response{Header: http.Header{"Set-Cookie": {test.line}}}).Cookies())
			if got := strings.Join(jar.Names(to), " "); got != test.want {
				t.Errorf("cookies: %q, want %q", got, test.want)
			}
		})
	}
}

func TestJarReplacesAndRemoves(t *testing.T) {
	jar, u := &Jar{}, address(t, "http://localhost/")
	for _, line := range []string{"a=1; Path=/", "b=1; Path=/", "a=2; Path=/", "b=; Path=/; Max-Age=-1"} {
		jar.Set(u, (&http.Response{Header: http.Header{"Set-Cookie": {line}}}).Cookies())
	}
	var got []string
	for _, c := range jar.For(u) {
		got = append(got, c.Name+"="+c.Value)
	}
	if diff := cmp.Diff([]string{"a=2"}, got); diff != "" {
		t.Error(diff)
	}
}

func address(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
