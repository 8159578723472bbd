package policy

import (
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/config"
)

// questionsNotNamed says of which questions a rule needs the answers, without
// having the login that it begins ask them.
func (rs *asWritten) questionsNotNamed(c *config.Config, i int) string {
	var names, claims []string
	for _, claim := range looksAt(nil, rs.rules[i].need.requires) {
		for p := range c.Providers {
			name := Questions(&c.Providers[p])[claim]
			if name == "" || askedAtLogin(&c.Providers[p], name) || slices.Contains(rs.settings[i].Enrich, name) {
				continue
			}
			names, claims = union(names, name), union(claims, claim)
		}
	}
	if names == nil {
		return ""
	}
	return "looks at " + strings.Join(claims, ", ") + ", which is known only of those for whom " + strings.Join(names, ", ") +
		" was asked, and does not name that in enrich: whoever comes signs in twice"
}

// looksAt adds the claims that requirements look at.
func looksAt(claims []string, requires []*requirement) []string {
	for _, r := range requires {
		for i := range r.tests {
			t := &r.tests[i]
			if t.claim != "" {
				claims = append(claims, t.claim)
			}
			claims = looksAt(claims, t.parts)
		}
	}
	return claims
}

// questionsAskedAnyway says which questions a rule names that each login asks.
func (rs *asWritten) questionsAskedAnyway(c *config.Config, i int) string {
	var names []string
	for _, name := range rs.settings[i].Enrich {
		if !slices.ContainsFunc(c.Providers, func(p config.Provider) bool { return hasQuestion(&p, name) && !askedAtLogin(&p, name) }) {
			names = append(names, name)
		}
	}
	if names == nil {
		return ""
	}
	return "names " + strings.Join(names, ", ") + ` in enrich, though every login asks that; "when": "rule" in the question leaves it to rules`
}

func hasQuestion(p *config.Provider, name string) bool {
	return slices.ContainsFunc(p.Enrich, func(e config.Enrich) bool { return e.Name == name })
}

func askedAtLogin(p *config.Provider, name string) bool {
	return slices.ContainsFunc(p.Enrich, func(e config.Enrich) bool { return e.Name == name && e.When == "login" })
}

func union(words []string, word string) []string {
	if slices.Contains(words, word) {
		return words
	}
	return append(words, word)
}
