package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// asked is the minimal settings with one question about teams, and more keys of it.
func asked(t *testing.T, more string) string {
	return enriched(t, `{"name": "teams", "url": "https://id.example.com/teams", "select": {"teams": "value.#.name"}`+more+`}`, "")
}

// enriched is the minimal settings with questions and whatever else.
func enriched(t *testing.T, questions, more string) string {
	s := with(t, `"client_id": "c"`, `"client_id": "c", "enrich": [`+questions+`]`)
	if more != "" {
		s = strings.Replace(s, `"hosts":`, more+`, "hosts":`, 1)
	}
	return s
}

func TestQuestionsThatAreRefused(t *testing.T) {
	const q = `providers[0].enrich[0].`
	url := func(s string) string {
		return enriched(t, `{"name": "teams", "url": "`+s+`", "select": {"teams": "value"}}`, "")
	}
	named := func(s string) string {
		return enriched(t, `{"name": "`+s+`", "url": "https://id.example.com/", "select": {"teams": "value"}}`, "")
	}
	selects := func(s string) string {
		return enriched(t, `{"name": "teams", "url": "https://id.example.com/", "select": {`+s+`}}`, "")
	}
	const set = ": is set by this gate or by the protocol"
	const sized = ": is not up to 1024 printable ASCII characters, without spaces around them"
	for _, tt := range []struct {
		name, settings string
		want           []string
	}{
		{"nothing but a question", enriched(t, `{}`, ""), []string{
			q + `name: is required: what the question is called, such as "teams"`,
			q + `url: is required: the address that is asked`,
			q + `select: is required: what to pick of the answer, such as {"teams": "value.#.displayName"}`}},
		{"a name with other letters", named("Teams"), []string{q + `name: "Teams" is not up to 32 of a-z, 0-9, "_" and "-"`}},
		{"a long name", named(strings.Repeat("a", 33)), []string{q + `name: "` + strings.Repeat("a", 33) + `" is not up to 32 of a-z, 0-9, "_" and "-"`}},
		{"one name twice, and one claim", enriched(t, strings.Repeat(`, {"name": "teams", "url": "https://id.example.com/", "select": {"teams": "value"}}`, 2)[2:], ""), []string{
			`providers[0].enrich[1].name: is the same as that of providers[0].enrich[0]`,
			`providers[0].enrich[1].select.teams: is the same as that of providers[0].enrich[0].select`}},
		{"plain http", url("http://id.example.com/"), []string{q + `url: must be an https address; insecure_issuer accepts http, with its dangers`}},
		{"a host that no cluster leads to", url("https://graph.example.com/?a=b"), []string{q + `url: needs a cluster for calls to "graph.example.com", in clusters`}},
		{"the issuer's host at another port", url("https://id.example.com:8443/"), []string{q + `url: needs a cluster for calls to "id.example.com:8443", in clusters`}},
		{"a relative address", url("/teams"), []string{q + `url: must be an absolute address such as "https://id.example.com"`}},
		{"a password", url("https://a:b@id.example.com/"), []string{q + `url: must be an absolute address such as "https://id.example.com", without user and password`}},
		{"a fragment", url("https://id.example.com/#a"), []string{q + `url: must be an absolute address such as "https://id.example.com", without query and fragment`}},
		{"a fragment behind the query", url("https://id.example.com/?a#b"), []string{q + `url: must be an address of at most 2048 visible ASCII characters, without fragment`}},
		{"a space in the query", url("https://id.example.com/?a b"), []string{q + `url: must be an address of at most 2048 visible ASCII characters, without fragment`}},
		{"a line break", url(`https://id.example.com/?a\r\nb`), []string{q + `url: holds a line break or another control character`}},
		{"an address without end", url("https://id.example.com/" + strings.Repeat("a", 2048)), []string{q + `url: must be an address of at most 2048 visible ASCII characters, without fragment`}},
		{"another method", asked(t, `, "method": "PUT"`), []string{q + `method: "PUT" is not one of GET, POST`}},
		{"a body with GET", asked(t, `, "method": "GET", "body": "{}"`), []string{q + `body: has no meaning with "method": "GET"`}},
		{"a body that is not JSON", asked(t, `, "body": "a=b"`), []string{q + `body: is not a JSON object`}},
		{"fields that are not the settings'", asked(t, `, "headers": {"Authorization": "a", "host": "a", "Cookie": "a", "content-length": "1", "accept_encoding": "gzip", "x-envoy-a": "b", "DPoP": "a", "transfer-encoding": "chunked"}`), []string{
			q + `headers.Authorization` + set, q + `headers.Cookie` + set, q + `headers.DPoP` + set, q + `headers.accept_encoding` + set,
			q + `headers["content-length"]` + set, q + `headers.host` + set, q + `headers["transfer-encoding"]` + set, q + `headers["x-envoy-a"]` + set}},
		{"fields that there are not", asked(t, `, "headers": {":path": "/", "a b": "c", "y": " a", "z": "ü"}`), []string{
			q + `headers[":path"]: is not a header's name`, q + `headers["a b"]: is not a header's name`,
			q + `headers.y` + sized, q + `headers.z` + sized}},
		{"fields without end", asked(t, `, "headers": {`+members(17, `"x-%d": "a"`)+`}`), []string{q + `headers: holds more fields than 16`}},
		{"nothing selected", selects(""), []string{q + `select: is required: what to pick of the answer, such as {"teams": "value.#.displayName"}`}},
		{"claims without end", selects(members(17, `"c%d": "a"`)), []string{q + `select: holds 17 claims; at most 16`}},
		{"a claim's name with a dot", selects(`"a.b": "c"`), []string{q + `select["a.b"]: is not a claim's name: up to 64 of a-z, 0-9 and _`}},
		{"a claim that is there without asking", selects(`"a": "!\"x\"", "b": "@this"`), []string{
			q + `select.a: "!\"x\"" holds a value of its own; only what the provider said can be looked at`,
			q + `select.b: "@this" holds a modifier other than @flatten, @keys and @values; a name that begins with "@" is written "\@…"`}},
		{"a claim of the provider's too", with(t, `"client_id": "c"`, `"client_id": "c", "claims": {"teams": "t"}, "enrich": [{"name": "t", "url": "https://id.example.com/", "select": {"teams": "value"}}]`), []string{
			q + `select.teams: is one of the provider's claims too; take another name, or leave it out there`}},
		{"bounds", asked(t, `, "max_pages": 21, "max_bytes": 1023, "timeout": "99ms", "when": "always", "next": "@this"`), []string{
			q + `next: "@this" holds a modifier other than @flatten, @keys and @values; a name that begins with "@" is written "\@…"`,
			q + `max_pages: 21 is not from 1 to 20`, q + `max_bytes: 1023 is not from 1024 to 1048576`,
			q + `timeout: 99ms is less than 100ms`, q + `when: "always" is not one of login, rule`}},
		{"questions without end", enriched(t, strings.Repeat(`,{}`, 17)[1:], ""), []string{`providers[0].enrich: holds 17 questions; at most 16`}},
		{"where nobody signs in", with(t, `"client_id": "c"`, `"client_id": "c", "sign_in": false, "enrich": [{"name": "t", "url": "https://id.example.com/", "select": {"teams": "value"}}]`), []string{
			`providers[0].enrich: has no meaning where nobody signs in`,
			`providers[0].sign_in: leaves no provider where people can sign in`}},
	} {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.settings, tt.want...) })
	}
}

func TestAQuestionIsReadWithItsDefaults(t *testing.T) {
	c := mustParse(t, strings.Replace(enriched(t, `{"name": "teams", "url": "https://id.example.com/teams?$select=a", "headers": {"ConsistencyLevel": "eventual"}, "select": {"teams": "value.#.name"}},
		{"name": "all", "url": "https://graph.example.com:443/", "body": "{}", "select": {"groups": "value.#(@odata\\.type==\"g\")#.id", "roles": "roles"}, "next": "@odata\\.nextLink", "timeout": "1s", "when": "rule", "required": true}`,
		`"forward": {"headers": {"x-teams": "teams", "x-groups": "groups"}}, "rules": [{"match": {"paths": ["/a"]}, "require": {"roles": ["x"], "claims": {"teams": []}}, "enrich": ["all"], "sign_in": {"providers": ["a"]}}]`), `"cluster":`, `"clusters": {"graph.example.com": "graph"}, "cluster":`, 1))
	want := []Enrich{
		{Name: "teams", URL: "https://id.example.com/teams?$select=a", Method: "GET", Headers: map[string]string{"ConsistencyLevel": "eventual"},
			Select: map[string]string{"teams": "value.#.name"}, MaxPages: 10, MaxBytes: 128 << 10, Timeout: Duration(5 * time.Second), When: "login"},
		{Name: "all", URL: "https://graph.example.com:443/", Method: "POST", Body: "{}",
			Select: map[string]string{"groups": `value.#(@odata\.type=="g")#.id`, "roles": "roles"}, Next: `@odata\.nextLink`,
			MaxPages: 10, MaxBytes: 128 << 10, Timeout: Duration(time.Second), Required: true, When: "rule"},
	}
	if diff := cmp.Diff(want, c.Providers[0].Enrich); diff != "" {
		t.Errorf("the questions (-want +got):\n%s", diff)
	}
}

func TestWhatRulesSayOfLoginsAndIsRefused(t *testing.T) {
	const question = `{"name": "teams", "url": "https://id.example.com/", "select": {"teams": "value"}}`
	on := func(more string) string {
		return enriched(t, question, `"bearer": [{"provider": "a", "audiences": ["x"]}], "rules": [{"match": {"paths": ["/a"]}, `+more+`}]`)
	}
	for _, tt := range []struct {
		name, settings string
		want           []string
	}{
		{"a question that there is not", on(`"enrich": ["team"]`), []string{`rules[0].enrich[0]: "team" is no question of a provider where people sign in`}},
		{"one twice", on(`"enrich": ["teams", "teams"]`), []string{`rules[0].enrich[1]: "teams" is given twice`}},
		{"no question", on(`"enrich": []`), []string{`rules[0].enrich: is empty; leave the key out or put something in`}},
		{"questions without end", on(`"enrich": ` + many(9, "q%d")), []string{
			`rules[0].enrich: holds 9 questions; at most 8, for they travel in the address of a login`,
			`rules[0].enrich[0]: "q0" is no question of a provider where people sign in`, `rules[0].enrich[1]: "q1" is no question of a provider where people sign in`,
			`rules[0].enrich[2]: "q2" is no question of a provider where people sign in`, `rules[0].enrich[3]: "q3" is no question of a provider where people sign in`,
			`rules[0].enrich[4]: "q4" is no question of a provider where people sign in`, `rules[0].enrich[5]: "q5" is no question of a provider where people sign in`,
			`rules[0].enrich[6]: "q6" is no question of a provider where people sign in`, `rules[0].enrich[7]: "q7" is no question of a provider where people sign in`,
			`rules[0].enrich[8]: "q8" is no question of a provider where people sign in`}},
		{"a question of services", on(`"accept": ["bearer"], "enrich": ["teams"]`), []string{`rules[0].enrich: is about a login, which leads to a session, which is not accepted here`}},
		{"a question for whoever passes", on(`"on_anonymous": "pass", "enrich": ["teams"]`), []string{
			`rules[0].enrich: has no place beside "on_anonymous": "pass": who brings nothing would pass where others are refused`}},
		{"beside allow", on(`"allow": "anyone", "enrich": ["teams"], "sign_in": {"providers": ["a"]}`), []string{
			`rules[0].enrich: has no meaning beside "allow"`, `rules[0].sign_in: has no meaning beside "allow"`}},
		{"a provider that there is not", on(`"sign_in": {"providers": ["b"]}`), []string{`rules[0].sign_in.providers[0]: "b" is not the name of a provider: a`}},
		{"a provider twice, and none", on(`"sign_in": {"providers": ["a", "a"]}`), []string{`rules[0].sign_in.providers[1]: "a" is given twice`}},
		{"no provider", on(`"sign_in": {"providers": []}`), []string{`rules[0].sign_in.providers: is empty; leave the key out or put something in`}},
		{"a login of services", on(`"accept": ["bearer"], "sign_in": {"providers": ["a"]}`), []string{`rules[0].sign_in.providers: is about a login, which leads to a session, which is not accepted here`}},
		{"a login for whoever passes", on(`"on_anonymous": "pass", "sign_in": {"providers": ["a"]}`), []string{
			`rules[0].sign_in.providers: has no meaning beside "on_anonymous": "pass", with which nobody is asked to sign in`}},
	} {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.settings, tt.want...) })
	}
	two := strings.Replace(on(`"sign_in": {"providers": ["b"]}, "require": {"provider": "a"}`), `"providers": [`,
		`"providers": [{"name": "b", "issuer": "https://b.example.com", "cluster": "b", "client_id": "c"}, {"name": "c", "issuer": "https://c.example.com", "cluster": "c"}, `, 1)
	refused(t, two, `rules[0].sign_in.providers: does not hold "a", which require.provider demands`)
	refused(t, strings.Replace(two, `{"providers": ["b"]}`, `{"providers": ["a", "c"]}`, 1), `rules[0].sign_in.providers[1]: "c" is not a provider where people sign in`)
}
