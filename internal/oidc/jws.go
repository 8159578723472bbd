package oidc

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/jws"
)

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
	asker  asker
	step   string
	token  *jws.Token
	typ    string // see shortType
	tenant string // see Provider.tenantNamed
	id     string // of the key
	alg    jose.SignatureAlgorithm
	key    *jose.JSONWebKey // the one that verified it
}

// parse takes a token apart. Only the algorithms of the settings are known to
// it.
func (p *Provider) parse(k *kind, raw string) (*signed, error) {
	return p.parseAs(k, raw, p.algorithms)
}

func (p *Provider) parseAs(k *kind, raw string, algorithms []jose.SignatureAlgorithm) (*signed, error) {
	t, err := parseToken(raw, k.limit, algorithms)
	switch {
	case errors.Is(err, jws.ErrTooLarge):
		return nil, refuse(k.step, "too_large")
	case errors.Is(err, jws.ErrExtension):
		return nil, refuse(k.step, "extension_unknown")
	case err != nil:
		return nil, refuse(k.step, "malformed_or_algorithm")
	}
	typ, ok := typeOf(t.Header)
	if !ok || !k.allows(typ) {
		return nil, refuse(k.step, "typ_differs")
	}
	return &signed{
		asker: k.asker, step: k.step, token: t, typ: typ, id: t.Header.KeyID, alg: t.Algorithm,
		tenant: p.tenantNamed(t.Unverified()),
	}, nil
}

func parseToken(raw string, limit int, algorithms []jose.SignatureAlgorithm) (*jws.Token, error) {
	c, err := jws.Split(raw, limit)
	if err != nil {
		return nil, err
	}
	return c.Parse(algorithms)
}

// unverified is what the token says, whoever made it: see jws.Token.
func (t *signed) unverified() []byte { return t.token.Unverified() }

// verify verifies the signature by one of the provider's own keys and returns
// what was signed. A key or an address that the token itself brings (jwk, jku,
// x5u, x5c) is never looked at.
func (p *Provider) verify(env flow.Env, t *signed) ([]byte, error) {
	key, err := p.key(env, t)
	if err != nil {
		return nil, err
	}
	if err := t.token.Verify(key); err != nil {
		return nil, refuse(t.step, "signature")
	}
	t.key = key
	return t.unverified(), nil
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
