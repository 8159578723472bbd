package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/postern-auth/postern/internal/migrate"
	"github.com/postern-auth/postern/internal/render"
)

// TestWhatWasOAuth2ProxySignsPeopleIn takes the options of oauth2-proxy's
// documented example, with a provider and an application that there are, makes
// settings of them, a bootstrap of these, and runs it letter by letter.
func TestWhatWasOAuth2ProxySignsPeopleIn(t *testing.T) {
	t.Parallel()
	ports := freePorts(t, 2)
	g := &Shipped{App: NewApp(t), browserURL: fmt.Sprintf("http://localhost:%d", ports[0]), ports: map[int]int{}}
	g.startProvider(t, ShippedSetup{})
	s, err := render.ReadForEnvoy(migrated(t, g), render.Reading{Lookup: renderedVariable})
	if err != nil {
		t.Fatal(err)
	}
	out, err := render.Envoy(s, render.EnvoyOptions{
		Listen: loopbackAt(ports[0]), Admin: loopbackAt(ports[1]), Upstreams: []string{g.App.Addr()}, Module: must(modulePath(EnvoySetup{}))(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	g.runText(t, out.Files[0].Text, []string{"OIDC_CLIENT_SECRET=" + ClientSecret})

	b := NewBrowser()
	page := g.Base() + deepPage
	g.awaits(t, b, page, http.StatusSeeOther)
	way, _, err := b.Arrive(g.Provider, must(b.Get(page))(t), Alice)
	if err != nil {
		t.Fatal(err)
	}
	seen := must(ReadSeen(way[len(way)-1]))(t)
	for header, want := range map[string]string{"X-Forwarded-Email": Alice.Email, "X-Forwarded-Preferred-Username": Alice.Name} {
		if got := seen.Value(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	if seen.Target != deepPage || seen.Value("X-Forwarded-User") == "" {
		t.Errorf("the application saw %+v", seen)
	}
	for path, want := range map[string]int{"/metrics": http.StatusOK, "/probe": http.StatusOK, "/api/orders": http.StatusUnauthorized, "/other": http.StatusSeeOther} {
		if got := must(NewBrowser().Get(g.Base() + path))(t).Status; got != want {
			t.Errorf("nobody at %s: %d, want %d", path, got, want)
		}
	}
	if got := must(NewBrowser().Do(http.MethodPost, g.Base()+"/probe", "", nil))(t).Status; got != http.StatusSeeOther {
		t.Errorf("nobody sends to what is open for GET alone: %d", got)
	}
	must(b.Get(g.Base() + "/oauth2/sign_out"))(t)
	if page := must(b.Get(page))(t); page.Status != http.StatusSeeOther {
		t.Errorf("after signing out: %d", page.Status)
	}
	g.logIsClean(t)
}

// migrated are settings made of the documented example, whose lines about the
// provider, the application and https are those of this gate.
func migrated(t *testing.T, g *Shipped) []byte {
	t.Helper()
	name := filepath.Join(must(Root())(t), "internal", "migrate", "testdata", "oauth2-proxy", "documented.cfg")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for option, value := range map[string]string{
		"redirect_url": `"` + g.Base() + `/oauth2/callback"`, "cookie_secure": "false", "client_id": `"demo"`, "client_secret": `"` + ClientSecret + `"`,
		"upstreams": `["http://` + g.App.Addr() + `/"]`,
	} {
		line := regexp.MustCompile("(?m)^" + option + " = .*$")
		if !line.Match(text) {
			t.Fatalf("the example has no %s", option)
		}
		text = line.ReplaceAll(text, []byte(option+" = "+value))
	}
	text = fmt.Appendf(text, "provider = \"oidc\"\noidc_issuer_url = %q\n", g.Provider.Issuer)
	r, err := migrate.From("oauth2-proxy", migrate.Input{Files: []migrate.File{{Name: "oauth2-proxy.cfg", Text: text}}})
	if err != nil {
		t.Fatal(err)
	}
	return must(r.Settings.YAML())(t)
}
