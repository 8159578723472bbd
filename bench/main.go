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
	"regexp"
	"strconv"
	"strings"
	"time"
)

type options struct {
	envoy, module, logOnly string
	against                string
	rounds, requests       int
	starts                 int
	native                 bool
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
	flag.BoolVar(&o.native, "native", true, "measure Envoy's own gate too")
	flag.StringVar(&o.gcEnv, "gc", "", "settings of Go's collector for the module, as in GOGC=200,GOMEMLIMIT=32MiB")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// peer is one gate and the cookie that it takes.
type peer struct {
	name   string
	cookie string
	envoy  *envoy
	cpu    []float64 // microseconds per request
	plain  []float64 // the same requests through Envoy alone
	rate   []float64 // requests per second
}

// lab is what all runs share.
type lab struct {
	options
	dir    string
	idp    string // host:port
	issuer string
	tokens *tokens
	key    []byte
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
	idp := provider(func() string { return l.tokens.jwks })
	defer idp.Close()
	l.issuer, l.idp = idp.URL, strings.TrimPrefix(idp.URL, "http://")
	if l.tokens, err = mintTokens(l.issuer, l.now); err != nil {
		return err
	}
	if err := l.starting(); err != nil {
		return err
	}
	return l.serving()
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
			for _, e := range []*envoy{first, second} {
				if results[e], err = l.load(e, p.cookie); err != nil {
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
	own, err := posternCookie(l.tokens, l.key, l.issuer, l.now)
	if err != nil {
		return nil, err
	}
	gates, err := l.gates(own)
	if err != nil {
		return nil, err
	}
	var peers []*peer
	for _, p := range gates {
		e, err := startEnvoy(l.envoy, l.dir, strings.ReplaceAll(p.name, " ", "-"), p.filters, l.idp)
		if err != nil {
			return peers, err
		}
		peers = append(peers, &peer{name: p.name, cookie: p.cookie, envoy: e})
		if err := guards(e, p.cookie); err != nil {
			return peers, err
		}
	}
	return peers, nil
}

// gate is what is measured, and the cookie that it takes.
type gate struct {
	name, cookie string
	filters      []object
}

// gates are the rows: the module first, then what it is compared with.
func (l *lab) gates(own string) ([]gate, error) {
	cached, err := l.postern(l.module, posternSettings(l.issuer, true))
	if err != nil {
		return nil, err
	}
	gates := []gate{{"Postern", own, cached}}
	if l.against != "" {
		other, err := l.postern(l.against, posternSettings(l.issuer, true))
		return append(gates, gate{"the other module", own, other}), err
	}
	if l.native {
		native := nativeCookie(l.tokens, l.now)
		gates = append(gates,
			gate{"native oauth2", native, []object{oauth2Filter()}},
			gate{"native oauth2 and jwt_authn", native, []object{oauth2Filter(), jwtFilter(l.issuer, l.tokens.jwks)}})
	}
	opened, err := l.postern(l.module, posternSettings(l.issuer, false))
	return append(gates, gate{"Postern, sessions not in the cache", own, opened}), err
}

// guards makes sure that a peer lets the session pass and nobody else: else
// its figures would be those of something that does no work.
func guards(e *envoy, cookie string) error {
	status := func(cookie string) (int, error) {
		r, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d/", e.port), nil)
		if err != nil {
			return 0, err
		}
		r.Host = host
		if cookie != "" {
			r.Header.Set("cookie", cookie)
		}
		r.Header.Set("sec-fetch-mode", "navigate")
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return 0, err
		}
		answer.Body.Close()
		return answer.StatusCode, nil
	}
	if got, err := status(cookie); err != nil || got != 200 {
		return fmt.Errorf("%s answers %d to a session (%v)", e.name, got, err)
	}
	if got, err := status(""); err != nil || got == 200 {
		return fmt.Errorf("%s answers %d to nobody (%v)", e.name, got, err)
	}
	return nil
}

// result is one run of h2load.
type result struct {
	cpu  float64 // microseconds of Envoy's CPU time per request
	rate float64 // requests per second
}

var (
	succeeded = regexp.MustCompile(`status codes: (\d+) 2xx`)
	perSecond = regexp.MustCompile(`, ([\d.]+) req/s`)
)

func (l *lab) load(e *envoy, cookie string) (result, error) {
	args := []string{"--h1", "-c16", "-t1", "-n", strconv.Itoa(l.requests)}
	for _, h := range append(browserHeaders, "cookie: theme=dark; "+cookie+"; lang=en") {
		args = append(args, "-H", h)
	}
	args = append(args, fmt.Sprintf("http://127.0.0.1:%d/catalogue/spring/item-4711?from=start", e.port))
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

func (l *lab) report(peers []*peer) {
	fmt.Printf("%d rounds of %d requests each way, 16 connections, HTTP/1.1, one worker, direct_response.\n\n", l.rounds, l.requests)
	fmt.Printf("| gate | cookie bytes | CPU us per request | plain Envoy, same requests | ratio, median | ratio, 95 %% bound | req/s |\n|---|---|---|---|---|---|---|\n")
	for _, p := range peers {
		r := ratios(p.cpu, p.plain)
		fmt.Printf("| %s | %d | %.1f | %.1f | %.2f | %.2f | %.0f |\n",
			p.name, len(p.cookie), median(p.cpu), median(p.plain), median(r), upperBound(r), median(p.rate))
	}
	fmt.Println()
	if len(peers) > 1 {
		versus := ratios(peers[0].cpu, peers[1].cpu)
		fmt.Printf("Postern to %s, CPU per request: %.2f (95 %% bound %.2f).\n", peers[1].name, median(versus), upperBound(versus))
	}
	fmt.Printf("Linear memory of the worker's module after %d requests: %.1f MiB.\n",
		(l.rounds+1)*l.requests+1, float64(peers[0].envoy.linearMemory())/(1<<20))
}
