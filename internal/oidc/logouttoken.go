package oidc

import (
	"bytes"
	"time"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/flow"
)

// Bounds of a logout token.
const (
	// MaxLogoutToken is the longest one that is looked at, in bytes.
	MaxLogoutToken = 16 << 10
	// maxLogoutAge is how old one may be, besides the leeway. With the leeway
	// before and after, which is 5 minutes at most, that is how long the ids of
	// those that were used need to be remembered.
	maxLogoutAge = 5 * time.Minute
	maxLogoutID  = 255
)

// logoutEvent is the event that makes a token a logout token.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// Not every provider gives the type that Back-Channel Logout 1.0 section 2.4
// recommends. The event tells the token apart in any case.
var logoutTokens = kind{asker: ofStrangers, step: "logout token", limit: MaxLogoutToken, types: []string{"logout+jwt", "JWT"}}

// LogoutToken is a verified logout token: the provider's word that a session,
// or all of a person's, is over. At least one of SID and Subject is there.
type LogoutToken struct {
	Issuer  string
	SID     string
	Subject string
	ID      string // must be accepted once only
	Issued  time.Time
}

// events is the claim of that name (RFC 8417, section 2.2), whatever it holds:
// in an ID token it may be anything.
type events json.RawMessage

// UnmarshalJSON keeps the claim as it is.
func (e *events) UnmarshalJSON(b []byte) error {
	*e = append((*e)[:0], b...)
	return nil
}

// has reports whether an event is there, with an object for its value.
func (e events) has(name string) bool {
	var members map[string]json.RawMessage
	return json.Unmarshal(e, &members) == nil &&
		bytes.HasPrefix(bytes.TrimLeft(members[name], " \t\r\n"), []byte("{"))
}

type logoutClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	times
	ID     string          `json:"jti"`
	SID    string          `json:"sid"`
	Events events          `json:"events"`
	Nonce  json.RawMessage `json:"nonce"`
}

// VerifyLogoutToken verifies a logout token (Back-Channel Logout 1.0, sections
// 2.4 and 2.6). Anybody can post one, so what it says is looked at first: a
// signature, or a fetch of keys, is for those that would be accepted. It waits
// for the provider to be known.
func (p *Provider) VerifyLogoutToken(env flow.Env, raw string) (*LogoutToken, error) {
	if err := p.awaitFor(env, ofStrangers); err != nil {
		return nil, err
	}
	t, err := p.parse(&logoutTokens, raw)
	if err != nil {
		return nil, err
	}
	claims, err := p.readLogoutClaims(t.unverified(), env.Now())
	if err != nil {
		return nil, err
	}
	if _, err := p.verify(env, t); err != nil { // of the very bytes that were read
		return nil, err
	}
	return claims, nil
}

func (p *Provider) readLogoutClaims(payload []byte, now time.Time) (*LogoutToken, error) {
	step := logoutTokens.step
	var c logoutClaims
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, refuse(step, "claims_malformed")
	}
	switch {
	case !p.Speaks(c.Issuer):
		return nil, refuse(step, "iss_differs")
	case !c.Audience.has(p.settings.ClientID):
		return nil, refuse(step, "aud_differs")
	case !c.Events.has(logoutEvent):
		return nil, refuse(step, "event_missing")
	case c.Nonce != nil: // so that it passes for no ID token, nor the reverse
		return nil, refuse(step, "nonce_present")
	case c.ID == "" || len(c.ID) > maxLogoutID:
		return nil, refuse(step, "jti_malformed")
	case c.SID == "" && c.Subject == "":
		return nil, refuse(step, "sid_and_sub_missing")
	case len(c.SID) > maxLogoutID || len(c.Subject) > maxLogoutID:
		return nil, refuse(step, "sid_or_sub_malformed")
	}
	if err := p.checkTimes(step, &c.times, expAndIat, now); err != nil {
		return nil, err
	}
	if !now.Before(c.IssuedAt.time().Add(maxLogoutAge + p.settings.Leeway.Std())) {
		return nil, refuse(step, "iat_too_old")
	}
	return &LogoutToken{Issuer: c.Issuer, SID: c.SID, Subject: c.Subject, ID: c.ID, Issued: c.IssuedAt.time()}, nil
}
