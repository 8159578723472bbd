package standins

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"sync"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// signingKey signs by RS256, as Google and Entra do.
type signingKey struct {
	id  string
	key *rsa.PrivateKey
}

// keyPair makes two keys once for all: they are what takes time.
var keyPair = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var keys [2]*rsa.PrivateKey
	var wait sync.WaitGroup
	for i := range keys {
		wait.Go(func() {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				panic("standins: no RSA key: " + err.Error())
			}
			keys[i] = key
		})
	}
	wait.Wait()
	return keys
})

func newSigningKey(n int) signingKey {
	key := keyPair()[n]
	sum := sha256.Sum256(key.N.Bytes())
	return signingKey{id: base64.RawURLEncoding.EncodeToString(sum[:20]), key: key}
}

func (k signingKey) sign(claims object, header map[jose.HeaderKey]any) (string, error) {
	options := (&jose.SignerOptions{ExtraHeaders: header}).WithType("JWT")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: k.key, KeyID: k.id}}, options)
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// public is the key as key sets have it.
func (k signingKey) public() object {
	exponent := []byte{byte(k.key.E >> 16), byte(k.key.E >> 8), byte(k.key.E)}
	return object{
		"kty": "RSA", "use": "sig", "kid": k.id,
		"n": base64.RawURLEncoding.EncodeToString(k.key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(exponent),
	}
}

// halfHash is at_hash (OpenID Connect Core, section 3.1.3.6).
func halfHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
