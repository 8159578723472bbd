package oidc

import (
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-auth/postern/internal/flow"
)

// tick is what a host does once a second.
func (f *fake) tick(p *Provider) {
	if p.Due(f.now) {
		p.Learn(f.env())
	}
}

// pass lets time pass, second by second.
func (f *fake) pass(p *Provider, d time.Duration) {
	for end := f.now.Add(d); f.now.Before(end); {
		f.now = f.now.Add(time.Second)
		f.tick(p)
	}
}

// away has the provider answer nothing, until back is called.
func (f *fake) away() (back func()) {
	answers := f.answers
	f.answers = map[string]func(flow.Call) (flow.Response, error){}
	for path := range answers {
		f.on(path, flow.Response{}, flow.ErrUnavailable)
	}
	return func() { f.answers = answers }
}

const staleAfterAnHour = `,"keys_refresh":"10m","keys_stale":"1h"`

func TestKeysAreFetchedAheadOfTheirUse(t *testing.T) {
	f := newFake(t)
	p := f.learned(staleAfterAnHour)
	token := f.rotate(t)
	f.pass(p, 10*time.Minute)
	before := f.calls["/keys"]
	f.now = f.now.Add(-10 * time.Minute) // the token is of then
	if _, err := p.VerifyIDToken(f.env(), token, "n-1", "at-1"); err != nil || f.calls["/keys"] != before {
		t.Errorf("%v, %d more fetches", err, f.calls["/keys"]-before)
	}
}

func TestKeysAreUsedForSomeTimeWhileTheProviderIsAway(t *testing.T) {
	f := newFake(t)
	p := f.provider(staleAfterAnHour)
	p.Learn(f.env())
	verify := func() (*AccessToken, error) {
		return p.VerifyAccessToken(f.env(), f.accessToken(f.accessClaims()), f.wants(forAPI))
	}
	held, err := verify()
	if err != nil {
		t.Fatal(err)
	}
	back := f.away()
	f.pass(p, 70*time.Minute-time.Second)
	if _, err := verify(); err != nil || !p.StillGood(held) {
		t.Fatalf("within the time: %v, and one verified before is good: %t", err, p.StillGood(held))
	}
	f.pass(p, time.Second)
	if p.StillGood(held) {
		t.Error("after it, one that was verified before is still good")
	}
	if _, err := verify(); Reason(err) != "keys_too_old" || !Temporary(err) {
		t.Errorf("after it: %v", err)
	}
	if _, err := p.VerifyIDToken(f.env(), f.idToken(f.claims()), "n-1", "at-1"); Reason(err) != "keys_too_old" || !Temporary(err) {
		t.Errorf("an ID token: %v", err)
	}
	if _, err := p.VerifyLogoutToken(f.env(), f.logoutToken(f.logoutTokenClaims())); Reason(err) != "keys_too_old" || !Temporary(err) {
		t.Errorf("a logout token: %v", err)
	}
	back()
	f.pass(p, lastBackoff)
	if _, err := verify(); err != nil || !p.StillGood(held) {
		t.Errorf("when it is back: %v, and one verified before is good: %t", err, p.StillGood(held))
	}
}

// A machine that slept has old keys and a token in the same moment.
func TestATokenWaitsForKeysThatAreFetchedAnewAfterALongSleep(t *testing.T) {
	f := newFake(t)
	p := f.learned(staleAfterAnHour)
	f.now = f.now.Add(48 * time.Hour)
	var calls []flow.Call
	s := flow.NewScheduler(func(c flow.Call) (uint32, error) { calls = append(calls, c); return uint32(len(calls)), nil }, func() time.Time { return f.now })
	err := refuse("test", "still_waiting")
	s.Go(func(env flow.Env) {
		_, err = p.VerifyAccessToken(env, f.accessToken(f.accessClaims()), f.wants(forAPI))
	})
	for id := 0; id < len(calls); id++ {
		answer, failed := f.answers[calls[id].Path](calls[id])
		s.Deliver(uint32(id+1), answer, failed)
	}
	if err != nil || len(calls) != 2 || s.Active() != 0 {
		t.Errorf("%v after %d calls", err, len(calls))
	}
}

func TestATokenIsGoodForAsLongAsItsKeyIsTheProviders(t *testing.T) {
	f := newFake(t)
	p := f.learned(staleAfterAnHour)
	byRSA, err := p.VerifyAccessToken(f.env(), f.accessToken(f.accessClaims()), f.wants(forAPI))
	if err != nil {
		t.Fatal(err)
	}
	byEC, err := p.VerifyAccessToken(f.env(), sign(t, jose.ES256, testKeys().ec, "e1", nil, f.accessClaims()), f.wants(forAPI))
	if err != nil {
		t.Fatal(err)
	}
	first := f.keys
	for _, step := range []struct {
		what    string
		keys    []jose.JSONWebKey
		rsa, ec bool
	}{
		{"the same keys", first, true, true},
		{"the same keys in another order", []jose.JSONWebKey{first[1], first[0]}, true, true},
		{"one more key", append(first[:2:2], jose.JSONWebKey{Key: &testKeys().other.PublicKey, KeyID: "r2"}), true, true},
		{"one key withdrawn", first[:1], true, false},
		{"another key under its name", []jose.JSONWebKey{{Key: &testKeys().other.PublicKey, KeyID: "r1"}, first[1]}, false, true},
		{"the key for encryption now", []jose.JSONWebKey{{Key: &testKeys().rsa.PublicKey, KeyID: "r1", Use: "enc"}, first[1]}, false, true},
		{"the key for another algorithm now", []jose.JSONWebKey{{Key: &testKeys().rsa.PublicKey, KeyID: "r1", Algorithm: "PS256"}, first[1]}, false, true},
		{"the key under another name", []jose.JSONWebKey{{Key: &testKeys().rsa.PublicKey, KeyID: "r2", Algorithm: "RS256"}, first[1]}, false, true},
	} {
		f.keys = first
		f.pass(p, 10*time.Minute+time.Second)
		if !p.StillGood(byRSA) || !p.StillGood(byEC) {
			t.Errorf("the first keys, before %s: %t, %t", step.what, p.StillGood(byRSA), p.StillGood(byEC))
		}
		f.keys = step.keys
		f.pass(p, 10*time.Minute+time.Second)
		for range 2 { // the second time it is but a number that is compared
			if p.StillGood(byRSA) != step.rsa || p.StillGood(byEC) != step.ec {
				t.Errorf("%s: %t, %t", step.what, p.StillGood(byRSA), p.StillGood(byEC))
			}
		}
	}
}

func TestWhetherAKeyIsStillThereCostsNothingWhileTheKeysAreTheSame(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	held, err := p.VerifyAccessToken(f.env(), f.accessToken(f.accessClaims()), f.wants(forAPI))
	if err != nil {
		t.Fatal(err)
	}
	p.keys = &keySet{} // not looked at
	if !p.StillGood(held) {
		t.Error("the keys were looked at")
	}
	if n := testing.AllocsPerRun(100, func() { p.StillGood(held) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
