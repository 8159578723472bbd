package migrate

import (
	"regexp"
	"slices"
	"strings"
)

// types are the providers of oauth2-proxy that have a type here, or are any
// OpenID provider.
var types = map[string]string{
	"keycloak-oidc": "keycloak", "keycloak": "keycloak", "google": "google", "azure": "entra", "entra-id": "entra",
	"github": "github", "gitlab": "gitlab", "oidc": "oidc", "login.gov": "oidc", "adfs": "oidc", "cidaas": "oidc",
}

// provider sets where people sign in.
func (p *proxy) provider() {
	given := p.one("provider")
	if given == "" {
		given = "google" // as there
	}
	kind, known := types[given]
	if !known {
		kind = "oauth2"
	}
	q := p.found(given, kind)
	s := q.settings()
	p.settings.Set("providers", []any{s})
	p.tell(Taken, "provider", "providers[].type", "`"+q.kind+"`.")
	if !known {
		p.endpoints(given, s)
	}
	if name := p.one("provider-display-name"); name != "" && len([]rune(name)) <= 100 {
		s.Set("display_name", name)
		p.tell(Taken, "provider-display-name", "", "")
	}
	p.client(given, s)
	p.scopes(given, s)
	p.claims(q.kind, s)
	p.verification(s)
	p.request(s)
	p.cluster("provider", s)
}

// found is the provider that the options tell of.
func (p *proxy) found(given, kind string) provider {
	issuer := strings.TrimSpace(p.one("oidc-issuer-url"))
	q := provider{name: kind, kind: kind, issuer: issuer}
	switch {
	case kind == "entra":
		return p.entra(issuer)
	case kind == "google" || kind == "github":
		q.issuer = ""
		p.tell(NotNeeded, "oidc-issuer-url", "", "of this type it is known.")
		p.enterprise(kind)
		return q
	case kind == "gitlab" && issuer == "":
		q.issuer = ""
		return q
	case given == "login.gov" && issuer == "":
		q.issuer = "https://secure.login.gov/"
	case given == "keycloak" && issuer == "":
		q = guess(p.one("login-url"))
	}
	if given == "login.gov" {
		q.name = "login-gov"
	}
	if badIssuer(q.issuer) {
		q.issuer = placeholder
		p.report.add(ToDo, "oidc-issuer-url", "providers[].issuer", "is not given, or is no issuer. Nobody can sign in until it is there, letter by letter as the provider's discovery document says it.")
		return q
	}
	if strings.HasPrefix(q.issuer, "http://") {
		p.tell(Differs, "oidc-issuer-url", "providers[].insecure_issuer", "plain http, as it was, under an insecure name: whoever can change what Envoy and the provider say to each other signs in as anybody.")
	}
	if q.guessed {
		p.report.add(ToDo, "oidc-issuer-url", "providers[].issuer", "is a guess by the address of login-url. Nobody can sign in until it is what the provider's discovery document says.")
	}
	p.tell(Taken, "oidc-issuer-url", "providers[].issuer", "letter by letter.")
	return q
}

// enterprise tells of a provider that is not the public one.
func (p *proxy) enterprise(kind string) {
	if kind == "github" && p.one("login-url") != "" && !strings.HasPrefix(p.one("login-url"), "https://github.com/") {
		p.tell(ToDo, "login-url", "providers[].issuer", "a GitHub of your own: see docs/providers/github.md. Until `issuer` says so people are sent to github.com.")
	}
}

var tenantPath = regexp.MustCompile(`^https://(?:login\.microsoftonline\.com|sts\.windows\.net)/([^/]+)(?:/v2\.0)?/?$`)

// entra is Entra's tenant, whichever option names it.
func (p *proxy) entra(issuer string) provider {
	tenant := p.one("azure-tenant")
	if m := tenantPath.FindStringSubmatch(issuer); m != nil {
		tenant = m[1]
		p.tell(Taken, "oidc-issuer-url", "providers[].tenant", "")
	} else if issuer != "" {
		p.tell(Differs, "oidc-issuer-url", "providers[].tenant", "tokens of version 2.0 have the tenant's own issuer, which `tenant` says.")
	}
	p.tell(Taken, "azure-tenant", "providers[].tenant", "")
	switch {
	case tenant != "":
	case issuer != "" || p.isUnsaid("azure-tenant") || p.isUnsaid("oidc-issuer-url"):
		tenant = noTenant
		p.report.add(ToDo, "azure-tenant", "providers[].tenant", "which tenant's people there are is kept where it was not read, or said by an issuer without its id. Nobody can sign in until it is here.")
	default:
		tenant = "common" // as there
	}
	return entra(tenant)
}

// verification sets what of the ID token is checked otherwise than usual.
func (p *proxy) verification(s *Map) {
	if tenant, _ := s.Get("tenant").(string); tenant == "common" || tenant == "organizations" {
		p.tenants(s)
	} else {
		p.tell(NotNeeded, "entra-id-allowed-tenant", "", "one tenant alone is asked.")
	}
	if p.on("insecure-oidc-skip-issuer-verification", false) {
		if s.Get("type") != "entra" {
			p.tell(ToDo, "insecure-oidc-skip-issuer-verification", "providers[].issuer", "refused: the issuer of tokens must be the one that the settings name. Name the one that is in the tokens.")
		}
	}
	if p.on("insecure-oidc-allow-unverified-email", false) {
		s.Set("insecure_unverified_email", true)
		s.Note("insecure_unverified_email", "as open as it was: who may enter any address at the provider is whom the address says")
		p.tell(Differs, "insecure-oidc-allow-unverified-email", "", "")
	}
	p.algorithms(s)
	if claims := p.many("oidc-audience-claim"); len(claims) > 0 && !slices.Equal(claims, []string{"aud"}) {
		p.tell(ToDo, "oidc-audience-claim", "", "")
	} else {
		p.tell(NotNeeded, "oidc-audience-claim", "", "`aud`, as it is here.")
	}
	if p.on("skip-oidc-discovery", false) {
		p.tell(ToDo, "skip-oidc-discovery", "providers[].issuer", "see that the provider has <issuer>/.well-known/openid-configuration: nobody can sign in without it.")
	}
	if p.on("skip-claims-from-profile-url", false) && s.Get("type") != "oauth2" && s.Get("type") != "github" {
		s.Set("userinfo", "never")
		p.tell(Taken, "skip-claims-from-profile-url", "", "")
	}
}

// tenants says whose people may sign in where many tenants' may.
func (p *proxy) tenants(s *Map) {
	var ids []string
	for _, id := range p.many("entra-id-allowed-tenant") {
		ids = append(ids, strings.ToLower(id))
	}
	if p.isUnsaid("entra-id-allowed-tenant") {
		ids = []string{noTenant}
		p.tell(ToDo, "entra-id-allowed-tenant", "providers[].tenants", "its value is empty, or kept where it was not read. Nobody can sign in until `tenants` has the ids.")
	}
	if len(ids) > 0 {
		s.Set("tenants", ids)
		p.tell(Taken, "entra-id-allowed-tenant", "providers[].tenants", "")
		return
	}
	p.anyTenant(s, "entra-id-allowed-tenant")
}

// signatures are the algorithms that settings take.
var signatures = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

func (p *proxy) algorithms(s *Map) {
	given := p.many("oidc-enabled-signing-alg")
	if len(given) == 0 {
		return
	}
	good := slices.DeleteFunc(slices.Clone(given), func(a string) bool { return !slices.Contains(signatures, a) })
	if len(good) > 0 {
		s.Set("algorithms", good)
		p.tell(Taken, "oidc-enabled-signing-alg", "", "")
	}
	if len(good) < len(given) {
		p.tell(ToDo, "oidc-enabled-signing-alg", "", "refused in part: a signature with a shared secret, or none, is no proof.")
	}
}

// client sets how Postern is known at the provider.
func (p *proxy) client(given string, s *Map) {
	id := p.one("client-id")
	switch {
	case reference.MatchString(id) || id == "":
		p.report.add(ToDo, "client-id", "providers[].client_id", "is not said in what was given. Put it in: nobody can sign in until then.")
		s.Set("client_id", clientToBeNamed)
		s.Note("client_id", "TO DO: the client's id at the provider")
	default:
		s.Set("client_id", id)
		p.tell(Taken, "client-id", "providers[].client_id", "")
	}
	if given == "login.gov" {
		p.key(s)
		return
	}
	option := "client-secret"
	if p.has("client-secret-file") && !p.has("client-secret") {
		option = "client-secret-file"
	}
	where := ""
	if g := p.options[option]; g != nil {
		where = g.secret
	}
	p.maker.secret(s, option, where)
}

// key has the client prove itself by a key, as login.gov wants it.
func (p *proxy) key(s *Map) {
	env := secretName(str(s.Get("name")), "CLIENT_KEY")
	s.Set("client_auth", "private_key_jwt").Set("client_key", NewMap().Set("env", env)).Set("client_key_algorithm", "RS256")
	s.Set("client_assertion_audience", "endpoint")
	option := "jwt-key"
	if p.has("jwt-key-file") {
		option = "jwt-key-file"
	}
	p.report.add(ToDo, option, "providers[].client_key", "put the private key, in PEM, into the variable "+env+" of Envoy's VM.")
	p.tell(NotNeeded, "client-secret", "", "the client has a key.")
	p.tell(NotNeeded, "client-secret-file", "", "the client has a key.")
}

// scopes sets what is asked for.
func (p *proxy) scopes(given string, s *Map) {
	wanted := strings.Fields(p.one("scope"))
	plain := s.Get("type") == "github" || s.Get("type") == "oauth2"
	switch {
	case len(wanted) == 0 && (given == "oidc" || given == "keycloak-oidc" || given == "cidaas") && p.demandsGroups():
		wanted = []string{"openid", "email", "profile", "groups"} // as there
		if given == "keycloak-oidc" {
			s.Note("scopes", "`groups` as oauth2-proxy asked for it: leave it out if the realm has no such scope")
		}
	case len(wanted) == 0:
		return
	}
	if given == "github" {
		for _, need := range []string{"read:user", "read:org"} {
			if need == "read:user" && !slices.Contains(wanted, "user") || need == "read:org" && p.demandsGroups() {
				wanted = append(wanted, need)
			}
		}
	}
	if !plain && !slices.Contains(wanted, "openid") {
		wanted = append([]string{"openid"}, wanted...)
		p.tell(Differs, "scope", "", "")
	}
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	s.Set("scopes", wanted)
	p.tell(Taken, "scope", "", "")
}

func (p *proxy) demandsGroups() bool {
	for _, name := range []string{"allowed-group", "keycloak-group", "allowed-role", "github-org", "github-team"} {
		if len(p.many(name)) > 0 {
			return true
		}
	}
	return false
}

// claims sets where the claims are: oauth2-proxy's user is the subject, but for
// providers with user names of their own.
func (p *proxy) claims(kind string, s *Map) {
	claims := NewMap()
	if kind != "github" && kind != "gitlab" && kind != "oauth2" {
		claims.Set("user", "sub")
	}
	email := p.one("oidc-email-claim")
	if old := p.one("user-id-claim"); old != "" && (email == "" || email == "email") {
		email = old
	}
	if email != "" && email != "email" {
		claims.Set("email", claimPath(email))
		p.tell(Taken, "oidc-email-claim", "", "")
		p.tell(Taken, "user-id-claim", "", "")
	} else {
		p.tell(Taken, "oidc-email-claim", "", "`email`.")
		p.tell(NotNeeded, "user-id-claim", "", "`email`.")
	}
	if groups := p.one("oidc-groups-claim"); groups != "" && groups != "groups" {
		claims.Set("groups", claimPath(groups))
		p.tell(Taken, "oidc-groups-claim", "", "")
	}
	if len(claims.keys) > 0 {
		s.Set("claims", claims)
	}
}

// request sets what a request to sign in says.
func (p *proxy) request(s *Map) {
	if words := strings.Fields(p.one("prompt")); len(words) > 0 {
		if slices.ContainsFunc(words, func(w string) bool { return !slices.Contains([]string{"login", "consent", "select_account"}, w) }) {
			p.tell(ToDo, "prompt", "", "left out: a gate has login, consent and select_account.")
		} else {
			s.Set("prompt", strings.Join(words, " "))
			p.tell(Taken, "prompt", "", "")
		}
	}
	switch mode := p.one("auth-request-response-mode"); mode {
	case "form_post":
		s.Set("response_mode", mode)
		p.tell(Differs, "auth-request-response-mode", "providers[].response_mode", "the host must let bodies through: `allow_on_headers_stop_iteration` (docs/security.md).")
	case "query", "":
		p.tell(NotNeeded, "auth-request-response-mode", "", "`query`, as it is here.")
	default:
		p.tell(ToDo, "auth-request-response-mode", "", "neither query nor form_post: left out.")
	}
	if s.Get("type") == "google" && p.one("cookie-refresh") != "" && p.one("cookie-refresh") != "0" {
		s.Set("offline_access", true)
	}
	if len(p.params) > 0 {
		params := NewMap()
		for _, name := range sortedKeys(p.params) {
			params.Set(name, p.params[name])
		}
		s.Set("authorization_params", params)
	}
	if method := p.one("code-challenge-method"); method == "plain" {
		p.tell(Differs, "code-challenge-method", "", "S256 in place of plain.")
	} else {
		p.tell(NotNeeded, "code-challenge-method", "", "S256 is always used.")
	}
	if p.one("backend-logout-url") != "" {
		p.settings.At("sign_out").Set("at_provider", true)
		p.tell(Differs, "backend-logout-url", "sign_out.at_provider", "")
	}
}

// endpoints sets the addresses of a provider that has no type here. What is not
// known is to be filled in, and nobody can sign in until it is.
func (p *proxy) endpoints(given string, s *Map) {
	name := regexp.MustCompile(`[^a-z0-9-]+`).ReplaceAllString(strings.ToLower(given), "-")
	if len(name) > 32 || strings.Trim(name, "-") == "" {
		name = "oauth2"
	}
	s.Set("name", name).Set("cluster", name)
	all, clusters := NewMap(), NewMap()
	missing := false
	for _, e := range [][2]string{{"authorization", "login-url"}, {"token", "redeem-url"}, {"userinfo", "profile-url"}} {
		address := p.one(e[1])
		if badIssuer(address) || strings.HasPrefix(address, "http://") {
			address, missing = placeholder+"/"+e[0], true
		} else {
			p.tell(Taken, e[1], "providers[].endpoints."+e[0], "")
		}
		all.Set(e[0], address)
	}
	issuer := p.one("oidc-issuer-url")
	if badIssuer(issuer) || strings.HasPrefix(issuer, "http://") {
		issuer = strings.Join(strings.Split(str(all.Get("token")), "/")[:3], "/")
		s.Set("issuer", issuer)
	}
	for i, what := range []string{"token", "userinfo"} { // each host that is not the issuer's
		host := strings.ToLower(strings.Split(str(all.Get(what)), "/")[2])
		if host != strings.ToLower(strings.Split(issuer, "/")[2]) && clusters.Get(host) == nil {
			clusters.Set(host, name+[]string{"-tokens", "-api"}[i])
		}
	}
	if len(clusters.keys) > 0 {
		s.Set("clusters", clusters)
	}
	s.Set("endpoints", all).Set("own_callback", true)
	if missing {
		s.Note("endpoints", "TO DO: the provider's addresses")
	}
	p.report.add(ToDo, "provider", "providers[].type", "`"+name+"` has no type here: `oauth2`. Say where its addresses are, which field of the userinfo answer is the person's (`subject`), and where the other claims are (docs/providers/oauth2.md); nobody can sign in until then. Register the callback "+"/oauth2/callback/"+name+". If it has a discovery document, take `oidc`.")
}
