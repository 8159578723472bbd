package idp

import (
	"errors"
	"net/http"
	"slices"
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
	a, err := p.accessOf(w, r)
	if err == nil && (a.grant.user == nil || !slices.Contains(a.scopes, "openid")) {
		err = errToken
	}
	if err != nil {
		p.refuseAccess(w, r, err)
		return
	}
	claims := map[string]any{"sub": a.grant.user.Subject}
	a.grant.user.addClaims(claims, a.scopes)
	writeJSON(w, http.StatusOK, claims)
}

var errToken = &oauthError{"invalid_token", "the access token is not good"}

// refuseAccess is RFC 6750, section 3, and RFC 9449, section 7.1.
func (p *Provider) refuseAccess(w http.ResponseWriter, r *http.Request, err error) {
	code, challenge := errToken.code, "Bearer"
	var e *oauthError
	if errors.As(err, &e) {
		code = e.code
	}
	if scheme, _ := carried(r); scheme == "dpop" {
		challenge = "DPoP"
	}
	p.count("refused:" + code)
	w.Header().Set("WWW-Authenticate", challenge+` error="`+code+`"`)
	writeJSON(w, http.StatusUnauthorized, map[string]string{"error": code})
}

// accessOf finds the live access token that a request carries. One that is bound to
// a key needs the proof of it, and one that is not is no DPoP token.
func (p *Provider) accessOf(w http.ResponseWriter, r *http.Request) (*access, error) {
	scheme, token := carried(r)
	thumbprint := ""
	switch scheme {
	case "bearer":
	case "dpop":
		var err error
		if thumbprint, err = p.proofOf(w, r, token); err != nil {
			return nil, err
		}
		if thumbprint == "" {
			return nil, errProof
		}
	default:
		return nil, errToken
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.store.accesses[p.tokenID(token)]; a != nil && p.alive(a) && a.thumbprint == thumbprint {
		return a, nil
	}
	return nil, errToken
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
