package demo

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fakeGate is a gate on net/http, just good enough to pass the check, with a
// fault to be had on demand. It shows that the check sees faults.
type fakeGate struct {
	place
	fault  string
	mu     sync.Mutex
	logins map[string]login
	people map[string]session
}

type login struct {
	verifier, page string
	gold           bool
}

type session struct {
	claims         map[string]any
	token, idToken string
	gold           bool
}

// newFakeGate starts a gate and its provider.
func newFakeGate(t *testing.T, fault string) *fakeGate {
	t.Helper()
	g := &fakeGate{fault: fault, place: place{rules: true}, logins: map[string]login{}, people: map[string]session{}}
	g.env = map[string]string{"DEMO_CLIENT_SECRET": "secret"}
	provider := httptest.NewUnstartedServer(nil)
	gate := httptest.NewServer(g)
	g.listen, g.idp = gate.Listener.Addr().String(), provider.Listener.Addr().String()
	p, err := (&demo{place: g.place}).provider(g.idp)
	if err != nil {
		t.Fatal(err)
	}
	provider.Config.Handler = p
	provider.Start()
	t.Cleanup(gate.Close)
	t.Cleanup(provider.Close)
	return g
}

func (g *fakeGate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s, known := g.session(r)
	switch {
	case r.URL.Path == "/oauth2/callback":
		g.callback(w, r)
	case r.URL.Path == "/oauth2/sign_out":
		g.signOut(w, r, s)
	case known && strings.HasPrefix(r.URL.Path, "/app2/") && !s.isOf("group2") && g.fault != "everybody has every application",
		known && strings.HasPrefix(r.URL.Path, "/admin/") && !s.isOf("admins"):
		g.refuse(w, r)
	case known && strings.HasPrefix(r.URL.Path, "/admin/") && !s.gold && g.fault != "nobody steps up":
		g.login(w, r)
	case known || strings.HasPrefix(r.URL.Path, "/public/"):
		g.forward(w, r, s)
	case g.fault != "programs are redirected" && r.Header.Get("Accept") == "application/json":
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, "{}")
	default:
		g.login(w, r)
	}
}

func (g *fakeGate) session(r *http.Request) (session, bool) {
	c, err := r.Cookie("postern")
	if err != nil {
		return session{}, false
	}
	key := c.Value
	if g.fault == "altered cookies count" {
		key = key[:8] + strings.Repeat("A", len(key)-8)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s, ok := g.people[key]
	return s, ok
}

func (s session) isOf(group string) bool {
	groups, _ := s.claims["groups"].([]any)
	return slices.Contains(groups, any(group))
}

func (g *fakeGate) refuse(w http.ResponseWriter, r *http.Request) {
	if g.fault == "a no leads to the provider" {
		g.login(w, r)
		return
	}
	http.Error(w, "not for you", http.StatusForbidden)
}

func (g *fakeGate) login(w http.ResponseWriter, r *http.Request) {
	state, verifier := rand.Text()+rand.Text(), rand.Text()+rand.Text()
	g.mu.Lock()
	gold := strings.HasPrefix(r.URL.Path, "/admin/") && g.fault != "step-up is forgotten"
	g.logins[state] = login{verifier, r.URL.RequestURI(), gold}
	g.mu.Unlock()
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {"demo"}, "redirect_uri": {g.base() + "/oauth2/callback"},
		"scope": {"openid profile email groups"}, "state": {state}, "nonce": {rand.Text()},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	if gold {
		q.Set("acr_values", "gold")
		q.Set("max_age", "600")
	}
	switch g.fault {
	case "PKCE is plain":
		q.Set("code_challenge_method", "plain")
	case "no nonce":
		q.Del("nonce")
	case "state can be guessed":
		q.Set("state", "1")
	}
	if g.fault != "redirects may be cached" {
		w.Header().Set("Cache-Control", "no-store")
	}
	http.Redirect(w, r, g.issuer()+"/authorize?"+q.Encode(), http.StatusSeeOther)
}

func (g *fakeGate) callback(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	l := g.logins[r.FormValue("state")]
	g.mu.Unlock()
	var tokens struct {
		Access string `json:"access_token"`
		ID     string `json:"id_token"`
	}
	res, err := http.PostForm(g.issuer()+"/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {r.FormValue("code")}, "code_verifier": {l.verifier},
		"redirect_uri": {g.base() + "/oauth2/callback"}, "client_id": {"demo"}, "client_secret": {"secret"},
	})
	if err != nil || json.NewDecoder(res.Body).Decode(&tokens) != nil {
		http.Error(w, "no tokens", http.StatusBadGateway)
		return
	}
	req, _ := http.NewRequest(http.MethodGet, g.issuer()+"/userinfo", nil)
	req.Header.Set("Authorization", "Bearer "+tokens.Access)
	s := session{token: tokens.Access, idToken: tokens.ID, gold: l.gold && g.fault != "step-up goes in circles"}
	if res, err = http.DefaultClient.Do(req); err != nil || json.NewDecoder(res.Body).Decode(&s.claims) != nil {
		http.Error(w, "no claims", http.StatusBadGateway)
		return
	}
	g.begin(w, s)
	if g.fault == "the first page is forgotten" {
		l.page = "/"
	}
	http.Redirect(w, r, l.page, http.StatusSeeOther)
}

func (g *fakeGate) begin(w http.ResponseWriter, s session) {
	key := rand.Text()[:8] + strings.Repeat("A", 300)
	g.mu.Lock()
	g.people[key] = s
	g.mu.Unlock()
	c := &http.Cookie{Name: "postern", Value: key, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	switch g.fault {
	case "scripts can read the session":
		c.HttpOnly = false
	case "other sites' requests carry the session":
		c.SameSite = http.SameSiteNoneMode
	case "the session is shared with other hosts":
		c.Domain = "localhost"
	case "the session is too long":
		c.Value += strings.Repeat("A", 4096)
	}
	http.SetCookie(w, c)
}

func (g *fakeGate) forward(w http.ResponseWriter, r *http.Request, s session) {
	cookies := r.Cookies()
	r.Header.Del("Cookie")
	for _, c := range cookies {
		ours := c.Name == "postern" && g.fault != "the application gets the session cookie"
		if !ours && !(c.Name == "theme" && g.fault == "the application's cookies are lost") {
			r.AddCookie(c)
		}
	}
	for name := range r.Header {
		spelled := strings.ToLower(name)
		if g.fault != "forged headers pass in another spelling" {
			spelled = strings.ReplaceAll(spelled, "_", "-")
		}
		open := s.token == "" && g.fault == "forged headers pass on open pages"
		if !open && (strings.HasPrefix(spelled, "x-auth-request-") || spelled == "authorization") {
			delete(r.Header, name)
		}
	}
	if s.token != "" {
		g.identify(r.Header, s)
	}
	app("")(w, r)
}

func (g *fakeGate) identify(h http.Header, s session) {
	var groups []string
	for _, group := range s.claims["groups"].([]any) {
		groups = append(groups, fmt.Sprint(group))
	}
	h.Set("X-Auth-Request-User", fmt.Sprint(s.claims["preferred_username"]))
	h.Set("X-Auth-Request-Preferred-Username", fmt.Sprint(s.claims["preferred_username"]))
	h.Set("X-Auth-Request-Email", fmt.Sprint(s.claims["email"]))
	h.Set("X-Auth-Request-Groups", strings.Join(groups, ","))
	h.Set("X-Auth-Request-Access-Token", s.token)
	h.Set("Authorization", "Bearer "+s.token)
	switch g.fault {
	case "everybody is alice":
		h.Set("X-Auth-Request-User", "alice")
	case "the groups are missing":
		h.Del("X-Auth-Request-Groups")
	case "the user is told twice":
		h.Add("X-Auth-Request-User", "alice")
	case "no access token":
		h.Del("Authorization")
	}
}

func (g *fakeGate) signOut(w http.ResponseWriter, r *http.Request, s session) {
	if g.fault != "signing out keeps the session" {
		http.SetCookie(w, &http.Cookie{Name: "postern", Path: "/", MaxAge: -1})
	}
	if g.fault == "signing out goes in circles" {
		http.Redirect(w, r, "/oauth2/sign_out", http.StatusSeeOther)
		return
	}
	q := url.Values{"id_token_hint": {s.idToken}, "post_logout_redirect_uri": {g.base() + "/public/"}}
	http.Redirect(w, r, g.issuer()+"/end_session?"+q.Encode(), http.StatusSeeOther)
}
