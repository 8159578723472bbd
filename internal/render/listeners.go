package render

import (
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/config"
)

// listeners adds those that the settings have a use for: one that protects, one
// for what the application sends, or both.
func (b *builder) listeners(upstreams []upstream) error {
	if len(b.s.Hosts) > 0 || b.s.PublicURL != "" {
		if err := b.inbound(upstreams); err != nil {
			return err
		}
	}
	if len(b.s.Outbound) == 0 {
		return nil
	}
	return b.outbound(upstreams)
}

func (b *builder) listener(name string, at address) *listener {
	l := &listener{Name: name, Address: at, HeadersKB: 60, SessionBytes: b.s.Session.MaxBytes, LogsDecisions: b.s.Log.Properties}
	if l.SessionBytes > 40<<10 {
		l.HeadersKB = 96 // the most that every Envoy takes
	}
	b.out.Listeners = append(b.out.Listeners, l)
	return l
}

func (b *builder) inbound(upstreams []upstream) error {
	at, err := parseAddress("listen", b.o.Listen)
	if err != nil {
		return err
	}
	l := b.listener("http", at)
	l.Hops = b.o.Hops
	switch {
	case b.o.Sidecar:
		l.Name, l.Direction = "inbound", "INBOUND"
		if at.loopback() {
			l.Comment = "loopback: the proxy in front reaches it, and nobody else"
		}
	case len(b.s.Outbound) > 0:
		l.Name, l.Direction = "inbound", "INBOUND" // Postern tells the two sides apart by it
	}
	b.route(l, upstreams)
	if b.byCertificate() && b.o.PeerCA == "" {
		b.note("The settings look at callers' certificates, which Envoy has to verify: name the authorities (peer-ca).")
	}
	if b.o.Certificate == "" {
		if l.Hops == 0 && !b.s.InsecureHTTPCookies {
			b.note("The listener speaks http, and cookies are Secure: something in front has to speak https, or give a certificate and its key. With a proxy in front, say how many there are (hops).")
		}
		return nil
	}
	if l.Direction == "" {
		l.Name = "https"
	}
	l.TLS = &tlsFiles{b.o.Certificate, b.o.Key, b.o.PeerCA}
	if b.o.HTTP3 {
		l.AltSvc = at.Port
		quic := *l
		quic.Name, quic.QUIC = "http3", true
		b.out.Listeners = append(b.out.Listeners, &quic)
	}
	return b.redirect(at.Port)
}

// byCertificate reports whether settings look at the certificates of callers.
func (b *builder) byCertificate() bool {
	return len(b.s.TrustedPeers.SANs) > 0 ||
		slices.ContainsFunc(b.s.Bearer, func(t config.Bearer) bool { return t.Bound == "certificate" || t.Bound == "always" })
}

// redirect adds a listener that sends browsers on to https.
func (b *builder) redirect(port int) error {
	if b.o.HTTPRedirect == "" {
		return nil
	}
	at, err := parseAddress("http-redirect", b.o.HTTPRedirect)
	if err != nil {
		return err
	}
	l := b.listener("redirect", at)
	l.Redirect = true
	l.Hosts = []virtualHost{{Name: "to-https", Domains: []string{"*"}, HTTPSPort: port}}
	return nil
}

// route leads requests to the applications: those for a host that has one of its
// own, and all others.
func (b *builder) route(l *listener, upstreams []upstream) {
	called := b.calledHosts()
	rest := upstream{address: address{"127.0.0.1", 3000}}
	given := false
	for _, u := range upstreams {
		if u.host == "" {
			rest, given = u, true
			continue
		}
		if slices.Contains(called, u.host) {
			continue
		}
		if !b.s.AllowsHost(u.host, "") && !b.anyPort(u.host) {
			b.note("%s is none of the settings' hosts: requests for it are answered 421.", u.host)
		}
		l.IgnorePort = true
		name := strings.Map(dashed, u.host)
		l.Hosts = append(l.Hosts, virtualHost{Name: name, Domains: []string{u.host}, Cluster: b.addCluster(name, "the application of "+u.host, u)})
	}
	if given || len(l.Hosts) == 0 {
		if !given {
			b.note("No application was named; it is taken to be at %s.", rest.address)
		}
		l.Hosts = append(l.Hosts, virtualHost{Name: "app", Domains: []string{"*"}, Cluster: b.addCluster("app", "the application", rest)})
		return
	}
	login := hostname(b.s.PublicURL)
	if login != "" && !slices.ContainsFunc(l.Hosts, func(h virtualHost) bool { return h.Domains[0] == login }) {
		// Envoy has to serve the host, or Postern never sees its requests.
		l.Hosts[0].Domains = append(l.Hosts[0].Domains, login)
	}
}

// anyPort reports whether the settings serve a host at some port.
func (b *builder) anyPort(host string) bool {
	return slices.ContainsFunc(b.s.Hosts, func(p config.HostPattern) bool {
		name, own, below := p.Name()
		return own && name == host || below && strings.HasSuffix(host, "."+name)
	}) || hostname(b.s.PublicURL) == host
}

// outbound adds the listener to which the application sends its calls.
func (b *builder) outbound(upstreams []upstream) error {
	at, err := parseAddress("outbound-listen", b.o.Outbound)
	if err != nil {
		return err
	}
	l := b.listener("outbound", at)
	l.Direction, l.Outgoing = "OUTBOUND", true
	l.Comment = "the application sends its calls here: nothing is protected, so loopback only"
	l.IgnorePort = true
	if !at.loopback() {
		l.Comment = "nothing is protected here: whoever reaches it calls in the application's name"
		b.note("The listener for calls is at %s: whoever reaches it calls in the application's name.", at)
	}
	for _, host := range b.calledHosts() {
		i := slices.IndexFunc(upstreams, func(u upstream) bool { return u.host == host })
		u := upstream{host: host, address: address{host, 443}, tls: true}
		if i >= 0 {
			u = upstreams[i]
		}
		name := strings.Map(dashed, host)
		l.Hosts = append(l.Hosts, virtualHost{Name: name, Domains: []string{host}, Cluster: b.addCluster(name, "called by the application", u)})
	}
	if len(l.Hosts) == 0 {
		l.Hosts = []virtualHost{{Name: "called", Domains: []string{"*"}, Cluster: b.addCluster("called", "where calls go", upstream{address: address{"127.0.0.1", 8081}})}}
		b.note("The settings name no single host in outbound: calls are sent to 127.0.0.1:8081; change the cluster called.")
	}
	return nil
}

// calledHosts are the single hosts that outbound names.
func (b *builder) calledHosts() (hosts []string) {
	for i := range b.s.Outbound {
		for _, p := range b.s.Outbound[i].Match.Hosts {
			name, own, below := p.Name()
			switch {
			case below:
				b.noteOnce("outbound names all hosts below " + name + ": add a route for each that is called.")
			case own && !slices.Contains(hosts, name):
				hosts = append(hosts, name)
			}
		}
	}
	return hosts
}

func (b *builder) noteOnce(text string) {
	if !slices.Contains(b.notes, text) {
		b.notes = append(b.notes, text)
	}
}

// hostname is the host of an address, without its port.
func hostname(address string) string {
	host := hostOf(address)
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return host
}
