package oidc

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestAGoodIDTokenIsAccepted(t *testing.T) {
	f := newFake(t)
	for name, token := range map[string]string{
		"with every claim":             f.idToken(f.claims()),
		"without at_hash":              f.idToken(with(f.claims(), "at_hash", nil)),
		"for us among others, by azp":  f.idToken(with(with(f.claims(), "aud", []string{"shop", "other"}), "azp", "shop")),
		"with its audience in a list":  f.idToken(with(f.claims(), "aud", []string{"shop"})),
		"with a fraction in its times": f.idToken(with(f.claims(), "exp", float64(f.now.Unix())+30.5)),
		"expired within the leeway":    f.idToken(with(f.claims(), "exp", f.now.Add(-59*time.Second).Unix())),
		"signed by ES256": sign(t, jose.ES256, testKeys().ec, "e1", nil,
			with(f.claims(), "at_hash", leftHash(jose.ES256, "at-1"))),
		"without a key id, where one key fits": sign(t, jose.RS256, testKeys().rsa, "", nil, f.claims()),
	} {
		t.Run(name, func(t *testing.T) {
			id, err := f.learned("").VerifyIDToken(f.env(), token, "n-1", "at-1")
			if err != nil {
				t.Fatal(err)
			}
			if id.Subject != "u-1" || id.SID != "s-1" {
				t.Errorf("got subject %q, sid %q", id.Subject, id.SID)
			}
		})
	}
}

func TestAnIDTokenWithOneThingWrongIsRefused(t *testing.T) {
	f := newFake(t)
	good := f.claims()
	for name, c := range map[string]struct {
		claims map[string]any
		reason string
	}{
		"issuer of somebody else":         {with(good, "iss", "https://evil.example.com"), "iss_differs"},
		"issuer with a slash more":        {with(good, "iss", issuer+"/"), "iss_differs"},
		"issuer missing":                  {with(good, "iss", nil), "iss_differs"},
		"issuer in a list":                {with(good, "iss", []string{issuer}), "claims_malformed"},
		"audience of somebody else":       {with(good, "aud", "other"), "aud_differs"},
		"audience missing":                {with(good, "aud", nil), "aud_differs"},
		"audience empty":                  {with(good, "aud", []string{}), "aud_differs"},
		"audience a number":               {with(good, "aud", 7), "claims_malformed"},
		"several audiences and no azp":    {with(good, "aud", []string{"shop", "other"}), "azp_missing"},
		"azp of somebody else":            {with(good, "azp", "other"), "azp_differs"},
		"subject missing":                 {with(good, "sub", nil), "sub_malformed"},
		"subject too long":                {with(good, "sub", strings.Repeat("a", 256)), "sub_malformed"},
		"expired":                         {with(good, "exp", f.now.Add(-time.Minute).Unix()), "expired"},
		"expiry missing":                  {with(good, "exp", nil), "exp_missing"},
		"expiry a string":                 {with(good, "exp", "1900000000"), "claims_malformed"},
		"expiry negative":                 {with(good, "exp", -1), "expired"},
		"issued in the future":            {with(good, "iat", f.now.Add(2*time.Minute).Unix()), "iat_in_future"},
		"time of issue missing":           {with(good, "iat", nil), "iat_missing"},
		"not valid yet":                   {with(good, "nbf", f.now.Add(2*time.Minute).Unix()), "not_valid_yet"},
		"valid from a time beyond counts": {with(good, "nbf", 1e300), "not_valid_yet"},
		"nonce of another login":          {with(good, "nonce", "n-2"), "nonce_differs"},
		"nonce missing":                   {with(good, "nonce", nil), "nonce_differs"},
		"at_hash of another token":        {with(good, "at_hash", leftHash(jose.RS256, "at-2")), "at_hash_differs"},
		"at_hash of the whole hash":       {with(good, "at_hash", "x"), "at_hash_differs"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.learned("").VerifyIDToken(f.env(), f.idToken(c.claims), "n-1", "at-1")
			if Reason(err) != c.reason {
				t.Errorf("got %v, want %s", err, c.reason)
			}
		})
	}
}

func TestAnEmptyNonceNeverMatches(t *testing.T) {
	f := newFake(t)
	_, err := f.learned("").VerifyIDToken(f.env(), f.idToken(with(f.claims(), "nonce", "")), "", "at-1")
	if Reason(err) != "nonce_differs" {
		t.Errorf("got %v", err)
	}
}

func TestASignatureThatProvesNothingIsRefused(t *testing.T) {
	f := newFake(t)
	k := testKeys()
	good := f.idToken(f.claims())
	pub, err := x509.MarshalPKIXPublicKey(&k.rsa.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub})
	parts := strings.Split(good, ".")
	head := func(h string) string { return base64.RawURLEncoding.EncodeToString([]byte(h)) }
	foreign := jose.JSONWebKey{Key: &k.other.PublicKey, KeyID: "r1"}
	changed, err := json.Marshal(with(f.claims(), "sub", "u-2"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ token, reason string }{
		"alg none":                      {head(`{"alg":"none"}`) + "." + parts[1] + ".", "malformed_or_algorithm"},
		"alg None with the signature":   {head(`{"alg":"None","kid":"r1"}`) + "." + parts[1] + "." + parts[2], "malformed_or_algorithm"},
		"no alg":                        {head(`{"kid":"r1"}`) + "." + parts[1] + "." + parts[2], "malformed_or_algorithm"},
		"HS256 with the public key":     {sign(t, jose.HS256, block, "r1", nil, f.claims()), "malformed_or_algorithm"},
		"HS256 with the client secret":  {sign(t, jose.HS256, []byte(secret+secret), "", nil, f.claims()), "malformed_or_algorithm"},
		"an algorithm not allowed":      {sign(t, jose.RS512, k.rsa, "r1", nil, f.claims()), "malformed_or_algorithm"},
		"another key under the same id": {sign(t, jose.RS256, k.other, "r1", nil, f.claims()), "signature"},
		"a key that is not known":       {sign(t, jose.RS256, k.rsa, "r9", nil, f.claims()), "key_unknown"},
		"a key of another kind":         {sign(t, jose.ES256, k.ec, "r1", nil, f.claims()), "key_unknown"},
		"a key that it brings itself": {sign(t, jose.RS256, k.other, "r1",
			map[jose.HeaderKey]any{"jwk": foreign}, f.claims()), "signature"},
		"an address of keys": {sign(t, jose.RS256, k.other, "r1",
			map[jose.HeaderKey]any{"jku": "https://evil.example.com/keys"}, f.claims()), "signature"},
		"an unknown critical extension": {sign(t, jose.RS256, k.rsa, "r1",
			map[jose.HeaderKey]any{"crit": []string{"exp"}, "exp": 1}, f.claims()), "extension_unknown"},
		"an access token's type": {sign(t, jose.RS256, k.rsa, "r1",
			map[jose.HeaderKey]any{"typ": "at+jwt"}, f.claims()), "typ_differs"},
		"a logout token's type": {sign(t, jose.RS256, k.rsa, "r1",
			map[jose.HeaderKey]any{"typ": "logout+jwt"}, f.claims()), "typ_differs"},
		"changed claims":            {parts[0] + "." + base64.RawURLEncoding.EncodeToString(changed) + "." + parts[2], "signature"},
		"the signature cut":         {good[:len(good)-6], "signature"},
		"the signature missing":     {parts[0] + "." + parts[1] + ".", "malformed_or_algorithm"},
		"two parts":                 {parts[0] + "." + parts[1], "malformed_or_algorithm"},
		"many dots":                 {strings.Repeat(".", 10_000), "malformed_or_algorithm"},
		"JSON serialisation":        {`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, "malformed_or_algorithm"},
		"nothing":                   {"", "malformed_or_algorithm"},
		"more than is looked at":    {strings.Repeat("a", MaxIDToken+1), "too_large"},
		"claims that are not JSON":  {signRaw(t, `"hello"`), "claims_malformed"},
		"a claim given twice":       {signRaw(t, `{"sub":"a","sub":"b"}`), "claims_malformed"},
		"a claim in capitals":       {signRaw(t, `{"ISS":"`+issuer+`"}`), "iss_differs"},
		"claims nested without end": {signRaw(t, strings.Repeat(`{"a":`, 5000)+"1"+strings.Repeat("}", 5000)), "iss_differs"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.learned("").VerifyIDToken(f.env(), c.token, "n-1", "at-1")
			if Reason(err) != c.reason {
				t.Errorf("got %v, want %s", err, c.reason)
			}
		})
	}
}

func signRaw(t *testing.T, payload string) string {
	t.Helper()
	return sign(t, jose.RS256, testKeys().rsa, "r1", nil, json.RawMessage(payload))
}

func TestAnErrorNeverRepeatsWhatItWasAbout(t *testing.T) {
	f := newFake(t)
	token := f.idToken(with(f.claims(), "nonce", "somebody's nonce"))
	_, err := f.learned("").VerifyIDToken(f.env(), token, "n-1", "at-1")
	for _, secret := range []string{token, "somebody", "n-1", "at-1"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q repeats %q", err, secret)
		}
	}
}
