package wazerohost

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newProxy puts a rig behind a listener.
func newProxy(t *testing.T, script string, upstream http.HandlerFunc, options ...func(*Config)) (*rig, *httptest.Server) {
	t.Helper()
	options = append(options, func(c *Config) {
		if upstream != nil {
			c.Upstream = upstream
		}
	})
	r := newRig(t, script, options...)
	server := httptest.NewUnstartedServer(r)
	server.Config.DisableGeneralOptionsHandler = true
	server.Start()
	t.Cleanup(server.Close)
	return r, server
}

func do(t *testing.T, req *http.Request) (*http.Response, string) {
	t.Helper()
	client := &http.Client{
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true},
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func request(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestARequestPassesThroughToTheApplication(t *testing.T) {
	app := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s host=%s user=%q cookie=%q connection=%q body=%s", r.Method, r.RequestURI, r.Host,
			r.Header["X-User"], r.Header["Cookie"], r.Header.Get("Connection"), body)
	}
	r, server := newProxy(t, "request_headers: replace 0 x-user alice; get 0 :scheme; get 0 x-forwarded-proto\n"+
		"response_headers: quiet add 2 x-filtered yes", app)
	req := request(t, "POST", server.URL+"/p%2Fq?a=b", "hello")
	req.Host = "app.example"
	req.Header["X-User"] = []string{"mallory", "eve"}
	req.Header["Cookie"] = []string{"one=1", "two=2"}
	resp, body := do(t, req)
	want := `POST /p%2Fq?a=b host=app.example user=["alice"] cookie=["one=1" "two=2"] connection="" body=hello`
	if resp.StatusCode != http.StatusTeapot || body != want {
		t.Errorf("got %d %s\nwant %s", resp.StatusCode, body, want)
	}
	if diff := cmp.Diff([]string{"a=1", "b=2"}, resp.Header["Set-Cookie"]); diff != "" || resp.Header.Get("X-Filtered") != "yes" {
		t.Errorf("headers %v", resp.Header)
	}
	r.wantLog("request_headers: replace 0 x-user alice -> 0", "request_headers: get 0 :scheme -> 0 http",
		"request_headers: get 0 x-forwarded-proto -> 0 http")
	if n := r.Streams(0); n != 0 {
		t.Errorf("%d streams are left", n)
	}
}

func TestABodyThatIsAllThereBeforeTheApplicationReadsItIsNotLost(t *testing.T) {
	body := &message{mu: &sync.Mutex{}}
	body.cond = sync.NewCond(body.mu)
	target := [][2]string{{":method", "POST"}, {":path", "/"}, {":authority", "app.example"}}
	body.setHeaders(target, false)
	body.addData([]byte("hello"), true)
	up, err := upstreamRequest(request(t, "POST", "http://app.example/", ""), target, body)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(up.Body); err != nil || string(got) != "hello" {
		t.Errorf("the application reads %q, %v", got, err)
	}
}

func TestALocalReplyReachesTheClient(t *testing.T) {
	asked := false
	_, server := newProxy(t, "request_headers: quiet reply 303 -1 - location=/login set-cookie=a set-cookie=b",
		func(http.ResponseWriter, *http.Request) { asked = true })
	resp, _ := do(t, request(t, "GET", server.URL, ""))
	if resp.StatusCode != 303 || resp.Header.Get("Location") != "/login" || len(resp.Header["Set-Cookie"]) != 2 {
		t.Errorf("got %d %v", resp.StatusCode, resp.Header)
	}
	if asked {
		t.Error("the application was asked")
	}
}

func TestRequestsOfOneConnectionDoNotDisturbEachOther(t *testing.T) {
	const requests = 200
	seen := 0
	_, server := newProxy(t, "request_headers: quiet reply 303 -1 - location=/login", nil)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	connections := map[string]bool{}
	trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		seen++
		connections[c.Conn.LocalAddr().String()] = true
	}}
	for range requests {
		req := request(t, "GET", server.URL, "")
		resp, err := client.Do(req.WithContext(httptrace.WithClientTrace(t.Context(), trace)))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	// A request that is sent again asks for a connection again.
	if seen != requests || len(connections) != 1 {
		t.Errorf("%d requests took %d sendings over %d connections", requests, seen, len(connections))
	}
}

func TestAnEarlyReplyToALargeUploadDoesNotWaitForIt(t *testing.T) {
	_, server := newProxy(t, "request_headers: quiet reply 401 -1 no; return 4", nil)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\nfirst")
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != 401 {
		t.Errorf("got %v, %v", resp, err)
	}
}

func TestAFlowOverTheNetworkHoldsTheRequestAndItsBody(t *testing.T) {
	idp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }))
	defer idp.Close()
	script := "request_headers: quiet " + callIDP + "; return 4\n" +
		"http_call_response: quiet effective last; quiet replace 0 x-user alice; quiet continue 0"
	app := func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%s %d", r.Header.Get("X-User"), n)
	}
	r, server := newProxy(t, script, app, func(c *Config) {
		c.Workers = 2
		c.Clusters["idp"] = Cluster{Address: strings.TrimPrefix(idp.URL, "http://")}
	})
	for range 4 {
		if _, body := do(t, request(t, "POST", server.URL, strings.Repeat("x", 1<<20))); body != "alice 1048576" {
			t.Errorf("the application said %q", body)
		}
	}
	r.wantMisuse()
}

func TestADeadVMAnswers503(t *testing.T) {
	_, server := newProxy(t, "request_headers: panic", func(http.ResponseWriter, *http.Request) { t.Error("the application was asked") })
	for range 2 {
		if resp, body := do(t, request(t, "GET", server.URL, "")); resp.StatusCode != 503 || body != "" {
			t.Errorf("got %d %q", resp.StatusCode, body)
		}
	}
}

func TestWithoutAnApplicationThereIs404(t *testing.T) {
	_, server := newProxy(t, "", nil)
	if resp, _ := do(t, request(t, "GET", server.URL, "")); resp.StatusCode != 404 {
		t.Errorf("got %d", resp.StatusCode)
	}
}

func TestHEADAndEmptyAnswersPass(t *testing.T) {
	app := func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "HEAD" {
			w.Header().Set("Content-Length", "5")
			io.WriteString(w, "hello")
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
	_, server := newProxy(t, "", app)
	if resp, _ := do(t, request(t, "HEAD", server.URL, "")); resp.StatusCode != 200 || resp.ContentLength != 5 {
		t.Errorf("HEAD: %d, length %d", resp.StatusCode, resp.ContentLength)
	}
	if resp, _ := do(t, request(t, "GET", server.URL, "")); resp.StatusCode != 204 {
		t.Errorf("GET: %d", resp.StatusCode)
	}
}

func TestAResponseStreamsWhileTheApplicationWrites(t *testing.T) {
	more := make(chan bool)
	app := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "first\n")
		w.(http.Flusher).Flush()
		<-more
		io.WriteString(w, "second\n")
	}
	_, server := newProxy(t, "", app)
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	first, _ := lines.ReadString('\n')
	close(more)
	second, _ := lines.ReadString('\n')
	if first != "first\n" || second != "second\n" {
		t.Errorf("got %q then %q", first, second)
	}
}

func TestAClosedStreamCutsTheConnection(t *testing.T) {
	started := make(chan bool)
	app := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "first\n")
		close(started)
		<-r.Context().Done()
	}
	r, server := newProxy(t, "configure: quiet tick 1000; return 1\ntick: quiet effective last; quiet close 2", app)
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	<-started
	r.Tick()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("reading on gave %v, want an unexpected end", err)
	}
}

func TestAClientThatLeavesEndsItsStream(t *testing.T) {
	deleted := make(chan bool, 1)
	r, server := newProxy(t, "request_headers: log 2 arrived; return 4\ndelete: log 2 deleted", nil)
	arrived := make(chan bool, 1)
	r.cfg.Log = func(_ Level, line string) {
		switch line {
		case "arrived":
			arrived <- true
		case "deleted":
			deleted <- true
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-arrived
		cancel()
	}()
	if _, err := http.DefaultClient.Do(request(t, "GET", server.URL, "").WithContext(ctx)); err == nil {
		t.Error("the request was answered")
	}
	select {
	case <-deleted:
	case <-time.After(10 * time.Second):
		t.Error("the stream was not deleted")
	}
}

func TestARequestTargetIsPassedAsItCame(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"GET //a/../b?x=%2f HTTP/1.1", "//a/../b?x=%2f"},
		{"GET http://app.example/x?y HTTP/1.1", "/x?y"},
		{"OPTIONS * HTTP/1.1", "*"},
	} {
		t.Run(tt.line, func(t *testing.T) {
			r, server := newProxy(t, "request_headers: get 0 :path; quiet reply 200 -1 ok", nil)
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "%s\r\nHost: app.example\r\n\r\n", tt.line)
			if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
				t.Fatal(err)
			}
			r.wantLog("request_headers: get 0 :path -> 0 " + tt.want)
		})
	}
}
