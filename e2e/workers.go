package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// workerConnections is how many connections each worker has accepted so far.
// Workers that Envoy does not list have accepted none.
func (e *Envoy) workerConnections() (map[string]int, error) {
	body, err := e.AdminGet(context.Background(), "/stats?filter=^listener.gate.worker_[0-9]%2B.downstream_cx_total$")
	if err != nil {
		return nil, err
	}
	accepted := map[string]int{}
	for line := range strings.Lines(string(body)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		worker := strings.TrimSuffix(strings.TrimPrefix(name, "listener.gate."), ".downstream_cx_total")
		if accepted[worker], err = strconv.Atoi(value); err != nil {
			return nil, fmt.Errorf("e2e: envoy's workers: %q", line)
		}
	}
	return accepted, nil
}

// risen are the workers that have accepted a connection between two counts.
func risen(before, after map[string]int) []string {
	var workers []string
	for worker, n := range after {
		if n > before[worker] {
			workers = append(workers, worker)
		}
	}
	return workers
}

// maxDials is far more connections than it takes to meet each of four workers:
// the kernel spreads them by a hash.
const maxDials = 400

// Workers are connections to Envoy, one to each of its workers: what goes over
// one of them is served by that worker. A connection that Envoy closes is not
// replaced: requests over it fail.
func (e *Envoy) Workers(t testing.TB) []*http.Transport {
	t.Helper()
	pinned := map[string]*http.Transport{}
	for range maxDials {
		transport, worker, err := e.dialWorker()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(transport.CloseIdleConnections)
		if worker == "" || pinned[worker] != nil {
			transport.CloseIdleConnections()
			continue
		}
		if pinned[worker] = transport; len(pinned) == e.Setup.Workers {
			return transports(pinned)
		}
	}
	t.Fatalf("e2e: %d connections met %d of envoy's %d workers", maxDials, len(pinned), e.Setup.Workers)
	return nil
}

func transports(pinned map[string]*http.Transport) []*http.Transport {
	var all []*http.Transport
	for _, transport := range pinned {
		all = append(all, transport)
	}
	return all
}

// dialWorker opens a connection and tells whose it became; "" if another came
// at the same time.
func (e *Envoy) dialWorker() (*http.Transport, string, error) {
	before, err := e.workerConnections()
	if err != nil {
		return nil, "", err
	}
	transport := singleConnection()
	if _, err := newBrowser(transport).Get(e.URL("/healthz")); err != nil {
		return nil, "", err
	}
	after, err := e.workerConnections()
	if err != nil {
		return nil, "", err
	}
	if workers := risen(before, after); len(workers) == 1 {
		return transport, workers[0], nil
	}
	return transport, "", nil
}

// singleConnection is a transport that dials once.
func singleConnection() *http.Transport {
	var dialled atomic.Bool
	return &http.Transport{
		MaxConnsPerHost: 1,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dialled.Swap(true) {
				return nil, errors.New("e2e: the connection to this worker was closed")
			}
			return dialLoopback(ctx, network, addr)
		},
	}
}

// Over is the same browser, with the same cookies, on a connection of its own.
func (b *Browser) Over(transport http.RoundTripper) *Browser {
	over := newBrowser(transport)
	over.Jar = b.Jar
	return over
}
