package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// credential is the header field that a gate wants to see.
type credential struct{ name, value string }

// cookies brings a session.
func cookies(value string) credential { return credential{"cookie", value} }

// bearer brings a token.
func bearer(token string) credential { return credential{"authorization", "Bearer " + token} }

// headers are those of a request with a credential. All requests have the same
// but for that: a browser's, and cookies of the application's own.
func (c credential) headers() []string {
	const theme, lang = "cookie: theme=dark; ", "lang=en"
	if c.name == "cookie" {
		return append(browserHeaders[:len(browserHeaders):len(browserHeaders)], theme+c.value+"; "+lang)
	}
	return append(browserHeaders[:len(browserHeaders):len(browserHeaders)], theme+lang, c.name+": "+c.value)
}

const (
	target      = "/catalogue/spring/item-4711?from=start"
	connections = 16
)

var browserHeaders = []string{
	":authority: " + host, // becomes the Host field
	"user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
	"accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
	"accept-language: en-GB,en;q=0.9,de;q=0.8",
	"accept-encoding: gzip, deflate, br, zstd",
	`sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"`,
	"sec-ch-ua-mobile: ?0",
	`sec-ch-ua-platform: "Linux"`,
	"sec-fetch-dest: document",
	"sec-fetch-mode: navigate",
	"sec-fetch-site: same-origin",
	"sec-fetch-user: ?1",
	"upgrade-insecure-requests: 1",
	"referer: https://" + host + "/catalogue/spring",
	"cache-control: max-age=0",
	"priority: u=0, i",
}

// result is one run.
type result struct {
	cpu  float64 // microseconds of Envoy's CPU time per request
	rate float64 // requests per second
}

// sender is one run of a gate's requests, to be sent to several Envoys.
func (l *lab) sender(g gate) (func(*envoy) (result, error), error) {
	if !g.fresh {
		return func(e *envoy) (result, error) { return l.load(e, g.credential) }, nil
	}
	requests := make([]string, l.fresh)
	for i := range requests {
		token, err := l.tokens.another()
		if err != nil {
			return nil, err
		}
		requests[i] = request(bearer(token))
	}
	return func(e *envoy) (result, error) { return send(e, requests) }, nil
}

var (
	succeeded = regexp.MustCompile(`status codes: (\d+) 2xx`)
	perSecond = regexp.MustCompile(`, ([\d.]+) req/s`)
)

// load sends one request again and again, by h2load.
func (l *lab) load(e *envoy, c credential) (result, error) {
	args := []string{"--h1", "-c" + strconv.Itoa(connections), "-t1", "-n", strconv.Itoa(l.requests)}
	for _, h := range c.headers() {
		args = append(args, "-H", h)
	}
	args = append(args, fmt.Sprintf("http://127.0.0.1:%d%s", e.port, target))
	before := e.cpu()
	out, err := exec.Command("h2load", args...).Output()
	spent := e.cpu() - before
	if err != nil {
		return result{}, fmt.Errorf("h2load: %w", err)
	}
	ok, rate := succeeded.FindSubmatch(out), perSecond.FindSubmatch(out)
	if ok == nil || rate == nil || string(ok[1]) != strconv.Itoa(l.requests) {
		return result{}, fmt.Errorf("%s did not answer all %d requests with 200: %s", e.name, l.requests, out)
	}
	perSecond, err := strconv.ParseFloat(string(rate[1]), 64)
	return result{cpu: float64(spent.Microseconds()) / float64(l.requests), rate: perSecond}, err
}

// request is one as it goes onto the wire.
func request(c credential) string {
	lines := []string{"GET " + target + " HTTP/1.1"}
	for _, h := range c.headers() {
		lines = append(lines, strings.Replace(h, ":authority:", "host:", 1))
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// send sends requests that all differ, which h2load cannot do.
func send(e *envoy, requests []string) (result, error) {
	failures := make(chan error, connections)
	begun, before := time.Now(), e.cpu()
	for first := range connections {
		go func() { failures <- sendEach(e, requests, first) }()
	}
	var failure error
	for range connections {
		if err := <-failures; err != nil {
			failure = err
		}
	}
	spent, took := e.cpu()-before, time.Since(begun)
	n := float64(len(requests))
	return result{cpu: float64(spent.Microseconds()) / n, rate: n / took.Seconds()}, failure
}

// sendEach sends each connections-th of the requests over one connection.
func sendEach(e *envoy, requests []string, first int) error {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", e.port))
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for i := first; i < len(requests); i += connections {
		if _, err := conn.Write([]byte(requests[i])); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answered %d to a token that nobody has seen before", e.name, answer.StatusCode)
		}
		if _, err := in.Discard(int(answer.ContentLength)); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return nil
}
