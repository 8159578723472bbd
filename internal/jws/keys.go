package jws

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// The sizes of RSA keys, in bits: below the least they are weak (RFC 7518,
// section 3.3), above the most they let whoever brings one cost us at will.
const (
	MinRSABits = 2048
	MaxRSABits = 4096
)

// ParseKey reads one key of a set (RFC 7517, section 4). It is not ok for one
// that is of no use for verifying signatures, or too weak for it.
func ParseKey(raw []byte) (k jose.JSONWebKey, ok bool) {
	var doc struct {
		Operations []string `json:"key_ops"` // section 4.3; the library passes it over
	}
	if json.Unmarshal(raw, &doc) != nil || doc.Operations != nil && !slices.Contains(doc.Operations, "verify") {
		return k, false
	}
	return k, k.UnmarshalJSON(raw) == nil && Usable(&k)
}

// Usable reports whether a key is public, for signatures and good enough.
func Usable(k *jose.JSONWebKey) bool {
	if !k.Valid() || !k.IsPublic() || (k.Use != "" && k.Use != "sig") {
		return false
	}
	if key, ok := k.Key.(*rsa.PublicKey); ok {
		return key.N.BitLen() >= MinRSABits && key.N.BitLen() <= MaxRSABits &&
			!fromBrokenGenerator(key.N)
	}
	return true
}

// Fits reports whether a key may make signatures of an algorithm: by its own
// "alg", where it has one, and by its kind (RFC 8725, section 3.1).
func Fits(k *jose.JSONWebKey, alg jose.SignatureAlgorithm) bool {
	if k.Algorithm != "" && k.Algorithm != string(alg) {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		switch alg {
		case jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512:
			return true
		}
	case *ecdsa.PublicKey:
		return alg != "" && alg == ecdsaAlgorithm(key.Curve)
	case ed25519.PublicKey:
		return alg == jose.EdDSA
	}
	return false
}

// ecdsaAlgorithm returns the one algorithm of a curve (RFC 7518, section 3.4).
func ecdsaAlgorithm(curve elliptic.Curve) jose.SignatureAlgorithm {
	switch curve {
	case elliptic.P256():
		return jose.ES256
	case elliptic.P384():
		return jose.ES384
	case elliptic.P521():
		return jose.ES512
	}
	return ""
}

// generatorPrimes are primes modulo which the powers of 65537 are but a part
// of all remainders.
var generatorPrimes = []int64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157}

// fromBrokenGenerator reports whether a modulus shows that its primes came from
// the generator of CVE-2017-15361 (ROCA), whose keys can be factored: modulo
// small primes they are all powers of 65537. Of other keys one in a hundred
// million looks so.
func fromBrokenGenerator(n *big.Int) bool {
	var remainder big.Int
	for _, prime := range generatorPrimes {
		r := remainder.Mod(n, big.NewInt(prime)).Int64()
		power := int64(1)
		for i := int64(0); i < prime && power != r; i++ {
			power = power * 65537 % prime
		}
		if power != r {
			return false
		}
	}
	return true
}
