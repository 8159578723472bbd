package wazerohost

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/netip"
	"strings"
)

// Peer is who is at the other end of a request's connection, as Envoy knows it.
type Peer struct {
	// Address is host:port. Where it is empty, it is the last address of
	// X-Forwarded-For with port 0, as Envoy has it without use_remote_address,
	// and without that field one of this machine's.
	Address     string
	Certificate *PeerCertificate // nil where the peer has shown none
}

// PeerCertificate is what Envoy tells of a certificate: of several names of a
// kind the first.
type PeerCertificate struct {
	SHA256   string // hexadecimal
	URI, DNS string // "" for none
}

// OpenFrom is Open for a request of the given peer's.
func (h *Host) OpenFrom(worker int, peer Peer, headers [][2]string, endStream bool) *Stream {
	return h.open(h.workers[worker], newHeaderMap(headers), endStream, func(s *Stream) { s.peer = peer })
}

// peerOf is who sent a request that came over HTTP.
func peerOf(r *http.Request) Peer {
	p := Peer{Address: r.RemoteAddr}
	if r.Header.Get("X-Forwarded-For") != "" {
		p.Address = ""
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return p
	}
	shown := r.TLS.PeerCertificates[0]
	digest := sha256.Sum256(shown.Raw)
	p.Certificate = &PeerCertificate{SHA256: hex.EncodeToString(digest[:])}
	if len(shown.URIs) > 0 {
		p.Certificate.URI = shown.URIs[0].String()
	}
	if len(shown.DNSNames) > 0 {
		p.Certificate.DNS = shown.DNSNames[0]
	}
	return p
}

// remote is the peer's address and port.
func (s *Stream) remote() string {
	if s.peer.Address != "" {
		return s.peer.Address
	}
	hops := strings.Split(s.request.log.value("x-forwarded-for"), ",")
	if last, err := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1])); err == nil {
		return netip.AddrPortFrom(last, 0).String()
	}
	return "127.0.0.1:40000"
}

// connectionProperty answers the attributes of the connection. Without a
// certificate there is none but that there is none.
func (s *Stream) connectionProperty(name string) ([]byte, bool) {
	c := s.peer.Certificate
	switch {
	case name == "mtls" && c == nil:
		return []byte{0}, true
	case name == "mtls":
		return []byte{1}, true
	case c == nil:
		return nil, false
	}
	value := map[string]string{
		"sha256_peer_certificate_digest": c.SHA256,
		"uri_san_peer_certificate":       c.URI,
		"dns_san_peer_certificate":       c.DNS,
	}[name]
	return []byte(value), value != ""
}
