package manifest

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// Kind is what a value is, in the words of JSON.
type Kind uint8

// The kinds of values.
const (
	Null Kind = iota
	Bool
	Number
	String
	List
	Object
)

// Node is a value of a file, with its line. All methods may be called on nil,
// which stands for a value that is not there.
type Node struct {
	Kind  Kind
	Text  string // of a text; of a number or a truth as JSON has it
	Keys  []string
	Items []*Node // of a list, or of an object, one for each key
	Line  int

	block bool // a text whose lines are those of the file below it
}

// Get is the value below names, one for each level, or nil. Each is a field as
// Protocol Buffers spell it; the spelling of their JSON (typedConfig for
// typed_config) is found as well, as Envoy takes either.
func (n *Node) Get(names ...string) *Node {
	for _, name := range names {
		n = n.field(name)
	}
	return n
}

func (n *Node) field(name string) *Node {
	if n == nil || n.Kind != Object {
		return nil
	}
	other := camel(name)
	for i, key := range n.Keys {
		if key == name || key == other {
			return n.Items[i]
		}
	}
	return nil
}

// camel is a field's name in the JSON of Protocol Buffers.
func camel(name string) string {
	if !strings.Contains(name, "_") {
		return name
	}
	words := strings.Split(name, "_")
	for i, w := range words[1:] {
		if w != "" {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

// Str is a text, and "" of anything else.
func (n *Node) Str() string {
	if n == nil || n.Kind != String {
		return ""
	}
	return n.Text
}

// Scalar is the text of a text, a number or a truth, and "" of anything else.
func (n *Node) Scalar() string {
	if n == nil {
		return ""
	}
	return n.Text
}

// True reports whether the value is true, which JSON of Protocol Buffers does
// not write as a text, but YAML may.
func (n *Node) True() bool { return n.Scalar() == "true" }

// Int is a whole number, also one that stands in a wrapper ({"value": 1}).
func (n *Node) Int() (int, bool) {
	if v := n.Get("value"); v != nil {
		n = v
	}
	i, err := strconv.Atoi(n.Scalar())
	return i, err == nil
}

// List are the items of a list, and none of anything else.
func (n *Node) List() []*Node {
	if n == nil || n.Kind != List {
		return nil
	}
	return n.Items
}

// Type is the name of the message that an Any holds.
func (n *Node) Type() string {
	url := n.Get("@type").Str()
	return url[strings.LastIndexByte(url, '/')+1:]
}

// JSON writes the value, its keys in the order of the file.
func (n *Node) JSON() []byte {
	var out bytes.Buffer
	n.write(&out)
	return out.Bytes()
}

func (n *Node) write(out *bytes.Buffer) {
	switch {
	case n == nil || n.Kind == Null:
		out.WriteString("null")
	case n.Kind == Bool || n.Kind == Number:
		out.WriteString(n.Text)
	case n.Kind == String:
		out.Write(quoted(n.Text))
	case n.Kind == List:
		n.writeItems(out, '[', ']')
	default:
		n.writeItems(out, '{', '}')
	}
}

func (n *Node) writeItems(out *bytes.Buffer, first, last byte) {
	out.WriteByte(first)
	for i, item := range n.Items {
		if i > 0 {
			out.WriteByte(',')
		}
		if n.Kind == Object {
			out.Write(quoted(n.Keys[i]))
			out.WriteByte(':')
		}
		item.write(out)
	}
	out.WriteByte(last)
}

func quoted(text string) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a text can always be written
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// step is how one gets from a value to one of its items in a path.
func (n *Node) step(i int) string {
	if n.Kind == List {
		return "[" + strconv.Itoa(i) + "]"
	}
	key := n.Keys[i]
	for j := range len(key) {
		if c := key[j]; c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return "[" + strconv.Quote(key) + "]"
		}
	}
	return "." + key
}
