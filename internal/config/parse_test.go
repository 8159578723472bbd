package config

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	keyA = "u3ZbQ0Zc8r1n2kqj5mXoU4wq7eYt9aS6dF0gHjKlZxc="
	keyB = "Yk3vJc0m-1Wq9_7sLr4TnXb2Zd8GfHuE5oPiAyQtVwM"
)

// variables is the environment of most tests.
var variables = map[string]string{
	"SHOP_CLIENT_SECRET": "hunter2",
	"POSTERN_KEY":        keyA,
	"POSTERN_KEY_BEFORE": keyB + "\n",
	"EMPTY":              "",
	"TWO_LINES":          "hunter2\nhunter3",
	"NO_BASE64":          "hunter2!",
	"SHORT":              "aHVudGVyMg==",
	"ZEROS":              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
}

func environment(name string) (string, bool) {
	value, ok := variables[name]
	return value, ok
}

// minimal is the least that is accepted.
const minimal = `{
	"providers": [{"name": "a", "issuer": "https://id.example.com", "cluster": "idp", "client_id": "c"}],
	"hosts": ["app.example.com"],
	"session": {"keys": [{"id": "k", "env": "POSTERN_KEY"}]}
}`

// with returns the minimal settings with old replaced by new, by pairs.
func with(t *testing.T, pairs ...string) string {
	t.Helper()
	s := minimal
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(s, pairs[i]) {
			t.Fatalf("the minimal settings have no %s", pairs[i])
		}
		s = strings.Replace(s, pairs[i], pairs[i+1], 1)
	}
	return s
}

// provider, session and top return the minimal settings with more in that
// place.
func provider(t *testing.T, more string) string {
	return with(t, `"client_id": "c"`, `"client_id": "c", `+more)
}

func session(t *testing.T, more string) string {
	return with(t, `"keys":`, more+`, "keys":`)
}

func top(t *testing.T, more string) string {
	return with(t, `"hosts":`, more+`, "hosts":`)
}

func mustParse(t *testing.T, settings string) *Config {
	t.Helper()
	c, err := Parse([]byte(settings), environment)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// refused checks that settings have exactly these problems.
func refused(t *testing.T, settings string, want ...string) {
	t.Helper()
	c, err := Parse([]byte(settings), environment)
	if err == nil {
		t.Fatalf("accepted; wanted the problems\n%s", strings.Join(want, "\n"))
	}
	if c != nil {
		t.Error("settings came with the error")
	}
	var got []string
	for _, p := range err.(Problems) {
		got = append(got, p.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-wanted +found):\n%s", diff)
	}
}

func TestTheExampleIsAccepted(t *testing.T) {
	example, err := os.ReadFile("testdata/example.json")
	if err != nil {
		t.Fatal(err)
	}
	c := mustParse(t, string(example))
	p := c.Providers[0]
	if p.ClientAuth != "client_secret_basic" || p.ClientSecret.Reveal() != "hunter2" {
		t.Errorf("the client's secret from the environment: %s, %q", p.ClientAuth, p.ClientSecret.Reveal())
	}
	if got := len(c.Session.Keys); got != 2 || len(c.Session.Keys[1].Secret()) != 32 {
		t.Errorf("%d keys, the second of %d bytes", got, len(c.Session.Keys[1].Secret()))
	}
	if p.Claims["user"] != "sub" || p.Claims["email"] != "email" {
		t.Errorf("claims %v", p.Claims)
	}
	if diff := cmp.Diff(map[string]Header{"x-auth-request-user": {Claim: "user"}, "x-auth-request-email": {Claim: "email"}, "x-auth-request-roles": {Claim: "roles"}}, c.Forward.Headers); diff != "" {
		t.Errorf("headers given must replace the default:\n%s", diff)
	}
	if c.Rules[0].OnAnonymous != "" || c.Rules[1].OnAnonymous != "401" {
		t.Errorf("rules %+v", c.Rules)
	}
}

func TestAccepted(t *testing.T) {
	tests := []struct {
		name, settings string
		got            func(*Config) any
		want           any
	}{
		{"a whole number in the spelling of a double", session(t, `"max_bytes": 4.096e3`),
			func(c *Config) any { return c.Session.MaxBytes }, 4096},
		{"a whole number with a decimal point", session(t, `"max_bytes": 4096.0`),
			func(c *Config) any { return c.Session.MaxBytes }, 4096},
		{"a public client when there is no secret", minimal,
			func(c *Config) any { return c.Providers[0].ClientAuth }, "none"},
		{"http for an issuer that is said to be insecure", with(t, "https://id", "http://id", `"cluster"`, `"insecure_issuer": true, "cluster"`),
			func(c *Config) any { return c.Providers[0].Issuer }, "http://id.example.com"},
		{"an issuer's spelling is kept letter by letter", with(t, "https://id.example.com", "https://ID.example.com:443/a/"),
			func(c *Config) any { return c.Providers[0].Issuer }, "https://ID.example.com:443/a/"},
		{"a public address in its normal form", top(t, `"public_url": "HTTPS://App.Example.com:443/"`),
			func(c *Config) any { return c.PublicURL }, "https://app.example.com"},
		{"a public address on another host, with a domain for both", with(t, `"keys":`, `"cookie": {"domain": "example.com"}, "keys":`, `"hosts":`, `"public_url": "https://auth.example.com", "hosts":`),
			func(c *Config) any { return c.AllowsHost("auth.example.com", "") }, true},
		{"a public address at a port", with(t, "app.example.com", "[::1]", `"hosts":`, `"public_url": "https://[::1]:8443", "hosts":`),
			func(c *Config) any { return c.PublicURL }, "https://[::1]:8443"},
		{"hosts in lower case", with(t, "app.example.com", "App.Example.COM"),
			func(c *Config) any { return c.Hosts[0].String() }, "app.example.com"},
		{"a cookie with a domain is __Secure-", session(t, `"cookie": {"domain": ".example.com"}`),
			func(c *Config) any { return c.Session.Cookie }, Cookie{"__Secure-postern", "example.com", "/", "lax"}},
		{"a cookie with a path is __Secure-", with(t, `"keys":`, `"cookie": {"path": "/shop"}, "keys":`, `"hosts":`, `"path_prefix": "/shop/oauth2", "hosts":`),
			func(c *Config) any { return c.Session.Cookie }, Cookie{"__Secure-postern", "", "/shop", "lax"}},
		{"a cookie over http has no prefix", with(t, "app.example.com", "127.0.0.1:*", `"hosts":`, `"insecure_http_cookies": true, "public_url": "http://127.0.0.1:8080", "hosts":`),
			func(c *Config) any { return c.Session.Cookie.Name }, "postern"},
		{"header names in lower case", top(t, `"forward": {"headers": {"X-User": "user"}, "access_token": ["Authorization"]}`),
			func(c *Config) any { return c.Forward },
			Forward{Headers: map[string]Header{"x-user": {Claim: "user"}}, Encoding: "utf-8", AccessToken: []string{"authorization"}}},
		{"no headers at all", top(t, `"forward": {"headers": {}}`),
			func(c *Config) any { return len(c.Forward.Headers) }, 0},
		{"a rule sends browsers to sign in unless it says otherwise", top(t, `"rules": [{"match": {"paths": ["/a/*"]}}]`),
			func(c *Config) any { return c.Rules[0].OnAnonymous }, "login"},
		{"a cache may be switched off", session(t, `"cache_bytes": 0`),
			func(c *Config) any { return c.Session.CacheBytes }, 0},
		{"a key in the alphabet for addresses, unpadded, with a line break", with(t, "POSTERN_KEY", "POSTERN_KEY_BEFORE"),
			func(c *Config) any { return len(c.Session.Keys[0].Secret()) }, 32},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got(mustParse(t, tt.settings))); diff != "" {
				t.Errorf("(-wanted +found):\n%s", diff)
			}
		})
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	refused(t, `{
		"providers": [{"name": "A", "issuer": "id.example.com", "client_auth": "basic", "client_secret": {"value": "hunter2"},
			"scopes": ["profile", "profile"], "algorithms": ["HS256"], "timeout": 5, "leeway": "1h"}],
		"hosts": ["*", "app.example.com"],
		"session": {"lifetim": "1h", "keys": [{"id": "k", "env": "NOT_SET"}]},
		"sign_in": null,
		"rules": ["/healthz", {"match": {}}]
	}`,
		`providers[0].timeout: must be a duration in quotes, such as "90s", "15m" or "168h", not a number`,
		`hosts[0]: "*" would be every host there is; name a domain, such as "*.example.com"`,
		`session.lifetim: unknown key; did you mean "lifetime"?`,
		`session.keys[0].env: the variable NOT_SET is not set in the VM's environment (vm_config.environment_variables)`,
		`sign_in: null is not a value; leave the key out instead`,
		`rules[0]: must be an object, not a string`,
		`providers[0].name: "A" is not up to 32 of a-z, 0-9 and "-"`,
		`providers[0].issuer: must be an absolute address such as "https://id.example.com"`,
		"providers[0].cluster: is required: the Envoy cluster for calls to the provider, which `postern render` fills in",
		`providers[0].client_id: is required: the client whose secret or key this is`,
		`providers[0].client_auth: "basic" is not one of client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, tls_client_auth, self_signed_tls_client_auth, none`,
		`providers[0].scopes[1]: "profile" is given twice`,
		`providers[0].scopes: must hold "openid"`,
		`providers[0].algorithms[0]: "HS256" is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA`,
		`providers[0].leeway: 1h is more than 5m`,
		`rules[1].match: needs at least one of hosts, paths, path_regexes, methods and headers; every request is "paths": ["/*"]`,
	)
}

func TestProblemsAreBoundedInNumber(t *testing.T) {
	_, err := Parse([]byte(top(t, `"rules": [`+strings.Repeat("1,", 5000)+`1]`)), environment)
	problems, _ := err.(Problems)
	if len(problems) != maxProblems+1 || !strings.Contains(problems[maxProblems].Message, "more problems") {
		t.Errorf("%d problems", len(problems))
	}
}

func TestSettingsThatAreNotJSON(t *testing.T) {
	tests := []struct{ name, settings, want string }{
		{"nothing", " \n", "there are no settings"},
		{"an end too early", `{"hosts": [`, "the settings are not valid JSON: they end too early"},
		{"a word that JSON does not know", "{\n  \"hosts\": hunter2}", "the settings are not valid JSON at line 2, column 12"},
		{"more after the end", `{} {}`, "the settings are not valid JSON at line 1, column 4"},
		{"bytes that are not UTF-8", "{\"hosts\": [\"\xff\"]}", "the settings are not valid UTF-8"},
		{"a list", `[]`, "the settings must be an object, not a list"},
		{"null", `null`, "the settings must be an object, not null"},
		{"more than a mebibyte", `{"a": "` + strings.Repeat("x", 1<<20) + `"}`, "the settings have 1048585 bytes; at most 1048576 are read"},
		{"33 levels", strings.Repeat("[", 33) + strings.Repeat("]", 33), "the settings are nested more than 32 deep"},
		{"very many values", "[" + strings.Repeat("1,", 60_000) + "1]", "the settings hold more than 50000 values"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.settings, tt.want) })
	}
}

func TestEqualSettingsGiveEqualResults(t *testing.T) {
	if a, b := mustParse(t, minimal), mustParse(t, minimal); !reflect.DeepEqual(a, b) {
		t.Error("parsed twice, the results differ")
	}
}

func FuzzParse(f *testing.F) {
	example, err := os.ReadFile("testdata/example.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add([]byte(minimal))
	f.Add([]byte(`{"providers": [{"client_secret": {"value": 1}}], "session": {"keys": [{"id": "k", "value": "x", "env": "EMPTY"}]}}`))
	f.Add([]byte(`{"a": {}, "a": [null], "forward": {"headers": {"X_A": "user", "x-a": "user"}}}`))
	f.Add([]byte(`{"rules": [{"match": {"path_regexes": ["/a(b|c)*"], "paths": ["/*/b*", "/**"], "headers": {"X_A": [], "x-a": ["b"]}}, "insecure_open_by_header": true,
		"require": {"emails": ["a@b", ""], "email_domains": ["*.B.c", ""], "claims": {"a.#(b==\"c\")": [], "@dig": {"prefixes": ["x"]}}, "not": {"all": [{"max_age": "0s"}, "x"]}},
		"forward": {"headers": {}, "access_token": [""], "assertion": {"claims": ["sub", ""]}}, "step_up": {"prompt": "x"}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data, environment)
		again, errAgain := Parse(data, environment)
		if !reflect.DeepEqual(c, again) || !reflect.DeepEqual(err, errAgain) {
			t.Errorf("parsed twice, the results differ: %v, %v", err, errAgain)
		}
		if err != nil && len(err.(Problems)) == 0 {
			t.Error("an error without a problem")
		}
		if err == nil && (len(c.Providers) == 0 || len(c.Hosts)+len(c.Outbound) == 0 || len(c.Session.Keys) == 0 || len(c.Session.Keys[0].Secret()) < 32) {
			t.Errorf("accepted without what is required: %+v", c)
		}
	})
}
