package conversation

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// browser keeps cookies as browsers do (RFC 6265bis, sections 5.7 and 5.8):
// as far as a gate's cookies need it, and strictly. A cookie that a browser
// would throw away is an error.
type browser struct{ kept []*kept }

type kept struct {
	name, value string
	host        string // the host that set it, or the domain
	domain      bool   // hosts below it get the cookie as well
	path        string
	expires     time.Time // zero: never
}

// maxCookie is how many bytes of name and value browsers keep.
const maxCookie = 4096

// take stores what a Set-Cookie field sets.
func (b *browser) take(host, field string, now time.Time) error {
	c, err := http.ParseSetCookie(field)
	if err != nil {
		return fmt.Errorf("a Set-Cookie that nobody can read: %w", err)
	}
	host = strings.ToLower(host)
	if err := acceptable(host, c); err != nil {
		return fmt.Errorf("browsers throw the cookie %s away: %w", c.Name, err)
	}
	k := &kept{name: c.Name, value: c.Value, host: host, path: c.Path}
	if c.Domain != "" {
		k.host, k.domain = strings.TrimPrefix(strings.ToLower(c.Domain), "."), true
	}
	if k.path == "" {
		k.path = "/"
	}
	b.kept = slices.DeleteFunc(b.kept, func(old *kept) bool {
		return old.name == k.name && old.host == k.host && old.domain == k.domain && old.path == k.path
	})
	if c.MaxAge < 0 {
		return nil
	}
	if c.MaxAge > 0 {
		k.expires = now.Add(time.Duration(c.MaxAge) * time.Second)
	}
	b.kept = append(b.kept, k)
	return nil
}

func acceptable(host string, c *http.Cookie) error {
	domain := strings.TrimPrefix(strings.ToLower(c.Domain), ".")
	isHost := strings.HasPrefix(strings.ToLower(c.Name), "__host-")
	switch {
	case len(c.Name)+len(c.Value) > maxCookie:
		return fmt.Errorf("%d bytes", len(c.Name)+len(c.Value))
	case domain != "" && domain != host && !strings.HasSuffix(host, "."+domain):
		return fmt.Errorf("domain %s", domain)
	case isHost && (!c.Secure || c.Path != "/" || domain != ""):
		return fmt.Errorf("__Host- without Secure and Path=/, or with a domain")
	case strings.HasPrefix(strings.ToLower(c.Name), "__secure-") && !c.Secure:
		return fmt.Errorf("__Secure- without Secure")
	case c.SameSite == http.SameSiteNoneMode && !c.Secure:
		return fmt.Errorf("SameSite=None without Secure")
	}
	return nil
}

// put stores a cookie for one host, whatever browsers would think of it.
func (b *browser) put(host, name, value string) {
	for _, k := range b.kept {
		if k.name == name && k.reaches(host, k.path) {
			k.value = value
			return
		}
	}
	b.kept = append(b.kept, &kept{name: name, value: value, host: host, path: "/"})
}

func (b *browser) drop(name string) bool {
	before := len(b.kept)
	b.kept = slices.DeleteFunc(b.kept, func(k *kept) bool { return k.name == name })
	return len(b.kept) < before
}

func (k *kept) reaches(host, path string) bool {
	fits := k.host == host || k.domain && strings.HasSuffix(host, "."+k.host)
	below := path == k.path || strings.HasPrefix(path, strings.TrimSuffix(k.path, "/")+"/")
	return fits && below
}

// header is the Cookie field for a request, or "".
func (b *browser) header(host, target string, now time.Time) string {
	path, _, _ := strings.Cut(target, "?")
	if !strings.HasPrefix(path, "/") {
		path = "/"
	}
	var pairs []string
	for _, k := range b.kept {
		if k.reaches(strings.ToLower(host), path) && (k.expires.IsZero() || now.Before(k.expires)) {
			pairs = append(pairs, k.name+"="+k.value)
		}
	}
	return strings.Join(pairs, "; ")
}

// value is the value of a cookie.
func (b *browser) value(name string) (string, error) {
	for _, k := range b.kept {
		if k.name == name {
			return k.value, nil
		}
	}
	return "", fmt.Errorf("the browser has no cookie %s", name)
}
