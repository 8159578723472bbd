package conversation

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/postern-auth/postern/docs"
	"github.com/postern-auth/postern/internal/config"
)

// TestTheSchemaTakesTheSettingsOfConversations holds the JSON Schema for editors to
// settings that the gate runs with.
func TestTheSchemaTakesTheSettingsOfConversations(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(docs.Schema))
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
	files, err := filepath.Glob("../../testdata/conversations/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	for _, file := range files {
		s, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		for name := range s.files {
			settings, err := s.settings(name)
			if err != nil || !strings.HasSuffix(name, ".json") {
				continue
			}
			if _, err := config.Parse(settings, func(string) (string, bool) { return "", false }); err != nil {
				continue // it is refused on purpose, or no settings
			}
			taken++
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(settings))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(v); err != nil {
				t.Errorf("%s, %s: %v", file, name, err)
			}
		}
	}
	if taken < 150 {
		t.Errorf("only %d settings were looked at", taken)
	}
}
