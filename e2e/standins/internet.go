package standins

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Internet is the hosts that stand-ins serve. Each host has an address of its own on
// loopback, and a certificate for its name alone, so that whoever is sent to
// the wrong one, or asks by the wrong name, notices.
type Internet struct {
	authority *x509.Certificate
	key       *ecdsa.PrivateKey

	mu      sync.Mutex
	servers map[string]*httptest.Server
	calls   []Call
}

// Call is a request that reached a stand-in.
type Call struct {
	Method, Host, Path string
	Query, Form        url.Values
	Header             http.Header
}

// NewInternet has no hosts, and an authority for their certificates.
func NewInternet() (*Internet, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("standins: authority: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Authority of the stand-ins"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("standins: authority: %w", err)
	}
	authority, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("standins: authority: %w", err)
	}
	return &Internet{authority: authority, key: key, servers: map[string]*httptest.Server{}}, nil
}

// Authority is the certificate that all others are signed by, in PEM.
func (n *Internet) Authority() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.authority.Raw}))
}

// Serve puts a host onto the net.
func (n *Internet) Serve(host string, handler http.Handler) error {
	certificate, err := n.certificate(host)
	if err != nil {
		return fmt.Errorf("standins: %s: %w", host, err)
	}
	server := httptest.NewUnstartedServer(n.only(host, handler))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers[host] = server
	return nil
}

// only answers for one name, as TLS and HTTP have it, and notes the request.
func (n *Internet) only(host string, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != host || r.TLS.ServerName != host {
			http.Error(w, "no such host here", http.StatusMisdirectedRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		_ = r.ParseForm()
		n.note(Call{
			Method: r.Method, Host: host, Path: r.URL.Path, Query: r.URL.Query(), Form: r.PostForm, Header: r.Header.Clone(),
		})
		handler.ServeHTTP(w, r)
	})
}

func (n *Internet) note(c Call) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls = append(n.calls, c)
}

// Calls are the requests so far to a host's paths that begin so.
func (n *Internet) Calls(host, path string) []Call {
	n.mu.Lock()
	defer n.mu.Unlock()
	var calls []Call
	for _, c := range n.calls {
		if c.Host == host && strings.HasPrefix(c.Path, path) {
			calls = append(calls, c)
		}
	}
	return calls
}

// Addr is where a host is found: host and port on loopback, or nothing.
func (n *Internet) Addr(host string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.servers[host]; s != nil {
		return s.Listener.Addr().String()
	}
	return ""
}

// Dial connects to a host of this net by its name, and to anything else by
// other.
func (n *Internet) Dial(other func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		if to := n.Addr(host); to != "" && port == "443" {
			var d net.Dialer
			return d.DialContext(ctx, network, to)
		}
		return other(ctx, network, addr)
	}
}

// Transport reaches this net's hosts, and nothing else but by other.
func (n *Internet) Transport(other func(ctx context.Context, network, addr string) (net.Conn, error)) *http.Transport {
	pool := x509.NewCertPool()
	pool.AddCert(n.authority)
	return &http.Transport{DialContext: n.Dial(other), TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
}

// Close takes all hosts off the net.
func (n *Internet) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.servers {
		s.CloseClientConnections()
		s.Close()
	}
}

func (n *Internet) certificate(host string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: n.authority.NotBefore, NotAfter: n.authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, n.authority, key.Public(), n.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
