package wazerohost

import (
	"maps"
	"sync"
)

// metricKind is in the two low bits of a metric's id.
type metricKind uint32

const (
	counterMetric metricKind = iota
	gaugeMetric
	histogramMetric
	metricKinds
)

const metricIDStep = 4

// metrics is Envoy's stats scope: one set of values for all VMs of a host.
type metrics struct {
	mu     sync.Mutex
	values map[string]uint64
}

func newMetrics() *metrics { return &metrics{values: map[string]uint64{}} }

// metricIDs are one VM's names for the host's values.
type metricIDs struct {
	names map[uint32]string
	next  [metricKinds]uint32
}

func (m *metricIDs) define(kind metricKind, name string) uint32 {
	if m.names == nil {
		m.names = map[uint32]string{}
	}
	id := m.next[kind]*metricIDStep + uint32(kind)
	m.next[kind]++
	m.names[id] = name
	return id
}

// touch makes a metric appear with its first definition.
func (m *metrics) touch(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.values[name]; !ok {
		m.values[name] = 0
	}
}

func (m *metrics) update(name string, f func(uint64) uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[name] = f(m.values[name])
}

func (m *metrics) get(name string) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[name]
}

func (m *metrics) snapshot() map[string]uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.values)
}

// incrementMetric keeps Envoy's rule that counters only rise.
func (v *vm) incrementMetric(id uint32, offset int64) status {
	kind := metricKind(id & (metricIDStep - 1))
	if kind != counterMetric && kind != gaugeMetric {
		return statusBadArgument
	}
	name, ok := v.metricIDs.names[id]
	if !ok {
		return statusNotFound
	}
	if kind == counterMetric && offset <= 0 {
		return statusBadArgument
	}
	v.host.metrics.update(name, func(old uint64) uint64 { return old + uint64(offset) })
	return statusOK
}

// recordMetric adds to a counter, sets a gauge and, for a histogram, keeps the
// last value.
func (v *vm) recordMetric(id uint32, value uint64) status {
	name, ok := v.metricIDs.names[id]
	if !ok {
		return statusNotFound
	}
	v.host.metrics.update(name, func(old uint64) uint64 {
		if metricKind(id&(metricIDStep-1)) == counterMetric {
			return old + value
		}
		return value
	})
	return statusOK
}

func (v *vm) readMetric(id uint32) (uint64, status) {
	if metricKind(id&(metricIDStep-1)) >= histogramMetric {
		return 0, statusBadArgument
	}
	name, ok := v.metricIDs.names[id]
	if !ok {
		return 0, statusNotFound
	}
	return v.host.metrics.get(name), statusOK
}
