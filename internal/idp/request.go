package idp

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	// pushedLifetime is how long a pushed request waits for its browser, and
	// shownLifetime how long people may take once it has come.
	pushedLifetime = time.Minute
	shownLifetime  = 10 * time.Minute
	// requestURIPrefix begins the names of requests (RFC 9126, section 2.2).
	requestURIPrefix = "urn:ietf:params:oauth:request_uri:"
)

// stored is an authorization request that goes by a name.
type stored struct {
	client  *Client
	params  map[string]string
	expires time.Time
	shown   bool // a browser came with it
}

// servePushed takes a request from the client itself (RFC 9126, section 2).
func (p *Provider) servePushed(w http.ResponseWriter, r *http.Request) {
	p.count("pushed")
	name, err := p.pushed(r)
	if err != nil {
		p.refuseToken(w, err)
		return
	}
	writeJSON(w, http.StatusCreated, map[string]any{"request_uri": name, "expires_in": int(pushedLifetime.Seconds())})
}

func (p *Provider) pushed(r *http.Request) (name string, err error) {
	form, err := readForm(r)
	if err != nil {
		return "", err
	}
	client, err := p.authenticate(r, form)
	if err != nil {
		return "", err
	}
	if form["request_uri"] != "" {
		return "", refuse("invalid_request", "a request that is pushed has no name yet")
	}
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		delete(form, name)
	}
	form["client_id"] = client.ID
	if form, err = p.opened(form); err != nil {
		return "", err
	}
	a, err := p.findClient(form)
	if err == nil {
		err = a.fill(form)
	}
	if err != nil {
		return "", err
	}
	return p.keepRequest(&stored{client: client, params: form, expires: p.now().Add(pushedLifetime)}), nil
}

// keepRequest keeps a request, and names it.
func (p *Provider) keepRequest(s *stored) string {
	name := requestURIPrefix + newToken()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.store.sweep(p.now())
	p.store.requests[name] = s
	return name
}

// opened are the parameters of a request object, where there is one: nothing that
// stands beside it counts (RFC 9101, section 6.3).
func (p *Provider) opened(query map[string]string) (map[string]string, error) {
	client := p.clients[query["client_id"]]
	if client == nil {
		return nil, refuse("invalid_request", "the client is not known")
	}
	if query["request"] == "" {
		if client.SignedRequests {
			return nil, refuse("invalid_request", "the client signs its requests")
		}
		return query, nil
	}
	return p.openRequest(client, query["request"])
}

var errRequestObject = refuse("invalid_request_object", "the request object is not the client's, or not for now")

// openRequest verifies a request object (RFC 9101, section 6).
func (p *Provider) openRequest(client *Client, raw string) (map[string]string, error) {
	token, err := jwt.ParseSigned(raw, keyAlgorithms)
	if err != nil || client.Key == nil || token.Headers[0].ExtraHeaders["typ"] != "oauth-authz-req+jwt" {
		return nil, errRequestObject
	}
	var about jwt.Claims
	var all map[string]any
	if token.Claims(client.Key, &about, &all) != nil || !p.currentRequest(client, &about) {
		return nil, errRequestObject
	}
	params := map[string]string{}
	for name, value := range all {
		switch text, isText := value.(string); {
		case isText:
			params[name] = text
		case name == "max_age":
			params[name] = numberText(value)
		}
	}
	if params["client_id"] != client.ID || params["request"] != "" || params["request_uri"] != "" {
		return nil, errRequestObject
	}
	return params, nil
}

// currentRequest reports whether a request object is its client's, for us and for
// now, as FAPI 2.0 Message Signing, section 5.3.1, has it.
func (p *Provider) currentRequest(client *Client, c *jwt.Claims) bool {
	now := p.now()
	return c.Issuer == client.ID && c.Audience.Contains(p.cfg.Issuer) && c.Expiry != nil && c.NotBefore != nil &&
		c.Expiry.Time().After(now) && !c.NotBefore.Time().After(now.Add(assertionLeeway)) && c.Expiry.Time().Sub(c.NotBefore.Time()) <= time.Hour
}

// resolved are the parameters of a request that a browser brings. A request object
// is kept first, under a name to which the browser is sent: people take their time.
func (p *Provider) resolved(query map[string]string) (params map[string]string, name string, err error) {
	name = query["request_uri"]
	switch {
	case name != "" && query["request"] != "":
		return nil, "", refuse("invalid_request", "a request comes by value or by name")
	case name != "":
		params, err = p.named(query["client_id"], name)
		return params, name, err
	}
	client := p.clients[query["client_id"]]
	if client != nil && (p.cfg.RequirePushed || client.RequirePushed) {
		return nil, "", refuse("invalid_request", "requests have to be pushed")
	}
	if params, err = p.opened(query); err != nil || query["request"] == "" {
		return params, "", err
	}
	return nil, p.keepRequest(&stored{client: client, params: params, expires: p.now().Add(shownLifetime), shown: true}), nil
}

func (p *Provider) named(clientID, name string) (map[string]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.store.requests[name]
	if s == nil || s.client.ID != clientID || !s.expires.After(p.now()) {
		return nil, refuse("invalid_request_uri", "the request is not known, or no longer")
	}
	if !s.shown {
		s.shown, s.expires = true, p.now().Add(shownLifetime)
	}
	return s.params, nil
}

// answered forgets a request: its name is for one answer (RFC 9126, section 4).
func (p *Provider) answered(a *authorization) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.store.requests, a.requestURI)
}

// numberText is a JSON number that is a whole one, as text.
func numberText(value any) string {
	if n, isNumber := value.(float64); isNumber {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return ""
}
