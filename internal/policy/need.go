package policy

import (
	"slices"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/session"
)

// Need is what a request must bring.
type Need struct {
	Rule     string // the rule's name, or "" where none matched
	Anyone   bool   // no session is needed
	NoSignIn bool   // an anonymous request is answered with 401, never sent to sign in
	Tokens   bool   // a token does, and where there is one it decides
	NoCookie bool   // a session does not
	Pass     bool   // an anonymous request goes on as such
	Observe  bool   // what is decided is logged, and the request passes
	Prompt   string // of a login that a requirement leads to
	Forward  int    // which of the settings' ways to tell the application: 0 is the usual one, n that of rule n-1

	Enrich    []string // questions that a login asks, and that must have found an answer where the person's provider has them
	Providers []string // where people sign in for it; nil for any

	requires []*requirement // all of them
	demanded bool           // where more than anyone is demanded a token does
}

// And returns what satisfies both: of a request that can be read in two ways
// nothing suffices that would not under either reading. What the application is
// told is as under the first, by which the proxy chooses the application.
func (n Need) And(other Need) Need {
	switch {
	case n.Anyone:
		other.Forward = n.Forward
		return other
	case other.Anyone:
		return n
	}
	n.Tokens = n.Tokens && other.Tokens
	n.NoCookie = n.NoCookie || other.NoCookie
	n.NoSignIn = n.NoSignIn || other.NoSignIn
	n.Pass = n.Pass && other.Pass
	n.Observe = n.Observe && other.Observe
	if n.Prompt == "" {
		n.Prompt = other.Prompt
	}
	n.Enrich = session.Step{Enrich: n.Enrich}.And(session.Step{Enrich: other.Enrich}).Enrich
	n.Providers = common(n.Providers, other.Providers)
	for _, r := range other.requires {
		if !slices.Contains(n.requires, r) {
			n.requires = append(slices.Clip(n.requires), r)
		}
	}
	return n
}

// common are the providers of both lists, of which nil is all. Where there are
// none it makes no difference at which one somebody signs in: nobody is let in.
func common(some, others []string) []string {
	switch {
	case others == nil:
		return some
	case some == nil:
		return others
	}
	both := slices.DeleteFunc(slices.Clone(some), func(name string) bool { return !slices.Contains(others, name) })
	if len(both) == 0 {
		return some
	}
	return both
}

// Demand returns what satisfies n and a requirement that no rule states. A
// demand for nothing changes nothing; any other cannot be met by nobody.
func (n Need) Demand(r config.Require) Need {
	required := newRequirement(r)
	if len(required.tests) == 0 {
		return n
	}
	if n.Anyone {
		n.Anyone, n.Tokens = false, n.demanded
	}
	n.Pass = false
	n.Providers = common(n.Providers, providersOf(&r))
	n.requires = append(slices.Clip(n.requires), required)
	return n
}

// Step returns what a login of somebody who is not known yet has to bring, as
// far as it can be told before they are: what is required in any case and a
// login can be asked for.
func (n *Need) Step() (s session.Step) {
	for _, r := range n.requires {
		s = s.And(r.step())
	}
	if !s.IsZero() {
		s.Prompt = n.Prompt
	}
	s.Enrich = n.Enrich
	return s
}

func (r *requirement) step() (s session.Step) {
	for i := range r.tests {
		switch t := &r.tests[i]; t.kind {
		case ofScopes:
			s = s.And(session.Step{Scopes: t.words.list})
		case ofACR:
			s = s.And(session.Step{ACR: t.words.list})
		case ofMaxAge:
			s = s.And(session.Step{MaxAge: t.maxAge})
		case ofAll:
			for _, part := range t.parts {
				s = s.And(part.step())
			}
		}
	}
	return s
}

// Check holds whoever asks against what is required, and returns what is
// missing, or nil. The leeway is how far the provider's clock may be from ours.
func (n *Need) Check(s *Subject, now time.Time, leeway time.Duration) *Denial {
	return newCheck(s, now, leeway).all(n)
}
