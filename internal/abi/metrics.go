package abi

// Metric is a counter or a gauge of the host.
type Metric struct{ id uint32 }

const (
	metricCounter   uint32 = 0
	metricGauge     uint32 = 1
	metricHistogram uint32 = 2
)

// DefineCounter makes a counter known to the host, or finds it.
func DefineCounter(name string) (Metric, error) {
	return defineMetric(metricCounter, name)
}

// DefineGauge makes a gauge known to the host, or finds it.
func DefineGauge(name string) (Metric, error) {
	return defineMetric(metricGauge, name)
}

// DefineHistogram makes a histogram known to the host, or finds it. It takes whole
// numbers, which its name says the unit of.
func DefineHistogram(name string) (Metric, error) {
	return defineMetric(metricHistogram, name)
}

func defineMetric(kind uint32, name string) (Metric, error) {
	id, status := hostDefineMetric(kind, name)
	return Metric{id: id}, failed("proxy_define_metric", status)
}

// Increment adds to the metric; a counter takes no negative offset.
func (m Metric) Increment(offset int64) error {
	return failed("proxy_increment_metric", hostIncrementMetric(m.id, offset))
}

// Value reads the metric as all workers of the host have left it. It costs one
// host call and no memory.
func (m Metric) Value() (uint64, error) {
	value, status := hostMetric(m.id)
	return value, failed("proxy_get_metric", status)
}

// Record sets a gauge, or gives a histogram one value more.
func (m Metric) Record(value uint64) error {
	return failed("proxy_record_metric", hostRecordMetric(m.id, value))
}
