package gate

import (
	"errors"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/metric"
	"github.com/postern-auth/postern/internal/page"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/session"
	"github.com/postern-auth/postern/internal/shared"
)

// opened is a session as the cache keeps it.
type opened struct {
	session  *session.Session
	party    *party         // whose session it is
	subject  policy.Subject // whom rules see
	identity httpmsg.Fields // what the application is told, usually
	told     told           // what it was told in other ways
	ends     time.Time
	renew    time.Time // when it is due for renewal; zero for never
	reissue  time.Time // when the browser is to be given it again; zero for never
	names    []shared.Key
	version  uint64 // of the endings among which it was not
	anew     bool   // it must be confirmed before it is good for anything
	watch    Watch
	brought  bool // by a browser, and not only made here
}

// Reasons for which a session that opens is not accepted.
var (
	// errForeign says that a session was made by another provider or client
	// than the one in the settings.
	errForeign = errors.New("gate: session of another provider or client")
	// errNotBefore says that a session began before the settings allow.
	errNotBefore = errors.New("gate: session began before session.not_before")
	// errEnded says that a session was ended.
	errEnded = errors.New("gate: session was ended")
)

// open returns the session that a request brings, or nil. The error says why
// cookies that were there did not do.
func (g *Gate) open(q *request) (*opened, error) {
	chunks, err := q.cookies.session.Chunks()
	if err == nil && chunks.Empty() {
		return nil, nil
	}
	var o *opened
	if err == nil {
		o, err = g.lookUp(&chunks)
	}
	if err != nil && !errors.Is(err, errTicket) {
		g.tell(q.Request, EventSessionRefused, sessionReason(err))
	}
	switch {
	case o == nil:
	case o.brought:
		g.tallies.cached++
	default:
		g.tallies.opened++
	}
	return g.brought(o), err
}

// brought notes that a browser has a session, which may be a renewed one that
// was only made here so far.
func (g *Gate) brought(o *opened) *opened {
	if o != nil && !o.brought {
		o.brought = true
		g.arrived(o.session)
	}
	return o
}

// lookUp returns the session that a cookie stands for. It fails with errTicket
// where the session has yet to be fetched.
func (g *Gate) lookUp(c *session.Chunks) (*opened, error) {
	now := g.now()
	g.endings.Fresh(now)
	if o, hit := g.cache.Get(c); hit {
		if err := g.check(o, now); err != nil {
			g.cache.Forget(c)
			return nil, err
		}
		return o, nil
	}
	if c.IsTicket() && g.store != nil {
		// The store is asked for tickets that we made, not for what anybody can
		// make up.
		if _, err := g.keys.ParseStored(c.Join()); err != nil {
			return nil, err
		}
		return nil, errTicket
	}
	s, err := g.keys.OpenSession(c.Join(), now, g.settings.Session.Lifetime.Std())
	if err != nil {
		return nil, err
	}
	return g.admit(c, s)
}

// admit looks at a session that opened and was not seen before, and remembers
// it if it is good.
func (g *Gate) admit(c *session.Chunks, s *session.Session) (*opened, error) {
	if g.partyOf(s) == nil {
		return nil, errForeign
	}
	if s.Begun.Time().Before(g.settings.Session.NotBefore.Time) {
		return nil, errNotBefore
	}
	o := g.newOpened(s)
	if err := g.check(o, g.now()); err != nil {
		return nil, err
	}
	g.cache.Put(c, o, o.size())
	return o, nil
}

// newOpened reckons what follows from a session.
func (g *Gate) newOpened(s *session.Session) *opened {
	set := &g.settings.Session
	o := &opened{session: s, party: g.partyOf(s), subject: g.subjectOf(s), identity: g.identity(s.Claims, "Bearer ", s.AccessToken), renew: g.renewalOf(s), names: endingsOf(s)}
	o.told.room = g.room(o.identity)
	o.watch.opened = o
	o.ends = s.Begun.Time().Add(set.Lifetime.Std())
	if s.Until != 0 && s.Until.Time().Before(o.ends) {
		o.ends = s.Until.Time()
	}
	if idle := set.Idle.Std(); idle > 0 {
		if end := s.Seen.Time().Add(idle); end.Before(o.ends) {
			o.ends = end
		}
		o.reissue = s.Seen.Time().Add(idle / 10)
	}
	if !g.keys.Current(s.KeyID()) {
		o.reissue = s.Seen.Time()
	}
	return o
}

// check reports why an opened session is not good, or no longer.
func (g *Gate) check(o *opened, now time.Time) error {
	if !now.Before(o.ends) {
		return session.ErrExpired
	}
	if version := g.endings.Version(); o.version != version {
		if g.ended(o.session, o.names) {
			return errEnded
		}
		o.version = version
		o.anew = o.session.Confirmed.Time().Before(g.floor())
	}
	return nil
}

// checkAgain is check for a session that had to wait: what was ended meanwhile
// counts.
func (g *Gate) checkAgain(o *opened) error {
	now := g.now()
	g.endings.Fresh(now)
	return g.check(o, now)
}

// size is about what an opened session takes beside its cookie.
func (o *opened) size() int {
	n := len(o.session.AccessToken) + len(o.session.IDToken) + len(o.session.RefreshToken)
	for _, f := range o.identity {
		n += len(f.Name) + len(f.Value)
	}
	n += o.told.room
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
	case errors.Is(err, errNotBefore):
		return "before_not_before"
	case errors.Is(err, errEnded):
		return "ended"
	case errors.Is(err, errReplaced):
		return "replaced"
	case errors.Is(err, errUnrenewable):
		return "not_renewable"
	}
	return "does_not_open"
}

// settle puts a new session into the browser's cookies and sends it to where
// it wanted to go.
func (g *Gate) settle(env flow.Env, q *request, s *session.Session, to string) Verdict {
	parts, err := g.keepSession(env, s, q.ID())
	if out := outageOf(err); out != nil {
		return g.unavailable(q, out)
	}
	if err != nil {
		return g.tooLarge(q, err)
	}
	g.happened(Event{Event: EventSignedIn, Provider: s.Provider, RequestID: q.ID()})
	header := append(g.giveParts(q, parts), g.clearPlanted(q)...)
	if g.settings.Session.Cookie.SameSite != "strict" {
		return redirect(to, "signed_in", header)
	}
	// A redirect would go on with the navigation that the provider's site began,
	// and a strict cookie would stay behind; one that this page begins carries it.
	body, fields := g.pages.Onward(q.language(), page.OnwardPage{URL: to})
	return Verdict{Respond: &Respond{Status: 200, Header: append(fields, header...), Body: body, Reason: "signed_in"}}
}

// pack seals a session into the values of its cookies.
func (g *Gate) pack(s *session.Session, requestID string) ([]string, error) {
	g.dropUnneeded(s)
	sealed, dropped, err := g.keys.SealSession(s, g.settings.Session.MaxBytes)
	if err != nil {
		return nil, err
	}
	g.meter.Record(metric.SessionCookieBytes, uint64(len(sealed)))
	if len(dropped) > 0 {
		g.happened(Event{Event: EventSessionTrimmed, Dropped: dropped, Provider: s.Provider, RequestID: requestID})
	}
	return g.jar.Split(sealed)
}

// dropUnneeded takes the tokens out of a session that nothing in the settings
// needs.
func (g *Gate) dropUnneeded(s *session.Session) {
	if !g.settings.SignOut.AtProvider {
		s.IDToken = ""
	}
	if s.RefreshToken != "" && !g.tellings.spends {
		s.AccessToken = "" // without a refresh token it is what confirms the session
	}
}

// giveParts gives the browser a session's cookies, and clears what it has of a
// longer one.
func (g *Gate) giveParts(q *request, parts []string) (header httpmsg.Fields) {
	for i, part := range parts {
		header = append(header, g.setCookie(g.jar.Name(i), part, g.settings.Session.Lifetime.Std()))
	}
	return append(header, g.clearParts(q, len(parts))...)
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
		Secure: g.secure(sameSite(c.SameSite)), HTTPOnly: true,
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
	if why == nil || v.Respond == nil || errors.Is(why, errReplaced) {
		return v // one that was replaced has a successor, which is to stay
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
					Secure: g.secure(sameSite(c.SameSite)), HTTPOnly: true,
				}.String()})
			}
		}
	}
	return header
}
