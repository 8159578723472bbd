package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// Redis is a running Redis behind a running Webdis, both by the files in
// envoy/webdis. Its ports stay its own while it is stopped.
type Redis struct {
	Addr     string // host:port of Webdis
	Password string // for Webdis

	dir           string
	redis, webdis *Process
}

// StartRedis runs both; the test's end stops them.
func StartRedis(t testing.TB) *Redis {
	t.Helper()
	r := &Redis{Password: password(), dir: t.TempDir()}
	ports := map[string]string{}
	for _, standard := range []string{"6379", "7379"} {
		port, release, err := ReservePort()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		ports[standard] = strconv.Itoa(port)
	}
	r.Addr = "127.0.0.1:" + ports["7379"]
	if err := r.configure(ports); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.end((*Process).stop) })
	r.Start(t)
	return r
}

func password() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}

// configure writes both files with what differs here. What is to be replaced
// must be there, once.
func (r *Redis) configure(ports map[string]string) error {
	behind := password()
	for name, replace := range map[string]map[string]string{
		"redis.conf": {
			"port 6379": "port " + ports["6379"], "/var/lib/redis": r.dir, "$REDIS_PASSWORD": behind,
		},
		"webdis.json": {
			`"redis_port": 6379`: `"redis_port": ` + ports["6379"], `"http_port": 7379`: `"http_port": ` + ports["7379"],
			"$REDIS_PASSWORD": behind, "$WEBDIS_PASSWORD": r.Password,
		},
	} {
		file, err := part("setup", "envoy", "webdis", name)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("e2e: redis: %w", err)
		}
		for old, now := range replace {
			if n := bytes.Count(text, []byte(old)); n != 1 {
				return fmt.Errorf("e2e: redis: %s has %q %d times", name, old, n)
			}
			text = bytes.Replace(text, []byte(old), []byte(now), 1)
		}
		if err := os.WriteFile(filepath.Join(r.dir, name), text, 0o600); err != nil {
			return fmt.Errorf("e2e: redis: %w", err)
		}
	}
	return nil
}

// Start runs both, for the first time or again, and waits until they answer.
func (r *Redis) Start(t testing.TB) {
	t.Helper()
	var err error
	if r.redis, err = r.run("redis-server", "redis.conf"); err != nil {
		t.Fatal(err)
	}
	if r.webdis, err = r.run("webdis", "webdis.json"); err != nil {
		t.Fatal(err)
	}
	err = poll(20*time.Second, r.webdis.Exited(), r.ready)
	if err != nil {
		t.Fatalf("e2e: redis: %v\n%s%s", err, r.redis.Log.Tail(20), r.webdis.Log.Tail(20))
	}
}

// ready reports whether Webdis answers over each of its connections to Redis,
// which it makes one by one: four for each of two threads, in turn.
func (r *Redis) ready(ctx context.Context) error {
	for range 4 * 8 {
		status, answer, err := r.Command(ctx, r.Password, "GET/postern:ready")
		if err != nil {
			return err
		}
		if status != http.StatusOK || !strings.Contains(answer, `{"GET":null}`) {
			return fmt.Errorf("e2e: webdis answered %d: %.200s", status, answer)
		}
	}
	return nil
}

func (r *Redis) run(program, file string) (*Process, error) {
	path, err := command(program)
	if err != nil {
		return nil, err
	}
	return startProcess(path, []string{filepath.Join(r.dir, file)}, nil)
}

// Stop ends both as an administrator would, and leaves what they kept.
func (r *Redis) Stop(t testing.TB) {
	t.Helper()
	r.end((*Process).stop)
}

// Kill ends both as a crash would.
func (r *Redis) Kill(t testing.TB) {
	t.Helper()
	r.end(func(p *Process) {
		_ = p.cmd.Process.Kill()
		<-p.exited
	})
}

func (r *Redis) end(how func(*Process)) {
	for _, p := range []*Process{r.webdis, r.redis} {
		if p != nil {
			how(p)
		}
	}
}

// Freeze makes Redis give no answers until what it returns is called: the way
// of an overloaded machine, or of a network that swallows.
func (r *Redis) Freeze(t testing.TB) (thaw func()) {
	t.Helper()
	if err := r.redis.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	thaw = func() { _ = r.redis.cmd.Process.Signal(syscall.SIGCONT) }
	t.Cleanup(thaw)
	return thaw
}

// Join gives an Envoy a cluster for it, and returns the edit of the settings
// that uses it. Further settings of the store may be given.
func (r *Redis) Join(s *EnvoySetup, more Settings) func(Settings) {
	if s.Clusters == nil {
		s.Clusters = map[string]string{}
	}
	s.Clusters["webdis"] = r.Addr
	return func(settings Settings) {
		webdis := Settings{"cluster": "webdis", "password": Settings{"value": r.Password}}
		for key, value := range more {
			webdis[key] = value
		}
		settings["session"].(Settings)["store"] = Settings{"webdis": webdis}
	}
}

// Behind is the same Redis, called through a proxy.
func (r *Redis) Behind(e *Envoy) *Redis { return &Redis{Addr: e.Addr, Password: r.Password} }

// Settings are those of a gate that uses it.
func (r *Redis) Settings() *config.Webdis {
	return &config.Webdis{
		Cluster: "webdis", User: "postern", Password: config.NewSecret(r.Password), Prefix: "postern",
		Timeout: config.Duration(5 * time.Second),
	}
}

// Command posts one command, and returns what came back.
func (r *Redis) Command(ctx context.Context, password, words string) (status int, answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.Addr+"/", strings.NewReader(words))
	if err != nil {
		return 0, "", err
	}
	if password != "" {
		req.SetBasicAuth("postern", password)
	}
	res, leave, err := roundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer leave()
	body, err := drain(res.Body)
	return res.StatusCode, string(body), err
}

// Env makes calls to it, each through a connection of its own.
func (r *Redis) Env() flow.Env { return r.env(context.Background()) }

func (r *Redis) env(ctx context.Context) flow.Env {
	return flow.Direct{Clock: time.Now, Do: func(c flow.Call) (flow.Response, error) { return r.fetch(ctx, c) }}
}

func (r *Redis) fetch(ctx context.Context, c flow.Call) (flow.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, c.Method, c.Scheme+"://"+r.Addr+c.Path, bytes.NewReader(c.Body))
	if err != nil {
		return flow.Response{}, err
	}
	req.Host = c.Authority
	for _, field := range c.Header {
		req.Header.Add(field.Name, field.Value)
	}
	res, leave, err := roundTrip(req)
	if err != nil {
		return flow.Response{}, errors.Join(flow.ErrUnavailable, err)
	}
	defer leave()
	body, err := drain(res.Body)
	if err != nil {
		return flow.Response{}, errors.Join(flow.ErrUnavailable, err)
	}
	var header httpmsg.Fields
	for name, values := range res.Header {
		header = append(header, httpmsg.Field{Name: strings.ToLower(name), Value: strings.Join(values, ", ")})
	}
	return flow.Response{Status: res.StatusCode, Header: header, Body: body}, nil
}

// roundTrip uses a connection of its own until leave is called. Webdis of
// Debian 12 loses a request of more than 4 KiB that says "Connection: close",
// which Envoy never says, so neither does this.
func roundTrip(req *http.Request) (res *http.Response, leave func(), err error) {
	transport := &http.Transport{}
	res, err = transport.RoundTrip(req)
	return res, transport.CloseIdleConnections, err
}
