package conversation

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The provider of every script.
const (
	Issuer       = "https://id.example.com/realms/main"
	ClientID     = "shop"
	ClientSecret = "shop-secret-of-the-tests"
)

// signingKeys are the provider's keys by their ids. It publishes k1 and e1;
// k2 and stranger are for scripts. o1 and t1 are of the providers other and third,
// d1 and d2 those of clients.
var signingKeys = sync.OnceValue(func() map[string]crypto.Signer {
	keys := map[string]crypto.Signer{}
	for _, id := range []string{"k1", "k2", "stranger", "o1", "t1"} {
		keys[id], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	for _, id := range []string{"e1", "d1", "d2"} {
		keys[id], _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return keys
})

// keySet is a key set with the public keys of the given ids.
func keySet(ids string) (string, error) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, id := range strings.Fields(ids) {
		key, ok := signingKeys()[id]
		if !ok {
			return "", fmt.Errorf("there is no key %s", id)
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: id, Use: "sig"})
	}
	text, err := json.Marshal(set)
	return string(text), err
}

// metadata is the provider's discovery document with some members changed.
func metadata(changes string) (string, error) {
	doc := parties[0].discovery()
	if err := change(doc, changes, time.Time{}); err != nil {
		return "", err
	}
	text, err := json.Marshal(doc)
	return string(text), err
}

// idToken makes an ID token: a good one for alice, signed by k1, changed by
// "name=value" for claims and "@name=value" for the header. The values are
// JSON, or text where they are none; null takes a member out; now+5m and
// now-5m are times. @key names the key that signs, @sign is none for no
// signature, public for HS256 with the public key, broken for a wrong one.
func idToken(changes, nonce string, now time.Time) (string, error) {
	claims := map[string]any{
		"iss": Issuer, "sub": "alice-id", "aud": ClientID, "nonce": nonce,
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"preferred_username": "alice", "email": "alice@example.com", "groups": []string{"admins", "staff"},
	}
	return changedToken(map[string]any{"alg": "RS256", "typ": "JWT", "kid": "k1"}, claims, changes, now)
}

// sign makes a compact JWS. It is made by hand, for no library signs what must
// be refused.
func sign(header, claims map[string]any) (string, error) {
	kid, _ := header["kid"].(string)
	if named, ok := header["key"].(string); ok {
		kid = named
	}
	how, _ := header["sign"].(string)
	delete(header, "key")
	delete(header, "sign")
	head, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	input := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body)
	if how == "none" {
		return input + ".", nil
	}
	signature, err := signature(signingKeys()[kid], how, input)
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

func signature(key crypto.Signer, how, input string) ([]byte, error) {
	if key == nil {
		key = signingKeys()["k1"]
	}
	digest := sha256.Sum256([]byte(input))
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, k, digest[:])
		if err != nil {
			return nil, err
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), nil
	case *rsa.PrivateKey:
		if how == "public" {
			return publicHMAC(k, input)
		}
		out, err := rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, digest[:])
		if err == nil && how == "broken" {
			out[10] ^= 1
		}
		return out, err
	}
	return nil, fmt.Errorf("no way to sign with %T", key)
}

// publicHMAC is the forgery that a verifier falls for which lets the token name
// the algorithm: HS256, with the text of the public key as the secret.
func publicHMAC(k *rsa.PrivateKey, input string) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte(input))
	return mac.Sum(nil), nil
}

// changesIn cuts a list of changes at blanks outside of JSON.
func changesIn(text string) (out []string) {
	depth, quoted, start := 0, false, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' && (i == 0 || text[i-1] != '\\'):
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ' ' && depth == 0:
			if i > start {
				out = append(out, text[start:i])
			}
			start = i + 1
		}
	}
	if start < len(text) {
		out = append(out, text[start:])
	}
	return out
}

// change changes members of a document.
func change(doc map[string]any, changes string, now time.Time) error {
	for _, c := range changesIn(changes) {
		name, text, ok := strings.Cut(c, "=")
		if !ok {
			return fmt.Errorf("%q is no name=value", c)
		}
		value, err := changed(text, now)
		if err != nil {
			return err
		}
		doc[name] = value
	}
	maps.DeleteFunc(doc, func(_ string, v any) bool { return v == nil })
	return nil
}

func changed(text string, now time.Time) (any, error) {
	if offset, ok := strings.CutPrefix(text, "now"); ok {
		d, err := time.ParseDuration(offset)
		return now.Add(d).Unix(), err
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err == nil {
		return value, nil
	}
	return text, nil
}
