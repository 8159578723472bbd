package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// EnvoyVersions are the versions that Postern claims, newest first.
var EnvoyVersions = []string{"1.40.0", "1.39.3", "1.36.4"}

// lastLines heads what a failed test shows of Envoy's log.
const lastLines = "the last lines of envoy"

// startLimit is generous: V8 compiles the whole module before the first request.
const startLimit = 90 * time.Second

// EnvoySetup says how an Envoy is to be run.
type EnvoySetup struct {
	Version string // one of EnvoyVersions; the first when empty
	Workers int    // 1 when 0
	Host    string // what browsers call it; localhost when empty

	App string // the application's host:port; without it every request is answered with a 200 by Envoy itself
	IDP string // the provider's host:port

	Port     int               // of the listener; the kernel picks one when 0 (ReservePort keeps one free)
	AppHTTP2 bool              // the application speaks HTTP/2 only, as gRPC servers do
	Before   []object          // further filters, before the gate
	Filters  []object          // further filters, between the gate and the application
	Clusters map[string]string // further clusters: name to host:port
	Sockets  map[string]object // transport sockets of clusters that speak TLS, by name

	Config any               // Postern's settings: a string is used as it is, the rest as JSON; without them there is no filter
	Env    map[string]string // environment of the module
	Module string            // see modulePath when empty

	Listener func(listener map[string]any) // changes the listener, as Envoy's JSON has it; nil for nothing

	// Beside are further listeners of the same process by name: each as this
	// set-up has its own, but for what the function changes.
	Beside map[string]func(*EnvoySetup)

	// Tags say which parts of statistics' names are labels.
	Tags []any

	// AllowHeadersStop sets the plugin's allow_on_headers_stop_iteration.
	AllowHeadersStop bool
	LogLevel         string // of the module and of start and end; "info" when empty
}

// Envoy is a running one.
type Envoy struct {
	*Process
	Setup EnvoySetup
	Addr  string // host:port of the listener
	Admin string // host:port of the admin interface

	adminFile string // where Envoy writes the latter
	listeners map[string]string
}

// At is the same Envoy at another of its listeners.
func (e *Envoy) At(listener string) *Envoy {
	other := *e
	other.Addr = e.listeners[listener]
	return &other
}

// URL is the address of a path on the listener, as a person would type it.
func (e *Envoy) URL(path string) string {
	return "http://" + e.Setup.Host + ":" + e.Addr[strings.LastIndexByte(e.Addr, ':')+1:] + path
}

// StartEnvoy runs Envoy and waits until it serves; the test's end stops it.
func StartEnvoy(t testing.TB, s EnvoySetup) *Envoy {
	t.Helper()
	e, err := launchEnvoy(t, s)
	if err != nil {
		t.Fatal(err)
	}
	e.mustBeReady(t)
	return e
}

func (e *Envoy) mustBeReady(t testing.TB) {
	t.Helper()
	if err := e.waitReady(); err != nil {
		t.Fatalf("e2e: envoy %s: %v", e.Setup.Version, err)
	}
}

// RefuseEnvoy runs Envoy with a set-up that it must refuse, and returns what it
// printed. An Envoy that serves instead fails the test.
func RefuseEnvoy(t testing.TB, s EnvoySetup) *Log {
	t.Helper()
	e, err := launchEnvoy(t, s)
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan error, 1)
	go func() { ready <- e.waitReady() }()
	select {
	case <-e.Exited():
		if e.err == nil {
			t.Fatalf("e2e: envoy %s ended without a failure:\n%s", e.Setup.Version, e.Log.Tail(40))
		}
	case err := <-ready:
		if err == nil {
			t.Fatalf("e2e: envoy %s serves what it should have refused:\n%s", e.Setup.Version, e.Log.Tail(40))
		}
		e.stop()
	}
	return e.Log
}

func launchEnvoy(t testing.TB, s EnvoySetup) (*Envoy, error) {
	if s.Version == "" {
		s.Version = EnvoyVersions[0]
	}
	if s.Host == "" {
		s.Host = "localhost"
	}
	if s.Workers == 0 {
		s.Workers = 1
	}
	if s.LogLevel == "" {
		s.LogLevel = "info"
	}
	binary, err := part("setup", "build", "tools", "envoy", s.Version, "envoy")
	if err != nil {
		return nil, err
	}
	bootstrap, err := Bootstrap(s)
	if err != nil {
		return nil, err
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "envoy.json")
	if err := os.WriteFile(file, bootstrap, 0o600); err != nil {
		return nil, fmt.Errorf("e2e: bootstrap: %w", err)
	}
	p, err := startProcess(binary, []string{
		"--config-path", file, "--admin-address-path", filepath.Join(dir, "admin"),
		"--concurrency", strconv.Itoa(s.Workers), "--use-dynamic-base-id",
		// Envoy's own start prints a thousand lines that nobody wants in a failed test.
		"--log-level", "warning", "--component-log-level", "wasm:" + s.LogLevel + ",main:" + s.LogLevel + ",config:" + s.LogLevel,
	}, nil)
	if err != nil {
		return nil, err
	}
	e := &Envoy{Process: p, Setup: s, adminFile: filepath.Join(dir, "admin")}
	t.Cleanup(func() {
		e.stop()
		if t.Failed() {
			t.Logf("%s %s:\n%s", lastLines, s.Version, e.Log.Brief(40))
		}
	})
	return e, nil
}

// waitReady finds the ports that the kernel picked, and waits until Envoy serves.
func (e *Envoy) waitReady() error {
	err := poll(startLimit, e.Exited(), func(context.Context) error {
		admin, err := os.ReadFile(e.adminFile)
		if err != nil || len(admin) == 0 {
			return fmt.Errorf("no admin address yet")
		}
		e.Admin = strings.TrimSpace(string(admin))
		return nil
	})
	if err != nil {
		return err
	}
	err = poll(startLimit, e.Exited(), func(ctx context.Context) error {
		_, err := e.AdminGet(ctx, "/ready")
		return err
	})
	if err != nil {
		return err
	}
	return e.findListener()
}

func (e *Envoy) findListener() error {
	body, err := e.AdminGet(context.Background(), "/listeners?format=json")
	if err != nil {
		return err
	}
	var listeners struct {
		ListenerStatuses []struct {
			Name         string `json:"name"`
			LocalAddress struct {
				SocketAddress struct {
					Address   string `json:"address"`
					PortValue int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(body, &listeners); err != nil {
		return fmt.Errorf("e2e: envoy's listeners: %w", err)
	}
	if n := len(listeners.ListenerStatuses); n != 1+len(e.Setup.Beside) {
		return fmt.Errorf("e2e: envoy has %d listeners", n)
	}
	e.listeners = map[string]string{}
	for _, l := range listeners.ListenerStatuses {
		a := l.LocalAddress.SocketAddress
		e.Addr = fmt.Sprintf("%s:%d", a.Address, a.PortValue) // the only one, whatever it is called
		e.listeners[l.Name] = e.Addr
	}
	if len(e.listeners) > 1 {
		e.Addr = e.listeners[mainListener]
	}
	return nil
}

// AdminGet reads a page of the admin interface; other answers than 200 are errors.
func (e *Envoy) AdminGet(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.Admin+path, nil)
	if err != nil {
		return nil, fmt.Errorf("e2e: envoy's admin: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("e2e: envoy's admin: %w", err)
	}
	body, err := drain(res.Body)
	if err != nil {
		return nil, fmt.Errorf("e2e: envoy's admin: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("e2e: envoy's admin: %s answered %d", path, res.StatusCode)
	}
	return body, nil
}

// Stat is one of Envoy's counters or gauges; one that does not exist is an error.
func (e *Envoy) Stat(t testing.TB, name string) int {
	t.Helper()
	body, err := e.AdminGet(context.Background(), "/stats?filter=^"+name+"$")
	if err != nil {
		t.Fatal(err)
	}
	_, value, found := strings.Cut(strings.TrimSpace(string(body)), ": ")
	n, err := strconv.Atoi(value)
	if !found || err != nil {
		t.Fatalf("e2e: envoy has no stat %s: %q", name, body)
	}
	return n
}

// ForEachEnvoy runs a test as a subtest for each version that Postern claims.
func ForEachEnvoy(t *testing.T, test func(t *testing.T, version string)) {
	for _, version := range EnvoyVersions {
		t.Run("envoy "+version, func(t *testing.T) { test(t, version) })
	}
}
