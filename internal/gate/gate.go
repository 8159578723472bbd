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
	"cmp"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/bearer"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/metric"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/page"
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
	Meter  metric.Sink   // nil for none
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
	meter    metric.Sink
	tallies  tallies
	said     map[string]learned // of the providers, by name
	begun    time.Time

	introduced bool // the host was told which version and settings these are

	keys     *session.Keyring
	jar      session.Jar
	cache    *session.Cache[*opened]
	used     *usedLogins
	parties  []*party // where people sign in, in the order of the settings
	endings  *shared.Endings
	renewals *shared.Renewals
	store    *store                 // nil without one
	renewing map[renewalOf]*renewal // in this worker
	rules    *policy.Rules
	paths    paths
	tellings *tellings
	tells    []string // names of header fields
	strip    httpmsg.NameSet
	notable  httpmsg.NameSet // what look looks for
	signer   *signer         // of assertions; nil before the first
	pages    *page.Pages
	callback string // the origin that receives the provider's answers, or ""
	posted   bool   // some of these come as forms from the providers' pages

	providers  map[string]*oidc.Provider // by name
	wanted     map[string]wanted         // likewise
	tokens     *bearer.Verifier          // nil where no tokens are accepted
	relay      *relay                    // nil where the settings have no outbound
	connection Connection
	callers    int // requests that wait for what is to be found out about their tokens

	authority authority // the last request's
}

// alwaysStripped are names by which applications commonly take an identity
// from a gate, whether or not this one sends it.
var alwaysStripped = []string{
	"x-forwarded-user", "x-forwarded-email", "x-forwarded-groups",
	"x-forwarded-preferred-username", "x-forwarded-access-token",
	"x-auth-request-anonymous",
}

// ownPrefixes begin the names of fields that only a gate sets.
var ownPrefixes = []string{"x-auth-request-"}

// New returns the gate of the given settings.
func New(c *config.Config, d Deps) (*Gate, error) {
	ring, err := keyringOf(c)
	if err != nil {
		return nil, err
	}
	pages, err := page.New(c.Look())
	if err != nil {
		return nil, err
	}
	rules, tellings := policy.Compile(c), newTellings(c)
	tells := tellNames(c, tellings)
	c = compiled(c)
	g := &Gate{
		settings: c, now: d.Now, clock: d.Clock, random: d.Random, log: d.Log,
		meter:    d.Meter,
		said:     map[string]learned{},
		begun:    d.Now(),
		keys:     ring,
		jar:      session.NewJar(c.Session.Cookie.Name),
		cache:    session.NewCache[*opened](c.Session.CacheBytes),
		used:     newUsedLogins(),
		renewing: map[renewalOf]*renewal{},
		rules:    rules,
		paths:    newPaths(c.PathPrefix),
		tellings: tellings,
		tells:    tells,
		strip:    httpmsg.NewNameSet(tells, ownPrefixes),
		notable:  httpmsg.NewNameSet(slices.Concat(tells, rewrites, policy.MethodFields()), ownPrefixes),
		pages:    pages,
		callback: c.PublicURL,

		providers:  map[string]*oidc.Provider{},
		wanted:     map[string]wanted{},
		connection: d.Connection,
	}
	if g.meter == nil {
		g.meter = metric.None{}
	}
	first := g.addProviders(c, d.Random)
	sealer := shared.Sealer{
		Memory: d.Shared, Keys: ring, Random: d.Random,
		Scope: []string{first.Issuer, first.ClientID, c.Session.Cookie.Name},
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

// addProviders makes the providers of the settings, and returns those of the one
// that gives the shared memory its name: the first by its issuer and client, so
// that the order of the settings may change, and what is known stays.
func (g *Gate) addProviders(c *config.Config, random io.Reader) *config.Provider {
	for i := range c.Providers {
		p := oidc.NewProvider(&c.Providers[i], random)
		p.ProofKeys = session.ProofKeys{Keyring: g.keys}
		p.OnFailure = func(err error) { g.failureOf(p, "", err) }
		g.providers[p.Name()] = p
		g.wanted[p.Name()] = newWanted(g.rules, &c.Providers[i])
		g.said[p.Name()] = learned{up: -1}
	}
	for _, p := range signInProviders(c) {
		g.posted = g.posted || p.ResponseMode == "form_post"
		g.parties = append(g.parties, g.newParty(g.providers[p.Name]))
	}
	if len(g.parties) == 0 {
		return &c.Providers[0]
	}
	return slices.MinFunc(g.parties, func(a, b *party) int {
		return cmp.Or(strings.Compare(a.Issuer(), b.Issuer()), strings.Compare(a.clientID(), b.clientID()))
	}).Settings()
}

// compiled are settings without what was compiled and is not looked at any more:
// a thousand rules are much for the collector to look through.
func compiled(c *config.Config) *config.Config {
	rest := *c
	rest.Rules = nil
	return &rest
}

func keyringOf(c *config.Config) (*session.Keyring, error) {
	var keys []session.Key
	for i := range c.Session.Keys {
		keys = append(keys, session.Key{ID: c.Session.Keys[i].ID, Secret: c.Session.Keys[i].Secret()})
	}
	return session.NewKeyring(keys)
}

// tellNames are the names of the header fields that are ours to set, on any
// route.
func tellNames(c *config.Config, ts *tellings) []string {
	names := slices.Clone(alwaysStripped)
	for _, t := range ts.byForward {
		names = append(names, t.names()...)
	}
	for i := range c.Bearer {
		if name := c.Bearer[i].ClientIDHeader; name != "" {
			names = append(names, name) // of a client that no token proves, it would be anybody's word
		}
	}
	return distinct(names)
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
	return g.jar.Owns(name) || name == g.bindingName() || name == g.needName() || name == g.choiceName()
}

// Handle decides a request: by the Verdict, or, where that needs the network,
// by the Flow.
func (g *Gate) Handle(r *httpmsg.Request) (Verdict, Flow) {
	if g.relay != nil && g.relay.concerns(r) {
		return g.relay.handle(r)
	}
	q, reason := g.read(r)
	if reason != "" {
		return g.malformed(&q, reason), nil
	}
	if g.settings.Log.Properties {
		return g.noting(&q)(g.understood(&q))
	}
	return g.understood(&q)
}

// understood decides a request that can be read in one way.
func (g *Gate) understood(q *request) (Verdict, Flow) {
	reason := ""
	own := g.owns(q.target.Path)
	if !own {
		reason = g.findNeed(q)
	}
	if reason != "" {
		return g.malformed(q, reason), nil
	}
	if !q.need.Anyone && !q.authority.ours {
		g.tell(q.Request, EventRequestRefused, "host_not_allowed")
		return g.fail(q, failure{status: 421, reason: "host_not_allowed"}), nil
	}
	switch {
	case g.describes(q.target.Path):
		return g.serveResource(q), nil
	case own:
		return g.serve(q)
	}
	return g.judge(q)
}

// malformed answers a request that could be read in two ways.
func (g *Gate) malformed(q *request, reason string) Verdict {
	g.tell(q.Request, EventRequestRefused, reason)
	return g.fail(q, failure{status: 400, reason: reason, retry: "/"})
}

// judge decides a request for the application by what it brings.
func (g *Gate) judge(q *request) (Verdict, Flow) {
	if q.need.Tokens && !q.need.Anyone {
		cred, err := bearer.Read(q.Header, q.target.Query)
		if err != nil {
			return g.tokenRefused(q, err)
		}
		if cred.Token != "" {
			return g.withToken(q, cred, func(t *bearer.Caller, err error) (Verdict, Flow) { return g.decideToken(q, t, err) })
		}
	}
	if q.need.NoCookie {
		return g.decide(q, nil, nil)
	}
	o, err := g.open(q)
	if !g.waits(o, err, q.open()) {
		return g.decide(q, o, err)
	}
	return Verdict{}, g.afterWait(q, o, err, q.open(), func(o *opened, err error) (Verdict, Flow) {
		return g.decide(q, o, err)
	})
}

// reaches reports whether browsers send the session's cookie to a path (RFC
// 6265bis, section 5.1.4). To sign in for any other would go round in circles.
func (g *Gate) reaches(path string) bool {
	base := strings.TrimSuffix(g.settings.Session.Cookie.Path, "/")
	return strings.HasPrefix(path, base) && (len(path) == len(base) || path[len(base)] == '/')
}

// Strips reports whether a field of the given name is ours to set: no client's
// reaches the application, be it among the headers or among the trailers.
func (g *Gate) Strips(name string) bool { return g.strip.Has(name) }

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
// without our cookies, and with what is known of whoever sent it.
func (g *Gate) forward(q *request, w who) Verdict {
	f := &Forward{Remove: q.spoofed}
	if q.cookies.ours {
		f.Cookie = &q.cookies.rest
	}
	switch {
	case w.caller != nil:
		f.Set = g.callerIdentity(w.caller, q.need.Forward, q)
		if !g.tellings.of(q.need.Forward).takesAuthorization() {
			g.spend(q, f)
		}
	case w.opened != nil:
		f.Set = g.identityFor(w.opened, q.need.Forward, q)
		if q.renewed != nil || w.opened.reissuable(g.now()) {
			f.Response = func() httpmsg.Fields { return g.freshCookies(q, w.opened) }
		}
		if g.settings.Session.CloseStreams {
			f.Watch = &w.opened.watch
		}
	case q.need.Pass:
		f.Set = anonymousFields
	}
	return Verdict{Forward: f}
}

// anonymousFields tell the application that nobody is signed in.
var anonymousFields = httpmsg.Fields{{Name: "x-auth-request-anonymous", Value: "true"}}
