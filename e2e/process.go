package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Root is the folder of the module: the nearest one above that has a go.mod.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("e2e: working directory: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("e2e: no go.mod above the working directory")
		}
		dir = parent
	}
}

// part is the absolute path of something that a make target puts into the
// module's folder; without it, the error names that target.
func part(target string, elems ...string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(append([]string{root}, elems...)...)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("e2e: %s is not there: run make %s", filepath.Join(elems...), target)
	}
	return path, nil
}

// command is the path of a program that a Debian package brings.
func command(name string) (string, error) {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("e2e: %s is not installed: run make setup", name)
}

// Process is a program that runs beside the test. Its output is kept, and can
// be waited for.
type Process struct {
	Log    *Log
	cmd    *exec.Cmd
	exited chan struct{}
	err    error
}

// startProcess runs a program until stop is called or the test binary ends.
func startProcess(name string, args, env []string) (*Process, error) {
	p := &Process{Log: newLog(), exited: make(chan struct{})}
	p.cmd = exec.Command(name, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.Log, p.Log
	// The kernel ends it with the test binary, even when that dies of its time limit.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("e2e: start %s: %w", filepath.Base(name), err)
	}
	go func() {
		p.err = p.cmd.Wait()
		p.Log.close()
		close(p.exited)
	}()
	return p, nil
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed once the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// stop asks the process to end, and ends it if it does not within ten seconds.
func (p *Process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// Log keeps what a process printed, up to a bound, and lets a test wait for a text.
type Log struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
	closed  bool
}

// logLimit is more than any test's process prints; past it, output is dropped.
const logLimit = 32 << 20

func newLog() *Log { return &Log{changed: make(chan struct{})} }

// Write appends output.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text.Len() < logLimit {
		l.text.Write(p)
	}
	close(l.changed)
	l.changed = make(chan struct{})
	return len(p), nil
}

func (l *Log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *Log) snapshot() (text string, closed bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String(), l.closed, l.changed
}

// String is everything printed so far.
func (l *Log) String() string {
	text, _, _ := l.snapshot()
	return text
}

// Contains says whether a text was printed.
func (l *Log) Contains(text string) bool { return strings.Contains(l.String(), text) }

// Lines are the printed lines that contain a text.
func (l *Log) Lines(text string) []string {
	var found []string
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, text) {
			found = append(found, strings.TrimRight(line, "\n"))
		}
	}
	return found
}

// Tail is the last n lines.
func (l *Log) Tail(n int) string {
	lines := strings.SplitAfter(l.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// Brief is the last n lines of an Envoy's log that are not about its own start
// and end, each cut short.
func (l *Log) Brief(n int) string {
	const width = 300
	var lines []string
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, "[info][main]") || strings.Contains(line, "[info][config]") {
			continue
		}
		if len(line) > width {
			line = line[:width] + "…\n"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// WaitFor waits until a text has been printed.
func (l *Log) WaitFor(text string, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		printed, closed, changed := l.snapshot()
		if strings.Contains(printed, text) {
			return nil
		}
		if closed {
			return fmt.Errorf("e2e: ended without printing %q:\n%s", text, l.Tail(40))
		}
		select {
		case <-changed:
		case <-timer.C:
			return fmt.Errorf("e2e: %q was not printed within %v:\n%s", text, limit, l.Tail(40))
		}
	}
}

// poll tries until check succeeds, the process ends, or the time is up. The
// last failure is the error.
func poll(limit time.Duration, ended <-chan struct{}, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ended:
			return fmt.Errorf("the process ended: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %w", limit, err)
		}
	}
}

// Eventually fails the test unless check succeeds within the limit.
func Eventually(t testing.TB, limit time.Duration, check func() error) {
	t.Helper()
	if err := poll(limit, nil, func(context.Context) error { return check() }); err != nil {
		t.Fatal(err)
	}
}

// must takes a result apart: must(f())(t) is f's value, or the test's end.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// ReservePort is a loopback port for a program that cannot pick one by itself,
// and what gives it back. Until then the port stays bound but not listened on:
// the system gives it to nobody who asks for any port, connections to it are
// refused, and the program, which sets SO_REUSEADDR as servers do, may have it.
func ReservePort() (port int, release func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, fmt.Errorf("e2e: reserve a port: %w", err)
	}
	release = func() { _ = syscall.Close(fd) }
	if port, err = bindLoopback(fd); err != nil {
		release()
		return 0, nil, fmt.Errorf("e2e: reserve a port: %w", err)
	}
	return port, release, nil
}

func bindLoopback(fd int) (port int, err error) {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, err
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	return bound.(*syscall.SockaddrInet4).Port, nil
}

// drain reads a body to its end, bounded, and closes it.
func drain(body io.ReadCloser) ([]byte, error) {
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, 16<<20))
}
