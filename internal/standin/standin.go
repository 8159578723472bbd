// Package standin throws in something for each secret that settings name, so that
// all the rest of them can be checked and tried out where the secrets are not.
//
// It reads no environment and no file: whoever has some of the secrets says so. What
// it throws in is made anew and is nobody's; it is not to be given to a gate that
// serves people. The private keys are those of RFC 7518, section 3.1, and RFC 8037,
// section 3.1, in PKCS #8 (RFC 5958) as PEM (RFC 7468).
package standin

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"slices"
	"sync"
)

// Secrets are what is thrown in for the variables of some settings.
type Secrets struct {
	keys map[string]string // variables that hold a private key, to what it signs with
	used []string
}

// For looks up which variables hold a private key. Whatever else is wrong with the
// settings is for their parser to say.
func For(settings []byte) *Secrets {
	var said struct {
		Providers []struct {
			Key       struct{ Env string } `json:"client_key"`
			Algorithm string               `json:"client_key_algorithm"`
		}
	}
	s := &Secrets{keys: map[string]string{}}
	_ = json.Unmarshal(settings, &said)
	for _, p := range said.Providers {
		if p.Key.Env != "" {
			s.keys[p.Key.Env] = p.Algorithm
		}
	}
	return s
}

// Lookup returns what is thrown in for a variable: 32 random bytes, new each time,
// or a private key where one is needed.
func (s *Secrets) Lookup(name string) (string, bool) {
	if !slices.Contains(s.used, name) {
		s.used = append(s.used, name)
	}
	if algorithm, is := s.keys[name]; is {
		return privateKey(algorithm)
	}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails: crypto/rand ends the program instead
	return base64.StdEncoding.EncodeToString(key[:]), true
}

// Behind is a lookup that throws something in only for what another one lacks.
func (s *Secrets) Behind(other func(name string) (string, bool)) func(name string) (string, bool) {
	return func(name string) (string, bool) {
		if value, set := other(name); set {
			return value, true
		}
		return s.Lookup(name)
	}
}

// Used are the variables for which something was thrown in, in the order in which
// they were asked for.
func (s *Secrets) Used() []string { return s.used }

// Each key is made once: they take time, and nobody is to trust what they sign.
var (
	rsaKey  = sync.OnceValues(func() (any, error) { return rsa.GenerateKey(rand.Reader, 2048) })
	p256Key = sync.OnceValues(func() (any, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })
	p384Key = sync.OnceValues(func() (any, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) })
	p521Key = sync.OnceValues(func() (any, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) })
	edKey   = sync.OnceValues(func() (any, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	})
)

// privateKey is a key that signs with an algorithm, or one for ES256 if none is said.
// The parser says which of them a client cannot have.
func privateKey(algorithm string) (string, bool) {
	newKey := p256Key
	switch algorithm {
	case "ES384":
		newKey = p384Key
	case "ES512":
		newKey = p521Key
	case "EdDSA":
		newKey = edKey
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		newKey = rsaKey
	}
	key, err := newKey()
	if err != nil {
		return "", false
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", false
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), true
}
