package migrate

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// convert makes settings of the options.
func (p *proxy) convert() {
	if p.on("pass-host-header", true) {
		p.tell(NotNeeded, "pass-host-header", "", "Envoy passes it on.")
	} else {
		p.tell(ToDo, "pass-host-header", "", "Envoy's route has `auto_host_rewrite`.")
	}
	p.provider()
	p.addresses()
	p.session()
	p.signIn()
	p.forward()
	p.bearer()
	p.upstreams()
	p.rules()
}

// rest tells of every option that nothing has told of: what becomes of it in
// general, or that it is not known.
func (p *proxy) rest() {
	names := make([]string, 0, len(p.options))
	for name := range p.options {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		o, known := find(proxyOptions, name)
		switch {
		case p.report.tells(name):
		case !known:
			p.unknown(name)
		case o.Kind != NotNeeded && (o.flag && !p.on(name, true) || len(p.many(name)) == 0 && p.options[name].secret == "" && !p.options[name].line):
			p.report.add(NotNeeded, name, "", "is off, or empty.")
		default:
			p.report.add(o.Kind, name, o.Becomes, o.Text)
		}
	}
}

// tell reports on an option, if it was given. Without words of its own it is what
// becomes of it in general.
func (p *proxy) tell(kind Kind, name, becomes, text string) {
	if !p.has(name) {
		return
	}
	o, _ := find(proxyOptions, name)
	if becomes == "" && kind != NotNeeded {
		becomes = o.Becomes
	}
	if text == "" {
		text = o.Text
	}
	p.report.add(kind, name, becomes, text)
}

func (p *proxy) has(name string) bool { return p.options[name] != nil }

// one is an option's value, or "".
func (p *proxy) one(name string) string {
	if g := p.options[name]; g != nil && len(g.values) > 0 {
		return g.values[len(g.values)-1]
	}
	return ""
}

// many are an option's values, without empty ones.
func (p *proxy) many(name string) (all []string) {
	g := p.options[name]
	if g == nil {
		return nil
	}
	for _, v := range g.values {
		if v != "" && !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// on reads what is true or false.
func (p *proxy) on(name string, usual bool) bool {
	if !p.has(name) {
		return usual
	}
	on, err := strconv.ParseBool(strings.ToLower(p.one(name)))
	return on && err == nil
}

// duration reads a duration as oauth2-proxy does.
func (p *proxy) duration(name string) (time.Duration, bool) {
	d, err := time.ParseDuration(p.one(name))
	if err != nil && p.one(name) == "0" {
		return 0, true
	}
	if err != nil && p.one(name) != "" {
		p.tell(ToDo, name, "", "is not a duration such as 168h, and was left out.")
	}
	return d, err == nil
}

// seconds is a duration as settings have it.
func seconds(d time.Duration) string {
	switch {
	case d == 0:
		return "0s"
	case d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + "s"
}

// addresses sets where Postern is reached.
func (p *proxy) addresses() {
	prefix := "/oauth2"
	if given := "/" + strings.Trim(p.one("proxy-prefix"), "/"); p.has("proxy-prefix") && given != "/" {
		prefix = given
		p.tell(Taken, "proxy-prefix", "path_prefix", "")
	}
	var hosts []string
	public := p.redirect(&prefix)
	for _, domain := range p.many("whitelist-domain") {
		if strings.HasPrefix(domain, "*.") { // there the domain itself is among them
			domain = domain[1:]
		}
		hosts = append(hosts, strings.ToLower(domain))
	}
	p.tell(Differs, "whitelist-domain", "hosts", "")
	for _, h := range p.extra {
		if !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	switch {
	case public == nil:
	case len(hosts) == 0 || slices.Equal(hosts, []string{public.Host}):
		hosts = []string{public.Host}
		p.tell(Taken, "redirect-url", "hosts", "the host that is served. Register "+public.Scheme+"://"+public.Host+prefix+"/callback at the provider, if it is not the same address.")
	default:
		address := public.Scheme + "://" + public.Host
		p.settings.Set("public_url", address)
		p.tell(Taken, "redirect-url", "public_url", "one host answers for all. Register "+address+prefix+"/callback at the provider, if it is not the same address.")
	}
	if prefix != "/oauth2" {
		p.settings.Set("path_prefix", prefix)
	}
	p.hosts("redirect-url", hosts)
	p.plain(public)
}

// redirect is the address of the callback's host; the prefix follows its path.
func (p *proxy) redirect(prefix *string) *url.URL {
	u, err := url.Parse(p.one("redirect-url"))
	if err != nil || u.Host == "" {
		if p.has("redirect-url") && p.one("redirect-url") != "" {
			p.tell(ToDo, "redirect-url", "hosts", "names no host: name the hosts that are served.")
		}
		return nil
	}
	u.Host = strings.ToLower(u.Host)
	if before, ok := strings.CutSuffix(u.Path, "/callback"); ok && before != "" {
		*prefix = before
	} else if u.Path != "" && u.Path != "/" {
		p.tell(ToDo, "redirect-url", "path_prefix", "the callback is at "+*prefix+"/callback here: register it at the provider.")
	}
	if u.Scheme != "http" {
		u.Scheme = "https"
	}
	return u
}

// plain allows cookies over http where oauth2-proxy did and it harms nobody.
func (p *proxy) plain(public *url.URL) {
	http := public != nil && public.Scheme == "http"
	if p.on("cookie-secure", true) && !http {
		p.tell(Taken, "cookie-secure", "session.cookie", "always, over https.")
		return
	}
	if onLoopback(p.settings.Get("hosts")) {
		p.settings.Set("insecure_http_cookies", true)
		p.settings.Note("insecure_http_cookies", "for this machine alone")
		p.tell(Taken, "cookie-secure", "insecure_http_cookies", "for loopback hosts.")
		return
	}
	if u, _ := p.settings.Get("public_url").(string); u != "" {
		p.settings.Set("public_url", "https://"+strings.TrimPrefix(u, "http://"))
	}
	text := "refused: sessions would travel where everybody can read them. Serve these hosts over https."
	p.report.add(ToDo, "cookie-secure", "", text)
}

// session sets how sessions are kept.
func (p *proxy) session() {
	old := "cookie-secret"
	p.keys(old, "cookie-secret")
	s := p.settings.At("session")
	p.cookie(s)
	lifetime := 168 * time.Hour
	if d, ok := p.duration("cookie-expire"); ok {
		switch {
		case d == 0:
			p.tell(Differs, "cookie-expire", "session.lifetime", "the cookie went with the browser; here a session lasts 168h.")
		case d < time.Second || d > 9600*time.Hour:
			lifetime = min(max(d, time.Second), 9600*time.Hour)
			p.tell(Differs, "cookie-expire", "session.lifetime", "is out of range, and became "+seconds(lifetime)+".")
		default:
			lifetime = d.Truncate(time.Second)
			p.tell(Taken, "cookie-expire", "session.lifetime", "")
		}
		if lifetime != 168*time.Hour {
			s.Set("lifetime", seconds(lifetime))
		}
	}
	if d, ok := p.duration("cookie-refresh"); ok && d > 0 {
		d = min(max(d.Truncate(time.Second), time.Second), lifetime)
		s.Set("refresh", seconds(d))
		p.tell(Taken, "cookie-refresh", "session.refresh", "")
	}
	p.store(s)
}

func (p *proxy) cookie(s *Map) {
	switch site := strings.ToLower(p.one("cookie-samesite")); site {
	case "strict", "none":
		if site == "none" && p.settings.Get("insecure_http_cookies") != nil {
			p.tell(Differs, "cookie-samesite", "", "`none` needs https: `lax`.")
			break
		}
		s.At("cookie").Set("same_site", site)
		p.tell(Taken, "cookie-samesite", "session.cookie.same_site", "")
	case "lax", "":
		p.tell(Taken, "cookie-samesite", "session.cookie.same_site", "`lax`.")
	default:
		p.tell(ToDo, "cookie-samesite", "", "is none of lax, strict and none: `lax`.")
	}
	p.cookieDomain(s)
	if path := "/" + strings.Trim(p.one("cookie-path"), "/"); p.has("cookie-path") && path != "/" {
		prefix, _ := p.settings.Get("path_prefix").(string)
		if !strings.HasPrefix(prefix, path+"/") || badPath(path) {
			p.tell(ToDo, "cookie-path", "session.cookie.path", "left out: Postern's own addresses (`path_prefix`) must be below it.")
			return
		}
		s.At("cookie").Set("path", path)
		p.tell(Taken, "cookie-path", "session.cookie.path", "")
	}
}

func (p *proxy) cookieDomain(s *Map) {
	domains := p.many("cookie-domain")
	if len(domains) == 0 {
		return
	}
	hosts, _ := p.settings.Get("hosts").([]string)
	domain := strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(domains[0], "*"), "."))
	outside := slices.ContainsFunc(hosts, func(h string) bool {
		h, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimPrefix(h, "*"), "."), ":")
		return h != domain && !strings.HasSuffix(h, "."+domain)
	})
	alone := len(hosts) == 1 && (hosts[0] == domain || strings.HasPrefix(hosts[0], domain+":"))
	switch {
	case alone && p.settings.Get("public_url") == nil:
		p.tell(NotNeeded, "cookie-domain", "", "one host alone is served: its cookie stays there.")
	case len(domains) > 1:
		p.tell(Differs, "cookie-domain", "public_url", "several domains: each host gets a session of its own, by one login at `public_url`.")
	case outside || !strings.Contains(domain, "."):
		p.tell(ToDo, "cookie-domain", "session.cookie.domain", "left out: not all hosts are below it. Each host gets a session of its own.")
	default:
		s.At("cookie").Set("domain", domain)
		p.tell(Taken, "cookie-domain", "session.cookie.domain", "every host below it receives the session and must be trusted. Left out, with `public_url`, each host gets a session of its own.")
	}
}

// store keeps sessions in Redis if they were.
func (p *proxy) store(s *Map) {
	if p.one("session-store-type") != "redis" {
		p.tell(NotNeeded, "session-store-type", "", "sessions are in cookies, as they were.")
		return
	}
	webdis := NewMap().Set("cluster", "webdis").Set("sessions", true)
	webdis.Set("password", NewMap().Set("env", "WEBDIS_PASSWORD"))
	s.At("store").Set("webdis", webdis)
	s.Note("store", "TO DO: a Redis behind Webdis (docs/sessions.md). Leave it out if sessions fit into cookies")
	p.tell(Differs, "session-store-type", "session.store.webdis", "")
	p.report.add(ToDo, "session-store-type", "session.store.webdis", "run Webdis before Redis as docs/sessions.md says, give Envoy the cluster `webdis` and the variable WEBDIS_PASSWORD; or leave `store` out.")
}

// signIn sets how signing in looks.
func (p *proxy) signIn() {
	if d, ok := p.duration("cookie-csrf-expire"); ok {
		d = min(max(d, time.Minute), time.Hour)
		if d != 15*time.Minute {
			p.settings.At("sign_in").Set("login_timeout", seconds(d))
		}
		p.tell(Taken, "cookie-csrf-expire", "sign_in.login_timeout", "")
	}
	p.banner()
	switch logo := p.one("custom-sign-in-logo"); {
	case logo == "" || logo == "-":
		p.tell(NotNeeded, "custom-sign-in-logo", "", "pages have no logo of ours.")
	case strings.HasPrefix(logo, "https://"):
		p.settings.At("sign_in").Set("logo", logo)
		p.tell(Taken, "custom-sign-in-logo", "sign_in.logo", "")
	}
	if footer := p.one("footer"); footer == "" || footer == "-" {
		p.tell(NotNeeded, "footer", "", "")
	}
}

func (p *proxy) banner() {
	switch text := p.one("banner"); {
	case text == "" || text == "-":
		p.tell(NotNeeded, "banner", "", "pages have no banner of ours.")
	case strings.ContainsAny(text, "<&\n\r\t") || len([]rune(text)) > 500:
		p.tell(ToDo, "banner", "pages.templates", "")
	default:
		p.settings.At("sign_in").Set("text", text)
		p.tell(Taken, "banner", "sign_in.text", "")
	}
}
