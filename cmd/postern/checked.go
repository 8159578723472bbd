package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/postern-auth/postern/internal/doctor"
	"github.com/postern-auth/postern/internal/policy"
)

// writeChecked prints what check found in one place; what is wrong with the
// settings goes to errOut.
func writeChecked(p *paper, errOut io.Writer, found *checked) {
	if found.File != "" {
		p.line("%s", p.in(bold, shown(found.File)+", line "+strconv.Itoa(found.Line)+": "+shown(found.settings.place())))
	}
	for _, problem := range found.Problems {
		fmt.Fprintln(errOut, printable(problem.String()))
	}
	switch {
	case found.again != nil:
		p.line("The settings are those of line %d.", found.again.Line)
		writeFindings(p, found.Findings)
	case found.Valid:
		p.line("%s", p.in(green, "The settings are valid."))
		writeWarnings(p, found)
	default:
		writeFindings(p, found.Findings)
	}
	if found.WithTable && found.Valid {
		writeCases(p, found)
	}
}

// headings are over findings of each severity, in the order in which they are printed.
var headings = []struct {
	severity doctor.Severity
	heading  string
	colour   string
}{{doctor.Error, "Errors", red}, {doctor.Warning, "Warnings around the settings", yellow}, {doctor.Note, "Notes", faint}}

// writeFindings prints findings by their severity, each with its cure.
func writeFindings(p *paper, all []doctor.Finding) {
	for _, h := range headings {
		first := true
		for _, f := range all {
			if f.Severity != h.severity {
				continue
			}
			if first {
				p.heading(h.heading)
				first = false
			}
			writeFinding(p, h.colour, f)
		}
	}
}

// longest is how much of a path is printed: the paths of Envoy's configurations
// are longer than that of any other text.
const longest = 1000

func writeFinding(p *paper, colour string, f doctor.Finding) {
	mark := "!"
	if f.Severity == doctor.Error {
		mark = "✗"
	} else if f.Severity == doctor.Note {
		mark = "·"
	}
	p.line("  %s %s: %s", p.in(colour, mark), f.Code, printable(f.Message))
	if f.Path != "" {
		p.line("    %s", p.in(faint, "at "+printable(f.Path[:min(len(f.Path), longest)])))
	}
	if f.Hint != "" {
		p.line("    %s", printable(f.Hint))
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
	writeFindings(p, found.Findings)
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
