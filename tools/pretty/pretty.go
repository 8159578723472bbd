// Package pretty stands in for github.com/tidwall/pretty in postern.wasm (see
// build.mk). gjson uses that package for its modifiers @pretty and @ugly, which
// say nothing about a claim; it brings the standard library's JSON decoder
// along, a quarter of a megabyte that every Envoy would compile at each start.
// Here the modifiers leave the text as it is.
package pretty

// Options are accepted and passed over.
type Options struct {
	Width          int
	Prefix, Indent string
	SortKeys       bool
}

// DefaultOptions are passed over as well.
var DefaultOptions = &Options{}

// Pretty returns the text.
func Pretty(json []byte) []byte { return json }

// PrettyOptions returns the text.
func PrettyOptions(json []byte, _ *Options) []byte { return json }

// Ugly returns the text.
func Ugly(json []byte) []byte { return json }
