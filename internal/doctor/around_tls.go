package doctor

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/manifest"
)

// way is a cluster through which a host is called.
type way struct {
	setting string // where the settings name it
	cluster string
	host    string // without its port; "" where it is no provider's
	https   bool
}

// waysOf are the clusters that settings name.
func waysOf(c *config.Config) (all []way) {
	for i := range c.Providers {
		p := &c.Providers[i]
		at := fmt.Sprintf("providers[%d].cluster", i)
		u, err := url.Parse(p.Issuer)
		if err != nil {
			u = &url.URL{}
		}
		all = append(all, way{at, p.Cluster, u.Hostname(), u.Scheme == "https"})
		for _, host := range slices.Sorted(maps.Keys(p.Clusters)) {
			u := &url.URL{Host: host}
			all = append(all, way{at + "s[" + host + "]", p.Clusters[host], u.Hostname(), !p.InsecureIssuer})
		}
	}
	if w := c.Session.Store.Webdis; w != nil {
		all = append(all, way{setting: "session.store.webdis.cluster", cluster: w.Cluster})
	}
	return all
}

// clustersOf looks at the clusters that settings name, as far as they are known.
func clustersOf(s *Subject) (all []Finding) {
	if s.Config == nil {
		return nil
	}
	for _, w := range waysOf(s.Config) {
		i := slices.IndexFunc(s.Clusters, func(c manifest.Cluster) bool { return c.Name == w.cluster })
		switch {
		case i >= 0 && w.https:
			all = append(all, tlsOf(s.Clusters[i].Node, w)...)
		case i < 0 && s.AllClusters:
			all = append(all, found("cluster_missing", clusterPath(w.cluster), "%s names it", w.setting))
		}
	}
	return distinct(all)
}

func clusterPath(name string) string { return "cluster " + name }

// tlsOf looks at how a cluster verifies whom it is connected to.
func tlsOf(cluster *manifest.Node, w way) (all []Finding) {
	path := clusterPath(w.cluster)
	context := tlsContext(cluster.Get("transport_socket"))
	if context == nil {
		if len(cluster.Get("transport_socket_matches").List()) > 0 {
			return nil // chosen by endpoint: it cannot be told from here
		}
		f := found("tls_missing", path, "%s is https, and the cluster has no TLS", w.host)
		if local(cluster) {
			f = f.as(Note)
		}
		return []Finding{f}
	}
	v, elsewhere := validation(context.Get("common_tls_context"))
	auto := cluster.Get("typed_extension_protocol_options", "envoy.extensions.upstreams.http.v3.HttpProtocolOptions", "upstream_http_protocol_options")
	if !elsewhere && v.Get("trusted_ca") == nil && v.Get("system_root_certs") == nil && v.Get("ca_certificate_provider_instance") == nil && !pinned(v) {
		return append(all, found("tls_unverified", path, "no authorities are named, so that any certificate for %s will do", w.host))
	}
	names := append(slices.Clone(v.Get("match_typed_subject_alt_names").List()), v.Get("match_subject_alt_names").List()...)
	automatic := auto.Get("auto_san_validation").True() || context.Get("auto_sni_san_validation").True()
	switch {
	case len(names) == 0 && !automatic && !elsewhere && !pinned(v):
		all = append(all, found("tls_name_unverified", path, "no name is asked for in the certificate of %s", w.host))
	case len(names) > 0 && !slices.ContainsFunc(names, func(n *manifest.Node) bool { return fits(n, w.host) }):
		all = append(all, found("tls_name_other", path, "none of the names is that of %s", w.host))
	}
	if _, err := netip.ParseAddr(w.host); err == nil {
		return all // addresses have no place in SNI (RFC 6066, section 3)
	}
	if context.Get("sni").Str() == "" && !auto.Get("auto_sni").True() && !context.Get("auto_host_sni").True() {
		all = append(all, found("tls_sni_missing", path, "sni is not set, for %s", w.host))
	}
	return all
}

// tlsContext is the UpstreamTlsContext of a transport socket, also of one that
// another one is wrapped around.
func tlsContext(socket *manifest.Node) *manifest.Node {
	for range 4 {
		c := socket.Get("typed_config")
		switch {
		case c == nil:
			return nil
		case c.Get("upstream_tls_context") != nil:
			return c.Get("upstream_tls_context")
		case strings.HasSuffix(c.Type(), ".UpstreamTlsContext"):
			return c
		}
		socket = c.Get("transport_socket")
	}
	return nil
}

// validation is what a certificate is verified by, and whether some of it is
// delivered and not in the file.
func validation(common *manifest.Node) (v *manifest.Node, elsewhere bool) {
	if combined := common.Get("combined_validation_context"); combined != nil {
		v = combined.Get("default_validation_context")
		names := len(v.Get("match_typed_subject_alt_names").List())+len(v.Get("match_subject_alt_names").List()) > 0
		if names {
			return v, true
		}
		// What is delivered may name them, but hardly ever does: Istio's, for one, holds authorities alone.
		return withAuthorities(v), false
	}
	if common.Get("validation_context_sds_secret_config") != nil {
		return nil, true
	}
	return common.Get("validation_context"), false
}

// withAuthorities is a validation whose authorities are delivered.
func withAuthorities(v *manifest.Node) *manifest.Node {
	n := &manifest.Node{Kind: manifest.Object, Keys: []string{"trusted_ca"}, Items: []*manifest.Node{{Kind: manifest.Object}}}
	if v != nil {
		n.Keys, n.Items = append(n.Keys, v.Keys...), append(n.Items, v.Items...)
	}
	return n
}

// pinned says whether a certificate must be a certain one.
func pinned(v *manifest.Node) bool {
	return len(v.Get("verify_certificate_spki").List())+len(v.Get("verify_certificate_hash").List()) > 0
}

// fits says whether a certificate for a host can satisfy a matcher.
func fits(n *manifest.Node, host string) bool {
	if m := n.Get("matcher"); m != nil {
		n = m
	}
	if exact := n.Get("exact").Str(); exact != "" {
		parent, below := strings.CutPrefix(exact, "*")
		return strings.EqualFold(exact, host) || below && strings.HasSuffix(host, parent)
	}
	if pattern := n.Get("safe_regex", "regex").Str(); pattern != "" {
		re, err := regexp.Compile("^(?:" + pattern + ")$")
		return err != nil || re.MatchString(host)
	}
	return strings.HasPrefix(host, n.Get("prefix").Str()) && strings.HasSuffix(host, n.Get("suffix").Str()) && strings.Contains(host, n.Get("contains").Str())
}

// local says whether all of a cluster's hosts are on this machine, where what
// listens may well speak TLS onwards.
func local(cluster *manifest.Node) bool {
	any := false
	for _, group := range cluster.Get("load_assignment", "endpoints").List() {
		for _, e := range group.Get("lb_endpoints").List() {
			address := e.Get("endpoint", "address")
			if host := address.Get("socket_address", "address").Str(); address.Get("pipe") == nil && !config.Loopback(host) {
				return false
			}
			any = true
		}
	}
	return any
}
