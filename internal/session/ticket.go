package session

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"strings"
	"time"
)

// Application is a login as an application's host began it, where the
// provider's answer arrives at another host. What proves the login stays with
// the browser's binding to the application's host: the login host is told no
// more than what the provider is told.
type Application struct {
	Origin    string `json:"o"`           // of the application: whom the ticket is for
	Party     []byte `json:"p"`           // from PartyOf: provider and client
	ID        []byte `json:"i"`           // the transaction: 128 random bits
	Key       string `json:"k"`           // the key under which the proof is derived
	Bound     []byte `json:"b"`           // hash of the binding's secret
	BoundAt   int64  `json:"m"`           // when that binding was made, seconds since 1970
	Attempt   int    `json:"a,omitempty"` // how often this login was begun anew
	Step      Step   `json:"x"`           // what it is to bring beyond a usual one
	Challenge string `json:"c,omitempty"` // RFC 7636, section 4.2; not in a ticket
	Nonce     string `json:"n,omitempty"` // OpenID Connect Core, section 3.1.2.1; not in a ticket
}

// PartyOf returns what stands for a provider and a client: gates with the same
// keys and other tenants do not take each other's logins.
func PartyOf(provider, issuer, clientID string) []byte {
	hash := sha256.New()
	for _, part := range []string{provider, issuer, clientID} {
		fmt.Fprintf(hash, "%d %s ", len(part), part)
	}
	return hash.Sum(nil)[:16]
}

// Ticket hands a login that the login host received on to the application's
// host, in the address of a redirect. It holds no session and no token: the
// code is good only with the verifier, which only the application's host can
// derive, from the binding of the browser that began there.
type Ticket struct {
	App    Application `json:"a"`
	Return string      `json:"r"`
	Code   string      `json:"c"` // RFC 6749, section 4.1.2
	Made   int64       `json:"t"` // seconds since 1970
	// Asked says that this browser was asked for its session in a request that
	// no other site began.
	Asked bool `json:"q,omitempty"`
}

const (
	// TicketLifetime is how long a browser has to follow the redirect.
	TicketLifetime = 30 * time.Second
	// MaxTicket is the most bytes that a sealed ticket takes, so that it fits
	// into an address.
	MaxTicket = 15 << 10
	// transactionBytes is how long the name of a transaction is.
	transactionBytes = 16
)

// BeginApplication makes a login of a browser with the given binding, whose
// answer will arrive at another host.
func (r *Keyring) BeginApplication(b *Binding, a Application, provider, clientID string, random io.Reader) (Application, error) {
	a.ID = make([]byte, transactionBytes)
	if _, err := io.ReadFull(random, a.ID); err != nil {
		return Application{}, fmt.Errorf("session: login: %w", err)
	}
	a.Key, a.Bound, a.BoundAt = r.order[0], hashSecret(b.Secret), b.Made
	proof, err := r.ProveApplication(b, &a, provider, clientID)
	if err != nil {
		return Application{}, err
	}
	a.Challenge, a.Nonce = proof.Challenge(), proof.Nonce
	return a, nil
}

// ProveApplication derives the proof of an application's login from the binding
// that the browser sent. It fails with ErrSealed where the login was begun by
// another browser.
func (r *Keyring) ProveApplication(b *Binding, a *Application, provider, clientID string) (Proof, error) {
	return r.Prove(b, &Login{ID: a.ID, Bound: a.Bound, Provider: provider, keyID: a.Key}, clientID)
}

// Application returns the login as one that its own host began, so that it can
// be handed on to where it is.
func (l *Login) Application(origin string, party []byte) Application {
	return Application{
		Origin: origin, Party: party, ID: l.ID, Key: l.keyID,
		Bound: l.Bound, BoundAt: l.BoundAt, Attempt: l.Attempt, Step: l.Step,
	}
}

// Destination is where the browser wanted to go, on whichever host.
func (l *Login) Destination() string {
	if l.App != nil && strings.HasPrefix(l.Return, "/") {
		return l.App.Origin + l.Return
	}
	return l.Return
}

// Shown is what an application's login shows the provider. The verifier is not
// known here.
func (a *Application) Shown() Proof { return Proof{challenge: a.Challenge, Nonce: a.Nonce} }

// For reports whether the login is one with the given provider and client.
func (a *Application) For(party []byte) bool {
	return subtle.ConstantTimeCompare(a.Party, party) == 1
}

// complete reports whether nothing is missing that a proof is derived from.
func (a *Application) complete() bool {
	return a.Origin != "" && len(a.ID) == transactionBytes && len(a.Bound) == sha256.Size
}

// SealTicket returns the value of the ticket parameter. It fails with
// ErrTooLarge where the code is longer than an address can carry.
func (r *Keyring) SealTicket(t Ticket) (string, error) {
	t.App.Challenge, t.App.Nonce = "", ""
	sealed, err := r.sealShrunk(PurposeTicket, MaxTicket, &t.Return, &t)
	if err == nil && len(sealed) > MaxTicket {
		return "", ErrTooLarge
	}
	return sealed, err
}

// OpenTicket opens what SealTicket returned. Whether it is still good, for this
// host and for this browser, is for Expired, App and ProveApplication to say.
func (r *Keyring) OpenTicket(sealed string) (*Ticket, error) {
	var t Ticket
	if _, err := r.openJSON(PurposeTicket, sealed, MaxTicket, &t); err != nil {
		return nil, err
	}
	if !t.App.complete() || len(t.Code) == 0 {
		return nil, ErrSealed
	}
	return &t, nil
}

// Expired reports whether the ticket is too old, or made in the future.
func (t *Ticket) Expired(now time.Time) bool { return !within(now, t.Made, TicketLifetime) }

// String never shows the code.
func (t *Ticket) String() string { return "ticket(redacted)" }

// GoString never shows the code.
func (t *Ticket) GoString() string { return t.String() }
