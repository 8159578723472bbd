package manifests

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"sigs.k8s.io/yaml"
)

// gatewayAPI is where the definitions of the Gateway API are, as Envoy Gateway
// 1.9 and Istio 1.31 have them.
func gatewayAPI(t testing.TB) string {
	return filepath.Join(downloaded(t, "sigs.k8s.io/gateway-api", "v1.6.1", gatewayAPISum), "config/crd/standard")
}

// Sums of modules of which only the definitions are read.
const (
	gatewayAPISum   = "h1:mock6phZbI6rvZerwrVNk7hVNymQgHo+6sJ81Ia7ftY="
	envoyGatewaySum = "h1:vAVp6/AlBXJ1aOhp1mxL7fNEzVEfjADUguUhm2wzxQY="
)

func gatewayResources(t testing.TB) resources {
	t.Helper()
	module := downloaded(t, "github.com/envoyproxy/gateway", "v1.9.1", envoyGatewaySum)
	return definitions(t, filepath.Join(module, "charts/gateway-helm/charts/crds/crds/generated"), gatewayAPI(t))
}

func TestAClusterTakesEachManifestOfEnvoyGateway(t *testing.T) {
	known, kinds := gatewayResources(t), map[string]int{}
	for _, o := range objects(t, "envoy-gateway") {
		kinds[o.Kind]++
		if err := accept(known, o); err != nil {
			t.Errorf("%s, %s %s: %v", o.file, o.Kind, o.Metadata.Name, err)
		}
	}
	for _, kind := range []string{"EnvoyExtensionPolicy", "EnvoyProxy", "EnvoyPatchPolicy", "Backend", "BackendTLSPolicy", "HTTPRoute", "Gateway"} {
		if kinds[kind] == 0 {
			t.Errorf("there is no %s", kind)
		}
	}
}

func TestEnvoyGatewayRefuses(t *testing.T) {
	known, policy := gatewayResources(t), string(read(t, repository+"envoy-gateway/policy.yaml"))
	for name, test := range map[string]struct{ old, new, want string }{
		"a field that it does not know": {"    failOpen: false", "    failurePolicy: FAIL_RELOAD", "unknown field spec.wasm[0].failurePolicy"},
		"an image of another type":      {"type: Image", "type: HTTP", "If type is HTTP, http field needs to be set"},
		"a policy for nothing":          {"  - {group: gateway.networking.k8s.io, kind: Gateway, name: shop}", "  - {group: gateway.networking.k8s.io, kind: Service, name: shop}", "kind"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(policy, test.old, test.new, 1)
			if changed == policy {
				t.Fatal("nothing was changed")
			}
			refusal(t, known.check([]byte(changed)), test.want)
		})
	}
}

// TestEnvoyGatewaysBootstrapVerifiesTheProvider is about the text that is merged
// into the bootstrap, which the definitions take for any.
func TestEnvoyGatewaysBootstrapVerifiesTheProvider(t *testing.T) {
	for _, o := range objects(t, "envoy-gateway") {
		if o.Kind != "EnvoyProxy" {
			continue
		}
		var spec struct {
			Bootstrap struct{ Type, Value string }
		}
		if err := json.Unmarshal(o.Spec, &spec); err != nil {
			t.Fatal(err)
		}
		var value any
		if err := yaml.UnmarshalStrict([]byte(spec.Bootstrap.Value), &value); err != nil {
			t.Fatal(err)
		}
		var bootstrap bootstrapv3.Bootstrap
		if err := strictly(value, &bootstrap); err != nil {
			t.Fatal(err)
		}
		cluster := bootstrap.StaticResources.Clusters[0]
		var tls tlsv3.UpstreamTlsContext
		if err := cluster.TransportSocket.GetTypedConfig().UnmarshalTo(&tls); err != nil {
			t.Fatal(err)
		}
		verified := tls.CommonTlsContext.GetValidationContext()
		if tls.Sni != cluster.Name || verified.GetTrustedCa().GetFilename() == "" || len(verified.GetMatchTypedSubjectAltNames()) != 1 {
			t.Errorf("%v", &tls)
		}
		return
	}
	t.Error("there is no EnvoyProxy")
}
