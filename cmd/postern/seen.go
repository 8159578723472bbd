package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/cmd/postern/internal/tryout"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/policy"
)

// marks are how a state is shown, and in which colour.
var marks = map[string]struct{ sign, colour string }{
	policy.StateMet:     {"✓", green},
	policy.StateUnmet:   {"✗", red},
	policy.StateUnknown: {"?", yellow},
}

func (p *paper) mark(state string) string { return p.in(marks[state].colour, marks[state].sign) }

// writeSeen prints how the rules see a request.
func writeSeen(p *paper, c *config.Config, e *gate.Explanation) {
	if e.Refused != "" || e.Own && !e.Asked {
		return // no rule was asked
	}
	for i := range e.Readings {
		writeReading(p, c, &e.Readings[i], i == 0)
	}
	if e.Repeated {
		return
	}
	p.heading("Needed")
	p.line("  %s %s", p.mark(base(e)), needed(&e.Need))
	writeHeld(p, e.Requirements, "  ")
}

// mostLooked is how many of the rules that do not match are printed.
const mostLooked = 20

// writeReading prints the rules that were looked at.
func writeReading(p *paper, c *config.Config, r *policy.Reading, first bool) {
	switch {
	case r.Host != "":
		p.heading("Rules, for " + shown(r.Method+" "+r.Host+r.Path) + ", which another proxy asks about")
	case first:
		p.heading("Rules")
	default:
		p.heading("Rules, because an application may take the request for " + shown(r.Method+" "+r.Path))
	}
	looked, skipped := r.Looked, 0
	if more := len(looked) - mostLooked - 1; more > 0 {
		p.line("  %s", p.in(faint, fmt.Sprintf("%d rules in front of these do not match", more)))
		looked, skipped = looked[more:], more
	}
	width := 0
	for _, l := range looked {
		width = max(width, len(named(l)))
	}
	for i, l := range looked {
		writeLooked(p, l, &c.Rules[skipped+i].Match, width)
	}
	if r.Rule < 0 && !(len(looked) > 0 && looked[len(looked)-1].Differs == policy.DiffersByRepeated) {
		p.line("  %s no rule matches: whoever is known may pass", p.in(green, "✓"))
	}
}

func writeLooked(p *paper, l policy.Looked, m *config.Match, width int) {
	state, why := policy.StateUnmet, ""
	switch l.Differs {
	case "":
		state, why = policy.StateMet, "matches"
	case policy.DiffersInHost:
		why = "another host than " + several(hostsOf(m))
	case policy.DiffersInMethod:
		why = "another method than " + several(m.Methods)
	case policy.DiffersInPath:
		why = "another path than " + several(slices.Concat(m.Paths, m.PathRegexes))
	case policy.DiffersInHeader:
		why = "other values of " + several(slices.Sorted(maps.Keys(m.Headers)))
	case policy.DiffersByRepeated:
		state, why = policy.StateUnknown, "a header field that it looks at came more than once"
	}
	p.line("  %s %-*s  %s", p.mark(state), width, named(l), p.in(faint, why))
}

func hostsOf(m *config.Match) (hosts []string) {
	for _, h := range m.Hosts {
		hosts = append(hosts, h.String())
	}
	return hosts
}

// named is a rule's place, and its name where it has one of its own.
func named(l policy.Looked) string {
	if l.Rule == "" || strings.Contains(l.Place, "["+l.Rule+"]") {
		return l.Place
	}
	return l.Place + " " + l.Rule
}

// base is whether what is needed before all requirements is there.
func base(e *gate.Explanation) string {
	if e.Known || e.Need.Anyone || e.Need.Pass {
		return policy.StateMet
	}
	return policy.StateUnmet
}

// needed is what is needed before all requirements.
func needed(n *policy.Need) string {
	switch {
	case n.Anyone:
		return "nothing: anyone may"
	case n.Pass:
		return "nothing: who is not known passes as such"
	case n.NoCookie:
		return "a token"
	case n.Tokens:
		return "a session or a token"
	}
	return "a session"
}

// writeHeld prints requirements.
func writeHeld(p *paper, all []policy.Held, indent string) {
	for i := range all {
		h := &all[i]
		p.line("%s%s %s%s", indent, p.mark(h.State), wanted(h), p.in(faint, has(h)))
		for _, part := range h.Parts {
			deeper := indent + "    "
			if len(h.Parts) > 1 && len(part.Held) > 1 {
				p.line("%s%s all of", deeper, p.mark(part.State))
				deeper += "    "
			}
			writeHeld(p, part.Held, deeper)
		}
	}
}

// wanted is a requirement in words.
func wanted(h *policy.Held) string {
	switch h.Key {
	case "all":
		return "all of"
	case "any":
		return "one of"
	case "not":
		return "not"
	case "enrich":
		return "enrich: answers to " + several(h.Values)
	case "max_age":
		return "max_age: signed in at most " + lasting(h.MaxAge) + " ago" + leeway(h)
	case "scopes":
		return "scopes: all of " + several(h.Values)
	}
	text := shown(h.Key) + ": "
	switch {
	case len(h.Values) == 0 && len(h.Prefixes) == 0:
		return text + "any"
	case len(h.Prefixes) == 0:
		return text + several(h.Values)
	case len(h.Values) == 0:
		return text + "beginning with " + several(h.Prefixes)
	}
	return text + several(h.Values) + ", or beginning with " + several(h.Prefixes)
}

// leeway is how far the provider's clock may be from ours.
func leeway(h *policy.Held) string {
	if h.Leeway == 0 {
		return ""
	}
	return ", give or take the provider's leeway of " + lasting(h.Leeway)
}

// has is what whoever asks has of it.
func has(h *policy.Held) string {
	switch {
	case len(h.Unanswered) > 0:
		return "  (no answer to " + several(h.Unanswered) + ")"
	case h.Key == "enrich", h.State == policy.StateUnknown && h.Has == nil, len(h.Parts) > 0:
		return ""
	}
	switch {
	case len(h.Has) == 0 && h.Unverified:
		return "  (has none that the provider says was verified)"
	case len(h.Has) == 0:
		return "  (has none)"
	case h.Unverified:
		return "  (has " + several(h.Has) + ", which does not count: the provider says that it is not verified)"
	case h.Key != "max_age":
		return "  (has " + several(h.Has) + ")"
	}
	seconds, _ := strconv.ParseInt(strings.TrimSuffix(h.Has[0], "s"), 10, 64)
	return "  (" + lasting(seconds) + " ago)"
}

// lasting is a time in seconds, for people.
func lasting(seconds int64) string {
	text := (time.Duration(seconds) * time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// mostValues is how many values of a list are printed.
const mostValues = 12

func several(values []string) string {
	var b strings.Builder
	for i, v := range values {
		if i == mostValues {
			fmt.Fprintf(&b, " and %d more", len(values)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(shown(v))
	}
	return b.String()
}

// explained is what explain writes in JSON.
type explained struct {
	Request  string `json:"request"`
	By       string `json:"by"` // nobody, session or token
	Anyone   bool   `json:"open_to_anyone"`
	Sessions bool   `json:"accepts_sessions"`
	Tokens   bool   `json:"accepts_tokens"`
	policy.Explanation
	*tryout.Outcome
}

func explanation(c *tryout.Case, o *tryout.Outcome) explained {
	x := explained{Request: c.Method + " " + c.URL.String(), By: "nobody", Outcome: o}
	switch {
	case c.Token:
		x.By = "token"
	case c.Claims != nil:
		x.By = "session"
	}
	if e := &o.Seen; e.Refused == "" && (!e.Own || e.Asked) && !o.SigningIn {
		x.Explanation = e.Explanation
		x.Anyone, x.Sessions, x.Tokens = e.Need.Anyone, !e.Need.NoCookie, e.Need.Tokens
	}
	return x
}
