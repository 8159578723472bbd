package oidc

// Access is an access token and what it takes to use it.
type Access struct {
	Token string
	Proof string // the id of the key that it is bound to (RFC 9449); "" for a bearer token
}

// String never shows a token.
func (Access) String() string { return "access(redacted)" }

// GoString never shows a token.
func (Access) GoString() string { return "access(redacted)" }
