package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"
)

// Limits on what is read, all checked while reading.
const (
	// MaxBytes is how long a text may be.
	MaxBytes     = 32 << 20
	maxDocuments = 1000
	maxDepth     = 128
	maxNodes     = 2 << 20
)

var (
	errTooLong  = fmt.Errorf("is longer than %d bytes", MaxBytes)
	errTooMany  = fmt.Errorf("holds more than %d documents", maxDocuments)
	errTooDeep  = fmt.Errorf("is nested more than %d deep", maxDepth)
	errTooLarge = fmt.Errorf("holds more than %d values", maxNodes)
)

// document is one document of a text.
type document struct {
	root  *Node
	json  []byte // the document itself, where it is JSON
	twice error  // the first key that is given twice in one object
}

// reader makes nodes, and counts them.
type reader struct {
	nodes int
	twice error
}

// Parse reads a text that is one document, such as an answer of Envoy's.
func Parse(text []byte) (*Node, error) {
	docs, err := documents(text)
	switch {
	case err != nil:
		return nil, err
	case len(docs) != 1:
		return nil, fmt.Errorf("holds %d documents and not one", len(docs))
	}
	return docs[0].root, docs[0].twice
}

// documents reads all documents of a text; those with nothing in them are nil.
func documents(text []byte) ([]*document, error) {
	if len(text) > MaxBytes {
		return nil, errTooLong
	}
	if json.Valid(text) {
		doc, err := readJSON(text)
		return []*document{doc}, err
	}
	var docs []*document
	r := new(reader)
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var n yaml.Node
		if err := decoder.Decode(&n); errors.Is(err, io.EOF) {
			return docs, nil
		} else if err != nil {
			return nil, errors.New(strings.Join(strings.Fields(err.Error()), " "))
		}
		if len(docs) == maxDocuments {
			return nil, errTooMany
		}
		r.twice = nil
		root, err := r.yaml(&n, 0)
		if err != nil {
			return nil, err
		}
		docs = append(docs, &document{root: root, twice: r.twice})
	}
}

func (r *reader) node(kind Kind, line, depth int) (*Node, error) {
	if r.nodes++; r.nodes > maxNodes {
		return nil, errTooLarge
	}
	if depth > maxDepth {
		return nil, errTooDeep
	}
	return &Node{Kind: kind, Line: line}, nil
}

// add puts an item into an object, and notes a key that is there already.
func (r *reader) add(n *Node, key string, item *Node, seen map[string]bool) {
	if seen[key] && r.twice == nil {
		r.twice = fmt.Errorf("line %d: the key %s is given twice", item.Line, shown(key))
	}
	seen[key] = true
	n.Keys, n.Items = append(n.Keys, key), append(n.Items, item)
}

// shown is a key as it may be shown. One that is long is none, and may be anything.
func shown(key string) string {
	if len(key) > 80 {
		key = strings.ToValidUTF8(key[:80], "") + "…"
	}
	return fmt.Sprintf("%q", key)
}

// yaml makes nodes of those of the parser. What an alias stands for is counted
// each time: a short text must not stand for a long one.
func (r *reader) yaml(y *yaml.Node, depth int) (*Node, error) {
	switch y.Kind {
	case yaml.DocumentNode:
		return r.yaml(y.Content[0], depth)
	case yaml.AliasNode:
		return r.yaml(y.Alias, depth+1)
	case yaml.MappingNode:
		return r.mapping(y, depth)
	case yaml.SequenceNode:
		n, err := r.node(List, y.Line, depth)
		for i := 0; err == nil && i < len(y.Content); i++ {
			var item *Node
			item, err = r.yaml(y.Content[i], depth+1)
			n.Items = append(n.Items, item)
		}
		return n, err
	}
	n, err := r.node(String, y.Line, depth)
	if err != nil {
		return nil, err
	}
	return n, n.scalar(y)
}

func (r *reader) mapping(y *yaml.Node, depth int) (*Node, error) {
	n, err := r.node(Object, y.Line, depth)
	if err != nil {
		return nil, err
	}
	var merged []*yaml.Node
	seen := map[string]bool{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		if key.ShortTag() == "!!merge" {
			merged = append(merged, value)
			continue
		}
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: a key is no text", key.Line)
		}
		item, err := r.yaml(value, depth+1)
		if err != nil {
			return nil, err
		}
		r.add(n, key.Value, item, seen)
	}
	for _, m := range merged {
		if err := r.merge(n, m, seen, depth); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// merge adds what a merge key (<<) brings that is not there: an object, or
// several of which the first has precedence.
func (r *reader) merge(n *Node, y *yaml.Node, seen map[string]bool, depth int) error {
	from, err := r.yaml(y, depth+1)
	if err != nil {
		return err
	}
	sources := []*Node{from}
	if from.Kind == List {
		sources = from.Items
	}
	for _, s := range sources {
		for i, key := range s.Keys {
			if !seen[key] {
				r.add(n, key, s.Items[i], seen)
			}
		}
	}
	return nil
}

// scalar reads a text, a number, a truth or nothing. Words that are truths in
// YAML 1.1 are truths, as to Kubernetes and to Envoy.
func (n *Node) scalar(y *yaml.Node) error {
	n.Text, n.block = y.Value, y.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
	switch tag := y.ShortTag(); {
	case tag == "!!null":
		n.Kind, n.Text = Null, ""
	case tag == "!!bool":
		n.Kind, n.Text = Bool, strings.ToLower(y.Value)
	case tag == "!!str" && y.Style == 0 && oldTruths[strings.ToLower(y.Value)] != "":
		n.Kind, n.Text = Bool, oldTruths[strings.ToLower(y.Value)]
	case tag == "!!int" || tag == "!!float":
		var v any
		if err := y.Decode(&v); err != nil {
			return fmt.Errorf("line %d: not a number", y.Line)
		}
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("line %d: a number that JSON does not have", y.Line)
		}
		n.Kind, n.Text = Number, string(text)
	}
	return nil
}

var oldTruths = map[string]string{"yes": "true", "on": "true", "no": "false", "off": "false"}

// readJSON reads a text that is valid JSON.
func readJSON(text []byte) (*document, error) {
	j := jsonReader{text: text, dec: json.NewDecoder(bytes.NewReader(text)), line: 1}
	j.dec.UseNumber()
	root, err := j.value(0)
	return &document{root: root, json: text, twice: j.twice}, err
}

type jsonReader struct {
	reader
	text []byte
	dec  *json.Decoder
	line int
	read int // how much of the text has been counted
}

func (j *jsonReader) token() (json.Token, error) {
	t, err := j.dec.Token()
	end := int(j.dec.InputOffset())
	j.line += bytes.Count(j.text[j.read:end], []byte("\n"))
	j.read = end
	return t, err
}

func (j *jsonReader) value(depth int) (*Node, error) {
	t, err := j.token()
	if err != nil {
		return nil, err
	}
	n, err := j.node(Null, j.line, depth)
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case bool:
		n.Kind, n.Text = Bool, fmt.Sprint(t)
	case json.Number:
		n.Kind, n.Text = Number, t.String()
	case string:
		n.Kind, n.Text = String, t
	case json.Delim:
		return n, j.items(n, t, depth)
	}
	return n, nil
}

func (j *jsonReader) items(n *Node, open json.Delim, depth int) error {
	n.Kind = List
	if open == '{' {
		n.Kind = Object
	}
	seen := map[string]bool{}
	for j.dec.More() {
		var key string
		if n.Kind == Object {
			t, err := j.token()
			if err != nil {
				return err
			}
			key, _ = t.(string)
		}
		item, err := j.value(depth + 1)
		if err != nil {
			return err
		}
		if n.Kind == Object {
			j.add(n, key, item, seen)
		} else {
			n.Items = append(n.Items, item)
		}
	}
	_, err := j.token() // the closing bracket
	return err
}
