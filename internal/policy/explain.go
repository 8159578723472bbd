package policy

import (
	"strconv"
	"time"
)

// Explanation says what a request falls under and why, for whoever wrote the
// rules.
type Explanation struct {
	// Readings are the ways in which an application may read the request. The
	// first is as it is written.
	Readings []Reading `json:"readings,omitempty"`
	// Repeated says that it is refused, for a field that decides came more than
	// once; there is nothing more to say then.
	Repeated bool `json:"repeated,omitempty"`
	Need     Need `json:"-"`
	// Requirements are all that Need has, with how they are met.
	Requirements []Held `json:"requirements,omitempty"`
	// Denial is what Check says; nil where nothing is missing, or nobody is known.
	Denial *Denial `json:"-"`
}

// Reading is one way to read a request, and the rules that were looked at for it
// up to the one that is for it.
type Reading struct {
	Host   string   `json:"host,omitempty"` // where another proxy asks about the request
	Path   string   `json:"path"`
	Method string   `json:"method"`
	Looked []Looked `json:"looked,omitempty"`
	Rule   int      `json:"rule"` // the number of the rule that is for it, or -1
	Name   string   `json:"name,omitempty"`
}

// Looked is a rule that was looked at.
type Looked struct {
	Rule    string `json:"rule"`
	Place   string `json:"place"`             // where it is in the settings
	Differs string `json:"differs,omitempty"` // one of the Differs constants; "" where it matches
}

// What of a request is first found to be otherwise than a rule wants it.
const (
	DiffersInHost     = "host"
	DiffersInMethod   = "method"
	DiffersInPath     = "path"
	DiffersInHeader   = "header"
	DiffersByRepeated = "header_repeated" // nothing, but it cannot be told
)

var differences = map[difference]string{
	inHost: DiffersInHost, inMethod: DiffersInMethod, inPath: DiffersInPath, inHeader: DiffersInHeader, repeated: DiffersByRepeated,
}

// Held is a requirement that was held against whoever asks.
type Held struct {
	Key      string   `json:"key"`                // as in the settings, such as "groups" or "claims.department"
	State    string   `json:"state"`              // one of the State constants
	Values   []string `json:"values,omitempty"`   // one of these, or all of "scopes"
	Prefixes []string `json:"prefixes,omitempty"` // or a value that begins with one of these
	MaxAge   int64    `json:"max_age,omitempty"`  // seconds
	Leeway   int64    `json:"leeway,omitempty"`   // seconds, by which a login may be older
	Has      []string `json:"has,omitempty"`      // what whoever asks has of it
	Parts    []Part   `json:"parts,omitempty"`    // of "all", "any" and "not"
	// Unverified says that the address counts for nothing: the provider says that
	// it was not verified.
	Unverified bool `json:"unverified,omitempty"`
	// Unanswered are questions without whose answer it cannot be told.
	Unanswered []string `json:"unanswered,omitempty"`
}

// Part is one of the requirements that a requirement is made of.
type Part struct {
	State string `json:"state"`
	Held  []Held `json:"held"`
}

// States of a requirement.
const (
	StateMet     = "met"
	StateUnmet   = "unmet"
	StateUnknown = "unknown" // it cannot be told, or nobody is known
)

// Explain says what Need and Check say, and why. Nobody is known where s is nil.
func (rs *Rules) Explain(r Request, s *Subject, now time.Time, leeway time.Duration) Explanation {
	e := rs.Look(r)
	e.Hold(s, now, leeway)
	return e
}

// Look says what a request falls under and why, whoever asks.
func (rs *Rules) Look(r Request) (e Explanation) {
	ways, err := rs.readings(&r)
	one := r
	for i := range ways.np * ways.nm {
		one.Path, one.Method = ways.at(i)
		e.Readings = append(e.Readings, rs.reading(&one))
	}
	if err == nil {
		e.Need, err = rs.Need(r)
	}
	e.Repeated = err != nil
	return e
}

// Hold says how whoever asks meets what is needed. Nobody is known where s is nil.
func (e *Explanation) Hold(s *Subject, now time.Time, leeway time.Duration) {
	if e.Repeated {
		return
	}
	c := newCheck(s, now, leeway)
	if e.Need.Enrich != nil {
		e.Requirements = append(e.Requirements, c.heldAnswers(e.Need.Enrich))
	}
	for _, required := range e.Need.requires {
		e.Requirements = append(e.Requirements, c.held(required)...)
	}
	if s != nil {
		e.Denial = e.Need.Check(s, now, leeway)
	}
}

// reading says which rules were looked at.
func (rs *Rules) reading(r *Request) Reading {
	e := Reading{Path: r.Path, Method: r.Method, Rule: -1}
	for i := range rs.rules {
		d := rs.rules[i].matcher.differs(r)
		e.Looked = append(e.Looked, Looked{rs.rules[i].need.Rule, place(i), differences[d]})
		if d == same {
			e.Rule, e.Name = i, rs.rules[i].need.Rule
		}
		if d == same || d == repeated {
			break
		}
	}
	return e
}

func place(rule int) string { return "rules[" + strconv.Itoa(rule) + "]" }

// held says how each test of a requirement is met.
func (c *check) held(r *requirement) (all []Held) {
	for i := range r.tests {
		t := &r.tests[i]
		h := Held{Key: t.key, Values: t.words.list, Prefixes: t.prefixes, MaxAge: t.maxAge, State: StateUnknown}
		if t.kind == ofMaxAge {
			h.Leeway = c.leeway
		}
		if c.subject != nil {
			h.State = stateNames[c.ofTest(t)]
			h.Has, h.Unanswered = c.has(t), c.unansweredIn(t, nil)
			h.Unverified = c.subject.Unverified && (t.kind == ofEmail || t.kind == ofDomain)
		}
		for _, part := range t.parts {
			p := Part{StateUnknown, c.held(part)}
			if c.subject != nil {
				p.State = stateNames[c.of(part)]
			}
			h.Parts = append(h.Parts, p)
		}
		all = append(all, h)
	}
	return all
}

// heldAnswers says which questions of a rule found an answer.
func (c *check) heldAnswers(names []string) Held {
	h := Held{Key: "enrich", Values: names, State: StateUnknown}
	if c.subject != nil {
		h.Has, h.Unanswered = c.subject.Enriched, c.demanded(names)
		h.State = stateNames[stateOf(h.Unanswered == nil)]
	}
	return h
}

var stateNames = map[state]string{met: StateMet, unmet: StateUnmet, unknown: StateUnknown}

// has returns what whoever asks has of what a test looks at.
func (c *check) has(t *test) []string {
	s := c.subject
	var one string
	switch t.kind {
	case ofClaim, ofEmail, ofDomain:
		return s.Claims[t.claim].Values
	case ofScopes:
		return s.Scopes
	case ofAMR:
		return s.AMR
	case ofClient:
		one = s.ClientID
	case ofACR:
		one = s.ACR
	case ofProvider:
		one = s.Provider
	case ofMaxAge:
		if s.AuthTime > 0 {
			one = strconv.FormatInt(c.now-s.AuthTime, 10) + "s"
		}
	}
	if one == "" {
		return nil
	}
	return []string{one}
}
