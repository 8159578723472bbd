package idp

import (
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	// assertionType says that a client proves itself by a JWT (RFC 7523, section 2.2).
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// assertionLifetime is how far ahead an assertion may expire, and assertionLeeway
	// how far a client's clock may be off.
	assertionLifetime = 10 * time.Minute
	assertionLeeway   = time.Minute
)

// keyAlgorithms may sign a client's assertions with its key.
var keyAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}

// method is how a client is registered to prove itself: by no other way.
func (c *Client) method() string {
	switch {
	case c.Key != nil:
		return "private_key_jwt"
	case c.SecretJWT:
		return "client_secret_jwt"
	case c.Secret != "":
		return "client_secret"
	}
	return "none"
}

var errClient = refuse("invalid_client", "the client is not known, or has not proved who it is")

// authenticate finds the client by exactly one method (RFC 6749, section 2.3).
func (p *Provider) authenticate(r *http.Request, form map[string]string) (*Client, error) {
	assertion := form["client_assertion"]
	if assertion == "" && form["client_assertion_type"] == "" {
		return p.authenticateBySecret(r, form)
	}
	if form["client_assertion_type"] != assertionType || form["client_secret"] != "" || len(r.Header.Values("Authorization")) > 0 {
		return nil, errClient
	}
	return p.authenticateByAssertion(assertion, form["client_id"])
}

func (p *Provider) authenticateBySecret(r *http.Request, form map[string]string) (*Client, error) {
	id, secret := form["client_id"], form["client_secret"]
	method := "client_secret_post"
	if header := r.Header.Values("Authorization"); len(header) > 0 {
		method = "client_secret_basic"
		user, password, ok := r.BasicAuth()
		if !ok || len(header) > 1 || secret != "" || (id != "" && id != user) {
			return nil, errClient
		}
		// Both halves are form-encoded before base64 (RFC 6749, section 2.3.1).
		var errUser, errPassword error
		id, errUser = url.QueryUnescape(user)
		secret, errPassword = url.QueryUnescape(password)
		if errUser != nil || errPassword != nil {
			return nil, errClient
		}
	}
	client := p.clients[id]
	if client == nil || client.Key != nil || client.SecretJWT || !equal(client.Secret, secret) {
		return nil, errClient
	}
	if client.Secret == "" {
		method = "none"
	}
	p.count("client:" + method)
	return client, nil
}

// authenticateByAssertion checks a JWT by which a client proves itself (RFC
// 7523, section 3; OpenID Connect Core, section 9).
func (p *Provider) authenticateByAssertion(raw, id string) (*Client, error) {
	client, claims := p.openAssertion(raw)
	if client == nil || (id != "" && id != client.ID) || !p.currentAssertion(client, claims) {
		return nil, errClient
	}
	p.count("client:" + client.method())
	return client, nil
}

// openAssertion verifies an assertion's signature by what is known of the client
// that it names.
func (p *Provider) openAssertion(raw string) (*Client, *jwt.Claims) {
	claims := &jwt.Claims{}
	token, err := jwt.ParseSigned(raw, append([]jose.SignatureAlgorithm{jose.HS256}, keyAlgorithms...))
	if err != nil || token.UnsafeClaimsWithoutVerification(claims) != nil {
		return nil, nil
	}
	client := p.clients[claims.Issuer]
	if client == nil {
		return nil, nil
	}
	symmetric := token.Headers[0].Algorithm == string(jose.HS256)
	var key any
	switch {
	case client.Key != nil && !symmetric:
		key = client.Key
	case client.SecretJWT && symmetric:
		key = []byte(client.Secret)
	default:
		return nil, nil
	}
	if token.Claims(key, claims) != nil {
		return nil, nil
	}
	return client, claims
}

// currentAssertion reports whether an assertion is for us, for now, and new.
func (p *Provider) currentAssertion(client *Client, c *jwt.Claims) bool {
	now := p.now()
	switch {
	case c.Subject != client.ID, c.Expiry == nil, c.ID == "":
		return false
	case len(c.Audience) == 0 || !c.Audience.Contains(p.cfg.Issuer) && !c.Audience.Contains(p.endpoint("token")):
		return false
	case !c.Expiry.Time().After(now), c.Expiry.Time().After(now.Add(assertionLifetime)):
		return false
	case c.IssuedAt != nil && c.IssuedAt.Time().After(now.Add(assertionLeeway)), c.NotBefore != nil && c.NotBefore.Time().After(now.Add(assertionLeeway)):
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.store.sweep(now)
	id := client.ID + " " + c.ID
	if _, used := p.store.assertions[id]; used {
		return false
	}
	p.store.assertions[id] = c.Expiry.Time()
	return true
}
