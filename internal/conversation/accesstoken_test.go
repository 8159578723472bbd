package conversation

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

// opened verifies what a function made, and returns its header and claims.
func opened(t *testing.T, token, key string) (header jose.Header, claims map[string]any) {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.Verify(signingKeys()[key].Public())
	if err != nil {
		t.Fatalf("%s did not sign: %v", key, err)
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return signed.Signatures[0].Header, claims
}

func TestAnAccessTokenIsGoodUnlessItIsChanged(t *testing.T) {
	token, err := accessToken(`scope=null aud=["a","b"] iss=`+OtherIssuer+` exp=now-5m cnf={"jkt":"x"} @typ=JWT @kid=o1`, began)
	if err != nil {
		t.Fatal(err)
	}
	header, claims := opened(t, token, "o1")
	if header.KeyID != "o1" || header.ExtraHeaders["typ"] != "JWT" {
		t.Errorf("header %+v", header)
	}
	want := map[string]any{
		"iss": OtherIssuer, "sub": "service-a", "client_id": "service-a", "aud": []any{"a", "b"}, "jti": "token-1",
		"iat": float64(began.Unix()), "exp": float64(began.Unix() - 300), "cnf": map[string]any{"jkt": "x"},
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

func TestAProofShowsTheKeyThatSignedIt(t *testing.T) {
	p := &player{}
	token, err := p.proof("htm=POST htu=https://app.example.com/a token=abc @key=d2")
	if err != nil {
		t.Fatal(err)
	}
	header, claims := opened(t, token, "d2")
	shown, err := header.JSONWebKey.Thumbprint(crypto.SHA256)
	if want, _ := thumbprint("d2"); err != nil || base64.RawURLEncoding.EncodeToString(shown) != want {
		t.Errorf("it shows %v, %v", header.JSONWebKey, err)
	}
	sum := sha256.Sum256([]byte("abc"))
	want := map[string]any{
		"htm": "POST", "htu": "https://app.example.com/a", "iat": float64(began.Unix()), "jti": "proof-1",
		"ath": base64.RawURLEncoding.EncodeToString(sum[:]),
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if next, _ := p.proof(""); next == token {
		t.Error("two proofs are the same")
	}
	if _, err := p.proof("@key=nobody"); err == nil {
		t.Error("a key that is not there")
	}
}

func TestAGateMayAskAboutAConnectionOnlyWhileItHandlesARequest(t *testing.T) {
	c := nativeConnection{}
	certificate, err := newCertificate("one dns=one.test")
	if err != nil {
		t.Fatal(err)
	}
	c.of(&Request{Peer: &Peer{Address: "192.0.2.7", Certificate: certificate}})
	if diff := cmp.Diff([]string{"spiffe://example.com/one", "one.test"}, c.CertificateNames()); diff != "" || c.Address() != "192.0.2.7" {
		t.Errorf("address %s, names (-want +got):\n%s", c.Address(), diff)
	}
	c.of(nil)
	defer func() {
		if recover() == nil {
			t.Error("it answered when no request was being handled")
		}
	}()
	c.CertificateNames()
}
