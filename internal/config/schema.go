package config

import "time"

// Provider is one OpenID provider and this gate's registration there.
type Provider struct {
	// Name is how the provider is called in sessions and in the log: up to 32 of a-z, 0-9 and `-`.
	//
	// Required.
	// Example: "keycloak"
	Name string `json:"name"`

	// Type is the kind of provider: `oidc`, or `keycloak`, which is read as
	// `oidc`.
	//
	// Default: "oidc"
	Type string `json:"type"`

	// DisplayName is what people see on the sign-in page. Without it they see
	// the name.
	//
	// Example: "Company login"
	DisplayName string `json:"display_name"`

	// Issuer is the provider's issuer identifier, letter by letter as the
	// provider spells it (OpenID Connect Discovery, section 3): an https
	// address without query and fragment. Everything else about the provider
	// is read from `/.well-known/openid-configuration` below it.
	//
	// Required.
	// Example: "https://id.example.com/realms/main"
	Issuer string `json:"issuer"`

	// InsecureIssuer accepts http addresses from this provider, for its issuer
	// and its endpoints. Whoever can read or change the traffic between Envoy
	// and the provider can then sign in as anybody: only for a connection that
	// something else protects, such as a mesh's mutual TLS.
	//
	// Default: false
	InsecureIssuer bool `json:"insecure_issuer"`

	// Cluster is the Envoy cluster through which the provider is called. In
	// Istio it is a name such as `outbound|443||id.example.com`.
	//
	// Required.
	// Example: "idp"
	Cluster string `json:"cluster"`

	// Clusters are the clusters for endpoints on other hosts than the
	// issuer's: host, with its port unless that is the default, to cluster.
	//
	// Default: {}
	// Example: {"keys.example.com": "idp-keys"}
	Clusters map[string]string `json:"clusters"`

	// ClientID is the client's name at the provider. ID tokens must be made
	// out to it.
	//
	// Required.
	// Example: "shop"
	ClientID string `json:"client_id"`

	// ClientSecret is the client's secret at the provider: the name of an
	// environment variable of the VM, or the secret itself. Settings can be
	// read by whoever can read the proxy's configuration, so the variable is
	// the better place.
	//
	// Example: {"env": "SHOP_CLIENT_SECRET"}
	ClientSecret Secret `json:"client_secret"`

	// ClientAuth is how the client proves itself at the token endpoint:
	// `client_secret_basic`, `client_secret_post`, or `none` for a public
	// client (PKCE is used in any case).
	//
	// Default: "client_secret_basic" with a client_secret, "none" without
	ClientAuth string `json:"client_auth"`

	// Scopes are what the authorisation request asks for. `openid` must be
	// among them.
	//
	// Default: ["openid", "profile", "email"]
	Scopes []string `json:"scopes"`

	// Algorithms are the signature algorithms accepted in ID tokens: any of
	// `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, `ES384`,
	// `ES512` and `EdDSA`. Never `none`, and none with a shared secret.
	//
	// Default: ["RS256", "ES256"]
	Algorithms []string `json:"algorithms"`

	// Claims say where in the ID token or the userinfo answer each claim is:
	// name to path, in gjson's syntax (`realm_access.roles`). A name that is
	// left out keeps its default; names of your own may be added, of a-z, 0-9
	// and `_`. Where `user` finds nothing, the subject (`sub`) is taken. Only
	// `sub` is certain never to be given to another person (OpenID Connect
	// Core, section 5.7): where people may choose their own
	// preferred_username, set `user` to `sub`.
	//
	// Default: {"user": "preferred_username", "email": "email", "groups": "groups", "preferred_username": "preferred_username"}
	// Example: {"user": "sub", "roles": "realm_access.roles"}
	Claims Claims `json:"claims"`

	// Userinfo says when the provider's userinfo endpoint is asked: `auto`,
	// when the ID token lacks one of the claims; `always`; or `never`.
	//
	// Default: "auto"
	Userinfo string `json:"userinfo"`

	// Leeway is how far the provider's clock may be from ours when the times
	// in an ID token are checked. At most 5m.
	//
	// Default: "60s"
	Leeway Duration `json:"leeway"`

	// Timeout is how long one call to the provider may take, from 100ms to
	// 60s.
	//
	// Default: "5s"
	Timeout Duration `json:"timeout"`

	// MetadataRefresh is how often the provider's discovery document is read
	// again. At least 10s.
	//
	// Default: "1h"
	MetadataRefresh Duration `json:"metadata_refresh"`

	// KeysRefresh is how often the provider's signing keys are read again. An
	// unknown key makes them be read sooner. At least 10s.
	//
	// Default: "10m"
	KeysRefresh Duration `json:"keys_refresh"`
}

func (p *Provider) setDefaults() {
	p.Type = "oidc"
	p.Scopes = []string{"openid", "profile", "email"}
	p.Algorithms = []string{"RS256", "ES256"}
	p.Userinfo = "auto"
	p.Leeway = Duration(time.Minute)
	p.Timeout = Duration(5 * time.Second)
	p.MetadataRefresh = Duration(time.Hour)
	p.KeysRefresh = Duration(10 * time.Minute)
}

// Claims maps the name of a claim to the gjson path at which it is found.
type Claims map[string]string

// Session says how a signed-in person is remembered.
type Session struct {
	// Keys are the keys that seal sessions. The first one seals, all of them
	// open: to change keys, put the new one first and take the old one out
	// once the longest session has ended. The same keys on every replica, and
	// at most 32.
	//
	// Required.
	// Example: [{"id": "2026-11", "env": "POSTERN_KEY"}]
	Keys []Key `json:"keys"`

	// Cookie says what the session cookie looks like.
	Cookie Cookie `json:"cookie"`

	// Lifetime is how long a session lasts after signing in, whatever happens.
	// From 1m to 9600h (400 days: browsers keep no cookie longer).
	//
	// Default: "168h"
	Lifetime Duration `json:"lifetime"`

	// MaxBytes is how many bytes all cookies of one session may have together,
	// from 1024 to 49152. A session is spread over cookies of 3800 bytes, and
	// Envoy accepts 60 KiB of request headers unless told otherwise.
	//
	// Default: 12288
	MaxBytes int `json:"max_bytes"`

	// CacheBytes is how many bytes of opened sessions each worker remembers,
	// so that a session it saw before costs no cryptography. Up to 268435456;
	// 0 remembers none.
	//
	// Default: 8388608
	CacheBytes int `json:"cache_bytes"`
}

func (s *Session) setDefaults() {
	s.Cookie.setDefaults()
	s.Lifetime = Duration(168 * time.Hour)
	s.MaxBytes = 12288
	s.CacheBytes = 8 << 20
}

// Key is one key that seals sessions. Exactly one of env and value is given:
// 32 to 64 random bytes in base64, as `openssl rand -base64 32` prints them.
type Key struct {
	// ID is the key's name, which sessions carry: up to 32 of A-Z, a-z, 0-9,
	// `.`, `_` and `-`.
	//
	// Required.
	// Example: "2026-11"
	ID string `json:"id"`

	// Env is the environment variable of the VM that holds the key.
	//
	// Example: "POSTERN_KEY"
	Env string `json:"env"`

	// Value is the key itself. Settings can be read by whoever can read the
	// proxy's configuration, so `env` is the better place.
	Value Secret `json:"value" doc:"string"`

	material Secret
}

// Cookie says what the session cookie looks like.
type Cookie struct {
	// Name is the cookie's name. `__Host-` in front of it makes browsers
	// refuse the cookie from any other host and over http; it needs the path
	// `/` and no domain. `__Secure-` only demands https.
	//
	// Default: "__Host-postern"; "__Secure-postern" with a domain or a path; "postern" with insecure_http_cookies
	Name string `json:"name"`

	// Domain shares the session with every host below it. Each of these hosts
	// then receives the session and can plant one: all of them must be
	// trusted. Without it the session stays on the host that made it.
	//
	// Example: "example.com"
	Domain string `json:"domain"`

	// Path is the path below which browsers send the cookie. `path_prefix`
	// must be below it.
	//
	// Default: "/"
	Path string `json:"path"`

	// SameSite says whether other sites' requests carry the cookie: `lax`,
	// only when a person follows a link; `strict`, never, so that a link from
	// elsewhere, the provider's own answer included, arrives without a
	// session; `none`, always, which leaves protection against forged requests
	// to the application.
	//
	// Default: "lax"
	SameSite string `json:"same_site"`
}

func (c *Cookie) setDefaults() {
	c.Path = "/"
	c.SameSite = "lax"
}

// SignIn says how signing in looks.
type SignIn struct {
	// Page says when people see a page before they are sent to the provider:
	// `auto`, only when there is a choice of providers; `always`; or `never`.
	//
	// Default: "auto"
	Page string `json:"page"`

	// Title is what people sign in to, as pages name it: up to 100 characters.
	//
	// Example: "Example Shop"
	Title string `json:"title"`

	// LoginTimeout is how long a person may take at the provider, from 1m to
	// 1h.
	//
	// Default: "15m"
	LoginTimeout Duration `json:"login_timeout"`
}

func (s *SignIn) setDefaults() {
	s.Page = "auto"
	s.LoginTimeout = Duration(15 * time.Minute)
}

// Forward says what the application is told about the person. Every header
// named here is taken out of each request that comes in, in any spelling, on
// every path.
type Forward struct {
	// Headers are the request headers that carry claims: header to claim name.
	// If given, it replaces the default as a whole. The values of a list are
	// joined by commas. Percent-encoded are: percent signs, control characters,
	// spaces at either end, and commas within a list (groups and roles always
	// count as lists).
	//
	// Default: {"x-auth-request-user": "user", "x-auth-request-email": "email", "x-auth-request-groups": "groups", "x-auth-request-preferred-username": "preferred_username"}
	Headers map[string]string `json:"headers"`

	// AccessToken are the request headers that carry the person's access
	// token. `authorization` gets it as `Bearer` and the token, any other
	// header the token alone. The application can then act as the person.
	//
	// Default: []
	// Example: ["authorization", "x-auth-request-access-token"]
	AccessToken []string `json:"access_token"`
}

func (f *Forward) setDefaults() {
	f.Headers = map[string]string{
		"x-auth-request-user":               "user",
		"x-auth-request-email":              "email",
		"x-auth-request-groups":             "groups",
		"x-auth-request-preferred-username": "preferred_username",
	}
}

// Rule says what the requests that it matches need.
type Rule struct {
	// Name is how the rule is called: up to 64 of A-Z, a-z, 0-9,
	// `.`, `_` and `-`. Without it it goes by its number.
	//
	// Example: "health"
	Name string `json:"name"`

	// Match says which requests the rule is for.
	//
	// Required.
	Match Match `json:"match"`

	// Allow lets the requests pass without a session if it is `anyone`. A
	// person who has a session is still made known to the application.
	//
	// Default: a session is needed
	// Example: "anyone"
	Allow string `json:"allow"`

	// OnAnonymous says what a request without a session gets: `login`, a
	// browser that opens a page is sent to sign in, and everything else gets
	// status 401; or `401`, everything does. It has no place beside `allow`.
	//
	// Default: "login"
	OnAnonymous string `json:"on_anonymous"`
}

// Match says which requests a rule is for: those that fit one entry of each
// list given. At least one list must be given; `"paths": ["/*"]` is every
// request.
type Match struct {
	// Hosts are hosts, written as in the top level's `hosts`.
	//
	// Example: ["api.example.com"]
	Hosts []HostPattern `json:"hosts"`

	// Paths are paths without the query. `/healthz` is that path alone,
	// `/public/*` is everything that begins with `/public/`. They are compared
	// with the path in its normal form, so they must be in it: no `//`, `.`,
	// `..`, `%`, `?` or `#`, and `*` only as the last segment.
	//
	// Example: ["/healthz", "/public/*"]
	Paths []string `json:"paths"`

	// Methods are request methods, in upper case.
	//
	// Example: ["GET", "HEAD"]
	Methods []string `json:"methods"`
}
