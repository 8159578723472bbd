package render

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/manifest"
)

const image = "oci://registry.example.com/postern@sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

var istioCases = []struct {
	name     string
	settings string
	options  IstioOptions
}{
	{"keycloak", "keycloak.yaml", IstioOptions{Namespace: "istio-ingress", Target: "Gateway/shop", Image: image, Command: "postern render istio -c settings.yaml --target-ref Gateway/shop"}},
	{"google", "google.yaml", IstioOptions{Selector: []string{"istio=ingressgateway"}}},
	{"entra", "entra.yaml", IstioOptions{Selector: []string{"app=shop", "app.kubernetes.io/part-of=web"}, Sidecar: true, Image: "oci://registry.example.com/postern:1.0"}},
	{"github", "github.yaml", IstioOptions{Target: "Service/shop", Image: image, Log: "-"}},
	{"gitlab", "gitlab.yaml", IstioOptions{Selector: []string{"istio=ingressgateway"}, Image: image, Secret: "gitlab-client", Bodies: true}},
	{"okta", "okta.yaml", IstioOptions{Target: "Gateway/shop", Image: image, Bodies: true, Name: "postern-okta"}},
	{"auth0", "auth0.yaml", IstioOptions{Target: "Gateway/shop", Image: image}},
	{"oauth2", "oauth2.yaml", IstioOptions{Target: "Gateway/shop", Image: image}},
	{"both", "both.yaml", IstioOptions{Selector: []string{"app=shop"}, Sidecar: true, Image: image}},
	{"client", "client.yaml", IstioOptions{Selector: []string{"app=shop"}, Sidecar: true, Image: image, Name: "postern-outbound"}},
	{"secrets", "secrets.json", IstioOptions{Target: "Gateway/shop", Image: image}},
}

func TestSettingsBecomeManifests(t *testing.T) {
	for _, c := range istioCases {
		t.Run(c.name, func(t *testing.T) {
			s, err := ReadForIstio(settingsFile(t, c.settings), Reading{Lookup: lookup})
			if err != nil {
				t.Fatal(err)
			}
			out, err := Istio(s, c.options)
			if err != nil {
				t.Fatal(err)
			}
			text := out.Files[0].Text
			golden(t, filepath.Join("testdata", "istio", c.name+".yaml"), withNotes(text, out.Notes))
			for _, f := range accepted(t, text) {
				wellPlaced(t, &f, s)
			}
			for _, to := range s.reached {
				if !bytes.Contains(text, []byte("hosts: ["+to.Host+"]")) || to.TLS && !bytes.Contains(text, []byte("subjectAltNames: ["+to.Host+"]")) {
					t.Errorf("there is no verified way to %s", to.Host)
				}
			}
		})
	}
}

func wellPlaced(t *testing.T, f *manifest.Found, s *Settings) {
	t.Helper()
	if f.FailurePolicy != manifest.FailReload {
		t.Errorf("failure policy %s", f.FailurePolicy)
	}
	if f.Kind == manifest.WasmPlugin && f.Phase != "AUTHN" {
		t.Errorf("phase %s", f.Phase)
	}
	for _, name := range s.variableNames() {
		if !f.HandsOver(name) {
			t.Errorf("the variable %s is not handed over", name)
		}
	}
	for i := range s.Providers {
		if name := s.Providers[i].Cluster; !strings.HasPrefix(name, "outbound|") {
			t.Errorf("%s is no cluster of Istio's", name)
		}
	}
}

func TestAKustomizationHasWhatTheOneFileHas(t *testing.T) {
	for _, c := range istioCases {
		t.Run(c.name, func(t *testing.T) {
			s, err := ReadForIstio(settingsFile(t, c.settings), Reading{Lookup: lookup})
			if err != nil {
				t.Fatal(err)
			}
			one, err := Istio(s, c.options)
			if err != nil {
				t.Fatal(err)
			}
			c.options.Kustomize = true
			out, err := Istio(s, c.options)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range out.Files {
				golden(t, filepath.Join("testdata", "kustomize", c.name, f.Name), f.Text)
				if f.Name == "kustomization.yaml" {
					continue
				}
				if object := f.Name != "values.yaml" && f.Name != "deployment-patch.yaml"; object != bytes.Contains(one.Files[0].Text, f.Text) {
					t.Errorf("%s is in one and not in the other", f.Name)
				}
			}
		})
	}
}
