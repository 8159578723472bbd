package config

import (
	"bytes"
	"strings"
	"time"
)

// maxKeys is far more than any rotation needs; each of them may be tried on
// each cookie.
const maxKeys = 32

func (r *reader) session(path string, c *Config) {
	s := &c.Session
	r.keys(at(path, "keys"), s.Keys)
	r.cookie(at(path, "cookie"), c)
	// RFC 6265bis, section 5.5: browsers keep no cookie longer than 400 days.
	r.within(at(path, "lifetime"), s.Lifetime, time.Second, 400*day)
	r.ages(path, s)
	r.oneOf(at(path, "refresh_retry"), s.RefreshRetry, "never", "once")
	r.oneOf(at(path, "on_outage"), s.OnOutage, "serve", "refuse")
	r.within(at(path, "grace"), s.Grace, time.Second, 5*minute)
	if s.Store.Webdis != nil {
		r.webdis(at(at(path, "store"), "webdis"), s.Store.Webdis)
	}
	r.between(at(path, "max_bytes"), s.MaxBytes, 1024, 48<<10)
	r.between(at(path, "cache_bytes"), s.CacheBytes, 0, 256<<20)
}

// ages checks the ages of a session at which something happens: zero is never.
func (r *reader) ages(path string, s *Session) {
	for _, age := range []struct {
		name string
		is   Duration
	}{{"idle", s.Idle}, {"refresh", s.Refresh}} {
		here := at(path, age.name)
		if age.is == 0 || !r.clean(here) {
			continue
		}
		r.within(here, age.is, time.Second, 0)
		if r.clean(at(path, "lifetime")) && age.is > s.Lifetime {
			r.problem(here, "%s is more than the lifetime, %s", age.is, s.Lifetime)
		}
	}
}

func (r *reader) webdis(path string, w *Webdis) {
	if here := at(path, "cluster"); r.required(here, w.Cluster, "the Envoy cluster for calls to Webdis") {
		r.cluster(here, w.Cluster)
	}
	if strings.Contains(w.User, ":") {
		r.problem(at(path, "user"), "holds a colon, which ends a user name (RFC 7617, section 2)")
	}
	if here := at(path, "prefix"); r.clean(here) && !only(w.Prefix, 32, func(c byte) bool { return lower(c) || digit(c) || c == '-' }) {
		r.problem(here, `%s is not up to 32 of a-z, 0-9 and "-"`, quote(w.Prefix))
	}
	r.within(at(path, "timeout"), w.Timeout, 50*time.Millisecond, 10*time.Second)
	r.within(at(path, "interval"), w.Interval, 100*time.Millisecond, minute)
	r.within(at(path, "stale"), w.Stale, time.Second, hour)
	if r.clean(path) && w.Stale <= w.Interval {
		r.problem(at(path, "stale"), "%s is not more than interval, %s: Redis would count as away between two readings", w.Stale, w.Interval)
	}
	r.oneOf(at(path, "on_outage"), w.OnOutage, "refuse", "admit")
}

// keys checks what concerns several keys; each by itself was checked when it
// was decoded.
func (r *reader) keys(path string, keys []Key) {
	if len(keys) == 0 {
		r.problem(path, `is required: at least one key, such as [{"id": "2026-11", "env": "POSTERN_KEY"}]`)
	}
	if len(keys) > maxKeys {
		r.problem(path, "holds %d keys; at most %d", len(keys), maxKeys)
		return
	}
	for i, k := range keys {
		for j, other := range keys[:i] {
			if k.ID != "" && k.ID == other.ID {
				r.problem(at(index(path, i), "id"), "%s is the id of %s too", quote(k.ID), index(path, j))
			}
			if k.material.IsSet() && bytes.Equal(k.Secret(), other.Secret()) {
				r.problem(index(path, i), "is the same key as %s", index(path, j))
			}
		}
	}
}

func (r *reader) cookie(path string, c *Config) {
	k := &c.Session.Cookie
	r.domain(at(path, "domain"), c)
	r.cookiePath(at(path, "path"), c)
	if k.Name == "" {
		k.Name = defaultCookieName(c)
	}
	r.cookieName(at(path, "name"), c)
	r.oneOf(at(path, "same_site"), k.SameSite, "lax", "strict", "none")
	if k.SameSite == "none" && c.InsecureHTTPCookies {
		r.problem(at(path, "same_site"), `"none" needs https, so it does not go with insecure_http_cookies`)
	}
}

// defaultCookieName has the strictest prefix that the other settings leave
// (RFC 6265bis, section 4.1.3).
func defaultCookieName(c *Config) string {
	switch k := c.Session.Cookie; {
	case c.InsecureHTTPCookies:
		return "postern"
	case k.Domain != "" || k.Path != "/":
		return "__Secure-postern"
	}
	return "__Host-postern"
}

func (r *reader) cookieName(path string, c *Config) {
	k := c.Session.Cookie
	if !r.clean(path) {
		return
	}
	if !only(k.Name, 64, token) {
		r.problem(path, "%s is not a cookie's name: up to 64 letters, digits and characters such as - and _", quote(k.Name))
		return
	}
	// Browsers compare the prefixes without regard to case.
	name := strings.ToLower(k.Name)
	host := strings.HasPrefix(name, "__host-")
	switch {
	case host && (k.Domain != "" || k.Path != "/"):
		r.problem(path, `a name that begins with __Host- needs the path "/" and no domain; begin it with __Secure- instead`)
	case (host || strings.HasPrefix(name, "__secure-")) && c.InsecureHTTPCookies:
		r.problem(path, "a name that begins with __Host- or __Secure- needs https, so it does not go with insecure_http_cookies")
	}
}

// domain checks that browsers will take the cookie from every host that the
// gate serves (RFC 6265bis, section 5.5).
func (r *reader) domain(path string, c *Config) {
	k := &c.Session.Cookie
	if k.Domain == "" {
		return
	}
	domain, address, flaw := parseHost(strings.TrimPrefix(k.Domain, "."))
	switch {
	case flaw != "":
		r.problem(path, "%s %s", quote(k.Domain), flaw)
		return
	case address || !strings.Contains(domain, "."):
		r.problem(path, `%s is not a domain that browsers accept, such as "example.com"`, quote(k.Domain))
		return
	}
	k.Domain = domain
	for i, h := range c.Hosts {
		if h != (HostPattern{}) && !h.within(domain) {
			r.problem(path, "%s (%s) is not below %s: it could not set the cookie", index("hosts", i), quote(h.String()), quote(domain))
		}
	}
	if c.PublicURL == "" || !r.clean("public_url") {
		return
	}
	if u, ok := r.address("public_url", c.PublicURL); ok && u.host != domain && !under(u.host, domain) {
		r.problem(path, "public_url is not below %s: it could not set the cookie", quote(domain))
	}
}

func (r *reader) cookiePath(path string, c *Config) {
	k := c.Session.Cookie
	if !r.clean(path) || k.Path == "/" {
		return
	}
	if flaw := pathFlaw(k.Path); flaw != "" {
		r.problem(path, "%s %s", quote(k.Path), flaw)
		return
	}
	if !plainPath(k.Path) {
		r.problem(path, `%s is not a plain path of at most 64 characters, such as "/shop"`, quote(k.Path))
		return
	}
	if r.clean("path_prefix") && !strings.HasPrefix(c.PathPrefix, strings.TrimSuffix(k.Path, "/")+"/") {
		r.problem(path, "path_prefix (%s) must be below %s, or the session never reaches the gate's own endpoints", quote(c.PathPrefix), quote(k.Path))
	}
}
