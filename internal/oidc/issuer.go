package oidc

import (
	"encoding/base64"
	"strings"

	"github.com/go-jose/go-jose/v4/json"
)

// maxHeaderNesting is how deep the header of a token may nest. Extensions may
// be objects; the library reads them by recursion.
const maxHeaderNesting = 8

// compact are the parts of a compact JWS (RFC 7515, section 7.1), decoded.
type compact struct{ header, payload []byte }

// split takes a compact JWS apart and decodes what it is made of. Each part
// has one spelling only (RFC 4648, section 3.5): a token that can be respelled
// is another token to whoever remembers it, and the same to whoever reads it.
func split(raw string) (c compact, ok bool) {
	if len(raw) > MaxIDToken || strings.IndexByte(raw, '.') > maxJOSEHeader || strings.ContainsAny(raw, "\r\n") {
		return compact{}, false
	}
	var parts [3][]byte
	rest := raw
	for i := range parts {
		part, after, more := strings.Cut(rest, ".")
		if part == "" || more != (i < len(parts)-1) {
			return compact{}, false
		}
		decoded, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil {
			return compact{}, false
		}
		parts[i], rest = decoded, after
	}
	return compact{parts[0], parts[1]}, !deeper(parts[0], maxHeaderNesting)
}

// IssuerOf returns the issuer that a token claims to be of, which is empty
// where it claims none: good for choosing whom to have it verified by, and for
// nothing else. It is not ok for what is no compact JWS.
func IssuerOf(raw string) (issuer string, ok bool) {
	if len(raw) > MaxAccessToken {
		return "", false
	}
	c, ok := split(raw)
	if !ok {
		return "", false
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	if json.Unmarshal(c.header, &header) != nil || header.Algorithm == "" {
		return "", false
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if deeper(c.payload, maxNesting) || json.Unmarshal(c.payload, &claims) != nil {
		return "", true
	}
	return claims.Issuer, true
}
