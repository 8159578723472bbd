package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// patterns returns hosts as the settings write them.
func patterns(t testing.TB, hosts ...string) []config.HostPattern {
	t.Helper()
	text := `"` + strings.Join(hosts, `","`) + `"`
	c, err := config.Parse([]byte(`{"providers":[{"name":"a","issuer":"https://id.example.com","cluster":"idp","client_id":"c"}],
		"hosts":[`+text+`],"session":{"keys":[{"id":"k","env":"KEY"}]}}`),
		func(string) (string, bool) { return "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", true })
	if err != nil {
		t.Fatal(err)
	}
	return c.Hosts
}

// naive is the first rule that matches, found in the plainest way: by the
// standard library's expressions and text.
func naive(rules []config.Rule, r Request) (int, error) {
	for i, rule := range rules {
		m := rule.Match
		if !naiveHost(m.Hosts, r) || !naiveMethod(m.Methods, r.Method) || !naivePath(m, r.Path) {
			continue
		}
		fits := true
		for name, values := range m.Headers {
			var have []string
			for _, f := range r.Header {
				if strings.EqualFold(strings.ReplaceAll(f.Name, "_", "-"), name) {
					have = append(have, f.Value)
				}
			}
			if len(have) > 1 {
				return -1, ErrRepeated
			}
			fits = fits && len(have) == 1 && (len(values) == 0 || slices.Contains(values, have[0]))
		}
		if fits {
			return i, nil
		}
	}
	return -1, nil
}

func naiveHost(hosts []config.HostPattern, r Request) bool {
	for _, h := range hosts {
		p := h.String()
		p, port, _ := strings.Cut(p, ":")
		if port != "*" && port != "" && port != r.Port && !(r.Port == "" && (port == "443" || port == "80")) {
			continue
		}
		switch {
		case strings.HasPrefix(p, "*.") && strings.HasSuffix(r.Host, p[1:]),
			strings.HasPrefix(p, ".") && (strings.HasSuffix(r.Host, p) || r.Host == p[1:]),
			r.Host == p:
			return true
		}
	}
	return len(hosts) == 0
}

func naiveMethod(methods []string, method string) bool {
	return len(methods) == 0 || slices.Contains(methods, method) || method == "HEAD" && slices.Contains(methods, "GET")
}

func naivePath(m config.Match, path string) bool {
	var all []string
	for _, p := range m.Paths {
		base, below := strings.CutSuffix(p, "/*")
		p = strings.ReplaceAll(regexp.QuoteMeta(base), `\*`, "[^/]*")
		if below {
			p += "(?:/.*)?"
		}
		all = append(all, p)
	}
	for _, p := range append(all, m.PathRegexes...) {
		if regexp.MustCompile("^(?:" + p + ")$").MatchString(path) {
			return true
		}
	}
	return len(m.Paths)+len(m.PathRegexes) == 0
}

// dice picks by the bytes of a fuzzer's input.
type dice struct{ data []byte }

func (d *dice) roll(n int) int {
	if len(d.data) == 0 {
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return int(b) % n
}

func (d *dice) some(most int, from ...string) (picked []string) {
	for range d.roll(most + 1) {
		picked = append(picked, from[d.roll(len(from))])
	}
	return picked
}

var (
	somePatterns = []string{"a.example", "b.example", "*.a.example", ".a.example", "*.example:*", "a.example:8080", "a.example:443"}
	somePaths    = []string{"/", "/*", "/a", "/a/", "/a/*", "/a/b", "/a/b/*", "/*/b", "/a/*/c", "/*/*", "/a*", "/a*b/c", "/a/*b*/*", "/*a"}
	someRegexes  = []string{"/a+", "/[^/]*", "/a/.*", "/(a|b)/[bc]?", ".*b"}
)

func (d *dice) rule(hosts []config.HostPattern) (r config.Rule) {
	for range d.roll(3) {
		r.Match.Hosts = append(r.Match.Hosts, hosts[d.roll(len(hosts))])
	}
	r.Match.Paths = d.some(3, somePaths...)
	r.Match.PathRegexes = d.some(d.roll(2), someRegexes...)
	r.Match.Methods = d.some(d.roll(3), "GET", "HEAD", "POST")
	for _, name := range d.some(d.roll(2), "x-a", "x-b") {
		r.Match.Headers = map[string][]string{name: d.some(1, "1", "2")}
	}
	return r
}

func (d *dice) request() (r Request) {
	r.Host = []string{"a.example", "b.example", "x.a.example", "y.x.a.example", "xa.example", "example", "[::1]"}[d.roll(7)]
	r.Port = []string{"", "443", "80", "8080"}[d.roll(4)]
	r.Path = []string{"/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c", "/ab/c", "/aa", "/b/b", "/b", "/a/xbx", "/a/xbx/y/z", "/c/d/e/f", "/a//c", "//b"}[d.roll(15)]
	r.Method = []string{"GET", "HEAD", "POST", "PUT"}[d.roll(4)]
	for range d.roll(4) {
		r.Header = append(r.Header, fields([]string{"x-a", "x-b", "x_a", "x-c"}[d.roll(4)], []string{"1", "2", "3"}[d.roll(3)])...)
	}
	return r
}

func FuzzTheIndexFindsTheFirstRuleThatMatches(f *testing.F) {
	hosts := patterns(f, somePatterns...)
	for i := range 64 {
		data := make([]byte, 96)
		for j := range data {
			data[j] = byte((i+1)*(j+3)*31 + i*j*j + j>>1)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d := &dice{data}
		c := &config.Config{}
		for range 1 + d.roll(8) {
			c.Rules = append(c.Rules, d.rule(hosts))
		}
		rules := Compile(c)
		for range 8 {
			r := d.request()
			want, wantErr := naive(c.Rules, r)
			got, err := rules.index.find(rules.rules, &r)
			if d.repeatsSpelling(r) {
				continue
			}
			if got != want || !errors.Is(err, wantErr) {
				t.Errorf("%+v\nof %+v\ngot %d, %v, want %d, %v", c.Rules, r, got, err, want, wantErr)
			}
			for range 3 { // looked for, remembered, and as it was remembered
				need, err := rules.find(&r)
				if !errors.Is(err, wantErr) || err == nil && need.Rule != ruleName(want) {
					t.Errorf("%+v\nof %+v\nfound %q, %v, want %d, %v", c.Rules, r, need.Rule, err, want, wantErr)
				}
			}
			e := rules.reading(&r)
			if e.Rule != want && err == nil {
				t.Errorf("it is explained by %d, and decided by %d", e.Rule, want)
			}
			if last := len(e.Looked) - 1; err != nil && e.Looked[last].Differs != DiffersByRepeated {
				t.Errorf("a repeated field is explained by %+v", e.Looked[last])
			}
		}
	})
}

// ruleName is how a rule without a name is called.
func ruleName(i int) string {
	if i < 0 {
		return ""
	}
	return strconv.Itoa(i)
}

// repeatsSpelling reports whether a field is there in another spelling alone,
// which is refused, and which the naive way takes for the field.
func (*dice) repeatsSpelling(r Request) bool {
	return slices.ContainsFunc(r.Header, func(f httpmsg.Field) bool { return f.Name == "x_a" })
}

// manyRules are rules as a large installation has them.
func manyRules(n int) *config.Config {
	c := &config.Config{}
	for i := range n {
		m := config.Match{}
		switch i % 10 {
		case 0:
			m.Paths = []string{fmt.Sprintf("/health/%d", i)}
		case 1:
			m.Paths, m.Methods = []string{fmt.Sprintf("/api/v1/items%d", i)}, []string{"GET"}
		case 2:
			m.Paths = []string{fmt.Sprintf("/teams/*/settings%d", i)}
		case 3:
			m.Paths = []string{fmt.Sprintf("/static%d/*.css", i)}
		case 4:
			m.PathRegexes = []string{fmt.Sprintf("/orders%d/[0-9]+(/items)?", i)}
		default:
			m.Paths = []string{fmt.Sprintf("/app%d/*", i)}
		}
		c.Rules = append(c.Rules, config.Rule{Match: m, Accept: []string{"session"}, Require: &config.Require{Groups: []string{"g"}}})
	}
	return c
}

func BenchmarkNeedOfAThousandRules(b *testing.B) {
	rules := Compile(manyRules(1000))
	header := fields("accept", "text/html", "user-agent", "x", "x-request-id", "1", "x-forwarded-for", "2", "cookie", "c")
	for name, path := range map[string]string{
		"last": "/app999/a/b", "none": "/nothing/here/at/all", "glob": "/teams/red/settings992", "regex": "/orders994/17/items",
	} {
		b.Run(name, func(b *testing.B) {
			r := Request{Host: "app.example.com", Path: path, Method: "GET", Header: header}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rules.Need(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompileOfAThousandRules(b *testing.B) {
	c := manyRules(1000)
	for b.Loop() {
		Compile(c)
	}
}
