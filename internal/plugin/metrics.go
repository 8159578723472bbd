package plugin

import (
	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/gate"
)

// maxCounters bounds how many names of events are counted: a host never
// forgets a metric.
const maxCounters = 64

// counters are the counters of events, made known to the host as they are
// first needed.
type counters map[string]abi.Metric

// count adds one to an event's counter.
func (c counters) count(event string) {
	counter, known := c[event]
	if !known {
		if len(c) >= maxCounters {
			return
		}
		var err error
		if counter, err = abi.DefineCounter("postern_" + event + "_total"); err != nil {
			abi.Log(abi.LevelError, "postern: "+err.Error())
		}
		c[event] = counter
	}
	if err := counter.Increment(1); err != nil {
		abi.Log(abi.LevelError, "postern: "+err.Error())
	}
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
