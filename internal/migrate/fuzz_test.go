package migrate

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"sigs.k8s.io/yaml"
)

// Whatever is read, nothing panics, and what comes of it is accepted.
func FuzzWhateverIsReadMakesSettingsThatAreAccepted(f *testing.F) {
	for i, system := range Systems {
		examples, _ := filepath.Glob(filepath.Join("testdata", system, "*"))
		for _, name := range examples {
			if filepath.Ext(name) == ".golden" {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), text)
		}
	}
	f.Add(uint8(0), []byte("provider = \"oidc\"\nemail_domains = [\"*\", \"a b\"]\ncookie_path=\"/%\"\nproxy_prefix=\"/a//b\"\nscope=\"a\\\"b\""))
	f.Add(uint8(0), []byte("--provider=oidc\n--skip-auth-route=!=^/a\n--cookie-expire=99999h\n--prompt=login login"))
	f.Add(uint8(2), []byte(`{"chains":[{"filters":[{"oidc":{"client_id":"","scopes":["a b"],"callback_uri":"https://é.example/x/callback"}},{"mock":{}}]}]}`))
	f.Fuzz(func(t *testing.T, system uint8, text []byte) {
		r, err := From(Systems[int(system)%len(Systems)], Input{Files: []File{{"file", text}}})
		if err != nil {
			if r != nil {
				t.Error("a result beside an error")
			}
			return
		}
		if err := Valid(r.Settings); err != nil {
			t.Errorf("not valid: %v", err)
		}
		checkWritten(t, r)
	})
}

// checkWritten reads what is written in YAML, and compares it with the JSON.
func checkWritten(t *testing.T, r *Result) {
	t.Helper()
	written, err := r.Settings.YAML()
	if err != nil {
		t.Fatal(err)
	}
	var fromYAML, fromJSON any
	if err := yaml.Unmarshal(written, &fromYAML); err != nil {
		t.Fatalf("%v:\n%s", err, written)
	}
	if err := json.Unmarshal(r.Settings.JSON(), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(fromYAML, fromJSON) {
		t.Errorf("YAML and JSON differ:\n%s\n%s", written, r.Settings.JSON())
	}
}
