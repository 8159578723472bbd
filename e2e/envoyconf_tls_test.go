package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

func testShippedTLS(t *testing.T) {
	dir := makeCertificates(t)
	honest := certificate(t, dir, "provider")
	var shown atomic.Pointer[tls.Certificate]
	shown.Store(honest)
	g := StartShipped(t, ShippedSetup{File: "tls/envoy.yaml", URL: "https://localhost:10443", Certificates: dir, ProviderCertificate: shown.Load})
	secure := func() *Browser { return newBrowser(overHTTP2(t, dir)) }
	g.journey(t, secure(), Alice)
	b := secure()
	g.signIn(t, b, g.Base()+"/", Bob)
	g.open(t, secure(), g.Base())
	t.Run("cookies are for https, and for this host alone", func(t *testing.T) {
		ours := 0
		for _, c := range b.Jar.Received() {
			if strings.Contains(c.Name, "postern") {
				ours++
				if !c.Secure || !strings.HasPrefix(c.Name, "__Host-") {
					t.Errorf("%s: Secure %v", c.Name, c.Secure)
				}
			}
		}
		if ours == 0 {
			t.Error("there is none")
		}
	})
	t.Run("plain http leads to https", func(t *testing.T) {
		page := must(NewBrowser().Get(g.at("http://localhost:10000/a?b=c")))(t)
		if to := page.Location(); to == nil || to.String() != g.Base()+"/a?b=c" || len(page.Cookies) > 0 {
			t.Errorf("%d to %v", page.Status, to)
		}
	})
	g.documented(t, dir)
	t.Run("it is as after installing", func(t *testing.T) {
		n := g.runs(t, "docs/install-envoy.md", "https://shop.example.com", g.Base(), "keycloak", "demo", "curl -s ", "curl -s --cacert "+dir+"/authority.pem ")
		if n < 5 {
			t.Errorf("%d commands", n)
		}
	})
	for name, impostor := range map[string]*tls.Certificate{
		"for another name":     issueBy(t, certificate(t, dir, "authority"), "evil.example.com"),
		"by another authority": certificate(t, makeCertificates(t), "provider"),
		"by nobody":            issueBy(t, nil, "localhost"),
	} {
		t.Run("a provider with a certificate "+name+" is told nothing", func(t *testing.T) {
			visitor := secure()
			callback := g.toCallback(t, visitor, Carol)
			g.meetsImpostor(t, visitor, callback, func() { shown.Store(impostor) })
			shown.Store(honest)
		})
	}
	g.signIn(t, secure(), g.Base()+"/", Carol) // with the honest one again
	g.logIsClean(t)
}

// toCallback is the address to which the provider sends a browser back.
func (g *Shipped) toCallback(t *testing.T, b *Browser, who Person) string {
	t.Helper()
	way := must(b.Follow(must(b.Get(g.Base()+"/"))(t), nil))(t)
	next := must(g.Provider.SignIn(b, way[len(way)-1], who))(t)
	way = must(b.Follow(next, func(u *url.URL) bool { return u.Path == callbackPath }))(t)
	to := way[len(way)-1].Location()
	if to == nil {
		t.Fatalf("the provider does not send back:%s", trail(way))
	}
	return to.String()
}

// meetsImpostor delivers a code that the gate would have to redeem at somebody
// who is not the provider.
func (g *Shipped) meetsImpostor(t *testing.T, b *Browser, callback string, appear func()) {
	t.Helper()
	failures := func() int {
		return g.Stat(t, "cluster.idp.ssl.fail_verify_san") + g.Stat(t, "cluster.idp.ssl.fail_verify_error")
	}
	exchanged, before := g.IDP.Count(exchanges), failures()
	appear()
	g.HangUp()
	page := must(b.Get(callback))(t)
	if page.Status < 500 || slices.ContainsFunc(page.Cookies, isHostSession) {
		t.Errorf("the callback answers %d: %.200s", page.Status, page.Body)
	}
	if n := g.IDP.Count(exchanges) - exchanged; n != 0 {
		t.Error("the code was handed over")
	}
	if failures() == before {
		t.Error("Envoy refused no certificate")
	}
	if err := g.Log.WaitFor("/oauth2/callback 503 postern_status_503", 10*time.Second); err != nil {
		t.Error(strings.Join(g.Log.Lines("/oauth2/callback"), "\n"))
	}
}

func isHostSession(c *http.Cookie) bool {
	return c.Name == "__Host-postern" && c.Value != "" && c.MaxAge >= 0
}

// issueBy makes a certificate for a name, signed by its own key without an
// authority.
func issueBy(t *testing.T, by *tls.Certificate, name string) *tls.Certificate {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := certificateTemplate()
	template.DNSNames, template.ExtKeyUsage = []string{name}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	parent, signer := template, any(key)
	if by != nil {
		parent, signer = must(x509.ParseCertificate(by.Certificate[0]))(t), by.PrivateKey
	}
	der := must(x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer))(t)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func testShippedHTTP3(t *testing.T) {
	dir := makeCertificates(t)
	g := StartShipped(t, ShippedSetup{File: "http3/envoy.yaml", URL: "https://localhost:10443", Certificates: dir})
	browsers := map[string]*versioned{
		"HTTP/1.1": {RoundTripper: overHTTP1(t, dir)}, "HTTP/2.0": {RoundTripper: overHTTP2(t, dir)}, "HTTP/3.0": {RoundTripper: overHTTP3(t, dir)},
	}
	jar := newBrowser(browsers["HTTP/1.1"])
	g.awaits(t, jar, g.Base()+"/", http.StatusSeeOther)
	g.signIn(t, jar, g.Base()+"/", Dave)
	if parts := hostSessionParts(jar.Jar.Names(address(t, g.Base()+"/"))); parts < 2 {
		t.Fatalf("the session is in %d cookies", parts)
	}
	for version, transport := range browsers {
		t.Run(version, func(t *testing.T) {
			b := newBrowser(transport)
			b.Jar = jar.Jar
			page := must(b.Get(g.Base()+deepPage, forgedIdentity()))(t)
			checkIdentity(t, must(ReadSeen(page))(t), Dave)
			if got := transport.seen.Load(); got != version {
				t.Errorf("the answer came by %v", got)
			}
			if alt := page.Header.Get("Alt-Svc"); !strings.Contains(alt, g.at(`h3=":10443"`)) {
				t.Errorf("alt-svc: %q", alt)
			}
			fresh := newBrowser(transport)
			g.signIn(t, fresh, g.Base()+deepPage, Alice)
			g.open(t, newBrowser(transport), g.Base())
			must(fresh.Get(g.Base() + "/oauth2/sign_out"))(t)
			if out := must(fresh.Get(g.Base() + "/"))(t); out.Status != http.StatusSeeOther {
				t.Errorf("after signing out: %d", out.Status)
			}
		})
	}
	g.documented(t, dir)
	g.logIsClean(t)
}

// hostSessionParts is in how many cookies a session is.
func hostSessionParts(names []string) (n int) {
	for _, name := range names {
		part, ours := strings.CutPrefix(name, "__Host-postern")
		if ours && (part == "" || part[1] <= '9') {
			n++
		}
	}
	return n
}

// versioned notes by which version of HTTP the gate answered last.
type versioned struct {
	http.RoundTripper
	seen atomic.Value
}

func (v *versioned) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" { // the provider
		return browserTransport.RoundTrip(r)
	}
	res, err := v.RoundTripper.RoundTrip(r)
	if err == nil {
		v.seen.Store(res.Proto)
	}
	return res, err
}

func overHTTP1(t *testing.T, dir string) http.RoundTripper {
	return closedAfter(t, &http.Transport{DialContext: dialLoopback, TLSClientConfig: trusting(t, dir)})
}

func overHTTP2(t *testing.T, dir string) http.RoundTripper {
	return closedAfter(t, &http.Transport{DialContext: dialLoopback, TLSClientConfig: trusting(t, dir), ForceAttemptHTTP2: true})
}

func overHTTP3(t *testing.T, dir string) http.RoundTripper {
	return closedAfter(t, &http3.Transport{
		TLSClientConfig: trusting(t, dir),
		Dial: func(ctx context.Context, addr string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return quic.DialAddrEarly(ctx, net.JoinHostPort("127.0.0.1", port), tlsConfig, config)
		},
	})
}

func closedAfter[T interface {
	http.RoundTripper
	CloseIdleConnections()
}](t *testing.T, transport T) T {
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}
