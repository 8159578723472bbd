package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// renderedGoldens is where the room that renders keeps what it made of settings.
const renderedGoldens = "../../internal/render/testdata"

const toRender = `
providers:
- name: demo # as people know it
  issuer: https://id.example.com
  client_id: shop
  client_secret: {value: hush-hush-hush}
hosts: [shop.example.com]
session: {keys: [{id: a, env: RENDER_KEY}]}
`

// warned are what check warns of because it was asked for: an open admin interface,
// settings for a laptop, an image by its tag.
var warned = []string{"envoy/github.yaml", "envoy/laptop.yaml", "istio/entra.yaml"}

func TestWhatIsRenderedPassesCheck(t *testing.T) {
	files, err := filepath.Glob(renderedGoldens + "/*/*.yaml")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		if filepath.Base(filepath.Dir(file)) == "settings" {
			continue // clusters are for render to fill in
		}
		args := []string{"check", file}
		if !slices.ContainsFunc(warned, func(name string) bool { return strings.HasSuffix(file, name) }) {
			args = append(args, "--strict")
		}
		code, out, errOut := run(t, "", args...)
		if code != 0 || !strings.Contains(out, "The settings are valid.") {
			t.Errorf("%s: exit %d: %s%s", file, code, out, errOut)
		}
	}
}

func TestRenderPrintsABootstrapAndWhatToDoBeside(t *testing.T) {
	code, out, errOut := run(t, toRender, "render", "envoy", "--upstream", "127.0.0.1:3000", "--hops", "1")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errOut)
	}
	for _, want := range []string{
		" --hops 1 --upstream 127.0.0.1:3000\n", "- name: demo # as people know it\n", "port_value: 3000",
		"client_secret: {env: DEMO_CLIENT_SECRET}", "host_env_keys: [RENDER_KEY, DEMO_CLIENT_SECRET]", "trusted_ca:",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, want := range []string{"note: providers[0].client_secret was spelled out", "note: Settings of demo named no cluster"} {
		if !strings.Contains(errOut, want) {
			t.Errorf("standard error lacks %q: %s", want, errOut)
		}
	}
	if strings.Contains(out+errOut, "hush") {
		t.Error("the secret is shown")
	}
	if code, _, errOut := run(t, out, "check", "--strict"); code != 0 {
		t.Errorf("check: %d: %s", code, errOut)
	}
}

func TestRenderLeavesASecretWhereThatIsWanted(t *testing.T) {
	code, out, errOut := run(t, toRender, "render", "envoy", "--insecure-inline-secrets")
	if code != 0 || !strings.Contains(out, "hush-hush-hush") || strings.Contains(errOut, "hush") || !strings.Contains(errOut, "client_secret is spelled out") {
		t.Errorf("exit %d: %s", code, errOut)
	}
}

func TestRenderTakesSettingsOutOfAManifest(t *testing.T) {
	code, manifest, errOut := run(t, toRender, "render", "istio", "--target-ref", "Gateway/shop")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errOut)
	}
	code, out, errOut := run(t, manifest, "render", "envoy", "--connect-to", "id.example.com=10.0.0.1:8443")
	if code != 0 || !strings.Contains(out, `name: "outbound|443||id.example.com"`) || !strings.Contains(out, "{address: 10.0.0.1, port_value: 8443}") {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
}

func TestRenderWritesAKustomization(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deploy")
	code, out, errOut := run(t, toRender, "render", "istio", "--selector", "app=shop", "--sidecar", "--kustomize", dir)
	if code != 0 || !strings.Contains(out, "kustomization.yaml") {
		t.Fatalf("exit %d: %s%s", code, out, errOut)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{"deployment-patch.yaml", "kustomization.yaml", "postern-id-example-com.yaml", "telemetry.yaml", "wasmplugin.yaml"}
	if !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
}

func TestRenderWritesJSON(t *testing.T) {
	code, out, errOut := run(t, toRender, "render", "istio", "--target-ref", "Gateway/shop", "-o", "json")
	var got rendered
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || errOut != "" {
		t.Fatalf("exit %d, %v: %s", code, err, errOut)
	}
	if len(got.Files) != 1 || !strings.Contains(got.Files[0].Text, "kind: WasmPlugin") || len(got.Notes) == 0 {
		t.Errorf("%d files, notes %v", len(got.Files), got.Notes)
	}
}

func TestRenderRefuses(t *testing.T) {
	two := toRender + "---" + toRender
	for name, c := range map[string]struct {
		stdin string
		args  []string
		code  int
		want  string
	}{
		"neither envoy nor istio":               {"", nil, exitUsage, "for what?"},
		"no settings":                           {"", []string{"envoy"}, exitUsage, "no settings given"},
		"a file that is not there":              {"", []string{"envoy", "-c", "nowhere.yaml"}, exitUsage, "nowhere.yaml"},
		"a file without settings":               {"a: b", []string{"envoy"}, exitFailed, "no settings of Postern's"},
		"settings in several places":            {two, []string{"envoy"}, exitFailed, "2 places"},
		"settings that the module would refuse": {strings.Replace(toRender, "[shop.example.com]", `["*"]`, 1), []string{"envoy"}, exitFailed, "hosts[0]"},
		"a certificate without its key":         {toRender, []string{"envoy", "--tls-cert", "x"}, exitUsage, "go together"},
		"HTTP/3 without a certificate":          {toRender, []string{"envoy", "--http3"}, exitUsage, "HTTP/3"},
		"an address that is none":               {toRender, []string{"envoy", "--listen", "8080"}, exitUsage, "listen"},
		"an upstream that is none":              {toRender, []string{"envoy", "--upstream", "ftp://x:1"}, exitUsage, "ftp"},
		"two upstreams for everything":          {toRender, []string{"envoy", "--upstream", "a:1", "--upstream", "b:1"}, exitUsage, "twice"},
		"a way to a host that is never called":  {toRender, []string{"envoy", "--connect-to", "x.example.com=a:1"}, exitUsage, "reach no host"},
		"an output that is none":                {toRender, []string{"envoy", "-o", "xml"}, exitUsage, "xml"},
		"Istio for everybody":                   {toRender, []string{"istio"}, exitUsage, "every proxy of the namespace"},
		"a target that is none":                 {toRender, []string{"istio", "--target-ref", "Deployment/shop"}, exitUsage, "Deployment/shop"},
		"a target and a selector":               {toRender, []string{"istio", "--target-ref", "Gateway/a", "--selector", "a=b"}, exitUsage, "contradict"},
		"a selector that breaks out":            {toRender, []string{"istio", "--selector", "a=b}\nx: {"}, exitUsage, "not a label"},
		"a name that breaks out":                {toRender, []string{"istio", "--selector", "a=b", "--name", "a\nb"}, exitUsage, "not a name"},
		"an address as a provider in Istio":     {strings.Replace(toRender, "//id.example.com", "//10.0.0.1", 1), []string{"istio", "--selector", "a=b"}, exitFailed, "is an address"},
	} {
		code, out, errOut := run(t, c.stdin, append([]string{"render"}, c.args...)...)
		if code != c.code || out != "" || !strings.Contains(errOut, c.want) {
			t.Errorf("%s: exit %d, want %d: %q %q", name, code, c.code, out, errOut)
		}
	}
}
