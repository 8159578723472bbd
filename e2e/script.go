package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Script sends requests as programs do: with the headers that it is given and
// no others.
type Script struct{ client *http.Client }

// NewScript uses connections that scripts share.
func NewScript() *Script { return newScript(browserTransport) }

func newScript(transport http.RoundTripper) *Script {
	return &Script{client: &http.Client{
		Transport:     transport,
		Timeout:       60 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Get asks for an address. A header Host stands for the one of the address.
func (s *Script) Get(address string, headers ...http.Header) (*Page, error) {
	return s.Send(http.MethodGet, address, "", headers...)
}

// Send sends one request; without a body if that is empty.
func (s *Script) Send(method, address, body string, headers ...http.Header) (*Page, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, address, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("e2e: script: %w", err)
	}
	for _, header := range headers {
		for name, values := range header {
			req.Header[name] = values
		}
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
		req.Header.Del("Host")
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("e2e: script: %w", err)
	}
	answer, err := drain(res.Body)
	if err != nil {
		return nil, fmt.Errorf("e2e: script: %w", err)
	}
	return &Page{Method: req.Method, URL: req.URL, Status: res.StatusCode, Header: res.Header, Body: string(answer)}, nil
}

// AtOnce sends one request n times, each over a connection of its own, and
// returns the answers.
func (s *Script) AtOnce(n int, address string, headers ...http.Header) ([]*Page, error) {
	single := newScript(&http.Transport{DialContext: dialLoopback, DisableKeepAlives: true})
	pages, failures, begin := make([]*Page, n), make([]error, n), make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-begin
			pages[i], failures[i] = single.Get(address, headers...)
		})
	}
	close(begin)
	group.Wait()
	for i, err := range failures {
		if err != nil {
			return nil, fmt.Errorf("e2e: request %d of %d at once: %w", i+1, n, err)
		}
	}
	return pages, nil
}

// allAnswered fails the test unless each of the answers has the status.
func allAnswered(t testing.TB, pages []*Page, status int) {
	t.Helper()
	others, example := 0, (*Page)(nil)
	for _, page := range pages {
		if page.Status != status {
			others, example = others+1, page
		}
	}
	if others > 0 {
		t.Fatalf("%d of %d answers are not %d, one of them is %d: %v %.300s",
			others, len(pages), status, example.Status, example.Header, example.Body)
	}
}

// eventuallyServed waits until a gate knows its provider, and answers 200. What
// it answers until then is 503 and nothing else.
func eventuallyServed(t testing.TB, address string, headers ...http.Header) *Page {
	t.Helper()
	var served *Page
	Eventually(t, 90*time.Second, func() error {
		page, err := NewScript().Get(address, headers...)
		switch {
		case err != nil:
			return err
		case page.Status == http.StatusOK:
			served = page
			return nil
		case page.Status != http.StatusServiceUnavailable:
			t.Fatalf("e2e: %s answered %d: %v %.300s", page.URL.Path, page.Status, page.Header, page.Body)
		}
		return fmt.Errorf("e2e: %s answered %d: %.300s", page.URL.Path, page.Status, page.Body)
	})
	return served
}
