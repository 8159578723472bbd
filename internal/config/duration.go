package config

import (
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time, written as Go writes it: "168h", "1h30m".
type Duration time.Duration

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String returns d in the units it has: 168h, not 168h0m0s.
func (d Duration) String() string {
	text := time.Duration(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = text[:len(text)-2]
	}
	if strings.HasSuffix(text, "h0m") {
		text = text[:len(text)-2]
	}
	return text
}

// MarshalText writes d as it is read.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// hint says what is amiss with the spellings that people try first.
func hint(text string) string {
	number := strings.TrimRight(text, "dwy")
	_, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil:
		return ""
	case number == text:
		return "; it lacks its unit"
	}
	return "; the largest unit is h"
}

func (d *Duration) decode(r *reader, path string, n *node) {
	if n.kind != kindString {
		r.problem(path, `must be a duration in quotes, such as "90s", "15m" or "168h", not %s`, n.kind)
		return
	}
	parsed, err := time.ParseDuration(n.text)
	if err != nil {
		r.problem(path, `%s is not a duration, such as "90s", "15m" or "168h"`+hint(n.text), quote(n.text))
		return
	}
	*d = Duration(parsed)
}

// within notes a problem unless d is from least to most. A most of zero is no
// bound.
func (r *reader) within(path string, d Duration, least, most time.Duration) {
	lower, upper := Duration(least), Duration(most)
	switch {
	case d.Std() < least:
		r.problem(path, "%s is less than %s", d, lower)
	case most > 0 && d.Std() > most:
		r.problem(path, "%s is more than %s", d, upper)
	}
}

// Time is a moment, written as RFC 3339 has it. The zero Time is none.
type Time struct{ time.Time }

func (t *Time) decode(r *reader, path string, n *node) {
	const form = `a time such as "2026-11-22T08:00:00Z"`
	if n.kind != kindString {
		r.problem(path, "must be "+form+" in quotes, not %s", n.kind)
		return
	}
	parsed, err := time.Parse(time.RFC3339, n.text)
	if err != nil || parsed.Year() < 1970 {
		r.problem(path, "%s is not "+form, quote(n.text))
		return
	}
	t.Time = parsed
}
