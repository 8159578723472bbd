package standins

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// api is the REST API's four questions about somebody. All answers name the
// scopes of the token, and what the rate limit leaves
// (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api).
func (g *GitHub) api() http.Handler {
	mux := http.NewServeMux()
	for path, serve := range map[string]func(http.ResponseWriter, *http.Request, *githubToken){
		"/user": g.whoami, "/user/emails": g.emails, "/user/orgs": g.orgs, "/user/teams": g.teams,
	} {
		mux.HandleFunc("GET "+g.base+path, g.guarded(serve))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { apiRefuses(w, http.StatusNotFound, "Not Found") })
	return mux
}

func (g *GitHub) guarded(serve func(http.ResponseWriter, *http.Request, *githubToken)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("User-Agent") == "" {
			// "Getting started with the REST API", User agent required.
			http.Error(w, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header", http.StatusForbidden)
			return
		}
		if v := r.Header.Get("X-GitHub-Api-Version"); v != "" && v != "2022-11-28" {
			apiRefuses(w, http.StatusBadRequest, "The API version is not supported")
			return
		}
		g.mu.Lock()
		t := g.tokens[bearerToken(r)]
		if t != nil && !t.expires.IsZero() && !t.expires.After(g.now()) {
			t = nil
		}
		g.remaining--
		left, scopes := g.remaining, []string(nil)
		if t != nil {
			scopes = t.scopes
		}
		g.mu.Unlock()
		w.Header().Set("X-Github-Request-Id", secret(""))
		w.Header().Set("X-Ratelimit-Limit", "5000")
		w.Header().Set("X-Ratelimit-Remaining", strconv.Itoa(max(left, 0)))
		w.Header().Set("X-Ratelimit-Reset", strconv.FormatInt(g.now().Add(time.Hour).Unix(), 10))
		switch {
		case t == nil:
			apiRefuses(w, http.StatusUnauthorized, "Bad credentials")
		case left < 0:
			apiRefuses(w, http.StatusForbidden, fmt.Sprintf("API rate limit exceeded for user ID %d.", t.user.ID))
		default:
			if !t.app.isApp {
				w.Header().Set("X-Oauth-Scopes", strings.Join(scopes, ", "))
			}
			serve(w, r, t)
		}
	}
}

func apiRefuses(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, object{"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status)})
}

// may says whether the token has one of these scopes, or its app the permission.
func (t *githubToken) may(permission string, scopes ...string) bool {
	if t.app.isApp {
		return slices.Contains(t.app.Permissions, permission)
	}
	return slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(t.scopes, s) })
}

// whoami is GET /user. The e-mail address in it is the one that somebody shows
// to everybody, which is none here.
func (g *GitHub) whoami(w http.ResponseWriter, _ *http.Request, t *githubToken) {
	u := t.user
	writeJSON(w, http.StatusOK, object{
		"login": u.Login, "id": u.ID, "node_id": "MDQ6VXNlcjE=", "type": "User", "site_admin": false, "name": u.Name, "email": nil,
		"avatar_url": "https://avatars.githubusercontent.com/u/" + strconv.FormatInt(u.ID, 10) + "?v=4",
		"url":        "https://" + g.API + g.base + "/users/" + u.Login, "html_url": "https://" + g.Web + "/" + u.Login,
		"company": nil, "hireable": nil, "created_at": "2008-01-14T04:33:35Z",
	})
}

// emails is GET /user/emails: 404 without the scope user:email, 403 without an
// app's permission.
func (g *GitHub) emails(w http.ResponseWriter, r *http.Request, t *githubToken) {
	if !t.may("emails", "user", "user:email") {
		g.lacks(w, t, http.StatusNotFound, "Not Found")
		return
	}
	writePaged(w, r, g, t.user.Emails)
}

// orgs is GET /user/orgs, which takes user or read:org.
func (g *GitHub) orgs(w http.ResponseWriter, r *http.Request, t *githubToken) {
	if !t.may("members", "user", "read:org", "write:org", "admin:org") {
		g.lacks(w, t, http.StatusForbidden, "You need at least read:org scope or user scope to list your organizations.")
		return
	}
	orgs := []object{}
	for i, org := range t.user.Orgs {
		orgs = append(orgs, githubOrg(int64(i), org))
	}
	writePaged(w, r, g, orgs)
}

func githubOrg(n int64, login string) object {
	return object{"login": login, "id": 9000 + n, "node_id": "MDEyOk9yZw==", "description": nil}
}

// teams is GET /user/teams, which takes user, repo or read:org.
func (g *GitHub) teams(w http.ResponseWriter, r *http.Request, t *githubToken) {
	if !t.may("members", "user", "repo", "read:org", "write:org", "admin:org") {
		g.lacks(w, t, http.StatusNotFound, "Not Found")
		return
	}
	teams := []object{}
	for i, team := range t.user.Teams {
		teams = append(teams, object{
			"id": 100 + i, "name": strings.ToUpper(team.Slug), "slug": team.Slug, "privacy": "closed", "permission": "pull",
			"parent": nil, "organization": githubOrg(int64(i), team.Org),
		})
	}
	writePaged(w, r, g, teams)
}

func (g *GitHub) lacks(w http.ResponseWriter, t *githubToken, status int, message string) {
	if t.app.isApp {
		status, message = http.StatusForbidden, "Resource not accessible by integration"
	}
	apiRefuses(w, status, message)
}

// writePaged is "Using pagination in the REST API": 30 a page unless asked for
// up to 100, and the way to the others in the Link field.
func writePaged[T any](w http.ResponseWriter, r *http.Request, g *GitHub, all []T) {
	number := func(name string, otherwise, most int) int {
		n, err := strconv.Atoi(r.URL.Query().Get(name))
		if err != nil || n < 1 {
			return otherwise
		}
		return min(n, most)
	}
	size, page := number("per_page", 30, 100), number("page", 1, 1<<20)
	last := max(1, (len(all)+size-1)/size)
	link := func(rel string, n int) string {
		query := r.URL.Query()
		query.Set("page", strconv.Itoa(n))
		to := url.URL{Scheme: "https", Host: g.API, Path: r.URL.Path, RawQuery: query.Encode()}
		return fmt.Sprintf(`<%s>; rel="%s"`, to.String(), rel)
	}
	var links []string
	if page > 1 {
		links = append(links, link("prev", page-1))
	}
	if page < last {
		links = append(links, link("next", page+1), link("last", last))
	}
	if page > 1 {
		links = append(links, link("first", 1))
	}
	if len(links) > 0 {
		w.Header().Set("Link", strings.Join(links, ", "))
	}
	from := min((page-1)*size, len(all))
	shown := all[from:min(from+size, len(all))]
	writeJSON(w, http.StatusOK, append([]T{}, shown...))
}
