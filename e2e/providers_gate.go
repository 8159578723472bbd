package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The second realm of the shared Keycloak has people, clients and keys of its
// own. Its Alice is somebody else than the first one's.
var (
	AliceAtWork = Person{Name: "alice", Password: "alice-password-at-work", Email: "alice@staff.example.com", Groups: []string{"buyers"}}
	Dora        = Person{Name: "dora", Password: "dora-password-at-work", Email: "dora@staff.example.com", Groups: []string{"sellers"}}
)

// Several is a gate at which people sign in with any of three providers.
type Several struct {
	*Gate                                // at the first of them
	Customers, Staff, Partners *Gate     // the same gate, at each
	tapKeycloak, tapPartners   *Tap      // on the gate's own calls: two providers share the first
	people                     []atParty // one at each, in the order of the settings
}

// atParty is somebody who signs in at one of several providers, and what the
// button is called that leads there.
type atParty struct {
	*Gate
	who    Person
	button string
}

// KeycloakStaff is the second realm of the shared Keycloak.
func KeycloakStaff(t testing.TB) *Provider {
	t.Helper()
	p := *Keycloak(t)
	p.Name, p.Issuer = "staff", strings.Replace(p.Issuer, "/realms/main", "/realms/staff", 1)
	return &p
}

// startSeveral runs Envoy with one gate in front of Keycloak's two realms and
// oidc-provider.
func startSeveral(t testing.TB) *Several {
	t.Helper()
	customers, staff, partners := *Keycloak(t), KeycloakStaff(t), *OIDCProvider(t)
	customers.Name, partners.Name = "customers", "partners"
	w := &Several{tapKeycloak: NewTap(t, &customers), tapPartners: NewTap(t, &partners)}
	app := NewApp(t)
	e := StartEnvoy(t, EnvoySetup{
		Workers: 2, App: app.Addr(), IDP: w.tapKeycloak.Addr(), Clusters: map[string]string{"partners": w.tapPartners.Addr()},
		Env: severalSecrets(), Config: severalSettings(&customers, staff, &partners), AllowHeadersStop: true,
	})
	at := func(p *Provider) *Gate { return &Gate{Envoy: e, App: app, Provider: p} }
	w.Customers, w.Staff, w.Partners = at(&customers), at(staff), at(&partners)
	w.Gate = w.Customers
	w.people = []atParty{
		{w.Customers, Alice, "Continue with Customers"}, {w.Staff, AliceAtWork, "Continue with Company login"}, {w.Partners, Bob, "Continue with Partners"},
	}
	for _, at := range w.people {
		at.waitKnown(t)
	}
	return w
}

// severalSettings are the settings of the three: the first is the usual one, the
// second has a redirect address of its own and is for a domain, the third is for
// a host and a part of the application.
func severalSettings(customers, staff, partners *Provider) Settings {
	s := NewSettings(customers)
	first := provider(s)
	first["display_name"] = "Customers"
	second, third := beside(first, staff), beside(first, partners)
	second["display_name"], second["own_callback"], second["email_domains"] = "Company login", true, []string{"staff.example.com", "*.staff.example.com"}
	second["client_id"], second["client_secret"] = staffClient, Settings{"env": "STAFF_CLIENT_SECRET"}
	third["display_name"], third["cluster"], third["email_domains"] = "Partners", "partners", []string{"partners.example.com"}
	s["providers"] = []Settings{first, second, third}
	s["hosts"] = []string{"localhost:*", "127.0.0.1:*"}
	s["sign_out"] = Settings{"at_provider": true}
	s["rules"] = []Settings{
		{"match": Settings{"paths": []string{"/public/*", "/healthz"}}, "allow": "anyone"},
		{"name": "office", "match": Settings{"paths": []string{"/office/*"}}, "sign_in": Settings{"providers": []string{"staff"}}},
		{"name": "vault", "match": Settings{"paths": []string{"/vault/*"}}, "require": Settings{"provider": "staff"}},
		{"name": "partners", "match": Settings{"hosts": []string{"127.0.0.1"}}, "sign_in": Settings{"providers": []string{"partners"}}},
	}
	return s
}

// beside is a provider's settings as another's, with a name and an issuer of its own.
func beside(other Settings, p *Provider) Settings {
	s := Settings{}
	for key, value := range other {
		s[key] = value
	}
	s["name"], s["issuer"] = p.Name, p.Issuer
	return s
}

const staffClient = "shop-of-staff"

func severalSecrets() map[string]string {
	env := NewSecrets()
	env["STAFF_CLIENT_SECRET"] = "shop-of-staff-client-secret"
	return env
}

// waitKnown waits until the gate knows the provider, on each of its workers.
func (g *Gate) waitKnown(t testing.TB) {
	t.Helper()
	for _, worker := range g.Workers(t) {
		Eventually(t, 90*time.Second, func() error {
			page, err := NewBrowser().Over(worker).Get(g.start("/shop"))
			if err != nil {
				return err
			}
			if to := page.Location(); to == nil || !strings.HasPrefix(to.String(), g.Provider.Issuer) {
				return fmt.Errorf("e2e: the gate answers %d to %v: %.300s", page.Status, to, page.Body)
			}
			return nil
		})
	}
}

// start is the address that begins a login at a provider.
func (g *Gate) start(target string) string {
	return g.URL("/oauth2/start?" + url.Values{"provider": {g.Provider.Name}, "rd": {target}}.Encode())
}

// StartAt begins a login at the gate's provider, and stops at the redirect that
// leads there.
func (g *Gate) StartAt(b *Browser, target string) (*Login, error) {
	page, err := b.Get(g.start(target))
	if err != nil {
		return nil, err
	}
	return g.resume(b, page)
}

// SignInAt makes the whole journey to a page by a login at the gate's provider.
func (g *Gate) SignInAt(b *Browser, target string, who Person) (*Page, error) {
	login, err := g.StartAt(b, target)
	if err != nil {
		return nil, err
	}
	return login.through(target, who)
}
