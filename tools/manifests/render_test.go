package manifests

import (
	"encoding/json"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/quic/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// What `postern render` prints is in goldens; here these are held to the types of
// Envoy and to the schemas of Istio.
const rendered = "internal/render/testdata/"

func TestEnvoyTakesEachRenderedBootstrap(t *testing.T) {
	files, err := filepath.Glob(repository + rendered + "envoy/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var value map[string]any
			if err := yaml.Unmarshal(read(t, file), &value); err != nil {
				t.Fatal(err)
			}
			var b bootstrapv3.Bootstrap
			if err := strictly(value, &b); err != nil {
				t.Fatal(err)
			}
			verifiedClusters(t, &b)
			for _, l := range b.StaticResources.Listeners {
				boundedListener(t, l)
			}
		})
	}
	if err := strictly(map[string]any{"static_resource": map[string]any{}}, &bootstrapv3.Bootstrap{}); err == nil {
		t.Error("an unknown field is accepted")
	}
}

// verifiedClusters holds the ways to https to authorities and to a name.
func verifiedClusters(t *testing.T, b *bootstrapv3.Bootstrap) {
	t.Helper()
	for _, c := range b.StaticResources.Clusters {
		if c.TransportSocket == nil {
			continue
		}
		var tls tlsv3.UpstreamTlsContext
		if err := c.TransportSocket.GetTypedConfig().UnmarshalTo(&tls); err != nil {
			t.Fatal(err)
		}
		if err := tls.ValidateAll(); err != nil {
			t.Errorf("cluster %s: %v", c.Name, err)
		}
		v := tls.CommonTlsContext.GetValidationContext()
		switch names := v.GetMatchTypedSubjectAltNames(); {
		case v.GetTrustedCa() == nil || len(names) != 1:
			t.Errorf("cluster %s verifies nothing: %v", c.Name, v)
		case names[0].SanType == tlsv3.SubjectAltNameMatcher_DNS && names[0].Matcher.GetExact() != tls.Sni:
			t.Errorf("cluster %s asks for %s and verifies %s", c.Name, tls.Sni, names[0].Matcher.GetExact())
		}
	}
}

func boundedListener(t *testing.T, l *listenerv3.Listener) {
	t.Helper()
	if l.PerConnectionBufferLimitBytes == nil {
		t.Errorf("listener %s buffers without a bound of its own", l.Name)
	}
}

func TestAClusterTakesEachRenderedManifest(t *testing.T) {
	known, kinds := istioResources(t), map[string]int{}
	for _, o := range objects(t, rendered+"istio") {
		kinds[o.Kind]++
		if err := accept(known, o); err != nil {
			t.Errorf("%s, %s %s: %v", o.file, o.Kind, o.Metadata.Name, err)
		}
		if o.Kind == "EnvoyFilter" {
			rightPatches(t, o)
		}
	}
	for _, kind := range []string{"WasmPlugin", "EnvoyFilter", "ServiceEntry", "DestinationRule", "Telemetry", "ConfigMap"} {
		if kinds[kind] == 0 {
			t.Errorf("there is no %s", kind)
		}
	}
	if kinds["Secret"] > 0 {
		t.Error("a Secret is rendered, which would be overwritten with nothing")
	}
}

func rightPatches(t *testing.T, o *object) {
	t.Helper()
	var spec struct {
		ConfigPatches []struct {
			ApplyTo string
			Patch   struct{ Value map[string]any }
		}
	}
	if err := json.Unmarshal(o.Spec, &spec); err != nil {
		t.Fatal(err)
	}
	for _, p := range spec.ConfigPatches {
		if err := patched(p.ApplyTo, p.Patch.Value); err != nil {
			t.Errorf("%s: %s: %v", o.file, p.ApplyTo, err)
		}
	}
}

// TestARenderedKustomizationBuilds also holds what stands beside it to the kinds
// that it is for.
func TestARenderedKustomizationBuilds(t *testing.T) {
	folder := repository + rendered + "kustomize"
	known := istioResources(t)
	built := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "kustomization.yaml" {
			return err
		}
		built++
		all, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Dir(path))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		text, err := all.AsYaml()
		if err != nil {
			return err
		}
		for _, o := range objectsOf(t, text) {
			if err := accept(known, o); err != nil {
				t.Errorf("%s, %s %s: %v", path, o.Kind, o.Metadata.Name, err)
			}
		}
		return nil
	})
	if err != nil || built < 10 {
		t.Fatalf("%d kustomizations, %v", built, err)
	}
}

// TestRenderedProxiesAreGivenTheVariables is about what is written for the charts
// and Deployments of others: each variable of the plugin is among them.
func TestRenderedProxiesAreGivenTheVariables(t *testing.T) {
	for _, o := range objects(t, rendered+"istio") {
		if o.Kind != "WasmPlugin" {
			continue
		}
		whole := string(read(t, repository+o.file))
		var spec struct {
			VMConfig   struct{ Env []struct{ Name string } }
			TargetRefs []struct{ Kind string }
		}
		if err := json.Unmarshal(o.Spec, &spec); err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(spec.TargetRefs, func(r struct{ Kind string }) bool { return r.Kind == "Service" }) {
			continue // the waypoint's own Gateway brings them
		}
		for _, v := range spec.VMConfig.Env {
			if !strings.Contains(whole, "secretKeyRef: {name: postern") && !strings.Contains(whole, "key: "+v.Name+"}") {
				t.Errorf("%s: nothing brings %s to the proxy", o.file, v.Name)
			}
		}
	}
}
