package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Levels is a gate in front of Keycloak, with rules about how and when somebody
// signed in, what was granted, and roles; and the same application behind
// other providers.
type Levels struct {
	*Gate
	Other *Gate
	Small *Gate     // at the provider that asks people what they consent to
	idp   *Embedded // which is this
}

// recently is how long ago people may have signed in, where that matters.
const recently = "5s"

func startLevels(t testing.TB) *Levels {
	t.Helper()
	p, other := KeycloakWithLevels(t), OIDCProvider(t)
	s, o := NewSettings(p), NewSettings(other)
	asLevels(s)
	provider(s)["leeway"] = "1s"
	s["bearer"] = []Settings{{"provider": p.Name, "audiences": []string{levelsClient}}}
	s["rules"] = levelRules()
	provider(o)["cluster"] = "other"
	o["rules"] = []Settings{{"name": "team", "match": Settings{"paths": []string{"/team/*"}}, "require": Settings{"groups": []string{"users"}}}}
	app, small := NewApp(t), newAsking(t)
	e := StartEnvoy(t, EnvoySetup{
		Workers: 2, App: app.Addr(), IDP: p.Addr(), Clusters: map[string]string{"other": other.Addr(), "small": small.Addr()},
		Env: NewSecrets(), Config: s, Tags: documentedTags(t), Listener: logsAnswers,
		Beside: map[string]func(*EnvoySetup){
			"other": func(s *EnvoySetup) { s.Config, s.Listener = o, nil },
			"small": func(s *EnvoySetup) { s.Config, s.Listener = askingSettings(small.Provider), nil },
		},
	})
	gate := func(e *Envoy, p *Provider) *Gate { return &Gate{Envoy: e, App: app, Provider: p} }
	w := &Levels{Gate: gate(e, p), Other: gate(e.At("other"), other), Small: gate(e.At("small"), small.Provider), idp: small}
	w.Small.Setup.Host = loopbackClient
	for _, g := range []*Gate{w.Gate, w.Other, w.Small} {
		g.waitProvider(t)
	}
	return w
}

// newAsking starts a provider that asks people whether a client may have the
// scope for orders.
func newAsking(t testing.TB) *Embedded {
	client := shopClient()
	client.ConsentScopes = []string{ordersScope}
	return newEmbedded(t, client)
}

func askingSettings(p *Provider) Settings {
	s := NewSettings(p)
	provider(s)["cluster"] = "small"
	s["hosts"] = []string{loopbackClient + ":*"}
	s["rules"] = []Settings{
		{"name": "orders", "match": Settings{"paths": []string{"/orders/*"}}, "require": Settings{"scopes": []string{ordersScope}}},
		{"name": "gold", "match": Settings{"paths": []string{"/gold/*"}}, "require": Settings{"acr": []string{"gold"}, "max_age": "10m"}},
	}
	return s
}

func levelRules() []Settings {
	at := func(name string, require Settings) Settings {
		return Settings{"name": name, "match": Settings{"paths": []string{"/" + name + "/*"}}, "accept": []string{"session", "bearer"}, "require": require}
	}
	told := at("told", nil)
	delete(told, "require")
	told["forward"] = Settings{"assertion": Settings{"audience": "told", "claims": []string{"user", "groups", "roles"}}}
	return []Settings{
		{"name": "public", "match": Settings{"paths": []string{"/public/*"}}, "allow": "anyone"},
		at("gold", Settings{"acr": []string{"gold"}}),
		at("platinum", Settings{"acr": []string{"platinum"}}),
		at("recent", Settings{"max_age": recently}),
		at("orders", Settings{"scopes": []string{ordersScope}}),
		at("keepers", Settings{"roles": []string{"shopkeeper"}}),
		at("editors", Settings{"claims": Settings{"client_roles": []string{"editor"}}}),
		at("team", Settings{"groups": []string{"group2"}}),
		told,
	}
}

// logsAnswers has the access log say what was answered, and why.
func logsAnswers(listener map[string]any) {
	connectionManagerOf(listener)["access_log"] = []object{typed("envoy.access_loggers.stdout",
		"type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
		object{"log_format": object{"text_format_source": object{"inline_string": "answered %RESPONSE_CODE% %RESPONSE_CODE_DETAILS%\n"}}})}
}

// documentedTags are those of the configuration that people are given.
func documentedTags(t testing.TB) []any {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "envoy", "envoy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var bootstrap struct {
		Stats struct {
			Tags []any `json:"stats_tags"`
		} `json:"stats_config"`
	}
	if err := yaml.Unmarshal(text, &bootstrap); err != nil || len(bootstrap.Stats.Tags) == 0 {
		t.Fatalf("envoy/envoy.yaml has no tags: %v", err)
	}
	return bootstrap.Stats.Tags
}

// SignInFresh signs somebody in, in a browser of their own, and returns the
// access token that the application was given.
func (w *Levels) SignInFresh(t testing.TB, who Person) (*Browser, string) {
	t.Helper()
	b := NewBrowser()
	page, err := w.SignIn(b, "/home", who)
	if err != nil {
		t.Fatal(err)
	}
	return b, accessToken(t, page)
}

func accessToken(t testing.TB, page *Page) string {
	t.Helper()
	seen, err := ReadSeen(page)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(seen.Value("authorization"), "Bearer ")
}

// Visit opens a page and goes where it leads, as long as that asks nothing.
func (w *Levels) Visit(b *Browser, path string) (way []*Page, last *Page, err error) {
	page, err := b.Get(w.URL(path))
	if err != nil {
		return nil, nil, err
	}
	way, err = b.Follow(page, nil)
	return way, way[len(way)-1], err
}

// asked are the requests to sign in that a way leads over.
func (g *Gate) asked(way []*Page) (requests []url.Values) {
	for _, p := range way {
		if to := p.Location(); to != nil && g.Owns(p.URL) && g.Provider.Owns(to) {
			requests = append(requests, to.Query())
		}
	}
	return requests
}

// arrivedAt is an error unless a way ends so.
func (g *Gate) arrivedAt(way []*Page, path string, status int) error {
	last := way[len(way)-1]
	if last.URL.String() != g.URL(path) || last.Status != status {
		return fmt.Errorf("e2e: the way ends with %d at %s, not with %d at %s:%s", last.Status, last.URL, status, path, trail(way))
	}
	return nil
}

// hasField says whether a page has a form that asks for something.
func (p *Page) hasField(name string) bool {
	_, err := p.form(map[string]string{name: ""})
	return p.Status == http.StatusOK && err == nil
}
