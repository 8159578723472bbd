package oidc

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-auth/postern/internal/flow"
)

// maxJOSEHeader is the longest header of a token, encoded, that is looked at.
const maxJOSEHeader = 2048

// kind is a kind of token: what it is called in failures, how long one may be
// in bytes, what its header may give as its type, and who can bring one. A token
// of another kind is not taken for it (RFC 8725, section 3.11); one without a
// type may be.
type kind struct {
	asker asker
	step  string
	limit int
	types []string
}

func (k *kind) allows(typ any) bool {
	s, ok := typ.(string)
	for _, allowed := range k.types {
		if ok && strings.EqualFold(s, allowed) {
			return true
		}
	}
	return false
}

// signed is a compact JWS (RFC 7515) that was taken apart and is not verified
// yet.
type signed struct {
	asker asker
	step  string
	jws   *jose.JSONWebSignature
	id    string // of the key
	alg   jose.SignatureAlgorithm
}

// parse takes a token apart. Only the algorithms of the settings are known to
// it, and an extension that is marked critical and not known is refused by the
// library (section 4.1.11).
func (p *Provider) parse(k *kind, raw string) (*signed, error) {
	// The library reads the header before anything is verified, and by
	// recursion: nesting that deep would end the VM.
	if len(raw) > k.limit || strings.IndexByte(raw, '.') > maxJOSEHeader {
		return nil, refuse(k.step, "too_large")
	}
	jws, err := jose.ParseSignedCompact(raw, p.algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, refuse(k.step, "malformed_or_algorithm")
	}
	header := jws.Signatures[0].Protected
	if typ, ok := header.ExtraHeaders[jose.HeaderType]; ok && !k.allows(typ) {
		return nil, refuse(k.step, "typ_differs")
	}
	return &signed{k.asker, k.step, jws, header.KeyID, jose.SignatureAlgorithm(header.Algorithm)}, nil
}

// unverified is what the token says, whoever made it: good for refusing a
// token before a signature is worth its cost, and for nothing else.
func (t *signed) unverified() []byte { return t.jws.UnsafePayloadWithoutVerification() }

// verify verifies the signature by one of the provider's own keys and returns
// what was signed. A key or an address that the token itself brings (jwk, jku,
// x5u, x5c) is never looked at.
func (p *Provider) verify(env flow.Env, t *signed) ([]byte, error) {
	key, err := p.key(env, t)
	if err != nil {
		return nil, err
	}
	payload, err := t.jws.Verify(key.Key)
	if err != nil {
		return nil, refuse(t.step, "signature")
	}
	return payload, nil
}

// leftHash is the left half of the hash of a token, by the algorithm of the
// signature (Core, section 3.1.3.6).
func leftHash(alg jose.SignatureAlgorithm, token string) string {
	var sum []byte
	switch alg {
	case jose.RS384, jose.PS384, jose.ES384:
		h := sha512.Sum384([]byte(token))
		sum = h[:]
	case jose.RS512, jose.PS512, jose.ES512, jose.EdDSA:
		h := sha512.Sum512([]byte(token))
		sum = h[:]
	default:
		h := sha256.Sum256([]byte(token))
		sum = h[:]
	}
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
