package gate

import (
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/bearer"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// Connection is what the host knows of the connection of the request that is
// being handled. It is asked within Handle only.
type Connection interface {
	// Address is the peer's, without its port; "" where it is not known.
	Address() string
	// CertificateDigest is the SHA-256 hash of the peer's certificate in hex; ""
	// where the peer showed none.
	CertificateDigest() string
	// CertificateNames are the URI and DNS names in that certificate.
	CertificateNames() []string
	// Outbound reports whether the listener is for what an application sends;
	// known is false where it does not say.
	Outbound() (outbound, known bool)
}

// trusted reports whether the peer that a request came from is believed about
// who sent it. What is wanted later has to be asked while the request is being
// handled.
func (g *Gate) trusted(q *request) bool {
	if q.trusted == nil {
		trusted := g.trustsPeer()
		q.trusted = &trusted
	}
	return *q.trusted
}

func (g *Gate) trustsPeer() bool {
	t := &g.settings.TrustedPeers
	if t.Listener || len(t.SANs) == 0 {
		return t.Listener
	}
	return slices.ContainsFunc(g.connection.CertificateNames(), func(name string) bool {
		return slices.Contains(t.SANs, name)
	})
}

// peer is who sent a request, as far as it was asked for.
type peer struct {
	g *Gate
	q *request

	ip, certificate *string
	method, address string // what a proof of possession must be for
}

var _ bearer.Peer = (*peer)(nil)

// IP implements bearer.Peer.
func (p *peer) IP() string {
	if p.ip == nil {
		ip := p.g.callerAddress(p.q)
		p.ip = &ip
	}
	return *p.ip
}

// Certificate implements bearer.Peer.
func (p *peer) Certificate() string {
	if p.certificate == nil {
		certificate := p.g.callerCertificate(p.q)
		p.certificate = &certificate
	}
	return *p.certificate
}

// settle finds out what can be known only while the request is being handled,
// as far as it may be wanted later.
func (p *peer) settle() {
	if p.g.tokens.WantsAddress() {
		p.IP()
	}
	p.Certificate()
}

// callerAddress is the address of whoever sent a request.
func (g *Gate) callerAddress(q *request) string {
	hops := g.settings.TrustedPeers.Hops
	if hops == 0 {
		return g.connection.Address()
	}
	if !g.trusted(q) {
		return ""
	}
	address, _ := httpmsg.ForwardedFor(q.Header, hops)
	return address
}

// callerCertificate is the hash of the certificate of whoever sent a request:
// as a trusted peer says that it saw it, or the peer's own.
func (g *Gate) callerCertificate(q *request) string {
	if value, forwarded := q.Header.Get("x-forwarded-client-cert"); forwarded && g.trusted(q) {
		certs, err := httpmsg.ParseXFCC(value)
		if _, once := q.Header.Only("x-forwarded-client-cert"); err != nil || !once || len(certs) == 0 {
			return ""
		}
		hash, _ := bearer.CertificateHash(certs[len(certs)-1].Hash)
		return hash
	}
	hash, _ := bearer.CertificateHash(g.connection.CertificateDigest())
	return hash
}

// proven is the method and the address that a proof of possession must be for:
// those of the request, or of the one that another proxy asks about.
func (g *Gate) proven(q *request) (method, address string) {
	if !g.isAuth(q.target.Path) {
		path, _, _ := strings.Cut(q.Target, "?")
		return q.Method, g.origin(q) + path
	}
	method, address = g.asked(q)
	if strings.HasPrefix(address, "/") {
		address = g.origin(q) + address
	}
	return method, address
}

// asked is the method and the address of the request that another proxy asks
// about: an absolute address, a path on this host, or "" where it is not told.
func (g *Gate) asked(q *request) (method, address string) {
	path, _, _ := strings.Cut(q.Target, "?")
	if rest, ok := strings.CutPrefix(path, g.paths.auth); ok && rest != "" {
		return q.Method, rest
	}
	address = g.originalAddress(q)
	for _, name := range []string{"x-original-method", "x-forwarded-method"} {
		if method, once := q.Header.Only(name); once && address != "" {
			return method, address
		}
	}
	return q.Method, address
}

// askedAbout is asked for rules: all methods and all addresses that a trusted
// peer names. A proxy sets some of these fields and hands on the others as the
// client sent them, and which it sets cannot be told: so none of them makes up
// for another, and what each of them needs is needed. X-Auth-Request-Redirect
// says where a browser is to return to, which need not be what it asks for. It is
// false where a field came twice.
func (g *Gate) askedAbout(q *request) (methods, addresses []string, once bool) {
	path, _, _ := strings.Cut(q.Target, "?")
	if rest, ok := strings.CutPrefix(path, g.paths.auth); ok && rest != "" {
		return []string{q.Method}, []string{rest}, true
	}
	once = true
	field := func(name string) (value string, there bool) {
		if value, there = q.Header.Get(name); there {
			_, only := q.Header.Only(name)
			once = once && only
		}
		return value, there
	}
	if address, there := field("x-original-url"); there {
		addresses = append(addresses, address)
	}
	host, elsewhere := field("x-forwarded-host")
	if address, there := field("x-forwarded-uri"); there {
		if elsewhere {
			address = g.scheme() + "://" + host + address
		}
		addresses = append(addresses, address)
	}
	for _, name := range []string{"x-original-method", "x-forwarded-method"} {
		if method, there := field(name); there {
			methods = append(methods, method)
		}
	}
	if len(methods) == 0 {
		methods = []string{q.Method}
	}
	if len(addresses) == 0 {
		addresses = []string{""}
	}
	return methods, addresses, once
}

// originalAddress is where a browser wanted to go, as a trusted peer says that
// it does; "" where none says so.
func (g *Gate) originalAddress(q *request) string {
	if !g.trusted(q) {
		return ""
	}
	for _, name := range []string{"x-auth-request-redirect", "x-original-url"} {
		if address, once := q.Header.Only(name); once {
			return address
		}
	}
	uri, once := q.Header.Only("x-forwarded-uri")
	if !once {
		return ""
	}
	proto, hasProto := q.Header.Only("x-forwarded-proto")
	host, hasHost := q.Header.Only("x-forwarded-host")
	if !hasProto || !hasHost {
		return uri
	}
	return proto + "://" + host + uri
}
