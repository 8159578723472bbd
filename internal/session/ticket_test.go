package session

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func application(t *testing.T, r *Keyring, b *Binding) Application {
	t.Helper()
	a := Application{Origin: "https://app.example.com", Party: PartyOf("main", "https://id.example.com", "shop")}
	a, err := r.BeginApplication(b, a, "main", "shop", &counter{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAnApplicationsLoginIsProvenByTheBrowserThatBeganItThere(t *testing.T) {
	r := ring(t, key("k", 1))
	mine, other := binding(t, 0), binding(t, 100)
	a := application(t, r, mine)
	proof, err := r.ProveApplication(mine, &a, "main", "shop")
	if err != nil {
		t.Fatal(err)
	}
	if proof.Challenge() != a.Challenge || proof.Nonce != a.Nonce {
		t.Error("the browser that began it proves something else than was shown")
	}
	if shown := a.Shown(); shown.Challenge() != a.Challenge || shown.Nonce != a.Nonce || shown.Verifier != "" {
		t.Error("what is shown is not what was made")
	}
	if _, err := r.ProveApplication(other, &a, "main", "shop"); !errors.Is(err, ErrSealed) {
		t.Errorf("another browser: %v", err)
	}
	unknown := a
	unknown.Key = "another"
	if _, err := r.ProveApplication(mine, &unknown, "main", "shop"); !errors.Is(err, ErrSealed) {
		t.Errorf("a key that is gone: %v", err)
	}
	for name, p := range map[string]func() (Proof, error){
		"another provider": func() (Proof, error) { return r.ProveApplication(mine, &a, "else", "shop") },
		"another client":   func() (Proof, error) { return r.ProveApplication(mine, &a, "main", "else") },
	} {
		if got, err := p(); err != nil || got == proof {
			t.Errorf("%s: the same proof, or %v", name, err)
		}
	}
}

func TestATicketHoldsNothingThatProvesTheLogin(t *testing.T) {
	r := ring(t, key("k", 1))
	a := application(t, r, binding(t, 0))
	sealed, err := r.SealTicket(Ticket{App: a, Return: "/page", Code: "code", Made: now.Unix()})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.OpenTicket(sealed)
	if err != nil {
		t.Fatal(err)
	}
	want := a
	want.Challenge, want.Nonce = "", ""
	if diff := cmp.Diff(&Ticket{App: want, Return: "/page", Code: "code", Made: now.Unix()}, got); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(fmt.Sprintf("%v %+v %#v", got, got, got), "code") {
		t.Error("a ticket prints its code")
	}
}

func TestATicketIsGoodForHalfAMinute(t *testing.T) {
	ticket := Ticket{Made: now.Unix()}
	for age, expired := range map[time.Duration]bool{
		-31 * time.Second: true, -30 * time.Second: false, 0: false, 29 * time.Second: false, 30 * time.Second: true,
	} {
		if got := ticket.Expired(now.Add(age)); got != expired {
			t.Errorf("after %v: %v", age, got)
		}
	}
}

func TestATicketThatLacksSomethingDoesNotOpen(t *testing.T) {
	r := ring(t, key("k", 1))
	whole := Ticket{App: application(t, r, binding(t, 0)), Code: "code", Made: now.Unix()}
	for name, edit := range map[string]func(*Ticket){
		"without code":              func(t *Ticket) { t.Code = "" },
		"without origin":            func(t *Ticket) { t.App.Origin = "" },
		"without transaction":       func(t *Ticket) { t.App.ID = nil },
		"with a longer transaction": func(t *Ticket) { t.App.ID = make([]byte, 17) },
		"without binding":           func(t *Ticket) { t.App.Bound = nil },
	} {
		ticket := whole
		edit(&ticket)
		sealed, err := r.SealTicket(ticket)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.OpenTicket(sealed); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestATicketFitsIntoAnAddress(t *testing.T) {
	r := ring(t, key("k", 1))
	a := application(t, r, binding(t, 0))
	ticket := Ticket{App: a, Return: "/page?" + strings.Repeat("x", 1500), Code: strings.Repeat("c", 8<<10), Made: now.Unix()}
	sealed, err := r.SealTicket(ticket)
	if err != nil || len(sealed) > MaxTicket {
		t.Errorf("the longest code: %d bytes, %v", len(sealed), err)
	}
	if got, err := r.OpenTicket(sealed); err != nil || got.Code != ticket.Code {
		t.Errorf("the longest code does not come back: %v", err)
	}
	ticket.Code = strings.Repeat("<", 8<<10) // which JSON writes with six bytes
	if _, err := r.SealTicket(ticket); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a code that does not fit: %v", err)
	}
}

func TestAStateForAnApplicationFitsAndKeepsTheLogin(t *testing.T) {
	r := ring(t, key("2026-11", 1))
	b := binding(t, 0)
	a := application(t, r, b)
	for _, rd := range []string{"/", "/page?" + strings.Repeat("q", 1800), "/" + strings.Repeat("p", 1900)} {
		state, proof, err := r.BeginLogin(b, Login{Provider: "main", Return: rd, App: &a}, "shop", now, &counter{})
		if err != nil || len(state) > MaxState {
			t.Fatalf("%d bytes, %v", len(state), err)
		}
		if proof.Challenge() != a.Challenge || proof.Nonce != a.Nonce || proof.Verifier != "" {
			t.Error("the provider is shown something else than the application's")
		}
		l, err := r.OpenLogin(state)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&a, l.App); diff != "" {
			t.Error(diff)
		}
		if !strings.HasPrefix(l.Destination(), "https://app.example.com/") {
			t.Errorf("leads to %q", l.Destination())
		}
	}
}

func TestAStartWithALongAddressStillOpens(t *testing.T) {
	r := ring(t, key("k", 1))
	a := application(t, r, binding(t, 0))
	for _, rd := range []string{"/page?" + strings.Repeat("&", 2000), "/" + strings.Repeat("<", 2000)} {
		sealed, err := r.SealStart(Start{Return: rd, Made: now.Unix(), App: &a})
		if err != nil {
			t.Fatal(err)
		}
		if s, err := r.OpenStart(sealed, now); err != nil || s.App.Nonce != a.Nonce {
			t.Errorf("%.10s…: %v", rd, err)
		}
	}
}

func TestPartiesAreToldApart(t *testing.T) {
	seen := map[string]string{}
	for _, p := range [][3]string{
		{"main", "https://id.example.com", "shop"}, {"main", "https://id.example.com", "other"}, {"main", "https://id.example.org", "shop"},
		{"else", "https://id.example.com", "shop"}, {"mainh", "ttps://id.example.com", "shop"}, {"main", "https://id.example.com 4 shop", ""},
	} {
		k := base64.StdEncoding.EncodeToString(PartyOf(p[0], p[1], p[2]))
		if other, dup := seen[k]; dup {
			t.Errorf("%v is taken for %s", p, other)
		}
		seen[k] = fmt.Sprint(p)
	}
	a := Application{Party: PartyOf("main", "https://id.example.com", "shop")}
	if !a.For(PartyOf("main", "https://id.example.com", "shop")) || a.For(PartyOf("main", "https://id.example.com", "other")) || (&Application{}).For(a.Party) {
		t.Error("For does not tell parties apart")
	}
}

// FuzzOpenTicket has strangers make up tickets and starts: none opens but to
// what the keyring has sealed.
func FuzzOpenTicket(f *testing.F) {
	r, err := NewKeyring([]Key{key("k", 1)})
	if err != nil {
		f.Fatal(err)
	}
	b := &Binding{Secret: make([]byte, 32), Made: now.Unix()}
	a, err := r.BeginApplication(b, Application{Origin: "https://app.example.com"}, "main", "shop", &counter{})
	if err != nil {
		f.Fatal(err)
	}
	ticket, err := r.SealTicket(Ticket{App: a, Return: "/", Code: "code", Made: now.Unix()})
	if err != nil {
		f.Fatal(err)
	}
	start, err := r.SealStart(Start{App: &a, Return: "/", Made: now.Unix()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ticket)
	f.Add(start)
	f.Add(ticket[:len(ticket)-1])
	f.Add(strings.Replace(ticket, ".", "..", 1))
	f.Add("....")
	want := a
	want.Challenge, want.Nonce = "", ""
	f.Fuzz(func(t *testing.T, sealed string) {
		if got, err := r.OpenTicket(sealed); err == nil && (cmp.Diff(want, got.App) != "" || got.Code != "code") {
			t.Errorf("opened to %+v", got.App)
		}
		if got, err := r.OpenStart(sealed, now); err == nil && (got.App == nil || cmp.Diff(a, *got.App) != "") {
			t.Errorf("opened to %+v", got)
		}
	})
}
