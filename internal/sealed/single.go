package sealed

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/session"
)

// How long what is on its way is good for, where package session does not say.
const (
	startLifetime   = 5 * time.Minute
	signOutLifetime = time.Hour
	usualLogin      = 15 * time.Minute // the default of sign_in.login_timeout
)

// single opens what is not a session; nil where it is not ours.
func (o *Opener) single(v Value) *Finding {
	f := &Finding{Host: v.Host, Sizes: []int{len(v.Text)}}
	if v.Name != "" {
		f.Names = []string{v.Name}
	}
	e := compact(v.Text)
	if e == nil {
		return choice(f, v)
	}
	open, ours := map[session.Purpose]func(*Finding, []byte) bool{
		session.PurposeBinding: o.binding,
		session.PurposeState:   o.state,
		session.PurposeStart:   o.start,
		session.PurposeTicket:  o.ticket,
		session.PurposeSignOut: o.signOut,
		session.PurposeNeed:    o.need,
	}[e.purpose]
	f.Kind = string(e.purpose)
	switch {
	case e.purpose == session.PurposeSession:
		f.problem(ReasonParts, "a session's first cookie begins with the number of its cookies and a dot", "it is a session without its beginning")
		return f
	case !ours:
		f.problem(ReasonNotOurs, "it may be of a newer version", "its purpose %q is not known", e.purpose)
		return f
	}
	if plain := o.unseal(f, v.Text); plain != nil && !open(f, plain) {
		f.problem(ReasonSealed, "", "it opens, and what is in it is nothing that this version knows")
	}
	return f
}

// choice is the cookie that remembers a provider, which is not sealed.
func choice(f *Finding, v Value) *Finding {
	if !strings.HasSuffix(v.Name, "postern-provider") {
		return nil
	}
	f.Kind = "choice"
	f.detail("provider", "%s", v.Text)
	return f
}

// aged notes when something was made, and whether it is still good.
func (o *Opener) aged(f *Finding, what string, at int64, lifetime time.Duration) {
	made := time.Unix(at, 0).UTC()
	ends := made.Add(lifetime)
	f.detail(what, "%s", made.Format(time.RFC3339))
	f.detail("good until", "%s", ends.Format(time.RFC3339))
	if !o.Now.Before(ends) {
		f.problem(ReasonExpired, "", "it was good for %s, until %s", lifetime, ends.Format(time.RFC3339))
	}
}

func (o *Opener) binding(f *Finding, plain []byte) bool {
	var b session.Binding
	if json.Unmarshal(plain, &b) != nil {
		return false
	}
	f.Kind = "login binding"
	o.aged(f, "made", b.Made, session.BindingLifetime)
	if b.Previous != nil {
		f.detail("remembers", "the binding before it")
	}
	if n := len(b.Settled); n > 0 {
		f.detail("sessions that did not arrive", "%d, the last of %d bytes", n, b.Bytes)
	}
	return true
}

func (o *Opener) state(f *Finding, plain []byte) bool {
	var l session.Login
	if json.Unmarshal(plain, &l) != nil {
		return false
	}
	f.Kind = "login state"
	f.detail("provider", "%s", l.Provider)
	f.detail("leads to", "%s", l.Destination())
	lifetime := usualLogin
	if o.Settings != nil {
		lifetime = o.Settings.SignIn.LoginTimeout.Std()
	}
	o.aged(f, "begun", l.Begun, lifetime)
	f.detail("binding made", "%s", time.Unix(l.BoundAt, 0).UTC().Format(time.RFC3339))
	if l.Attempt > 0 {
		f.detail("begun anew", "%d times", l.Attempt)
	}
	o.application(f, l.App)
	steps(f, l.Asks())
	return true
}

func (o *Opener) start(f *Finding, plain []byte) bool {
	var s session.Start
	if json.Unmarshal(plain, &s) != nil {
		return false
	}
	f.Kind = "start of a login"
	if s.Provider != "" {
		f.detail("provider", "%s", s.Provider)
	}
	f.detail("leads to", "%s", s.Return)
	o.aged(f, "made", s.Made, startLifetime)
	o.application(f, s.App)
	steps(f, s.Step)
	return true
}

func (o *Opener) ticket(f *Finding, plain []byte) bool {
	var t session.Ticket
	if json.Unmarshal(plain, &t) != nil {
		return false
	}
	f.Kind = "ticket"
	f.detail("leads to", "%s", t.Return)
	f.detail("code", "%d bytes", len(t.Code))
	o.aged(f, "made", t.Made, session.TicketLifetime)
	o.application(f, &t.App)
	if _, host, _ := strings.Cut(t.App.Origin, "://"); f.Host != "" && host != f.Host {
		f.problem(ReasonHost, "", "it is for %s, and is in an address of %s", host, f.Host)
	}
	return true
}

func (o *Opener) signOut(f *Finding, plain []byte) bool {
	var s session.SignOut
	if json.Unmarshal(plain, &s) != nil {
		return false
	}
	f.Kind = "sign-out state"
	f.detail("leads to", "%s", s.Return)
	o.aged(f, "made", s.Made, signOutLifetime)
	return true
}

func (o *Opener) need(f *Finding, plain []byte) bool {
	var n session.Need
	if json.Unmarshal(plain, &n) != nil {
		return false
	}
	f.Kind = "need"
	if n.Renew {
		f.detail("wants", "the session renewed")
	}
	o.aged(f, "made", n.Made, session.NeedLifetime)
	steps(f, n.Step)
	return true
}

// application notes whose login it is, where the answer arrives at another host.
func (o *Opener) application(f *Finding, a *session.Application) {
	if a == nil {
		return
	}
	f.detail("for", "%s", a.Origin)
	f.detail("key of the login", "%s", a.Key)
}

// steps notes what a login is to bring.
func steps(f *Finding, s session.Step) {
	for _, list := range []struct {
		name  string
		words []string
	}{{"scopes beside", s.Scopes}, {"acr_values", s.ACR}, {"questions", s.Enrich}} {
		if len(list.words) > 0 {
			f.detail(list.name, "%s", strings.Join(list.words, " "))
		}
	}
	if s.MaxAge > 0 {
		f.detail("max_age", "%s", time.Duration(s.MaxAge)*time.Second)
	}
	if s.Prompt != "" {
		f.detail("prompt", "%s", s.Prompt)
	}
}
