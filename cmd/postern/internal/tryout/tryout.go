// Package tryout tries settings out: it puts a request to the gate that they
// make, as somebody of whom a provider says this and that, and tells what becomes
// of it.
//
// The gate is the real one, and so is the way of whoever asks: a browser signs in
// by all the redirects that a person goes through, and a token is signed and
// verified. Only the providers are stood in for, with keys that are thrown away.
// Nothing is sent anywhere, and no secret of the settings is used. What comes of
// it holds no token, no cookie and no address with a code.
//
// It follows what the gate follows: OpenID Connect Core 1.0, RFC 6750, RFC 7662,
// RFC 9068 and RFC 9449.
package tryout

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/shared"
)

// Case is a request of somebody's.
type Case struct {
	Method string
	URL    *Address
	Header httpmsg.Fields
	Claims Claims // nil: nobody is known
	Token  bool   // the claims are a token's, else those of a session
}

// request is the case as a request, without who asks. What a person opens is
// a page, unless its fields say otherwise.
func (c *Case) request() *httpmsg.Request {
	r := &httpmsg.Request{Method: c.Method, Scheme: c.URL.Scheme, Authority: c.URL.Authority, Target: c.URL.Target, Header: slices.Clone(c.Header)}
	page := !c.Token && (c.Method == "GET" || c.Method == "HEAD")
	for _, name := range []string{"accept", "sec-fetch-mode", "content-type"} {
		if _, told := r.Header.Get(name); told {
			page = false
		}
	}
	if page {
		r.Header = append(r.Header, httpmsg.Field{Name: "accept", Value: "text/html"})
	}
	return r
}

// Tryout tries settings out. It is used from one goroutine.
type Tryout struct {
	settings *config.Config
	real     *world // as the settings are
	strict   *world // without what is only observed; nil until it is asked
	now      func() time.Time
}

// ErrNothingProtected says that settings are for an application's outgoing calls
// alone.
var ErrNothingProtected = errors.New("these settings protect nothing: they are for calls that an application makes (outbound)")

// New tries settings out that config.Parse has checked.
func New(c *config.Config, now func() time.Time) (*Tryout, error) {
	if len(c.Hosts) == 0 {
		return nil, ErrNothingProtected
	}
	w, err := newWorld(copied(c), now)
	return &Tryout{settings: c, real: w, now: now}, err
}

// copied are settings for a gate that has the network of nobody, and tells of
// every decision.
func copied(c *config.Config) *config.Config {
	s := *c
	s.Session.Store.Webdis = nil // it would be asked about each session
	s.Log.Decisions = "all"
	return &s
}

// deciding is c without what lets requests pass although they were refused.
func deciding(c *config.Config) *config.Config {
	s := copied(c)
	s.InsecureObserve = false
	s.Rules = slices.Clone(s.Rules)
	for i := range s.Rules {
		s.Rules[i].InsecureObserve = false
	}
	return s
}

// world is a gate and the providers around it.
type world struct {
	gate      *gate.Gate
	settings  *config.Config
	now       func() time.Time
	providers map[string]*provider // by name
	parties   []*provider          // where people sign in
	events    []gate.Event
	connection
}

func newWorld(c *config.Config, now func() time.Time) (*world, error) {
	w := &world{settings: c, now: now, providers: map[string]*provider{}}
	offices := map[string]*office{}
	for i := range c.Providers {
		s := &c.Providers[i]
		algorithms := []string{quickest(s.Algorithms)}
		if b := bearerOf(c, s.Name); b != nil {
			algorithms = append(algorithms, quickest(b.Algorithms))
		}
		if offices[s.Issuer] == nil {
			offices[s.Issuer] = newOffice()
		}
		p, err := newProvider(s, now, offices[s.Issuer], algorithms...)
		if err != nil {
			return nil, err
		}
		w.providers[s.Name] = p
		if s.SignsIn() {
			w.parties = append(w.parties, p)
		}
	}
	memory := shared.NewLocal()
	g, err := gate.New(c, gate.Deps{
		Now: now, Clock: now, Random: rand.Reader, Shared: memory, Signal: memory, Connection: &w.connection,
		Log: func(e gate.Event) { w.events = append(w.events, e) },
	})
	if err != nil {
		return nil, err
	}
	w.gate = g
	for _, due := range g.Due() {
		due(w.env())
	}
	return w, nil
}

func bearerOf(c *config.Config, provider string) *config.Bearer {
	for i := range c.Bearer {
		if c.Bearer[i].Provider == provider {
			return &c.Bearer[i]
		}
	}
	return nil
}

// env is the network, on which there are the providers and nobody else.
func (w *world) env() flow.Env {
	return flow.Direct{Clock: w.now, Do: func(c flow.Call) (flow.Response, error) {
		for _, p := range w.providers {
			if r, ours := p.answer(c); ours {
				return r, nil
			}
		}
		return flow.Response{}, flow.ErrNotSent
	}}
}

// handle has the gate decide a request.
func (w *world) handle(r *httpmsg.Request) (gate.Verdict, error) {
	v, rest := w.gate.Handle(r)
	if rest != nil {
		v = rest(w.env())
	}
	if v.Forward == nil && v.Respond == nil && v.Body == nil {
		return v, errors.New("the gate came to no decision")
	}
	return v, nil
}

// connection is the one that requests come by.
type connection struct {
	address, digest string
	names           []string // in the peer's certificate
}

// Address implements gate.Connection.
func (c *connection) Address() string {
	if c.address == "" {
		return "192.0.2.1" // RFC 5737: nobody's
	}
	return c.address
}

// CertificateDigest implements gate.Connection.
func (c *connection) CertificateDigest() string { return c.digest }

// CertificateNames implements gate.Connection.
func (c *connection) CertificateNames() []string { return c.names }

// Outbound implements gate.Connection.
func (*connection) Outbound() (outbound, known bool) { return false, true }

// showCertificate has the caller show a certificate, and returns its hash.
func (c *connection) showCertificate() []byte {
	sum := sha256.Sum256([]byte("the caller's certificate"))
	c.digest = hex.EncodeToString(sum[:])
	return sum[:]
}

// Try tries a request out.
func (t *Tryout) Try(c *Case) (*Outcome, error) {
	o, err := t.real.try(c)
	if err != nil || !o.Observed {
		return o, err
	}
	if t.strict == nil {
		if t.strict, err = newWorld(deciding(t.settings), t.now); err != nil {
			return nil, err
		}
	}
	o.Without, err = t.strict.try(c)
	return o, err
}

func (w *world) try(c *Case) (*Outcome, error) {
	w.connection = connection{}
	if w.isQuestion(c) {
		w.names = w.settings.TrustedPeers.SANs
	}
	b := &browser{}
	switch {
	case c.Claims == nil:
	case c.Token:
		return w.tryToken(c, c.request())
	default:
		if failed, err := w.signIn(b, c); failed != nil || err != nil {
			return failed, err
		}
	}
	return w.decide(c, b.dress(c), b)
}

// isQuestion reports whether a case is another proxy's question about a request.
// It is taken to come from a peer that is trusted, where any is by its name.
func (w *world) isQuestion(c *Case) bool {
	rest, ok := strings.CutPrefix(c.URL.Path(), w.settings.PathPrefix+"/auth")
	return ok && (rest == "" || rest[0] == '/')
}

// partyOf is the provider that claims are of: the one that they name; else the
// first at which people sign in for the request.
func (w *world) partyOf(c *Case) (*provider, error) {
	var named []*provider
	for _, p := range w.parties {
		if c.Claims.names(p.settings) {
			named = append(named, p)
		}
	}
	if len(named) == 0 {
		return nil, errors.New("the claims are of another issuer (iss) than those where people sign in")
	}
	for _, p := range named {
		if slices.Contains(w.gate.Explain(c.request()).Need.Providers, p.settings.Name) {
			return p, nil
		}
	}
	return named[0], nil
}

// signIn signs somebody in at the request's host. The outcome is nil where that
// works, and where the host is none of ours, at which nobody can.
func (w *world) signIn(b *browser, c *Case) (*Outcome, error) {
	p, err := w.partyOf(c)
	if err == nil {
		err = c.Claims.check(p.settings)
	}
	if err != nil {
		return nil, err
	}
	if !w.settings.AllowsHost(c.URL.Host(), c.URL.Port()) {
		return nil, nil
	}
	for _, p := range w.parties { // a step up may lead to any
		p.person = c.Claims
	}
	w.events = nil
	start := &url.URL{Scheme: c.URL.Scheme, Host: c.URL.Authority}
	if start.Path, start.RawQuery, err = w.gate.StartAt(p.settings.Name); err != nil {
		return nil, err
	}
	v, _, err := w.open(b, start, true)
	if err != nil {
		return nil, err
	}
	if v.Respond != nil && v.Respond.Status < 400 {
		return nil, nil
	}
	o := w.outcomeOf(v)
	o.SigningIn = true
	return o, nil
}

// decide has the gate decide a request, and tells what it decided.
func (w *world) decide(c *Case, r *httpmsg.Request, b *browser) (*Outcome, error) {
	w.events = nil
	v, err := w.handle(r)
	if err != nil {
		return nil, err
	}
	o := w.outcomeOf(v)
	w.examine(o, r)
	w.answer(o, v.Respond)
	if v.Respond == nil || v.Respond.Status != 303 || o.Kind == Own {
		return o, nil
	}
	return o, w.follow(o, c, b, v)
}
