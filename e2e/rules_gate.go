package e2e

import (
	"fmt"
	"testing"
)

// Hosts of the two applications, and of what is open to anyone.
const (
	app1Host = "app1.localhost"
	app2Host = "app2.localhost"
	openHost = "www.localhost"
)

// Applications is the scenario of two applications: one for everybody who is
// signed in, one for group2, and a part that is for anyone.
type Applications struct {
	*Gate        // by path; Envoy leaves paths as they come
	Normal *Gate // the same, but that Envoy normalises paths first
	Hosts  *Gate // by host
}

// startApplications runs them behind one Envoy, in front of Keycloak.
func startApplications(t testing.TB, version string) *Applications {
	t.Helper()
	p := KeycloakWithLevels(t)
	port, release, err := ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	app, byPath, byHost := NewApp(t), NewSettings(p), NewSettings(p)
	asLevels(byPath)
	byPath["rules"] = []Settings{
		{"name": "public", "match": Settings{"paths": []string{"/public/*"}}, "allow": "anyone"},
		{"name": "app2", "match": Settings{"paths": []string{"/app2/*"}}, "require": Settings{"groups": []string{"group2"}}},
		{"name": "app1", "match": Settings{"paths": []string{"/app1/*"}}},
	}
	asLevels(byHost)
	at := func(host string) string { return fmt.Sprintf("%s:%d", host, port) }
	byHost["public_url"] = "http://" + at("localhost")
	byHost["hosts"] = []string{at("localhost"), at(app1Host), at(app2Host), at(openHost)}
	byHost["rules"] = []Settings{
		{"name": "public", "match": Settings{"hosts": []string{at(openHost)}}, "allow": "anyone"},
		{"name": "app2", "match": Settings{"hosts": []string{at(app2Host)}}, "require": Settings{"groups": []string{"group2"}}},
	}
	e := StartEnvoy(t, EnvoySetup{
		Version: version, Workers: 2, App: app.Addr(), IDP: p.Addr(), Env: NewSecrets(), Config: byPath,
		Beside: map[string]func(*EnvoySetup){
			"normal": func(s *EnvoySetup) { s.Listener = normalisesPaths },
			"hosts":  func(s *EnvoySetup) { s.Port, s.Config = port, byHost },
		},
	})
	gate := func(e *Envoy) *Gate { return &Gate{Envoy: e, App: app, Provider: p} }
	a := &Applications{Gate: gate(e), Normal: gate(e.At("normal")), Hosts: gate(e.At("hosts"))}
	for _, g := range []*Gate{a.Gate, a.Normal, a.Hosts} {
		g.waitProvider(t)
	}
	return a
}

// asLevels makes settings those of the client with levels, at a Keycloak.
func asLevels(s Settings) {
	p := provider(s)
	p["client_id"], p["type"] = levelsClient, "keycloak"
	delete(p, "claims")
}

// normalisesPaths has Envoy do to paths what it can.
func normalisesPaths(listener map[string]any) {
	m := connectionManagerOf(listener)
	m["normalize_path"], m["merge_slashes"] = true, true
	m["path_with_escaped_slashes_action"] = "UNESCAPE_AND_FORWARD"
}

// connectionManagerOf is the configuration of a listener's connection manager.
func connectionManagerOf(listener map[string]any) object {
	chain := listener["filter_chains"].([]object)[0]
	return chain["filters"].([]object)[0]["typed_config"].(object)
}
