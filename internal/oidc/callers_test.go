package oidc

import (
	"errors"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-auth/postern/internal/flow"
)

// crowd is many flows of one worker, whose calls are answered when the test
// says so.
type crowd struct {
	*flow.Scheduler
	f     *fake
	calls []flow.Call
	done  int
}

func (f *fake) crowd() *crowd {
	c := &crowd{f: f}
	c.Scheduler = flow.NewScheduler(func(call flow.Call) (uint32, error) {
		c.calls = append(c.calls, call)
		return uint32(len(c.calls)), nil
	}, func() time.Time { return f.now })
	return c
}

// answer answers every call there is, and those that come of it.
func (c *crowd) answer() {
	for ; c.done < len(c.calls); c.done++ {
		r, err := c.f.answers[c.calls[c.done].Path](c.calls[c.done])
		c.Deliver(uint32(c.done+1), r, err)
	}
}

var errWaiting = errors.New("still waiting")

// verify has n flows verify a token each.
func (c *crowd) verify(p *Provider, n int, token func(i int) string) []error {
	results, want := make([]error, n), c.f.wants(forAPI)
	for i := range results {
		results[i] = errWaiting
		c.Go(func(env flow.Env) { _, results[i] = p.VerifyAccessToken(env, token(i), want) })
	}
	return results
}

func count(results []error, reason string) (n int) {
	for _, err := range results {
		if err == nil && reason == "" || err != nil && Reason(err) == reason {
			n++
		}
	}
	return n
}

// rotated is an access token under a key that the provider has now.
func (f *fake) rotated() string {
	f.rotate(f.t)
	return sign(f.t, jose.RS256, testKeys().other, "r2", atJWT, f.accessClaims())
}

func TestAThousandTokensUnderANewKeyMakeOneFetch(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	token := f.rotated()
	c := f.crowd()
	results := c.verify(p, 1000, func(int) string { return token })
	if len(c.calls) != 1 || p.Parked() != 1000 {
		t.Fatalf("%d calls, %d wait", len(c.calls), p.Parked())
	}
	c.answer()
	if count(results, "") != 1000 || len(c.calls) != 1 || p.Parked() != 0 {
		t.Errorf("%d accepted with %d fetches, %d wait; the first: %v", count(results, ""), len(c.calls), p.Parked(), results[0])
	}
}

func TestAThousandTokensBeforeTheProviderIsKnownWait(t *testing.T) {
	f := newFake(t)
	p := f.provider("")
	c := f.crowd()
	token := f.accessToken(f.accessClaims())
	results := c.verify(p, 1000, func(int) string { return token })
	c.Go(p.Learn)
	c.answer()
	if count(results, "") != 1000 || len(c.calls) != 2 {
		t.Errorf("%d accepted, %d calls; the first: %v", count(results, ""), len(c.calls), results[0])
	}
}

func TestTokensOfOldAndNewKeysAtOnceAreAllAnswered(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	old, junk := f.accessToken(f.accessClaims()), sign(t, jose.RS256, testKeys().rsa, "junk", atJWT, f.accessClaims())
	tokens := []string{old, f.rotated(), junk}
	c := f.crowd()
	results := c.verify(p, 999, func(i int) string { return tokens[i%3] })
	c.answer()
	if count(results, "") != 666 || count(results, "key_unknown") != 333 || len(c.calls) != 1 {
		t.Errorf("%d accepted, %d refused, %d fetches", count(results, ""), count(results, "key_unknown"), len(c.calls))
	}
}

func TestMoreThanMayWaitAreToldToComeBack(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	token := f.rotated()
	c := f.crowd()
	results := c.verify(p, maxCallers+10, func(int) string { return token })
	if count(results, "too_many_waiting") != 10 || !Temporary(results[maxCallers]) {
		t.Errorf("%d were told", count(results, "too_many_waiting"))
	}
	c.answer()
	if count(results, "") != maxCallers {
		t.Errorf("%d accepted", count(results, ""))
	}
}

func TestJunkOfCallersTakesNothingFromLoginsAndLogouts(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	f.now = f.now.Add(time.Minute)
	junk := sign(t, jose.RS256, testKeys().rsa, "junk", atJWT, f.accessClaims())
	c := f.crowd()
	c.verify(p, maxCallers+10, func(int) string { return junk })
	before := jsonAnswer(200, jose.JSONWebKeySet{Keys: f.keys})
	login, logout := errWaiting, errWaiting
	token := f.rotate(t)
	logoutToken := sign(t, jose.RS256, testKeys().other, "r2", nil, f.logoutTokenClaims())
	c.Go(func(env flow.Env) { _, login = p.VerifyIDToken(env, token, "n-1", "at-1") })
	c.Go(func(env flow.Env) { _, logout = p.VerifyLogoutToken(env, logoutToken) })
	c.Deliver(1, before, nil) // the fetch that the junk made began before the keys changed
	c.done = 1
	c.answer()
	if login != nil || logout != nil || len(c.calls) != 2 {
		t.Errorf("login: %v; logout: %v; %d fetches", login, logout, len(c.calls))
	}
}

func TestJunkOfCallersMakesOneFetchInTenSeconds(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	junk := sign(t, jose.RS256, testKeys().rsa, "junk", atJWT, f.accessClaims())
	before := f.calls["/keys"]
	for range 60 {
		if _, err := p.VerifyAccessToken(f.env(), junk, f.wants(forAPI)); Reason(err) != "key_unknown" || Temporary(err) {
			t.Fatal(err)
		}
		f.now = f.now.Add(time.Second)
	}
	if n := f.calls["/keys"] - before; n != 6 {
		t.Errorf("%d fetches in a minute", n)
	}
}

func TestATokenIsNotRefusedWhileTheKeysAreStillBeingFetched(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	token := f.rotated()
	c := f.crowd()
	results := c.verify(p, 2, func(int) string { return token })
	f.now = f.now.Add(ParkTime)
	c.Tick()
	if count(results, "not_refreshed") != 2 || !Temporary(results[0]) {
		t.Errorf("got %v", results)
	}
}

func TestATokenUnderANewKeyIsNotRefusedBecauseTheProviderIsAway(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	p.OnFailure = func(error) {}
	token := f.rotated()
	back := f.away()
	if _, err := p.VerifyAccessToken(f.env(), token, f.wants(forAPI)); Reason(err) != "not_refreshed" || !Temporary(err) {
		t.Errorf("while it is away: %v", err)
	}
	back()
	f.pass(p, keysInterval)
	if _, err := p.VerifyAccessToken(f.env(), token, f.wants(forAPI)); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}
