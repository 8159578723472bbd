package config

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// telling is what the application is told by one forward, of the top level or
// of a rule.
type telling struct {
	headers     map[string]Header
	accessToken []string
	assertion   *Assertion
}

// each calls f for every header that is set, and where the settings name it.
func (t telling) each(path string, f func(path, name string)) {
	for _, name := range slices.Sorted(maps.Keys(t.headers)) {
		f(at(at(path, "headers"), name), name)
	}
	for i, name := range t.accessToken {
		f(index(at(path, "access_token"), i), name)
	}
	if t.assertion != nil {
		f(at(at(path, "assertion"), "header"), t.assertion.Header)
	}
}

// forward checks what the application is told, and brings the names of headers
// into lower case.
func (r *reader) forward(path string, c *Config) {
	f := &c.Forward
	r.oneOf(at(path, "encoding"), f.Encoding, encodings...)
	f.Headers = r.telling(path, telling{f.Headers, f.AccessToken, f.Assertion}, make(map[string]string), c.Providers)
}

// ruleForwards does so for every rule, and returns the folded names of all
// headers that the gate sets anywhere.
func (r *reader) ruleForwards(path string, c *Config) (told map[string]bool) {
	told = make(map[string]bool)
	note := func(_, name string) { told[fold(name)] = true }
	usual := telling{c.Forward.Headers, c.Forward.AccessToken, c.Forward.Assertion}
	usual.each("forward", note)
	for i := range c.Rules {
		f, here := &c.Rules[i].Forward, at(index(path, i), "forward")
		given := telling{f.Headers, f.AccessToken, f.Assertion}
		if given.headers == nil && given.accessToken == nil && given.assertion == nil {
			continue
		}
		seen := make(map[string]string)
		usual.without(given).each("forward", func(path, name string) { seen[fold(name)] = path })
		f.Headers = r.telling(here, given, seen, c.Providers)
		given.each(here, note)
	}
	return told
}

// without is what remains of t in a rule that says something else.
func (t telling) without(given telling) telling {
	if given.headers != nil {
		t.headers = nil
	}
	if given.accessToken != nil {
		t.accessToken = nil
	}
	if given.assertion != nil {
		t.assertion = nil
	}
	return t
}

// telling checks one forward, where the headers seen are taken already, and
// returns the headers under their names in lower case.
func (r *reader) telling(path string, t telling, seen map[string]string, providers []Provider) map[string]Header {
	headers := r.tellingHeaders(at(path, "headers"), t.headers, seen, providers)
	here := at(path, "access_token")
	r.few(here, len(t.accessToken))
	for i, name := range t.accessToken {
		r.header(index(here, i), name, seen)
		t.accessToken[i] = strings.ToLower(name)
	}
	if t.assertion != nil {
		r.assertion(at(path, "assertion"), t.assertion, seen, providers)
	}
	return headers
}

func (r *reader) tellingHeaders(path string, given map[string]Header, seen map[string]string, providers []Provider) map[string]Header {
	if given == nil {
		return nil
	}
	r.few(path, len(given))
	headers := make(map[string]Header, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		here, h := at(path, name), given[name]
		if r.bearsToken(here, name) {
			continue
		}
		r.header(here, name, seen)
		if h.Claim != "" {
			r.claim(here, h.Claim, providers)
		}
		if h.Path != "" {
			r.claimPath(at(here, "path"), h.Path)
		}
		headers[strings.ToLower(name)] = h
	}
	return headers
}

// bearsToken notes a problem if a header is the one that access tokens are in.
func (r *reader) bearsToken(path, name string) bool {
	if !strings.EqualFold(name, "authorization") {
		return false
	}
	r.problem(path, "carries the access token, if anything: list it under forward.access_token")
	return true
}

// saidAnyway are the claims (RFC 7519, section 4.1, and OpenID Connect Core,
// section 2) that an assertion has of its own.
var saidAnyway = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "provider", "client_id", "scope", "acr", "amr", "auth_time",
}

func (r *reader) assertion(path string, a *Assertion, seen map[string]string, providers []Provider) {
	here := at(path, "header")
	if !r.bearsToken(here, a.Header) {
		r.header(here, a.Header, seen)
	}
	a.Header = strings.ToLower(a.Header)
	if here := at(path, "audience"); a.Audience != "" && !only(a.Audience, 256, visible) {
		r.problem(here, "%s is not up to 256 visible ASCII characters", quote(a.Audience))
	}
	r.within(at(path, "lifetime"), a.Lifetime, 10*time.Second, hour)
	here = at(path, "claims")
	r.few(here, len(a.Claims))
	for i, name := range a.Claims {
		if slices.Contains(saidAnyway, name) {
			r.problem(index(here, i), "%s is a claim that assertions have of their own", quote(name))
		} else if name != "" {
			r.claim(index(here, i), name, providers)
		}
	}
	r.once(here, a.Claims)
}

// anonymousHeader is set by the gate where nobody is known, so that nothing else
// may be in it.
const anonymousHeader = "x-auth-request-anonymous"

// header checks the name of a header that the gate sets.
func (r *reader) header(path, name string, seen map[string]string) {
	if !r.clean(path) {
		return
	}
	folded := fold(name)
	switch {
	case !only(name, 128, token):
		r.problem(path, "%s is not a header's name", quote(name))
	case reserved(folded):
		r.problem(path, "%s has a meaning of its own for the proxy or the protocol; take another name", quote(name))
	case folded == anonymousHeader:
		r.problem(path, "%s is what this gate says of requests without an identity; take another name", quote(name))
	default:
		r.sameHeader(path, name, seen)
	}
}

// sameHeader notes a problem if the header was seen at another place already.
func (r *reader) sameHeader(path, name string, seen map[string]string) {
	folded := fold(name)
	if other, ok := seen[folded]; ok {
		r.problem(path, "is the same header as %s", other)
		return
	}
	seen[folded] = path
}

// fold returns a header's name as the least careful application reads it: CGI
// and WSGI make X-User and X_User one variable.
func fold(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "-") }

// reserved says whether a header steers the connection, the message's framing
// or the proxy itself, so that a person's name has no business in it.
func reserved(name string) bool {
	for _, prefix := range []string{"content-", "proxy-", "sec-", "x-envoy-", "access-control-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	switch name {
	case "connection", "cookie", "cookie2", "expect", "forwarded", "host", "http2-settings", "keep-alive",
		"origin", "referer", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "via",
		"x-forwarded-client-cert", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto",
		"x-real-ip", "x-request-id":
		return true
	}
	return false
}

// claim checks that a claim is one that every provider has a path for.
func (r *reader) claim(path, name string, providers []Provider) {
	if len(providers) == 0 || !r.clean(path) {
		return
	}
	for i := range providers {
		if providers[i].brings(name) {
			return // what a question brings is for the providers that have it
		}
	}
	for _, p := range providers {
		if p.Claims[name] == "" {
			known := slices.Sorted(maps.Keys(p.Claims))
			r.problem(path, "%s is not one of the provider's claims: %s", quote(name), list(known))
		}
	}
}

// claimPath checks a gjson path that is no provider's own.
func (r *reader) claimPath(path, p string) {
	if flaw := claimPathFlaw(p); flaw != "" && r.clean(path) {
		r.problem(path, "%s %s", quote(p), flaw)
	}
}
