package tryout

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// algorithms are those that settings may accept, the quickest first.
var algorithms = []string{"ES256", "EdDSA", "ES384", "ES512", "PS256", "RS256", "PS384", "RS384", "PS512", "RS512"}

// quickest is the quickest of some algorithms.
func quickest(accepted []string) string {
	for _, a := range algorithms {
		if slices.Contains(accepted, a) {
			return a
		}
	}
	return algorithms[0]
}

// NewKey makes a throw-away key for an algorithm (RFC 7518, section 3.1), or
// for ES256 where it is none.
func NewKey(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case "ES384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// signer signs what the provider says, with a throw-away key.
type signer struct {
	algorithm string
	key       jose.JSONWebKey
}

func newSigner(algorithm string) (*signer, error) {
	key, err := NewKey(algorithm)
	if err != nil {
		return nil, fmt.Errorf("a throw-away key: %w", err)
	}
	return &signer{algorithm, jose.JSONWebKey{Key: key, KeyID: algorithm, Algorithm: algorithm, Use: "sig"}}, nil
}

func (s *signer) public() jose.JSONWebKey { return s.key.Public() }

// sign writes claims as a compact JWS of a type (RFC 7515).
func (s *signer) sign(typ string, claims any) (string, error) {
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ))
	return signWith(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(s.algorithm), Key: s.key}, options, claims)
}

func signWith(key jose.SigningKey, options *jose.SignerOptions, claims any) (string, error) {
	with, err := jose.NewSigner(key, options)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	token, err := with.Sign(payload)
	if err != nil {
		return "", err
	}
	return token.CompactSerialize()
}
