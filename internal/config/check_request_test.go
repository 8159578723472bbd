package config

import (
	"strings"
	"testing"
)

func TestAuthorisationRequestsThatAreRefused(t *testing.T) {
	long := strings.Repeat("x", 1025)
	const uri = ` is not an absolute URI without a fragment, such as "https://api.example.com"`
	var own []string
	params := `"x": "y"`
	for _, name := range ownParams {
		params += `, "` + name + `": "x"`
		own = append(own, `providers[0].authorization_params.`+name+`: is a parameter that the gate sets itself`)
	}
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"what the protocol needs", provider(t, `"authorization_params": {`+params+`}`), own},
		{"a name that is none", provider(t, `"authorization_params": {"a b": "x"}`), []string{
			`providers[0].authorization_params["a b"]: is not a parameter's name: up to 64 of A-Z, a-z, 0-9, and .:_-`}},
		{"what has a setting of its own at Google", sole(`"name": "a", "type": "google", "authorization_params": {"hd": "example.com", "access_type": "offline"}`+googleClusters, ""), []string{
			`providers[0].authorization_params.access_type: is set by hosted_domains and offline_access`,
			`providers[0].authorization_params.hd: is set by hosted_domains and offline_access`}},
		{"a value that is too long", provider(t, `"authorization_params": {"a": "`+long+`"}`), []string{
			`providers[0].authorization_params.a: has 1025 bytes; at most 1024`}},
		{"values that are too long together", provider(t, `"authorization_params": {"a": "`+long[:1000]+`", "b": "`+long[:1000]+`", "c": "`+long[:46]+`"}`), []string{
			`providers[0].authorization_params: holds 2049 bytes; at most 2048, for they travel in an address`}},
		{"a prompt that shows nothing", provider(t, `"prompt": "none"`), []string{
			`providers[0].prompt: "none" is not one of login, consent, select_account`}},
		{"a word twice", provider(t, `"prompt": "login consent login"`), []string{`providers[0].prompt: holds a word twice`}},
		{"resources that are none", provider(t, `"resources": ["api.example.com/x", "https://api.example.com/#f", "https://api.example.com", "https:", "1a:b"]`), []string{
			`providers[0].resources[0]: "api.example.com/x"` + uri,
			`providers[0].resources[1]: "https://api.example.com/#f"` + uri,
			`providers[0].resources[3]: "https:"` + uri,
			`providers[0].resources[4]: "1a:b"` + uri}},
		{"words that there are not", provider(t, `"par": "sometimes", "response_mode": "fragment", "token_binding": "tls", "profile": "fapi1"`), []string{
			`providers[0].par: "sometimes" is not one of auto, always, never`,
			`providers[0].response_mode: "fragment" is not one of query, form_post`,
			`providers[0].token_binding: "tls" is not one of none, dpop, mtls`,
			`providers[0].profile: must be "fapi2"`}},
		{"a request that nothing signs", provider(t, `"request_object": true`), []string{
			`providers[0].request_object: needs client_key, which signs it`}},
		{"a certificate and a secret", provider(t, `"client_auth": "tls_client_auth", "client_secret": {"env": "SHOP_CLIENT_SECRET"}`), []string{
			`providers[0].client_auth: "tls_client_auth" goes without a client_secret; leave one of the two out`}},
		{"a certificate and a key", keyed(t, pkcs8(keys().ec), `, "client_auth": "self_signed_tls_client_auth"`), []string{
			`providers[0].client_auth: "self_signed_tls_client_auth" goes without a client_key; leave one of the two out`}},
		{"a certificate of nobody", several(`"issuer": "https://id.example.com", "client_id": "c"`, `"issuer": "https://b.example.com", "client_auth": "tls_client_auth"`), []string{
			`providers[1].client_id: is required: the client whose certificate this is`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.settings, tt.want...) })
	}
}

func TestAuthorisationRequestsThatAreAccepted(t *testing.T) {
	for name, settings := range map[string]string{
		"parameters":                            provider(t, `"authorization_params": {"audience": "https://api.example.com", "kc_idp_hint": "staff", "claims": "{}"}, "prompt": "select_account consent"`),
		"resources":                             provider(t, `"resources": ["https://api.example.com/a?b=c", "urn:example:api"]`),
		"a certificate":                         provider(t, `"client_auth": "self_signed_tls_client_auth"`),
		"a certificate, and a key for requests": keyed(t, pkcs8(keys().ec), `, "client_auth": "tls_client_auth", "request_object": true`),
		"a secret, and a key for requests":      keyed(t, pkcs8(keys().ec), `, "client_auth": "client_secret_basic", "client_secret": {"env": "SHOP_CLIENT_SECRET"}, "request_object": true`),
		"tokens by certificate":                 provider(t, `"token_binding": "mtls", "par": "never", "response_mode": "form_post", "own_callback": true, "ui_locales": true`),
	} {
		t.Run(name, func(t *testing.T) { mustParse(t, settings) })
	}
}

func TestWhatTheProfileFAPIRefuses(t *testing.T) {
	const must = ` with the profile "fapi2"`
	fapi := func(more string) string { return keyed(t, pkcs8(keys().rsa), `, "profile": "fapi2"`+more) }
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"a public client", provider(t, `"profile": "fapi2"`), []string{
			`providers[0].client_auth: must be "private_key_jwt", "tls_client_auth" or "self_signed_tls_client_auth"` + must}},
		{"requests in addresses", fapi(`, "par": "auto"`), []string{`providers[0].par: must be "always"` + must}},
		{"tokens that anybody can use", fapi(`, "token_binding": "none"`), []string{`providers[0].token_binding: must be "dpop" or "mtls"` + must}},
		{"RS256 in tokens", fapi(`, "algorithms": ["PS256", "RS256"]`), []string{`providers[0].algorithms: must be among PS256, ES256, EdDSA` + must}},
		{"RS256 by the client", fapi(`, "client_key_algorithm": "RS256"`), []string{
			`providers[0].client_key_algorithm: "RS256" is not what the key is for: PS256`}},
		{"a key that is for RS256", keyed(t, jwk(keys().rsa, map[string]any{"alg": "RS256"}), `, "profile": "fapi2"`), []string{
			`providers[0].client_key_algorithm: "" is not what the key is for: none that the profile allows`}},
		{"assertions for an address", fapi(`, "client_assertion_audience": "endpoint"`), []string{
			`providers[0].client_assertion_audience: must be "issuer"` + must}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.settings, tt.want...) })
	}
}

func TestTokensThatAreBoundToTheGateAreNotHandedOut(t *testing.T) {
	const useless = `: would hand out tokens of provider "a", which are bound to this gate (token_binding): nobody else can use them`
	bound := func(more string) string {
		return sole(`"name": "a", "issuer": "https://id.example.com", "token_binding": "dpop"`, more)
	}
	refused(t, bound(`, "forward": {"access_token": ["authorization"]}`), `forward.access_token`+useless)
	refused(t, bound(`, "rules": [{"match": {"paths": ["/a"]}}, {"match": {"paths": ["/b"]}, "forward": {"access_token": ["x-token"]}}]`), `rules[1].forward.access_token`+useless)
	refused(t, sole(`"name": "a", "issuer": "https://id.example.com", "token_binding": "mtls", "client_auth": "tls_client_auth"`, `, "outbound": [{"match": {"hosts": ["orders.example.com"]}, "provider": "a"}]`),
		`outbound[0].provider: binds its tokens to this gate (token_binding), so that no application could use them`)
	mustParse(t, bound(`, "forward": {"access_token": []}`))
}
