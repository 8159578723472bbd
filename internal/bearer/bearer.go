// Package bearer decides about the tokens that services and scripts send: whose
// they are, whether they are good here and now, and whether they come from whom
// they were given to.
//
// Each token is judged by the one provider that it names; it is never shown to
// another one, nor verified with another one's keys. A token that was accepted
// is remembered until it expires or its key is withdrawn, so that it costs no
// cryptography a second time; what was refused never pushes a good one out. The
// package says why it refuses by a code of the specifications for the caller
// and a reason for the log, and repeats nothing of a token in either.
//
// It follows RFC 6750 (bearer tokens), RFC 7662 and RFC 9701 (introspection),
// RFC 8705 (certificate-bound tokens), RFC 9068 (JWT access tokens) and RFC
// 9449 (DPoP).
package bearer

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/session"
	"github.com/postern-auth/postern/internal/shared"
)

// Caller is who a token speaks for.
type Caller struct {
	Provider string // the provider's name in the settings
	Token    *oidc.AccessToken
	// Identity is what the application is told, and Subject whom rules see: both
	// as Config.Identify made them.
	Identity httpmsg.Fields
	Subject  policy.Subject
	// Notes are what else whoever made them wants to keep with them, and NotesSize
	// is how many bytes they may come to take.
	Notes     any
	NotesSize int

	entry *entry
	until time.Time // when what is known of it is to be looked at anew
}

// Config is what a Verifier is made of.
type Config struct {
	Settings *config.Config
	// Provider returns the provider of a name.
	Provider func(name string) *oidc.Provider
	Sealer   shared.Sealer // of what workers share
	// Identify fills in a caller's Identity and Subject; it is told the token as
	// it was sent.
	Identify func(c *Caller, token string)
}

// Verifier decides about tokens. It is used from one thread.
type Verifier struct {
	entries  []*entry
	byIssuer map[string]*entry
	opaque   *entry // whom a token is shown that names nobody
	identify func(*Caller, string)
	cache    *session.Cache[*Caller]
	answers  *shared.Once
	proofs   *shared.Seen
	nonces   Nonces
	asking   int // introspections under way
}

// entry is one of the settings' entries.
type entry struct {
	settings *config.Bearer
	provider *oidc.Provider
	question string // what an introspection depends on, beside the token
}

func newEntry(b *config.Bearer, p *oidc.Provider) *entry {
	set := &b.Introspection
	// An answer is for whoever would have asked the same: other settings may
	// have another provider, or want it signed or newer.
	return &entry{b, p, strings.Join([]string{
		p.Issuer(), p.Settings().ClientID, strconv.FormatBool(set.JWT), set.Cache.String(), set.NegativeCache.String(), "",
	}, "\n")}
}

const (
	// maxAsking is how many introspections of one worker may be under way,
	// however many wait for each: tokens that are made up must not use up what
	// everybody needs.
	maxAsking = 256
	// answerSlots is how many answers workers share.
	answerSlots = 256
	// proofSlots and proofPlaces bound how many proofs are remembered: 65536 of
	// one window.
	proofSlots, proofPlaces = 2048, 32
)

// New returns a Verifier, or nil where the settings accept no tokens.
func New(c Config) *Verifier {
	if len(c.Settings.Bearer) == 0 {
		return nil
	}
	v := &Verifier{
		byIssuer: map[string]*entry{}, identify: c.Identify,
		cache:   session.NewCache[*Caller](c.Settings.BearerCacheBytes),
		answers: shared.NewOnce(c.Sealer, "introspection", answerSlots),
		proofs:  shared.NewSeen(c.Sealer, "proof", proofSlots, proofPlaces),
		nonces:  Nonces{Keys: c.Sealer.Keys, Random: c.Sealer.Random},
	}
	v.proofs.Longest = 0
	for i := range c.Settings.Bearer {
		b := &c.Settings.Bearer[i]
		v.proofs.Longest = max(v.proofs.Longest, remembered(b.DPoP.Window.Std()))
		e := newEntry(b, c.Provider(b.Provider))
		v.entries = append(v.entries, e)
		v.byIssuer[e.provider.Issuer()] = e
		if v.opaque == nil && b.Check != "jwt" {
			v.opaque = e
		}
	}
	return v
}

// Known returns the caller of a token that was accepted before and still is
// good, or nil.
func (v *Verifier) Known(token string, now time.Time) *Caller {
	key := session.ChunksOf([]string{token})
	c, hit := v.cache.Get(&key)
	if !hit {
		return nil
	}
	if !now.Before(c.until) || !c.entry.provider.StillGood(c.Token) {
		v.cache.Forget(&key)
		return nil
	}
	return c
}

// Verify decides about a token. The error is a *Refusal, a Failure of package
// oidc that is Temporary, or flow.ErrCanceled.
func (v *Verifier) Verify(env flow.Env, token string) (*Caller, error) {
	if c := v.Known(token, env.Now()); c != nil {
		return c, nil
	}
	e, signed, err := v.judge(token)
	if err != nil {
		return nil, err
	}
	c := &Caller{Provider: e.settings.Provider, entry: e}
	if signed && e.settings.Check != "introspection" {
		c.Token, err = e.provider.VerifyAccessToken(env, token, e.settings)
		if err == nil {
			c.until = c.Token.Expires.Add(e.provider.Leeway())
		}
	} else {
		c.Token, c.until, err = v.introspect(env, e, token)
	}
	if err == nil {
		err = lacksScope(c.Token, e.settings)
	}
	if err != nil {
		return nil, refusal(err)
	}
	v.identify(c, token)
	v.remember(token, c, env.Now())
	return c, nil
}

// lacksScope refuses a good token that is good for less than the settings
// demand.
func lacksScope(t *oidc.AccessToken, set *config.Bearer) error {
	for claim, scopes := range set.RequiredClaims {
		if !oidc.IsScope(claim) {
			continue
		}
		has := slices.ContainsFunc(t.Scopes, func(s string) bool { return len(scopes) == 0 || slices.Contains(scopes, s) })
		if !has {
			return &Refusal{Code: InsufficientScope, Reason: "scope_missing", Scopes: scopes}
		}
	}
	return nil
}

// judge returns the entry that a token belongs to, and whether it is one with a
// signature.
func (v *Verifier) judge(token string) (e *entry, signed bool, err error) {
	issuer, signed := oidc.IssuerOf(token)
	if !signed {
		if v.opaque == nil || strings.HasPrefix(token, "eyJ") && strings.Count(token, ".") == 2 {
			// A signed token that cannot be read may be anybody's, and is shown to
			// nobody.
			return nil, false, refuse(InvalidToken, "not_signed")
		}
		return v.opaque, false, nil
	}
	if e = v.entryOf(issuer); e == nil {
		return nil, true, refuse(InvalidToken, "issuer_unknown")
	}
	return e, true, nil
}

// entryOf is the entry of an issuer: that of the provider whose issuer it is, or
// of the one for several issuers to which it belongs. Nil where there is none.
func (v *Verifier) entryOf(issuer string) *entry {
	if e, ok := v.byIssuer[issuer]; ok {
		return e
	}
	for _, e := range v.entries {
		if e.provider.Speaks(issuer) {
			return e
		}
	}
	return nil
}

// inactive is the answer that stands for a token that is not good.
const inactive = "-"

// introspect asks the provider about a token, once for all who bring it.
func (v *Verifier) introspect(env flow.Env, e *entry, token string) (t *oidc.AccessToken, until time.Time, err error) {
	question := e.question + token
	// Longer than the one who asks may take, to learn the keys first as well.
	limit := 2*e.provider.Settings().Timeout.Std() + oidc.ParkTime
	answer, err := v.answers.Ask(env, question, limit, func(env flow.Env) ([]byte, time.Time, error) {
		if v.asking >= maxAsking {
			return nil, time.Time{}, errTooMany
		}
		v.asking++
		defer func() { v.asking-- }()
		return e.ask(env, token)
	})
	if errors.Is(err, flow.ErrTimeout) {
		err = errNoAnswer
	}
	if err != nil {
		return nil, until, err
	}
	if string(answer) == inactive {
		return nil, until, refuse(InvalidToken, "token_inactive")
	}
	now := env.Now()
	t, err = e.provider.ReadIntrospection(answer, e.settings, now)
	if err != nil {
		return nil, until, err
	}
	// An answer that was shared is no younger here than where it was got.
	_, until, _ = v.answers.Peek(question, now)
	return t, until, nil
}

// ask asks the provider, and says for how long its answer is good.
func (e *entry) ask(env flow.Env, token string) (answer []byte, good time.Time, err error) {
	set := e.settings.Introspection
	answer, err = e.provider.Introspect(env, token, e.settings)
	now := env.Now()
	if oidc.Reason(err) == "token_inactive" {
		return []byte(inactive), now.Add(set.NegativeCache.Std()), nil
	}
	if err != nil {
		return nil, now, err
	}
	good = now.Add(set.Cache.Std())
	t, err := e.provider.ReadIntrospection(answer, e.settings, now)
	if err == nil && !t.Expires.IsZero() && t.Expires.Before(good) {
		good = t.Expires
	}
	return answer, good, nil
}

// remember keeps a caller. One that was not good for longer than this request
// is not kept.
func (v *Verifier) remember(token string, c *Caller, now time.Time) {
	if !now.Before(c.until) {
		return
	}
	size := len(c.Token.Claims) + c.NotesSize
	for _, f := range c.Identity {
		size += len(f.Name) + len(f.Value)
	}
	key := session.ChunksOf([]string{token})
	v.cache.Put(&key, c, size)
}

var (
	// errTooMany says that too many tokens are being asked about at once.
	errTooMany = &oidc.Failure{Step: "introspection", Reason: "too_many_waiting", Temporary: true}
	// errNoAnswer says that whoever asks takes too long.
	errNoAnswer = &oidc.Failure{Step: "introspection", Reason: "no_answer", Temporary: true}
)

// refusal turns what a provider's part in it failed with into a Refusal, unless
// it may succeed in a moment.
func refusal(err error) error {
	var r *Refusal
	switch {
	case errors.As(err, &r), errors.Is(err, flow.ErrCanceled), oidc.Temporary(err):
		return err
	}
	var f *oidc.Failure
	if !errors.As(err, &f) {
		return err
	}
	return refuse(InvalidToken, f.Reason)
}
