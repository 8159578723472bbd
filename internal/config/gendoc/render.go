package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

//go:embed intro.md
var intro string

// render writes the document about the package in dir.
func render(dir string) ([]byte, error) {
	s, err := load(dir)
	if err != nil {
		return nil, err
	}
	top, err := s.section("Config", "")
	if err != nil {
		return nil, err
	}
	example, err := os.ReadFile(filepath.Join(dir, "testdata", "example.json"))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(strings.Replace(intro, "{{example}}", strings.TrimSpace(string(example)), 1))
	b.WriteString("\n## All settings\n\n| Setting | Kind | Default |\n|---|---|---|\n")
	writeIndex(&b, top)
	writeSection(&b, "The top level", nil, top)
	return b.Bytes(), nil
}

// writeIndex writes a row for each setting that has a value of its own.
func writeIndex(b *bytes.Buffer, sec *section) {
	for _, st := range sec.settings {
		if st.inner == nil || st.def != "" {
			fmt.Fprintf(b, "| [`%s`](#%s) | %s | %s |\n", st.path, anchor(st.path), st.kind, st.indexDefault())
		}
		if st.inner != nil {
			writeIndex(b, st.inner)
		}
	}
}

func (st setting) indexDefault() string {
	switch {
	case st.required:
		return "**required**"
	case len(st.def) > 60:
		return "see there"
	}
	return code(st.def)
}

// writeSection writes a struct's settings, and then those within them.
func writeSection(b *bytes.Buffer, title string, prose []string, sec *section) {
	fmt.Fprintf(b, "\n## %s\n", title)
	for _, p := range prose {
		fmt.Fprintf(b, "\n%s\n", p)
	}
	for _, st := range sec.settings {
		writeSetting(b, st)
	}
	for _, st := range sec.settings {
		if st.inner != nil {
			writeSection(b, "Inside `"+st.inner.path+"`", st.inner.prose, st.inner)
		}
	}
}

func writeSetting(b *bytes.Buffer, st setting) {
	fmt.Fprintf(b, "\n### `%s`\n\n%s", st.path, upperFirst(st.kind))
	if st.required {
		b.WriteString(", required")
	}
	b.WriteString(".\n")
	for _, p := range st.prose {
		fmt.Fprintf(b, "\n%s\n", p)
	}
	if st.inner != nil {
		fmt.Fprintf(b, "\nSee [inside `%s`](#inside-%s).\n", st.inner.path, anchor(st.inner.path))
	}
	if st.def != "" {
		fmt.Fprintf(b, "\nDefault: %s\n", code(st.def))
	}
	if st.example != "" {
		fmt.Fprintf(b, "\nExample: %s\n", code(st.example))
	}
}

// code marks JSON as code and leaves prose alone.
func code(s string) string {
	if json.Valid([]byte(s)) {
		return "`" + s + "`"
	}
	return s
}

// anchor is the fragment that GitHub gives the heading of a setting.
func anchor(path string) string {
	return strings.NewReplacer(".", "", "[", "", "]", "").Replace(path)
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
