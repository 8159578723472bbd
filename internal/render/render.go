// Package render makes of Postern's settings what a proxy needs to run with them:
// a bootstrap for Envoy, or manifests for Istio. It knows which hosts settings
// reach and gives each of them a cluster whose certificate is verified; it takes
// secrets out of settings and says which variables must bring them.
//
// It refuses what it cannot make whole: settings that the module would refuse,
// and options that contradict each other. It asks nobody: what a provider's
// metadata say of further hosts has to be in the settings (`clusters`).
//
// What comes out depends on what goes in alone, letter by letter. Envoy's part
// follows its API of version 3, and the practices that Envoy's documentation
// gives for proxies at the edge; Istio's the API groups extensions.istio.io/v1alpha1
// and networking.istio.io/v1. Cluster names there are pilot's,
// `outbound|port||host`.
package render

import (
	"bytes"
	"embed"
	"fmt"
	"strings"
	"text/template"
	"unicode"

	"github.com/postern-auth/postern/internal/metric"
)

// File is one file of what was rendered; it has no name where it is the only one.
type File struct {
	Name string
	Text []byte
}

// Output is what was rendered.
type Output struct {
	Files []File
	// Notes are what a person has to know or to do beside, one sentence or two each.
	Notes []string
}

// OptionError is about options, and not about settings.
type OptionError struct{ text string }

// Error implements error.
func (e OptionError) Error() string { return "render: " + e.text }

func wrong(format string, args ...any) error { return OptionError{fmt.Sprintf(format, args...)} }

//go:embed templates
var templateFiles embed.FS

var templates *template.Template

func init() {
	templates = template.Must(template.New("").Funcs(template.FuncMap{
		"q": quoted, "indent": indent, "join": strings.Join, "include": include, "tag": metric.TagRegex,
	}).ParseFS(templateFiles, "templates/*.tmpl"))
}

// include is a template's text, to be indented.
func include(name string, data any) (string, error) {
	text, err := execute(name, data)
	return strings.Trim(string(text), "\n"), err
}

func execute(name string, data any) ([]byte, error) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		return nil, fmt.Errorf("render: %w", err)
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n'), nil
}

// quoted is a text as YAML takes it in any place: as it is, where nobody could
// read it otherwise, and in double quotes elsewhere.
func quoted(text string) string {
	if plain(text) {
		return text
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// indent moves lines to the right, but for empty ones.
func indent(spaces int, text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		if strings.TrimSpace(line) != "" {
			b.WriteString(strings.Repeat(" ", spaces))
		}
		b.WriteString(line)
	}
	return strings.TrimRight(b.String(), "\n")
}
