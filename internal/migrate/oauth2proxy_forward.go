package migrate

import (
	"slices"
	"strings"
)

// forward sets what applications are told.
func (p *proxy) forward() {
	f := p.settings.At("forward")
	headers := NewMap()
	f.Set("headers", headers)
	if p.alpha {
		p.alphaHeaders(f, headers)
		return
	}
	user := "user"
	if p.on("prefer-email-to-user", false) {
		user = "email"
		p.tell(Taken, "prefer-email-to-user", "", "")
	}
	if p.on("pass-user-headers", true) || p.on("pass-basic-auth", true) {
		headers.Set("x-forwarded-user", user)
		if user == "user" {
			headers.Set("x-forwarded-email", "email")
		}
		headers.Set("x-forwarded-groups", "groups").Set("x-forwarded-preferred-username", "preferred_username")
	}
	if p.on("set-xauthrequest", false) {
		for _, claim := range []string{"user", "email", "groups", "preferred_username"} {
			headers.Set("x-auth-request-"+strings.ReplaceAll(claim, "_", "-"), claim)
		}
	}
	p.accessToken(f)
	for _, name := range []string{"pass-authorization-header", "set-authorization-header"} {
		if p.on(name, false) {
			p.assertion(name, f)
		}
	}
	if p.one("basic-auth-password") == "" {
		p.tell(NotNeeded, "basic-auth-password", "", "is empty.")
	}
}

func (p *proxy) accessToken(f *Map) {
	if !p.on("pass-access-token", false) {
		return
	}
	fields := []string{"x-forwarded-access-token"}
	if p.on("set-xauthrequest", false) {
		fields = append(fields, "x-auth-request-access-token")
	}
	f.Set("access_token", fields)
	p.tell(Taken, "pass-access-token", "", "")
}

// assertion tells applications in a signed form where they were given the ID token.
func (m *maker) assertion(option string, f *Map) {
	if f.Get("assertion") == nil {
		f.Set("assertion", NewMap())
		f.Note("assertion", "in place of the ID token: a JWT of this gate's, in x-auth-request-assertion (docs/identity.md)")
	}
	m.report.add(ToDo, option, "forward.assertion", "the ID token is not handed on. Have the application read the field x-auth-request-assertion, and take the keys from /oauth2/jwks; or, where it is the access token that it needs, set `forward.access_token: [authorization]`.")
}

// claimsOfSession are what oauth2-proxy's session has a name for.
var claimsOfSession = []string{"user", "email", "groups", "preferred_username"}

// alphaHeaders sets the fields of the alpha configuration.
func (p *proxy) alphaHeaders(f, headers *Map) {
	for _, h := range p.headers {
		name := strings.ToLower(text(h["name"]))
		values := listed(list(h["values"]))
		switch {
		case name == "":
		case len(values) != 1:
			p.report.add(ToDo, "header "+name, "forward.headers", "is put together of several values, or of none: left out.")
		default:
			p.alphaHeader(name, flat(values[0]), f, headers)
		}
	}
}

// flat is a header's value as versions before 7.14 and since write it.
func flat(v tree) tree {
	if source, ok := v["claimSource"].(tree); ok {
		return source
	}
	return v
}

func (p *proxy) alphaHeader(name string, v tree, f, headers *Map) {
	claim, prefix := text(v["claim"]), text(v["prefix"])
	option := "header " + name
	tokens, _ := f.Get("access_token").([]string)
	switch {
	case claim == "":
		p.report.add(ToDo, option, "", "is the same for everybody: Envoy's route sets it (`request_headers_to_add`).")
	case v["basicAuthPassword"] != nil:
		p.report.add(ToDo, option, "", "a password for Basic authentication has no counterpart.")
	case claim == "access_token" && (name == "authorization") == (prefix == "Bearer ") && (prefix == "" || name == "authorization"):
		if !slices.Contains(tokens, name) {
			f.Set("access_token", append(tokens, name))
		}
		p.report.add(Taken, option, "forward.access_token", "")
	case claim == "id_token":
		p.assertion(option, f)
	case slices.Contains([]string{"access_token", "refresh_token", "created_at", "expires_on"}, claim) || prefix != "" || name == "authorization":
		p.report.add(ToDo, option, "", "has no counterpart, and was left out.")
	case badHeader(name):
		p.report.add(ToDo, option, "forward.headers", "is a field with a meaning of its own for the proxy or the protocol: take another name.")
	case slices.Contains(claimsOfSession, claim):
		headers.Set(name, claim)
		p.report.add(Taken, option, "forward.headers", "")
	default:
		headers.Set(name, NewMap().Set("path", claimPath(claim)))
		p.report.add(Taken, option, "forward.headers", "by the claim's path.")
	}
}
