package gate

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/bearer"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/session"
)

// maxTokenFlows is how many requests of one worker may wait for what is to be
// found out about their tokens. A host lets more than that wait in all: tokens
// can be made up, and people who sign in, or whose session is due, must not find
// every place taken by them.
const maxTokenFlows = 1024

// withToken goes on with whom a token speaks for, or with nil and the error that
// says why it is not accepted. A token that was seen before needs no flow.
func (g *Gate) withToken(q *request, cred bearer.Credential, then func(*bearer.Caller, error) (Verdict, Flow)) (Verdict, Flow) {
	p := &peer{g: g, q: q}
	if cred.DPoP {
		p.method, p.address = g.proven(q)
	}
	if t := g.tokens.Known(cred.Token, g.now()); t != nil {
		return then(g.fromSender(q, cred, p, t))
	}
	if g.callers >= maxTokenFlows {
		return g.Busy(q.Request), nil
	}
	p.settle()
	return Verdict{}, func(env flow.Env) Verdict {
		g.callers++
		defer func() { g.callers-- }()
		t, err := g.tokens.Verify(env, cred.Token)
		switch {
		case errors.Is(err, flow.ErrCanceled):
			return Verdict{} // nobody is there to be answered
		case err == nil:
			t, err = g.fromSender(q, cred, p, t)
		}
		return carry(env)(then(t, err))
	}
}

// fromSender makes sure that a good token comes from whom it was given to.
func (g *Gate) fromSender(q *request, cred bearer.Credential, p *peer, t *bearer.Caller) (*bearer.Caller, error) {
	s := bearer.Sender{Token: cred.Token, DPoP: cred.DPoP, Header: q.Header, Peer: p}
	now := g.now()
	if cred.DPoP {
		// Workers are not to differ about whether a proof is good still.
		now = g.clock()
		s.Method, s.Address = p.method, p.address
	}
	if err := g.tokens.CheckSender(t, &s, now); err != nil {
		return nil, err
	}
	g.tallies.tokens++
	return t, nil
}

// decideToken decides a request that brings a token.
func (g *Gate) decideToken(q *request, t *bearer.Caller, err error) (Verdict, Flow) {
	if err != nil {
		return g.tokenRefused(q, err)
	}
	w := who{caller: t}
	d := q.need.Check(&t.Subject, g.now(), g.providers[t.Provider].Leeway())
	if d == nil {
		return g.pass(q, w), nil
	}
	return g.no(q, w, EventAccessDenied, d.Reason, func() (Verdict, Flow) {
		return g.fail(q, tokenLacks(q.need.Rule, d)), nil
	})
}

// tokenLacks is the answer to a good token that is not good enough.
func tokenLacks(rule string, d *policy.Denial) failure {
	f := failure{status: 403, reason: d.Reason, denial: d, rule: rule}
	if d.Cure != nil {
		f.wants(d.Cure)
	}
	return f
}

// spend takes a token out of a request whose application is not to have it.
func (g *Gate) spend(q *request, f *Forward) {
	f.Remove = append(slices.Clip(f.Remove), "authorization")
	if _, sent := q.Header.Get("dpop"); sent {
		f.Remove = append(f.Remove, "dpop")
	}
}

// saidIn are the claims of a provider's token, and whether the address among them
// was not verified: then it is not among them.
func (g *Gate) saidIn(token []byte, provider string) (claims map[string]session.Claim, not bool) {
	p, w := g.providers[provider], g.wanted[provider]
	said, err := p.Vouched(token)
	not = err != nil || unverified(p.Settings(), said)
	claims, _ = pick(w.paths, token)
	w.believe(claims, !not)
	return claims, not
}

// identifyToken fills in what the application is told of a token's caller.
func (g *Gate) identifyToken(c *bearer.Caller, raw string) {
	claims, unverified := g.saidIn(c.Token.Claims, c.Provider)
	if claims["user"].First() == "" {
		claims["user"] = session.Claim{Values: []string{cmp.Or(c.Token.Subject, c.Token.ClientID)}}
	}
	c.Subject = policy.Subject{
		Provider: c.Provider, ClientID: c.Token.ClientID, Claims: claims, Scopes: c.Token.Scopes,
		ACR: c.Token.ACR, AMR: c.Token.AMR, AuthTime: c.Token.AuthTime, Unverified: unverified,
		Questions: g.wanted[c.Provider].questions,
	}
	c.Identity = g.identity(claims, schemeOf(c), raw)
	if name := c.ClientIDHeader(); name != "" {
		// It goes on only where the request's own field was the same, letter by
		// letter.
		c.Identity = append(c.Identity, httpmsg.Field{Name: name, Value: c.Token.ClientID})
	}
	c.Notes, c.NotesSize = &told{}, g.room(c.Identity)
}

// tokenRefused answers a request for the application whose token is not
// accepted.
func (g *Gate) tokenRefused(q *request, err error) (Verdict, Flow) {
	return g.no(q, who{}, EventTokenRefused, tokenReason(err), func() (Verdict, Flow) { return g.tokenFailure(q, err), nil })
}

// tokenReason says why a token is not accepted, for the log.
func tokenReason(err error) string {
	var r *bearer.Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	if oidc.Temporary(err) {
		return oidc.Reason(err)
	}
	return "internal"
}

// tokenFailure says to whoever brought a token that it is not accepted.
func (g *Gate) tokenFailure(q *request, err error) Verdict {
	var r *bearer.Refusal
	if !errors.As(err, &r) {
		if !oidc.Temporary(err) {
			return g.fail(q, failure{status: 500, reason: "internal"})
		}
		return g.fail(q, failure{status: 503, reason: "token_unverifiable", retryAfter: retryAfter})
	}
	f := failure{status: 401, reason: r.Code, code: r.Code, scope: strings.Join(r.Scopes, " ")}
	switch r.Code {
	case bearer.InvalidRequest:
		f.status = 400
	case bearer.InsufficientScope:
		f.status = 403
	case bearer.InvalidToken:
		if r.Reason == "expired" {
			f.cause = r.Reason // what a caller can act on, by getting another one
		}
	}
	v := g.fail(q, f)
	if r.Code == bearer.UseNonce || r.Code == bearer.InvalidProof {
		if nonce := g.tokens.Nonce(g.now()); nonce != "" {
			v.Respond.Header = append(v.Respond.Header, httpmsg.Field{Name: "dpop-nonce", Value: nonce})
		}
	}
	return v
}

// quotable writes a text as it may stand in a quoted string (RFC 9110, section
// 5.6.4): a level of authentication may have any visible character.
var quotable = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// challenges are the ways to authenticate that an answer names (RFC 6750,
// section 3; RFC 9449, section 7.1; RFC 9728, section 5.1).
func (g *Gate) challenges(q *request, f *failure) (fields httpmsg.Fields) {
	var params []string
	add := func(name, value string) {
		if value != "" {
			params = append(params, name+`="`+quotable.Replace(value)+`"`)
		}
	}
	add("error", f.code)
	if f.cause == "expired" {
		add("error_description", "The token has expired.")
	}
	scope := f.scope
	if scope == "" && f.code == "" && g.tokens != nil {
		scope = strings.Join(g.settings.Resource.Scopes, " ")
	}
	add("scope", scope)
	add("acr_values", f.acr)
	if f.maxAge > 0 {
		add("max_age", strconv.FormatInt(f.maxAge, 10))
	}
	if q.authority.ours && g.tokens != nil {
		add("resource_metadata", g.origin(q)+resourcePath+g.resourceOf(q))
	}
	proof := f.code == bearer.InvalidProof || f.code == bearer.UseNonce || g.tokens != nil && g.tokens.OnlyDPoP()
	if !proof {
		return httpmsg.Fields{{Name: "www-authenticate", Value: strings.TrimSpace("Bearer " + strings.Join(params, ", "))}}
	}
	add("algs", strings.Join(bearer.ProofAlgorithms(), " "))
	return httpmsg.Fields{{Name: "www-authenticate", Value: "DPoP " + strings.Join(params, ", ")}}
}
