// Package operations holds what operators are handed to its word: the scrape
// configuration, the alerts and the dashboard under envoy/. It has no code.
//
// What it demands: every expression can be read by Prometheus' own promtool and
// speaks of metrics, labels and label values that there are; every metric is
// shown or alerted on; every alert is seen to fire, and to be silent on a good
// day; and every alert leads to an entry in docs/operations.md.
package operations
