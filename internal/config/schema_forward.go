package config

import "time"

// Forward says what the application is told about the person. Every header
// named here or in a rule is taken out of each request that comes in, in any
// spelling, on every path.
type Forward struct {
	// Headers are the request headers that carry claims: header to claim name, or
	// to an object with `claim`, a claim name, or `path`, a gjson path into what
	// the provider said, as in a rule's `require.claims`; and with `list`, `join`
	// (the default: values with commas between them) or `repeat` (a field for
	// each); and with `encoding`, as below. If given, it replaces the default as a
	// whole.
	//
	// Default: {"x-auth-request-user": "user", "x-auth-request-email": "email", "x-auth-request-groups": "groups", "x-auth-request-preferred-username": "preferred_username"}
	// Example: {"x-user": "user", "x-department": {"path": "org.department", "encoding": "percent"}, "x-role": {"claim": "groups", "list": "repeat"}}
	Headers map[string]Header `json:"headers" doc:"object of claims"`

	// Encoding says how values are written. Percent-encoded are in any case:
	// percent signs, control characters, spaces at either end, and commas within a
	// list (groups and roles always count as lists). `utf-8` leaves all other
	// characters as they are; `percent` encodes those beyond ASCII too, byte by
	// byte.
	//
	// Default: "utf-8"
	Encoding string `json:"encoding"`

	// AccessToken are the request headers that carry the person's access
	// token. `authorization` gets it as `Bearer` and the token, any other
	// header the token alone. The application can then act as the person.
	//
	// Default: []
	// Example: ["authorization", "x-auth-request-access-token"]
	AccessToken []string `json:"access_token"`

	// Assertion tells the application who is calling in a signed form, so that it
	// need not trust plain headers.
	//
	// Default: none
	Assertion *Assertion `json:"assertion"`
}

func (f *Forward) setDefaults() {
	f.Headers = map[string]Header{
		"x-auth-request-user":               {Claim: "user"},
		"x-auth-request-email":              {Claim: "email"},
		"x-auth-request-groups":             {Claim: "groups"},
		"x-auth-request-preferred-username": {Claim: "preferred_username"},
	}
	f.Encoding = "utf-8"
}

// RuleForward is what a rule says in place of the top level's forward.
type RuleForward struct {
	// Headers are as in the top level's `forward`.
	//
	// Default: as there
	// Example: {"x-user": "user"}
	Headers map[string]Header `json:"headers" doc:"object of claims"`

	// AccessToken is as in the top level's `forward`.
	//
	// Default: as there
	// Example: ["authorization"]
	AccessToken []string `json:"access_token"`

	// Assertion is as in the top level's `forward`.
	//
	// Default: as there
	Assertion *Assertion `json:"assertion" doc:"object"`
}

// Header is what a request header tells.
type Header struct {
	Claim    string // a claim's name; or else
	Path     string // where it is, in gjson's syntax
	Repeat   bool   // a field for each value of a list
	Encoding string // "" is the one of all
}

// Assertion is a short-lived JWT (RFC 7519), signed with ES256, about who is
// calling. The keys to verify it with are derived from `session.keys`, and
// served at `/oauth2/jwks`.
type Assertion struct {
	// Header is the request header that carries it.
	//
	// Default: "x-auth-request-assertion"
	Header string `json:"header"`

	// Audience is whom it is for (`aud`): up to 256 visible ASCII characters.
	//
	// Default: the request's scheme and host, such as "https://app.example.com"
	// Example: "orders"
	Audience string `json:"audience"`

	// Lifetime is how long it is good, from 10s to 1h. The same one is sent with
	// every request until half of that is over.
	//
	// Default: "2m"
	Lifetime Duration `json:"lifetime"`

	// Claims are the names of the claims that it tells beside `iss`, `sub`, `aud`,
	// `iat`, `exp`, `jti`, `provider`, and `client_id`, `scope`, `acr`, `amr` and
	// `auth_time` where they are known.
	//
	// Default: ["user", "email", "groups"]
	Claims []string `json:"claims"`
}

func (a *Assertion) setDefaults() {
	a.Header = "x-auth-request-assertion"
	a.Lifetime = Duration(2 * time.Minute)
	a.Claims = []string{"user", "email", "groups"}
}

// Log says which decisions are logged.
type Log struct {
	// Decisions says about which requests there is a line in the log: `denied`,
	// those that were refused or sent to sign in; or `all`.
	//
	// Default: "denied"
	Decisions string `json:"decisions"`

	// Properties leaves each decision with the request, for Envoy's access log
	// and for the filters behind: as filter state `wasm.postern.decision`
	// (`forwarded` or `answered`), `.reason` (of an answer), `.rule` and `.user`.
	// An access log has them as `%FILTER_STATE(wasm.postern.rule:PLAIN)%`. It costs
	// some microseconds for each request.
	//
	// Default: false
	Properties bool `json:"properties"`
}

func (l *Log) setDefaults() { l.Decisions = "denied" }
