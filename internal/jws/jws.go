// Package jws is what Postern takes for a signed token before anything in it is
// believed: one spelling, bounded in length and in nesting, so that whatever
// reads it after this does not recurse without end; which keys are good enough
// and for which algorithm; and verification with the salt that the specification
// asks for. What Postern signs itself gets its form here, too. What a token must
// say, and whose key it needs, is its callers' to decide.
//
// It refuses keys that are not public, of another use, of a size outside the
// bounds or known to be broken, and never verifies by a key of another kind than
// the algorithm's.
//
// It follows RFC 7515 (JWS), RFC 7517 (JWK), RFC 7518 (JWA), RFC 8037 (EdDSA)
// and the best practice of RFC 8725.
package jws

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// maxHeader is the longest header of a token, encoded, that is looked at: a key
// of RSA with 4096 bits takes half of it.
const maxHeader = 2048

// What is wrong with what is no token.
var (
	ErrTooLarge  = errors.New("jws: longer than is looked at")
	ErrMalformed = errors.New("jws: malformed, or of an algorithm that is not wanted")
	ErrExtension = errors.New("jws: an extension that is not known")
	ErrSignature = errors.New("jws: the signature does not verify")
)

// Compact is a compact JWS (RFC 7515, section 7.1) that was taken apart, its
// header and its payload decoded. Neither is believed yet.
type Compact struct {
	Header, Payload []byte
	raw             string
}

// Split takes a compact JWS of at most limit bytes apart. Each part has one
// spelling only (RFC 4648, section 3.5): a token that can be respelled is
// another token to whoever remembers it, and the same to whoever reads it. The
// error is ErrTooLarge or ErrMalformed.
func Split(raw string, limit int) (*Compact, error) {
	if len(raw) > limit || strings.IndexByte(raw, '.') > maxHeader {
		return nil, ErrTooLarge
	}
	if strings.ContainsAny(raw, "\r\n") { // which the decoder passes over
		return nil, ErrMalformed
	}
	var parts [3][]byte
	rest := raw
	for i := range parts {
		part, after, more := strings.Cut(rest, ".")
		if part == "" || more != (i < len(parts)-1) {
			return nil, ErrMalformed
		}
		decoded, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil {
			return nil, ErrMalformed
		}
		parts[i], rest = decoded, after
	}
	if Deeper(parts[0], maxHeaderNesting) {
		return nil, ErrMalformed
	}
	return &Compact{parts[0], parts[1], raw}, nil
}

// Token is a compact JWS of a wanted algorithm. It is not verified yet.
type Token struct {
	Algorithm jose.SignatureAlgorithm
	Header    *jose.Header // the protected one; there is no other
	jws       *jose.JSONWebSignature
	input     string // what the signature is of (RFC 7515, section 5.1)
}

// Parse reads the header. No extension is known: one that is marked critical is
// refused (RFC 7515, section 4.1.11), and so is the unencoded payload of RFC
// 7797. The error is ErrMalformed or ErrExtension.
func (c *Compact) Parse(wanted []jose.SignatureAlgorithm) (*Token, error) {
	parsed, err := jose.ParseSignedCompact(c.raw, wanted)
	if err != nil || len(parsed.Signatures) != 1 {
		return nil, ErrMalformed
	}
	header := &parsed.Signatures[0].Protected
	for _, name := range []jose.HeaderKey{"crit", "b64"} {
		if _, ok := header.ExtraHeaders[name]; ok {
			return nil, ErrExtension
		}
	}
	return &Token{
		Algorithm: jose.SignatureAlgorithm(header.Algorithm), Header: header,
		jws: parsed, input: c.raw[:strings.LastIndexByte(c.raw, '.')],
	}, nil
}

// Unverified is what the token says, whoever made it: good for refusing a token
// before a signature is worth its cost, and for nothing else.
func (t *Token) Unverified() []byte { return t.jws.UnsafePayloadWithoutVerification() }

// Verify verifies the signature. A key that does not fit the algorithm verifies
// nothing. The error is ErrSignature.
func (t *Token) Verify(k *jose.JSONWebKey) error {
	if !Fits(k, t.Algorithm) {
		return ErrSignature
	}
	if key, ok := k.Key.(*rsa.PublicKey); ok && strings.HasPrefix(string(t.Algorithm), "PS") {
		return t.verifyPSS(key)
	}
	if _, err := t.jws.Verify(k.Key); err != nil {
		return ErrSignature
	}
	return nil
}

// verifyPSS verifies a signature of RSASSA-PSS. The salt has the hash's size (RFC
// 7518, section 3.5), which the library leaves open.
func (t *Token) verifyPSS(key *rsa.PublicKey) error {
	hash := crypto.SHA256
	switch t.Algorithm {
	case jose.PS384:
		hash = crypto.SHA384
	case jose.PS512:
		hash = crypto.SHA512
	}
	h := hash.New()
	h.Write([]byte(t.input))
	salt := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	if rsa.VerifyPSS(key, hash, h.Sum(nil), t.jws.Signatures[0].Signature, salt) != nil {
		return ErrSignature
	}
	return nil
}
