//go:build !wasip1

package gate

import (
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/bearer"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/session"
)

// Explanation is what a gate sees in a request before it decides: for the
// command line, and not in the module.
type Explanation struct {
	Refused string // why the request cannot be understood; "" where it can
	Own     bool   // it is for an address of ours, of which no rule says anything
	Asked   bool   // another proxy asks there about a request, which is the one explained
	Known   bool   // whoever asks brings a session or a token that is good
	policy.Explanation
}

// Explain says how the settings' rules see a request. Whoever asks is known by a
// session, or by a token that was accepted before. It decides nothing and logs
// nothing.
func (g *Gate) Explain(r *httpmsg.Request) (e Explanation) {
	log := g.log
	g.log = func(Event) {}
	defer func() { g.log = log }()
	q, reason := g.read(r)
	if reason != "" {
		e.Refused = reason
		return e
	}
	e.Own = g.owns(q.target.Path)
	switch {
	case !e.Own:
		e.Explanation = g.rules.Look(q.asks())
	case q.ours && g.isAuth(q.target.Path):
		e.Explanation, e.Asked = g.lookBehind(&q)
	}
	if e.Own && !e.Asked {
		return e
	}
	subject, leeway := g.subjectBehind(&q, &e.Need)
	e.Known = subject != nil
	e.Hold(subject, g.now(), leeway)
	return e
}

// lookBehind says what the request falls under that another proxy asks about, and
// what the question demands. It is false where the question cannot be answered.
func (g *Gate) lookBehind(q *request) (e policy.Explanation, ok bool) {
	if g.findNeedBehind(q) != "" || g.demand(q) != "" {
		return e, false
	}
	e.Need = q.need
	if !g.settings.AuthRequest.Rules {
		return e, true
	}
	methods, addresses, _ := g.askedAbout(q)
	for _, address := range addresses {
		for _, method := range methods {
			r, _ := g.requestBehind(q, method, address)
			for _, reading := range g.rules.Look(r).Readings {
				reading.Host = r.Host
				e.Readings = append(e.Readings, reading)
			}
		}
	}
	return e, true
}

// StartAt is the path, and the query, at which a login begins at a provider: as if
// it were the only one, and not for any address.
func (g *Gate) StartAt(provider string) (path, query string, err error) {
	to, err := g.sealedStart(session.Start{Return: "/", Provider: provider})
	path, query, _ = strings.Cut(to, "?")
	return path, query, err
}

// Secret reports whether the application is told in a header field of a name
// something by which others can act as somebody: an access token, or a signed
// assertion.
func (g *Gate) Secret(name string) (token, assertion bool) {
	assertion = slices.Contains(g.tellings.signed, name)
	return slices.Contains(g.tellings.secret, name) && !assertion, assertion
}

// subjectBehind is whom a request is of, as rules see them, and how far their
// provider's clock may be from ours; nil where nobody is known.
func (g *Gate) subjectBehind(q *request, need *policy.Need) (*policy.Subject, time.Duration) {
	if need.Tokens && !need.Anyone {
		if cred, err := bearer.Read(q.Header, q.target.Query); err != nil || cred.Token != "" {
			t := g.tokens.Known(cred.Token, g.now())
			if t == nil {
				return nil, g.leewayOfNobody()
			}
			return &t.Subject, g.providers[t.Provider].Leeway()
		}
	}
	if !need.NoCookie {
		if o, err := g.open(q); err == nil && o != nil {
			return &o.subject, o.party.Leeway()
		}
	}
	return nil, g.leewayOfNobody()
}

// leewayOfNobody is the one of where people sign in first: whoever is not known yet
// may well come from there.
func (g *Gate) leewayOfNobody() time.Duration {
	if len(g.parties) == 0 {
		return 0
	}
	return g.parties[0].Leeway()
}
