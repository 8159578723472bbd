package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Prover holds the key that a service's tokens are bound to (RFC 9449).
type Prover struct{ key *ecdsa.PrivateKey }

// NewProver makes a key.
func NewProver(t testing.TB) *Prover {
	t.Helper()
	return &Prover{must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)}
}

// Proof makes a proof for one request; without a token it is one for the
// provider's token endpoint, without a nonce it has none.
func (p *Prover) Proof(t testing.TB, method, address, token, nonce string) string {
	t.Helper()
	id := make([]byte, 16)
	_, _ = rand.Read(id) // crypto/rand never fails: it ends the process instead
	claims := Claims{"jti": base64.RawURLEncoding.EncodeToString(id), "htm": method, "htu": address, "iat": time.Now().Unix()}
	if token != "" {
		hash := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(hash[:])
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key},
		(&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")))(t)
	signed := must(signer.Sign(must(json.Marshal(claims))(t)))(t)
	return must(signed.CompactSerialize())(t)
}

// proven is the header of a request that brings a token and its proof.
func proven(token, proof string) http.Header {
	return http.Header{"Authorization": {"DPoP " + token}, "Dpop": {proof}}
}
