package migrate

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// provider is what was found out about where people sign in.
type provider struct {
	name, kind, issuer, tenant string
	guessed                    bool // the issuer is a guess by its endpoints' addresses
}

// hosts are those of well-known providers beside the issuer's, and clusters for
// them as docs/providers has them.
var otherHosts = map[string]map[string]string{
	"google": {"oauth2.googleapis.com": "google-tokens", "openidconnect.googleapis.com": "google-userinfo", "www.googleapis.com": "google-keys"},
	"entra":  {"graph.microsoft.com": "graph"},
	"github": {"api.github.com": "github-api"},
}

// settings begins the provider's settings.
func (q provider) settings() *Map {
	s := NewMap().Set("name", q.name).Set("type", q.kind)
	switch {
	case q.tenant != "":
		s.Set("tenant", q.tenant)
	case q.issuer != "" && !usual(q.kind, q.issuer):
		s.Set("issuer", q.issuer)
	}
	if q.guessed {
		s.Note("issuer", "TO DO: a guess. It has to be letter by letter what the provider's discovery document says")
	}
	if strings.HasPrefix(q.issuer, "http://") {
		s.Set("insecure_issuer", true)
		s.Note("insecure_issuer", "plain http, as it was: only where something else protects the connection")
	}
	s.Set("cluster", q.name)
	if others := otherHosts[q.kind]; others != nil {
		clusters := NewMap()
		for _, host := range sortedKeys(others) {
			clusters.Set(host, others[host])
		}
		s.Set("clusters", clusters)
	}
	return s
}

// usual reports whether a type's issuer is the one that it has anyway.
func usual(kind, issuer string) bool {
	return kind == "google" && issuer == "https://accounts.google.com" ||
		kind == "github" && issuer == "https://github.com" || kind == "gitlab" && issuer == "https://gitlab.com"
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// secretName is the variable of a provider's secret.
func secretName(name, what string) string {
	return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "_" + what
}

// secret has a provider's secret come from a variable.
func (m *maker) secret(s *Map, option, where string) {
	name, _ := s.Get("name").(string)
	env := secretName(name, "CLIENT_SECRET")
	s.Set("client_secret", NewMap().Set("env", env))
	text := "put the client's secret into the variable " + env + " of Envoy's VM (`environment_variables`; in Istio `vmConfig.env`)."
	if where != "" {
		text += " It is " + where + "."
	}
	m.report.add(ToDo, option, "providers[].client_secret", text)
}

// cluster tells which clusters are to be there.
func (m *maker) cluster(option string, s *Map) {
	name, _ := s.Get("cluster").(string)
	text := "Envoy needs the cluster `" + name + "` for calls to the provider, with TLS that is verified (docs/providers)."
	if others, ok := s.Get("clusters").(*Map); ok {
		text = "Envoy needs the cluster `" + name + "` for calls to the provider"
		for _, host := range others.keys {
			text += ", `" + str(others.values[host]) + "` for " + host
		}
		text += ", each with TLS that is verified (docs/providers)."
	}
	m.report.add(ToDo, option, "providers[].cluster", text)
}

func str(v any) string { s, _ := v.(string); return s }

var (
	keycloakPath = regexp.MustCompile(`^(.*/realms/[^/]+)/protocol/openid-connect/`)
	entraPath    = regexp.MustCompile(`^/([^/]+)/oauth2/(v2\.0/)?(authorize|token)`)
	oktaPath     = regexp.MustCompile(`^(/oauth2/[^/]+)?(/oauth2)?/v1/(authorize|token)`)
)

// guess finds a provider by the address of its authorisation or token endpoint.
func guess(endpoint string) provider {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return provider{name: "oidc", kind: "oidc"}
	}
	origin := u.Scheme + "://" + u.Host
	switch {
	case keycloakPath.MatchString(u.Path):
		return provider{name: "keycloak", kind: "keycloak", issuer: origin + keycloakPath.FindStringSubmatch(u.Path)[1]}
	case u.Host == "accounts.google.com" || u.Host == "oauth2.googleapis.com":
		return provider{name: "google", kind: "google", issuer: "https://accounts.google.com"}
	case u.Host == "login.microsoftonline.com" && entraPath.MatchString(u.Path):
		return entra(entraPath.FindStringSubmatch(u.Path)[1])
	case u.Host == "github.com":
		return provider{name: "github", kind: "github", issuer: "https://github.com"}
	case strings.HasPrefix(u.Path, "/oauth/") && strings.HasPrefix(u.Host, "gitlab."):
		return provider{name: "gitlab", kind: "gitlab", issuer: origin}
	case strings.HasSuffix(u.Host, ".auth0.com"):
		return provider{name: "auth0", kind: "auth0", issuer: origin + "/"}
	case strings.HasSuffix(u.Host, ".okta.com") && oktaPath.MatchString(u.Path):
		return provider{name: "okta", kind: "okta", issuer: origin + oktaPath.FindStringSubmatch(u.Path)[1]}
	}
	return provider{name: "oidc", kind: "oidc", issuer: origin, guessed: true}
}

// entra is a tenant's provider.
func entra(tenant string) provider {
	return provider{name: "entra", kind: "entra", tenant: strings.ToLower(tenant), issuer: "https://login.microsoftonline.com/" + tenant + "/v2.0"}
}

// ofIssuer finds a provider by its issuer.
func ofIssuer(issuer string) provider {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" {
		return provider{name: "oidc", kind: "oidc", issuer: issuer}
	}
	switch tenant, isEntra := strings.CutSuffix(strings.Trim(u.Path, "/"), "/v2.0"); {
	case strings.Contains(u.Path, "/realms/"):
		return provider{name: "keycloak", kind: "keycloak", issuer: issuer}
	case u.Host == "accounts.google.com":
		return provider{name: "google", kind: "google", issuer: issuer}
	case u.Host == "login.microsoftonline.com" && isEntra:
		return entra(tenant)
	case u.Host == "gitlab.com":
		return provider{name: "gitlab", kind: "gitlab", issuer: issuer}
	case strings.HasSuffix(u.Host, ".auth0.com"):
		return provider{name: "auth0", kind: "auth0", issuer: issuer}
	case strings.HasSuffix(u.Host, ".okta.com"):
		return provider{name: "okta", kind: "okta", issuer: issuer}
	}
	return provider{name: "oidc", kind: "oidc", issuer: issuer}
}

// placeholder is an issuer that is nobody's: nobody signs in until it is replaced.
const placeholder = "https://issuer.invalid"

// badIssuer reports whether settings would refuse an issuer.
func badIssuer(issuer string) bool {
	u, err := url.Parse(issuer)
	return err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil
}

// claimPath is a claim's name, as oauth2-proxy and its kin look it up, as a gjson
// path: a name with a scheme is one name, and any other goes down at its dots.
func claimPath(name string) string {
	dots := !strings.Contains(name, "://")
	var out strings.Builder
	for i, r := range name {
		switch {
		case r == '.' && dots:
			out.WriteRune(r)
			continue
		case strings.ContainsRune(`.*?|#\`, r), strings.ContainsRune(`@!{}[]()`, r) && i == 0:
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

// anyTenant leaves a provider open to the people of all tenants, as an option had
// it.
func (m *maker) anyTenant(provider *Map, option string) {
	provider.Set("insecure_any_tenant", true)
	provider.Note("insecure_any_tenant", "TO DO: as open as it was, to people of every tenant. `tenants` with ids in its place")
	m.report.add(ToDo, option, "providers[].insecure_any_tenant", "people of any tenant may sign in, as before. Name `tenants`, or one `tenant`.")
}
