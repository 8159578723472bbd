package tryout

import (
	"net/url"
	"strings"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// browser keeps cookies as browsers do, as far as a gate's own make it matter
// (RFC 6265bis, section 5).
type browser struct{ cookies []cookie }

type cookie struct {
	host, domain, path, name, value string
}

// take keeps what an answer of a host sets.
func (b *browser) take(host string, header httpmsg.Fields) {
	for _, f := range header {
		if f.Name != "set-cookie" {
			continue
		}
		c, keep := readCookie(host, f.Value)
		b.drop(c)
		if keep {
			b.cookies = append(b.cookies, c)
		}
	}
}

func readCookie(host, text string) (c cookie, keep bool) {
	pair, attributes, _ := strings.Cut(text, ";")
	c.host, c.path, keep = host, "/", true
	c.name, c.value, _ = strings.Cut(pair, "=")
	for attribute := range strings.SplitSeq(attributes, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(attribute), "=")
		switch strings.ToLower(name) {
		case "domain":
			c.domain = strings.TrimPrefix(value, ".")
		case "path":
			c.path = value
		case "max-age":
			keep = value != "0" && !strings.HasPrefix(value, "-")
		}
	}
	return c, keep
}

// drop forgets the cookie that another one takes the place of.
func (b *browser) drop(c cookie) {
	kept := b.cookies[:0]
	for _, have := range b.cookies {
		if have.name != c.name || have.domain != c.domain || have.path != c.path || c.domain == "" && have.host != c.host {
			kept = append(kept, have)
		}
	}
	b.cookies = kept
}

// send is the Cookie field for an address, "" for none.
func (b *browser) send(host, path string) string {
	var pairs []string
	for _, c := range b.cookies {
		near := c.host == host
		if c.domain != "" {
			near = host == c.domain || strings.HasSuffix(host, "."+c.domain)
		}
		if near && covers(c.path, path) {
			pairs = append(pairs, c.name+"="+c.value)
		}
	}
	return strings.Join(pairs, "; ")
}

// covers reports whether a cookie of a path goes to another one (section 5.1.4).
func covers(cookiePath, path string) bool {
	base := strings.TrimSuffix(cookiePath, "/")
	return strings.HasPrefix(path, base) && (len(path) == len(base) || path[len(base)] == '/')
}

// maxHops is how many redirects are followed: a login takes five at most.
const maxHops = 10

// open has the browser open a page, and follows where it is sent, up to the
// provider or past it. It returns the last answer of the gate's, and what the
// provider was asked, if it was.
func (w *world) open(b *browser, address *url.URL, signIn bool) (last gate.Verdict, asked *inquiry, err error) {
	for range maxHops {
		if p := w.providerAt(address); p != nil {
			asked = &inquiry{p.settings, address.Query()}
			if !signIn {
				return last, asked, nil
			}
			if address, err = url.Parse(p.authorize(asked.query)); err != nil {
				return last, asked, err
			}
		}
		last, err = w.handle(w.visit(b, address))
		if err != nil || last.Respond == nil {
			return last, asked, err
		}
		b.take(address.Hostname(), last.Respond.Header)
		location, _ := last.Respond.Header.Get("location")
		if location == "" || last.Respond.Reason == "signed_in" {
			return last, asked, nil
		}
		if address, err = address.Parse(location); err != nil {
			return last, asked, err
		}
	}
	return last, asked, nil
}

// visit is a browser's request for a page.
func (w *world) visit(b *browser, address *url.URL) *httpmsg.Request {
	r := &httpmsg.Request{
		Method: "GET", Scheme: address.Scheme, Authority: address.Host, Target: address.RequestURI(),
		Header: httpmsg.Fields{{Name: "accept", Value: "text/html"}},
	}
	if cookies := b.send(address.Hostname(), address.EscapedPath()); cookies != "" {
		r.Header = append(r.Header, httpmsg.Field{Name: "cookie", Value: cookies})
	}
	return r
}

// dress returns the case's request with the browser's cookies.
func (b *browser) dress(c *Case) *httpmsg.Request {
	r := c.request()
	if cookies := b.send(c.URL.Host(), c.URL.Path()); cookies != "" {
		r.Header = append(r.Header, httpmsg.Field{Name: "cookie", Value: cookies})
	}
	return r
}

// inquiry is what a provider is asked when a person is sent there.
type inquiry struct {
	provider *config.Provider
	query    url.Values
}

// providerAt is the provider whose people sign in at an address, or nil.
func (w *world) providerAt(u *url.URL) *provider {
	at := *u
	at.RawQuery = ""
	for _, p := range w.parties {
		bare, _, _ := strings.Cut(p.authorization, "?")
		if at.String() == bare && u.Query().Get("client_id") == p.settings.ClientID {
			return p
		}
	}
	return nil
}
