package plugin

import (
	"slices"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/metric"
)

// Bounds of how many metrics there are, since a host never forgets one. The
// settings' rules and the reasons that the gate knows bound them, too, but not by
// a small number. What is beyond is counted under "other".
const (
	maxOfRules = 4096 // with a rule among their labels: anybody can have each say no
	maxOthers  = 1024
)

// meters are the host's metrics, made known to it as they are first needed; nil
// stands for one that the host would not have.
type meters struct {
	known           map[string]*abi.Metric
	ofRules, others int
}

var _ metric.Sink = (*meters)(nil)

func newMeters() *meters { return &meters{known: map[string]*abi.Metric{}} }

// Add implements metric.Sink.
func (s *meters) Add(m *metric.Metric, n int64, values ...string) {
	if known := s.find(m, values); known != nil {
		complain(known.Increment(n))
	}
}

// Record implements metric.Sink.
func (s *meters) Record(m *metric.Metric, value uint64, values ...string) {
	if known := s.find(m, values); known != nil {
		complain(known.Record(value))
	}
}

func (s *meters) find(m *metric.Metric, values []string) *abi.Metric {
	name := m.Full(values...)
	known, there := s.known[name]
	if there {
		return known
	}
	count, limit := &s.others, maxOthers
	if slices.Contains(m.Labels, metric.Rule) {
		count, limit = &s.ofRules, maxOfRules
	}
	if *count >= limit {
		name = m.Full(slices.Repeat([]string{"other"}, len(m.Labels))...)
		if known, there = s.known[name]; there {
			return known
		}
	}
	*count++
	known = define(m.Kind, name)
	s.known[name] = known
	return known
}

func define(kind metric.Kind, name string) *abi.Metric {
	known := abi.DefineCounter
	switch kind {
	case metric.Gauge:
		known = abi.DefineGauge
	case metric.Histogram:
		known = abi.DefineHistogram
	}
	m, err := known(name)
	if complain(err); err != nil {
		return nil
	}
	return &m
}

func complain(err error) {
	if err != nil {
		abi.Log(abi.LevelError, "postern: "+err.Error())
	}
}

// tell logs an event.
func tell(e gate.Event) {
	level := abi.LevelWarn
	if e.Routine() {
		level = abi.LevelInfo
	}
	abi.Log(level, "postern: "+e.JSON())
}

// tally is what is counted too often for a host call each.
type tally struct{ forwarded, answered int64 }

// measure tells the host what was counted since it was told last, and what is to
// be said anew.
func (p *plugin) measure() {
	if p.tally.forwarded > 0 {
		p.meters.Add(metric.Requests, p.tally.forwarded, "forwarded")
	}
	if p.tally.answered > 0 {
		p.meters.Add(metric.Requests, p.tally.answered, "answered")
	}
	p.tally = tally{}
	p.gate.Measure()
}
