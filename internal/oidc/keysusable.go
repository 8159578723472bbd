package oidc

import (
	"crypto/rsa"
	"math/big"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// Bounds of a key. One outside them is passed over.
const (
	minRSABits = 2048
	maxRSABits = 4096 // larger ones let a provider's key cost us at will
)

// parseKey reads one key of a set (RFC 7517, section 4). It is not ok for one
// that is of no use for verifying signatures, or too weak for it.
func parseKey(raw json.RawMessage) (k jose.JSONWebKey, ok bool) {
	var doc struct {
		Operations []string `json:"key_ops"` // section 4.3; the library passes it over
	}
	if json.Unmarshal(raw, &doc) != nil || doc.Operations != nil && !slices.Contains(doc.Operations, "verify") {
		return k, false
	}
	return k, k.UnmarshalJSON(raw) == nil && usable(&k)
}

func usable(k *jose.JSONWebKey) bool {
	if !k.Valid() || !k.IsPublic() || (k.Use != "" && k.Use != "sig") {
		return false
	}
	if key, ok := k.Key.(*rsa.PublicKey); ok {
		return key.N.BitLen() >= minRSABits && key.N.BitLen() <= maxRSABits &&
			!fromBrokenGenerator(key.N)
	}
	return true
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
