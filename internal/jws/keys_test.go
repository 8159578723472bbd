package jws

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

const (
	ecKey  = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	octKey = `{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`
)

func rsaKey(n *big.Int, exponent string) string {
	return `{"kty":"RSA","e":"` + exponent + `","n":"` + base64.RawURLEncoding.EncodeToString(n.Bytes()) + `"}`
}

// bits returns an odd number of a size, of no known generator.
func bits(size int) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), uint(size-1))
	return n.Add(n, big.NewInt(3))
}

// broken returns a number of a size that is a power of 65537 modulo every prime
// of the generator but for those that are left out.
func broken(size int, leftOut ...int64) *big.Int {
	n := big.NewInt(1)
	for _, prime := range generatorPrimes {
		if !slices.Contains(leftOut, prime) {
			n.Mul(n, big.NewInt(prime))
		}
	}
	n.Lsh(n, uint(size-n.BitLen()))
	return n.Add(n, big.NewInt(65537*65537))
}

func TestAKeyIsReadIfItIsGoodEnoughAndForSignatures(t *testing.T) {
	with := func(key, members string) string { return strings.TrimSuffix(key, "}") + members + "}" }
	for name, c := range map[string]struct {
		key string
		ok  bool
	}{
		"with nothing said of its use":     {ecKey, true},
		"for signatures":                   {with(ecKey, `,"use":"sig"`), true},
		"for verifying":                    {with(ecKey, `,"key_ops":["verify"]`), true},
		"for more than verifying":          {with(ecKey, `,"key_ops":["verify","x"]`), true},
		"for encryption":                   {with(ecKey, `,"use":"enc"`), false},
		"for an operation that is another": {with(ecKey, `,"key_ops":["deriveKey"]`), false},
		"for no operation":                 {with(ecKey, `,"key_ops":[]`), false},
		"with operations that are none":    {with(ecKey, `,"key_ops":"verify"`), false},
		"with its private half":            {with(ecKey, `,"d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"`), false},
		"a secret":                         {octKey, false},
		"off the curve":                    {strings.Replace(ecKey, "KIWI5a0", "KIXI5a0", 1), false},
		"with its kind named twice":        {with(ecKey, `,"kty":"EC"`), false},
		"RSA of the least size":            {rsaKey(bits(MinRSABits), "AQAB"), true},
		"RSA of the greatest size":         {rsaKey(bits(MaxRSABits), "AQAB"), true},
		"RSA that is too short":            {rsaKey(bits(MinRSABits-1), "AQAB"), false},
		"RSA that is too long":             {rsaKey(bits(MaxRSABits+1), "AQAB"), false},
		"RSA with the exponent one":        {rsaKey(bits(MinRSABits), "AQ"), false},
		"RSA of the broken generator":      {rsaKey(broken(MinRSABits), "AQAB"), false},
		"long RSA of the broken generator": {rsaKey(broken(MaxRSABits), "AQAB"), false},
		"RSA that has but much of it":      {rsaKey(broken(MinRSABits, 11), "AQAB"), true},
		"no object":                        {`"key"`, false},
		"nothing":                          {``, false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, ok := ParseKey([]byte(c.key)); ok != c.ok {
				t.Errorf("read: %t", ok)
			}
		})
	}
}

func TestAKeyFitsTheAlgorithmsOfItsKind(t *testing.T) {
	every := []jose.SignatureAlgorithm{
		"", "none", jose.HS256, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	}
	curve := func(c elliptic.Curve) any { return &ecdsa.PublicKey{Curve: c} }
	for name, c := range map[string]struct {
		key jose.JSONWebKey
		fit []jose.SignatureAlgorithm
	}{
		"RSA":                    {jose.JSONWebKey{Key: &rsa.PublicKey{}}, every[7:]},
		"RSA for one":            {jose.JSONWebKey{Key: &rsa.PublicKey{}, Algorithm: "PS384"}, every[11:12]},
		"RSA for another kind's": {jose.JSONWebKey{Key: &rsa.PublicKey{}, Algorithm: "ES256"}, nil},
		"P-256":                  {jose.JSONWebKey{Key: curve(elliptic.P256())}, every[3:4]},
		"P-384":                  {jose.JSONWebKey{Key: curve(elliptic.P384())}, every[4:5]},
		"P-521":                  {jose.JSONWebKey{Key: curve(elliptic.P521())}, every[5:6]},
		"P-224":                  {jose.JSONWebKey{Key: curve(elliptic.P224())}, nil},
		"Ed25519":                {jose.JSONWebKey{Key: ed25519.PublicKey{}}, every[6:7]},
		"a secret":               {jose.JSONWebKey{Key: []byte("secret")}, nil},
		"a private key":          {jose.JSONWebKey{Key: &rsa.PrivateKey{}}, nil},
		"none":                   {jose.JSONWebKey{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, alg := range every {
				if got := Fits(&c.key, alg); got != slices.Contains(c.fit, alg) {
					t.Errorf("%q: %t", alg, got)
				}
			}
		})
	}
}
