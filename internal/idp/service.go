package idp

import (
	"slices"
	"strings"
)

// accessTokenType is the only kind of token that is exchanged here, and for
// which (RFC 8693, section 3).
const accessTokenType = "urn:ietf:params:oauth:token-type:access_token"

// clientCredentials gives a service a token of its own (RFC 6749, section 4.4).
func (p *Provider) clientCredentials(client *Client, form map[string]string, key string) (*tokenResponse, error) {
	if !client.ServiceAccount {
		return nil, refuse("unauthorized_client", "the client has no account of its own")
	}
	scopes, err := narrowed(client.Scopes, form["scope"])
	if err != nil {
		return nil, err
	}
	target, err := client.target(form)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.issueService(&grant{client: client, scopes: scopes}, target, key)
}

// exchangeToken gives a service a token for the person, or the service, that the
// subject token is for (RFC 8693): never for more, nor for longer.
func (p *Provider) exchangeToken(client *Client, form map[string]string, key string) (*tokenResponse, error) {
	if !client.TokenExchange {
		return nil, refuse("unauthorized_client", "the client may not exchange tokens")
	}
	requested := form["requested_token_type"]
	if form["subject_token_type"] != accessTokenType || (requested != "" && requested != accessTokenType) || form["actor_token"] != "" {
		return nil, refuse("invalid_request", "only access tokens are exchanged, for access tokens")
	}
	target, err := client.target(form)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// The error is the one of section 2.2.2 for every fault of a subject token.
	subject := p.store.accesses[p.tokenID(form["subject_token"])]
	if subject == nil || !p.alive(subject) || !slices.Contains([]string{client.ID, client.Audience}, subject.audience) {
		return nil, refuse("invalid_request", "the subject token is not good, or is not for the client")
	}
	scopes, err := narrowed(subject.scopes, form["scope"])
	if err != nil {
		return nil, err
	}
	from := subject.grant
	g := &grant{client: client, user: from.user, scopes: scopes, session: from.session, proof: from.proof, parent: from, service: from.subject(), until: subject.expires}
	answer, err := p.issueService(g, target, key)
	if err == nil {
		answer.IssuedTokenType = accessTokenType
	}
	return answer, err
}

// issueService makes an answer without ID token and refresh token (RFC 6749,
// section 4.4.3). The caller holds the lock.
func (p *Provider) issueService(g *grant, audience, key string) (*tokenResponse, error) {
	now := p.now()
	p.store.sweep(now)
	expires := now.Add(p.cfg.AccessTokenLifetime)
	if !g.until.IsZero() && g.until.Before(expires) {
		expires = g.until
	}
	token, err := p.issueAccess(g, g.scopes, audience, expires, key)
	if err != nil {
		return nil, err
	}
	return &tokenResponse{
		AccessToken: token, TokenType: tokenType(key), ExpiresIn: int64(expires.Sub(now).Seconds()), Scope: strings.Join(g.scopes, " "),
	}, nil
}

// narrowed are the scopes that were asked for, which must be among the allowed
// ones, or all of these.
func narrowed(allowed []string, asked string) ([]string, error) {
	scopes := strings.Fields(asked)
	if len(scopes) == 0 {
		return allowed, nil
	}
	for _, s := range scopes {
		if !slices.Contains(allowed, s) {
			return nil, refuse("invalid_scope", "a scope that cannot be had")
		}
	}
	return scopes, nil
}

// target is the API that a token is to be for: by its name (RFC 8693, section
// 2.1) or by its address (RFC 8707).
func (c *Client) target(form map[string]string) (string, error) {
	name := form["audience"]
	if name == "" {
		name = form["resource"]
	} else if form["resource"] != "" {
		return "", refuse("invalid_target", "a token is for one API")
	}
	switch {
	case name == "":
		return c.Audience, nil
	case name != c.Audience && !slices.Contains(c.Targets, name):
		return "", refuse("invalid_target", "an API that the client may not ask tokens for")
	}
	return name, nil
}
