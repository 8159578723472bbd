package demo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheConfigurationInTheDocumentsRuns starts Envoy with envoy/envoy.yaml, at
// other ports, beside the demo without a proxy, and walks the journey.
func TestTheConfigurationInTheDocumentsRuns(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	text, err := os.ReadFile(filepath.Join("envoy", "envoy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DEMO_CLIENT_SECRET", secret())
	t.Setenv("POSTERN_KEY", secret())
	var out strings.Builder
	d, err := start(t.Context(), Options{
		Host: "none", Listen: "127.0.0.1:0", IdP: "127.0.0.1:0", App: "127.0.0.1:0",
		Module: filepath.Join("build", "postern.wasm"), Out: &out,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.stop()
	bootstrap := strings.NewReplacer(
		"10000", port(d.listen), "10001", port(d.idp), "10002", port(d.app), "port_value: 9901", "port_value: 0",
	).Replace(string(text))
	file := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(file, []byte(bootstrap), 0o600); err != nil {
		t.Fatal(err)
	}
	envoy := exec.CommandContext(t.Context(), WheelEnvoy, "-c", file, "--use-dynamic-base-id", "-l", "warning")
	envoy.Stdout, envoy.Stderr = t.Output(), t.Output()
	if err := envoy.Start(); err != nil {
		t.Fatalf("%v: make setup fetches it", err)
	}
	defer func() {
		_ = envoy.Process.Kill()
		_ = envoy.Wait()
	}()
	if err := d.await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !check(t.Context(), &d.place, &out) {
		t.Error(out.String())
	}
}
