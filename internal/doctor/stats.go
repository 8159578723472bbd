package doctor

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/metric"
)

// statistics are counters and gauges, by their whole names.
type statistics map[string]int

// wanted is which statistics are asked for: an Envoy of a mesh has very many.
const wanted = `^wasm\.|postern_|\.ssl\.fail_verify|^(cluster_manager|listener_manager|extension_config_discovery)\..*update_failure$`

func (v *visit) statistics(address string) statistics {
	all := statistics{}
	p, err := v.get(address+"/stats?filter="+url.QueryEscape(wanted), maxDump)
	if err != nil || p.status != 200 {
		v.add(found("admin_unreachable", address+"/stats", "the statistics cannot be read"))
		return all
	}
	for line := range strings.Lines(string(p.body)) {
		if i := strings.LastIndex(line, ": "); i > 0 {
			if n, err := strconv.Atoi(strings.TrimSpace(line[i+2:])); err == nil {
				all[line[:i]] = n
			}
		}
	}
	return all
}

// sample is one of our metrics, with its labels.
type sample struct {
	labels map[string]string
	value  int
}

// of are the samples of a metric, in an order that stays the same.
func (all statistics) of(m *metric.Metric) (samples []sample) {
	names := []string(nil)
	for name := range all {
		if strings.HasSuffix(name, m.Name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		parts := strings.Split(strings.TrimPrefix(name, "wasmcustom."), ";.;")
		if parts[len(parts)-1] != m.Name {
			continue
		}
		labels := map[string]string{}
		for _, part := range parts[:len(parts)-1] {
			label, value, _ := strings.Cut(part, "=.=")
			labels[label] = value
		}
		samples = append(samples, sample{labels, all[name]})
	}
	return samples
}

// total is the sum of a metric over its labels.
func (all statistics) total(m *metric.Metric) (n int) {
	for _, s := range all.of(m) {
		n += s.value
	}
	return n
}

// module looks at the virtual machines, and at what they say of the module.
func (v *visit) module(stats statistics) {
	active, known, reloads, failures := 0, false, 0, 0
	for name, n := range stats {
		switch {
		case strings.HasPrefix(name, "wasm.envoy.wasm.runtime.") && strings.HasSuffix(name, ".active"):
			active, known = active+n, true
		case strings.HasPrefix(name, "wasm.") && strings.HasSuffix(name, ".vm_reload_success"):
			reloads += n
		case strings.HasPrefix(name, "wasm.") && (strings.HasSuffix(name, ".vm_reload_failure") || strings.HasSuffix(name, ".vm_reload_backoff")):
			failures += n
		}
	}
	switch {
	case active == 0 && known || !known && len(v.gates) > 0:
		v.add(found("module_not_running", "", "no virtual machine is active"))
	case known:
		v.add(well("module_not_running", "", "%d virtual machines are active", active))
	}
	if reloads+failures > 0 {
		v.add(found("module_failed", "", "a virtual machine was made anew %d times, and not for lack of time or by another failure %d times", reloads, failures))
	}
	if n := stats.total(metric.Panics); n > 0 {
		v.add(found("module_panicked", "", "%d times", n))
	}
	v.version(stats)
}

// version compares the module's with ours. One that was there before an update
// stays among the statistics.
func (v *visit) version(stats statistics) {
	var versions []string
	for _, s := range stats.of(metric.BuildInfo) {
		if s.value == 1 {
			versions = append(versions, told(s.labels["version"]))
		}
	}
	switch {
	case len(versions) == 0 || v.Version == "":
	case slices.Contains(versions, v.Version):
		v.add(well("module_other_version", "", "the module is of version %s", v.Version))
	default:
		v.add(found("module_other_version", "", "the module is of version %s, and this command of %s", strings.Join(versions, ", "), v.Version))
	}
}

// providersBy looks at what the module says of its providers.
func (v *visit) providersBy(stats statistics) {
	for _, s := range stats.of(metric.ProviderUp) {
		path := "provider " + told(s.labels["provider"])
		switch {
		case !v.names(s.labels["provider"]):
		case s.value == 0:
			v.add(found("provider_down", path, "its metadata or keys are not known to Postern"))
		default:
			v.add(well("provider_down", path, "Postern knows its metadata and keys"))
		}
	}
	for _, s := range stats.of(metric.ProviderCalls) {
		if outcome, fails := outcomes[s.labels["outcome"]]; s.value > 0 && fails {
			v.add(found("provider_calls_failing", "provider "+told(s.labels["provider"]), "%s: %d calls, %s", told(s.labels["step"]), s.value, outcome))
		}
	}
}

// outcomes says what became of a call that failed.
var outcomes = map[string]string{
	"5xx":         "which were answered with a status from 500 on: by the provider, or by Envoy, where no connection came about",
	"unavailable": "which got no answer",
	"not_sent":    "which Envoy did not take: the cluster is not there, or has no host that is well",
}

// names says whether settings in force have a provider of this name: of one that
// was taken out of them the statistics stay.
func (v *visit) names(provider string) bool {
	for _, g := range v.gates {
		for i := 0; g.Config != nil && i < len(g.Config.Providers); i++ {
			if g.Config.Providers[i].Name == provider {
				return true
			}
		}
	}
	return false
}
