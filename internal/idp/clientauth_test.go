package idp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// clientKeys are those of clients, by the clients' ids.
var clientKeys = sync.OnceValue(func() map[string]crypto.Signer {
	keys := map[string]crypto.Signer{}
	keys["rsa"], _ = rsa.GenerateKey(rand.Reader, 2048)
	keys["ec"], _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, keys["ed"], _ = ed25519.GenerateKey(rand.Reader)
	return keys
})

func publicKey(id string) *jose.JSONWebKey { return &jose.JSONWebKey{Key: clientKeys()[id].Public()} }

// assertion proves that a client is who it is, with some claims changed; nil
// takes one out.
func (w *world) assertion(id string, alg jose.SignatureAlgorithm, key any, changes map[string]any) string {
	w.t.Helper()
	now := w.clock()
	claims := map[string]any{
		"iss": id, "sub": id, "aud": w.base, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": newToken(),
	}
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

func (w *world) proving(assertion string, more map[string]string, header map[string]string) answer {
	w.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {assertionType}, "client_assertion": {assertion}}
	return w.do("POST", "/token", with(form, more), header)
}

func TestClientsProveThemselvesByWhatTheySign(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		id     string
		alg    jose.SignatureAlgorithm
		key    any
		method string
	}{
		{"rsa", jose.RS256, clientKeys()["rsa"], "private_key_jwt"},
		{"rsa", jose.PS256, clientKeys()["rsa"], "private_key_jwt"},
		{"ec", jose.ES256, clientKeys()["ec"], "private_key_jwt"},
		{"ed", jose.EdDSA, clientKeys()["ed"], "private_key_jwt"},
		{"signs", jose.HS256, []byte(testLongSecret), "client_secret_jwt"},
	} {
		before := w.p.Count("client:" + test.method)
		for _, audience := range []any{w.base, w.base + "/token", []string{"https://other.example", w.base}} {
			raw := w.assertion(test.id, test.alg, test.key, map[string]any{"aud": audience})
			if a := w.proving(raw, nil, nil); a.status != http.StatusOK || w.verified(a.json(t)["access_token"])["sub"] != test.id {
				t.Errorf("%s for %v: %d %s", test.alg, audience, a.status, a.body)
			}
		}
		if n := w.p.Count("client:"+test.method) - before; n != 3 {
			t.Errorf("%s: counted %d", test.alg, n)
		}
	}
}

func TestAnAssertionIsGoodOnce(t *testing.T) {
	w := newWorld(t)
	raw := w.assertion("ec", jose.ES256, clientKeys()["ec"], nil)
	for i, want := range []int{http.StatusOK, http.StatusUnauthorized} {
		if a := w.proving(raw, nil, nil); a.status != want {
			t.Errorf("use %d: %d %s", i+1, a.status, a.body)
		}
	}
}

func TestAssertionsThatProveNothing(t *testing.T) {
	w := newWorld(t)
	now := w.clock()
	ec, long := clientKeys()["ec"], []byte(testLongSecret)
	for name, raw := range map[string]string{
		"another client's key":             w.assertion("ec", jose.RS256, clientKeys()["rsa"], nil),
		"a secret where there is a key":    w.assertion("ec", jose.HS256, long, nil),
		"a wrong secret":                   w.assertion("signs", jose.HS256, []byte("another-secret-of-at-least-32-bytes!"), nil),
		"a secret that is not for signing": w.assertion("middle", jose.HS256, long, nil),
		"a client that nobody knows":       w.assertion("nobody", jose.ES256, ec, nil),
		"another subject":                  w.assertion("ec", jose.ES256, ec, map[string]any{"sub": "rsa"}),
		"no audience":                      w.assertion("ec", jose.ES256, ec, map[string]any{"aud": nil}),
		"another audience":                 w.assertion("ec", jose.ES256, ec, map[string]any{"aud": "https://other.example"}),
		"no end":                           w.assertion("ec", jose.ES256, ec, map[string]any{"exp": nil}),
		"an end that is past":              w.assertion("ec", jose.ES256, ec, map[string]any{"exp": now.Unix()}),
		"an end that is far away":          w.assertion("ec", jose.ES256, ec, map[string]any{"exp": now.Add(time.Hour).Unix()}),
		"one of the future":                w.assertion("ec", jose.ES256, ec, map[string]any{"iat": now.Add(2 * time.Minute).Unix()}),
		"one that is not good yet":         w.assertion("ec", jose.ES256, ec, map[string]any{"nbf": now.Add(2 * time.Minute).Unix()}),
		"no id":                            w.assertion("ec", jose.ES256, ec, map[string]any{"jti": nil}),
		"nothing that can be read":         "x.y.z",
	} {
		if a := w.proving(raw, nil, nil); a.status != http.StatusUnauthorized || a.json(t)["error"] != "invalid_client" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestAClientProvesItselfInOneWayAndInItsOwn(t *testing.T) {
	w := newWorld(t)
	good := func() string { return w.assertion("ec", jose.ES256, clientKeys()["ec"], nil) }
	for name, a := range map[string]answer{
		"an assertion and a secret":         w.proving(good(), map[string]string{"client_secret": "x"}, nil),
		"an assertion and a header":         w.proving(good(), nil, map[string]string{"Authorization": "Basic eDp5"}),
		"an assertion of another kind":      w.proving(good(), map[string]string{"client_assertion_type": "saml"}, nil),
		"an assertion without its kind":     w.proving(good(), map[string]string{"client_assertion_type": ""}, nil),
		"a kind without an assertion":       w.proving("", nil, nil),
		"an assertion of another client":    w.proving(good(), map[string]string{"client_id": "rsa"}, nil),
		"a key, and nothing signed":         w.service("ec", map[string]string{"client_secret": ""}),
		"a secret that should have signed":  w.service("signs", map[string]string{"client_secret": testLongSecret}),
		"nothing where there was a service": w.service("middle", map[string]string{"client_secret": ""}),
	} {
		if a.status != http.StatusUnauthorized || a.json(t)["error"] != "invalid_client" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := w.proving(good(), map[string]string{"client_id": "ec"}, nil); a.status != http.StatusOK {
		t.Errorf("an assertion with the client's id: %d %s", a.status, a.body)
	}
}

func TestClientsThatCannotBeRegistered(t *testing.T) {
	for name, client := range map[string]Client{
		"a private key":                {ID: "a", ServiceAccount: true, Key: &jose.JSONWebKey{Key: clientKeys()["ec"]}},
		"a key and a secret":           {ID: "a", ServiceAccount: true, Key: publicKey("ec"), Secret: "s"},
		"no key in it":                 {ID: "a", ServiceAccount: true, Key: &jose.JSONWebKey{}},
		"a short secret that signs":    {ID: "a", ServiceAccount: true, SecretJWT: true, Secret: "short"},
		"a service without a proof":    {ID: "a", ServiceAccount: true},
		"an exchange without a proof":  {ID: "a", TokenExchange: true},
		"a login without a way back":   {ID: "a", Secret: "s"},
		"a login with a signing of it": {ID: "a", SecretJWT: true, Secret: testLongSecret},
	} {
		if _, err := New(Config{Issuer: "https://id.example", Clients: []Client{client}}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestAClientWithAKeyMayAskAboutTokens(t *testing.T) {
	w := newWorld(t)
	token := w.service("middle", nil).json(t)["access_token"].(string)
	form := url.Values{"token": {token}, "client_assertion_type": {assertionType}, "client_assertion": {w.assertion("ed", jose.EdDSA, clientKeys()["ed"], nil)}}
	if a := w.do("POST", "/introspect", form, nil); a.json(t)["active"] != true {
		t.Errorf("got %d %s", a.status, a.body)
	}
}
