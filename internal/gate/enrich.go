package gate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/session"
)

// Limits of what is picked of one question's answer. Most of it ends in cookies.
const (
	maxAnswerValues = 1000
	maxAnswerBytes  = 16 << 10
)

// enrich asks the questions that are due for a session, all at once, and has it
// say what is picked of the answers. At a renewal of a former session, what that
// one had of a question stays where there is no answer now, unless the token was
// refused. At a login (was is nil) it fails where one that is required finds none.
func (g *Gate) enrich(env flow.Env, p *party, s, was *session.Session) error {
	set := p.Settings()
	s.Enriched = nil
	if len(set.Enrich) == 0 {
		return nil
	}
	answers, err := g.askAll(env, p, dueQuestions(set, s), accessOf(s))
	if err != nil {
		return err
	}
	claims := make(map[string]session.Claim, len(s.Claims))
	for name, claim := range s.Claims {
		if p.questions[name] == "" {
			claims[name] = claim
		}
	}
	var failed error
	for i := range answers {
		if err := g.take(p, s, was, &answers[i], claims); err != nil {
			failed = err
		}
	}
	nameless(claims, s.Subject)
	s.Claims = claims
	return failed
}

// take adds to a session's claims what became of a question.
func (g *Gate) take(p *party, s, was *session.Session, a *reply, claims map[string]session.Claim) error {
	if a.err != nil {
		g.failureOf(p.Provider, "", a.err)
	}
	switch name := a.question.Name; {
	case a.err == nil:
		maps.Copy(claims, a.claims)
	case stays(p, was, a):
		a.takeFrom(was.Claims, claims)
	case was == nil && a.question.Required:
		return &oidc.Failure{Step: questionStep(a.question), Reason: "enrich_failed", Temporary: oidc.Temporary(a.err)}
	default:
		s.Asked.Enrich = without(s.Asked.Enrich, was, name)
		return nil
	}
	s.Enriched = append(s.Enriched, a.question.Name)
	return nil
}

// dueQuestions are those that are asked for each session, and those that a rule
// wanted of this one.
func dueQuestions(p *config.Provider, s *session.Session) (due []*config.Enrich) {
	for i := range p.Enrich {
		if e := &p.Enrich[i]; e.When == "login" || slices.Contains(s.Asked.Enrich, e.Name) {
			due = append(due, e)
		}
	}
	return due
}

// stays reports whether what a former session had of a question stays: what it was
// asked under other settings is the answer to another one.
func stays(p *party, was *session.Session, a *reply) bool {
	return was != nil && was.Gathered == p.stamp && slices.Contains(was.Enriched, a.question.Name) && !tokenNotTaken(a.err)
}

// tokenNotTaken reports whether whoever was asked refused the access token.
func tokenNotTaken(err error) bool {
	reason := oidc.Reason(err)
	return reason == "status_401" || reason == "status_403"
}

// without returns what a login asked for without a question whose answer is lost by
// now: that was not asked for in vain, and may be again.
func without(asked []string, was *session.Session, name string) []string {
	if was == nil || !slices.Contains(was.Enriched, name) {
		return asked
	}
	return slices.DeleteFunc(slices.Clone(asked), func(q string) bool { return q == name })
}

// reply is what became of a question.
type reply struct {
	question *config.Enrich
	claims   map[string]session.Claim
	err      error
}

func (a *reply) takeFrom(former, claims map[string]session.Claim) {
	for name := range a.question.Select {
		if claim, ok := former[name]; ok {
			claims[name] = claim
		}
	}
}

// questionStep is how failures and the log name a question.
func questionStep(e *config.Enrich) string { return "enrich " + e.Name }

// askAll asks questions in parallel and waits for all of them, as long as the
// slowest one may take.
func (g *Gate) askAll(env flow.Env, p *party, due []*config.Enrich, access oidc.Access) ([]reply, error) {
	answers := make([]reply, len(due))
	open, longest := len(due), time.Duration(0)
	var over flow.Event
	for i, e := range due {
		a := &answers[i]
		a.question, a.err = e, &oidc.Failure{Step: questionStep(e), Reason: "no_answer", Temporary: true}
		longest = max(longest, e.Timeout.Std())
		env.Go(func(env flow.Env) {
			defer func() {
				if open--; open == 0 {
					over.Fire()
				}
			}()
			a.claims, a.err = ask(env, p, e, access)
		})
	}
	// Each ends by itself in time; the second more is for whatever does not.
	for end := env.Now().Add(longest + time.Second); open > 0; {
		if err := env.Wait(&over, end.Sub(env.Now())); errors.Is(err, flow.ErrCanceled) {
			return nil, err
		} else if err != nil {
			break
		}
	}
	return answers, nil
}

// ask asks one question, and picks of the answer.
func ask(env flow.Env, p *party, e *config.Enrich, access oidc.Access) (map[string]session.Claim, error) {
	pages, err := p.Ask(env, questionStep(e), oidc.Question{
		Method: e.Method, URL: e.URL, Body: e.Body, Header: e.Headers,
		Next: e.Next, MaxPages: e.MaxPages, MaxBytes: e.MaxBytes, Timeout: e.Timeout.Std(),
	}, access)
	if err != nil {
		return nil, err
	}
	picked := picking{claims: make(map[string]session.Claim, len(e.Select))}
	for _, name := range slices.Sorted(maps.Keys(e.Select)) {
		for _, page := range pages {
			picked.add(name, gjson.GetBytes(page, e.Select[name]))
		}
	}
	if picked.flaw != "" {
		return nil, &oidc.Failure{Step: questionStep(e), Reason: picked.flaw}
	}
	return picked.claims, nil
}

// picking is what was picked of an answer so far. Something that cannot be kept,
// or too much of it, is a flaw of the whole: rules would take what is left of a
// list for all of it.
type picking struct {
	claims        map[string]session.Claim
	values, bytes int
	flaw          string
}

// add adds to a claim what a page has at its path.
func (p *picking) add(name string, v gjson.Result) {
	if v.Type == gjson.Null {
		return
	}
	claim, more := p.claims[name]
	claim.List = claim.List || more || v.IsArray()
	if v.IsArray() {
		v.ForEach(func(_, item gjson.Result) bool { return p.addTo(&claim, item) })
	} else {
		p.addTo(&claim, v)
	}
	if claim.List || len(claim.Values) > 0 {
		p.claims[name] = claim
	}
}

// addTo adds a value to a claim, and reports whether there is room for more. What
// is null, or an empty string, counts as absent.
func (p *picking) addTo(claim *session.Claim, v gjson.Result) bool {
	value, ok := scalar(v)
	switch {
	case v.Type == gjson.JSON:
		p.flaw = "answer_unusable"
	case p.values >= maxAnswerValues || p.bytes+len(value) > maxAnswerBytes:
		p.flaw = "answer_holds_too_much"
	case ok:
		claim.Values = append(claim.Values, value)
		p.values++
		p.bytes += len(value)
	}
	return p.flaw == ""
}

// enrichTime is how long all questions of a provider may take.
func enrichTime(p *config.Provider) (longest time.Duration) {
	for i := range p.Enrich {
		longest = max(longest, p.Enrich[i].Timeout.Std())
	}
	return longest
}

// enrichStamp stands for what a provider's questions are about: under another one
// their answers say something else.
func enrichStamp(p *config.Provider) string {
	var b strings.Builder
	for i := range p.Enrich {
		e := &p.Enrich[i]
		fmt.Fprintf(&b, "%q %q %q %q %q %q %q %q %d ", e.Name, e.When, e.Method, e.URL, e.Body, e.Headers, e.Select, e.Next, e.MaxPages)
	}
	return b.String()
}
