package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// envoy is one Envoy with one worker whose listener answers every request that
// its filters let through itself, 200 and "ok".
type envoy struct {
	name  string
	port  int
	admin int
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
	// started is the CPU time from the start to the first quiet moment.
	started time.Duration
}

// object is JSON that Envoy reads.
type object = map[string]any

func typed(name string, more object) object {
	more["@type"] = "type.googleapis.com/envoy." + name
	return more
}

// bootstrap has one listener with the filters, and a cluster idp.
func bootstrap(port, admin int, filters []object, idp string) object {
	at := func(host string, port int) object {
		return object{"socket_address": object{"address": host, "port_value": port}}
	}
	filters = append(filters, object{"name": "envoy.filters.http.router",
		"typed_config": typed("extensions.filters.http.router.v3.Router", object{})})
	manager := typed("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", object{
		"stat_prefix": "bench", "http_filters": filters,
		"route_config": object{"virtual_hosts": []object{{"name": "all", "domains": []string{"*"}, "routes": []object{{
			"match":           object{"prefix": "/"},
			"direct_response": object{"status": 200, "body": object{"inline_string": "ok\n"}},
		}}}}},
	})
	idpHost, idpPort, _ := net.SplitHostPort(idp)
	number, _ := strconv.Atoi(idpPort)
	return object{
		"admin": object{"address": at("127.0.0.1", admin)},
		"static_resources": object{
			"secrets": oauth2Secrets(),
			"listeners": []object{{"name": "bench", "address": at("127.0.0.1", port), "filter_chains": []object{{"filters": []object{
				{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
			}}}}},
			"clusters": []object{{"name": "idp", "type": "STATIC", "connect_timeout": "1s", "load_assignment": object{
				"cluster_name": "idp", "endpoints": []object{{"lb_endpoints": []object{{
					"endpoint": object{"address": at(idpHost, number)}}}}},
			}}},
		},
	}
}

// startEnvoy starts one and waits until it is ready and quiet.
func startEnvoy(binary, dir, name string, filters []object, idp string) (*envoy, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	e := &envoy{name: name, port: ports[0], admin: ports[1], log: filepath.Join(dir, name+".log")}
	config, err := json.Marshal(bootstrap(e.port, e.admin, filters, idp))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, name+".json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(e.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	e.cmd = exec.Command(binary, "-c", path, "--concurrency", "1", "--use-dynamic-base-id", "-l", "warning")
	e.cmd.Stdout, e.cmd.Stderr = log, log
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	e.ended = make(chan struct{})
	go func() { _ = e.cmd.Wait(); close(e.ended) }()
	if err := e.waitReady(); err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func (e *envoy) waitReady() error {
	deadline := time.Now().Add(90 * time.Second)
	ready := func() bool {
		r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/ready", e.admin))
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	}
	for !ready() {
		if e.gone() || time.Now().After(deadline) {
			text, _ := os.ReadFile(e.log)
			return fmt.Errorf("%s is not ready; its log ends: %s", e.name, text[max(0, len(text)-2000):])
		}
		time.Sleep(20 * time.Millisecond)
	}
	// Compilation may go on behind the scenes: wait for a quiet half second.
	for {
		before := e.cpu()
		time.Sleep(500 * time.Millisecond)
		e.started = e.cpu()
		if e.started-before < 20*time.Millisecond || time.Now().After(deadline) {
			return nil
		}
	}
}

func (e *envoy) stop() {
	_ = e.cmd.Process.Kill()
	<-e.ended
}

func (e *envoy) gone() bool {
	select {
	case <-e.ended:
		return true
	default:
		return false
	}
}

// cpu is the CPU time of all threads so far, in nanoseconds: the first field
// of schedstat (/proc/pid/stat counts in hundredths of a second).
func (e *envoy) cpu() time.Duration {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", e.cmd.Process.Pid))
	var total int64
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended
		}
		n, _ := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		total += n
	}
	return time.Duration(total)
}

// linearMemory is the largest linear memory of a module, in bytes. V8 sets
// gigabytes of address space aside behind each, so it is the writable mapping
// in front of such a one.
func (e *envoy) linearMemory() int64 {
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", e.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	defer maps.Close()
	var largest, previous int64
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to int64
		var rights string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &rights); err != nil {
			continue
		}
		if rights == "---p" && to-from > 1<<30 {
			largest = max(largest, previous)
		}
		previous = 0
		if rights == "rw-p" {
			previous = to - from
		}
	}
	return largest
}
