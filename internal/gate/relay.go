package gate

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"
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
	tokens  *shared.Once
	unknown bool // it was told that a listener does not say what it is for
}

// errand is one entry of the settings.
type errand struct {
	settings *config.Outbound
	matcher  policy.Matcher
	provider *oidc.Provider
	grant    oidc.Grant
	question string // what the token is asked for, for all workers

	retry    time.Time // not to be renewed ahead of time before
	renewing bool
}

const (
	// relaySlots is how many tokens workers share.
	relaySlots = 256
	// relayLimit is how long a request waits for a token.
	relayLimit = 30 * time.Second
	// relayPause is how long we wait after a token could not be renewed ahead.
	relayPause = 5 * time.Second
	// usualLifetime is that of a token whose provider does not say.
	usualLifetime = time.Minute
)

func newRelay(g *Gate, sealer shared.Sealer) *relay {
	r := &relay{g: g, tokens: shared.NewOnce(sealer, "outbound", relaySlots)}
	for i := range g.settings.Outbound {
		o := &g.settings.Outbound[i]
		e := &errand{
			settings: o, matcher: policy.NewMatcher(o.Match), provider: g.providers[o.Provider],
			grant: oidc.Grant{Scopes: o.Scopes, Audiences: o.Audiences, Resources: o.Resources},
		}
		e.question = e.name()
		r.entries = append(r.entries, e)
	}
	return r
}

// name stands for what a token is asked for: a configuration that asks for
// something else is not given this one's.
func (e *errand) name() string {
	h := sha256.New()
	p := e.provider.Settings()
	for _, list := range [][]string{{p.Issuer, p.ClientID, e.settings.Grant}, e.grant.Scopes, e.grant.Audiences, e.grant.Resources} {
		h.Write([]byte(strconv.Itoa(len(list))))
		for _, word := range list {
			h.Write([]byte(" " + strconv.Itoa(len(word)) + " " + word))
		}
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
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
	e := r.find(m)
	if e == nil {
		return Verdict{Forward: &Forward{Plain: true}}, nil
	}
	if e.settings.Grant == "token_exchange" {
		return r.exchange(m, e)
	}
	if _, has := m.Header.Get("authorization"); has && e.settings.Existing == "keep" {
		return Verdict{Forward: &Forward{Plain: true}}, nil
	}
	return r.withToken(m, e, e.question, func(env flow.Env) (oidc.Tokens, error) {
		return e.provider.ClientCredentials(env, e.grant)
	})
}

// find returns the entry that a request is for, or nil. A request that can be
// read in two ways is none's: it passes without a token.
func (r *relay) find(m *httpmsg.Request) *errand {
	host, port, err := httpmsg.ParseAuthority(m.Authority)
	if err != nil || m.Method == "CONNECT" {
		return nil
	}
	target, err := httpmsg.ParseTarget(m.Target)
	if err != nil {
		return nil
	}
	about := policy.Request{Host: host, Port: port, Path: target.Path, Method: m.Method}
	for _, e := range r.entries {
		if e.matcher.Matches(&about) {
			return e
		}
	}
	return nil
}

// exchange has the caller's token, which the application passes on, exchanged
// for one that is good for this call (RFC 8693).
func (r *relay) exchange(m *httpmsg.Request, e *errand) (Verdict, Flow) {
	cred, err := bearer.Read(m.Header, "")
	if err != nil || cred.Token == "" || cred.DPoP {
		return r.refuse(m, 401, "subject_token_missing"), nil
	}
	sum := sha256.Sum256([]byte(cred.Token))
	return r.withToken(m, e, e.question+" "+string(sum[:]), func(env flow.Env) (oidc.Tokens, error) {
		return e.provider.ExchangeToken(env, cred.Token, e.grant)
	})
}

// withToken lets a request go on with a token: one that is known, which is
// renewed meanwhile where it is time for that, or one that is asked for.
func (r *relay) withToken(m *httpmsg.Request, e *errand, question string, get func(flow.Env) (oidc.Tokens, error)) (Verdict, Flow) {
	now := r.g.now()
	if answer, good, ok := r.tokens.Peek(question, now); ok {
		t := readRelayed(answer)
		v := t.verdict()
		if now.Before(t.renew) || e.renewing || now.Before(e.retry) || !now.Before(good) {
			return v, nil
		}
		return Verdict{}, func(env flow.Env) Verdict {
			e.renewing = true
			env.Go(func(env flow.Env) { r.renew(env, e, question, get) })
			return v
		}
	}
	return Verdict{}, func(env flow.Env) Verdict {
		answer, err := r.tokens.Ask(env, question, relayLimit, r.asking(get))
		switch {
		case errors.Is(err, flow.ErrCanceled):
			return Verdict{} // nobody is there to be answered
		case err != nil:
			return r.unanswered(m, e, err)
		}
		return readRelayed(answer).verdict()
	}
}

// renew gets the next token while the last one is good.
func (r *relay) renew(env flow.Env, e *errand, question string, get func(flow.Env) (oidc.Tokens, error)) {
	defer func() { e.renewing = false }()
	if _, err := r.tokens.Renew(env, question, relayLimit, r.asking(get)); err != nil {
		r.g.failureOf(e.provider, "", err)
		e.retry = env.Now().Add(relayPause)
	}
}

// asking asks the provider for a token and writes down what workers share.
func (r *relay) asking(get func(flow.Env) (oidc.Tokens, error)) shared.Asker {
	return func(env flow.Env) ([]byte, time.Time, error) {
		asked := env.Now()
		t, err := get(env)
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
	if e.settings.Grant == "token_exchange" && (why == "provider_invalid_request" || why == "provider_invalid_grant") {
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
