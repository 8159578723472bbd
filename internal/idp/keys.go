package idp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"sync"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// keyring holds one signing key per algorithm and the public halves of all
// keys that are still published.
type keyring struct {
	mu        sync.Mutex
	signing   map[jose.SignatureAlgorithm]jose.JSONWebKey
	published []jose.JSONWebKey
	made      int
}

func newKeyring() (*keyring, error) {
	k := &keyring{}
	return k, k.rotate()
}

// rotate makes new signing keys and keeps publishing the old ones.
func (k *keyring) rotate() error {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("idp: signing key: %w", err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("idp: signing key: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.made++
	k.signing = map[jose.SignatureAlgorithm]jose.JSONWebKey{}
	for alg, key := range map[jose.SignatureAlgorithm]any{jose.RS256: rsaKey, jose.ES256: ecKey} {
		jwk := jose.JSONWebKey{Key: key, Algorithm: string(alg), Use: "sig", KeyID: fmt.Sprintf("%s-%d", alg, k.made)}
		k.signing[alg] = jwk
		k.published = append(k.published, jwk.Public())
	}
	return nil
}

// retire stops publishing every key but those that sign now.
func (k *keyring) retire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.published = nil
	for _, jwk := range k.signing {
		k.published = append(k.published, jwk.Public())
	}
}

func (k *keyring) set() jose.JSONWebKeySet {
	k.mu.Lock()
	defer k.mu.Unlock()
	return jose.JSONWebKeySet{Keys: append([]jose.JSONWebKey{}, k.published...)}
}

func (k *keyring) sign(alg, typ string, claims any) (string, error) {
	k.mu.Lock()
	key, ok := k.signing[jose.SignatureAlgorithm(alg)]
	k.mu.Unlock()
	if !ok {
		return "", fmt.Errorf("idp: no signing key for %q", alg)
	}
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, options)
	if err != nil {
		return "", fmt.Errorf("idp: signer: %w", err)
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// verify opens a token that this provider signed with a published key. It
// checks no claims.
func (k *keyring) verify(token string, claims any) error {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		return fmt.Errorf("idp: token: %w", err)
	}
	return parsed.Claims(k.set(), claims)
}

// RotateKeys signs with new keys from now on. The old ones stay published, so
// that tokens in flight still verify.
func (p *Provider) RotateKeys() error { return p.keys.rotate() }

// RetireKeys stops publishing the keys that no longer sign.
func (p *Provider) RetireKeys() { p.keys.retire() }

// SignJWT signs any claims with the provider's current key, for tests that
// need a token the provider would never issue.
func (p *Provider) SignJWT(alg, typ string, claims any) (string, error) {
	return p.keys.sign(alg, typ, claims)
}

func (p *Provider) serveKeys(w http.ResponseWriter, _ *http.Request) {
	p.count("jwks")
	writeJSON(w, http.StatusOK, p.keys.set())
}

// provingMethods are those by which a client proves who it is.
var provingMethods = []string{"client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"}

func (p *Provider) serveDiscovery(w http.ResponseWriter, _ *http.Request) {
	p.count("discovery")
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                p.cfg.Issuer,
		"authorization_endpoint":                p.endpoint("authorize"),
		"token_endpoint":                        p.endpoint("token"),
		"userinfo_endpoint":                     p.endpoint("userinfo"),
		"jwks_uri":                              p.endpoint("jwks"),
		"end_session_endpoint":                  p.endpoint("end_session"),
		"revocation_endpoint":                   p.endpoint("revoke"),
		"introspection_endpoint":                p.endpoint("introspect"),
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query", "form_post"},
		"grant_types_supported":                 []string{"authorization_code", "refresh_token", "client_credentials", grantTokenExchange},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256", "ES256"},
		"token_endpoint_auth_methods_supported": append(provingMethods, "none"),
		"code_challenge_methods_supported":      []string{"S256"},
		"scopes_supported":                      []string{"openid", "profile", "email", "groups", "offline_access"},
		"claims_supported":                      []string{"sub", "name", "preferred_username", "email", "email_verified", "groups", "acr", "amr", "auth_time"},
		"acr_values_supported":                  levels,
		"prompt_values_supported":               prompts,
		"request_parameter_supported":           true,
		"request_uri_parameter_supported":       false,

		"token_endpoint_auth_signing_alg_values_supported": append([]jose.SignatureAlgorithm{jose.HS256}, keyAlgorithms...),
		"revocation_endpoint_auth_methods_supported":       append(provingMethods, "none"),
		"introspection_endpoint_auth_methods_supported":    provingMethods,
		"pushed_authorization_request_endpoint":            p.endpoint("par"),
		"require_pushed_authorization_requests":            p.cfg.RequirePushed,
		"request_object_signing_alg_values_supported":      keyAlgorithms,
		"dpop_signing_alg_values_supported":                []jose.SignatureAlgorithm{jose.ES256},
		"backchannel_logout_supported":                     true,
		"backchannel_logout_session_supported":             true,
		"authorization_response_iss_parameter_supported":   true,
	})
}
