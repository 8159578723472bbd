package httpmsg

import (
	"net"
	"strings"
	"testing"
)

func forwardedFor(values ...string) Fields {
	f := Fields{{"host", "10.9.9.9"}}
	for _, v := range values {
		f = append(f, Field{"x-forwarded-for", v})
	}
	return append(f, Field{"x-forwarded-proto", "10.8.8.8"})
}

func TestAForwardedAddressIsCountedFromTheEnd(t *testing.T) {
	for name, c := range map[string]struct {
		fields Fields
		n      int
		want   string
	}{
		"the last":                      {forwardedFor("10.0.0.1, 10.0.0.2"), 1, "10.0.0.2"},
		"the one before":                {forwardedFor("10.0.0.1, 10.0.0.2"), 2, "10.0.0.1"},
		"one more than there are":       {forwardedFor("10.0.0.1, 10.0.0.2"), 3, ""},
		"across fields":                 {forwardedFor("10.0.0.1,10.0.0.2", "10.0.0.3"), 2, "10.0.0.2"},
		"the first of several fields":   {forwardedFor("10.0.0.1", "10.0.0.2", "10.0.0.3"), 3, "10.0.0.1"},
		"no field":                      {forwardedFor(), 1, ""},
		"an empty field":                {forwardedFor(""), 1, ""},
		"an empty field counts":         {forwardedFor("10.0.0.1", ""), 2, "10.0.0.1"},
		"the zeroth":                    {forwardedFor("10.0.0.1"), 0, ""},
		"one before the end":            {forwardedFor("10.0.0.1"), -1, ""},
		"no spaces":                     {forwardedFor("10.0.0.1,10.0.0.2"), 1, "10.0.0.2"},
		"many spaces":                   {forwardedFor("10.0.0.1 \t, \t10.0.0.2 "), 1, "10.0.0.2"},
		"a port":                        {forwardedFor("10.0.0.1:1234"), 1, "10.0.0.1"},
		"IPv6":                          {forwardedFor("2001:DB8:0:0::1"), 1, "2001:db8::1"},
		"IPv6 in brackets":              {forwardedFor("[2001:db8::1]"), 1, "2001:db8::1"},
		"IPv6 with a port":              {forwardedFor("[2001:db8::1]:443"), 1, "2001:db8::1"},
		"IPv4 as IPv6":                  {forwardedFor("::ffff:10.0.0.1"), 1, "10.0.0.1"},
		"a name":                        {forwardedFor("unknown"), 1, ""},
		"a name that is not asked for":  {forwardedFor("unknown, 10.0.0.1"), 1, "10.0.0.1"},
		"an address and more":           {forwardedFor("10.0.0.1 evil"), 1, ""},
		"an empty member counts as one": {forwardedFor("10.0.0.1,,10.0.0.2"), 2, ""},
		"a zone":                        {forwardedFor("fe80::1%eth0"), 1, ""},
		"an address in octal":           {forwardedFor("010.0.0.1"), 1, ""},
		"a port that is none":           {forwardedFor("10.0.0.1:99999"), 1, ""},
		"brackets that do not close":    {forwardedFor("[2001:db8::1"), 1, ""},
		"brackets and something after":  {forwardedFor("[2001:db8::1]x"), 1, ""},
		"IPv4 in brackets":              {forwardedFor("[10.0.0.1]"), 1, ""},
		"brackets in brackets":          {forwardedFor("[[::1]]"), 1, ""},
		"something very long":           {forwardedFor(strings.Repeat("1", 1000)), 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := ForwardedFor(c.fields, c.n); got != c.want || ok != (c.want != "") {
				t.Errorf("%q, %t", got, ok)
			}
		})
	}
}

func TestAddressesAreTheSameHoweverTheyAreWritten(t *testing.T) {
	for name, c := range map[string]struct {
		a, b string
		same bool
	}{
		"as they are":             {"10.0.0.1", "10.0.0.1", true},
		"with and without a port": {"10.0.0.1:80", "10.0.0.1", true},
		"with two ports":          {"10.0.0.1:80", "10.0.0.1:81", true},
		"IPv4 as IPv6":            {"::ffff:10.0.0.1", "10.0.0.1", true},
		"IPv4 as IPv6 in hex":     {"::ffff:a00:1", "10.0.0.1", true},
		"IPv6 written out":        {"2001:0db8:0000::0001", "[2001:db8::1]:443", true},
		"IPv6 in upper case":      {"2001:DB8::A", "2001:db8::a", true},
		"the old kind of IPv4":    {"::10.0.0.1", "10.0.0.1", false},
		"two":                     {"10.0.0.1", "10.0.0.2", false},
		"nothing and nothing":     {"", "", false},
		"names":                   {"localhost", "localhost", false},
		"one that is cut off":     {"10.0.0.1", "10.0.0.10", false},
		"an address and nothing":  {"10.0.0.1", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := SameAddress(c.a, c.b); got != c.same {
				t.Errorf("the same: %t", got)
			}
			if got := SameAddress(c.b, c.a); got != c.same {
				t.Errorf("the other way round: %t", got)
			}
		})
	}
}

// FuzzForwardedFor has anything come as the fields: what is returned is an
// address by the standard library's other parser, the same as itself, and what
// comes before changes nothing.
func FuzzForwardedFor(f *testing.F) {
	f.Add("10.0.0.1, [2001:db8::1]:443", "::ffff:10.0.0.1", 2)
	f.Add("unknown", "", 1)
	f.Fuzz(func(t *testing.T, first, second string, n int) {
		got, ok := ForwardedFor(forwardedFor(first, second), n)
		if ok != (got != "") {
			t.Fatalf("%q, %t", got, ok)
		}
		if !ok {
			return
		}
		if ip := net.ParseIP(got); ip == nil || !SameAddress(got, got) || !SameAddress(ip.String(), got) {
			t.Errorf("%q is no address", got)
		}
		if again, _ := ForwardedFor(forwardedFor("10.66.66.66", "10.66.66.66,"+first, second), n); again != got {
			t.Errorf("%q becomes %q by what comes before", got, again)
		}
	})
}
