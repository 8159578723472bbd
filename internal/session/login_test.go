package session

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func binding(t *testing.T, seed uint64) *Binding {
	t.Helper()
	b, _, err := NewBinding(nil, now, &counter{seed})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestALoginIsProvenByTheBrowserThatBeganIt(t *testing.T) {
	r := ring(t, key("k", 1))
	mine, other := binding(t, 0), binding(t, 100)
	state, want, err := r.BeginLogin(mine, Login{Provider: "main", Return: "/page?x=1"}, "shop", now, &counter{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := r.OpenLogin(state)
	if err != nil {
		t.Fatal(err)
	}
	if l.Return != "/page?x=1" || l.Provider != "main" {
		t.Errorf("got %q, %q", l.Return, l.Provider)
	}
	if got, err := r.Prove(mine, l, "shop"); err != nil || got != want {
		t.Errorf("the same browser: same proof %v, %v", got == want, err)
	}
	if _, err := r.Prove(other, l, "shop"); !errors.Is(err, ErrSealed) {
		t.Errorf("another browser: %v", err)
	}
	if _, err := r.Prove(&Binding{}, l, "shop"); !errors.Is(err, ErrSealed) {
		t.Errorf("a binding of nothing: %v", err)
	}
	if got, _ := r.Prove(mine, l, "another"); got == want {
		t.Error("another client has the same proof")
	}
}

func TestVerifierAndNonceAreDifferentForEachLogin(t *testing.T) {
	r := ring(t, key("k", 1))
	b, random := binding(t, 0), &counter{}
	seen := map[string]bool{}
	for range 50 {
		_, p, err := r.BeginLogin(b, Login{Provider: "main"}, "shop", now, random)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{p.Verifier, p.Nonce} {
			// RFC 7636, section 4.1: 43 to 128 characters.
			if seen[s] || len(s) < 43 {
				t.Errorf("%q came before, or is short", s)
			}
			seen[s] = true
		}
	}
}

func TestPartsOfADerivationCannotBeMovedFromOneToTheOther(t *testing.T) {
	r := ring(t, key("k", 1))
	a, err := r.derive("k", purposeNonce, []byte("ab"), []byte("c"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.derive("k", purposeNonce, []byte("a"), []byte("bc"))
	if err != nil {
		t.Fatal(err)
	}
	if string(a) == string(b) {
		t.Error("two lists of parts give one value")
	}
}

func TestTheStateHoldsNoSecretOfTheBinding(t *testing.T) {
	r := ring(t, key("k", 1))
	b := binding(t, 0)
	state, _, err := r.BeginLogin(b, Login{}, "shop", now, &counter{})
	if err != nil {
		t.Fatal(err)
	}
	plain, _, err := r.Open(PurposeState, state, MaxState)
	if err != nil {
		t.Fatal(err)
	}
	l, err := r.OpenLogin(state)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(plain), string(b.Secret)) || string(l.Bound) == string(b.Secret) {
		t.Error("the binding's secret travels in the state")
	}
}

func TestAReturnAddressTooLongForTheStateShrinks(t *testing.T) {
	r := ring(t, key("k", 1))
	for address, want := range map[string]string{
		"/page?" + strings.Repeat("q", 3000):                                 "/page",
		"/" + strings.Repeat("p", 3000):                                      "/",
		"https://app.example.com/page?" + strings.Repeat("q", 3000):          "https://app.example.com/page",
		"https://app.example.com:8443/" + strings.Repeat("p", 3000) + "?q=1": "https://app.example.com:8443/",
		"/page?short": "/page?short",
	} {
		state, _, err := r.BeginLogin(binding(t, 0), Login{Provider: "main", Return: address}, "shop", now, &counter{})
		if err != nil {
			t.Fatal(err)
		}
		l, err := r.OpenLogin(state)
		if err != nil {
			t.Fatal(err)
		}
		if l.Return != want || len(state) > MaxState {
			t.Errorf("got %.60q in %d bytes, want %q", l.Return, len(state), want)
		}
	}
}

func TestABindingIsRenewedWithOverlap(t *testing.T) {
	r := ring(t, key("k", 1))
	first := binding(t, 0)
	state, _, err := r.BeginLogin(first, Login{Provider: "main"}, "shop", now, &counter{})
	if err != nil {
		t.Fatal(err)
	}
	same, fresh, err := NewBinding(first, now.Add(bindingRenewal-time.Second), &counter{50})
	if err != nil || fresh || same != first {
		t.Errorf("a young binding was replaced: %v", err)
	}
	second, fresh, err := NewBinding(first, now.Add(bindingRenewal), &counter{50})
	if err != nil || !fresh {
		t.Fatalf("an old binding was kept: %v", err)
	}
	l, err := r.OpenLogin(state)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Prove(second, l, "shop"); err != nil {
		t.Errorf("a login begun before the renewal: %v", err)
	}
}

func TestABindingEnds(t *testing.T) {
	r := ring(t, key("k", 1))
	cookie, err := r.SealBinding(binding(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	if len(cookie) > 400 {
		t.Errorf("the one cookie of a login takes %d bytes", len(cookie))
	}
	if _, err := r.OpenBinding(cookie, now.Add(BindingLifetime-time.Second)); err != nil {
		t.Error(err)
	}
	if _, err := r.OpenBinding(cookie, now.Add(BindingLifetime)); !errors.Is(err, ErrSealed) {
		t.Errorf("got %v", err)
	}
}

func TestALoginExpires(t *testing.T) {
	l := &Login{Begun: now.Unix()}
	for after, want := range map[time.Duration]bool{
		14 * time.Minute: false, 15 * time.Minute: true, -time.Minute: true,
	} {
		if got := l.Expired(now.Add(after), 15*time.Minute); got != want {
			t.Errorf("after %s: %v", after, got)
		}
	}
}

func TestAStartRequestIsForAShortTime(t *testing.T) {
	r := ring(t, key("k", 1))
	sealed, err := r.SealStart(Start{Return: "https://app.example.com/x", Made: now.Unix()})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := r.OpenStart(sealed, now.Add(time.Minute)); err != nil || s.Return != "https://app.example.com/x" {
		t.Errorf("got %q, %v", s.Return, err)
	}
	if _, err := r.OpenStart(sealed, now.Add(startLifetime)); !errors.Is(err, ErrSealed) {
		t.Errorf("got %v", err)
	}
}

func TestALoginThatDoesNotFitIntoAnAddressIsNotBegun(t *testing.T) {
	l := Login{Return: "/", Step: Step{Scopes: []string{strings.Repeat("x", MaxState)}}}
	state, _, err := ring(t, key("k", 1)).BeginLogin(binding(t, 0), l, "shop", now, &counter{})
	if !errors.Is(err, ErrTooLarge) || state != "" {
		t.Errorf("%d bytes of state, %v", len(state), err)
	}
}

func TestAStateSaysNothingOfWhoSignsIn(t *testing.T) {
	r := ring(t, key("2026-11", 1))
	b := binding(t, 0)
	step := Step{Scopes: []string{strings.Repeat("s", 512)}, Hint: strings.Repeat("h", 254)}
	a := application(t, r, b)
	a.Step = step
	for name, l := range map[string]Login{
		"on this host":                  {Provider: "main", Return: "/", Step: step},
		"for the application's own one": {Provider: "main", Return: "/", App: &a},
	} {
		state, _, err := r.BeginLogin(b, l, "shop", now, &counter{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := r.OpenLogin(state)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(step.Asked(), got.Asks()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if l.Asks().Hint != step.Hint {
			t.Errorf("%s: the authorisation request does not say it either", name)
		}
	}
}
