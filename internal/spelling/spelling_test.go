package spelling

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	words := []string{"hosts", "rules", "scopes", "a"}
	for name, tc := range map[string]struct{ word, want string }{
		"a letter that is missing":         {"host", "hosts"},
		"a letter too many":                {"scoopes", "scopes"},
		"two letters that changed places":  {"ruels", "rules"},
		"another word":                     {"bearer", ""},
		"a word as short as its mistakes":  {"b", ""},
		"a word that nobody would look at": {strings.Repeat("hosts", 13), ""},
		"nothing":                          {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Nearest(tc.word, words); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
