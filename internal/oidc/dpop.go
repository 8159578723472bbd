package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/jws"
)

// ProofKeys are keys of this gate's that access tokens are bound to (RFC 9449).
type ProofKeys interface {
	// Key returns the key of an id, which is one of P-256, or nil.
	Key(id string) *ecdsa.PrivateKey
	// Current is the id of the key that new tokens are bound to.
	Current() string
}

// errNoProof says that a call was not sent, because it could not be proved.
var errNoProof = errors.New("oidc: no proof of possession")

// binding is the key that tokens are bound to; the zero one is none.
type binding struct {
	id  string
	key *ecdsa.PrivateKey
}

// binding returns what a person's new tokens are bound to. Where was is the id of
// a key that is still there, it is that one.
func (p *Provider) binding(step, was string) (b binding, err error) {
	if p.settings.TokenBinding != "dpop" {
		return b, nil
	}
	if b = p.bindingOf(was); b.key == nil && p.ProofKeys != nil {
		b = p.bindingOf(p.ProofKeys.Current())
	}
	if b.key == nil {
		return b, outage(step, "proof_not_made")
	}
	return b, nil
}

func (p *Provider) bindingOf(id string) (b binding) {
	if id != "" && p.ProofKeys != nil {
		b = binding{id, p.ProofKeys.Key(id)}
	}
	return b
}

// thumbprint names the key (RFC 7638), which is not the zero one.
func (b binding) thumbprint() (string, error) {
	sum, err := publicJWK(b.key).Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}

func publicJWK(key *ecdsa.PrivateKey) *jose.JSONWebKey { return &jose.JSONWebKey{Key: key.Public()} }

// bearing is an Env whose calls bear an access token, or are for one, and prove
// that the key is ours that it is bound to.
type bearing struct {
	flow.Env
	p     *Provider
	token string            // "" in a call for tokens
	key   *ecdsa.PrivateKey // nil for a bearer token
}

// bearing returns an Env whose calls bear an access token: as RFC 6750, section
// 2.1, has it, or bound to a key, as RFC 9449, section 7.1. A token whose key is
// gone is good for nothing any more.
func (p *Provider) bearing(env flow.Env, step string, access Access) (flow.Env, error) {
	b := bearing{env, p, access.Token, p.bindingOf(access.Proof).key}
	if access.Proof != "" && b.key == nil {
		return nil, refuse(step, "token_refused")
	}
	return b, nil
}

// Fetch implements flow.Fetcher. A resource that wants its own nonce in the
// proof is asked once more (section 9); what is asked for tokens is, too, but
// with a new client authentication: see postForTokens.
func (b bearing) Fetch(c flow.Call) (flow.Response, error) {
	if b.key == nil {
		c.Header = b.with(c.Header, "Bearer", "")
		return b.Env.Fetch(c)
	}
	r, nonce, err := b.fetch(c)
	if err == nil && nonce && b.token != "" && r.Status == 401 && asksForNonce(r.Header) {
		r, _, err = b.fetch(c)
	}
	return r, err
}

// fetch sends a call with a proof, and reports whether the answer brought a nonce.
func (b bearing) fetch(c flow.Call) (r flow.Response, nonce bool, err error) {
	origin := c.Scheme + "://" + strings.ToLower(c.Authority)
	proof, err := b.proof(&c, b.p.nonces[origin])
	if err != nil {
		return flow.Response{}, false, errNoProof
	}
	c.Header = b.with(c.Header, "DPoP", proof)
	if r, err = b.Env.Fetch(c); err != nil {
		return r, false, err
	}
	return r, b.p.keepNonce(origin, r.Header), nil
}

// with are the fields of a call with what it bears.
func (b bearing) with(rest httpmsg.Fields, scheme, proof string) (header httpmsg.Fields) {
	if b.token != "" {
		header = append(header, httpmsg.Field{Name: "authorization", Value: scheme + " " + b.token})
	}
	if proof != "" {
		header = append(header, httpmsg.Field{Name: "dpop", Value: proof})
	}
	return append(header, rest...)
}

// proof is a JWT for one call (section 4.2).
func (b bearing) proof(c *flow.Call, nonce string) (string, error) {
	id, err := b.p.unique()
	if err != nil {
		return "", err
	}
	path, _, _ := strings.Cut(c.Path, "?")
	claims := map[string]any{
		"jti": id, "htm": c.Method, "htu": c.Scheme + "://" + c.Authority + path, "iat": b.Now().Unix(),
	}
	if b.token != "" {
		sum := sha256.Sum256([]byte(b.token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	header := map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": publicJWK(b.key)}
	return jws.Sign(header, claims, func(input []byte) ([]byte, error) { return jws.SignES256(b.p.random, b.key, input) })
}

// maxNonce is the longest nonce that is repeated, in bytes.
const maxNonce = 1024

// keepNonce notes the nonce that an origin wants in the next proof (section
// 8.2), and reports whether there was one. There are as many origins as the
// settings have hosts.
func (p *Provider) keepNonce(origin string, header httpmsg.Fields) bool {
	nonce, _ := header.Get("dpop-nonce")
	if nonce == "" || len(nonce) > maxNonce || !visible(nonce) || strings.ContainsAny(nonce, `"\`) {
		return false
	}
	if p.nonces == nil {
		p.nonces = map[string]string{}
	}
	p.nonces[origin] = nonce
	return true
}

// nonceError is the error of both sections 8 and 9.
const nonceError = "use_dpop_nonce"

// asksForNonce reports whether a resource refused for the want of its nonce
// (section 9).
func asksForNonce(header httpmsg.Fields) bool {
	return slices.ContainsFunc(header, func(f httpmsg.Field) bool {
		return f.Name == "www-authenticate" && strings.Contains(f.Value, nonceError)
	})
}

// refusedForNonce reports whether an authorisation server refused for the want
// of its nonce, and brought it (section 8).
func refusedForNonce(r flow.Response) bool {
	if nonce, _ := r.Header.Get("dpop-nonce"); nonce == "" || r.Status != 400 && r.Status != 401 {
		return false
	}
	var doc struct {
		Error string `json:"error"`
	}
	return json.Unmarshal(r.Body, &doc) == nil && doc.Error == nonceError
}
