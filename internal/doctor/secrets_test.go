package doctor

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// schema is what of a JSON Schema leads to secrets.
type schema struct {
	Ref        string             `json:"$ref"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
	Defs       map[string]*schema `json:"$defs"`
}

func TestEachSecretOfTheSchemaIsKnownAsOne(t *testing.T) {
	text, err := os.ReadFile("../../docs/postern.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	root := new(schema)
	if err := json.Unmarshal(text, root); err != nil {
		t.Fatal(err)
	}
	const prefix = "#/$defs/"
	seen, keys := map[*schema]bool{}, []string(nil)
	var walk func(s *schema, key string)
	walk = func(s *schema, key string) {
		switch {
		case s == nil:
		case s.Ref != "":
			walk(root.Defs[s.Ref[len(prefix):]], key)
		case s.Properties["env"] != nil && s.Properties["value"] != nil:
			keys = append(keys, key)
		case !seen[s]:
			seen[s] = true
			walk(s.Items, key)
			for name, p := range s.Properties {
				walk(p, name)
			}
		}
	}
	walk(root, "")
	slices.Sort(keys)
	if diff := cmp.Diff(slices.Sorted(slices.Values(secretKeys)), slices.Compact(keys)); diff != "" {
		t.Errorf("known, and in the schema (+):\n%s", diff)
	}
}
