package session

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

// Limits of a login.
const (
	// BindingLifetime is how long a browser keeps its binding.
	BindingLifetime = time.Hour
	// bindingRenewal is the age at which a login start gives the browser a new
	// binding; the old one stays good for the logins begun with it.
	bindingRenewal = BindingLifetime / 2
	// MaxState is the most bytes that a sealed state takes, so that it fits in
	// every provider's redirect.
	MaxState = 1536
	// maxBinding is the most bytes that a sealed binding takes.
	maxBinding = 1024
)

// Binding ties logins to the browser that began them: one small cookie for any
// number of logins under way at the same time.
type Binding struct {
	Secret   []byte `json:"s"`           // 256 random bits
	Made     int64  `json:"t"`           // seconds since 1970
	Previous []byte `json:"p,omitempty"` // the secret before the last renewal

	// Settled is when sessions were put into this browser since one last
	// arrived, in seconds since 1970, and Bytes how long the last one was: by
	// these a browser that keeps none is told from one that signs in often.
	Settled []int64 `json:"n,omitempty"`
	Bytes   int     `json:"z,omitempty"`
}

// Left is how long the binding is good for.
func (b *Binding) Left(now time.Time) time.Duration {
	return BindingLifetime - now.Sub(time.Unix(b.Made, 0))
}

// WithSettled returns the binding with another count of sessions that did not
// arrive.
func (b *Binding) WithSettled(settled []int64, bytes int) *Binding {
	c := *b
	c.Settled, c.Bytes = settled, bytes
	return &c
}

// NewBinding returns a binding to give the browser at a login's start: the one
// it has, where that is young; else a new one that remembers the old.
func NewBinding(have *Binding, now time.Time, random io.Reader) (b *Binding, fresh bool, err error) {
	if have != nil && now.Sub(time.Unix(have.Made, 0)) < bindingRenewal {
		return have, false, nil
	}
	b = &Binding{Secret: make([]byte, 32), Made: now.Unix()}
	if _, err := io.ReadFull(random, b.Secret); err != nil {
		return nil, false, fmt.Errorf("session: binding: %w", err)
	}
	if have != nil {
		b.Previous = have.Secret
	}
	return b, true, nil
}

// SealBinding returns the value of the binding cookie.
func (r *Keyring) SealBinding(b *Binding) (string, error) {
	return r.sealJSON(PurposeBinding, b, false)
}

// OpenBinding opens the value of a binding cookie. A binding past its lifetime
// does not open.
func (r *Keyring) OpenBinding(sealed string, now time.Time) (*Binding, error) {
	var b Binding
	if _, err := r.openJSON(PurposeBinding, sealed, maxBinding, &b); err != nil {
		return nil, err
	}
	if len(b.Secret) != 32 || !within(now, b.Made, BindingLifetime) {
		return nil, ErrSealed
	}
	return &b, nil
}

// Login is a login under way. All of it travels in the state parameter of the
// authorisation request (RFC 6749, section 4.1.1); nothing is stored.
type Login struct {
	Provider string `json:"p"`
	Return   string `json:"r"`           // where the browser wanted to go
	Begun    int64  `json:"t"`           // seconds since 1970
	ID       []byte `json:"i"`           // the transaction: 128 random bits
	Bound    []byte `json:"b"`           // hash of the binding's secret, never the secret
	BoundAt  int64  `json:"m"`           // when that binding was made, seconds since 1970
	Attempt  int    `json:"a,omitempty"` // how often this login was begun anew

	Step Step `json:"x"` // what it is to bring beyond a usual one

	// App is the login of another host that this one is for; nil where the
	// session will be of this host.
	App *Application `json:"o,omitempty"`

	keyID string
}

// Asks is what the login is to bring, on whichever host it began.
func (l *Login) Asks() Step {
	if l.App != nil {
		return l.App.Step
	}
	return l.Step
}

// Proof is what a login shows the provider: the PKCE verifier (RFC 7636) and
// the nonce (OpenID Connect Core, section 3.1.2.1).
type Proof struct {
	Verifier, Nonce string

	challenge string // where another host has the verifier
}

// Challenge returns the S256 code challenge of the verifier (RFC 7636, section 4.2).
func (p Proof) Challenge() string {
	if p.Verifier == "" {
		return p.challenge
	}
	sum := sha256.Sum256([]byte(p.Verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// BeginLogin makes a login of a browser with the given binding, its sealed
// state, and its proof for the given client. A return address for which the
// state would be too long shrinks to its path, and then to
// the root of its host.
func (r *Keyring) BeginLogin(b *Binding, l Login, clientID string, now time.Time, random io.Reader) (state string, p Proof, err error) {
	l.ID = make([]byte, transactionBytes)
	if _, err := io.ReadFull(random, l.ID); err != nil {
		return "", Proof{}, fmt.Errorf("session: login: %w", err)
	}
	l.Begun, l.Bound, l.BoundAt, l.keyID = now.Unix(), hashSecret(b.Secret), b.Made, r.order[0]
	l.forgetHint()
	if state, err = r.sealShrunk(PurposeState, MaxState, &l.Return, &l); err != nil {
		return "", Proof{}, err
	}
	if l.App != nil {
		return state, l.App.Shown(), nil
	}
	p, err = r.proof(&l, b.Secret, clientID)
	return state, p, err
}

// forgetHint takes out who signs in: that is for the authorisation request alone,
// and may be as long as an address is.
func (l *Login) forgetHint() {
	l.Step.Hint = ""
	if l.App != nil {
		app := *l.App
		app.Step.Hint = ""
		l.App = &app
	}
}

// OpenLogin opens a state that came back. Whether it belongs to this browser
// and is still young is for Prove and Expired to say.
func (r *Keyring) OpenLogin(state string) (*Login, error) {
	var l Login
	keyID, err := r.openJSON(PurposeState, state, MaxState, &l)
	if err != nil {
		return nil, err
	}
	if len(l.ID) != transactionBytes || l.App != nil && !l.App.complete() {
		return nil, ErrSealed
	}
	l.keyID = keyID
	return &l, nil
}

// Expired reports whether the login began longer ago than the given time, or
// in the future.
func (l *Login) Expired(now time.Time, lifetime time.Duration) bool {
	return !within(now, l.Begun, lifetime)
}

// Prove derives a login's proof again from the binding that the browser sent.
// It fails with ErrSealed where the login was begun by another browser.
func (r *Keyring) Prove(b *Binding, l *Login, clientID string) (Proof, error) {
	for _, secret := range [][]byte{b.Secret, b.Previous} {
		if len(secret) == 32 && subtle.ConstantTimeCompare(hashSecret(secret), l.Bound) == 1 {
			return r.proof(l, secret, clientID)
		}
	}
	return Proof{}, ErrSealed
}

func (r *Keyring) proof(l *Login, secret []byte, clientID string) (Proof, error) {
	parts := [][]byte{secret, l.ID, []byte(l.Provider), []byte(clientID)}
	verifier, err := r.derive(l.keyID, purposeVerifier, parts...)
	if err != nil {
		return Proof{}, err
	}
	nonce, err := r.derive(l.keyID, purposeNonce, parts...)
	if err != nil {
		return Proof{}, err
	}
	return Proof{
		Verifier: base64.RawURLEncoding.EncodeToString(verifier),
		Nonce:    base64.RawURLEncoding.EncodeToString(nonce),
	}, nil
}

// Start asks the callback host to begin a login for another host, by a value
// in the address that no other site can make.
type Start struct {
	Return   string       `json:"r"`
	Provider string       `json:"p,omitempty"` // the provider's name; "" where that is still to be chosen
	Chosen   bool         `json:"c,omitempty"` // the person chose it
	Made     int64        `json:"t"`
	App      *Application `json:"o,omitempty"` // nil where the callback host makes the session
	Step     Step         `json:"x"`           // what a login there is to bring beyond a usual one
}

const (
	// startLifetime is how long a browser has to follow the redirect.
	startLifetime = 5 * time.Minute
	// maxStart is the most bytes that a sealed start takes.
	maxStart = 4096
)

// SealStart returns the value of the request parameter of the start endpoint.
func (r *Keyring) SealStart(s Start) (string, error) {
	return r.sealShrunk(PurposeStart, maxStart, &s.Return, &s)
}

// OpenStart opens what SealStart returned, while it is young.
func (r *Keyring) OpenStart(sealed string, now time.Time) (Start, error) {
	var s Start
	if _, err := r.openJSON(PurposeStart, sealed, maxStart, &s); err != nil {
		return Start{}, err
	}
	if !within(now, s.Made, startLifetime) || s.App != nil && !s.App.complete() {
		return Start{}, ErrSealed
	}
	return s, nil
}

func (r *Keyring) sealJSON(p Purpose, v any, compress bool) (string, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("session: seal: %w", err)
	}
	return r.Seal(p, plain, compress)
}

// sealShrunk seals v. Where that takes more than limit bytes, the return address
// in it shrinks to its path, and then to the root of its host.
func (r *Keyring) sealShrunk(p Purpose, limit int, address *string, v any) (sealed string, err error) {
	for _, shrink := range []func(string) string{keepAll, keepPath, keepOrigin} {
		*address = shrink(*address)
		sealed, err = r.sealJSON(p, v, false)
		if err != nil || len(sealed) <= limit {
			return sealed, err
		}
	}
	return "", ErrTooLarge
}

func (r *Keyring) openJSON(p Purpose, sealed string, limit int, v any) (keyID string, err error) {
	plain, keyID, err := r.Open(p, sealed, limit)
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return "", ErrSealed
	}
	return keyID, nil
}

func hashSecret(secret []byte) []byte {
	sum := sha256.Sum256(secret)
	return sum[:]
}

// clockStep is how far the clocks of two gates with the same keys may differ.
const clockStep = 30 * time.Second

// within reports whether now lies in the given time from made.
func within(now time.Time, made int64, d time.Duration) bool {
	age := now.Sub(time.Unix(made, 0))
	return age >= -clockStep && age < d
}

func keepAll(s string) string { return s }

func keepPath(s string) string {
	for i := range len(s) {
		if s[i] == '?' || s[i] == '#' {
			return s[:i]
		}
	}
	return s
}

// keepOrigin leaves "/" of a local address, and the root of the host of an
// absolute one.
func keepOrigin(s string) string {
	_, rest, absolute := strings.Cut(s, "://")
	if !absolute || strings.HasPrefix(s, "/") {
		return "/"
	}
	host, _, _ := strings.Cut(rest, "/")
	return s[:len(s)-len(rest)] + host + "/"
}
