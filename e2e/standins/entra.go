package standins

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Entra's hosts.
const (
	EntraLogin = "login.microsoftonline.com"
	EntraGraph = "graph.microsoft.com"
	entraV1    = "https://sts.windows.net/" // the issuer of v1 tokens
)

// EntraConsumers is the tenant of personal accounts.
const EntraConsumers = "9188040d-6c67-4c5b-b112-36a304b66dad"

// Entra is Microsoft Entra ID, and as much of Graph as answers for its groups.
// Its documentation:
// https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow,
// https://learn.microsoft.com/en-us/entra/identity-platform/v2-protocols-oidc,
// https://learn.microsoft.com/en-us/entra/identity-platform/access-tokens,
// https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference,
// https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes,
// https://learn.microsoft.com/en-us/graph/api/directoryobject-getmemberobjects.
type Entra struct {
	apps    []*EntraApp
	tenants []*EntraTenant
	key     signingKey // of all organisations
	msa     signingKey // of personal accounts
	now     func() time.Time

	mu        sync.Mutex
	signedIn  map[string]string // cookie to user principal name
	codes     map[string]*code
	access    map[string]*entraGrant // Graph's
	refreshes map[string]*entraGrant
	consents  map[string][]string // app and person to scopes
}

// EntraTenant is an organisation. Any organisation can be made by anybody.
type EntraTenant struct {
	ID, Domain string
	Users      []*EntraUser
}

// EntraUser is a member of a tenant.
type EntraUser struct {
	OID, UPN, Password, Name, Email string
	Groups                          []string // object ids
	Roles                           []string // app roles that were assigned
	OwnDomain                       bool     // the address is of a domain that the tenant has shown to be its own
}

// EntraApp is an app registration, with an API of its own.
type EntraApp struct {
	ID, Secret string
	Tenant     string // whose it is
	Multi      bool   // "Accounts in any organizational directory"
	Redirects  []string
	APIScopes  []string // of api://<id>
	APIVersion int      // requestedAccessTokenVersion: 1 or 2
	Groups     bool     // the groups claim is in its tokens
	EDOV       bool     // and the optional claim xms_edov, "email domain owner verified"
}

type entraGrant struct {
	app     *EntraApp
	tenant  *EntraTenant
	user    *EntraUser
	scopes  []string // as they were asked for
	expires time.Time
	ended   bool
}

// maxTokenGroups is how many groups a JWT has at most; above, it has none, and
// says where they are.
const maxTokenGroups = 200

const entraTokenLife = 3599 * time.Second

// NewEntra serves both hosts.
func NewEntra(n *Internet, apps []*EntraApp, tenants ...*EntraTenant) (*Entra, error) {
	e := &Entra{
		apps: apps, tenants: tenants, key: newSigningKey(0), msa: newSigningKey(1), now: time.Now,
		signedIn: map[string]string{}, codes: map[string]*code{}, access: map[string]*entraGrant{},
		refreshes: map[string]*entraGrant{}, consents: map[string][]string{},
	}
	login := http.NewServeMux()
	for pattern, serve := range map[string]http.HandlerFunc{
		"GET /{tenant}/v2.0/.well-known/openid-configuration": e.discovery,
		"GET /{tenant}/discovery/v2.0/keys":                   e.keys,
		"GET /{tenant}/oauth2/v2.0/authorize":                 e.authorize,
		"POST /{tenant}/oauth2/v2.0/authorize":                e.decide,
		"POST /{tenant}/oauth2/v2.0/token":                    e.token,
		"GET /{tenant}/oauth2/v2.0/logout":                    e.logout,
	} {
		login.HandleFunc(pattern, e.known(serve))
	}
	graph := http.NewServeMux()
	graph.HandleFunc("POST /v1.0/me/getMemberObjects", e.graph(e.memberObjects))
	graph.HandleFunc("GET /v1.0/me/memberOf", e.graph(e.memberOf))
	graph.HandleFunc("GET /oidc/userinfo", e.graph(e.userinfo))
	if err := n.Serve(EntraLogin, login); err != nil {
		return nil, err
	}
	return e, n.Serve(EntraGraph, graph)
}

// known keeps addresses of tenants out that there are not.
func (e *Entra) known(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("tenant")
		if !manyTenants(name) && e.tenant(name) == nil {
			entraRefuses(w, http.StatusBadRequest, "invalid_tenant", 90002, "Tenant '"+name+"' not found.")
			return
		}
		serve(w, r)
	}
}

func manyTenants(name string) bool { return name == "common" || name == "organizations" }

// tenant is one by its id or domain.
func (e *Entra) tenant(name string) *EntraTenant {
	if name == "consumers" {
		name = EntraConsumers
	}
	for _, t := range e.tenants {
		if t.ID == name || strings.EqualFold(t.Domain, name) {
			return t
		}
	}
	return nil
}

func (e *Entra) app(id string) *EntraApp {
	for _, a := range e.apps {
		if a.ID == id {
			return a
		}
	}
	return nil
}

func (e *Entra) person(upn string) (*EntraTenant, *EntraUser) {
	for _, t := range e.tenants {
		for _, u := range t.Users {
			if strings.EqualFold(u.UPN, upn) {
				return t, u
			}
		}
	}
	return nil, nil
}

func entraIssuer(tenant string) string { return "https://" + EntraLogin + "/" + tenant + "/v2.0" }

// issuerOf is what the documents of an authority name: for many tenants it is a
// template, in braces, and not an issuer.
func (e *Entra) issuerOf(authority string) string {
	if manyTenants(authority) {
		return entraIssuer("{tenantid}")
	}
	return entraIssuer(e.tenant(authority).ID)
}

func (e *Entra) discovery(w http.ResponseWriter, r *http.Request) {
	authority := r.PathValue("tenant")
	base := "https://" + EntraLogin + "/" + authority
	writeJSON(w, http.StatusOK, object{
		"token_endpoint":                        base + "/oauth2/v2.0/token",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"response_types_supported":              []string{"code", "id_token", "code id_token", "id_token token"},
		"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
		"issuer":                                e.issuerOf(authority),
		"request_uri_parameter_supported":       false,
		"userinfo_endpoint":                     "https://" + EntraGraph + "/oidc/userinfo",
		"authorization_endpoint":                base + "/oauth2/v2.0/authorize",
		"device_authorization_endpoint":         base + "/oauth2/v2.0/devicecode",
		"http_logout_supported":                 true,
		"frontchannel_logout_supported":         true,
		"end_session_endpoint":                  base + "/oauth2/v2.0/logout",
		"claims_supported":                      []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "nonce", "preferred_username", "name", "tid", "ver", "at_hash", "c_hash", "email"},
		"kerberos_endpoint":                     base + "/kerberos",
		"tenant_region_scope":                   nil,
		"cloud_instance_name":                   "microsoftonline.com",
		"cloud_graph_host_name":                 "graph.windows.net",
		"msgraph_host":                          EntraGraph,
		"rbac_url":                              "https://pas.windows.net",
	})
}

// keys say which issuer each key is of ("Validate the issuer"): the one of personal
// accounts is good for no organisation.
func (e *Entra) keys(w http.ResponseWriter, r *http.Request) {
	authority := r.PathValue("tenant")
	set := []object{}
	add := func(k signingKey, issuer string) {
		key := k.public()
		key["x5t"], key["issuer"] = k.id, issuer
		set = append(set, key)
	}
	if authority != "consumers" && authority != EntraConsumers {
		add(e.key, e.issuerOf(authority))
	}
	if authority == "common" || authority == "consumers" || authority == EntraConsumers {
		add(e.msa, entraIssuer(EntraConsumers))
	}
	writeJSON(w, http.StatusOK, object{"keys": set})
}

const entraSession = "ESTSAUTHPERSISTENT"

func (e *Entra) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	app := e.app(query.Get("client_id"))
	if number, flaw := e.flaw(app, r); flaw != "" {
		writePage(w, http.StatusBadRequest, fmt.Sprintf("Sorry, but we're having trouble signing you in. AADSTS%d: %s", number, flaw), "", nil, nil)
		return
	}
	prompts := words(query.Get("prompt"))
	e.mu.Lock()
	tenant, user := e.person(e.signedIn[cookie(r, entraSession)])
	e.mu.Unlock()
	switch {
	case user == nil && slices.Contains(prompts, "none"):
		e.sendBackError(w, r, "login_required", 50058, "A silent sign-in request was sent but no user is signed in.")
	case user == nil, slices.Contains(prompts, "login"), slices.Contains(prompts, "select_account"):
		e.askWho(w, r, "Sign in")
	case !home(r.PathValue("tenant"), e, tenant):
		e.askWho(w, r, "AADSTS50020: the account does not exist in the tenant")
	case slices.Contains(prompts, "consent"), !e.allowed(app, user, words(query.Get("scope"))):
		if slices.Contains(prompts, "none") {
			e.sendBackError(w, r, "interaction_required", 65001, "The user or administrator has not consented to use the application.")
			return
		}
		writePage(w, http.StatusOK, "Permissions requested: "+query.Get("scope"), again(r), map[string]string{"step": "consent", "accept": "yes"}, nil)
	default:
		e.answer(w, r, app, tenant, user)
	}
}

func (e *Entra) askWho(w http.ResponseWriter, r *http.Request, title string) {
	writePage(w, http.StatusOK, title, again(r), map[string]string{"step": "identify"}, map[string]string{"loginfmt": "text", "passwd": "password"})
}

// flaw is what is told to the person instead of sending them anywhere.
func (e *Entra) flaw(app *EntraApp, r *http.Request) (int, string) {
	query, authority := r.URL.Query(), r.PathValue("tenant")
	switch {
	case app == nil:
		return 700016, "Application was not found in the directory."
	case manyTenants(authority) && !app.Multi, !manyTenants(authority) && !app.Multi && e.tenant(authority).ID != app.Tenant:
		return 50194, "Application is not configured as a multi-tenant application."
	case !slices.Contains(app.Redirects, query.Get("redirect_uri")):
		return 50011, "The redirect URI specified in the request does not match the redirect URIs configured for the application."
	case query.Get("response_type") != "code", query.Get("scope") == "":
		return 900144, "The request body must contain the parameter."
	case query.Has("code_challenge") && query.Get("code_challenge_method") != "S256" && query.Get("code_challenge_method") != "plain":
		return 501481, "The Code_Verifier does not match."
	}
	for _, s := range words(query.Get("scope")) {
		if _, _, ok := app.resource(s); !ok {
			return 70011, "The provided value for the input parameter 'scope' is not valid. The scope " + s + " is not valid."
		}
	}
	return 0, ""
}

// home says whether somebody's tenant may sign in at an authority.
func home(authority string, e *Entra, tenant *EntraTenant) bool {
	switch authority {
	case "common":
		return true
	case "organizations":
		return tenant.ID != EntraConsumers
	}
	return e.tenant(authority) == tenant
}

func (e *Entra) decide(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	app := e.app(query.Get("client_id"))
	if _, flaw := e.flaw(app, r); flaw != "" {
		http.Error(w, flaw, http.StatusBadRequest)
		return
	}
	if r.PostForm.Get("step") == "consent" {
		e.consent(w, r, app)
		return
	}
	tenant, user := e.person(r.PostForm.Get("loginfmt"))
	switch {
	case user == nil || !same(user.Password, r.PostForm.Get("passwd")):
		e.askWho(w, r, "AADSTS50126: the user name or password is wrong")
		return
	case !home(r.PathValue("tenant"), e, tenant):
		e.askWho(w, r, "AADSTS50020: the account does not exist in the tenant")
		return
	}
	value := secret("")
	e.mu.Lock()
	e.signedIn[value] = user.UPN
	e.mu.Unlock()
	setCookie(w, entraSession, value)
	left := slices.DeleteFunc(words(query.Get("prompt")), func(p string) bool { return p != "consent" })
	query.Set("prompt", strings.Join(left, " "))
	http.Redirect(w, r, r.URL.Path+"?"+query.Encode(), http.StatusSeeOther)
}

func (e *Entra) consent(w http.ResponseWriter, r *http.Request, app *EntraApp) {
	e.mu.Lock()
	tenant, user := e.person(e.signedIn[cookie(r, entraSession)])
	e.mu.Unlock()
	switch {
	case user == nil:
		http.Error(w, "not signed in", http.StatusForbidden)
		return
	case r.PostForm.Get("accept") != "yes":
		e.sendBackError(w, r, "consent_required", 65004, "User declined to consent to access the app.")
		return
	}
	e.mu.Lock()
	key := app.ID + " " + user.OID
	e.consents[key] = append(e.consents[key], words(r.URL.Query().Get("scope"))...)
	e.mu.Unlock()
	e.answer(w, r, app, tenant, user)
}

// allowed says whether somebody has consented to all of this. Consent to
// anything is consent to OpenID Connect's scopes.
func (e *Entra) allowed(app *EntraApp, user *EntraUser, scopes []string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	had := e.consents[app.ID+" "+user.OID]
	if len(had) == 0 {
		return false
	}
	return !slices.ContainsFunc(scopes, func(s string) bool {
		return !slices.Contains(oidcScopes, s) && !slices.Contains(had, s)
	})
}

func (e *Entra) answer(w http.ResponseWriter, r *http.Request, app *EntraApp, tenant *EntraTenant, user *EntraUser) {
	query := r.URL.Query()
	value := secret("1.")
	e.mu.Lock()
	e.codes[value] = &code{
		client: app.ID, redirect: query.Get("redirect_uri"), nonce: query.Get("nonce"), user: user.UPN, tenant: tenant.ID,
		challenge: query.Get("code_challenge"), method: query.Get("code_challenge_method"),
		scopes: words(query.Get("scope")), valid: e.now().Add(codeLife),
	}
	e.mu.Unlock()
	sendBack(w, r, query.Get("redirect_uri"), url.Values{
		"code": {value}, "state": {query.Get("state")}, "session_state": {secret("")}, // and no iss
	})
}

func (e *Entra) sendBackError(w http.ResponseWriter, r *http.Request, name string, number int, text string) {
	values := url.Values{
		"error": {name}, "error_description": {e.description(number, text)},
		"error_uri": {fmt.Sprintf("https://%s/error?code=%d", EntraLogin, number)}, "state": {r.URL.Query().Get("state")},
	}
	if name == "consent_required" {
		values.Set("error", "access_denied") // "Resource owner denied consent"
		values.Set("error_subcode", "cancel")
	}
	sendBack(w, r, r.URL.Query().Get("redirect_uri"), values)
}

// logout ends the session at Entra, and goes on to an address that is one of
// the app's redirect addresses.
func (e *Entra) logout(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	delete(e.signedIn, cookie(r, entraSession))
	e.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: entraSession, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true})
	to := r.URL.Query().Get("post_logout_redirect_uri")
	for _, app := range e.apps {
		if slices.Contains(app.Redirects, to) {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
	}
	writePage(w, http.StatusOK, "You signed out of your account", "", nil, nil)
}
