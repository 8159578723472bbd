package main

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"

	"github.com/postern-auth/postern/internal/metric"
)

//go:embed metrics.md
var metricsIntro string

// metricsPage writes a table for each group of metrics.
func metricsPage(root string) (string, error) {
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "internal", "metric", "list.go"), nil, parser.ParseComments)
	if err != nil {
		return "", err
	}
	byName := map[string]*metric.Metric{}
	for _, m := range metric.All() {
		byName[m.Name] = m
	}
	var b strings.Builder
	for _, d := range f.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n| metric | labels | what it says |\n|---|---|---|\n", strings.TrimSuffix(oneLine(group.Doc), "."))
		for _, s := range group.Specs {
			spec := s.(*ast.ValueSpec)
			name := nameIn(spec)
			m := byName[name]
			if m == nil {
				return "", fmt.Errorf("%s is not among metric.All()", name)
			}
			delete(byName, name)
			fmt.Fprintf(&b, "| `%s` (%s) | %s | %s |\n", name, kinds[m.Kind], quoted(m.Labels), about(spec))
		}
	}
	for name := range byName {
		return "", fmt.Errorf("%s is among metric.All() and not in the list", name)
	}
	var tags strings.Builder
	for _, label := range metric.Labels() {
		fmt.Fprintf(&tags, "  - {tag_name: %s, regex: '%s'}\n", label, metric.TagRegex(label))
	}
	text := strings.Replace(metricsIntro, "{{metrics}}\n", strings.TrimPrefix(b.String(), "\n"), 1)
	return strings.Replace(text, "{{tags}}\n", tags.String(), 1), nil
}

var kinds = map[metric.Kind]string{metric.Counter: "counter", metric.Gauge: "gauge", metric.Histogram: "histogram"}

// nameIn is the metric's name, the first text of its literal.
func nameIn(spec *ast.ValueSpec) (name string) {
	ast.Inspect(spec.Values[0], func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING && name == "" {
			name = strings.Trim(l.Value, `"`)
		}
		return true
	})
	return name
}

// about is what a comment says, without the Go name that it begins with.
func about(spec *ast.ValueSpec) string {
	text := strings.TrimPrefix(oneLine(spec.Doc), spec.Names[0].Name+" ")
	for _, verb := range []string{"are ", "is "} {
		text = strings.TrimPrefix(text, verb)
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

func oneLine(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }

func quoted(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return "`" + strings.Join(words, "`, `") + "`"
}
