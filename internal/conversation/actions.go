package conversation

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
)

var jsonType = httpmsg.Fields{{Name: "content-type", Value: "application/json"}}

// step carries out one step.
func (p *player) step(s *step) error {
	if err := p.beforeStep(s); err != nil {
		return err
	}
	switch s.verb {
	case "->", "stream":
		return p.send(s)
	case "<-":
		return p.expectAnswer(s)
	case "=> forwarded":
		return p.expectForwarded(s)
	case "pending":
		return p.expectPending(s)
	case "call":
		return p.expectCall(s)
	case "calls":
		return p.expectCalls(s)
	case "reply":
		return p.reply(s)
	case "event":
		return p.expectEvent(s)
	case "log mentions":
		return p.expectLine(s)
	case "clock":
		return p.advance(s)
	case "gone":
		return p.leave(s)
	case "open", "cut":
		return p.expectStream(s)
	}
	return p.arrange(s)
}

// beforeStep starts the gate, and has nothing pass unmentioned that happened
// before a new request.
func (p *player) beforeStep(s *step) error {
	switch s.verb {
	case "take over", "let", "assert", "browser", "worker", "gate":
		return nil
	}
	if err := p.ensureGate(); err != nil {
		return err
	}
	if s.verb == "clock" || s.verb == "restart with" {
		return p.quiet()
	}
	return nil
}

// arrange carries out the steps that concern no message.
func (p *player) arrange(s *step) error {
	switch s.verb {
	case "browser":
		p.who = s.rest
		return nil
	case "worker", "gate":
		return p.turnTo(s)
	case "take over", "hand back":
		return p.takeOver(s)
	case "provider":
		return p.reach(s.rest)
	case "jar":
		return p.jar(s)
	case "let", "assert":
		return p.compute(s)
	case "restart with":
		return p.restart(s)
	case "app answers":
		r, err := p.message(s)
		if err == nil {
			p.gate.Application(r)
		}
		return err
	}
	return fmt.Errorf("nothing knows how to do that")
}

// turnTo has a worker or a gate serve what is sent from now on. Another gate is
// met at its first worker.
func (p *player) turnTo(s *step) error {
	n, err := strconv.Atoi(s.rest)
	if s.verb == "worker" {
		p.worker = n - 1
	} else {
		p.replica, p.worker = n-1, 0
	}
	return err
}

// restart ends the gate and begins another, which time goes on for.
func (p *player) restart(s *step) error {
	now := p.now()
	if err := p.stop(); err != nil {
		return err
	}
	file, err := p.vars.expand(s.rest)
	if err != nil {
		return err
	}
	return p.start(file, now)
}

func (p *player) takeOver(s *step) error {
	back := s.verb == "hand back"
	p.mu.Lock()
	for _, what := range strings.Fields(s.rest) {
		if what != "discovery" && what != "keys" {
			p.mu.Unlock()
			return fmt.Errorf("%s is always the script's", what)
		}
		p.manual[what] = !back
	}
	p.mu.Unlock()
	if !back {
		return nil
	}
	if p.call != nil {
		if _, auto := p.auto(*p.call); auto {
			p.call = nil
		}
	}
	p.gate.HandBack()
	return nil
}

func (p *player) jar(s *step) error {
	if name, gone := strings.CutSuffix(s.rest, " gone"); gone {
		if !p.front().drop(name) {
			return fmt.Errorf("the browser has no such cookie")
		}
		return nil
	}
	name, text, ok := strings.Cut(s.rest, " = ")
	if !ok {
		return fmt.Errorf("a cookie is put in by NAME = value and taken out by NAME gone")
	}
	value, err := p.vars.expand(text)
	if err != nil {
		return err
	}
	host := defaultHost
	if p.tab != nil {
		host = p.tab.host
	}
	p.front().put(host, name, value)
	p.secrets.add(value)
	return nil
}

func (p *player) compute(s *step) error {
	left, right, differ := "", "", false
	var ok bool
	if left, right, ok = strings.Cut(s.rest, " != "); ok {
		differ = true
	} else if left, right, ok = strings.Cut(s.rest, " = "); !ok {
		return fmt.Errorf("an equals sign between blanks is missing")
	}
	value, err := p.vars.expand(right)
	if err != nil {
		return err
	}
	if s.verb == "let" {
		p.vars.values[strings.TrimPrefix(left, "$")] = value
		return nil
	}
	if left, err = p.vars.expand(left); err != nil {
		return err
	}
	if (left == value) == differ {
		return fmt.Errorf("%q and %q", left, value)
	}
	return nil
}

// reach says whether hosts of a cluster, or of all, are healthy.
func (p *player) reach(text string) error {
	cluster, state, named := strings.Cut(text, " ")
	if !named {
		cluster, state = "", text
	}
	if state != "up" && state != "down" {
		return fmt.Errorf("a provider is up or down")
	}
	return p.gate.Provider(cluster, state == "up")
}

func (p *player) advance(s *step) error {
	d, err := time.ParseDuration(strings.TrimPrefix(s.rest, "+"))
	if err != nil || d <= 0 {
		return fmt.Errorf("the clock goes on by a duration, as in +90s")
	}
	return p.gate.Advance(d)
}

// defaultHost is where requests go that name none.
const defaultHost = "app.example.com"

// tabName takes "[name]" off a step's rest.
func tabName(rest string) (name, more string) {
	if strings.HasPrefix(rest, "[") {
		if name, more, ok := strings.Cut(rest[1:], "]"); ok {
			return name, strings.TrimSpace(more)
		}
	}
	return "", rest
}

// send sends a request.
func (p *player) send(s *step) error {
	name, rest := tabName(s.rest)
	if old := p.tabs[name]; old != nil {
		if !old.answered {
			return fmt.Errorf("the request before has no answer yet")
		}
		if old.stream && !old.closed {
			return fmt.Errorf("the stream before is still open")
		}
		if err := p.quiet(); err != nil {
			return err
		}
	}
	r, err := p.request(s, rest)
	if err != nil {
		return err
	}
	p.requests++
	r.Replica, r.Worker, r.Stream = p.replica, p.worker, s.verb == "stream"
	t := &tab{id: fmt.Sprintf("request-%d", p.requests), host: hostOnly(r.Authority), browser: p.front(), stream: r.Stream}
	r.Header = append(r.Header, httpmsg.Field{Name: "x-request-id", Value: t.id})
	p.tabs[name], p.tab, p.vars.values["request_id"] = t, t, t.id
	t.exchange, err = p.gate.Send(r)
	return err
}

// leave has the browser go away before there is an answer.
func (p *player) leave(s *step) error {
	name, _ := tabName(s.rest)
	t := p.tabs[name]
	if t == nil || t.answered && (!t.stream || t.closed) {
		return fmt.Errorf("there is no request under way")
	}
	t.answered, t.closed = true, true
	return t.exchange.Leave()
}

func hostOnly(authority string) string {
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		return strings.ToLower(authority[:i])
	}
	return strings.ToLower(authority)
}

func (p *player) request(s *step, rest string) (Request, error) {
	rest, err := p.vars.expand(rest)
	if err != nil {
		return Request{}, err
	}
	method, target, ok := strings.Cut(rest, " ")
	if !ok {
		return Request{}, fmt.Errorf("a request has a method and an address")
	}
	r := Request{Method: method, Authority: defaultHost, Target: target}
	if p.tab != nil {
		r.Authority = p.tab.host
	}
	for _, scheme := range []string{"https://", "http://"} {
		if after, ok := strings.CutPrefix(target, scheme); ok {
			end := strings.IndexAny(after+"/", "/?")
			r.Authority, r.Target = after[:end], after[end:]
		}
	}
	if err := p.requestFields(s, &r); err != nil {
		return Request{}, err
	}
	p.rememberQuery(r.Target)
	p.rememberQuery("?" + r.Body) // response_mode=form_post
	return r, nil
}

func (p *player) requestFields(s *step, r *Request) error {
	own := len(s.of(noCookie)) == 0
	for _, d := range s.text {
		value, err := p.vars.expand(d.text)
		if err != nil {
			return err
		}
		if d.kind == field && d.name == "" {
			name, rest, _ := strings.Cut(value, ":")
			d.name, value = strings.ToLower(name), strings.TrimSpace(rest)
		}
		switch {
		case d.kind == bodyIs:
			r.Body = value
		case d.kind == peer || d.kind == certificate:
			err = r.from(d.kind, value)
		case d.kind == field && d.name == "host":
			r.Authority = value
		case d.kind == field:
			r.Header = append(r.Header, httpmsg.Field{Name: d.name, Value: value})
			own = own && d.name != "cookie"
			p.rememberCredentials(d.name, value)
		}
		if err != nil {
			return err
		}
	}
	if cookies := p.front().header(hostOnly(r.Authority), r.Target, p.now()); own && cookies != "" {
		r.Header = append(r.Header, httpmsg.Field{Name: "cookie", Value: cookies})
	}
	return nil
}

// from notes who sends a request.
func (r *Request) from(kind detailKind, value string) (err error) {
	if r.Peer == nil {
		r.Peer = &Peer{Address: defaultPeer}
	}
	if kind == peer {
		r.Peer.Address = value
		return nil
	}
	r.Peer.Certificate, err = newCertificate(value)
	return err
}

// rememberCredentials notes the token in a request's field: it is a secret, and
// so is the part of it that nobody else can make.
func (p *player) rememberCredentials(name, value string) {
	if name != "authorization" && name != "dpop" {
		return
	}
	token := value[strings.LastIndexByte(value, ' ')+1:]
	p.secrets.add(token, token[strings.LastIndexByte(token, '.')+1:])
}

// rememberQuery notes what a callback brings: codes and states are secrets, and
// so are tokens, where they do not belong.
func (p *player) rememberQuery(target string) {
	_, query, _ := strings.Cut(target, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return
	}
	p.secrets.add(values["code"]...)
	p.secrets.add(values["state"]...)
	p.secrets.add(values["access_token"]...)
}

// reply answers the call that was last expected.
func (p *player) reply(s *step) error {
	if p.call == nil {
		return fmt.Errorf("no call waits for an answer")
	}
	r, err := p.message(s)
	if err != nil {
		return err
	}
	p.rememberTokens(r.Body)
	c := p.call
	p.call, p.counted = nil, max(0, p.counted-1)
	return p.gate.Reply(c, r)
}

// message reads the status, fields and body of an answer.
func (p *player) message(s *step) (r Reply, err error) {
	status, err := p.vars.expand(s.rest)
	if err != nil {
		return Reply{}, err
	}
	switch status {
	case "never":
		return Reply{Never: true}, nil
	case "cut":
		return Reply{Cut: true}, nil
	}
	if r.Status, err = strconv.Atoi(status); err != nil {
		return Reply{}, fmt.Errorf("%q is no status", status)
	}
	for _, d := range s.text {
		value, err := p.vars.expand(d.text)
		if err != nil {
			return Reply{}, err
		}
		if d.kind == bodyIs {
			r.Body = value
		} else {
			r.Header = append(r.Header, httpmsg.Field{Name: d.name, Value: value})
		}
	}
	if s.body != "" {
		if r.Body, err = p.vars.expand(strings.TrimSpace(s.body)); err != nil {
			return Reply{}, err
		}
	}
	if _, typed := r.Header.Get("content-type"); !typed && r.Body != "" && s.verb == "reply" {
		r.Header = append(r.Header, jsonType...)
	}
	return r, nil
}

// rememberTokens notes the tokens in an answer: they are secrets.
func (p *player) rememberTokens(body string) {
	var tokens struct {
		Access  string `json:"access_token"`
		ID      string `json:"id_token"`
		Refresh string `json:"refresh_token"`
	}
	if json.Unmarshal([]byte(body), &tokens) == nil {
		p.secrets.add(tokens.Access, tokens.ID, tokens.Refresh)
	}
}
