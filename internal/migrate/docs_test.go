package migrate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const (
	tablesBegin = "<!-- options: written by `go test ./internal/migrate -update`, of its tables. Change those. -->\n"
	tablesEnd   = "<!-- end of options -->\n"
)

func TestTheTablesInTheDocumentsAreThoseOfTheCode(t *testing.T) {
	for _, system := range Systems {
		t.Run(system, func(t *testing.T) {
			file := filepath.Join("..", "..", "docs", "migrate", system+".md")
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			before, rest, begins := strings.Cut(string(text), tablesBegin)
			_, after, ends := strings.Cut(rest, tablesEnd)
			if !begins || !ends {
				t.Fatalf("%s has no place for the tables", file)
			}
			want := before + tablesBegin + "\n" + Table(system) + tablesEnd + after
			if *update {
				if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, string(text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoOptionIsInTheTablesTwice(t *testing.T) {
	for _, system := range Systems {
		seen := map[string]bool{}
		for _, h := range Tables(system) {
			for _, o := range h.Options {
				if seen[o.Name] && !strings.HasPrefix(h.Title, "Alpha") {
					t.Errorf("%s: %s", system, o.Name)
				}
				seen[o.Name] = true
				if o.Kind != Taken && o.Text == "" {
					t.Errorf("%s: nothing is said of %s", system, o.Name)
				}
			}
		}
	}
}

// block is the fenced block of a page that begins with a text.
func block(t *testing.T, page, kind, begin string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "migrate", page))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range strings.Split(string(text), "```"+kind+"\n")[1:] {
		if strings.HasPrefix(b, begin) {
			b, _, _ = strings.Cut(b, "```")
			return b
		}
	}
	t.Fatalf("%s has no such block", page)
	return ""
}

func TestTheExampleInTheDocumentsIsWhatIsMadeOfIt(t *testing.T) {
	r, err := From("oauth2-proxy", Input{Files: []File{{"oauth2-proxy.cfg", []byte(block(t, "oauth2-proxy.md", "text", "# oauth2-proxy.cfg"))}}})
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	if err := yaml.Unmarshal([]byte(block(t, "oauth2-proxy.md", "yaml", "providers:")), &want); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(r.Settings.JSON(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
