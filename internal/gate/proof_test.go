package gate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// prover is a caller with a key of its own.
type prover struct {
	t      *testing.T
	key    *ecdsa.PrivateKey
	signer jose.Signer
}

func newProver(t *testing.T) *prover {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	return &prover{t, key, signer}
}

// thumbprint is what tokens name the key by.
func (p *prover) thumbprint() string {
	sum, err := (&jose.JSONWebKey{Key: p.key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		p.t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// proof is one for GET https://app.example.com/ with a token, made at a time.
func (p *prover) proof(token, id string, made time.Time) string {
	p.t.Helper()
	hash := sha256.Sum256([]byte(token))
	return compact(p.t, p.signer, map[string]any{
		"jti": id, "htm": "GET", "htu": "https://app.example.com/", "iat": made.Unix(),
		"ath": base64.RawURLEncoding.EncodeToString(hash[:]),
	})
}

// A worker that is busy shows the time of its last tick, which may be seconds
// ago. Another one has forgotten by then which proofs were used.
func TestAProofIsJudgedByTheTimeThatItIs(t *testing.T) {
	w := newTokenWorld(t, 1, "", "")
	p := newProver(t)
	token := w.accessToken(map[string]any{"cnf": map[string]string{"jkt": p.thumbprint()}, "exp": w.now.Add(10 * time.Minute).Unix()})
	send := func(id string, made time.Time) *visit {
		return w.send(w.workers[0], "/", "authorization", "DPoP "+token, "dpop", p.proof(token, id, made))
	}
	send("p-1", w.now).told("")
	behind := w.now
	w.now = w.now.Add(65 * time.Second)
	w.workers[0].now = func() time.Time { return behind }
	send("p-2", behind).answered(401, "www-authenticate")
	send("p-3", w.now).told("")
}
