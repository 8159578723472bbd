package gate

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/idp"
	"github.com/postern-auth/postern/internal/shared"
)

// town is a gate for two applications and a login host, its provider, and one
// browser with tabs, whose requests and answers pass each other in any order.
type town struct {
	t        *testing.T
	gate     *Gate
	provider *idp.Provider
	order    *rand.Rand
	jar      map[string]map[string]string // host, name, value
	events   map[string]int
}

// tab is one tab: where it is going, and the answer that is on its way to it.
type tab struct {
	to     string
	answer *answer
	steps  int
}

type answer struct {
	status   int
	reason   string
	location string
	cookies  []string
}

func newTown(t *testing.T, seed uint64) *town {
	t.Helper()
	now := time.Unix(1_800_000_000, 0)
	clock := func() time.Time { return now }
	p, err := idp.New(idp.Config{
		Issuer: "https://id.example.com", Clock: clock,
		Clients: []idp.Client{{ID: "shop", RedirectURIs: []string{"https://auth.example.net/oauth2/callback"}, Algorithm: "ES256", ClaimsInIDToken: true}},
		Users:   []idp.User{{PreferredUsername: "alice", Password: "wonderland"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &town{t: t, provider: p, order: rand.New(rand.NewPCG(seed, 1)), jar: map[string]map[string]string{}, events: map[string]int{}}
	key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqrstuv"))
	c, err := config.Parse([]byte(`{"providers":[{"name":"main","issuer":"https://id.example.com","cluster":"idp","client_id":"shop"}],
		"public_url":"https://auth.example.net","hosts":["app.example.com","app.example.org"],"session":{"keys":[{"id":"k","env":"KEY"}]}}`),
		func(string) (string, bool) { return key, true })
	if err != nil {
		t.Fatal(err)
	}
	memory := shared.NewLocal()
	w.gate, err = New(c, Deps{
		Now: clock, Clock: clock, Random: rand.NewChaCha8([32]byte{byte(seed)}),
		Log: func(e Event) { w.events[e.Event+" "+e.Reason]++ }, Shared: memory, Signal: memory,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, due := range w.gate.Due() {
		due(w.env())
	}
	return w
}

func (w *town) env() flow.Env {
	return flow.Direct{Clock: w.gate.now, Do: func(c flow.Call) (flow.Response, error) {
		r := httptest.NewRequest(c.Method, c.Scheme+"://"+c.Authority+c.Path, bytes.NewReader(c.Body))
		for _, f := range c.Header {
			r.Header.Add(f.Name, f.Value)
		}
		rec := httptest.NewRecorder()
		w.provider.ServeHTTP(rec, r)
		resp := flow.Response{Status: rec.Code, Body: rec.Body.Bytes()}
		for name := range rec.Header() {
			resp.Header = append(resp.Header, httpmsg.Field{Name: strings.ToLower(name), Value: rec.Header().Get(name)})
		}
		return resp, nil
	}}
}

// send has a tab ask for where it is going, with the cookies of this moment.
func (w *town) send(p *tab) {
	u, err := url.Parse(p.to)
	if err != nil {
		w.t.Fatal(err)
	}
	var cookies []string
	for name, value := range w.jar[u.Host] {
		cookies = append(cookies, name+"="+value)
	}
	if u.Host == "id.example.com" {
		p.answer = w.askProvider(p.to, strings.Join(cookies, "; "))
	} else {
		p.answer = w.askGate(u, strings.Join(cookies, "; "))
	}
	p.steps++
}

func (w *town) askProvider(to, cookies string) *answer {
	r := httptest.NewRequest(http.MethodGet, to, nil)
	if cookies == "" { // nobody is signed in there: once, somebody fills in the form
		r = httptest.NewRequest(http.MethodPost, to, strings.NewReader("username=alice&password=wonderland"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Cookie", cookies)
	rec := httptest.NewRecorder()
	w.provider.ServeHTTP(rec, r)
	return &answer{status: rec.Code, location: rec.Header().Get("Location"), cookies: rec.Header().Values("Set-Cookie")}
}

func (w *town) askGate(u *url.URL, cookies string) *answer {
	v, rest := w.gate.Handle(&httpmsg.Request{Method: "GET", Scheme: "https", Authority: u.Host, Target: u.RequestURI(), Header: httpmsg.Fields{
		{Name: "accept", Value: "text/html"}, {Name: "cookie", Value: cookies},
	}})
	if rest != nil {
		v = rest(w.env())
	}
	if v.Forward != nil {
		return &answer{status: 200, reason: "forwarded"}
	}
	if v.Respond == nil {
		return &answer{status: 503, reason: "denied"}
	}
	a := &answer{status: v.Respond.Status, reason: v.Respond.Reason}
	for _, f := range v.Respond.Header {
		switch f.Name {
		case "location":
			a.location = f.Value
		case "set-cookie":
			a.cookies = append(a.cookies, f.Value)
		}
	}
	return a
}

// receive has a tab take its answer. It reports whether the tab is where it
// wanted to go.
func (w *town) receive(p *tab) (done bool) {
	from, err := url.Parse(p.to)
	if err != nil {
		w.t.Fatal(err)
	}
	a := p.answer
	p.answer = nil
	for _, c := range a.cookies {
		if w.jar[from.Host] == nil {
			w.jar[from.Host] = map[string]string{}
		}
		pair, attributes, _ := strings.Cut(c, ";")
		name, value, _ := strings.Cut(pair, "=")
		w.jar[from.Host][name] = value
		if strings.Contains(attributes, "Max-Age=0") {
			delete(w.jar[from.Host], name)
		}
	}
	if a.reason == "forwarded" {
		return true
	}
	if a.status != 303 || p.steps > 30 {
		w.t.Fatalf("after %d steps %d %s at %s%s; %v", p.steps, a.status, a.reason, from.Host, from.Path, w.events)
	}
	to, err := from.Parse(a.location)
	if err != nil {
		w.t.Fatal(err)
	}
	p.to = to.String()
	return false
}

// open opens tabs at once and has them come to their ends in any order.
func (w *town) open(addresses []string) {
	tabs := make([]*tab, len(addresses))
	for i, to := range addresses {
		tabs[i] = &tab{to: to}
	}
	for len(tabs) > 0 {
		i := w.order.IntN(len(tabs))
		switch p := tabs[i]; {
		case p.answer == nil:
			w.send(p)
		case w.receive(p):
			tabs = append(tabs[:i], tabs[i+1:]...)
		}
	}
}

func addresses(n int, hosts ...string) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("https://%s/page/%d", hosts[i%len(hosts)], i))
	}
	return out
}

// Fifty tabs on two hosts, in a browser that knows neither, all end signed in,
// however their requests and answers pass each other.
func TestFiftyTabsOnTwoHostsAllEndWell(t *testing.T) {
	for seed := range uint64(4) {
		w := newTown(t, seed)
		// Somebody has signed in at the provider, in this browser, before.
		w.jar["id.example.com"] = w.signedInAtProvider()
		w.open(addresses(50, "app.example.com", "app.example.org"))
		for _, host := range []string{"app.example.com", "app.example.org"} {
			if w.jar[host]["__Host-postern"] == "" {
				t.Errorf("no session on %s", host)
			}
		}
		if w.jar["auth.example.net"]["__Host-postern"] != "" {
			t.Error("the login host took a session for itself")
		}
	}
}

// Where every tab comes back at once after the session's end, bindings and all,
// nothing of it is taken for a loop.
func TestTabsThatComeBackAfterTheEndOfTheSessionAreNoLoop(t *testing.T) {
	for seed := range uint64(2) {
		w := newTown(t, seed)
		w.jar["id.example.com"] = w.signedInAtProvider()
		hosts := []string{"app.example.com", "app.example.org", "auth.example.net"}
		for range 3 {
			w.open(addresses(50, hosts...))
			for _, host := range hosts {
				delete(w.jar[host], "__Host-postern")
			}
			w.later(loopWindow)
		}
	}
}

// later lets time pass for the gate.
func (w *town) later(d time.Duration) {
	then := w.gate.now().Add(d)
	w.gate.now = func() time.Time { return then }
}

// signedInAtProvider signs somebody in, so that the provider asks for nothing.
func (w *town) signedInAtProvider() map[string]string {
	challenge := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	a := w.askProvider("https://id.example.com/authorize?"+url.Values{
		"client_id": {"shop"}, "redirect_uri": {"https://auth.example.net/oauth2/callback"}, "response_type": {"code"},
		"scope": {"openid"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}.Encode(), "")
	jar := map[string]string{}
	for _, c := range a.cookies {
		pair, _, _ := strings.Cut(c, ";")
		name, value, _ := strings.Cut(pair, "=")
		jar[name] = value
	}
	if len(jar) == 0 {
		w.t.Fatalf("the provider signs nobody in: %+v", a)
	}
	return jar
}
