package bearer

import (
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/jws"
)

// Proof is a proof of possession (RFC 9449, section 4.2) that is good but for
// what takes memory: whether it was used before, and whether its nonce is one
// of ours.
type Proof struct {
	JKT    string // the thumbprint of the key that made it (RFC 7638), as tokens name it
	ID     string // jti
	Issued time.Time
	Nonce  string // "" for none
}

// Limits of a proof.
const (
	maxProof   = 4 << 10
	maxProofID = 128 // bytes
)

// proofAlgorithms are the algorithms by which a proof may be signed: all
// asymmetric ones that are in use.
var proofAlgorithms = []jose.SignatureAlgorithm{
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
}

// ReadProof checks a proof that came with a request and its access token, by
// all of RFC 9449, section 4.3, that needs no memory. Its time may be as far
// from now as window. Address is the request's own, of which query and fragment
// do not count. The error is a *Refusal.
func ReadProof(raw string, method, address, token string, now time.Time, window time.Duration) (*Proof, error) {
	proof, key, err := parseProof(raw)
	if err != nil {
		return nil, err
	}
	// What costs nothing comes first; it is believed only once the signature is
	// verified.
	c, err := readProofClaims(proof.Unverified())
	if err != nil {
		return nil, err
	}
	if err := c.check(method, address, token, now, window); err != nil {
		return nil, err
	}
	if err := proof.Verify(key); err != nil {
		return nil, refuse(InvalidProof, "proof_signature")
	}
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, refuse(InvalidProof, "proof_key")
	}
	return &Proof{
		JKT: base64.RawURLEncoding.EncodeToString(thumbprint),
		ID:  c.ID, Issued: c.issued(), Nonce: c.Nonce,
	}, nil
}

// proofHeader is what the library does not tell of a proof's header.
type proofHeader struct {
	Type     string          `json:"typ"`
	Critical json.RawMessage `json:"crit"`
	Key      json.RawMessage `json:"jwk"`
}

// privateMembers are those that no public key has (RFC 7518, sections 6.2.2,
// 6.3.2 and 6.4; RFC 8037, section 2).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// parseProof takes a proof apart, and returns the key that it brings.
func parseProof(raw string) (*jws.Token, *jose.JSONWebKey, error) {
	c, err := jws.Split(raw, maxProof)
	if err != nil {
		return nil, nil, noProof(err)
	}
	var header proofHeader
	if err := json.Unmarshal(c.Header, &header); err != nil {
		return nil, nil, noProof(err)
	}
	switch {
	case header.Type != "dpop+jwt":
		return nil, nil, refuse(InvalidProof, "proof_typ")
	case header.Critical != nil:
		return nil, nil, refuse(InvalidProof, "proof_crit")
	}
	if err := checkMembers(header.Key); err != nil {
		return nil, nil, err
	}
	proof, err := c.Parse(proofAlgorithms)
	if err != nil {
		return nil, nil, noProof(err)
	}
	key := proof.Header.JSONWebKey
	if key == nil || !jws.Usable(key) || !jws.Fits(key, proof.Algorithm) {
		return nil, nil, refuse(InvalidProof, "proof_key")
	}
	return proof, key, nil
}

// noProof refuses what is no signed token that package jws takes.
func noProof(err error) *Refusal {
	switch {
	case errors.Is(err, jws.ErrTooLarge):
		return refuse(InvalidProof, "proof_too_large")
	case errors.Is(err, jws.ErrExtension):
		return refuse(InvalidProof, "proof_crit")
	}
	return refuse(InvalidProof, "proof_malformed_or_algorithm")
}

// checkMembers refuses a key that is none or that is not public throughout.
func checkMembers(key json.RawMessage) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(key, &members); err != nil || len(members) == 0 {
		return refuse(InvalidProof, "proof_key")
	}
	for _, name := range privateMembers {
		if _, there := members[name]; there {
			return refuse(InvalidProof, "proof_key_private")
		}
	}
	return nil
}

// proofClaims are the claims of a proof (RFC 9449, section 4.2).
type proofClaims struct {
	ID        string   `json:"jti"`
	Method    string   `json:"htm"`
	Address   string   `json:"htu"`
	IssuedAt  *float64 `json:"iat"`
	TokenHash string   `json:"ath"`
	Nonce     string   `json:"nonce"`
}

func readProofClaims(payload []byte) (*proofClaims, error) {
	c := &proofClaims{}
	if jws.Deeper(payload, jws.MaxNesting) || json.Unmarshal(payload, c) != nil {
		return nil, refuse(InvalidProof, "proof_claims_malformed")
	}
	switch {
	case c.ID == "" || len(c.ID) > maxProofID:
		return nil, refuse(InvalidProof, "proof_jti")
	case c.IssuedAt == nil:
		return nil, refuse(InvalidProof, "proof_iat")
	}
	return c, nil
}

// maxSeconds is the year 9999; beyond it arithmetic with times overflows.
const maxSeconds = 253402300799

// issued is when the proof was made. A fraction of a second counts (RFC 7519,
// section 2).
func (c *proofClaims) issued() time.Time {
	whole, fraction := math.Modf(max(0, min(*c.IssuedAt, maxSeconds)))
	return time.Unix(int64(whole), int64(fraction*1e9))
}

// check checks that the proof is for this request and this token, made now.
func (c *proofClaims) check(method, address, token string, now time.Time, window time.Duration) error {
	hash := sha256.Sum256([]byte(token))
	ath := base64.RawURLEncoding.EncodeToString(hash[:])
	switch {
	case c.Method != method:
		return refuse(InvalidProof, "proof_htm")
	case !sameAddress(c.Address, address):
		return refuse(InvalidProof, "proof_htu")
	case !within(c.issued(), now, window):
		return refuse(InvalidProof, "proof_iat")
	case subtle.ConstantTimeCompare([]byte(c.TokenHash), []byte(ath)) != 1:
		return refuse(InvalidProof, "proof_ath")
	}
	return nil
}

// sameAddress compares two addresses by their normal forms, without query and
// fragment (RFC 9449, section 4.3; RFC 3986, section 6.2).
func sameAddress(a, b string) bool {
	x, ok := normalAddress(a)
	if !ok {
		return false
	}
	y, ok := normalAddress(b)
	return ok && x == y
}

// normalAddress returns the normal form of an http or https address.
func normalAddress(s string) (normal string, ok bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return "", false
	}
	usual := ""
	switch scheme = strings.ToLower(scheme); scheme {
	case "https":
		usual = "443"
	case "http":
		usual = "80"
	default:
		return "", false
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	authority, path := rest, "/"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	host, port, err := httpmsg.ParseAuthority(authority)
	if err != nil {
		return "", false
	}
	if path, err = httpmsg.NormalPath(path); err != nil {
		return "", false
	}
	if port == "" {
		port = usual
	}
	return scheme + "://" + host + ":" + port + path, true
}
