package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHeadersThatAreRefused(t *testing.T) {
	headers := func(s string) string { return top(t, `"forward": {"headers": {`+s+`}}`) }
	const meaning = ` has a meaning of its own for the proxy or the protocol; take another name`
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"a claim that nobody gives", headers(`"x-team": "team"`), []string{
			`forward.headers["x-team"]: "team" is not one of the provider's claims: email, groups, preferred_username, user`}},
		{"a pseudo-header", headers(`":path": "user"`), []string{
			`forward.headers[":path"]: ":path" is not a header's name`}},
		{"a name with a line break", headers(`"x\r\ny": "user"`), []string{
			`forward.headers["x\r\ny"]: "x\r\ny" is not a header's name`}},
		{"headers that steer the connection", headers(`"Host": "user", "content-length": "user", "transfer_encoding": "user", "x-envoy-internal": "user", "cookie": "user"`), []string{
			`forward.headers.Host: "Host"` + meaning,
			`forward.headers["content-length"]: "content-length"` + meaning,
			`forward.headers.cookie: "cookie"` + meaning,
			`forward.headers.transfer_encoding: "transfer_encoding"` + meaning,
			`forward.headers["x-envoy-internal"]: "x-envoy-internal"` + meaning}},
		{"a claim as authorization", headers(`"Authorization": "user"`), []string{
			`forward.headers.Authorization: carries the access token, if anything: list it under forward.access_token`}},
		{"one header in two spellings", headers(`"x-user": "user", "X_User": "email"`), []string{
			`forward.headers["x-user"]: is the same header as forward.headers.X_User`}},
		{"one header for a claim and the token", top(t, `"forward": {"access_token": ["x-token", "X-Auth-Request-User", "x_token"]}`), []string{
			`forward.access_token[1]: is the same header as forward.headers["x-auth-request-user"]`,
			`forward.access_token[2]: is the same header as forward.access_token[0]`}},
		{"what the gate says of those whom it does not know", headers(`"X-Auth-Request-Anonymous": "user"`), []string{
			`forward.headers["X-Auth-Request-Anonymous"]: "X-Auth-Request-Anonymous" is what this gate says of requests without an identity; take another name`}},
		{"claims that are neither named nor found, or both", headers(`"x-a": {}, "x-b": {"claim": "user", "path": "b"}, "x-c": {"claim": "team"}, "x-d": 3`), []string{
			`forward.headers["x-a"]: needs either claim or path`,
			`forward.headers["x-b"]: needs either claim or path`,
			`forward.headers["x-d"]: must be a string, not a number; put it in quotes`,
			`forward.headers["x-c"]: "team" is not one of the provider's claims: email, groups, preferred_username, user`}},
		{"ways to write values that there are not", top(t, `"forward": {"encoding": "latin1", "headers": {"x-a": {"claim": "user", "list": "json", "encoding": "base64"}}}`), []string{
			`forward.headers["x-a"].list: "json" is not one of join, repeat`,
			`forward.headers["x-a"].encoding: "base64" is not one of utf-8, percent`,
			`forward.encoding: "latin1" is not one of utf-8, percent`}},
		{"paths that lead elsewhere than to what the provider said", headers(`"x-a": {"path": "!\"admin\""}, "x-b": {"path": "` + strings.Repeat("b", 257) + `"}`), []string{
			`forward.headers["x-a"].path: "!\"admin\"" holds a value of its own; only what the provider said can be looked at`,
			`forward.headers["x-b"].path: "` + strings.Repeat("b", 80) + `"… is not a claim or path of up to 256 bytes, without control characters`}},
		{"headers without end", top(t, `"forward": {"access_token": `+many(257, "x-%d")+`}`), []string{
			`forward.access_token: holds 257 entries; at most 256`}},
		{"claims in headers without end", headers(members(257, `"x-%d": "user"`)), []string{
			`forward.headers: holds 257 entries; at most 256`}},
		{"claims in an assertion without end", with(t, `"client_id": "c"`, `"client_id": "c", "claims": {`+members(257, `"c%d": "c"`)+`}`,
			`"hosts":`, `"forward": {"assertion": {"claims": `+many(257, "c%d")+`}}, "hosts":`), []string{
			`forward.assertion.claims: holds 257 entries; at most 256`}},
		{"an assertion that cannot be", top(t, `"forward": {"assertion": {"header": "Authorization", "audience": "the shop", "lifetime": "9s", "claims": ["team", "sub", "user", "user"]}}`), []string{
			`forward.assertion.header: carries the access token, if anything: list it under forward.access_token`,
			`forward.assertion.audience: "the shop" is not up to 256 visible ASCII characters`,
			`forward.assertion.lifetime: 9s is less than 10s`,
			`forward.assertion.claims[0]: "team" is not one of the provider's claims: email, groups, preferred_username, user`,
			`forward.assertion.claims[1]: "sub" is a claim that assertions have of their own`,
			`forward.assertion.claims[3]: "user" is given twice`}},
		{"an assertion for a day, in a header that steers the connection, for nobody", top(t, `"forward": {"assertion": {"header": "Host", "lifetime": "24h", "audience": ""}}`), []string{
			`forward.assertion.audience: is empty; give a value or leave the key out`,
			`forward.assertion.header: "Host"` + meaning,
			`forward.assertion.lifetime: 24h is more than 1h`}},
		{"one header for a claim, the token and the assertion", top(t, `"forward": {"headers": {"x-a": "user"}, "access_token": ["x-b"], "assertion": {"header": "X_B"}}`), []string{
			`forward.assertion.header: is the same header as forward.access_token[0]`}},
		{"a rule's headers that are none", rule(t, `"forward": {"headers": {"Authorization": "user", "host": "user", "x-a": "team"}, "access_token": ["cookie"], "assertion": {"lifetime": "2h"}}`), []string{
			`rules[0].forward.headers.Authorization: carries the access token, if anything: list it under forward.access_token`,
			`rules[0].forward.headers.host: "host"` + meaning,
			`rules[0].forward.headers["x-a"]: "team" is not one of the provider's claims: email, groups, preferred_username, user`,
			`rules[0].forward.access_token[0]: "cookie"` + meaning,
			`rules[0].forward.assertion.lifetime: 2h is more than 1h`}},
		{"a rule's headers that are those that it leaves as they are", top(t, `"forward": {"access_token": ["x-token"]}, "rules": [{"match": {"paths": ["/a"]},
			"forward": {"headers": {"X_Token": "user"}, "assertion": {"header": "x-token"}}}]`), []string{
			`rules[0].forward.headers.X_Token: is the same header as forward.access_token[0]`,
			`rules[0].forward.assertion.header: is the same header as forward.access_token[0]`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.settings, tt.want...) })
	}
}

func TestWhatIsForwarded(t *testing.T) {
	top, rule := func(s string) string { return top(t, s) }, func(s string) string { return rule(t, `"forward": {`+s+`}`) }
	forward := func(c *Config) any { return c.Forward }
	ofRule := func(c *Config) any { return c.Rules[0].Forward }
	usual := map[string]Header{
		"x-auth-request-user": {Claim: "user"}, "x-auth-request-email": {Claim: "email"},
		"x-auth-request-groups": {Claim: "groups"}, "x-auth-request-preferred-username": {Claim: "preferred_username"},
	}
	tests := []struct {
		name, settings string
		got            func(*Config) any
		want           any
	}{
		{"the usual headers, and nothing else", minimal, forward, Forward{Headers: usual, Encoding: "utf-8"}},
		{"claims by name and by path, each in its own way", top(`"forward": {"encoding": "percent", "headers": {"X-A": {"claim": "user", "encoding": "utf-8"}, "x-b": {"path": "org.teams.#.name", "list": "repeat"}, "x-c": {"claim": "groups", "list": "join"}}}`),
			forward, Forward{Encoding: "percent", Headers: map[string]Header{"x-a": {Claim: "user", Encoding: "utf-8"}, "x-b": {Path: "org.teams.#.name", Repeat: true}, "x-c": {Claim: "groups"}}}},
		{"an assertion with its defaults", top(`"forward": {"assertion": {}}`), forward, Forward{Headers: usual, Encoding: "utf-8",
			Assertion: &Assertion{Header: "x-auth-request-assertion", Lifetime: Duration(120e9), Claims: []string{"user", "email", "groups"}}}},
		{"an assertion without claims, under a name in lower case", top(`"forward": {"assertion": {"header": "X-Proof", "claims": [], "audience": "https://orders.example.com", "lifetime": "10s"}}`),
			func(c *Config) any { return c.Forward.Assertion }, &Assertion{Header: "x-proof", Audience: "https://orders.example.com", Lifetime: Duration(10e9), Claims: []string{}}},
		{"a rule that says nothing of it", rule(``), ofRule, RuleForward{}},
		{"a rule without headers and tokens, which is not one that leaves them as they are", rule(`"headers": {}, "access_token": []`),
			ofRule, RuleForward{Headers: map[string]Header{}, AccessToken: []string{}}},
		{"a rule's header names in lower case", rule(`"headers": {"X-User": "user"}, "access_token": ["Authorization"], "assertion": {"audience": "a", "claims": []}`),
			ofRule, RuleForward{Headers: map[string]Header{"x-user": {Claim: "user"}}, AccessToken: []string{"authorization"},
				Assertion: &Assertion{Header: "x-auth-request-assertion", Audience: "a", Lifetime: Duration(120e9), Claims: []string{}}}},
		{"a rule may use for a claim what is elsewhere the token's header or the assertion's", top(`"forward": {"access_token": ["x-a"], "assertion": {"header": "x-b"}},
			"rules": [{"match": {"paths": ["/a"]}, "forward": {"headers": {"x-a": "user", "x-b": "email"}, "access_token": [], "assertion": {"header": "x-c", "claims": []}}}]`),
			func(c *Config) any { return len(c.Rules[0].Forward.Headers) }, 2},
		{"a rule may use for the token what is elsewhere a claim's header", rule(`"headers": {}, "access_token": ["x-auth-request-user"]`),
			ofRule, RuleForward{Headers: map[string]Header{}, AccessToken: []string{"x-auth-request-user"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got(mustParse(t, tt.settings))); diff != "" {
				t.Errorf("(-wanted +found):\n%s", diff)
			}
		})
	}
}
