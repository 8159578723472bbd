package config

// Rule says what the requests that it matches need, and what the application is
// told about them.
type Rule struct {
	// Name is how the rule is called in the log, in metrics and on the page that
	// says no: up to 64 of A-Z, a-z, 0-9, `.`, `_` and `-`, and not digits alone.
	// Without it it goes by its number, counted from 0.
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

	// Accept says what a request may bring: `session`, or `bearer` for a token
	// that `bearer` accepts. It has no place beside `allow`. Where tokens are
	// accepted a token that is there decides, and a session beside it does not
	// count.
	//
	// Default: ["session"], and "bearer" where `bearer` has an entry
	// Example: ["bearer"]
	Accept []string `json:"accept"`

	// OnAnonymous says what a request without either gets: `login`, a
	// browser that opens a page is sent to sign in, and everything else gets
	// status 401; `401`, everything does; or `pass`, it goes on to the
	// application without an identity, and with `X-Auth-Request-Anonymous: true`.
	// Where the rule accepts tokens, one that is there and not good is refused all
	// the same. It has no place beside `allow`, and `pass` none beside `require`.
	//
	// Default: "login", and "401" where no session is accepted
	OnAnonymous string `json:"on_anonymous"`

	// Require says what must be true of whoever asks, beside being known. It has
	// no place beside `allow`.
	//
	// Default: nothing
	// Example: {"groups": ["admins"], "max_age": "10m"}
	Require *Require `json:"require"`

	// SignIn says where those sign in who come without a session.
	SignIn RuleSignIn `json:"sign_in"`

	// Enrich are questions of the providers' `enrich` that a login which this rule
	// begins asks too, by their names. Whoever is signed in and was not asked about
	// signs in once more for it.
	//
	// Example: ["teams"]
	Enrich []string `json:"enrich"`

	// StepUp is about the login that a requirement may lead to: where all that
	// is missing are scopes, an `acr` or a recent login, the person is sent to
	// the provider for that, once.
	StepUp StepUp `json:"step_up"`

	// Forward says what the application is told about requests of this rule: each
	// key that is given takes the place of the same key of the top level's
	// `forward`.
	//
	// Default: as `forward`
	Forward RuleForward `json:"forward"`

	// InsecureObserve decides, counts and logs as ever, and lets the request pass
	// whatever was decided: for rolling a rule out. Nobody is asked to sign in,
	// and whoever would have been refused reaches the application, with the
	// identity that they have.
	//
	// Default: false
	InsecureObserve bool `json:"insecure_observe"`

	// InsecureOpenByHeader lets a rule with `match.headers` open something: by
	// `allow`, by `on_anonymous` with `pass`, or by `insecure_observe`. Whoever
	// sends a request chooses its fields.
	//
	// Default: false
	InsecureOpenByHeader bool `json:"insecure_open_by_header"`
}

// Match says which requests this is for: those that fit one entry of each list
// given, where `paths` and `path_regexes` count as one list. At least one
// must be given; `"paths": ["/*"]` is every request. A list has at most 256
// entries.
type Match struct {
	// Hosts are hosts, written as in the top level's `hosts`. One without a port
	// is meant at any port where the rule asks for something, because whoever
	// sends a request chooses the port that it names; and at its scheme's own
	// where the rule lets anybody pass (`allow`, `on_anonymous` with `pass`,
	// `insecure_observe`), and in `outbound`.
	//
	// Example: ["api.example.com"]
	Hosts []HostPattern `json:"hosts"`

	// Paths are paths without the query. `/healthz` is that path alone;
	// `/public/*` is `/public` and everything below it; in any other segment a
	// `*` stands for any characters within it, so that `/teams/*/settings` and
	// `/static/*.css` fit one segment there. They are compared with the path in
	// its normal form, so they must be in it: no `//`, `.`, `..`, `%`, `?` or `#`.
	// A path has at most 1024 bytes and 8 stars.
	//
	// Example: ["/healthz", "/public/*", "/teams/*/settings"]
	Paths []string `json:"paths"`

	// PathRegexes are regular expressions for the whole path, as if each began
	// with `^` and ended with `$`. They know `.`, `[a-z]`, `[^a-z]`, `\d`, `\w`,
	// `(a|b)`, `*`, `+`, `?` and `{2,3}`, begin with `/` or `(`, have at most 512
	// bytes, and are compared with the path in its normal form. At most 1000 in all
	// rules together.
	//
	// Example: ["/orders/[0-9]+(/items)?"]
	PathRegexes []string `json:"path_regexes"`

	// Methods are request methods, in upper case. `GET` stands for `HEAD` too.
	//
	// Example: ["GET", "POST"]
	Methods []string `json:"methods"`

	// Headers are request fields: name to the values of which it must have one,
	// or to an empty list for any. Whoever sends a request chooses its fields,
	// unless the hop in front sets them. A request that has such a field twice is
	// refused. Credentials (`Cookie`, `Authorization`) and the headers that
	// `forward` sets cannot be named.
	//
	// Example: {"x-tenant": ["red", "blue"]}
	Headers map[string][]string `json:"headers"`
}

// Require says what must be true of whoever asks. All of what is given must be;
// of each list one value is enough, except of `scopes`, which must all have been
// granted. A rule has at most 256 requirements, 8 deep, and a list at most 256
// entries.
type Require struct {
	// Groups are groups, as the provider's claim `groups` has them.
	//
	// Example: ["admins"]
	Groups []string `json:"groups"`

	// Roles are roles, as the provider's claim `roles` has them: `claims` of each
	// provider whose people or tokens come here must say where that is. A provider
	// of the type `keycloak` has it already.
	//
	// Example: ["editor"]
	Roles []string `json:"roles"`

	// Scopes are scopes that must all have been granted. They are asked for where
	// they have not. At most 512 bytes in one rule, together with its `acr`
	// and its `enrich`.
	//
	// Example: ["orders.read"]
	Scopes []string `json:"scopes"`

	// Emails are e-mail addresses, of which the person's must be one. The case of
	// ASCII letters does not count. An address that the provider says is not
	// verified is none.
	//
	// Example: ["alice@example.com"]
	Emails []string `json:"emails"`

	// EmailDomains are the domains of such addresses. `example.com` is that domain
	// alone, and `*.example.com` every domain below it.
	//
	// Example: ["example.com"]
	EmailDomains []string `json:"email_domains"`

	// ClientIDs are the clients that a token was given to. A session is of the
	// provider's `client_id`.
	//
	// Example: ["script"]
	ClientIDs []string `json:"client_ids"`

	// Claims are further claims: the name of one of the provider's `claims`, or a
	// gjson path into what the provider said, to the values of which one must be
	// there; to an empty list for any; or to an object with `values` and
	// `prefixes`, of which one must fit. A path has at most 256 bytes, and leads to
	// what the provider said: of gjson's modifiers it may hold `@flatten`, `@keys`
	// and `@values`, and no literals.
	//
	// Example: {"department": ["it", "hr"], "cost_centre": {"prefixes": ["47"]}}
	Claims map[string]ClaimTest `json:"claims" doc:"object of lists"`

	// All are further requirements that must all be met.
	//
	// Example: [{"groups": ["staff"]}, {"groups": ["editors"]}]
	All []Require `json:"all" doc:"list of requirements"`

	// Any are requirements of which one must be met.
	//
	// Example: [{"groups": ["admins"]}, {"roles": ["editor"]}]
	Any []Require `json:"any" doc:"list of requirements"`

	// Not is a requirement that must not be met.
	//
	// Example: {"groups": ["contractors"]}
	Not *Require `json:"not" doc:"requirement"`

	// ACR are levels of authentication (`acr`, OpenID Connect Core, section 2),
	// the preferred one first. They are asked for where the person has none of them.
	// At most 8, and 256 bytes, in one rule.
	//
	// Example: ["gold"]
	ACR []string `json:"acr"`

	// MaxAge is how long ago the person may have proved at the provider who they
	// are (`auth_time`), from 1s to 9600h, give or take the provider's `leeway`.
	// Where it is longer ago they are asked to do so again.
	//
	// Default: any time
	// Example: "10m"
	MaxAge Duration `json:"max_age"`

	// AMR are ways of authentication (`amr`, RFC 8176).
	//
	// Example: ["otp", "hwk"]
	AMR []string `json:"amr"`

	// Provider is the name of the provider that the session or the token is of.
	//
	// Example: "keycloak"
	Provider string `json:"provider"`
}

// ClaimTest is what a claim is held against.
type ClaimTest struct {
	Values   []string
	Prefixes []string
}

// RuleSignIn says where people sign in.
type RuleSignIn struct {
	// Providers are the names of the providers that are offered. With one, people
	// are sent there at once. It says where to sign in; whoever has a session of
	// another provider passes, unless `require.provider` says otherwise.
	//
	// Default: all of them, or the one that `require.provider` names
	// Example: ["keycloak"]
	Providers []string `json:"providers"`
}

// StepUp is about the login that a requirement may lead to.
type StepUp struct {
	// Prompt is what the provider is told beside what is missing (`prompt`,
	// OpenID Connect Core, section 3.1.2.1): `login`, `consent` or
	// `select_account`. It has no place where neither scopes nor `acr` nor `max_age`
	// are required.
	//
	// Default: nothing
	// Example: "login"
	Prompt string `json:"prompt"`
}
