package migrate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"sync"
)

// standIns are what is thrown in for the secrets that settings name, so that all
// the rest can be checked: a new key for each, and a private key where one is
// needed.
func standIns(settings *Map) func(string) (string, bool) {
	private := map[string]any{} // variable to algorithm
	providers, _ := settings.Get("providers").([]any)
	for _, p := range providers {
		p, ok := p.(*Map)
		if !ok {
			continue
		}
		if key, ok := p.Get("client_key").(*Map); ok {
			name, _ := key.Get("env").(string)
			private[name] = p.Get("client_key_algorithm")
		}
	}
	return func(name string) (string, bool) {
		if algorithm, is := private[name]; is {
			return privateKey(algorithm)
		}
		var key [32]byte
		_, _ = rand.Read(key[:]) // never fails: crypto/rand ends the program instead
		return base64.StdEncoding.EncodeToString(key[:]), true
	}
}

// ecKey and rsaKey are made once: nothing is signed with them.
var (
	ecKey  = sync.OnceValues(func() (any, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })
	rsaKey = sync.OnceValues(func() (any, error) { return rsa.GenerateKey(rand.Reader, 2048) })
)

// privateKey is a key that signs with an algorithm.
func privateKey(algorithm any) (string, bool) {
	newKey := rsaKey
	if algorithm == "ES256" {
		newKey = ecKey
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
