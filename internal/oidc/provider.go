// Package oidc is the relying party: it learns a provider's endpoints and
// keys, sends people there to sign in, exchanges the code that comes back,
// verifies what the provider says of them, renews and confirms it, and ends it
// on either side's word. For services it gets tokens by client credentials and
// by token exchange, and checks those that they send, by signature or by asking.
//
// It refuses whatever it cannot verify completely. It opens no socket and
// keeps no time: calls are made through flow.Env, which the caller hands in.
//
// It follows OpenID Connect Core 1.0, Discovery 1.0, RP-Initiated Logout 1.0
// and Back-Channel Logout 1.0, RFC 6749, RFC 7009, RFC 7523, RFC 7636, RFC 7662,
// RFC 8693, RFC 8705, RFC 8707, RFC 8725, RFC 9068, RFC 9101, RFC 9126, RFC 9207,
// RFC 9449, RFC 9701 and the best practice of RFC 9700.
package oidc

import (
	"errors"
	"io"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
)

// Bounds of what waits for a provider that is not known yet.
const (
	// ParkTime is how long a request waits before it is told to come back.
	ParkTime = 5 * time.Second
	// MaxParked is how many requests of one worker may wait.
	MaxParked = 128
	// maxStrangers is how many of these may wait on the word of strangers.
	maxStrangers = MaxParked / 4
	// maxCallers is how many more may wait with the token of a caller, for the
	// provider or for its keys.
	maxCallers = 1024
)

// Times between attempts to learn a provider's metadata and keys.
const (
	firstBackoff = time.Second
	lastBackoff  = time.Minute
	// keysInterval is the least time between two fetches of the keys because
	// of a key id that was not known.
	keysInterval = 10 * time.Second
)

// Provider is one OpenID provider as this worker knows it.
type Provider struct {
	settings   *config.Provider
	random     io.Reader
	host       string
	algorithms []jose.SignatureAlgorithm

	// OnFailure is told of every attempt to learn metadata or keys that failed.
	OnFailure func(error)

	// ProofKeys are what the setting token_binding "dpop" needs.
	ProofKeys ProofKeys
	nonces    map[string]string // that proofs are to repeat, by origin

	meta *metadata
	keys *keySet

	learned    flow.Event // fired when an attempt to learn ends, well or not
	learning   bool
	metaDue    time.Time
	keysDue    time.Time
	keysForced [askers]time.Time // when an unknown key id last made us ask
	backoff    time.Duration
	parked     [askers]int

	keysFetched    time.Time
	keysFailed     bool            // the last attempt to fetch them did
	keysVersion    int             // raised whenever they are others than before
	keysUntil      time.Time       // how long they are used if they cannot be fetched again
	keysTooOld     bool            // that time is over
	unknownBecause string          // the reason that the last attempt to learn failed with
	unusable       map[string]bool // optional endpoints that were reported as of no use
}

// NewProvider returns a provider that is yet to be learned. What must not be
// guessed or come twice is made of random.
func NewProvider(s *config.Provider, random io.Reader) *Provider {
	p := &Provider{settings: s, random: random, OnFailure: func(error) {}, unknownBecause: "not_known_yet", unusable: map[string]bool{}}
	if u, err := url.Parse(s.Issuer); err == nil {
		p.host = config.HostOf(u)
	}
	for _, a := range s.Algorithms {
		p.algorithms = append(p.algorithms, jose.SignatureAlgorithm(a))
	}
	if s.Plain() { // there is nothing to learn
		meta, err := p.plainMetadata()
		if p.meta = meta; err != nil {
			p.unknownBecause = Reason(err)
		}
	}
	return p
}

// Name returns the provider's name in the settings.
func (p *Provider) Name() string { return p.settings.Name }

// Settings returns the provider's settings.
func (p *Provider) Settings() *config.Provider { return p.settings }

// Issuer returns the provider's issuer, as its tokens name it.
func (p *Provider) Issuer() string { return p.settings.Issuer }

// Leeway returns how far the provider's clock may be from ours.
func (p *Provider) Leeway() time.Duration { return p.settings.Leeway.Std() }

// Known reports whether metadata and keys are there.
func (p *Provider) Known() bool { return p.meta != nil && (p.keys != nil || p.settings.Plain()) }

// Due reports whether it is time to call Learn.
func (p *Provider) Due(now time.Time) bool {
	p.ageKeys(now) // it is asked at each tick
	return !p.settings.Plain() && !p.learning && (!now.Before(p.metaDue) || !now.Before(p.keysDue))
}

// Learn fetches what is due of metadata and keys. What was known stays in use
// where an attempt fails; the next one follows after a growing pause.
func (p *Provider) Learn(env flow.Env) {
	if !p.learning && !p.settings.Plain() {
		p.learning = true
		p.learn(env)
	}
}

func (p *Provider) learn(env flow.Env) {
	defer func() {
		p.learning = false
		p.learned.Fire()
	}()
	if err := p.learnDue(env); err != nil {
		p.unknownBecause = Reason(err)
		p.OnFailure(err)
		p.backOff(env.Now())
		return
	}
	p.backoff = 0
}

func (p *Provider) learnDue(env flow.Env) error {
	var failed error
	if !env.Now().Before(p.metaDue) {
		failed = p.learnMetadata(env)
	}
	if p.meta != nil && !env.Now().Before(p.keysDue) {
		failed = errors.Join(failed, p.fetchKeys(env))
	}
	return failed
}

func (p *Provider) learnMetadata(env flow.Env) error {
	meta, err := p.discover(env)
	if err != nil {
		return err
	}
	if p.meta != nil && p.meta.jwks != meta.jwks {
		p.keysDue = time.Time{}
	}
	p.meta, p.metaDue = meta, env.Now().Add(p.settings.MetadataRefresh.Std())
	return nil
}

// backOff puts off what is due before the pause is over.
func (p *Provider) backOff(now time.Time) {
	p.backoff = min(max(2*p.backoff, firstBackoff), lastBackoff)
	again := now.Add(p.backoff)
	for _, due := range []*time.Time{&p.metaDue, &p.keysDue} {
		if due.Before(again) {
			*due = again
		}
	}
}

// Await waits until the provider is known. It fails with a Failure that is
// Temporary, or with flow.ErrCanceled.
func (p *Provider) Await(env flow.Env) error { return p.await(env) }

func (p *Provider) await(env flow.Env) error { return p.awaitFor(env, ofProvider) }

// awaitFor waits until the provider is known, for a bounded time and with a
// bounded number of others.
func (p *Provider) awaitFor(env flow.Env, a asker) error {
	const step = "discovery"
	if p.Known() {
		return nil
	}
	deadline := env.Now().Add(ParkTime)
	for !p.Known() {
		left := deadline.Sub(env.Now())
		if left <= 0 {
			return outage(step, p.unknownBecause)
		}
		err := p.park(env, step, left, a)
		if p.Known() && !errors.Is(err, flow.ErrCanceled) {
			return nil
		}
		if errors.Is(err, flow.ErrTimeout) {
			return outage(step, p.unknownBecause)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// park waits for the end of an attempt to learn, with a bounded number of
// others.
func (p *Provider) park(env flow.Env, step string, d time.Duration, a asker) error {
	if p.full(a) {
		return outage(step, "too_many_waiting")
	}
	p.parked[a]++
	defer func() { p.parked[a]-- }()
	return env.Wait(&p.learned, d)
}

// full reports whether no more may wait. Callers take no place of a login's.
func (p *Provider) full(a asker) bool {
	switch a {
	case ofCallers:
		return p.parked[a] >= maxCallers
	case ofStrangers:
		if p.parked[a] >= maxStrangers {
			return true
		}
	}
	return p.parked[ofProvider]+p.parked[ofStrangers] >= MaxParked
}

// Parked returns how many requests wait for the provider or its keys.
func (p *Provider) Parked() int {
	return p.parked[ofProvider] + p.parked[ofStrangers] + p.parked[ofCallers]
}
