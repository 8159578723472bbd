package idp

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// oauthError is an error in the words of RFC 6749.
type oauthError struct {
	code        string
	description string
}

func (e *oauthError) Error() string { return e.code + ": " + e.description }

func refuse(code, description string) error { return &oauthError{code, description} }

// authorization is a checked authorization request.
type authorization struct {
	client      *Client
	redirectURI string
	state       string
	nonce       string
	challenge   string
	scopes      []string
	prompts     []string
	maxAge      time.Duration // negative: not asked for
	acrValues   []string
	loginHint   string
	formPost    bool
	thumbprint  string // of the key that the code is bound to (RFC 9449, section 10)
	audience    string // that access tokens are for
	requestURI  string // the name that the request goes by, if it does
}

// serveAuthorize answers the authorization request, and the sign-in form,
// which is posted to the same address.
func (p *Provider) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	p.count("authorize")
	query, err := single(r.URL.Query())
	if err != nil {
		p.showError(w, err)
		return
	}
	query, name, err := p.resolved(query)
	if err != nil {
		p.showError(w, err)
		return
	}
	if query == nil {
		again := url.Values{"client_id": {r.URL.Query().Get("client_id")}, "request_uri": {name}}
		http.Redirect(w, r, p.endpoint("authorize")+"?"+again.Encode(), http.StatusSeeOther)
		return
	}
	a, err := p.findClient(query)
	if err != nil { // never redirect to an address that is not known to be the client's
		p.showError(w, err)
		return
	}
	a.requestURI = name
	if err := a.fill(query); err != nil {
		p.redirectError(w, r, a, err)
		return
	}
	if r.Method == http.MethodPost {
		p.takeForm(w, r, a)
		return
	}
	p.goOn(w, r, a, p.currentSession(r), false)
}

// single refuses parameters that come more than once (RFC 6749, section 3.1).
func single(values url.Values) (map[string]string, error) {
	out := make(map[string]string, len(values))
	for name, v := range values {
		if len(v) != 1 {
			return nil, refuse("invalid_request", "a parameter is repeated")
		}
		out[name] = v[0]
	}
	return out, nil
}

func (p *Provider) findClient(query map[string]string) (*authorization, error) {
	c := p.clients[query["client_id"]]
	if c == nil {
		return nil, refuse("invalid_request", "the client is not known")
	}
	if !c.allowsRedirect(query["redirect_uri"]) {
		return nil, refuse("invalid_request", "the redirect address is not registered for this client")
	}
	return &authorization{client: c, redirectURI: query["redirect_uri"], state: query["state"], maxAge: -1}, nil
}

func (c *Client) allowsRedirect(address string) bool {
	if slices.Contains(c.RedirectURIs, address) {
		return true
	}
	return c.AnyLoopbackPort && slices.ContainsFunc(c.RedirectURIs, func(registered string) bool {
		return sameButPort(registered, address)
	})
}

// sameButPort compares two addresses on a loopback IP literal. A name such as
// localhost does not count (RFC 8252, section 8.3).
func sameButPort(registered, address string) bool {
	a, errA := url.Parse(registered)
	b, errB := url.Parse(address)
	if errA != nil || errB != nil || a.Scheme != "http" || !net.ParseIP(a.Hostname()).IsLoopback() || a.Hostname() != b.Hostname() {
		return false
	}
	// Put the registered host into the given address: what is left must match
	// to the letter, so nothing hides in a fragment or in user information.
	return strings.Replace(address, b.Host, a.Host, 1) == registered
}

func (a *authorization) fill(query map[string]string) error {
	a.formPost, a.thumbprint = query["response_mode"] == "form_post", query["dpop_jkt"]
	a.nonce, a.challenge, a.loginHint = query["nonce"], query["code_challenge"], query["login_hint"]
	a.scopes, a.prompts, a.acrValues = strings.Fields(query["scope"]), strings.Fields(query["prompt"]), strings.Fields(query["acr_values"])
	switch {
	case query["response_type"] != "code":
		return refuse("unsupported_response_type", "only the code flow is supported")
	case query["response_mode"] != "" && query["response_mode"] != "query" && !a.formPost:
		return refuse("invalid_request", "only the response modes query and form_post are supported")
	case !slices.Contains(a.scopes, "openid"):
		return refuse("invalid_scope", "the openid scope is missing")
	case query["code_challenge_method"] != "S256": // absent means plain (RFC 7636, section 4.3)
		return refuse("invalid_request", "PKCE with S256 is required")
	case !isS256(a.challenge):
		return refuse("invalid_request", "code_challenge is no SHA-256 in base64url")
	case a.thumbprint != "" && !isS256(a.thumbprint):
		return refuse("invalid_request", "dpop_jkt is no SHA-256 in base64url")
	case slices.ContainsFunc(a.prompts, func(prompt string) bool { return !slices.Contains(prompts, prompt) }):
		return refuse("invalid_request", "this prompt is not supported")
	case a.prompted("none") && len(a.prompts) > 1:
		return refuse("invalid_request", "the prompt none stands alone")
	}
	var err error
	if a.audience, err = a.client.target(map[string]string{"resource": query["resource"]}); err != nil {
		return err
	}
	return a.fillMaxAge(query["max_age"])
}

func (a *authorization) fillMaxAge(s string) error {
	if s == "" {
		return nil
	}
	seconds, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return refuse("invalid_request", "max_age is not a number of seconds")
	}
	a.maxAge = time.Duration(seconds) * time.Second
	return nil
}

func isS256(challenge string) bool {
	sum, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
	return err == nil && len(sum) == sha256.Size
}

func (p *Provider) sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	site := r.Header.Get("Sec-Fetch-Site")
	return (origin == "" || origin == p.issuer.Scheme+"://"+p.issuer.Host) && (site == "" || site == "same-origin")
}

func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// redirectCode ends a successful request: back to the client with a code.
func (p *Provider) redirectCode(w http.ResponseWriter, r *http.Request, a *authorization, s *session) {
	value := newToken()
	p.mu.Lock()
	p.counts["code"]++
	s.join(a.client)
	p.store.codes[value] = &code{
		grant:       &grant{client: a.client, user: s.user, scopes: s.user.granted(a.scopes), nonce: a.nonce, session: s, proof: s.proofFor(a), audience: a.audience},
		redirectURI: a.redirectURI,
		challenge:   a.challenge,
		thumbprint:  a.thumbprint,
		// The entry outlives the code by far: a late second use must still be seen.
		expires: p.now().Add(p.cfg.RefreshTokenLifetime),
		valid:   p.now().Add(p.cfg.CodeLifetime),
	}
	p.mu.Unlock()
	p.redirect(w, r, a, url.Values{"code": {value}})
}

func (p *Provider) redirectError(w http.ResponseWriter, r *http.Request, a *authorization, err error) {
	var e *oauthError
	if !errors.As(err, &e) {
		e = &oauthError{"server_error", "the request could not be answered"}
	}
	p.count("refused:" + e.code)
	p.redirect(w, r, a, url.Values{"error": {e.code}, "error_description": {e.description}})
}

func (p *Provider) redirect(w http.ResponseWriter, r *http.Request, a *authorization, answer url.Values) {
	if a.state != "" {
		answer.Set("state", a.state)
	}
	answer.Set("iss", p.cfg.Issuer) // RFC 9207
	p.answered(a)
	if a.formPost {
		p.postAnswer(w, a, answer)
		return
	}
	separator := "?"
	if strings.Contains(a.redirectURI, "?") {
		separator = "&"
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, a.redirectURI+separator+answer.Encode(), http.StatusSeeOther)
}
