package standins

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

var oidcScopes = []string{"openid", "profile", "email", "offline_access"}

// graphScopes are the permissions of Graph that may be asked for here.
var graphScopes = []string{"User.Read", "GroupMember.Read.All", "Calendars.Read"}

const graphResource = "https://" + EntraGraph + "/"

// resource takes a scope apart: whose it is, and its name there. A scope
// without a resource is Graph's.
func (a *EntraApp) resource(scope string) (resource, name string, ok bool) {
	if slices.Contains(oidcScopes, scope) {
		return "", scope, true
	}
	if name, own := strings.CutPrefix(scope, "api://"+a.ID+"/"); own {
		return "api://" + a.ID, name, slices.Contains(a.APIScopes, name)
	}
	name = strings.TrimPrefix(scope, graphResource)
	return graphResource, name, slices.Contains(graphScopes, name)
}

// token is POST /{tenant}/oauth2/v2.0/token.
func (e *Entra) token(w http.ResponseWriter, r *http.Request) {
	app := e.authenticated(r)
	if app == nil {
		entraRefuses(w, http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided.")
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		e.exchange(w, r, app)
	case "refresh_token":
		grant := e.refreshes[r.PostForm.Get("refresh_token")]
		if grant == nil || grant.ended || grant.app != app {
			entraRefuses(w, http.StatusBadRequest, "invalid_grant", 50173, "The provided grant has expired due to it being revoked.")
			return
		}
		e.issue(w, grant, "") // with a new refresh token; the old one stays good
	default:
		entraRefuses(w, http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
	}
}

func (e *Entra) authenticated(r *http.Request) *EntraApp {
	id, password := credentials(r)
	app := e.app(id)
	if app == nil || !same(app.Secret, password) {
		return nil
	}
	return app
}

func (e *Entra) exchange(w http.ResponseWriter, r *http.Request, app *EntraApp) {
	c := e.codes[r.PostForm.Get("code")]
	switch {
	case c == nil:
		entraRefuses(w, http.StatusBadRequest, "invalid_grant", 9002313, "Invalid request. Request is malformed or invalid.")
		return
	case c.used:
		entraRefuses(w, http.StatusBadRequest, "invalid_grant", 54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.")
		return
	case c.client != app.ID, !c.valid.After(e.now()):
		entraRefuses(w, http.StatusBadRequest, "invalid_grant", 70008, "The provided authorization code or refresh token has expired due to inactivity.")
		return
	case c.redirect != r.PostForm.Get("redirect_uri"):
		entraRefuses(w, http.StatusBadRequest, "invalid_client", 500112, "The reply address does not match the reply address provided when requesting the authorization code.")
		return
	case !c.proves(r.PostForm.Get("code_verifier")):
		entraRefuses(w, http.StatusBadRequest, "invalid_grant", 501481, "The Code_Verifier does not match the code_challenge supplied in the authorization request.")
		return
	}
	c.used = true
	_, user := e.person(c.user)
	e.issue(w, &entraGrant{app: app, tenant: e.tenant(c.tenant), user: user, scopes: c.scopes}, c.nonce)
}

// issue makes an access token for one resource, that of the first scope which
// has one. The answer names the scopes of that resource, by their full names; OpenID
// Connect's only where the resource is Graph, which has the userinfo endpoint;
// and offline_access never.
func (e *Entra) issue(w http.ResponseWriter, grant *entraGrant, nonce string) {
	resource, granted, names := grant.granted()
	access, err := e.accessToken(grant, resource, names)
	if err != nil {
		http.Error(w, "no token", http.StatusInternalServerError)
		return
	}
	if resource == graphResource {
		fresh := *grant
		fresh.scopes, fresh.expires = names, e.now().Add(entraTokenLife)
		e.access[access] = &fresh
	}
	answer := object{
		"token_type": "Bearer", "scope": strings.Join(granted, " "), "access_token": access,
		"expires_in": int(entraTokenLife.Seconds()), "ext_expires_in": int(entraTokenLife.Seconds()),
	}
	if slices.Contains(grant.scopes, "offline_access") {
		refresh := secret("1.A")
		e.refreshes[refresh] = grant
		answer["refresh_token"] = refresh
	}
	if slices.Contains(grant.scopes, "openid") {
		if answer["id_token"], err = e.keyOf(grant.tenant).sign(e.idClaims(grant, nonce), nil); err != nil {
			http.Error(w, "no token", http.StatusInternalServerError)
			return
		}
	}
	writeJSON(w, http.StatusOK, answer)
}

func (g *entraGrant) granted() (resource string, granted, names []string) {
	resource = graphResource
	for _, s := range g.scopes {
		if of, _, _ := g.app.resource(s); of != "" {
			resource = of
			break
		}
	}
	for _, s := range g.scopes {
		of, name, _ := g.app.resource(s)
		switch {
		case of == resource:
			granted = append(granted, strings.TrimSuffix(resource, "/")+"/"+name)
		case of == "" && resource == graphResource && name != "offline_access":
			granted = append(granted, name)
		default:
			continue
		}
		names = append(names, name)
	}
	return resource, granted, names
}

func (e *Entra) keyOf(t *EntraTenant) signingKey {
	if t.ID == EntraConsumers {
		return e.msa
	}
	return e.key
}

// accessToken is of version 1 or 2, as the API wants it. Graph's is nobody's to
// look into: its signature does not verify without the nonce of its header.
func (e *Entra) accessToken(g *entraGrant, resource string, names []string) (string, error) {
	now := e.now().Unix()
	claims := object{
		"iat": now, "nbf": now, "exp": now + int64(entraTokenLife.Seconds()), "scp": strings.Join(names, " "),
		"oid": g.user.OID, "sub": g.sub(resource), "tid": g.tenant.ID, "uti": secret(""), "name": g.user.Name,
	}
	if len(g.user.Roles) > 0 {
		claims["roles"] = g.user.Roles
	}
	header := map[jose.HeaderKey]any{}
	switch {
	case resource == graphResource:
		claims["aud"], claims["iss"], claims["ver"] = "00000003-0000-0000-c000-000000000000", entraV1+g.tenant.ID+"/", "1.0"
		claims["appid"] = g.app.ID
		header["nonce"] = secret("")
		token, err := e.keyOf(g.tenant).sign(claims, header)
		return token[:strings.LastIndexByte(token, '.')+1] + secret(""), err
	case g.app.APIVersion == 1:
		claims["aud"], claims["iss"], claims["ver"] = resource, entraV1+g.tenant.ID+"/", "1.0"
		claims["appid"], claims["appidacr"], claims["upn"], claims["unique_name"] = g.app.ID, "1", g.user.UPN, g.user.UPN
		header["x5t"] = e.keyOf(g.tenant).id
	default:
		claims["aud"], claims["iss"], claims["ver"] = g.app.ID, entraIssuer(g.tenant.ID), "2.0"
		claims["azp"], claims["azpacr"], claims["preferred_username"] = g.app.ID, "1", g.user.UPN
	}
	return e.keyOf(g.tenant).sign(claims, header)
}

// sub is pairwise: another one for each application and tenant.
func (g *entraGrant) sub(audience string) string {
	sum := sha256.Sum256([]byte(g.app.ID + " " + audience + " " + g.tenant.ID + " " + g.user.OID))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// idClaims are those of "ID token claims reference", version 2. There is no
// email_verified: an address is what an administrator wrote there.
func (e *Entra) idClaims(g *entraGrant, nonce string) object {
	now := e.now().Unix()
	claims := object{
		"ver": "2.0", "iss": entraIssuer(g.tenant.ID), "sub": g.sub(""), "aud": g.app.ID, "iat": now - 300, "nbf": now - 300, "exp": now + 3600,
		"tid": g.tenant.ID, "uti": secret(""), "rh": secret("1."), "aio": secret(""), "sid": secret(""),
	}
	if slices.Contains(g.scopes, "profile") {
		claims["name"], claims["oid"], claims["preferred_username"] = g.user.Name, g.user.OID, g.user.UPN
	}
	if slices.Contains(g.scopes, "email") && g.user.Email != "" {
		claims["email"] = g.user.Email
		if g.app.EDOV {
			claims["xms_edov"] = g.user.OwnDomain
		}
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if len(g.user.Roles) > 0 {
		claims["roles"] = g.user.Roles
	}
	if g.app.Groups {
		g.addGroups(claims)
	}
	return claims
}

// addGroups is "Groups overage claim". The address is that of an API which is no
// longer there.
func (g *entraGrant) addGroups(claims object) {
	if len(g.user.Groups) <= maxTokenGroups {
		claims["groups"] = g.user.Groups
		return
	}
	claims["_claim_names"] = object{"groups": "src1"}
	claims["_claim_sources"] = object{"src1": object{
		"endpoint": "https://graph.windows.net/" + g.tenant.ID + "/users/" + g.user.OID + "/getMemberObjects",
	}}
}

// Withdraw is an administrator who ends somebody's sessions: refresh tokens and
// Graph's access tokens are no longer good.
func (e *Entra) Withdraw(upn string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, grants := range []map[string]*entraGrant{e.access, e.refreshes} {
		for _, grant := range grants {
			if grant.user.UPN == upn {
				grant.ended = true
			}
		}
	}
}

// description is an error's text with what follows each.
func (e *Entra) description(number int, text string) string {
	return fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
		number, text, entraTrace, entraTrace, e.now().UTC().Format("2006-01-02 15:04:05Z"))
}

const entraTrace = "0000aaaa-11bb-cccc-dd22-eeeeee333333"

func entraRefuses(w http.ResponseWriter, status int, name string, number int, text string) {
	const at = "2026-01-09 02:02:12Z"
	writeJSON(w, status, object{
		"error": name, "error_codes": []int{number}, "timestamp": at, "trace_id": entraTrace, "correlation_id": entraTrace,
		"error_description": fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", number, text, entraTrace, entraTrace, at),
		"error_uri":         fmt.Sprintf("https://%s/error?code=%d", EntraLogin, number),
	})
}

// APIToken is an access token for an app's own API, as some other client gets it
// for somebody.
func (e *Entra) APIToken(clientID, upn string, names ...string) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	tenant, user := e.person(upn)
	app := e.app(clientID)
	if user == nil || app == nil {
		return "", fmt.Errorf("standins: entra: no such app or person")
	}
	return e.accessToken(&entraGrant{app: app, tenant: tenant, user: user}, "api://"+app.ID, names)
}

// Forge signs claims by the key of personal accounts, which is among the keys of
// the authority for all: whoever has that key could.
func (e *Entra) Forge(claims map[string]any) (string, error) { return e.msa.sign(claims, nil) }
