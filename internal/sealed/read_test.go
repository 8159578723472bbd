package sealed

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/session"
)

func TestReadFindsValues(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want []Value
	}{
		"nothing":                 {"", nil},
		"a comment":               {"# Netscape HTTP Cookie File\n", nil},
		"pairs":                   {"a=1; b=x=y", []Value{{"a", "1", ""}, {"b", "x=y", ""}}},
		"a line with its name":    {"Cookie: a=1", []Value{{"a", "1", ""}}},
		"what curl -v prints":     {"> Cookie: a=1\r\n< Set-Cookie: b=2; Path=/; Domain=.example.com", []Value{{"a", "1", ""}, {"b", "2", "example.com"}}},
		"an argument in quotes":   {"  -H 'Cookie: a=1; b=2' --compressed", []Value{{"a", "1", ""}, {"b", "2", ""}}},
		"a jar":                   {"app.example.com\tFALSE\t/\tTRUE\t0\ta\t1\n#HttpOnly_.example.com\tTRUE\t/\tTRUE\t0\tb\t2", []Value{{"a", "1", "app.example.com"}, {"b", "2", "example.com"}}},
		"an export":               {`[{"name":"a","value":"1","domain":".example.com"}]`, []Value{{"a", "1", "example.com"}}},
		"an address":              {"location: https://a.example.com/cb?state=S&x=1&ticket=T", []Value{{"state", "S", "a.example.com"}, {"ticket", "T", "a.example.com"}}},
		"an address that is none": {"https://[::1", nil},
		"a bare value":            {"eyJ.a.b.c.d", []Value{{"", "eyJ.a.b.c.d", ""}}},
		"quotes around a value":   {`a="1"`, []Value{{"a", "1", ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Read(tc.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	key := make([]byte, 32)
	ring, err := session.NewKeyring([]session.Key{{ID: "a", Secret: key}})
	if err != nil {
		f.Fatal(err)
	}
	text, err := ring.SealNeed(session.Need{})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"a=1", "__Host-postern=1." + text, text, "https://a/?state=" + text, "t.AAAA", "[{}]", "\t\t\t\t\t\t"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o := Opener{Keys: []session.Key{{ID: "a", Secret: key}}}
		if _, err := o.Open(Read(text)); err != nil {
			t.Error(err)
		}
	})
}
