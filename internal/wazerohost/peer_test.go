package wazerohost

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The answers are those of real Envoys; e2e asks them the same.
func TestAModuleLearnsWhoIsAtTheOtherEnd(t *testing.T) {
	full := &PeerCertificate{SHA256: "0a1b", URI: "spiffe://a/b", DNS: "a.example"}
	for name, tt := range map[string]struct {
		peer       Peer
		path, want string
	}{
		"an address":                     {Peer{Address: "192.0.2.7:4711"}, "source.address", `0 "192.0.2.7:4711"`},
		"a port":                         {Peer{Address: "192.0.2.7:64"}, "source.port", `0 "@\x00\x00\x00\x00\x00\x00\x00"`},
		"a certificate":                  {Peer{Certificate: full}, "connection.mtls", `0 "\x01"`},
		"its digest":                     {Peer{Certificate: full}, "connection.sha256_peer_certificate_digest", `0 "0a1b"`},
		"its URI":                        {Peer{Certificate: full}, "connection.uri_san_peer_certificate", `0 "spiffe://a/b"`},
		"its DNS name":                   {Peer{Certificate: full}, "connection.dns_san_peer_certificate", `0 "a.example"`},
		"a name that it lacks":           {Peer{Certificate: &PeerCertificate{SHA256: "0a1b"}}, "connection.uri_san_peer_certificate", `1 ""`},
		"no certificate":                 {Peer{}, "connection.mtls", `0 "\x00"`},
		"no certificate, hence no names": {Peer{}, "connection.uri_san_peer_certificate", `1 ""`},
		"nor a digest":                   {Peer{}, "connection.sha256_peer_certificate_digest", `1 ""`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "request_headers: property "+tt.path)
			r.OpenFrom(0, tt.peer, [][2]string{{":method", "GET"}, {":path", "/"}, {":authority", "a"}, {"x-forwarded-for", "198.51.100.1"}}, true)
			r.wantLog("request_headers: property " + tt.path + " -> " + tt.want)
		})
	}
}

func TestAForwardedAddressIsThePeers(t *testing.T) {
	r := newRig(t, "request_headers: property source.address")
	for forwarded, want := range map[string]string{
		"198.51.100.1, 192.0.2.7": "192.0.2.7:0", "2001:db8::7": "[2001:db8::7]:0",
		"nonsense": "127.0.0.1:40000", "": "127.0.0.1:40000",
	} {
		r.get([2]string{"x-forwarded-for", forwarded})
		r.wantLog(`request_headers: property source.address -> 0 "` + want + `"`)
	}
}

func TestAListenersDirectionIsToldWithinAStreamOnly(t *testing.T) {
	const path = "xds.listener_direction"
	for direction, want := range map[Direction]string{
		Unspecified: `0 "\x00\x00\x00\x00\x00\x00\x00\x00"`, Inbound: `0 "\x01\x00\x00\x00\x00\x00\x00\x00"`, Outbound: `0 "\x02\x00\x00\x00\x00\x00\x00\x00"`,
	} {
		r := newRig(t, "configure: tick 1000; return 1\ntick: property "+path+"\nrequest_headers: property "+path, func(c *Config) { c.Direction = direction })
		r.Tick()
		r.wantLog("tick: property " + path + ` -> 1 ""`)
		r.get()
		r.wantLog("request_headers: property " + path + " -> " + want)
	}
}

func TestAPeerOverHTTPIsReadFromItsConnection(t *testing.T) {
	shown := &x509.Certificate{
		Raw: []byte("der"), DNSNames: []string{"a.example", "b.example"}, URIs: []*url.URL{{Scheme: "spiffe", Host: "a", Path: "/b"}},
	}
	for name, tt := range map[string]struct {
		request http.Request
		want    Peer
	}{
		"a plain one":     {http.Request{RemoteAddr: "192.0.2.7:1"}, Peer{Address: "192.0.2.7:1"}},
		"a forwarded one": {http.Request{RemoteAddr: "192.0.2.7:1", Header: http.Header{"X-Forwarded-For": {"198.51.100.1"}}}, Peer{}},
		"without a certificate": {
			http.Request{RemoteAddr: "192.0.2.7:1", TLS: &tls.ConnectionState{}}, Peer{Address: "192.0.2.7:1"}},
		"with a certificate": {
			http.Request{RemoteAddr: "192.0.2.7:1", TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{shown}}},
			Peer{Address: "192.0.2.7:1", Certificate: &PeerCertificate{
				SHA256: "5050d80d22ecd471ea55df7034042c1e041341ff4066e7f6ff38e20b720df8ea", URI: "spiffe://a/b", DNS: "a.example"}}},
	} {
		if diff := cmp.Diff(tt.want, peerOf(&tt.request)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
