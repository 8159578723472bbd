package idp

import (
	"net/http"
	"strings"
)

// serveRevocation is RFC 7009. A refresh token takes everything with it that
// grew from the login; an access token ends alone. The hint is not needed.
func (p *Provider) serveRevocation(w http.ResponseWriter, r *http.Request) {
	p.count("revocation")
	client, token, err := p.tokenRequest(r)
	if err == nil {
		err = p.revoke(client, token)
	}
	if err != nil {
		p.refuseToken(w, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

// tokenRequest reads a form with a token, from a client that proves itself.
func (p *Provider) tokenRequest(r *http.Request) (*Client, string, error) {
	form, err := readForm(r)
	if err != nil {
		return nil, "", err
	}
	client, err := p.authenticate(r, form)
	if err != nil {
		return nil, "", err
	}
	if form["token"] == "" {
		return nil, "", refuse("invalid_request", "the token is missing")
	}
	return client, form["token"], nil
}

func (p *Provider) revoke(client *Client, token string) error {
	foreign := refuse("invalid_grant", "the token is another client's")
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.store.refreshes[token]; t != nil {
		if t.grant.client != client {
			return foreign
		}
		t.grant.revoked = true
		return nil
	}
	id := p.tokenID(token)
	if a := p.store.accesses[id]; a != nil {
		if a.grant.client != client {
			return foreign
		}
		delete(p.store.accesses, id)
	}
	return nil // a token that is not known is as good as revoked (section 2.2)
}

// serveIntrospection is RFC 7662, for clients that prove who they are.
func (p *Provider) serveIntrospection(w http.ResponseWriter, r *http.Request) {
	p.count("introspection")
	client, token, err := p.tokenRequest(r)
	if err == nil && client.method() == "none" {
		err = refuse("invalid_client", "a client without a secret may not ask")
	}
	if err != nil {
		p.refuseToken(w, err)
		return
	}
	answer := p.introspect(token)
	if answer["active"] == true {
		p.count("introspection:active")
	} else {
		p.count("introspection:inactive")
	}
	writeJSON(w, http.StatusOK, answer)
}

// introspect tells about a token that is good, and of any other only that it is
// not (section 2.2).
func (p *Provider) introspect(token string) map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.store.refreshes[token]; t != nil && !t.used && t.grant.live() && t.expires.After(p.now()) {
		answer := p.describe(t.grant, t.grant.scopes)
		answer["exp"] = t.expires.Unix()
		return answer
	}
	id := p.tokenID(token)
	if a := p.store.accesses[id]; a != nil && p.alive(a) {
		answer := p.describe(a.grant, a.scopes)
		answer["exp"], answer["iat"] = a.expires.Unix(), a.issued.Unix()
		answer["token_type"], answer["aud"] = tokenType(a.thumbprint), a.audience
		confirmation(answer, a.thumbprint)
		if id != opaqueID(token) {
			answer["jti"] = id
		}
		return answer
	}
	return map[string]any{"active": false}
}

func (p *Provider) describe(g *grant, scopes []string) map[string]any {
	answer := map[string]any{
		"active": true, "iss": p.cfg.Issuer, "sub": g.subject(), "client_id": g.client.ID, "scope": strings.Join(scopes, " "),
	}
	g.proof.addTo(answer)
	if g.user != nil {
		answer["username"] = g.user.PreferredUsername
	}
	if g.session != nil {
		answer["sid"] = g.session.id
	}
	return answer
}
