package standins

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

// graph guards Microsoft Graph: it takes the access tokens that were issued for
// it, with a permission for what is asked.
func (e *Entra) graph(serve func(http.ResponseWriter, *http.Request, *entraGrant)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		grant := e.access[bearerToken(r)]
		good := grant != nil && !grant.ended && grant.expires.After(e.now())
		e.mu.Unlock()
		if !good {
			w.Header().Set("WWW-Authenticate", `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"`)
			graphRefuses(w, http.StatusUnauthorized, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience.")
			return
		}
		serve(w, r, grant)
	}
}

func (g *entraGrant) may(scopes ...string) bool {
	return slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(g.scopes, s) })
}

// memberObjects is POST /me/getMemberObjects: all groups at once, up to 11,000.
func (e *Entra) memberObjects(w http.ResponseWriter, r *http.Request, g *entraGrant) {
	if !g.may("User.Read", "GroupMember.Read.All") {
		graphRefuses(w, http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
		return
	}
	var asked struct {
		SecurityEnabledOnly *bool `json:"securityEnabledOnly"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.SecurityEnabledOnly == nil {
		graphRefuses(w, http.StatusBadRequest, "Request_BadRequest", "A value is required for parameter 'securityEnabledOnly'.")
		return
	}
	writeJSON(w, http.StatusOK, object{
		"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#Collection(Edm.String)", "value": g.user.Groups,
	})
}

// memberOf is GET /me/memberOf: a hundred a page, and the address of the next.
func (e *Entra) memberOf(w http.ResponseWriter, r *http.Request, g *entraGrant) {
	if !g.may("GroupMember.Read.All") {
		graphRefuses(w, http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
		return
	}
	const size = 100
	from, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken"))
	from = max(0, min(from, len(g.user.Groups)))
	to := min(from+size, len(g.user.Groups))
	value := []object{}
	for i, id := range g.user.Groups[from:to] {
		value = append(value, object{"@odata.type": "#microsoft.graph.group", "id": id, "displayName": "Group " + strconv.Itoa(from+i)})
	}
	answer := object{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#directoryObjects", "value": value}
	if to < len(g.user.Groups) {
		answer["@odata.nextLink"] = "https://graph.microsoft.com/v1.0/me/memberOf?$skiptoken=" + strconv.Itoa(to)
	}
	writeJSON(w, http.StatusOK, answer)
}

// userinfo has less than the ID token: no groups, no roles, no user name.
func (e *Entra) userinfo(w http.ResponseWriter, _ *http.Request, g *entraGrant) {
	answer := object{"sub": g.sub(""), "name": g.user.Name, "picture": "https://graph.microsoft.com/v1.0/me/photo/$value"}
	if g.may("email") && g.user.Email != "" {
		answer["email"] = g.user.Email
	}
	writeJSON(w, http.StatusOK, answer)
}

func graphRefuses(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, object{"error": object{"code": code, "message": message, "innerError": object{"request-id": entraTrace}}})
}
