package conversation

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// envoyProcess is a running Envoy that takes listeners and clusters from files,
// so that one process serves the gates of all scripts one after another.
type envoyProcess struct {
	dir   string
	admin string
	cmd   *exec.Cmd
	ended chan struct{}

	mu   sync.Mutex
	tail []string // the last lines that it printed
	no   string   // why it refused what was published last
	hear func(line string)
}

// startLimit is generous: V8 compiles the whole module first.
const startLimit = 90 * time.Second

// startEnvoy runs an Envoy in front of an application, and waits until its
// admin interface answers.
func startEnvoy(binary, dir string, app int, hear func(string)) (*envoyProcess, error) {
	e := &envoyProcess{dir: dir, ended: make(chan struct{}), hear: hear}
	for _, file := range []string{clustersFile, listenersFile} {
		if err := e.publish(file); err != nil {
			return nil, err
		}
	}
	if err := writeJSON(e.file("bootstrap.json"), e.bootstrap(app)); err != nil {
		return nil, err
	}
	e.cmd = exec.Command(binary, "--config-path", e.file("bootstrap.json"), "--admin-address-path", e.file("admin"),
		"--concurrency", "1", "--use-dynamic-base-id", "--drain-time-s", "1", "--drain-strategy", "immediate",
		"--log-level", "warning", "--component-log-level", "wasm:info", "--log-format", "%v")
	// The kernel ends it with the test binary, even when that dies of its time limit.
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output, err := e.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	go e.read(output)
	return e, e.waitAdmin()
}

func (e *envoyProcess) file(name string) string { return filepath.Join(e.dir, name) }

// read passes on what Envoy prints, until it ends.
func (e *envoyProcess) read(output io.Reader) {
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		e.mu.Lock()
		if e.tail = append(e.tail, lines.Text()); len(e.tail) > 40 {
			e.tail = e.tail[1:]
		}
		if strings.Contains(lines.Text(), "config update rejected") {
			e.no = lines.Text()
		}
		e.mu.Unlock()
		e.hear(lines.Text())
	}
	_ = e.cmd.Wait()
	close(e.ended)
}

// failed is an error with what Envoy said last.
func (e *envoyProcess) failed(format string, args ...any) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return fmt.Errorf("%w; Envoy's last lines:\n%s", fmt.Errorf(format, args...), strings.Join(e.tail, "\n"))
}

func (e *envoyProcess) stop() error {
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.ended:
	case <-time.After(10 * time.Second):
		_ = e.cmd.Process.Kill()
		<-e.ended
	}
	return os.RemoveAll(e.dir)
}

// until tries check until it succeeds.
func (e *envoyProcess) until(limit time.Duration, check func() error) error {
	deadline := time.After(limit)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		if e.refused() {
			return e.failed("conversation: envoy refuses its configuration")
		}
		select {
		case <-tick.C:
		case <-e.ended:
			return e.failed("conversation: envoy ended")
		case <-deadline:
			return e.failed("conversation: envoy: not within %v: %w", limit, err)
		}
	}
}

func (e *envoyProcess) refused() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	refused := e.no != ""
	e.no = ""
	return refused
}

func (e *envoyProcess) waitAdmin() error {
	return e.until(startLimit, func() error {
		address, err := os.ReadFile(e.file("admin"))
		if err != nil || len(address) == 0 {
			return fmt.Errorf("no admin address")
		}
		e.admin = strings.TrimSpace(string(address))
		_, err = e.ask("/ready")
		return err
	})
}

// ask reads a page of the admin interface.
func (e *envoyProcess) ask(path string) (string, error) {
	r, err := http.Get("http://" + e.admin + path)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err == nil && r.StatusCode != 200 {
		err = fmt.Errorf("%s answered %d", path, r.StatusCode)
	}
	return string(body), err
}

// listening waits for a listener and returns its address.
func (e *envoyProcess) listening(name string) (address string, err error) {
	err = e.until(startLimit, func() error {
		text, err := e.ask("/listeners")
		if err != nil {
			return err
		}
		for line := range strings.Lines(text) {
			if found, rest, _ := strings.Cut(strings.TrimSpace(line), "::"); found == name {
				address = rest
				return nil
			}
		}
		return fmt.Errorf("no listener %s", name)
	})
	return address, err
}

// members waits until a cluster has the given number of hosts.
func (e *envoyProcess) members(cluster string, n int) error {
	want := fmt.Sprintf("cluster.%s.membership_total: %d\n", cluster, n)
	return e.until(answerLimit, func() error {
		text, err := e.ask("/stats?filter=membership_total")
		if err == nil && !strings.Contains(text, want) {
			err = fmt.Errorf("no %q", want)
		}
		return err
	})
}

// idle waits until no request is under way.
func (e *envoyProcess) idle() error {
	return e.until(answerLimit, func() error {
		text, err := e.ask("/stats?filter=http.gate.downstream_rq_active")
		if err == nil && strings.TrimSpace(text) != "http.gate.downstream_rq_active: 0" {
			err = fmt.Errorf("requests are under way: %s", text)
		}
		return err
	})
}

type object = map[string]any

// The files that Envoy takes its listeners and clusters from.
const (
	clustersFile  = "cds.json"
	listenersFile = "lds.json"
)

// publish replaces all listeners or all clusters. Envoy looks when a file is
// moved.
func (e *envoyProcess) publish(file string, resources ...object) error {
	if err := writeJSON(e.file(file+".new"), object{"resources": append([]object{}, resources...)}); err != nil {
		return err
	}
	return os.Rename(e.file(file+".new"), e.file(file))
}

func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func (e *envoyProcess) bootstrap(app int) object {
	source := func(name string) object {
		return object{"resource_api_version": "V3", "path_config_source": object{
			"path": e.file(name), "watched_directory": object{"path": e.dir}}}
	}
	return object{
		"node":              object{"id": "conversations", "cluster": "conversations"},
		"admin":             object{"address": loopback(0)},
		"dynamic_resources": object{"cds_config": source(clustersFile), "lds_config": source(listenersFile)},
		"static_resources":  object{"clusters": []object{clusterOf("app", app, true)}},
	}
}

func loopback(port int) object {
	return object{"socket_address": object{"address": "127.0.0.1", "port_value": port}}
}
