package doctor

import (
	"encoding/base64"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/manifest"
)

// goodKey is a key that settings take.
var goodKey = base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqrstuv"))

// anything stands in for variables.
func anything([]byte) func(string) (string, bool) {
	return func(string) (string, bool) { return goodKey, true }
}

// looked are the findings about all settings of a text.
func looked(t *testing.T, text string) (all []Finding) {
	t.Helper()
	found, err := manifest.Find([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		s := &Subject{Found: &found[i]}
		if s.Config, s.Variables, err = Parse(s.Found, anything); err != nil {
			t.Fatalf("the settings are not valid: %v", err)
		}
		all = append(all, Around(s)...)
	}
	return all
}

func codes(all []Finding) (names []string) {
	for _, f := range all {
		names = append(names, string(f.Severity)+" "+f.Code)
	}
	return names
}

// goodEnvoy is a bootstrap about which there is nothing to say.
const goodEnvoy = `
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}
stats_config:
  stats_tags: [{tag_name: decision}, {tag_name: event}, {tag_name: from}, {tag_name: outcome}, {tag_name: provider}, {tag_name: reason}, {tag_name: role}, {tag_name: rule}, {tag_name: step}, {tag_name: version}]
static_resources:
  listeners:
  - name: http
    address: {socket_address: {address: 0.0.0.0, port_value: 8443}}
    access_log: [{typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, log_format: {text_format: "%START_TIME%"}}}]
    filter_chains:
    - filters:
      - typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          use_remote_address: true
          access_log: [{typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog, log_format: {json_format: {path: "%PATH(NQ)%", plain: "%REQ_WITHOUT_QUERY(:PATH)%"}}}}]
          route_config: {virtual_hosts: [{routes: [{match: {prefix: /}, typed_per_filter_config: {cors: {disabled: true}}}]}]}
          http_filters:
          - {name: cors, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}}
          - name: postern
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: postern
                failure_policy: FAIL_RELOAD
                allow_on_headers_stop_iteration: true
                vm_config: {vm_id: postern, code: {local: {filename: /etc/postern.wasm}}, environment_variables: {host_env_keys: [POSTERN_KEY, SHOP_SECRET]}}
                configuration:
                  "@type": type.googleapis.com/google.protobuf.Struct
                  value:
                    providers: [{name: main, issuer: "https://id.example.com", cluster: idp, client_id: shop, client_secret: {env: SHOP_SECRET}}]
                    hosts: [app.example.com]
                    session: {keys: [{id: a, env: POSTERN_KEY}]}
          - {name: rbac, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC}}
          - {name: router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: idp
    load_assignment: {endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: id.example.com, port_value: 443}}}}]}]}
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        sni: id.example.com
        common_tls_context:
          validation_context:
            trusted_ca: {filename: /etc/ssl/certs/ca-certificates.crt}
            match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: id.example.com}}]
`

// edit is a text with some of it replaced: pairs of old and new.
func edit(t *testing.T, text string, pairs []string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("there is no %q", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

func TestWhatIsNotWellAroundSettingsInEnvoyIsFound(t *testing.T) {
	const names = "            match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: id.example.com}}]\n"
	const authorities = "            trusted_ca: {filename: /etc/ssl/certs/ca-certificates.crt}\n"
	from := strings.Index(goodEnvoy, "    transport_socket:\n")
	tls := goodEnvoy[from:]
	for name, c := range map[string]struct {
		edits []string
		want  []string
	}{
		"nothing, where all is well":                     {nil, nil},
		"requests pass on failure":                       {[]string{"FAIL_RELOAD", "FAIL_OPEN"}, []string{"error fail_open"}},
		"by the old setting":                             {[]string{"failure_policy: FAIL_RELOAD", "fail_open: true"}, []string{"error fail_open"}},
		"workers stay failed":                            {[]string{"failure_policy: FAIL_RELOAD", "root_id: a"}, []string{"warning fail_closed"}},
		"a variable":                                     {[]string{"[POSTERN_KEY, SHOP_SECRET]", "[POSTERN_KEY]"}, []string{"error variable_not_handed_over"}},
		"a secret beside them":                           {[]string{"[POSTERN_KEY, SHOP_SECRET]", "[POSTERN_KEY], key_values: {SHOP_SECRET: hush}"}, []string{"warning secret_in_environment"}},
		"secrets in them":                                {[]string{"client_secret: {env: SHOP_SECRET}", "client_secret: {value: hush-hush}"}, []string{"warning secret_in_settings"}},
		"a VM id that is none":                           {[]string{"vm_id: postern, ", ""}, []string{"warning vm_id_empty"}},
		"a VM id that another one has":                   {[]string{"- {name: rbac,", `- {name: w, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, config: {name: waf, vm_config: {vm_id: postern, code: {local: {filename: waf.wasm}}}}}}` + "\n          - {name: rbac,"}, []string{"warning vm_id_shared"}},
		"no bodies":                                      {[]string{"allow_on_headers_stop_iteration: true", "root_id: a"}, []string{"note bodies_not_let_through"}},
		"no bodies, for form_post":                       {[]string{"allow_on_headers_stop_iteration: true", "root_id: a", "client_id: shop,", "client_id: shop, response_mode: form_post,"}, []string{"error bodies_not_let_through"}},
		"no bodies, for kept forms":                      {[]string{"allow_on_headers_stop_iteration: true", "root_id: a", "hosts: [app", "sign_in: {keep_forms: true}\n                    hosts: [app"}, []string{"warning bodies_not_let_through"}},
		"a cluster":                                      {[]string{"- name: idp", "- name: other"}, []string{"error cluster_missing"}},
		"not one that is delivered":                      {[]string{"- name: idp", "- name: other", "\nadmin:", "\ndynamic_resources: {cds_config: {ads: {}}}\nadmin:"}, nil},
		"no TLS":                                         {[]string{tls, ""}, []string{"error tls_missing"}},
		"no TLS, to this machine":                        {[]string{tls, "", "{address: id.example.com, port", "{address: 127.0.0.1, port"}, []string{"note tls_missing"}},
		"not where all is plain http":                    {[]string{tls, "", `issuer: "https://id.example.com"`, `issuer: "http://id.example.com", insecure_issuer: true`}, nil},
		"TLS without authorities":                        {[]string{authorities, ""}, []string{"error tls_unverified"}},
		"TLS without anything":                           {[]string{"          validation_context:\n" + authorities + names, "          tls_params: {}\n"}, []string{"error tls_unverified"}},
		"TLS without names":                              {[]string{names, ""}, []string{"error tls_name_unverified"}},
		"not names that come by themselves":              {[]string{names, "", "sni: id.example.com", "{auto_host_sni: true, auto_sni_san_validation: true,", "        {auto", "        auto", "true,\n", "true\n", "auto_host_sni: true, ", "auto_host_sni: true\n        "}, nil},
		"TLS with another name":                          {[]string{"{exact: id.example.com}", "{exact: id.example.org}"}, []string{"warning tls_name_other"}},
		"not one by its end":                             {[]string{"{exact: id.example.com}", "{suffix: .example.com}"}, nil},
		"not one by a pattern":                           {[]string{"{exact: id.example.com}", `{safe_regex: {regex: "id\\.example\\.(com|org)"}}`}, nil},
		"one by a pattern":                               {[]string{"{exact: id.example.com}", `{safe_regex: {regex: "example"}}`}, []string{"warning tls_name_other"}},
		"TLS without SNI":                                {[]string{"sni: id.example.com", "allow_renegotiation: false"}, []string{"warning tls_sni_missing"}},
		"not without SNI to an address":                  {[]string{"sni: id.example.com", "allow_renegotiation: false", "https://id.example.com", "https://192.0.2.1", "{exact: id.example.com}", "{exact: 192.0.2.1}"}, nil},
		"authorities that are delivered":                 {[]string{"          validation_context:\n" + authorities + names, "          validation_context_sds_secret_config: {name: ca}\n"}, nil},
		"names beside authorities that are delivered":    {[]string{"          validation_context:\n" + authorities + names, "          combined_validation_context: {default_validation_context: {match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: id.example.com}}]}, validation_context_sds_secret_config: {name: ca}}\n"}, nil},
		"no names beside authorities that are delivered": {[]string{"          validation_context:\n" + authorities + names, "          combined_validation_context: {default_validation_context: {}, validation_context_sds_secret_config: {name: ca}}\n"}, []string{"error tls_name_unverified"}},
		"queries in a log":                               {[]string{"%PATH(NQ)%", "%REQ(:PATH)%"}, []string{"warning log_writes_queries"}},
		"queries in a log, as most have it":              {[]string{"%PATH(NQ)%", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH):20%"}, []string{"warning log_writes_queries"}},
		"queries by the newer word":                      {[]string{"%PATH(NQ)%", "%PATH(WQ:PATH)%"}, []string{"warning log_writes_queries"}},
		"queries in Envoy's own format":                  {[]string{", log_format: {json_format: {path: \"%PATH(NQ)%\", plain: \"%REQ_WITHOUT_QUERY(:PATH)%\"}}", ""}, []string{"warning log_writes_queries"}},
		"queries in a listener's log":                    {[]string{"text_format: \"%START_TIME%\"", "text_format: \"\""}, []string{"warning log_writes_queries"}},
		"queries in a log sent elsewhere":                {[]string{"envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig"}, []string{"warning log_writes_queries"}},
		"queries without a word":                         {[]string{"%PATH(NQ)%", "%PATH%"}, []string{"warning log_writes_queries"}},
		"an image that moves":                            {[]string{"{local: {filename: /etc/postern.wasm}}", "{remote: {http_uri: {uri: \"oci://r.example.com/postern:latest\"}, sha256: nil}}", "[POSTERN_KEY, SHOP_SECRET]", "[POSTERN_KEY, SHOP_SECRET], key_values: {ISTIO_META_WASM_IMAGE_PULL_POLICY: IfNotPresent}"}, []string{"warning image_not_pinned", "warning image_latest"}},
		"not an image with a digest":                     {[]string{"{local: {filename: /etc/postern.wasm}}", "{remote: {http_uri: {uri: \"oci://r.example.com/postern@sha256:aa\"}, sha256: nil}}"}, nil},
		"cookies in a log":                               {[]string{"%PATH(NQ)%", "%REQ(COOKIE)%"}, []string{"warning log_writes_secrets"}},
		"a filter that comes too early":                  {[]string{"- {name: cors, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}}", "- {name: early, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC}}"}, []string{"warning filter_before_gate"}},
		"a router that comes too early":                  {[]string{"envoy.extensions.filters.http.cors.v3.Cors", "envoy.extensions.filters.http.router.v3.Router"}, []string{"error gate_after_router"}},
		"the filter switched off":                        {[]string{"- name: postern\n", "- name: postern\n            disabled: true\n"}, []string{"error gate_disabled"}},
		"the filter switched off for a route":            {[]string{"{cors: {disabled: true}}", "{postern: {disabled: true}}"}, []string{"warning route_not_gated"}},
		"an address that a client chooses":               {[]string{"use_remote_address: true", "use_remote_address: false", "hosts: [app", "bearer: [{provider: main, audiences: [a], client_address: true}]\n                    hosts: [app"}, []string{"warning client_address_chosen"}},
		"not one that a proxy says":                      {[]string{"use_remote_address: true", "xff_num_trusted_hops: 1", "hosts: [app", "bearer: [{provider: main, audiences: [a], client_address: true}]\n                    hosts: [app"}, nil},
		"header fields that are too long":                {[]string{"use_remote_address: true", "use_remote_address: true\n          max_request_headers_kb: 16"}, []string{"warning header_limit_low"}},
		"an admin that all can reach":                    {[]string{"{address: 127.0.0.1, port_value: 9901}", "{address: 0.0.0.0, port_value: 9901}"}, []string{"warning admin_open"}},
		"labels":                                         {[]string{"{tag_name: rule}, ", ""}, []string{"warning stats_tags_missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			all := looked(t, edit(t, goodEnvoy, c.edits))
			if diff := cmp.Diff(c.want, codes(all)); diff != "" {
				t.Errorf("%s\n%+v", diff, all)
			}
			for _, f := range all {
				if f.Path == "" || f.Message == "" || f.Hint == "" || strings.Contains(f.Message, "hush") {
					t.Errorf("got %+v", f)
				}
			}
		})
	}
}

const goodPlugin = `
kind: WasmPlugin
metadata: {name: postern, namespace: shop}
spec:
  url: oci://registry.example.com/postern:v1
  sha256: aaaa
  imagePullPolicy: IfNotPresent
  phase: AUTHN
  failStrategy: FAIL_RELOAD
  selector: {matchLabels: {app: shop}}
  match: [{mode: SERVER}]
  vmConfig: {env: [{name: POSTERN_KEY, valueFrom: HOST}, {name: SHOP_SECRET, valueFrom: HOST}]}
  pluginConfig:
    providers: [{name: main, issuer: "https://id.example.com", cluster: "outbound|443||id.example.com", client_id: shop, client_secret: {env: SHOP_SECRET}}]
    hosts: [app.example.com]
    session: {keys: [{id: a, env: POSTERN_KEY}]}
---
kind: EnvoyFilter
metadata: {name: bodies, namespace: shop}
spec: {configPatches: [{patch: {value: {allow_on_headers_stop_iteration: true}}}]}
`

func TestWhatIsNotWellAroundSettingsInIstioIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		edits []string
		want  []string
	}{
		"nothing, where all is well":   {nil, nil},
		"requests pass on failure":     {[]string{"FAIL_RELOAD", "FAIL_OPEN"}, []string{"error fail_open"}},
		"the phase":                    {[]string{"  phase: AUTHN\n", ""}, []string{"warning phase_not_authn"}},
		"a tag that moves":             {[]string{"postern:v1", "postern:latest", "sha256: aaaa", "priority: 1"}, []string{"warning image_not_pinned", "warning image_latest"}},
		"no tag":                       {[]string{"postern:v1", "postern"}, []string{"warning image_latest"}},
		"not one that is always asked": {[]string{"postern:v1", "postern:latest", "IfNotPresent", "Always"}, nil},
		"no checksum":                  {[]string{"sha256: aaaa", "priority: 1"}, []string{"warning image_not_pinned"}},
		"not where a digest is":        {[]string{"sha256: aaaa", "priority: 1", "postern:v1", "postern@sha256:aaaa"}, nil},
		"not of a file":                {[]string{"sha256: aaaa", "priority: 1", "oci://registry.example.com/postern:v1", "file:///postern.wasm"}, nil},
		"a selector for waypoints":     {[]string{"{app: shop}", "{gateway.networking.k8s.io/gateway-name: waypoint}"}, []string{"warning selector_on_waypoint"}},
		"a whole mesh":                 {[]string{"namespace: shop", "namespace: istio-system", "namespace: shop", "namespace: istio-system", "  selector: {matchLabels: {app: shop}}\n", ""}, []string{"warning root_namespace"}},
		"both directions":              {[]string{"  match: [{mode: SERVER}]\n", ""}, []string{"note direction_not_said"}},
		"not of a gateway":             {[]string{"  match: [{mode: SERVER}]\n", "", "{app: shop}", "{istio: ingressgateway}"}, nil},
		"not of what targets one":      {[]string{"  match: [{mode: SERVER}]\n", "", "selector: {matchLabels: {app: shop}}", "targetRefs: [{kind: Gateway, name: g}]"}, nil},
		"a secret beside them":         {[]string{"{name: SHOP_SECRET, valueFrom: HOST}", "{name: SHOP_SECRET, value: hush}"}, []string{"warning secret_in_environment"}},
		"no bodies":                    {[]string{"allow_on_headers_stop_iteration: true", "a: b"}, []string{"note bodies_not_let_through"}},
	} {
		t.Run(name, func(t *testing.T) {
			all := looked(t, edit(t, goodPlugin, c.edits))
			if diff := cmp.Diff(c.want, codes(all)); diff != "" {
				t.Errorf("%s\n%+v", diff, all)
			}
		})
	}
}

func TestWhatIsNotWellAroundSettingsInEnvoyGatewayIsFound(t *testing.T) {
	const policy = `
kind: EnvoyExtensionPolicy
metadata: {name: postern}
spec:
  wasm:
  - name: postern
    failOpen: true
    code: {type: Image, pullPolicy: IfNotPresent, image: {url: registry.example.com/postern}}
    env: {hostKeys: [POSTERN_KEY]}
    config:
      providers: [{name: main, issuer: "https://id.example.com", cluster: idp, client_id: shop, client_secret: {env: SHOP_SECRET}}]
      hosts: [app.example.com]
      session: {keys: [{id: a, env: POSTERN_KEY}]}
`
	want := []string{"error fail_open", "error variable_not_handed_over", "note bodies_not_let_through", "warning image_not_pinned", "warning image_latest"}
	if diff := cmp.Diff(want, codes(looked(t, policy))); diff != "" {
		t.Error(diff)
	}
	const byHTTP = "code: {type: HTTP, http: {url: \"https://example.com/postern.wasm\", sha256: aaaa}}"
	want = []string{"error variable_not_handed_over", "note bodies_not_let_through"}
	if diff := cmp.Diff(want, codes(looked(t, edit(t, policy, []string{"failOpen: true", "failOpen: false", "code: {type: Image, pullPolicy: IfNotPresent, image: {url: registry.example.com/postern}}", byHTTP})))); diff != "" {
		t.Error(diff)
	}
}

func TestAVariableThatMayBeASecretIsNotNamed(t *testing.T) {
	all := looked(t, edit(t, goodEnvoy, []string{"{env: SHOP_SECRET}", "{env: hush_hush}"}))
	if len(all) != 1 || strings.Contains(all[0].Message, "hush") {
		t.Errorf("got %+v", all)
	}
}

func TestSettingsAloneHaveNothingAroundThem(t *testing.T) {
	if all := looked(t, "providers: [{name: main, issuer: 'https://id.example.com', cluster: idp, client_id: shop}]\nhosts: [app.example.com]\nsession: {keys: [{id: a, env: K}]}\n"); all != nil {
		t.Errorf("got %+v", all)
	}
}

func TestNothingIsWrongAroundTheSmallestConfiguration(t *testing.T) {
	text, err := os.ReadFile("../../envoy/envoy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if all := looked(t, string(text)); Worst(all) != OK {
		t.Errorf("got %+v", all)
	}
}

func TestTextsOfOthersAreToldWithoutWhatStandsInQuotes(t *testing.T) {
	for text, want := range map[string]string{
		`invalid value "hush" for 'x'`: "invalid value … for …",
		"it's  a\nlie":                 "it's a lie",
		strings.Repeat("a", 400):       strings.Repeat("a", 301) + "…",
	} {
		if got := told(text); got != want {
			t.Errorf("%q: got %q", text, got)
		}
	}
}

func TestCodesAreOfOneFormAndThereOnce(t *testing.T) {
	var seen []string
	for _, c := range Codes {
		if slices.Contains(seen, c.Code) || strings.Trim(c.Code, "abcdefghijklmnopqrstuvwxyz_") != "" || !c.Check && !c.Doctor {
			t.Errorf("%s", c.Code)
		}
		if !strings.HasSuffix(c.Meaning, ".") || !strings.HasSuffix(strings.TrimSuffix(c.Cure, ")"), ".") && !strings.HasSuffix(c.Cure, "--check.") || strings.Contains(c.Meaning+c.Cure, "|") {
			t.Errorf("%s: %s %s", c.Code, c.Meaning, c.Cure)
		}
		seen = append(seen, c.Code)
	}
}

var sources = func() string {
	var all strings.Builder
	files, _ := os.ReadDir(".")
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".go") && !strings.HasSuffix(f.Name(), "_test.go") && f.Name() != "codes.go" {
			text, _ := os.ReadFile(f.Name())
			all.Write(text)
		}
	}
	return all.String()
}()

func TestEveryCodeIsUsedAndEveryUsedCodeIsKnown(t *testing.T) {
	for _, c := range Codes {
		if !strings.Contains(sources, `found("`+c.Code+`"`) {
			t.Errorf("%s is never found", c.Code)
		}
	}
	for _, maker := range []string{`found("`, `well("`} {
		for _, part := range strings.Split(sources, maker)[1:] {
			name, _, _ := strings.Cut(part, `"`)
			if !slices.ContainsFunc(Codes[:], func(c Code) bool { return c.Code == name }) {
				t.Errorf("%s is not known", name)
			}
		}
	}
}
