package gate

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/postern-auth/postern/internal/bearer"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/session"
)

// pick takes the named claims out of what a provider said: each from the first
// document that has something at its path. It also reports whether the
// documents have something for every name.
func pick(paths map[string]string, documents ...[]byte) (claims map[string]session.Claim, complete bool) {
	claims, complete = map[string]session.Claim{}, true
	for name, path := range paths {
		found := false
		for _, doc := range documents {
			if claim, ok := claimAt(doc, path); ok {
				claims[name], found = claim, true
				break
			}
		}
		complete = complete && found
	}
	return claims, complete
}

// claimAt reads a claim: a string, a number, a truth value, or a list of
// these, which may be empty. Anything else, and an empty string, counts as absent.
func claimAt(doc []byte, path string) (session.Claim, bool) {
	v := gjson.GetBytes(doc, path)
	if v.IsArray() {
		claim := session.Claim{List: true}
		for _, item := range v.Array() {
			if s, ok := scalar(item); ok {
				claim.Values = append(claim.Values, s)
			}
		}
		return claim, true
	}
	s, ok := scalar(v)
	return session.Claim{Values: []string{s}}, ok
}

func scalar(v gjson.Result) (string, bool) {
	switch v.Type {
	case gjson.String:
		return strings.Clone(v.Str), v.Str != ""
	case gjson.Number, gjson.True, gjson.False:
		return strings.Clone(v.Raw), true
	}
	return "", false
}

// identity is what the application is usually told of whom a session or a token
// is of: what is known of them, and the access token with its scheme, "" where
// there is none. No value holds a control character: they are handed to the
// host without another look.
func (g *Gate) identity(claims map[string]session.Claim, scheme, accessToken string) httpmsg.Fields {
	t := g.tellings.usual()
	fields, _ := t.fields(claims)
	return append(fields, t.tokenFields(scheme, accessToken)...)
}

// told is what was made for the application of one session or one token, beside
// what it is usually told. It belongs to that session or token, and ends with
// it: a renewed session is told anew.
type told struct {
	looked bool       // the log has what the usual way leaves out
	long   []*telling // ways that left something out, as the log has
	made   []made
	next   int // which of them gives way to another
	room   int // bytes that they may come to take
}

// made is what one telling made, for one host where that matters.
type made struct {
	by         *telling
	host, port string
	fields     httpmsg.Fields
	expires    time.Time // the assertion's end; zero where there is none
	half       time.Time // when half of its lifetime is over
}

// maxMade is how many are remembered of one session or token. Whoever has
// assertions for more hosts than that at once has some of them signed again.
const maxMade = 8

// room is about how many bytes the ways to tell an identity may take beside the
// usual one.
func (g *Gate) room(usual httpmsg.Fields) int {
	n := min(g.tellings.more, maxMade)
	if n == 0 {
		return 0
	}
	one := 1024 // an assertion
	for _, f := range usual {
		one += len(f.Name) + len(f.Value)
	}
	return n * one
}

// facts are what can be told of a session or a token.
type facts struct {
	subject       *policy.Subject
	session       bool           // it is a session
	id            string         // the subject's name at the provider
	usual         httpmsg.Fields // what the application is usually told
	scheme, token string         // the access token
	client        string         // the field that names a token's client, in every way of telling; "" for none
	ends          time.Time      // zero where that is not known
}

// identityFor is what the application is told of a session, in the way that a
// rule wants (policy.Need.Forward). Nobody changes what it returns.
func (g *Gate) identityFor(o *opened, forward int, q *request) httpmsg.Fields {
	t := g.tellings.of(forward)
	if t == g.tellings.usual() && t.assertion == nil && o.told.looked {
		return o.identity
	}
	return g.tellBy(t, q, &o.told, &facts{
		subject: &o.subject, session: true, id: o.session.Subject, usual: o.identity,
		scheme: "Bearer ", token: o.session.AccessToken, ends: o.ends,
	})
}

// callerIdentity is identityFor of a token.
func (g *Gate) callerIdentity(c *bearer.Caller, forward int, q *request) httpmsg.Fields {
	t, usual := g.tellings.of(forward), g.tellings.usual()
	notes, ok := c.Notes.(*told)
	if !ok {
		return nil // it was not identified
	}
	if t == usual && t.assertion == nil && notes.looked {
		return c.Identity
	}
	f := facts{subject: &c.Subject, id: cmp.Or(c.Token.Subject, c.Token.ClientID), usual: c.Identity, scheme: schemeOf(c), client: c.ClientIDHeader()}
	if t != usual && len(t.accessToken) > 0 {
		if cred, err := bearer.Read(q.Header, ""); err == nil {
			f.token = cred.Token
		}
	}
	if !c.Token.Expires.IsZero() {
		f.ends = c.Token.Expires.Add(g.providers[c.Provider].Leeway())
	}
	return g.tellBy(t, q, notes, &f)
}

// schemeOf is the scheme under which a caller's token goes on.
func schemeOf(c *bearer.Caller) string {
	if c.Token.JKT != "" {
		return "DPoP "
	}
	return "Bearer "
}

// tellBy returns what was told before, or makes it.
func (g *Gate) tellBy(t *telling, q *request, m *told, f *facts) httpmsg.Fields {
	now := g.now()
	host, port := g.addressee(t, q)
	i := slices.IndexFunc(m.made, func(e made) bool { return e.by == t && e.host == host && e.port == port })
	if i >= 0 && m.made[i].good(now, f.ends) {
		return m.made[i].fields
	}
	fields, long := g.claimFields(t, f)
	if len(long) > 0 && !slices.Contains(m.long, t) {
		m.long = append(m.long, t)
		g.happened(Event{Event: EventIdentityTrimmed, Reason: "too_long", Dropped: long, Provider: f.subject.Provider, RequestID: q.ID()})
	}
	if t == g.tellings.usual() {
		m.looked = true
		if t.assertion == nil {
			return f.usual
		}
	}
	e := made{by: t, host: host, port: port, fields: fields}
	if t.assertion != nil {
		g.assert(&e, q, f, now)
	}
	e.fields = slices.Clip(e.fields)
	m.keep(i, e)
	return e.fields
}

// claimFields are the fields of a telling but for its assertion, and the names
// of those that are too long to be told.
func (g *Gate) claimFields(t *telling, f *facts) (fields httpmsg.Fields, long []string) {
	fields, long = t.fields(f.subject.Claims)
	if t == g.tellings.usual() {
		return slices.Clip(f.usual), long
	}
	fields = append(fields, t.tokenFields(f.scheme, strings.Clone(f.token))...)
	if f.client != "" {
		fields = append(fields, httpmsg.Field{Name: f.client, Value: f.subject.ClientID})
	}
	return fields, long
}

// good reports whether what was made can be sent again: for half of the
// assertion's lifetime, or, where the session or the token ends with it, to that
// end.
func (e *made) good(now, ends time.Time) bool {
	return e.expires.IsZero() || now.Before(e.half) || now.Before(e.expires) && !ends.IsZero() && !e.expires.Before(ends)
}

// keep remembers what was made, in the place of what it replaces: of the one at
// i, or, where there is no room any more, of any.
func (m *told) keep(i int, e made) {
	switch {
	case i >= 0:
		m.made[i] = e
	case len(m.made) < maxMade:
		m.made = append(m.made, e)
	default:
		m.made[m.next%maxMade] = e
		m.next++
	}
}

// addressee is the host that an assertion is for, where the settings leave that
// to the request.
func (g *Gate) addressee(t *telling, q *request) (host, port string) {
	if t.assertion == nil || t.assertion.Audience != "" && g.settings.PublicURL != "" {
		return "", ""
	}
	return q.host, q.port
}
