package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestTheSchemaIsCurrent(t *testing.T) {
	want, err := renderSchema(source)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(source, "..", "..", "docs", "postern.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("run go generate ./internal/config (-wanted +found):\n%s", diff)
	}
}

func TestTheSchemaTakesEveryDocumentedExampleAndDefault(t *testing.T) {
	text, err := renderSchema(source)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("settings.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("settings.json")
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, st := range settings(t) {
		for _, value := range []string{st.example, st.def} {
			// A default may be what leaving out gives and nothing that could be given.
			if value == "" || value == `""` || value == "none" || value[0] != '"' && value[0] != '[' && value[0] != '{' {
				continue
			}
			if _, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(value))); err != nil {
				continue // prose
			}
			looked++
			root := tree(t)
			put(t, root, st.path, value)
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(encode(t, root)))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(v); err != nil {
				t.Errorf("%s: %s: %v", st.path, value, err)
			}
		}
	}
	if looked < 100 {
		t.Errorf("only %d values were looked at", looked)
	}
}

func TestTheParserIsAskedForWordsAndBounds(t *testing.T) {
	for path, want := range map[string][]string{
		"session.cookie.same_site":         {"lax", "strict", "none"},
		"providers[].profile":              {"fapi2"},
		"rules[].accept[]":                 {"session", "bearer"},
		"providers[].name":                 nil,
		"providers[].authorization_params": nil,
	} {
		if words, several, err := wordsAt(path); err != nil || several || !slices.Equal(words, want) {
			t.Errorf("%s: %v, %v, %v", path, words, several, err)
		}
	}
	if words, several, err := wordsAt("providers[].prompt"); err != nil || !several || len(words) != 3 {
		t.Errorf("words with blanks between: %v, %v, %v", words, several, err)
	}
	if least, most, bounded, err := boundsAt("session.max_bytes"); err != nil || !bounded || least != 1024 || most != 49152 {
		t.Errorf("%d to %d, %v, %v", least, most, bounded, err)
	}
	if _, _, bounded, err := boundsAt("providers[].leeway"); err != nil || bounded {
		t.Errorf("a duration has bounds of a number, or %v", err)
	}
}
