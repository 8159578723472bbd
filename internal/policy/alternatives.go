package policy

import (
	"cmp"
	"slices"

	"github.com/postern-auth/postern/internal/session"
)

// lacksAny is about alternatives. Where none is met, the first that a login can
// cure says what to ask for; one that lacks nothing but current claims comes
// before all others.
func (c *check) lacksAny(t *test, l *lack) {
	all := make([]lack, len(t.parts))
	for i, part := range t.parts {
		c.lacks(part, &all[i])
	}
	if kept := metAmong(all); kept >= 0 {
		l.adopt(&all[kept])
		return
	}
	best := curableAmong(all)
	if best < 0 {
		tried := slices.ContainsFunc(all, func(one lack) bool { return !one.terminal })
		l.terminal, l.tried = l.terminal || !tried, l.tried || tried
		l.missing = append(l.missing, Missing{Reason: t.reason, Any: nearest(all)})
		return
	}
	for i, part := range t.parts {
		if i != best && !all[i].terminal {
			c.askAgain(part, l)
		}
	}
	l.adopt(&all[best])
	if all[best].current() {
		l.tell()
		return
	}
	l.steps = l.steps || all[best].steps
	l.missing = append(l.missing, Missing{Reason: t.reason, Any: nearest(all)})
}

// metAmong returns the alternative that is met and has to stay so: rather one
// for which a login has to be asked for nothing.
func metAmong(all []lack) int {
	kept := -1
	for i := range all {
		if len(all[i].missing) == 0 && (kept < 0 || !all[kept].wish.IsZero() && all[i].wish.IsZero()) {
			kept = i
		}
	}
	return kept
}

func curableAmong(all []lack) int {
	best := -1
	for i := range all {
		if all[i].curable() && (best < 0 || all[i].current() && !all[best].current()) {
			best = i
		}
	}
	return best
}

// adopt adds to a login's wishes those of an alternative.
func (l *lack) adopt(chosen *lack) {
	if !l.ask(chosen.wish) {
		l.terminal = true
	}
	l.againFor(chosen.again)
}

// askAgain has a login asked again for what it was asked for in vain in an
// alternative that is not chosen: what was asked for last is all that is
// remembered, and alternatives would take turns for ever.
func (c *check) askAgain(r *requirement, l *lack) {
	for i := range r.tests {
		t := &r.tests[i]
		switch t.kind {
		case ofAll, ofAny:
			for _, part := range t.parts {
				c.askAgain(part, l)
			}
		case ofScopes, ofACR, ofMaxAge:
			if c.ofTest(t) != met && c.tried(t) {
				l.againFor(c.wish(t))
			}
		default:
			if questions := c.unansweredIn(t, nil); questions != nil && c.triedAsking(questions) {
				l.againFor(session.Step{Enrich: questions})
			}
		}
	}
}

// againFor adds to what is asked for again: of levels of authentication all.
func (l *lack) againFor(s session.Step) {
	levels := slices.Clone(l.again.ACR)
	for _, acr := range s.ACR {
		if !slices.Contains(levels, acr) {
			levels = append(levels, acr)
		}
	}
	l.again = l.again.And(s)
	l.again.ACR = levels
}

// nearest returns what is missing in each alternative: first in those that a
// login can cure, and in those that lack the fewest things.
func nearest(all []lack) (missing []Missing) {
	order := slices.Clone(all)
	slices.SortStableFunc(order, func(a, b lack) int {
		return cmp.Or(cmp.Compare(a.distance(), b.distance()), cmp.Compare(len(a.missing), len(b.missing)))
	})
	for _, l := range order {
		m := l.missing[0]
		m.Beside = l.missing[1:]
		missing = append(missing, m)
	}
	return missing
}

func (l *lack) distance() int {
	switch {
	case l.terminal:
		return 2
	case l.tried:
		return 1
	}
	return 0
}
