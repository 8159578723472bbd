package idp

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope"`

	IssuedTokenType string `json:"issued_token_type,omitempty"` // RFC 8693, section 2.2.1
}

func (p *Provider) serveToken(w http.ResponseWriter, r *http.Request) {
	answer, err := p.token(w, r)
	if err != nil {
		p.refuseToken(w, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) (*tokenResponse, error) {
	form, err := readForm(r)
	if err != nil {
		return nil, err
	}
	client, err := p.authenticate(r, form)
	if err != nil {
		return nil, err
	}
	key, err := p.tokenKey(w, r, client)
	if err != nil {
		return nil, err
	}
	switch form["grant_type"] {
	case "authorization_code":
		p.count("token:authorization_code")
		return p.exchange(client, form, key)
	case "refresh_token":
		p.count("token:refresh_token")
		return p.refresh(client, form, key)
	case "client_credentials":
		p.count("token:client_credentials")
		return p.clientCredentials(client, form, key)
	case grantTokenExchange:
		p.count("token:token_exchange")
		return p.exchangeToken(client, form, key)
	}
	return nil, refuse("unsupported_grant_type", "the grant is not supported")
}

// grantTokenExchange is RFC 8693, section 2.1.
const grantTokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"

// readForm takes the body alone: credentials in an address end up in logs.
func readForm(r *http.Request) (map[string]string, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		return nil, refuse("invalid_request", "the body must be a form")
	}
	if err := r.ParseForm(); err != nil {
		return nil, refuse("invalid_request", "the form cannot be read")
	}
	return single(r.PostForm)
}

func (p *Provider) exchange(client *Client, form map[string]string, key string) (*tokenResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.store.codes[form["code"]]
	if c == nil || c.grant.client != client {
		return nil, refuse("invalid_grant", "the code is not known")
	}
	if c.used { // a second use: one of the two is a thief (RFC 6749, section 4.1.2)
		c.grant.revoked = true
		return nil, refuse("invalid_grant", "the code was used before")
	}
	c.used = true
	switch {
	case !c.valid.After(p.now()):
		return nil, refuse("invalid_grant", "the code has expired")
	case c.redirectURI != form["redirect_uri"]:
		return nil, refuse("invalid_grant", "the redirect address is not the one the code was sent to")
	case !verifies(c.challenge, form["code_verifier"]):
		return nil, refuse("invalid_grant", "the code verifier does not fit the challenge")
	case c.thumbprint != "" && c.thumbprint != key:
		return nil, refuse("invalid_dpop_proof", "the code is bound to another key")
	case form["resource"] != "" && form["resource"] != c.grant.audience:
		return nil, refuse("invalid_target", "the person was asked for another API")
	case !c.grant.live():
		return nil, refuse("invalid_grant", "the login has ended")
	}
	return p.issue(c.grant, c.grant.scopes, c.grant.nonce, key)
}

func verifies(challenge, verifier string) bool {
	if len(verifier) < 43 || len(verifier) > 128 { // RFC 7636, section 4.1
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return equal(challenge, base64.RawURLEncoding.EncodeToString(sum[:]))
}

// refresh answers with a new refresh token and spends the old one. A spent one
// that comes again ends the whole login (RFC 9700, section 4.14.2).
func (p *Provider) refresh(client *Client, form map[string]string, key string) (*tokenResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.store.refreshes[form["refresh_token"]]
	if t == nil || t.grant.client != client {
		return nil, refuse("invalid_grant", "the refresh token is not known")
	}
	if t.used {
		t.grant.revoked = true
		return nil, refuse("invalid_grant", "the refresh token was used before")
	}
	if !t.grant.live() || !t.expires.After(p.now()) {
		return nil, refuse("invalid_grant", "the refresh token has expired or was revoked")
	}
	if t.thumbprint != "" && t.thumbprint != key {
		return nil, refuse("invalid_dpop_proof", "the refresh token is bound to another key")
	}
	if form["resource"] != "" && form["resource"] != t.grant.audience {
		return nil, refuse("invalid_target", "the person was asked for another API")
	}
	scopes := t.grant.scopes
	if asked := strings.Fields(form["scope"]); len(asked) > 0 {
		if slices.ContainsFunc(asked, func(s string) bool { return !t.grant.has(s) }) {
			return nil, refuse("invalid_scope", "a refresh cannot widen the scope")
		}
		scopes = asked
	}
	t.used = true
	return p.issue(t.grant, scopes, "", key) // no nonce in a refreshed ID token (OpenID Connect Core, 12.2)
}

// issue makes the tokens of one answer, bound to a key where there is one. The caller
// holds the lock.
func (p *Provider) issue(g *grant, scopes []string, nonce, key string) (*tokenResponse, error) {
	now := p.now()
	p.store.sweep(now)
	accessToken, err := p.issueAccess(g, scopes, g.audience, now.Add(p.cfg.AccessTokenLifetime), key)
	if err != nil {
		return nil, err
	}
	idToken, err := p.issueID(g, nonce, accessToken)
	if err != nil {
		return nil, err
	}
	refreshToken := newToken()
	p.store.refreshes[refreshToken] = &refresh{grant: g, expires: now.Add(p.cfg.RefreshTokenLifetime)}
	if g.client.method() == "none" {
		p.store.refreshes[refreshToken].thumbprint = key
	}
	return &tokenResponse{
		AccessToken: accessToken, TokenType: tokenType(key), ExpiresIn: int64(p.cfg.AccessTokenLifetime.Seconds()),
		RefreshToken: refreshToken, IDToken: idToken, Scope: strings.Join(scopes, " "),
	}, nil
}

// issueAccess makes a token of RFC 9068, or one that says nothing.
func (p *Provider) issueAccess(g *grant, scopes []string, audience string, expires time.Time, key string) (string, error) {
	now, jti := p.now(), newToken()
	a := &access{grant: g, scopes: scopes, audience: audience, issued: now, expires: expires, thumbprint: key}
	if g.client.OpaqueTokens {
		p.store.accesses[opaqueID(jti)] = a
		return jti, nil
	}
	p.store.accesses[jti] = a
	claims := map[string]any{
		"iss": p.cfg.Issuer, "sub": g.subject(), "aud": audience, "client_id": g.client.ID,
		"iat": now.Unix(), "exp": expires.Unix(), "jti": jti, "scope": strings.Join(scopes, " "),
	}
	if g.session != nil {
		claims["sid"] = g.session.id
	}
	g.proof.addTo(claims)
	confirmation(claims, key)
	if g.user != nil && slices.Contains(scopes, "groups") {
		claims["groups"] = g.user.Groups
	}
	return p.keys.sign(g.client.Algorithm, "at+jwt", claims)
}

func (p *Provider) issueID(g *grant, nonce, accessToken string) (string, error) {
	now := p.now()
	half := sha256.Sum256([]byte(accessToken)) // both algorithms hash with SHA-256
	claims := map[string]any{
		"iss": p.cfg.Issuer, "sub": g.user.Subject, "aud": g.client.ID, "azp": g.client.ID,
		"iat": now.Unix(), "exp": now.Add(p.cfg.IDTokenLifetime).Unix(), "amr": []string{"pwd"},
		"sid": g.session.id, "at_hash": base64.RawURLEncoding.EncodeToString(half[:len(half)/2]),
	}
	g.proof.addTo(claims)
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if g.client.ClaimsInIDToken {
		g.user.addClaims(claims, g.scopes)
	}
	if p.editIDToken != nil {
		p.editIDToken(claims)
	}
	return p.keys.sign(g.client.Algorithm, "JWT", claims)
}

func (p *Provider) refuseToken(w http.ResponseWriter, err error) {
	var e *oauthError
	if !errors.As(err, &e) {
		writeJSON(w, http.StatusInternalServerError, map[string]string{"error": "server_error"})
		return
	}
	p.count("refused:" + e.code)
	status := http.StatusBadRequest
	if e.code == "invalid_client" {
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", `Basic realm="token"`)
	}
	writeJSON(w, status, map[string]string{"error": e.code, "error_description": e.description})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "the answer could not be encoded", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
