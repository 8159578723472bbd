package idp

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// serveEndSession is RP-Initiated Logout 1.0. An ID token of the session at
// hand ends it at once; without one the person is asked, for any site can send
// a browser here.
func (p *Provider) serveEndSession(w http.ResponseWriter, r *http.Request) {
	p.count("end_session")
	if err := r.ParseForm(); err != nil {
		p.showError(w, refuse("invalid_request", "the form cannot be read"))
		return
	}
	form, err := single(r.Form)
	if err != nil {
		p.showError(w, err)
		return
	}
	client, sid, err := p.logoutClient(form)
	if err != nil {
		p.showError(w, err)
		return
	}
	back := form["post_logout_redirect_uri"]
	if back != "" && (client == nil || !slices.Contains(client.PostLogoutRedirectURIs, back)) {
		p.showError(w, refuse("invalid_request", "the address to return to is not registered for this client"))
		return
	}
	confirmed := r.Method == http.MethodPost && form["confirm"] == "yes" && p.sameOrigin(r)
	if s := p.currentSession(r); s != nil && s.id != sid && !confirmed {
		p.showSignOut(w, form)
		return
	}
	p.endCurrent(w, r, sid)
	if back == "" {
		p.showSignedOut(w)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, withState(back, form["state"]), http.StatusSeeOther)
}

// logoutClient tells who asks, from the ID token, whose expiry does not matter
// here, or from client_id.
func (p *Provider) logoutClient(form map[string]string) (client *Client, sid string, err error) {
	id := form["client_id"]
	if hint := form["id_token_hint"]; hint != "" {
		var claims struct {
			Issuer   string `json:"iss"`
			Audience string `json:"aud"`
			Session  string `json:"sid"`
		}
		if p.keys.verify(hint, &claims) != nil || claims.Issuer != p.cfg.Issuer || (id != "" && id != claims.Audience) {
			return nil, "", refuse("invalid_request", "the ID token is not one of ours, or another client's")
		}
		id, sid = claims.Audience, claims.Session
	}
	if id != "" && p.clients[id] == nil {
		return nil, "", refuse("invalid_request", "the client is not known")
	}
	return p.clients[id], sid, nil
}

// endCurrent ends the browser's session and the one that the ID token names.
func (p *Provider) endCurrent(w http.ResponseWriter, r *http.Request, sid string) {
	secret := ""
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		secret = cookie.Value
	}
	p.end(func(key string, s *session) bool { return key == secret || (sid != "" && s.id == sid) })
	p.setCookie(w, "", -1)
}

func withState(address, state string) string {
	if state == "" {
		return address
	}
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + url.Values{"state": {state}}.Encode()
}
