package manifests

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/credential_injector/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/upstream_codec/v3"
	wasmfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/wasm/v3"
	managerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/http/injected_credentials/generic/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	wasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/wasm/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	meshv1alpha1 "istio.io/api/mesh/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// What the API server of a cluster with Istio and the Gateway API knows.
func istioResources(t testing.TB) resources {
	t.Helper()
	return definitions(t, filepath.Join(moduleDir(t, "istio.io/api"), "kubernetes"), gatewayAPI(t))
}

// object is as much of an object as the tests here look at.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Spec json.RawMessage   `json:"spec"`
	Data map[string]string `json:"data"`

	file string
	text []byte
}

// notObjects are files of istio/ that are for something else than a cluster.
var notObjects = []string{"kustomization.yaml", "values.yaml", "injection.yaml", "mesh-config.yaml", "Chart.yaml"}

// objects are those in the files below a folder of the repository.
func objects(t testing.TB, folder string) (all []*object) {
	t.Helper()
	err := filepath.WalkDir(repository+folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "templates" || entry.Name() == "values"):
			return fs.SkipDir
		case filepath.Ext(path) != ".yaml" || slices.Contains(notObjects, entry.Name()):
			return nil
		}
		found := objectsOf(t, read(t, path))
		for _, o := range found {
			o.file = strings.TrimPrefix(path, repository)
		}
		all = append(all, found...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func objectsOf(t testing.TB, text []byte) (all []*object) {
	t.Helper()
	docs, err := documents(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range docs {
		o := &object{text: doc}
		if err := yaml.Unmarshal(doc, o); err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

// accept says what a cluster would say of an object.
func accept(r resources, o *object) error {
	switch o.APIVersion + " " + o.Kind {
	case "v1 ConfigMap":
		return yaml.UnmarshalStrict(o.text, &corev1.ConfigMap{})
	case "v1 Service":
		return yaml.UnmarshalStrict(o.text, &corev1.Service{})
	case "apps/v1 Deployment":
		return yaml.UnmarshalStrict(o.text, &appsv1.Deployment{})
	}
	return r.check(o.text)
}

func TestAClusterTakesEachManifestOfIstio(t *testing.T) {
	known, kinds := istioResources(t), map[string]int{}
	for _, o := range objects(t, "istio") {
		kinds[o.Kind]++
		if err := accept(known, o); err != nil {
			t.Errorf("%s, %s %s: %v", o.file, o.Kind, o.Metadata.Name, err)
		}
	}
	for _, kind := range []string{"WasmPlugin", "EnvoyFilter", "ServiceEntry", "DestinationRule", "RequestAuthentication", "AuthorizationPolicy", "Telemetry", "Gateway", "ConfigMap", "Deployment"} {
		if kinds[kind] == 0 {
			t.Errorf("there is no %s", kind)
		}
	}
}

func TestAClusterRefuses(t *testing.T) {
	known, plugin := istioResources(t), string(read(t, repository+"istio/sidecar/wasmplugin.yaml"))
	if err := known.check([]byte(plugin)); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ old, new, want string }{
		"a field that it does not know":          {"failStrategy:", "failurePolicy:", "unknown field spec.failurePolicy"},
		"a key that is given twice":              {"  phase: AUTHN", "  phase: AUTHN\n  phase: AUTHZ", "already"},
		"a word that is none of those":           {"FAIL_RELOAD", "FAIL_CLOSED", "Unsupported value"},
		"a selector and a target":                {"  match:", "  targetRefs: [{kind: Service, name: shop}]\n  match:", "only one of targetRefs or selector"},
		"a value for a variable of the host's":   {"POSTERN_KEY, valueFrom: HOST}", "POSTERN_KEY, valueFrom: HOST, value: x}", "value may only be set when valueFrom is INLINE"},
		"a variable that is given twice":         {"{name: SHOP_CLIENT_SECRET, valueFrom", "{name: POSTERN_KEY, valueFrom", "Duplicate value"},
		"a scheme that nobody pulls from":        {"oci://", "ftp://", "url must have schema one of"},
		"a plugin without a module":              {"  url:", "  verificationKey:", "Required value"},
		"a checksum that is none":                {"  pluginName:", "  sha256: abc\n  pluginName:", "should match"},
		"settings that are not an object":        {"  pluginConfig:\n", "  pluginConfig: 1\n  xs:\n", "must be of type object"},
		"labels with a star":                     {"{app: shop}", "{app: 'sh*'}", "wildcard"},
		"an object of a version that is no more": {"extensions.istio.io/v1alpha1", "extensions.istio.io/v1", "no such kind"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(plugin, test.old, test.new, 1)
			if changed == plugin {
				t.Fatal("nothing was changed")
			}
			refusal(t, known.check([]byte(changed)), test.want)
		})
	}
}

// TestPluginsFailClosedAndHoldNoSecret is about what a CRD leaves to us.
func TestPluginsFailClosedAndHoldNoSecret(t *testing.T) {
	seen := 0
	for _, o := range objects(t, "istio") {
		if o.Kind != "WasmPlugin" {
			continue
		}
		seen++
		var spec struct {
			URL, Phase, FailStrategy, PluginName string
			Priority                             int
			VMConfig                             struct {
				Env []struct{ Name, ValueFrom string }
			}
		}
		if err := json.Unmarshal(o.Spec, &spec); err != nil {
			t.Fatal(err)
		}
		if spec.Phase != "AUTHN" || spec.FailStrategy != "FAIL_RELOAD" || spec.Priority < 1 || spec.PluginName == "" {
			t.Errorf("%s: %+v", o.file, spec)
		}
		if !strings.HasPrefix(spec.URL, "oci://") || !strings.Contains(spec.URL, "@sha256:") && !strings.HasPrefix(o.file, "istio/testdata") {
			t.Errorf("%s: the module is %s", o.file, spec.URL)
		}
		if len(spec.VMConfig.Env) == 0 {
			t.Errorf("%s: no variables", o.file)
		}
		for _, v := range spec.VMConfig.Env {
			if v.ValueFrom != "HOST" {
				t.Errorf("%s: %s stands in the manifest", o.file, v.Name)
			}
		}
	}
	if seen < 6 {
		t.Errorf("%d plugins", seen)
	}
}

func TestProvidersAreKnownByTheirNames(t *testing.T) {
	for _, o := range objects(t, "istio") {
		if o.Kind != "DestinationRule" {
			continue
		}
		var spec struct {
			Host          string
			TrafficPolicy struct {
				TLS struct {
					Mode, SNI, CACertificates string
					SubjectAltNames           []string
				}
			}
		}
		if err := json.Unmarshal(o.Spec, &spec); err != nil {
			t.Fatal(err)
		}
		tls := spec.TrafficPolicy.TLS
		if tls.Mode != "SIMPLE" || tls.SNI != spec.Host || tls.CACertificates == "" || len(tls.SubjectAltNames) == 0 {
			t.Errorf("%s: %+v", o.file, tls)
		}
	}
}

// strictly reads a value into one of Envoy's types, nested ones included.
func strictly(value any, into proto.Message) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := protojson.Unmarshal(text, into); err != nil {
		return err
	}
	if v, ok := into.(interface{ ValidateAll() error }); ok {
		return v.ValidateAll()
	}
	return nil
}

func TestEnvoyKnowsWhatFiltersPatchIn(t *testing.T) {
	patches := 0
	for _, o := range objects(t, "istio") {
		if o.Kind != "EnvoyFilter" {
			continue
		}
		var spec struct {
			ConfigPatches []struct {
				ApplyTo string
				Patch   struct {
					Operation string
					Value     map[string]any
				}
			}
		}
		if err := json.Unmarshal(o.Spec, &spec); err != nil {
			t.Fatal(err)
		}
		for _, p := range spec.ConfigPatches {
			patches++
			if err := patched(p.ApplyTo, p.Patch.Value); err != nil {
				t.Errorf("%s: %s: %v", o.file, p.ApplyTo, err)
			}
		}
	}
	if patches < 5 {
		t.Errorf("%d patches", patches)
	}
	if err := patched("HTTP_FILTER", map[string]any{"name": "x", "config_discoveries": 1}); err == nil {
		t.Error("an unknown field is accepted")
	}
}

func patched(what string, value map[string]any) error {
	switch what {
	case "HTTP_FILTER":
		return strictly(value, &managerv3.HttpFilter{})
	case "CLUSTER":
		value["name"] = "merged into" // which a whole cluster has
		return strictly(value, &clusterv3.Cluster{})
	}
	var extension corev3.TypedExtensionConfig
	if err := strictly(value, &extension); err != nil {
		return err
	}
	var filter wasmfilterv3.Wasm
	if err := extension.TypedConfig.UnmarshalTo(&filter); err != nil {
		return err
	}
	if err := filter.ValidateAll(); err != nil {
		return err
	}
	if filter.Config.FailurePolicy != wasmv3.FailurePolicy_FAIL_RELOAD || !filter.Config.AllowOnHeadersStopIteration.GetValue() {
		return errDangerous
	}
	return nil
}

// TestProxiesAreGivenWhatTheirPluginsRead is about what is written into other
// objects as text: parameters of gateways, and the configuration of proxies.
func TestProxiesAreGivenWhatTheirPluginsRead(t *testing.T) {
	for _, o := range objects(t, "istio") {
		var template corev1.PodTemplateSpec
		var deployment appsv1.Deployment
		switch {
		case o.Kind == "ConfigMap":
			if err := yaml.UnmarshalStrict([]byte(o.Data["deployment"]), &deployment); err != nil {
				t.Fatalf("%s: %v", o.file, err)
			}
		case o.Kind == "Deployment":
			if err := yaml.UnmarshalStrict(o.text, &deployment); err != nil {
				t.Fatalf("%s: %v", o.file, err)
			}
		default:
			continue
		}
		template = deployment.Spec.Template
		checkProxy(t, o.file, template.Annotations["proxy.istio.io/config"], template.Spec.Containers)
	}
	var chart struct {
		PodAnnotations map[string]string
		EnvVarFrom     []corev1.EnvVar
	}
	if err := yaml.UnmarshalStrict(read(t, repository+"istio/gateway/values.yaml"), &chart); err != nil {
		t.Fatal(err)
	}
	checkProxy(t, "values.yaml", chart.PodAnnotations["proxy.istio.io/config"], []corev1.Container{{Name: "istio-proxy", Env: chart.EnvVarFrom}})
	var injector struct {
		SidecarInjectorWebhook struct{ Templates map[string]string }
	}
	if err := yaml.UnmarshalStrict(read(t, repository+"istio/sidecar/injection.yaml"), &injector); err != nil {
		t.Fatal(err)
	}
	var pod corev1.Pod
	if err := yaml.UnmarshalStrict([]byte(injector.SidecarInjectorWebhook.Templates["postern"]), &pod); err != nil {
		t.Fatal(err)
	}
	checkVariables(t, "injection.yaml", pod.Spec.Containers)
}

func checkProxy(t *testing.T, file, config string, containers []corev1.Container) {
	t.Helper()
	var proxy meshv1alpha1.ProxyConfig
	if text, err := yaml.YAMLToJSONStrict([]byte(config)); err != nil || protojson.Unmarshal(text, &proxy) != nil {
		t.Errorf("%s: the proxy's configuration: %v", file, err)
	}
	for _, label := range []string{"provider", "reason", "rule", "role", "from", "outcome", "step", "decision", "event", "version"} {
		if !slices.Contains(proxy.ExtraStatTags, label) {
			t.Errorf("%s: %s is no label", file, label)
		}
	}
	if !slices.Contains(proxy.ProxyStatsMatcher.GetInclusionRegexps(), ".*postern_.*") {
		t.Errorf("%s: no metrics are published", file)
	}
	checkVariables(t, file, containers)
}

func checkVariables(t *testing.T, file string, containers []corev1.Container) {
	t.Helper()
	for _, c := range containers {
		if c.Name != "istio-proxy" {
			continue
		}
		for _, v := range c.Env {
			if v.Value != "" || v.ValueFrom == nil || v.ValueFrom.SecretKeyRef == nil || v.ValueFrom.SecretKeyRef.Key != v.Name {
				t.Errorf("%s: %s comes from %v", file, v.Name, v.ValueFrom)
			}
		}
		if len(c.Env) > 0 {
			return
		}
	}
	t.Errorf("%s: the proxy has no variables", file)
}

func TestTheMeshConfigurationIsOne(t *testing.T) {
	var values struct {
		MeshConfig json.RawMessage `json:"meshConfig"`
	}
	text := read(t, repository+"istio/mesh-config.yaml")
	if err := yaml.UnmarshalStrict(text, &values); err != nil {
		t.Fatal(err)
	}
	var mesh meshv1alpha1.MeshConfig
	if err := protojson.Unmarshal(values.MeshConfig, &mesh); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{"%REQ(:PATH", "%REQ(X-ENVOY-ORIGINAL-PATH"} {
		if bytes.Contains(text, []byte(query)) {
			t.Errorf("the access log has %s, and with it codes", query)
		}
	}
}
