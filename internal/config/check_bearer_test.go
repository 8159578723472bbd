package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bearer is the minimal settings with one entry, for a provider that can be
// asked.
func bearer(t *testing.T, more string) string {
	entry := `"bearer": [{"provider": "a", ` + more + `}]`
	return with(t, `"client_id": "c"`, `"client_id": "c", "client_secret": {"env": "SHOP_CLIENT_SECRET"}`, `"hosts":`, entry+`, "hosts":`)
}

func TestBearersThatAreRefused(t *testing.T) {
	const good = `"audiences": ["shop-api"], `
	second := func(provider, entry string) string {
		return with(t, `"client_id": "c"}`, `"client_id": "c"}, {"name": "b", "issuer": "https://b.example.com", "cluster": "b"`+provider+`}`,
			`"hosts":`, `"bearer": [{"provider": "b", "audiences": ["shop-api"]`+entry+`}], "hosts":`)
	}
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"no provider", top(t, `"bearer": [{"audiences": ["shop-api"]}]`), []string{
			`bearer[0].provider: is required: the name of one of the providers`}},
		{"a provider that there is not", top(t, `"bearer": [{"provider": "b", "audiences": ["shop-api"]}]`), []string{
			`bearer[0].provider: "b" is not the name of a provider: a`}},
		{"two entries of one provider", top(t, `"bearer": [{"provider": "a", "audiences": ["x"]}, {"provider": "a", "audiences": ["y"]}]`), []string{
			`bearer[1].provider: "a" has bearer[0] already; each provider has one entry`}},
		{"tokens for anybody, without saying so", bearer(t, `"check": "jwt"`), []string{
			`bearer[0].audiences: is required: the names under which the provider makes tokens out to this service, such as ["shop-api"]`}},
		{"an empty list of audiences, which could be none or any", bearer(t, `"audiences": []`), []string{
			`bearer[0].audiences: is empty; leave the key out or put something in`}},
		{"tokens for anybody and for somebody", bearer(t, good+`"insecure_any_audience": true`), []string{
			`bearer[0].insecure_any_audience: has no meaning beside audiences`}},
		{"an audience twice", bearer(t, `"audiences": ["x", "x"]`), []string{
			`bearer[0].audiences[1]: "x" is given twice`}},
		{"another kind of check", bearer(t, good+`"check": "none"`), []string{
			`bearer[0].check: "none" is not one of jwt, introspection, auto`}},
		{"introspection by a client without a name", second(``, `, "check": "introspection"`), []string{
			`bearer[0].check: needs the client_id of provider "b"`}},
		{"introspection by a client that proves nothing", second(`, "client_id": "c"`, `, "check": "auto"`), []string{
			`bearer[0].check: needs a client that proves who it is: client_secret or client_key of provider "b"`}},
		{"unsigned tokens", bearer(t, good+`"algorithms": ["none", "HS256"]`), []string{
			`bearer[0].algorithms[0]: "none" is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA`,
			`bearer[0].algorithms[1]: "HS256" is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA`}},
		{"no algorithms", bearer(t, good+`"algorithms": []`), []string{
			`bearer[0].algorithms: is empty; leave the key out or put something in`}},
		{"types that are none", bearer(t, good+`"types": ["at jwt", "JWT", "JWT"]`), []string{
			`bearer[0].types[0]: "at jwt" is not a type, such as "at+jwt"`,
			`bearer[0].types[2]: "JWT" is given twice`}},
		{"no types", bearer(t, good+`"types": []`), []string{
			`bearer[0].types: is empty; leave the key out or put something in`}},
		{"a claim that is one value and not a list", bearer(t, good+`"required_claims": {"tenant": "x"}`), []string{
			`bearer[0].required_claims.tenant: must be a list, not a string`}},
		{"times out of range", bearer(t, good+`"max_lifetime": "59s", "introspection": {"cache": "2h", "negative_cache": "6m"}, "dpop": {"window": "4s"}`), []string{
			`bearer[0].max_lifetime: 59s is less than 1m`,
			`bearer[0].introspection.cache: 2h is more than 1h`,
			`bearer[0].introspection.negative_cache: 6m is more than 5m`,
			`bearer[0].dpop.window: 4s is less than 5s`}},
		{"a header that steers the connection", bearer(t, good+`"client_id_header": "Host"`), []string{
			`bearer[0].client_id_header: "Host" has a meaning of its own for the proxy or the protocol; take another name`}},
		{"a proof that there is not", bearer(t, good+`"bound": "never"`), []string{
			`bearer[0].bound: "never" is not one of if_bound, dpop, certificate, always`}},
		{"a cache that fills the machine", top(t, `"bearer_cache_bytes": 268435457`), []string{
			`bearer_cache_bytes: 268435457 is not from 0 to 268435456`}},
		{"a rule for tokens that nobody accepts", top(t, `"rules": [{"match": {"paths": ["/a"]}, "accept": ["bearer"]}]`), []string{
			`rules[0].accept[0]: needs an entry in bearer, which says whose tokens are accepted`}},
		{"a rule that sends services to sign in", with(t, `"hosts":`, `"bearer": [{"provider": "a", "audiences": ["x"]}], "rules": [{"match": {"paths": ["/a"]}, "accept": ["bearer"], "on_anonymous": "login"}], "hosts":`), []string{
			`rules[0].on_anonymous: "login" leads to a session, which is not accepted here`}},
		{"a rule that accepts nothing, something else, and one thing twice", top(t, `"rules": [{"match": {"paths": ["/a"]}, "accept": []}, {"match": {"paths": ["/b"]}, "accept": ["cookie"]}, {"match": {"paths": ["/c"]}, "accept": ["session", "session"]}]`), []string{
			`rules[0].accept: is empty; leave the key out or put something in`,
			`rules[1].accept[0]: "cookie" is not one of session, bearer`,
			`rules[2].accept[1]: "session" is given twice`}},
		{"a rule that lets anyone pass and accepts something", top(t, `"rules": [{"match": {"paths": ["/a"]}, "allow": "anyone", "accept": ["session"]}]`), []string{
			`rules[0].accept: has no meaning beside "allow"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.settings, tt.want...) })
	}
}

func TestAnswersToOthersThatAreRefused(t *testing.T) {
	const origin = ` is not an origin as browsers write it: scheme, host in lower case, and the port unless it is the scheme's own`
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"origins that no browser writes", top(t, `"cors": {"origins": ["https://a.example.com/", "https://B.example.com", "https://c.example.com:443", "*", "null"]}`), []string{
			`cors.origins[0]: "https://a.example.com/"` + origin,
			`cors.origins[1]: "https://B.example.com"` + origin,
			`cors.origins[2]: "https://c.example.com:443"` + origin,
			`cors.origins[3]: must be an absolute address such as "https://id.example.com"`,
			`cors.origins[4]: must be an absolute address such as "https://id.example.com"`}},
		{"an origin twice", top(t, `"cors": {"origins": ["https://a.example.com", "https://a.example.com"]}`), []string{
			`cors.origins[1]: "https://a.example.com" is given twice`}},
		{"preflights of nobody", top(t, `"cors": {"forward_preflights": true}`), []string{
			`cors.forward_preflights: needs origins`}},
		{"metadata that cannot be", top(t, `"resource": {"name": "`+strings.Repeat("x", 101)+`", "documentation": "docs", "scopes": ["a b", "c", "c"]}`), []string{
			`resource.name: has 101 characters; at most 100`,
			`resource.documentation: must be an absolute address such as "https://id.example.com"`,
			`resource.scopes[0]: "a b" is not a scope`,
			`resource.scopes[2]: "c" is given twice`}},
		{"another status", top(t, `"auth_request": {"status": 204}`), []string{
			`auth_request.status: 204 is neither 200 nor 202`}},
		{"the addresses of nobody who is trusted", top(t, `"auth_request": {"rules": true}`), []string{
			`auth_request.rules: is about what trusted peers ask: say who is one, by sans or listener of trusted_peers`}},
		{"hops of nobody who is trusted", top(t, `"trusted_peers": {"hops": 1}`), []string{
			`trusted_peers.hops: is about what trusted peers write: say who is one, by sans or listener`}},
		{"a chain without end, and a peer twice", top(t, `"trusted_peers": {"hops": 17, "sans": ["a", "a"]}`), []string{
			`trusted_peers.sans[1]: "a" is given twice`,
			`trusted_peers.hops: 17 is not from 0 to 16`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.settings, tt.want...) })
	}
}

// alone is settings for outgoing calls and nothing else.
func alone(t *testing.T, entry, more string) string {
	return with(t, `"client_id": "c"`, `"client_id": "c", "client_secret": {"env": "SHOP_CLIENT_SECRET"}`,
		`"hosts": ["app.example.com"]`, more+`"outbound": [{"match": {"hosts": ["orders.example.com"]}, "provider": "a"`+entry+`}]`)
}

func TestOutgoingCallsThatAreRefused(t *testing.T) {
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"neither hosts nor outgoing calls", with(t, `"hosts": ["app.example.com"]`, `"outbound": []`), []string{
			`hosts: is required: the hosts that this gate serves, such as ["app.example.com"]`}},
		{"an entry that says nothing", top(t, `"outbound": [{}]`), []string{
			`outbound[0].match: needs at least one of hosts, paths, path_regexes, methods and headers; every request is "paths": ["/*"]`,
			`outbound[0].provider: is required: the name of one of the providers`}},
		{"tokens for whatever host is called", top(t, `"outbound": [{"match": {"paths": ["/*"]}, "provider": "a"}]`), []string{
			`outbound[0].match.hosts: is required: the hosts that the token is for`,
			`outbound[0].provider: needs a client that proves who it is: client_secret or client_key of provider "a"`}},
		{"a provider that there is not", top(t, `"outbound": [{"match": {"hosts": ["orders.example.com"]}, "provider": "b"}]`), []string{
			`outbound[0].provider: "b" is not the name of a provider: a`}},
		{"a client that proves nothing", top(t, `"outbound": [{"match": {"hosts": ["orders.example.com"]}, "provider": "a"}]`), []string{
			`outbound[0].provider: needs a client that proves who it is: client_secret or client_key of provider "a"`}},
		{"a client without a name", with(t, `, "client_id": "c"`, ``, `"hosts": ["app.example.com"]`, `"outbound": [{"match": {"hosts": ["orders.example.com"]}, "provider": "a"}]`), []string{
			`outbound[0].provider: needs the client_id of provider "a"`}},
		{"another grant, and another way with what is there", alone(t, `, "grant": "password", "existing": "drop"`, ``), []string{
			`outbound[0].grant: "password" is not one of client_credentials, token_exchange`,
			`outbound[0].existing: "drop" is not one of keep, replace`}},
		{"what is asked for cannot be", alone(t, `, "scopes": ["a b"], "audiences": ["x", "x"], "resources": ["orders", "https://orders.example.com/#a"]`, ``), []string{
			`outbound[0].scopes[0]: "a b" is not a scope`,
			`outbound[0].audiences[1]: "x" is given twice`,
			`outbound[0].resources[0]: must be an absolute address such as "https://id.example.com"`,
			`outbound[0].resources[1]: must be an absolute address such as "https://id.example.com", without query and fragment`}},
		{"what only a listener for people sees", alone(t, ``, `"public_url": "https://auth.example.com",
			"bearer": [{"provider": "a", "audiences": ["x"]}], "resource": {"name": "Shop"}, "cors": {"origins": ["https://spa.example.com"]},
			"forward": {"assertion": {}}, "auth_request": {"rules": true}, "trusted_peers": {"listener": true},
			"rules": [{"match": {"paths": ["/a"]}}], "log": {"decisions": "all"}, "insecure_observe": true, `), []string{
			`public_url: has no meaning without hosts`,
			`bearer: has no meaning without hosts`,
			`resource: has no meaning without hosts`,
			`cors: has no meaning without hosts`,
			`forward.assertion: has no meaning without hosts`,
			`auth_request.rules: has no meaning without hosts`,
			`rules: has no meaning without hosts`,
			`log.decisions: has no meaning without hosts`,
			`insecure_observe: has no meaning without hosts`}},
		{"hosts that cannot be read are not hosts that are missing", alone(t, ``, `"hosts": "app.example.com", "rules": [{"match": {"paths": ["/a"]}}], `), []string{
			`hosts: must be a list, not a string`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.settings, tt.want...) })
	}
}

func TestServicesAreAccepted(t *testing.T) {
	tests := []struct {
		name, settings string
		got            func(*Config) any
		want           any
	}{
		{"algorithms of the provider where none are given", with(t, `"client_id": "c"`, `"client_id": "c", "algorithms": ["PS256"]`, `"hosts":`, `"bearer": [{"provider": "a", "audiences": ["x"]}], "hosts":`),
			func(c *Config) any { return c.Bearer[0].Algorithms }, []string{"PS256"}},
		{"tokens for anybody, where that is said", bearer(t, `"insecure_any_audience": true`),
			func(c *Config) any { return c.Bearer[0].Audiences }, []string(nil)},
		{"claims with values and with any", bearer(t, `"audiences": ["x"], "required_claims": {"realm_access.roles": ["a"], "tenant": []}`),
			func(c *Config) any { return c.Bearer[0].RequiredClaims }, map[string][]string{"realm_access.roles": {"a"}, "tenant": {}}},
		{"a header for the client's name, in lower case", bearer(t, `"audiences": ["x"], "client_id_header": "Client-Id"`),
			func(c *Config) any { return c.Bearer[0].ClientIDHeader }, "client-id"},
		{"asking each time", bearer(t, `"audiences": ["x"], "check": "introspection", "introspection": {"cache": "0s", "negative_cache": "0s"}`),
			func(c *Config) any { return c.Bearer[0].Introspection }, Introspection{}},
		{"rules accept tokens where anybody's are", with(t, `"hosts":`, `"bearer": [{"provider": "a", "audiences": ["x"]}], "rules": [{"match": {"paths": ["/a"]}}], "hosts":`),
			func(c *Config) any { return c.Rules[0].Accept }, []string{"session", "bearer"}},
		{"rules accept sessions where no tokens are", top(t, `"rules": [{"match": {"paths": ["/a"]}}]`),
			func(c *Config) any { return c.Rules[0].Accept }, []string{"session"}},
		{"a rule for services answers 401 unless it says otherwise", with(t, `"hosts":`, `"bearer": [{"provider": "a", "audiences": ["x"]}], "rules": [{"match": {"paths": ["/a"]}, "accept": ["bearer"]}], "hosts":`),
			func(c *Config) any { return c.Rules[0].OnAnonymous }, "401"},
		{"a provider whose keys alone are used needs no client", with(t, `"client_id": "c"}`, `"client_id": "c"}, {"name": "b", "issuer": "https://b.example.com", "cluster": "b"}`, `"hosts":`, `"bearer": [{"provider": "b", "audiences": ["x"]}], "hosts":`),
			func(c *Config) any { return c.Providers[1].ClientAuth }, "none"},
		{"rules for what a trusted peer asks about", top(t, `"auth_request": {"rules": true}, "trusted_peers": {"sans": ["spiffe://a/b"]}`),
			func(c *Config) any { return c.AuthRequest }, AuthRequest{Status: 202, Rules: true}},
		{"outgoing calls alone, with their defaults", alone(t, ``, ``),
			func(c *Config) any { return []string{c.Outbound[0].Grant, c.Outbound[0].Existing} }, []string{"client_credentials", "keep"}},
		{"outgoing calls beside incoming ones", alone(t, `, "grant": "token_exchange"`, `"hosts": ["app.example.com"], "rules": [{"match": {"paths": ["/a"]}}], `),
			func(c *Config) any { return len(c.Hosts) }, 1},
		{"empty lists that mean none", alone(t, `, "scopes": [], "audiences": [], "resources": []`, `"rules": [], "bearer": [], "cors": {"origins": []}, `),
			func(c *Config) any { return len(c.Outbound) }, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got(mustParse(t, tt.settings))); diff != "" {
				t.Errorf("(-wanted +found):\n%s", diff)
			}
		})
	}
}
