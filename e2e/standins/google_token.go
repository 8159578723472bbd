package standins

import (
	"net/http"
	"slices"
	"strings"
)

// token is POST https://oauth2.googleapis.com/token.
func (g *Google) token(w http.ResponseWriter, r *http.Request) {
	client := g.authenticated(r)
	if client == nil {
		googleRefuses(w, http.StatusUnauthorized, "invalid_client", "The provided client secret is invalid.")
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		g.exchange(w, r, client)
	case "refresh_token":
		grant := g.refreshes[r.PostForm.Get("refresh_token")]
		if grant == nil || grant.ended || grant.client != client {
			googleRefuses(w, http.StatusBadRequest, "invalid_grant", "Token has been expired or revoked.")
			return
		}
		g.issue(w, grant, "") // the refresh token stays as it is, and is not said again
	default:
		googleRefuses(w, http.StatusBadRequest, "unsupported_grant_type", "Invalid grant_type: "+r.PostForm.Get("grant_type"))
	}
}

func (g *Google) authenticated(r *http.Request) *GoogleClient {
	id, password := credentials(r)
	client := g.client(id)
	if client == nil || !same(client.Secret, password) {
		return nil
	}
	return client
}

func (g *Google) exchange(w http.ResponseWriter, r *http.Request, client *GoogleClient) {
	c := g.codes[r.PostForm.Get("code")]
	switch {
	case c == nil:
		googleRefuses(w, http.StatusBadRequest, "invalid_grant", "Malformed auth code.")
		return
	case c.client != client.ID:
		googleRefuses(w, http.StatusUnauthorized, "unauthorized_client", "Unauthorized")
		return
	case c.used, !c.valid.After(g.now()):
		googleRefuses(w, http.StatusBadRequest, "invalid_grant", "Bad Request")
		return
	case c.redirect != r.PostForm.Get("redirect_uri"):
		googleRefuses(w, http.StatusBadRequest, "redirect_uri_mismatch", "Bad Request")
		return
	case !c.proves(r.PostForm.Get("code_verifier")):
		googleRefuses(w, http.StatusBadRequest, "invalid_grant", "Invalid code verifier.")
		return
	}
	c.used = true
	grant := &googleGrant{client: client, user: g.user(c.user), scopes: c.scopes}
	if c.offline {
		grant.refresh = secret("1//")
		g.refreshes[grant.refresh] = grant
	}
	g.issue(w, grant, c.nonce)
}

// issue answers with tokens: with a refresh token where this is the exchange of
// a code, which has a nonce.
func (g *Google) issue(w http.ResponseWriter, grant *googleGrant, nonce string) {
	access := secret("ya29.")
	fresh := *grant
	fresh.expires = g.now().Add(googleTokenLife)
	g.access[access] = &fresh
	answer := object{
		"access_token": access, "expires_in": int(googleTokenLife.Seconds()), "token_type": "Bearer",
		"scope": strings.Join(googleScopes(grant.scopes), " "),
	}
	if grant.refresh != "" && nonce != "" {
		answer["refresh_token"] = grant.refresh
	}
	if slices.Contains(grant.scopes, "openid") {
		token, err := g.key.sign(g.claims(grant, nonce, access), nil)
		if err != nil {
			googleRefuses(w, http.StatusInternalServerError, "internal_failure", "")
			return
		}
		answer["id_token"] = token
	}
	writeJSON(w, http.StatusOK, answer)
}

// claims are those of "ID Token (Claims)".
func (g *Google) claims(grant *googleGrant, nonce, access string) object {
	now := g.now().Unix()
	claims := grant.user.profile(grant.scopes)
	claims["iss"], claims["azp"], claims["aud"] = "https://"+GoogleAccounts, grant.client.ID, grant.client.ID
	claims["iat"], claims["exp"], claims["at_hash"] = now, now+3600, halfHash(access)
	if nonce != "" {
		claims["nonce"] = nonce
	}
	return claims
}

// profile is what the scopes say may be told of somebody.
func (u *GoogleUser) profile(scopes []string) object {
	claims := object{"sub": u.Sub}
	if u.Domain != "" {
		claims["hd"] = u.Domain
	}
	if slices.Contains(scopes, "email") {
		claims["email"], claims["email_verified"] = u.Email, !u.Unverified
	}
	if slices.Contains(scopes, "profile") {
		claims["name"], claims["given_name"], claims["family_name"] = u.Given+" "+u.Family, u.Given, u.Family
		claims["picture"] = "https://lh3.googleusercontent.com/a/" + u.Sub
	}
	return claims
}

func (g *Google) userinfo(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	grant := g.access[bearerToken(r)]
	good := grant != nil && !grant.ended && grant.expires.After(g.now())
	if good && grant.refresh != "" {
		good = !g.refreshes[grant.refresh].ended
	}
	g.mu.Unlock()
	if !good {
		w.Header().Set("WWW-Authenticate", `Bearer realm="https://accounts.google.com/", error="invalid_token"`)
		googleRefuses(w, http.StatusUnauthorized, "invalid_request", "Invalid Credentials")
		return
	}
	writeJSON(w, http.StatusOK, grant.user.profile(grant.scopes))
}

// revoke ends a refresh token, or an access token together with its refresh
// token ("Revoking a token").
func (g *Google) revoke(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	token := r.Form.Get("token")
	grant := g.refreshes[token]
	if grant == nil {
		grant = g.access[token]
	}
	if grant == nil || grant.ended {
		googleRefuses(w, http.StatusBadRequest, "invalid_token", "Token expired or revoked")
		return
	}
	g.end(grant)
	writeJSON(w, http.StatusOK, object{})
}

func (g *Google) end(grant *googleGrant) {
	grant.ended = true
	if whole := g.refreshes[grant.refresh]; whole != nil {
		whole.ended = true
	}
	delete(g.consents, grant.client.ID+" "+grant.user.Email)
}

// Withdraw is somebody who takes the app's access away in their account.
func (g *Google) Withdraw(email string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, grants := range []map[string]*googleGrant{g.access, g.refreshes} {
		for _, grant := range grants {
			if grant.user.Email == email {
				g.end(grant)
			}
		}
	}
}

func googleRefuses(w http.ResponseWriter, status int, code, description string) {
	writeJSON(w, status, object{"error": code, "error_description": description})
}
