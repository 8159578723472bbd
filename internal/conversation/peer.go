package conversation

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// Peer is who is at the other end of a request's connection.
type Peer struct {
	Address     string // without port; "" for one that nobody gave
	Certificate *Certificate
}

// Certificate is what a host tells of a peer's certificate.
type Certificate struct {
	SHA256   string // hexadecimal
	URI, DNS string
}

// defaultPeer is the address of who comes without one.
const defaultPeer = "127.0.0.1"

// newCertificate is the certificate of a name, with a digest of its own and with
// names of its own where none are given: "name uri=… dns=…".
func newCertificate(text string) (*Certificate, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil, fmt.Errorf("a certificate has a name")
	}
	c := &Certificate{SHA256: certificateDigest(words[0]), URI: "spiffe://example.com/" + words[0], DNS: words[0] + ".example.com"}
	for _, w := range words[1:] {
		switch kind, name, _ := strings.Cut(w, "="); kind {
		case "uri":
			c.URI = name
		case "dns":
			c.DNS = name
		default:
			return nil, fmt.Errorf("%q is neither uri= nor dns=", w)
		}
	}
	return c, nil
}

// certificateDigest is the digest of a name's certificate, in hexadecimal.
func certificateDigest(name string) string {
	sum := sha256.Sum256([]byte("certificate of " + name))
	return hex.EncodeToString(sum[:])
}

// certificateHash is the same as a token names it (RFC 8705, section 3.1).
func certificateHash(name string) (string, error) {
	sum := sha256.Sum256([]byte("certificate of " + name))
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// The directions of listeners.
const (
	inbound  = "inbound"
	outbound = "outbound"
)

// nativeConnection is what a gate can find out about the connection of the
// request that it handles. To ask at any other time is a mistake, for a host
// would then tell of another one.
type nativeConnection struct {
	direction string
	request   *Request
}

// of begins to tell of a request, or ends to.
func (c *nativeConnection) of(r *Request) { c.request = r }

func (c *nativeConnection) peer() Peer {
	switch {
	case c.request == nil:
		panic("conversation: asked about a connection when no request is being handled")
	case c.request.Peer == nil:
		return Peer{Address: defaultPeer}
	}
	return *c.request.Peer
}

// Address implements gate.Connection.
func (c *nativeConnection) Address() string { return c.peer().Address }

// CertificateDigest implements gate.Connection.
func (c *nativeConnection) CertificateDigest() string {
	if shown := c.peer().Certificate; shown != nil {
		return shown.SHA256
	}
	return ""
}

// CertificateNames implements gate.Connection.
func (c *nativeConnection) CertificateNames() []string {
	if shown := c.peer().Certificate; shown != nil {
		return []string{shown.URI, shown.DNS}
	}
	return nil
}

// Outbound implements gate.Connection.
func (c *nativeConnection) Outbound() (out, known bool) {
	c.peer()
	return c.direction == outbound, c.direction != ""
}
