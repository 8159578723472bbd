package doctor

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/manifest"
)

// admin looks at an Envoy through its admin interface.
func (v *visit) admin(address string) {
	address = strings.TrimSuffix(address, "/")
	info, err := v.adminPage(address + "/server_info")
	if err != nil {
		v.add(found("admin_unreachable", address, "%v", err))
		return
	}
	v.server(address, info)
	dump, err := v.adminPage(address + "/config_dump")
	if err != nil {
		v.add(found("admin_unreachable", address+"/config_dump", "%v", err))
		return
	}
	gates := v.gatesIn(address, dump)
	stats := v.statistics(address)
	v.rejected(dump, stats)
	v.module(stats)
	v.clusters(address, gates, stats)
	v.providersBy(stats)
	v.failed(stats)
}

func (v *visit) adminPage(address string) (*manifest.Node, error) {
	p, err := v.get(address, maxDump)
	if err != nil {
		return nil, err
	}
	if p.status != 200 {
		return nil, fmt.Errorf("it answered with status %d", p.status)
	}
	n, err := manifest.Parse(p.body)
	if err != nil {
		return nil, fmt.Errorf("its answer is not one of Envoy's: %w", err)
	}
	return n, nil
}

// server looks at the version, and whether Envoy serves.
func (v *visit) server(address string, info *manifest.Node) {
	build := strings.Split(info.Get("version").Str(), "/")
	version := ""
	if len(build) > 1 {
		version = build[1]
	}
	if state := info.Get("state").Str(); state != "LIVE" {
		v.add(found("envoy_not_live", address, "its state is %s", cut(state, "not told")))
	}
	if slices.ContainsFunc(Tested, func(t string) bool { return sameMinor(t, version) }) {
		v.add(well("envoy_untested", address, "Envoy %s", told(version)))
		return
	}
	v.add(found("envoy_untested", address, "it is Envoy %s; tested are %s", cut(version, "of no version"), strings.Join(Tested, ", ")))
}

// sameMinor says whether two versions differ in their last number alone.
func sameMinor(a, b string) bool {
	return b != "" && strings.Join(strings.Split(a, ".")[:2], ".") == strings.Join(append(strings.Split(b, "."), "", "")[:2], ".")
}

// gatesIn finds the filters, and looks at their settings and at what is around
// them.
func (v *visit) gatesIn(address string, dump *manifest.Node) (gates []*Subject) {
	all := manifest.FindIn(dump)
	if len(all) == 0 {
		v.add(found("gate_not_found", address, "there are no settings of Postern in its configuration"))
		return nil
	}
	var around []Finding
	for i := range all {
		s := &Subject{Found: &all[i]}
		path := "filter " + told(s.Filter)
		if err := v.parse(s); err != nil {
			v.add(invalid(path, err)...)
		} else {
			v.add(well("settings_invalid", path, "its settings are valid"))
		}
		v.taken(s, path)
		around = append(around, Around(s)...)
		for j := range s.Uses {
			around = append(around, found("trust", s.Uses[j].Path, "%s; %s", believed(s.Uses[j].Manager), peers(s.Config)))
		}
		gates = append(gates, s)
	}
	v.add(distinct(around)...)
	v.gates = append(v.gates, gates...)
	return gates
}

// taken takes a filter's settings for those by which the front is looked at,
// unless others are given, or there are some already that fit as well.
func (v *visit) taken(s *Subject, path string) {
	if v.Settings != nil && !same(v.Settings, s.Settings) {
		v.add(found("settings_differ", path, "they are not those of --config"))
	}
	if s.Config != nil && len(s.Config.Hosts) > 0 && (v.host == nil || v.Settings == nil && !v.serves(v.host) && v.serves(s)) {
		v.host = s
	}
}

// serves says whether settings are those for the front.
func (v *visit) serves(s *Subject) bool {
	u, err := url.Parse(v.URL)
	return err == nil && s.Config.AllowsHost(strings.ToLower(u.Hostname()), u.Port())
}

// rejected looks for configurations that Envoy did not take, or could not even
// read: of those the dump says nothing.
func (v *visit) rejected(dump *manifest.Node, stats statistics) {
	before := len(v.findings)
	for _, part := range dump.Get("configs").List() {
		for i, key := range part.Keys {
			if key != "bootstrap" {
				v.add(errorStates(part.Items[i], part.Type())...)
			}
		}
	}
	v.add(unread(stats, streamed(dump))...)
	if len(v.findings) == before {
		v.add(well("update_rejected", "", "no configuration was refused"))
	}
}

// updates are the statistics of deliveries that may concern Postern.
var updates = regexp.MustCompile(`^(extension_config_discovery\..+|listener_manager\.lds|cluster_manager\.cds)\.update_failure$`)

// unread are the deliveries that came to nothing before Envoy could judge them. A
// control plane that ends a stream, as they all do from time to time, is counted
// there as well.
func unread(stats statistics, streamed bool) (all []Finding) {
	for _, name := range slices.Sorted(maps.Keys(stats)) {
		of := updates.FindStringSubmatch(name)
		if of == nil || stats[name] == 0 {
			continue
		}
		f := found("update_failed", told(of[1]), "%d times since Envoy was started", stats[name])
		if streamed {
			f = f.as(Note)
		}
		all = append(all, f)
	}
	return all
}

// streamed says whether a control plane delivers what Envoy runs with, and not
// files.
func streamed(dump *manifest.Node) bool {
	for _, part := range dump.Get("configs").List() {
		dynamic := part.Get("bootstrap", "dynamic_resources")
		for _, way := range [][]string{{"ads_config"}, {"lds_config", "api_config_source"}, {"cds_config", "api_config_source"}} {
			if dynamic.Get(way...) != nil {
				return true
			}
		}
	}
	return false
}

func errorStates(n *manifest.Node, kind string) (all []Finding) {
	for _, item := range n.List() {
		state := item.Get("error_state")
		if details := state.Get("details").Str(); state != nil {
			kind = strings.TrimSuffix(kind[strings.LastIndexByte(kind, '.')+1:], "ConfigDump")
			name := cut(item.Get("name").Str(), cut(item.Get("ecds_filter", "name").Str(), "one without a name"))
			all = append(all, found("update_rejected", told(kind)+" "+name, "%s", cut(details, "Envoy does not say why")))
		}
	}
	return all
}

// clusters looks whether those that settings name are there, and well.
func (v *visit) clusters(address string, gates []*Subject, stats statistics) {
	answer, err := v.adminPage(address + "/clusters?format=json")
	if err != nil {
		v.add(found("admin_unreachable", address+"/clusters", "%v", err))
		return
	}
	seen := map[string]bool{}
	for _, g := range gates {
		if g.Config == nil {
			continue
		}
		for _, w := range waysOf(g.Config) {
			if !seen[w.cluster] {
				seen[w.cluster] = true
				v.cluster(answer, w, g.statisticsOf(w.cluster), stats)
			}
		}
	}
}

// cluster looks at one, whose statistics go by another name of it. One that is not
// there was found missing before.
func (v *visit) cluster(answer *manifest.Node, w way, name string, stats statistics) {
	path := clusterPath(w.cluster)
	for _, c := range answer.Get("cluster_statuses").List() {
		if c.Get("name").Str() != w.cluster {
			continue
		}
		hosts := c.Get("host_statuses").List()
		healthy := 0
		for _, h := range hosts {
			if isHealthy(h.Get("health_status")) {
				healthy++
			}
		}
		if healthy == 0 {
			v.add(found("cluster_unhealthy", path, "%d of its %d hosts are well", healthy, len(hosts)))
		} else {
			v.add(well("cluster_unhealthy", path, "%d of its %d hosts are well", healthy, len(hosts)))
		}
	}
	prefix := "cluster." + statName(name) + ".ssl."
	for _, s := range []struct{ name, meaning string }{
		{"fail_verify_san", "the certificate bears none of the names that are asked for"},
		{"fail_verify_cert_hash", "the certificate is not the one that is asked for"},
		{"fail_verify_error", "the certificate is of no authority that is named, or not valid at this time"},
		{"fail_verify_no_cert", "the other side shows no certificate"},
	} {
		if n := stats[prefix+s.name]; n > 0 {
			v.add(found("tls_failing", path, "%d times: %s", n, s.meaning))
		}
	}
}

// isHealthy says whether nothing speaks against a host.
func isHealthy(h *manifest.Node) bool {
	for i, key := range h.Keys {
		switch value := h.Items[i].Scalar(); key {
		case "eds_health_status":
			if value != "HEALTHY" && value != "UNKNOWN" && value != "DEGRADED" {
				return false
			}
		case "failed_active_health_check", "failed_outlier_check", "pending_active_hc", "excluded_via_immediate_hc_fail":
			if value == "true" {
				return false
			}
		}
	}
	return true
}

// statisticsOf is the name under which Envoy keeps a cluster's statistics.
func (s *Subject) statisticsOf(cluster string) string {
	for _, c := range s.Clusters {
		if other := c.Node.Get("alt_stat_name").Str(); c.Name == cluster && other != "" {
			return other
		}
	}
	return cluster
}

// statName is a cluster's name in the names of statistics.
func statName(name string) string { return strings.ReplaceAll(name, ":", "_") }
