package oidc

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/flow"
)

const longSecret = "0123456789abcdef0123456789abcdef"

var edKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// keyed is the settings of a client with a key.
func keyed(t *testing.T, key crypto.Signer, more string) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	if err != nil {
		t.Fatal(err)
	}
	return `,"client_key":{"value":` + string(text) + `}` + more
}

// asking returns a provider with every endpoint at which a client proves
// itself, all of which answer.
func (f *fake) asking(extra string) *Provider {
	f.t.Helper()
	f.on("/realms/main/.well-known/openid-configuration", jsonAnswer(200, with(with(with(f.metadata(),
		"userinfo_endpoint", nil),
		"revocation_endpoint", "https://id.example.com/revoke"),
		"introspection_endpoint", "https://id.example.com/introspect?realm=main")), nil)
	f.on("/token", jsonAnswer(200, with(tokenAnswer(), "issued_token_type", accessTokenType)), nil)
	f.on("/revoke", jsonAnswer(200, map[string]any{}), nil)
	f.on("/introspect", jsonAnswer(200, map[string]any{"active": true}), nil)
	return f.learned(extra)
}

// proofs are all calls in which a client proves itself, by the address that it
// goes to.
var proofs = map[string]struct {
	address string
	ask     func(*Provider, flow.Env) error
}{
	"a code exchange": {"https://id.example.com/token", func(p *Provider, env flow.Env) error {
		_, err := p.Exchange(env, "c-1", redirectURI, "v-1")
		return err
	}},
	"a refresh": {"https://id.example.com/token", func(p *Provider, env flow.Env) error {
		_, err := p.Refresh(env, Access{Token: "rt-0"})
		return err
	}},
	"client credentials": {"https://id.example.com/token", func(p *Provider, env flow.Env) error {
		_, err := p.ClientCredentials(env, Grant{})
		return err
	}},
	"a token exchange": {"https://id.example.com/token", func(p *Provider, env flow.Env) error {
		_, err := p.ExchangeToken(env, "st-1", Grant{})
		return err
	}},
	"a revocation": {"https://id.example.com/revoke", func(p *Provider, env flow.Env) error {
		return p.Revoke(env, "rt-0", "refresh_token")
	}},
	"an introspection": {"https://id.example.com/introspect?realm=main", func(p *Provider, env flow.Env) error {
		_, err := p.Confirm(env, Access{Token: "at-1"}, "u-1")
		return err
	}},
}

// assertionOf takes the assertion out of the last call and verifies it.
func (f *fake) assertionOf(alg jose.SignatureAlgorithm, key any) (header jose.Header, claims map[string]any) {
	f.t.Helper()
	v := form(f.t, f.last)
	if _, basic := f.last.Header.Get("authorization"); basic || v.Has("client_secret") {
		f.t.Error("the client proves itself twice")
	}
	if v.Get("client_id") != "shop" || v.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		f.t.Errorf("client %q, type %q", v.Get("client_id"), v.Get("client_assertion_type"))
	}
	jws, err := jose.ParseSignedCompact(v.Get("client_assertion"), []jose.SignatureAlgorithm{alg})
	if err != nil {
		f.t.Fatal(err)
	}
	payload, err := jws.Verify(key)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		f.t.Fatal(err)
	}
	return jws.Signatures[0].Protected, claims
}

func TestAClientWithAKeyOrALongSecretSignsAtEveryEndpoint(t *testing.T) {
	for name, c := range map[string]struct {
		settings string
		alg      jose.SignatureAlgorithm
		key      any
		kid      string
	}{
		"RS256":                 {keyed(t, testKeys().rsa, `,"client_key_id":"k1"`), jose.RS256, testKeys().rsa.Public(), "k1"},
		"PS256":                 {keyed(t, testKeys().rsa, `,"client_key_algorithm":"PS256"`), jose.PS256, testKeys().rsa.Public(), ""},
		"ES256":                 {keyed(t, testKeys().ec, `,"client_key_id":"k2"`), jose.ES256, testKeys().ec.Public(), "k2"},
		"EdDSA":                 {keyed(t, edKey, ``), jose.EdDSA, edKey.Public(), ""},
		"HS256":                 {`,"client_auth":"client_secret_jwt"`, jose.HS256, []byte(longSecret), ""},
		"HS256 in spite of one": {keyed(t, edKey, `,"client_key_id":"k3","client_auth":"client_secret_jwt"`), jose.HS256, []byte(longSecret), ""},
	} {
		for what, proof := range proofs {
			t.Run(name+" for "+what, func(t *testing.T) {
				f := newFake(t)
				f.secret = longSecret
				p := f.asking(c.settings)
				if err := proof.ask(p, f.env()); err != nil {
					t.Fatal(err)
				}
				header, claims := f.assertionOf(c.alg, c.key)
				if header.KeyID != c.kid || header.ExtraHeaders[jose.HeaderType] != "JWT" {
					t.Errorf("key %q, type %v", header.KeyID, header.ExtraHeaders[jose.HeaderType])
				}
				want := map[string]any{
					"iss": "shop", "sub": "shop", "aud": issuer, "jti": claims["jti"],
					"iat": float64(f.now.Unix()), "exp": float64(f.now.Unix() + 60),
				}
				if diff := cmp.Diff(want, claims); diff != "" {
					t.Errorf("claims (-wanted +sent):\n%s", diff)
				}
			})
		}
	}
}

func TestAnAssertionIsForTheAddressThatIsAskedWhereTheSettingsSaySo(t *testing.T) {
	for what, proof := range proofs {
		t.Run(what, func(t *testing.T) {
			f := newFake(t)
			p := f.asking(keyed(t, edKey, `,"client_assertion_audience":"endpoint"`))
			if err := proof.ask(p, f.env()); err != nil {
				t.Fatal(err)
			}
			if _, claims := f.assertionOf(jose.EdDSA, edKey.Public()); claims["aud"] != proof.address {
				t.Errorf("for %v, want %s", claims["aud"], proof.address)
			}
		})
	}
}

func TestEveryAssertionHasAnIDOfItsOwnFromTheRandomnessHandedIn(t *testing.T) {
	f := newFake(t)
	p := f.asking(keyed(t, edKey, ``))
	var seen []any
	for range 2 {
		if _, err := p.ClientCredentials(f.env(), Grant{}); err != nil {
			t.Fatal(err)
		}
		_, claims := f.assertionOf(jose.EdDSA, edKey.Public())
		seen = append(seen, claims["jti"])
	}
	if seen[0] == seen[1] {
		t.Error("two assertions have one id")
	}
	unique := []byte("0123456789abcdef")
	p.random = bytes.NewReader(unique)
	if _, err := p.ClientCredentials(f.env(), Grant{}); err != nil {
		t.Fatal(err)
	}
	if _, claims := f.assertionOf(jose.EdDSA, edKey.Public()); claims["jti"] != base64.RawURLEncoding.EncodeToString(unique) {
		t.Errorf("the id is %v", claims["jti"])
	}
}

// Both halves of an ES256 signature have their full length, whatever their
// value: about one in 128 has a half that begins with a zero.
func TestASignatureByES256AlwaysHasItsFullLength(t *testing.T) {
	f := newFake(t)
	p := f.asking(keyed(t, testKeys().ec, ``))
	zeros := 0
	for range 2000 {
		raw, err := p.assertion(p.meta.token, f.now)
		if err != nil {
			t.Fatal(err)
		}
		jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatal(err)
		}
		signature := jws.Signatures[0].Signature
		if len(signature) != 64 {
			t.Fatalf("%d bytes", len(signature))
		}
		if signature[0] == 0 || signature[32] == 0 {
			zeros++
			if _, err := jws.Verify(testKeys().ec.Public()); err != nil {
				t.Error(err)
			}
		}
	}
	if zeros == 0 {
		t.Error("no signature began with a zero")
	}
}

func TestWithoutRandomnessNothingIsSentAndNobodyHasRefused(t *testing.T) {
	for name, extra := range map[string]string{
		"no id":   keyed(t, edKey, ``),
		"no salt": keyed(t, testKeys().rsa, `,"client_key_algorithm":"PS256"`),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p := f.asking(extra)
			p.random = bytes.NewReader(make([]byte, map[string]int{"no id": 15, "no salt": 16}[name]))
			_, err := p.Refresh(f.env(), Access{Token: "rt-0"})
			if Reason(err) != "assertion_not_made" || !Temporary(err) || Unknown(err) || f.calls["/token"] != 0 {
				t.Errorf("got %v after %d calls", err, f.calls["/token"])
			}
		})
	}
}

func TestAClientWithoutASecretNamesItselfAtEveryEndpoint(t *testing.T) {
	for what, proof := range proofs {
		if what == "an introspection" { // which is for clients that prove themselves
			continue
		}
		t.Run(what, func(t *testing.T) {
			f := newFake(t)
			p := f.asking("")
			p.settings.ClientAuth = "none"
			if err := proof.ask(p, f.env()); err != nil {
				t.Fatal(err)
			}
			v := form(t, f.last)
			if _, basic := f.last.Header.Get("authorization"); basic || v.Get("client_id") != "shop" || proves(v) {
				t.Error("the client does not name itself, or it proves something")
			}
		})
	}
}

func proves(v url.Values) bool {
	return v.Has("client_secret") || v.Has("client_assertion") || v.Has("client_assertion_type")
}

func TestARefusalHoldsNothingThatProvesTheClient(t *testing.T) {
	f := newFake(t)
	f.secret = longSecret
	p := f.asking(keyed(t, edKey, ``))
	f.on("/token", jsonAnswer(401, map[string]any{"error": "invalid_client"}), nil)
	_, err := p.ClientCredentials(f.env(), Grant{})
	assertion := form(t, f.last).Get("client_assertion")
	if Reason(err) != "provider_invalid_client" || Temporary(err) {
		t.Errorf("got %v", err)
	}
	for _, secret := range []string{longSecret, assertion, assertion[strings.LastIndexByte(assertion, '.'):]} {
		if strings.Contains(err.Error(), secret) {
			t.Error("the error holds what proves the client")
		}
	}
}
