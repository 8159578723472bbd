// Package manifest finds Postern's settings in the files that people keep them
// in: settings alone; a configuration of Envoy (a bootstrap, resources read from
// a file, the dump of a running one); Istio's WasmPlugin and EnvoyFilter; Envoy
// Gateway's EnvoyExtensionPolicy; and a ConfigMap, a Secret or a List that holds
// any of these. It tells what stands around them as well: the variables that the proxy
// hands over, what happens when the module fails, the clusters, the filters
// beside it.
//
// It refuses to guess: a key that is given twice is an error, as it is to
// whoever applies the file. It does not judge settings (that is internal/config)
// nor what is around them (internal/doctor), and leaves out filters that are
// somebody else's. Files are read within bounds; nothing in them is opened,
// fetched or run.
//
// The shapes are those of Envoy's extensions.wasm.v3, Istio's
// extensions/v1alpha1 and networking/v1alpha3, and Envoy Gateway's v1alpha1.
package manifest

import (
	"bytes"
	"reflect"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/config"
)

// What settings are found in.
const (
	Settings             = "Settings"             // nothing else
	Bootstrap            = "Bootstrap"            // of Envoy
	Resources            = "Resources"            // of Envoy, as xDS has them
	ConfigDump           = "ConfigDump"           // of Envoy's admin interface
	WasmPlugin           = "WasmPlugin"           // of Istio
	EnvoyFilter          = "EnvoyFilter"          // of Istio
	EnvoyExtensionPolicy = "EnvoyExtensionPolicy" // of Envoy Gateway
)

// What happens to requests when the module has failed, in Envoy's words.
const (
	FailOpen   = "FAIL_OPEN"
	FailClosed = "FAIL_CLOSED"
	FailReload = "FAIL_RELOAD"
)

// Found is one place in which Postern is set up.
type Found struct {
	Kind      string // what it is found in
	Name      string // of the Kubernetes object; of Envoy's plugin otherwise
	Namespace string
	Filter    string // what Envoy calls the filter
	Document  int    // of the file, counted from 0
	Line      int    // of the file
	Path      string // in the document; "" where it is nothing but settings

	// Settings are what the proxy hands to the module: JSON, unless the file has
	// something else there, which the module would refuse.
	Settings []byte

	Env           []EnvVar // what the module sees of the environment
	FailurePolicy string   // in Envoy's words; FAIL_CLOSED where nothing is said
	VMID          string
	RootID        string
	AllowStop     bool   // allow_on_headers_stop_iteration
	Phase         string // of a WasmPlugin
	Module        string // where the module comes from: a file, or an address
	Plugin        *Node  // what says so: a PluginConfig, a WasmPlugin's spec, an entry of a policy's wasm
	PluginPath    string // where that is in the document

	// Uses are the places in which a configuration of Envoy has the filter. One
	// that is delivered by itself (ECDS) may have several, or none in this file.
	Uses []Use

	// Clusters are those of the same configuration of Envoy. They are all that
	// there are if AllClusters.
	Clusters    []Cluster
	AllClusters bool

	// Root is the whole document.
	Root *Node
}

// EnvVar is a variable of the module's environment.
type EnvVar struct {
	Name  string
	Value *string // where it is spelled out
	Host  bool    // it is that of the proxy
}

// Use is a place in which a filter is used.
type Use struct {
	Listener *Node // nil if the file does not have it
	Manager  *Node // the HttpConnectionManager; nil likewise
	Path     string
	Filters  []Filter // of the manager, in their order
	Position int      // of this one among them
}

// Filter is one of the filters of a connection manager.
type Filter struct {
	Name string
	Type string // of its configuration; "" where that is delivered
	Node *Node
}

// Cluster is one of Envoy's clusters.
type Cluster struct {
	Name string
	Node *Node
}

// HandsOver says whether a variable reaches the module.
func (f *Found) HandsOver(name string) bool {
	for _, v := range f.Env {
		if v.Name == name {
			return true
		}
	}
	return false
}

// Find returns all settings of a text, in their order. None is no error. An
// error says what is wrong with the text, and holds nothing of its values.
func Find(text []byte) ([]Found, error) { return find(text, true) }

// FindIn returns all settings of a document that was read already. One that is
// nothing but settings has none in it.
func FindIn(root *Node) []Found {
	s := search{root: root}
	s.document()
	return s.finish()
}

// find looks through a text. Where it is a file of its own, settings that lack
// their providers are taken for some, so that they are told what they lack.
func find(text []byte, file bool) ([]Found, error) {
	docs, err := documents(text)
	if err != nil {
		return nil, err
	}
	var all []Found
	for i, doc := range docs {
		if doc.root == nil || doc.root.Kind == Null && len(docs) > 1 {
			continue
		}
		s := search{root: doc.root}
		if s.plain(file && len(docs) == 1) {
			if doc.json == nil && doc.twice != nil {
				return nil, doc.twice
			}
			s.settings(doc)
		} else if s.document(); doc.twice != nil {
			return nil, doc.twice
		}
		for _, f := range s.finish() {
			f.Document = i
			all = append(all, f)
		}
	}
	pointers := make([]*Found, len(all))
	for i := range all {
		pointers[i] = &all[i]
	}
	allowStops(docs, pointers)
	return all, nil
}

// search looks through one document.
type search struct {
	root     *Node
	found    []Found
	managers []Use // all connection managers, for filters that are delivered
}

// plain says whether the document is nothing but settings: those have providers,
// or, if so little is enough, some other key of settings.
func (s *search) plain(enough bool) bool {
	n := s.root
	if n.Kind != Object {
		return enough
	}
	for _, key := range []string{"kind", "static_resources", "dynamic_resources", "resources", "configs", "@type", "filter_chains", "http_filters", "typed_config", "admin", "node"} {
		if n.Get(key) != nil {
			return false
		}
	}
	return n.Get("providers") != nil || enough && !holdsSettings(n) && (len(n.Keys) == 0 || slices.ContainsFunc(n.Keys, isSetting))
}

// isSetting says whether settings have a key of this name.
func isSetting(key string) bool {
	t := reflect.TypeFor[config.Config]()
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("json") == key {
			return true
		}
	}
	return false
}

// holdsSettings says whether one of an object's keys holds settings.
func holdsSettings(n *Node) bool {
	s := search{root: n}
	s.values()
	return len(s.found) > 0
}

// settings takes the whole document. JSON stays as it is, so that whoever reads
// it sees what a proxy would hand over, keys that are given twice included.
func (s *search) settings(doc *document) {
	text := doc.json
	if text == nil {
		text = s.root.JSON()
	}
	s.found = []Found{{Kind: Settings, Line: s.root.Line, Settings: text}}
}

func (s *search) document() {
	if s.root.Get("kind").Str() != "" {
		s.object(s.root, "")
		return
	}
	s.envoy(s.root, "", envoyKind(s.root))
	if len(s.found) == 0 && s.root.Get("configs") == nil {
		s.values()
	}
}

// values looks for settings that stand below a key of their own, as in a chart's
// values.
func (s *search) values() {
	for i, item := range s.root.Items {
		if item.Get("providers").List() != nil && (item.Get("session") != nil || item.Get("hosts") != nil) {
			s.found = append(s.found, Found{Kind: Settings, Line: item.Line, Path: strings.TrimPrefix(s.root.step(i), "."), Settings: item.JSON()})
		}
	}
}

// finish adds what is known of the whole document.
func (s *search) finish() []Found {
	clusters, all := clustersOf(s.root)
	for i := range s.found {
		f := &s.found[i]
		if f.Kind != Bootstrap && f.Kind != Resources && f.Kind != ConfigDump {
			continue
		}
		if f.Clusters == nil && f.Root == nil {
			f.Clusters, f.AllClusters = clusters, all
		}
		if len(f.Uses) == 0 {
			f.Uses = s.delivered(f.Filter)
		}
	}
	for i := range s.found {
		if s.found[i].Root == nil {
			s.found[i].Root = s.root
		}
	}
	return s.found
}

// ours says whether a plugin is Postern: its settings have providers, or it is
// called so.
func ours(settings []byte, names ...string) bool {
	if docs, err := documents(settings); err == nil && len(docs) == 1 && docs[0].root.Get("providers") != nil {
		return true
	} else if err != nil && bytes.Contains(settings, []byte("providers")) {
		return true // what it is cannot be told, but it was to be settings
	}
	for _, name := range names {
		if strings.Contains(strings.ToLower(name), "postern") {
			return true
		}
	}
	return false
}
