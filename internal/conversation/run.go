package conversation

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// player plays one script on one driver.
type player struct {
	script *Script
	driver Driver
	gate   Gate

	vars     *vars
	browsers map[string]*browser
	who      string // the browser in front
	tabs     map[string]*tab
	tab      *tab // the last one that was answered, or asked
	call     *Call
	counted  int // calls that were counted and not answered
	requests int
	proofs   int
	worker   int // who serves requests, from 0
	replica  int

	mu     sync.Mutex // guards what the gate's own goroutines touch
	manual map[string]bool
	log    []string
	issued []event // not mentioned by the script yet
	plain  []string

	secrets secrets
}

// tab is a request under way, and what became of it.
type tab struct {
	id, host string
	exchange Exchange
	outcome  *Outcome
	seen     bool // forwarding was mentioned
	answered bool
	stream   bool // its answer stays open
	closed   bool // … and what became of that was mentioned
	browser  *browser
}

// began is when scripts begin, where the clock can be set.
var began = time.Unix(1_800_000_000, 0).UTC()

// Play plays a script, calling run for each of its cases.
func Play(s *Script, d Driver, run func(name string, play func() error)) {
	p := &player{script: s, driver: d}
	for i, c := range s.Cases {
		last := i == len(s.Cases)-1
		run(c.Name, func() error {
			err := p.play(c)
			if (err != nil || last || s.Fresh) && p.gate != nil {
				err = firstOf(err, p.stop())
			}
			return err
		})
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *player) play(c Case) error {
	p.reset(c)
	for i := range p.script.Steps {
		s := &p.script.Steps[i]
		if err := p.step(s); err != nil {
			return s.errorf("%w", err)
		}
	}
	return p.finish()
}

// reset begins a case: the gate stays, the browsers are new.
func (p *player) reset(c Case) {
	p.vars = newVars()
	p.vars.values["issuer"], p.vars.values["client_id"], p.vars.values["client_secret"] = Issuer, ClientID, ClientSecret
	p.vars.values["other_issuer"], p.vars.values["third_issuer"] = OtherIssuer, ThirdIssuer
	p.vars.values["request_id"] = "no-request"
	for name, value := range c.Vars {
		p.vars.later[name] = value
	}
	p.secrets = secrets{}
	for i := range parties {
		p.secrets.add(parties[i].secret)
		name := "idtoken_" + parties[i].name
		if i == 0 {
			name = "idtoken"
		}
		p.vars.funcs[name] = func(arg string) (string, error) {
			return parties[i].idToken(arg, p.vars.values["nonce"], p.now())
		}
	}
	p.vars.funcs["accesstoken"] = p.withClock(func(arg string) (string, error) { return accessToken(arg, p.now()) })
	p.vars.funcs["dpop"] = p.withClock(p.proof)
	p.vars.funcs["thumbprint"], p.vars.funcs["jwk"] = thumbprint, jwk
	p.vars.funcs["x5t"] = certificateHash
	p.vars.funcs["certificate"] = func(name string) (string, error) { return certificateDigest(name), nil }
	p.vars.funcs["keys"] = keySet
	p.vars.funcs["metadata"] = metadata
	p.vars.funcs["cookie"] = func(name string) (string, error) { return p.front().value(name) }
	p.worker, p.replica = 0, 0
	p.browsers, p.who, p.tabs, p.tab, p.call = map[string]*browser{}, "", map[string]*tab{}, nil, nil
	p.mu.Lock()
	p.manual, p.log, p.issued, p.plain = map[string]bool{}, nil, nil, nil
	p.mu.Unlock()
}

// withClock is a function of the gate's time, which begins the gate: before that
// nobody knows what its clock shows.
func (p *player) withClock(f func(string) (string, error)) func(string) (string, error) {
	return func(arg string) (string, error) {
		if err := p.ensureGate(); err != nil {
			return "", err
		}
		return f(arg)
	}
}

func (p *player) now() time.Time {
	if p.gate == nil {
		return began
	}
	return p.gate.Now()
}

func (p *player) front() *browser {
	if p.browsers[p.who] == nil {
		p.browsers[p.who] = &browser{}
	}
	return p.browsers[p.who]
}

// start begins the gate, at a time, with the script's settings or those of a
// file.
func (p *player) start(file string, now time.Time) error {
	settings, err := p.script.settings(file)
	if err != nil {
		return err
	}
	p.gate, err = p.driver.Start(Setup{
		Settings: settings, Auto: p.auto, Log: p.hear, Now: now,
		Workers: p.script.Workers, Replicas: p.script.Replicas, NoBodies: p.script.NoBodies,
		Direction: p.script.Direction,
	})
	return err
}

func (p *player) ensureGate() error {
	if p.gate != nil {
		return nil
	}
	return p.start("settings.json", began)
}

func (p *player) stop() error {
	gate := p.gate
	p.gate = nil
	return gate.Stop()
}

// finish looks for what the script did not mention.
func (p *player) finish() error {
	if p.gate == nil {
		return nil
	}
	if err := p.quiet(); err != nil {
		return fmt.Errorf("%s: at the end: %w", p.script.Name, err)
	}
	if p.call != nil || min(p.counted, p.gate.Calls()) > 0 {
		return fmt.Errorf("%s: at the end: the last call has no reply", p.script.Name)
	}
	for name, t := range p.tabs {
		if !t.answered {
			return fmt.Errorf("%s: at the end: the script does not say what becomes of the request in tab %q", p.script.Name, name)
		}
		if t.stream && !t.closed {
			return fmt.Errorf("%s: at the end: the stream in tab %q is still open", p.script.Name, name)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.log {
		if err := p.secrets.in("the log", line); err != nil {
			return fmt.Errorf("%s: %w", p.script.Name, err)
		}
	}
	return nil
}

// quiet fails if the gate called or logged something that was not mentioned.
func (p *player) quiet() error {
	known := p.counted
	if p.call != nil {
		known = max(1, known)
	}
	if p.gate.Calls() > known {
		calls, err := p.gate.Waiting(known + 1)
		if err != nil || len(calls) <= known {
			return err
		}
		return fmt.Errorf("a call that the script does not mention: %s %s", calls[known].Method, calls[known].URL)
	}
	if err := p.gate.Settle(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.issued {
		if !e.implied() {
			return fmt.Errorf("an event that the script does not mention: %s", e)
		}
	}
	if len(p.plain) > 0 {
		return fmt.Errorf("a line in the log that the script does not mention: %s", p.plain[0])
	}
	return nil
}

// auto answers calls for metadata and keys, unless the script does.
func (p *player) auto(c Call) (Reply, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	what := provided(c.URL)
	if what == "" || p.manual[what] {
		return Reply{}, false
	}
	body, err := keySet(partyAt(c.URL).keys)
	if what == "discovery" {
		issuer, _ := strings.CutSuffix(c.URL, wellKnown)
		body, err = p.script.discovery(issuer)
	}
	if err != nil {
		return Reply{Status: 500, Body: err.Error()}, true
	}
	return Reply{Status: 200, Header: jsonType, Body: body}, true
}

const wellKnown = "/.well-known/openid-configuration"

// provided names what a call is for, where the provider may answer by itself.
func provided(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil:
	case strings.HasSuffix(u.Path, wellKnown):
		return "discovery"
	case strings.HasSuffix(u.Path, "/keys"):
		return "keys"
	}
	return ""
}

// readSettings reads the default settings.
func readSettings(folder string) (settings map[string]any, err error) {
	text, err := os.ReadFile(filepath.Join(folder, "settings.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &settings); err != nil {
		return nil, fmt.Errorf("default settings: %w", err)
	}
	return settings, nil
}

// overlay lays one document over another.
func overlay(base, patch []byte) ([]byte, error) {
	var b, p any
	if err := json.Unmarshal(base, &b); err != nil {
		return nil, fmt.Errorf("default settings: %w", err)
	}
	if err := json.Unmarshal(patch, &p); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	return json.Marshal(lay(b, p))
}

func lay(base, patch any) any {
	switch p := patch.(type) {
	case map[string]any:
		b, ok := base.(map[string]any)
		if !ok {
			return p
		}
		for name, value := range p {
			if value == nil {
				delete(b, name)
			} else {
				b[name] = lay(b[name], value)
			}
		}
		return b
	case []any:
		b, ok := base.([]any)
		if !ok || len(b) != len(p) || !slices.ContainsFunc(p, isObject) {
			return p
		}
		for i := range p {
			b[i] = lay(b[i], p[i])
		}
		return b
	}
	return patch
}

func isObject(v any) bool {
	_, ok := v.(map[string]any)
	return ok
}
