package migrate

import (
	"errors"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/config"
)

// rule is one rule, named for the option that it comes from.
func rule(name string, match *Map) *Map { return NewMap().Set("name", name).Set("match", match) }

// everything matches every request.
func everything() *Map { return NewMap().Set("paths", []string{"/*"}) }

// addRule adds a rule.
func (m *maker) addRule(r *Map) {
	rules, _ := m.settings.Get("rules").([]any)
	m.settings.Set("rules", append(rules, r))
}

// literal quotes a text for an expression.
func literal(text string) (string, error) {
	var out strings.Builder
	for _, r := range text {
		if !unescaped(r) {
			return "", errors.New("has a character that is escaped in paths, or none of a path")
		}
		out.WriteString(quoted(r))
	}
	return out.String(), nil
}

// pathMatch is a way of comparing paths that several systems have.
type pathMatch struct{ exact, prefix, suffix, contains, regex string }

// pattern is the expression for whole paths that means the same.
func (p pathMatch) pattern() (string, error) {
	switch {
	case p.regex != "":
		return expression(p.regex)
	case p.exact != "":
		return expressionOf("", p.exact, "")
	case p.prefix != "":
		return expressionOf("", p.prefix, anything)
	case p.suffix != "":
		return expressionOf(anything, p.suffix, "")
	case p.contains != "":
		return expressionOf(anything, p.contains, anything)
	}
	return "", errors.New("says nothing of a path")
}

func expressionOf(before, text, after string) (string, error) {
	middle, err := literal(text)
	if err != nil {
		return "", err
	}
	whole := before + middle + after
	if !strings.HasPrefix(whole, "/") {
		whole = "(" + whole + ")"
	}
	return whole, nil
}

// badPath reports whether settings would refuse a path.
func badPath(path string) bool { return badSetting("paths", path) }

// badSetting holds one entry of a rule's match against what the module accepts.
func badSetting(key, value string) bool { return badSettingOf(key, []string{value}) }

func badSettingOf(key string, value any) bool {
	return refuses(NewMap().Set("rules", []any{NewMap().Set("match", NewMap().Set(key, value))}), "rules[0].match")
}

// badHeader reports whether settings would refuse a header that tells a claim.
func badHeader(name string) bool {
	return refuses(NewMap().Set("forward", NewMap().Set("headers", NewMap().Set(name, "user"))), "forward.headers")
}

// badRequirement reports whether settings would refuse what a rule requires.
func badRequirement(require *Map) bool {
	return refuses(NewMap().Set("rules", []any{NewMap().Set("match", everything()).Set("require", require)}), "rules[0].require")
}

// badHost reports whether settings would refuse a host.
func badHost(h string) bool { return refuses(NewMap().Set("hosts", []string{h}), "hosts") }

// onLoopback reports whether settings may have cookies over plain http for hosts: all
// of them are on one machine.
func onLoopback(hosts any) bool {
	return !refuses(NewMap().Set("hosts", hosts).Set("insecure_http_cookies", true), "insecure_http_cookies", "hosts")
}

// refuses reports whether the module finds anything wrong with what a probe has at
// one of the places. What else a probe lacks does not matter.
func refuses(probe *Map, places ...string) bool {
	_, err := config.Parse(probe.JSON(), func(string) (string, bool) { return "", false })
	var problems config.Problems
	return errors.As(err, &problems) && slices.ContainsFunc(problems, func(p config.Problem) bool {
		return slices.ContainsFunc(places, func(place string) bool { return strings.HasPrefix(p.Path, place) })
	})
}
