package standins

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// refreshLife is GitHub's six months.
const refreshLife = 15897600 * time.Second

// token is POST /login/oauth/access_token. Its errors have status 200
// ("Troubleshooting OAuth app access token request errors"), and its answers
// are form-encoded unless JSON or XML is asked for.
func (g *GitHub) token(w http.ResponseWriter, r *http.Request) {
	values := r.Form // GitHub documents them as parameters, wherever they stand
	app := g.app(values.Get("client_id"))
	if app == nil || !same(app.Secret, values.Get("client_secret")) {
		githubRefuses(w, r, "incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect.", "incorrect-client-credentials")
		return
	}
	if values.Get("grant_type") == "refresh_token" {
		g.refresh(w, r, app)
		return
	}
	g.exchange(w, r, app)
}

func (g *GitHub) exchange(w http.ResponseWriter, r *http.Request, app *GitHubApp) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.codes[r.Form.Get("code")]
	switch {
	case c == nil || c.used || c.client != app.ID || !c.valid.After(g.now()) || !c.proves(r.Form.Get("code_verifier")):
		githubRefuses(w, r, "bad_verification_code", "The code passed is incorrect or expired.", "bad-verification-code")
		return
	case r.Form.Get("redirect_uri") != "" && r.Form.Get("redirect_uri") != c.redirect:
		githubRefuses(w, r, "redirect_uri_mismatch", "The redirect_uri MUST match the registered callback URL for this application.", "redirect-uri-mismatch2")
		return
	}
	c.used = true
	user := g.user(c.user)
	if !g.ghes && !user.hasVerifiedPrimary() {
		githubRefuses(w, r, "unverified_user_email", "The user must have a verified primary email.", "unverified-user-email")
		return
	}
	githubAnswers(w, r, g.issue(app, user, c.scopes))
}

func (u *GitHubUser) hasVerifiedPrimary() bool {
	return slices.ContainsFunc(u.Emails, func(e GitHubEmail) bool { return e.Primary && e.Verified })
}

// issue makes tokens. The prefixes are those of
// https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github.
func (g *GitHub) issue(app *GitHubApp, user *GitHubUser, scopes []string) url.Values {
	t := &githubToken{app: app, user: user, scopes: normalized(scopes), access: secret("gho_")}
	if app.isApp {
		t.scopes, t.access = nil, secret("ghu_")
	}
	answer := url.Values{"access_token": {t.access}, "scope": {strings.Join(t.scopes, ",")}, "token_type": {"bearer"}}
	if app.TokenLife > 0 {
		t.refresh, t.expires = secret("ghr_"), g.now().Add(app.TokenLife)
		g.refreshes[t.refresh] = t
		answer.Set("expires_in", seconds(app.TokenLife))
		answer.Set("refresh_token", t.refresh)
		answer.Set("refresh_token_expires_in", seconds(refreshLife))
	}
	g.tokens[t.access] = t
	return answer
}

// normalized leaves out scopes that wider ones hold, which GitHub does not name
// ("Normalized scopes", https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps).
func normalized(scopes []string) []string {
	held := map[string][]string{
		"user": {"read:user", "user:email", "user:follow"}, "admin:org": {"write:org", "read:org"}, "write:org": {"read:org"},
	}
	var all []string
	for _, s := range slices.Sorted(slices.Values(scopes)) {
		if !slices.ContainsFunc(scopes, func(wider string) bool { return slices.Contains(held[wider], s) }) {
			all = append(all, s)
		}
	}
	return all
}

// refresh is "Refreshing user access tokens": the refresh token and the access
// token that came with it no longer work afterwards.
func (g *GitHub) refresh(w http.ResponseWriter, r *http.Request, app *GitHubApp) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.refreshes[r.Form.Get("refresh_token")]
	if t == nil || t.app != app {
		githubRefuses(w, r, "bad_refresh_token", "The refresh token passed is incorrect or expired.", "bad-verification-code")
		return
	}
	delete(g.refreshes, t.refresh)
	delete(g.tokens, t.access)
	githubAnswers(w, r, g.issue(app, t.user, t.scopes))
}

func githubRefuses(w http.ResponseWriter, r *http.Request, code, description, anchor string) {
	githubAnswers(w, r, url.Values{
		"error": {code}, "error_description": {description},
		"error_uri": {"https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/#" + anchor},
	})
}

// githubAnswers writes an answer in the form that the request accepts.
func githubAnswers(w http.ResponseWriter, r *http.Request, answer url.Values) {
	accept := r.Header.Get("Accept")
	switch {
	case strings.Contains(accept, "application/json"):
		members := object{}
		for k, v := range answer {
			members[k] = v[0]
			if strings.HasSuffix(k, "expires_in") {
				members[k] = json.Number(v[0])
			}
		}
		writeJSON(w, http.StatusOK, members)
	case strings.Contains(accept, "application/xml"):
		w.Header().Set("Content-Type", "application/xml; charset=utf-8")
		root := xml.StartElement{Name: xml.Name{Local: "OAuth"}}
		encoder := xml.NewEncoder(w)
		_ = encoder.EncodeToken(root)
		for k, v := range answer {
			_ = encoder.EncodeElement(v[0], xml.StartElement{Name: xml.Name{Local: k}})
		}
		_ = encoder.EncodeToken(root.End())
		_ = encoder.Flush()
	default:
		w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		_, _ = w.Write([]byte(answer.Encode()))
	}
}
