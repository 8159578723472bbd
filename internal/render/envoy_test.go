package render

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/manifest"
)

var envoyCases = []struct {
	name     string
	settings string
	options  EnvoyOptions
}{
	{"keycloak", "keycloak.yaml", EnvoyOptions{Upstreams: []string{"127.0.0.1:3000"}, Hops: 1, Command: "postern render envoy -c settings.yaml"}},
	{"google", "google.yaml", EnvoyOptions{Certificate: "/etc/postern/tls.crt", Key: "/etc/postern/tls.key", Listen: "[::]:443", HTTPRedirect: "[::]:80", Upstreams: []string{"https://app.internal.example.com"}}},
	{"entra", "entra.yaml", EnvoyOptions{Certificate: "/etc/postern/tls.crt", Key: "/etc/postern/tls.key", HTTP3: true, Listen: "0.0.0.0:443", Upstreams: []string{"app:3000"}}},
	{"github", "github.yaml", EnvoyOptions{Upstreams: []string{"127.0.0.1:3000"}, Hops: 2, Admin: "0.0.0.0:9901"}},
	{"gitlab", "gitlab.yaml", EnvoyOptions{}},
	{"okta", "okta.yaml", EnvoyOptions{Connect: []string{"example.okta.com=10.0.0.7:8443"}, CA: "/etc/postern/authority.pem"}},
	{"auth0", "auth0.yaml", EnvoyOptions{Sidecar: true, Upstreams: []string{"127.0.0.1:3000"}}},
	{"oauth2", "oauth2.yaml", EnvoyOptions{Upstreams: []string{"127.0.0.1:3000"}}},
	{"several", "several.yaml", EnvoyOptions{Upstreams: []string{"a.shop.example.com=10.0.0.1:80", "b.shop.example.com=https://b.internal:8443", "elsewhere.example.com=10.0.0.3:80"}, Hops: 1}},
	{"both", "both.yaml", EnvoyOptions{Sidecar: true, Upstreams: []string{"127.0.0.1:3000", "stock.stock.svc.cluster.local=10.1.2.3:8080"}}},
	{"client", "client.yaml", EnvoyOptions{Outbound: "0.0.0.0:15001"}},
	{"secrets", "secrets.json", EnvoyOptions{Upstreams: []string{"127.0.0.1:3000"}, Hops: 1}},
	{"peers", "peers.yaml", EnvoyOptions{Upstreams: []string{"127.0.0.1:3000"}, Certificate: "/etc/postern/tls.crt", Key: "/etc/postern/tls.key", PeerCA: "/etc/postern/peers.pem"}},
	{"laptop", "laptop.yaml", EnvoyOptions{Listen: "127.0.0.1:10000", Upstreams: []string{"127.0.0.1:10002"}, Module: "build/postern.wasm"}},
}

func TestSettingsBecomeABootstrap(t *testing.T) {
	for _, c := range envoyCases {
		t.Run(c.name, func(t *testing.T) {
			s, err := ReadForEnvoy(settingsFile(t, c.settings), Reading{Lookup: lookup})
			if err != nil {
				t.Fatal(err)
			}
			out, err := Envoy(s, c.options)
			if err != nil {
				t.Fatal(err)
			}
			text := out.Files[0].Text
			golden(t, filepath.Join("testdata", "envoy", c.name+".yaml"), withNotes(text, out.Notes))
			for _, f := range accepted(t, text) {
				whole(t, &f, s)
			}
		})
	}
}

// whole holds what is around settings to what they need.
func whole(t *testing.T, f *manifest.Found, s *Settings) {
	t.Helper()
	if f.FailurePolicy != manifest.FailReload || f.VMID == "" || !f.AllowStop || !f.AllClusters {
		t.Errorf("failure policy %s, VM id %q, stop allowed %v", f.FailurePolicy, f.VMID, f.AllowStop)
	}
	for _, name := range s.variableNames() {
		if !f.HandsOver(name) {
			t.Errorf("the variable %s is not handed over", name)
		}
	}
	for i := range s.Providers {
		p := &s.Providers[i]
		names := []string{p.Cluster}
		for _, name := range p.Clusters {
			names = append(names, name)
		}
		for _, name := range names {
			if !slices.ContainsFunc(f.Clusters, func(c manifest.Cluster) bool { return c.Name == name }) {
				t.Errorf("there is no cluster %s", name)
			}
		}
	}
}

func TestNoSecretIsRendered(t *testing.T) {
	s, err := ReadForEnvoy(settingsFile(t, "secrets.json"), Reading{Lookup: lookup})
	if err != nil {
		t.Fatal(err)
	}
	out, err := Envoy(s, EnvoyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"f5d0b6b1", "3q2"} {
		if text := string(out.Files[0].Text) + strings.Join(out.Notes, ""); strings.Contains(text, secret) {
			t.Errorf("%q is in what was rendered", secret)
		}
	}
	kept, err := ReadForEnvoy(settingsFile(t, "secrets.json"), Reading{Lookup: lookup, KeepSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	if text := kept.YAML(); !strings.Contains(text, "f5d0b6b1") || len(kept.Notes) != 3 {
		t.Errorf("secrets are not kept where they are to be: %v\n%s", kept.Notes, text)
	}
}
