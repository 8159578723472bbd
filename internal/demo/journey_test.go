package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestJourneyThroughTheModule runs the demo as a person does, with the module
// that was built, on each host.
func TestJourneyThroughTheModule(t *testing.T) {
	t.Chdir(filepath.Join("..", "..")) // where paths in build/ are found
	module := filepath.Join("build", "postern.wasm")
	if _, err := os.Stat(module); err != nil {
		t.Fatal("build/postern.wasm is missing: make build makes it")
	}
	if _, err := os.Stat(WheelEnvoy); err != nil {
		t.Fatal(WheelEnvoy + " is missing: make setup fetches it")
	}
	t.Setenv("ENVOY", WheelEnvoy)
	cache, err := filepath.Abs(filepath.Join("build", "cache"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", cache) // compiled code stays out of the person's own
	for _, host := range []string{"envoy", "wazero"} {
		t.Run(host, func(t *testing.T) {
			var out strings.Builder
			ok, err := Check(t.Context(), Options{
				Host: host, Listen: "127.0.0.1:0", IdP: "127.0.0.1:0", App: "127.0.0.1:0", Module: module, Out: &out, Log: t.Output(),
			})
			if err != nil || !ok {
				t.Errorf("%v\n%s", err, out.String())
			}
		})
	}
}
