package manifest

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const settingsJSON = `{"providers":[{"name":"main"}],"hosts":["app.example.com"]}`

const plainYAML = `# A comment.
providers: [{name: main}]
hosts: [app.example.com]
`

// filter is a wasm filter whose configuration is what is given.
func filter(configuration string) string {
	return `{name: gate, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, config: {name: postern, root_id: r, failure_policy: FAIL_RELOAD, allow_on_headers_stop_iteration: true, vm_config: {vm_id: v, code: {local: {filename: /etc/postern.wasm}}, environment_variables: {host_env_keys: [A], key_values: {B: b}}}, configuration: ` + configuration + `}}}`
}

// bootstrap is one of Envoy with a filter in it.
func bootstrap(filter string) string {
	return `static_resources:
  listeners:
  - name: http
    filter_chains:
    - filters:
      - typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          http_filters:
          - {name: first, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}}
          - ` + filter + `
  clusters: [{name: app}, {name: idp}]
`
}

const asStruct = `{"@type": type.googleapis.com/google.protobuf.Struct, value: {providers: [{name: main}], hosts: [app.example.com]}}`

const listenerPath = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[1].typed_config.config.configuration.value"

func inline(text string) *string { return &text }

var envoysEnv = []EnvVar{{Name: "A", Host: true}, {Name: "B", Value: inline("b")}}

func inEnvoy(kind, path string, line int) Found {
	return Found{
		Kind: kind, Name: "postern", Filter: "gate", Path: path, Line: line, Settings: []byte(settingsJSON), Env: envoysEnv,
		FailurePolicy: FailReload, VMID: "v", RootID: "r", AllowStop: true, Module: "/etc/postern.wasm",
	}
}

func TestSettingsAreFoundWhereverPeopleKeepThem(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte(settingsJSON))
	for name, c := range map[string]struct {
		text string
		want []Found
	}{
		"alone, in YAML":            {plainYAML, []Found{{Kind: Settings, Line: 2, Settings: []byte(settingsJSON)}}},
		"alone, in JSON, untouched": {"\n{\"hosts\": [],\n\"hosts\": []}\n", []Found{{Kind: Settings, Line: 2, Settings: []byte("\n{\"hosts\": [],\n\"hosts\": []}\n")}}},
		"alone, without providers":  {"hosts: [a]\n", []Found{{Kind: Settings, Line: 1, Settings: []byte(`{"hosts":["a"]}`)}}},
		"alone, and empty":          {"{}", []Found{{Kind: Settings, Line: 1, Settings: []byte("{}")}}},
		"alone, as one of several":  {"a: 1\n---\n" + plainYAML, []Found{{Kind: Settings, Document: 1, Line: 4, Settings: []byte(settingsJSON)}}},
		"among a chart's values":    {"config:\n  providers: [{name: main}]\n  hosts: [app.example.com]\n", []Found{{Kind: Settings, Path: "config", Line: 2, Settings: []byte(settingsJSON)}}},
		"a bootstrap, as a Struct":  {bootstrap(filter(asStruct)), []Found{inEnvoy(Bootstrap, listenerPath, 10)}},
		"a bootstrap, as a text": {bootstrap(filter(`{"@type": type.googleapis.com/google.protobuf.StringValue, value: '` + settingsJSON + `'}`)),
			[]Found{inEnvoy(Bootstrap, listenerPath, 10)}},
		"a bootstrap, as bytes": {bootstrap(filter(`{"@type": type.googleapis.com/google.protobuf.BytesValue, value: "` + encoded + `"}`)),
			[]Found{inEnvoy(Bootstrap, listenerPath, 10)}},
		"a bootstrap, in the other spelling": {strings.NewReplacer("typed_config", "typedConfig", "host_env_keys", "hostEnvKeys", "failure_policy", "failurePolicy", "vm_config", "vmConfig", "vm_id", "vmId", "root_id", "rootId",
			"environment_variables", "environmentVariables", "key_values", "keyValues", "allow_on_headers_stop_iteration", "allowOnHeadersStopIteration").Replace(bootstrap(filter(asStruct))),
			[]Found{inEnvoy(Bootstrap, strings.ReplaceAll(listenerPath, "typed_config", "typedConfig"), 10)}},
		"resources that are delivered": {`resources: [{"@type": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig, ` + strings.TrimPrefix(filter(asStruct), "{") + `]`,
			[]Found{inEnvoy(Resources, "resources[0].typed_config.config.configuration.value", 1)}},
		"a TypedStruct": {bootstrap(`{name: gate, typed_config: {"@type": type.googleapis.com/udpa.type.v1.TypedStruct, type_url: type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, value: {config: {name: x, configuration: ` + asStruct + `}}}}`),
			[]Found{{Kind: Bootstrap, Name: "x", Filter: "gate", FailurePolicy: FailClosed, Line: 10, Settings: []byte(settingsJSON), Path: strings.Replace(listenerPath, "config.config.", "config.value.config.", 1)}}},
		"one whose settings were forgotten": {bootstrap(strings.Replace(filter("X"), ", configuration: X", "", 1)), []Found{func() Found {
			f := inEnvoy(Bootstrap, strings.TrimSuffix(listenerPath, ".value"), 10)
			f.Settings = nil
			return f
		}()}},
		"a WasmPlugin": {`
kind: WasmPlugin
metadata: {name: shop, namespace: istio-ingress}
spec:
  url: oci://r.example.com/postern:v1
  phase: AUTHN
  failStrategy: FAIL_RELOAD
  pluginName: postern
  vmConfig: {env: [{name: A, valueFrom: HOST}, {name: B, value: b}, {name: C, valueFrom: HOST, value: ignored}]}
  pluginConfig:
    providers: [{name: main}]
    hosts: [app.example.com]
`, []Found{{
			Kind: WasmPlugin, Name: "shop", Namespace: "istio-ingress", Path: "spec.pluginConfig", Line: 11, Settings: []byte(settingsJSON),
			Env:           []EnvVar{{Name: "A", Host: true}, {Name: "B", Value: inline("b")}, {Name: "C", Host: true}},
			FailurePolicy: FailReload, RootID: "postern", Phase: "AUTHN", Module: "oci://r.example.com/postern:v1",
		}}},
		"a WasmPlugin beside what lets bodies through": {`
kind: List
items:
- {kind: WasmPlugin, metadata: {name: a}, spec: {pluginConfig: {providers: []}}}
- {kind: EnvoyFilter, metadata: {name: b}, spec: {configPatches: [{patch: {value: {typed_config: {config: {allow_on_headers_stop_iteration: true}}}}}]}}
`, []Found{{Kind: WasmPlugin, Name: "a", AllowStop: true, FailurePolicy: FailClosed, Path: "items[0].spec.pluginConfig", Line: 4, Settings: []byte(`{"providers":[]}`)}}},
		"an EnvoyFilter": {"kind: EnvoyFilter\nmetadata: {name: f, namespace: n}\nspec:\n  configPatches:\n  - patch: {value: " + filter(asStruct) + "}\n", []Found{func() Found {
			f := inEnvoy(EnvoyFilter, "spec.configPatches[0].patch.value.typed_config.config.configuration.value", 5)
			f.Name, f.Namespace = "f", "n"
			return f
		}()}},
		"an EnvoyExtensionPolicy": {`
kind: EnvoyExtensionPolicy
metadata: {name: p, namespace: n}
spec:
  wasm:
  - {name: other, config: {a: 1}}
  - name: gate
    rootID: postern
    code: {type: Image, image: {url: r.example.com/postern:v1}}
    failOpen: true
    env: {hostKeys: [A]}
    config: {providers: [{name: main}], hosts: [app.example.com]}
`, []Found{{
			Kind: EnvoyExtensionPolicy, Name: "p", Namespace: "n", Path: "spec.wasm[1].config", Line: 12, Settings: []byte(settingsJSON), Env: []EnvVar{{Name: "A", Host: true}},
			FailurePolicy: FailOpen, RootID: "postern", Module: "r.example.com/postern:v1",
		}}},
		"a ConfigMap with settings": {"kind: ConfigMap\nmetadata: {name: m}\ndata:\n  a: providers of fish\n  postern.yaml: |\n    # Settings.\n    providers: [{name: main}]\n    hosts: [app.example.com]\n",
			[]Found{{Kind: Settings, Name: "m", Path: `data["postern.yaml"]`, Line: 7, Settings: []byte(settingsJSON)}}},
		"a Secret with settings": {"kind: Secret\nmetadata: {name: m}\nstringData: {postern.yaml: '" + settingsJSON + "'}\n",
			[]Found{{Kind: Settings, Name: "m", Path: `stringData["postern.yaml"]`, Line: 3, Settings: []byte(settingsJSON)}}},
		"a ConfigMap with a bootstrap": {"kind: ConfigMap\nmetadata: {name: m, namespace: n}\ndata:\n  envoy.yaml: |\n    " + strings.ReplaceAll(bootstrap(filter(asStruct)), "\n", "\n    "), []Found{func() Found {
			f := inEnvoy(Bootstrap, `data["envoy.yaml"].`+listenerPath, 14)
			f.Namespace = "n"
			return f
		}()}},
		"not where a filter is somebody else's":  {strings.ReplaceAll(bootstrap(filter(`{"@type": type.googleapis.com/google.protobuf.StringValue, value: "{}"}`)), "postern", "coraza"), nil},
		"not where a plugin is somebody else's":  {"kind: WasmPlugin\nmetadata: {name: waf}\nspec: {pluginConfig: {rules: []}}\n", nil},
		"not where there is nothing":             {"---\n---\n", nil},
		"not in a file of another kind":          {"groups: []\n", nil},
		"not in an object of another kind":       {"kind: Secret\ndata: {providers: eA==}\n", nil},
		"not in a bootstrap without the filter":  {bootstrap("{name: router}"), nil},
		"not in a ConfigMap that cannot be read": {"kind: ConfigMap\ndata: {a: 'providers: ['}\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Find([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(Found{}, "Plugin", "PluginPath", "Root", "Uses", "Clusters", "AllClusters")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsAroundAFilterIsTold(t *testing.T) {
	found, err := Find([]byte(bootstrap(filter(asStruct))))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	f := found[0]
	if len(f.Clusters) != 2 || f.Clusters[1].Name != "idp" || !f.AllClusters || f.Plugin.Get("name").Str() != "postern" || f.Root.Get("static_resources") == nil {
		t.Errorf("got %+v", f)
	}
	if len(f.Uses) != 1 || f.Uses[0].Position != 1 || f.Uses[0].Listener.Get("name").Str() != "http" || f.Uses[0].Filters[0].Type != "envoy.extensions.filters.http.cors.v3.Cors" {
		t.Errorf("got %+v", f.Uses)
	}
	if all := Plugins(f.Root); len(all) != 1 || all[0] != f.Plugin || !strings.HasPrefix(f.Path, f.PluginPath+".configuration") {
		t.Errorf("got %d plugins; %s", len(all), f.PluginPath)
	}
	if !f.HandsOver("A") || !f.HandsOver("B") || f.HandsOver("C") {
		t.Error("the variables are others")
	}
	found, err = Find([]byte("dynamic_resources: {cds_config: {ads: {}}}\n" + bootstrap(filter(asStruct))))
	if err != nil || len(found) != 1 || found[0].AllClusters {
		t.Errorf("clusters that are delivered are not known: %+v, %v", found, err)
	}
}

const dump = `{"configs": [
 {"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump", "bootstrap": {"static_resources": {"listeners": [%[1]s], "clusters": [{"name": "old"}]}}},
 {"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump", "static_clusters": [{"cluster": {"name": "app"}}], "dynamic_active_clusters": [{"cluster": {"name": "outbound|443||id"}}], "dynamic_warming_clusters": [{"cluster": {"name": "soon"}}]},
 {"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", "dynamic_listeners": [
  {"name": "l", "active_state": {"listener": %[1]s}, "warming_state": {"listener": %[1]s}, "error_state": {"failed_configuration": %[1]s}}]},
 {"@type": "type.googleapis.com/envoy.admin.v3.EcdsConfigDump", "ecds_filters": [{"ecds_filter": {"@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", "name": "ns.gate", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", "config": {"name": "p", "configuration": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": {"providers": []}}}}}}]}
]}`

func TestADumpOfEnvoysIsReadForWhatIsInForce(t *testing.T) {
	const listener = `{"name": "l", "filter_chains": [{"filters": [{"typed_config": {"http_filters": [{"name": "ns.gate", "config_discovery": {}}, {"name": "inline", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", "config": {"configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "{\"providers\":[]}"}}}}]}}]}]}`
	found, err := Find(fmt.Appendf(nil, dump, listener))
	if err != nil || len(found) != 2 {
		t.Fatalf("got %d, %v", len(found), err)
	}
	in, delivered := found[0], found[1]
	if in.Kind != ConfigDump || in.Filter != "inline" || in.Name != "inline" || len(in.Uses) != 1 || in.Uses[0].Position != 1 || in.Uses[0].Listener.Get("name").Str() != "l" {
		t.Errorf("got %+v", in)
	}
	if delivered.Filter != "ns.gate" || delivered.Name != "p" || len(delivered.Uses) != 1 || delivered.Uses[0].Position != 0 {
		t.Errorf("got %+v", delivered)
	}
	var names []string
	for _, c := range in.Clusters {
		names = append(names, c.Name)
	}
	if diff := cmp.Diff([]string{"app", "outbound|443||id"}, names); diff != "" || !in.AllClusters {
		t.Error(diff)
	}
}

func TestWhatCannotBeReadIsRefused(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'j'; c++ {
		bomb += fmt.Sprintf("%c: &%[1]c [*%[2]c, *%[2]c, *%[2]c, *%[2]c, *%[2]c, *%[2]c, *%[2]c, *%[2]c, *%[2]c, *%[2]c]\n", c, c-1)
	}
	for name, c := range map[string]struct{ text, want string }{
		"no YAML":                          {"a: [", "line 1"},
		"a key given twice":                {"providers: []\nhosts: [a]\nhosts: [b]\n", `line 3: the key "hosts" is given twice`},
		"one given twice around settings":  {"kind: WasmPlugin\nspec: {pluginConfig: {providers: []}, phase: A, phase: B}\n", `"phase" is given twice`},
		"one given twice in JSON":          {`{"kind": "WasmPlugin", "spec": {"phase": "A", "phase": "B"}}`, `"phase" is given twice`},
		"too many documents":               {strings.Repeat("---\na: 1\n", maxDocuments+1), "documents"},
		"too deep":                         {strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2), "deep"},
		"too long":                         {strings.Repeat(" ", MaxBytes+1), "longer"},
		"a short text that is a long one":  {bomb, "values"},
		"a key that is an object":          {"? {a: b}\n: c\n", "key"},
		"a number that JSON does not have": {"a: .inf\n", "number"},
	} {
		t.Run(name, func(t *testing.T) {
			if found, err := Find([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) || found != nil {
				t.Errorf("got %v, %v", found, err)
			}
		})
	}
}

func TestYAMLIsReadAsKubernetesReadsIt(t *testing.T) {
	const text = `
a: {plain: text, on: yes, "off": "no", nothing: ~, int: 0x10, million: 1_000, float: 1.50, time: 2026-11-22, quoted: "1"}
base: &base {x: 1, y: 2}
merged: {<<: *base, y: 3}
list: [{<<: [*base, {z: 4}]}]
`
	n, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"a":{"plain":"text","on":true,"off":"no","nothing":null,"int":16,"million":1000,"float":1.5,"time":"2026-11-22","quoted":"1"},"base":{"x":1,"y":2},"merged":{"y":3,"x":1},"list":[{"x":1,"y":2,"z":4}]}`
	if diff := cmp.Diff(want, string(n.JSON())); diff != "" {
		t.Error(diff)
	}
}

func TestWhatLetsBodiesThroughMayStandInAnotherFile(t *testing.T) {
	const (
		policy  = "kind: EnvoyExtensionPolicy\nmetadata: {namespace: a}\nspec: {wasm: [{config: {providers: []}}]}\n"
		patch   = "kind: EnvoyPatchPolicy\nmetadata: {namespace: a}\nspec: {jsonPatches: [{operation: {op: add, path: /allow_on_headers_stop_iteration, value: true}}]}\n"
		wasm    = "kind: WasmPlugin\nmetadata: {namespace: a}\nspec: {pluginConfig: {providers: []}}\n"
		filters = "kind: EnvoyFilter\nmetadata: {namespace: a}\nspec: {value: {allow_on_headers_stop_iteration: true}}\n"
	)
	for name, c := range map[string]struct {
		text, beside string
		want         bool
	}{
		"of Envoy Gateway":     {policy, patch, true},
		"of Istio":             {wasm, filters, true},
		"of a whole mesh":      {wasm, strings.Replace(filters, "namespace: a", "namespace: istio-system", 1), true},
		"not of the other one": {wasm, patch, false},
		"not elsewhere":        {wasm, strings.Replace(filters, "namespace: a", "namespace: b", 1), false},
		"not where it says no": {policy, strings.Replace(patch, "true", "false", 1), false},
	} {
		found, err := Find([]byte(c.text))
		if err != nil || len(found) != 1 || found[0].AllowStop {
			t.Fatal(found, err)
		}
		if err := Beside([]byte(c.beside), []*Found{&found[0]}); err != nil || found[0].AllowStop != c.want {
			t.Errorf("%s: %v, %v", name, found[0].AllowStop, err)
		}
	}
	if err := Beside([]byte("a: ["), nil); err == nil {
		t.Error("what cannot be read is read")
	}
}

func TestWhatIsNotThereIsNothing(t *testing.T) {
	var n *Node
	if n.Get("a", "b") != nil || n.Str() != "" || n.Scalar() != "" || n.True() || n.List() != nil || n.Type() != "" || string(n.JSON()) != "null" {
		t.Error("got something")
	}
	if _, ok := n.Int(); ok {
		t.Error("got a number")
	}
}

func TestTheConfigurationsThatAreHandedOutAreRead(t *testing.T) {
	text, err := os.ReadFile("../../envoy/envoy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found, err := Find(text)
	if err != nil || len(found) != 1 || found[0].FailurePolicy != FailReload || !found[0].AllowStop {
		t.Errorf("got %+v, %v", found, err)
	}
}

func FuzzFind(f *testing.F) {
	for _, text := range []string{plainYAML, settingsJSON, bootstrap(filter(asStruct)), "kind: List\nitems: [{kind: ConfigMap, data: {a: 'providers: []'}}]", "a: &a [*a]", "- <<: 1", "? {}\n: x"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := Find(text)
		if err != nil && found != nil {
			t.Error("an error, and something found")
		}
		for _, s := range found {
			if s.Kind == Settings && s.Path != "" && strings.Contains(s.Path, "..") {
				t.Errorf("path %q", s.Path)
			}
		}
	})
}
