package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Tap stands between a gate and its provider, on the gate's own calls only;
// browsers go to the provider itself. It counts, says how long access tokens
// live, holds refreshes up, and can be away.
type Tap struct {
	server *httptest.Server

	mu       sync.Mutex
	counts   map[string]int
	requests []string // the x-request-id of code exchanges
	lifetime time.Duration
	away     bool
	held     chan struct{}
}

// NewTap starts a tap; the test's end stops it.
func NewTap(t testing.TB, p *Provider) *Tap {
	t.Helper()
	tap := &Tap{counts: map[string]int{}}
	proxy := &httputil.ReverseProxy{
		// The Host of the request stays: providers make their addresses of it.
		Rewrite:        func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", p.Addr() },
		Transport:      &http.Transport{DialContext: dialLoopback, MaxIdleConnsPerHost: 64},
		ModifyResponse: tap.edit,
	}
	tap.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tap.pass(r) {
			proxy.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(func() { tap.release(); tap.server.Close() })
	return tap
}

// Addr is where the gate finds the provider.
func (tap *Tap) Addr() string { return tap.server.Listener.Addr().String() }

// Count says how often something happened: the last element of a path that was
// called ("token", "userinfo", "revoke"), "token:" and the grant type, and
// "refused:" and the OAuth error.
func (tap *Tap) Count(what string) int {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	return tap.counts[what]
}

// Exchanges are the ids of the requests for which codes were exchanged.
func (tap *Tap) Exchanges() []string {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	return slices.Clone(tap.requests)
}

func (tap *Tap) count(what string) {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	tap.counts[what]++
}

// The two that tests count most.
const (
	refreshes = "token:refresh_token"
	exchanges = "token:authorization_code"
)

// Lifetime sets what token answers say of how long the access token lives; 0
// leaves what the provider says.
func (tap *Tap) Lifetime(d time.Duration) {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	tap.lifetime = d
}

// Away makes the provider answer 503 to everything, or be back.
func (tap *Tap) Away(away bool) {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	tap.away = away
}

// Hold keeps refreshes waiting until the returned function is called.
func (tap *Tap) Hold() (release func()) {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	tap.held = make(chan struct{})
	return tap.release
}

func (tap *Tap) release() {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	if tap.held != nil {
		close(tap.held)
		tap.held = nil
	}
}

// pass counts a call and says whether it goes on.
func (tap *Tap) pass(r *http.Request) bool {
	tap.count(path.Base(r.URL.Path))
	if path.Base(r.URL.Path) == "token" && r.Method == http.MethodPost {
		grant := grantType(r)
		tap.count("token:" + grant)
		tap.mu.Lock()
		if grant == "authorization_code" {
			tap.requests = append(tap.requests, r.Header.Get("X-Request-Id"))
		}
		held := tap.held
		tap.mu.Unlock()
		if held != nil && grant == "refresh_token" {
			select {
			case <-held:
			case <-r.Context().Done():
			}
		}
	}
	tap.mu.Lock()
	defer tap.mu.Unlock()
	return !tap.away
}

func grantType(r *http.Request) string {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return ""
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return ""
	}
	return form.Get("grant_type")
}

// edit counts refusals and changes expires_in in the provider's token answers.
func (tap *Tap) edit(res *http.Response) error {
	if path.Base(res.Request.URL.Path) != "token" {
		return nil
	}
	body, err := drain(res.Body)
	if err != nil {
		return fmt.Errorf("e2e: tap: %w", err)
	}
	if changed, err := tap.rewrite(body); err == nil {
		body = changed
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	res.ContentLength = int64(len(body))
	res.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

func (tap *Tap) rewrite(body []byte) ([]byte, error) {
	var answer map[string]any
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("e2e: tap: %w", err)
	}
	if code, failed := answer["error"].(string); failed {
		tap.count("refused:" + code)
	}
	tap.mu.Lock()
	defer tap.mu.Unlock()
	if _, expires := answer["expires_in"]; expires && tap.lifetime > 0 {
		answer["expires_in"] = int(tap.lifetime.Seconds())
	}
	return json.Marshal(answer)
}
