package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// Authority is a certificate authority of a test's own.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	serial      int64
	server      tls.Certificate
}

// NewAuthority makes one, and a certificate for servers on loopback.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Postern tests"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key))(t)
	a.certificate, a.serial = must(x509.ParseCertificate(der))(t), 1
	a.server = a.issue(t, x509.ExtKeyUsageServerAuth, "localhost")
	return a
}

// Client makes a certificate for a client.
func (a *Authority) Client(t testing.TB, name string) tls.Certificate {
	t.Helper()
	return a.issue(t, x509.ExtKeyUsageClientAuth, name)
}

func (a *Authority) issue(t testing.TB, usage x509.ExtKeyUsage, name string) tls.Certificate {
	t.Helper()
	a.serial++
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: a.certificate.NotBefore, NotAfter: a.certificate.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	der := must(x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key))(t)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Trusting is how a client talks to the authority's servers, with a
// certificate of its own or without.
func (a *Authority) Trusting(client ...tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	return &tls.Config{RootCAs: roots, Certificates: client, MinVersion: tls.VersionTLS12}
}

// downstream is Envoy's side: it asks for a certificate, and refuses one that
// is not the authority's.
func (a *Authority) downstream() object {
	inline := func(kind string, der []byte) object {
		return object{"inline_string": string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))}
	}
	key, _ := x509.MarshalPKCS8PrivateKey(a.server.PrivateKey) // of a key just made
	return typed("envoy.transport_sockets.tls",
		"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
		object{"common_tls_context": object{
			"alpn_protocols":     []string{"h2", "http/1.1"},
			"tls_certificates":   []object{{"certificate_chain": inline("CERTIFICATE", a.server.Certificate[0]), "private_key": inline("PRIVATE KEY", key)}},
			"validation_context": object{"trusted_ca": inline("CERTIFICATE", a.certificate.Raw)},
		}})
}
