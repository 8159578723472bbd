package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"testing"
)

// sessions is how many logins and sessions live through the change of keys.
const sessions = 1000

// TestKeysAreRotatedByRollingRestarts puts gates with the settings of each
// step behind one address, two steps at a time, as they are side by side
// during a rolling restart.
func TestKeysAreRotatedByRollingRestarts(t *testing.T) {
	p := NewEmbedded(t)
	secrets := NewSecrets()
	secrets["POSTERN_NEW_KEY"] = newKey()
	older, newer := Settings{"id": "k1", "env": "POSTERN_KEY"}, Settings{"id": "k2", "env": "POSTERN_NEW_KEY"}
	var steps []*Gate
	for _, keys := range [][]Settings{{older}, {older, newer}, {newer, older}, {newer}} {
		setup := EnvoySetup{Host: loopbackClient, Env: secrets, LogLevel: "warning"}
		steps = append(steps, StartGate(t, p.Provider, setup, hosts(loopbackClient+":*"), func(s Settings) {
			s["session"].(Settings)["keys"] = keys
		}))
	}
	r := &rotation{t: t, provider: p.Provider, balancer: NewBalancer(t)}
	r.prepare(steps[0])
	before, half := p.IDP.Count(exchanges), sessions/2

	r.balancer.Use(steps[0])
	r.each(0, half, (*visitor).start)
	r.balancer.Use(steps[0], steps[1])
	r.each(0, half/2, (*visitor).finish)
	r.balancer.Use(steps[1], steps[2])
	r.each(half/2, half, (*visitor).finish) // begun under the older key
	r.each(half, sessions, (*visitor).start)
	r.each(0, half, (*visitor).visit)
	r.balancer.Use(steps[2])
	r.each(half, sessions, (*visitor).finish)
	r.each(0, sessions, (*visitor).visit) // whoever comes by is sealed anew
	r.balancer.Use(steps[2], steps[3])
	r.each(0, sessions, (*visitor).visit)
	r.balancer.Use(steps[3])
	r.each(0, sessions, (*visitor).visit)
	if n := p.IDP.Count(exchanges) - before; n != sessions {
		t.Errorf("%d logins for %d sessions", n, sessions)
	}
}

func newKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // crypto/rand never fails: it ends the process instead
	return base64.StdEncoding.EncodeToString(key)
}

type rotation struct {
	t        *testing.T
	provider *Provider
	balancer *Balancer
	visitors []*visitor
}

// visitor is one browser on its way: signed in at the provider already, so that
// a login needs no form.
type visitor struct {
	*rotation
	browser *Browser
	page    string
	back    string // the callback's address
}

// prepare makes browsers that all have one person's session at the provider.
func (r *rotation) prepare(g *Gate) {
	r.t.Helper()
	b := NewBrowser()
	must(g.SignIn(b, "/", Alice))(r.t)
	issuer := address(r.t, r.provider.Issuer+"/authorize")
	for i := range sessions {
		v := &visitor{rotation: r, browser: NewBrowser(), page: fmt.Sprintf("/shop?n=%d", i)}
		v.browser.Jar.Set(issuer, b.Jar.For(issuer))
		r.visitors = append(r.visitors, v)
	}
}

// each has visitors take a step, several at a time. It fails at the end, so
// that it says how many were lost.
func (r *rotation) each(from, to int, step func(*visitor) error) {
	r.t.Helper()
	const atATime = 8
	lost := make([]error, to-from)
	inParallel(r.t, atATime, func(first int) error {
		for i := first; i < to-from; i += atATime {
			lost[i] = step(r.visitors[from+i])
		}
		return nil
	})
	n, example := 0, error(nil)
	for _, err := range lost {
		if err != nil {
			n, example = n+1, err
		}
	}
	if n > 0 {
		r.t.Fatalf("%d of %d were lost, one of them by: %v", n, to-from, example)
	}
}

// start goes as far as the provider's answer, which it keeps for later.
func (v *visitor) start() error {
	first, err := v.browser.Get(v.balancer.URL(v.page))
	if err != nil {
		return err
	}
	callback := v.balancer.URL("/oauth2/callback")
	way, err := v.browser.Follow(first, func(u *url.URL) bool { return u.Scheme+"://"+u.Host+u.Path == callback })
	if err != nil {
		return err
	}
	last := way[len(way)-1]
	if last.Location() == nil {
		return fmt.Errorf("the login stopped with %d:%s", last.Status, trail(way))
	}
	v.back = last.Location().String()
	return nil
}

// finish brings the provider's answer, and wants the page without further ado.
func (v *visitor) finish() error {
	answer, err := v.browser.Get(v.back)
	if err != nil {
		return err
	}
	if to := answer.Location(); to == nil || to.String() != v.balancer.URL(v.page) {
		return fmt.Errorf("the callback answered %d to %v", answer.Status, to)
	}
	return v.visit()
}

// visit wants to be served at once.
func (v *visitor) visit() error {
	page, err := v.browser.Get(v.balancer.URL(v.page))
	if err != nil {
		return err
	}
	if page.Status != http.StatusOK {
		return fmt.Errorf("a page answered %d", page.Status)
	}
	return servedTo(Alice)(page)
}
