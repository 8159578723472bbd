package sealed

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/session"
)

// SessionView is what a session holds, without its tokens.
type SessionView struct {
	Provider   string                   `json:"provider"`
	Issuer     string                   `json:"issuer"`
	ClientID   string                   `json:"client_id"`
	Subject    string                   `json:"subject"`
	SID        string                   `json:"sid,omitempty"`
	Realm      string                   `json:"realm,omitempty"`
	Claims     map[string]session.Claim `json:"claims,omitempty"`
	Scopes     []string                 `json:"scopes,omitempty"` // where they are others than the settings ask for
	ACR        string                   `json:"acr,omitempty"`
	AMR        []string                 `json:"amr,omitempty"`
	Unverified bool                     `json:"email_unverified,omitempty"`
	Enriched   []string                 `json:"enriched,omitempty"`
	Asked      *Asked                   `json:"asked,omitempty"` // what the login was to bring beyond a usual one
	Generation int                      `json:"generation"`

	SignedIn      time.Time  `json:"signed_in"`
	Confirmed     time.Time  `json:"confirmed"`
	Seen          time.Time  `json:"seen"`
	Authenticated *time.Time `json:"authenticated,omitempty"` // at the provider
	Ends          *time.Time `json:"ends,omitempty"`          // not known without settings
	EndsBy        string     `json:"ends_by,omitempty"`

	Tokens []Token `json:"tokens,omitempty"`
}

// Asked is what a login was to bring.
type Asked struct {
	Scopes []string `json:"scopes,omitempty"`
	ACR    []string `json:"acr,omitempty"`
	MaxAge int64    `json:"max_age,omitempty"`
	Prompt string   `json:"prompt,omitempty"`
	Enrich []string `json:"enrich,omitempty"`
}

// asked is what a step asks for, or nil.
func asked(s session.Step) *Asked {
	if s.IsZero() {
		return nil
	}
	return &Asked{s.Scopes, s.ACR, s.MaxAge, s.Prompt, s.Enrich}
}

// Token is what is told of a token.
type Token struct {
	Name    string     `json:"name"`
	Form    string     `json:"form"` // JWT, or opaque
	Bytes   int        `json:"bytes"`
	Expires *time.Time `json:"expires,omitempty"`
	Hash    string     `json:"sha256_prefix"` // by which it can be told from another
}

// usualBudget is the default of session.max_bytes.
const usualBudget = 12288

// session opens the cookies of one session. A name of "" is none.
func (o *Opener) session(f *Finding, reader *session.Reader, name string) {
	f.Budget = usualBudget
	if o.Settings != nil {
		f.Budget = o.Settings.Session.MaxBytes
		if own := o.Settings.Session.Cookie.Name; name != "" && name != own {
			f.problem(ReasonName, "it may be of another gate, or from before the setting was changed", "the settings name the cookie %s, and this one is %s", own, name)
		}
	}
	chunks, err := reader.Chunks()
	switch {
	case errors.Is(err, session.ErrTossed):
		f.problem(ReasonTwice, "the gate takes neither and clears both; look which host or domain set the other", "one name came twice")
		return
	case err != nil:
		f.problem(ReasonParts, "give all cookies whose names begin like this one, whole: "+partsHint(name), "parts are missing, or not whole")
		return
	}
	if chunks.IsTicket() {
		o.stored(f, chunks.Join())
		return
	}
	if e := compact(chunks.Join()); e != nil && e.purpose != session.PurposeSession {
		f.problem(ReasonName, "", "it is no session but a value for another purpose (%s)", e.purpose)
		return
	}
	plain := o.unseal(f, chunks.Join())
	if plain == nil {
		return
	}
	var s session.Session
	if json.Unmarshal(plain, &s) != nil {
		f.problem(ReasonSealed, "", "it opens, and what is in it is no session that this version knows")
		return
	}
	f.Session = view(&s)
	o.judge(f, &s)
}

func partsHint(name string) string {
	if name == "" {
		return "in their order"
	}
	return name + ", " + name + "-1, …"
}

// stored tells of a ticket for a session that is kept in Redis.
func (o *Opener) stored(f *Finding, ticket string) {
	f.Kind = "stored session"
	if o.ring == nil {
		f.problem(ReasonOtherKey, o.keyHint("ID"), "it cannot be told whether it is real: no keys were given")
		return
	}
	t, err := o.ring.ParseStored(ticket)
	if err != nil {
		f.problem(ReasonSealed, "hold the keys of the gate that made it against these", "none of the keys made it, or it was changed")
		return
	}
	f.detail("name in the store", "%s", t.Name())
	f.problem(ReasonStored, "what is in it is in Redis, behind session.store.webdis", "it is a ticket: the session itself is not in the browser")
}

// judge says what a gate with the settings would make of a session.
func (o *Opener) judge(f *Finding, s *session.Session) {
	v := f.Session
	if s.Until != 0 {
		v.end(s.Until.Time(), "what the provider said")
	}
	if o.Settings == nil {
		o.past(f)
		return
	}
	set := &o.Settings.Session
	v.end(v.SignedIn.Add(set.Lifetime.Std()), "session.lifetime")
	if idle := set.Idle.Std(); idle > 0 {
		v.end(v.Seen.Add(idle), "session.idle")
	}
	o.past(f)
	if v.SignedIn.Before(set.NotBefore.Time) {
		f.problem(ReasonBefore, "", "it began before session.not_before, %s", set.NotBefore.Format(time.RFC3339))
	}
	o.known(f)
}

// end brings the end forward.
func (v *SessionView) end(at time.Time, by string) {
	if v.Ends == nil || at.Before(*v.Ends) {
		v.Ends, v.EndsBy = &at, by
	}
}

func (o *Opener) past(f *Finding) {
	if v := f.Session; v.Ends != nil && !o.Now.Before(*v.Ends) {
		f.problem(ReasonExpired, "", "it is past its end, by %s", v.EndsBy)
	}
	if o.Now.Before(f.Session.SignedIn.Add(-30 * time.Second)) {
		f.problem(ReasonExpired, "look at the clocks", "it began in the future")
	}
}

// known holds the session's provider against those of the settings.
func (o *Opener) known(f *Finding) {
	v := f.Session
	var names []string
	for i := range o.Settings.Providers {
		p := &o.Settings.Providers[i]
		names = append(names, p.Name)
		if p.Name != v.Provider {
			continue
		}
		if p.ClientID != v.ClientID {
			f.problem(ReasonForeign, "", "it is of the client %q of %s, and the settings have %q", v.ClientID, p.Name, p.ClientID)
		} else if fixed := p.Issuer != "" && p.Type != "entra" && p.Type != "google"; fixed && p.Issuer != v.Issuer {
			f.problem(ReasonForeign, "", "it is of the issuer %s, and the settings have %s", v.Issuer, p.Issuer)
		}
		return
	}
	f.problem(ReasonForeign, "", "it is of the provider %q, which is not among those of the settings: %s", v.Provider, strings.Join(names, ", "))
}

// view is a session as it may be shown.
func view(s *session.Session) *SessionView {
	v := &SessionView{
		Provider: s.Provider, Issuer: s.Issuer, ClientID: s.ClientID, Subject: s.Subject, SID: s.SID, Realm: s.Realm,
		Claims: s.Claims, Scopes: s.Scopes, ACR: s.ACR, AMR: s.AMR, Unverified: s.Unverified, Enriched: s.Enriched,
		Asked: asked(s.Asked), Generation: s.Generation,
		SignedIn: s.Begun.Time().UTC(), Confirmed: s.Confirmed.Time().UTC(), Seen: s.Seen.Time().UTC(),
		Authenticated: seconds(s.AuthTime),
	}
	v.Tokens = slices.Concat(token("access token", s.AccessToken, s.AccessExpires), token("refresh token", s.RefreshToken, 0), token("ID token", s.IDToken, 0))
	return v
}

// seconds is a time in seconds since 1970; nil for 0.
func seconds(n int64) *time.Time {
	if n == 0 {
		return nil
	}
	t := time.Unix(n, 0).UTC()
	return &t
}

// token tells of a token, where there is one.
func token(name, text string, expires int64) []Token {
	if text == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(text))
	t := Token{Name: name, Form: "opaque", Bytes: len(text), Expires: seconds(expires), Hash: hex.EncodeToString(sum[:6])}
	if parts := strings.Split(text, "."); len(parts) == 3 {
		var claims struct {
			Exp float64 `json:"exp"`
		}
		if body, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil && json.Unmarshal(body, &claims) == nil {
			t.Form = "JWT"
			if t.Expires == nil {
				t.Expires = seconds(int64(claims.Exp))
			}
		}
	}
	return []Token{t}
}
