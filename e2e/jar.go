package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Jar keeps cookies by the rules of RFC 6265bis, which net/http/cookiejar knows
// in part only: prefixes (section 4.1.3), Secure over plain http (refused but
// for localhost, as Chromium does), the size limit, and SameSite=None without
// Secure. A cookie that it refuses is an error of the gate, so it remembers why.
type Jar struct {
	mu       sync.Mutex
	kept     []*jarCookie
	received []*http.Cookie
	refused  []string
}

type jarCookie struct {
	*http.Cookie
	host     string // whom it belongs to
	hostOnly bool
	path     string
	expires  time.Time // zero: with the session
}

// maxCookie is what browsers take: name and value together.
const maxCookie = 4096

// Set stores what a response sets.
func (j *Jar) Set(from *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range cookies {
		j.received = append(j.received, c)
		if err := acceptable(from, c); err != nil {
			j.refused = append(j.refused, fmt.Sprintf("%s: %v", c.Name, err))
			continue
		}
		j.store(from, c)
	}
}

func acceptable(from *url.URL, c *http.Cookie) error {
	host := strings.TrimPrefix(strings.ToLower(c.Domain), ".")
	secure := from.Scheme == "https" || loopbackHost(from.Hostname())
	switch {
	case len(c.Name)+len(c.Value) > maxCookie:
		return fmt.Errorf("%d bytes are more than browsers keep", len(c.Name)+len(c.Value))
	case c.Secure && !secure:
		return fmt.Errorf("secure over plain http")
	case c.SameSite == http.SameSiteNoneMode && !c.Secure:
		return fmt.Errorf("SameSite=None without Secure")
	case host != "" && host != from.Hostname() && !strings.HasSuffix(from.Hostname(), "."+host):
		return fmt.Errorf("domain %s set by %s", host, from.Hostname())
	case hasPrefixFold(c.Name, "__Secure-") && !c.Secure:
		return fmt.Errorf("__Secure- without Secure")
	case hasPrefixFold(c.Name, "__Host-") && (!c.Secure || c.Domain != "" || c.Path != "/"):
		return fmt.Errorf("__Host- needs Secure, Path=/ and no Domain")
	}
	return nil
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func loopbackHost(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "127.0.0.1"
}

func (j *Jar) store(from *url.URL, c *http.Cookie) {
	k := &jarCookie{Cookie: c, host: from.Hostname(), hostOnly: c.Domain == "", path: c.Path, expires: c.Expires}
	if !k.hostOnly {
		k.host = strings.TrimPrefix(strings.ToLower(c.Domain), ".")
	}
	if !strings.HasPrefix(k.path, "/") {
		k.path = defaultPath(from.Path)
	}
	if c.MaxAge > 0 {
		k.expires = time.Now().Add(time.Duration(c.MaxAge) * time.Second)
	}
	j.kept = slices.DeleteFunc(j.kept, func(o *jarCookie) bool {
		return o.Name == k.Name && o.host == k.host && o.path == k.path && o.hostOnly == k.hostOnly
	})
	if c.MaxAge >= 0 && (k.expires.IsZero() || k.expires.After(time.Now())) {
		j.kept = append(j.kept, k)
	}
}

// defaultPath is RFC 6265bis, section 5.1.4.
func defaultPath(path string) string {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 {
		return "/"
	}
	return path[:i]
}

// For are the cookies that go to an address, longest path first.
func (j *Jar) For(to *url.URL) []*http.Cookie {
	j.mu.Lock()
	defer j.mu.Unlock()
	var sent []*jarCookie
	for _, k := range j.kept {
		if k.goesTo(to) {
			sent = append(sent, k)
		}
	}
	slices.SortStableFunc(sent, func(a, b *jarCookie) int { return len(b.path) - len(a.path) })
	cookies := make([]*http.Cookie, len(sent))
	for i, k := range sent {
		cookies[i] = k.Cookie
	}
	return cookies
}

func (k *jarCookie) goesTo(to *url.URL) bool {
	host, path := to.Hostname(), to.EscapedPath()
	if path == "" {
		path = "/"
	}
	return (host == k.host || !k.hostOnly && strings.HasSuffix(host, "."+k.host)) &&
		(path == k.path || strings.HasPrefix(path, strings.TrimSuffix(k.path, "/")+"/")) &&
		(!k.Secure || to.Scheme == "https" || loopbackHost(host)) &&
		(k.expires.IsZero() || k.expires.After(time.Now()))
}

// Names are the names of the cookies that go to an address.
func (j *Jar) Names(to *url.URL) []string {
	var names []string
	for _, c := range j.For(to) {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}

// Received are all cookies that were ever set, with their attributes.
func (j *Jar) Received() []*http.Cookie {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.received)
}

// Refused says which cookies were not kept, and why.
func (j *Jar) Refused() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.refused)
}
