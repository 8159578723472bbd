package config

import "time"

// Provider is one OpenID provider and this gate's registration there.
type Provider struct {
	// Name is how the provider is called in sessions and in the log: up to 32 of a-z, 0-9 and `-`.
	//
	// Required.
	// Example: "keycloak"
	Name string `json:"name"`

	// Type is the kind of provider, whose habits are then known: `keycloak`,
	// `google`, `entra`, `github`, `gitlab`, `okta` or `auth0`; `oidc` for any
	// other OpenID provider, and `oauth2` for one that has no ID tokens and is
	// asked at `endpoints` who the person is. What each of them brings is in
	// docs/providers.
	//
	// Default: "oidc"
	Type string `json:"type"`

	// SignIn offers the provider on the sign-in page. It has no meaning without a
	// `client_id`: such a provider only has its tokens looked at.
	//
	// Default: true
	SignIn bool `json:"sign_in"`

	// DisplayName is what people see on the sign-in page.
	//
	// Default: "Google" for `google`, "Microsoft" for `entra`, "GitHub" for `github`, "GitLab" for `gitlab`, "Okta" for `okta`, "Auth0" for `auth0`, else the name
	// Example: "Company login"
	DisplayName string `json:"display_name"`

	// Logo is the picture on the provider's button, in place of the one of its
	// `type`: an https address, or a `data:image/` one of at most 8192 bytes.
	//
	// Example: "https://www.example.com/mark.svg"
	Logo string `json:"logo"`

	// Color is the colour of the provider's button: `#` and six hexadecimal
	// digits. The text on it is black or white, whichever can be read.
	//
	// Example: "#1d5b4f"
	Color string `json:"color"`

	// EmailDomains are the domains of the e-mail addresses of those who sign in
	// here. Where a provider has some, the sign-in page asks for an address, and
	// leads to the provider that has its domain. `*.example.com` is every domain
	// below it. It says where to sign in, and not who may: that is for rules to say.
	//
	// Example: ["example.com"]
	EmailDomains []string `json:"email_domains"`

	// Issuer is the provider's issuer identifier, letter by letter as the
	// provider spells it (OpenID Connect Discovery, section 3): an https
	// address without query and fragment. Everything else about the provider
	// is read from `/.well-known/openid-configuration` below it. Of `oauth2` and
	// `github` it is a name for the provider, which its answers must bear if they
	// bear one (`iss`; GitHub's has `/login/oauth` behind it).
	//
	// Required, unless the type says it.
	// Default: "https://accounts.google.com" for `google`, "https://github.com" for `github`, "https://gitlab.com" for `gitlab`, "https://login.microsoftonline.com/<tenant>/v2.0" for `entra`
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
	// out to it. Required of one provider at least where there are `hosts`, and of
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
	// `private_key_jwt`; `tls_client_auth` or `self_signed_tls_client_auth`, by
	// the certificate that Envoy's cluster shows (RFC 8705); or `none` for a public
	// client (PKCE is used in any case).
	//
	// Default: "client_secret_basic" with a client_secret ("client_secret_post" for `github`), "private_key_jwt" with a client_key, "none" without
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
	// Default: "issuer", and "endpoint" for `entra` and `okta`
	ClientAssertionAudience string `json:"client_assertion_audience"`

	// Scopes are what the authorisation request asks for. `openid` must be
	// among them, but for `oauth2` and `github`.
	//
	// Default: ["openid", "profile", "email"]; ["read:user", "user:email"] for `github`, and "read:org" too where a rule requires `groups`, or headers or an assertion that are set say them; [] for `oauth2`
	Scopes []string `json:"scopes"`

	// Algorithms are the signature algorithms accepted in ID tokens: any of
	// `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, `ES384`,
	// `ES512` and `EdDSA`. Never `none`, and none with a shared secret.
	//
	// Default: ["RS256", "ES256"], and ["PS256", "ES256", "EdDSA"] with the profile `fapi2`
	Algorithms []string `json:"algorithms"`

	// Tenant is the Entra tenant in the issuer: its id or one of its domains; or
	// `common` or `organizations` for people of many, whose tokens each name their
	// own; or `consumers` for personal accounts.
	//
	// Required with the type `entra`, unless the issuer is given.
	// Example: "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
	Tenant string `json:"tenant"`

	// Tenants are the ids of the Entra tenants whose people may sign in, where
	// `tenant` is one for many.
	//
	// Required with the tenants `common` and `organizations`, unless `insecure_any_tenant` is set.
	// Example: ["8eaef023-2b34-4da1-9baa-8bc8c9d6a490"]
	Tenants []string `json:"tenants"`

	// InsecureAnyTenant lets in whoever has a Microsoft account of any tenant.
	// Anybody can make a tenant, and what it says of its people (their names,
	// addresses and groups) is its word alone.
	//
	// Default: false
	InsecureAnyTenant bool `json:"insecure_any_tenant"`

	// HostedDomains are the Google Workspace domains whose people may sign in
	// (the claim `hd`): the end of an e-mail address proves nothing.
	//
	// Example: ["example.com"]
	HostedDomains []string `json:"hosted_domains"`

	// Endpoints are the addresses of a provider of the type `oauth2`, which has no
	// discovery document.
	//
	// Example: {"authorization": "https://id.example.com/authorize", "token": "https://id.example.com/token", "userinfo": "https://id.example.com/me"}
	Endpoints Endpoints `json:"endpoints"`

	// Subject is where, in the userinfo answer of a provider of the type `oauth2`,
	// the person's identifier is that is never given to another one: a gjson path.
	//
	// Default: "sub" for `oauth2`
	// Example: "user.id"
	Subject string `json:"subject"`

	// Claims say where in the ID token or the userinfo answer each claim is:
	// name to path, in gjson's syntax (`realm_access.roles`). A name that is
	// left out keeps its default; names of your own may be added, of a-z, 0-9
	// and `_`. Where `user` finds nothing, the subject (`sub`) is taken. Only
	// `sub` is certain never to be given to another person (OpenID Connect
	// Core, section 5.7): where people may choose their own
	// preferred_username, set `user` to `sub`. With the type `keycloak` there are
	// also `roles`, at `realm_access.roles`, and `client_roles`, at
	// `resource_access.<client_id>.roles`; with `entra`, `roles`. With `google` and
	// `auth0` the `user` is the e-mail address, and with `gitlab` the `nickname`. With
	// `github`, groups are organisations (`octo-org`) and teams (`octo-org/team-name`),
	// in lower case, in which GitHub does not tell names apart.
	//
	// Default: {"user": "preferred_username", "email": "email", "groups": "groups", "preferred_username": "preferred_username"}
	// Example: {"user": "sub", "roles": "realm_access.roles"}
	Claims Claims `json:"claims"`

	// InsecureUnverifiedEmail takes an e-mail address for a person's although the
	// provider says that it was not verified (`email_verified`). Whoever may enter
	// any address there is then whoever they want to be, to rules about addresses.
	// Entra says nothing of it: where people of many tenants or with personal accounts
	// sign in, an address counts as verified by the optional claim `xms_edov` alone.
	//
	// Default: false
	InsecureUnverifiedEmail bool `json:"insecure_unverified_email"`

	// Userinfo says when the provider's userinfo endpoint is asked: `auto`,
	// when the ID token lacks one of the claims; `always`; or `never`.
	//
	// Default: "auto", and "never" for `entra`, whose ID tokens say all that it does
	Userinfo string `json:"userinfo"`

	// Enrich are questions that are asked after a login, and again at each renewal,
	// with the person's access token. What is picked of the answers is in the
	// session beside the claims, for rules and for the application. At most 16.
	//
	// Default: []
	// Example: [{"name": "teams", "url": "https://graph.example.com/v1.0/me/memberOf", "select": {"teams": "value.#.displayName"}}]
	Enrich []Enrich `json:"enrich"`

	// OfflineAccess asks for a refresh token in the provider's own way: the scope
	// `offline_access`, or `access_type=offline` with `prompt=consent` for `google`.
	// It has no meaning for `gitlab`, which gives one in any case, and for `github`,
	// where the app's own settings say so.
	//
	// Default: false
	OfflineAccess bool `json:"offline_access"`

	// AuthorizationParams are further parameters of the authorisation request.
	// None that the protocol needs can be named.
	//
	// Default: {}
	// Example: {"audience": "https://api.example.com", "kc_idp_hint": "staff"}
	AuthorizationParams map[string]string `json:"authorization_params"`

	// Prompt is what every authorisation request says beside (`prompt`, OpenID
	// Connect Core, section 3.1.2.1): of `login`, `consent` and `select_account`.
	// What a rule's `step_up` or a person's wish to be someone else says comes first.
	//
	// Example: "select_account"
	Prompt string `json:"prompt"`

	// UILocales tells the provider the languages that the browser prefers
	// (`ui_locales`).
	//
	// Default: false
	UILocales bool `json:"ui_locales"`

	// Resources are the resources that access tokens are to be for (RFC 8707).
	//
	// Example: ["https://api.example.com"]
	Resources []string `json:"resources"`

	// PAR pushes authorisation requests to the provider, so that browsers carry
	// only a name for them (RFC 9126): `auto`, where the provider demands it;
	// `always`; or `never`.
	//
	// Default: "auto", and "always" with the profile `fapi2`
	PAR string `json:"par"`

	// RequestObject signs authorisation requests with `client_key` (RFC 9101).
	//
	// Default: false
	RequestObject bool `json:"request_object"`

	// ResponseMode is how the provider's answer comes back: `query`, or
	// `form_post`, which keeps the code out of addresses and logs. The latter needs
	// a host that lets bodies through (docs/security.md), and a login's cookie that
	// goes along from other sites.
	//
	// Default: "query"
	ResponseMode string `json:"response_mode"`

	// TokenBinding binds access tokens to this gate, so that nobody else can use
	// them: `dpop` by a key of ours (RFC 9449); `mtls` by the certificate that
	// Envoy's cluster shows (RFC 8705); or `none`. An application can do nothing
	// with such a token: `forward.access_token` is refused beside it.
	//
	// Default: "none", and "dpop" with the profile `fapi2`
	TokenBinding string `json:"token_binding"`

	// Profile is a set of demands in one word: `fapi2`, the FAPI 2.0 Security
	// Profile, which wants `par`, a `client_auth` of `private_key_jwt` or
	// `tls_client_auth`, `token_binding`, no RS256, and the issuer in each answer
	// (RFC 9207).
	//
	// Example: "fapi2"
	Profile string `json:"profile"`

	// OwnCallback gives this provider a redirect address of its own,
	// `<path_prefix>/callback/<name>`, and takes its answers nowhere else. Among
	// several providers it protects those that do not say in their answers who
	// they are (RFC 9700, section 4.4).
	//
	// Default: false
	OwnCallback bool `json:"own_callback"`

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
	p.SignIn = true
	p.ResponseMode = "query"
	p.Leeway = Duration(time.Minute)
	p.Timeout = Duration(5 * time.Second)
	p.MetadataRefresh = Duration(time.Hour)
	p.KeysRefresh = Duration(10 * time.Minute)
	p.KeysStale = Duration(24 * time.Hour)
}

// Endpoints are the addresses of a provider without a discovery document.
type Endpoints struct {
	// Authorization is where people are sent to sign in.
	//
	// Example: "https://id.example.com/authorize"
	Authorization string `json:"authorization"`

	// Token is where codes are exchanged.
	//
	// Example: "https://id.example.com/token"
	Token string `json:"token"`

	// Userinfo is where it is asked who the person is, with the access token.
	//
	// Example: "https://id.example.com/me"
	Userinfo string `json:"userinfo"`

	// Revocation is where tokens are given back (RFC 7009).
	Revocation string `json:"revocation"`

	// Introspection is where tokens are asked about (RFC 7662).
	Introspection string `json:"introspection"`
}

// Enrich is a question that is asked with the person's access token.
type Enrich struct {
	// Name is how the question is called in rules and in the log: up to 32 of a-z,
	// 0-9, `_` and `-`.
	//
	// Required.
	// Example: "teams"
	Name string `json:"name"`

	// URL is the address that is asked. Its host must be the issuer's or one of
	// `clusters`.
	//
	// Required.
	// Example: "https://graph.example.com/v1.0/me/memberOf?$select=displayName"
	URL string `json:"url"`

	// Method is the method: `GET` or `POST`.
	//
	// Default: "GET", and "POST" with a body
	Method string `json:"method"`

	// Body is sent with a POST, as JSON.
	//
	// Example: "{\"securityEnabledOnly\": true}"
	Body string `json:"body"`

	// Headers are further request fields.
	//
	// Example: {"consistencylevel": "eventual"}
	Headers map[string]string `json:"headers"`

	// Select says what is picked of the answer: the name of a claim to a gjson
	// path. Where the answer goes on over pages, each one's values are added. At most
	// 1000 values, of 16384 bytes together. A claim of one of the default names, such
	// as `groups`, is then this one; one that `claims` names cannot be selected.
	//
	// Required.
	// Example: {"teams": "value.#.displayName"}
	Select map[string]string `json:"select"`

	// Next is where an answer says what its next page's address is: a gjson path,
	// or `link` for the `Link` field with `rel="next"` (RFC 8288). An answer that
	// goes on at another host, or beyond `max_pages`, counts as none.
	//
	// Default: no further pages
	// Example: "@odata\\.nextLink"
	Next string `json:"next"`

	// MaxPages is how many pages are fetched, from 1 to 20.
	//
	// Default: 10
	MaxPages int `json:"max_pages"`

	// MaxBytes is how long one answer may be, from 1024 to 1048576.
	//
	// Default: 131072
	MaxBytes int `json:"max_bytes"`

	// Timeout is how long the question may take, all pages together, from 100ms to
	// 60s.
	//
	// Default: as the provider's
	Timeout Duration `json:"timeout"`

	// Required has a login fail, with a page that says so, where the question finds
	// no answer. Without it the login goes without what would have been picked.
	//
	// Default: false
	Required bool `json:"required"`

	// When says for whom the question is asked: `login`, at each login; or `rule`,
	// only for logins that a rule has begun which names it in its `enrich`.
	//
	// Default: "login"
	When string `json:"when"`
}

func (e *Enrich) setDefaults() {
	e.MaxPages = 10
	e.MaxBytes = 128 << 10
	e.When = "login"
}

// Claims maps the name of a claim to the gjson path at which it is found.
type Claims map[string]string
