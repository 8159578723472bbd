package config

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-auth/postern/internal/jws"
)

// maxClientKey bounds the text of a key: RSA with 4096 bits takes 3.2 KiB.
const maxClientKey = 16 << 10

// ClientKey is a private key of this gate's. It is never printed.
type ClientKey struct {
	hidden
	// A pointer, as in a Secret, and not to a struct: that one fmt does follow
	// for a verb that does not suit it.
	signer *crypto.Signer
	// What a JSON Web Key says of itself.
	id, algorithm string
}

// Signer returns the key, or nil where there is none. It is an *rsa.PrivateKey,
// an *ecdsa.PrivateKey of P-256 or an ed25519.PrivateKey.
func (k ClientKey) Signer() crypto.Signer {
	if k.signer == nil {
		return nil
	}
	return *k.signer
}

// ID returns the name that a JSON Web Key gives itself, or "".
func (k ClientKey) ID() string { return k.id }

// IsSet says whether there is a key.
func (k ClientKey) IsSet() bool { return k.signer != nil }

// Equal says whether both hold the same key. It is for tests.
func (k ClientKey) Equal(l ClientKey) bool {
	if !k.IsSet() || !l.IsSet() {
		return k.IsSet() == l.IsSet()
	}
	key, ok := k.Signer().(interface{ Equal(crypto.PrivateKey) bool })
	return ok && key.Equal(l.Signer()) && k.id == l.id && k.algorithm == l.algorithm
}

// algorithms are those that the key may sign with, the first by default.
func (k ClientKey) algorithms() []string {
	if k.algorithm != "" {
		return []string{k.algorithm}
	}
	return algorithmsOf(k.Signer())
}

// algorithmsOf are the algorithms that fit a kind of key (RFC 7518, section
// 3.1; RFC 8037, section 3.1).
func algorithmsOf(key crypto.Signer) []string {
	switch key.(type) {
	case *rsa.PrivateKey:
		return []string{"RS256", "PS256"}
	case *ecdsa.PrivateKey:
		return []string{"ES256"}
	}
	return []string{"EdDSA"}
}

func (k *ClientKey) decode(r *reader, path string, n *node) {
	text, found := r.secret(path, n, func(s string) string { return badlySized(s, maxClientKey) })
	if !text.IsSet() {
		return
	}
	key, flaw := parseClientKey(text.Reveal())
	if flaw != "" {
		r.problem(found, "%s", flaw)
		return
	}
	*k = key
}

func newClientKey(signer crypto.Signer) ClientKey { return ClientKey{signer: &signer} }

// parseClientKey reads a key, or says what is wrong with it without repeating
// any of it.
func parseClientKey(text string) (ClientKey, string) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		return parseJWK(text)
	}
	return parsePEM(text)
}

// parsePEM reads the one key of a text (RFC 7468).
func parsePEM(text string) (ClientKey, string) {
	const begin = "-----BEGIN "
	if !strings.Contains(text, begin) {
		return ClientKey{}, "is neither a key in PEM, which begins with \"-----BEGIN PRIVATE KEY-----\" and has several lines, nor a JSON Web Key"
	}
	var keys []*pem.Block
	blocks := 0
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		blocks++
		if block.Type != "EC PARAMETERS" { // openssl ecparam -genkey puts them in front
			keys = append(keys, block)
		}
	}
	switch {
	case blocks != strings.Count(text, begin):
		return ClientKey{}, "holds PEM that is broken or cut short"
	case len(keys) != 1:
		return ClientKey{}, "must hold exactly one key, and no certificates beside it"
	}
	return parseBlock(keys[0])
}

// parseBlock reads a key by the label of its block.
func parseBlock(block *pem.Block) (ClientKey, string) {
	var key any
	var err error
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		return ClientKey{}, "is encrypted, and there is nobody to ask for the passphrase: write it with \"openssl pkey -in key.pem -out plain.pem\""
	case block.Type == "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case block.Type == "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case block.Type == "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return ClientKey{}, "is not a private key"
	}
	if err != nil {
		return ClientKey{}, "holds a private key that is malformed or of a kind that is not known"
	}
	return checkedKey(key)
}

// parseJWK reads a private JSON Web Key (RFC 7517, section 4; RFC 7518, section
// 6; RFC 8037, section 2).
func parseJWK(text string) (ClientKey, string) {
	// The limits of settings go for it, too: the library has none.
	n, problem := parseJSON([]byte(text))
	switch {
	case problem != nil:
		return ClientKey{}, "is not a JSON Web Key: it is not JSON, or nested too deep"
	case slices.Contains(n.keys, "keys"):
		return ClientKey{}, "is a set of keys; give one of them"
	}
	var k jose.JSONWebKey
	if err := k.UnmarshalJSON([]byte(text)); err != nil {
		return ClientKey{}, "is a JSON Web Key that is malformed or of a kind that is not known"
	}
	if k.IsPublic() {
		return ClientKey{}, "is a public key; the private one is needed"
	}
	key, flaw := checkedKey(k.Key)
	if flaw != "" {
		return ClientKey{}, flaw
	}
	if flaw := memberFlaw(&k, algorithmsOf(key.Signer())); flaw != "" {
		return ClientKey{}, flaw
	}
	key.id, key.algorithm = k.KeyID, k.Algorithm
	return key, ""
}

// memberFlaw says what is wrong with what a JSON Web Key says of itself.
func memberFlaw(k *jose.JSONWebKey, fitting []string) string {
	switch {
	case k.Use != "" && k.Use != "sig":
		return `has a "use" other than "sig"`
	case k.KeyID != "" && !only(k.KeyID, 256, printable):
		return `has a "kid" that is not up to 256 printable ASCII characters`
	case k.Algorithm != "" && !slices.Contains(fitting, k.Algorithm):
		return `has an "alg" other than ` + list(fitting)
	}
	return ""
}

// checkedKey checks what the parsers let pass.
func checkedKey(key any) (ClientKey, string) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return checkedRSA(k)
	case *ecdsa.PrivateKey:
		return checkedECDSA(k)
	case ed25519.PrivateKey:
		return newClientKey(k), ""
	}
	return ClientKey{}, "is not an RSA, P-256 or Ed25519 key"
}

// checkedRSA leaves out what the text gives as computed before, and computes it
// once for all signatures.
func checkedRSA(given *rsa.PrivateKey) (ClientKey, string) {
	if bits := given.N.BitLen(); bits < jws.MinRSABits || bits > jws.MaxRSABits {
		return ClientKey{}, "is an RSA key of a size that is not from 2048 to 4096 bits"
	}
	k := &rsa.PrivateKey{PublicKey: given.PublicKey, D: given.D, Primes: given.Primes}
	k.Precompute()
	if k.Validate() != nil {
		return ClientKey{}, "is not a valid RSA key"
	}
	return newClientKey(k), ""
}

// checkedECDSA computes the public key from the private one: a JSON Web Key may
// give any.
func checkedECDSA(given *ecdsa.PrivateKey) (ClientKey, string) {
	if given.Curve != elliptic.P256() {
		return ClientKey{}, "is on another curve than P-256"
	}
	d, err := given.Bytes()
	if err != nil {
		return ClientKey{}, "is not a valid key"
	}
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	if err != nil || !k.PublicKey.Equal(&given.PublicKey) {
		return ClientKey{}, "holds a private key and a public one that do not belong together"
	}
	return newClientKey(k), ""
}
