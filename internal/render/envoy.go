package render

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/metric"
)

// EnvoyOptions say what an Envoy is to be like around the settings. What is left
// out has the value that its comment names.
type EnvoyOptions struct {
	Listen    string   // host:port; 0.0.0.0:8080, and 127.0.0.1:8080 with Sidecar
	Outbound  string   // host:port for what the application sends; 127.0.0.1:15001
	Upstreams []string // [HOST=][https://]host:port; 127.0.0.1:3000
	Connect   []string // HOST=host:port: where a host of the settings is in truth
	Webdis    string   // host:port; 127.0.0.1:7379
	Module    string   // file; /etc/postern/postern.wasm
	Admin     string   // host:port; 127.0.0.1:9901
	CA        string   // file; /etc/ssl/certs/ca-certificates.crt

	Certificate, Key             string // files, of the listener; it speaks TLS with them
	PeerCA                       string // file; those who call with a certificate are verified by it
	ClientCertificate, ClientKey string // files, shown to providers whose settings want that

	Sidecar      bool   // beside one application, behind a proxy
	Hops         int    // how many proxies are in front; as trusted_peers.hops, else 1 with Sidecar
	HTTP3        bool   // and HTTP/2 and 1.1
	HTTPRedirect string // host:port of a listener that sends on to https

	Command string // how it was made, for the head of the file
}

// Defaults of options.
const (
	DefaultModule = "/etc/postern/postern.wasm"
	DefaultCA     = "/etc/ssl/certs/ca-certificates.crt"
	DefaultAdmin  = "127.0.0.1:9901"
)

func (o EnvoyOptions) withDefaults(s *Settings) EnvoyOptions {
	o.Module, o.CA, o.Admin = cmp.Or(o.Module, DefaultModule), cmp.Or(o.CA, DefaultCA), cmp.Or(o.Admin, DefaultAdmin)
	o.Outbound = cmp.Or(o.Outbound, "127.0.0.1:15001")
	o.Webdis = cmp.Or(o.Webdis, "127.0.0.1:7379")
	o.ClientCertificate = cmp.Or(o.ClientCertificate, "/etc/postern/client.crt")
	o.ClientKey = cmp.Or(o.ClientKey, "/etc/postern/client.key")
	if o.Listen == "" {
		if o.Listen = "0.0.0.0:8080"; o.Sidecar {
			o.Listen = "127.0.0.1:8080"
		}
	}
	if o.Hops == 0 {
		o.Hops = s.TrustedPeers.Hops
	}
	if o.Hops == 0 && o.Sidecar {
		o.Hops = 1
	}
	return o
}

func (o EnvoyOptions) contradiction() error {
	switch {
	case (o.Certificate == "") != (o.Key == ""):
		return wrong("a certificate and its key go together")
	case o.HTTP3 && o.Certificate == "":
		return wrong("HTTP/3 wants a certificate and its key")
	case o.PeerCA != "" && o.Certificate == "":
		return wrong("callers show no certificate where the listener has none")
	case o.HTTPRedirect != "" && o.Certificate == "":
		return wrong("there is no https to send on to without a certificate and its key")
	case o.Hops < 0 || o.Hops > 16:
		return wrong("hops are a number from 0 to 16")
	}
	return nil
}

// The parts of a bootstrap, as the template takes them.
type (
	bootstrap struct {
		Command      string
		Env          []string
		Admin        address
		AdminComment string
		Labels       []string
		Listeners    []*listener
		Clusters     []*cluster
	}
	listener struct {
		Name, Comment, Direction string
		Address                  address
		QUIC, Redirect, Outgoing bool
		LogsDecisions            bool
		Hops                     int
		HeadersKB, SessionBytes  int
		IgnorePort               bool
		Hosts                    []virtualHost
		AltSvc                   int
		Filter                   *filter // nil where another listener has it
		Shared                   bool
		TLS                      *tlsFiles
	}
	virtualHost struct {
		Name      string
		Domains   []string
		Cluster   string
		HTTPSPort int
	}
	filter struct {
		Module, Settings string
		Env              []string
	}
	cluster struct {
		Name, Comment, DNS string
		Address            address
		Provider           bool
		TLS                *upstreamTLS
	}
	tlsFiles    struct{ Certificate, Key, PeerCA string }
	upstreamTLS struct {
		SNI, Name, CA    string
		Certificate, Key string
	}
)

// Envoy renders a complete bootstrap.
func Envoy(s *Settings, o EnvoyOptions) (*Output, error) {
	o = o.withDefaults(s)
	if err := o.contradiction(); err != nil {
		return nil, err
	}
	b := &builder{s: s, o: o, notes: slices.Clone(s.Notes)}
	if err := b.build(); err != nil {
		return nil, err
	}
	text, err := execute("envoy", b.out)
	if err != nil {
		return nil, err
	}
	return &Output{Files: []File{{Text: text}}, Notes: b.notes}, nil
}

// builder makes a bootstrap.
type builder struct {
	s     *Settings
	o     EnvoyOptions
	out   bootstrap
	notes []string
}

func (b *builder) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

func (b *builder) build() (err error) {
	b.out = bootstrap{Command: b.o.Command, Env: b.s.variableNames(), Labels: metric.Labels()}
	if b.out.Admin, err = parseAddress("admin", b.o.Admin); err != nil {
		return err
	}
	b.out.AdminComment = "loopback: it can end Envoy, and shows its settings"
	if !b.out.Admin.loopback() {
		b.out.AdminComment = "whoever reaches it can end Envoy, and read its settings"
		b.note("The admin interface is at %s: whoever reaches it can end Envoy, and read its settings.", b.out.Admin)
	}
	upstreams, err := b.upstreams()
	if err != nil {
		return err
	}
	if err := b.listeners(upstreams); err != nil {
		return err
	}
	if err := b.providers(); err != nil {
		return err
	}
	b.share()
	return nil
}

// share puts the filter into the first listener that has one; the others name it.
func (b *builder) share() {
	var with []*listener
	for _, l := range b.out.Listeners {
		if !l.Redirect {
			with = append(with, l)
		}
	}
	with[0].Filter = &filter{Module: b.o.Module, Settings: b.s.YAML(), Env: b.out.Env}
	with[0].Shared = len(with) > 1
}

// upstreams are the applications, and the services that are called.
func (b *builder) upstreams() (all []upstream, err error) {
	for _, text := range b.o.Upstreams {
		u, err := parseUpstream(text)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(o upstream) bool { return o.host == u.host }) {
			return nil, wrong("upstream: %q is given twice", cmp.Or(u.host, "the one for all hosts"))
		}
		all = append(all, u)
	}
	return all, nil
}

// addCluster adds one for an upstream and returns its name.
func (b *builder) addCluster(name, comment string, u upstream) string {
	c := &cluster{Name: b.freeName(name), Comment: comment, Address: u.address}
	if c.Address.isName() {
		c.DNS = "STRICT_DNS"
	}
	if u.tls {
		c.TLS = b.verified(u.address.Host)
	}
	b.out.Clusters = append(b.out.Clusters, c)
	return c.Name
}

// freeName is a name that no cluster has, and none of the settings'.
func (b *builder) freeName(name string) string {
	free := name
	for n := 2; b.taken(free); n++ {
		free = name + "-" + strconv.Itoa(n)
	}
	return free
}

func (b *builder) taken(name string) bool {
	w := b.s.Session.Store.Webdis
	return w != nil && w.Cluster == name ||
		slices.ContainsFunc(b.out.Clusters, func(c *cluster) bool { return c.Name == name }) ||
		slices.ContainsFunc(b.s.reached, func(d *destination) bool { return d.Cluster == name })
}

// verified is TLS to a host whose certificate is verified.
func (b *builder) verified(host string) *upstreamTLS {
	t := &upstreamTLS{Name: host, CA: b.o.CA}
	if (address{Host: host}).isName() {
		t.SNI = host
	}
	return t
}

// providers adds the clusters that the settings name.
func (b *builder) providers() error {
	elsewhere, err := b.elsewhere()
	if err != nil {
		return err
	}
	for _, d := range b.s.reached {
		c := &cluster{Name: d.Cluster, Comment: strings.Join(d.Uses, ", "), Address: address{d.Host, d.Port}, Provider: true}
		if to, there := elsewhere[d.Host]; there {
			c.Address = to
		}
		if c.Address.isName() {
			c.DNS = "LOGICAL_DNS"
		}
		if d.TLS {
			c.TLS = b.verified(d.Host)
			if d.Certificate {
				c.TLS.Certificate, c.TLS.Key = b.o.ClientCertificate, b.o.ClientKey
				b.note("To %s the client proves itself by the certificate in %s.", d.Host, b.o.ClientCertificate)
			}
		}
		b.out.Clusters = append(b.out.Clusters, c)
	}
	if w := b.s.Session.Store.Webdis; w != nil {
		to, err := parseAddress("webdis", b.o.Webdis)
		if err != nil {
			return err
		}
		c := &cluster{Name: w.Cluster, Comment: "Webdis, on loopback or behind something that protects the connection", Address: to}
		if to.isName() {
			c.DNS = "STRICT_DNS"
		}
		b.out.Clusters = append(b.out.Clusters, c)
	}
	return nil
}

// elsewhere are hosts of the settings that are in truth at another address.
func (b *builder) elsewhere() (map[string]address, error) {
	all := map[string]address{}
	for _, text := range b.o.Connect {
		host, to, named := strings.Cut(text, "=")
		if !named {
			return nil, wrong("connect-to: %q is not HOST=host:port", text)
		}
		host = strings.Trim(strings.ToLower(host), "[]")
		if !slices.ContainsFunc(b.s.reached, func(d *destination) bool { return d.Host == host }) {
			return nil, wrong("connect-to: the settings reach no host %q", host)
		}
		a, err := parseAddress("connect-to", to)
		if err != nil {
			return nil, err
		}
		all[host] = a
	}
	return all, nil
}
