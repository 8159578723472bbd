package plugin

import (
	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/gate"
)

// maxCounters bounds how many names of events are counted: a host never
// forgets a metric.
const maxCounters = 64

// counters are the counters of events, made known to the host as they are
// first needed; nil stands for one that the host would not have.
type counters map[string]*abi.Metric

// count adds one to an event's counter.
func (c counters) count(event string) {
	counter, known := c[event]
	if !known && len(c) < maxCounters {
		counter = define("postern_" + event + "_total")
		c[event] = counter
	}
	if counter == nil {
		return
	}
	if err := counter.Increment(1); err != nil {
		abi.Log(abi.LevelError, "postern: "+err.Error())
	}
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
	p.counters.count(e.Event)
}
