package plugin

import (
	"strings"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/gate"
)

// maxCounters bounds how many counters there are: a host never forgets a metric.
// The settings' rules and the reasons that the gate knows bound them, too, but
// not by a small number: beyond it an event is counted without its rule, and for
// that, and for those that no rule decides, there are maxEvents more.
const (
	maxCounters = 4096
	maxEvents   = 64
)

// counters are the counters of events, made known to the host as they are
// first needed; nil stands for one that the host would not have.
type counters map[string]*abi.Metric

// count adds one to an event's counter, or, where a rule decided, to the one of
// the event, the rule and the reason.
func (c counters) count(e *gate.Event) {
	name := counterName(e)
	counter, known := c[name]
	if !known && e.Rule != "" && len(c) >= maxCounters {
		name = counterName(&gate.Event{Event: e.Event})
		counter, known = c[name]
	}
	if !known && len(c) < maxCounters+maxEvents {
		counter = define(name)
		c[name] = counter
	}
	if counter == nil {
		return
	}
	if err := counter.Increment(1); err != nil {
		abi.Log(abi.LevelError, "postern: "+err.Error())
	}
}

// counterName is the name of an event's counter. What is behind the first point
// is for Envoy to take out as tags; a rule's name may hold points, and a tag may
// not.
func counterName(e *gate.Event) string {
	name := "postern_" + e.Event + "_total"
	if e.Rule == "" {
		return name
	}
	name += ".rule." + strings.ReplaceAll(e.Rule, ".", "_")
	if e.Reason != "" {
		name += ".reason." + e.Reason
	}
	return name
}

func define(name string) *abi.Metric {
	counter, err := abi.DefineCounter(name)
	if err != nil {
		abi.Log(abi.LevelError, "postern: "+err.Error())
		return nil
	}
	return &counter
}

// tell logs an event and counts it.
func (p *plugin) tell(e gate.Event) {
	level := abi.LevelWarn
	if e.Routine() {
		level = abi.LevelInfo
	}
	abi.Log(level, "postern: "+e.JSON())
	p.counters.count(&e)
}
