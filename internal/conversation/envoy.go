package conversation

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// EnvoyPath is where `make setup` puts the Envoy that plays scripts, below the
// repository's root.
const EnvoyPath = "build/tools/envoy/1.40.0/envoy"

// envoy plays scripts on a real Envoy: one process, one worker, and for each
// gate a listener with a plugin of its own. Its clock is the real one.
type envoy struct {
	process *envoyProcess
	module  string
	app     *application
	gates   int

	mu    sync.Mutex
	hears map[string]func(string) // by gate
	marks map[string]chan struct{}
}

// Envoy starts one. Root is the repository's.
func Envoy(root string) (Driver, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	for path, target := range map[string]string{EnvoyPath: "setup", modulePath: "build"} {
		if _, err := os.Stat(filepath.Join(root, path)); err != nil {
			return nil, fmt.Errorf("conversation: %w (make %s makes it)", err, target)
		}
	}
	dir, err := os.MkdirTemp("", "conversations")
	if err != nil {
		return nil, err
	}
	e := &envoy{module: filepath.Join(root, modulePath), app: newApplication(),
		hears: map[string]func(string){}, marks: map[string]chan struct{}{}}
	e.process, err = startEnvoy(filepath.Join(root, EnvoyPath), dir, e.app.port(), e.hear)
	return e, err
}

func (*envoy) Name() string { return "envoy" }

func (e *envoy) Close() error {
	e.app.server.Close()
	return e.process.stop()
}

// hear passes a line of the log to the gate that it is about.
func (e *envoy) hear(line string) {
	gate, text, ok := eventOf(line)
	if !ok {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for mark, reached := range e.marks {
		if strings.Contains(text, mark) {
			close(reached)
			delete(e.marks, mark)
			return
		}
	}
	if to := e.hears[gate]; to != nil {
		to(text)
	}
}

// envoyGate is a listener of Envoy's, with a provider of its own.
type envoyGate struct {
	envoy    *envoy
	setup    Setup
	name     string
	address  string
	settings []byte
	clusters []string
	down     map[string]bool // clusters without a healthy host
	provider *provider
	marks    int
}

func (e *envoy) Start(s Setup) (Gate, error) {
	if !s.single() {
		return nil, fmt.Errorf("several workers or gates, a host without bodies, or a direction: the script needs only: native module")
	}
	e.gates++
	g := &envoyGate{envoy: e, setup: s, name: fmt.Sprintf("gate-%d", e.gates), provider: newProvider(s.Auto), down: map[string]bool{}}
	e.app.reset()
	var err error
	g.settings, err = eachCluster(s.Settings, g.own)
	if err != nil {
		return nil, err
	}
	if g.clusters, err = clusterNames(g.settings); err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.hears[g.name] = s.Log
	e.mu.Unlock()
	if err := g.Provider("", true); err != nil {
		return nil, err
	}
	filter := resource("listener.v3.Listener", listener(g.name, e.module, string(g.settings)))
	if err := e.process.publish(listenersFile, filter); err != nil {
		return nil, err
	}
	if g.address, err = e.process.listening(g.name); err != nil {
		return nil, err
	}
	return g, g.provider.known(pluginThreads * countLearned(s.Settings))
}

// pluginThreads is how many threads run the plugin, each with a VM of its own:
// the worker, and Envoy's main thread, which serves nobody and ticks all the same.
const pluginThreads = 2

func (g *envoyGate) Now() time.Time { return time.Now() }

func (g *envoyGate) Waiting(many int) ([]*Call, error) {
	return g.provider.pending(many, answerLimit), nil
}

func (g *envoyGate) Calls() int { return g.provider.waiting() }

func (g *envoyGate) Reply(c *Call, r Reply) error {
	g.provider.answer(c, r)
	return nil
}

func (g *envoyGate) HandBack() { g.provider.handBack() }

func (g *envoyGate) Application(r Reply) { g.envoy.app.set(r) }

func (g *envoyGate) Provider(cluster string, up bool) error {
	var clusters []object
	for _, name := range g.clusters {
		if cluster == "" || g.own(cluster) == name {
			g.down[name] = !up
		}
		clusters = append(clusters, resource("cluster.v3.Cluster", clusterOf(name, g.provider.port(), !g.down[name])))
	}
	if err := g.envoy.process.publish(clustersFile, clusters...); err != nil {
		return err
	}
	for _, name := range g.clusters {
		hosts := 1
		if g.down[name] {
			hosts = 0
		}
		if err := g.envoy.process.members(name, hosts); err != nil {
			return err
		}
	}
	return nil
}

// own is the name of a cluster of this gate's, among those of all gates.
func (g *envoyGate) own(cluster string) string { return cluster + "-of-" + g.name }

func (g *envoyGate) Advance(time.Duration) error {
	return fmt.Errorf("the clock of Envoy is the real one: the script needs only: native module")
}

// Settle sends a request that is refused with an event, and waits for that:
// with one worker, the lines before it are those of what was before it.
func (g *envoyGate) Settle() error {
	g.marks++
	mark := fmt.Sprintf("mark-%d-of-%s", g.marks, g.name)
	reached := make(chan struct{})
	g.envoy.mu.Lock()
	g.envoy.marks[mark] = reached
	g.envoy.mu.Unlock()
	x, err := g.Send(Request{Method: "GET", Authority: "mark", Target: "//", Header: httpmsg.Fields{{Name: "x-request-id", Value: mark}}})
	if err != nil {
		return err
	}
	if _, err := x.Outcome(); err != nil {
		return err
	}
	select {
	case <-reached:
		return nil
	case <-time.After(answerLimit):
		return g.envoy.process.failed("conversation: envoy did not log a refusal")
	}
}

func (g *envoyGate) Stop() error {
	g.envoy.mu.Lock()
	delete(g.envoy.hears, g.name)
	g.envoy.mu.Unlock()
	g.provider.close()
	return nil
}

// Send writes the request as it is.
func (g *envoyGate) Send(r Request) (Exchange, error) {
	if r.Peer != nil {
		return nil, fmt.Errorf("peers of Envoy's are real ones: the script needs only: native module")
	}
	conn, err := net.DialTimeout("tcp", g.address, answerLimit)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(answerLimit)); err != nil {
		return nil, err
	}
	x := &envoyExchange{gate: g, conn: conn, done: make(chan struct{}), ended: make(chan struct{})}
	if id, _ := r.Header.Get("x-request-id"); r.Stream {
		g.envoy.app.keepOpen(id)
	}
	go x.run(r)
	return x, nil
}

// application is the one behind all gates. It remembers what it received.
type application struct {
	server *httptest.Server
	mu     sync.Mutex
	reply  Reply
	seen   map[string]*Forwarded // by request id
	open   map[string]bool       // answers that do not end by themselves, by request id
}

func newApplication() *application {
	a := &application{}
	a.reset()
	a.server = httptest.NewServer(a)
	return a
}

func (a *application) port() int { return a.server.Listener.Addr().(*net.TCPAddr).Port }

func (a *application) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reply, a.seen, a.open = defaultApp, map[string]*Forwarded{}, map[string]bool{}
}

func (a *application) set(r Reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reply = r
}

func (a *application) received(id string) *Forwarded {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[id]
}

func (a *application) keepOpen(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open[id] = true
}

// ServeHTTP implements http.Handler.
func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	open := a.open[r.Header.Get("x-request-id")]
	a.seen[r.Header.Get("x-request-id")] = &Forwarded{Method: r.Method, Authority: r.Host, Target: r.RequestURI, Header: fieldsIn(r.Header)}
	reply := a.reply
	a.mu.Unlock()
	write(w, reply)
	if open && http.NewResponseController(w).Flush() == nil {
		<-r.Context().Done()
	}
}

func write(w http.ResponseWriter, r Reply) {
	for _, f := range r.Header {
		w.Header().Add(f.Name, f.Value)
	}
	w.WriteHeader(r.Status)
	_, _ = io.WriteString(w, r.Body) // who has gone needs no answer
}

func fieldsIn(h http.Header) (fields httpmsg.Fields) {
	for name, values := range h {
		for _, v := range values {
			fields = append(fields, httpmsg.Field{Name: strings.ToLower(name), Value: v})
		}
	}
	return fields
}
