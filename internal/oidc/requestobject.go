package oidc

import (
	"net/url"
	"strconv"
	"time"
)

// requestLifetime is how long a signed request is good. It is pushed, or the
// browser carries it to the provider at once.
const requestLifetime = time.Minute

// signedRequest makes a request object of an authorisation request (RFC 9101,
// section 4), and returns what is sent in its place.
func (p *Provider) signedRequest(request url.Values, now time.Time) (url.Values, error) {
	id, err := p.unique()
	if err != nil {
		return nil, err
	}
	claims := map[string]any{}
	for name, values := range request {
		switch {
		case len(values) != 1: // resource, which may come several times (RFC 8707, section 2.1)
			claims[name] = values
		case name == "max_age": // a number, as in Core, section 6.1
			claims[name], err = strconv.ParseInt(values[0], 10, 64)
		default:
			claims[name] = values[0]
		}
	}
	if err != nil {
		return nil, err
	}
	// Last, so that no parameter of the settings takes the place of one of these.
	claims["iss"], claims["aud"], claims["jti"] = p.settings.ClientID, p.settings.Issuer, id
	claims["iat"], claims["nbf"], claims["exp"] = now.Unix(), now.Unix(), now.Add(requestLifetime).Unix()
	signed, err := p.signWithKey("oauth-authz-req+jwt", claims)
	if err != nil {
		return nil, err
	}
	return url.Values{"client_id": request["client_id"], "request": {signed}}, nil
}
