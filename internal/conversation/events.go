package conversation

import (
	"encoding/json"
	"fmt"
	"strings"
)

// event is a line that the gate logged as an event.
type event struct {
	line   string
	fields map[string]any
}

func (e event) String() string { return e.line }

// hear takes a line of the gate's log.
func (p *player) hear(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, line)
	line = strings.TrimPrefix(line, "postern: ")
	var fields map[string]any
	if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &fields) == nil {
		p.issued = append(p.issued, event{line, fields})
		return
	}
	if !strings.Contains(line, "insecure_") || !strings.HasSuffix(line, " is on") { // a setting's, which the script has
		p.plain = append(p.plain, line)
	}
}

// implied reports whether the event says no more than the answer that the script
// states: that somebody who is not known did not pass.
func (e event) implied() bool {
	name, reason := e.fields["event"], e.fields["reason"]
	return (name == "access_denied" || name == "sign_in_needed") && (reason == "no_session" || reason == "no_token")
}

// expectEvent takes the next event and compares it.
func (p *player) expectEvent(s *step) error {
	if err := p.settleGate(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	want, err := wanted(s.rest)
	if err != nil {
		return err
	}
	for len(p.issued) > 0 && p.issued[0].implied() && p.issued[0].fields["event"] != want["event"] {
		p.issued = p.issued[1:]
	}
	if len(p.issued) == 0 {
		return fmt.Errorf("there is no such event")
	}
	e := p.issued[0]
	if err := p.compareEvent(e, want); err != nil {
		return fmt.Errorf("%w in %s", err, e)
	}
	p.issued = p.issued[1:]
	return nil
}

// wanted reads "event reason name=value": values go on to the next name.
func wanted(text string) (map[string]string, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil, fmt.Errorf("an event has a name")
	}
	want, last := map[string]string{"event": words[0]}, ""
	for i, w := range words[1:] {
		name, value, ok := strings.Cut(w, "=")
		switch {
		case ok:
			want[name], last = value, name
		case i == 0:
			want["reason"] = w
		case last != "":
			want[last] += " " + w
		default:
			return nil, fmt.Errorf("%q is no name=value", w)
		}
	}
	return want, nil
}

func (p *player) compareEvent(e event, want map[string]string) error {
	if _, named := e.fields["reason"]; named && want["reason"] == "" {
		return fmt.Errorf("a reason that the script does not mention")
	}
	for name, pattern := range want {
		ok, err := p.vars.match(pattern, textOf(e.fields[name]))
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%s is not %s", name, pattern)
		}
	}
	return p.checkRequestID(e)
}

// ownAccord are the events that may belong to no request: the gate learns from
// its provider and its store by itself, and a renewal is of all that wait for it.
var ownAccord = map[string]bool{
	"provider_failure": true, "session_renewed": true, "session_grace": true, "session_replayed": true,
	"session_refused": true, "session_trimmed": true, "refresh_lost": true,
	"store_failure": true, "store_refused": true, "store_gap": true, "store_admits": true,
}

// checkRequestID wants every event that a request caused to name a request
// that is under way or was just answered.
func (p *player) checkRequestID(e event) error {
	id, ok := e.fields["request_id"].(string)
	if !ok {
		if ownAccord[e.fields["event"].(string)] {
			return nil
		}
		return fmt.Errorf("no request id")
	}
	for _, t := range p.tabs {
		if t.id == id {
			return nil
		}
	}
	return fmt.Errorf("a request id that no request has")
}

func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// expectLine takes a line of the log that is no event.
func (p *player) expectLine(s *step) error {
	if err := p.settleGate(); err != nil {
		return err
	}
	text, err := p.vars.expand(s.rest)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, line := range p.plain {
		if strings.Contains(line, text) {
			p.plain = append(p.plain[:i:i], p.plain[i+1:]...)
			return nil
		}
	}
	return fmt.Errorf("there is no such line in %q", p.plain)
}

func (p *player) settleGate() error {
	if err := p.ensureGate(); err != nil {
		return err
	}
	return p.gate.Settle()
}

// secrets are texts that must not turn up where they do not belong.
type secrets []string

// minSecret keeps short texts from being found by accident.
const minSecret = 8

func (s *secrets) add(texts ...string) {
	for _, t := range texts {
		if len(t) >= minSecret {
			*s = append(*s, t)
		}
	}
}

// in fails if a text holds a secret. It does not repeat the secret.
func (s secrets) in(where, text string) error {
	for _, secret := range s {
		if strings.Contains(text, secret) {
			return fmt.Errorf("a secret (%.4s…) is in %s: %s", secret, where, strings.ReplaceAll(text, secret, "[secret]"))
		}
	}
	return nil
}
