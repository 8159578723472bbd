package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"strings"
)

// node is a part of a JSON Schema (draft 2020-12) as it is written.
type node struct {
	Schema      string     `json:"$schema,omitempty"`
	ID          string     `json:"$id,omitempty"`
	Title       string     `json:"title,omitempty"`
	Description string     `json:"description,omitempty"`
	Ref         string     `json:"$ref,omitempty"`
	Type        string     `json:"type,omitempty"`
	Enum        []string   `json:"enum,omitempty"`
	Pattern     string     `json:"pattern,omitempty"`
	MinLength   int        `json:"minLength,omitempty"`
	Minimum     *int       `json:"minimum,omitempty"`
	Maximum     *int       `json:"maximum,omitempty"`
	Items       *node      `json:"items,omitempty"`
	Properties  properties `json:"properties,omitempty"`
	Required    []string   `json:"required,omitempty"`
	// Additional is false, or what else may be there.
	Additional  any               `json:"additionalProperties,omitempty"`
	MinProps    int               `json:"minProperties,omitempty"`
	MaxProps    int               `json:"maxProperties,omitempty"`
	AnyOf       []*node           `json:"anyOf,omitempty"`
	OneOf       []*node           `json:"oneOf,omitempty"`
	Default     json.RawMessage   `json:"default,omitempty"`
	Examples    []json.RawMessage `json:"examples,omitempty"`
	Definitions properties        `json:"$defs,omitempty"`
}

// properties keep the order in which settings are documented.
type properties []property

type property struct {
	name string
	node *node
}

// MarshalJSON writes an object.
func (ps properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range ps {
		if i > 0 {
			b.WriteByte(',')
		}
		value, err := plainJSON(p.node)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", p.name, value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// plainJSON leaves <, > and & as they are: the schema is for editors.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// schemaID is where the schema is to be had.
const schemaID = "https://raw.githubusercontent.com/postern-auth/postern/main/docs/postern.schema.json"

// maker makes a schema of the package's types.
type maker struct {
	*schema
	made map[string]bool // structs that have a definition, or will
	defs properties
}

// renderSchema writes the schema of the settings in the package in dir.
func renderSchema(dir string) ([]byte, error) {
	s, err := load(dir)
	if err != nil {
		return nil, err
	}
	m := maker{schema: s, made: map[string]bool{}}
	top, err := m.object("Config", "")
	if err != nil {
		return nil, err
	}
	top.Schema, top.ID, top.Title = "https://json-schema.org/draft/2020-12/schema", schemaID, "Postern's settings"
	top.Description = "Settings of Postern, as docs/configuration.md explains them. An editor with this schema completes and explains settings; `postern check` says whether they are valid."
	top.Definitions = m.defs
	text, err := plainJSON(top)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = json.Indent(&b, text, "", " ")
	b.WriteByte('\n')
	return b.Bytes(), err
}

// object describes a struct that is found at path.
func (m *maker) object(name, path string) (*node, error) {
	structure, ok := m.structs[name]
	if !ok {
		return nil, fmt.Errorf("there is no struct %s", name)
	}
	n := &node{Type: "object", Additional: false}
	for _, field := range structure.Fields.List {
		if field.Tag == nil {
			continue
		}
		st, err := m.setting(field, path)
		if err != nil {
			return nil, err
		}
		value, err := m.value(field.Type, st.path)
		if err != nil {
			return nil, err
		}
		describe(value, st)
		key := st.path[strings.LastIndexByte(st.path, '.')+1:]
		n.Properties = append(n.Properties, property{key, value})
		if st.required {
			n.Required = append(n.Required, key)
		}
	}
	if name == "Key" {
		n.Required = []string{"id"}
		n.OneOf = []*node{{Required: []string{"env"}}, {Required: []string{"value"}}}
		n.Properties[len(n.Properties)-1].node = &node{Type: "string", MinLength: 1, Description: n.Properties[len(n.Properties)-1].node.Description}
	}
	return n, nil
}

// describe puts what is said of a setting into its schema.
func describe(n *node, st setting) {
	n.Description = strings.Join(st.prose, "\n\n")
	if json.Valid([]byte(st.def)) {
		n.Default = json.RawMessage(st.def)
	} else if st.def != "" {
		n.Description += "\n\nDefault: " + st.def
	}
	if json.Valid([]byte(st.example)) {
		n.Examples = []json.RawMessage{json.RawMessage(st.example)}
	}
}

// value describes what may stand at path.
func (m *maker) value(t ast.Expr, path string) (*node, error) {
	switch t := t.(type) {
	case *ast.StarExpr:
		return m.value(t.X, path)
	case *ast.ArrayType:
		item, err := m.value(t.Elt, path+"[]")
		return &node{Type: "array", Items: item}, err
	case *ast.MapType:
		member, err := m.value(t.Value, path+".*")
		return &node{Type: "object", Additional: member}, err
	case *ast.Ident:
		return m.ident(t.Name, path)
	}
	return nil, fmt.Errorf("%s: no schema for a %T", path, t)
}

func (m *maker) ident(name, path string) (*node, error) {
	switch name {
	case "string", "Template":
		return text(path)
	case "bool":
		return &node{Type: "boolean"}, nil
	case "int":
		return integer(path)
	case "Claims":
		return &node{Type: "object", Additional: &node{Type: "string", MinLength: 1}}, nil
	}
	if own := special(name); own != nil {
		return own, nil
	}
	if !m.made[name] {
		m.made[name] = true
		def, err := m.object(name, path)
		if err != nil {
			return nil, err
		}
		m.defs = append(m.defs, property{name, def})
	}
	return &node{Ref: "#/$defs/" + name}, nil
}

const (
	durationPattern = `^\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$|^0$`
	timePattern     = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$`
	variablePattern = `^[A-Za-z_][A-Za-z0-9_]*$`
)

// special describes types that read their own kind of value.
func special(name string) *node {
	word := &node{Type: "string", MinLength: 1}
	words := &node{Type: "array", Items: word}
	switch name {
	case "Duration":
		return &node{Type: "string", Pattern: durationPattern}
	case "Time":
		return &node{Type: "string", Pattern: timePattern}
	case "HostPattern":
		return word
	case "Secret", "ClientKey":
		return &node{Type: "object", Additional: false, MinProps: 1, MaxProps: 1, Properties: properties{
			{"env", &node{Type: "string", Pattern: variablePattern, Description: "The environment variable of the VM that holds it."}},
			{"value", &node{Type: "string", MinLength: 1, Description: "The text itself. Whoever can read the proxy's configuration can read it."}},
		}}
	case "Header":
		return &node{AnyOf: []*node{word, {Type: "object", Additional: false, OneOf: []*node{{Required: []string{"claim"}}, {Required: []string{"path"}}}, Properties: properties{
			{"claim", word}, {"path", word}, {"list", &node{Type: "string", Enum: []string{"join", "repeat"}}}, {"encoding", &node{Type: "string", Enum: []string{"utf-8", "percent"}}},
		}}}}
	case "ClaimTest":
		return &node{AnyOf: []*node{words, {Type: "object", Additional: false, MinProps: 1, Properties: properties{{"values", words}, {"prefixes", words}}}}}
	}
	return nil
}

// text describes a string, with the words that it has to be one of.
func text(path string) (*node, error) {
	n := &node{Type: "string", MinLength: 1}
	words, several, err := wordsAt(path)
	if err != nil || words == nil {
		return n, err
	}
	n.MinLength = 0
	if several {
		one := "(" + strings.Join(words, "|") + ")"
		n.Pattern = "^" + one + "( " + one + ")*$"
	} else {
		n.Enum = words
	}
	return n, nil
}

// integer describes a whole number, with its bounds.
func integer(path string) (*node, error) {
	n := &node{Type: "integer"}
	least, most, bounded, err := boundsAt(path)
	if bounded {
		n.Minimum, n.Maximum = &least, &most
	}
	return n, err
}
