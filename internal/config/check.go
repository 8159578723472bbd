package config

import (
	"net/url"
	"slices"
	"strings"
)

// check looks at everything once it is decoded, and fills in the defaults that
// depend on other settings.
func (r *reader) check(c *Config) {
	r.providers(c)
	r.hosts(c)
	r.publicURL("public_url", c)
	r.pathPrefix("path_prefix", c.PathPrefix)
	r.session("session", c)
	r.signIn("sign_in", &c.SignIn)
	r.pages("pages", &c.Pages)
	r.forward("forward", c)
	r.bearers("bearer", c)
	r.resource("resource", &c.Resource)
	r.cors("cors", &c.CORS)
	r.trustedPeers("trusted_peers", &c.TrustedPeers)
	r.authRequest("auth_request", &c.AuthRequest, &c.TrustedPeers)
	r.oneOf("log.decisions", c.Log.Decisions, "denied", "all")
	r.outbound("outbound", c)
	r.rules("rules", c)
	r.insecureHTTPCookies(c)
	r.outboundAlone(c)
	r.boundTokens(c)
	r.callbackHost(c)
}

// outboundAlone notes what is said about requests that settings for outgoing
// ones alone never see.
func (r *reader) outboundAlone(c *Config) {
	if len(c.Hosts) > 0 || len(c.Outbound) == 0 || !r.clean("hosts") {
		return
	}
	res := c.Resource
	for _, part := range []struct {
		path  string
		given bool
	}{
		{"public_url", c.PublicURL != ""},
		{"bearer", len(c.Bearer) > 0},
		{"resource", res.Name != "" || res.Documentation != "" || len(res.Scopes) > 0},
		{"cors", len(c.CORS.Origins) > 0},
		{"forward.assertion", c.Forward.Assertion != nil},
		{"auth_request.rules", c.AuthRequest.Rules},
		{"rules", len(c.Rules) > 0},
		{"log.decisions", c.Log.Decisions == "all"},
		{"insecure_observe", c.InsecureObserve},
	} {
		if part.given {
			r.problem(part.path, "has no meaning without hosts")
		}
	}
}

// callbackHost makes the callback host one that is served.
func (r *reader) callbackHost(c *Config) {
	if c.PublicURL == "" || len(r.problems) > 0 {
		return
	}
	u, ok := r.address("public_url", c.PublicURL)
	if !ok {
		return
	}
	if !c.AllowsHost(u.host, u.port) {
		c.Hosts = append(c.Hosts, HostPattern{host: u.host, port: u.port})
	}
}

// maxProviders bounds what each worker learns and keeps of providers.
const maxProviders = 64

func (r *reader) providers(c *Config) {
	switch n := len(c.Providers); {
	case n == 0:
		r.problem("providers", "is required: at least one provider")
	case n > maxProviders:
		r.problem("providers", "holds %d providers; at most %d", n, maxProviders)
		c.Providers = c.Providers[:maxProviders]
	}
	names, domains := make(map[string]string), make(map[string]string)
	groups := c.tellsGroups()
	for i := range c.Providers {
		p, here := &c.Providers[i], index("providers", i)
		p.preset(groups)
		r.provider(here, p)
		r.unlike(at(here, "name"), p.Name, here, names)
		r.sameIssuer(c.Providers, i)
		for j, domain := range p.EmailDomains {
			r.unlike(index(at(here, "email_domains"), j), domain, here, domains)
		}
	}
	if len(c.Hosts) > 0 {
		r.someoneSignsIn(c.Providers)
	}
}

// sameIssuer notes a provider that could not be told from one before it: of one
// issuer there may be several clients.
func (r *reader) sameIssuer(providers []Provider, i int) {
	p, here := &providers[i], at(index("providers", i), "issuer")
	for j := range i {
		other := &providers[j]
		alike := p.ClientID == other.ClientID || p.ClientID == "" || other.ClientID == ""
		if p.Issuer != "" && p.Issuer == other.Issuer && alike && r.clean(here) {
			r.problem(here, "is the same as that of %s; each needs a client_id of its own then", index("providers", j))
		}
	}
}

func (r *reader) someoneSignsIn(providers []Provider) {
	if len(providers) == 0 || slices.ContainsFunc(providers, func(p Provider) bool { return p.SignsIn() }) {
		return
	}
	first := index("providers", 0)
	if r.required(at(first, "client_id"), providers[0].ClientID, "the client's name at the provider where people sign in") {
		r.problem(at(first, "sign_in"), "leaves no provider where people can sign in")
	}
}

// unlike notes a problem if s was given at another place already.
func (r *reader) unlike(path, s, place string, seen map[string]string) {
	if other, ok := seen[s]; ok && s != "" && r.clean(path) {
		r.problem(path, "is the same as that of %s", other)
	}
	seen[s] = place
}

func (r *reader) hosts(c *Config) {
	if len(c.Hosts) == 0 && len(c.Outbound) == 0 {
		r.problem("hosts", `is required: the hosts that this gate serves, such as ["app.example.com"]`)
	}
	r.patterns("hosts", c.Hosts)
}

// patterns notes hosts that are given twice.
func (r *reader) patterns(path string, hosts []HostPattern) {
	seen := make(map[HostPattern]bool, len(hosts))
	for i, h := range hosts {
		if seen[h] {
			r.problem(index(path, i), "%s is given twice", quote(h.String()))
		}
		seen[h] = h != (HostPattern{}) // which stands for one that could not be read
	}
}

// publicURL checks the address and brings it into its normal form: scheme and
// host in lower case, no default port, no slash at the end.
func (r *reader) publicURL(path string, c *Config) {
	if c.PublicURL == "" {
		return
	}
	u, ok := r.address(path, c.PublicURL)
	if !ok {
		return
	}
	if u.scheme == "http" && !c.InsecureHTTPCookies {
		r.problem(path, "must be an https address; http is for loopback hosts, with insecure_http_cookies")
	}
	if u.path != "" && u.path != "/" {
		r.problem(path, "must end after the host; path_prefix says which path comes after it")
	}
	c.PublicURL = u.origin()
}

func (r *reader) pathPrefix(path, prefix string) {
	if !r.clean(path) {
		return
	}
	if flaw := pathFlaw(prefix); flaw != "" {
		r.problem(path, "%s %s", quote(prefix), flaw)
		return
	}
	if strings.HasSuffix(prefix, "/") || !plainPath(prefix) {
		r.problem(path, `%s is not a plain path of at most 64 characters without a slash at the end, such as "/oauth2"`, quote(prefix))
	}
}

// insecureHTTPCookies sees to it that cookies travel in the clear on this
// machine only.
func (r *reader) insecureHTTPCookies(c *Config) {
	const path = "insecure_http_cookies"
	if !c.InsecureHTTPCookies {
		return
	}
	for i, h := range c.Hosts {
		if h != (HostPattern{}) && !h.Loopback() {
			r.problem(path, "is for loopback hosts only, which %s (%s) is not", index("hosts", i), quote(h.String()))
		}
	}
	if c.PublicURL == "" || !r.clean("public_url") {
		return
	}
	if u, ok := r.address("public_url", c.PublicURL); ok && !Loopback(u.host) {
		r.problem(path, "is for loopback hosts only, which public_url is not")
	}
}

// oneOf notes a problem unless s is one of the words.
func (r *reader) oneOf(path, s string, words ...string) {
	switch {
	case slices.Contains(words, s):
	case len(words) == 1:
		r.problem(path, "must be %q", words[0])
	default:
		r.problem(path, "%s is not one of %s", quote(s), list(words))
	}
}

// required notes a problem if s is missing, and says whether it is there.
func (r *reader) required(path, s, what string) bool {
	if s == "" && r.clean(path) {
		r.problem(path, "is required: %s", what)
	}
	return s != ""
}

// atMost notes a problem if s is longer than n characters.
func (r *reader) atMost(path, s string, n int) {
	if count := len([]rune(s)); count > n {
		r.problem(path, "has %d characters; at most %d", count, n)
	}
}

// between notes a problem unless n is from least to most.
func (r *reader) between(path string, n, least, most int) {
	if n < least || n > most {
		r.problem(path, "%d is not from %d to %d", n, least, most)
	}
}

// filled notes a list that was given without anything in it, where that could
// be read as none or as any.
func (r *reader) filled(path string, words []string) {
	if words != nil && len(words) == 0 {
		r.problem(path, "is empty; leave the key out or put something in")
	}
	r.once(path, words)
}

// once notes what a list holds twice.
func (r *reader) once(path string, words []string) {
	seen := make(map[string]bool, len(words))
	for i, w := range words {
		if seen[w] {
			r.problem(index(path, i), "%s is given twice", quote(w))
		}
		seen[w] = w != "" // which stands for one that could not be read
	}
}

// address is an absolute http or https address, taken apart.
type address struct{ scheme, host, port, path string }

// address takes an address apart and refuses what could be read in two ways.
// It does not repeat the address: it may hold a password.
func (r *reader) address(path, s string) (a address, ok bool) {
	const form = `must be an absolute address such as "https://id.example.com"`
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		r.problem(path, form)
	case u.User != nil:
		r.problem(path, form+", without user and password")
	case strings.ContainsAny(s, "?#"):
		r.problem(path, form+", without query and fragment")
	case strings.ContainsAny(s, "\\ "):
		r.problem(path, form+", without backslashes and spaces")
	default:
		host, port, flaw := splitPort(u.Host, false)
		if flaw == "" {
			host, _, flaw = parseHost(host)
		}
		if flaw != "" {
			r.problem(path, "%s: the host %s", form, flaw)
			break
		}
		return address{u.Scheme, host, port, u.Path}, true
	}
	return a, false
}

// origin returns scheme, host and port as browsers spell them (RFC 6454,
// section 6.2).
func (a address) origin() string {
	host := HostPattern{host: a.host, port: a.port}
	if a.scheme == "https" && a.port == "443" || a.scheme == "http" && a.port == "80" {
		host.port = ""
	}
	return a.scheme + "://" + host.String()
}
