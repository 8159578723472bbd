package oidc

import (
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-auth/postern/internal/flow"
)

// rotate has the provider publish a new key, and returns an ID token signed by it.
func (f *fake) rotate(t *testing.T) string {
	f.keys = append(f.keys, jose.JSONWebKey{Key: &testKeys().other.PublicKey, KeyID: "r2", Use: "sig"})
	return sign(t, jose.RS256, testKeys().other, "r2", nil, f.claims())
}

func TestWhoPostsJunkDoesNotKeepANewKeyFromBeingTakenUp(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	f.now = f.now.Add(time.Minute)
	junk := sign(t, jose.RS256, testKeys().rsa, "junk", nil, f.logoutTokenClaims())
	if _, err := p.VerifyLogoutToken(f.env(), junk); Reason(err) != "key_unknown" {
		t.Fatalf("junk: %v", err)
	}
	if _, err := p.VerifyIDToken(f.env(), f.rotate(t), "n-1", "at-1"); err != nil {
		t.Errorf("an ID token under the provider's new key: %v", err)
	}
}

func TestAFetchOfKeysThatBeganBeforeTheyChangedIsMadeOnceMore(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	f.now = f.now.Add(time.Minute)
	before := jose.JSONWebKeySet{Keys: f.keys}
	junk := sign(t, jose.RS256, testKeys().rsa, "junk", nil, f.logoutTokenClaims())
	token := f.rotate(t)
	calls := uint32(0)
	s := flow.NewScheduler(func(flow.Call) (uint32, error) { calls++; return calls, nil }, func() time.Time { return f.now })
	var logout, login error
	s.Go(func(env flow.Env) { _, logout = p.VerifyLogoutToken(env, junk) })
	s.Go(func(env flow.Env) { _, login = p.VerifyIDToken(env, token, "n-1", "at-1") })
	s.Deliver(1, jsonAnswer(200, before), nil)
	s.Deliver(2, jsonAnswer(200, jose.JSONWebKeySet{Keys: f.keys}), nil)
	if calls != 2 || login != nil || Reason(logout) != "key_unknown" {
		t.Errorf("%d fetches; the login: %v; the junk: %v", calls, login, logout)
	}
}

func TestJunkDoesNotTakeThePlacesOfLoginsThatWaitForKeys(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	f.now = f.now.Add(time.Minute)
	junk := sign(t, jose.RS256, testKeys().rsa, "junk", nil, f.logoutTokenClaims())
	token := f.rotate(t)
	calls := uint32(0)
	s := flow.NewScheduler(func(flow.Call) (uint32, error) { calls++; return calls, nil }, func() time.Time { return f.now })
	results := make([]error, MaxParked)
	for i := range results {
		s.Go(func(env flow.Env) { _, results[i] = p.VerifyLogoutToken(env, junk) })
	}
	login := refuse("test", "still_waiting")
	s.Go(func(env flow.Env) { _, login = p.VerifyIDToken(env, token, "n-1", "at-1") })
	for id := uint32(1); id <= calls; id++ {
		s.Deliver(id, jsonAnswer(200, jose.JSONWebKeySet{Keys: f.keys}), nil)
	}
	if login != nil || !Temporary(results[MaxParked-1]) {
		t.Errorf("the login: %v; the last junk: %v", login, results[MaxParked-1])
	}
}
