package session

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"math/big"
)

// SigningKeys derives a key for ECDSA with P-256 from each key of the ring, in
// their order.
func (r *Keyring) SigningKeys() ([]*ecdsa.PrivateKey, error) {
	var keys []*ecdsa.PrivateKey
	for _, id := range r.order {
		key, err := r.ecdsaKey(id, purposeSigning)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// ProofKeys are the keys that access tokens are bound to (RFC 9449), one for each
// key of the ring.
type ProofKeys struct{ *Keyring }

// Current is the id of the key that new tokens are bound to.
func (r ProofKeys) Current() string { return r.order[0] }

// Key returns the key of an id, for ECDSA with P-256; nil where the ring has none
// of that id.
func (r ProofKeys) Key(id string) *ecdsa.PrivateKey {
	if key := r.bound[id]; key != nil || r.keys[id] == nil {
		return key
	}
	key, err := r.ecdsaKey(id, purposeBound)
	if err != nil {
		return nil
	}
	r.bound[id] = key
	return key
}

// ecdsaKey derives a key for ECDSA with P-256 by FIPS 186-5, section A.2.1: of a
// number with 128 bits more than the order has, so that all keys are as likely as
// makes no difference.
func (r *Keyring) ecdsaKey(id string, p Purpose) (*ecdsa.PrivateKey, error) {
	wide, err := hkdf.Expand(sha256.New, r.keys[id][p], "es256", 48)
	if err != nil {
		return nil, fmt.Errorf("session: key %q: %w", id, err)
	}
	one := big.NewInt(1)
	d := new(big.Int).Sub(elliptic.P256().Params().N, one)
	d.Mod(new(big.Int).SetBytes(wide), d).Add(d, one)
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d.FillBytes(make([]byte, 32)))
	if err != nil {
		return nil, fmt.Errorf("session: key %q: %w", id, err)
	}
	return key, nil
}
