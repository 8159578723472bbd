package config

import (
	"maps"
	"slices"
	"strings"
)

// Limits on what settings add to an authorisation request, which travels in an
// address.
const (
	maxParams      = 32
	maxParam       = 1024
	maxParamsBytes = 2048
	maxResources   = 16
)

// ownParams are the parameters of authorisation requests that are the gate's own
// to set, or that settings with other names are for.
var ownParams = []string{
	"acr_values", "client_assertion", "client_assertion_type", "client_id", "client_secret", "code_challenge",
	"code_challenge_method", "code_verifier", "dpop_jkt", "grant_type", "id_token_hint", "login_hint", "max_age",
	"nonce", "prompt", "redirect_uri", "registration", "request", "request_uri", "resource", "response_mode",
	"response_type", "scope", "state", "ui_locales",
}

// request checks what the authorisation request says beside the usual.
func (r *reader) request(path string, p *Provider) {
	r.params(at(path, "authorization_params"), p)
	if here := at(path, "prompt"); p.Prompt != "" && r.clean(here) {
		words := strings.Split(p.Prompt, " ")
		for _, word := range words {
			r.oneOf(here, word, "login", "consent", "select_account")
		}
		if r.clean(here) && len(slices.Compact(slices.Sorted(slices.Values(words)))) < len(words) {
			r.problem(here, "holds a word twice")
		}
	}
	r.resources(at(path, "resources"), p.Resources)
	r.oneOf(at(path, "par"), p.PAR, "auto", "always", "never")
	r.oneOf(at(path, "response_mode"), p.ResponseMode, "query", "form_post")
	r.oneOf(at(path, "token_binding"), p.TokenBinding, "none", "dpop", "mtls")
	if p.RequestObject && !p.ClientKey.IsSet() && r.clean(at(path, "client_key")) {
		r.problem(at(path, "request_object"), "needs client_key, which signs it")
	}
	if !p.Plain() {
		return
	}
	for _, part := range []struct {
		key   string
		given bool
	}{
		{"par", p.PAR == "always"},
		{"request_object", p.RequestObject},
		{"token_binding", p.TokenBinding != "none"},
		{"profile", p.Profile != ""},
	} {
		if part.given && r.clean(at(path, part.key)) {
			r.problem(at(path, part.key), "has no meaning for the type %q, which has no discovery document to say that it is known there", p.Type)
		}
	}
}

func (r *reader) params(path string, p *Provider) {
	if len(p.AuthorizationParams) > maxParams {
		r.problem(path, "holds %d parameters; at most %d", len(p.AuthorizationParams), maxParams)
	}
	sum := 0
	for _, name := range slices.Sorted(maps.Keys(p.AuthorizationParams)) {
		here, value := at(path, name), p.AuthorizationParams[name]
		sum += len(name) + len(value)
		switch {
		case !only(name, 64, func(c byte) bool { return identifier(c) || c == ':' }):
			r.problem(here, "is not a parameter's name: up to 64 of A-Z, a-z, 0-9, and .:_-")
		case slices.Contains(ownParams, name):
			r.problem(here, "is a parameter that the gate sets itself")
		case p.Type == "google" && (name == "hd" || name == "access_type"):
			r.problem(here, "is set by hosted_domains and offline_access")
		case len(value) > maxParam:
			r.problem(here, "has %d bytes; at most %d", len(value), maxParam)
		}
	}
	if sum > maxParamsBytes {
		r.problem(path, "holds %d bytes; at most %d, for they travel in an address", sum, maxParamsBytes)
	}
}

// resources follows RFC 8707, section 2: absolute URIs (RFC 3986, section 4.3)
// without a fragment.
func (r *reader) resources(path string, resources []string) {
	if len(resources) > maxResources {
		r.problem(path, "holds %d resources; at most %d", len(resources), maxResources)
	}
	for i, s := range resources {
		scheme, rest, ok := strings.Cut(s, ":")
		ok = ok && rest != "" && only(s, 512, visible) && !strings.ContainsAny(s, "#\"<>\\^`{|}") &&
			only(scheme, 32, func(c byte) bool { return lower(c) || digit(c) || c == '+' || c == '-' || c == '.' }) && lower(scheme[0])
		if !ok && r.clean(index(path, i)) {
			r.problem(index(path, i), "%s is not an absolute URI without a fragment, such as %q", quote(s), "https://api.example.com")
		}
	}
	r.filled(path, resources)
}

// fapiAlgorithms are those of the FAPI 2.0 Security Profile, section 5.4.1.
var fapiAlgorithms = []string{"PS256", "ES256", "EdDSA"}

// fapiOf are those of some algorithms that the profile has.
func fapiOf(algorithms []string) []string {
	return slices.DeleteFunc(slices.Clone(algorithms), func(a string) bool { return !slices.Contains(fapiAlgorithms, a) })
}

// profile checks what the FAPI 2.0 Security Profile demands of a client (section
// 5.3.3).
func (r *reader) profile(path string, p *Provider) {
	if p.Profile == "" {
		return
	}
	here := at(path, "profile")
	r.oneOf(here, p.Profile, "fapi2")
	if !r.clean(here) {
		return
	}
	for _, demand := range []struct {
		key  string
		met  bool
		want string
	}{
		{"par", p.PAR == "always", `"always"`},
		{"client_auth", p.ClientAuth == "private_key_jwt" || p.ByCertificate(), `"private_key_jwt", "tls_client_auth" or "self_signed_tls_client_auth"`},
		{"client_assertion_audience", p.ClientAssertionAudience == "issuer", `"issuer"`},
		{"token_binding", p.TokenBinding == "dpop" || p.TokenBinding == "mtls", `"dpop" or "mtls"`},
		{"algorithms", len(fapiOf(p.Algorithms)) == len(p.Algorithms), "among " + list(fapiAlgorithms)},
	} {
		if !demand.met && r.clean(at(path, demand.key)) {
			r.problem(at(path, demand.key), "must be %s with the profile %q", demand.want, p.Profile)
		}
	}
}

// boundTokens notes where access tokens are handed out that are good in the gate's
// own hands only.
func (r *reader) boundTokens(c *Config) {
	bound := ""
	for i := range c.Providers {
		if p := &c.Providers[i]; p.SignsIn() && p.TokenBinding != "none" && r.clean(at(index("providers", i), "token_binding")) {
			bound = p.Name
			break
		}
	}
	for i := range c.Outbound {
		for j := range c.Providers {
			p := &c.Providers[j]
			if p.Name == c.Outbound[i].Provider && p.TokenBinding != "none" {
				r.problem(at(index("outbound", i), "provider"), "binds its tokens to this gate (token_binding), so that no application could use them")
			}
		}
	}
	if bound == "" {
		return
	}
	handed := func(path string, headers []string) {
		if len(headers) > 0 {
			r.problem(at(path, "access_token"), "would hand out tokens of provider %s, which are bound to this gate (token_binding): nobody else can use them", quote(bound))
		}
	}
	handed("forward", c.Forward.AccessToken)
	for i := range c.Rules {
		handed(at(index("rules", i), "forward"), c.Rules[i].Forward.AccessToken)
	}
}
