package config

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	// Its tokens do as well as the standard library's, and it is in the module
	// already.
	"github.com/go-jose/go-jose/v4/json"
)

// Limits on the settings, checked before anything of that size is kept.
const (
	maxBytes  = 1 << 20
	maxDepth  = 32
	maxValues = 50_000
)

// kind is what a JSON value is.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindList
	kindObject
)

func (k kind) String() string {
	return [...]string{"null", "true or false", "a number", "a string", "a list", "an object"}[k]
}

// node is one JSON value. Unlike a map it keeps keys that occur twice.
type node struct {
	kind  kind
	truth bool
	text  string   // of a string, or a number as it was spelled
	keys  []string // of an object, one for each item
	items []*node  // of a list or an object
}

// parseTree reads data as one JSON value, or as a google.protobuf.Struct.
func parseTree(data []byte) (*node, *Problem) {
	root, problem := parseJSON(data)
	if problem == nil || len(data) > maxBytes || !bytes.HasPrefix(data, []byte{structTag}) {
		return root, problem
	}
	root, err := parseStruct(data)
	switch {
	case errors.Is(err, errNoStruct):
		return nil, problem // JSON after a line break
	case err != nil:
		return nil, &Problem{"", err.Error()}
	}
	return root, nil
}

func parseJSON(data []byte) (*node, *Problem) {
	if len(data) > maxBytes {
		return nil, &Problem{"", fmt.Sprintf("the settings have %d bytes; at most %d are read", len(data), maxBytes)}
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, &Problem{"", "there are no settings"}
	}
	if !utf8.Valid(data) {
		return nil, &Problem{"", "the settings are not valid UTF-8"}
	}
	// Decoder.Token does not look at what follows the value, and its errors
	// have no position; so the whole is checked first.
	if err := json.Unmarshal(data, new(json.RawMessage)); err != nil {
		return nil, &Problem{"", syntaxMessage(data, err)}
	}
	b := builder{dec: json.NewDecoder(bytes.NewReader(data))}
	b.dec.SetNumberType(json.UnmarshalJSONNumber)
	root, err := b.value(0)
	if err != nil {
		return nil, &Problem{"", err.Error()}
	}
	return root, nil
}

// syntaxMessage says where the JSON is broken. It does not repeat what is
// there: that may be part of a secret.
func syntaxMessage(data []byte, err error) string {
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if !ok || syntax.Error() == "unexpected end of JSON input" {
		return "the settings are not valid JSON: they end too early"
	}
	before := data[:max(syntax.Offset-1, 0)]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Sprintf("the settings are not valid JSON at line %d, column %d", line, column)
}

// builder makes the tree of tokens.
type builder struct {
	dec    *json.Decoder
	values int
}

var (
	errTooDeep = fmt.Errorf("the settings are nested more than %d deep", maxDepth)
	errTooMany = fmt.Errorf("the settings hold more than %d values", maxValues)
)

func (b *builder) value(depth int) (*node, error) {
	if b.values++; b.values > maxValues {
		return nil, errTooMany
	}
	t, err := b.dec.Token()
	if err != nil {
		return nil, errors.New("the settings are not valid JSON")
	}
	switch t := t.(type) {
	case bool:
		return &node{kind: kindBool, truth: t}, nil
	case json.Number:
		return &node{kind: kindNumber, text: t.String()}, nil
	case string:
		return &node{kind: kindString, text: t}, nil
	case json.Delim:
		return b.container(t, depth+1)
	}
	return &node{kind: kindNull}, nil
}

func (b *builder) container(open json.Delim, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	n := &node{kind: kindList}
	if open == '{' {
		n.kind = kindObject
	}
	for b.dec.More() {
		if n.kind == kindObject {
			key, err := b.dec.Token()
			if err != nil {
				return nil, errors.New("the settings are not valid JSON")
			}
			n.keys = append(n.keys, key.(string))
		}
		item, err := b.value(depth)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
	}
	_, _ = b.dec.Token() // the closing bracket; the syntax was checked
	return n, nil
}
