// Command bench measures what Postern adds to a request, to Envoy's start and
// to its memory, beside Envoy alone and Envoy's own oauth2 filter.
//
// It measures CPU time of the Envoy process and nothing else: wall time is
// that of a machine that does other things. Each gate is paired with a plain
// Envoy that gets the very same requests, in alternation and in short rounds,
// and the ratios of the pairs are what counts. It sends to loopback only, with
// h2load, and ends by itself.
package main

import (
	"crypto/rand"
	"encoding/base64"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

type options struct {
	envoy, module, logOnly string
	against                string
	rounds, requests       int
	fresh                  int
	starts                 int
	native, bearer         bool
	rules                  int
	only                   string
	gcEnv                  string
}

func main() {
	var o options
	flag.StringVar(&o.envoy, "envoy", "build/tools/envoy/1.40.0/envoy", "the Envoy to measure with")
	flag.StringVar(&o.module, "module", "build/postern.wasm", "the module")
	flag.StringVar(&o.against, "against", "", "another build of the module, to compare requests with instead of Envoy's own gate")
	flag.StringVar(&o.logOnly, "logonly", "build/bench/logonly.wasm", "a module that only logs")
	flag.IntVar(&o.rounds, "rounds", 11, "pairs of runs for each row")
	flag.IntVar(&o.requests, "requests", 8000, "requests of one run")
	flag.IntVar(&o.starts, "starts", 3, "starts of each kind")
	flag.IntVar(&o.fresh, "fresh", 1000, "requests of one run whose tokens nobody has seen before")
	flag.BoolVar(&o.native, "native", true, "measure Envoy's own gates too")
	flag.BoolVar(&o.bearer, "bearer", true, "measure tokens too, and compare them with sessions")
	flag.IntVar(&o.rules, "rules", 1000, "measure a session's requests under so many rules too, and compare them with none; 0 leaves it out")
	flag.StringVar(&o.only, "only", "", "measure only the rows whose names contain this")
	flag.StringVar(&o.gcEnv, "gc", "", "settings of Go's collector for the module, as in GOGC=200,GOMEMLIMIT=32MiB")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// peer is one gate while it is measured.
type peer struct {
	gate
	envoy *envoy
	cpu   []float64 // microseconds per request
	plain []float64 // the same requests through Envoy alone
	rate  []float64 // requests per second
}

// lab is what all runs share.
type lab struct {
	options
	dir    string
	idp    string // host:port
	issuer string
	tokens *tokens
	key    []byte
	own    credential // a session at Postern
	now    time.Time
}

func run(o options) error {
	if _, err := exec.LookPath("h2load"); err != nil {
		return fmt.Errorf("%w: it is in Debian's nghttp2-client", err)
	}
	dir, err := os.MkdirTemp("", "postern-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l := &lab{options: o, dir: dir, key: make([]byte, 32), now: time.Now()}
	_, _ = rand.Read(l.key)
	idp := provider(func() *tokens { return l.tokens })
	defer idp.Close()
	l.issuer, l.idp = idp.URL, strings.TrimPrefix(idp.URL, "http://")
	if l.tokens, err = mintTokens(l.issuer, l.now); err != nil {
		return err
	}
	if err := l.starting(); err != nil {
		return err
	}
	if err := l.signIn(); err != nil {
		return err
	}
	if err := l.serving(); err != nil {
		return err
	}
	if l.rules > 0 {
		if err := l.rulesToNone(); err != nil {
			return err
		}
	}
	if !l.bearer {
		return nil
	}
	return l.bearerToSession()
}

// postern is the gate, from a file of the module.
func (l *lab) postern(module string, settings string) ([]object, error) {
	module, err := filepath.Abs(module)
	if err != nil {
		return nil, err
	}
	env := map[string]string{"POSTERN_KEY": base64.StdEncoding.EncodeToString(l.key)}
	if l.gcEnv != "" {
		for setting := range strings.SplitSeq(l.gcEnv, ",") {
			name, value, _ := strings.Cut(setting, "=")
			env[name] = value
		}
	}
	return wasmFilter(module, settings, env), nil
}

// starting measures what Envoy's start costs.
func (l *lab) starting() error {
	postern, err := l.postern(l.module, posternSettings(l.issuer, true))
	if err != nil {
		return err
	}
	logOnly, err := filepath.Abs(l.logOnly)
	if err != nil {
		return err
	}
	kinds := []struct {
		name    string
		filters []object
		cpu     []float64
	}{{name: "Envoy alone"}, {name: "a Go module that only logs", filters: wasmFilter(logOnly, "", nil)}, {name: "Postern", filters: postern}}
	for range l.starts {
		for i := range kinds {
			e, err := startEnvoy(l.envoy, l.dir, "start", kinds[i].filters, l.idp)
			if err != nil {
				return err
			}
			kinds[i].cpu = append(kinds[i].cpu, e.started.Seconds())
			e.stop()
		}
	}
	if l.starts == 0 {
		return nil
	}
	fmt.Printf("| Envoy's start | CPU s | to the module that only logs |\n|---|---|---|\n")
	for _, k := range kinds {
		r := ratios(k.cpu, kinds[1].cpu)
		fmt.Printf("| %s | %.2f | %.2f |\n", k.name, median(k.cpu), median(r))
	}
	fmt.Println()
	return nil
}

// serving measures what an authenticated request costs.
func (l *lab) serving() error {
	plain, err := startEnvoy(l.envoy, l.dir, "plain", nil, l.idp)
	if err != nil {
		return err
	}
	defer plain.stop()
	peers, err := l.startPeers()
	defer func() {
		for _, p := range peers {
			if p.envoy != nil {
				p.envoy.stop()
			}
		}
	}()
	if err != nil {
		return err
	}
	for round := -1; round < l.rounds; round++ { // the first warms up and does not count
		for _, p := range peers {
			first, second := plain, p.envoy
			if round%2 == 0 {
				first, second = second, first
			}
			results := map[*envoy]result{}
			send, err := l.sender(p.gate)
			if err != nil {
				return err
			}
			for _, e := range []*envoy{first, second} {
				if results[e], err = send(e); err != nil {
					return err
				}
			}
			if round < 0 {
				continue
			}
			p.plain = append(p.plain, results[plain].cpu)
			p.cpu = append(p.cpu, results[p.envoy].cpu)
			p.rate = append(p.rate, results[p.envoy].rate)
		}
	}
	l.report(peers)
	return nil
}

func (l *lab) startPeers() ([]*peer, error) {
	gates, err := l.gates()
	if err != nil {
		return nil, err
	}
	var peers []*peer
	for _, g := range gates {
		if !strings.Contains(g.name, l.only) {
			continue
		}
		e, err := l.startGate(g)
		if err != nil {
			return peers, err
		}
		peers = append(peers, &peer{gate: g, envoy: e})
	}
	return peers, nil
}

// startGate starts a gate that is known to do its work.
func (l *lab) startGate(g gate) (*envoy, error) {
	e, err := startEnvoy(l.envoy, l.dir, strings.NewReplacer(" ", "-", ",", "").Replace(g.name), g.filters, l.idp)
	if err != nil {
		return nil, err
	}
	if err := guards(e, g.credential); err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

// gate is what is measured, and what it takes.
type gate struct {
	name       string
	credential credential
	fresh      bool // each request brings a token that nobody has seen before
	filters    []object
}

// gates are the rows: the module first, then what it is compared with.
func (l *lab) gates() ([]gate, error) {
	cached, err := l.postern(l.module, posternSettings(l.issuer, true))
	if err != nil {
		return nil, err
	}
	gates := []gate{{name: "Postern", credential: l.own, filters: cached}}
	if l.against != "" {
		other, err := l.postern(l.against, posternSettings(l.issuer, true))
		return append(gates, gate{name: "the other module", credential: l.own, filters: other}), err
	}
	if l.native {
		native := cookies(nativeCookie(l.tokens, l.now))
		gates = append(gates,
			gate{name: "native oauth2", credential: native, filters: []object{oauth2Filter()}},
			gate{name: "native oauth2 and jwt_authn", credential: native, filters: []object{oauth2Filter(), jwtFilter(l.issuer, l.tokens.jwks, 0)}})
	}
	opened, err := l.postern(l.module, posternSettings(l.issuer, false))
	if err != nil {
		return nil, err
	}
	gates = append(gates, gate{name: "Postern, sessions not in the cache", credential: l.own, filters: opened})
	if !l.bearer {
		return gates, nil
	}
	tokens, err := l.tokenGates()
	return append(gates, tokens...), err
}

// guards makes sure that a peer lets its credential pass and nobody else: else
// its figures would be those of something that does no work.
func guards(e *envoy, c credential) error {
	if got, err := status(e, c, "/"); err != nil || got != 200 {
		return fmt.Errorf("%s answers %d to its %s (%v)", e.name, got, c.name, err)
	}
	if got, err := status(e, credential{}, "/"); err != nil || got == 200 {
		return fmt.Errorf("%s answers %d to nobody (%v)", e.name, got, err)
	}
	return nil
}

// status is what a browser with a credential is answered.
func status(e *envoy, c credential, path string) (int, error) {
	answer, err := ask(e, c, path)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, nil
}

// ask has a browser with a credential open a page.
func ask(e *envoy, c credential, path string) (*http.Response, error) {
	r, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d%s", e.port, path), nil)
	if err != nil {
		return nil, err
	}
	r.Host = host
	if c.value != "" {
		r.Header.Set(c.name, c.value)
	}
	r.Header.Set("sec-fetch-mode", "navigate")
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	return answer, answer.Body.Close()
}

func (l *lab) report(peers []*peer) {
	fmt.Printf("%d rounds of %d requests each way (%d where each token is new), %d connections, HTTP/1.1, one worker, direct_response.\n\n",
		l.rounds, l.requests, l.fresh, connections)
	fmt.Printf("| gate | credential, bytes | CPU us per request | plain Envoy, same requests | ratio, median | ratio, 95 %% bound | req/s |\n|---|---|---|---|---|---|---|\n")
	for _, p := range peers {
		r := ratios(p.cpu, p.plain)
		fmt.Printf("| %s | %d | %.1f | %.1f | %.2f | %.2f | %.0f |\n",
			p.name, len(p.credential.value), median(p.cpu), median(p.plain), median(r), upperBound(r), median(p.rate))
	}
	fmt.Println()
	if len(peers) == 0 {
		return
	}
	if len(peers) > 1 && l.only == "" {
		versus := ratios(peers[0].cpu, peers[1].cpu)
		fmt.Printf("Postern to %s, CPU per request: %.2f (95 %% bound %.2f).\n", peers[1].name, median(versus), upperBound(versus))
	}
	fmt.Printf("Linear memory of the worker's module after %d requests: %.1f MiB.\n",
		(l.rounds+1)*l.requests+1, float64(peers[0].envoy.linearMemory())/(1<<20))
}
