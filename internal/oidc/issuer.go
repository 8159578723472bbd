package oidc

import (
	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/jws"
)

// IssuerOf returns the issuer that a token claims to be of, which is empty
// where it claims none: good for choosing whom to have it verified by, and for
// nothing else. It is not ok for what is no compact JWS.
func IssuerOf(raw string) (issuer string, ok bool) {
	c, err := jws.Split(raw, MaxAccessToken)
	if err != nil {
		return "", false
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	if json.Unmarshal(c.Header, &header) != nil || header.Algorithm == "" {
		return "", false
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if jws.Deeper(c.Payload, jws.MaxNesting) || json.Unmarshal(c.Payload, &claims) != nil {
		return "", true
	}
	return claims.Issuer, true
}
