package idp

import (
	"net/http"
	"slices"
	"strings"
)

// addClaims adds what the scopes ask for (OpenID Connect Core, 5.4).
func (u *User) addClaims(claims map[string]any, scopes []string) {
	if slices.Contains(scopes, "profile") {
		claims["name"] = u.Name
		claims["preferred_username"] = u.PreferredUsername
	}
	if slices.Contains(scopes, "email") {
		claims["email"] = u.Email
		claims["email_verified"] = true
	}
	if slices.Contains(scopes, "groups") {
		claims["groups"] = u.Groups
	}
}

func (p *Provider) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	p.count("userinfo")
	a := p.accessOf(r)
	if a == nil || a.grant.user == nil || !slices.Contains(a.scopes, "openid") {
		p.count("refused:invalid_token")
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_token"})
		return
	}
	claims := map[string]any{"sub": a.grant.user.Subject}
	a.grant.user.addClaims(claims, a.scopes)
	writeJSON(w, http.StatusOK, claims)
}

// accessOf finds the live access token that a request carries, in its header
// only (RFC 6750, section 2.1).
func (p *Provider) accessOf(r *http.Request) *access {
	header := r.Header.Values("Authorization")
	if len(header) != 1 {
		return nil
	}
	scheme, token, ok := strings.Cut(header[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.store.accesses[p.tokenID(token)]; a != nil && p.alive(a) {
		return a
	}
	return nil
}

// tokenID is the name under which an access token would be kept.
func (p *Provider) tokenID(token string) string {
	var claims struct {
		ID string `json:"jti"`
	}
	if p.keys.verify(token, &claims) != nil {
		return opaqueID(token)
	}
	return claims.ID
}

func (p *Provider) alive(a *access) bool { return a.grant.live() && a.expires.After(p.now()) }
