package plugin

import (
	"encoding/binary"
	"strings"

	"github.com/postern-auth/postern/internal/abi"
)

// connection is what the host knows of the connection that the request at hand
// came on. Nothing is asked before the gate asks: each answer is a host call,
// and most requests need none. What the host does not know is empty.
type connection struct{}

// Address is the peer's address without its port, or "" where the peer has
// none. Where Envoy takes it from X-Forwarded-For (use_remote_address: false),
// a client may choose it.
func (connection) Address() string {
	address := attribute("source", "address")
	colon := strings.LastIndexByte(address, ':')
	if colon < 0 {
		return ""
	}
	host := address[:colon]
	if bare, ok := strings.CutPrefix(host, "["); ok {
		return strings.TrimSuffix(bare, "]")
	}
	return host
}

// CertificateDigest is the SHA-256 of the peer's certificate in hexadecimal, or
// "" where it has shown none. Who showed it has its private key, whoever issued
// it.
func (connection) CertificateDigest() string {
	if !certified() {
		return ""
	}
	return attribute("connection", "sha256_peer_certificate_digest")
}

// CertificateNames are the first URI and the first DNS name in the peer's
// certificate: the host tells no others. They are worth what the listener's
// validation of certificates is worth; Envoy tells a certificate that it was
// told to accept unverified like any other.
func (connection) CertificateNames() (names []string) {
	if !certified() {
		return nil
	}
	for _, kind := range []string{"uri_san_peer_certificate", "dns_san_peer_certificate"} {
		if name := attribute("connection", kind); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// certified reports whether the peer has shown a certificate.
func certified() bool { return attribute("connection", "mtls") == "\x01" }

// istioGateway begins the id of a proxy that Istio runs as a gateway.
const istioGateway = "router~"

// attribute is a text attribute of the host, or "" where it has none.
func attribute(path ...string) string {
	value, err := abi.Property(path...)
	if err != nil {
		return ""
	}
	return string(value)
}

// The directions of Envoy's listeners (core.v3.TrafficDirection).
const (
	directionInbound  = 1
	directionOutbound = 2
)

// Outbound reports whether the request at hand came to a listener for what
// applications send; known is false where the listener does not say what it is
// for. Envoy answers within a stream only, not while it hands over the settings.
// Istio has its gateways' listeners say outbound as well, though clients come
// to them: there the direction says nothing.
func (connection) Outbound() (outbound, known bool) {
	if strings.HasPrefix(attribute("xds", "node", "id"), istioGateway) {
		return false, false
	}
	value := attribute("xds", "listener_direction")
	if len(value) != 8 {
		return false, false
	}
	direction := binary.LittleEndian.Uint64([]byte(value))
	return direction == directionOutbound, direction == directionInbound || direction == directionOutbound
}
