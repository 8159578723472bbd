package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// App is the application behind the gate: it answers every request with what
// it received, and counts. Beside that it has a WebSocket and an event stream.
type App struct {
	Server *httptest.Server
	// SetCookies are sent with every answer.
	SetCookies []string
	seen       atomic.Int64
}

// Seen is what the application received.
type Seen struct {
	Method  string              `json:"method"`
	Host    string              `json:"host"`
	Target  string              `json:"target"`
	Headers map[string][]string `json:"headers"`
}

// NewApp starts an application; the test's end stops it.
func NewApp(t testing.TB) *App {
	a := &App{}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Server.Close)
	return a
}

// Addr is its host and port.
func (a *App) Addr() string { return a.Server.Listener.Addr().String() }

// Requests is how many requests reached it.
func (a *App) Requests() int { return int(a.seen.Load()) }

func (a *App) serve(w http.ResponseWriter, r *http.Request) {
	a.seen.Add(1)
	switch r.URL.Path {
	case socketPath:
		serveSocket(w, r)
		return
	case eventsPath:
		serveEvents(w, r)
		return
	}
	for _, c := range a.SetCookies {
		w.Header().Add("Set-Cookie", c)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(Seen{Method: r.Method, Host: r.Host, Target: r.RequestURI, Headers: r.Header})
}

// ReadSeen decodes the application's answer; anything else than a 200 from the
// application is an error.
func ReadSeen(p *Page) (*Seen, error) {
	if p.Status != http.StatusOK {
		return nil, fmt.Errorf("e2e: %s answered %d, not the application's 200: %.300s", p.URL.Path, p.Status, p.Body)
	}
	return ParseSeen(p.Body)
}

// ParseSeen decodes the application's answer from the text of a page.
func ParseSeen(body string) (*Seen, error) {
	var s Seen
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		return nil, fmt.Errorf("e2e: not the application's answer: %w: %.300s", err, body)
	}
	return &s, nil
}

// Values are all values of a header, in whatever spelling it came: case does
// not matter, and an underscore counts as a hyphen, as it does to CGI, WSGI and
// their like.
func (s *Seen) Values(name string) []string {
	var values []string
	for k, v := range s.Headers {
		if canonical(k) == canonical(name) {
			values = append(values, v...)
		}
	}
	return values
}

// Value is the one value of a header; several are joined by a bar, so that a
// comparison with one value fails.
func (s *Seen) Value(name string) string { return strings.Join(s.Values(name), " | ") }

// Cookie is the value of a cookie that reached the application.
func (s *Seen) Cookie(name string) (string, bool) {
	for _, line := range s.Values("cookie") {
		for pair := range strings.SplitSeq(line, ";") {
			if k, v, _ := strings.Cut(strings.TrimSpace(pair), "="); k == name {
				return v, true
			}
		}
	}
	return "", false
}

func canonical(header string) string {
	return strings.ReplaceAll(strings.ToLower(header), "_", "-")
}
