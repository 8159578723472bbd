package conversation

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// envoyExchange is a request on a connection of its own.
type envoyExchange struct {
	gate    *envoyGate
	conn    net.Conn
	done    chan struct{} // closed when there is an answer
	ended   chan struct{} // closed when it has ended
	outcome Outcome
	err     error
}

func (x *envoyExchange) Done() bool {
	select {
	case <-x.done:
		return true
	default:
		return false
	}
}

func (x *envoyExchange) Open() bool {
	select {
	case <-x.ended:
		return false
	default:
		return true
	}
}

func (x *envoyExchange) Cut() error {
	select {
	case <-x.ended:
		return nil
	case <-time.After(answerLimit):
		return errNotCut
	}
}

func (x *envoyExchange) Outcome() (Outcome, error) {
	<-x.done // the connection has a deadline
	return x.outcome, x.err
}

// Leave closes the connection, and waits until Envoy has noticed.
func (x *envoyExchange) Leave() error {
	if err := x.conn.Close(); err != nil {
		return err
	}
	<-x.ended
	return x.gate.envoy.process.idle()
}

func (x *envoyExchange) run(r Request) {
	defer close(x.ended)
	defer x.conn.Close()
	response := x.ask(r)
	if r.Stream {
		close(x.done)
	} else {
		defer close(x.done)
	}
	if response == nil {
		return
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if !r.Stream {
		x.outcome.Body, x.err = string(body), err
	}
}

// ask sends the request and reads the answer's header; nil where no body follows.
func (x *envoyExchange) ask(r Request) *http.Response {
	if _, x.err = io.WriteString(x.conn, wire(r)); x.err != nil {
		return nil
	}
	response, err := http.ReadResponse(bufio.NewReader(x.conn), &http.Request{Method: r.Method})
	if err != nil {
		x.err = x.gate.envoy.process.failed("no answer from envoy: %w", err)
		return nil
	}
	id, _ := r.Header.Get("x-request-id")
	x.outcome = Outcome{
		Status: response.StatusCode, Reason: reason(response.Header.Get(detailsField)),
		Header: fieldsIn(response.Header), Forwarded: x.gate.envoy.app.received(id),
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	return response
}

// wire is a request in HTTP/1.1, byte for byte as the script has it.
func wire(r Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nhost: %s\r\n", r.Method, r.Target, r.Authority)
	for _, f := range r.Header {
		fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
	}
	if _, upgrade := r.Header.Get("upgrade"); upgrade {
		b.WriteString("connection: upgrade\r\n")
	} else {
		b.WriteString("connection: close\r\n")
	}
	if r.Body != "" || r.Method == "POST" || r.Method == "PUT" {
		fmt.Fprintf(&b, "content-length: %d\r\n", len(r.Body))
	}
	b.WriteString("\r\n" + r.Body)
	return b.String()
}

// provider is the server that a gate's calls reach; the script answers them.
type provider struct {
	server *httptest.Server
	auto   func(Call) (Reply, bool)
	came   chan struct{}

	mu     sync.Mutex
	calls  []*Call
	served map[string]int // how often the provider answered what by itself
}

func newProvider(auto func(Call) (Reply, bool)) *provider {
	p := &provider{auto: auto, came: make(chan struct{}, 1), served: map[string]int{}}
	p.server = httptest.NewServer(p)
	return p
}

func (p *provider) port() int { return p.server.Listener.Addr().(*net.TCPAddr).Port }

func (p *provider) close() {
	p.server.CloseClientConnections()
	p.server.Close()
}

// ServeHTTP implements http.Handler.
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20)) // what is cut short does not match
	answers := make(chan Reply, 1)
	c := &Call{
		Method: r.Method, URL: "https://" + r.Host + r.RequestURI,
		Header: fieldsIn(r.Header), Body: string(body), handle: answers,
	}
	if reply, ok := p.auto(*c); ok {
		p.write(w, r, reply)
		p.count(provided(c.URL))
		return
	}
	p.add(c)
	select {
	case reply := <-answers:
		p.write(w, r, reply)
	case <-r.Context().Done():
		p.remove(c)
	}
}

func (p *provider) write(w http.ResponseWriter, r *http.Request, reply Reply) {
	switch {
	case reply.Never:
		<-r.Context().Done()
	case reply.Cut:
		panic(http.ErrAbortHandler)
	default:
		write(w, reply)
	}
}

func (p *provider) add(c *Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, c)
	p.wake()
}

// count notes that an answer was given.
func (p *provider) count(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.served[what]++
	p.wake()
}

// wake lets who waits look again.
func (p *provider) wake() {
	select {
	case p.came <- struct{}{}:
	default:
	}
}

// known waits until so many have learned metadata and keys, unless the script
// answers for them.
func (p *provider) known(many int) error {
	timer := time.NewTimer(startLimit)
	defer timer.Stop()
	for {
		_, auto := p.auto(Call{URL: Issuer + wellKnown})
		_, keys := p.auto(Call{URL: "https://id.example.com/keys"})
		p.mu.Lock()
		done := !auto || !keys || p.served["keys"] >= many
		p.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-p.came:
		case <-timer.C:
			return fmt.Errorf("conversation: the gate did not ask for the keys within %v", startLimit)
		}
	}
}

// handBack answers what the script no longer does.
func (p *provider) handBack() {
	p.mu.Lock()
	waiting := slices.Clone(p.calls)
	p.mu.Unlock()
	for _, c := range waiting {
		if reply, ok := p.auto(*c); ok {
			p.answer(c, reply)
		}
	}
}

func (p *provider) remove(c *Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = slices.DeleteFunc(p.calls, func(other *Call) bool { return other == c })
}

func (p *provider) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
}

// pending waits for so many calls that wait for an answer, and returns those that
// do.
func (p *provider) pending(many int, limit time.Duration) []*Call {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for late := false; ; {
		p.mu.Lock()
		calls := slices.Clone(p.calls)
		p.mu.Unlock()
		if late || len(calls) >= many {
			return calls
		}
		select {
		case <-p.came:
		case <-timer.C:
			late = true
		}
	}
}

func (p *provider) answer(c *Call, r Reply) {
	p.remove(c)
	c.handle.(chan Reply) <- r
}
