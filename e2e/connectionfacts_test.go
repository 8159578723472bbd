package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestWhatEnvoyKnowsOfAConnection asks each version of Envoy for the attributes
// that Postern reads, and for what it makes of refusals.
func TestWhatEnvoyKnowsOfAConnection(t *testing.T) {
	t.Parallel()
	module := factsModule(t)
	authority := newAuthority(t)
	ForEachEnvoy(t, func(t *testing.T, version string) {
		e := StartEnvoy(t, EnvoySetup{Version: version, Config: "{}", Module: module, Listener: authority.accepts(t, "OUTBOUND")})
		f := connectionFacts{t, "https://" + e.Addr}
		f.certificates(authority)
		f.addresses()
		f.refusals()
		f.direction("OUTBOUND", `"\x02\x00\x00\x00\x00\x00\x00\x00"`)
	})
	for direction, want := range map[string]string{
		"INBOUND": `"\x01\x00\x00\x00\x00\x00\x00\x00"`, "UNSPECIFIED": `"\x00\x00\x00\x00\x00\x00\x00\x00"`,
	} {
		t.Run(direction, func(t *testing.T) {
			e := StartEnvoy(t, EnvoySetup{Config: "{}", Module: module, Listener: authority.accepts(t, direction)})
			connectionFacts{t, "https://" + e.Addr}.direction(direction, want)
		})
	}
}

type connectionFacts struct {
	t    *testing.T
	base string
}

const noAttribute = "abi: proxy_get_property: not found"

// attribute asks over a connection of its own.
func (f connectionFacts) attribute(path string, header http.Header, certificate ...tls.Certificate) string {
	f.t.Helper()
	_, body := f.get("/attribute?path="+path, header, certificate...)
	return body
}

func (f connectionFacts) get(path string, header http.Header, certificate ...tls.Certificate) (*http.Response, string) {
	f.t.Helper()
	req := must(http.NewRequest("GET", f.base+path, nil))(f.t)
	if header != nil {
		req.Header = header
	}
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: certificate}}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		f.t.Fatal(err)
	}
	return res, string(must(drain(res.Body))(f.t))
}

// Of a certificate's names the first of a kind is told, and that a certificate
// was shown says nothing of who issued it.
func (f connectionFacts) certificates(a *authority) {
	stranger := newAuthority(f.t).issue(f.t)
	known := a.issue(f.t)
	digest := func(c tls.Certificate) string {
		return fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(c.Certificate[0])))
	}
	for name, test := range map[string]struct {
		shown []tls.Certificate
		want  map[string]string
	}{
		"none": {nil, map[string]string{
			"mtls": `"\x00"`, "sha256_peer_certificate_digest": noAttribute,
			"uri_san_peer_certificate": noAttribute, "dns_san_peer_certificate": noAttribute}},
		"one of the authority's": {[]tls.Certificate{known}, map[string]string{
			"mtls": `"\x01"`, "sha256_peer_certificate_digest": digest(known),
			"uri_san_peer_certificate": `"spiffe://example.com/one"`, "dns_san_peer_certificate": `"one.example.com"`}},
		"a stranger's, which the listener was told to accept": {[]tls.Certificate{stranger}, map[string]string{
			"mtls": `"\x01"`, "sha256_peer_certificate_digest": digest(stranger),
			"uri_san_peer_certificate": `"spiffe://example.com/one"`, "dns_san_peer_certificate": `"one.example.com"`}},
	} {
		got := map[string]string{}
		for path := range test.want {
			got[path] = f.attribute("connection."+path, nil, test.shown...)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			f.t.Errorf("certificate: %s (-want +got):\n%s", name, diff)
		}
	}
}

// The peer's address is the one that X-Forwarded-For names, where there is one
// and Envoy was not told to use its own.
func (f connectionFacts) addresses() {
	for want, header := range map[string]http.Header{
		`"192.0.2.7:0"`:     {"X-Forwarded-For": {"198.51.100.1, 192.0.2.7"}},
		`"[2001:db8::7]:0"`: {"X-Forwarded-For": {"2001:db8::7"}},
	} {
		if got := f.attribute("source.address", header); got != want {
			f.t.Errorf("with %v the address is %s, not %s", header, got, want)
		}
	}
}

// A listener's direction is told within a stream and under one name only.
func (f connectionFacts) direction(direction, want string) {
	got := map[string]string{}
	for _, path := range []string{"listener_direction", "xds.listener_direction"} {
		got[path] = f.attribute(path, nil)
		_, got[path+" at start"] = f.get("/attribute-at-start?path="+path, nil)
	}
	diff := cmp.Diff(map[string]string{
		"listener_direction": noAttribute, "listener_direction at start": noAttribute,
		"xds.listener_direction": want, "xds.listener_direction at start": noAttribute,
	}, got)
	if diff != "" {
		f.t.Errorf("direction %s (-want +got):\n%s", direction, diff)
	}
	if id := f.attribute("xds.node.id", nil); id != `"e2e"` { // as the bootstrap has it
		f.t.Errorf("the node's id is %s", id)
	}
}

// A refusal of gRPC is status 200 without a body, and its text goes into
// grpc-message, encoded. Envoy knows gRPC by two spellings of the content type;
// gRPC-Web is not among them, and gets the answer as it was made.
func (f connectionFacts) refusals() {
	type answer struct{ Status, Type, GRPC, Message, Body, Own string }
	const problem = "application/problem+json"
	text := url.QueryEscape("a b\n%ä~")
	web := answer{"401", problem, "", "", "a b\n%ä~", "yes"}
	for contentType, want := range map[string]answer{
		"application/grpc":           {"200", "application/grpc", "16", "a b%0A%25%C3%A4%7E", "", "yes"},
		"application/grpc+proto":     {"200", "application/grpc", "16", "a b%0A%25%C3%A4%7E", "", "yes"},
		"application/grpc;charset=x": web,
		"Application/Grpc":           web,
		"application/grpc-web":       web,
		"application/grpc-web-text":  web,
	} {
		for _, status := range []string{"16", ""} { // without one it follows from the 401
			res, body := f.get("/refuse?status=401&grpc="+status+"&body="+text, http.Header{"Content-Type": {contentType}})
			got := answer{res.Status[:3], res.Header.Get("content-type"), res.Header.Get("grpc-status"), res.Header.Get("grpc-message"), body, res.Header.Get("x-own")}
			if diff := cmp.Diff(want, got); diff != "" {
				f.t.Errorf("%s (-want +got):\n%s", contentType, diff)
			}
		}
	}
}

// authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)}
	template := certificateTemplate()
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der := must(x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key))(t)
	a.certificate = must(x509.ParseCertificate(der))(t)
	return a
}

func certificateTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
}

// issue makes a certificate with two names of each kind.
func (a *authority) issue(t testing.TB) tls.Certificate {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := certificateTemplate()
	template.DNSNames = []string{"one.example.com", "two.example.com"}
	template.URIs = []*url.URL{{Scheme: "spiffe", Host: "example.com", Path: "/one"}, {Scheme: "spiffe", Host: "example.com", Path: "/two"}}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	der := must(x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key))(t)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// accepts has a listener speak TLS, and accept certificates, also of others.
func (a *authority) accepts(t testing.TB, direction string) func(map[string]any) {
	t.Helper()
	own := a.issue(t)
	key := must(x509.MarshalPKCS8PrivateKey(own.PrivateKey))(t)
	inline := func(kind string, der []byte) object {
		return object{"inline_string": string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))}
	}
	return func(listener map[string]any) {
		listener["traffic_direction"] = direction
		listener["filter_chains"].([]object)[0]["transport_socket"] = typed("envoy.transport_sockets.tls",
			"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", object{
				"common_tls_context": object{
					"alpn_protocols":     []string{"h2", "http/1.1"},
					"tls_certificates":   []object{{"certificate_chain": inline("CERTIFICATE", own.Certificate[0]), "private_key": inline("PRIVATE KEY", key)}},
					"validation_context": object{"trusted_ca": inline("CERTIFICATE", a.certificate.Raw), "trust_chain_verification": "ACCEPT_UNTRUSTED"},
				},
			})
	}
}
