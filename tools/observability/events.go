package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

//go:embed events.md
var eventsIntro string

// events are what package gate says of its events.
type events struct {
	names   []named // in the order of the code
	fields  []field
	reasons map[string][]string // by event
}

type named struct{ name, about string }

type field struct {
	named
	kind     string // as JSON Schema has it
	required bool
}

func loadEvents(root string) (*events, error) {
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "internal", "gate", "event.go"), nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	e := &events{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TypeSpec:
			if s, ok := n.Type.(*ast.StructType); ok && n.Name.Name == "Event" {
				e.readFields(s)
			}
		case *ast.ValueSpec:
			if strings.HasPrefix(n.Names[0].Name, "Event") {
				name, _ := strconv.Unquote(n.Values[0].(*ast.BasicLit).Value)
				e.names = append(e.names, named{name, oneLine(n.Doc)})
			}
		}
		return true
	})
	return e, e.readReasons(root)
}

func (e *events) readFields(s *ast.StructType) {
	for _, f := range s.Fields.List {
		tag, _ := strconv.Unquote(f.Tag.Value)
		name, rest, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		kind := "string"
		switch t := f.Type.(type) {
		case *ast.ArrayType:
			kind = "array"
		case *ast.Ident:
			if t.Name == "int" {
				kind = "integer"
			}
		}
		e.fields = append(e.fields, field{named{name, oneLine(f.Doc)}, kind, rest == ""})
	}
}

// stated is an event as a conversation states it, with its reason.
var stated = regexp.MustCompile(`(?m)^event ([a-z_]+) ([a-z_0-9]+)(?:\s|$)`)

func (e *events) readReasons(root string) error {
	e.reasons = map[string][]string{}
	scripts, err := filepath.Glob(filepath.Join(root, "testdata", "conversations", "*.txtar"))
	if err != nil {
		return err
	}
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			return err
		}
		for _, m := range stated.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[0], "=") || slices.Contains(e.reasons[m[1]], m[2]) {
				continue
			}
			e.reasons[m[1]] = append(e.reasons[m[1]], m[2])
		}
	}
	for _, list := range e.reasons {
		slices.Sort(list)
	}
	return nil
}

func (e *events) page() string {
	var fields, names strings.Builder
	for _, f := range e.fields {
		fmt.Fprintf(&fields, "| `%s` | %s | %s |\n", f.name, f.kind, f.about)
	}
	for _, n := range e.names {
		fmt.Fprintf(&names, "| `%s` | %s | %s |\n", n.name, n.about, quoted(e.reasons[n.name]))
	}
	text := strings.Replace(eventsIntro, "{{fields}}\n", fields.String(), 1)
	return strings.Replace(text, "{{events}}\n", names.String(), 1)
}

// schema is the JSON Schema (2020-12) of an event.
func (e *events) schema() string {
	properties, required := map[string]any{}, []string{}
	for _, f := range e.fields {
		p := map[string]any{"type": f.kind, "description": f.about}
		if f.kind == "array" {
			p["items"] = map[string]any{"type": "string"}
		}
		if f.name == "event" || f.name == "would" {
			p["enum"] = e.codes()
		}
		if f.required {
			required = append(required, f.name)
		}
		properties[f.name] = p
	}
	text, _ := json.MarshalIndent(map[string]any{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"title":                "A security event of Postern",
		"type":                 "object",
		"properties":           properties,
		"required":             required,
		"additionalProperties": false,
	}, "", "  ")
	return string(text) + "\n"
}

func (e *events) codes() (names []string) {
	for _, n := range e.names {
		names = append(names, n.name)
	}
	return names
}
