package manifest

import (
	"cmp"
	"strconv"
	"strings"
)

// object looks through an object of Kubernetes.
func (s *search) object(n *Node, at string) {
	name, namespace := n.Get("metadata", "name").Str(), n.Get("metadata", "namespace").Str()
	before := len(s.found)
	kind := n.Get("kind").Str()
	switch kind {
	case "List":
		for i, item := range n.Get("items").List() {
			s.object(item, join(at, "items["+strconv.Itoa(i)+"]"))
		}
		return
	case WasmPlugin:
		s.wasmPlugin(n, at)
	case EnvoyFilter:
		s.envoy(n.Get("spec"), join(at, "spec"), EnvoyFilter)
	case EnvoyExtensionPolicy:
		s.extensionPolicy(n, at)
	case "ConfigMap":
		s.texts(n.Get("data"), join(at, "data"))
	case "Secret":
		s.texts(n.Get("string_data"), join(at, "stringData"))
	}
	for i := before; i < len(s.found); i++ {
		f := &s.found[i]
		f.Namespace = namespace
		if f.Kind == kind || f.Kind == Settings {
			f.Name = name
		}
		if f.Root == nil {
			f.Root = n
		}
	}
}

// istioPolicies are Istio's, in Envoy's words; what is left out is FAIL_CLOSE.
var istioPolicies = map[string]string{"FAIL_OPEN": FailOpen, "FAIL_RELOAD": FailReload, "1": FailOpen, "2": FailReload}

func (s *search) wasmPlugin(n *Node, at string) {
	spec := n.Get("spec")
	settings := spec.Get("plugin_config")
	f := Found{
		Kind: WasmPlugin, Plugin: spec, PluginPath: join(at, "spec"), Path: join(at, "spec.pluginConfig"), Line: lineOf(settings, spec),
		RootID: spec.Get("plugin_name").Str(), Phase: spec.Get("phase").Scalar(), Module: spec.Get("url").Str(),
		FailurePolicy: cmp.Or(istioPolicies[spec.Get("fail_strategy").Scalar()], FailClosed),
	}
	if settings != nil {
		f.Settings = settings.JSON()
	}
	for _, v := range spec.Get("vm_config", "env").List() {
		e := EnvVar{Name: v.Get("name").Str(), Host: v.Get("value_from").Scalar() == "HOST" || v.Get("value_from").Scalar() == "1"}
		if value := v.Get("value"); value != nil && !e.Host {
			text := value.Scalar()
			e.Value = &text
		}
		f.Env = append(f.Env, e)
	}
	if ours(f.Settings, n.Get("metadata", "name").Str(), f.RootID, f.Module) {
		s.found = append(s.found, f)
	}
}

func (s *search) extensionPolicy(n *Node, at string) {
	for i, w := range n.Get("spec", "wasm").List() {
		settings := w.Get("config")
		place := join(at, "spec.wasm["+strconv.Itoa(i)+"]")
		f := Found{
			Kind: EnvoyExtensionPolicy, Plugin: w, PluginPath: place, Path: place + ".config", Line: lineOf(settings, w),
			RootID: w.Get("rootID").Str(), FailurePolicy: FailClosed,
			Module: cmp.Or(w.Get("code", "image", "url").Str(), w.Get("code", "http", "url").Str()),
		}
		if settings != nil {
			f.Settings = settings.JSON()
		}
		if w.Get("failOpen").True() {
			f.FailurePolicy = FailOpen
		}
		for _, key := range w.Get("env", "hostKeys").List() {
			f.Env = append(f.Env, EnvVar{Name: key.Str(), Host: true})
		}
		if ours(f.Settings, w.Get("name").Str(), f.RootID, f.Module) {
			s.found = append(s.found, f)
		}
	}
}

// texts looks through the texts of a ConfigMap or a Secret. What cannot be read
// there is something else.
func (s *search) texts(data *Node, at string) {
	if data == nil || data.Kind != Object {
		return
	}
	for i, text := range data.Items {
		if text.Kind != String || !strings.Contains(text.Text, "providers") {
			continue
		}
		within, err := find([]byte(text.Text), false)
		if err != nil {
			continue
		}
		for _, f := range within {
			f.Path = join(join(at, data.step(i)), f.Path)
			f.PluginPath = join(join(at, data.step(i)), f.PluginPath)
			if f.Line += text.Line; !text.block {
				f.Line = text.Line
			}
			s.found = append(s.found, f)
		}
	}
}

func lineOf(n, other *Node) int {
	if n == nil {
		n = other
	}
	if n == nil {
		return 0
	}
	return n.Line
}

// Beside notes what another text says of settings that were found: an EnvoyFilter
// or an EnvoyPatchPolicy that has bodies let through, which a WasmPlugin and an
// EnvoyExtensionPolicy cannot say themselves.
func Beside(text []byte, found []*Found) error {
	docs, err := documents(text)
	if err == nil {
		allowStops(docs, found)
	}
	return err
}

// RootNamespace is Istio's, unless a mesh says otherwise: what is there is for all.
const RootNamespace = "istio-system"

func allowStops(docs []*document, found []*Found) {
	namespaces := map[string]map[string]bool{WasmPlugin: {}, EnvoyExtensionPolicy: {}}
	for _, doc := range docs {
		for _, n := range flat(doc.root) {
			namespace := n.Get("metadata", "namespace").Str()
			switch n.Get("kind").Str() {
			case EnvoyFilter:
				if setsStop(n.Get("spec")) {
					namespaces[WasmPlugin][namespace] = true
				}
			case "EnvoyPatchPolicy":
				if setsStop(n.Get("spec")) {
					namespaces[EnvoyExtensionPolicy][namespace] = true
				}
			}
		}
	}
	for _, f := range found {
		if of := namespaces[f.Kind]; of[f.Namespace] || f.Kind == WasmPlugin && of[RootNamespace] {
			f.AllowStop = true
		}
	}
}

// flat are a document's objects: itself, or those of a List.
func flat(n *Node) []*Node {
	if n.Get("kind").Str() == "List" {
		return n.Get("items").List()
	}
	return []*Node{n}
}

// setsStop looks for allow_on_headers_stop_iteration in a patch.
func setsStop(n *Node) bool {
	if n == nil {
		return false
	}
	if n.Get("allow_on_headers_stop_iteration").True() || strings.HasSuffix(n.Get("path").Str(), "/allow_on_headers_stop_iteration") && n.Get("value").True() {
		return true
	}
	for _, item := range n.Items {
		if setsStop(item) {
			return true
		}
	}
	return false
}
