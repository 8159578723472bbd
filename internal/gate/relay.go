package gate

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/bearer"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/shared"
)

// relay puts tokens into the requests that an application sends. It protects
// nothing: what none of its entries is for passes as it is.
type relay struct {
	g       *Gate
	entries []*errand
	tokens  *shared.Once         // of the application's own
	traded  *shared.Once         // that callers' tokens were exchanged for
	ahead   map[string]time.Time // questions to be put ahead of time, and when not before; the zero time is for those under way
	due     []flow.Func
	unknown bool // it was told that a listener does not say what it is for
}

// errand is one entry of the settings.
type errand struct {
	settings *config.Outbound
	matcher  policy.Matcher
	provider *oidc.Provider
	grant    oidc.Grant
	question string // what the token is asked for, for all workers
}

const (
	// relaySlots and tradedSlots are how many tokens workers share.
	relaySlots, tradedSlots = 256, 2048
	// relayLimit is how long a request waits for a token.
	relayLimit = 30 * time.Second
	// relayPause is how long we wait after a token could not be renewed ahead.
	relayPause = 5 * time.Second
	// maxAhead is how many tokens are renewed ahead at once, or wait for another
	// attempt: the others are asked for once they are needed.
	maxAhead = 256
	// usualLifetime is that of a token whose provider does not say.
	usualLifetime = time.Minute
)

func newRelay(g *Gate, sealer shared.Sealer) *relay {
	r := &relay{
		g: g, ahead: map[string]time.Time{},
		tokens: shared.NewOnce(sealer, "outbound", relaySlots), traded: shared.NewOnce(sealer, "exchanged", tradedSlots),
	}
	for i := range g.settings.Outbound {
		o := &g.settings.Outbound[i]
		e := &errand{
			settings: o, matcher: policy.NewMatcher(o.Match).AtPorts(), provider: g.providers[o.Provider],
			grant: oidc.Grant{Scopes: o.Scopes, Audiences: o.Audiences, Resources: o.Resources},
		}
		e.question = e.name()
		r.entries = append(r.entries, e)
	}
	return r
}

// name stands for what a token is asked for: a configuration that asks for
// something else is not given this one's. No word of the settings holds a
// control character.
func (e *errand) name() string {
	p := e.provider.Settings()
	lists := [][]string{{p.Issuer, p.ClientID, e.settings.Grant}, e.grant.Scopes, e.grant.Audiences, e.grant.Resources}
	var b strings.Builder
	for _, list := range lists {
		b.WriteString(strings.Join(list, "\t") + "\n")
	}
	return b.String()
}

// concerns reports whether a request is one that an application sends. Settings
// that are for both sides go by the listener; one that does not say what it is
// for protects, as nobody must get past by a request for another host.
func (r *relay) concerns(m *httpmsg.Request) bool {
	if len(r.g.settings.Hosts) == 0 {
		return true
	}
	outbound, known := r.g.connection.Outbound()
	if !known && !r.unknown {
		r.unknown = true
		r.g.tell(m, EventOutboundRefused, "listener_direction_unknown")
	}
	return outbound && known
}

// handle decides about a request that an application sends.
func (r *relay) handle(m *httpmsg.Request) (Verdict, Flow) {
	e, clear := r.find(m)
	_, has := m.Header.Get("authorization")
	switch {
	case !clear && has && r.trades():
		// It may be one whose token is to be exchanged.
		return r.refuse(m, 400, "target_ambiguous"), nil
	case e == nil:
		return Verdict{Forward: &Forward{Plain: true}}, nil
	case e.settings.Grant == exchange:
		return r.exchange(m, e)
	case has && e.settings.Existing == "keep":
		return Verdict{Forward: &Forward{Plain: true}}, nil
	}
	return r.withToken(m, &want{e, r.tokens, e.question, func(env flow.Env) (oidc.Tokens, error) {
		return e.provider.ClientCredentials(env, e.grant)
	}})
}

// exchange is the grant of RFC 8693.
const exchange = "token_exchange"

// trades reports whether callers' tokens are exchanged at all.
func (r *relay) trades() bool {
	return slices.ContainsFunc(r.entries, func(e *errand) bool { return e.settings.Grant == exchange })
}

// find returns the entry that a request is for, or nil. A request that can be
// read in two ways is not clear, and none's.
func (r *relay) find(m *httpmsg.Request) (e *errand, clear bool) {
	if m.Method == "CONNECT" {
		return nil, true
	}
	host, port, err := httpmsg.ParseAuthority(m.Authority)
	if err != nil {
		return nil, false
	}
	target, err := httpmsg.ParseTarget(m.Target)
	if err != nil {
		return nil, false
	}
	about := policy.Request{Host: host, Port: port, Path: target.Path, Method: m.Method, Header: m.Header}
	for _, e := range r.entries {
		if e.matcher.Matches(&about) {
			return e, true
		}
	}
	return nil, true
}

// exchange has the caller's token, which the application passes on, exchanged
// for one that is good for this call (RFC 8693).
func (r *relay) exchange(m *httpmsg.Request, e *errand) (Verdict, Flow) {
	cred, err := bearer.Read(m.Header, "")
	if err != nil || cred.Token == "" || cred.DPoP {
		return r.refuse(m, 401, "subject_token_missing"), nil
	}
	return r.withToken(m, &want{e, r.traded, e.question + cred.Token, func(env flow.Env) (oidc.Tokens, error) {
		return e.provider.ExchangeToken(env, cred.Token, e.grant)
	}})
}

// want is a token that a request is to have.
type want struct {
	errand   *errand
	from     *shared.Once
	question string
	get      func(flow.Env) (oidc.Tokens, error)
}

// withToken lets a request go on with a token: one that is known, which is
// renewed meanwhile where it is time for that, or one that is asked for.
func (r *relay) withToken(m *httpmsg.Request, w *want) (Verdict, Flow) {
	now := r.g.now()
	if answer, _, ok := w.from.Peek(w.question, now); ok {
		t := readRelayed(answer)
		if !now.Before(t.renew) {
			r.renewSoon(w, now)
		}
		return t.verdict(), nil
	}
	return Verdict{}, func(env flow.Env) Verdict {
		answer, err := w.from.Ask(env, w.question, relayLimit, w.ask)
		switch {
		case errors.Is(err, flow.ErrCanceled):
			return Verdict{} // nobody is there to be answered
		case err != nil:
			return r.unanswered(m, w.errand, err)
		}
		return readRelayed(answer).verdict()
	}
}

// renewSoon has the next token fetched at the next tick, while the last one is
// good, unless somebody is at it or has just failed.
func (r *relay) renewSoon(w *want, now time.Time) {
	notBefore, tried := r.ahead[w.question]
	switch {
	case tried && (notBefore.IsZero() || now.Before(notBefore)):
		return
	case !tried && len(r.ahead) >= maxAhead:
		maps.DeleteFunc(r.ahead, func(_ string, t time.Time) bool { return !t.IsZero() && !now.Before(t) })
		return
	}
	r.ahead[w.question] = time.Time{}
	r.due = append(r.due, func(env flow.Env) { r.renew(env, w) })
}

func (r *relay) renew(env flow.Env, w *want) {
	r.ahead[w.question] = env.Now().Add(relayPause) // whatever comes of it
	if _, err := w.from.Renew(env, w.question, relayLimit, w.ask); err != nil {
		r.g.failureOf(w.errand.provider, "", err)
		r.ahead[w.question] = env.Now().Add(relayPause)
		return
	}
	delete(r.ahead, w.question)
}

// takeDue returns the renewals that are to begin now.
func (r *relay) takeDue() []flow.Func {
	due := r.due
	r.due = nil
	return due
}

// ask asks the provider for a token and writes down what workers share.
func (w *want) ask(env flow.Env) ([]byte, time.Time, error) {
	asked := env.Now()
	t, err := w.get(env)
	if err != nil {
		return nil, time.Time{}, err
	}
	lifetime := t.Lifetime
	if lifetime == 0 {
		lifetime = usualLifetime
	}
	// A token that expires on its way is of no use to anybody.
	good := asked.Add(lifetime - min(10*time.Second, lifetime/10))
	ahead := asked.Add(lifetime - min(2*time.Minute, lifetime/4))
	return relayed{ahead, t.Access}.bytes(), good, nil
}

// unanswered answers a request for which no token is to be had.
func (r *relay) unanswered(m *httpmsg.Request, e *errand, err error) Verdict {
	r.g.failureOf(e.provider, m.ID(), err)
	if oidc.Temporary(err) || errors.Is(err, flow.ErrTimeout) {
		return r.refuse(m, 503, "token_unavailable")
	}
	// RFC 8693, section 2.2.2, has invalid_request for a caller's token that is
	// not good; there are providers that say invalid_grant.
	why := oidc.Reason(err)
	if e.settings.Grant == exchange && (why == "provider_invalid_request" || why == "provider_invalid_grant") {
		return r.refuse(m, 401, "subject_token_refused")
	}
	return r.refuse(m, 502, "token_refused")
}

func (r *relay) refuse(m *httpmsg.Request, status int, reason string) Verdict {
	r.g.tell(m, EventOutboundRefused, reason)
	f := failure{status: status, reason: reason}
	if status == 503 {
		f.retryAfter = retryAfter
	}
	return r.g.fail(&request{Request: m}, f)
}

// relayed is a token as workers share it.
type relayed struct {
	renew time.Time // when it is time for the next one
	token string
}

func (t relayed) bytes() []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(t.renew.UnixMilli())), t.token...)
}

func readRelayed(b []byte) relayed {
	if len(b) < 8 {
		return relayed{}
	}
	return relayed{time.UnixMilli(int64(binary.BigEndian.Uint64(b))), string(b[8:])}
}

func (t relayed) verdict() Verdict {
	if t.token == "" {
		return Verdict{}
	}
	return Verdict{Forward: &Forward{Plain: true, Set: httpmsg.Fields{{Name: "authorization", Value: "Bearer " + t.token}}}}
}
