// Package wazerohost runs a proxy-wasm module (ABI 0.2.0 and 0.2.1) on wazero as
// Envoy runs it on V8. It is the harness in which tests drive the compiled filter
// with scripted requests, calls and time, and, with net/http on the outside, an
// embedded proxy for the demo.
//
// It imitates Envoy where Envoy is strict or surprising: imports are an allow-list
// per Envoy generation; start function and allocator may call little; continuing
// and replying happen after the callback has returned; a header getter gives the
// first value only; maps vanish once the request goes on; oversized pairs decode
// as none; a call can fail inline; a trap kills a VM for good; a configuration is
// tried in a throw-away VM first. What a correct module never does is done as
// Envoy would do it and noted in [Host.Misuse].
//
// It does not imitate gRPC calls, TCP filters, metadata, other filters in the
// chain, nor Envoy's hang of paused streams whose VM died under them: they get
// their 503 at once. WASI is answered as Envoy answers it, never by wazero's own.
//
// The rules are those of the Proxy-Wasm ABI specification 0.2.1 and of the
// behaviour of proxy-wasm-cpp-host.
package wazerohost

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
)

// Host is one loaded module with its workers.
type Host struct {
	cfg      Config
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	workers  []*worker
	next     atomic.Uint32 // worker for the next HTTP request

	metrics *metrics
	queues  queues
	started time.Time
	epoch   time.Time // the clock's time at the start

	mu       sync.Mutex
	clusters map[string]Cluster
	pending  []*Call
	misuses  []string
	config   []byte
	closed   bool
}

// New loads the module, tries the configuration in a throw-away VM and starts the
// workers. What Envoy would refuse is an error.
func New(ctx context.Context, cfg Config) (*Host, error) {
	cfg = cfg.withDefaults()
	h := &Host{
		cfg: cfg, metrics: newMetrics(), clusters: map[string]Cluster{}, config: cfg.PluginConfig,
		started: time.Now(), epoch: cfg.Clock.Now(),
	}
	maps.Copy(h.clusters, cfg.Clusters)
	if err := h.load(ctx); err != nil {
		if h.runtime != nil {
			h.runtime.Close(ctx)
		}
		return nil, err
	}
	if err := h.startWorkers(); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// maxMemoryPages is Envoy's limit of 1 GiB per VM.
const maxMemoryPages = 1 << 14

// load compiles and checks the module and links its imports.
func (h *Host) load(ctx context.Context) error {
	cache, err := compilationCache(h.cfg.CacheDir)
	if err != nil {
		return fmt.Errorf("wazerohost: cache: %w", err)
	}
	h.runtime = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().
		WithCompilationCache(cache).WithMemoryLimitPages(maxMemoryPages).WithDebugInfoEnabled(false))
	if h.compiled, err = h.runtime.CompileModule(ctx, h.cfg.Module); err != nil {
		return fmt.Errorf("wazerohost: failed to load Wasm bytecode: %w", err)
	}
	abi, err := detectABI(h.compiled.ExportedFunctions())
	if err != nil {
		return fmt.Errorf("wazerohost: %w", err)
	}
	offered := offeredImports(h.cfg.Generation, abi)
	if err := checkImports(h.compiled.ImportedFunctions(), offered); err != nil {
		return fmt.Errorf("wazerohost: %w", err)
	}
	if err := checkExports(h.compiled.ExportedFunctions()); err != nil {
		return fmt.Errorf("wazerohost: %w", err)
	}
	if err := instantiateImports(ctx, h.runtime, h.compiled, offered); err != nil {
		return fmt.Errorf("wazerohost: %w", err)
	}
	return nil
}

// caches keeps compiled modules for the whole process, by directory; compiling
// the filter takes seconds.
var caches = struct {
	sync.Mutex
	byDir map[string]wazero.CompilationCache
}{byDir: map[string]wazero.CompilationCache{}}

func compilationCache(dir string) (wazero.CompilationCache, error) {
	caches.Lock()
	defer caches.Unlock()
	if c := caches.byDir[dir]; c != nil {
		return c, nil
	}
	c := wazero.NewCompilationCache()
	if dir != "" {
		var err error
		if c, err = wazero.NewCompilationCacheWithDir(dir); err != nil {
			return nil, err
		}
	}
	caches.byDir[dir] = c
	return c, nil
}

func (h *Host) startWorkers() error {
	if err := h.tryCanary(h.cfg.PluginConfig); err != nil {
		return err
	}
	for i := range h.cfg.Workers {
		w := h.newWorker(i)
		h.workers = append(h.workers, w)
		var err error
		w.loop.do(func() { err = w.load(h.cfg.PluginConfig) })
		if err != nil {
			return err
		}
	}
	return nil
}

// Reconfigure gives every VM a second root context with this configuration, as an
// edit of the plugin's configuration does in Istio. A refused one changes nothing.
func (h *Host) Reconfigure(pluginConfig []byte) error {
	if err := h.tryCanary(pluginConfig); err != nil {
		return err
	}
	h.mu.Lock()
	h.config = slices.Clone(pluginConfig)
	h.mu.Unlock()
	var errs []error
	for _, w := range h.workers {
		w.loop.do(func() { errs = append(errs, w.reconfigure(pluginConfig)) })
	}
	return errors.Join(errs...)
}

// Close ends streams, plugins, VMs and loops. It is safe to call twice.
func (h *Host) Close() error {
	h.mu.Lock()
	closed := h.closed
	h.closed = true
	h.mu.Unlock()
	if closed {
		return nil
	}
	for _, w := range h.workers {
		w.loop.do(w.shutDown)
		w.loop.close()
	}
	return h.runtime.Close(context.Background())
}

// Open sends a request to a worker and returns when the module has seen it. The
// host adds what Envoy's connection manager would: x-request-id and
// x-forwarded-proto, where they are missing.
func (h *Host) Open(worker int, headers [][2]string, endStream bool) *Stream {
	return h.open(h.workers[worker], newHeaderMap(headers), endStream, func(*Stream) {})
}

func (h *Host) open(w *worker, headers *headerMap, end bool, prepare func(*Stream)) *Stream {
	h.completeRequest(headers)
	var s *Stream
	w.loop.do(func() { s = w.open(headers, end, prepare) })
	return s
}

func (h *Host) completeRequest(m *headerMap) {
	if m.value("x-request-id") == "" {
		m.set("x-request-id", h.cfg.NewRequestID())
	}
	if m.value("x-forwarded-proto") == "" {
		m.set("x-forwarded-proto", "http")
	}
	if m.value(":scheme") == "" {
		m.set(":scheme", m.value("x-forwarded-proto"))
	}
}

// Tick runs every armed tick now, whatever the clock shows.
func (h *Host) Tick() {
	for _, w := range h.workers {
		w.loop.do(func() {
			for _, id := range sortedIDs(w.vm.contexts) {
				if c := w.vm.contexts[id]; c != nil && c.stream == nil && c.root.period > 0 {
					c.root.tick()
				}
			}
		})
	}
}

func sortedIDs[V any](m map[uint32]V) []uint32 { return slices.Sorted(maps.Keys(m)) }

// Calls are the scripted calls that wait for an answer, oldest first.
func (h *Host) Calls() []*Call {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.pending)
}

func (h *Host) addPending(c *Call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending = append(h.pending, c)
}

func (h *Host) removePending(c *Call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending = slices.DeleteFunc(h.pending, func(p *Call) bool { return p == c })
}

// SetCluster adds or changes a cluster.
func (h *Host) SetCluster(name string, c Cluster) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clusters[name] = c
}

// RemoveCluster makes a cluster unknown.
func (h *Host) RemoveCluster(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clusters, name)
}

func (h *Host) cluster(name string) (Cluster, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, ok := h.clusters[name]
	return c, ok
}

func (h *Host) pluginConfig() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.config
}

// Misuse lists what the module did that a correct one does not: continuing twice,
// editing headers after they have gone, replying twice, and the like.
func (h *Host) Misuse() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.misuses)
}

// maxMisuses bounds the list; the first ones tell the most.
const maxMisuses = 1000

func (h *Host) misuse(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.misuses) < maxMisuses {
		h.misuses = append(h.misuses, what)
	}
}

// Metrics are the values of all metrics that any VM has defined.
func (h *Host) Metrics() map[string]uint64 { return h.metrics.snapshot() }

// MemoryBytes is the size of a worker's linear memory.
func (h *Host) MemoryBytes(worker int) uint64 {
	var n uint64
	w := h.workers[worker]
	w.loop.do(func() { n = uint64(w.vm.mod.Memory().Size()) })
	return n
}

// Streams is the number of streams that a worker still holds.
func (h *Host) Streams(worker int) int {
	n := 0
	w := h.workers[worker]
	w.loop.do(func() { n = len(w.streams) })
	return n
}

// Plugins is the number of configurations that a worker's VM has: the newest, and
// old ones that have not come to their end.
func (h *Host) Plugins(worker int) int {
	n := 0
	w := h.workers[worker]
	w.loop.do(func() {
		for _, c := range w.vm.contexts {
			if c.stream == nil {
				n++
			}
		}
	})
	return n
}

// Dead tells whether a worker's VM has trapped, and by what.
func (h *Host) Dead(worker int) error {
	var err error
	w := h.workers[worker]
	w.loop.do(func() { err = w.vm.failed })
	return err
}

// Workers is the number of workers.
func (h *Host) Workers() int { return len(h.workers) }

// Imports are the module's imports as "module.name", sorted.
func (h *Host) Imports() []string { return importNames(h.compiled) }

// SharedData is the store that the VMs share.
func (h *Host) SharedData() *SharedData { return h.cfg.SharedData }

func (h *Host) log(level Level, message string) {
	if h.cfg.Log != nil && level >= h.cfg.LogLevel {
		h.cfg.Log(level, message)
	}
}

// monotonic is the machine's time since the start plus whatever a fake clock was
// moved: a clock that stood still would hang a guest that sleeps.
func (h *Host) monotonic() int64 {
	elapsed := time.Since(h.started)
	if _, ok := h.cfg.Clock.(*FakeClock); ok {
		elapsed += h.cfg.Clock.Now().Sub(h.epoch)
	}
	return int64(elapsed)
}

func randomUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails since Go 1.24
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
