package idp

import (
	"net/http"
	"strings"
)

const sessionCookie = "idp_session"

// startSession signs a person in at the provider, under a new id each time.
func (p *Provider) startSession(w http.ResponseWriter, user *User, level int, a *authorization) *session {
	now := p.now()
	s := &session{
		id: newToken(), user: user, authTime: now, expires: now.Add(p.cfg.SessionLifetime),
		level: level, signedInFor: a.challenge,
	}
	secret := newToken()
	p.mu.Lock()
	p.store.sweep(now)
	p.store.sessions[secret] = s
	p.mu.Unlock()
	p.setCookie(w, secret, 0)
	return s
}

func (p *Provider) setCookie(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: value, MaxAge: maxAge,
		Path:     strings.TrimSuffix(p.issuer.Path, "/") + "/",
		Secure:   p.issuer.Scheme == "https",
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (p *Provider) currentSession(r *http.Request) *session {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.store.sessions[cookie.Value]
	if s == nil || !s.expires.After(p.now()) {
		return nil
	}
	return s
}

// EndSessions signs everybody out at the provider and revokes their tokens, as
// an administrator would.
func (p *Provider) EndSessions() {
	p.end(func(string, *session) bool { return true })
}

// EndSession signs one person out everywhere, as an administrator would, and
// returns how many sessions that were.
func (p *Provider) EndSession(username string) int {
	return p.end(func(_ string, s *session) bool { return s.user.PreferredUsername == username })
}

// end ends sessions and tells the clients that took part in them.
func (p *Provider) end(chosen func(secret string, s *session) bool) int {
	p.mu.Lock()
	ended := p.store.endSessions(chosen)
	p.mu.Unlock()
	for _, s := range ended {
		p.tellClients(s) // without the lock: a client may ask us something first
	}
	return len(ended)
}
