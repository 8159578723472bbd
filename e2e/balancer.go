package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"sync/atomic"
	"testing"
)

// Balancer is one address in front of several gates, as a load balancer is
// during a rolling restart: it takes those of its pool in turn.
type Balancer struct {
	server *httptest.Server
	pool   atomic.Pointer[[]string]
	turn   atomic.Uint64
}

// NewBalancer starts one with an empty pool; the test's end stops it.
func NewBalancer(t testing.TB) *Balancer {
	t.Helper()
	l := &Balancer{}
	l.server = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			pool := *l.pool.Load()
			r.Out.URL.Scheme, r.Out.URL.Host = "http", pool[l.turn.Add(1)%uint64(len(pool))]
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	})
	t.Cleanup(l.server.Close)
	return l
}

// URL is the address of a path.
func (l *Balancer) URL(path string) string { return l.server.URL + path }

// Use makes the given gates the pool.
func (l *Balancer) Use(gates ...*Gate) {
	var pool []string
	for _, g := range gates {
		pool = append(pool, g.Addr)
	}
	l.pool.Store(&pool)
}
