package wazerohost

import (
	"fmt"
	"net/http"
	"time"
)

// Generation is a span of Envoy releases whose Wasm host answers alike.
type Generation int

const (
	// Envoy139 is Envoy 1.39 and later: nearly all of WASI may be imported and
	// poll_oneoff succeeds. It is the zero value.
	Envoy139 Generation = iota
	// Envoy133 is Envoy 1.33 to 1.38: eighteen WASI functions, and poll_oneoff
	// answers ENOSYS, which kills Go's garbage collector (golang/go#78513).
	Envoy133
)

// String names the releases.
func (g Generation) String() string {
	if g == Envoy133 {
		return "Envoy 1.33-1.38"
	}
	return "Envoy 1.39+"
}

// FailurePolicy says what becomes of requests once a VM has trapped.
type FailurePolicy int

const (
	// FailClosed answers 503 to every stream of a dead VM, and to later ones.
	FailClosed FailurePolicy = iota
	// FailReload answers 503 to the streams of a dead VM; a new VM serves new ones.
	FailReload
	// FailOpen lets requests pass unfiltered, as Envoy would when told to.
	FailOpen
)

// Direction says what a listener is for, in Envoy's numbers.
type Direction int

// The directions of listeners.
const (
	Unspecified Direction = iota
	Inbound
	Outbound
)

// Level is a log level as proxy_log counts them.
type Level int

// The levels of proxy_log.
const (
	LevelTrace Level = iota
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
	LevelCritical
)

// String is the level's name in Envoy's log.
func (l Level) String() string {
	names := [...]string{"trace", "debug", "info", "warning", "error", "critical"}
	if l < 0 || int(l) >= len(names) {
		return fmt.Sprintf("level(%d)", int(l))
	}
	return names[l]
}

// Cluster is an upstream that the module may call by its name. Without Address
// and Transport it is scripted: its calls wait in [Host.Calls] to be answered.
type Cluster struct {
	// Address is the host:port to connect to, whatever :authority says.
	Address string
	// TLS makes the calls to Address use https.
	TLS bool
	// Transport carries the calls; nil means a plain one when Address is set.
	// It should not decompress on its own, because Envoy does not.
	Transport http.RoundTripper
	// Down means that no host is healthy: calls fail at once with
	// InternalFailure and no callback follows.
	Down bool
}

// Config is what Envoy would read from a listener and its Wasm filter.
type Config struct {
	Module  []byte // the compiled module
	Workers int    // one VM each; 0 means 1

	Generation Generation
	PluginName string
	RootID     string
	VMID       string // keys the shared data, together with nothing else

	PluginConfig []byte
	VMConfig     []byte
	Env          map[string]string // what environ_get tells the module

	Direction Direction // the listener's traffic_direction

	Clusters map[string]Cluster
	Upstream http.Handler // the application behind the filter; nil answers 404

	Clock    Clock               // nil is the real one
	Log      func(Level, string) // nil drops; called from the workers' goroutines
	LogLevel Level               // what get_log_level answers; lower levels are dropped

	FailurePolicy FailurePolicy
	// ReloadBackoff is the least age of a VM that FailReload replaces; 0 means
	// Envoy's default of one second.
	ReloadBackoff time.Duration

	// AllowOnHeadersStopIteration is Envoy's plugin setting of that name. Without
	// it a StopIteration from a headers callback stops the body, too.
	AllowOnHeadersStopIteration bool

	MaxResponseBytes int // of a dispatched call's answer; 0 means 1 MiB
	MaxRequestBytes  int // of a body that the filter has Envoy buffer; 0 means 1 MiB

	// Properties answers proxy_get_property beyond the built-in ones; keys are
	// dotted paths such as "node.id".
	Properties map[string][]byte
	// NewRequestID makes the x-request-id of a request that brings none; nil is
	// a random UUID.
	NewRequestID func() string
	// SharedData lets several hosts share one store, as plugins in one Envoy do;
	// nil gives this host its own.
	SharedData *SharedData
	// CacheDir keeps compiled code between processes; empty keeps it in memory.
	CacheDir string
}

const (
	defaultReloadBackoff = time.Second
	defaultMaxBytes      = 1 << 20
)

// withDefaults fills in what the zero values stand for.
func (c Config) withDefaults() Config {
	if c.Workers <= 0 {
		c.Workers = 1
	}
	if c.Clock == nil {
		c.Clock = systemClock{}
	}
	if c.ReloadBackoff == 0 {
		c.ReloadBackoff = defaultReloadBackoff
	}
	if c.MaxResponseBytes == 0 {
		c.MaxResponseBytes = defaultMaxBytes
	}
	if c.MaxRequestBytes == 0 {
		c.MaxRequestBytes = defaultMaxBytes
	}
	if c.NewRequestID == nil {
		c.NewRequestID = randomUUID
	}
	if c.SharedData == nil {
		c.SharedData = NewSharedData()
	}
	return c
}
