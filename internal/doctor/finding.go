// Package doctor says what is not well around Postern's settings, and how it is
// put right: in the files that hold them (Around), and in an Envoy that runs,
// seen through its admin interface, its front, and the provider (Run).
//
// Everything it can find is in one table, by a code that stays the same, with its
// cure. It looks and never changes anything: it signs nobody in, sends no
// credentials, and tries nothing that a visitor's browser would not send, but for
// a logout token that is none, and cookies that mean nothing. What it reports
// holds no secret, no cookie and no token; texts of others are cut and stripped
// of what stands in quotes.
//
// What is looked for follows Envoy's own documentation (TLS contexts, access
// logs, X-Forwarded-For), Istio's of WasmPlugin, OpenID Connect Discovery 1.0,
// RFC 6749 (section 4.1.2.1, on errors of authorisation) and RFC 6265bis.
package doctor

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Severity is how much a finding matters.
type Severity string

// The severities. An Error makes somebody wait or lets somebody in; a Warning
// will, some day; a Note is to be known; OK is what was looked at and is well.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
	OK      Severity = "ok"
)

// Finding is one thing that was seen.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Path     string   `json:"path,omitempty"` // where: in a file, or what of a running Envoy
	Message  string   `json:"message"`        // what was seen
	Hint     string   `json:"hint,omitempty"` // its cure
}

// found makes a finding of a code, with the severity and the cure of the table.
func found(code, path, format string, args ...any) Finding {
	c := known(code)
	return Finding{Code: code, Severity: c.Severity, Path: path, Message: fmt.Sprintf(format, args...), Hint: c.Cure}
}

// as is the finding with another severity.
func (f Finding) as(s Severity) Finding {
	f.Severity = s
	return f
}

// well says what was looked at and is well.
func well(code, path, format string, args ...any) Finding {
	f := found(code, path, format, args...)
	f.Severity, f.Hint = OK, ""
	return f
}

// Worst is the worst severity of some findings, and OK of none.
func Worst(all []Finding) Severity {
	order := []Severity{OK, Note, Warning, Error}
	worst := OK
	for _, f := range all {
		if slices.Index(order, f.Severity) > slices.Index(order, worst) {
			worst = f.Severity
		}
	}
	return worst
}

// quotes are taken out of texts of others: Envoy repeats parts of what it refuses.
const quotes = "\"'`"

// told is a text of somebody else's as it may be shown.
func told(text string) string {
	var out strings.Builder
	within, before := rune(0), ' '
	for _, r := range text {
		word := unicode.IsLetter(before) || unicode.IsDigit(before) // as in "it's"
		before = r
		switch {
		case within == 0 && strings.ContainsRune(quotes, r) && !(r == '\'' && word):
			within = r
			out.WriteString("…")
		case r == within:
			within = 0
		case within == 0:
			out.WriteRune(r)
		}
		if out.Len() > 300 {
			out.WriteString("…")
			break
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}
