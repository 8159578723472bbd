package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/sealed"
)

// writeInspected prints what was found.
func writeInspected(p *paper, done *inspected) {
	for i, f := range done.Values {
		if i > 0 {
			p.line("")
		}
		p.line("%s%s", p.in(bold, f.Kind), p.in(faint, whose(f)))
		for _, problem := range f.Problems {
			p.line("  %s %s", p.in(red, "✗"), shown(problem.Message))
			if problem.Hint != "" {
				p.line("    %s", shown(problem.Hint))
			}
		}
		if f.Good() {
			p.line("  %s", p.in(green, "opens, and is good"))
		}
		writeSealed(p, f)
		if f.Session != nil {
			writeSession(p, f.Session, done.At)
		}
		for _, d := range f.Details {
			p.line("  %-20s %s", d.Name, shown(withLeft(d.Value, done.At)))
		}
	}
}

// whose is how a finding is called.
func whose(f *sealed.Finding) string {
	text := ""
	if len(f.Names) > 0 {
		text = " " + shown(strings.Join(f.Names, ", "))
	}
	if f.Host != "" {
		text += " of " + shown(f.Host)
	}
	return text
}

// writeSealed prints which key it was sealed with, and its size.
func writeSealed(p *paper, f *sealed.Finding) {
	if f.KeyID != "" {
		by := ""
		if f.Sealed != "" {
			by = ", " + f.Sealed
		}
		p.line("  %-20s %s%s", "key", shown(f.KeyID), by)
	}
	size := strconv.Itoa(f.Bytes()) + " bytes"
	if len(f.Sizes) > 1 {
		var parts []string
		for _, n := range f.Sizes {
			parts = append(parts, strconv.Itoa(n))
		}
		size += " in " + strconv.Itoa(len(parts)) + " cookies (" + strings.Join(parts, " + ") + ")"
	}
	if f.Budget > 0 {
		size += fmt.Sprintf(", %d %% of session.max_bytes", (f.Bytes()*100+f.Budget-1)/f.Budget)
	}
	p.line("  %-20s %s", "size", size)
}

// writeSession prints whose session it is, and its times.
func writeSession(p *paper, s *sealed.SessionView, now time.Time) {
	for _, row := range [][2]string{
		{"subject", s.Subject}, {"provider", s.Provider}, {"issuer", s.Issuer}, {"client", s.ClientID},
		{"provider's session", s.SID}, {"realm", s.Realm}, {"acr", s.ACR}, {"amr", strings.Join(s.AMR, " ")},
		{"granted scopes", strings.Join(s.Scopes, " ")}, {"questions answered", strings.Join(s.Enriched, " ")}, {"asked for", askedFor(s.Asked)},
	} {
		if row[1] != "" {
			p.line("  %-20s %s", row[0], shown(row[1]))
		}
	}
	if s.Unverified {
		p.line("  %-20s %s", "e-mail address", p.in(yellow, "not verified, says the provider"))
	}
	p.line("  %-20s %s", "renewed", times(s.Generation))
	p.heading("Times")
	p.line("  %-20s %s", "signed in", when(s.SignedIn, now))
	if s.Authenticated != nil {
		p.line("  %-20s %s", "authenticated", when(*s.Authenticated, now))
	}
	p.line("  %-20s %s", "confirmed", when(s.Confirmed, now))
	p.line("  %-20s %s", "last given", when(s.Seen, now))
	if s.Ends != nil {
		p.line("  %-20s %s, by %s", "ends", when(*s.Ends, now), s.EndsBy)
	} else {
		p.line("  %-20s %s", "ends", p.in(faint, "not known without settings (--config)"))
	}
	p.heading("Claims")
	for _, name := range slices.Sorted(maps.Keys(s.Claims)) {
		p.line("  %-20s %s", shown(name), shown(claimText(s.Claims[name].List, s.Claims[name].Values)))
	}
	p.heading("Tokens")
	if len(s.Tokens) == 0 {
		p.line("  none")
	}
	for _, t := range s.Tokens {
		p.line("  %-20s %s, %d bytes, SHA-256 %s…%s", t.Name, t.Form, t.Bytes, t.Hash, expires(t.Expires, now))
	}
}

func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	}
	return strconv.Itoa(n) + " times"
}

func claimText(list bool, values []string) string {
	if !list {
		return strings.Join(values, "")
	}
	return strconv.Itoa(len(values)) + ": " + strings.Join(values, ", ")
}

func askedFor(a *sealed.Asked) string {
	if a == nil {
		return ""
	}
	var parts []string
	for _, part := range []struct{ name, value string }{
		{"scope", strings.Join(a.Scopes, " ")}, {"acr_values", strings.Join(a.ACR, " ")}, {"prompt", a.Prompt}, {"questions", strings.Join(a.Enrich, " ")},
	} {
		if part.value != "" {
			parts = append(parts, part.name+" "+part.value)
		}
	}
	if a.MaxAge > 0 {
		parts = append(parts, "max_age "+(time.Duration(a.MaxAge)*time.Second).String())
	}
	return strings.Join(parts, ", ")
}

func expires(at *time.Time, now time.Time) string {
	if at == nil {
		return ", expiry not told"
	}
	return ", until " + when(*at, now)
}

// when is a time, and how far it is.
func when(t, now time.Time) string {
	return t.UTC().Format(time.RFC3339) + " (" + distance(t, now) + ")"
}

// withLeft adds to a time how far it is.
func withLeft(text string, now time.Time) string {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return when(t, now)
	}
	return text
}

// distance is how far a time is, to two units.
func distance(t, now time.Time) string {
	d := t.Sub(now).Round(time.Second)
	if d == 0 {
		return "now"
	}
	if d < 0 {
		return units(-d) + " ago"
	}
	return "in " + units(d)
}

// units is a length of time in its two largest units, of which the second is left
// out where there is none of it.
func units(d time.Duration) string {
	var parts []string
	for _, unit := range []struct {
		name string
		of   time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		n := d / unit.of
		d %= unit.of
		if n > 0 {
			parts = append(parts, strconv.Itoa(int(n))+unit.name)
		}
		if n == 0 && len(parts) > 0 || len(parts) == 2 {
			break
		}
	}
	return strings.Join(parts, " ")
}
