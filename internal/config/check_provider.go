package config

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/spelling"
)

const (
	minute = time.Minute
	hour   = time.Hour
	day    = 24 * time.Hour
)

// algorithms are the signature algorithms that can be asked for. Those with a
// shared secret are not among them: the secret is known to the client, and a
// public key taken for one has been forged with before (RFC 8725, section 2.1).
var algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

func (r *reader) provider(path string, p *Provider) {
	r.providerName(at(path, "name"), p.Name)
	r.providerType(at(path, "type"), p.Type)
	r.atMost(at(path, "display_name"), p.DisplayName, 100)
	r.picture(at(path, "logo"), p.Logo)
	r.color(at(path, "color"), p.Color)
	r.emailDomains(at(path, "email_domains"), p.EmailDomains)
	r.kind(path, p)
	r.issuer(path, p)
	if here := at(path, "cluster"); r.required(here, p.Cluster, "the Envoy cluster for calls to the provider, which `postern render` fills in") {
		r.cluster(here, p.Cluster)
	}
	r.clusters(at(path, "clusters"), p.Clusters)
	r.client(path, p)
	r.request(path, p)
	r.profile(path, p)
	r.scopes(at(path, "scopes"), p)
	r.algorithms(at(path, "algorithms"), p.Algorithms)
	r.claims(at(path, "claims"), p.Claims)
	r.questions(at(path, "enrich"), p)
	p.Claims = p.allClaims()
	r.oneOf(at(path, "userinfo"), p.Userinfo, "auto", "always", "never")
	r.within(at(path, "leeway"), p.Leeway, 0, 5*minute)
	r.within(at(path, "timeout"), p.Timeout, 100*time.Millisecond, minute)
	r.within(at(path, "metadata_refresh"), p.MetadataRefresh, 10*time.Second, 0)
	r.within(at(path, "keys_refresh"), p.KeysRefresh, 10*time.Second, 0)
	r.within(at(path, "keys_stale"), p.KeysStale, minute, 30*day)
}

func (r *reader) providerName(path, name string) {
	if !r.required(path, name, `a name of a-z, 0-9 and "-", such as "keycloak"`) {
		return
	}
	if !only(name, 32, func(c byte) bool { return lower(c) || digit(c) || c == '-' }) {
		r.problem(path, `%s is not up to 32 of a-z, 0-9 and "-"`, quote(name))
	}
}

var providerTypes = []string{"oidc", "keycloak", "google", "entra", "github", "gitlab", "okta", "auth0", "oauth2"}

func (r *reader) providerType(path, name string) {
	if near := spelling.Nearest(strings.ToLower(name), providerTypes); near != "" && near != name {
		r.problem(path, "%s is not one of %s; did you mean %q?", quote(name), list(providerTypes), near)
		return
	}
	r.oneOf(path, name, providerTypes...)
}

// issuer follows OpenID Connect Core, section 1.2 (Issuer Identifier).
func (r *reader) issuer(path string, p *Provider) {
	here := at(path, "issuer")
	if p.Issuer == "" && (p.Type == "entra" || !r.clean(at(path, "type"))) {
		return // of a tenant or a type that is missing or wrong, and told of
	}
	if !r.required(here, p.Issuer, `the provider's issuer, such as "https://id.example.com/realms/main"`) {
		return
	}
	u, ok := r.address(here, p.Issuer)
	switch {
	case !ok:
	case u.scheme == "http" && !p.InsecureIssuer:
		r.problem(here, "must be an https address; insecure_issuer accepts http, with its dangers")
	case p.Type == "entra":
		r.entraIssuer(path, p, u)
	case p.Type == "auth0" && u.path != "/":
		r.problem(here, `must end in "/" right after the host: that is how Auth0 spells it`)
	}
}

func (r *reader) cluster(path, name string) {
	if !only(name, 256, func(c byte) bool { return c > ' ' && c <= '~' }) {
		r.problem(path, "%s is not a cluster's name: up to 256 visible characters", quote(name))
	}
}

func (r *reader) clusters(path string, clusters map[string]string) {
	for _, host := range slices.Sorted(maps.Keys(clusters)) {
		here := at(path, host)
		name, _, flaw := splitPort(host, false)
		if flaw == "" {
			_, _, flaw = parseHost(name)
		}
		switch {
		case flaw != "":
			r.problem(here, "%s %s", quote(host), flaw)
		case host != strings.ToLower(host):
			r.problem(here, "is a host in lower case")
		case clusters[host] != "":
			r.cluster(here, clusters[host])
		}
	}
}

// client checks the registration, RFC 6749 section 2.3 and appendix A.
func (r *reader) client(path string, p *Provider) {
	here := at(path, "client_id")
	if p.ClientID != "" && !only(p.ClientID, 256, printable) {
		r.problem(here, "%s is not up to 256 printable ASCII characters", quote(p.ClientID))
	}
	if p.ClientSecret.IsSet() || p.ClientKey.IsSet() {
		r.required(here, p.ClientID, "the client whose secret or key this is")
	}
	r.clientAuth(path, p)
	r.clientKey(path, p)
	r.oneOf(at(path, "client_assertion_audience"), p.ClientAssertionAudience, "issuer", "endpoint")
}

func (r *reader) clientAuth(path string, p *Provider) {
	here := at(path, "client_auth")
	if !r.clean(here) || !r.clean(at(path, "client_secret")) || !r.clean(at(path, "client_key")) {
		return
	}
	if p.ClientAuth == "" {
		p.ClientAuth = p.defaultClientAuth()
	}
	r.oneOf(here, p.ClientAuth, clientAuths...)
	bare := p.ClientAuth == "none" || p.ByCertificate() // without a secret and without a key
	switch key := p.ClientAuth == "private_key_jwt"; {
	case bare && p.ClientSecret.IsSet():
		r.problem(here, `%s goes without a client_secret; leave one of the two out`, quote(p.ClientAuth))
	case bare && p.ClientKey.IsSet() && !p.RequestObject:
		r.problem(here, `%s goes without a client_key; leave one of the two out`, quote(p.ClientAuth))
	case p.ByCertificate():
		r.required(at(path, "client_id"), p.ClientID, "the client whose certificate this is")
	case key && !p.ClientKey.IsSet():
		r.problem(here, "%s needs client_key", quote(p.ClientAuth))
	case !bare && !key && !p.ClientSecret.IsSet():
		r.problem(here, "%s needs client_secret", quote(p.ClientAuth))
	case p.ClientAuth == "client_secret_jwt" && len(p.ClientSecret.Reveal()) < minHMACSecret:
		r.problem(here, "%s needs a client_secret of at least %d bytes", quote(p.ClientAuth), minHMACSecret)
	}
}

// clientAuths are the ways in which a client proves itself (Core, section 9; RFC
// 8705, section 2).
var clientAuths = []string{
	"client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt",
	"tls_client_auth", "self_signed_tls_client_auth", "none",
}

// ByCertificate reports whether the client proves itself by the certificate of its
// connection (RFC 8705).
func (p *Provider) ByCertificate() bool {
	return p.ClientAuth == "tls_client_auth" || p.ClientAuth == "self_signed_tls_client_auth"
}

// minHMACSecret is the least that HS256 may be used with (RFC 7518, section
// 3.2): who sees a signature can try out shorter ones.
const minHMACSecret = 32

// clientKey checks what is said about the key beside the key itself.
func (r *reader) clientKey(path string, p *Provider) {
	id, algorithm := at(path, "client_key_id"), at(path, "client_key_algorithm")
	if p.ClientKeyID != "" && !only(p.ClientKeyID, 256, printable) {
		r.problem(id, "%s is not up to 256 printable ASCII characters", quote(p.ClientKeyID))
	}
	if !p.ClientKey.IsSet() {
		r.withoutKey(at(path, "client_key"), id, p.ClientKeyID)
		r.withoutKey(at(path, "client_key"), algorithm, p.ClientKeyAlgorithm)
		return
	}
	fitting := p.ClientKey.algorithms()
	if p.Profile == "fapi2" {
		fitting = fapiOf(fitting)
	}
	if p.ClientKeyAlgorithm == "" && len(fitting) > 0 {
		p.ClientKeyAlgorithm = fitting[0]
	}
	if !slices.Contains(fitting, p.ClientKeyAlgorithm) {
		r.problem(algorithm, "%s is not what the key is for: %s", quote(p.ClientKeyAlgorithm), cmp.Or(list(fitting), "none that the profile allows"))
	}
	if p.ClientKeyID == "" {
		p.ClientKeyID = p.ClientKey.ID()
	}
}

// withoutKey notes what is said about a key that there is not.
func (r *reader) withoutKey(keyPath, path, s string) {
	if s != "" && r.clean(keyPath) {
		r.problem(path, "has no meaning without client_key")
	}
}

// scopes follows RFC 6749, section 3.3, and OpenID Connect Core, section
// 3.1.2.1.
func (r *reader) scopes(path string, p *Provider) {
	if !r.clean(path) {
		return
	}
	r.scopeNames(path, p.Scopes)
	if !p.Plain() && !slices.Contains(p.Scopes, "openid") {
		r.problem(path, `must hold "openid"`)
	}
}

func (r *reader) scopeNames(path string, scopes []string) {
	for i, s := range scopes {
		if !only(s, 256, func(c byte) bool { return c > ' ' && c <= '~' && c != '"' && c != '\\' }) {
			r.problem(index(path, i), "%s is not a scope", quote(s))
		}
	}
	r.once(path, scopes)
}

func (r *reader) algorithms(path string, names []string) {
	if !r.clean(path) {
		return
	}
	for i, name := range names {
		r.oneOf(index(path, i), name, algorithms...)
	}
	r.filled(path, names)
}

func (r *reader) claims(path string, claims Claims) {
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		if !claimName(name) {
			r.problem(at(path, name), "is not a claim's name: up to 64 of a-z, 0-9 and _")
		}
		r.atMost(at(path, name), claims[name], 256)
	}
}
