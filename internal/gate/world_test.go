package gate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/session"
	"github.com/postern-auth/postern/internal/shared"
)

const testIssuer = "https://id.example.com"

// testKeys are the provider's key, and one that it does not publish.
var testKeys = sync.OnceValue(func() (k struct{ published, stranger *ecdsa.PrivateKey }) {
	k.published, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	k.stranger, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return k
})

// world is one Envoy with its workers, a provider that a test speaks for, and
// a clock.
type world struct {
	metrics  kept
	t        *testing.T
	settings *config.Config
	memory   *shared.Local
	now      time.Time
	workers  []*worker
	calls    []*call // without an answer yet
	asked    map[string]int
	events   []Event
	metadata map[string]any
	away     bool               // no call can be sent
	fail     func(where string) // called where a test may want a panic
	redis    *redis             // nil without one
	peer     fakePeer
}

// fakePeer is the other end of each connection.
type fakePeer struct {
	address, digest string
	names           []string
	direction       string // "inbound", "outbound" or "" for a listener that does not say
	gone            bool   // nothing is known of it, as when the request is not being handled
}

func (p *fakePeer) Address() string            { return p.known().address }
func (p *fakePeer) CertificateDigest() string  { return p.known().digest }
func (p *fakePeer) CertificateNames() []string { return p.known().names }
func (p *fakePeer) Outbound() (bool, bool)     { return p.direction == "outbound", p.direction != "" }

func (p *fakePeer) known() *fakePeer {
	if p.gone {
		return &fakePeer{}
	}
	return p
}

// worker is one worker's gate.
type worker struct {
	*Gate
	flows *flow.Scheduler
}

// call is a call to the provider.
type call struct {
	flow.Call
	worker *worker
	id     uint32
}

func (c *call) form() url.Values {
	values, _ := url.ParseQuery(string(c.Body))
	return values
}

// parts are settings beyond the usual ones, as members of JSON objects.
type parts struct {
	session, provider, top, metadata string
	rules                            string // "" for one open path

	redis *redis
}

func newWorld(t *testing.T, workers int, p parts) *world {
	t.Helper()
	w := &world{t: t, metrics: kept{}, memory: shared.NewLocal(), now: time.Unix(1_800_000_000, 0), asked: map[string]int{}, fail: func(string) {}, redis: p.redis}
	w.settings = testSettings(t, p)
	w.metadata = map[string]any{
		"issuer":                 testIssuer,
		"authorization_endpoint": testIssuer + "/auth", "token_endpoint": testIssuer + "/token",
		"userinfo_endpoint": testIssuer + "/userinfo", "jwks_uri": testIssuer + "/keys",
		"revocation_endpoint": testIssuer + "/revoke", "end_session_endpoint": testIssuer + "/logout",
	}
	if p.metadata != "" {
		if err := json.Unmarshal([]byte("{"+p.metadata+"}"), &w.metadata); err != nil {
			t.Fatal(err)
		}
	}
	for range workers {
		w.begin(w.settings)
	}
	return w
}

func testSettings(t *testing.T, p parts) *config.Config {
	t.Helper()
	if p.rules == "" {
		p.rules = `[{"match":{"paths":["/open/*"]},"allow":"anyone"}]`
	}
	c, err := config.Parse([]byte(`{"providers":[{"name":"main","issuer":"`+testIssuer+`","cluster":"idp","client_id":"shop","client_secret":{"value":"secret-of-the-shop"}`+p.provider+`}],
		"hosts":["app.example.com","other.example.com"],"rules":`+p.rules+`,
		"session":{"keys":[`+testKey("new")+`,`+testKey("old")+`]`+p.session+`}`+p.top+`}`), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testKey(id string) string {
	key := sha256.Sum256([]byte(id))
	return `{"id":"` + id + `","value":"` + base64.StdEncoding.EncodeToString(key[:]) + `"}`
}

// begin starts another worker.
func (w *world) begin(c *config.Config) *worker {
	w.t.Helper()
	k := &worker{}
	var err error
	k.Gate, err = New(c, Deps{
		Now: w.clock, Clock: w.clock, Random: source{w}, Shared: w.memory, Signal: w.memory, Connection: &w.peer, Meter: w.metrics,
		Log: func(e Event) { w.events = append(w.events, e); w.fail(e.Event) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	next := uint32(len(w.workers)) << 16
	k.flows = flow.NewScheduler(func(c flow.Call) (uint32, error) {
		path, _, _ := strings.Cut(c.Path, "?")
		w.fail(path)
		if w.away {
			return 0, flow.ErrNotSent
		}
		next++
		w.asked[path]++
		w.calls = append(w.calls, &call{c, k, next})
		return next, nil
	}, w.clock)
	w.workers = append(w.workers, k)
	w.tick()
	return k
}

func (w *world) clock() time.Time { return w.now }

// source is randomness that a test can break.
type source struct{ w *world }

func (s source) Read(b []byte) (int, error) {
	s.w.fail("random")
	return rand.Read(b)
}

// tick does what the plugin does on each tick of all workers.
func (w *world) tick() {
	for _, k := range w.workers {
		for _, due := range k.Due() {
			k.flows.Go(due)
		}
		k.flows.Tick()
	}
	w.inform()
}

// inform answers calls for metadata and keys, and those to Redis.
func (w *world) inform() {
	for i := 0; i < len(w.calls); i++ {
		var doc any
		switch c := w.calls[i]; {
		case strings.HasPrefix(c.Path, "/.well-known/"):
			doc = w.metadata
		case c.Cluster == "redis":
			w.redis.answer(w, c)
			i = -1
			continue
		case c.Path == "/keys":
			doc = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: testKeys().published.Public(), KeyID: "k", Use: "sig"}}}
		default:
			continue
		}
		body, _ := json.Marshal(doc)
		w.reply(w.calls[i], 200, string(body))
		i = -1
	}
}

// advance lets time pass, with the ticks that fall into it.
func (w *world) advance(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		step := min(time.Second, end.Sub(w.now))
		for _, k := range w.workers {
			if next, ok := k.flows.Next(); ok && next.After(w.now) {
				step = min(step, next.Sub(w.now))
			}
		}
		w.now = w.now.Add(step)
		w.tick()
	}
}

// call returns the one call that has no answer yet.
func (w *world) call(path string) *call {
	w.t.Helper()
	if len(w.calls) != 1 || w.calls[0].Path != path {
		w.t.Fatalf("not one call to %s but %s", path, w.pending())
	}
	return w.calls[0]
}

func (w *world) pending() string {
	var paths []string
	for _, c := range w.calls {
		paths = append(paths, c.Path)
	}
	return "[" + strings.Join(paths, " ") + "]"
}

func (w *world) forget(c *call) {
	for i := range w.calls {
		if w.calls[i] == c {
			w.calls = append(w.calls[:i:i], w.calls[i+1:]...)
			return
		}
	}
}

// reply answers a call.
func (w *world) reply(c *call, status int, body string) {
	w.forget(c)
	c.worker.flows.Deliver(c.id, flow.Response{
		Status: status, Body: []byte(body), Header: httpmsg.Fields{{Name: "content-type", Value: "application/json"}},
	}, nil)
	w.inform()
}

// lose has a call end without an answer.
func (w *world) lose(c *call) {
	w.forget(c)
	c.worker.flows.Deliver(c.id, flow.Response{}, flow.ErrUnavailable)
	w.inform()
}

// tokens is the answer to a refresh.
func (w *world) tokens(access, refresh, idToken string) string {
	doc := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 300}
	if refresh != "" {
		doc["refresh_token"] = refresh
	}
	if idToken != "" {
		doc["id_token"] = idToken
	}
	body, _ := json.Marshal(doc)
	return string(body)
}

// idToken is a good one for alice, with some claims changed.
func (w *world) idToken(changes map[string]any) string {
	return w.signed(testKeys().published, "JWT", map[string]any{
		"iss": testIssuer, "aud": "shop", "sub": "alice-id", "iat": w.now.Unix(), "exp": w.now.Add(time.Minute).Unix(),
		"preferred_username": "alice", "email": "alice@example.com", "groups": []string{"staff"},
	}, changes)
}

// logoutToken is a good one for alice's session at the provider.
func (w *world) logoutToken(id string, changes map[string]any) string {
	return w.signed(testKeys().published, "logout+jwt", map[string]any{
		"iss": testIssuer, "aud": "shop", "iat": w.now.Unix(), "exp": w.now.Add(time.Minute).Unix(), "jti": id,
		"sid": "sid-1", "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}, changes)
}

func (w *world) signed(key *ecdsa.PrivateKey, kind string, claims, changes map[string]any) string {
	w.t.Helper()
	for name, value := range changes {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}},
		&jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{"typ": kind}})
	if err != nil {
		w.t.Fatal(err)
	}
	return compact(w.t, signer, claims)
}

// compact is a signed token with the claims.
func compact(t *testing.T, signer jose.Signer, claims any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// alice is a session that just began, with an access token for five minutes.
func (w *world) alice() *session.Session {
	now := session.MomentOf(w.now)
	return &session.Session{
		ID: "session-of-alice", Provider: "main", Issuer: testIssuer, ClientID: "shop", Subject: "alice-id", SID: "sid-1",
		NonceHash: oidc.NonceHash("nonce-of-alice"), AuthTime: w.now.Unix() - 60, Gathered: w.workers[0].wanted["main"].stamp,
		Begun: now, Confirmed: now, Seen: now,
		Claims: map[string]session.Claim{
			"user": {Values: []string{"alice"}}, "email": {Values: []string{"alice@example.com"}},
			"groups": {List: true, Values: []string{"admins"}},
		},
		AccessToken: "access-1", AccessExpires: w.now.Unix() + 300, RefreshToken: "refresh-1",
	}
}

// cookie seals a session for a browser.
func (w *world) cookie(s *session.Session) string {
	w.t.Helper()
	n := *s
	w.workers[0].dropUnneeded(&n)
	sealed, _, err := w.workers[0].keys.SealSession(&n, 48<<10)
	if err != nil {
		w.t.Fatal(err)
	}
	chunks, err := w.workers[0].jar.Split(sealed)
	if err != nil {
		w.t.Fatal(err)
	}
	var pairs []string
	for i, part := range chunks {
		pairs = append(pairs, w.workers[0].jar.Name(i)+"="+part)
	}
	return strings.Join(pairs, "; ")
}

// opened is the session that a cookie of the test stands for.
func (w *world) opened(cookie string) *session.Session {
	w.t.Helper()
	c := w.workers[0].readCookies(httpmsg.Fields{{Name: "cookie", Value: cookie}})
	chunks, err := c.session.Chunks()
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := w.workers[0].keys.OpenSession(chunks.Join(), w.now, time.Hour*9600)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// visit is a request under way.
type visit struct {
	w       *world
	task    *flow.Task
	verdict *Verdict
}

// get has a browser open a page.
func (w *world) get(k *worker, target, cookie string, more ...httpmsg.Field) *visit {
	return w.ask(k, &httpmsg.Request{
		Method: "GET", Scheme: "https", Authority: "app.example.com", Target: target,
		Header: append(httpmsg.Fields{{Name: "accept", Value: "text/html"}, {Name: "cookie", Value: cookie}}, more...),
	})
}

func (w *world) ask(k *worker, r *httpmsg.Request) *visit {
	return w.carry(k, func() (Verdict, Flow) {
		w.peer.gone = false
		defer func() { w.peer.gone = true }()
		return k.Handle(r)
	})
}

func (w *world) carry(k *worker, decide func() (Verdict, Flow)) *visit {
	v := &visit{w: w}
	verdict, rest := decide()
	if rest == nil {
		v.verdict = &verdict
		return v
	}
	v.task = k.flows.Go(func(env flow.Env) {
		verdict := rest(env)
		v.verdict = &verdict
	})
	w.inform()
	return v
}

// post has the provider post a logout token.
func (w *world) post(k *worker, contentType, body string, err error) *visit {
	w.t.Helper()
	first := w.ask(k, &httpmsg.Request{
		Method: "POST", Scheme: "https", Authority: "app.example.com", Target: "/oauth2/backchannel_logout",
		Header: httpmsg.Fields{{Name: "content-type", Value: contentType}},
	})
	if first.verdict == nil || first.verdict.Body == nil {
		return first
	}
	return w.carry(k, func() (Verdict, Flow) { return first.verdict.Body.Then([]byte(body), err) })
}

// logOut has the provider post a good form with a logout token.
func (w *world) logOut(k *worker, token string) *visit {
	w.t.Helper()
	return w.post(k, "application/x-www-form-urlencoded", "logout_token="+url.QueryEscape(token), nil)
}

// waits reports whether there is no verdict yet.
func (v *visit) waits() bool { return v.verdict == nil }

// told is what the application is told in a header field, "" for nothing; the
// test fails where the request does not reach it.
func (v *visit) told(name string) string {
	v.w.t.Helper()
	if v.verdict == nil || v.verdict.Forward == nil {
		v.w.t.Fatalf("the request does not reach the application: %s", v.outcome())
	}
	value, _ := v.verdict.Forward.Set.Get(name)
	return value
}

// cookies are the Set-Cookie fields of the answer.
func (v *visit) cookies() []string {
	v.w.t.Helper()
	var header httpmsg.Fields
	switch {
	case v.verdict == nil:
		v.w.t.Fatal("there is no answer yet")
	case v.verdict.Respond != nil:
		header = v.verdict.Respond.Header
	case v.verdict.Forward != nil && v.verdict.Forward.Response != nil:
		header = v.verdict.Forward.Response()
	}
	var values []string
	for _, f := range header {
		if f.Name == "set-cookie" {
			values = append(values, f.Value)
		}
	}
	return values
}

// cookie is the session that the answer gives the browser, or "".
func (v *visit) cookie() string {
	v.w.t.Helper()
	var pairs []string
	for _, c := range v.cookies() {
		if pair, attributes, _ := strings.Cut(c, "; "); strings.HasPrefix(pair, "__Host-postern=") || strings.HasPrefix(pair, "__Host-postern-1=") {
			if !strings.Contains(attributes, "Max-Age=0") {
				pairs = append(pairs, pair)
			}
		}
	}
	return strings.Join(pairs, "; ")
}

// cleared reports whether the answer takes the session out of the browser.
func (v *visit) cleared() bool {
	v.w.t.Helper()
	for _, c := range v.cookies() {
		if strings.HasPrefix(c, "__Host-postern=;") && strings.Contains(c, "Max-Age=0") {
			return true
		}
	}
	return false
}

// outcome is what became of the request, in a few words.
func (v *visit) outcome() string {
	switch {
	case v.verdict == nil:
		return "waits"
	case v.verdict.Forward != nil:
		user, _ := v.verdict.Forward.Set.Get("x-auth-request-user")
		return strings.TrimSpace("forwarded " + user)
	case v.verdict.Respond != nil:
		return v.verdict.Respond.Reason
	}
	return "denied"
}

// want fails the test where a request became of anything else.
func (v *visit) want(outcome string) *visit {
	v.w.t.Helper()
	if got := v.outcome(); got != outcome {
		v.w.t.Errorf("the request: %s, not %s", got, outcome)
	}
	return v
}

func (v *visit) field(name string) string {
	v.w.t.Helper()
	if v.verdict == nil || v.verdict.Respond == nil {
		v.w.t.Fatalf("the request was not answered: %s", v.outcome())
	}
	value, _ := v.verdict.Respond.Header.Get(name)
	return value
}

// counted is how often an event was logged.
func (w *world) counted(event, reason string) (n int) {
	for _, e := range w.events {
		if e.Event == event && (reason == "" || e.Reason == reason) {
			n++
		}
	}
	return n
}

// panics runs f and reports whether it panicked.
func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

// ours is the field by which a browser says that a page of ours made it ask.
var ours = httpmsg.Field{Name: "sec-fetch-site", Value: "same-origin"}
