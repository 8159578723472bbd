package oidc

import (
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

// requestLifetime is how long a signed request is good. It is pushed, or the
// browser carries it to the provider at once.
const requestLifetime = time.Minute

// signedRequest makes a request object of an authorisation request (RFC 9101,
// section 4), and returns what is sent in its place.
func (p *Provider) signedRequest(request url.Values, now time.Time) (url.Values, error) {
	claims, err := p.ownClaims(now, requestLifetime)
	if err != nil {
		return nil, err
	}
	claims["nbf"] = now.Unix()
	for name, values := range request {
		if _, own := claims[name]; own {
			continue // no parameter of the settings takes the place of one of these
		}
		claims[name] = values[0]
		switch {
		case len(values) > 1: // resource (RFC 8707, section 2.1)
			claims[name] = values
		case name == "max_age": // a number, as in Core, section 6.1
			claims[name] = json.Number(values[0])
		}
	}
	signed, err := p.signWithKey("oauth-authz-req+jwt", claims)
	if err != nil {
		return nil, err
	}
	return url.Values{"client_id": request["client_id"], "request": {signed}}, nil
}
