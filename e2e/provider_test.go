package e2e

import (
	"net/http"
	"strconv"
	"testing"
)

// TestNothingPassesBeforeTheProviderIsKnown starts the gate first and the
// provider later, as happens when a cluster comes up.
func TestNothingPassesBeforeTheProviderIsKnown(t *testing.T) {
	t.Parallel()
	ForEachEnvoy(t, func(t *testing.T, version string) {
		port, release, err := ReservePort()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		absent := &Provider{Name: "late", Issuer: "http://127.0.0.1:" + strconv.Itoa(port)}
		app := NewApp(t)
		e := StartEnvoy(t, EnvoySetup{
			Version: version, Workers: 2, App: app.Addr(), IDP: absent.Addr(),
			Config: NewSettings(absent), Env: NewSecrets(),
		})
		// All at once, since each is parked for some seconds.
		t.Run("503 and Retry-After", func(t *testing.T) {
			for name, visit := range map[string]struct {
				path   string
				header http.Header
			}{
				"for a page":                     {"/shop", nil},
				"for the start of a login":       {"/oauth2/start?rd=/shop", nil},
				"for one with a forged identity": {"/shop", forged()},
				"for one with a forged session":  {"/shop", http.Header{"Cookie": {SessionCookie + "=1.forged"}}},
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					checkUnavailable(t, must(NewBrowser().Get(e.URL(visit.path), visit.header))(t))
				})
			}
		})
		if n := app.Requests(); n != 0 {
			t.Errorf("%d requests reached the application", n)
		}
		t.Run("open routes serve all the same", func(t *testing.T) {
			if page := must(NewBrowser().Get(e.URL("/healthz")))(t); page.Status != http.StatusOK {
				t.Errorf("status %d", page.Status)
			}
		})
		t.Run("once the provider is there, people can sign in", func(t *testing.T) {
			late := must(startOIDCProvider(strconv.Itoa(port)))(t)
			t.Cleanup(late.Close)
			g := &Gate{Envoy: e, App: app, Provider: late}
			g.waitProvider(t)
			page := must(g.SignIn(NewBrowser(), "/shop", Alice))(t)
			checkIdentity(t, must(ReadSeen(page))(t), Alice)
		})
	})
}

func checkUnavailable(t *testing.T, page *Page) {
	t.Helper()
	if page.Status != http.StatusServiceUnavailable {
		t.Errorf("status %d", page.Status)
	}
	if after, err := strconv.Atoi(page.Header.Get("Retry-After")); err != nil || after < 1 {
		t.Errorf("retry-after: %q", page.Header.Get("Retry-After"))
	}
}
