package demo

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// browser is a person's browser, as far as the journey needs one: it keeps
// cookies by host as browsers do, ports being no part of it (RFC 6265, section
// 8.5), follows nothing by itself, and notes cookies that a browser would
// refuse or a careful gate would not set.
type browser struct {
	client  *http.Client
	cookies map[string]*http.Cookie // by name; all of the journey is on one host
	faults  []string
	from    string // origin of the page shown
}

func newBrowser() *browser {
	return &browser{
		client: &http.Client{
			Timeout:       20 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		cookies: map[string]*http.Cookie{},
	}
}

// clone is another window with a copy of the cookies.
func (b *browser) clone() *browser {
	c := *b
	c.cookies = maps.Clone(b.cookies)
	return &c
}

// reply is an answer whose body was read.
type reply struct {
	status  int
	header  http.Header
	body    string
	address *url.URL
	set     []string // names of the cookies that it set
}

// location is where a redirect leads.
func (r *reply) location() (*url.URL, error) {
	target := r.header.Get("Location")
	if r.status != http.StatusSeeOther && r.status != http.StatusFound {
		return nil, fmt.Errorf("expected a redirect, got status %d", r.status)
	}
	u, err := r.address.Parse(target)
	if err != nil || target == "" {
		return nil, fmt.Errorf("the redirect leads to no address")
	}
	return u, nil
}

// open goes to an address as a person does.
func (b *browser) open(ctx context.Context, address string) (*reply, error) {
	return b.send(ctx, http.MethodGet, address, nil, nil)
}

// submit posts a form of the page shown.
func (b *browser) submit(ctx context.Context, address string, form url.Values) (*reply, error) {
	return b.send(ctx, http.MethodPost, address, form, nil)
}

// send makes one request. Header names are sent in the spelling given.
func (b *browser) send(ctx context.Context, method, address string, form url.Values, header http.Header) (*reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	b.dress(req, header)
	res, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 == 2 {
		b.from = origin(req.URL)
	}
	r := &reply{status: res.StatusCode, header: res.Header, body: string(body), address: req.URL}
	for _, c := range res.Cookies() {
		b.keep(c)
		r.set = append(r.set, c.Name)
	}
	return r, nil
}

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// dress adds what a browser sends with a navigation, but for Sec-Fetch-Dest: those
// that send it get a page with a script in place of some redirects.
func (b *browser) dress(req *http.Request, header http.Header) {
	site := "none"
	if b.from != "" {
		site = "same-site" // all on localhost, whatever the port
		if b.from == origin(req.URL) {
			site = "same-origin"
		}
	}
	h := req.Header
	h.Set("User-Agent", "Mozilla/5.0 (postern demo)")
	h.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	h.Set("Sec-Fetch-Mode", "navigate")
	h.Set("Sec-Fetch-Site", site)
	if req.Method == http.MethodPost {
		h.Set("Content-Type", "application/x-www-form-urlencoded")
		h.Set("Origin", b.from)
	}
	maps.Copy(h, header)
	for _, name := range slices.Sorted(maps.Keys(b.cookies)) {
		if c := b.cookies[name]; strings.HasPrefix(req.URL.Path, c.Path) {
			req.AddCookie(c)
		}
	}
}

// keep stores a cookie or, if it has expired, forgets it.
func (b *browser) keep(c *http.Cookie) {
	if c.Path == "" {
		c.Path = "/"
	}
	if c.MaxAge < 0 || (!c.Expires.IsZero() && c.Expires.Before(time.Now())) {
		delete(b.cookies, c.Name)
		return
	}
	if fault := faultOf(c); fault != "" {
		b.faults = append(b.faults, fmt.Sprintf("the cookie %s %s", c.Name, fault))
	}
	b.cookies[c.Name] = c
}

// faultOf names what is wrong with a cookie for this journey, which is on a
// laptop over plain http.
func faultOf(c *http.Cookie) string {
	prefixed := strings.HasPrefix(c.Name, "__Host-") || strings.HasPrefix(c.Name, "__Secure-")
	switch {
	case !c.HttpOnly:
		return "can be read by scripts"
	case c.SameSite != http.SameSiteLaxMode && c.SameSite != http.SameSiteStrictMode:
		return "goes along with other sites' requests"
	case c.Domain != "":
		return "is for other hosts, too"
	case c.Secure, prefixed:
		return "is not kept over http"
	case len(c.Name)+len(c.Value) > 4096:
		return "is longer than browsers keep"
	}
	return ""
}
