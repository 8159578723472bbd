package pathregex

import (
	"strings"
	"testing"
)

func TestAnExpressionCoversAnotherThatFitsNothingElse(t *testing.T) {
	for _, c := range []struct {
		wide, narrow string
		want         bool
	}{
		{"/a", "/a", true},
		{"/a", "/b", false},
		{"/.*", "/a/[0-9]+", true},
		{"/a/[0-9]+", "/.*", false},
		{"/(a|b)+", "/(ab)*a", true},
		{"/(ab)*", "/(ab){2,7}", true},
		{"/(ab){2,7}", "/(ab)*", false},
		{"/a{2,}", "/a+", false},
		{"/a", `/\s`, false},
		{`/[^/]*`, "/x/y", false},
		{`/.*`, `.*\.js`, true},
		{`/a`, `b`, true},
	} {
		wide, err := Compile(c.wide)
		if err != nil {
			t.Fatal(err)
		}
		narrow, err := Compile(c.narrow)
		if err != nil {
			t.Fatal(err)
		}
		if got := wide.Covers(narrow); got != c.want {
			t.Errorf("%s covers %s: got %v", c.wide, c.narrow, got)
		}
	}
}

func TestAnExampleFitsAndIsShort(t *testing.T) {
	for pattern, want := range map[string]string{
		"/orders/[0-9]+(/items)?": "/orders/0",
		"/.{2}":                   "/xx",
		"/(abc|de)*z":             "/z",
		`.*\.js`:                  "/.js",
		"(/a)?(/b)?":              "/a",
	} {
		r, err := Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := r.Example(); !ok || got != want || !r.Match(got) {
			t.Errorf("%s: got %q", pattern, got)
		}
	}
	r, err := Compile("a/b")
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := r.Example(); ok {
		t.Errorf("no path fits, and yet there is %q", got)
	}
}

func TestAPrefixIsWhatAllPathsBeginWith(t *testing.T) {
	for pattern, want := range map[string]string{
		"/orders/[0-9]+": "/orders/",
		"/a(b)(c|d)":     "/ab",
		"/a(b|b)c":       "/abc",
		"/ab?":           "/a",
		"/a*":            "/",
		`/\*\.`:          "/*.",
		"(/a|/b)":        "/",
		".*":             "",
		"a{600}":         strings.Repeat("a", 512),
	} {
		r, err := Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Prefix(); got != want {
			t.Errorf("%s: got %q", pattern, got)
		}
	}
}
