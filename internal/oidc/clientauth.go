package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/url"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/jws"
)

// assertionType is what a client_assertion is (RFC 7523, section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assertionLifetime is how long an assertion is good: enough for one call.
const assertionLifetime = time.Minute

// authenticate adds the client's credentials to a form for an endpoint, or
// returns the field that carries them (RFC 6749, section 2.3; Core, section 9).
func (p *Provider) authenticate(step string, e endpoint, form url.Values, now time.Time) (httpmsg.Fields, error) {
	id, secret := p.settings.ClientID, p.settings.ClientSecret.Reveal()
	if p.settings.ClientAuth == "client_secret_basic" {
		// RFC 6749, section 2.3.1 has both encoded as in a form before they are
		// joined.
		pair := url.QueryEscape(id) + ":" + url.QueryEscape(secret)
		return httpmsg.Fields{{Name: "authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))}}, nil
	}
	form.Set("client_id", id)
	switch p.settings.ClientAuth {
	case "client_secret_post":
		form.Set("client_secret", secret)
	case "client_secret_jwt", "private_key_jwt":
		assertion, err := p.assertion(e, now)
		if err != nil {
			// Nothing was sent, and nobody has refused anything.
			return nil, outage(step, "assertion_not_made")
		}
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", assertion)
	}
	return nil, nil
}

// assertion is a JWT by which the client proves itself once (RFC 7523, section
// 3).
func (p *Provider) assertion(e endpoint, now time.Time) (string, error) {
	claims, err := p.ownClaims(now, assertionLifetime)
	if err != nil {
		return "", err
	}
	claims["sub"] = p.settings.ClientID
	if p.settings.ClientAssertionAudience == "endpoint" {
		claims["aud"] = e.scheme + "://" + e.authority + e.path
	}
	if p.settings.ClientAuth == "client_secret_jwt" {
		return jws.Sign(map[string]any{"alg": "HS256", "typ": "JWT"}, claims, p.signBySecret)
	}
	return p.signWithKey("JWT", claims)
}

// ownClaims are those of a JWT by which the client speaks to the provider, once.
func (p *Provider) ownClaims(now time.Time, lifetime time.Duration) (map[string]any, error) {
	id, err := p.unique()
	return map[string]any{
		"iss": p.settings.ClientID, "aud": p.settings.Issuer, "jti": id,
		"iat": now.Unix(), "exp": now.Add(lifetime).Unix(),
	}, err
}

// signWithKey makes a JWT that the client's key signs.
func (p *Provider) signWithKey(typ string, claims map[string]any) (string, error) {
	header := map[string]any{"alg": p.settings.ClientKeyAlgorithm, "typ": typ}
	if p.settings.ClientKeyID != "" {
		header["kid"] = p.settings.ClientKeyID
	}
	return jws.Sign(header, claims, p.signByKey)
}

// unique is an identifier that nothing else has.
func (p *Provider) unique() (string, error) {
	id := make([]byte, 16)
	if _, err := io.ReadFull(p.random, id); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(id), nil
}

// signBySecret signs by HS256 (RFC 7518, section 3.2).
func (p *Provider) signBySecret(input []byte) ([]byte, error) {
	mac := hmac.New(sha256.New, []byte(p.settings.ClientSecret.Reveal()))
	mac.Write(input)
	return mac.Sum(nil), nil
}

// signByKey signs by the algorithm of the settings (RFC 7518, sections 3.3 to
// 3.5; RFC 8037, section 3.1). Of these PS256 alone draws from our randomness:
// RS256 and EdDSA need none, and Go's ES256 takes nobody's but its own.
func (p *Provider) signByKey(input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	switch key := p.settings.ClientKey.Signer().(type) {
	case *rsa.PrivateKey:
		var opts crypto.SignerOpts = crypto.SHA256
		if p.settings.ClientKeyAlgorithm == "PS256" {
			opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
		}
		return key.Sign(p.random, digest[:], opts)
	case *ecdsa.PrivateKey:
		return jws.SignES256(p.random, key, input)
	case ed25519.PrivateKey:
		return ed25519.Sign(key, input), nil
	}
	return nil, errors.New("there is no key")
}
