//go:build !wasip1

package gate

import (
	"github.com/postern-auth/postern/internal/bearer"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/policy"
)

// Explanation is what a gate sees in a request before it decides: for the
// command line, and not in the module.
type Explanation struct {
	Own     bool   // the request is for an endpoint of ours
	Refused string // why the request cannot be understood; "" where it can
	Known   bool   // whoever asks is known
}

// Explain says how the settings' rules see a request of whoever it is that a
// session or a token which was accepted before makes known. It decides nothing
// and logs nothing.
func (g *Gate) Explain(r *httpmsg.Request) (e Explanation) {
	log := g.log
	g.log = func(Event) {}
	defer func() { g.log = log }()
	q, reason := g.read(r)
	if reason != "" {
		e.Refused = reason
		return e
	}
	e.Own = g.describes(q.target.Path) || g.paths.own(q.target.Path)
	return e
}

// subjectBy is whom a request is of, as rules see them; nil where nobody is known.
func (g *Gate) subjectBy(q *request) *policy.Subject {
	if g.tokens != nil {
		if cred, err := bearer.Read(q.Header, q.target.Query); err == nil && cred.Token != "" {
			if t := g.tokens.Known(cred.Token, g.now()); t != nil {
				return &t.Subject
			}
			return nil
		}
	}
	if o, err := g.open(q); err == nil && o != nil {
		return &o.subject
	}
	return nil
}
