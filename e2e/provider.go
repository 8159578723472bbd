package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// Person is someone who can sign in. Both providers know the same two.
type Person struct {
	Name, Password, Email string
	Groups                []string
}

// The people at both providers.
var (
	Alice = Person{Name: "alice", Password: "alice-password", Email: "alice@example.com", Groups: []string{"admins"}}
	Bob   = Person{Name: "bob", Password: "bob-password", Email: "bob@example.com", Groups: []string{"users"}}
)

// The client that both providers know.
const (
	ClientID     = "shop"
	ClientSecret = "shop-client-secret"
)

// Provider is a running OpenID provider.
type Provider struct {
	*Process
	Name   string
	Issuer string

	scopes                   []string // to ask for; NewSettings has the usual ones
	userField, passwordField string   // of its login form
	release                  func()
}

// Addr is the provider's host and port.
func (p *Provider) Addr() string {
	u, err := url.Parse(p.Issuer)
	if err != nil {
		return ""
	}
	return u.Host
}

// Owns says whether an address is the provider's, and not the gate's.
func (p *Provider) Owns(u *url.URL) bool { return u.Host == p.Addr() }

// SignIn fills the provider's login form, and sends it.
func (p *Provider) SignIn(b *Browser, form *Page, who Person) (*Page, error) {
	return b.Submit(form, map[string]string{p.userField: who.Name, p.passwordField: who.Password})
}

// waitDiscovery waits until the provider publishes itself under its issuer.
func (p *Provider) waitDiscovery(limit time.Duration) error {
	return poll(limit, p.Exited(), func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Issuer+"/.well-known/openid-configuration", nil)
		if err != nil {
			return fmt.Errorf("e2e: %s: %w", p.Name, err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("e2e: %s: %w", p.Name, err)
		}
		body, err := drain(res.Body)
		if err != nil {
			return fmt.Errorf("e2e: %s: %w", p.Name, err)
		}
		var published struct {
			Issuer string `json:"issuer"`
		}
		if err := json.Unmarshal(body, &published); err != nil || published.Issuer != p.Issuer {
			return fmt.Errorf("e2e: %s: answered %d: %.200s", p.Name, res.StatusCode, body)
		}
		return nil
	})
}

// Close stops the provider.
func (p *Provider) Close() {
	p.stop()
	if p.release != nil {
		p.release()
	}
}

// shared is a provider that all tests of one binary use: started with the
// first that asks, stopped by StopShared.
type shared struct {
	once     sync.Once
	start    func() (*Provider, error)
	provider *Provider
	err      error
}

func (s *shared) get() (*Provider, error) {
	s.once.Do(func() { s.provider, s.err = s.start() })
	return s.provider, s.err
}

var (
	sharedKeycloak     = &shared{start: startKeycloak}
	sharedOIDCProvider = &shared{start: func() (*Provider, error) { return startOIDCProvider() }}
)

// StopShared stops the providers that tests shared; for TestMain.
func StopShared() {
	for _, s := range []*shared{sharedKeycloak, sharedOIDCProvider} {
		if s.provider != nil {
			s.provider.Close()
		}
	}
}

// startOIDCProvider runs the certified provider from npm, with our two people
// in it. It picks its port itself. Its host is 127.0.0.1 where the gate's is
// localhost: another site to a browser, as providers are in earnest.
func startOIDCProvider(args ...string) (*Provider, error) {
	node, err := command("node")
	if err != nil {
		return nil, err
	}
	if _, err := part("setup", "tools", "node_modules", "oidc-provider"); err != nil {
		return nil, err
	}
	script, err := part("setup", "tools", "oidc-provider.mjs")
	if err != nil {
		return nil, err
	}
	args = append([]string{script, ClientID, ClientSecret}, args...)
	process, err := startProcess(node, args, []string{"NODE_ENV=test"})
	if err != nil {
		return nil, err
	}
	p := &Provider{Process: process, Name: "oidc-provider", userField: "login", passwordField: "password"}
	if err := p.Log.WaitFor("ready\n", 30*time.Second); err != nil {
		p.Close()
		return nil, err
	}
	p.Issuer = strings.TrimSuffix(strings.TrimPrefix(p.Log.Lines(" ready")[0], "issuer "), " ready")
	if err := p.waitDiscovery(10 * time.Second); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// removeAll is for folders of shared parts, which outlive a single test.
func removeAll(dir string) func() { return func() { _ = os.RemoveAll(dir) } }
