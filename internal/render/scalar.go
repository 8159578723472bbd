package render

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Envoy, Istio and we read YAML by three libraries, which disagree about what
// `on`, `012` and `1e3` are. So scalars are written in a form that all of them
// read alike: texts that could be anything else stand in quotes.
var (
	plainText = regexp.MustCompile(`^[A-Za-z_/.][A-Za-z0-9_/.%+@=$~()<>^?;-]*(:[A-Za-z0-9_/.%+@=$~()<>^?;-]+)*( [A-Za-z0-9_/.%+@=$~()<>^?;-]+(:[A-Za-z0-9_/.%+@=$~()<>^?;-]+)*)*$`)
	octets    = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,3}){3}$`)
	duration  = regexp.MustCompile(`^([0-9]+(ms|s|m|h))+$`)
	word      = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off|true|false|null|\.nan|[-+.]?\.?inf|nan|\.[0-9_.]+(e[-+0-9]*)?|\.|-+|_+)$`)
)

// plain reports whether a text needs no quotes.
func plain(text string) bool {
	return (plainText.MatchString(text) || duration.MatchString(text) || octets.MatchString(text)) && !word.MatchString(text) && !strings.HasPrefix(text, "...")
}

// settle gives every scalar below a node the value that the settings' own reader
// sees, which is in the JSON, and a form that nobody reads otherwise. It fails
// where the two differ in shape: then there are anchors or merges between.
func settle(n *yaml.Node, value any) error {
	n.Anchor = "" // what named it is written out
	switch value := value.(type) {
	case map[string]any:
		if n.Kind != yaml.MappingNode || len(n.Content) != 2*len(value) {
			return errShape
		}
		for i := 0; i < len(n.Content); i += 2 {
			item, there := value[n.Content[i].Value]
			if !there {
				return errShape
			}
			setText(n.Content[i], n.Content[i].Value, 0)
			if err := settle(n.Content[i+1], item); err != nil {
				return err
			}
		}
	case []any:
		if n.Kind != yaml.SequenceNode || len(n.Content) != len(value) {
			return errShape
		}
		for i := range value {
			if err := settle(n.Content[i], value[i]); err != nil {
				return err
			}
		}
	default:
		if n.Kind != yaml.ScalarNode {
			return errShape
		}
		setScalar(n, value)
	}
	return nil
}

var errShape = fmt.Errorf("render: the settings are not plain YAML")

func setScalar(n *yaml.Node, value any) {
	switch value := value.(type) {
	case string:
		setText(n, value, n.Style)
	case bool:
		n.Tag, n.Style, n.Value = "!!bool", 0, fmt.Sprint(value)
	case json.Number:
		n.Tag, n.Style, n.Value = "!!float", 0, value.String()
		if !strings.ContainsAny(value.String(), ".eE") {
			n.Tag = "!!int"
		}
	default:
		n.Tag, n.Style, n.Value = "!!null", 0, "null"
	}
}

// setText keeps the quotes or the block that a text was written in, where that
// form holds it.
func setText(n *yaml.Node, text string, style yaml.Style) {
	n.Tag, n.Value = "!!str", text
	switch {
	case style&yaml.LiteralStyle != 0 && strings.Contains(text, "\n"):
		n.Style = yaml.LiteralStyle
	case style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		n.Style = style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle)
	case plain(text):
		n.Style = 0
	default:
		n.Style = yaml.DoubleQuotedStyle
	}
}

// unflow writes as blocks what was written as JSON.
func unflow(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		n.Style = 0
	} else {
		n.Style &^= yaml.FlowStyle
	}
	for _, item := range n.Content {
		unflow(item)
	}
	if n.Kind != yaml.ScalarNode && small(n) {
		n.Style |= yaml.FlowStyle
	}
}

// small reports whether a list or an object fits well on a line.
func small(n *yaml.Node) bool {
	length := 0
	for _, item := range n.Content {
		if item.Kind != yaml.ScalarNode {
			return false
		}
		length += len(item.Value) + 2
	}
	return n.Kind == yaml.SequenceNode && length < 60 || len(n.Content) <= 4 && length < 50
}

// member returns what stands under a key, or nil.
func member(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// set puts a text under a key: in its place, or behind the last of some others, or
// at the end.
func set(n *yaml.Node, key, text string, behind ...string) {
	value := &yaml.Node{Kind: yaml.ScalarNode}
	setText(value, text, 0)
	put(n, key, value, behind...)
}

func put(n *yaml.Node, key string, value *yaml.Node, behind ...string) {
	at := len(n.Content)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			value.LineComment = n.Content[i+1].LineComment
			n.Content[i+1] = value
			return
		}
		if slices.Contains(behind, n.Content[i].Value) {
			at = i + 2
		}
	}
	name := &yaml.Node{Kind: yaml.ScalarNode}
	setText(name, key, 0)
	n.Content = append(n.Content[:at:at], append([]*yaml.Node{name, value}, n.Content[at:]...)...)
}
