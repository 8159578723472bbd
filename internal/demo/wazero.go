package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/postern-auth/postern/internal/wazerohost"
)

// startWazero runs the module in the embedded host, as a proxy of its own.
func startWazero(ctx context.Context, p *place, log io.Writer) (*proxy, error) {
	module, err := os.ReadFile(p.module)
	if err != nil {
		return nil, fmt.Errorf("demo: module: %w", err)
	}
	settings, err := p.settings()
	if err != nil {
		return nil, err
	}
	clusters := map[string]wazerohost.Cluster{"idp": {Address: p.idp}}
	if p.partner != "" {
		clusters["partner"] = wazerohost.Cluster{Address: p.partner}
	}
	host, err := wazerohost.New(ctx, wazerohost.Config{
		Module: module, Workers: 2, PluginName: "postern", VMID: "postern",
		PluginConfig:  settings,
		Env:           p.env,
		Clusters:      clusters,
		Upstream:      httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: p.app}),
		Log:           lineLog(log),
		LogLevel:      wazerohost.LevelInfo,
		FailurePolicy: wazerohost.FailReload,
		CacheDir:      compiledDir(),
	})
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return serveHost(p.listen, host)
}

// compiledDir keeps the compiled module between runs: compiling takes seconds.
// Without a directory it is compiled each time.
func compiledDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	dir = filepath.Join(dir, "postern", "wazero")
	if os.MkdirAll(dir, 0o700) != nil {
		return ""
	}
	return dir
}

func serveHost(address string, host *wazerohost.Host) (*proxy, error) {
	l, err := listen(address)
	if err != nil {
		_ = host.Close()
		return nil, err
	}
	server := &http.Server{Handler: host, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 60 << 10}
	done := make(chan error, 1)
	go func() {
		done <- server.Serve(l)
		close(done)
	}()
	return &proxy{done, func() {
		_ = server.Close()
		<-done
		_ = host.Close()
	}}, nil
}

// lineLog writes what the workers say, one line at a time.
func lineLog(out io.Writer) func(wazerohost.Level, string) {
	var mu sync.Mutex
	return func(level wazerohost.Level, line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(out, "[%s] %s\n", level, line)
	}
}
