package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/cmd/postern/internal/tryout"
)

// differs says in what an outcome is not the one that was expected.
func (e *expectation) differs(o *tryout.Outcome) (differences []string) {
	add := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	if e.expect != o.Kind && e.expect != strconv.Itoa(o.Status) || o.SigningIn && e.expect != o.Kind {
		add("%s, not %s", briefly(o), e.expect)
	}
	if e.rule != nil && *e.rule != o.Rule {
		add("by %s, not by %s", ruleName(o.Rule), ruleName(*e.rule))
	}
	if e.reason != "" && e.reason != o.Reason {
		add("for the reason %s, not %s", orNone(o.Reason), e.reason)
	}
	if o.Kind == tryout.Pass {
		differences = append(differences, e.fieldsDiffer(o)...)
	}
	return differences
}

func (e *expectation) fieldsDiffer(o *tryout.Outcome) (differences []string) {
	got := map[string][]string{}
	for _, h := range o.Headers {
		got[h.Name] = append(got[h.Name], h.Value)
	}
	for _, name := range slices.Sorted(maps.Keys(e.given)) {
		if want := e.given[name]; !slices.Equal(want, got[name]) {
			differences = append(differences, fmt.Sprintf("the application is given %s, not %s", fields(name, got[name]), fields(name, want)))
		}
	}
	return differences
}

func fields(name string, values []string) string {
	if values == nil {
		return "no " + name
	}
	return name + ": " + shown(strings.Join(values, ", "))
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// ruleName is a rule as people are told of it.
func ruleName(name string) string {
	switch name {
	case "":
		return "no rule that was looked at" // such as before any is: 400, 421
	case tryout.Unmatched:
		return "none of the rules"
	}
	return "rule " + shown(name)
}

// briefly is an outcome in a few words.
func briefly(o *tryout.Outcome) string {
	text := o.Kind
	switch {
	case o.SigningIn:
		text = "the login ends with " + o.Kind
	case o.Kind == tryout.Own && o.Status != 0:
		text += " " + strconv.Itoa(o.Status)
	}
	if o.Reason != "" && o.Kind != tryout.Own {
		text += " (" + o.Reason + ")"
	}
	return text
}
