package config

import (
	"strings"
	"testing"
)

func TestProvidersThatAreRefused(t *testing.T) {
	const issuerForm = `providers[0].issuer: must be an absolute address such as "https://id.example.com"`
	long := strings.Repeat("x", 101)
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"none", `{"hosts": ["a.example.com"], "session": {"keys": [{"id": "k", "env": "POSTERN_KEY"}]}}`, []string{
			`providers: is required: at least one provider`}},
		{"two of one name", with(t, `"client_id": "c"}`, `"client_id": "c"}, {"name": "a", "issuer": "https://b.example.com", "cluster": "b"}`), []string{
			`providers[1].name: is the same as that of providers[0]`}},
		{"two of one issuer", with(t, `"client_id": "c"}`, `"client_id": "c"}, {"name": "b", "issuer": "https://id.example.com", "cluster": "b"}`), []string{
			`providers[1].issuer: is the same as that of providers[0]; each needs a client_id of its own then`}},
		{"no client where people sign in", with(t, `, "client_id": "c"`, ``), []string{
			`providers[0].client_id: is required: the client's name at the provider where people sign in`}},
		{"a secret of nobody", with(t, `"client_id": "c"}`, `"client_id": "c"}, {"name": "b", "issuer": "https://b.example.com", "cluster": "b", "client_secret": {"env": "SHOP_CLIENT_SECRET"}}`), []string{
			`providers[1].client_id: is required: the client whose secret or key this is`}},
		{"an unknown type", provider(t, `"type": "saml"`), []string{
			`providers[0].type: "saml" is not one of oidc, keycloak, google, entra, github, gitlab, okta, auth0, oauth2`}},
		{"a key in another case", provider(t, `"Scopes": ["openid"]`), []string{
			`providers[0].Scopes: unknown key; did you mean "scopes"?`}},
		{"a key given twice", provider(t, `"client_id": "d"`), []string{
			`providers[0].client_id: is given twice`}},
		{"a name with a space", with(t, `"name": "a"`, `"name": "my idp"`), []string{
			`providers[0].name: "my idp" is not up to 32 of a-z, 0-9 and "-"`}},
		{"an empty name", with(t, `"name": "a"`, `"name": ""`), []string{
			`providers[0].name: is empty; give a value or leave the key out`}},
		{"a display name that fills the page", provider(t, `"display_name": "`+long+`"`), []string{
			`providers[0].display_name: has 101 characters; at most 100`}},
		{"an issuer over http", with(t, "https://id", "http://id"), []string{
			`providers[0].issuer: must be an https address; insecure_issuer accepts http, with its dangers`}},
		{"an issuer with a password", with(t, "https://id", "https://me:hunter2@id"), []string{
			issuerForm + `, without user and password`}},
		{"an issuer with a query", with(t, "id.example.com", "id.example.com/?a=b"), []string{
			issuerForm + `, without query and fragment`}},
		{"an issuer with an empty fragment", with(t, "id.example.com", "id.example.com/#"), []string{
			issuerForm + `, without query and fragment`}},
		{"an issuer with a backslash", with(t, "id.example.com", `id.example.com/\\evil`), []string{
			issuerForm + `, without backslashes and spaces`}},
		{"an issuer without a scheme", with(t, "https://id", "id"), []string{issuerForm}},
		{"an issuer of another scheme", with(t, "https://id", "ftp://id"), []string{issuerForm}},
		{"an issuer on an octal address", with(t, "id.example.com", "0177.0.0.1"), []string{
			issuerForm + `: the host is not a host, such as "app.example.com" or "127.0.0.1"`}},
		{"an issuer at no port", with(t, "id.example.com", "id.example.com:0"), []string{
			issuerForm + `: the host has a port that is not a number from 1 to 65535`}},
		{"a cluster with a space in it", with(t, `"idp"`, `"i dp"`), []string{
			`providers[0].cluster: "i dp" is not a cluster's name: up to 256 visible characters`}},
		{"clusters of addresses instead of hosts", provider(t, `"clusters": {"https://k.example.com": "k", "K.example.com": "k", "k.example.com:443": "k k", "j.example.com": 3}`), []string{
			`providers[0].clusters["j.example.com"]: must be a string, not a number; put it in quotes`,
			`providers[0].clusters["K.example.com"]: is a host in lower case`,
			`providers[0].clusters["https://k.example.com"]: "https://k.example.com" is not a host alone, such as "app.example.com" or "localhost:8080"`,
			`providers[0].clusters["k.example.com:443"]: "k k" is not a cluster's name: up to 256 visible characters`}},
		{"a client id in another script", with(t, `"client_id": "c"`, `"client_id": "кафе"`), []string{
			`providers[0].client_id: "кафе" is not up to 256 printable ASCII characters`}},
		{"a secret for a client that is said to have none", provider(t, `"client_secret": {"env": "SHOP_CLIENT_SECRET"}, "client_auth": "none"`), []string{
			`providers[0].client_auth: "none" goes without a client_secret; leave one of the two out`}},
		{"no secret for a client that needs one", provider(t, `"client_auth": "client_secret_post"`), []string{
			`providers[0].client_auth: "client_secret_post" needs client_secret`}},
		{"no scopes", provider(t, `"scopes": []`), []string{`providers[0].scopes: must hold "openid"`}},
		{"scopes without the one for signing in", provider(t, `"scopes": ["email"]`), []string{
			`providers[0].scopes: must hold "openid"`}},
		{"two scopes in one", provider(t, `"scopes": ["openid", "profile email"]`), []string{
			`providers[0].scopes[1]: "profile email" is not a scope`}},
		{"scopes in one string", provider(t, `"scopes": "openid"`), []string{
			`providers[0].scopes: must be a list, not a string`}},
		{"no algorithms", provider(t, `"algorithms": []`), []string{
			`providers[0].algorithms: is empty; leave the key out or put something in`}},
		{"unsigned tokens", provider(t, `"algorithms": ["RS256", "none", "RS256"]`), []string{
			`providers[0].algorithms[1]: "none" is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA`,
			`providers[0].algorithms[2]: "RS256" is given twice`}},
		{"a claim with a hyphen, and one that is a number", provider(t, `"claims": {"my-claim": "x", "email": 1}`), []string{
			`providers[0].claims.email: must be a string, not a number; put it in quotes`,
			`providers[0].claims["my-claim"]: is not a claim's name: up to 64 of a-z, 0-9 and _`}},
		{"userinfo at a whim", provider(t, `"userinfo": "sometimes"`), []string{
			`providers[0].userinfo: "sometimes" is not one of auto, always, never`}},
		{"times out of range", provider(t, `"leeway": "-1s", "timeout": "99ms", "metadata_refresh": "0", "keys_refresh": "9s"`), []string{
			`providers[0].leeway: -1s is less than 0s`,
			`providers[0].timeout: 99ms is less than 100ms`,
			`providers[0].metadata_refresh: 0s is less than 10s`,
			`providers[0].keys_refresh: 9s is less than 10s`}},
		{"a time in days", provider(t, `"leeway": "1d"`), []string{
			`providers[0].leeway: "1d" is not a duration, such as "90s", "15m" or "168h"; the largest unit is h`}},
		{"a word for a yes", provider(t, `"insecure_issuer": "yes"`), []string{
			`providers[0].insecure_issuer: must be true or false, not a string`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.settings, tt.want...) })
	}
}

func TestTheTopLevelRefused(t *testing.T) {
	const publicForm = `public_url: must be an absolute address such as "https://id.example.com"`
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"no hosts", with(t, `"app.example.com"`, ``), []string{
			`hosts: is required: the hosts that this gate serves, such as ["app.example.com"]`}},
		{"one host without a list", with(t, `["app.example.com"]`, `"app.example.com"`), []string{
			`hosts: must be a list, not a string`}},
		{"a host twice, in two spellings", with(t, `["app.example.com"]`, `["app.example.com", "APP.example.com"]`), []string{
			`hosts[1]: "app.example.com" is given twice`}},
		{"a public address over http", top(t, `"public_url": "http://auth.example.com"`), []string{
			`public_url: must be an https address; http is for loopback hosts, with insecure_http_cookies`}},
		{"a public address with a path", top(t, `"public_url": "https://auth.example.com/oauth2"`), []string{
			`public_url: must end after the host; path_prefix says which path comes after it`}},
		{"a public address with a star", top(t, `"public_url": "https://*.example.com"`), []string{
			publicForm + `: the host has a "*" elsewhere than in front, as in "*.example.com"`}},
		{"a public address at any port", top(t, `"public_url": "https://auth.example.com:*"`), []string{publicForm}},
		{"a prefix without a slash", top(t, `"path_prefix": "oauth2"`), []string{
			`path_prefix: "oauth2" does not begin with "/"`}},
		{"the whole site as the prefix", top(t, `"path_prefix": "/"`), []string{
			`path_prefix: "/" is not a plain path of at most 64 characters without a slash at the end, such as "/oauth2"`}},
		{"a prefix with a star", top(t, `"path_prefix": "/a/*"`), []string{
			`path_prefix: "/a/*" is not a plain path of at most 64 characters without a slash at the end, such as "/oauth2"`}},
		{"a prefix that goes up", top(t, `"path_prefix": "/a/../b"`), []string{
			`path_prefix: "/a/../b" holds a dot segment, a backslash or another character that never reaches the rules`}},
		{"a sign-in page of another kind", top(t, `"sign_in": {"page": "no", "login_timeout": "2h"}`), []string{
			`sign_in.page: "no" is not one of auto, always, never`,
			`sign_in.login_timeout: 2h is more than 1h`}},
		{"a title with a line break", top(t, `"sign_in": {"title": "a\nb"}`), []string{
			`sign_in.title: holds a line break or another control character`}},
		{"a title with half a surrogate pair", top(t, `"sign_in": {"title": "a\ud800b"}`), []string{
			`sign_in.title: holds a character that is not valid Unicode`}},
		{"a title of many pages", top(t, `"sign_in": {"title": "`+strings.Repeat("a", 9000)+`"}`), []string{
			`sign_in.title: is longer than 8192 bytes`}},
		{"cookies in the clear on the network", top(t, `"insecure_http_cookies": true`), []string{
			`insecure_http_cookies: is for loopback hosts only, which hosts[0] ("app.example.com") is not`}},
		{"cookies in the clear on a host that only looks like this machine", with(t, "app.example.com", "localhost.example.com", `"hosts":`, `"insecure_http_cookies": true, "hosts":`), []string{
			`insecure_http_cookies: is for loopback hosts only, which hosts[0] ("localhost.example.com") is not`}},
		{"cookies in the clear at a public address", with(t, "app.example.com", "127.0.0.1:80", `"hosts":`, `"insecure_http_cookies": true, "public_url": "http://128.0.0.1", "hosts":`), []string{
			`insecure_http_cookies: is for loopback hosts only, which public_url is not`}},
		{"a log of something else", top(t, `"log": {"decisions": "none"}`), []string{
			`log.decisions: "none" is not one of denied, all`}},
		{"a key that resembles nothing", top(t, `"colour of the bicycle shed": 1`), []string{
			`["colour of the bicycle shed"]: unknown key; known here: providers, public_url, hosts, path_prefix, session, sign_in, pages, sign_out, forward, bearer, bearer_cache_bytes, resource, cors, auth_request, trusted_peers, outbound, rules, log, insecure_observe, insecure_http_cookies`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.settings, tt.want...) })
	}
}

func TestSessionsThatAreRefused(t *testing.T) {
	const advice = `; make one with "openssl rand -base64 32"`
	insecure := func(cookie string) string {
		return with(t, "app.example.com", "localhost", `"hosts":`, `"insecure_http_cookies": true, "hosts":`, `"keys":`, `"cookie": `+cookie+`, "keys":`)
	}
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"no session at all", with(t, `,
	"session": {"keys": [{"id": "k", "env": "POSTERN_KEY"}]}`, ``), []string{
			`session.keys: is required: at least one key, such as [{"id": "2026-11", "env": "POSTERN_KEY"}]`}},
		{"a key without an id", with(t, `"id": "k", `, ``), []string{
			`session.keys[0].id: is required: a name for the key, such as "2026-11"`}},
		{"a key whose id has a slash", with(t, `"id": "k"`, `"id": "a/b"`), []string{
			`session.keys[0].id: "a/b" is not up to 32 of A-Z, a-z, 0-9, ".", "_" and "-"`}},
		{"a key from nowhere", with(t, `, "env": "POSTERN_KEY"`, ``), []string{
			`session.keys[0]: needs exactly one of "env" and "value"`}},
		{"a key from two places", with(t, `"env"`, `"value": "`+keyB+`", "env"`), []string{
			`session.keys[0]: needs exactly one of "env" and "value"`}},
		{"a key that is a string", with(t, `{"id": "k", "env": "POSTERN_KEY"}`, `"`+keyA+`"`), []string{
			`session.keys[0]: must be an object, not a string`}},
		{"a key that is not base64", with(t, "POSTERN_KEY", "NO_BASE64"), []string{
			`session.keys[0].env: the key is not base64` + advice}},
		{"a key that is too short", with(t, "POSTERN_KEY", "SHORT"), []string{
			`session.keys[0].env: the key has 7 bytes, which must be 32 to 64` + advice}},
		{"a key that is too long", with(t, `"env": "POSTERN_KEY"`, `"value": "`+strings.Repeat("u3ZbQ0Zc", 11)+`"`), []string{
			`session.keys[0].value: the key has 66 bytes, which must be 32 to 64` + advice}},
		{"a key of zeros", with(t, "POSTERN_KEY", "ZEROS"), []string{
			`session.keys[0].env: the key is not random` + advice}},
		{"a key in an empty variable", with(t, "POSTERN_KEY", "EMPTY"), []string{
			`session.keys[0].env: the variable EMPTY is empty; give a value or leave the key out`}},
		{"two keys of one id", with(t, `"keys": [`, `"keys": [{"id": "k", "env": "POSTERN_KEY_BEFORE"}, `), []string{
			`session.keys[1].id: "k" is the id of session.keys[0] too`}},
		{"one key under two ids", with(t, `"keys": [`, `"keys": [{"id": "j", "value": "`+keyA+`"}, `), []string{
			`session.keys[1]: is the same key as session.keys[0]`}},
		{"33 keys", with(t, `"keys": [`, `"keys": [`+strings.Repeat(`{"id": "k", "env": "POSTERN_KEY"},`, 32)), []string{
			`session.keys: holds 33 keys; at most 32`}},
		{"a cookie name with a space", session(t, `"cookie": {"name": "my cookie"}`), []string{
			`session.cookie.name: "my cookie" is not a cookie's name: up to 64 letters, digits and characters such as - and _`}},
		{"a __Host- cookie with a domain", session(t, `"cookie": {"name": "__host-x", "domain": "example.com"}`), []string{
			`session.cookie.name: a name that begins with __Host- needs the path "/" and no domain; begin it with __Secure- instead`}},
		{"a __Host- cookie with a path", with(t, `"keys":`, `"cookie": {"name": "__Host-x", "path": "/shop"}, "keys":`, `"hosts":`, `"path_prefix": "/shop/oauth2", "hosts":`), []string{
			`session.cookie.name: a name that begins with __Host- needs the path "/" and no domain; begin it with __Secure- instead`}},
		{"a __Host- cookie over http", insecure(`{"name": "__Host-x"}`), []string{
			`session.cookie.name: a name that begins with __Host- or __Secure- needs https, so it does not go with insecure_http_cookies`}},
		{"a __Secure- cookie over http", insecure(`{"name": "__SECURE-x"}`), []string{
			`session.cookie.name: a name that begins with __Host- or __Secure- needs https, so it does not go with insecure_http_cookies`}},
		{"a cookie for all sites over http", insecure(`{"same_site": "none"}`), []string{
			`session.cookie.same_site: "none" needs https, so it does not go with insecure_http_cookies`}},
		{"an unknown same_site", session(t, `"cookie": {"same_site": "Lax"}`), []string{
			`session.cookie.same_site: "Lax" is not one of lax, strict, none`}},
		{"a domain of another site", session(t, `"cookie": {"domain": "ample.com"}`), []string{
			`session.cookie.domain: hosts[0] ("app.example.com") is not below "ample.com": it could not set the cookie`}},
		{"a domain that is a top-level one", session(t, `"cookie": {"domain": "com"}`), []string{
			`session.cookie.domain: "com" is not a domain that browsers accept, such as "example.com"`}},
		{"a domain with a port", session(t, `"cookie": {"domain": "example.com:8443"}`), []string{
			`session.cookie.domain: "example.com:8443" has a colon too many; an IPv6 address is written in brackets`}},
		{"a public address outside of the domain", with(t, `"keys":`, `"cookie": {"domain": "example.com"}, "keys":`, `"hosts":`, `"public_url": "https://auth.example.net", "hosts":`), []string{
			`session.cookie.domain: public_url is not below "example.com": it could not set the cookie`}},
		{"a cookie path that hides the session from our endpoints", session(t, `"cookie": {"path": "/shop"}`), []string{
			`session.cookie.path: path_prefix ("/oauth2") must be below "/shop", or the session never reaches the gate's own endpoints`}},
		{"a cookie path with an attribute in it", session(t, `"cookie": {"path": "/; Domain=example.com"}`), []string{
			`session.cookie.path: "/; Domain=example.com" holds a dot segment, a backslash or another character that never reaches the rules`}},
		{"a cookie path with a semicolon", session(t, `"cookie": {"path": "/a;b"}`), []string{
			`session.cookie.path: "/a;b" is not a plain path of at most 64 characters, such as "/shop"`}},
		{"ages above the lifetime", session(t, `"lifetime": "1m", "idle": "2m", "refresh": "90s"`), []string{
			`session.idle: 2m is more than the lifetime, 1m`,
			`session.refresh: 1m30s is more than the lifetime, 1m`}},
		{"ages without units and with units that there are not", session(t, `"idle": 24, "refresh": "24", "grace": "0.5d", "lifetime": "never"`), []string{
			`session.idle: must be a duration in quotes, such as "90s", "15m" or "168h", not a number`,
			`session.refresh: "24" is not a duration, such as "90s", "15m" or "168h"; it lacks its unit`,
			`session.grace: "0.5d" is not a duration, such as "90s", "15m" or "168h"; the largest unit is h`,
			`session.lifetime: "never" is not a duration, such as "90s", "15m" or "168h"`}},
		{"ages below a second", session(t, `"idle": "1ms", "refresh": "-1s", "grace": "0s"`), []string{
			`session.idle: 1ms is less than 1s`,
			`session.refresh: -1s is less than 1s`,
			`session.grace: 0s is less than 1s`}},
		{"a moment that is none", session(t, `"not_before": "yesterday"`), []string{
			`session.not_before: "yesterday" is not a time such as "2026-11-22T08:00:00Z"`}},
		{"a date without a time", session(t, `"not_before": "2026-11-22"`), []string{
			`session.not_before: "2026-11-22" is not a time such as "2026-11-22T08:00:00Z"`}},
		{"words for outages and retries that belong elsewhere", session(t, `"on_outage": "admit", "refresh_retry": "twice"`), []string{
			`session.refresh_retry: "twice" is not one of never, once`,
			`session.on_outage: "admit" is not one of serve, refuse`}},
		{"a store without its cluster", session(t, `"store": {"webdis": {}}`), []string{
			`session.store.webdis.cluster: is required: the Envoy cluster for calls to Webdis`}},
		{"a store that is a name", session(t, `"store": "redis"`), []string{
			`session.store: must be an object, not a string`}},
		{"a store's parts that cannot be", session(t, `"store": {"webdis": {"cluster": "webdis", "user": "a:b", "prefix": "postern:", "timeout": "11s", "interval": "10ms", "stale": "2h", "on_outage": "serve"}}`), []string{
			`session.store.webdis.user: holds a colon, which ends a user name (RFC 7617, section 2)`,
			`session.store.webdis.prefix: "postern:" is not up to 32 of a-z, 0-9 and "-"`,
			`session.store.webdis.timeout: 11s is more than 10s`,
			`session.store.webdis.interval: 10ms is less than 100ms`,
			`session.store.webdis.stale: 2h is more than 1h`,
			`session.store.webdis.on_outage: "serve" is not one of refuse, admit`}},
		{"a store that counts as away between two readings", session(t, `"store": {"webdis": {"cluster": "webdis", "interval": "10s"}}`), []string{
			`session.store.webdis.stale: 10s is not more than interval, 10s: Redis would count as away between two readings`}},
		{"sizes and times out of range", session(t, `"lifetime": "9601h", "max_bytes": 100, "cache_bytes": -1`), []string{
			`session.lifetime: 9601h is more than 9600h`,
			`session.max_bytes: 100 is not from 1024 to 49152`,
			`session.cache_bytes: -1 is not from 0 to 268435456`}},
		{"numbers that are no sizes", session(t, `"max_bytes": 4096.5, "cache_bytes": 1e400`), []string{
			`session.max_bytes: 4096.5 is not a whole number of a reasonable size`,
			`session.cache_bytes: 1e400 is not a whole number of a reasonable size`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.settings, tt.want...) })
	}
}
