package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// trapModule is the module with filter/trap.go in it, which lets a request end it.
// It is built once, as build.mk builds the real one but for what makes that small.
func trapModule(t testing.TB) string {
	t.Helper()
	return must(buildTrapModule())(t)
}

var buildTrapModule = sync.OnceValues(func() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "build", "trap")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("e2e: trap module: %w", err)
	}
	if err := copyModFiles(root, dir); err != nil {
		return "", fmt.Errorf("e2e: trap module: %w", err)
	}
	plain, merged := filepath.Join(dir, "plain.wasm"), filepath.Join(dir, "trap.wasm")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-tags", "trap",
		"-modfile", filepath.Join(dir, "wasm.mod"), "-o", plain, "./filter")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=wasip1", "GOARCH=wasm")
	merge := exec.Command(filepath.Join(root, "tools", "node_modules", ".bin", "wasm-merge"), "--enable-bulk-memory", "--enable-mutable-globals",
		"--enable-nontrapping-float-to-int", "--enable-sign-ext", "-g", plain, "postern", "tools/wasi-stub/wasi_stub.wat", "wasi_snapshot_preview1", "-o", merged)
	for _, c := range []*exec.Cmd{build, merge} {
		c.Dir = root
		if out, err := c.CombinedOutput(); err != nil {
			return "", fmt.Errorf("e2e: trap module: %v: %w\n%s", c.Args, err, out)
		}
	}
	return merged, nil
})

// copyModFiles writes go.mod with the stand-in that the module is built with.
func copyModFiles(root, dir string) error {
	for from, to := range map[string]string{"go.mod": "wasm.mod", "go.sum": "wasm.sum"} {
		text, err := os.ReadFile(filepath.Join(root, from))
		if err != nil {
			return err
		}
		if from == "go.mod" {
			text = append(text, "\nreplace github.com/tidwall/pretty => ./tools/pretty\n"...)
		}
		if err := os.WriteFile(filepath.Join(dir, to), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
