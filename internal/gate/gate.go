// Package gate decides one request's way: who is asking, whether they may go
// on, and what the application is told of them; or what is answered in its
// place.
//
// The zero Verdict denies, and so does everything that is not understood: a
// target that can be read in two ways, a host that is not ours, a cookie that
// does not open, a provider that is not known yet. The package opens no
// socket, reads no clock and no randomness but what it is handed, and never
// puts a token, a code, a cookie or a secret into an event or a page.
//
// It follows OpenID Connect Core 1.0, RFC 6749, RFC 9207 and RFC 9700 in what
// it does with the browser; see docs/security.md for what it promises.
package gate

import (
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/bearer"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/session"
	"github.com/postern-auth/postern/internal/shared"
)

// Deps is what a gate is handed of the world.
type Deps struct {
	Now    func() time.Time // to the second
	Clock  func() time.Time // exact
	Random io.Reader
	Log    func(Event)
	Shared shared.Memory // what all workers of this host share
	Signal shared.Signal

	Connection Connection
}

// Gate is one configuration at work. It is used from one thread.
type Gate struct {
	settings *config.Config
	now      func() time.Time
	clock    func() time.Time
	random   io.Reader
	log      func(Event)

	keys     *session.Keyring
	jar      session.Jar
	cache    *session.Cache[*opened]
	used     *usedLogins
	provider *oidc.Provider // where people sign in
	endings  *shared.Endings
	renewals *shared.Renewals
	store    *store                 // nil without one
	renewing map[renewalOf]*renewal // in this worker
	rules    *policy.Rules
	paths    paths
	tells    []string // names of header fields
	strip    httpmsg.NameSet
	callback string // the origin that receives the provider's answers, or ""

	providers     map[string]*oidc.Provider // by name
	tokens        *bearer.Verifier          // nil where no tokens are accepted
	forwardsToken bool                      // the application is given a token in its Authorization field
	relay         *relay                    // nil where the settings have no outbound
	connection    Connection
	callers       int // requests that wait for what is to be found out about their tokens

	authority authority // the last request's
}

// alwaysStripped are names by which applications commonly take an identity
// from a gate, whether or not this one sends it.
var alwaysStripped = []string{
	"x-forwarded-user", "x-forwarded-email", "x-forwarded-groups",
	"x-forwarded-preferred-username", "x-forwarded-access-token",
}

// New returns the gate of the given settings.
func New(c *config.Config, d Deps) (*Gate, error) {
	ring, err := keyringOf(c)
	if err != nil {
		return nil, err
	}
	g := &Gate{
		settings: c, now: d.Now, clock: d.Clock, random: d.Random, log: d.Log,
		keys:     ring,
		jar:      session.NewJar(c.Session.Cookie.Name),
		cache:    session.NewCache[*opened](c.Session.CacheBytes),
		used:     newUsedLogins(),
		renewing: map[renewalOf]*renewal{},
		rules:    policy.Compile(c),
		paths:    newPaths(c.PathPrefix),
		tells:    tellNames(c),
		strip:    httpmsg.NewNameSet(tellNames(c), []string{"x-auth-request-"}),
		callback: c.PublicURL,

		providers:     map[string]*oidc.Provider{},
		forwardsToken: slices.Contains(c.Forward.AccessToken, "authorization"),
		connection:    d.Connection,
	}
	for i := range c.Providers {
		p := oidc.NewProvider(&c.Providers[i], d.Random)
		p.OnFailure = func(err error) { g.failureOf(p, "", err) }
		g.providers[p.Name()] = p
	}
	g.provider = g.providers[c.Providers[0].Name]
	p := &c.Providers[0]
	sealer := shared.Sealer{
		Memory: d.Shared, Keys: ring, Random: d.Random,
		Scope: []string{p.Issuer, p.ClientID, c.Session.Cookie.Name},
	}
	g.endings = shared.NewEndings(sealer, d.Signal, c.Session.Lifetime.Std())
	g.renewals = shared.NewRenewals(sealer)
	g.store = newStore(c, ring, sealer)
	g.tokens = bearer.New(bearer.Config{
		Settings: c, Provider: func(name string) *oidc.Provider { return g.providers[name] },
		Sealer: sealer, Identify: g.identifyToken,
	})
	if len(c.Outbound) > 0 {
		g.relay = newRelay(g, sealer)
	}
	return g, nil
}

func keyringOf(c *config.Config) (*session.Keyring, error) {
	var keys []session.Key
	for i := range c.Session.Keys {
		keys = append(keys, session.Key{ID: c.Session.Keys[i].ID, Secret: c.Session.Keys[i].Secret()})
	}
	return session.NewKeyring(keys)
}

// tellNames are the names of the header fields that are ours to set.
func tellNames(c *config.Config) []string {
	names := append([]string(nil), alwaysStripped...)
	for name := range c.Forward.Headers {
		names = append(names, name)
	}
	names = append(names, c.Forward.AccessToken...)
	for i := range c.Bearer {
		if name := c.Bearer[i].ClientIDHeader; name != "" {
			names = append(names, name) // of a client that no token proves, it would be anybody's word
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Interval is how often the gate wants to be asked what is due, at least.
func (g *Gate) Interval() time.Duration {
	if w := g.settings.Session.Store.Webdis; w != nil {
		return min(time.Second, w.Interval.Std())
	}
	return time.Second
}

// OwnsCookie reports whether a cookie of the given name is the gate's: an
// application neither sees nor sets it.
func (g *Gate) OwnsCookie(name string) bool {
	return g.jar.Owns(name) || name == g.bindingName() || name == g.needName()
}

// request is a request whose target, authority and cookies are understood.
type request struct {
	*httpmsg.Request
	authority
	target  httpmsg.Target
	cookies cookies
	began   time.Time
	renewed []string // the session's new cookies, for the browser
	trusted *bool    // see Gate.trusted; nil until it is asked
}

// authority is an authority that was understood. Most requests come with the
// one that the last request came with.
type authority struct {
	text       string
	host, port string
	ours       bool // it is in the settings' hosts
}

// cookies are a request's cookies, read in one pass: a session's are long, and
// every look at them costs.
type cookies struct {
	session  session.Reader
	binding  string
	bindings int    // how many cookies of the binding's name came
	need     string // what a subrequest found missing
	needs    int
	rest     string // the application's, as one field value
	ours     bool   // some were ours, so that only the rest goes on
}

func (g *Gate) readCookies(f httpmsg.Fields) (c cookies) {
	c.session = g.jar.Reader()
	c.rest, c.ours = httpmsg.WithoutCookies(f, func(name, value string) bool {
		if name == g.bindingName() {
			c.binding, c.bindings = value, c.bindings+1
			return true
		}
		if name == g.needName() {
			c.need, c.needs = value, c.needs+1
			return true
		}
		return c.session.Take(name, value)
	})
	return c
}

// Handle decides a request: by the Verdict, or, where that needs the network,
// by the Flow.
func (g *Gate) Handle(r *httpmsg.Request) (Verdict, Flow) {
	if g.relay != nil && g.relay.concerns(r) {
		return g.relay.handle(r)
	}
	q, reason := g.read(r)
	if reason != "" {
		g.tell(r, EventRequestRefused, reason)
		return g.fail(&q, failure{status: 400, reason: reason, retry: "/"}), nil
	}
	describes := g.describes(q.target.Path)
	own := describes || g.paths.own(q.target.Path)
	need := policy.Need{}
	if !own {
		need, _ = g.need(&q)
	}
	if !need.Anyone && !q.authority.ours {
		g.tell(r, EventRequestRefused, "host_not_allowed")
		return g.fail(&q, failure{status: 421, reason: "host_not_allowed"}), nil
	}
	switch {
	case describes:
		return g.serveResource(&q), nil
	case own:
		return g.serve(&q)
	case need.Tokens && !need.Anyone:
		cred, err := bearer.Read(q.Header, q.target.Query)
		if err != nil {
			return g.refuseToken(&q, err), nil
		}
		if cred.Token != "" {
			return g.withToken(&q, cred, func(t *bearer.Caller, err error) (Verdict, Flow) {
				return g.decideToken(&q, t, err), nil
			})
		}
	}
	if need.NoCookie {
		return g.decide(&q, need, nil, nil)
	}
	o, err := g.open(&q)
	if !g.waits(o, err, need.Anyone) {
		return g.decide(&q, need, o, err)
	}
	return Verdict{}, g.afterWait(&q, o, err, need.Anyone, func(o *opened, err error) (Verdict, Flow) {
		return g.decide(&q, need, o, err)
	})
}

// decide decides a request for the application, with the session that it
// brings or without one.
func (g *Gate) decide(q *request, need policy.Need, o *opened, err error) (Verdict, Flow) {
	if o != nil || need.Anyone {
		return g.forward(q, o), nil
	}
	out := outageOf(err)
	switch {
	case out != nil:
		return g.unavailable(q, out), nil
	case g.passesPreflight(q):
		return g.forward(q, nil), nil
	case need.NoSignIn || !httpmsg.Navigation(q.Request):
		return g.withClearedCookies(q, g.anonymous(q, need), err), nil
	}
	if !g.reaches(q.target.Path) {
		g.tell(q.Request, EventRequestRefused, "outside_cookie_path")
		return g.fail(q, failure{status: 403, reason: "outside_cookie_path"}), nil
	}
	v, rest := g.signIn(q)
	if !errors.Is(err, session.ErrTossed) && !errors.Is(err, errEnded) && !errors.Is(err, errUnrenewable) {
		return v, rest // a login overwrites whatever else is wrong with them
	}
	if rest == nil {
		return g.withClearedCookies(q, v, err), nil
	}
	return v, func(env flow.Env) Verdict { return g.withClearedCookies(q, rest(env), err) }
}

// anonymous answers a request that brings nothing by which somebody could be
// known, and whose sender opens no page.
func (g *Gate) anonymous(q *request, need policy.Need) Verdict {
	switch {
	case need.Tokens && bearer.InQuery(q.target.Query):
		return g.refuseToken(q, &bearer.Refusal{Code: bearer.InvalidRequest, Reason: "token_in_query"})
	case need.NoCookie:
		return g.fail(q, failure{status: 401, reason: "no_token"})
	}
	return g.fail(q, failure{status: 401, reason: "no_session", signIn: true})
}

// reaches reports whether browsers send the session's cookie to a path (RFC
// 6265bis, section 5.1.4). To sign in for any other would go round in circles.
func (g *Gate) reaches(path string) bool {
	base := strings.TrimSuffix(g.settings.Session.Cookie.Path, "/")
	return strings.HasPrefix(path, base) && (len(path) == len(base) || path[len(base)] == '/')
}

// need finds what a request must bring.
func (g *Gate) need(q *request) (policy.Need, error) {
	return g.rules.Need(policy.Request{
		Host: q.host, Port: q.port, Path: q.target.Path, Params: q.target.Params, Method: q.Method, Header: q.Header,
	})
}

// Strips reports whether a field of the given name is ours to set: no client's
// reaches the application, be it among the headers or among the trailers.
func (g *Gate) Strips(name string) bool { return g.strip.Has(name) }

// read understands a request, or says why not.
func (g *Gate) read(r *httpmsg.Request) (q request, reason string) {
	q.Request, q.began, q.cookies = r, g.now(), g.readCookies(r.Header)
	if r.Method == "CONNECT" {
		return q, "connect"
	}
	var err error
	if q.target, err = httpmsg.ParseTarget(r.Target); err != nil {
		return q, "target_" + reasonOf(err)
	}
	if r.Authority == "" || r.Authority != g.authority.text {
		host, port, err := httpmsg.ParseAuthority(r.Authority)
		if err != nil {
			return q, "authority_" + reasonOf(err)
		}
		text := strings.Clone(r.Authority)
		g.authority = authority{text, strings.Clone(host), strings.Clone(port), g.settings.AllowsHost(host, port)}
	}
	q.authority = g.authority
	return q, ""
}

func reasonOf(err error) string {
	switch e := err.(type) {
	case *httpmsg.TargetError:
		return e.Reason
	case *httpmsg.AuthorityError:
		return e.Reason
	}
	return "refused"
}

// scheme is the one that browsers use to reach us. It is never taken from the
// request: behind another proxy that says http.
func (g *Gate) scheme() string {
	if g.settings.InsecureHTTPCookies {
		return "http"
	}
	return "https"
}

// origin is the request's own, as the browser sees it: without the scheme's own
// port, which some clients send all the same (RFC 6454, section 6.2).
func (g *Gate) origin(q *request) string {
	scheme := g.scheme()
	origin := scheme + "://" + q.host
	if q.port == "" || scheme == "https" && q.port == "443" || scheme == "http" && q.port == "80" {
		return origin
	}
	return origin + ":" + q.port
}

// allowsReturn reports whether browsers may be sent to an address.
func (g *Gate) allowsReturn(scheme, host, port string) bool {
	return (scheme == "https" || scheme == g.scheme()) && g.settings.AllowsHost(host, port)
}

// forward lets a request go on: without what a client may have claimed to be,
// without our cookies, and with what the session says, where there is one.
func (g *Gate) forward(q *request, o *opened) Verdict {
	f := &Forward{}
	for i := range q.Header {
		if g.strip.Has(q.Header[i].Name) {
			f.Remove = append(f.Remove, q.Header[i].Name)
		}
	}
	if q.cookies.ours {
		f.Cookie = &q.cookies.rest
	}
	if o == nil {
		return Verdict{Forward: f}
	}
	f.Set = o.identity
	if q.renewed != nil || o.reissuable(g.now()) {
		f.Response = func() httpmsg.Fields { return g.freshCookies(q, o) }
	}
	if g.settings.Session.CloseStreams {
		f.Watch = &o.watch
	}
	return Verdict{Forward: f}
}
