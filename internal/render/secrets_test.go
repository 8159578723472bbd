package render

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// schema is what of a JSON Schema leads to secrets.
type schema struct {
	Ref        string             `json:"$ref"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
	Defs       map[string]*schema `json:"$defs"`
}

// withSecrets are settings that have all secrets of a schema and nothing else, or
// nil, and the places of these secrets.
func (s *schema) withSecrets(defs map[string]*schema, path string) (settings any, places []string) {
	if name, is := strings.CutPrefix(s.Ref, "#/$defs/"); is {
		if s = defs[name]; s == nil {
			return nil, nil
		}
		defs = maps.Clone(defs)
		delete(defs, name) // of what has itself within, once is enough
	}
	if s.Properties["env"] != nil && s.Properties["value"] != nil {
		return map[string]any{"env": "SOME_SECRET"}, []string{strings.TrimPrefix(path, ".")}
	}
	if s.Items != nil {
		if item, in := s.Items.withSecrets(defs, path+"[0]"); item != nil {
			return []any{item}, in
		}
		return nil, nil
	}
	members := map[string]any{}
	for name, p := range s.Properties {
		if value, in := p.withSecrets(defs, path+"."+name); value != nil {
			members[name] = value
			places = append(places, in...)
		}
	}
	if len(members) == 0 {
		return nil, nil
	}
	return members, places
}

func TestEachSecretOfTheSchemaIsKnownByItsPlace(t *testing.T) {
	text, err := os.ReadFile("../../docs/postern.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var root schema
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	settings, want := root.withSecrets(root.Defs, "")
	var node yaml.Node
	if err := node.Encode(settings); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, place := range secretPlaces(&node) {
		got = append(got, place.where)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("in the schema, and known (+):\n%s", diff)
	}
}
