package wazerohost

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// vm is one instance of the module with its contexts. Everything in it belongs
// to one loop.
type vm struct {
	host   *Host
	loop   *loop
	canary bool
	worker int
	mod    api.Module
	ctx    context.Context

	exports map[string]api.Function
	malloc  api.Function

	root     *rootContext // the newest; it takes the new streams
	contexts map[uint32]*moduleContext
	nextID   uint32
	self     *moduleContext // the VM's own context, id 0

	current   *moduleContext
	effective uint32

	allowed  map[string]bool // imports that may be called now; nil is all
	stopNext bool            // a local response forces "stop" for this callback
	deferred []func()        // what runs once the current callback has returned

	failed   error
	loadedAt time.Time
	logs     []string // a canary's, for the error
	metricIDs
}

// moduleContext is what the module knows by a number: the VM, a plugin or a stream.
type moduleContext struct {
	id     uint32
	root   *rootContext // of a plugin itself, and of its streams
	stream *Stream
}

type vmKey struct{}

// newVM instantiates the module and runs its start function under the
// restrictions that hold then.
func (h *Host) newVM(l *loop, canary bool) (*vm, error) {
	v := &vm{
		host: h, loop: l, canary: canary, nextID: 1,
		self: &moduleContext{}, contexts: map[uint32]*moduleContext{},
		exports: map[string]api.Function{}, loadedAt: h.cfg.Clock.Now(),
	}
	v.current = v.self
	v.ctx = context.WithValue(context.Background(), vmKey{}, v)
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	mod, err := h.runtime.InstantiateModule(v.ctx, h.compiled, config)
	if err != nil {
		return nil, fmt.Errorf("wazerohost: instantiate: %w", err)
	}
	v.mod = mod
	v.lookUp()
	if err := v.start(); err != nil {
		v.close()
		return nil, fmt.Errorf("wazerohost: start: %w", err)
	}
	return v, nil
}

// lookUp keeps the exports that the host knows; malloc comes before the ABI's own
// allocator.
func (v *vm) lookUp() {
	for name := range knownExports {
		if f := v.mod.ExportedFunction(name); f != nil {
			v.exports[name] = f
		}
	}
	v.malloc = v.exports["malloc"]
	if v.malloc == nil {
		v.malloc = v.exports["proxy_on_memory_allocate"]
	}
}

// start runs a reactor's _initialize and then its main, if exported; a command
// module's _start takes their place.
func (v *vm) start() error {
	v.allowed = startAllowed[v.host.cfg.Generation]
	defer func() { v.allowed = nil }()
	var names []string
	switch {
	case v.exports["_initialize"] == nil:
		names = []string{"_start"}
	case v.exports["main"] != nil:
		names = []string{"_initialize", "main"}
	default:
		names = []string{"_initialize", "__main_void"}
	}
	for _, name := range names {
		if f := v.exports[name]; f != nil {
			if _, ok := v.invoke(v.self, f, make([]uint64, len(knownExports[name].params))...); !ok {
				return v.failed
			}
		}
	}
	return nil
}

// invoke makes one call into the instance, with the context as the current one
// and no effective context.
func (v *vm) invoke(c *moduleContext, f api.Function, args ...uint64) (uint64, bool) {
	current, effective := v.current, v.effective
	v.current, v.effective = c, 0
	results, err := f.Call(v.ctx, args...)
	v.current, v.effective = current, effective
	if err != nil {
		v.fail(f.Definition().Name(), err)
		return 0, false
	}
	if len(results) == 0 {
		return 0, true
	}
	return results[0], true
}

// fail makes the VM a dead one. Nothing is called in it again.
func (v *vm) fail(name string, err error) {
	if v.failed == nil {
		v.failed = fmt.Errorf("function %s failed: %w", name, err)
	}
	v.host.log(LevelCritical, "Function: "+name+" failed: "+firstLines(err.Error(), maxBacktrace))
	if v.canary {
		v.logs = append(v.logs, v.failed.Error())
	}
}

// maxBacktrace is the number of frames of a trap that Envoy prints.
const maxBacktrace = 20

func firstLines(s string, n int) string {
	lines := strings.SplitN(s, "\n", n+1)
	return strings.Join(lines[:min(n, len(lines))], "\n")
}

// result is what came of a callback.
type result struct {
	value   uint32
	present bool // the module exports it
	failed  bool // the VM is dead, or has just died
	stop    bool // a local response was sent during it
}

// enter calls an exported callback and, once it has returned, does what it asked
// for: continue, reply, close. A callback that is not there is a no-op.
func (v *vm) enter(c *moduleContext, name string, args ...uint32) result {
	if v.failed != nil {
		return result{failed: true}
	}
	f := v.exports[name]
	if f == nil {
		return result{}
	}
	values := make([]uint64, 1+len(args))
	values[0] = uint64(c.id)
	for i, a := range args {
		values[i+1] = uint64(a)
	}
	value, _ := v.invoke(c, f, values...)
	r := result{value: uint32(value), present: true, failed: v.failed != nil, stop: v.stopNext}
	v.stopNext = false
	if r.failed {
		v.deferred = nil
		v.failStreams()
		return r
	}
	v.runDeferred()
	return r
}

func (v *vm) runDeferred() {
	for len(v.deferred) > 0 {
		f := v.deferred[0]
		v.deferred = v.deferred[1:]
		f()
	}
}

// deferCall queues what Envoy does only after the current callback has returned.
func (v *vm) deferCall(f func()) { v.deferred = append(v.deferred, f) }

// context is the effective context if one was set and still lives, else the
// current one.
func (v *vm) context() *moduleContext {
	if v.effective != 0 {
		if c := v.contexts[v.effective]; c != nil {
			return c
		}
	}
	return v.current
}

// newContext numbers a context; numbers in use are passed over.
func (v *vm) newContext() *moduleContext {
	for v.nextID == 0 || v.contexts[v.nextID] != nil {
		v.nextID++
	}
	c := &moduleContext{id: v.nextID}
	v.contexts[c.id] = c
	v.nextID++
	return c
}

// failStreams gives every stream of a dead VM its end by the failure policy.
// Envoy does so at each stream's next event; here it happens at once.
func (v *vm) failStreams() {
	for _, c := range v.contexts {
		if s := c.stream; s != nil {
			v.loop.later = append(v.loop.later, s.fail)
		}
	}
	for _, c := range v.contexts {
		if c.root != nil && c.stream == nil {
			c.root.abandon()
		}
	}
}

// close drops the instance without any callback.
func (v *vm) close() {
	for _, c := range v.contexts {
		if c.root != nil && c.stream == nil {
			c.root.abandon()
		}
	}
	if err := v.mod.Close(context.Background()); err != nil {
		v.host.log(LevelError, "close: "+err.Error())
	}
	if v.failed == nil {
		v.failed = errors.New("closed")
	}
}

// read copies a range of the instance's memory.
func (v *vm) read(ptr, size uint32) ([]byte, bool) {
	if size == 0 {
		return nil, true
	}
	b, ok := v.mod.Memory().Read(ptr, size)
	if !ok {
		return nil, false
	}
	return append([]byte(nil), b...), true
}

// alloc asks the module's allocator, under the restrictions that hold in it. A
// null pointer is a legal refusal.
func (v *vm) alloc(size uint32) (uint32, bool) {
	saved := v.allowed
	v.allowed = mallocAllowed[v.host.cfg.Generation]
	ptr, ok := v.invoke(v.self, v.malloc, uint64(size))
	v.allowed = saved
	if !ok || ptr == 0 {
		return 0, false
	}
	return uint32(ptr), true
}

// give copies data into memory that the module allocates and writes where it is
// and how long. Empty data is pointer 0 and size 0 without an allocation.
func (v *vm) give(data []byte, ptrPtr, sizePtr uint32) status {
	var ptr uint32
	if len(data) > 0 {
		var ok bool
		if ptr, ok = v.alloc(uint32(len(data))); !ok {
			return statusInvalidMemoryAccess
		}
		if !v.mod.Memory().Write(ptr, data) {
			return statusInvalidMemoryAccess
		}
	}
	if !v.write32(ptrPtr, ptr) || !v.write32(sizePtr, uint32(len(data))) {
		return statusInvalidMemoryAccess
	}
	return statusOK
}

func (v *vm) write32(ptr, value uint32) bool { return v.mod.Memory().WriteUint32Le(ptr, value) }

func (v *vm) write64(ptr uint32, value uint64) bool { return v.mod.Memory().WriteUint64Le(ptr, value) }
