package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// Browser visits pages as a person's browser does: strict about cookies, never
// going on by itself, so that a test sees each step. Several goroutines may use
// one: they are its tabs.
type Browser struct {
	Jar    *Jar
	client *http.Client
}

// NewBrowser has an empty jar.
func NewBrowser() *Browser {
	return newBrowser(browserTransport)
}

// browserTransport is what browsers share: each request finds its way to
// loopback, whatever name below localhost it is for (RFC 6761, section 6.3).
var browserTransport = &http.Transport{DialContext: dialLoopback, MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second}

func newBrowser(transport http.RoundTripper) *Browser {
	return &Browser{Jar: &Jar{}, client: &http.Client{
		Transport:     transport,
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func dialLoopback(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if loopbackHost(host) {
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

// Page is one answer.
type Page struct {
	Method  string
	URL     *url.URL
	Status  int
	Header  http.Header
	Cookies []*http.Cookie // set by this answer
	Body    string
}

// maxHops is where browsers give up on a chain of redirects.
const maxHops = 20

// Get visits an address as typed by hand. Further headers replace those that
// the browser would send; their spelling goes onto the wire as it is given.
func (b *Browser) Get(address string, headers ...http.Header) (*Page, error) {
	return b.Do(http.MethodGet, address, "", headers...)
}

// Do sends one request, with the jar's cookies, and keeps the cookies of the answer.
func (b *Browser) Do(method, address, form string, headers ...http.Header) (*Page, error) {
	return b.do(context.Background(), method, address, form, headers...)
}

func (b *Browser) do(ctx context.Context, method, address, form string, headers ...http.Header) (*Page, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form))
	if err != nil {
		return nil, fmt.Errorf("e2e: browser: %w", err)
	}
	navigationHeaders(req)
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range b.Jar.For(req.URL) {
		req.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value, Quoted: c.Quoted})
	}
	for _, h := range headers {
		for k, v := range h {
			req.Header[k] = v
		}
	}
	return b.send(req)
}

func (b *Browser) send(req *http.Request) (*Page, error) {
	res, err := b.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("e2e: browser: %w", err)
	}
	body, err := drain(res.Body)
	if err != nil {
		return nil, fmt.Errorf("e2e: browser: %w", err)
	}
	b.Jar.Set(req.URL, res.Cookies())
	return &Page{
		Method: req.Method, URL: req.URL, Status: res.StatusCode,
		Header: res.Header, Cookies: res.Cookies(), Body: string(body),
	}, nil
}

// navigationHeaders are those of a navigation, but for Sec-Fetch-Dest: browsers
// that send it get a page with a script in place of some redirects, and this one
// runs none. Chromium is shown that page.
func navigationHeaders(req *http.Request) {
	for k, v := range map[string]string{
		"User-Agent":                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
		"Accept":                    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		"Accept-Language":           "en-US,en;q=0.9",
		"Upgrade-Insecure-Requests": "1",
		"Sec-Fetch-Mode":            "navigate",
		"Sec-Fetch-Site":            "none",
		"Sec-Fetch-User":            "?1",
	} {
		req.Header.Set(k, v)
	}
}

// Location is where a redirect leads, or nil.
func (p *Page) Location() *url.URL {
	to := p.Header.Get("Location")
	if p.Status < 300 || p.Status > 399 || to == "" {
		return nil
	}
	u, err := p.URL.Parse(to)
	if err != nil {
		return nil
	}
	return u
}

// Follow goes where redirects lead, until a page that is none, or until stop
// says so of an address that would be visited next. It returns every page on
// the way; the last is the one that was reached.
func (b *Browser) Follow(p *Page, stop func(*url.URL) bool) ([]*Page, error) {
	way := []*Page{p}
	for range maxHops {
		to := p.Location()
		if to == nil || stop != nil && stop(to) {
			return way, nil
		}
		next, err := b.Get(to.String())
		if err != nil {
			return way, err
		}
		p, way = next, append(way, next)
	}
	return way, fmt.Errorf("e2e: browser: more than %d redirects: %s", maxHops, trail(way))
}

func trail(way []*Page) string {
	var s strings.Builder
	for _, p := range way {
		fmt.Fprintf(&s, "\n  %d %s %s%s", p.Status, p.Method, p.URL.Host, p.URL.Path)
	}
	return s.String()
}

// Submit fills the page's first form that has all the named fields, and sends it.
func (b *Browser) Submit(p *Page, fields map[string]string) (*Page, error) {
	f, err := p.form(fields)
	if err != nil {
		return nil, err
	}
	to, err := p.URL.Parse(f.action)
	if err != nil {
		return nil, fmt.Errorf("e2e: browser: form's address: %w", err)
	}
	if f.method == http.MethodGet {
		to.RawQuery = f.values.Encode()
		return b.Get(to.String())
	}
	return b.Do(f.method, to.String(), f.values.Encode(), http.Header{
		"Origin":         {p.URL.Scheme + "://" + p.URL.Host},
		"Sec-Fetch-Site": {"same-origin"},
	})
}

type form struct {
	method, action string
	values         url.Values
}

func (p *Page) form(fields map[string]string) (*form, error) {
	root, err := html.Parse(bytes.NewReader([]byte(p.Body)))
	if err != nil {
		return nil, fmt.Errorf("e2e: browser: page: %w", err)
	}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == "form" {
			if f := readForm(n); f.fill(fields) {
				return f, nil
			}
		}
	}
	return nil, fmt.Errorf("e2e: browser: %d %s has no such form: %.1500s", p.Status, p.URL, p.Body)
}

func readForm(n *html.Node) *form {
	f := &form{method: strings.ToUpper(attribute(n, "method")), action: attribute(n, "action"), values: url.Values{}}
	if f.method == "" {
		f.method = http.MethodGet
	}
	for c := range n.Descendants() {
		if c.Type != html.ElementNode || c.Data != "input" {
			continue
		}
		switch attribute(c, "type") {
		case "submit", "button", "checkbox", "radio", "image", "reset":
		default:
			if name := attribute(c, "name"); name != "" {
				f.values.Set(name, attribute(c, "value"))
			}
		}
	}
	return f
}

func (f *form) fill(fields map[string]string) bool {
	for name, value := range fields {
		if !f.values.Has(name) {
			return false
		}
		f.values.Set(name, value)
	}
	return true
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
