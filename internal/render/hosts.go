package render

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/postern-auth/postern/internal/config"
)

// graphs are Microsoft Graph, by the host at which people sign in: each of the clouds
// has one. It answers for Entra's userinfo endpoint, and for groups that a token has
// no room for.
var graphs = map[string]string{
	"login.microsoftonline.com":        "graph.microsoft.com",
	"login.microsoftonline.us":         "graph.microsoft.us",
	"login.partner.microsoftonline.cn": "microsoftgraph.chinacloudapi.cn",
}

// destination is a host that settings have the proxy call.
type destination struct {
	Host    string // without port; an IPv6 address without brackets
	Port    int
	TLS     bool
	Cluster string
	Uses    []string // what is called there, for a comment
	// Certificate: the client proves itself by a certificate there.
	Certificate bool
}

// call is one host that one provider's settings reach.
type call struct {
	provider *yaml.Node
	name     string // of the provider
	address  string // scheme and host
	use      string
	given    string // the cluster that the settings name
	own      bool   // it is the issuer's, so that `cluster` names it
	shows    bool   // a client certificate is shown there
}

// reach finds out which hosts the settings reach, and gives each a cluster.
func (s *Settings) reach(istio bool) {
	taken := map[string]string{} // names of clusters, to what they lead to
	if w := s.Session.Store.Webdis; w != nil {
		taken[w.Cluster] = "webdis"
	}
	nodes := member(s.node, "providers").Content
	for i := range s.Providers {
		for _, c := range s.calls(&s.Providers[i], nodes[i]) {
			d := newDestination(c)
			d.Cluster = d.istioName()
			if !istio {
				d.Cluster = s.envoyName(c, d, taken)
			}
			s.nameCluster(c, d.Cluster, istio)
			s.add(d)
		}
	}
}

// add merges a destination with one to the same cluster.
func (s *Settings) add(d *destination) {
	i := slices.IndexFunc(s.reached, func(o *destination) bool { return o.Cluster == d.Cluster })
	if i < 0 {
		s.reached = append(s.reached, d)
		return
	}
	known := s.reached[i]
	known.Certificate = known.Certificate || d.Certificate
	for _, use := range d.Uses {
		if !slices.Contains(known.Uses, use) {
			known.Uses = append(known.Uses, use)
		}
	}
}

// calls are the hosts that a provider's settings reach, the issuer's first.
func (s *Settings) calls(p *config.Provider, node *yaml.Node) []call {
	issuer := base(p.Issuer)
	list := callList{p: p, node: node, issuer: issuer}
	switch {
	case p.Type == "oauth2":
		list.add(base(p.Endpoints.Token), "tokens")
		list.add(base(p.Endpoints.Userinfo), "userinfo")
		list.add(base(p.Endpoints.Revocation), "tokens that are given back")
		list.add(base(p.Endpoints.Introspection), "introspection")
	default:
		list.add(issuer, "")
	}
	switch {
	case p.Type == "github":
		list.add(base(config.GitHubAPI(p.Issuer)), "who somebody is")
	case p.Type == "google" && hostOf(issuer) == "accounts.google.com":
		for i, use := range []string{"tokens", "keys", "userinfo"} {
			if use != "userinfo" || p.Userinfo != "never" {
				list.add("https://"+config.GoogleHosts()[i], use)
			}
		}
	case p.Type == "entra" && graphs[hostOf(issuer)] != "":
		list.add("https://"+graphs[hostOf(issuer)], "groups that are too many for a token")
	}
	for i := range p.Enrich {
		list.add(base(p.Enrich[i].URL), "the question "+p.Enrich[i].Name)
	}
	scheme, _, _ := strings.Cut(issuer, "://")
	for _, host := range sortedKeys(member(node, "clusters")) {
		list.add(scheme+"://"+host, "")
	}
	return list.calls
}

// callList collects calls, one for each host.
type callList struct {
	p      *config.Provider
	node   *yaml.Node
	issuer string
	calls  []call
}

func (l *callList) add(address, use string) {
	host := hostOf(address)
	if host == "" {
		return
	}
	if use = "the provider " + l.p.Name + " (" + use + ")"; strings.HasSuffix(use, " ()") {
		use = strings.TrimSuffix(use, " ()")
	}
	for i := range l.calls {
		if hostOf(l.calls[i].address) == host {
			return
		}
	}
	c := call{provider: l.node, name: l.p.Name, address: address, use: use, own: host == hostOf(l.issuer)}
	c.shows = l.p.ByCertificate() || l.p.TokenBinding == "mtls"
	if n := member(member(l.node, "clusters"), host); n != nil {
		c.given, c.own = n.Value, false
	} else if n := member(l.node, "cluster"); n != nil && c.own {
		c.given = n.Value
	}
	l.calls = append(l.calls, c)
}

func newDestination(c call) *destination {
	u, err := url.Parse(c.address)
	if err != nil {
		u = new(url.URL) // cannot be: the settings were accepted
	}
	d := &destination{Host: strings.ToLower(u.Hostname()), TLS: u.Scheme == "https", Port: 80, Uses: []string{c.use}, Certificate: c.shows}
	if d.TLS {
		d.Port = 443
	}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		d.Port = port
	}
	return d
}

// istioName is what Istio calls the cluster of a ServiceEntry's port.
func (d *destination) istioName() string {
	return "outbound|" + strconv.Itoa(d.Port) + "||" + d.Host
}

// address is host:port.
func (d *destination) address() string { return address{d.Host, d.Port}.String() }

// envoyName is the cluster's name: the settings', unless it already leads
// elsewhere, or else one of ours.
func (s *Settings) envoyName(c call, d *destination, taken map[string]string) string {
	leads := d.address() + strconv.FormatBool(d.TLS)
	if c.given == "" {
		for _, o := range s.reached {
			if o.address() == d.address() && o.TLS == d.TLS {
				s.note("Settings of %s named no cluster for %s; it is %s.", c.name, d.Host, o.Cluster)
				return o.Cluster
			}
		}
	}
	usual := c.name
	if !c.own {
		usual = strings.Map(dashed, d.Host)
	}
	name := cmp.Or(c.given, usual)
	for n := 2; taken[name] != "" && taken[name] != leads; n++ {
		if name = usual; n > 2 {
			name = usual + "-" + strconv.Itoa(n-1)
		}
	}
	switch {
	case c.given == "":
		s.note("Settings of %s named no cluster for %s; it is %s.", c.name, d.Host, name)
	case c.given != name:
		s.note("In the settings of %s the cluster %s led to several hosts; for %s it is %s.", c.name, c.given, d.Host, name)
	}
	taken[name] = leads
	return name
}

func dashed(c rune) rune {
	if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
		return c
	}
	return '-'
}

// nameCluster writes the cluster's name into the settings.
func (s *Settings) nameCluster(c call, name string, istio bool) {
	if c.given == name {
		return
	}
	if istio && c.given != "" {
		s.note("For %s the cluster %s of the settings is %s here.", c.name, c.given, name)
	}
	if c.own || member(c.provider, "cluster") == nil {
		set(c.provider, "cluster", name, "name", "type", "tenant", "issuer", "insecure_issuer")
	}
	if c.own {
		return
	}
	all := member(c.provider, "clusters")
	if all == nil {
		all = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		put(c.provider, "clusters", all, "cluster")
	}
	set(all, hostOf(c.address), name)
}

// base is an address's scheme and host.
func base(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// hostOf is an address's host as clusters name it.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return config.HostOf(u)
}

// sortedKeys are the keys of an object.
func sortedKeys(n *yaml.Node) (keys []string) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		keys = append(keys, n.Content[i].Value)
	}
	slices.Sort(keys)
	return keys
}
