package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// Service is an application that has an account of its own at a provider.
type Service struct {
	Provider   *Provider
	ID, Secret string
	Auth       string     // how it proves who it is; client_secret_basic when empty
	Key        *ClientKey // what it signs with instead of a secret
}

// KeycloakService is one of the services in testdata/keycloak.
func KeycloakService(keycloak *Provider, id string) Service {
	return Service{Provider: keycloak, ID: id, Secret: id + "-client-secret"}
}

// Tokens is what a token endpoint answered.
type Tokens struct {
	Access string `json:"access_token"`
	Type   string `json:"token_type"`
}

// Claims are those of a token, without any check.
type Claims = map[string]any

// Token fetches an access token in the service's own name.
func (s Service) Token(more ...url.Values) (string, error) {
	return s.grant("client_credentials", more...)
}

// PersonsToken fetches an access token that somebody gave to the service.
func (s Service) PersonsToken(who Person) (string, error) {
	return s.grant("password", url.Values{"username": {who.Name}, "password": {who.Password}})
}

func (s Service) grant(kind string, more ...url.Values) (string, error) {
	form := url.Values{"grant_type": {kind}}
	for _, values := range more {
		for name := range values {
			form[name] = values[name]
		}
	}
	var tokens Tokens
	if err := s.Ask("token_endpoint", form, nil, &tokens); err != nil {
		return "", err
	}
	if tokens.Access == "" {
		return "", fmt.Errorf("e2e: %s: no token for %s", s.Provider.Name, s.ID)
	}
	return tokens.Access, nil
}

// Revoke withdraws a token (RFC 7009).
func (s Service) Revoke(token string) error {
	return s.Ask("revocation_endpoint", url.Values{"token": {token}}, nil, nil)
}

// Introspect asks the provider about a token (RFC 7662).
func (s Service) Introspect(token string) (Claims, error) {
	claims := Claims{}
	return claims, s.Ask("introspection_endpoint", url.Values{"token": {token}}, nil, &claims)
}

// Ask sends a form to one of the provider's endpoints, by its name in the
// discovery document, with the client's secret.
func (s Service) Ask(endpoint string, form url.Values, header http.Header, answer any) error {
	to, err := s.Provider.endpoint(endpoint)
	if err != nil {
		return err
	}
	headers := http.Header{"Authorization": {basic(s.ID, s.Secret)}, "Accept": {"application/json"}}
	for name := range header {
		headers[name] = header[name]
	}
	page, err := NewBrowser().Do(http.MethodPost, to, form.Encode(), headers)
	if err != nil {
		return err
	}
	if page.Status != http.StatusOK {
		return fmt.Errorf("e2e: %s: %s answered %d to %s: %.300s", s.Provider.Name, endpoint, page.Status, s.ID, page.Body)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal([]byte(page.Body), answer); err != nil {
		return fmt.Errorf("e2e: %s: %s: %w", s.Provider.Name, endpoint, err)
	}
	return nil
}

// basic is RFC 6749, section 2.3.1.
func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

// endpoints are those of each provider that was asked for one, by issuer.
var endpoints sync.Map

// endpoint is an address from the provider's discovery document.
func (p *Provider) endpoint(name string) (string, error) {
	known, ok := endpoints.Load(p.Issuer)
	if !ok {
		page, err := NewBrowser().Get(p.Issuer + "/.well-known/openid-configuration")
		if err != nil {
			return "", err
		}
		published := Claims{}
		if err := json.Unmarshal([]byte(page.Body), &published); err != nil {
			return "", fmt.Errorf("e2e: %s: discovery: %w", p.Name, err)
		}
		known, _ = endpoints.LoadOrStore(p.Issuer, published)
	}
	address, _ := known.(Claims)[name].(string)
	if address == "" {
		return "", fmt.Errorf("e2e: %s has no %s", p.Name, name)
	}
	return address, nil
}

// readClaims reads a token's claims, without any check.
func readClaims(token string) (Claims, error) { return readPart(token, 1) }

// readHeader reads a token's header, without any check.
func readHeader(token string) (Claims, error) { return readPart(token, 0) }

func readPart(token string, n int) (Claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("e2e: not a signed token: %d parts", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[n])
	if err != nil {
		return nil, fmt.Errorf("e2e: token: %w", err)
	}
	read := Claims{}
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, fmt.Errorf("e2e: token: %w", err)
	}
	return read, nil
}

// bearer is the header of a request that brings a token.
func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }
