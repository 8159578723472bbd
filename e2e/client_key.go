package e2e

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// ClientKey is a key that a service proves with who it is.
type ClientKey struct {
	id, algorithm string
	pem           string
	public        jose.JSONWebKey
}

// NewClientKey makes a key for an algorithm.
func NewClientKey(t testing.TB, algorithm string) *ClientKey {
	t.Helper()
	var signer crypto.Signer
	switch algorithm {
	case "ES256":
		signer = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	case "EdDSA":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		signer = must(key, err)(t)
	default:
		signer = must(rsa.GenerateKey(rand.Reader, 2048))(t)
	}
	der := must(x509.MarshalPKCS8PrivateKey(signer))(t)
	id := "key-" + algorithm
	return &ClientKey{
		id: id, algorithm: algorithm,
		pem:    string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		public: jose.JSONWebKey{Key: signer.Public(), KeyID: id, Algorithm: algorithm, Use: "sig"},
	}
}

// set is the key as the provider is to know it.
func (k *ClientKey) set(t testing.TB) json.RawMessage {
	t.Helper()
	return must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.public}}))(t)
}
