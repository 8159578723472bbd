package main

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the goldens anew")

const root = "../.."

func built(t *testing.T) ([]entry, *module) {
	t.Helper()
	entries, m, err := measure(root)
	if err != nil {
		t.Fatal(err)
	}
	return entries, m
}

func TestEachPackageKeepsItsBudget(t *testing.T) {
	now, _ := built(t)
	golden, err := readGolden(root)
	if err != nil && !(*update && errors.Is(err, os.ErrNotExist)) {
		t.Fatal(err)
	}
	if *update {
		golden = settle(golden, now)
		write(t, "size", formatEntries(golden))
	}
	for _, complaint := range compare(golden, now) {
		t.Errorf("%s; if that is meant, run: go test ./tools/size -update", complaint)
	}
}

func TestTheModuleImportsWhatEveryHostHas(t *testing.T) {
	_, m := built(t)
	golden(t, "imports", m.imports)
	for _, name := range m.imports {
		if wasi, ok := strings.CutPrefix(name, "wasi_snapshot_preview1 "); ok && !oldHostHas[wasi] {
			t.Errorf("Envoy 1.33 to 1.38 do not have %s: tools/wasi-stub can answer it", name)
		}
	}
}

// oldHostHas is the WASI of Envoy 1.33 to 1.38, without poll_oneoff, which is
// there and says ENOSYS; that ends a Go program.
var oldHostHas = map[string]bool{
	"fd_write": true, "fd_read": true, "fd_seek": true, "fd_close": true,
	"fd_fdstat_get": true, "fd_fdstat_set_flags": true, "environ_get": true,
	"environ_sizes_get": true, "args_get": true, "args_sizes_get": true,
	"clock_time_get": true, "random_get": true, "sched_yield": true,
	"proc_exit": true, "path_open": true, "fd_prestat_get": true,
	"fd_prestat_dir_name": true,
}

func TestTheModuleExportsItsCallbacks(t *testing.T) {
	_, m := built(t)
	golden(t, "exports", m.exports)
}

func TestTheNameSectionSurvives(t *testing.T) {
	now, m := built(t)
	// Optimising makes a few functions of its own, which have none.
	if 20*len(m.names) < 19*len(m.bodies) {
		t.Errorf("%d of %d functions have names: backtraces in a host's log need them", len(m.names), len(m.bodies))
	}
	found := map[string]bool{}
	for _, e := range now {
		found[e.name] = true
	}
	if !found["runtime"] {
		t.Error("no code was attributed to package runtime")
	}
}

func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		write(t, name, got)
	}
	want, err := os.ReadFile(goldenPath(root, name))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-golden +module); if that is meant, run: go test ./tools/size -update\n%s", name, diff)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	path := goldenPath(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFunctionsAreAttributedToTheLongestPackage(t *testing.T) {
	prefixes := manglePackages([]string{"runtime", "github.com/x/jose-kit", "github.com/x/jose-kit/json", "main"})
	for function, want := range map[string]string{
		"runtime.gcStart":                         "runtime",
		"github.com_x_jose_kit.Parse":             "github.com/x/jose-kit",
		"github.com_x_jose_kit_json.__d_.a.func1": "github.com/x/jose-kit/json",
		"main.init.0":                             "main",
		"type_.eq.runtime.p":                      "(type equality)",
		"proxy_on_tick":                           "(start and exports)",
		"github.com_other.F":                      "(start and exports)",
		"":                                        "(start and exports)",
	} {
		if got := packageOf(function, prefixes); got != want {
			t.Errorf("%q is of %s, want %s", function, got, want)
		}
	}
}

func TestBudgets(t *testing.T) {
	old := []entry{{"(file)", 1, maxFile}, {"a", 5000, 6144}, {"b", 5000, 6144}}
	now := []entry{{"(file)", maxFile + 1, 0}, {"a", 6144, 0}, {"b", 6145, 0}, {"c", 4096, 0}}
	complaints := compare(old, now)
	if len(complaints) != 3 ||
		!strings.HasPrefix(complaints[0], "(file)") || !strings.HasPrefix(complaints[1], "b") || !strings.HasPrefix(complaints[2], "c") {
		t.Errorf("complaints %q", complaints)
	}
	want := []entry{{"(file)", maxFile + 1, maxFile}, {"a", 6144, 6144}, {"b", 6145, 7168}, {"c", 4096, 5120}}
	if diff := cmp.Diff(want, settle(old, now), cmp.AllowUnexported(entry{})); diff != "" {
		t.Errorf("settled (-want +got):\n%s", diff)
	}
	parsed, err := parseEntries(formatEntries(want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, parsed, cmp.AllowUnexported(entry{})); diff != "" {
		t.Errorf("written and read (-want +got):\n%s", diff)
	}
}

func TestAMalformedModuleIsRefused(t *testing.T) {
	const head = "\x00asm\x01\x00\x00\x00"
	for name, file := range map[string]string{
		"nothing":                        "",
		"another file":                   "\x7fELF\x01\x01\x01\x00",
		"a section that is cut off":      head + "\x0a\x05\x00",
		"a count that is cut off":        head + "\x0a\x01\xff",
		"a number of six bytes":          head + "\x0a\x06\xff\xff\xff\xff\xff\x01",
		"an import of an unknown kind":   head + "\x02\x06\x01\x01m\x01n\x09",
		"a body longer than its section": head + "\x0a\x02\x01\x09",
		"a name longer than its section": head + "\x00\x01\x09",
	} {
		if _, err := parseModule([]byte(file)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}
