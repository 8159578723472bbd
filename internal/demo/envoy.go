package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	func_e "github.com/tetratelabs/func-e"
	"github.com/tetratelabs/func-e/api"
	"github.com/tetratelabs/func-e/experimental/admin"
)

// proxy is a running proxy with Postern in it.
type proxy struct {
	done <-chan error // closed, or one error, when it ended
	stop func()       // returns when it has ended
}

// startEnvoy runs Envoy by func-e's library and returns once it serves.
func startEnvoy(ctx context.Context, envoy Envoy, p *place, log io.Writer) (*proxy, error) {
	bootstrap, err := p.bootstrap()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "postern-demo-")
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	file := filepath.Join(dir, "envoy.json")
	if err := os.WriteFile(file, bootstrap, 0o600); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("demo: %w", err)
	}
	// Envoy hands variables of its own environment to the module. Secrets stay
	// out of the configuration, which the admin port shows to whoever asks.
	for name, value := range p.env {
		_ = os.Setenv(name, value) // fails for names that cannot be variables only
	}
	// func-e kills Envoy when its context ends, and Envoy must outlive ctx for
	// the moment that a clean stop takes.
	runCtx, kill := context.WithCancel(context.WithoutCancel(ctx))
	ready, done := make(chan int, 1), make(chan error, 1)
	go func() {
		err := func_e.Run(runCtx, envoyArguments(file), envoyOptions(envoy, dir, log, ready)...)
		_ = os.RemoveAll(dir)
		done <- err
		close(done)
	}()
	select {
	case adminPort := <-ready:
		return &proxy{done, func() { stopEnvoy(adminPort, done, kill) }}, nil
	case err := <-done:
		kill()
		return nil, fmt.Errorf("demo: envoy ended before it was ready: %w", orEnded(err))
	case <-ctx.Done():
		kill()
		<-done
		return nil, ctx.Err()
	}
}

func orEnded(err error) error {
	if err == nil {
		return errors.New("it gave no reason")
	}
	return err
}

func envoyArguments(file string) []string {
	return []string{"-c", file, "--use-dynamic-base-id", "-l", "warning", "--component-log-level", "wasm:info", "--log-format", "[%l] %v"}
}

func envoyOptions(envoy Envoy, dir string, log io.Writer, ready chan<- int) []api.RunOption {
	return []api.RunOption{
		api.EnvoyPath(envoy.Path), api.HomeDir(dir),
		api.Out(io.Discard), api.EnvoyOut(log), api.EnvoyErr(log),
		admin.WithStartupHook(func(_ context.Context, client admin.AdminClient, _ string) error {
			ready <- client.Port()
			return nil
		}),
	}
}

// stopEnvoy asks Envoy to end, and ends it if it does not.
func stopEnvoy(adminPort int, done <-chan error, kill func()) {
	defer kill()
	client := &http.Client{Timeout: 2 * time.Second}
	res, err := client.Post("http://127.0.0.1:"+strconv.Itoa(adminPort)+"/quitquitquit", "", nil)
	if err == nil {
		_ = res.Body.Close()
	}
	select {
	case <-done:
		return
	case <-time.After(5 * time.Second):
	}
	kill()
	<-done
}
