package e2e

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	summary := newSummary()
	code := m.Run()
	StopShared()
	summary.print()
	if code != 0 {
		fmt.Fprintln(os.Stderr, "e2e: a missing part is fetched by `make setup`, the module by `make build`")
	}
	os.Exit(code)
}
