package idp

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	testRedirect = "https://app.example/oauth2/callback"
	testVerifier = "correct-horse-battery-staple-correct-horse-battery"

	testLongSecret = "a-secret-that-signs-has-at-least-32-bytes"
)

// world is a provider on a socket, a clock to move and one browser.
type world struct {
	t       *testing.T
	p       *Provider
	base    string
	browser *http.Client
	mu      sync.Mutex
	now     time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Unix(1_790_000_000, 0)}
	server := httptest.NewUnstartedServer(nil)
	w.base = "http://" + server.Listener.Addr().String()
	p, err := New(Config{
		Issuer: w.base,
		Clock:  w.clock,
		Clients: []Client{
			{ID: "shop", Secret: "s3cret&+/%", RedirectURIs: []string{testRedirect}, PostLogoutRedirectURIs: []string{"https://app.example/"}, ConsentScopes: []string{"orders.read", "orders.write"}},
			{ID: "spa", RedirectURIs: []string{testRedirect, "http://127.0.0.1/cb", "http://localhost/cb"}, AnyLoopbackPort: true, Algorithm: "ES256", ClaimsInIDToken: true},
			{ID: "gateway", Secret: "gateway-secret", RedirectURIs: []string{testRedirect}, Audience: "middle"},
			{ID: "middle", Secret: "middle-secret", ServiceAccount: true, TokenExchange: true, Scopes: []string{"orders.read", "orders.write"}, Targets: []string{"orders", "https://stock.example"}},
			{ID: "opaque", Secret: "opaque-secret", ServiceAccount: true, OpaqueTokens: true, Audience: "orders"},
			{ID: "signs", Secret: testLongSecret, SecretJWT: true, ServiceAccount: true},
			{ID: "rsa", Key: publicKey("rsa"), ServiceAccount: true},
			{ID: "ec", Key: publicKey("ec"), ServiceAccount: true},
			{ID: "ed", Key: publicKey("ed"), ServiceAccount: true},
		},
		Users: []User{
			{PreferredUsername: "alice", Subject: "id-of-alice", Password: "wonderland", Name: "Alice Liddell", Email: "alice@example.com", Groups: []string{"admins"}},
			{PreferredUsername: "bob", Password: "builder", HighestLevel: "bronze", WithheldScopes: []string{"orders.read"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.p = p
	server.Config.Handler = p
	server.Start()
	t.Cleanup(server.Close)
	w.newBrowser()
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) newBrowser() {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.browser = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// answer is a response whose body was read.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) location(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.header.Get("Location") == "" {
		t.Fatalf("no address to go to in an answer %d: %s", a.status, a.body)
	}
	return u
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	out := map[string]any{}
	if err := json.Unmarshal([]byte(a.body), &out); err != nil {
		t.Fatalf("answer %d is not JSON: %v", a.status, err)
	}
	return out
}

func (w *world) do(method, path string, form url.Values, header map[string]string) answer {
	w.t.Helper()
	req, err := http.NewRequest(method, w.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := w.browser.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// with returns a copy with some values replaced; an empty one removes the name.
func with(values url.Values, changes map[string]string) url.Values {
	out := maps.Clone(values)
	for name, value := range changes {
		out.Del(name)
		if value != "" {
			out.Set(name, value)
		}
	}
	return out
}

func request(changes map[string]string) string {
	sum := sha256.Sum256([]byte(testVerifier))
	return "/authorize?" + with(url.Values{
		"response_type": {"code"}, "client_id": {"shop"}, "redirect_uri": {testRedirect},
		"scope": {"openid profile email groups"}, "state": {"st&te"}, "nonce": {"n0nce"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}, changes).Encode()
}

func credentials(user string) url.Values {
	passwords := map[string]string{"alice": "wonderland", "bob": "builder"}
	return url.Values{"username": {user}, "password": {passwords[user]}}
}

// code signs a person in and returns the code that the client gets.
func (w *world) code(user string, changes map[string]string) string {
	w.t.Helper()
	back := w.do("POST", request(changes), credentials(user), nil).location(w.t)
	code := back.Query().Get("code")
	if code == "" {
		w.t.Fatalf("no code came back: %s", back)
	}
	return code
}

func exchange(code string) url.Values {
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {testRedirect},
		"code_verifier": {testVerifier}, "client_id": {"shop"}, "client_secret": {"s3cret&+/%"},
	}
}

// tokens signs a person in for the client shop.
func (w *world) tokens(user string) map[string]any {
	w.t.Helper()
	a := w.do("POST", "/token", exchange(w.code(user, nil)), nil)
	if a.status != http.StatusOK {
		w.t.Fatalf("token endpoint: %d %s", a.status, a.body)
	}
	return a.json(w.t)
}

func (w *world) refresh(token any) answer {
	w.t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {"shop"}, "client_secret": {"s3cret&+/%"}}
	form.Set("refresh_token", token.(string))
	return w.do("POST", "/token", form, nil)
}

func (w *world) userinfo(token any) answer {
	w.t.Helper()
	return w.do("GET", "/userinfo", nil, map[string]string{"Authorization": "Bearer " + token.(string)})
}

// verified checks a token against the published keys, as a client would.
func (w *world) verified(token any) map[string]any {
	w.t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(w.do("GET", "/jwks", nil, nil).body), &set); err != nil {
		w.t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(token.(string), []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		w.t.Fatal(err)
	}
	claims := map[string]any{}
	if err := parsed.Claims(set, &claims); err != nil {
		w.t.Fatalf("the token does not verify against the published keys: %v", err)
	}
	return claims
}
