package demo

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAProviderWithACertificateSpeaksTLS(t *testing.T) {
	t.Setenv("DEMO_CLIENT_SECRET", secret())
	certificate, key, pool := localhostCertificate(t)
	var out strings.Builder
	d, err := start(t.Context(), Options{
		Host: "none", Listen: "127.0.0.1:0", IdP: "127.0.0.1:0", App: "127.0.0.1:0", Out: &out,
		URL: "https://localhost:10443", IdPCertificate: certificate, IdPKey: key,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.stop()
	if !strings.HasPrefix(d.issuer(), "https://localhost:") || d.base() != "https://localhost:10443" {
		t.Fatalf("the issuer is %s, and people come back to %s", d.issuer(), d.base())
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	res, err := client.Get(strings.Replace(d.issuer(), "localhost", "127.0.0.1", 1) + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var published struct{ Issuer string }
	if err := json.NewDecoder(res.Body).Decode(&published); err != nil || published.Issuer != d.issuer() {
		t.Errorf("it is %q, %v", published.Issuer, err)
	}
}

func TestAWorldOfOnesOwnThatIsRefused(t *testing.T) {
	t.Setenv("DEMO_CLIENT_SECRET", secret())
	certificate, key, _ := localhostCertificate(t)
	for name, test := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"an address with a path":          {func(o *Options) { o.URL = "https://localhost:10443/" }, "is not an address"},
		"an address without a scheme":     {func(o *Options) { o.URL = "localhost:10443" }, "is not an address"},
		"an address of another scheme":    {func(o *Options) { o.URL = "ftp://localhost" }, "is not an address"},
		"an address for our own proxy":    {func(o *Options) { o.Host, o.URL = "wazero", "https://localhost:10443" }, "an Envoy of your own"},
		"a certificate without its key":   {func(o *Options) { o.IdPCertificate = certificate }, "certificate"},
		"a key without its certificate":   {func(o *Options) { o.IdPKey = key }, "certificate"},
		"a certificate that is not there": {func(o *Options) { o.IdPCertificate, o.IdPKey = certificate+"x", key }, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Host: "none", Listen: "127.0.0.1:0", IdP: "127.0.0.1:0", App: "127.0.0.1:0", Module: certificate, Out: t.Output(), Log: t.Output()}
			test.change(&o)
			d, err := start(t.Context(), o)
			if err == nil {
				d.stop()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something about %q", err, test.want)
			}
		})
	}
}

// localhostCertificate is one that signs itself, as files, and a pool with it.
func localhostCertificate(t *testing.T) (certificate, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name, kind string, bytes []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pool = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	return file("certificate.pem", "CERTIFICATE", der), file("key.pem", "PRIVATE KEY", encoded), pool
}
