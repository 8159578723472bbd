package operations

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/doctest"
)

// envoysLog is as Envoy 1.40.0 writes it, with other lines between.
const envoysLog = `[2026-11-22 21:45:55.203][32278][info][wasm] [source/extensions/common/wasm/context.cc:1151] wasm log postern postern: postern: {"event":"sign_in_needed","reason":"no_session","request_id":"1e4d89c4","rule":"unmatched"}
[2026-11-22 21:43:55.347][28072][warning][wasm] [source/extensions/common/wasm/context.cc:1154] wasm log postern: postern: insecure_http_cookies is on
2026-11-22T21:43:58.486Z GET /{x} 303 postern_login 3070c08a
[2026-11-22 21:45:55.249][32278][warning][wasm] [source/extensions/common/wasm/context.cc:1154] wasm log postern: postern: {"event":"login_refused","reason":"state_not_ours"}
`

func TestEventsAreTakenOutOfALogByTheLineInTheDocuments(t *testing.T) {
	page, err := doctest.Parse("docs/operations.md", string(read(t, "docs/operations.md")))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "envoy.log"), []byte(envoysLog), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, b := range page.Blocks {
		if b.Kind != "sh" || !strings.HasPrefix(b.Text, "sed ") {
			continue
		}
		cmd := exec.Command("sh", "-c", b.Text)
		cmd.Dir = dir
		got, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		want := `{"event":"sign_in_needed","reason":"no_session","request_id":"1e4d89c4","rule":"unmatched"}` + "\n" + `{"event":"login_refused","reason":"state_not_ours"}` + "\n"
		if string(got) != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		return
	}
	t.Error("the page has no such line")
}
