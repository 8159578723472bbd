package abi

import (
	"strings"
	"testing"
)

func TestALogLineIsOneLine(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"plain text stays", `{"event":"sign_in","why":"a \"b\" \\ c"}`, `{"event":"sign_in","why":"a \"b\" \\ c"}`},
		{"other scripts stay", "Grüße, 世界", "Grüße, 世界"},
		{"a line feed cannot start a second line", "a\n[critical] forged", `a\x0a[critical] forged`},
		{"a carriage return cannot overwrite the line", "a\rb", `a\x0db`},
		{"an escape sequence cannot reach a terminal", "\x1b[2J", `\x1b[2J`},
		{"nor can its eight bit form", "\u009b2J", `\xc2\x9b2J`},
		{"delete is escaped", "\x7f", `\x7f`},
		{"bytes that are not UTF-8 are escaped", "\xff\xc3", `\xff\xc3`},
		{"a genuine replacement character stays", "\ufffd", "\ufffd"},
		{"a Unicode line separator is escaped", "a\u2028b", `a\xe2\x80\xa8b`},
		{"a change of direction is escaped", "a\u202eb", `a\xe2\x80\xaeb`},
		{"a long line is cut and says so", strings.Repeat("x", maxLogBytes+1), strings.Repeat("x", maxLogBytes) + cutMark},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := printable(test.in); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
