package conversation

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// accessToken makes an access token: a good one of RFC 9068 for service-a, made
// out to shop-api, changed as an ID token is by idToken.
func accessToken(changes string, now time.Time) (string, error) {
	claims := map[string]any{
		"iss": Issuer, "sub": "service-a", "client_id": "service-a", "aud": "shop-api", "scope": "orders.read",
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "jti": "token-1",
	}
	return changedToken(map[string]any{"alg": "RS256", "typ": "at+jwt", "kid": "k1"}, claims, changes, now)
}

// changedToken signs header and claims with their changes.
func changedToken(header, claims map[string]any, changes string, now time.Time) (string, error) {
	var own, at []string
	for _, c := range changesIn(changes) {
		if rest, ok := strings.CutPrefix(c, "@"); ok {
			at = append(at, rest)
		} else {
			own = append(own, c)
		}
	}
	if err := change(claims, strings.Join(own, " "), now); err != nil {
		return "", err
	}
	if err := change(header, strings.Join(at, " "), now); err != nil {
		return "", err
	}
	return sign(header, claims)
}

// proof makes a proof of possession (RFC 9449): a good one for a GET of the
// address that htu gives, by key d1, changed as an ID token is. token=… is the
// access token that it is for. Each has a jti of its own.
func (p *player) proof(changes string) (string, error) {
	p.proofs++
	claims := map[string]any{"htm": "GET", "htu": "https://app.example.com/", "iat": p.now().Unix(), "jti": fmt.Sprintf("proof-%d", p.proofs)}
	header := map[string]any{"alg": "ES256", "typ": "dpop+jwt"}
	key := "d1"
	var rest []string
	for _, c := range changesIn(changes) {
		name, value, _ := strings.Cut(c, "=")
		switch name {
		case "token":
			sum := sha256.Sum256([]byte(value))
			claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
		case "@key":
			key = value
		default:
			rest = append(rest, c)
		}
	}
	public, err := publicKey(key)
	if err != nil {
		return "", err
	}
	header["jwk"], header["key"] = public, key
	return changedToken(header, claims, strings.Join(rest, " "), p.now())
}

// publicKey is a JSON Web Key without a name.
func publicKey(id string) (jose.JSONWebKey, error) {
	key, ok := signingKeys()[id]
	if !ok {
		return jose.JSONWebKey{}, fmt.Errorf("there is no key %s", id)
	}
	return jose.JSONWebKey{Key: key.Public()}, nil
}

// thumbprint is what a token that is bound to a key names it by (RFC 7638).
func thumbprint(id string) (string, error) {
	key, err := publicKey(id)
	if err != nil {
		return "", err
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}

// jwk is a public key as JSON.
func jwk(id string) (string, error) {
	key, err := publicKey(id)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(key)
	return string(text), err
}
