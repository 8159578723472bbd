package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatchesThatAreRefused(t *testing.T) {
	match := func(s string) string { return top(t, `"rules": [{"match": {`+s+`}}]`) }
	paths := func(s string) string { return match(`"paths": [` + s + `]`) }
	regexes := func(s string) string { return match(`"path_regexes": [` + s + `]`) }
	const value = ` is not up to 256 printable ASCII characters without a space at either end`
	const told = ` is set by this gate, and taken out of each request that comes in`
	const ours = ` is for the gate to judge; accept says what a request may bring`
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"a path that does not begin with a slash", paths(`"healthz"`), []string{
			`rules[0].match.paths[0]: "healthz" does not begin with "/"`}},
		{"a path with a query", paths(`"/a?b"`), []string{
			`rules[0].match.paths[0]: "/a?b" holds a ? or #; only the path is compared`}},
		{"a path with an escape", paths(`"/a%2fb"`), []string{
			`rules[0].match.paths[0]: "/a%2fb" holds a "%"; a path with escapes cannot be named here`}},
		{"a path with an empty segment", paths(`"/a//b"`), []string{
			`rules[0].match.paths[0]: "/a//b" holds "//", which never reaches the rules`}},
		{"a path that goes up", paths(`"/a/../b"`), []string{
			`rules[0].match.paths[0]: "/a/../b" holds a dot segment, a backslash or another character that never reaches the rules`}},
		{"a path that goes up with a parameter", paths(`"/a/..;x/b"`), []string{
			`rules[0].match.paths[0]: "/a/..;x/b" holds a dot segment, a backslash or another character that never reaches the rules`}},
		{"stars that would leave their segment, and too many", paths(`"/a/**", "/**/b", "/a*b*c*d*e*f*g*h*/*"`), []string{
			`rules[0].match.paths[0]: "/a/**" holds "**"; "/*" at the end is everything below, and elsewhere a "*" stays within its segment`,
			`rules[0].match.paths[1]: "/**/b" holds "**"; "/*" at the end is everything below, and elsewhere a "*" stays within its segment`,
			`rules[0].match.paths[2]: "/a*b*c*d*e*f*g*h*/*" holds more than 8 "*"`}},
		{"a path twice", paths(`"/a", "/a"`), []string{
			`rules[0].match.paths[1]: "/a" is given twice`}},
		{"methods in lower case, and no method", match(`"methods": ["get", "GET POST"]`), []string{
			`rules[0].match.methods[0]: "get" is in lower case; methods are compared letter by letter: "GET"`,
			`rules[0].match.methods[1]: "GET POST" is not a method`}},
		{"a host that is an address", match(`"hosts": ["https://app.example.com"]`), []string{
			`rules[0].match.hosts[0]: "https://app.example.com" is not a host alone, such as "app.example.com" or "localhost:8080"`}},
		{"lists without end", match(`"hosts": ` + many(257, "h%d.example.com") + `, "paths": ` + many(257, "/%d") + `, "methods": ` + many(257, "M%d")), []string{
			`rules[0].match.hosts: holds 257 entries; at most 256`,
			`rules[0].match.paths: holds 257 entries; at most 256`,
			`rules[0].match.methods: holds 257 entries; at most 256`}},
		{"a host twice", match(`"hosts": ["a.example.com", "A.example.com"]`), []string{
			`rules[0].match.hosts[1]: "a.example.com" is given twice`}},
		{"a path that never ends", paths(`"/` + strings.Repeat("a", 1024) + `"`), []string{
			`rules[0].match.paths[0]: "/` + strings.Repeat("a", 79) + `"… is longer than 1024 bytes`}},
		{"fields without end", match(`"headers": {` + members(257, `"x-%d": []`) + `}`), []string{
			`rules[0].match.headers: holds 257 entries; at most 256`}},
		{"expressions with marks for begin and end", regexes(`"^/a", "/a$"`), []string{
			`rules[0].match.path_regexes[0]: "^/a" begins with "^"; leave it out: the whole path is compared anyway`,
			`rules[0].match.path_regexes[1]: "/a$" ends with "$"; leave it out: the whole path is compared anyway`}},
		{"expressions that fit no path", regexes(`"a/b", ".*"`), []string{
			`rules[0].match.path_regexes[0]: "a/b" begins neither with "/" nor with "(", as everything that fits a path does`,
			`rules[0].match.path_regexes[1]: ".*" begins neither with "/" nor with "(", as everything that fits a path does`}},
		{"an expression of many lines", regexes(`"/` + strings.Repeat("a", 512) + `"`), []string{
			`rules[0].match.path_regexes[0]: "/` + strings.Repeat("a", 79) + `"… is longer than 512 bytes`}},
		{"an expression twice, and one that is empty", regexes(`"/a", "/a", ""`), []string{
			`rules[0].match.path_regexes[2]: is empty; give a value or leave the key out`,
			`rules[0].match.path_regexes[1]: "/a" is given twice`}},
		{"expressions whose syntax is not known", regexes(`"/a(b", "/(?i)admin"`), []string{
			`rules[0].match.path_regexes[0]: "/a(b" has a "(" that is not closed`,
			`rules[0].match.path_regexes[1]: "/(?i)admin" has a "(?" that is not "(?:"; flags, names and looking ahead or behind are not known here`}},
		{"no expressions", regexes(``), []string{
			`rules[0].match.path_regexes: is empty; leave the key out or put something in`}},
		{"no fields", match(`"headers": {}`), []string{
			`rules[0].match.headers: is empty; leave the key out or put something in`}},
		{"fields that are none", match(`"headers": {":path": [], "a b": [], "x\r\ny": []}`), []string{
			`rules[0].match.headers[":path"]: ":path" is not a header's name`,
			`rules[0].match.headers["a b"]: "a b" is not a header's name`,
			`rules[0].match.headers["x\r\ny"]: "x\r\ny" is not a header's name`}},
		{"fields that are for the gate to judge", match(`"headers": {"Cookie": [], "Authorization": [], "proxy_authorization": [], "DPoP": [], "Host": ["a"]}`), []string{
			`rules[0].match.headers.Authorization: "Authorization"` + ours,
			`rules[0].match.headers.Cookie: "Cookie"` + ours,
			`rules[0].match.headers.DPoP: "DPoP"` + ours,
			`rules[0].match.headers.Host: "Host" is compared under hosts`,
			`rules[0].match.headers.proxy_authorization: "proxy_authorization"` + ours}},
		{"fields that the gate sets, at the top or in another rule", top(t, `"forward": {"headers": {"X-User": "user"}, "access_token": ["x-token"], "assertion": {"header": "x-proof"}},
			"rules": [{"match": {"headers": {"X_User": [], "x-token": [], "X-Proof": [], "x-of-rule": [], "x-auth-request-anything": []}},
				"forward": {"access_token": []}}, {"match": {"paths": ["/a"]}, "forward": {"headers": {"x-of-rule": "user"}}}]`), []string{
			`rules[0].match.headers["X-Proof"]: "X-Proof"` + told,
			`rules[0].match.headers.X_User: "X_User"` + told,
			`rules[0].match.headers["x-auth-request-anything"]: "x-auth-request-anything"` + told,
			`rules[0].match.headers["x-of-rule"]: "x-of-rule"` + told,
			`rules[0].match.headers["x-token"]: "x-token"` + told}},
		{"one field in two spellings", match(`"headers": {"X-Tenant": [], "x_tenant": []}`), []string{
			`rules[0].match.headers.x_tenant: is the same header as rules[0].match.headers["X-Tenant"]`}},
		{"values that no field has", match(`"headers": {"x-tenant": ["", " a", "b ", "grün", "c", "c", "` + strings.Repeat("d", 257) + `"]}`), []string{
			`rules[0].match.headers["x-tenant"][0]: is empty; give a value or leave the key out`,
			`rules[0].match.headers["x-tenant"][1]: " a"` + value,
			`rules[0].match.headers["x-tenant"][2]: "b "` + value,
			`rules[0].match.headers["x-tenant"][3]: "grün"` + value,
			`rules[0].match.headers["x-tenant"][6]: "` + strings.Repeat("d", 80) + `"…` + value,
			`rules[0].match.headers["x-tenant"][5]: "c" is given twice`}},
		{"a value without a list", match(`"headers": {"x-tenant": "red"}`), []string{
			`rules[0].match.headers["x-tenant"]: must be a list, not a string`}},
		{"values without end", match(`"headers": {"x-tenant": ` + many(257, "%d") + `}`), []string{
			`rules[0].match.headers["x-tenant"]: holds 257 entries; at most 256`}},
		{"tokens for whatever host is called, by a field and by an expression", top(t, `"outbound": [{"match": {"headers": {"x-a": []}}, "provider": "a"}, {"match": {"path_regexes": ["/a"]}, "provider": "a"}]`), []string{
			`outbound[0].match.hosts: is required: the hosts that the token is for`,
			`outbound[0].provider: needs a client that proves who it is: client_secret or client_key of provider "a"`,
			`outbound[1].match.hosts: is required: the hosts that the token is for`,
			`outbound[1].provider: needs a client that proves who it is: client_secret or client_key of provider "a"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.settings, tt.want...) })
	}
}

func TestMatchesThatAreAccepted(t *testing.T) {
	match := func(s string) string { return top(t, `"rules": [{"match": {`+s+`}}]`) }
	tests := []struct {
		name, settings string
		got            func(Match) any
		want           any
	}{
		{"stars in any segment", match(`"paths": ["/a*", "/*/b", "/a/*/*", "/static/*.css", "/*"]`),
			func(m Match) any { return len(m.Paths) }, 5},
		{"expressions for the whole path", match(`"path_regexes": ["/orders/[0-9]+(/items)?", "(/a|/b)", "/price\\$"]`),
			func(m Match) any { return len(m.PathRegexes) }, 3},
		{"names of fields in lower case", match(`"headers": {"X-Tenant": ["Red", "two words"], "User_Agent": []}`),
			func(m Match) any { return m.Headers }, map[string][]string{"x-tenant": {"Red", "two words"}, "user_agent": {}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got(mustParse(t, tt.settings).Rules[0].Match)); diff != "" {
				t.Errorf("(-wanted +found):\n%s", diff)
			}
		})
	}
}
