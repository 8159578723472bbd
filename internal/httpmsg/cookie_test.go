package httpmsg

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func cookieFields(sections ...string) Fields {
	f := Fields{{"accept", "*/*"}}
	for _, s := range sections {
		f = append(f, Field{"cookie", s}, Field{"x-between", "a=b"})
	}
	return f
}

func TestCookies(t *testing.T) {
	for name, tc := range map[string]struct {
		sections []string
		want     [][2]string
	}{
		"no cookie field":                     {nil, nil},
		"an empty one":                        {[]string{""}, nil},
		"one cookie":                          {[]string{"a=1"}, [][2]string{{"a", "1"}}},
		"several in one field":                {[]string{"a=1; b=2;c=3"}, [][2]string{{"a", "1"}, {"b", "2"}, {"c", "3"}}},
		"several fields":                      {[]string{"a=1", "b=2; c=3"}, [][2]string{{"a", "1"}, {"b", "2"}, {"c", "3"}}},
		"a name that occurs twice":            {[]string{"a=1; a=2", "a=3"}, [][2]string{{"a", "1"}, {"a", "2"}, {"a", "3"}}},
		"a name within another name":          {[]string{"xa=1; ax=2; a-a=3"}, [][2]string{{"xa", "1"}, {"ax", "2"}, {"a-a", "3"}}},
		"names differ by case":                {[]string{"A=1; a=2"}, [][2]string{{"A", "1"}, {"a", "2"}}},
		"equals signs in a value":             {[]string{"a=b=c=="}, [][2]string{{"a", "b=c=="}}},
		"white space around names and values": {[]string{" a =\t1 ;\tb= 2 "}, [][2]string{{"a", "1"}, {"b", "2"}}},
		"empty pairs":                         {[]string{";; a=1 ; ;"}, [][2]string{{"a", "1"}}},
		"a cookie without an equals sign":     {[]string{"a; b=1"}, [][2]string{{"", "a"}, {"b", "1"}}},
		"an empty name":                       {[]string{"=a"}, [][2]string{{"", "a"}}},
		"an empty value":                      {[]string{"a="}, [][2]string{{"a", ""}}},
		"quotes stay":                         {[]string{`a="1"`}, [][2]string{{"a", `"1"`}}},
		"quotes do not hide a semicolon":      {[]string{`a="1; b=2; c=3"`}, [][2]string{{"a", `"1`}, {"b", "2"}, {"c", `3"`}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got [][2]string
			for name, value := range Cookies(cookieFields(tc.sections...)) {
				got = append(got, [2]string{name, value})
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCookiesStopsWhenTheCallerDoes(t *testing.T) {
	n := 0
	for range Cookies(cookieFields("a=1; b=2", "c=3")) {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d cookies after a break", n)
	}
}

func ours(name, _ string) bool { return strings.HasPrefix(name, "__Host-postern") }

func TestWithoutCookies(t *testing.T) {
	for name, tc := range map[string]struct {
		sections []string
		want     string
		dropped  bool
	}{
		"no cookies":                            {nil, "", false},
		"only the application's":                {[]string{"a=1; b=2"}, "a=1; b=2", false},
		"only ours":                             {[]string{"__Host-postern=x"}, "", true},
		"ours first":                            {[]string{"__Host-postern=x; a=1; b=2"}, "a=1; b=2", true},
		"ours last":                             {[]string{"a=1; b=2; __Host-postern=x"}, "a=1; b=2", true},
		"ours between":                          {[]string{"a=1; __Host-postern=x; b=2"}, "a=1; b=2", true},
		"several of ours":                       {[]string{"__Host-postern-0=x; a=1; __Host-postern-1=y; b=2; __Host-postern=z"}, "a=1; b=2", true},
		"ours in several fields":                {[]string{"a=1; __Host-postern=x", "__Host-postern=y; b=2"}, "a=1; b=2", true},
		"fields are joined":                     {[]string{"a=1", "b=2"}, "a=1; b=2", false},
		"a field without any of the rest":       {[]string{"__Host-postern=x", "b=2"}, "b=2", true},
		"our name in a value is not ours":       {[]string{"a=__Host-postern=x"}, "a=__Host-postern=x", false},
		"our name with white space is ours":     {[]string{"a=1; __Host-postern =x"}, "a=1", true},
		"our name in quotes is cut out as well": {[]string{`a="1; __Host-postern=x; b=2"`}, `a="1; b=2"`, true},
		"bytes of the rest are unchanged":       {[]string{"a = \"1,2\" ; __Host-postern=x; b=%00\xff"}, "a = \"1,2\"; b=%00\xff", true},
		"loose separators are made firm":        {[]string{"a=1;b=2 ;  c=3;"}, "a=1; b=2; c=3", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, dropped := WithoutCookies(cookieFields(tc.sections...), ours)
			if got != tc.want || dropped != tc.dropped {
				t.Errorf("got %q, %v; want %q, %v", got, dropped, tc.want, tc.dropped)
			}
		})
	}
}

func TestOrdinaryCookiesCostNoMemory(t *testing.T) {
	f := cookieFields("theme=dark; lang=de; __Host-postern-0=abc; __Host-postern-1=def")
	n := testing.AllocsPerRun(100, func() {
		for name, value := range Cookies(f) {
			if ours(name, value) && value == "" {
				t.Error("a value is missing")
			}
		}
		if rest, _ := WithoutCookies(f, ours); rest != "theme=dark; lang=de" {
			t.Error(rest)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzWithoutCookies(f *testing.F) {
	f.Add("a=1; __Host-postern=x; b=2", "c=3")
	f.Add(" ;;=__Host-postern; a", "__Host-postern =\t")
	f.Fuzz(func(t *testing.T, first, second string) {
		fields := cookieFields(first, second)
		var want [][2]string
		wantDropped := false
		for _, pair := range strings.Split(first+";"+second, ";") {
			pair = strings.Trim(pair, " \t")
			name, value, ok := strings.Cut(pair, "=")
			if !ok {
				name, value = "", name
			}
			switch name = strings.Trim(name, " \t"); {
			case pair == "":
			case ours(name, value):
				wantDropped = true
			default:
				want = append(want, [2]string{name, strings.Trim(value, " \t")})
			}
		}
		rest, dropped := WithoutCookies(fields, ours)
		if dropped != wantDropped {
			t.Fatalf("%q, %q: dropped %v", first, second, dropped)
		}
		var got [][2]string
		for name, value := range Cookies(Fields{{"cookie", rest}}) {
			got = append(got, [2]string{name, value})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q, %q: %q: %s", first, second, rest, diff)
		}
	})
}

func BenchmarkWithoutCookies(b *testing.B) {
	session := "__Host-postern=" + strings.Repeat("x", 3800)
	for name, section := range map[string]string{
		"ours last":    "theme=dark; lang=de; " + session,
		"ours between": "theme=dark; " + session + "; lang=de",
	} {
		b.Run(name, func(b *testing.B) {
			f := cookieFields(section)
			b.ReportAllocs()
			for b.Loop() {
				WithoutCookies(f, ours)
			}
		})
	}
}

func BenchmarkCookies(b *testing.B) {
	f := cookieFields("theme=dark; lang=de; __Host-postern=" + strings.Repeat("x", 3800))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for name := range Cookies(f) {
			n += len(name)
		}
	}
}

func TestSetCookie(t *testing.T) {
	session := SetCookie{Name: "__Host-postern", Value: "abc", Path: "/", MaxAge: time.Hour, SameSite: SameSiteLax, Secure: true, HTTPOnly: true}
	with := func(edit func(*SetCookie)) SetCookie {
		c := session
		edit(&c)
		return c
	}
	for name, tc := range map[string]struct {
		cookie SetCookie
		want   string
	}{
		"a session cookie of ours": {session, "__Host-postern=abc; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"},
		"without a lifetime":       {with(func(c *SetCookie) { c.MaxAge = 0 }), "__Host-postern=abc; Path=/; HttpOnly; Secure; SameSite=Lax"},
		"a lifetime is rounded up": {with(func(c *SetCookie) { c.MaxAge = time.Millisecond }), "__Host-postern=abc; Path=/; Max-Age=1; HttpOnly; Secure; SameSite=Lax"},
		"a deletion keeps every attribute, or browsers ignore it": {
			with(func(c *SetCookie) { c.MaxAge, c.Value = -1, "" }),
			"__Host-postern=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax"},
		"with a domain":        {SetCookie{Name: "a", Value: "b", Domain: "example.com"}, "a=b; Domain=example.com"},
		"for cross-site posts": {SetCookie{Name: "a", Value: "b", Secure: true, SameSite: SameSiteNone}, "a=b; Secure; SameSite=None"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tc.cookie.Validate(); err != nil {
				t.Fatal(err)
			}
			if got := tc.cookie.String(); got != tc.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestSetCookieRefuses(t *testing.T) {
	for name, c := range map[string]SetCookie{
		"no name":                            {Value: "x"},
		"a name with a space":                {Name: "a b"},
		"a name with an equals sign":         {Name: "a=b"},
		"a name with a line break":           {Name: "a\r\nb"},
		"a value with a semicolon":           {Name: "a", Value: "b; Domain=evil"},
		"a value with a line break":          {Name: "a", Value: "b\r\nset-cookie: c=d"},
		"a value with a comma":               {Name: "a", Value: "b,c"},
		"a value with a quote":               {Name: "a", Value: `"b"`},
		"a value with a backslash":           {Name: "a", Value: `b\c`},
		"a value with a space":               {Name: "a", Value: "b c"},
		"a value beyond ASCII":               {Name: "a", Value: "ü"},
		"a value too long for browsers":      {Name: "a", Value: strings.Repeat("x", MaxCookie)},
		"a path with a semicolon":            {Name: "a", Path: "/; Domain=evil"},
		"a relative path":                    {Name: "a", Path: "b"},
		"a path with a line break":           {Name: "a", Path: "/\n"},
		"a domain that is none":              {Name: "a", Domain: "evil; Path=/"},
		"__Host- without Secure":             {Name: "__Host-a", Path: "/"},
		"__Host- with another path":          {Name: "__Host-a", Path: "/a", Secure: true},
		"__Host- with a domain":              {Name: "__Host-a", Path: "/", Domain: "example.com", Secure: true},
		"__host- in lower case, the same":    {Name: "__host-a", Path: "/"},
		"__Secure- without Secure":           {Name: "__Secure-a", Path: "/"},
		"SameSite=None without Secure":       {Name: "a", SameSite: SameSiteNone},
		"a SameSite value that no one knows": {Name: "a", SameSite: "Lax; Domain=evil"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.Validate()
			if err == nil {
				t.Fatal("it passes")
			}
			if got := c.String(); got != "" {
				t.Errorf("it is written all the same: %q", got)
			}
			if c.Value != "" && strings.Contains(err.Error(), c.Value) {
				t.Errorf("the error holds the value: %v", err)
			}
		})
	}
}

func TestSetCookieName(t *testing.T) {
	for in, want := range map[string]string{
		"a=b":                  "a",
		"a=b; Path=/; x=y":     "a",
		" a\t=b":               "a",
		"a==b":                 "a",
		"a=":                   "a",
		"":                     "",
		"; a=b":                "",
		"a":                    "",
		"a; b=c":               "",
		"=a=b":                 "a",
		"= =a=b":               "a",
		"=__Host-postern=x; y": "__Host-postern",
		"__Host-postern =x":    "__Host-postern",
	} {
		if got := SetCookieName(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
