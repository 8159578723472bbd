package standins

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Google's hosts, as its discovery document names them.
const (
	GoogleAccounts = "accounts.google.com"
	GoogleTokens   = "oauth2.googleapis.com"
	GoogleUserinfo = "openidconnect.googleapis.com"
	GoogleKeys     = "www.googleapis.com"
)

// Google is Google's accounts. Its documentation:
// https://developers.google.com/identity/openid-connect/openid-connect,
// https://developers.google.com/identity/openid-connect/reference,
// https://developers.google.com/identity/protocols/oauth2/web-server.
type Google struct {
	clients []*GoogleClient
	users   []*GoogleUser
	key     signingKey
	now     func() time.Time

	mu        sync.Mutex
	signedIn  map[string]string // cookie to address
	codes     map[string]*code
	access    map[string]*googleGrant
	refreshes map[string]*googleGrant
	consents  map[string][]string // client and address to scopes
}

// GoogleClient is a client of the type "Web application".
type GoogleClient struct {
	ID, Secret string
	Redirects  []string
}

// GoogleUser is an account. Domain is that of the Workspace that it belongs to,
// and empty of all others, whatever their address ends with.
type GoogleUser struct {
	Sub, Email, Password, Given, Family string
	Unverified                          bool
	Domain                              string
}

type googleGrant struct {
	client  *GoogleClient
	user    *GoogleUser
	scopes  []string
	refresh string
	expires time.Time
	ended   bool
}

const googleTokenLife = 3599 * time.Second

// NewGoogle serves all of Google's hosts.
func NewGoogle(n *Internet, clients []*GoogleClient, users ...*GoogleUser) (*Google, error) {
	g := &Google{
		clients: clients, users: users, key: newSigningKey(0), now: time.Now,
		signedIn: map[string]string{}, codes: map[string]*code{}, access: map[string]*googleGrant{},
		refreshes: map[string]*googleGrant{}, consents: map[string][]string{},
	}
	for host, routes := range map[string]map[string]http.HandlerFunc{
		GoogleAccounts: {
			"GET /.well-known/openid-configuration": g.discovery,
			"GET /o/oauth2/v2/auth":                 g.authorize,
			"POST /o/oauth2/v2/auth":                g.decide,
		},
		GoogleTokens:   {"POST /token": g.token, "POST /revoke": g.revoke},
		GoogleUserinfo: {"GET /v1/userinfo": g.userinfo, "POST /v1/userinfo": g.userinfo},
		GoogleKeys:     {"GET /oauth2/v3/certs": g.certs},
	} {
		mux := http.NewServeMux()
		for pattern, serve := range routes {
			mux.HandleFunc(pattern, serve)
		}
		if err := n.Serve(host, mux); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (g *Google) discovery(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=3600")
	writeJSON(w, http.StatusOK, object{
		"issuer":                                         "https://" + GoogleAccounts,
		"authorization_endpoint":                         "https://" + GoogleAccounts + "/o/oauth2/v2/auth",
		"device_authorization_endpoint":                  "https://" + GoogleTokens + "/device/code",
		"token_endpoint":                                 "https://" + GoogleTokens + "/token",
		"userinfo_endpoint":                              "https://" + GoogleUserinfo + "/v1/userinfo",
		"revocation_endpoint":                            "https://" + GoogleTokens + "/revoke",
		"jwks_uri":                                       "https://" + GoogleKeys + "/oauth2/v3/certs",
		"response_types_supported":                       []string{"code", "token", "id_token", "code token", "code id_token", "token id_token", "code token id_token", "none"},
		"response_modes_supported":                       []string{"query", "fragment", "form_post"},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{"RS256"},
		"scopes_supported":                               []string{"openid", "email", "profile"},
		"token_endpoint_auth_methods_supported":          []string{"client_secret_post", "client_secret_basic"},
		"claims_supported":                               []string{"aud", "email", "email_verified", "exp", "family_name", "given_name", "iat", "iss", "name", "picture", "sub"},
		"code_challenge_methods_supported":               []string{"plain", "S256"},
		"grant_types_supported":                          []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"authorization_response_iss_parameter_supported": true,
	})
}

func (g *Google) certs(w http.ResponseWriter, _ *http.Request) {
	key := g.key.public()
	key["alg"] = "RS256"
	w.Header().Set("Cache-Control", "public, max-age=20000, must-revalidate, no-transform")
	writeJSON(w, http.StatusOK, object{"keys": []object{key}})
}

const googleSession = "SID"

// authorize shows whatever pages it takes: signing in, choosing an account,
// consent. A client or an address that is not known is told to the person, and
// never sent anywhere.
func (g *Google) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	client := g.client(query.Get("client_id"))
	if flaw := client.flaw(query); flaw != "" {
		writePage(w, http.StatusBadRequest, "Access blocked: this app's request is invalid. Error 400: "+flaw, "", nil, nil)
		return
	}
	g.mu.Lock()
	user := g.user(g.signedIn[cookie(r, googleSession)])
	g.mu.Unlock()
	prompts := words(query.Get("prompt"))
	switch {
	case user == nil && slices.Contains(prompts, "none"):
		g.sendBack(w, r, url.Values{"error": {"interaction_required"}})
	case user == nil, slices.Contains(prompts, "select_account"), !user.fits(query.Get("hd")):
		writePage(w, http.StatusOK, "Sign in with Google", again(r), map[string]string{"step": "identify"},
			map[string]string{"identifier": "text", "Passwd": "password"})
	case slices.Contains(prompts, "consent"), !g.allowed(client, user, words(query.Get("scope"))):
		writePage(w, http.StatusOK, "The application wants access to your Google Account", again(r),
			map[string]string{"step": "consent", "allow": "yes"}, nil)
	default:
		g.answer(w, r, client, user, "none")
	}
}

// flaw is what is wrong with a request, in the words of the page for it.
func (c *GoogleClient) flaw(query url.Values) string {
	switch {
	case c == nil:
		return "invalid_client"
	case !slices.Contains(c.Redirects, query.Get("redirect_uri")):
		return "redirect_uri_mismatch"
	case query.Get("response_type") != "code", query.Get("scope") == "":
		return "invalid_request"
	case query.Has("code_challenge") && !slices.Contains([]string{"", "plain", "S256"}, query.Get("code_challenge_method")):
		return "invalid_request"
	}
	return ""
}

// fits is what hd does: it narrows down the accounts that are offered, and no
// more ("don't rely on this UI optimization"): whoever leaves it out of the
// address has any account offered.
func (u *GoogleUser) fits(hd string) bool {
	return hd == "" || hd == "*" && u.Domain != "" || strings.EqualFold(hd, u.Domain)
}

// decide takes the answers of both pages.
func (g *Google) decide(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	client := g.client(query.Get("client_id"))
	if flaw := client.flaw(query); flaw != "" {
		writePage(w, http.StatusBadRequest, "Error 400: "+flaw, "", nil, nil)
		return
	}
	if r.PostForm.Get("step") == "consent" {
		g.consent(w, r, client)
		return
	}
	user := g.user(r.PostForm.Get("identifier"))
	if user == nil || !same(user.Password, r.PostForm.Get("Passwd")) || !user.fits(query.Get("hd")) {
		writePage(w, http.StatusOK, "Couldn't find your Google Account", again(r), map[string]string{"step": "identify"},
			map[string]string{"identifier": "text", "Passwd": "password"})
		return
	}
	value := secret("")
	g.mu.Lock()
	g.signedIn[value] = user.Email
	g.mu.Unlock()
	setCookie(w, googleSession, value)
	left := slices.DeleteFunc(words(query.Get("prompt")), func(p string) bool { return p == "select_account" })
	query.Set("prompt", strings.Join(left, " "))
	http.Redirect(w, r, r.URL.Path+"?"+query.Encode(), http.StatusSeeOther)
}

func (g *Google) consent(w http.ResponseWriter, r *http.Request, client *GoogleClient) {
	g.mu.Lock()
	user := g.user(g.signedIn[cookie(r, googleSession)])
	g.mu.Unlock()
	switch {
	case user == nil:
		http.Error(w, "not signed in", http.StatusForbidden)
		return
	case r.PostForm.Get("allow") != "yes":
		g.sendBack(w, r, url.Values{"error": {"access_denied"}})
		return
	}
	g.mu.Lock()
	key := client.ID + " " + user.Email
	g.consents[key] = append(g.consents[key], words(r.URL.Query().Get("scope"))...)
	g.mu.Unlock()
	g.answer(w, r, client, user, "consent")
}

// allowed says whether somebody has allowed all of this before.
func (g *Google) allowed(client *GoogleClient, user *GoogleUser, scopes []string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	had := g.consents[client.ID+" "+user.Email]
	return !slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(had, s) })
}

// answer sends a code back, and says what was shown. "The first time your
// application exchanges a code" there is a refresh token, and then only with
// consent anew.
func (g *Google) answer(w http.ResponseWriter, r *http.Request, client *GoogleClient, user *GoogleUser, shown string) {
	query := r.URL.Query()
	value := secret("4/")
	g.mu.Lock()
	g.codes[value] = &code{
		client: client.ID, redirect: query.Get("redirect_uri"), nonce: query.Get("nonce"), user: user.Email,
		challenge: query.Get("code_challenge"), method: query.Get("code_challenge_method"),
		scopes: words(query.Get("scope")), offline: query.Get("access_type") == "offline" && shown == "consent",
		valid: g.now().Add(codeLife),
	}
	g.mu.Unlock()
	g.sendBack(w, r, url.Values{
		"code": {value}, "scope": {strings.Join(googleScopes(words(query.Get("scope"))), " ")},
		"authuser": {"0"}, "hd": {user.Domain}, "prompt": {shown},
	})
}

func (g *Google) sendBack(w http.ResponseWriter, r *http.Request, add url.Values) {
	add.Set("state", r.URL.Query().Get("state"))
	add.Set("iss", "https://"+GoogleAccounts)
	sendBack(w, r, r.URL.Query().Get("redirect_uri"), add)
}

// googleScopes is how Google spells the scopes that it granted.
func googleScopes(asked []string) []string {
	var granted []string
	for _, s := range asked {
		switch s {
		case "email", "profile":
			s = "https://www.googleapis.com/auth/userinfo." + s
		}
		granted = append(granted, s)
	}
	return granted
}

func (g *Google) client(id string) *GoogleClient {
	for _, c := range g.clients {
		if c.ID == id {
			return c
		}
	}
	return nil
}

func (g *Google) user(email string) *GoogleUser {
	for _, u := range g.users {
		if strings.EqualFold(u.Email, email) {
			return u
		}
	}
	return nil
}
