package manifest

import (
	"cmp"
	"encoding/base64"
	"strings"
)

const (
	typeWasm    = "envoy.extensions.filters.http.wasm.v3.Wasm"
	typeManager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
	typeCluster = "envoy.config.cluster.v3.Cluster"
)

// envoyKind says what a configuration of Envoy is.
func envoyKind(n *Node) string {
	switch {
	case n.Get("configs") != nil:
		return ConfigDump
	case n.Get("static_resources") != nil, n.Get("dynamic_resources") != nil, n.Get("admin") != nil:
		return Bootstrap
	}
	return Resources
}

// passed are the parts of a dump that say nothing of what is in force.
var passed = []string{"warming_state", "draining_state", "error_state", "bootstrap"}

// way is how one got to a node: those above it, the root first.
type way struct {
	nodes []*Node
	steps []string // one less
}

func (w way) path() string { return strings.TrimPrefix(strings.Join(w.steps, ""), ".") }

// envoy looks for filters in a configuration of Envoy, wherever they are.
func (s *search) envoy(n *Node, at, kind string) {
	s.walk(way{nodes: []*Node{n}}, at, kind)
}

func (s *search) walk(w way, at, kind string) {
	n := w.nodes[len(w.nodes)-1]
	if n.Get("http_filters").List() != nil {
		s.managers = append(s.managers, useOf(w, at))
	}
	if body, step := typed(n); body != nil {
		s.filter(w, at, step, body, kind)
		return
	}
	for i, item := range n.Items {
		if item == nil || item.Kind < List || kind == ConfigDump && n.Kind == Object && skipped(n.Keys[i]) {
			continue
		}
		s.walk(way{append(w.nodes[:len(w.nodes):len(w.nodes)], item), append(w.steps[:len(w.steps):len(w.steps)], n.step(i))}, at, kind)
	}
}

func skipped(key string) bool {
	for _, p := range passed {
		if key == p || key == camel(p) {
			return true
		}
	}
	return false
}

// typed is the configuration of a wasm filter that an Any holds, itself or as a
// TypedStruct, and how one gets there.
func typed(n *Node) (body *Node, step string) {
	switch t := n.Type(); {
	case t == typeWasm && n.Get("config") != nil:
		return n.Get("config"), ".config"
	case strings.HasSuffix(t, ".TypedStruct") && strings.HasSuffix(n.Get("type_url").Str(), "/"+typeWasm):
		return n.Get("value", "config"), ".value.config"
	}
	return nil, ""
}

// Plugins are all wasm plugins of a configuration of Envoy, whoever's they are:
// their PluginConfigs.
func Plugins(root *Node) (all []*Node) {
	dump := root.Get("configs") != nil
	var below func(n *Node)
	below = func(n *Node) {
		if body, _ := typed(n); body != nil {
			all = append(all, body)
			return
		}
		for i, item := range n.Items {
			if item != nil && item.Kind >= List && !(dump && n.Kind == Object && skipped(n.Keys[i])) {
				below(item)
			}
		}
	}
	if root != nil {
		below(root)
	}
	return all
}

func (s *search) filter(w way, at, step string, plugin *Node, kind string) {
	f := Found{Kind: kind, Plugin: plugin, Name: plugin.Get("name").Str(), RootID: plugin.Get("root_id").Str(), AllowStop: plugin.Get("allow_on_headers_stop_iteration").True()}
	f.Filter = above(w, 1).Get("name").Str()
	f.Name = cmp.Or(f.Name, f.Filter)
	vm := plugin.Get("vm_config")
	f.VMID, f.Module = vm.Get("vm_id").Str(), ModuleOf(plugin)
	f.FailurePolicy, f.Env = envoyPolicy(plugin), envoyEnv(vm.Get("environment_variables"))
	configuration := plugin.Get("configuration")
	var inner string
	f.Settings, inner = handedOver(configuration)
	if !ours(f.Settings, f.Name, f.RootID, f.Module) || configuration == nil && kind == EnvoyFilter {
		return
	}
	f.Line = plugin.Line
	if configuration != nil {
		f.Line = configuration.Line
	}
	f.PluginPath = join(at, w.path()+step)
	f.Path = f.PluginPath + ".configuration" + inner
	if u, is := used(w, at); is {
		f.Uses = []Use{u}
	}
	s.found = append(s.found, f)
}

// above is the nth node above the last one of a way.
func above(w way, n int) *Node {
	if i := len(w.nodes) - 1 - n; i >= 0 {
		return w.nodes[i]
	}
	return nil
}

// ModuleOf says where the module of a PluginConfig comes from: a file, or an address.
func ModuleOf(plugin *Node) string {
	code := plugin.Get("vm_config", "code")
	if file := code.Get("local", "filename").Str(); file != "" {
		return file
	}
	return code.Get("remote", "http_uri", "uri").Str()
}

// handedOver is what Envoy hands to a plugin as its configuration, and how one
// gets there.
func handedOver(n *Node) (text []byte, step string) {
	value := n.Get("value")
	switch n.Type() {
	case "google.protobuf.Struct":
		return value.JSON(), ".value"
	case "google.protobuf.StringValue":
		return []byte(value.Str()), ".value"
	case "google.protobuf.BytesValue":
		plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(value.Str(), "="))
		text, _ := base64.RawStdEncoding.DecodeString(plain)
		return text, ".value"
	}
	if n == nil {
		return nil, ""
	}
	return n.JSON(), ""
}

// policies are Envoy's, by their numbers.
var policies = map[string]string{"1": FailReload, "2": FailClosed, "3": FailOpen, FailReload: FailReload, FailOpen: FailOpen}

func envoyPolicy(plugin *Node) string {
	if policy, ok := policies[plugin.Get("failure_policy").Scalar()]; ok {
		return policy
	}
	if plugin.Get("fail_open").True() && plugin.Get("failure_policy") == nil {
		return FailOpen
	}
	return FailClosed
}

func envoyEnv(n *Node) (env []EnvVar) {
	for _, key := range n.Get("host_env_keys").List() {
		env = append(env, EnvVar{Name: key.Str(), Host: true})
	}
	values := n.Get("key_values")
	if values == nil {
		return env
	}
	for i, key := range values.Keys {
		value := values.Items[i].Scalar()
		env = append(env, EnvVar{Name: key, Value: &value})
	}
	return env
}

// useOf is the connection manager at the end of a way, and its listener.
func useOf(w way, at string) Use {
	u := Use{Manager: w.nodes[len(w.nodes)-1], Path: join(at, w.path()), Position: -1}
	for i := len(w.nodes) - 1; i >= 0 && u.Listener == nil; i-- {
		if w.nodes[i].Get("filter_chains") != nil || w.nodes[i].Get("default_filter_chain") != nil {
			u.Listener = w.nodes[i]
		}
	}
	for _, f := range u.Manager.Get("http_filters").List() {
		u.Filters = append(u.Filters, Filter{Name: f.Get("name").Str(), Type: filterType(f), Node: f})
	}
	return u
}

func filterType(f *Node) string {
	c := f.Get("typed_config")
	if t := c.Type(); !strings.HasSuffix(t, ".TypedStruct") {
		return t
	}
	url := c.Get("type_url").Str()
	return url[strings.LastIndexByte(url, '/')+1:]
}

// used finds the connection manager in which a filter stands.
func used(w way, at string) (Use, bool) {
	for i := len(w.nodes) - 2; i >= 1; i-- {
		manager := w.nodes[i-1]
		if manager.Get("http_filters") != w.nodes[i] || w.nodes[i].Kind != List {
			continue
		}
		u := useOf(way{w.nodes[:i], w.steps[:i-1]}, at)
		for p, f := range w.nodes[i].Items {
			if f == w.nodes[i+1] {
				u.Position = p
			}
		}
		return u, true
	}
	return Use{}, false
}

// delivered are the connection managers that have a filter of this name
// delivered to them.
func (s *search) delivered(name string) (uses []Use) {
	for _, u := range s.managers {
		for p, f := range u.Filters {
			if f.Name == name && f.Node.Get("config_discovery") != nil {
				u.Position = p
				uses = append(uses, u)
				break
			}
		}
	}
	return uses
}

// clustersOf are the clusters of a configuration of Envoy, and whether these are
// all.
func clustersOf(n *Node) (clusters []Cluster, all bool) {
	take := func(c *Node) {
		if name := c.Get("name").Str(); name != "" {
			clusters = append(clusters, Cluster{name, c})
		}
	}
	for _, c := range n.Get("static_resources", "clusters").List() {
		take(c)
	}
	for _, r := range n.Get("resources").List() {
		if r.Type() == typeCluster {
			take(r)
		}
	}
	for _, part := range n.Get("configs").List() {
		for _, c := range part.Get("static_clusters").List() {
			take(c.Get("cluster"))
		}
		for _, c := range part.Get("dynamic_active_clusters").List() {
			take(c.Get("cluster"))
		}
	}
	switch envoyKind(n) {
	case ConfigDump:
		return clusters, true
	case Bootstrap:
		d := n.Get("dynamic_resources")
		return clusters, d.Get("cds_config") == nil && d.Get("cds_resources_locator").Str() == ""
	}
	return clusters, false
}

// join puts two paths together.
func join(at, path string) string {
	switch {
	case at == "":
		return strings.TrimPrefix(path, ".")
	case path == "", path[0] == '[', path[0] == '.':
		return at + path
	}
	return at + "." + path
}
