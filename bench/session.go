package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	host       = "shop.example.com"
	clientID   = "shop"
	cookieName = "__Host-postern"
	hmacSecret = "a secret that only the bench knows"
)

// tokens are those of one sign-in at a Keycloak, in their sizes.
type tokens struct {
	access, id, refresh string
	jwks                string
	signer              jose.Signer
	claims              map[string]any // of the access token
	idClaims            map[string]any
}

// idToken is the one that a login with the nonce gives.
func (t *tokens) idToken(nonce string) (string, error) {
	hash := sha256.Sum256([]byte(t.access))
	t.idClaims["nonce"], t.idClaims["at_hash"] = nonce, base64.RawURLEncoding.EncodeToString(hash[:16])
	return sign(t.signer, t.idClaims)
}

// another is an access token that nobody has seen before.
func (t *tokens) another() (string, error) {
	t.claims["jti"] = random(18)
	return sign(t.signer, t.claims)
}

// mintTokens makes and signs them.
func mintTokens(issuer string, now time.Time) (*tokens, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	kid := random(32)
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: kid}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, err
	}
	claims := func(kind string, more map[string]any) map[string]any {
		c := map[string]any{
			"exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "auth_time": now.Unix(),
			"jti": random(18), "iss": issuer, "sub": uuid(), "typ": kind, "azp": clientID, "sid": uuid(), "acr": "1",
		}
		for name, value := range more {
			c[name] = value
		}
		return c
	}
	person := map[string]any{
		"email_verified": true, "name": "Alice Example", "preferred_username": "alice",
		"given_name": "Alice", "family_name": "Example", "email": "alice@example.com",
		"groups": []string{"staff", "admins"},
	}
	forAccess := map[string]any{
		"aud": []string{audience, "account"}, "allowed-origins": []string{"https://shop.example.com"},
		"realm_access":    map[string]any{"roles": []string{"default-roles-main", "offline_access", "uma_authorization"}},
		"resource_access": map[string]any{"account": map[string]any{"roles": []string{"manage-account", "manage-account-links", "view-profile"}}},
		"scope":           "openid profile email",
	}
	forID := map[string]any{"aud": clientID, "at_hash": random(12), "nonce": random(24)}
	for name, value := range person {
		forAccess[name], forID[name] = value, value
	}
	t := &tokens{signer: signer, claims: claims("Bearer", forAccess), idClaims: claims("ID", forID)}
	for _, token := range []struct {
		to     *string
		claims map[string]any
	}{
		{&t.access, t.claims},
		{&t.id, t.idClaims},
		{&t.refresh, claims("Refresh", map[string]any{"aud": issuer, "scope": "openid profile email"})},
	} {
		if *token.to, err = sign(signer, token.claims); err != nil {
			return nil, err
		}
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: key.Public(), KeyID: kid, Algorithm: string(jose.RS256), Use: "sig"},
	}})
	t.jwks = string(set)
	return t, err
}

func sign(signer jose.Signer, claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// signIn signs in at a Postern, and remembers the session: one that a gate itself
// made, as all of them would.
func (l *lab) signIn() error {
	filters, err := l.postern(l.module, posternSettings(l.issuer, true))
	if err != nil {
		return err
	}
	e, err := startEnvoy(l.envoy, l.dir, "sign-in", filters, l.idp)
	if err != nil {
		return err
	}
	defer e.stop()
	begun, err := ask(e, cookies(""), "/")
	if err != nil {
		return err
	}
	to, err := begun.Location()
	if err != nil {
		return fmt.Errorf("no login begins: status %d", begun.StatusCode)
	}
	query := url.Values{"code": to.Query()["nonce"], "state": to.Query()["state"]}
	done, err := ask(e, cookies(jar(begun, cookieName+"-login")), "/oauth2/callback?"+query.Encode())
	if err != nil {
		return err
	}
	l.own = cookies(jar(done, cookieName, cookieName+"-1"))
	if done.StatusCode != http.StatusSeeOther || l.own.value == "" {
		return fmt.Errorf("the login ends with status %d", done.StatusCode)
	}
	return nil
}

// jar are those of the named cookies that an answer sets.
func jar(answer *http.Response, names ...string) string {
	var pairs []string
	for _, c := range answer.Cookies() {
		if slices.Contains(names, c.Name) {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
	}
	return strings.Join(pairs, "; ")
}

// nativeCookie is what Envoy's own oauth2 filter would set, its tokens in the
// clear (disable_token_encryption): the cheapest way that it has.
func nativeCookie(t *tokens, now time.Time) string {
	expires := strconv.FormatInt(now.Add(time.Hour).Unix(), 10)
	mac := hmac.New(sha256.New, []byte(hmacSecret))
	mac.Write([]byte(strings.Join([]string{host, expires, t.access, t.id, t.refresh}, "\n")))
	return strings.Join([]string{
		"OauthHMAC=" + base64.StdEncoding.EncodeToString(mac.Sum(nil)), "OauthExpires=" + expires,
		"BearerToken=" + t.access, "IdToken=" + t.id, "RefreshToken=" + t.refresh,
	}, "; ")
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // crypto/rand ends the process where it fails
	return base64.RawURLEncoding.EncodeToString(b)
}

func uuid() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	h := hex.EncodeToString(b)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}
