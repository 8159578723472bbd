package migrate

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Map is an object of the settings, in the order in which people are to read it,
// with comments. Its values are texts, numbers, truth values, lists and further
// maps.
type Map struct {
	keys   []string
	values map[string]any
	notes  map[string][]string
}

// NewMap makes an empty object.
func NewMap() *Map { return &Map{values: map[string]any{}, notes: map[string][]string{}} }

// Set sets a value.
func (m *Map) Set(key string, value any) *Map {
	if _, there := m.values[key]; !there {
		m.keys = append(m.keys, key)
	}
	m.values[key] = value
	return m
}

// Drop takes a value out, and reports whether there was one.
func (m *Map) Drop(key string) bool {
	_, there := m.values[key]
	delete(m.values, key)
	m.keys = slices.DeleteFunc(m.keys, func(k string) bool { return k == key })
	return there
}

// Get returns a value, or nil.
func (m *Map) Get(key string) any { return m.values[key] }

// At returns the object under a key, which is made if there is none.
func (m *Map) At(key string) *Map {
	if inner, ok := m.values[key].(*Map); ok {
		return inner
	}
	inner := NewMap()
	m.Set(key, inner)
	return inner
}

// Note puts a comment in front of a key.
func (m *Map) Note(key, comment string) {
	if !slices.Contains(m.notes[key], comment) {
		m.notes[key] = append(m.notes[key], comment)
	}
}

// MarshalJSON writes the object in its order.
func (m *Map) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, key := range m.order() {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := plainJSON(key)
		if err != nil {
			return nil, err
		}
		value, err := plainJSON(m.values[key])
		if err != nil {
			return nil, err
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// plainJSON leaves <, > and & as they are.
func plainJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(out.Bytes()), err
}

// JSON is the object as the module reads it.
func (m *Map) JSON() []byte {
	text, err := m.MarshalJSON()
	if err != nil {
		return nil // of texts, numbers, truth values and lists there is none
	}
	return text
}

// topLevel is the order of the settings.
var topLevel = []string{
	"providers", "public_url", "hosts", "path_prefix", "session", "sign_in", "pages", "sign_out", "forward",
	"bearer", "trusted_peers", "auth_request", "cors", "log", "insecure_http_cookies", "rules",
}

// order is that of the keys: the top level has its own.
func (m *Map) order() []string {
	keys := slices.Clone(m.keys)
	slices.SortStableFunc(keys, func(a, b string) int { return place(a) - place(b) })
	return keys
}

// place is a key's place at the top level. Keys of objects within have none, but
// for those of the same name, of which each object has one at most.
func place(key string) int {
	if i := slices.Index(topLevel, key); i >= 0 {
		return i
	}
	return 0
}

// YAML writes the object with its comments.
func (m *Map) YAML() ([]byte, error) {
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(m.node()); err != nil {
		return nil, err
	}
	return out.Bytes(), e.Close()
}

func (m *Map) node() *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, key := range m.order() {
		k := scalar(key)
		if notes := m.notes[key]; len(notes) > 0 {
			k.HeadComment = "# " + strings.Join(notes, "\n# ")
		}
		n.Content = append(n.Content, k, nodeOf(m.values[key]))
	}
	if m.short() {
		n.Style = yaml.FlowStyle
	}
	return n
}

// short reports whether an object is best read on one line.
func (m *Map) short() bool {
	size := 0
	for _, key := range m.keys {
		if len(m.notes[key]) > 0 || holdsMap(m.values[key]) {
			return false
		}
		text, _ := plainJSON(m.values[key])
		size += len(key) + len(text) + 4
	}
	return size <= 90
}

func holdsMap(v any) bool {
	switch v := v.(type) {
	case *Map:
		return !v.short() || len(v.keys) > 3
	case []any:
		return len(v) > 0
	}
	return false
}

func nodeOf(v any) *yaml.Node {
	switch v := v.(type) {
	case *Map:
		return v.node()
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range v {
			n.Content = append(n.Content, nodeOf(item))
		}
		return n
	case []string:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		size := 0
		for _, item := range v {
			n.Content = append(n.Content, scalar(item))
			size += len(item) + 2
		}
		if size <= 90 {
			n.Style = yaml.FlowStyle
		}
		return n
	}
	return scalar(v)
}

func scalar(v any) *yaml.Node {
	n := new(yaml.Node)
	if err := n.Encode(v); err != nil {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"} // there are no other values
	}
	return n
}
