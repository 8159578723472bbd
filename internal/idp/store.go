package idp

import (
	"crypto/rand"
	"slices"
	"time"
)

// grant is what one login gave one client, or what a service was given. Codes
// and tokens point to it, so that revoking it ends them all.
type grant struct {
	client  *Client
	user    *User // nil for a service's own
	scopes  []string
	nonce   string
	session *session // nil for a service's own
	revoked bool
	proof   proof

	audience string // of its access tokens

	parent  *grant    // what it was exchanged from, if it was
	service string    // the subject of what it was exchanged from
	until   time.Time // … and its end
}

// live says whether neither the grant, nor what it was exchanged from, nor the
// sign-in behind it has ended.
func (g *grant) live() bool {
	return !g.revoked && (g.session == nil || !g.session.ended) && (g.parent == nil || g.parent.live())
}

// subject is the sub claim: a service's is its own id.
func (g *grant) subject() string {
	switch {
	case g.user != nil:
		return g.user.Subject
	case g.service != "":
		return g.service
	}
	return g.client.ID
}

func (g *grant) has(scope string) bool { return slices.Contains(g.scopes, scope) }

type code struct {
	grant       *grant
	redirectURI string
	challenge   string
	thumbprint  string    // of the key that it is bound to, if it is
	valid       time.Time // until then it can be exchanged
	expires     time.Time // until then a second use is seen
	used        bool
}

// refresh is one link in a grant's chain of refresh tokens.
type refresh struct {
	grant      *grant
	expires    time.Time
	used       bool
	thumbprint string // of a public client's key (RFC 9449, section 5)
}

type access struct {
	grant    *grant
	scopes   []string
	audience string
	issued   time.Time
	expires  time.Time

	thumbprint string // of the key that it is bound to, if it is
}

// session is the provider's own sign-in, held by a cookie.
type session struct {
	id       string // the sid claim
	user     *User
	authTime time.Time
	level    int // of authentication
	expires  time.Time
	ended    bool
	clients  []*Client // that were given a code

	signedInFor, consentedFor string // by which request's challenge
}

// consent is what a person said to a client.
type consent struct {
	client *Client
	user   *User
}

func (s *session) join(c *Client) {
	if !slices.Contains(s.clients, c) {
		s.clients = append(s.clients, c)
	}
}

// store is guarded by the provider's mutex. Used codes and refresh tokens stay
// until they expire: only then can a second use be seen.
type store struct {
	codes     map[string]*code
	refreshes map[string]*refresh
	accesses  map[string]*access   // by jti, or opaqueID
	sessions  map[string]*session  // by the cookie's value, which sid must not give away
	consents  map[consent][]string // scopes
	requests  map[string]*stored   // by request_uri
	swept     time.Time

	assertions map[string]time.Time // used: client and jti, to their end
}

func newStore() store {
	return store{
		codes:     map[string]*code{},
		refreshes: map[string]*refresh{},
		accesses:  map[string]*access{},
		sessions:  map[string]*session{},
		consents:  map[consent][]string{},
		requests:  map[string]*stored{},

		assertions: map[string]time.Time{},
	}
}

// sweep drops what has expired, at most once a minute.
func (s *store) sweep(now time.Time) {
	if now.Sub(s.swept) < time.Minute {
		return
	}
	s.swept = now
	sweep(s.codes, now, func(v *code) time.Time { return v.expires })
	sweep(s.refreshes, now, func(v *refresh) time.Time { return v.expires })
	sweep(s.accesses, now, func(v *access) time.Time { return v.expires })
	sweep(s.requests, now, func(v *stored) time.Time { return v.expires })
	sweep(s.sessions, now, func(v *session) time.Time { return v.expires })
	sweep(s.assertions, now, func(v time.Time) time.Time { return v })
}

func sweep[T any](m map[string]T, now time.Time, expires func(T) time.Time) {
	for key, value := range m {
		if !expires(value).After(now) {
			delete(m, key)
		}
	}
}

// endSessions forgets the sign-ins that are chosen, and returns them; what they
// gave to clients dies with them.
func (s *store) endSessions(chosen func(secret string, s *session) bool) []*session {
	var ended []*session
	for secret, session := range s.sessions {
		if chosen(secret, session) {
			session.ended = true
			delete(s.sessions, secret)
			ended = append(ended, session)
		}
	}
	return ended
}

// opaqueID is under which a token is kept that says nothing: never a jti.
func opaqueID(token string) string { return "opaque " + token }

// newToken returns at least 128 random bits as text.
func newToken() string { return rand.Text() }
