package session

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const formOrigin = "https://app.example.com"

func TestAFormOpensAsItWasSealed(t *testing.T) {
	r, b, random := ring(t, key("k", 1)), binding(t, 0), &counter{}
	for name, f := range map[string]Form{
		"a form":                       {Action: "/orders?new=1", Back: "/orders", Made: now.Unix(), Body: []byte("a=1&a=2&b=")},
		"a form without a field":       {Action: "/orders", Made: now.Unix(), Body: []byte{}},
		"a body with line breaks":      {Action: "/orders", Made: now.Unix(), Body: []byte("a\n\n/b\n=1\n")},
		"the longest body and address": {Action: "/" + strings.Repeat("a", 2047), Back: "/" + strings.Repeat("b", 2047), Made: now.Unix(), Body: []byte(strings.Repeat("x", MaxForm))},
	} {
		t.Run(name, func(t *testing.T) {
			sealed, err := r.SealForm(b, formOrigin, f, random)
			if err != nil {
				t.Fatal(err)
			}
			if len(sealed) > MaxSealedForm {
				t.Errorf("%d bytes", len(sealed))
			}
			got, err := r.OpenForm(b, formOrigin, sealed, now.Add(time.Minute), time.Hour)
			if diff := cmp.Diff(f, got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}

func TestAFormOpensNowhereElse(t *testing.T) {
	r, b, random := ring(t, key("k", 1)), binding(t, 0), &counter{}
	f := Form{Action: "/orders", Made: now.Unix(), Body: []byte("a=1")}
	sealed, err := r.SealForm(b, formOrigin, f, random)
	if err != nil {
		t.Fatal(err)
	}
	open := func(b *Binding, origin, sealed string, at time.Time) error {
		_, err := r.OpenForm(b, origin, sealed, at, time.Hour)
		return err
	}
	if err := open(&Binding{Secret: binding(t, 100).Secret, Previous: b.Secret}, formOrigin, sealed, now); err != nil {
		t.Errorf("under a binding that was renewed: %v", err)
	}
	state, err := r.Seal(PurposeState, []byte(strconv.FormatInt(now.Unix(), 10)+"\n/orders\n\na=1"), false)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"in another browser":            open(binding(t, 100), formOrigin, sealed, now),
		"at another origin":             open(b, "https://other.example.com", sealed, now),
		"once its time is over":         open(b, formOrigin, sealed, now.Add(time.Hour)),
		"before its time":               open(b, formOrigin, sealed, now.Add(-time.Minute)),
		"with its last letter off":      open(b, formOrigin, sealed[:len(sealed)-1], now),
		"with a letter changed":         open(b, formOrigin, sealed[:40]+flip(sealed[40])+sealed[41:], now),
		"with a line break in it":       open(b, formOrigin, sealed[:40]+"\n"+sealed[40:], now),
		"as nothing":                    open(b, formOrigin, "", now),
		"as a value of another purpose": open(b, formOrigin, state, now),
		"longer than any":               open(b, formOrigin, strings.Repeat("A", MaxSealedForm+4), now),
	} {
		if !errors.Is(err, ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}
