package plugin

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/abi/abitest"
)

func TestAConnectionIsWhatTheHostKnowsOfIt(t *testing.T) {
	type told struct {
		Address, Digest string
		Names           []string
	}
	const digest = "connection.sha256_peer_certificate_digest"
	for name, test := range map[string]struct {
		host map[string]string
		want told
	}{
		"a host that knows nothing": {nil, told{}},
		"an address of four bytes":  {map[string]string{"source.address": "192.0.2.7:40000"}, told{Address: "192.0.2.7"}},
		"an address that was forwarded has port 0": {
			map[string]string{"source.address": "192.0.2.7:0"}, told{Address: "192.0.2.7"}},
		"an address of sixteen bytes": {map[string]string{"source.address": "[2001:db8::7]:40000"}, told{Address: "2001:db8::7"}},
		"a peer without an address":   {map[string]string{"source.address": "@/run/app.sock"}, told{}},
		"a certificate with both names": {
			map[string]string{"connection.mtls": "\x01", digest: "0a1b", "connection.uri_san_peer_certificate": "spiffe://a/b", "connection.dns_san_peer_certificate": "a.example"},
			told{Digest: "0a1b", Names: []string{"spiffe://a/b", "a.example"}}},
		"a certificate with one name": {
			map[string]string{"connection.mtls": "\x01", digest: "0a1b", "connection.dns_san_peer_certificate": "a.example"},
			told{Digest: "0a1b", Names: []string{"a.example"}}},
		"without mutual TLS nothing counts as the peer's": {
			map[string]string{"connection.mtls": "\x00", digest: "0a1b", "connection.uri_san_peer_certificate": "spiffe://a/b"}, told{}},
		"a host that does not say whether there is a certificate": {
			map[string]string{digest: "0a1b", "connection.uri_san_peer_certificate": "spiffe://a/b"}, told{}},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := abitest.New(t)
			h.Properties = test.host
			c := connection{}
			if diff := cmp.Diff(test.want, told{c.Address(), c.CertificateDigest(), c.CertificateNames()}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhichWayAListenerLooks(t *testing.T) {
	for name, test := range map[string]struct {
		answer          string
		outbound, known bool
	}{
		"inbound":                {"\x01\x00\x00\x00\x00\x00\x00\x00", false, true},
		"outbound":               {"\x02\x00\x00\x00\x00\x00\x00\x00", true, true},
		"not said":               {"\x00\x00\x00\x00\x00\x00\x00\x00", false, false},
		"a direction yet to be":  {"\x03\x00\x00\x00\x00\x00\x00\x00", false, false},
		"outbound, then more":    {"\x02\x00\x00\x00\x00\x00\x00\x01", false, false},
		"a number of other size": {"\x02", false, false},
		"nothing":                {"", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := abitest.New(t)
			h.Properties = map[string]string{"xds.listener_direction": test.answer}
			if outbound, known := (connection{}).Outbound(); outbound != test.outbound || known != test.known {
				t.Errorf("outbound %v, known %v", outbound, known)
			}
		})
	}
}

func TestNamesAreNotAskedForWithoutACertificate(t *testing.T) {
	h, _ := abitest.New(t)
	c := counting{h, map[string]int{}}
	_, restore := abi.UseHost(c)
	defer restore()
	connection{}.CertificateNames()
	connection{}.CertificateDigest()
	if c.calls["property"] != 2 {
		t.Errorf("%d host calls", c.calls["property"])
	}
}
