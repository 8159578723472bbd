package idp

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// proofLeeway is how far a proof's time may be from ours, and how long a nonce is
// good.
const proofLeeway = time.Minute

var errProof = refuse("invalid_dpop_proof", "the proof of possession is not good for this request")

// proofOf verifies the proof of possession of a request, if it has one, and returns
// the thumbprint of its key (RFC 9449, section 4.3). The token is the access token
// that the request carries.
func (p *Provider) proofOf(w http.ResponseWriter, r *http.Request, token string) (thumbprint string, err error) {
	raw := r.Header.Values("DPoP")
	if len(raw) == 0 {
		return "", nil
	}
	if len(raw) > 1 {
		return "", errProof
	}
	parsed, err := jwt.ParseSigned(raw[0], []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || parsed.Headers[0].ExtraHeaders["typ"] != "dpop+jwt" {
		return "", errProof
	}
	key := parsed.Headers[0].JSONWebKey
	var claims struct {
		ID       string `json:"jti"`
		Method   string `json:"htm"`
		Address  string `json:"htu"`
		IssuedAt int64  `json:"iat"`
		Token    string `json:"ath"`
		Nonce    string `json:"nonce"`
	}
	if key == nil || !key.IsPublic() || parsed.Claims(key, &claims) != nil {
		return "", errProof
	}
	hash := ""
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		hash = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	made := time.Unix(claims.IssuedAt, 0)
	address := p.issuer.Scheme + "://" + p.issuer.Host + r.URL.Path
	if claims.ID == "" || claims.Method != r.Method || claims.Address != address || claims.Token != hash ||
		made.Before(p.now().Add(-proofLeeway)) || made.After(p.now().Add(proofLeeway)) {
		return "", errProof
	}
	if p.cfg.DPoPNonces && claims.Nonce != p.nonce() {
		w.Header().Set("DPoP-Nonce", p.nonce())
		return "", refuse("use_dpop_nonce", "the proof has to hold our nonce")
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil || !p.newProof(claims.ID) {
		return "", errProof
	}
	p.count("proof")
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// nonce is the one that proofs have to hold now: another one each minute.
func (p *Provider) nonce() string {
	minute := strconv.FormatInt(p.now().Unix()/int64(proofLeeway.Seconds()), 10)
	sum := sha256.Sum256([]byte(p.nonceSecret + " " + minute))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// newProof reports whether a proof's id never came before.
func (p *Provider) newProof(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.store.sweep(p.now())
	id = "proof " + id
	if _, used := p.store.assertions[id]; used {
		return false
	}
	p.store.assertions[id] = p.now().Add(2 * proofLeeway)
	return true
}

// tokenKey is the key that the tokens of a request are to be bound to, or "".
func (p *Provider) tokenKey(w http.ResponseWriter, r *http.Request, client *Client) (string, error) {
	thumbprint, err := p.proofOf(w, r, "")
	if err == nil && thumbprint == "" && client.BoundTokens {
		return "", refuse("invalid_dpop_proof", "the client's tokens are bound to a key")
	}
	return thumbprint, err
}

// confirmation is the claim that says what a token is bound to (section 6).
func confirmation(claims map[string]any, thumbprint string) {
	if thumbprint != "" {
		claims["cnf"] = map[string]string{"jkt": thumbprint}
	}
}

// tokenType is what a token answer calls a token (section 5).
func tokenType(thumbprint string) string {
	if thumbprint != "" {
		return "DPoP"
	}
	return "Bearer"
}

// carried is the access token that a request carries in its header (RFC 6750,
// section 2.1; RFC 9449, section 7.1).
func carried(r *http.Request) (scheme, token string) {
	header := r.Header.Values("Authorization")
	if len(header) != 1 {
		return "", ""
	}
	scheme, token, _ = strings.Cut(header[0], " ")
	return strings.ToLower(scheme), token
}
