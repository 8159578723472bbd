package migrate

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
)

// envoy is a migration from Envoy's oauth2 filter.
type envoy struct {
	*maker
	filters  []tree   // configurations of the oauth2 filter, that of the listener first
	jwt      []tree   // configurations of jwt_authn
	policies []tree   // Envoy Gateway's SecurityPolicies with oidc
	domains  []string // of virtual hosts, routes, gateways
	s        *Map     // the provider
}

func (m *maker) envoyOAuth2() error {
	e := &envoy{maker: m}
	for _, f := range m.in.Files {
		docs, err := documents(f)
		if err != nil {
			return err
		}
		for _, d := range docs {
			e.collect(d)
		}
	}
	switch {
	case len(e.filters) > 0:
		e.filter(e.filters[0])
		e.further(e.filters)
	case len(e.policies) > 0:
		e.policy(e.policies[0])
		e.further(e.policies)
	default:
		return ErrNothing
	}
	return nil
}

// further closes everything where there are configurations beside the first that
// differ from it: what the first leaves open, and whoever signs in by it, would pass
// where another decides.
func (e *envoy) further(all []tree) {
	if !slices.ContainsFunc(all, func(c tree) bool { return !reflect.DeepEqual(c, all[0]) }) {
		return
	}
	o, _ := find(envoyFields, "OAuth2PerRoute")
	e.report.add(ToDo, o.Name, o.Becomes, o.Text)
	rules, _ := e.settings.Get("rules").([]any)
	closed := rule("several", everything()).Set("require", lockedOut())
	closed.Note("require", "TO DO: nobody passes, because there are several configurations. The report says what to do")
	e.settings.Set("rules", append([]any{closed}, rules...))
}

// collect finds what there is in one object.
func (e *envoy) collect(d tree) {
	if text(d["kind"]) == "SecurityPolicy" && get(d, "spec", "oidc") != nil {
		e.policies = append(e.policies, get(d, "spec").(tree))
		return
	}
	snaked, _ := snake(d).(tree)
	if snaked["token_endpoint"] != nil && snaked["credentials"] != nil {
		e.filters = append(e.filters, snaked)
	}
	var perRoute []tree
	walk(snaked, func(t tree) {
		kind := text(t["@type"])
		if strings.HasSuffix(kind, ".TypedStruct") {
			kind = text(t["type_url"])
			t, _ = t["value"].(tree)
		}
		config, _ := t["config"].(tree)
		switch {
		case strings.HasSuffix(kind, ".oauth2.v3.OAuth2") && config != nil:
			e.filters = append(e.filters, config)
		case strings.HasSuffix(kind, ".oauth2.v3.OAuth2PerRoute") && config != nil:
			perRoute = append(perRoute, config)
		case strings.HasSuffix(kind, ".jwt_authn.v3.JwtAuthentication"):
			e.jwt = append(e.jwt, t)
		}
		e.hostsOf(t)
	})
	e.filters = append(e.filters, perRoute...)
}

// hostsOf notes the hosts that routes are for.
func (e *envoy) hostsOf(t tree) {
	for _, key := range []string{"domains", "hostnames"} {
		for _, h := range texts(t[key]) {
			if h != "*" && !slices.Contains(e.domains, h) {
				e.domains = append(e.domains, strings.ToLower(h))
			}
		}
	}
}

// snake writes keys as Envoy's API has them: JSON takes both spellings.
func snake(v any) any {
	switch v := v.(type) {
	case tree:
		out := make(tree, len(v))
		for key, inner := range v {
			out[snakeKey(key)] = snake(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = snake(inner)
		}
		return out
	}
	return v
}

func snakeKey(key string) string {
	var out strings.Builder
	for i, r := range key {
		if unicode.IsUpper(r) {
			if i > 0 {
				out.WriteByte('_')
			}
			r = unicode.ToLower(r)
		}
		out.WriteRune(r)
	}
	return out.String()
}

// general tells of all fields of an object that nothing has told of.
func (m *maker) general(tables []Heading, prefix string, root tree) {
	known := func(path string) bool { _, is := find(tables, prefix+path); return is }
	for _, l := range leaves("", root, known) {
		name := prefix + strings.TrimSuffix(l.path, "[]")
		o, is := find(tables, name)
		switch {
		case m.report.tells(name):
		case !is:
			m.unknown(name)
		case o.Kind == ToDo && off(l.value):
			m.report.add(NotNeeded, name, "", "is off.")
		default:
			m.report.add(o.Kind, o.Name, o.Becomes, o.Text)
		}
	}
}

// off reports whether a value is as if it were not there.
func off(v any) bool { return v == nil || v == "" || v == false || v == "false" }

// say tells of a field that is there.
func (m *maker) say(tables []Heading, there bool, kind Kind, name, text string) {
	if !there {
		return
	}
	o, _ := find(tables, name)
	if text == "" {
		text = o.Text
	}
	m.report.add(kind, name, o.Becomes, text)
}

// filter takes over one configuration of the oauth2 filter.
func (e *envoy) filter(c tree) {
	e.provider(c)
	prefix := "/oauth2"
	e.callback(text(get(c, "redirect_path_matcher", "path", "exact")), "redirect_path_matcher", &prefix)
	e.addresses(c, prefix)
	e.keys("credentials.hmac_secret", "hmac_secret")
	e.sessions(c)
	e.told(c)
	e.tokens(passesTokens(c))
	e.filterRules(c)
	e.general(envoyFields, "", c)
}

func (e *envoy) provider(c tree) {
	endpoint := text(c["authorization_endpoint"])
	q := guess(endpoint)
	if issuer := e.issuerBeside(endpoint); issuer != "" && q.guessed {
		q = ofIssuer(issuer)
	}
	if badIssuer(q.issuer) {
		q.issuer, q.guessed = placeholder, true
	}
	e.s = q.settings()
	e.settings.Set("providers", []any{e.s})
	if q.guessed {
		e.report.add(ToDo, "authorization_endpoint", "providers[].issuer", "the filter knows no issuer. The address's host was taken: say what <issuer>/.well-known/openid-configuration has as `issuer`. Nobody can sign in until it is right.")
	}
	if cluster := text(get(c, "token_endpoint", "cluster")); cluster != "" {
		e.s.Set("cluster", cluster)
	}
	e.cluster("token_endpoint.cluster", e.s)
	if d, err := time.ParseDuration(text(get(c, "token_endpoint", "timeout"))); err == nil && d >= 100*time.Millisecond && d <= time.Minute {
		e.s.Set("timeout", d.String())
	}
	e.client(c)
	e.scopes(texts(c["auth_scopes"]), "auth_scopes")
	if r := texts(c["resources"]); len(r) > 0 {
		e.s.Set("resources", r)
	}
}

// issuerBeside is the issuer that jwt_authn, beside the filter, has of the same host.
func (e *envoy) issuerBeside(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	for _, j := range e.jwt {
		providers, _ := j["providers"].(tree)
		for _, name := range sorted(providers) {
			issuer := text(get(providers[name], "issuer"))
			if i, err := url.Parse(issuer); err == nil && i.Host == u.Host && i.Host != "" {
				return issuer
			}
		}
	}
	return ""
}

func (e *envoy) scopes(given []string, option string) {
	given = slices.DeleteFunc(given, func(s string) bool { return s == "user" })
	if len(given) == 0 {
		return
	}
	kind := e.s.Get("type")
	if !slices.Contains(given, "openid") && kind != "github" {
		given = append([]string{"openid"}, given...)
	}
	e.s.Set("scopes", given)
	e.say(envoyFields, true, Taken, option, "")
}

// client sets how Postern proves itself at the provider.
func (e *envoy) client(c tree) {
	credentials, _ := c["credentials"].(tree)
	e.clientID(text(credentials["client_id"]), "credentials.client_id")
	where := ""
	if name := text(get(credentials, "token_secret", "name")); name != "" {
		where = "the SDS secret " + quote(name)
	}
	switch auth := text(c["auth_type"]); auth {
	case "TLS_CLIENT_AUTH", "2":
		e.s.Set("client_auth", "tls_client_auth")
	case "PRIVATE_KEY_JWT", "3":
		e.privateKey(c)
	default:
		e.secret(e.s, "credentials.token_secret", where)
		if auth == "BASIC_AUTH" || auth == "1" {
			e.s.Set("client_auth", "client_secret_basic")
		} else {
			e.s.Set("client_auth", "client_secret_post")
		}
	}
	e.say(envoyFields, c["auth_type"] != nil, Taken, "auth_type", "")
}

func (e *envoy) clientID(id, option string) {
	if id == "" {
		e.s.Set("client_id", clientToBeNamed)
		e.s.Note("client_id", "TO DO: the client's id at the provider")
		e.report.add(ToDo, option, "providers[].client_id", "is not said: put it in. Nobody can sign in until then.")
		return
	}
	e.s.Set("client_id", id)
	e.say(envoyFields, true, Taken, option, "")
}

func (e *envoy) privateKey(c tree) {
	env := secretName(str(e.s.Get("name")), "CLIENT_KEY")
	e.s.Set("client_auth", "private_key_jwt").Set("client_key", NewMap().Set("env", env))
	e.report.add(ToDo, "credentials.token_secret", "providers[].client_key", "put the private key, in PEM, into the variable "+env+" of Envoy's VM.")
	switch algorithm := text(get(c, "private_key_jwt_config", "signing_algorithm")); algorithm {
	case "RS256", "ES256":
		e.s.Set("client_key_algorithm", algorithm)
	case "":
	default:
		e.report.add(ToDo, "private_key_jwt_config.signing_algorithm", "providers[].client_key_algorithm", "is none of RS256, PS256, ES256 and EdDSA: left out.")
	}
	if text(get(c, "private_key_jwt_config", "assertion_audience")) == text(get(c, "token_endpoint", "uri")) {
		e.s.Set("client_assertion_audience", "endpoint")
	}
}

// callback keeps the path of the callback if it can be kept.
func (e *envoy) callback(path, option string, prefix *string) {
	if before, ok := strings.CutSuffix(path, "/callback"); ok && before != "" && !badPath(before) {
		*prefix = before
		e.say(envoyFields, true, Taken, option, "")
		return
	}
	e.report.add(ToDo, option, "path_prefix", "the callback is at "+*prefix+"/callback: register it at the provider beside the old one.")
}

// addresses sets which hosts are served.
func (e *envoy) addresses(c tree, prefix string) {
	hosts := e.redirectHosts(text(c["redirect_uri"]))
	for _, d := range texts(c["allowed_redirect_domains"]) {
		if d = strings.ToLower(d); !slices.Contains(hosts, d) {
			hosts = append(hosts, d)
		}
	}
	if prefix != "/oauth2" {
		e.settings.Set("path_prefix", prefix)
	}
	e.hosts("redirect_uri", hosts)
	if strings.HasPrefix(text(c["redirect_uri"]), "http://") && onLoopback(hosts) {
		e.settings.Set("insecure_http_cookies", true)
	}
}

func (e *envoy) redirectHosts(redirect string) []string {
	if u, err := url.Parse(redirect); err == nil && u.Host != "" && !strings.Contains(u.Host, "%") {
		return []string{strings.ToLower(u.Host)}
	}
	return slices.Clone(e.domains)
}

// sessions sets how long sessions last and what their cookie looks like.
func (e *envoy) sessions(c tree) {
	e.lifetime(text(c["default_refresh_token_expires_in"]), "default_refresh_token_expires_in")
	e.sharedCookie(envoyFields, text(get(c, "credentials", "cookie_domain")), "credentials.cookie_domain")
	e.sameSite(text(get(c, "cookie_configs", "bearer_token_cookie_config", "same_site")))
	e.loginTimeout(text(c["csrf_token_expires_in"]))
	if c["end_session_endpoint"] != nil {
		e.settings.At("sign_out").Set("at_provider", true)
	}
}

func (e *envoy) lifetime(given, option string) {
	d, err := time.ParseDuration(given)
	if err != nil || d < time.Second || d > 9600*time.Hour {
		return
	}
	if d != 168*time.Hour {
		e.settings.At("session").Set("lifetime", seconds(d))
	}
	e.say(envoyFields, true, Taken, option, "")
}

func (e *envoy) loginTimeout(given string) {
	if d, err := time.ParseDuration(given); err == nil {
		e.settings.At("sign_in").Set("login_timeout", seconds(min(max(d, time.Minute), time.Hour)))
	}
}

func (e *envoy) sameSite(given string) {
	if site := strings.ToLower(given); (site == "strict" || site == "none") && e.settings.Get("insecure_http_cookies") == nil {
		e.settings.At("session").At("cookie").Set("same_site", site)
	}
}

// sharedCookie shares the session with the hosts below a domain, if all are.
func (m *maker) sharedCookie(tables []Heading, domain, option string) {
	domain = strings.ToLower(strings.TrimPrefix(domain, "."))
	if domain == "" {
		return
	}
	hosts, _ := m.settings.Get("hosts").([]string)
	outside := slices.ContainsFunc(hosts, func(h string) bool {
		h, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimPrefix(h, "*"), "."), ":")
		return h != domain && !strings.HasSuffix(h, "."+domain)
	})
	if outside || !strings.Contains(domain, ".") {
		m.say(tables, true, ToDo, option, "left out: not all hosts are below it. Each host gets a session of its own.")
		return
	}
	m.settings.At("session").At("cookie").Set("domain", domain)
	m.say(tables, true, Taken, option, "")
}

// told sets what applications are told: the filter tells them tokens alone.
func (e *envoy) told(c tree) {
	f := e.settings.At("forward")
	if truth(c["forward_bearer_token"]) {
		f.Set("access_token", []string{"authorization"})
	}
	if get(c, "forward_id_token") != nil {
		e.assertion("forward_id_token.header", f)
	}
	e.claimHeaders(f)
	if len(f.keys) == 0 {
		f.Set("headers", NewMap())
		f.Note("headers", toldNothing)
	}
}
