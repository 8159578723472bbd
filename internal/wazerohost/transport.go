package wazerohost

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// plainTransport connects without a proxy and leaves content-encoding alone.
var plainTransport = &http.Transport{DisableCompression: true, ForceAttemptHTTP2: false}

// send carries the call by the cluster's transport on a goroutine of its own; the
// answer comes back through the worker's loop.
func (c *Call) send(cluster Cluster) {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	req, err := c.request(ctx, cluster)
	if err != nil {
		// What no request can be made of is refused by the far side in Envoy.
		go c.replyText(http.StatusBadRequest, "bad request")
		return
	}
	transport := cluster.Transport
	if transport == nil {
		transport = plainTransport
	}
	go c.roundTrip(transport, req)
}

func (c *Call) request(ctx context.Context, cluster Cluster) (*http.Request, error) {
	address, scheme := cluster.Address, "http"
	if address == "" {
		address = c.Header(":authority")
	}
	if cluster.TLS {
		scheme = "https"
	}
	u, err := url.ParseRequestURI(c.Header(":path"))
	if err != nil {
		return nil, err
	}
	u.Scheme, u.Host = scheme, address
	req, err := http.NewRequestWithContext(ctx, c.Header(":method"), u.String(), bytes.NewReader(c.Body))
	if err != nil {
		return nil, err
	}
	req.Host = c.Header(":authority")
	req.Header = httpHeader(c.Headers)
	if req.Header["User-Agent"] == nil {
		req.Header["User-Agent"] = []string{""} // keeps net/http from adding its own
	}
	return req, nil
}

// roundTrip turns a failure to connect into the 503 that Envoy's router makes,
// and a broken or oversized body into a reset.
func (c *Call) roundTrip(transport http.RoundTripper, req *http.Request) {
	resp, err := transport.RoundTrip(req)
	if err != nil {
		c.replyText(http.StatusServiceUnavailable,
			"upstream connect error or disconnect/reset before headers. reset reason: connection failure")
		return
	}
	defer resp.Body.Close()
	limit := c.root.vm.host.cfg.MaxResponseBytes
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if err != nil {
		c.Reset()
		return
	}
	c.ReplyWithTrailers(resp.StatusCode, headerPairs(resp.Header), body, headerPairs(resp.Trailer))
}

// httpHeader drops the pseudo-headers and what belongs to a connection.
func httpHeader(pairs [][2]string) http.Header {
	h := http.Header{}
	for _, p := range pairs {
		if !strings.HasPrefix(p[0], ":") && !hopByHop[p[0]] {
			h.Add(p[0], p[1])
		}
	}
	return h
}

// headerPairs lists a net/http header in Envoy's spelling, in a stable order.
func headerPairs(h http.Header) [][2]string {
	var pairs [][2]string
	for name, values := range h {
		for _, value := range values {
			pairs = append(pairs, [2]string{strings.ToLower(name), value})
		}
	}
	slices.SortStableFunc(pairs, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return pairs
}

// hopByHop are the fields that Envoy takes out of a message it passes on.
var hopByHop = map[string]bool{
	"connection": true, "keep-alive": true, "proxy-connection": true,
	"transfer-encoding": true, "upgrade": true,
}
