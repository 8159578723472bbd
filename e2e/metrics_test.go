package e2e

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postern-auth/postern/internal/metric"
	"github.com/postern-auth/postern/internal/release"
)

// sample is a line of Prometheus' text format.
var (
	sample = regexp.MustCompile(`(?m)^([a-zA-Z_:][a-zA-Z0-9_:]*)\{(.*)\} ([0-9.e+]+)$`)
	label  = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"`)
)

// seen is what an Envoy's /stats/prometheus shows of Postern's.
type seen struct {
	labels map[string][]string // by metric
	values map[string]string   // by metric and labels, as they stand there
}

func (e *Envoy) metrics(t testing.TB) seen {
	t.Helper()
	text := must(e.AdminGet(context.Background(), "/stats/prometheus"))(t)
	s := seen{map[string][]string{}, map[string]string{}}
	for _, line := range sample.FindAllStringSubmatch(string(text), -1) {
		name := line[1]
		if !strings.HasPrefix(name, "postern_") {
			continue
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, is := strings.CutSuffix(name, suffix); is {
				name = base
			}
		}
		labels := []string{}
		for _, l := range label.FindAllStringSubmatch(line[2], -1) {
			if l[1] != "le" {
				labels = append(labels, l[1])
			}
		}
		slices.Sort(labels)
		s.labels[name] = labels
		s.values[line[1]+"{"+line[2]+"}"] = line[3]
	}
	return s
}

// metrics: what Envoy shows of Postern's are the metrics that the documents name,
// with the labels that they name, by the tags of envoy/envoy.yaml.
func (w *Levels) metrics(t *testing.T) {
	name := w.Provider.Name
	wanted := []string{
		`postern_build_info{version="` + release.Version + `"}`,
		`postern_requests_total{decision="forwarded"}`,
		`postern_requests_total{decision="answered"}`,
		`postern_answers_total{reason="login"}`,
		`postern_logins_started_total{provider="` + name + `"}`,
		`postern_logins_succeeded_total{provider="` + name + `"}`,
		`postern_sessions_opened_total{from="cookie"}`,
		`postern_provider_calls_total{outcome="2xx",provider="` + name + `",step="code_exchange"}`,
		`postern_provider_up{provider="` + name + `"}`,
		`postern_provider_keys_timestamp_seconds{provider="` + name + `"}`,
		`postern_settings_timestamp_seconds{}`,
		`postern_provider_call_milliseconds_count{provider="` + name + `",step="code_exchange"}`,
		`postern_session_cookie_bytes_count{}`,
	}
	var got seen
	Eventually(t, 20*time.Second, func() error { // histograms are told in intervals
		got = w.Envoy.metrics(t)
		for _, series := range wanted {
			if value := got.value(series); value == "" || value == "0" {
				return fmt.Errorf("e2e: %s is %q among %q", series, value, slices.Sorted(maps.Keys(got.values)))
			}
		}
		return nil
	})
	known := map[string][]string{}
	for _, m := range metric.All() {
		if _, shown := got.labels[m.Name]; shown {
			known[m.Name] = slices.Sorted(slices.Values(m.Labels))
		}
	}
	if diff := cmp.Diff(known, got.labels, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("metrics and their labels (-documented +shown):\n%s", diff)
	}
}

// value is that of a series, whatever the order of its labels.
func (s seen) value(series string) string {
	want := ordered(series)
	for have, value := range s.values {
		if ordered(have) == want {
			return value
		}
	}
	return ""
}

func ordered(series string) string {
	name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
	parts := label.FindAllString(labels, -1)
	slices.Sort(parts)
	return name + "{" + strings.Join(parts, ",") + "}"
}
