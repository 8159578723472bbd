package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/e2e/standins"
)

// What is registered everywhere.
const (
	standinClient = "shop"
	standinSecret = "shop-client-secret-of-the-stand-ins"
	standinPass   = "password-of-the-stand-ins"

	enterpriseHost = "github.example.com"
	acmeTenant     = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
	otherTenant    = "82229342-1101-4ab6-817b-70c0747630f3"
	apiV1, apiV2   = "11111111-aaaa-2222-bbbb-3333cccc4444", "22222222-aaaa-2222-bbbb-3333cccc4444"
)

// Standins are gates in front of stand-ins for GitHub, Google and Entra, all in
// one Envoy, whose clusters speak verified TLS as they would in earnest.
type Standins struct {
	net        *standins.Internet
	github     *standins.GitHub
	enterprise *standins.GitHub
	google     *standins.Google
	entra      *standins.Entra
	gates      map[string]*Gate
}

// standinGate is one of them.
type standinGate struct {
	name, issuer string
	settings     func() Settings
	port         int
}

func (g *standinGate) origin() string   { return fmt.Sprintf("http://localhost:%d", g.port) }
func (g *standinGate) callback() string { return g.origin() + "/oauth2/callback" }

func standinGates(t testing.TB) []*standinGate {
	t.Helper()
	entra := "https://" + standins.EntraLogin + "/"
	gates := []*standinGate{
		{name: "gate", issuer: "https://github.com", settings: githubSettings},
		{name: "app", issuer: "https://github.com", settings: githubAppSettings},
		{name: "enterprise", issuer: "https://" + enterpriseHost, settings: enterpriseSettings},
		{name: "google", issuer: "https://" + standins.GoogleAccounts, settings: googleSettings},
		{name: "entra", issuer: entra + acmeTenant + "/v2.0", settings: entraSettings},
		{name: "many", issuer: entra + "common/v2.0", settings: manySettings},
		{name: "domain", issuer: entra + "acme.example/v2.0", settings: domainSettings},
		{name: "all", issuer: "https://github.com", settings: allSettings},
	}
	for _, g := range gates {
		port, release, err := ReservePort()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		g.port = port
	}
	return gates
}

// newStandins starts the services, with whatever the gates register there.
func newStandins(t testing.TB) (*Standins, []*standinGate) {
	t.Helper()
	w := &Standins{net: must(standins.NewInternet())(t), gates: map[string]*Gate{}}
	t.Cleanup(w.net.Close)
	gates := standinGates(t)
	w.register(t, gates)
	return w, gates
}

// startStandins runs the gates in an Envoy.
func startStandins(t testing.TB) *Standins {
	t.Helper()
	w, gates := newStandins(t)
	app := NewApp(t)
	setup := EnvoySetup{
		App: app.Addr(), Env: standinSecrets(), Clusters: map[string]string{}, Sockets: map[string]object{},
		Port: gates[0].port, Config: gates[0].settings(), Beside: map[string]func(*EnvoySetup){},
	}
	for _, host := range []string{
		"github.com", "api.github.com", enterpriseHost, standins.GoogleAccounts, standins.GoogleTokens, standins.GoogleUserinfo,
		standins.GoogleKeys, standins.EntraLogin, standins.EntraGraph,
	} {
		setup.Clusters[host], setup.Sockets[host] = w.net.Addr(host), verifiedTLS(host, w.net.Authority())
	}
	for _, g := range gates[1:] {
		setup.Beside[g.name] = func(s *EnvoySetup) { s.Port, s.Config = g.port, g.settings() }
	}
	e := StartEnvoy(t, setup)
	for _, g := range gates {
		at := e
		if g.name != mainListener {
			at = e.At(g.name)
		}
		w.gates[g.name] = &Gate{Envoy: at, App: app, Provider: &Provider{Name: g.name, Issuer: g.issuer}}
	}
	for _, g := range gates[:len(gates)-1] { // the last has a page for the choice
		w.gates[g.name].waitProvider(t)
	}
	return w
}

func standinSecrets() map[string]string {
	secrets := NewSecrets()
	secrets["STANDIN_SECRET"] = standinSecret
	return secrets
}

// verifiedTLS is the transport socket that the pages about providers show.
func verifiedTLS(host, authority string) object {
	return typed("envoy.transport_sockets.tls", "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", object{
		"sni": host,
		"common_tls_context": object{"validation_context": object{
			"trusted_ca":                    object{"inline_string": authority},
			"match_typed_subject_alt_names": []object{{"san_type": "DNS", "matcher": object{"exact": host}}},
		}},
	})
}

func (w *Standins) register(t testing.TB, gates []*standinGate) {
	t.Helper()
	at := map[string]*standinGate{}
	for _, g := range gates {
		at[g.name] = g
	}
	githubApps := []*standins.GitHubApp{
		{ID: standinClient, Secret: standinSecret, Callback: at["gate"].callback()},
		{ID: "shop-all", Secret: standinSecret, Callback: at["all"].callback()},
		{ID: "shop-app", Secret: standinSecret, Callback: at["app"].callback(), TokenLife: 8 * time.Hour, Permissions: []string{"emails", "members"}},
	}
	w.github = must(standins.NewGitHub(w.net, githubApps, githubPeople()...))(t)
	enterpriseApps := []*standins.GitHubApp{{ID: standinClient, Secret: standinSecret, Callback: at["enterprise"].callback()}}
	w.enterprise = must(standins.NewGitHubEnterprise(w.net, enterpriseHost, enterpriseApps, githubPeople()...))(t)
	w.google = must(standins.NewGoogle(w.net,
		[]*standins.GoogleClient{{ID: standinClient, Secret: standinSecret, Redirects: []string{at["google"].callback(), at["all"].callback()}}},
		&standins.GoogleUser{Sub: "110169484474386276334", Email: "jane@example.com", Password: standinPass, Given: "Jane", Family: "Doe", Domain: "example.com"},
		&standins.GoogleUser{Sub: "110169484474386276336", Email: "new@example.com", Password: standinPass, Given: "New", Family: "Doe", Domain: "example.com", Unverified: true},
		&standins.GoogleUser{Sub: "110169484474386276335", Email: "eve@example.com.evil.example", Password: standinPass, Given: "Eve", Family: "Doe"},
	))(t)
	redirects := []string{
		at["entra"].callback(), at["many"].callback(), at["domain"].callback(), at["all"].callback() + "/entra",
		at["entra"].origin() + "/oauth2/signed_out",
	}
	w.entra = must(standins.NewEntra(w.net, []*standins.EntraApp{
		{ID: standinClient, Secret: standinSecret, Tenant: acmeTenant, Multi: true, Redirects: redirects, Groups: true, EDOV: true},
		{ID: apiV1, Secret: standinSecret, Tenant: acmeTenant, APIScopes: []string{"orders"}, APIVersion: 1},
		{ID: apiV2, Secret: standinSecret, Tenant: acmeTenant, APIScopes: []string{"orders"}, APIVersion: 2},
	}, entraTenants()...))(t)
}

// githubPeople are the same at both.
func githubPeople() []*standins.GitHubUser {
	mona := &standins.GitHubUser{
		ID: 9007199254740993, Login: "Octocat", Password: standinPass, Name: "Mona", Orgs: []string{"Acme"},
		Emails: []standins.GitHubEmail{
			{Email: "mona@other.example", Verified: true}, {Email: "mona@example.com", Primary: true, Verified: true},
		},
	}
	for i := range 130 { // two pages of a hundred
		mona.Teams = append(mona.Teams, standins.GitHubTeam{Org: "Acme", Slug: fmt.Sprintf("team-%d", i)})
	}
	nova := &standins.GitHubUser{
		ID: 2, Login: "nova", Password: standinPass, Name: "Nova", Orgs: []string{"acme"},
		Emails: []standins.GitHubEmail{{Email: "nova@example.com", Primary: true}, {Email: "nova@other.example", Verified: true}},
	}
	return []*standins.GitHubUser{mona, nova}
}

func entraTenants() []*standins.EntraTenant {
	abe := &standins.EntraUser{
		OID: "690222be-ff1a-4d56-abd1-7e4f7d38e474", UPN: "abe@acme.example", Password: standinPass, Name: "Abe", Email: "abe@acme.example",
		Groups: []string{entraGroup(7)}, Roles: []string{"Shop.Admin"}, OwnDomain: true,
	}
	max := &standins.EntraUser{OID: "690222be-ff1a-4d56-abd1-7e4f7d38e475", UPN: "max@acme.example", Password: standinPass, Name: "Max"}
	for i := range 250 {
		max.Groups = append(max.Groups, entraGroup(i))
	}
	ann := &standins.EntraUser{OID: "690222be-ff1a-4d56-abd1-7e4f7d38e478", UPN: "ann@acme.example", Password: standinPass, Name: "Ann", Email: "abe@acme.example"}
	eve := &standins.EntraUser{OID: "690222be-ff1a-4d56-abd1-7e4f7d38e476", UPN: "eve@other.example", Password: standinPass, Name: "Eve", Email: "abe@acme.example"}
	kim := &standins.EntraUser{OID: "690222be-ff1a-4d56-abd1-7e4f7d38e477", UPN: "kim@outlook.com", Password: standinPass, Name: "Kim"}
	return []*standins.EntraTenant{
		{ID: acmeTenant, Domain: "acme.example", Users: []*standins.EntraUser{abe, ann, max}},
		{ID: otherTenant, Domain: "other.example", Users: []*standins.EntraUser{eve}},
		{ID: standins.EntraConsumers, Domain: "live.com", Users: []*standins.EntraUser{kim}},
	}
}

func entraGroup(i int) string { return fmt.Sprintf("5f0dcb58-3b1e-4d7a-9d8e-%012d", i) }

// standinSettings are those of any of these gates. No address in them is a
// loopback one: what leads there are Envoy's clusters.
func standinSettings(rules []Settings, providers ...Settings) Settings {
	for _, p := range providers {
		if p["client_id"] == nil {
			p["client_id"] = standinClient
		}
		p["claims"] = Settings{"subject": "sub"}
		p["client_secret"], p["timeout"] = Settings{"env": "STANDIN_SECRET"}, "20s"
	}
	return Settings{
		"providers": providers, "hosts": []string{"localhost:*"}, "insecure_http_cookies": true,
		"session": Settings{"keys": []Settings{{"id": "k1", "env": "POSTERN_KEY"}}, "cookie": Settings{"name": SessionCookie}, "refresh": "1s"},
		"forward": Settings{
			"headers":      Settings{"x-auth-request-user": "user", "x-auth-request-email": "email", "x-subject": "subject"},
			"access_token": []string{"authorization"},
		},
		"rules": rules,
	}
}

func rule(path string, require Settings) Settings {
	return Settings{"match": Settings{"paths": []string{path}}, "require": require}
}

func githubProvider(name, client string) Settings {
	return Settings{
		"name": name, "type": "github", "cluster": "github.com", "clusters": Settings{"api.github.com": "api.github.com"}, "client_id": client,
	}
}

func githubRules() []Settings {
	return []Settings{
		rule("/last-team/*", Settings{"groups": []string{"acme/team-129"}}),
		rule("/no-team/*", Settings{"groups": []string{"acme/team-130"}}),
		rule("/org/*", Settings{"groups": []string{"acme"}}),
		rule("/primary/*", Settings{"email_domains": []string{"example.com"}}),
		rule("/secondary/*", Settings{"email_domains": []string{"other.example"}}),
	}
}

func githubSettings() Settings {
	return standinSettings(githubRules(), githubProvider("github", standinClient))
}

func githubAppSettings() Settings {
	p := githubProvider("github", "shop-app")
	p["scopes"] = []string{"user:email", "read:org"}
	return standinSettings(githubRules(), p)
}

func enterpriseSettings() Settings {
	return standinSettings(githubRules(), Settings{
		"name": "enterprise", "type": "github", "issuer": "https://" + enterpriseHost, "cluster": enterpriseHost,
	})
}

func googleProvider() Settings {
	clusters := Settings{}
	for _, host := range []string{standins.GoogleTokens, standins.GoogleUserinfo, standins.GoogleKeys} {
		clusters[host] = host
	}
	return Settings{
		"name": "google", "type": "google", "cluster": standins.GoogleAccounts, "clusters": clusters,
		"hosted_domains": []string{"example.com"}, "offline_access": true,
	}
}

func googleSettings() Settings {
	return standinSettings([]Settings{
		rule("/scoped/*", Settings{"scopes": []string{"email"}}),
		rule("/mail/*", Settings{"email_domains": []string{"example.com"}}),
	}, googleProvider())
}

func entraProvider(tenant string) Settings {
	return Settings{
		"name": "entra", "type": "entra", "tenant": tenant, "cluster": standins.EntraLogin,
		"clusters": Settings{standins.EntraGraph: standins.EntraGraph}, "scopes": []string{"openid", "profile", "email", "User.Read"},
		"offline_access": true,
	}
}

func entraSettings() Settings {
	s := standinSettings([]Settings{
		rule("/admin/*", Settings{"roles": []string{"Shop.Admin"}}),
		rule("/seventh/*", Settings{"groups": []string{entraGroup(7)}}),
		rule("/last/*", Settings{"groups": []string{entraGroup(249)}}),
		rule("/calendar/*", Settings{"scopes": []string{"Calendars.Read"}}),
		{"match": Settings{"paths": []string{"/api/*"}}, "accept": []string{"bearer"}, "require": Settings{"scopes": []string{"orders"}}},
	}, entraProvider(acmeTenant))
	s["bearer"] = []Settings{{"provider": "entra", "audiences": []string{"api://" + apiV1, apiV2}}}
	s["sign_out"] = Settings{"at_provider": true}
	return s
}

func manySettings() Settings {
	p := entraProvider("common")
	p["tenants"], p["scopes"] = []string{acmeTenant}, []string{"openid", "profile", "email"}
	s := standinSettings([]Settings{
		rule("/seventh/*", Settings{"groups": []string{entraGroup(7)}}),
		rule("/mail/*", Settings{"emails": []string{"abe@acme.example"}}),
		{"match": Settings{"paths": []string{"/api/*"}}, "accept": []string{"bearer"}},
	}, p)
	s["bearer"] = []Settings{{"provider": "entra", "audiences": []string{apiV2}}}
	return s
}

// domainSettings name the tenant by its domain, where Entra names it by its id.
func domainSettings() Settings { return standinSettings([]Settings{}, entraProvider("acme.example")) }

// allSettings give those an address of their own who do not say in their answers
// who they are. GitHub takes any address below the registered one.
func allSettings() Settings {
	github, entra := githubProvider("github", "shop-all"), entraProvider(acmeTenant)
	github["own_callback"], entra["own_callback"] = true, true
	return standinSettings([]Settings{}, github, googleProvider(), entra)
}

// Traveller is somebody with a browser of their own, who knows these services.
type Traveller struct {
	*Browser
	world *Standins
	who   string
	no    bool // says no to whatever applications want
}

func (w *Standins) traveller(who string) *Traveller {
	return &Traveller{Browser: newBrowser(w.net.Transport(dialLoopback)), world: w, who: who}
}

// arrive goes where an address leads, through all of a service's pages, to the
// page that is reached in the end.
func (p *Traveller) arrive(t testing.TB, address string) (way []*Page) {
	t.Helper()
	return p.goOn(t, must(p.Get(address))(t))
}

func (p *Traveller) goOn(t testing.TB, first *Page) (way []*Page) {
	t.Helper()
	way = must(p.Follow(first, nil))(t)
	for range 4 {
		page := last(way)
		if p.world.net.Addr(page.URL.Host) == "" || !strings.Contains(page.Body, "<form") {
			return way
		}
		next := must(p.Submit(page, p.answers(page)))(t)
		way = append(way, must(p.Follow(next, nil))(t)...)
	}
	t.Fatalf("no end of pages:%s\n%.500s", trail(way), last(way).Body)
	return nil
}

// answers fills in a page: the two fields of a login, or the one of a consent.
func (p *Traveller) answers(page *Page) map[string]string {
	for user, password := range map[string]string{"login": "password", "identifier": "Passwd", "loginfmt": "passwd"} {
		if page.hasField(password) {
			return map[string]string{user: p.who, password: standinPass}
		}
	}
	for field, no := range map[string]string{"authorize": "0", "allow": "no", "accept": "no"} {
		if p.no && page.hasField(field) {
			return map[string]string{field: no}
		}
	}
	return nil
}

// seen is what the application was told at the end of a way to a path.
func (p *Traveller) seen(t testing.TB, g *Gate, path string) *Seen {
	t.Helper()
	way := p.arrive(t, g.URL(path))
	if err := g.arrivedAt(way, path, http.StatusOK); err != nil {
		t.Fatalf("%v\n%.1500s", err, last(way).Body)
	}
	return must(ReadSeen(last(way)))(t)
}

// refused checks that a way ended with a page of the gate's that says no, for
// this reason, and that nobody is signed in.
func (p *Traveller) refused(t *testing.T, g *Gate, way []*Page, reason string) {
	t.Helper()
	page := last(way)
	if !g.Owns(page.URL) || page.Status < 400 || !strings.Contains(page.Body, reason) {
		t.Errorf("not refused by %s: %d at %s:%s\n%.2000s", reason, page.Status, page.URL, trail(way), page.Body)
	}
	if slices.Contains(p.Jar.Names(address(t, g.URL("/"))), SessionCookie) {
		t.Error("there is a session")
	}
}

// told checks what the application was told.
func told(t testing.TB, seen *Seen, want map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got := seen.Value(name); got != want[name] {
			t.Errorf("the application was told %s: %q, not %q", name, got, want[name])
		}
	}
}
