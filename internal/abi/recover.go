package abi

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/postern-auth/postern/internal/metric"
)

// panicFrames bounds how many functions a line about a panic names.
const panicFrames = 8

// The four below are deferred directly, so recover works in them. A panic
// that went further would end the VM and, with it, all streams of a worker.

// recoverStream denies the stream of a callback that panicked.
func (d *dispatcher) recoverStream(callback string, id uint32, action *uint32, stop uint32) {
	if v := recover(); v != nil {
		d.panicked(callback, v)
		*action = d.deny(id, stop)
	}
}

// recoverStart has a configuration refused that panicked.
func (d *dispatcher) recoverStart(callback string, ok *bool) {
	if v := recover(); v != nil {
		d.panicked(callback, v)
		*ok = false
	}
}

// recoverAsync denies the stream that an answer or a tick was worked on for.
func (d *dispatcher) recoverAsync(callback string) {
	if v := recover(); v != nil {
		d.panicked(callback, v)
		if _, ok := d.streams[d.effective]; ok {
			d.deny(d.effective, hostStopAll)
		}
	}
}

// recoverQuietly is for callbacks after which nothing can pass anyway: a
// context that was not made denies, one that has ended is gone.
func (d *dispatcher) recoverQuietly(callback string) {
	if v := recover(); v != nil {
		d.panicked(callback, v)
	}
}

func (d *dispatcher) definePanics() {
	if metric, err := DefineCounter(metric.Panics.Full()); err == nil {
		d.panics, d.counting = metric, true
	}
}

// panicked writes one line and counts. The line names code, never data: a
// panic's value may hold part of the request, so only its type is given, and
// the message where the Go runtime itself wrote it.
func (d *dispatcher) panicked(callback string, v any) {
	Log(LevelCritical, "postern: panic in "+callback+": "+describePanic(v)+" at "+panicSite())
	if !d.counting {
		d.definePanics()
	}
	if d.counting {
		d.panics.Increment(1)
	}
}

func describePanic(v any) string {
	kind := fmt.Sprintf("%T", v)
	if e, ok := v.(runtime.Error); ok && strings.HasPrefix(strings.TrimPrefix(kind, "*"), "runtime.") {
		return kind + ": " + e.Error()
	}
	return kind
}

// panicSite names the functions on the stack, innermost first.
func panicSite() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
	var names []string
	inside := false // below the runtime's own frames of the panic
	for {
		frame, more := frames.Next()
		name := frame.Function
		switch {
		case strings.HasPrefix(name, "runtime.") && strings.HasSuffix(name, "panic"):
			inside, names = true, names[:0]
		case inside && !strings.HasPrefix(name, "runtime."):
			names = append(names, name[strings.LastIndexByte(name, '/')+1:])
		}
		if !more || len(names) == panicFrames {
			return strings.Join(names, " < ")
		}
	}
}
