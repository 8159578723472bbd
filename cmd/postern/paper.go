package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// paper is what a command writes on, in colours where that is a terminal.
type paper struct {
	out     io.Writer
	colours bool
}

func newPaper(out io.Writer) *paper { return &paper{out, isTerminal(out)} }

// isTerminal reports whether colours are welcome: https://no-color.org.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Colours, as terminals number them (ECMA-48, section 8.3.117).
const (
	bold   = "1"
	faint  = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (p *paper) in(colour, text string) string {
	if !p.colours || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (p *paper) line(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }

func (p *paper) heading(text string) { p.line("\n%s", p.in(bold, text)) }

// mostShown is how much of a text of somebody else's is printed, in characters.
const mostShown = 200

// shown is a text of somebody else's, at a length that can be read.
func shown(text string) string {
	if runes := []rune(text); len(runes) > mostShown {
		text = string(runes[:mostShown]) + "…"
	}
	return printable(text)
}

// printable is a text on one line: settings, claims and addresses may hold what a
// terminal would obey, or what turns the rest of the line around.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x2028, r == 0x2029, r == 0x61c:
			return 0xfffd
		}
		return r
	}, text)
}
