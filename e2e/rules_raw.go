package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Raw sends a request whose target no library has touched, with the cookies that
// a browser has for the gate. Fields are lines, such as "X-A: b".
func (g *Gate) Raw(b *Browser, target string, fields ...string) (*Page, error) {
	home, err := url.Parse(g.URL("/"))
	if err != nil {
		return nil, fmt.Errorf("e2e: raw: %w", err)
	}
	lines := []string{"GET " + target + " HTTP/1.1", "Accept: text/html", "Sec-Fetch-Mode: navigate", "Connection: close"}
	if !strings.HasPrefix(strings.ToLower(strings.Join(fields, "\n")), "host:") {
		lines = append(lines, "Host: "+home.Host)
	}
	for _, c := range b.Jar.For(home) {
		lines = append(lines, "Cookie: "+c.Name+"="+c.Value)
	}
	conn, err := net.DialTimeout("tcp", g.Addr, 10*time.Second)
	if err != nil {
		return nil, fmt.Errorf("e2e: raw: %w", err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := conn.Write([]byte(strings.Join(append(lines, fields...), "\r\n") + "\r\n\r\n")); err != nil {
		return nil, fmt.Errorf("e2e: raw: %w", err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, fmt.Errorf("e2e: raw: %w", err)
	}
	body, err := drain(res.Body)
	if err != nil {
		return nil, fmt.Errorf("e2e: raw: %w", err)
	}
	return &Page{Method: http.MethodGet, URL: home.ResolveReference(&url.URL{Path: "/"}), Status: res.StatusCode, Header: res.Header, Body: string(body)}, nil
}
