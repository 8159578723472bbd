package config

import "time"

// Bearer says which tokens of one provider are accepted.
type Bearer struct {
	// Provider is the name of the provider whose tokens these are. Each provider
	// has one entry at most.
	//
	// Required.
	// Example: "keycloak"
	Provider string `json:"provider"`

	// Check says how a token is checked: `jwt`, by its signature and its
	// claims; `introspection`, by asking the provider (RFC 7662); or `auto`,
	// signed tokens by their signature, and the provider is asked about all
	// others. A token that does not say who issued it is shown to the first
	// entry with `introspection` or `auto` alone.
	//
	// Default: "jwt"
	Check string `json:"check"`

	// Audiences are the names of the services that this gate protects: a token
	// must be made out to one of them (`aud`). Required, unless
	// `insecure_any_audience` is set.
	//
	// Example: ["shop-api"]
	Audiences []string `json:"audiences"`

	// InsecureAnyAudience accepts tokens whoever they are made out to. A token
	// that a person gave to any other service of the provider can then be
	// brought here by that service.
	//
	// Default: false
	InsecureAnyAudience bool `json:"insecure_any_audience"`

	// Algorithms are the signature algorithms accepted, as in the provider's
	// `algorithms`.
	//
	// Default: the provider's
	// Example: ["RS256", "PS256"]
	Algorithms []string `json:"algorithms"`

	// Types are what a token's header may give as its type (`typ`). `JWT` also
	// stands for none. `["at+jwt"]` is what RFC 9068 demands, and what keeps ID
	// tokens out for certain; where `JWT` is accepted, a token that shows itself
	// to be an ID token, a refresh token or a logout token is refused.
	//
	// Default: ["at+jwt", "JWT"]
	Types []string `json:"types"`

	// RequiredClaims must be in the token: gjson path to the values of which
	// one must be there, or to an empty list for any. `scope` and `scp` are read
	// as lists, and a token that lacks one is answered `insufficient_scope`.
	//
	// Default: {}
	// Example: {"realm_access.roles": ["service"], "tenant": []}
	RequiredClaims map[string][]string `json:"required_claims"`

	// MaxLifetime is how far in the future a token may expire. At least 1m.
	//
	// Default: "720h"
	MaxLifetime Duration `json:"max_lifetime"`

	// Introspection is about asking the provider.
	Introspection Introspection `json:"introspection"`

	// ClientIDHeader is a request header that must name the client that the
	// token was given to (`azp`, `client_id` or `clientId`). Without it nothing
	// is compared.
	//
	// Example: "Client-Id"
	ClientIDHeader string `json:"client_id_header"`

	// ClientAddress demands that the caller's address is the one that the token
	// names (`clientAddress` or `clientHost`, as Keycloak writes them for service
	// accounts). It is the address from which the token was fetched: behind NAT
	// or in a mesh it may well be another one. See `trusted_peers.hops` for where
	// the caller's address is taken from.
	//
	// Default: false
	ClientAddress bool `json:"client_address"`

	// Bound says which proof of possession is demanded: `if_bound`, the one that
	// the token is bound to, if it is; `dpop`, every token must be bound by DPoP
	// (RFC 9449); `certificate`, to the caller's certificate (RFC 8705); or
	// `always`, to either.
	//
	// Default: "if_bound"
	Bound string `json:"bound"`

	// DPoP is about proofs of possession (RFC 9449).
	DPoP DPoP `json:"dpop"`
}

func (b *Bearer) setDefaults() {
	b.Check = "jwt"
	b.Types = []string{"at+jwt", "JWT"}
	b.MaxLifetime = Duration(720 * time.Hour)
	b.Bound = "if_bound"
	b.Introspection.setDefaults()
	b.DPoP.setDefaults()
}

// Introspection is about asking the provider for what a token says.
type Introspection struct {
	// Cache is how long an answer is used, and never after the token expires.
	// `0s` asks each time. A token that is withdrawn is accepted for that long.
	// At most 1h.
	//
	// Default: "30s"
	Cache Duration `json:"cache"`

	// NegativeCache is how long it is remembered that a token is not good. `0s`
	// asks each time. At most 5m.
	//
	// Default: "5s"
	NegativeCache Duration `json:"negative_cache"`

	// JWT asks for a signed answer (RFC 9701), and accepts no other.
	//
	// Default: false
	JWT bool `json:"jwt"`
}

func (i *Introspection) setDefaults() {
	i.Cache = Duration(30 * time.Second)
	i.NegativeCache = Duration(5 * time.Second)
}

// DPoP is about proofs of possession.
type DPoP struct {
	// Window is how old a proof may be, and how far ahead our clock its time.
	// From 5s to 5m. Each proof is good once; those of this time are remembered.
	//
	// Default: "60s"
	Window Duration `json:"window"`

	// Nonce demands that a proof carries a nonce that this gate gave out less
	// than the window ago (RFC 9449, section 9).
	//
	// Default: false
	Nonce bool `json:"nonce"`
}

func (d *DPoP) setDefaults() { d.Window = Duration(time.Minute) }

// Resource says what the protected-resource metadata tell.
type Resource struct {
	// Name is what people call the service: up to 100 characters.
	//
	// Example: "Shop API"
	Name string `json:"name"`

	// Documentation is the address of a page for developers.
	//
	// Example: "https://developer.example.com/shop"
	Documentation string `json:"documentation"`

	// Scopes are the scopes that clients may ask for. A client that comes
	// without a token is told of them as well.
	//
	// Example: ["orders.read", "orders.write"]
	Scopes []string `json:"scopes"`
}

// CORS says which other sites' pages may read our answers.
type CORS struct {
	// Origins are the sites, letter by letter as browsers write them. Our own
	// answers, such as status 401, carry the fields by which their pages may
	// read them; the application's answers are its own affair.
	//
	// Default: []
	// Example: ["https://spa.example.com"]
	Origins []string `json:"origins"`

	// ForwardPreflights lets the preflight requests of these sites pass to the
	// application without a session or a token: browsers send neither with
	// them.
	//
	// Default: false
	ForwardPreflights bool `json:"forward_preflights"`
}

// AuthRequest is about the endpoint that other proxies ask by a subrequest.
type AuthRequest struct {
	// Status is the answer's status where a request may pass: 202, as nginx and
	// oauth2-proxy's users expect, or 200 for Envoy's `ext_authz`, which also
	// puts the request's own path behind that of the endpoint. Demands are then
	// read where none follows.
	//
	// Default: 202
	Status int `json:"status"`

	// Rules holds requests that a trusted peer asks about against `rules`, by the
	// method, host and path that it names (`X-Original-Method`, `X-Original-URL`,
	// or `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri`; or the path behind
	// that of the endpoint). A request whose address is not told is refused, and
	// where several of these fields are there what each of them needs is needed:
	// the peer sets some, and hands on the others as the client sent them. It
	// takes `trusted_peers`: nobody else is believed.
	//
	// Default: false
	Rules bool `json:"rules"`
}

func (a *AuthRequest) setDefaults() { a.Status = 202 }

// TrustedPeers says whose word is believed about who sent a request, and for
// which address: whoever is in front of this Envoy.
type TrustedPeers struct {
	// SANs are names (URI or DNS) in the certificates of trusted peers. Envoy
	// must verify peers' certificates for that.
	//
	// Default: []
	// Example: ["spiffe://cluster.local/ns/ingress/sa/nginx"]
	SANs []string `json:"sans"`

	// Listener trusts whoever reaches this listener: for one that only the hop
	// in front can reach.
	//
	// Default: false
	Listener bool `json:"listener"`

	// Hops says where a caller's address is: `0`, it is the address of the peer,
	// as Envoy knows it, which with `use_remote_address: false` a client may
	// choose; any other number, it is that entry of X-Forwarded-For, counted from
	// the end, if the peer is trusted. At most 16.
	//
	// Default: 0
	Hops int `json:"hops"`
}

// Outbound says which token is put into requests that an application sends.
type Outbound struct {
	// Match says which requests the entry is for. It must name the hosts: a token
	// is not for whatever host an application may be brought to call.
	//
	// Required.
	Match Match `json:"match"`

	// Provider is the name of the provider that gives the token.
	//
	// Required.
	// Example: "keycloak"
	Provider string `json:"provider"`

	// Grant is what the token is got by: `client_credentials`, the application's
	// own; or `token_exchange` (RFC 8693), the caller's token, which the
	// application passes on as `Authorization: Bearer`, for one that is good for
	// this call.
	//
	// Default: "client_credentials"
	Grant string `json:"grant"`

	// Scopes are the scopes to ask for.
	//
	// Default: []
	// Example: ["orders"]
	Scopes []string `json:"scopes"`

	// Audiences are the services that the token is for (`audience`, RFC 8693).
	//
	// Default: []
	// Example: ["orders-api"]
	Audiences []string `json:"audiences"`

	// Resources are the addresses of the services that the token is for
	// (`resource`, RFC 8707).
	//
	// Default: []
	// Example: ["https://orders.example.com"]
	Resources []string `json:"resources"`

	// Existing says what happens to a request that has an `Authorization` field:
	// `keep`, it goes on as it is; `replace`, the token takes its place. A token
	// exchange always replaces.
	//
	// Default: "keep"
	Existing string `json:"existing"`
}

func (o *Outbound) setDefaults() {
	o.Grant = "client_credentials"
	o.Existing = "keep"
}
