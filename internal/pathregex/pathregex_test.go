package pathregex

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func TestAnExpressionFitsWholePathsAndNothingElse(t *testing.T) {
	for _, c := range []struct{ name, pattern, yes, no string }{
		{"characters are themselves", `/a-b~c,d`, "/a-b~c,d", "/a /a-b~c,dx x/a-b~c,d /A-B~C,D"},
		{"a dot is any character", `/a.c`, "/abc /a.c /a/c", "/ac /abbc"},
		{"an escaped mark is itself", `/a\.c\*\(\)`, "/a.c*()", "/abc*()"},
		{"digits", `/\d+`, "/0 /42", "/ /4a"},
		{"words", `/\w+`, "/a_Z9", "/a-b"},
		{"what is no digit, word or space", `/\D\W\S`, "/a-b", "/1-b /aab"},
		{"white space is in no path", `/\s`, "", "/ /a"},
		{"a class", `/[a-cx]`, "/a /b /c /x", "/d /- /"},
		{"a class of others", `/[^/]+/x`, "/a.b/x", "//x /a/b/x"},
		{"a class with escapes", `/[\d\-\]]+`, "/1-]", "/a"},
		{"hyphens at the ends of a class", `/[-a][a-]`, "/-- /aa", "/b-"},
		{"a caret later in a class", `/[a^]`, "/a /^", "/b"},
		{"marks in a class are themselves", `/[.*+?(){}|$]`, "/. /* /$ /|", "/a"},
		{"groups and alternatives", `/(a|bc)(?:d|e)`, "/ad /bce", "/abce /a"},
		{"alternatives without a group", `/a|/b`, "/a /b", "/a|/b"},
		{"any number", `/ab*`, "/a /abbb", "/ab/"},
		{"at least one", `/ab+`, "/ab /abb", "/a"},
		{"perhaps", `/orders/[0-9]+(/items)?`, "/orders/1 /orders/12/items", "/orders/ /orders/1/items/ /orders/1/item"},
		{"exactly so many", `/a{3}`, "/aaa", "/aa /aaaa"},
		{"at least so many", `/a{2,}`, "/aa /aaaaa", "/a"},
		{"from so many to so many", `/a{2,4}`, "/aa /aaa /aaaa", "/a /aaaaa"},
		{"none to so many", `/a{0,2}`, "/ /a /aa", "/aaa"},
		{"groups repeated", `(/[a-z]{2}){2}`, "/ab/cd", "/ab /ab/cd/ef /ab/c"},
		{"what may be empty, repeated", `/(a*)*b`, "/b /aab", "/a"},
		{"choices in choices", `/((a|b)|(c|(d)))+`, "/abcd", "/e /"},
		{"endings of files", `.*\.(css|js|woff2?)`, "/a/b.css /.js /x.woff /x.woff2", "/a.css/ /acss /a.woff3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Compile(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if r.String() != c.pattern {
				t.Errorf("is called %s", r)
			}
			for _, path := range strings.Fields(c.yes) {
				if !r.Match(path) {
					t.Errorf("%s does not match %s", c.pattern, path)
				}
			}
			for _, path := range append(strings.Fields(c.no), "", "/\xff", "/a\n", "/\x00") {
				if r.Match(path) {
					t.Errorf("%s matches %q", c.pattern, path)
				}
			}
		})
	}
}

func TestWhatIsNotKnownIsRefusedInWords(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                          "is empty",
		strings.Repeat("a", 513):    "longer than 512",
		"/ä":                        "printable ASCII",
		"/a\n":                      "printable ASCII",
		"/(a":                       `"(" that is not closed`,
		"/a)":                       `")" without a "("`,
		"/[a":                       `"[" that is not closed`,
		`/[a\`:                      `"\" before`,
		`/a\`:                       `"\" before`,
		"/[]":                       "class with nothing",
		"/[^]":                      "class with nothing",
		"/[]a]":                     "class with nothing",
		"/a]":                       `"]" without`,
		"/a}":                       `"}" without`,
		"/[[:alpha:]]":              `"[" within a class`,
		"/[z-a]":                    "ends before it begins",
		"/[a-c-e]":                  `"-" in a class`,
		`/[a-\d]`:                   `"-" in a class`,
		`/[\d-z]`:                   `"-" in a class`,
		"*":                         `"*" with nothing`,
		"/(+a)":                     `"+" with nothing`,
		"/a|?":                      `"?" with nothing`,
		"/a**":                      "two repetitions",
		"/a+?":                      "two repetitions",
		"/a{2}{3}":                  "two repetitions",
		"/a{":                       `"{" that does not begin`,
		"/a{x}":                     `"{" that does not begin`,
		"/a{,3}":                    `"{" that does not begin`,
		"/a{1,2,3}":                 `"{" that does not begin`,
		"/a{01}":                    `"{" that does not begin`,
		"/a{-1}":                    `"{" that does not begin`,
		"/a{1001}":                  `"{" that does not begin`,
		"/a{3,2}":                   "smaller than its first",
		"/a{0}":                     "repetition of nothing",
		"/a{0,0}":                   "repetition of nothing",
		"^/a":                       `"^", which is not needed`,
		"/a$":                       `"$", which is not needed`,
		"/()":                       "nothing in a group",
		"/(a|)":                     "nothing in a group",
		"|/a":                       "nothing in a group",
		"/(?i)a":                    `"(?" that is not`,
		"/(?=a)":                    `"(?" that is not`,
		"/(?P<n>a)":                 `"(?" that is not`,
		`/\bword`:                   `"\" before`,
		`/\1`:                       `"\" before`,
		`/\pL`:                      `"\" before`,
		`/\n`:                       `"\" before`,
		"/(a{500}){500}":            "too large once",
		"/((((a{9}){9}){9}){9}){9}": "too large once",
		"/(a|b)*a(a|b){12}":         "too large a table",
		"/.*a.{300}":                "too large a table",
	} {
		r, err := Compile(pattern)
		if r != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want it to say %q", pattern, err, want)
		}
	}
}

func TestWhatOperatorsWriteFitsIntoTheTable(t *testing.T) {
	for _, pattern := range []string{
		`/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(/.*)?`,
		`/(api|v[0-9]{1,3})/([a-z0-9-]{1,63}/){0,5}[^/]{1,255}`,
		`.*/(admin|internal|debug)(/.*)?`,
		`/[^/]+/[^/]+/raw/.*\.(png|jpe?g|gif|svg|ico|css|js|map|woff2?|ttf)`,
		`/a{1000}`,
		`/.{0,900}`,
	} {
		if _, err := Compile(pattern); err != nil {
			t.Errorf("%s %v", pattern, err)
		}
	}
}

// FuzzAgainstTheStandardLibrary holds what is accepted against what it means
// there.
func FuzzAgainstTheStandardLibrary(f *testing.F) {
	for _, s := range [][2]string{
		{`/orders/[0-9]+(/items)?`, "/orders/12/items"}, {`/(a|b|)*`, "/ab"}, {`/[^a-c\d]{2,3}`, "/xy"},
		{`(?:/\w+){1,3}`, "/a/b"}, {`/a{0,2}b{2,}`, "/aabb"}, {`/[\w.-]+`, "/a.b-c"}, {`/((a?)*b)+`, "/abab"},
		{`/[a-c][b-d][c-e][d-f][e-g][^a-k][f-z][k-m]?[.-9]*[!-/]`, "/abcdezzk0!"}, {`/\D\W\S\s`, "/a-b"}, {`/[+--]`, "/,"}, {`/[--a]`, "/."}, {`.*a.{3}`, "/xaxyz"}, {`/(((a{2}){2}){2})?`, "/aaaaaaaa"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if len(path) > 64 {
			return
		}
		for i := range len(path) {
			if path[i] < first || path[i] > last {
				return
			}
		}
		r, err := Compile(pattern)
		if err != nil {
			if len(err.Error()) > 200 {
				t.Errorf("%q is refused at length: %v", pattern, err)
			}
			return
		}
		theirs, err := regexp.Compile("^(?:" + pattern + ")$")
		if err != nil {
			if strings.Contains(err.Error(), "invalid repeat count") {
				return // they stop earlier where repetitions are nested
			}
			t.Fatalf("%q is refused there: %v", pattern, err)
		}
		for _, p := range []string{path, "/" + path, path + path, path + "/", pattern} {
			if strings.Contains(p, "\n") {
				continue
			}
			if got, want := r.Match(p), theirs.MatchString(p); got != want {
				t.Errorf("%q and %q: got %v, want %v", pattern, p, got, want)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	r, err := Compile(`/teams/[a-z0-9-]+/orders/[0-9]+(/items)?`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !r.Match("/teams/red-7/orders/123456/items") {
			b.Fatal("no match")
		}
	}
}

func ExampleCompile() {
	_, err := Compile("/(a")
	fmt.Printf("%q %v\n", "/(a", err)
	// Output: "/(a" has a "(" that is not closed
}
