package oidc

import (
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

// audience is a string or an array of strings (RFC 7519, section 4.1.3).
type audience []string

func (a audience) has(client string) bool {
	for _, s := range a {
		if s == client {
			return true
		}
	}
	return false
}

// UnmarshalJSON reads a string or an array of strings.
func (a *audience) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*a = audience{s}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// seconds is a NumericDate (RFC 7519, section 2): a JSON number, which may
// have a fraction.
type seconds float64

// maxSeconds is the year 9999; beyond it arithmetic with times overflows.
const maxSeconds = 253402300799

func (s seconds) time() time.Time {
	return time.Unix(int64(max(0, min(float64(s), maxSeconds))), 0)
}

// times are the claims that say when a token is good (RFC 7519, section 4.1).
type times struct {
	Expires   *seconds `json:"exp"`
	IssuedAt  *seconds `json:"iat"`
	NotBefore *seconds `json:"nbf"`
}

// Which of the times must be there.
const (
	asTold    = false // a token need not tell any
	expAndIat = true
)

// checkTimes wants the token to be good now, by those of its times that are
// there; and exp and iat, where they are demanded.
func (p *Provider) checkTimes(step string, c *times, demanded bool, now time.Time) error {
	leeway := p.settings.Leeway.Std()
	switch {
	case demanded && c.Expires == nil:
		return refuse(step, "exp_missing")
	case c.Expires != nil && !now.Before(c.Expires.time().Add(leeway)):
		return refuse(step, "expired")
	case demanded && c.IssuedAt == nil:
		return refuse(step, "iat_missing")
	case c.IssuedAt != nil && c.IssuedAt.time().After(now.Add(leeway)):
		return refuse(step, "iat_in_future")
	case c.NotBefore != nil && c.NotBefore.time().After(now.Add(leeway)):
		return refuse(step, "not_valid_yet")
	}
	return nil
}
