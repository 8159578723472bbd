package conversation

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/tidwall/gjson"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// outcome waits for what becomes of the request in a step's tab.
func (p *player) outcome(name string) (*tab, error) {
	t := p.tabs[name]
	if t == nil {
		return nil, fmt.Errorf("there is no request in tab %q", name)
	}
	p.tab = t
	if t.outcome != nil {
		return t, nil
	}
	o, err := t.exchange.Outcome()
	if err != nil {
		return nil, err
	}
	t.outcome = &o
	return t, p.keepCookies(t)
}

// keepCookies has the browser store what the answer sets.
func (p *player) keepCookies(t *tab) error {
	for _, f := range t.outcome.Header {
		if f.Name != "set-cookie" {
			continue
		}
		if err := t.browser.take(t.host, f.Value, p.now()); err != nil {
			return err
		}
		pair, _, _ := strings.Cut(f.Value, ";")
		_, value, _ := strings.Cut(pair, "=")
		p.secrets.add(value)
	}
	return nil
}

func (p *player) expectPending(s *step) error {
	name, _ := tabName(s.rest)
	t := p.tabs[name]
	if t == nil || t.exchange.Done() {
		return fmt.Errorf("the request is not pending")
	}
	return nil
}

// expectStream wants a stream of the application's to be open still, or to be
// cut.
func (p *player) expectStream(s *step) error {
	name, _ := tabName(s.rest)
	t := p.tabs[name]
	switch {
	case t == nil || !t.stream || !t.seen || t.closed:
		return fmt.Errorf("there is no stream of the application's")
	case s.verb == "cut":
		t.closed = true
		return t.exchange.Cut()
	case !t.exchange.Open():
		return fmt.Errorf("the stream was cut")
	}
	return nil
}

// expectForwarded wants the request to have reached the application.
func (p *player) expectForwarded(s *step) error {
	name, _ := tabName(s.rest)
	t, err := p.outcome(name)
	if err != nil {
		return err
	}
	f := t.outcome.Forwarded
	if f == nil {
		return fmt.Errorf("it was answered with %s", describe(t.outcome))
	}
	t.seen, t.answered = true, true
	for _, d := range s.of(field) {
		if err := p.matchField(f.Header, d, f); err != nil {
			return err
		}
	}
	for _, d := range s.of(absent) {
		for _, name := range strings.Fields(d.text) {
			for _, h := range f.Header {
				if soundsLike(h.Name, name) {
					return fmt.Errorf("the application sees %s: %s", h.Name, h.Value)
				}
			}
		}
	}
	return nil
}

// soundsLike reports whether an application could take one name for the other:
// many drop case and punctuation. It asks nothing of the gate's own code.
func soundsLike(a, b string) bool {
	bare := func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}
	return strings.Map(bare, a) == strings.Map(bare, b)
}

// matchField compares all fields of a name, in order, joined by " | ".
func (p *player) matchField(header httpmsg.Fields, d detail, f *Forwarded) error {
	var values []string
	for _, h := range header {
		if h.Name == d.name {
			values = append(values, h.Value)
		}
	}
	if f != nil {
		switch d.name {
		case "method":
			values = []string{f.Method}
		case "host":
			values = []string{f.Authority}
		case "target":
			values = []string{f.Target}
		}
	}
	got := strings.Join(values, " | ")
	ok, err := p.vars.match(d.text, got)
	if err == nil && !ok {
		err = fmt.Errorf("%s is %q, not %s", d.name, got, d.text)
	}
	return err
}

func describe(o *Outcome) string {
	text := fmt.Sprintf("%d %s", o.Status, o.Reason)
	for _, f := range o.Header {
		if f.Name == "location" {
			text += " location: " + f.Value
		}
	}
	return text + " " + shown(o.Body)
}

// shown is what of a body helps in a failure.
func shown(body string) string {
	if _, after, ok := strings.Cut(body, "</style>"); ok {
		body = after
	}
	return fmt.Sprintf("%.600s", strings.Join(strings.Fields(body), " "))
}

// expectAnswer compares what the browser received.
func (p *player) expectAnswer(s *step) error {
	name, rest := tabName(s.rest)
	t, err := p.outcome(name)
	if err != nil {
		return err
	}
	o := t.outcome
	if o.Forwarded != nil && !t.seen {
		return fmt.Errorf("the request reached the application")
	}
	t.answered = true
	t.closed = t.closed || o.Forwarded == nil // nothing of the gate's stays open
	if rest, err = p.vars.expand(rest); err != nil {
		return err
	}
	if rest, err = grpcAnswer(rest, o); err != nil {
		return err
	}
	status, why, _ := strings.Cut(rest, " ")
	if strconv.Itoa(o.Status) != status {
		return fmt.Errorf("it is %s", describe(o))
	}
	if why != o.Reason {
		return fmt.Errorf("the reason is %q", o.Reason)
	}
	return firstOf(p.checkHeader(s, o), p.checkBody(s, o), p.checkOwn(o))
}

// checkOwn holds for every answer that the gate makes.
func (p *player) checkOwn(o *Outcome) error {
	if o.Reason == "" {
		return nil
	}
	_, grpc := o.Header.Get("grpc-status") // which nobody stores
	if v, _ := o.Header.Get("cache-control"); v != "no-store" && !grpc && !storable[o.Reason] {
		return fmt.Errorf("the gate's answer may be stored: cache-control is %q", v)
	}
	for _, f := range o.Header {
		if f.Name == "set-cookie" || o.Reason == "authorized" { // it carries the session, sealed; or the identity, for the proxy that asks
			continue
		}
		if err := p.secrets.in(f.Name, withoutHint(f.Value)); err != nil {
			return err
		}
	}
	return p.secrets.in("the answer", o.Body)
}

// storable are the answers that need not forbid it: one is Envoy's own, and the
// others are for everybody.
var storable = map[string]bool{"denied": true, "resource_metadata": true, "jwks": true}

// withoutHint is an address without the ID token by which the provider is told
// who signs out (RP-Initiated Logout 1.0, section 2): that is the one place
// where a browser is given a token.
func withoutHint(address string) string {
	before, after, found := strings.Cut(address, "id_token_hint=")
	if !found || !strings.Contains(before, partyAt(before).origin+"/logout?") {
		return address
	}
	_, rest, _ := strings.Cut(after, "&")
	return before + rest
}

func (p *player) checkHeader(s *step, o *Outcome) error {
	cookies := 0
	for _, d := range s.of(field) {
		if d.name == "set-cookie" {
			cookies++
			continue
		}
		if err := p.matchField(o.Header, d, nil); err != nil {
			return err
		}
	}
	for _, d := range s.of(absent) {
		for _, name := range strings.Fields(d.text) {
			if _, there := o.Header.Get(name); there {
				return fmt.Errorf("there is a field %s", name)
			}
		}
	}
	return firstOf(p.checkCookies(s, o), p.checkQuery(s, o))
}

// checkCookies wants exactly the cookies that are listed, in any order.
func (p *player) checkCookies(s *step, o *Outcome) error {
	var left []string
	for _, f := range o.Header {
		if f.Name == "set-cookie" {
			left = append(left, f.Value)
		}
	}
	for _, d := range s.of(field) {
		if d.name != "set-cookie" {
			continue
		}
		found := false
		for i, value := range left {
			ok, err := p.vars.match(d.text, value)
			if err != nil {
				return err
			}
			if ok {
				left, found = append(left[:i:i], left[i+1:]...), true
				break
			}
		}
		if !found {
			return fmt.Errorf("no cookie is %s among %q", d.text, left)
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("cookies that the script does not mention: %q", left)
	}
	return nil
}

// checkQuery compares parameters in the location.
func (p *player) checkQuery(s *step, o *Outcome) error {
	if len(s.of(query)) == 0 {
		return nil
	}
	location, _ := o.Header.Get("location")
	u, err := url.Parse(location)
	if err != nil {
		return err
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return err
	}
	return p.matchValues(s.of(query), values)
}

func (p *player) matchValues(details []detail, values url.Values) error {
	for _, d := range details {
		got := strings.Join(values[d.name], " | ")
		ok, err := p.vars.match(d.text, got)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%s is %q, not %s", d.name, got, d.text)
		}
	}
	return nil
}

func (p *player) checkBody(s *step, o *Outcome) error {
	for _, d := range s.text {
		text, err := p.vars.expand(d.text)
		if err != nil {
			return err
		}
		switch {
		case d.kind == contains && !strings.Contains(o.Body, text):
			return fmt.Errorf("the body does not contain %q: %s", text, shown(o.Body))
		case d.kind == lacks && strings.Contains(o.Body, text):
			return fmt.Errorf("the body contains %q: %s", text, shown(o.Body))
		case d.kind == bodyIs:
			err = p.matchText(d, "the body", o.Body)
		case d.kind == member:
			err = p.matchText(d, d.name, gjson.Get(o.Body, d.name).String())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *player) matchText(d detail, what, got string) error {
	ok, err := p.vars.match(d.text, got)
	if err == nil && !ok {
		err = fmt.Errorf("%s is %q, not %s", what, got, d.text)
	}
	return err
}

// expectCall takes a call and compares it: the first one that waits, or another of
// those that were counted.
func (p *player) expectCall(s *step) error {
	if p.call != nil {
		return fmt.Errorf("the call before has no reply")
	}
	calls, err := p.gate.Waiting(1)
	if err != nil {
		return err
	}
	if len(calls) == 0 {
		return fmt.Errorf("the gate makes no call")
	}
	for _, c := range calls[:max(1, min(p.counted, len(calls)))] {
		ok, err := p.vars.match(s.rest, c.Method+" "+c.URL)
		if err != nil {
			return err
		}
		if ok {
			p.call = c
			return firstOf(p.checkCallHeader(s, c), p.checkForm(s, c))
		}
	}
	return fmt.Errorf("the gate calls %s %s", calls[0].Method, calls[0].URL)
}

// expectCalls wants so many calls to wait for an answer at one time. Which of them
// is answered first is then the script's to say.
func (p *player) expectCalls(s *step) error {
	many, err := strconv.Atoi(s.rest)
	if err != nil {
		return err
	}
	calls, err := p.gate.Waiting(many)
	if err == nil && len(calls) != many {
		err = fmt.Errorf("%d calls wait for an answer", len(calls))
	}
	p.counted = many
	return err
}

func (p *player) checkCallHeader(s *step, c *Call) error {
	for _, d := range s.of(field) {
		if err := p.matchField(c.Header, d, nil); err != nil {
			return err
		}
	}
	for _, d := range s.of(absent) {
		for _, name := range strings.Fields(d.text) {
			if _, there := c.Header.Get(name); there {
				return fmt.Errorf("there is a field %s", name)
			}
		}
	}
	for _, d := range s.of(bodyIs) {
		if err := p.matchText(d, "the body", c.Body); err != nil {
			return err
		}
	}
	return nil
}

// checkForm wants exactly the parameters that are listed, where any is.
func (p *player) checkForm(s *step, c *Call) error {
	details := s.of(form)
	if len(details) == 0 {
		return nil
	}
	values, err := url.ParseQuery(c.Body)
	if err != nil {
		return err
	}
	p.secrets.add(values["code_verifier"]...)
	if err := p.matchValues(details, values); err != nil {
		return err
	}
	for _, d := range details {
		delete(values, d.name)
	}
	for name := range values {
		return fmt.Errorf("a form parameter that the script does not mention: %s", name)
	}
	return nil
}
