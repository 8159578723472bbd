package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/conversation"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// nativeFront serves a gate that runs as Go code, as Envoy would serve it: what
// fails there fails in the gate, and within seconds.
type nativeFront struct {
	mu   sync.Mutex
	gate conversation.Gate
	app  *httputil.ReverseProxy
	seen time.Time // until when the gate's clock has run
}

// startNative is a gate natively, on a port of its own, whose calls go to the
// hosts of the stand-ins.
func startNative(t testing.TB, w *Standins, g *standinGate, app *App, secrets map[string]string) *Gate {
	t.Helper()
	log := newLog()
	client := &http.Client{Transport: w.net.Transport(dialLoopback), Timeout: 20 * time.Second, CheckRedirect: noRedirects}
	settings := must(json.Marshal(revealed(g.settings(), secrets)))(t)
	front := &nativeFront{seen: time.Now(), app: httputil.NewSingleHostReverseProxy(must(url.Parse(app.Server.URL))(t))}
	var err error
	front.gate, err = conversation.Native().Start(conversation.Setup{
		Settings: settings, Now: front.seen, Auto: func(c conversation.Call) (conversation.Reply, bool) { return callOut(client, c), true },
		Log: func(line string) { _, _ = io.WriteString(log, line+"\n") },
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(front)
	_ = server.Listener.Close()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", g.port))
	if err != nil {
		t.Fatal(err)
	}
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return &Gate{
		Envoy: &Envoy{Process: &Process{Log: log}, Setup: EnvoySetup{Host: "localhost", Env: secrets}, Addr: listener.Addr().String()},
		App:   app, Provider: &Provider{Name: g.name, Issuer: g.issuer},
	}
}

func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// revealed puts values in the places of the variables that hold them.
func revealed(s Settings, secrets map[string]string) any {
	text, _ := json.Marshal(s) // settings of ours
	for name, value := range secrets {
		quoted, _ := json.Marshal(value)
		text = []byte(strings.ReplaceAll(string(text), `"env":"`+name+`"`, `"value":`+string(quoted)))
	}
	return json.RawMessage(text)
}

// callOut makes a call as Envoy would.
func callOut(client *http.Client, c conversation.Call) conversation.Reply {
	req, err := http.NewRequest(c.Method, c.URL, strings.NewReader(c.Body))
	if err != nil {
		return conversation.Reply{Cut: true}
	}
	req.Header["User-Agent"] = []string{""} // Go's own would hide that there is none
	for _, f := range c.Header {
		req.Header.Set(f.Name, f.Value)
	}
	res, err := client.Do(req)
	if err != nil {
		return conversation.Reply{Cut: true}
	}
	body, err := drain(res.Body)
	if err != nil {
		return conversation.Reply{Cut: true}
	}
	reply := conversation.Reply{Status: res.StatusCode, Body: string(body)}
	for name, values := range res.Header {
		for _, value := range values {
			reply.Header = append(reply.Header, httpmsg.Field{Name: strings.ToLower(name), Value: value})
		}
	}
	return reply
}

// ServeHTTP lets the gate's time pass, and asks it.
func (f *nativeFront) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if err := f.gate.Advance(now.Sub(f.seen)); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	f.seen = now
	outcome, err := f.ask(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fields := w.Header()
	for _, field := range outcome.Header {
		fields.Add(field.Name, field.Value)
	}
	if outcome.Forwarded == nil {
		w.WriteHeader(outcome.Status)
		_, _ = io.WriteString(w, outcome.Body)
		return
	}
	fields.Del("Content-Type")
	r.Header = http.Header{}
	for _, field := range outcome.Forwarded.Header {
		r.Header.Add(field.Name, field.Value)
	}
	f.app.ServeHTTP(w, r)
}

func (f *nativeFront) ask(r *http.Request) (conversation.Outcome, error) {
	request := conversation.Request{Method: r.Method, Authority: r.Host, Target: r.RequestURI}
	for name, values := range r.Header {
		for _, value := range values {
			request.Header = append(request.Header, httpmsg.Field{Name: strings.ToLower(name), Value: value})
		}
	}
	body, err := drain(r.Body)
	if err != nil {
		return conversation.Outcome{}, err
	}
	request.Body = string(body)
	exchange, err := f.gate.Send(request)
	if err != nil {
		return conversation.Outcome{}, err
	}
	f.gate.HandBack()
	return exchange.Outcome()
}
