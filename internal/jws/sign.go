package jws

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"io"

	"github.com/go-jose/go-jose/v4/json"
)

// Sign makes a compact JWS of a header and claims (RFC 7515, section 7.1): sign
// is handed what is to be signed, and returns the signature.
func Sign(header, claims map[string]any, sign func(input []byte) ([]byte, error)) (string, error) {
	h, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	c, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	input := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
	signature, err := sign([]byte(input))
	if err != nil {
		return "", err
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// SignES256 signs by ES256 (RFC 7518, section 3.4), with a key of P-256.
func SignES256(random io.Reader, key *ecdsa.PrivateKey, input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	r, s, err := ecdsa.Sign(random, key, digest[:])
	if err != nil {
		return nil, err
	}
	signature := make([]byte, 64) // both halves in full length
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signature, nil
}
