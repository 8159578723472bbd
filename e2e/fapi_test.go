package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// startStrictProvider starts an oidc-provider with further settings, which signs by
// ES256 and nothing else.
func startStrictProvider(t *testing.T, more Claims) *Provider {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	more["features"].(Claims)["jwtIntrospection"] = Claims{"enabled": false}
	more["jwks"] = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key, KeyID: "es", Algorithm: "ES256", Use: "sig"}}}
	p := must(startOIDCProvider("0", "[]", string(must(json.Marshal(more))(t))))(t)
	t.Cleanup(p.Close)
	return p
}

// fapi2 are the features of the FAPI 2.0 Security Profile, and of what it takes.
func fapi2() Claims {
	return Claims{
		"fapi":                        Claims{"enabled": true, "profile": "2.0"},
		"pushedAuthorizationRequests": Claims{"enabled": true, "requirePushedAuthorizationRequests": true},
		"requestObjects":              Claims{"enabled": true},
	}
}

// keyedClient is the registration of a client that signs with a key, and gets ID
// tokens by the algorithms of the profile.
func keyedClient(t *testing.T, key *ClientKey, more Claims) Claims {
	client := Claims{
		"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": key.algorithm,
		"jwks": key.set(t), "id_token_signed_response_alg": "ES256",
	}
	maps.Copy(client, more)
	return client
}

// strictly has a provider's settings say that the client signs with a key, and that
// access tokens stay with the gate.
func strictly(key *ClientKey, more Settings) func(Settings) {
	return func(s Settings) {
		p := provider(s)
		if key != nil {
			delete(p, "client_secret")
			p["client_key"], p["client_key_id"] = Settings{"env": "SHOP_CLIENT_KEY"}, key.id
		}
		maps.Copy(p, more)
		delete(s["forward"].(Settings), "access_token")
	}
}

// keySecrets is the environment of a gate whose client signs.
func keySecrets(key *ClientKey) map[string]string {
	env := NewSecrets()
	env["SHOP_CLIENT_KEY"] = key.pem
	return env
}

// TestSignInByTheFAPIProfile shows the one switch on a provider that insists: on
// pushed requests, on a signed assertion, and on a proof of possession, with a
// nonce of its own, wherever tokens are given or used.
func TestSignInByTheFAPIProfile(t *testing.T) {
	key := NewClientKey(t, "ES256")
	p := startStrictProvider(t, Claims{
		"features": fapi2(), "dpopNonce": true,
		"client": keyedClient(t, key, Claims{"dpop_bound_access_tokens": true}),
	})
	tap := NewTap(t, p)
	g := StartGate(t, p, EnvoySetup{IDP: tap.Addr(), Env: keySecrets(key)}, strictly(key, Settings{
		"profile": "fapi2", "userinfo": "always",
		"enrich": []Settings{{"name": "me", "url": must(p.endpoint("userinfo_endpoint"))(t), "select": Settings{"me": "email"}, "required": true}},
	}), func(s Settings) {
		s["forward"].(Settings)["headers"].(Settings)["x-auth-request-me"] = "me"
	})
	tap.Lifetime(shortLife)
	b := NewBrowser()
	login := must(g.StartLogin(b, "/shop"))(t)
	carried := login.Started.Location().Query()
	if len(carried) != 2 || carried.Get("client_id") != ClientID || carried.Get("request_uri") == "" {
		t.Errorf("the browser carries %v", carried)
	}
	seen := must(ReadSeen(must(login.through("/shop", Alice))(t)))(t)
	checkIdentity(t, seen, Alice)
	if me := seen.Value("x-auth-request-me"); me != Alice.Email {
		t.Errorf("asked with the bound token: %q", me)
	}
	if n := tap.Count("refused:use_dpop_nonce"); n != 1 {
		t.Errorf("%d calls came without the provider's nonce; want the first one alone", n)
	}
	tap.Lifetime(0)
	expire()
	checkIdentity(t, must(ReadSeen(must(b.Get(g.URL("/again")))(t)))(t), Alice)
	if n := tap.Count(refreshes); n != 1 {
		t.Errorf("%d refreshes", n)
	}
	checkLog(t, g)
}

// TestSignInBySignedRequests shows requests that the gate signs, carried by the
// browser and pushed, at a provider that takes no others.
func TestSignInBySignedRequests(t *testing.T) {
	for name, par := range map[string]string{"carried by the browser": "never", "pushed": "always"} {
		t.Run(name, func(t *testing.T) {
			key := NewClientKey(t, "PS256")
			p := startStrictProvider(t, Claims{
				"features": Claims{"requestObjects": Claims{"enabled": true, "requireSignedRequestObject": true}},
				"client":   keyedClient(t, key, Claims{"request_object_signing_alg": "PS256"}),
			})
			g := StartGate(t, p, EnvoySetup{Env: keySecrets(key)}, strictly(key, Settings{
				"request_object": true, "par": par, "client_key_algorithm": "PS256",
				"authorization_params": Settings{"claims": `{"id_token":{"auth_time":{"essential":true}}}`}, "ui_locales": true,
			}))
			login := must(g.StartLogin(NewBrowser(), "/shop?a=b"))(t)
			carried := login.Started.Location().Query()
			if carried.Has("state") || carried.Has("redirect_uri") || carried.Has("request") != (par == "never") {
				t.Errorf("the browser carries %v", carried)
			}
			checkIdentity(t, must(ReadSeen(must(login.through("/shop?a=b", Bob))(t)))(t), Bob)
			checkLog(t, g)
		})
	}
}

// TestSignInByCertificate has Envoy's cluster show a certificate: it proves the
// client, and tokens are bound to it. The provider names other addresses for that.
func TestSignInByCertificate(t *testing.T) {
	certificate := newClientCertificate(t)
	front := newTLSFront(t)
	p := startStrictProvider(t, Claims{
		"features": fapi2(),
		"client": Claims{
			"token_endpoint_auth_method": "self_signed_tls_client_auth", "tls_client_certificate_bound_access_tokens": true,
			"jwks": certificate.set, "id_token_signed_response_alg": "ES256",
		},
		"discovery": Claims{"mtls_endpoint_aliases": Claims{
			"token_endpoint": front.URL + "/token", "userinfo_endpoint": front.URL + "/me",
			"pushed_authorization_request_endpoint": front.URL + "/request",
		}},
	})
	front.serve(p)
	addr := strings.TrimPrefix(front.URL, "https://")
	g := StartGate(t, p, EnvoySetup{
		Clusters: map[string]string{"idp-mtls": addr},
		Sockets:  map[string]object{"idp-mtls": certificate.socket},
	}, strictly(nil, Settings{
		"profile": "fapi2", "client_auth": "self_signed_tls_client_auth", "token_binding": "mtls", "userinfo": "always",
		"clusters": Settings{addr: "idp-mtls"},
	}), func(s Settings) { delete(provider(s), "client_secret") })
	checkIdentity(t, must(ReadSeen(must(g.SignIn(NewBrowser(), "/shop", Alice))(t)))(t), Alice)
	for _, path := range []string{"/request", "/token", "/me"} {
		if front.called(path) == 0 {
			t.Errorf("no certificate was shown at %s", path)
		}
	}
	checkLog(t, g)
}

// clientCertificate is one that a client made itself.
type clientCertificate struct {
	set    Claims // as the provider is to know it
	socket object // of the cluster that shows it
}

func newClientCertificate(t *testing.T) clientCertificate {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: ClientID},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))(t)
	private := must(x509.MarshalPKCS8PrivateKey(key))(t)
	raw := must(key.PublicKey.Bytes())(t)
	coordinate := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	text := func(kind string, der []byte) object {
		return object{"inline_string": string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))}
	}
	return clientCertificate{
		set: Claims{"keys": []Claims{{
			"kty": "EC", "crv": "P-256", "x": coordinate(raw[1:33]), "y": coordinate(raw[33:]),
			"x5c": []string{base64.StdEncoding.EncodeToString(der)},
		}}},
		socket: typed("envoy.transport_sockets.tls", "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", object{
			"common_tls_context": object{"tls_certificates": []object{{
				"certificate_chain": text("CERTIFICATE", der), "private_key": text("PRIVATE KEY", private),
			}}},
		}),
	}
}

// tlsFront ends TLS in front of a provider, and tells it which certificate the
// caller showed. Without one nothing passes.
type tlsFront struct {
	*httptest.Server

	mu    sync.Mutex
	calls map[string]int // by path
}

func newTLSFront(t *testing.T) *tlsFront {
	f := &tlsFront{Server: httptest.NewUnstartedServer(nil), calls: map[string]int{}}
	f.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	f.URL = "https://" + f.Listener.Addr().(*net.TCPAddr).String()
	t.Cleanup(f.Close)
	return f
}

// serve stands in front of a provider from now on.
func (f *tlsFront) serve(p *Provider) {
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", p.Addr(), p.Addr()
		shown := r.In.TLS.PeerCertificates[0].Raw
		r.Out.Header.Set("X-Client-Certificate", base64.StdEncoding.EncodeToString(shown))
	}}
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.calls[r.URL.Path]++
		f.mu.Unlock()
		proxy.ServeHTTP(w, r)
	})
	f.URL = ""
	f.StartTLS()
}

func (f *tlsFront) called(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[path]
}

// TestSignInByAPostedAnswer has the provider's page post the answer to the gate:
// from another site, as a form.
func TestSignInByAPostedAnswer(t *testing.T) {
	p := OIDCProvider(t)
	g := StartGate(t, p, EnvoySetup{AllowHeadersStop: true}, func(s Settings) { provider(s)["response_mode"] = "form_post" })
	b := NewBrowser()
	login := must(g.StartLogin(b, "/shop"))(t)
	way := must(b.Follow(login.Started, nil))(t)
	way = must(b.Follow(must(p.SignIn(b, way[len(way)-1], Alice))(t), nil))(t)
	posting := way[len(way)-1]
	form := must(posting.form(nil))(t)
	if form.method != http.MethodPost || form.action != g.URL(callbackPath) || form.values.Get("code") == "" {
		t.Fatalf("%d %s has no form with a code for the gate", posting.Status, posting.URL)
	}
	answer := must(b.Do(http.MethodPost, form.action, form.values.Encode(), http.Header{
		"Origin": {p.Issuer}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"},
	}))(t)
	way = must(b.Follow(answer, nil))(t)
	checkIdentity(t, must(ReadSeen(way[len(way)-1]))(t), Alice)
	checkLog(t, g)
}
