package policy

import (
	"slices"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/session"
)

// Questions returns which question brings each of the claims that a provider's
// questions bring.
func Questions(p *config.Provider) (all map[string]string) {
	for i := range p.Enrich {
		for claim := range p.Enrich[i].Select {
			if all == nil {
				all = make(map[string]string)
			}
			all[claim] = p.Enrich[i].Name
		}
	}
	return all
}

// token reports whether the subject is of a token, for which nothing is asked.
func (s *Subject) token() bool { return s.Begun == 0 }

// unanswered returns the question that would bring a claim, where it found no
// answer; "" for any other claim. What was not answered cannot be told from what
// is not there, and who is not in a list from who was not found in it.
func (s *Subject) unanswered(claim string) string {
	question := s.Questions[claim]
	if question == "" || slices.Contains(s.Enriched, question) {
		return ""
	}
	return question
}

// unansweredIn adds the questions without which a test cannot be told.
func (c *check) unansweredIn(t *test, questions []string) []string {
	switch t.kind {
	case ofClaim, ofEmail, ofDomain:
		if q := c.subject.unanswered(t.claim); q != "" && !slices.Contains(questions, q) {
			questions = append(questions, q)
		}
	case ofAll, ofAny, ofNot:
		for _, part := range t.parts {
			for i := range part.tests {
				if c.ofTest(&part.tests[i]) == unknown {
					questions = c.unansweredIn(&part.tests[i], questions)
				}
			}
		}
	}
	return questions
}

// demanded are those of the questions of a rule that this person's provider can
// be asked and that found no answer under these settings. A token's is not asked.
func (c *check) demanded(names []string) (questions []string) {
	s := c.subject
	if len(names) == 0 || s.token() {
		return nil
	}
	for _, name := range names {
		if s.hasQuestion(name) && (s.Outdated || !slices.Contains(s.Enriched, name)) {
			questions = append(questions, name)
		}
	}
	return questions
}

func (s *Subject) hasQuestion(name string) bool {
	for _, question := range s.Questions {
		if question == name {
			return true
		}
	}
	return false
}

// lacksAnswers notes questions without an answer, which a login can be asked for
// once.
func (c *check) lacksAnswers(questions []string, l *lack) {
	if len(questions) == 0 {
		return
	}
	l.ask(session.Step{Enrich: questions})
	l.tried = l.tried || c.triedAsking(questions)
	told := func(m Missing) bool {
		return m.Reason == ReasonEnrich && !slices.ContainsFunc(questions, func(q string) bool { return !slices.Contains(m.Wanted, q) })
	}
	if !slices.ContainsFunc(l.missing, told) {
		l.missing = append(l.missing, Missing{Reason: ReasonEnrich, Wanted: questions})
	}
}

// triedAsking reports whether a login asked all of some questions in vain. What
// was asked under other settings was another question.
func (c *check) triedAsking(questions []string) bool {
	return !c.subject.Outdated && !slices.ContainsFunc(questions, func(q string) bool { return !slices.Contains(c.subject.Asked.Enrich, q) })
}

// lacksKnowledge is about a test that cannot be told.
func (c *check) lacksKnowledge(t *test, l *lack) {
	questions := c.unansweredIn(t, nil)
	switch {
	case c.subject.token() && len(questions) > 0:
		l.terminal = true
		l.missing = append(l.missing, c.missing(t))
		return
	case c.subject.Outdated:
		l.tell()
		l.ask(session.Step{Enrich: questions})
		return
	}
	c.lacksAnswers(questions, l)
}

// keepAnswers adds to a login the questions that the one before asked and found an
// answer to.
func (c *check) keepAnswers(step session.Step) session.Step {
	for _, q := range c.subject.Asked.Enrich {
		if slices.Contains(c.subject.Enriched, q) {
			step = step.And(session.Step{Enrich: []string{q}})
		}
	}
	return step
}
