package oidc

import (
	"errors"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
)

// maxOwnLifetime is the longest that an access token of a login is good for.
const maxOwnLifetime = config.Duration(10 * 365 * 24 * time.Hour)

// Authentication is how and when a person proved who they are (OpenID Connect
// Core, section 2; of access tokens RFC 9470, section 6).
type Authentication struct {
	AuthTime int64    // seconds since 1970; 0: not told
	ACR      string   // the level; "": not told
	AMR      []string // the ways (RFC 8176)
}

// authentication are the claims that tell it.
type authentication struct {
	AuthTime *seconds `json:"auth_time"`
	ACR      level    `json:"acr"`
	AMR      words    `json:"amr"`
}

func (a *authentication) told() Authentication {
	t := Authentication{ACR: string(a.ACR), AMR: a.AMR}
	if a.AuthTime != nil {
		t.AuthTime = a.AuthTime.time().Unix()
	}
	return t
}

// level is an acr, which some providers write as a number.
type level string

// UnmarshalJSON reads a string or a number.
func (l *level) UnmarshalJSON(b []byte) error {
	var s string
	switch {
	case len(b) == 0 || string(b) == "null":
		return nil
	case b[0] == '"':
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
	case strings.IndexByte("-0123456789", b[0]) >= 0:
		s = string(b)
	default:
		return errors.New("oidc: acr is neither a string nor a number")
	}
	*l = level(s)
	return nil
}

// OwnTokenClaims returns what the access token of a login says, where it is a
// signed one of this provider about the given subject, and nil where it is not:
// an access token is the provider's own affair. It waits for the provider to be
// known.
func (p *Provider) OwnTokenClaims(env flow.Env, raw, subject string) ([]byte, error) {
	t, err := p.VerifyAccessToken(env, raw, &config.Bearer{
		InsecureAnyAudience: true, // it was not brought by anybody: the provider gave it to us
		Types:               []string{"at+jwt", "JWT"},
		Algorithms:          p.settings.Algorithms,
		MaxLifetime:         maxOwnLifetime,
	})
	switch {
	case err == nil && t.Subject == subject:
		return t.Claims, nil
	case Temporary(err), errors.Is(err, flow.ErrCanceled):
		return nil, err
	}
	return nil, nil
}
