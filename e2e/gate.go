package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// Gate is an application behind Envoy with Postern, in front of one provider.
type Gate struct {
	*Envoy
	App      *App
	Provider *Provider
}

// Keycloak is the Keycloak that the tests share.
func Keycloak(t testing.TB) *Provider {
	t.Helper()
	return mustProvider(t, sharedKeycloak)
}

// OIDCProvider is the oidc-provider that the tests share.
func OIDCProvider(t testing.TB) *Provider {
	t.Helper()
	return mustProvider(t, sharedOIDCProvider)
}

func mustProvider(t testing.TB, s *shared) *Provider {
	p, err := s.get()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// StartGate runs a gate in front of a fresh application. Edits change the
// settings before they are used. What the set-up leaves open is filled in: the
// way to the provider, and the environment.
func StartGate(t testing.TB, p *Provider, s EnvoySetup, edits ...func(Settings)) *Gate {
	t.Helper()
	g := launchGate(t, p, s, edits...)
	g.wait(t)
	return g
}

// launchGate begins to start a gate, so that several can do so at once.
func launchGate(t testing.TB, p *Provider, s EnvoySetup, edits ...func(Settings)) *Gate {
	t.Helper()
	app := NewApp(t)
	settings := NewSettings(p)
	for _, edit := range edits {
		edit(settings)
	}
	s.App, s.Config = app.Addr(), settings
	if s.IDP == "" {
		s.IDP = p.Addr()
	}
	if s.Env == nil {
		s.Env = NewSecrets()
	}
	e, err := launchEnvoy(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return &Gate{Envoy: e, App: app, Provider: p}
}

// wait waits until a launched gate serves and knows its provider.
func (g *Gate) wait(t testing.TB) {
	t.Helper()
	g.mustBeReady(t)
	g.waitProvider(t)
}

// hosts sets the hosts that a gate serves.
func hosts(patterns ...string) func(Settings) {
	return func(s Settings) { s["hosts"] = patterns }
}

// waitProvider waits until the gate knows its provider. Until then it answers
// 503 and nothing else: any other answer than the redirect is a fault.
func (g *Gate) waitProvider(t testing.TB) {
	t.Helper()
	before := g.App.Requests()
	Eventually(t, 90*time.Second, func() error {
		p, err := NewBrowser().Get(g.URL("/"))
		if err != nil {
			return err
		}
		if p.Status != http.StatusSeeOther {
			return fmt.Errorf("e2e: the gate answers %d: %.300s", p.Status, p.Body)
		}
		return nil
	})
	if g.App.Requests() != before {
		t.Fatal("e2e: a request reached the application before the gate knew its provider")
	}
}

// Settings are Postern's, as JSON.
type Settings = map[string]any

// provider is the one where people sign in.
func provider(s Settings) Settings { return s["providers"].([]Settings)[0] }

// NewSettings are those of the first journey: one provider, cookies over plain
// http on localhost, identity headers, two open routes.
func NewSettings(p *Provider) Settings {
	scopes := p.scopes
	if scopes == nil {
		scopes = []string{"openid", "profile", "email"}
	}
	return Settings{
		"providers": []Settings{{
			"name": p.Name, "type": "oidc", "issuer": p.Issuer, "insecure_issuer": true, "cluster": "idp",
			"client_id": ClientID, "client_secret": Settings{"env": "SHOP_CLIENT_SECRET"},
			"scopes": scopes, "timeout": "20s", // for providers on machines that do other things as well
			"claims": Settings{"user": "preferred_username", "email": "email", "groups": "groups"},
		}},
		"hosts":                 []string{"localhost:*"},
		"insecure_http_cookies": true,
		"session": Settings{
			"keys":   []Settings{{"id": "k1", "env": "POSTERN_KEY"}},
			"cookie": Settings{"name": SessionCookie},
		},
		"forward": Settings{
			"headers": Settings{
				"x-auth-request-user":               "user",
				"x-auth-request-email":              "email",
				"x-auth-request-groups":             "groups",
				"x-auth-request-preferred-username": "preferred_username",
			},
			"access_token": []string{"authorization", "x-auth-request-access-token"},
		},
		"rules": []Settings{{"match": Settings{"paths": []string{"/public/*", "/healthz"}}, "allow": "anyone"}},
	}
}

// SessionCookie is the session cookie's name in NewSettings.
const SessionCookie = "postern"

// NewSecrets is the environment that NewSettings refers to, with a key of its own.
func NewSecrets() map[string]string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // crypto/rand never fails: it ends the process instead
	return map[string]string{
		"SHOP_CLIENT_SECRET": ClientSecret,
		"POSTERN_KEY":        base64.StdEncoding.EncodeToString(key),
	}
}
