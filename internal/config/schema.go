package config

import "time"

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
