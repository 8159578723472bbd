package render

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// documents are those of a text, each of which has to be a mapping.
func documents(t *testing.T, name, text string) (all []map[string]any) {
	t.Helper()
	for d := yaml.NewDecoder(strings.NewReader(text)); ; {
		var one map[string]any
		switch err := d.Decode(&one); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("%s: %v:\n%s", name, err, text)
		}
		nested(t, name, one)
		all = append(all, one)
	}
}

// nested parses the texts in a document that are YAML themselves.
func nested(t *testing.T, name string, within any) {
	t.Helper()
	switch v := within.(type) {
	case map[string]any:
		for key, of := range v {
			if text, ok := of.(string); ok && (key == "proxy.istio.io/config" || key == "deployment") {
				documents(t, name+", "+key, text)
			}
			nested(t, name, of)
		}
	case []any:
		for _, of := range v {
			nested(t, name, of)
		}
	}
}

// comments are the blocks of a text that stand as comments to be copied out, but for
// commands.
func comments(text []byte) (blocks []string) {
	var block string
	for line := range strings.Lines(string(text) + "\n") {
		if copied, ok := strings.CutPrefix(line, "#   "); ok {
			block += copied
			continue
		}
		if block != "" && !strings.HasPrefix(block, "kubectl ") && !strings.HasPrefix(block, "postern ") {
			blocks = append(blocks, block)
		}
		block = ""
	}
	return blocks
}

// handed are the variables that a chart's values or a patch bring to the proxy.
func handed(t *testing.T, document map[string]any) (names []string) {
	t.Helper()
	list, ok := document["envVarFrom"]
	if !ok {
		list = value(document, "spec", "template", "spec", "containers", 0, "env")
	}
	entries, _ := list.([]any)
	for _, e := range entries {
		name, _ := value(e, "name").(string)
		if value(e, "valueFrom", "secretKeyRef", "key") != name {
			t.Errorf("%s comes from another key: %v", name, e)
		}
		names = append(names, name)
	}
	return names
}

// value is what stands at a path of keys and positions, or nil.
func value(of any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := of.(map[string]any)
			of = m[step]
		case int:
			if list, _ := of.([]any); step < len(list) {
				of = list[step]
			} else {
				return nil
			}
		}
	}
	return of
}

func TestAllThatIsRenderedForIstioIsYAML(t *testing.T) {
	beside := map[string]int{}
	for _, c := range istioCases {
		t.Run(c.name, func(t *testing.T) {
			s, err := ReadForIstio(settingsFile(t, c.settings), Reading{Lookup: lookup})
			if err != nil {
				t.Fatal(err)
			}
			one, err := Istio(s, c.options)
			if err != nil {
				t.Fatal(err)
			}
			documents(t, "the one file", string(one.Files[0].Text))
			var copied []map[string]any
			for _, block := range comments(one.Files[0].Text) {
				copied = append(copied, documents(t, "a comment", block)...)
			}
			c.options.Kustomize = true
			out, err := Istio(s, c.options)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range out.Files {
				all := documents(t, f.Name, string(f.Text))
				if f.Name != "values.yaml" && f.Name != "deployment-patch.yaml" {
					continue
				}
				beside[f.Name]++
				if diff := cmp.Diff(s.variableNames(), handed(t, all[0])); diff != "" {
					t.Errorf("%s brings other variables (-settings +file):\n%s", f.Name, diff)
				}
				if !slices.ContainsFunc(copied, func(m map[string]any) bool { return cmp.Equal(m, all[0]) }) {
					t.Errorf("%s says something else than the comment in the one file", f.Name)
				}
			}
		})
	}
	if beside["values.yaml"] == 0 || beside["deployment-patch.yaml"] == 0 {
		t.Errorf("not all is rendered: %v", beside)
	}
}

func TestAllThatIsRenderedForEnvoyIsYAML(t *testing.T) {
	for _, c := range envoyCases {
		t.Run(c.name, func(t *testing.T) {
			s, err := ReadForEnvoy(settingsFile(t, c.settings), Reading{Lookup: lookup})
			if err != nil {
				t.Fatal(err)
			}
			out, err := Envoy(s, c.options)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range out.Files {
				if all := documents(t, f.Name, string(bytes.TrimSpace(f.Text))); len(all) != 1 {
					t.Errorf("%d documents", len(all))
				}
			}
		})
	}
}
