// Package idp is a small, honest OpenID provider for tests and for the demo.
//
// It speaks the authorization code flow of OpenID Connect Core 1.0 with PKCE
// (RFC 7636, S256 always), for confidential clients (client_secret_basic and
// _post, client_secret_jwt, private_key_jwt) and public ones, with discovery, a
// key set whose keys rotate, userinfo, refresh tokens that rotate (RFC 9700,
// section 4.14), revocation (RFC 7009), introspection (RFC 7662), RP-initiated
// and back-channel logout, and the iss response parameter (RFC 9207). It has a
// sign-in page and a session of its own, so that a second login is silent, unless
// the client wants it otherwise: by prompt, max_age, or acr_values with one of two
// levels, bronze, and gold for who gives the password once more. Tokens say when
// and how that was (RFC 9470). Requests may be pushed (RFC 9126) and signed (RFC
// 9101), answers come as forms on wish (OAuth 2.0 Form Post Response Mode), and
// tokens are bound to keys of their clients (RFC 9449). Services get tokens of
// their own (RFC 6749, section 4.4) and exchange those that they are sent (RFC
// 8693). Access tokens are JWTs (RFC 9068) or say nothing, by client.
//
// It refuses what a careful provider refuses: redirect addresses that are not
// registered to the letter, codes and refresh tokens that come twice (both
// revoke everything that grew from the login), the plain PKCE method, repeated
// parameters, assertions of clients that come twice, exchanges that would widen a
// token, and forms that another site sent. A gate that passes against it
// has done its part of the protocol.
//
// It keeps everything in memory and passwords in clear, so it is no provider
// for real people. It is written here because what could be had did not fit:
// ory/fosite has neither discovery, key sets, userinfo nor logout, reads the
// clock by itself, and brings about seventy modules with it.
package idp

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Client is a relying party that the provider knows.
type Client struct {
	ID string
	// Secret makes the client confidential; without it the client is public
	// and authenticates by PKCE alone.
	Secret string
	// RedirectURIs are compared character by character (RFC 9700, section 2.1).
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	// BackchannelLogoutURI is told when a session ends that the client took
	// part in (Back-Channel Logout 1.0, section 2.2), by Config.Post.
	BackchannelLogoutURI string
	// AnyLoopbackPort lets http redirect addresses on a loopback IP literal
	// differ in the port (RFC 8252, section 7.3).
	AnyLoopbackPort bool
	// Algorithm signs this client's tokens: RS256, the default, or ES256.
	Algorithm string
	// Audience names the API that the access tokens are for. Default: the client.
	Audience string
	// OpaqueTokens makes access tokens that say nothing: APIs have to ask.
	OpaqueTokens bool

	// Key is the client's public key: it authenticates by private_key_jwt alone.
	Key *jose.JSONWebKey
	// SecretJWT has it prove its secret by client_secret_jwt alone.
	SecretJWT bool

	// ServiceAccount lets the client have tokens of its own, by the
	// client-credentials grant, for Scopes or some of them.
	ServiceAccount bool
	Scopes         []string
	// TokenExchange lets the client exchange access tokens that were made out to
	// it, or to its Audience (RFC 8693).
	TokenExchange bool
	// Targets are further APIs that a service account and an exchange may ask
	// tokens for, by their names or addresses.
	Targets []string

	// ClaimsInIDToken repeats the claims that the scopes ask for in the ID
	// token; without it only userinfo gives them (OpenID Connect Core, 5.4).
	ClaimsInIDToken bool
	// RequirePushed takes the client's requests only where it has pushed them, and
	// SignedRequests only where it has signed them with its Key.
	RequirePushed  bool
	SignedRequests bool
	// BoundTokens gives the client no tokens but such as are bound to a key of its own.
	BoundTokens bool

	// ConsentScopes are scopes that a person is asked about, once.
	ConsentScopes []string
}

// User is a person who can sign in.
type User struct {
	Subject           string // default: the preferred username
	PreferredUsername string
	Password          string
	Name              string
	Email             string
	Groups            []string
	// HighestLevel of authentication that the person can reach. Default: gold.
	HighestLevel string
	// WithheldScopes are scopes that the person may not give to anybody.
	WithheldScopes []string
}

// Config describes a provider. Issuer, one client and one user are required.
type Config struct {
	Issuer  string
	Title   string // heads the pages; default "Sign in"
	Clients []Client
	Users   []User

	// RequirePushed takes no client's authorization requests unless they were
	// pushed, and DPoPNonces has each proof of possession hold a nonce of the minute.
	RequirePushed bool
	DPoPNonces    bool

	Clock func() time.Time // default time.Now

	// Post sends a form on the back channel. Without it nobody is told when a
	// session ends.
	Post func(url string, form url.Values) (status int, err error)

	CodeLifetime         time.Duration // default 1 minute
	AccessTokenLifetime  time.Duration // default 5 minutes
	IDTokenLifetime      time.Duration // default 5 minutes
	RefreshTokenLifetime time.Duration // default 24 hours
	SessionLifetime      time.Duration // of the provider's own sign-in; default 10 hours
}

// Provider is an http.Handler that answers under its issuer's path.
type Provider struct {
	cfg     Config
	issuer  *url.URL
	clients map[string]*Client
	users   map[string]*User
	keys    *keyring
	mux     *http.ServeMux

	mu          sync.Mutex
	store       store
	counts      map[string]int
	nonceSecret string
	intercept   func(http.ResponseWriter, *http.Request) bool
	editIDToken func(claims map[string]any)

	editLogoutToken func(claims map[string]any)
}

// New checks the settings and makes the first signing keys.
func New(cfg Config) (*Provider, error) {
	issuer, err := parseIssuer(cfg.Issuer)
	if err != nil {
		return nil, err
	}
	cfg.setDefaults()
	p := &Provider{
		cfg: cfg, issuer: issuer, store: newStore(), nonceSecret: newToken(), counts: map[string]int{},
		clients: map[string]*Client{}, users: map[string]*User{},
	}
	if err := p.addClients(cfg.Clients); err != nil {
		return nil, err
	}
	if err := p.addUsers(cfg.Users); err != nil {
		return nil, err
	}
	if p.keys, err = newKeyring(); err != nil {
		return nil, err
	}
	p.routes()
	return p, nil
}

func parseIssuer(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("idp: issuer: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("idp: issuer must be an http or https address without query and fragment")
	}
	return u, nil
}

func (c *Config) setDefaults() {
	if c.Title == "" {
		c.Title = "Sign in"
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	for _, d := range []struct {
		set   *time.Duration
		value time.Duration
	}{
		{&c.CodeLifetime, time.Minute},
		{&c.AccessTokenLifetime, 5 * time.Minute},
		{&c.IDTokenLifetime, 5 * time.Minute},
		{&c.RefreshTokenLifetime, 24 * time.Hour},
		{&c.SessionLifetime, 10 * time.Hour},
	} {
		if *d.set == 0 {
			*d.set = d.value
		}
	}
}

func (p *Provider) addClients(clients []Client) error {
	for _, c := range clients {
		if c.Algorithm == "" {
			c.Algorithm = "RS256"
		}
		if c.Audience == "" {
			c.Audience = c.ID
		}
		switch {
		case c.ID == "" || p.clients[c.ID] != nil:
			return fmt.Errorf("idp: client %q: the id is empty or taken", c.ID)
		case c.Algorithm != "RS256" && c.Algorithm != "ES256":
			return fmt.Errorf("idp: client %q: algorithm %q is neither RS256 nor ES256", c.ID, c.Algorithm)
		case len(c.RedirectURIs) == 0 && !c.ServiceAccount && !c.TokenExchange:
			return fmt.Errorf("idp: client %q: no redirect address", c.ID)
		}
		if err := c.checkProof(); err != nil {
			return err
		}
		p.clients[c.ID] = &c
	}
	return nil
}

// checkProof makes sure that there is one way in which a client proves itself.
func (c *Client) checkProof() error {
	switch {
	case c.Key != nil && (c.Secret != "" || c.SecretJWT || !c.Key.Valid() || !c.Key.IsPublic()):
		return fmt.Errorf("idp: client %q: a client with a key has a public one, and no secret", c.ID)
	case c.SecretJWT && len(c.Secret) < 32: // RFC 7518, section 3.2
		return fmt.Errorf("idp: client %q: a secret that signs has at least 32 bytes", c.ID)
	case c.SignedRequests && c.Key == nil:
		return fmt.Errorf("idp: client %q: who signs requests has a key", c.ID)
	case (c.ServiceAccount || c.TokenExchange) && c.method() == "none":
		return fmt.Errorf("idp: client %q: a service proves who it is", c.ID)
	}
	return nil
}

func (p *Provider) addUsers(users []User) error {
	for _, u := range users {
		if u.Subject == "" {
			u.Subject = u.PreferredUsername
		}
		if u.PreferredUsername == "" || u.Password == "" || p.users[u.PreferredUsername] != nil {
			return fmt.Errorf("idp: user %q: name or password is empty, or the name is taken", u.PreferredUsername)
		}
		if u.highestLevel() < 0 {
			return fmt.Errorf("idp: user %q: level %q is none of %v", u.PreferredUsername, u.HighestLevel, levels)
		}
		p.users[u.PreferredUsername] = &u
	}
	return nil
}

func (p *Provider) routes() {
	base := strings.TrimSuffix(p.issuer.Path, "/")
	p.mux = http.NewServeMux()
	for pattern, handle := range map[string]http.HandlerFunc{
		"GET %s/.well-known/openid-configuration": p.serveDiscovery,
		"GET %s/jwks":         p.serveKeys,
		"GET %s/authorize":    p.serveAuthorize,
		"POST %s/authorize":   p.serveAuthorize,
		"POST %s/token":       p.serveToken,
		"POST %s/par":         p.servePushed,
		"GET %s/userinfo":     p.serveUserinfo,
		"POST %s/userinfo":    p.serveUserinfo,
		"POST %s/revoke":      p.serveRevocation,
		"POST %s/introspect":  p.serveIntrospection,
		"GET %s/end_session":  p.serveEndSession,
		"POST %s/end_session": p.serveEndSession,
	} {
		p.mux.HandleFunc(fmt.Sprintf(pattern, base), handle)
	}
}

// ServeHTTP answers one request, unless an interceptor took it.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	intercept := p.intercept
	p.mu.Unlock()
	if intercept != nil && intercept(w, r) {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	p.mux.ServeHTTP(w, r)
}

// Intercept lets a test answer requests in the provider's place: a function
// that returns true has answered. Nil removes it.
func (p *Provider) Intercept(f func(http.ResponseWriter, *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.intercept = f
}

// EditIDToken lets a test spoil the claims of ID tokens before they are
// signed. Nil removes it.
func (p *Provider) EditIDToken(f func(claims map[string]any)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.editIDToken = f
}

// Count says how often something happened: "discovery", "jwks", "authorize",
// "sign_in", "sign_in:failed", "consent", "code", "token:authorization_code",
// "token:refresh_token", "token:client_credentials", "token:token_exchange",
// "pushed", "proof", "userinfo", "revocation", "introspection", "introspection:active",
// "introspection:inactive", "end_session", "backchannel_logout",
// "backchannel_logout:failed", "client:" followed by the method by which a client
// has proved itself, and "refused:" followed by the OAuth error.
func (p *Provider) Count(what string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[what]
}

func (p *Provider) count(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[what]++
}

func (p *Provider) endpoint(name string) string {
	return strings.TrimSuffix(p.cfg.Issuer, "/") + "/" + name
}

func (p *Provider) now() time.Time { return p.cfg.Clock() }
