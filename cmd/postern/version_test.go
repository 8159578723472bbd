package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/image"
	"github.com/postern-auth/postern/internal/release"
)

func TestVersionTellsTheReleaseAndTheModule(t *testing.T) {
	module := moduleFile(t)
	m, err := image.ReadModule(module)
	if err != nil {
		t.Fatal(err)
	}
	code, out, errOut := run(t, "", "version", "--module", module)
	if code != 0 || errOut != "" || !strings.HasPrefix(out, "postern "+release.Version+" (") || !strings.Contains(out, m.SHA256()) {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	code, out, _ = run(t, "", "version", "--module", module, "--output", "json")
	var v versions
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || v.Version != release.Version || v.Module.SHA256 != m.SHA256() || v.Go == "" {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
}

func TestVersionRefusesWhatIsNoModule(t *testing.T) {
	for file, want := range map[string]int{"/nonexistent.wasm": exitUsage, "testdata/settings.yaml": exitFailed} {
		if code, out, errOut := run(t, "", "version", "--module", file); code != want || out != "" || errOut == "" {
			t.Errorf("%s: exit %d: %s%s", file, code, out, errOut)
		}
	}
	if code, _, errOut := run(t, "", "version", "-o", "yaml"); code != exitUsage || !strings.Contains(errOut, "neither text nor json") {
		t.Errorf("exit %d: %s", code, errOut)
	}
}
