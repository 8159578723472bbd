package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWhatEnvoyDoes asks each version of Envoy for what the module relies on,
// by a module that shows nothing else.
func TestWhatEnvoyDoes(t *testing.T) {
	t.Parallel()
	module := factsModule(t)
	ForEachEnvoy(t, func(t *testing.T, version string) {
		for _, letThrough := range []bool{false, true} {
			t.Run(fmt.Sprintf("allow_on_headers_stop_iteration %v", letThrough), func(t *testing.T) {
				app := factsApp(t)
				g := &Gate{Envoy: StartEnvoy(t, EnvoySetup{
					Version: version, Workers: 2, App: app, Config: "{}", Module: module, AllowHeadersStop: letThrough,
				})}
				if letThrough {
					checkFactsBodies(t, g, "body 1234", "body with trailers 1234")
					return
				}
				checkFactsBodies(t, g, "no body", "no body")
				checkFactsGauge(t, g)
				checkFactsEarlyAnswers(t, g)
				checkFactsCut(t, g)
			})
		}
	})
}

// factsModule builds the module, and makes it fit for all versions as Postern's
// own build does.
func factsModule(t *testing.T) string {
	t.Helper()
	root, dir := must(Root())(t), t.TempDir()
	plain, merged := filepath.Join(dir, "plain.wasm"), filepath.Join(dir, "facts.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-o", plain, "./e2e/testdata/hostfacts")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=wasip1", "GOARCH=wasm")
	merge := exec.Command(filepath.Join(root, "tools", "node_modules", ".bin", "wasm-merge"), "--enable-bulk-memory", "--enable-mutable-globals",
		"--enable-nontrapping-float-to-int", "--enable-sign-ext", plain, "postern", "tools/wasi-stub/wasi_stub.wat", "wasi_snapshot_preview1", "-o", merged)
	for _, c := range []*exec.Cmd{build, merge} {
		c.Dir = root
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", c.Args, err, out)
		}
	}
	return merged
}

// factsApp is an application with streams, and with an answer that another one
// comes before.
func factsApp(t *testing.T) string {
	a := &App{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/early" {
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
		}
		a.serve(w, r)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func factsText(t *testing.T, g *Gate, over http.RoundTripper, path string) string {
	t.Helper()
	page, err := newBrowser(over).Get(g.URL(path))
	if err != nil {
		t.Fatal(err)
	}
	return page.Body
}

// A gauge raised on one worker is read at once on the others, and a value that
// must be a name's first is.
func checkFactsGauge(t *testing.T, g *Gate) {
	workers := g.Workers(t)
	for i, worker := range workers {
		for range 20 {
			before := factsText(t, g, worker, "/level")
			factsText(t, g, workers[(i+1)%len(workers)], "/raise")
			if after := factsText(t, g, worker, "/level"); after == before {
				t.Fatalf("the gauge was %s before another worker raised it, and is afterwards", before)
			}
		}
		if got := factsText(t, g, worker, fmt.Sprintf("/first?name=%d", i)); got != "right" {
			t.Errorf("compare and set is %s", got)
		}
	}
}

// A module is not shown the answers that come before the real one.
func checkFactsEarlyAnswers(t *testing.T, g *Gate) {
	page, err := NewBrowser().Get(g.URL("/early"))
	if err != nil {
		t.Fatal(err)
	}
	if got := page.Header.Get("x-answers"); page.Status != http.StatusOK || got != "1" {
		t.Errorf("%d is the module's answer number %q", page.Status, got)
	}
}

// A body that the module waits for comes only where the setting lets it.
func checkFactsBodies(t *testing.T, g *Gate, whole, trailed string) {
	client := factsHTTP2(t)
	for _, test := range []struct {
		trailer http.Header
		want    string
	}{{nil, whole}, {http.Header{"X": {"y"}}, trailed}} {
		req, err := http.NewRequest("POST", "http://"+g.Addr+"/body", io.MultiReader(strings.NewReader("12"), strings.NewReader("34")))
		if err != nil {
			t.Fatal(err)
		}
		req.Trailer = test.trailer
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(must(drain(res.Body))(t)); got != test.want {
			t.Errorf("trailers %v: %q, not %q", test.trailer, got, test.want)
		}
	}
}

// A tick cuts open streams of each kind, several at once, and the worker goes
// on. To close both directions of a stream ends Envoy: it frees the stream for
// the first and follows it for the second.
func checkFactsCut(t *testing.T, g *Gate) {
	t.Helper()
	var streams []interface{ Cut(time.Duration) error }
	for range 4 {
		socket := g.OpenSocket(t, NewBrowser())
		if err := socket.Echo("hello"); err != nil {
			t.Fatal(err)
		}
		streams = append(streams, socket, g.OpenEvents(t, NewBrowser()))
		client := factsHTTP2(t)
		for range 4 {
			streams = append(streams, openFactsHTTP2(t, client, g))
		}
	}
	for _, worker := range g.Workers(t) {
		factsText(t, g, worker, "/cut?direction=0")
	}
	for i, stream := range streams {
		if err := stream.Cut(5 * time.Second); err != nil {
			t.Errorf("%d: %T: %v", i, stream, err)
		}
	}
	for _, worker := range g.Workers(t) {
		if got := factsText(t, g, worker, "/healthz"); got != "well" {
			t.Errorf("the worker says %q", got)
		}
	}
}

// factsHTTP2 is a client with one connection over HTTP/2, as gRPC has them.
func factsHTTP2(t *testing.T) *http.Client {
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func openFactsHTTP2(t *testing.T, client *http.Client, g *Gate) http2Stream {
	t.Helper()
	res, err := client.Get("http://" + g.Addr + eventsPath)
	if err != nil {
		t.Fatal(err)
	}
	if res.ProtoMajor != 2 {
		t.Fatalf("the stream came over %s", res.Proto)
	}
	t.Cleanup(func() { res.Body.Close() })
	return http2Stream{res.Body}
}

type http2Stream struct{ io.ReadCloser }

// Cut waits until the other side ends the stream.
func (b http2Stream) Cut(limit time.Duration) error {
	ended := make(chan struct{})
	go func() { defer close(ended); _, _ = io.Copy(io.Discard, b) }()
	select {
	case <-ended:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("e2e: the stream is still open after %v", limit)
	}
}
