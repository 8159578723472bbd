package oidc

import (
	"crypto"
	"errors"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"github.com/tidwall/gjson"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/jws"
)

// maxKeyCount is how many keys a provider may have.
const maxKeyCount = 64

// keySet is a provider's signature keys (RFC 7517, section 5).
type keySet struct {
	keys    []jose.JSONWebKey
	issuers []string // what each key says that it is for, beside the specification
}

// parseKeys reads a key set. A key that is not for signatures, not public, of
// a kind that is not known or of a bad size is passed over, as RFC 7517
// section 5 asks; a set with no usable key is refused.
func parseKeys(step string, r flow.Response) (*keySet, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := decode(step, r, &doc); err != nil {
		return nil, err
	}
	if len(doc.Keys) > maxKeyCount {
		return nil, refuse(step, "too_many_keys")
	}
	set := &keySet{}
	for _, raw := range doc.Keys {
		if k, ok := jws.ParseKey(raw); ok {
			set.keys = append(set.keys, k)
			set.issuers = append(set.issuers, gjson.GetBytes(raw, "issuer").String())
		}
	}
	if len(set.keys) == 0 {
		return nil, refuse(step, "no_usable_key")
	}
	return set, nil
}

// find returns the key for a signature: the one with the id, or, for a
// signature that names none, the only one of the algorithm's kind. It is one whose
// issuer will do.
func (s *keySet) find(id string, alg jose.SignatureAlgorithm, will func(issuer string) bool) (*jose.JSONWebKey, bool) {
	var found *jose.JSONWebKey
	for i := range s.keys {
		k := &s.keys[i]
		if (id != "" && k.KeyID != id) || !jws.Fits(k, alg) || !will(s.issuers[i]) {
			continue
		}
		if found != nil {
			return nil, false // two keys fit: guessing is not verifying
		}
		found = k
	}
	return found, found != nil
}

// same reports whether two sets hold the same keys in the same order.
func (s *keySet) same(other *keySet) bool {
	return slices.Equal(s.issuers, other.issuers) && slices.EqualFunc(s.keys, other.keys, func(a, b jose.JSONWebKey) bool {
		return a.KeyID == b.KeyID && a.Algorithm == b.Algorithm && sameKey(a.Key, b.Key)
	})
}

// sameKey compares two public keys.
func sameKey(a, b any) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// fetchKeys fetches the keys. Those of before stay where it fails.
func (p *Provider) fetchKeys(env flow.Env) error {
	keys, err := p.askKeys(env)
	p.keysFailed = err != nil
	if err == nil {
		p.takeKeys(keys, env.Now())
	}
	return err
}

func (p *Provider) askKeys(env flow.Env) (*keySet, error) {
	const step = "keys"
	r, err := p.call(env, step, p.meta.jwks, flow.Call{Method: "GET", MaxBody: maxKeys})
	if err != nil {
		return nil, err
	}
	return parseKeys(step, r)
}

// KeysFetched returns when the keys were last fetched; the time 0 of Unix for
// never.
func (p *Provider) KeysFetched() time.Time {
	if p.keysFetched.IsZero() {
		return time.Unix(0, 0)
	}
	return p.keysFetched
}

func (p *Provider) takeKeys(keys *keySet, now time.Time) {
	if p.keys == nil || !p.keys.same(keys) {
		p.keysVersion++
	}
	p.keys, p.keysDue = keys, now.Add(p.settings.KeysRefresh.Std())
	p.keysFetched = now
	p.keysUntil, p.keysTooOld = p.keysDue.Add(p.settings.KeysStale.Std()), false
}

// asker is on whose word something is asked of the provider. What strangers
// make us do takes nothing from what the provider's own answers do.
type asker uint8

const (
	ofProvider  asker = iota // an answer of the provider's, or our own wish
	ofStrangers              // what anybody can post
	ofCallers                // tokens that callers bring
	askers
)

// key finds the key of a signature. For an id that is not known the keys are
// fetched anew, at most once per interval and asker, however many ask at once.
func (p *Provider) key(env flow.Env, t *signed) (*jose.JSONWebKey, error) {
	const step = "keys"
	if p.settings.Plain() { // it has none, and never will
		return nil, refuse(step, "key_unknown")
	}
	if err := p.awaitFresh(env, t.asker); err != nil {
		return nil, err
	}
	begun := env.Now()
	for range 3 { // the one under way, another's, our own
		if k, ok := p.find(t.id, t.alg, t.tenant); ok {
			return k, nil
		}
		// An attempt under way may have begun before the keys changed: after it,
		// it is for us to ask.
		another := p.learning
		if !another {
			p.forceKeys(env, t.asker)
		}
		if p.learning {
			if err := p.park(env, step, begun.Add(ParkTime).Sub(env.Now()), t.asker); err != nil && !errors.Is(err, flow.ErrTimeout) {
				return nil, err
			}
		}
		if !another || !env.Now().Before(begun.Add(ParkTime)) {
			break
		}
	}
	if k, ok := p.find(t.id, t.alg, t.tenant); ok {
		return k, nil
	}
	// Only who has seen the provider's keys of now may say that one is not
	// among them.
	if p.learning || p.keysFailed {
		return nil, outage(step, "not_refreshed")
	}
	return nil, refuse(step, "key_unknown")
}

// find finds the key of a signature, of a tenant's where there are several.
func (p *Provider) find(id string, alg jose.SignatureAlgorithm, tenant string) (*jose.JSONWebKey, bool) {
	return p.keys.find(id, alg, func(issuer string) bool { return p.signsFor(tenant, issuer) })
}

// awaitFresh waits for keys that are too old to be fetched again, if that is
// under way or due.
func (p *Provider) awaitFresh(env flow.Env, a asker) error {
	const step = "keys"
	p.ageKeys(env.Now())
	if !p.keysTooOld {
		return nil
	}
	if p.Due(env.Now()) {
		p.learning = true
		env.Go(p.learn)
	}
	if p.learning {
		if err := p.park(env, step, ParkTime, a); err != nil && !errors.Is(err, flow.ErrTimeout) {
			return err
		}
	}
	if p.keysTooOld {
		return outage(step, "keys_too_old")
	}
	return nil
}

// ageKeys takes the keys out of use once they could not be read again for
// longer than the settings allow: whoever cuts us off from the provider must
// not keep a key alive that it has withdrawn.
func (p *Provider) ageKeys(now time.Time) {
	p.keysTooOld = p.keys != nil && !now.Before(p.keysUntil)
}

// forceKeys fetches the keys because of an id that is not known.
func (p *Provider) forceKeys(env flow.Env, a asker) {
	now := env.Now()
	if now.Sub(p.keysForced[a]) < keysInterval {
		return
	}
	p.keysForced[a], p.keysDue, p.learning = now, now, true
	env.Go(p.learn)
}
