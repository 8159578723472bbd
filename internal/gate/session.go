package gate

import (
	"errors"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/page"
	"github.com/postern-auth/postern/internal/session"
)

// opened is a session as the cache keeps it.
type opened struct {
	session  *session.Session
	identity httpmsg.Fields // what the application is told
	ends     time.Time
}

// open returns the session that a request brings, or nil. The error says why
// cookies that were there did not do.
func (g *Gate) open(q *request) (*opened, error) {
	chunks, err := q.cookies.session.Chunks()
	if err != nil {
		g.tell(q.Request, EventSessionRefused, sessionReason(err))
		return nil, err
	}
	if chunks.Empty() {
		return nil, nil
	}
	now := g.now()
	if o, ok := g.cache.Get(&chunks); ok {
		if now.Before(o.ends) {
			return o, nil
		}
		g.cache.Forget(&chunks)
	}
	o, err := g.unseal(&chunks, now)
	if err != nil {
		g.tell(q.Request, EventSessionRefused, sessionReason(err))
		return nil, err
	}
	g.cache.Put(&chunks, o, o.size())
	return o, nil
}

// errForeign says that a session was made by another provider or client than
// the one in the settings.
var errForeign = errors.New("gate: session of another provider or client")

func (g *Gate) unseal(c *session.Chunks, now time.Time) (*opened, error) {
	lifetime := g.settings.Session.Lifetime.Std()
	s, err := g.keys.OpenSession(c.Join(), now, lifetime)
	if err != nil {
		return nil, err
	}
	p := &g.settings.Providers[0]
	if s.Provider != p.Name || s.Issuer != p.Issuer || s.ClientID != p.ClientID {
		return nil, errForeign
	}
	return &opened{session: s, identity: g.identity(s), ends: s.Begun.Time().Add(lifetime)}, nil
}

// size is about what an opened session takes beside its cookie.
func (o *opened) size() int {
	n := len(o.session.AccessToken) + len(o.session.IDToken) + len(o.session.RefreshToken)
	for _, f := range o.identity {
		n += len(f.Name) + len(f.Value)
	}
	for name, claim := range o.session.Claims {
		n += len(name) + 64
		for _, v := range claim.Values {
			n += len(v) + 16
		}
	}
	return n
}

func sessionReason(err error) string {
	switch {
	case errors.Is(err, session.ErrTossed):
		return "cookie_sent_twice"
	case errors.Is(err, session.ErrChunks):
		return "cookie_parts_missing"
	case errors.Is(err, session.ErrExpired):
		return "past_lifetime"
	case errors.Is(err, errForeign):
		return "other_provider_or_client"
	}
	return "does_not_open"
}

// settle puts a session into the browser's cookies and sends it to where it
// wanted to go.
func (g *Gate) settle(q *request, s *session.Session, to string) Verdict {
	sealed, dropped, err := g.keys.SealSession(s, g.settings.Session.MaxBytes)
	if err == nil && len(dropped) > 0 {
		g.log(Event{Event: EventSessionTrimmed, Dropped: dropped, Provider: s.Provider, RequestID: q.ID()})
	}
	var parts []string
	if err == nil {
		parts, err = g.jar.Split(sealed)
	}
	if err != nil {
		return g.tooLarge(q, err)
	}
	header := httpmsg.Fields{}
	for i, part := range parts {
		header = append(header, g.setCookie(g.jar.Name(i), part, g.settings.Session.Lifetime.Std()))
	}
	header = append(header, g.clearParts(q, len(parts))...)
	header = append(header, g.clearPlanted(q)...)
	if g.settings.Session.Cookie.SameSite != "strict" {
		return redirect(to, "signed_in", header)
	}
	// A redirect would go on with the navigation that the provider's site began,
	// and a strict cookie would stay behind; one that this page begins carries it.
	body, fields := page.Onward(page.OnwardPage{Title: g.settings.SignIn.Title, URL: to})
	return Verdict{Respond: &Respond{Status: 200, Header: append(fields, header...), Body: body, Reason: "signed_in"}}
}

// clearParts clears the parts, from the given one on, that the browser still
// has of another session.
func (g *Gate) clearParts(q *request, from int) (header httpmsg.Fields) {
	for i := from; i < session.MaxChunks; i++ {
		if q.cookies.session.Sent(i) {
			header = append(header, g.setCookie(g.jar.Name(i), "", -1))
		}
	}
	return header
}

// setCookie is a Set-Cookie field for one of the session's cookies. A lifetime
// below zero clears it: with the same attributes, or browsers would not.
func (g *Gate) setCookie(name, value string, lifetime time.Duration) httpmsg.Field {
	c := &g.settings.Session.Cookie
	return httpmsg.Field{Name: "set-cookie", Value: httpmsg.SetCookie{
		Name: name, Value: value,
		Path: c.Path, Domain: c.Domain,
		MaxAge: lifetime, SameSite: sameSite(c.SameSite),
		Secure: !g.settings.InsecureHTTPCookies, HTTPOnly: true,
	}.String()}
}

func sameSite(setting string) httpmsg.SameSite {
	switch setting {
	case "strict":
		return httpmsg.SameSiteStrict
	case "none":
		return httpmsg.SameSiteNone
	}
	return httpmsg.SameSiteLax
}

// withClearedCookies has an answer clear session cookies that did not do. Where
// a name came twice, somebody may have planted one for the whole domain: every
// form that could have been planted is cleared.
func (g *Gate) withClearedCookies(q *request, v Verdict, why error) Verdict {
	if why == nil || v.Respond == nil {
		return v
	}
	v.Respond.Header = append(v.Respond.Header, g.clearParts(q, 0)...)
	v.Respond.Header = append(v.Respond.Header, g.clearPlanted(q)...)
	return v
}

// clearPlanted clears session cookies that came twice in the forms that are not
// ours: of this host alone, and of every domain above it. The name __Host-
// leaves no other form than ours.
func (g *Gate) clearPlanted(q *request) (header httpmsg.Fields) {
	c := g.settings.Session.Cookie
	if !q.cookies.session.Tossed() || strings.HasPrefix(c.Name, "__Host-") {
		return nil
	}
	domains := []string{""}
	for domain := q.host; strings.Contains(domain, "."); _, domain, _ = strings.Cut(domain, ".") {
		domains = append(domains, domain)
	}
	for _, domain := range domains {
		if domain == c.Domain {
			continue // our own form, which is set or cleared beside these
		}
		for i := range session.MaxChunks {
			if q.cookies.session.Sent(i) {
				header = append(header, httpmsg.Field{Name: "set-cookie", Value: httpmsg.SetCookie{
					Name: g.jar.Name(i), Path: c.Path, Domain: domain, MaxAge: -1,
					Secure: !g.settings.InsecureHTTPCookies, HTTPOnly: true,
				}.String()})
			}
		}
	}
	return header
}
