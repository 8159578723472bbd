package oidc

import (
	"crypto"
	"crypto/rsa"
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
// type is one of the type JWT.
type kind struct {
	asker asker
	step  string
	limit int
	types []string
}

func (k *kind) allows(typ string) bool {
	for _, allowed := range k.types {
		if typ == shortType(allowed) {
			return true
		}
	}
	return false
}

// shortType is a type in lower case, without the "application/" that may stand
// before it (RFC 7515, section 4.1.9).
func shortType(typ string) string {
	typ = strings.ToLower(typ)
	if short, ok := strings.CutPrefix(typ, "application/"); ok && !strings.Contains(short, "/") {
		return short
	}
	return typ
}

// isAccessTokenType reports whether a type is the one of RFC 9068, section 2.1.
func isAccessTokenType(typ string) bool { return typ == "at+jwt" }

// typeOf is the type that a header gives, as shortType has it.
func typeOf(header *jose.Header) (typ string, ok bool) {
	value, there := header.ExtraHeaders[jose.HeaderType]
	if !there {
		return "jwt", true
	}
	typ, ok = value.(string)
	return shortType(typ), ok
}

// signed is a compact JWS (RFC 7515) that was taken apart and is not verified
// yet.
type signed struct {
	asker asker
	step  string
	jws   *jose.JSONWebSignature
	input string // what the signature is of (section 5.1)
	typ   string // see shortType
	id    string // of the key
	alg   jose.SignatureAlgorithm
	key   *jose.JSONWebKey // the one that verified it
}

// parse takes a token apart. Only the algorithms of the settings are known to
// it, and no extension: one that is marked critical is refused (section
// 4.1.11), and so is the unencoded payload of RFC 7797.
func (p *Provider) parse(k *kind, raw string) (*signed, error) {
	return p.parseAs(k, raw, p.algorithms)
}

func (p *Provider) parseAs(k *kind, raw string, algorithms []jose.SignatureAlgorithm) (*signed, error) {
	// The library reads the header before anything is verified, and by
	// recursion: nesting that deep would end the VM.
	if len(raw) > k.limit || strings.IndexByte(raw, '.') > maxJOSEHeader {
		return nil, refuse(k.step, "too_large")
	}
	if _, ok := split(raw); !ok {
		return nil, refuse(k.step, "malformed_or_algorithm")
	}
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, refuse(k.step, "malformed_or_algorithm")
	}
	header := jws.Signatures[0].Protected
	for _, name := range []jose.HeaderKey{"crit", "b64"} {
		if _, ok := header.ExtraHeaders[name]; ok {
			return nil, refuse(k.step, "extension_unknown")
		}
	}
	typ, ok := typeOf(&header)
	if !ok || !k.allows(typ) {
		return nil, refuse(k.step, "typ_differs")
	}
	alg := jose.SignatureAlgorithm(header.Algorithm)
	input := raw[:strings.LastIndexByte(raw, '.')]
	return &signed{asker: k.asker, step: k.step, jws: jws, input: input, typ: typ, id: header.KeyID, alg: alg}, nil
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
	if err := t.check(key.Key); err != nil {
		return nil, refuse(t.step, "signature")
	}
	t.key = key
	return t.unverified(), nil
}

// check checks the signature by a key that fits its algorithm.
func (t *signed) check(key any) error {
	if k, ok := key.(*rsa.PublicKey); ok && strings.HasPrefix(string(t.alg), "PS") {
		return t.checkPSS(k)
	}
	_, err := t.jws.Verify(key)
	return err
}

// checkPSS checks a signature of RSASSA-PSS. The salt has the hash's size (RFC
// 7518, section 3.5), which the library leaves open.
func (t *signed) checkPSS(key *rsa.PublicKey) error {
	hash := crypto.SHA256
	switch t.alg {
	case jose.PS384:
		hash = crypto.SHA384
	case jose.PS512:
		hash = crypto.SHA512
	}
	h := hash.New()
	h.Write([]byte(t.input))
	salt := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	return rsa.VerifyPSS(key, hash, h.Sum(nil), t.jws.Signatures[0].Signature, salt)
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
