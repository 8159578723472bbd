// Package session keeps what a gate knows of a person in the person's own
// browser: the session after login, and what ties a login under way to the
// browser that began it.
//
// Every value is sealed (authenticated encryption) under a key derived for its
// one purpose, names the key, and is refused where it does not open. Nothing
// is stored on the gate; the cache only remembers what was opened before. The
// package reads no clock but what it is handed.
//
// It follows RFC 7516 (JWE), RFC 5869 (HKDF), RFC 7636 (PKCE) and RFC 6265bis
// (cookies); see docs/security.md for what it promises and what it cannot.
package session

import (
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

// Session is a signed-in person.
type Session struct {
	ID       string `json:"id"`  // random, the same over all renewals
	Provider string `json:"p"`   // the provider's name in the settings
	Issuer   string `json:"iss"` // OpenID Connect Core, section 2
	ClientID string `json:"cid"`
	Subject  string `json:"sub"`
	SID      string `json:"sid,omitempty"` // the provider's session, for logout
	Realm    string `json:"rm,omitempty"`  // whose people it is of, where the settings may let in some of the provider's alone

	Generation int    `json:"g,omitempty"` // how often it was renewed
	Begun      Moment `json:"t"`           // when the person signed in
	Confirmed  Moment `json:"cf"`          // when the provider last stood by it
	Seen       Moment `json:"sn"`          // when the browser was last given it
	Until      Moment `json:"u,omitempty"` // its end, where that is before its lifetime's; 0 for none

	NonceHash string `json:"nh,omitempty"` // of the login, see OpenID Connect Core, section 12.2
	AuthTime  int64  `json:"au,omitempty"` // seconds since 1970; 0: not told

	Claims map[string]Claim `json:"c,omitempty"`
	Scopes []string         `json:"sc,omitempty"` // that were granted, where they are others than the settings ask for
	Asked  Step             `json:"sa"`           // what the login asked for beside those
	ACR    string           `json:"ac,omitempty"` // OpenID Connect Core, section 2
	AMR    []string         `json:"am,omitempty"` // likewise

	// Unverified says that the provider says that the e-mail address was not
	// verified, and Gathered under which settings the claims were picked: those
	// that were picked under others do not say what these want to know.
	Unverified bool   `json:"ev,omitempty"`
	Gathered   string `json:"ga,omitempty"`

	// Enriched are the names of the questions that were asked after the login, and
	// Proof the id of the key that the access token is bound to (RFC 9449).
	Enriched []string `json:"en,omitempty"`
	Proof    string   `json:"pk,omitempty"`

	// Userinfo are the names of the claims that the provider's userinfo endpoint
	// said: what it says no more is gone, and what an ID token said is not.
	Userinfo []string `json:"ui,omitempty"`

	AccessToken   string `json:"at,omitempty"`
	AccessExpires int64  `json:"ax,omitempty"` // seconds since 1970; 0: not told
	IDToken       string `json:"it,omitempty"`
	RefreshToken  string `json:"rt,omitempty"`

	keyID  string  // of the key that it was sealed with
	ticket *Stored // where it is kept in a store
}

// Ticket returns the ticket of a session that is kept in a store, or nil.
func (s *Session) Ticket() *Stored { return s.ticket }

// KeyID returns the id of the key that an opened session was sealed with.
func (s *Session) KeyID() string { return s.keyID }

// Moment is a time in milliseconds since 1970.
type Moment int64

// MomentOf returns t to the millisecond.
func MomentOf(t time.Time) Moment { return Moment(t.UnixMilli()) }

// Time returns the moment as a time.
func (m Moment) Time() time.Time { return time.UnixMilli(int64(m)) }

// String never shows what a session holds.
func (s *Session) String() string { return "session(redacted)" }

// GoString never shows what a session holds.
func (s *Session) GoString() string { return s.String() }

// Claim is what a provider said of a person under one name: a single value,
// or a list.
type Claim struct {
	List   bool
	Values []string
}

// MarshalJSON writes a string or an array of strings.
func (c Claim) MarshalJSON() ([]byte, error) {
	if c.List {
		if c.Values == nil {
			return []byte("[]"), nil
		}
		return json.Marshal(c.Values)
	}
	return json.Marshal(c.First())
}

// UnmarshalJSON reads a string or an array of strings.
func (c *Claim) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		c.List = true
		return json.Unmarshal(b, &c.Values)
	}
	var v string
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	c.List, c.Values = false, []string{v}
	return nil
}

// First returns the first value, or "".
func (c Claim) First() string {
	if len(c.Values) == 0 {
		return ""
	}
	return c.Values[0]
}

// ErrExpired says that a session is past its lifetime.
var ErrExpired = errors.New("session: past its lifetime")

// ErrTooLarge says that a session does not fit into its cookies even without
// its tokens.
var ErrTooLarge = errors.New("session: larger than session.max_bytes")

// TooLargeError is an ErrTooLarge with its figures.
type TooLargeError struct {
	Bytes   int      // what the session would take
	Dropped []string // the tokens that were left out already
}

func (e *TooLargeError) Error() string { return ErrTooLarge.Error() }

// Unwrap makes it an ErrTooLarge.
func (e *TooLargeError) Unwrap() error { return ErrTooLarge }

// maxSealed bounds what is opened at all, in bytes.
const maxSealed = 64 << 10

// SealSession seals a session into at most limit bytes. Where it does not fit,
// tokens are left out of s in this order: the ID token, the refresh token, the
// access token; dropped names those that were. If even that is too much, the
// error is a *TooLargeError.
func (r *Keyring) SealSession(s *Session, limit int) (sealed string, dropped []string, err error) {
	for _, token := range []struct {
		name  string
		value *string
	}{{"", nil}, {"id_token", &s.IDToken}, {"refresh_token", &s.RefreshToken}, {"access_token", &s.AccessToken}} {
		if token.value != nil {
			if *token.value == "" {
				continue
			}
			*token.value = ""
			dropped = append(dropped, token.name)
		}
		if sealed, err = r.sealJSON(PurposeSession, s, true); err != nil {
			return "", dropped, err
		}
		if len(sealed) <= limit {
			return sealed, dropped, nil
		}
	}
	return "", dropped, &TooLargeError{Bytes: len(sealed), Dropped: dropped}
}

// OpenSession opens a sealed session that began within lifetime; an older one
// is ErrExpired.
func (r *Keyring) OpenSession(sealed string, now time.Time, lifetime time.Duration) (*Session, error) {
	var s Session
	keyID, err := r.openJSON(PurposeSession, sealed, maxSealed, &s)
	if err != nil {
		return nil, err
	}
	if age := now.Sub(s.Begun.Time()); age < -clockStep || age >= lifetime {
		return nil, ErrExpired
	}
	s.keyID = keyID
	return &s, nil
}
