package httpmsg

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

func TestParseAuthority(t *testing.T) {
	for name, tc := range map[string]struct{ in, host, port string }{
		"a host":                          {"app.example.com", "app.example.com", ""},
		"a host and a port":               {"app.example.com:8443", "app.example.com", "8443"},
		"a host in upper case":            {"APP.Example.com:80", "app.example.com", "80"},
		"a single label":                  {"localhost", "localhost", ""},
		"an IDNA label":                   {"xn--bcher-kva.example", "xn--bcher-kva.example", ""},
		"a label that begins with digits": {"1a.2b", "1a.2b", ""},
		"an IPv4 address":                 {"127.0.0.1:10000", "127.0.0.1", "10000"},
		"an IPv6 address":                 {"[::1]", "[::1]", ""},
		"an IPv6 address and a port":      {"[::1]:443", "[::1]", "443"},
		"an IPv6 address written out":     {"[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]", ""},
		"the highest port":                {"a:65535", "a", "65535"},
	} {
		t.Run(name, func(t *testing.T) {
			host, port, err := ParseAuthority(tc.in)
			if err != nil || host != tc.host || port != tc.port {
				t.Errorf("got %q, %q, %v", host, port, err)
			}
		})
	}
}

func TestParseAuthorityRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ in, reason string }{
		"nothing":                           {"", "empty"},
		"only a port":                       {":80", "empty"},
		"a trailing dot":                    {"app.example.com.", "trailing_dot"},
		"a trailing dot before the port":    {"app.example.com.:80", "trailing_dot"},
		"a user name":                       {"good@evil.com", "userinfo"},
		"a user name and a password":        {"a:b@evil.com", "userinfo"},
		"several colons":                    {"a:80:80", "several_colons"},
		"an IPv6 address without brackets":  {"::1", "several_colons"},
		"an empty port":                     {"a:", "bad_port"},
		"port 0":                            {"a:0", "bad_port"},
		"a port with a leading zero":        {"a:080", "bad_port"},
		"a port above the highest":          {"a:65536", "bad_port"},
		"a port with a sign":                {"a:+80", "bad_port"},
		"a port that is a word":             {"a:http", "bad_port"},
		"a space":                           {"a b", "bad_label"},
		"a leading space":                   {" a", "bad_label"},
		"a tab":                             {"a\t", "bad_label"},
		"a line break":                      {"a\r\nb", "bad_label"},
		"a NUL":                             {"a\x00", "bad_label"},
		"an underscore":                     {"a_b.example", "bad_label"},
		"a percent sign":                    {"a%2eb", "bad_label"},
		"a slash":                           {"a/b", "bad_label"},
		"a backslash":                       {`a\b`, "bad_label"},
		"a wildcard":                        {"*.example.com", "bad_label"},
		"letters beyond ASCII":              {"bücher.example", "bad_label"},
		"an ideographic full stop":          {"a\u3002com", "bad_label"},
		"an empty label":                    {"a..b", "bad_label"},
		"a leading dot":                     {".example.com", "bad_label"},
		"a label that begins with a hyphen": {"-a.example", "bad_label"},
		"a label that ends with a hyphen":   {"a-.example", "bad_label"},
		"a label of 64":                     {strings.Repeat("a", 64) + ".example", "bad_label"},
		"a host of 255":                     {strings.Repeat("a.", 127) + "a", "too_long"},
		"far too much":                      {strings.Repeat("a", 1<<20), "too_long"},
		"a short IPv4 address":              {"127.1", "bad_address"},
		"an IPv4 address as one number":     {"2130706433", "bad_address"},
		"an IPv4 address in octal":          {"0177.0.0.1", "bad_address"},
		"an IPv4 address in hexadecimal":    {"0x7f.0.0.0x1", "bad_address"},
		"an IPv4 address out of range":      {"127.0.0.256", "bad_address"},
		"a bracket left open":               {"[::1", "bad_address"},
		"nothing in brackets":               {"[]", "bad_address"},
		"an IPv4 address in brackets":       {"[127.0.0.1]", "bad_address"},
		"an IPv6 zone":                      {"[fe80::1%25eth0]", "bad_address"},
		"an IPv6 zone, raw":                 {"[fe80::1%eth0]", "bad_address"},
		"text behind the bracket":           {"[::1]a", "bad_port"},
		"a port behind no colon":            {"[::1]443", "bad_port"},
		"several colons behind the bracket": {"[::1]:1:2", "bad_port"},
	} {
		t.Run(name, func(t *testing.T) {
			host, port, err := ParseAuthority(tc.in)
			var refused *AuthorityError
			if !errors.As(err, &refused) || refused.Reason != tc.reason {
				t.Errorf("got %v, want reason %s", err, tc.reason)
			}
			if host != "" || port != "" {
				t.Errorf("a refused authority came back: %q, %q", host, port)
			}
		})
	}
}

func TestAPlainAuthorityCostsNoMemory(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { _, _, _ = ParseAuthority("app.example.com:8443") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParseAuthority(f *testing.F) {
	for _, s := range []string{"a.example:80", "[::1]:1", "1.2.3.4", "a@b", "0x7f.1", "a.", "xn--a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, port, err := ParseAuthority(s)
		if err != nil {
			return
		}
		u, err := url.Parse("https://" + s + "/")
		if err != nil || u.User != nil || u.Port() != port {
			t.Fatalf("%q: net/url reads %v, %v", s, u, err)
		}
		bare := strings.Trim(host, "[]")
		if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
			if addr.String() != bare {
				t.Fatalf("%q: address %q, net/netip reads %s", s, host, addr)
			}
		} else if strings.ToLower(u.Hostname()) != bare {
			t.Fatalf("%q: host %q, net/url reads %q", s, host, u.Hostname())
		}
		if n, err := strconv.Atoi(port); port != "" && (err != nil || n < 1 || n > 65535) {
			t.Fatalf("%q: port %q", s, port)
		}
		again, _, err := ParseAuthority(host)
		if err != nil || again != host {
			t.Fatalf("%q: %q is not its own canonical form: %q, %v", s, host, again, err)
		}
	})
}

func BenchmarkParseAuthority(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ParseAuthority("shop.app.example.com:8443"); err != nil {
			b.Fatal(err)
		}
	}
}
