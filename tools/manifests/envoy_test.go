package manifests

import (
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	streamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	wasmfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/wasm/v3"
	managerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/quic/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	wasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/wasm/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"sigs.k8s.io/yaml"
)

// bootstraps are the files below envoy/ that Envoy is started with, by name.
func bootstraps(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	folder := filepath.Join(repository, "envoy")
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		text := string(read(t, path))
		if regexp.MustCompile(`(?m)^(static_resources|dynamic_resources):`).MatchString(text) {
			name, err := filepath.Rel(folder, path)
			all[filepath.ToSlash(name)] = text
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d bootstraps were found", len(all))
	}
	return all
}

// bootstrapOf reads a bootstrap as strictly as it can be: keys that come twice,
// fields and extensions that are unknown, and values out of their bounds are
// errors, within extensions too.
func bootstrapOf(text string) (*bootstrapv3.Bootstrap, error) {
	var value any
	if err := yaml.UnmarshalStrict([]byte(text), &value); err != nil {
		return nil, err
	}
	b := &bootstrapv3.Bootstrap{}
	if err := strictly(value, b); err != nil {
		return nil, err
	}
	return b, visit(b, valid)
}

func valid(m proto.Message) error {
	if v, ok := m.(interface{ ValidateAll() error }); ok {
		return v.ValidateAll()
	}
	return nil
}

// visit shows all messages within one, those in extensions too.
func visit(m proto.Message, see func(proto.Message) error) error {
	return protorange.Range(m.ProtoReflect(), func(at protopath.Values) error {
		if message, ok := at.Index(-1).Value.Interface().(protoreflect.Message); ok {
			return see(message.Interface())
		}
		return nil
	})
}

// within are all messages of a type.
func within[M proto.Message](m proto.Message) (all []M) {
	_ = visit(m, func(found proto.Message) error {
		if of, ok := found.(M); ok {
			all = append(all, of)
		}
		return nil
	})
	return all
}

func TestEnvoyTakesEachConfiguration(t *testing.T) {
	for name, text := range bootstraps(t) {
		if _, err := bootstrapOf(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEachConfigurationFollowsOurAdvice(t *testing.T) {
	labels := documentedLabels(t)
	for name, text := range bootstraps(t) {
		b, err := bootstrapOf(text)
		if err != nil {
			continue // told above
		}
		for _, against := range advise(b, labels) {
			t.Errorf("%s: %s", name, against)
		}
	}
}

// TestWhatEnvoyReadsWhileItRunsFollowsOurAdvice is about the files that take the
// place of parts of a bootstrap.
func TestWhatEnvoyReadsWhileItRunsFollowsOurAdvice(t *testing.T) {
	labels, tried := documentedLabels(t), 0
	files, err := filepath.Glob(filepath.Join(repository, "envoy", "dynamic", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var base *bootstrapv3.Bootstrap
	static := &bootstrapv3.Bootstrap_StaticResources{}
	for _, file := range files {
		text := string(read(t, file))
		if !strings.Contains(text, "\nresources:\n") {
			if base, err = bootstrapOf(text); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			continue
		}
		for _, resource := range resourcesOf(t, file, text) {
			tried++
			static.Listeners = append(static.Listeners, within[*listenerv3.Listener](resource)...)
			static.Clusters = append(static.Clusters, within[*clusterv3.Cluster](resource)...)
			for _, plugin := range within[*wasmv3.PluginConfig](resource) {
				advisePlugin(plugin, nil, func(where, what string) { t.Errorf("%s: %s: %s", file, where, what) })
			}
		}
	}
	base.StaticResources = static
	for _, against := range advise(base, labels) {
		t.Error(against)
	}
	if tried < 4 {
		t.Errorf("%d resources were found", tried)
	}
}

// resourcesOf are what a file has that Envoy reads as the answer of an xDS server.
func resourcesOf(t *testing.T, file, text string) (all []proto.Message) {
	t.Helper()
	var response struct {
		VersionInfo string `json:"version_info"`
		Resources   []any  `json:"resources"`
	}
	if err := yaml.UnmarshalStrict([]byte(text), &response); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, value := range response.Resources {
		resource := &anypb.Any{}
		if err := strictly(value, resource); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if err := visit(resource, valid); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		all = append(all, resource)
	}
	return all
}

// documentedLabels are those of docs/metrics.md.
func documentedLabels(t *testing.T) []string {
	t.Helper()
	var labels []string
	for _, m := range regexp.MustCompile(`\{tag_name: ([a-z]+), regex: `).FindAllStringSubmatch(string(read(t, repository+"docs/metrics.md")), -1) {
		labels = append(labels, m[1])
	}
	if len(labels) < 5 {
		t.Fatalf("labels: %q", labels)
	}
	return labels
}

// advise says what in a bootstrap is against what envoy/README.md recommends.
func advise(b *bootstrapv3.Bootstrap, labels []string) (against []string) {
	say := func(where, what string) { against = append(against, where+": "+what) }
	if ip := net.ParseIP(b.GetAdmin().GetAddress().GetSocketAddress().GetAddress()); !ip.IsLoopback() {
		say("admin", "others than this machine reach it")
	}
	if len(b.GetOverloadManager().GetResourceMonitors()) == 0 {
		say("overload_manager", "connections have no limit")
	}
	for _, label := range labels {
		if !slices.ContainsFunc(b.GetStatsConfig().GetStatsTags(), isTag(label)) {
			say("stats_config", "there is no label "+label)
		}
	}
	if len(b.GetStatsConfig().GetHistogramBucketSettings()) < 2 {
		say("stats_config", "the histograms have no bounds")
	}
	for _, l := range b.GetStaticResources().GetListeners() {
		adviseListener(l, say)
	}
	secure := map[string]bool{}
	for _, c := range b.GetStaticResources().GetClusters() {
		secure[c.Name] = adviseCluster(c, say)
	}
	for _, plugin := range within[*wasmv3.PluginConfig](b) {
		advisePlugin(plugin, secure, say)
	}
	return against
}

// A teller takes what is against the advice, and where.
type teller func(where, what string)

func adviseListener(l *listenerv3.Listener, say teller) {
	where, udp := "listener "+l.Name, l.GetUdpListenerConfig() != nil
	if limit := l.GetPerConnectionBufferLimitBytes().GetValue(); !udp && (limit < 32<<10 || limit > 1<<20) {
		say(where, "the buffer of a connection has no sensible limit")
	}
	for _, c := range within[*tlsv3.DownstreamTlsContext](l) {
		if minimum := c.GetCommonTlsContext().GetTlsParams().GetTlsMinimumProtocolVersion(); !udp && minimum < tlsv3.TlsParameters_TLSv1_2 {
			say(where, "old versions of TLS are not refused")
		}
	}
	for _, m := range within[*managerv3.HttpConnectionManager](l) {
		adviseLog(m, where, say)
		adviseOrder(m, where, say)
		if l.TrafficDirection != corev3.TrafficDirection_OUTBOUND {
			adviseEdge(m, where, say)
		}
	}
}

// adviseEdge is about what an edge proxy takes, as Envoy's own guide for one has it.
func adviseEdge(m *managerv3.HttpConnectionManager, where string, say teller) {
	for what, well := range map[string]bool{
		"use_remote_address":               m.GetUseRemoteAddress().GetValue(),
		"normalize_path":                   m.GetNormalizePath().GetValue(),
		"merge_slashes":                    m.MergeSlashes,
		"path_with_escaped_slashes_action": m.PathWithEscapedSlashesAction == managerv3.HttpConnectionManager_REJECT_REQUEST,
		"max_request_headers_kb":           m.GetMaxRequestHeadersKb().GetValue() == 60,
		"request_headers_timeout":          m.GetRequestHeadersTimeout().GetSeconds() > 0,
		"request_timeout":                  m.GetRequestTimeout().GetSeconds() > 0,
		"stream_idle_timeout":              m.GetStreamIdleTimeout().GetSeconds() > 0,
		"idle_timeout":                     m.GetCommonHttpProtocolOptions().GetIdleTimeout().GetSeconds() > 0,
		"headers_with_underscores_action":  m.GetCommonHttpProtocolOptions().GetHeadersWithUnderscoresAction() == corev3.HttpProtocolOptions_DROP_HEADER,
		"max_concurrent_streams": m.GetHttp2ProtocolOptions().GetMaxConcurrentStreams().GetValue() == 100 ||
			m.GetHttp3ProtocolOptions().GetQuicProtocolOptions().GetMaxConcurrentStreams().GetValue() == 100,
	} {
		if !well {
			say(where, what+" is not as recommended")
		}
	}
}

// query matches the operators of access logs that write a request's query.
var query = regexp.MustCompile(`(?i)%REQ(_WITHOUT_QUERY)?\([^)]*(:PATH|X-ENVOY-ORIGINAL-PATH)[^)]*\)|%PATH(\((WQ)?[^)]*\))?%`)

func adviseLog(m *managerv3.HttpConnectionManager, where string, say teller) {
	if len(m.AccessLog) == 0 {
		say(where, "there is no access log")
	}
	for _, l := range m.AccessLog {
		for _, format := range within[*streamv3.StdoutAccessLog](l) {
			text := format.GetLogFormat().GetTextFormatSource().GetInlineString() + format.GetLogFormat().GetJsonFormat().String()
			for _, operator := range query.FindAllString(text, -1) {
				if !strings.HasPrefix(operator, "%PATH(NQ") {
					say(where, "the access log writes queries, by "+operator)
				}
			}
		}
	}
}

// adviseOrder has Postern come before whatever believes what it sets.
func adviseOrder(m *managerv3.HttpConnectionManager, where string, say teller) {
	for i, f := range m.HttpFilters {
		if f.GetTypedConfig().MessageIs(&wasmfilterv3.Wasm{}) && i > 0 {
			say(where, "a filter comes before Postern: "+m.HttpFilters[0].Name)
		}
	}
	if last := len(m.HttpFilters) - 1; last < 0 || m.HttpFilters[last].Name != "envoy.filters.http.router" {
		say(where, "the last filter is not the router")
	}
}

// adviseCluster says as well whether whoever answers there is known.
func adviseCluster(c *clusterv3.Cluster, say teller) (secure bool) {
	where := "cluster " + c.Name
	if c.GetConnectTimeout().GetSeconds() == 0 {
		say(where, "connecting has no limit")
	}
	if c.GetPerConnectionBufferLimitBytes().GetValue() == 0 {
		say(where, "the buffer of a connection has no limit")
	}
	for _, u := range within[*tlsv3.UpstreamTlsContext](c) {
		common := u.GetCommonTlsContext()
		verified := common.GetValidationContext()
		switch {
		case u.Sni == "":
			say(where, "there is no sni")
		case verified.GetTrustedCa() == nil:
			say(where, "certificates are not verified")
		case len(verified.GetMatchTypedSubjectAltNames()) == 0:
			say(where, "the certificate's name is not verified")
		case common.GetTlsParams().GetTlsMinimumProtocolVersion() < tlsv3.TlsParameters_TLSv1_2:
			say(where, "old versions of TLS are not refused")
		default:
			secure = true
		}
	}
	return secure
}

func advisePlugin(p *wasmv3.PluginConfig, secure map[string]bool, say teller) {
	vm, settings := p.GetVmConfig(), &structpb.Struct{}
	environment := vm.GetEnvironmentVariables()
	for what, well := range map[string]bool{
		"failure_policy":                  p.FailurePolicy == wasmv3.FailurePolicy_FAIL_RELOAD,
		"allow_on_headers_stop_iteration": p.GetAllowOnHeadersStopIteration().GetValue(),
		"vm_id":                           vm.GetVmId() != "",
		"runtime":                         vm.GetRuntime() == "envoy.wasm.runtime.v8",
		"code":                            vm.GetCode().GetLocal().GetFilename() != "",
		"host_env_keys":                   slices.Contains(environment.GetHostEnvKeys(), "POSTERN_KEY"),
		"key_values":                      len(environment.GetKeyValues()) == 0,
		"capability_restriction_config":   p.CapabilityRestrictionConfig == nil,
		"configuration":                   p.GetConfiguration().UnmarshalTo(settings) == nil,
	} {
		if !well {
			say("plugin "+p.Name, what+" is not as recommended")
		}
	}
	for _, provider := range settings.GetFields()["providers"].GetListValue().GetValues() {
		fields := provider.GetStructValue().GetFields()
		issuer, cluster := fields["issuer"].GetStringValue(), fields["cluster"].GetStringValue()
		if strings.HasPrefix(issuer, "https:") && !secure[cluster] {
			say("plugin "+p.Name, "who answers at "+cluster+" is not verified")
		}
		if _, plain := fields["client_secret"].GetStructValue().GetFields()["value"]; plain {
			say("plugin "+p.Name, "a secret is in the file")
		}
	}
}

func isTag(label string) func(*metricsv3.TagSpecifier) bool {
	return func(s *metricsv3.TagSpecifier) bool {
		return s.TagName == label && s.GetRegex() == `^wasmcustom\..*?(`+label+`=\.=(.*?);\.;)`
	}
}

// TestOurAdviceIsNoticed breaks configurations in one way each.
func TestOurAdviceIsNoticed(t *testing.T) {
	labels, all := documentedLabels(t), bootstraps(t)
	for name, test := range map[string]struct{ file, old, new, want string }{
		"a module whose failure lets pass":       {"envoy.yaml", "FAIL_RELOAD", "FAIL_OPEN", "failure_policy"},
		"bodies kept back":                       {"envoy.yaml", "allow_on_headers_stop_iteration: true", "allow_on_headers_stop_iteration: false", "allow_on_headers"},
		"a virtual machine without a name":       {"envoy.yaml", "vm_id: postern\n", "vm_id: ''\n", "vm_id"},
		"a key in the file":                      {"envoy.yaml", "{host_env_keys: [POSTERN_KEY, DEMO_CLIENT_SECRET]}", "{host_env_keys: [DEMO_CLIENT_SECRET], key_values: {POSTERN_KEY: x}}", "key_values"},
		"a client's secret in the file":          {"envoy.yaml", "{env: DEMO_CLIENT_SECRET}", "{value: hush}", "a secret is in the file"},
		"an admin interface for all":             {"envoy.yaml", "{address: 127.0.0.1, port_value: 9901}", "{address: 0.0.0.0, port_value: 9901}", "others than this machine"},
		"a query in the access log":              {"envoy.yaml", "%PATH(NQ)%", "%PATH(WQ)%", "writes queries"},
		"a query in it, by Envoy's usual format": {"envoy.yaml", "%PATH(NQ)%", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "writes queries"},
		"a query in an access log in JSON":       {"access-log/envoy.yaml", "%PATH(NQ)%", "%REQ(:PATH)%", "writes queries"},
		"no label for rules":                     {"envoy.yaml", "tag_name: rule", "tag_name: rulez", "no label rule"},
		"a client who says where it is":          {"gateway/envoy.yaml", "use_remote_address: true", "use_remote_address: false", "use_remote_address"},
		"paths in many spellings":                {"envoy.yaml", "merge_slashes: true", "merge_slashes: false", "merge_slashes"},
		"a filter before Postern":                {"filters/envoy.yaml", "http_filters:\n", "http_filters:\n          - name: first\n            typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC}\n", "comes before Postern"},
		"a provider of any name":                 {"tls/envoy.yaml", "match_typed_subject_alt_names:\n            - {san_type: DNS, matcher: {exact: localhost}}", "max_verify_depth: 1", "name is not verified"},
		"a provider with any certificate":        {"tls/envoy.yaml", "trusted_ca: {filename: build/certificates/authority.pem}", "max_verify_depth: 1", "not verified"},
		"a provider without TLS":                 {"envoy.yaml", "issuer: http://", "issuer: https://", "is not verified"},
		"a field that there is not":              {"envoy.yaml", "merge_slashes", "merge_all_slashes", "merge_all_slashes"},
		"an extension that there is not":         {"envoy.yaml", "http.router.v3.Router", "http.router.v3.Rooter", "Rooter"},
		"a value out of its bounds":              {"envoy.yaml", "max_request_headers_kb: 60", "max_request_headers_kb: 0", "MaxRequestHeadersKb"},
		"a key that comes twice":                 {"envoy.yaml", "merge_slashes: true", "merge_slashes: true\n          merge_slashes: true", "already set"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.ReplaceAll(all[test.file], test.old, test.new)
			if changed == all[test.file] {
				t.Fatal("nothing was changed")
			}
			b, err := bootstrapOf(changed)
			said := []string{fmt.Sprint(err)}
			if err == nil {
				said = advise(b, labels)
			}
			if !strings.Contains(strings.Join(said, "\n"), test.want) {
				t.Errorf("nothing of %q in %q", test.want, said)
			}
		})
	}
}
