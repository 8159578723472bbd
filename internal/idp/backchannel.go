package idp

import (
	"net/url"
	"time"
)

// logoutEvent makes a token a logout token (Back-Channel Logout 1.0, section 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

const logoutTokenLifetime = 2 * time.Minute

// LogoutToken is what one client is told about the end of one session.
type LogoutToken struct {
	Client string // its id
	URI    string // its BackchannelLogoutURI; may be empty
	SID    string
	Raw    string // the signed token
}

// LogoutTokens makes the tokens that would tell clients that a person's
// sessions have ended: one for each session and client. Nothing ends by it, and
// nothing is sent.
func (p *Provider) LogoutTokens(username string) ([]LogoutToken, error) {
	p.mu.Lock()
	var sessions []*session
	for _, s := range p.store.sessions {
		if s.user.PreferredUsername == username {
			sessions = append(sessions, s)
		}
	}
	p.mu.Unlock()
	var all []LogoutToken
	for _, s := range sessions {
		tokens, err := p.logoutTokens(s)
		if err != nil {
			return nil, err
		}
		all = append(all, tokens...)
	}
	return all, nil
}

// EditLogoutToken lets a test spoil the claims of logout tokens before they are
// signed. Nil removes it.
func (p *Provider) EditLogoutToken(f func(claims map[string]any)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.editLogoutToken = f
}

func (p *Provider) logoutTokens(s *session) ([]LogoutToken, error) {
	p.mu.Lock()
	clients, edit := s.clients[:len(s.clients):len(s.clients)], p.editLogoutToken
	p.mu.Unlock()
	var tokens []LogoutToken
	for _, c := range clients {
		raw, err := p.logoutToken(c, s, edit)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, LogoutToken{Client: c.ID, URI: c.BackchannelLogoutURI, SID: s.id, Raw: raw})
	}
	return tokens, nil
}

func (p *Provider) logoutToken(c *Client, s *session, edit func(map[string]any)) (string, error) {
	now := p.now()
	claims := map[string]any{
		"iss": p.cfg.Issuer, "aud": c.ID, "sub": s.user.Subject, "sid": s.id, "jti": newToken(),
		"iat": now.Unix(), "exp": now.Add(logoutTokenLifetime).Unix(),
		"events": map[string]any{logoutEvent: map[string]any{}},
	}
	if edit != nil {
		edit(claims)
	}
	return p.keys.sign(c.Algorithm, "logout+jwt", claims)
}

// tellClients sends the logout tokens of a session that has ended (section
// 2.5). A client that does not answer as section 2.8 asks is counted, no more.
func (p *Provider) tellClients(s *session) {
	if p.cfg.Post == nil {
		return
	}
	tokens, err := p.logoutTokens(s)
	if err != nil {
		p.count("backchannel_logout:failed")
		return
	}
	for _, t := range tokens {
		if t.URI == "" {
			continue
		}
		p.count("backchannel_logout")
		status, err := p.cfg.Post(t.URI, url.Values{"logout_token": {t.Raw}})
		if err != nil || (status != 200 && status != 204) {
			p.count("backchannel_logout:failed")
		}
	}
}
