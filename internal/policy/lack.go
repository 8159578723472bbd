package policy

import (
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/session"
)

// all holds whoever asks against all that is needed. It costs nothing more where
// it is met.
func (c check) all(n *Need) *Denial {
	if c.demanded(n.Enrich) != nil {
		return c.denial(n)
	}
	for _, r := range n.requires {
		if c.of(r) != met {
			return c.denial(n)
		}
	}
	return nil
}

func (c *check) denial(n *Need) *Denial {
	var l lack
	c.lacksAnswers(c.demanded(n.Enrich), &l)
	for _, r := range n.requires {
		c.lacks(r, &l)
	}
	d := &Denial{Missing: l.missing}
	switch {
	case l.curable() && c.round() <= maxRounds:
		step := c.keep(l.cure())
		if l.steps {
			step.Prompt = n.Prompt
		}
		step.Round = c.round()
		d.Cure = &step
	default:
		d.Tried = !l.terminal
		// Nothing is gained by telling what cannot be told beside what can.
		if len(d.Missing) > 1 {
			d.Missing = slices.DeleteFunc(d.Missing, func(m Missing) bool { return m.Reason == ReasonOutdated })
		}
	}
	d.Reason = d.Missing[0].Reason
	return d
}

// A provider that answers the same question in different ways could lead people
// round in circles, from one of several alternatives to the other. maxRounds is
// how many logins in a row may be asked for, each within atOnce of the one before:
// nobody opens so many pages so quickly that each take another login.
const (
	maxRounds = 8
	atOnce    = 60 // seconds
)

// round is which a login would be of those in a row.
func (c *check) round() int {
	if c.now-c.subject.Begun > atOnce {
		return 1
	}
	return c.subject.Asked.Round + 1
}

// lack is what is missing in requirements that must all be met, and what a login
// would have to bring for them.
type lack struct {
	missing  []Missing
	terminal bool // something is missing that no login brings
	tried    bool // something is missing that a login was asked for in vain
	outdated bool // something cannot be told
	steps    bool // something is missing that a login can be asked for

	wish  session.Step // all that a login must bring, be it missing now or not
	again session.Step // what alternatives were asked for before: it is asked for again, lest they take turns for ever
}

func (l *lack) curable() bool { return !l.terminal && !l.tried }

// current reports whether current claims may be all that is missing.
func (l *lack) current() bool { return l.outdated && l.curable() && !l.steps }

// lacks adds what is missing in a requirement, and what a login must not lose of
// what is there.
func (c *check) lacks(r *requirement, l *lack) {
	for i := range r.tests {
		switch t := &r.tests[i]; t.kind {
		case ofAll:
			for _, part := range t.parts {
				c.lacks(part, l)
			}
		case ofAny:
			c.lacksAny(t, l)
		case ofScopes, ofACR, ofMaxAge:
			c.lacksOfLogin(t, l)
		default:
			switch c.ofTest(t) {
			case unmet:
				l.terminal = true
				l.missing = append(l.missing, c.missing(t))
			case unknown:
				c.lacksKnowledge(t, l)
			}
		}
	}
}

// tell notes that something cannot be told.
func (l *lack) tell() {
	if !l.outdated {
		l.missing = append(l.missing, Missing{Reason: ReasonOutdated})
	}
	l.outdated = true
}

// lacksOfLogin is about what a login can be asked for.
func (c *check) lacksOfLogin(t *test, l *lack) {
	if !l.ask(c.wish(t)) {
		l.terminal = true // no login brings two levels of authentication
	}
	if c.ofTest(t) == met {
		return
	}
	l.steps = true
	l.tried = l.tried || c.tried(t)
	l.missing = append(l.missing, c.missing(t))
}

// wish is what a login has to be asked for to meet a test: of scopes those that
// are missing, and those that are there because a login asked for them.
func (c *check) wish(t *test) (s session.Step) {
	switch t.kind {
	case ofScopes:
		for _, scope := range t.words.list {
			if !slices.Contains(c.subject.Scopes, scope) || slices.Contains(c.subject.Asked.Scopes, scope) {
				s.Scopes = append(s.Scopes, scope)
			}
		}
	case ofACR:
		s.ACR = t.words.list
	case ofMaxAge:
		s.MaxAge = t.maxAge
	}
	return s
}

// ungranted are the scopes of a test that were not granted.
func (c *check) ungranted(t *test) (scopes []string) {
	for _, scope := range t.words.list {
		if !slices.Contains(c.subject.Scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// tried reports whether a login asked for what is missing.
func (c *check) tried(t *test) bool {
	asked := &c.subject.Asked
	switch t.kind {
	case ofScopes:
		return !slices.ContainsFunc(c.ungranted(t), func(scope string) bool { return !slices.Contains(asked.Scopes, scope) })
	case ofACR:
		// Where the login brought another of several levels that it asked for, the
		// wish was met (OpenID Connect Core, section 3.1.2.1), and this one may be
		// had by asking for it alone.
		return slices.ContainsFunc(asked.ACR, t.words.hasWord) && !slices.Contains(asked.ACR, c.subject.ACR)
	}
	// A login that brought it, and that is too long ago by now, was not in vain.
	return asked.MaxAge != 0 && asked.MaxAge <= t.maxAge && !c.recent(t, c.subject.Begun) && c.now-c.subject.Begun <= t.maxAge+c.leeway
}

// ask adds a wish, and reports whether a login can bring it beside the others.
func (l *lack) ask(s session.Step) bool {
	l.wish = l.wish.And(s)
	return l.wish.ACR == nil || len(l.wish.ACR) > 0
}

// cure is what a login is to be asked for.
func (l *lack) cure() session.Step {
	levels := l.again
	levels.ACR = nil
	step := l.wish.And(levels)
	for _, acr := range l.again.ACR {
		if !slices.Contains(step.ACR, acr) {
			step.ACR = append(slices.Clip(step.ACR), acr)
		}
	}
	return step
}

// maxKept is how many bytes of scopes a login is asked for where some of them are
// asked for again: they travel in its state.
const maxKept = 512

// keep adds to what a login is asked for what an earlier one was asked for and
// brought: a new session is to be good for all that this one was, or two rules
// would have people sign in in turn.
func (c *check) keep(step session.Step) session.Step {
	s := c.subject
	bytes := len(strings.Join(step.Scopes, " "))
	for _, scope := range s.Asked.Scopes {
		if bytes += len(scope) + 1; bytes <= maxKept && slices.Contains(s.Scopes, scope) {
			step = step.And(session.Step{Scopes: []string{scope}})
		}
	}
	if step.ACR == nil && slices.Contains(s.Asked.ACR, s.ACR) {
		step.ACR = s.Asked.ACR
	}
	return c.keepAnswers(step)
}

// missing says what is missing where a test is not met. Who else may come in,
// and what keeps somebody out, is not told.
func (c *check) missing(t *test) Missing {
	m := Missing{Reason: t.reason, Wanted: t.words.list}
	switch t.kind {
	case ofScopes:
		m.Wanted = c.ungranted(t)
	case ofEmail, ofDomain:
		if c.subject.Unverified && (c.address(t) || c.subject.Claims[t.claim].First() == "") {
			return Missing{Reason: ReasonUnverified}
		}
		if t.kind == ofEmail {
			m.Wanted = nil
		}
	case ofClaim:
		if t.reason == ReasonClaim {
			m.Claim, m.Prefix = t.claim, t.prefixes
		}
	case ofMaxAge:
		m.MaxAge = t.maxAge
	}
	return m
}
