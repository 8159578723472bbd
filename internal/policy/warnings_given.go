package policy

import (
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/config"
)

// notGiven is what providers of a type never say of anybody.
var notGiven = map[string][]string{
	"github": {"acr", "amr"},
	"google": {"acr", "groups"},
}

// neverMet says what a rule requires that none of those says at whom people sign
// in for it.
func (rs *asWritten) neverMet(c *config.Config, i int) string {
	need, require := &rs.rules[i].need, rs.settings[i].Require
	if need.Tokens || require == nil {
		return ""
	}
	for _, part := range []struct {
		claim  string
		wanted []string
	}{{"acr", require.ACR}, {"amr", require.AMR}, {"groups", require.Groups}} {
		if names, some := silent(c, need.Providers, part.claim); part.wanted != nil && names != nil && !some {
			return "requires " + part.claim + ", and people of " + strings.Join(names, ", ") + " never have any: nobody gets in"
		}
	}
	return ""
}

// silent are those of the providers offered (nil: all) that never say a claim, and
// whether some do.
func silent(c *config.Config, offered []string, claim string) (names []string, some bool) {
	for i := range c.Providers {
		p := &c.Providers[i]
		switch {
		case !p.SignsIn(), offered != nil && !slices.Contains(offered, p.Name):
		case gives(p, claim):
			some = true
		default:
			names = append(names, p.Name)
		}
	}
	return names, some
}

// gives reports whether a provider may say a claim, by itself or by the answer to
// a question.
func gives(p *config.Provider, claim string) bool {
	if !slices.Contains(notGiven[p.Type], claim) {
		return true
	}
	if from := p.Claims[claim]; from != "" && from != claim {
		return true
	}
	return slices.ContainsFunc(p.Enrich, func(e config.Enrich) bool { return e.Select[claim] != "" })
}
