package config

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// TestWhatIsWrittenAboutQuestionsIsAccepted reads the settings in the page about
// them: whole ones, and questions alone.
func TestWhatIsWrittenAboutQuestionsIsAccepted(t *testing.T) {
	page, err := os.ReadFile("../../docs/enrich.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```yaml\n")[1:]
	if len(blocks) < 6 {
		t.Fatalf("%d blocks of settings", len(blocks))
	}
	for _, block := range blocks {
		text, _, _ := strings.Cut(block, "```")
		var settings map[string]any
		if err := yaml.Unmarshal([]byte(text), &settings); err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		if settings["providers"] == nil {
			settings = map[string]any{
				"providers": []any{map[string]any{
					"name": "a", "issuer": "https://id.example.com", "cluster": "idp", "client_id": "c", "enrich": settings["enrich"],
					"clusters": map[string]any{"graph.microsoft.com": "a", "gitlab.example.com": "b", "people.internal.example.com": "c"},
				}},
				"hosts": []any{"app.example.com"}, "session": map[string]any{"keys": []any{map[string]any{"id": "k", "env": "POSTERN_KEY"}}},
			}
		}
		encoded, err := json.Marshal(settings)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(encoded, environment); err != nil {
			t.Errorf("%v, in:\n%s", err, text)
		}
	}
}
