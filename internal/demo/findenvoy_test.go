package demo

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
)

// script writes an executable that answers as Envoy would.
func script(t *testing.T, version, validate string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "envoy")
	text := "#!/bin/sh\ncase $1 in\n--version) " + version + ";;\n*) " + validate + ";;\nesac\n"
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func says(version string) string {
	return "echo; echo 'envoy  version: 0123456789abcdef/" + version + "/Clean/RELEASE/BoringSSL'"
}

func TestFirstEnvoyThatWorksIsTaken(t *testing.T) {
	at := func(path string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return path, nil }
	}
	good := script(t, says("1.40.0"), "exit 0")
	sources := []source{
		{"nowhere", func(context.Context) (string, error) { return "", errors.New("not\n set") }},
		{"a missing file", at("/nonexistent/envoy")},
		{"a failing one", at(script(t, "exit 3", "exit 0"))},
		{"a silent one", at(script(t, "true", "exit 0"))},
		{"an old one", at(script(t, says("1.35.9"), "exit 0"))},
		{"one without V8", at(script(t, says("1.38.3"), "echo 'Envoy was compiled without support for it'; exit 1"))},
		{"a broken one", at(script(t, says("1.39.0"), "exit 1"))},
		{"a good one", at(good)},
		{"a later one", at(script(t, says("1.36.4"), "exit 0"))},
	}
	var lines []string
	got, err := findEnvoy(t.Context(), func(line string) { lines = append(lines, line) }, sources)
	if err != nil || got != (Envoy{Path: good, Version: "1.40.0", Source: "a good one"}) {
		t.Fatalf("found %+v, %v", got, err)
	}
	for i, want := range []string{"nowhere: passed over: not set", "no such file", "exit status 3", "does not say", "1.35.9", "without V8", "cannot load"} {
		if i >= len(lines) || !strings.Contains(lines[i], want) || strings.Contains(lines[i], "\n") {
			t.Errorf("line %d does not say %q in one line: %q", i, want, lines)
		}
	}
	if len(lines) != 7 {
		t.Errorf("%d were passed over, want 7", len(lines))
	}
	if _, err := findEnvoy(t.Context(), func(string) {}, sources[:2]); err == nil || !strings.Contains(err.Error(), "make "+WheelEnvoy) {
		t.Errorf("with none: %v", err)
	}
}

func TestEnvoyVariableMustNameAnExecutable(t *testing.T) {
	path := script(t, says("1.40.0"), "exit 0")
	for value, ok := range map[string]bool{path: true, "": false, filepath.Dir(path): false} {
		t.Setenv("ENVOY", value)
		if got, err := locateVariable(t.Context()); (err == nil) != ok || (ok && got != path) {
			t.Errorf("ENVOY=%q: got %q, %v", value, got, err)
		}
	}
}

type noNetwork struct{}

func (noNetwork) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no network")
}

func TestDownloadSaysWhenThereIsNoNetwork(t *testing.T) {
	if _, err := download(t.Context(), t.TempDir(), noNetwork{}); err == nil || !strings.Contains(err.Error(), "no network") {
		t.Errorf("got %v", err)
	}
}

func TestDownloadIsNotRepeated(t *testing.T) {
	data := t.TempDir()
	bin := filepath.Join(data, "envoy-versions", downloadVersion, "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(bin, "envoy")
	if err := os.Rename(script(t, says(downloadVersion), "exit 0"), want); err != nil {
		t.Fatal(err)
	}
	if got, err := download(t.Context(), data, noNetwork{}); err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestProbeModuleIsValid(t *testing.T) {
	r := wazero.NewRuntime(t.Context())
	defer r.Close(t.Context())
	m, err := r.CompileModule(t.Context(), emptyModule())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"proxy_abi_version_0_2_1", "proxy_on_memory_allocate"} {
		if m.ExportedFunctions()[name] == nil {
			t.Errorf("the module lacks %s", name)
		}
	}
}
