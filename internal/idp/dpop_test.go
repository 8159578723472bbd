package idp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

func newWorldServer(t *testing.T, p *Provider) *httptest.Server {
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return server
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// proofBy makes a proof for a call, with some claims changed.
func (w *world) proofBy(key *ecdsa.PrivateKey, method, path, token string, changes map[string]any) map[string]string {
	w.t.Helper()
	claims := map[string]any{"jti": newToken(), "htm": method, "htu": w.base + path, "iat": w.clock().Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	for name, value := range changes {
		claims[name] = value
	}
	options := &jose.SignerOptions{EmbedJWK: true}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options.WithType("dpop+jwt"))
	if err != nil {
		w.t.Fatal(err)
	}
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		w.t.Fatal(err)
	}
	header := map[string]string{"DPoP": raw}
	if token != "" {
		header["Authorization"] = "DPoP " + token
	}
	return header
}

func forPublic(code string) url.Values {
	return with(exchange(code), map[string]string{"client_id": "public", "client_secret": ""})
}

func TestATokenIsBoundToTheKeyThatWasProved(t *testing.T) {
	w := strictWorld(t, nil)
	key, other := newKey(t), newKey(t)
	public := map[string]string{"client_id": "public"}
	tokens := w.do("POST", "/token", forPublic(w.code("alice", public)), w.proofBy(key, "POST", "/token", "", nil)).json(t)
	token, _ := tokens["access_token"].(string)
	sum, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	want := base64.RawURLEncoding.EncodeToString(sum)
	if cnf, _ := w.verified(token)["cnf"].(map[string]any); tokens["token_type"] != "DPoP" || cnf["jkt"] != want {
		t.Errorf("a %v token, bound to %v", tokens["token_type"], cnf)
	}
	proof := w.proofBy(key, "GET", "/userinfo", token, nil)
	for name, c := range map[string]struct {
		header map[string]string
		want   int
	}{
		"by its key":            {proof, 200},
		"by the same proof":     {proof, 401},
		"by another key":        {w.proofBy(other, "GET", "/userinfo", token, nil), 401},
		"as a bearer token":     {map[string]string{"Authorization": "Bearer " + token}, 401},
		"without a proof":       {map[string]string{"Authorization": "DPoP " + token}, 401},
		"by a proof for POST":   {w.proofBy(key, "POST", "/userinfo", token, nil), 401},
		"by one for elsewhere":  {w.proofBy(key, "GET", "/token", token, nil), 401},
		"by one from yesterday": {w.proofBy(key, "GET", "/userinfo", token, map[string]any{"iat": w.clock().Add(-24 * time.Hour).Unix()}), 401},
		"by one for another":    {w.proofBy(key, "GET", "/userinfo", token, map[string]any{"ath": "x"}), 401},
	} {
		if name == "by the same proof" {
			continue
		}
		if a := w.do("GET", "/userinfo", nil, c.header); a.status != c.want {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := w.do("GET", "/userinfo", nil, proof); a.status != http.StatusUnauthorized {
		t.Errorf("by the same proof again: %d", a.status)
	}
	refresh := url.Values{"grant_type": {"refresh_token"}, "client_id": {"public"}, "refresh_token": {tokens["refresh_token"].(string)}}
	if a := w.do("POST", "/token", refresh, w.proofBy(other, "POST", "/token", "", nil)); a.json(t)["error"] != "invalid_dpop_proof" {
		t.Errorf("a public client's refresh by another key: %s", a.body)
	}
	if a := w.do("POST", "/token", refresh, w.proofBy(key, "POST", "/token", "", nil)); a.json(t)["token_type"] != "DPoP" {
		t.Errorf("a refresh: %s", a.body)
	}
}

func TestACodeIsBoundToTheKeyThatItsRequestNamed(t *testing.T) {
	w := strictWorld(t, nil)
	key := newKey(t)
	sum, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	bound := map[string]string{"client_id": "public", "dpop_jkt": base64.RawURLEncoding.EncodeToString(sum)}
	if a := w.do("POST", "/token", forPublic(w.code("alice", bound)), w.proofBy(newKey(t), "POST", "/token", "", nil)); a.json(t)["error"] != "invalid_dpop_proof" {
		t.Errorf("by another key: %s", a.body)
	}
	if a := w.do("POST", "/token", forPublic(w.code("alice", bound)), nil); a.json(t)["error"] != "invalid_dpop_proof" {
		t.Errorf("by none: %s", a.body)
	}
	if a := w.do("POST", "/token", forPublic(w.code("alice", bound)), w.proofBy(key, "POST", "/token", "", nil)); a.status != http.StatusOK {
		t.Errorf("by its own: %s", a.body)
	}
}

func TestAProofHoldsTheNonceOfTheMinuteWhereThatIsDemanded(t *testing.T) {
	w := strictWorld(t, func(c *Config) { c.DPoPNonces = true })
	key, code := newKey(t), forPublic(w.code("alice", map[string]string{"client_id": "public"}))
	a := w.do("POST", "/token", code, w.proofBy(key, "POST", "/token", "", nil))
	nonce := a.header.Get("DPoP-Nonce")
	if a.status != http.StatusBadRequest || a.json(t)["error"] != "use_dpop_nonce" || nonce == "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	tokens := w.do("POST", "/token", code, w.proofBy(key, "POST", "/token", "", map[string]any{"nonce": nonce})).json(t)
	token, _ := tokens["access_token"].(string)
	w.advance(proofLeeway)
	a = w.do("GET", "/userinfo", nil, w.proofBy(key, "GET", "/userinfo", token, map[string]any{"nonce": nonce}))
	if a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") != `DPoP error="use_dpop_nonce"` || a.header.Get("DPoP-Nonce") == nonce {
		t.Errorf("%d %v", a.status, a.header)
	}
	a = w.do("GET", "/userinfo", nil, w.proofBy(key, "GET", "/userinfo", token, map[string]any{"nonce": a.header.Get("DPoP-Nonce")}))
	if a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}
