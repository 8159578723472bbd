// Package metric names what Postern counts and measures, and the labels of each:
// one list, from which the host's names, the documents and their tests come.
//
// A host of proxy-wasm knows names alone. Labels are part of a name, in the form
// that Istio's proxies take apart by their own `extraStatTags`, and other Envoys
// by a `stats_tags` entry for each label:
//
//	rule=.=admin;.;reason=.=group_missing;.;postern_access_denied_total
//
// Names follow Prometheus' conventions, but for the unit of times: hosts record
// whole numbers, so that calls are measured in milliseconds. A label's values are
// the settings' own names (providers, rules) and codes of ours, and nothing that
// a caller or a provider worded.
package metric

import (
	"slices"
	"strings"
)

// Kind is what a metric does.
type Kind uint8

// The kinds of metrics, as proxy-wasm numbers them.
const (
	Counter Kind = iota
	Gauge
	Histogram
)

// Metric is one metric, whatever the values of its labels.
type Metric struct {
	Name   string
	Kind   Kind
	Labels []string
}

// Sink takes what is counted and measured. Values are those of the metric's
// labels, in their order.
type Sink interface {
	// Add adds to a counter, or to a gauge, which may also go down.
	Add(m *Metric, n int64, values ...string)
	// Record sets a gauge, or gives a histogram one value more.
	Record(m *Metric, value uint64, values ...string)
}

// None is a Sink that forgets all.
type None struct{}

// Add implements Sink.
func (None) Add(*Metric, int64, ...string) {}

// Record implements Sink.
func (None) Record(*Metric, uint64, ...string) {}

const (
	assign    = "=.="
	terminate = ";.;"
	// maxValue bounds a label's value, in bytes.
	maxValue = 64
)

// Full returns the name under which a host knows the metric with these labels.
func (m *Metric) Full(values ...string) string {
	var b strings.Builder
	for i, label := range m.Labels {
		b.WriteString(label + assign)
		value := ""
		if i < len(values) {
			value = values[i]
		}
		writeValue(&b, value)
		b.WriteString(terminate)
	}
	b.WriteString(m.Name)
	return b.String()
}

// writeValue writes a label's value, which is never empty, and in which nothing
// ends it.
func writeValue(b *strings.Builder, value string) {
	if value == "" {
		value = "none"
	}
	for _, r := range value[:min(len(value), maxValue)] {
		if r < ' ' || r == ';' || r == '=' || r == 0x7f || r == '\uFFFD' {
			r = '_'
		}
		b.WriteRune(r)
	}
}

// Labels returns every label, each once, in the order of the list.
func Labels() (labels []string) {
	for _, m := range All() {
		for _, l := range m.Labels {
			if !slices.Contains(labels, l) {
				labels = append(labels, l)
			}
		}
	}
	return labels
}

// TagRegex returns the regular expression by which an Envoy makes a label of a
// part of Postern's names, for `stats_tags`.
func TagRegex(label string) string {
	return `^wasmcustom\..*?(` + label + `=\.=(.*?);\.;)`
}
