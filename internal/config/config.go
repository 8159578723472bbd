// Package config reads Postern's settings: it parses them strictly, fills in
// what was left out, checks everything, and hands back values that nobody
// changes afterwards.
//
// It refuses to guess. A key it does not know, a key given twice, a value of
// the wrong type or out of range is a problem, and all problems are reported
// together, each with its path in the settings and what would be right. A
// secret never appears in a problem, in a log or in a printed Config.
//
// The settings are JSON (RFC 8259), as Envoy hands them over. The rules behind
// single settings are named where they are checked: RFC 6749 (client
// authentication, scopes), OpenID Connect Core and Discovery (issuer,
// algorithms), RFC 7468 and RFC 7517 (private keys), RFC 6265bis (cookies),
// RFC 9110 (field names, methods) and RFC 3986 (paths).
package config

//go:generate go run ./gendoc -o ../../docs/configuration.md -schema ../../docs/postern.schema.json

// Config is what Postern was told to do. It is made by Parse and not changed
// afterwards.
type Config struct {
	// Providers are the OpenID providers, at most 64. People sign in at those that
	// have a `client_id`, unless their `sign_in` says otherwise; where there are
	// several, they choose on a page. The others are those whose tokens are
	// accepted (`bearer`) or fetched (`outbound`).
	//
	// Required.
	Providers []Provider `json:"providers"`

	// PublicURL is the address of the one host that receives the provider's
	// answers: the callback is at this address followed by `path_prefix` and
	// `/callback`, and that is the redirect address to register at the
	// provider. Only scheme, host and port. Without it each request's own host
	// receives them, if the host is in `hosts`. Its own host needs no entry in
	// `hosts`. One sign-in there serves every other host: each gets a session of
	// its own by a ticket that is good once, for half a minute, in one browser;
	// or, with `session.cookie.domain`, all hosts below that domain share one.
	//
	// Example: "https://auth.example.com"
	PublicURL string `json:"public_url"`

	// Hosts are the hosts that this gate serves and may send a browser to. A
	// request for any other host is refused. `app.example.com` is one host at
	// its scheme's default port; `*.example.com` is every host below
	// example.com; `.example.com` is example.com itself and every host below
	// it. `:8443` at the end names another port, `:*` any port. A bare `*` is
	// refused: it would let anybody send your users anywhere. Required, unless
	// the settings are for `outbound` alone.
	//
	// Example: ["app.example.com", "*.shop.example.com", "localhost:8080"]
	Hosts []HostPattern `json:"hosts"`

	// PathPrefix is the path under which Postern's own endpoints are
	// (`/sign_in`, `/start`, `/callback`, `/ticket`, `/sign_out`,
	// `/signed_out`, `/auth`, `/userinfo`, `/jwks`, `/frontchannel_logout`,
	// `/backchannel_logout`). It hides
	// whatever the application has there.
	//
	// Default: "/oauth2"
	PathPrefix string `json:"path_prefix"`

	// Session says how a signed-in person is remembered.
	//
	// Required.
	Session Session `json:"session"`

	// SignIn says how signing in looks.
	SignIn SignIn `json:"sign_in"`

	// Pages says how our pages look, and what they say.
	Pages Pages `json:"pages"`

	// SignOut says what signing out ends beside the session.
	SignOut SignOut `json:"sign_out"`

	// Forward says what the application is told about the person.
	Forward Forward `json:"forward"`

	// Bearer says which tokens are accepted from those who call with
	// `Authorization: Bearer`, instead of a session. Each token is judged by the
	// entry of its issuer.
	//
	// Default: []
	// Example: [{"provider": "keycloak", "audiences": ["shop-api"]}]
	Bearer []Bearer `json:"bearer"`

	// BearerCacheBytes is how many bytes of accepted tokens each worker
	// remembers, so that a token it saw before costs no cryptography. Up to
	// 268435456; 0 remembers none.
	//
	// Default: 8388608
	BearerCacheBytes int `json:"bearer_cache_bytes"`

	// Resource says what the protected-resource metadata (RFC 9728) tell, at
	// `/.well-known/oauth-protected-resource`. They are served where `bearer` has
	// an entry.
	Resource Resource `json:"resource"`

	// CORS says which other sites' pages may read our answers.
	CORS CORS `json:"cors"`

	// AuthRequest is about the endpoint that other proxies ask by a subrequest,
	// `/oauth2/auth`.
	AuthRequest AuthRequest `json:"auth_request"`

	// TrustedPeers says whose word is believed about who sent a request, and
	// for which address. Nobody's, unless it is said here.
	TrustedPeers TrustedPeers `json:"trusted_peers"`

	// Outbound says which tokens are put into requests that an application
	// sends, on a listener on its outgoing side. Settings with `outbound` and
	// without `hosts` are for such a listener alone. Settings with both are for
	// two listeners of a sidecar, and each must have its `traffic_direction`: on
	// one that says `OUTBOUND` nothing is protected. (Istio says so of gateways,
	// too; there, and where nothing is said, such settings protect.) The first
	// entry that matches decides; a request that none matches passes as it is.
	//
	// Default: []
	// Example: [{"match": {"hosts": ["orders.example.com"]}, "provider": "keycloak", "scopes": ["orders"]}]
	Outbound []Outbound `json:"outbound"`

	// Rules say which requests need what. The first rule that matches decides;
	// a request that no rule matches needs a session, or a token where `bearer`
	// accepts any. At most 10000.
	//
	// Default: []
	// Example: [{"match": {"paths": ["/healthz", "/public/*"]}, "allow": "anyone"}]
	Rules []Rule `json:"rules"`

	// Log says which decisions are logged.
	Log Log `json:"log"`

	// InsecureObserve is a rule's `insecure_observe` for every request, also for
	// those that no rule matches.
	//
	// Default: false
	InsecureObserve bool `json:"insecure_observe"`

	// InsecureHTTPCookies lets cookies travel over plain http, for trying
	// things out on one's own machine. It is refused unless every entry of
	// `hosts`, and `public_url`, is a loopback host (localhost, a name below
	// it, 127.0.0.0/8 or ::1).
	//
	// Default: false
	InsecureHTTPCookies bool `json:"insecure_http_cookies"`
}

// Parse reads settings. It asks env for the variables that they name. The
// error is of type Problems.
func Parse(data []byte, env func(name string) (string, bool)) (*Config, error) {
	root, problem := parseTree(data)
	if problem != nil {
		return nil, Problems{*problem}
	}
	r := &reader{env: env}
	c := new(Config)
	r.settings(c, root)
	r.check(c)
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return c, nil
}

func (c *Config) setDefaults() {
	c.PathPrefix = "/oauth2"
	c.BearerCacheBytes = 8 << 20
	// A part that is left out still has its defaults.
	c.Session.setDefaults()
	c.SignIn.setDefaults()
	c.Pages.setDefaults()
	c.SignOut.setDefaults()
	c.Forward.setDefaults()
	c.AuthRequest.setDefaults()
	c.Log.setDefaults()
}

// AllowsHost says whether the gate serves, and may send a browser to, the host
// (in lower case, without a port) at the port ("" where none was named). The
// scheme is https, unless the settings allow cookies over http: then the
// default port of either scheme will do.
func (c *Config) AllowsHost(host, port string) bool {
	for _, p := range c.Hosts {
		if p.Match(host, port, true) || c.InsecureHTTPCookies && p.Match(host, port, false) {
			return true
		}
	}
	return false
}

// accepted is what a request may bring where no rule says otherwise.
func (c *Config) accepted() []string {
	if len(c.Bearer) > 0 {
		return []string{"session", "bearer"}
	}
	return []string{"session"}
}
