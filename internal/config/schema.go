package config

import "time"

// Provider is one OpenID provider and this gate's registration there.
type Provider struct {
	// Name is how the provider is called in sessions and in the log: up to 32 of a-z, 0-9 and `-`.
	//
	// Required.
	// Example: "keycloak"
	Name string `json:"name"`

	// Type is the kind of provider: `oidc`; or `keycloak`, whose access tokens
	// are looked into for claims too, since that is where it has roles. There
	// `roles` are the realm's and `client_roles` those of this client, unless
	// `claims` says otherwise.
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
	// out to it. Required of the first provider where there are `hosts`, and of
	// each that is asked for tokens or about them; not of one whose keys alone
	// are used.
	//
	// Example: "shop"
	ClientID string `json:"client_id"`

	// ClientSecret is the client's secret at the provider: the name of an
	// environment variable of the VM, or the secret itself. Settings can be
	// read by whoever can read the proxy's configuration, so the variable is
	// the better place.
	//
	// Example: {"env": "SHOP_CLIENT_SECRET"}
	ClientSecret Secret `json:"client_secret"`

	// ClientAuth is how the client proves itself where the provider asks for
	// it: `client_secret_basic`, `client_secret_post`, `client_secret_jwt`,
	// `private_key_jwt`, or `none` for a public client (PKCE is used in any
	// case).
	//
	// Default: "client_secret_basic" with a client_secret, "private_key_jwt" with a client_key, "none" without
	ClientAuth string `json:"client_auth"`

	// ClientKey is the private key that `private_key_jwt` signs with: RSA of
	// 2048 to 4096 bits, P-256 or Ed25519, in PEM (PKCS #8, PKCS #1 or SEC 1,
	// without a passphrase) or as a JSON Web Key, of at most 16384 bytes. As with
	// `client_secret`, a variable of the VM or the key itself. The worker that
	// signs does nothing else meanwhile: for some two milliseconds with P-256 and
	// Ed25519, fifteen with RSA of 2048 bits, and more than a hundred with 4096.
	//
	// Example: {"env": "SHOP_CLIENT_KEY"}
	ClientKey ClientKey `json:"client_key"`

	// ClientKeyID is the key's name at the provider (`kid`).
	//
	// Default: the "kid" of a JSON Web Key
	// Example: "2026-11"
	ClientKeyID string `json:"client_key_id"`

	// ClientKeyAlgorithm is the algorithm that `private_key_jwt` signs with:
	// `RS256`, `PS256`, `ES256` or `EdDSA`.
	//
	// Default: the "alg" of a JSON Web Key, else "RS256" for an RSA key and the one that fits for any other
	ClientKeyAlgorithm string `json:"client_key_algorithm"`

	// ClientAssertionAudience is whom `client_secret_jwt` and `private_key_jwt`
	// address: `issuer`, or `endpoint` for the address that is asked, as Entra
	// and Okta want it.
	//
	// Default: "issuer"
	ClientAssertionAudience string `json:"client_assertion_audience"`

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
	// preferred_username, set `user` to `sub`. With the type `keycloak` there are
	// also `roles`, at `realm_access.roles`, and `client_roles`, at
	// `resource_access.<client_id>.roles`.
	//
	// Default: {"user": "preferred_username", "email": "email", "groups": "groups", "preferred_username": "preferred_username"}
	// Example: {"user": "sub", "roles": "realm_access.roles"}
	Claims Claims `json:"claims"`

	// InsecureUnverifiedEmail takes an e-mail address for a person's although the
	// provider says that it was not verified (`email_verified`). Whoever may enter
	// any address there is then whoever they want to be, to rules about addresses.
	//
	// Default: false
	InsecureUnverifiedEmail bool `json:"insecure_unverified_email"`

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

	// KeysStale is how long the provider's signing keys are used while they
	// cannot be read again, from 1m to 720h. Then nothing that it signed is
	// accepted until they can.
	//
	// Default: "24h"
	KeysStale Duration `json:"keys_stale"`
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
	p.KeysStale = Duration(24 * time.Hour)
	p.ClientAssertionAudience = "issuer"
}

// Claims maps the name of a claim to the gjson path at which it is found.
type Claims map[string]string

// Session says how a signed-in person is remembered.
type Session struct {
	// Keys are the keys that seal sessions. The first one seals, all of them
	// open: to change keys, add the new one at the end, then put it first, and
	// take the old one out once the longest session has ended. The same keys on
	// every replica, and at most 32.
	//
	// Required.
	// Example: [{"id": "2026-11", "env": "POSTERN_KEY"}]
	Keys []Key `json:"keys"`

	// Cookie says what the session cookie looks like.
	Cookie Cookie `json:"cookie"`

	// Lifetime is how long a session lasts after signing in, whatever happens.
	// From 1s to 9600h (400 days: browsers keep no cookie longer).
	//
	// Default: "168h"
	Lifetime Duration `json:"lifetime"`

	// Idle is how long a session lasts without any request, from 1s to the
	// lifetime; `0s` for as long as the lifetime. The browser is given the
	// time of its last request in steps of a tenth of this, so a session may
	// end that much early.
	//
	// Default: "0s"
	// Example: "24h"
	Idle Duration `json:"idle"`

	// Refresh is the age at which a session is confirmed at the provider and
	// made anew, with what the provider then says of the person: from 1s to the
	// lifetime, or `0s` for never by age. A session with a refresh token is
	// renewed shortly before its access token expires in any case. Without a
	// refresh token the access token is shown at the provider's userinfo or
	// introspection endpoint, and once it has expired the person signs in again.
	//
	// Default: "0s"
	// Example: "1h"
	Refresh Duration `json:"refresh"`

	// RefreshRetry says what happens to a refresh token that was sent to the
	// provider when no answer came back: the provider may have used it up, and
	// many providers end everything when a token is used twice. `never`: it is
	// not sent again; the session lasts as long as its access token, and then
	// the person signs in again. `once`: it is sent one more time.
	//
	// Default: "never"
	RefreshRetry string `json:"refresh_retry"`

	// OnOutage says what happens to a session that is due for renewal while
	// the provider is away: `serve`, it goes on for as long as its access token
	// is good, and then gets status 503 until the provider is back; `refuse`,
	// it gets status 503 at once. It is never thrown away for that.
	//
	// Default: "serve"
	OnOutage string `json:"on_outage"`

	// Grace is how long a cookie that was replaced by a renewal still stands for
	// the new session, for requests that were under way meanwhile, counted from
	// when the browser first sends the new one: from 1s to 5m.
	//
	// Default: "30s"
	Grace Duration `json:"grace"`

	// NotBefore ends every session that began before this time (RFC 3339). A
	// time still to come keeps everybody out until then.
	//
	// Example: "2026-11-22T08:00:00Z"
	NotBefore Time `json:"not_before"`

	// RevalidateAfterStart has each session that was last confirmed before this
	// Envoy started confirmed once more at the provider. Which sessions were
	// ended is kept in Envoy's memory, so that a restart forgets it; with this
	// nobody gets past by it.
	//
	// Default: false
	RevalidateAfterStart bool `json:"revalidate_after_start"`

	// CloseStreams cuts open WebSockets, event streams and gRPC streams when
	// the session they were opened with is ended or past its lifetime.
	//
	// Default: true
	CloseStreams bool `json:"close_streams"`

	// Store is where what several Envoys must know together is kept. Without
	// it, each Envoy process knows its own.
	Store Store `json:"store"`

	// MaxBytes is how many bytes all cookies of one session may have together,
	// from 1024 to 49152. A session is spread over cookies of 3800 bytes, and
	// Envoy accepts 60 KiB of request headers unless told otherwise. Tokens
	// that no setting needs are never stored; where a session is too large all
	// the same, it goes without its ID token, then without its refresh token,
	// then without its access token; if that is not enough, nobody is signed in
	// and a page says so.
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
	s.RefreshRetry = "never"
	s.OnOutage = "serve"
	s.Grace = Duration(30 * time.Second)
	s.CloseStreams = true
	s.MaxBytes = 12288
	s.CacheBytes = 8 << 20
}

// Store is where what several Envoys must know together is kept.
type Store struct {
	// Webdis is a Redis behind Webdis, its HTTP front. It holds across all
	// Envoys: that each refresh token is used once, and which sessions were
	// ended. It is an extra service, for those who want that.
	//
	// Default: none
	Webdis *Webdis `json:"webdis"`
}

// Webdis is a Redis behind Webdis.
type Webdis struct {
	// Cluster is the Envoy cluster through which Webdis is called. The
	// connection must be protected: loopback, or a mesh's mutual TLS.
	//
	// Required.
	// Example: "webdis"
	Cluster string `json:"cluster"`

	// User is the user name that goes with the password.
	//
	// Default: "postern"
	User string `json:"user"`

	// Password is the password for Webdis (`http_basic_auth` in its settings):
	// the name of an environment variable of the VM, or the password itself.
	// Without it no credentials are sent.
	//
	// Example: {"env": "WEBDIS_PASSWORD"}
	Password Secret `json:"password"`

	// Prefix begins the name of everything that is kept in Redis: up to 32 of
	// a-z, 0-9 and `-`. Gates with the same keys and the same prefix share
	// what they know.
	//
	// Default: "postern"
	Prefix string `json:"prefix"`

	// Sessions keeps the sessions themselves in Redis, sealed, and gives the
	// browser a ticket of about 100 bytes. Neither Redis nor a ticket alone is
	// enough to read a session.
	//
	// Default: false
	Sessions bool `json:"sessions"`

	// Timeout is how long one call may take, from 50ms to 10s.
	//
	// Default: "1s"
	Timeout Duration `json:"timeout"`

	// Interval is how often each Envoy asks which sessions were ended
	// elsewhere, from 100ms to 1m.
	//
	// Default: "500ms"
	Interval Duration `json:"interval"`

	// Stale is how long Redis may be away before `on_outage` applies, from 1s
	// to 1h, and more than `interval`.
	//
	// Default: "10s"
	Stale Duration `json:"stale"`

	// OnOutage says what happens to requests with a session when Redis has
	// been away for longer than `stale`, so that sessions ended elsewhere are
	// not known: `refuse`, they get status 503; `admit`, they go on, counted
	// and logged.
	//
	// Default: "refuse"
	OnOutage string `json:"on_outage"`
}

func (w *Webdis) setDefaults() {
	w.User = "postern"
	w.Prefix = "postern"
	w.Timeout = Duration(time.Second)
	w.Interval = Duration(500 * time.Millisecond)
	w.Stale = Duration(10 * time.Second)
	w.OnOutage = "refuse"
}

// Key is one key that seals sessions. Exactly one of env and value is given:
// 32 to 64 random bytes in base64, as `postern keygen` prints them.
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

// SignOut says what signing out ends beside the session.
type SignOut struct {
	// AtProvider sends people who sign out on to the provider, so that their
	// session there ends as well (OpenID Connect RP-Initiated Logout), if it
	// has an endpoint for that. Register `<host>/oauth2/signed_out` there as an
	// address to return to after signing out, for `public_url` or, without it,
	// for each host. The ID token is then kept in the session.
	//
	// Default: false
	AtProvider bool `json:"at_provider"`

	// Revoke tells the provider that a signed-out session's tokens are no
	// longer good (RFC 7009), if it has an endpoint for that.
	//
	// Default: true
	Revoke bool `json:"revoke"`
}

func (s *SignOut) setDefaults() { s.Revoke = true }
