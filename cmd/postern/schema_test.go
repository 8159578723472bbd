package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/postern-auth/postern/docs"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/doctest"
)

// editor is what an editor makes of the schema.
func editor(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(docs.Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("settings.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("settings.json") // against the schema of schemas, too
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// says is what an editor says of settings.
func says(t *testing.T, schema *jsonschema.Schema, settings []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(settings))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(v)
}

// whole is settings to which those of a document are added that are not whole.
const whole = `{"providers": [{"name": "keycloak", "issuer": "https://id.example.com", "cluster": "idp", "client_id": "c"}],
	"hosts": ["app.example.com"], "session": {"keys": [{"id": "k", "env": "POSTERN_KEY"}]}}`

// laidOver adds what settings lack.
func laidOver(t *testing.T, settings []byte) []byte {
	t.Helper()
	var all, own map[string]json.RawMessage
	if err := json.Unmarshal([]byte(whole), &all); err != nil {
		t.Fatal(err)
	}
	if json.Unmarshal(settings, &own) != nil {
		return nil // a list, or a table
	}
	maps.Copy(all, own)
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheSchemaTakesWhatTheModuleTakes(t *testing.T) {
	schema := editor(t)
	taken := map[string]int{}
	hold := func(kind, where string, settings []byte) {
		if settings == nil {
			return
		}
		if _, err := config.Parse(settings, standIns(settings)); err != nil {
			return
		}
		taken[kind]++
		if err := says(t, schema, settings); err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
	pages, err := doctest.Pages("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		for _, b := range p.Blocks {
			if b.Kind != "yaml" && b.Kind != "json" {
				continue
			}
			for part := range strings.SplitSeq(b.Text, "\n---\n") {
				if settings, err := toJSON([]byte(part)); err == nil {
					hold("documents", b.Where(), laidOver(t, settings))
				}
			}
		}
	}
	for _, pattern := range []string{"testdata/*.yaml", "../../internal/*/testdata/*.yaml", "../../internal/*/testdata/*/*.yaml", "../../internal/config/testdata/*.json"} {
		for _, file := range files(t, pattern) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if settings, err := toJSON(text); err == nil {
				hold("files", file, settings)
			}
		}
	}
	if taken["documents"] < 30 || taken["files"] < 4 {
		t.Errorf("only so many settings were looked at: %v", taken)
	}
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestTheSchemaMarksWhatPeopleGetWrong(t *testing.T) {
	schema := editor(t)
	for name, change := range map[string]string{
		"an unknown key":                    `{"hots": ["a"]}`,
		"an unknown key within":             `{"session": {"keys": [{"id": "k", "env": "K"}], "lifetim": "1h"}}`,
		"a string for a list":               `{"hosts": "app.example.com"}`,
		"a number for a duration":           `{"session": {"keys": [{"id": "k", "env": "K"}], "lifetime": 3600}}`,
		"days":                              `{"session": {"keys": [{"id": "k", "env": "K"}], "lifetime": "7d"}}`,
		"a duration without a unit":         `{"session": {"keys": [{"id": "k", "env": "K"}], "lifetime": "3600"}}`,
		"a key that is nowhere":             `{"session": {"keys": [{"id": "k"}]}}`,
		"a key in two places":               `{"session": {"keys": [{"id": "k", "env": "K", "value": "v"}]}}`,
		"no keys":                           `{"session": {}}`,
		"a word that is none":               `{"session": {"keys": [{"id": "k", "env": "K"}], "cookie": {"same_site": "Lax"}}}`,
		"a secret as it is":                 `{"providers": [{"name": "a", "cluster": "b", "client_secret": "hush"}]}`,
		"a secret of two kinds":             `{"providers": [{"name": "a", "cluster": "b", "client_secret": {"env": "A", "value": "b"}}]}`,
		"a provider without a cluster":      `{"providers": [{"name": "a"}]}`,
		"a kind of provider that is none":   `{"providers": [{"name": "a", "cluster": "b", "type": "azure"}]}`,
		"a number that is too large":        `{"session": {"keys": [{"id": "k", "env": "K"}], "max_bytes": 65536}}`,
		"YAML's no":                         `{"sign_in": {"page": false}}`,
		"null":                              `{"public_url": null}`,
		"nothing":                           `{"public_url": ""}`,
		"a rule that requires what is none": `{"rules": [{"match": {"paths": ["/a"]}, "require": {"group": ["a"]}}]}`,
		"the same one deeper":               `{"rules": [{"match": {"paths": ["/a"]}, "require": {"any": [{"group": ["a"]}]}}]}`,
		"a header of two claims":            `{"forward": {"headers": {"x-a": {"claim": "a", "path": "b"}}}}`,
		"a prompt that is none":             `{"providers": [{"name": "a", "cluster": "b", "prompt": "login please"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			settings := laidOver(t, []byte(change))
			if err := says(t, schema, settings); err == nil {
				t.Error("nothing is marked")
			}
			if _, err := config.Parse(settings, standIns(settings)); err == nil {
				t.Error("the module takes it")
			}
		})
	}
	if err := says(t, schema, []byte(whole)); err != nil {
		t.Errorf("good settings: %v", err)
	}
}

func TestSchemaPrintsItOrWritesIt(t *testing.T) {
	code, out, errOut := run(t, "", "schema")
	if code != 0 || out != string(docs.Schema) || errOut != "" {
		t.Errorf("exit %d: %d bytes, %s", code, len(out), errOut)
	}
	file := filepath.Join(t.TempDir(), "s.json")
	if code, out, errOut := run(t, "", "schema", "-o", file); code != 0 || out+errOut != "" {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	if text, err := os.ReadFile(file); err != nil || !bytes.Equal(text, docs.Schema) {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if code, _, errOut := run(t, "", "schema", "-o", filepath.Join(file, "x")); code != exitUsage || errOut == "" {
		t.Errorf("exit %d: %s", code, errOut)
	}
}
