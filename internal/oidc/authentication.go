package oidc

import (
	"errors"
	"time"

	"github.com/tidwall/gjson"

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
	AMR      ways     `json:"amr"`
}

func (a *authentication) told() Authentication {
	t := Authentication{ACR: string(a.ACR), AMR: a.AMR}
	if a.AuthTime != nil {
		t.AuthTime = a.AuthTime.time().Unix()
	}
	return t
}

// level is an acr, which some providers write as a number. Anything else tells
// nothing: it is no reason to keep somebody out who needs no level.
type level string

// UnmarshalJSON reads a string or a number.
func (l *level) UnmarshalJSON(b []byte) error {
	*l = ""
	if found := appendScalar(nil, gjson.ParseBytes(b)); len(found) == 1 {
		*l = level(found[0])
	}
	return nil
}

// ways are an amr: a list of strings, or a single one. Anything else tells
// nothing.
type ways []string

// UnmarshalJSON reads a string or an array of strings.
func (w *ways) UnmarshalJSON(b []byte) error {
	*w = nil
	v := gjson.ParseBytes(b)
	if !v.IsArray() {
		*w = appendScalar(nil, v)
		return nil
	}
	for _, item := range v.Array() {
		*w = appendScalar(*w, item)
	}
	return nil
}

// OwnTokenClaims returns what the access token of a login says, where it is a
// signed one of this provider about the given subject, and nil where it is not:
// an access token is the provider's own affair. It waits for the provider to be
// known.
func (p *Provider) OwnTokenClaims(env flow.Env, access Access, subject string) ([]byte, error) {
	t, err := p.VerifyAccessToken(env, access.Token, &config.Bearer{
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
