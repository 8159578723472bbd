package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// side is two Envoys side by side, with the same settings: the first serves
// the login's host and one application, the second another application.
type side struct {
	provider *Embedded
	gates    [2]*Gate
	// Origins; elsewhere is the second application under another domain.
	login, first, second, elsewhere string
}

// startSideBySide runs two Envoys for hosts below a domain.
func startSideBySide(t *testing.T, domain string, edits ...func(Settings)) *side {
	t.Helper()
	var ports [2]int
	for i := range ports {
		port, release, err := ReservePort()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		ports[i] = port
	}
	origin := func(host string, i int) string { return fmt.Sprintf("http://%s:%d", host, ports[i]) }
	s := &side{
		login: origin("auth."+domain, 0), first: origin("app1."+domain, 0),
		second: origin("app2."+domain, 1), elsewhere: origin(loopbackClient, 1),
	}
	s.provider = NewEmbedded(t, s.login)
	edits = append([]func(Settings){
		func(settings Settings) { settings["public_url"] = s.login },
		func(settings Settings) { settings["hosts"] = authorities(s.login, s.first, s.second, s.elsewhere) },
	}, edits...)
	secrets := NewSecrets()
	for i, host := range []string{"app1." + domain, "app2." + domain} {
		setup := EnvoySetup{Workers: 2, Host: host, Port: ports[i], Env: secrets}
		s.gates[i] = launchGate(t, s.provider.Provider, setup, edits...)
	}
	for _, g := range s.gates {
		g.wait(t)
	}
	return s
}

func authorities(origins ...string) []string {
	var all []string
	for _, o := range origins {
		all = append(all, strings.TrimPrefix(o, "http://"))
	}
	return all
}

func TestOneSignInForManyHostsByTickets(t *testing.T) {
	s := startSideBySide(t, "localhost")
	t.Run("a strict browser signs in once", func(t *testing.T) { testTickets(t, s) })
	t.Run("chromium signs in once", func(t *testing.T) { testChromiumHosts(t, s) })
	for _, g := range s.gates {
		checkLog(t, g)
	}
}

func testTickets(t *testing.T, s *side) {
	b := NewBrowser()
	way := s.arrives(t, b, s.first+deepPage, 1)
	s.arrives(t, b, s.second+deepPage, 0)
	s.arrives(t, b, s.elsewhere+deepPage, 0)
	for _, c := range b.Jar.Received() {
		if c.Domain != "" {
			t.Errorf("the cookie %s is shared with %s", c.Name, c.Domain)
		}
	}
	if refused := b.Jar.Refused(); len(refused) > 0 {
		t.Errorf("cookies that browsers refuse: %q", refused)
	}
	ticket := must(visited(way, "/oauth2/ticket"))(t)
	for name, thief := range map[string]*Browser{"another browser": NewBrowser(), "the same browser again": b} {
		t.Run("a ticket is of no use to "+name, func(t *testing.T) {
			before := s.provider.IDP.Count(exchanges)
			page := must(thief.Get(ticket.String()))(t)
			if slices.ContainsFunc(page.Cookies, isSession) {
				t.Errorf("it got a session, by status %d", page.Status)
			}
			if n := s.provider.IDP.Count(exchanges) - before; n != 0 {
				t.Errorf("the code was exchanged again")
			}
		})
	}
	t.Run("a ticket for one host is of no use to another", func(t *testing.T) {
		elsewhere := strings.Replace(ticket.String(), s.first, s.second, 1)
		page := must(b.Get(elsewhere))(t)
		if slices.ContainsFunc(page.Cookies, isSession) {
			t.Errorf("it got a session, by status %d", page.Status)
		}
	})
}

func isSession(c *http.Cookie) bool { return c.Name == SessionCookie && c.Value != "" && c.MaxAge >= 0 }

// arrives visits a page of an application, and wants to be shown it as Alice.
func (s *side) arrives(t *testing.T, b *Browser, page string, wantForms int) []*Page {
	t.Helper()
	way, forms, err := b.Arrive(s.provider.Provider, must(b.Get(page))(t), Alice)
	if err != nil {
		t.Fatal(err)
	}
	last := way[len(way)-1]
	if last.URL.String() != page || forms != wantForms {
		t.Fatalf("%d forms, want %d, and then %d at %s:%s", forms, wantForms, last.Status, last.URL, trail(way))
	}
	checkIdentity(t, must(ReadSeen(last))(t), Alice)
	return way
}

func testChromiumHosts(t *testing.T, s *side) {
	c := NewChromium(t)
	c.Open(s.first + deepPage)
	c.WaitURL(s.provider.Issuer)
	c.SignIn(s.provider.Provider, Bob)
	c.WaitURL(s.first + deepPage) // to leave before would break the sign-in off
	for _, page := range []string{s.first + deepPage, s.second + deepPage, s.elsewhere + deepPage} {
		c.Open(page)
		c.WaitURL(page)
		checkIdentity(t, must(ParseSeen(c.Text()))(t), Bob)
	}
}

func TestOneSignInForManyHostsByDomain(t *testing.T) {
	const domain = "shop.localhost"
	s := startSideBySide(t, domain, func(settings Settings) {
		all := settings["hosts"].([]string)
		settings["hosts"] = all[:len(all)-1] // not the one elsewhere
		settings["session"].(Settings)["cookie"].(Settings)["domain"] = domain
	})
	b := NewBrowser()
	s.arrives(t, b, s.first+deepPage, 1)
	before := s.provider.IDP.Count("authorize")
	s.arrives(t, b, s.second+deepPage, 0)
	if n := s.provider.IDP.Count("authorize") - before; n != 0 {
		t.Errorf("the browser was sent to the provider %d times more", n)
	}
	must(b.Get(s.second + "/oauth2/sign_out"))(t) // at one of them is at all
	for _, origin := range []string{s.login, s.first, s.second} {
		if slices.Contains(b.Jar.Names(address(t, origin+"/")), SessionCookie) {
			t.Errorf("after signing out, %s still gets the session", origin)
		}
	}
	for _, g := range s.gates {
		checkLog(t, g)
	}
}
