package wazerohost

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// guestModule and bareModule are built once per test binary.
var (
	guestModule = sync.OnceValues(func() ([]byte, error) { return buildGuest("./testdata/guest") })
	bareModule  = sync.OnceValues(func() ([]byte, error) { return buildGuest("./testdata/bareguest") })
)

func buildGuest(pkg string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "guest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "guest.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, &buildError{err, string(text)}
	}
	return os.ReadFile(out)
}

type buildError struct {
	err  error
	text string
}

func (e *buildError) Error() string { return e.err.Error() + ": " + e.text }

// rig is a host with the scripted guest and its log.
type rig struct {
	*Host
	t     *testing.T
	clock *FakeClock

	mu    sync.Mutex
	lines []string
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// newRig starts a host whose guest follows the script.
func newRig(t *testing.T, script string, options ...func(*Config)) *rig {
	t.Helper()
	r, err := tryRig(t, script, options...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryRig(t *testing.T, script string, options ...func(*Config)) (*rig, error) {
	t.Helper()
	module, err := guestModule()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, clock: NewFakeClock(noon)}
	cfg := Config{
		Module: module, PluginConfig: []byte(script), Clock: r.clock, VMID: "vm",
		NewRequestID: func() string { return "request-1" },
		Clusters:     map[string]Cluster{"idp": {}},
		Log: func(level Level, line string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.lines = append(r.lines, level.String()+" "+line)
		},
	}
	for _, option := range options {
		option(&cfg)
	}
	r.Host, err = New(context.Background(), cfg)
	if err != nil {
		return r, err
	}
	t.Cleanup(func() { r.Close() })
	r.clear() // what canary and start said
	return r, nil
}

func (r *rig) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = nil
}

// log is what the guest said since the last look, without level and context ids.
func (r *rig) log() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var said []string
	for _, line := range r.lines {
		if rest, ok := strings.CutPrefix(line, "info "); ok {
			event, rest, _ := strings.Cut(rest, " ")
			event, _, _ = strings.Cut(event, "@")
			said = append(said, event+": "+rest)
		}
	}
	r.lines = nil
	return said
}

// all is every line with its level.
func (r *rig) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

func (r *rig) wantLog(want ...string) {
	r.t.Helper()
	if diff := cmp.Diff(want, r.log()); diff != "" {
		r.t.Errorf("the guest's log (-want +got):\n%s", diff)
	}
}

func (r *rig) wantMisuse(want ...string) {
	r.t.Helper()
	if diff := cmp.Diff(want, r.Misuse()); diff != "" {
		r.t.Errorf("misuse (-want +got):\n%s", diff)
	}
}

// get sends a request without a body.
func (r *rig) get(extra ...[2]string) *Stream { return r.send(true, extra...) }

func (r *rig) send(end bool, extra ...[2]string) *Stream {
	headers := [][2]string{{":method", "GET"}, {":path", "/a?b=c"}, {":authority", "app.example"}, {":scheme", "http"}}
	return r.Open(0, append(headers, extra...), end)
}

func wantKind(t *testing.T, s *Stream, want Kind) Outcome {
	t.Helper()
	o := s.Outcome()
	if o.Kind != want {
		t.Fatalf("the stream is %v, want %v: %+v", o.Kind, want, o)
	}
	return o
}

func contains(lines []string, part string) bool {
	return slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, part) })
}
