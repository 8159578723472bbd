package plugin

import (
	"errors"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/metric"
	"github.com/postern-auth/postern/internal/shared"
)

// memory is the host's shared data. What cannot be read counts as absent, and
// what cannot be written as taken: both deny.
type memory struct{ failed bool }

var _ shared.Memory = (*memory)(nil)

// Get implements shared.Memory.
func (m *memory) Get(name string) (value []byte, cas uint32, ok bool) {
	value, cas, err := abi.SharedData(name)
	if err != nil {
		if !errors.Is(err, abi.ErrNotFound) {
			m.complain(err)
		}
		return nil, 0, false
	}
	return value, cas, true
}

// Set implements shared.Memory. Where a host takes 0 for "whatever is there",
// the interface means "nothing yet".
func (m *memory) Set(name string, value []byte, cas uint32) bool {
	if cas == 0 {
		cas = abi.NoValueYet
	}
	err := abi.SetSharedData(name, value, cas)
	if err != nil && !errors.Is(err, abi.ErrCASMismatch) {
		m.complain(err)
	}
	return err == nil
}

// complain logs the first failure: the others would be like it, and as many as
// there are requests.
func (m *memory) complain(err error) {
	if !m.failed {
		m.failed = true
		abi.Log(abi.LevelError, "postern: shared data: "+err.Error())
	}
}

// signalKey stands in where the host keeps no metric.Endings.
const signalKey = "postern/signal"

// gaugeSignal is metric.Endings: it is read for each request, so it is what costs
// least, one host call that copies nothing. A host's gauges belong to all its
// workers.
type gaugeSignal struct {
	gauge abi.Metric
	last  uint64
}

// Raise implements shared.Signal.
func (s *gaugeSignal) Raise() {
	if err := s.gauge.Increment(1); err != nil {
		abi.Log(abi.LevelError, "postern: "+err.Error())
	}
}

// Level implements shared.Signal. A gauge that can no longer be read differs
// from what it was each time, so that it is looked what has changed.
func (s *gaugeSignal) Level() uint64 {
	level, err := s.gauge.Value()
	if err != nil {
		s.last++
		return s.last
	}
	s.last = level
	return level
}

// keySignal is the number of a shared value's last change.
type keySignal struct{}

// Raise implements shared.Signal.
func (keySignal) Raise() {
	if err := abi.SetSharedData(signalKey, nil, 0); err != nil {
		abi.Log(abi.LevelError, "postern: "+err.Error())
	}
}

// Level implements shared.Signal.
func (keySignal) Level() uint64 {
	_, cas, err := abi.SharedData(signalKey)
	if err != nil {
		return 0
	}
	return uint64(cas)
}

// newSignal tries the gauge first: operators may have their host keep no
// statistics of ours, and then it stays 0 whatever is added.
func newSignal() shared.Signal {
	gauge, err := abi.DefineGauge(metric.Endings.Full())
	if err != nil {
		return keySignal{}
	}
	if err := gauge.Increment(1); err != nil {
		return keySignal{}
	}
	if level, err := gauge.Value(); err != nil || level == 0 {
		return keySignal{}
	}
	return &gaugeSignal{gauge: gauge}
}
