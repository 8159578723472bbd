package standins

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// GitHub is github.com, or an enterprise's own. Its documentation:
// https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps,
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app,
// https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-authorization-request-errors,
// and https://docs.github.com/en/rest.
type GitHub struct {
	Web string // the host of people's pages and of tokens
	API string // the host of the REST API

	base  string // of the API's paths: /api/v3 where an enterprise has one host
	ghes  bool
	apps  []*GitHubApp
	users []*GitHubUser
	now   func() time.Time

	mu        sync.Mutex
	signedIn  map[string]string // cookie to login
	codes     map[string]*code
	tokens    map[string]*githubToken // by access token
	refreshes map[string]*githubToken // by refresh token
	consents  map[string][]string     // client and login to the scopes that were allowed
	remaining int                     // requests that the rate limit leaves
}

// GitHubApp is a registration: an OAuth app, or a GitHub App.
type GitHubApp struct {
	ID, Secret string
	Callback   string

	// TokenLife is how long tokens last; those of OAuth apps, and of GitHub Apps
	// that have opted out, last until they are withdrawn.
	TokenLife time.Duration
	// Permissions are a GitHub App's: emails, members. It has no scopes, and an
	// OAuth app has no permissions.
	Permissions []string
	// Suspended is what GitHub does to apps that it was told about.
	Suspended bool

	isApp bool
}

// GitHubUser is somebody with an account.
type GitHubUser struct {
	ID                    int64
	Login, Password, Name string
	Emails                []GitHubEmail
	Orgs                  []string
	Teams                 []GitHubTeam
}

// GitHubEmail is one address of somebody.
type GitHubEmail struct {
	Email      string  `json:"email"`
	Primary    bool    `json:"primary"`
	Verified   bool    `json:"verified"`
	Visibility *string `json:"visibility"`
}

// GitHubTeam is a team that somebody is in.
type GitHubTeam struct{ Org, Slug string }

type githubToken struct {
	app             *GitHubApp
	user            *GitHubUser
	scopes          []string
	access, refresh string
	expires         time.Time // zero for never
}

// NewGitHub serves github.com and api.github.com.
func NewGitHub(n *Internet, apps []*GitHubApp, users ...*GitHubUser) (*GitHub, error) {
	g := newGitHub("github.com", "api.github.com", "", apps, users)
	if err := n.Serve(g.Web, g.web()); err != nil {
		return nil, err
	}
	return g, n.Serve(g.API, g.api())
}

// NewGitHubEnterprise serves an enterprise's own host, with the API below
// /api/v3 (https://docs.github.com/en/enterprise-server/rest/using-the-rest-api/getting-started-with-the-rest-api).
// Where nobody sends mail, addresses there are often not verified.
func NewGitHubEnterprise(n *Internet, host string, apps []*GitHubApp, users ...*GitHubUser) (*GitHub, error) {
	g := newGitHub(host, host, "/api/v3", apps, users)
	g.ghes = true
	mux := g.web()
	mux.Handle("/api/v3/", g.api())
	return g, n.Serve(host, mux)
}

func newGitHub(web, api, base string, apps []*GitHubApp, users []*GitHubUser) *GitHub {
	for _, app := range apps {
		app.isApp = app.Permissions != nil
	}
	return &GitHub{
		Web: web, API: api, base: base, apps: apps, users: users, now: time.Now,
		signedIn: map[string]string{}, codes: map[string]*code{}, tokens: map[string]*githubToken{},
		refreshes: map[string]*githubToken{}, consents: map[string][]string{}, remaining: 5000,
	}
}

// Withdraw is somebody who takes an app's permission away, in the settings of
// their account: all of its tokens end.
func (g *GitHub) Withdraw(login string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for access, t := range g.tokens {
		if t.user.Login == login {
			delete(g.tokens, access)
			delete(g.refreshes, t.refresh)
			delete(g.consents, t.app.ID+" "+login)
		}
	}
}

// LeaveRequests sets how many requests the rate limit leaves.
func (g *GitHub) LeaveRequests(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remaining = n
}

func (g *GitHub) web() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login/oauth/authorize", g.authorize)
	mux.HandleFunc("POST /login/oauth/authorize", g.consent)
	mux.HandleFunc("GET /login", g.login)
	mux.HandleFunc("POST /session", g.session)
	mux.HandleFunc("POST /login/oauth/access_token", g.token)
	return mux
}

func (g *GitHub) app(id string) *GitHubApp {
	for _, a := range g.apps {
		if a.ID == id {
			return a
		}
	}
	return nil
}

func (g *GitHub) user(login string) *GitHubUser {
	for _, u := range g.users {
		if strings.EqualFold(u.Login, login) {
			return u
		}
	}
	return nil
}

const githubSession = "user_session"

// authorize is "Request a user's GitHub identity".
func (g *GitHub) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	app := g.app(query.Get("client_id"))
	if app == nil {
		http.NotFound(w, r)
		return
	}
	redirect, refusal := app.accepts(query)
	if refusal != nil {
		refusal.Set("state", query.Get("state"))
		sendBack(w, r, redirect, refusal)
		return
	}
	g.mu.Lock()
	login := g.signedIn[cookie(r, githubSession)]
	g.mu.Unlock()
	switch {
	case login == "":
		http.Redirect(w, r, "/login?return_to="+url.QueryEscape(again(r)), http.StatusFound)
	case query.Get("prompt") == "select_account":
		// The account picker: go on as this one, or sign in as another.
		writePage(w, http.StatusOK, "Select an account", "/session", map[string]string{"return_to": without(r, "prompt")},
			map[string]string{"login": "text", "password": "password"})
	case g.allowed(app, login, words(query.Get("scope"))):
		g.answer(w, r, app, login, redirect, query)
	default:
		writePage(w, http.StatusOK, "Authorize the application", again(r), map[string]string{"authorize": "1"}, nil)
	}
}

// accepts says where to send the browser back to, and what is refused there.
// "Troubleshooting authorization request errors": errors go to the registered
// address. PKCE is S256 alone.
func (a *GitHubApp) accepts(query url.Values) (string, url.Values) {
	const anchor = "/apps/building-integrations/setting-up-and-registering-oauth-apps/troubleshooting-authorization-request-errors/#"
	redirect := query.Get("redirect_uri")
	if redirect == "" {
		redirect = a.Callback
	}
	switch {
	case a.Suspended:
		return a.Callback, url.Values{
			"error":             {"application_suspended"},
			"error_description": {"Your application has been suspended. Contact support@github.com."},
			"error_uri":         {anchor + "application-suspended"},
		}
	case !within(a.Callback, redirect):
		return a.Callback, url.Values{
			"error":             {"redirect_uri_mismatch"},
			"error_description": {"The redirect_uri MUST match the registered callback URL for this application."},
			"error_uri":         {anchor + "redirect-uri-mismatch"},
		}
	case query.Has("code_challenge") && (query.Get("code_challenge_method") != "S256" || len(query.Get("code_challenge")) != 43):
		return redirect, url.Values{"error": {"invalid_request"}, "error_description": {"The code challenge must be a 43 character SHA-256 hash."}}
	}
	return redirect, nil
}

// within is the rule for redirect addresses: the registered host and port, and
// the registered path or one below it.
func within(registered, asked string) bool {
	reg, err1 := url.Parse(registered)
	ask, err2 := url.Parse(asked)
	if err1 != nil || err2 != nil || reg.Scheme != ask.Scheme || reg.Host != ask.Host || path.Clean(ask.Path) != ask.Path {
		return false
	}
	return ask.Path == reg.Path || strings.HasPrefix(ask.Path, strings.TrimSuffix(reg.Path, "/")+"/")
}

func (g *GitHub) allowed(app *GitHubApp, login string, scopes []string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	had, known := g.consents[app.ID+" "+login]
	return known && !slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(had, s) })
}

func (g *GitHub) login(w http.ResponseWriter, r *http.Request) {
	writePage(w, http.StatusOK, "Sign in to GitHub", "/session", map[string]string{"return_to": r.URL.Query().Get("return_to")},
		map[string]string{"login": "text", "password": "password"})
}

func (g *GitHub) session(w http.ResponseWriter, r *http.Request) {
	to := r.PostForm.Get("return_to")
	u := g.user(r.PostForm.Get("login"))
	if u == nil || !same(u.Password, r.PostForm.Get("password")) || !strings.HasPrefix(to, "/login/oauth/authorize?") {
		writePage(w, http.StatusOK, "Incorrect username or password.", "/session", map[string]string{"return_to": to},
			map[string]string{"login": "text", "password": "password"})
		return
	}
	value := secret("")
	g.mu.Lock()
	g.signedIn[value] = u.Login
	g.mu.Unlock()
	setCookie(w, githubSession, value)
	http.Redirect(w, r, to, http.StatusFound)
}

// consent is the answer to the page that asks: authorize is 1 or 0.
func (g *GitHub) consent(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	app := g.app(query.Get("client_id"))
	g.mu.Lock()
	login := g.signedIn[cookie(r, githubSession)]
	g.mu.Unlock()
	if app == nil || login == "" {
		http.Error(w, "not signed in", http.StatusForbidden)
		return
	}
	redirect, refusal := app.accepts(query)
	if refusal == nil && r.PostForm.Get("authorize") != "1" {
		refusal = url.Values{
			"error": {"access_denied"}, "error_description": {"The user has denied your application access."},
			"error_uri": {"/apps/building-integrations/setting-up-and-registering-oauth-apps/troubleshooting-authorization-request-errors/#access-denied"},
		}
		redirect = app.Callback
	}
	if refusal != nil {
		refusal.Set("state", query.Get("state"))
		sendBack(w, r, redirect, refusal)
		return
	}
	g.mu.Lock()
	key := app.ID + " " + login
	g.consents[key] = append(g.consents[key], words(query.Get("scope"))...)
	g.mu.Unlock()
	g.answer(w, r, app, login, redirect, query)
}

func (g *GitHub) answer(w http.ResponseWriter, r *http.Request, app *GitHubApp, login, redirect string, query url.Values) {
	value := secret("")
	g.mu.Lock()
	g.codes[value] = &code{
		client: app.ID, redirect: redirect, challenge: query.Get("code_challenge"), method: query.Get("code_challenge_method"),
		user: login, scopes: words(query.Get("scope")), valid: g.now().Add(codeLife),
	}
	g.mu.Unlock()
	sendBack(w, r, redirect, url.Values{"code": {value}, "state": {query.Get("state")}})
}

// seconds is a duration as GitHub writes it.
func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
