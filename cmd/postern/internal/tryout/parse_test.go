package tryout

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/httpmsg"
)

func field(name, value string) httpmsg.Field { return httpmsg.Field{Name: name, Value: value} }

func TestAnAddressIsLeftAsItWasWritten(t *testing.T) {
	for text, want := range map[string]Address{
		"https://app.example.com":              {"https", "app.example.com", "/"},
		"HTTPS://App.example.com:8443/a//b":    {"https", "App.example.com:8443", "/a//b"},
		"https://app.example.com/%2e%2e/x?y=z": {"https", "app.example.com", "/%2e%2e/x?y=z"},
		"https://app.example.com/a#b":          {"https", "app.example.com", "/a"},
		"https://app.example.com?a":            {"https", "app.example.com", "/?a"},
		"http://[::1]:80/":                     {"http", "[::1]:80", "/"},
	} {
		got, err := ParseAddress(text)
		if err != nil || !cmp.Equal(*got, want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "/a", "app.example.com/a", "ftp://app.example.com/", "https:///a", "https://a:b@app.example.com/"} {
		if got, err := ParseAddress(text); err == nil {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}

func TestClaimsAreOneObject(t *testing.T) {
	c, err := ParseClaims([]byte(`{"auth_time":"-90s","n":12345678901234567890}`), testTime)
	if err != nil || c["auth_time"] != testTime.Unix()-90 {
		t.Errorf("%v, %v", c, err)
	}
	for _, text := range []string{"", "null", "[]", `"a"`, "{} {}", `{"auth_time":"5m"}`, `{"auth_time":"soon"}`, `{"a":"` + strings.Repeat("a", MaxClaims) + `"}`} {
		if c, err := ParseClaims([]byte(text), testTime); err == nil {
			t.Errorf("%.40q is taken for %d claims", text, len(c))
		}
	}
}

func TestABrowserKeepsACookieForWhomItWasSet(t *testing.T) {
	b := &browser{}
	b.take("app.example.com", httpmsg.Fields{
		field("set-cookie", "own=1; Path=/; Secure"), field("set-cookie", "deep=1; Path=/a"), field("set-cookie", "wide=1; Domain=example.com; Path=/"),
	})
	for at, want := range map[string]string{
		"app.example.com/":      "own=1; wide=1",
		"app.example.com/a/b":   "own=1; deep=1; wide=1",
		"app.example.com/ab":    "own=1; wide=1",
		"other.example.com/":    "wide=1",
		"badexample.com/":       "",
		"app.example.com.evil/": "",
	} {
		host, path, _ := strings.Cut(at, "/")
		if got := b.send(host, "/"+path); got != want {
			t.Errorf("%s: %q", at, got)
		}
	}
	b.take("app.example.com", httpmsg.Fields{field("set-cookie", "own=; Path=/; Max-Age=0"), field("set-cookie", "wide=2; Domain=example.com; Path=/")})
	if got := b.send("app.example.com", "/"); got != "wide=2" {
		t.Errorf("afterwards: %q", got)
	}
}
