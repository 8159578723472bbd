package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// setting is one field of the settings.
type setting struct {
	path     string // providers[].client_id
	kind     string
	prose    []string // paragraphs
	required bool
	def      string
	example  string
	inner    *section // of a setting that has settings of its own
}

// section is the settings of one struct.
type section struct {
	path     string
	prose    []string
	settings []setting
}

// schema holds the struct types of the package.
type schema struct {
	structs map[string]*ast.StructType
	docs    map[string]string
}

// load reads the package's types from its source.
func load(dir string) (*schema, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	s := &schema{make(map[string]*ast.StructType), make(map[string]string)}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, decl := range file.Decls {
			s.add(decl)
		}
	}
	return s, nil
}

func (s *schema) add(decl ast.Decl) {
	types, ok := decl.(*ast.GenDecl)
	if !ok || types.Tok != token.TYPE {
		return
	}
	for _, spec := range types.Specs {
		t := spec.(*ast.TypeSpec)
		if structure, ok := t.Type.(*ast.StructType); ok {
			s.structs[t.Name.Name] = structure
			s.docs[t.Name.Name] = types.Doc.Text()
		}
	}
}

// section describes the struct of the given name, found at path.
func (s *schema) section(name, path string) (*section, error) {
	structure, ok := s.structs[name]
	if !ok {
		return nil, fmt.Errorf("there is no struct %s", name)
	}
	sec := &section{path: path, prose: paragraphs(renamed(s.docs[name], name, path))}
	for _, field := range structure.Fields.List {
		if field.Tag == nil {
			continue
		}
		st, err := s.setting(field, path)
		if err != nil {
			return nil, err
		}
		sec.settings = append(sec.settings, st)
	}
	return sec, nil
}

func (s *schema) setting(field *ast.Field, path string) (st setting, err error) {
	tag, err := strconv.Unquote(field.Tag.Value)
	if err != nil {
		return st, err
	}
	key := reflect.StructTag(tag).Get("json")
	st.path = key
	if path != "" {
		st.path = path + "." + key
	}
	if field.Doc == nil {
		return st, fmt.Errorf("%s has no comment", st.path)
	}
	goName := field.Names[0].Name
	if !strings.HasPrefix(field.Doc.Text(), goName+" ") {
		return st, fmt.Errorf("%s: the comment must begin with %s", st.path, goName)
	}
	st.read(renamed(field.Doc.Text(), goName, key))
	kind, inner := s.kind(field.Type)
	if named := reflect.StructTag(tag).Get("doc"); named != "" {
		kind, inner = named, "" // it says what can be in it itself
	}
	st.kind = kind
	if inner != "" {
		innerPath := st.path
		if strings.HasPrefix(kind, "list") {
			innerPath += "[]"
		}
		st.inner, err = s.section(inner, innerPath)
	}
	return st, err
}

// renamed puts the settings' name for a thing in place of Go's, with which its
// comment begins.
func renamed(comment, goName, name string) string {
	if rest, ok := strings.CutPrefix(comment, goName+" "); ok {
		return "`" + name + "` " + rest
	}
	return comment
}

// read takes a comment apart.
func (st *setting) read(comment string) {
	var prose []string
	for line := range strings.Lines(comment) {
		line = strings.TrimSuffix(line, "\n")
		if line == "Required." {
			st.required = true
		} else if rest, ok := strings.CutPrefix(line, "Default: "); ok {
			st.def = rest
		} else if rest, ok := strings.CutPrefix(line, "Example: "); ok {
			st.example = rest
		} else {
			prose = append(prose, line)
		}
	}
	st.prose = paragraphs(strings.Join(prose, "\n"))
}

// paragraphs joins the lines of each paragraph.
func paragraphs(text string) (all []string) {
	for p := range strings.SplitSeq(text, "\n\n") {
		if p = strings.Join(strings.Fields(p), " "); p != "" {
			all = append(all, p)
		}
	}
	return all
}

// kind names a type as the document does, and the struct inside it, if any.
func (s *schema) kind(t ast.Expr) (kind, inner string) {
	switch t := t.(type) {
	case *ast.ArrayType:
		element, inner := s.kind(t.Elt)
		return "list of " + element + "s", inner
	case *ast.StarExpr:
		return s.kind(t.X)
	case *ast.MapType:
		return "object of strings", ""
	case *ast.Ident:
		return s.named(t.Name)
	}
	return fmt.Sprintf("%T", t), ""
}

func (s *schema) named(name string) (kind, inner string) {
	switch name {
	case "string":
		return "string", ""
	case "bool":
		return "boolean", ""
	case "int":
		return "integer", ""
	case "Duration":
		return "duration", ""
	case "Time":
		return "time", ""
	case "Secret", "ClientKey":
		return "secret", ""
	case "HostPattern":
		return "host", ""
	case "Claims":
		return "object of strings", ""
	}
	return "object", name
}
