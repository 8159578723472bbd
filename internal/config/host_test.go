package config

import (
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/httpmsg"
)

func TestHostPatternsMatch(t *testing.T) {
	tests := []struct {
		name, pattern, host, port string
		http, want                bool
	}{
		{"a host at no port", "app.example.com", "app.example.com", "", false, true},
		{"a host at the default port", "app.example.com", "app.example.com", "443", false, true},
		{"a host at the other scheme's port", "app.example.com", "app.example.com", "80", false, false},
		{"a host at the default port of http", "app.example.com", "app.example.com", "80", true, true},
		{"https' port over http", "app.example.com", "app.example.com", "443", true, false},
		{"a host at another port", "app.example.com", "app.example.com", "8443", false, false},
		{"another host", "app.example.com", "api.example.com", "", false, false},
		{"a host below one that is named alone", "app.example.com", "a.app.example.com", "", false, false},
		{"a host that a named one ends in", "app.example.com", "example.com", "", false, false},
		{"a host below a star", "*.example.com", "app.example.com", "", false, true},
		{"a host far below a star", "*.example.com", "a.b.c.example.com", "", false, true},
		{"the star's own domain", "*.example.com", "example.com", "", false, false},
		{"a host below a dot", ".example.com", "app.example.com", "", false, true},
		{"the dot's own domain", ".example.com", "example.com", "", false, true},
		{"a host that merely ends in the domain", ".example.com", "badexample.com", "", false, false},
		{"the same with a star", "*.example.com", "badexample.com", "", false, false},
		{"a host that the domain merely begins", ".example.com", "example.com.evil.net", "", false, false},
		{"an empty label below the domain", ".example.com", ".example.com", "", false, false},
		{"the port that is named", "app.example.com:8443", "app.example.com", "8443", false, true},
		{"no port where one is named", "app.example.com:8443", "app.example.com", "", false, false},
		{"no port where the default is named", "app.example.com:443", "app.example.com", "", false, true},
		{"no port where the other scheme's is named", "app.example.com:443", "app.example.com", "", true, false},
		{"a port whose beginning is named", "app.example.com:84", "app.example.com", "8443", false, false},
		{"any port", "*.example.com:*", "app.example.com", "1", false, true},
		{"no port for any port", "app.example.com:*", "app.example.com", "", false, true},
		{"an address", "127.0.0.1:8080", "127.0.0.1", "8080", false, true},
		{"an IPv6 address with brackets", "[::1]:8080", "[::1]", "8080", false, true},
		{"an IPv6 address without", "[0:0::1]", "::1", "", false, true},
		{"no host", "app.example.com", "", "", false, false},
		{"no host below a dot", ".example.com", "", "", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, flaw := parseHostPattern(tt.pattern)
			if flaw != "" {
				t.Fatal(flaw)
			}
			if got := p.Match(tt.host, tt.port, !tt.http); got != tt.want {
				t.Errorf("%s matches %s at port %q: %v", tt.pattern, tt.host, tt.port, got)
			}
		})
	}
}

func TestTheZeroPatternMatchesNothing(t *testing.T) {
	for _, host := range []string{"", ".", "app.example.com"} {
		if (HostPattern{}).Match(host, "", true) {
			t.Errorf("it matches %q", host)
		}
	}
}

func TestMatchingCostsNoMemory(t *testing.T) {
	c := mustParse(t, with(t, `"app.example.com"`, `"[::1]", "*.example.org", ".example.com:*"`))
	allocs := testing.AllocsPerRun(100, func() {
		if !c.AllowsHost("app.example.com", "8443") || c.AllowsHost("app.example.net", "") || !c.AllowsHost("[::1]", "") {
			t.Error("the wrong answer")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestHTTPPortsAreAllowedOnlyWithHTTPCookies(t *testing.T) {
	if mustParse(t, minimal).AllowsHost("app.example.com", "80") {
		t.Error("port 80 is allowed without the setting")
	}
	c := mustParse(t, with(t, "app.example.com", "localhost", `"hosts":`, `"insecure_http_cookies": true, "hosts":`))
	for _, port := range []string{"", "80", "443"} {
		if !c.AllowsHost("localhost", port) {
			t.Errorf("port %q is not allowed with it", port)
		}
	}
}

func TestLoopbackIsThisMachineAndNothingElse(t *testing.T) {
	for pattern, want := range map[string]bool{
		"localhost": true, "LOCALHOST:8080": true, "*.localhost": true, ".localhost:*": true, "app.localhost": true,
		"127.0.0.1": true, "127.255.255.254": true, "[::1]": true,
		"128.0.0.1": false, "0.0.0.0": false, "10.0.0.1": false, "[::]": false, "[::ffff:127.0.0.1]": false,
		"localhost.example.com": false, "badlocalhost": false, "127.0.0.1.example.com": false,
	} {
		p, flaw := parseHostPattern(pattern)
		if flaw != "" || p.Loopback() != want {
			t.Errorf("%s is loopback: %v %s", pattern, p.Loopback(), flaw)
		}
	}
	if !Loopback("App.LocalHost") || Loopback("") {
		t.Error("a host in other letters, or none, is taken for another")
	}
}

func TestPatternsThatAreRefused(t *testing.T) {
	const noHost = `is not a host, such as "app.example.com" or "127.0.0.1"`
	tests := []struct{ name, pattern, want string }{
		{"every host there is", "*", `would be every host there is; name a domain, such as "*.example.com"`},
		{"every host at a port", "*:443", `would be every host there is; name a domain, such as "*.example.com"`},
		{"every host below the root", "*.", noHost},
		{"a dot", ".", noHost},
		{"a star in the middle", "app.*.com", `has a "*" elsewhere than in front, as in "*.example.com"`},
		{"a star for part of a label", "*app.example.com", `has a "*" elsewhere than in front, as in "*.example.com"`},
		{"two stars", "*.*.example.com", `has a "*" elsewhere than in front, as in "*.example.com"`},
		{"an address with a scheme", "https://app.example.com", `is not a host alone, such as "app.example.com" or "localhost:8080"`},
		{"a host with a path", "app.example.com/", `is not a host alone, such as "app.example.com" or "localhost:8080"`},
		{"a user name", "me@app.example.com", noHost},
		{"a dot at the end", "app.example.com.", "ends in a dot; write it without"},
		{"two dots", "app..example.com", noHost},
		{"a dot too many in front", "*..example.com", noHost},
		{"a hyphen at the end of a label", "app-.example.com", noHost},
		{"an underscore", "my_app.example.com", noHost},
		{"a space", "app example.com", noHost},
		{"another script", "café.example.com", `is not in ASCII; write international names in their "xn--" form`},
		{"a label of 64 letters", strings.Repeat("a", 64) + ".example.com", noHost},
		{"a name of 255 letters", strings.Repeat("a.", 127) + "a", noHost},
		{"port 0", "app.example.com:0", "has a port that is not a number from 1 to 65535"},
		{"port 65536", "app.example.com:65536", "has a port that is not a number from 1 to 65535"},
		{"a port with a zero in front", "app.example.com:0443", "has a port that is not a number from 1 to 65535"},
		{"a colon and no port", "app.example.com:", "has a port that is not a number from 1 to 65535"},
		{"an IPv6 address without brackets", "::1", "has a colon too many; an IPv6 address is written in brackets"},
		{"an IPv6 address with a zone", "[fe80::1%eth0]", noHost},
		{"a bracket that stays open", "[::1", noHost},
		{"an IPv4 address in brackets", "[127.0.0.1]", noHost},
		{"an IPv4 address of two numbers", "127.1", noHost},
		{"an IPv4 address in hexadecimal", "0x7f.0.0.0x1", noHost},
		{"hosts below an address", "*.127.0.0.1", "is an address, below which there are no hosts"},
		{"hosts below part of an address", "*.0.0.1", noHost},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if p, flaw := parseHostPattern(tt.pattern); flaw != tt.want {
				t.Errorf("%q: %s; wanted: %s", p, flaw, tt.want)
			}
		})
	}
}

// FuzzHostPattern holds patterns against the reader of requests: a pattern of
// one host matches what a request for it says, and is read back as written.
func FuzzHostPattern(f *testing.F) {
	for _, s := range []string{"app.example.com", "*.example.com:*", ".Example.com:8443", "[::1]:80", "127.0.0.1", "0x7f.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, flaw := parseHostPattern(s)
		if flaw != "" {
			if p != (HostPattern{}) {
				t.Errorf("%q is refused and gives %q", s, p)
			}
			return
		}
		if again, flaw := parseHostPattern(p.String()); flaw != "" || again != p {
			t.Errorf("%q is %q, which is %q: %s", s, p, again, flaw)
		}
		if p.scope != itself || p.port == "*" {
			return
		}
		host, port, err := httpmsg.ParseAuthority(s)
		if err != nil || !p.Match(host, port, true) {
			t.Errorf("%q does not match itself: %v", s, err)
		}
	})
}
