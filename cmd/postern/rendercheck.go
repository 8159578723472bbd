package main

import (
	"fmt"
	"strconv"

	"github.com/postern-auth/postern/internal/policy"
)

// writeChecked prints what check found.
func writeChecked(p *paper, found *checked) {
	p.line("%s", p.in(green, "The settings are valid."))
	writeWarnings(p, found)
	if found.WithTable {
		writeCases(p, found)
	}
}

func writeWarnings(p *paper, found *checked) {
	if len(found.Insecure) > 0 {
		p.heading("INSECURE settings in force")
		for _, path := range found.Insecure {
			p.line("  %s %s", p.in(red, "!"), shown(path))
		}
	}
	if len(found.Warnings) > 0 {
		p.heading("Warnings")
		for _, w := range found.Warnings {
			p.line("  %s %s", p.in(yellow, "!"), about(w))
		}
	}
	if len(found.Open) > 0 {
		p.heading("Open")
		for _, w := range found.Open {
			p.line("  %s", about(w))
		}
	}
	if len(found.StandIns) > 0 {
		p.heading("Variables that are not set here, for which something is thrown in")
		for _, name := range found.StandIns {
			p.line("  %s", shown(name))
		}
	}
}

// about is a warning as a sentence about its rule.
func about(w policy.Warning) string {
	return named(policy.Looked{Rule: w.Rule, Place: w.Place}) + " " + printable(w.Text)
}

func writeCases(p *paper, found *checked) {
	table := ""
	for _, r := range found.Cases {
		if r.Table != table {
			table = r.Table
			p.heading(shown(table))
		}
		mark := p.in(green, "✓")
		if !r.Met {
			mark = p.in(red, "✗")
		}
		p.line("  %s %s %s", mark, shown(r.Name), p.in(faint, got(r)))
		for _, d := range r.Differs {
			p.line("      line %d: %s", r.Line, p.in(red, d))
		}
	}
	p.line("")
	p.line("%s", summary(len(found.Cases), found.NotMet))
}

// got is what became of an expectation's request, in a few words.
func got(r result) string {
	text := briefly(r.Got)
	if r.Got.Rule != "" {
		text += ", " + ruleName(r.Got.Rule)
	}
	if r.Got.Observed {
		text += ", observed: without it " + briefly(r.Got.Without)
	}
	return "[" + text + "]"
}

func summary(all, notMet int) string {
	switch {
	case all == 0:
		return "The tables hold no expectation."
	case notMet == 0 && all == 1:
		return "The expectation is met."
	case notMet == 0:
		return fmt.Sprintf("All %d expectations are met.", all)
	}
	return strconv.Itoa(notMet) + " of " + strconv.Itoa(all) + " expectations not met."
}
