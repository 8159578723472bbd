package tryout

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// provider stands in for one of the settings' providers. It says of whoever
// signs in what it is told to say, signed with keys of its own.
type provider struct {
	*office
	settings      *config.Provider
	now           func() time.Time
	authorization string            // where people sign in
	answers       map[string]answer // by address
	person        Claims            // who signs in next
}

// answer answers a call by a document, which is of a media type.
type answer func(flow.Call) (doc any, media string, err error)

// login is a login that was asked for.
type login struct {
	client *provider
	nonce  string
	person Claims
}

// newProvider returns the stand-in for a provider, which can sign by all of the
// algorithms given.
func newProvider(s *config.Provider, now func() time.Time, o *office, algorithms ...string) (*provider, error) {
	p := &provider{office: o, settings: s, now: now}
	if err := o.employ(algorithms); err != nil {
		return nil, err
	}
	switch s.Type {
	case "github":
		p.gitHub()
		return p, nil
	case "oauth2":
		p.oauth2()
		return p, nil
	}
	p.authorization = p.address("authorize")
	p.answers = map[string]answer{
		strings.TrimSuffix(s.Issuer, "/") + "/.well-known/openid-configuration": p.metadata,
		p.address("keys"):       p.keys,
		p.address("token"):      p.exchange,
		p.address("userinfo"):   p.userinfo,
		p.address("introspect"): p.introspect,
	}
	return p, nil
}

// address is the address of an endpoint: on the issuer's host, to which the
// settings know the way.
func (p *provider) address(endpoint string) string {
	return strings.TrimSuffix(p.settings.Issuer, "/") + "/postern-tryout/" + endpoint
}

// called is an address as calls to it name it, or "".
func called(address string) string {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host + u.RequestURI()
}

// answering is what answers a call; nil where it is not to this provider.
func (p *provider) answering(c flow.Call) answer {
	address := c.Scheme + "://" + c.Authority + c.Path
	if found := p.answers[address]; found != nil {
		return found
	}
	if q := p.question(c); q != "" {
		return func(c flow.Call) (any, string, error) { return p.tell(q, c) }
	}
	bare, _, _ := strings.Cut(address, "?")
	return p.answers[bare]
}

// answer answers a call, if it is one to this provider.
func (p *provider) answer(c flow.Call) (flow.Response, bool) {
	answer := p.answering(c)
	if answer == nil {
		return flow.Response{}, false
	}
	doc, media, err := answer(c)
	if err != nil {
		return flow.Response{Status: 400}, true
	}
	body, signed := doc.(string)
	if !signed {
		text, err := json.Marshal(doc)
		if err != nil {
			return flow.Response{Status: 500}, true
		}
		body = string(text)
	}
	return flow.Response{Status: 200, Header: httpmsg.Fields{{Name: "content-type", Value: media}}, Body: []byte(body)}, true
}

const plainJSON = "application/json"

func (p *provider) metadata(flow.Call) (any, string, error) {
	issuer := issuerOf(p.settings, Claims(nil).tenant(p.settings))
	if p.settings.ManyTenants() {
		issuer = issuerOf(p.settings, "{tenantid}")
	}
	return map[string]any{
		"issuer":                 issuer,
		"authorization_endpoint": p.address("authorize"), "token_endpoint": p.address("token"),
		"jwks_uri": p.address("keys"), "userinfo_endpoint": p.address("userinfo"),
		"introspection_endpoint": p.address("introspect"),
	}, plainJSON, nil
}

func (p *provider) keys(flow.Call) (any, string, error) { return p.public(), plainJSON, nil }

// authorize signs the next person in (OpenID Connect Core, section 3.1.2), and
// returns where the browser is sent then.
func (p *provider) authorize(asked url.Values) string {
	code := fmt.Sprintf("code-%d", len(p.codes))
	p.codes[code] = login{client: p, nonce: asked.Get("nonce"), person: p.person}
	return asked.Get("redirect_uri") + "?" + url.Values{"code": {code}, "state": {asked.Get("state")}}.Encode()
}

// exchange answers the token endpoint (Core, section 3.1.3).
func (p *provider) exchange(c flow.Call) (any, string, error) {
	form, err := url.ParseQuery(string(c.Body))
	l, known := p.codes[form.Get("code")]
	if err != nil || !known {
		return nil, "", fmt.Errorf("no such code")
	}
	return l.client.grant(l)
}

// grant gives the tokens of a login.
func (p *provider) grant(l login) (any, string, error) {
	access, err := p.accessToken("JWT", quickest(p.settings.Algorithms), l.person.accessToken(p.settings, p.now()))
	if err != nil {
		return nil, "", err
	}
	p.people[access] = l.person
	answer := map[string]any{
		"access_token": access, "token_type": "Bearer", "refresh_token": "refresh", "expires_in": int(tokenLife / time.Second),
	}
	if scope, told := l.person.scope(); told {
		if p.settings.Type == "github" {
			scope = strings.Join(strings.Fields(scope), ",")
		}
		answer["scope"] = scope
	}
	if !p.settings.Plain() {
		answer["id_token"], err = p.idToken(l)
	}
	return answer, plainJSON, err
}

func (p *provider) idToken(l login) (string, error) {
	return p.signers[quickest(p.settings.Algorithms)].sign("JWT", l.person.idToken(p.settings, l.nonce, p.now()))
}

// accessToken signs an access token, and remembers what it says.
func (p *provider) accessToken(typ, algorithm string, claims Claims) (string, error) {
	token, err := p.signers[algorithm].sign(typ, claims)
	if err == nil {
		p.granted[token] = claims
	}
	return token, err
}

// token is the access token that a call brings.
func token(c flow.Call) string {
	authorization, _ := c.Header.Get("authorization")
	_, token, _ := strings.Cut(authorization, " ")
	return token
}

// userinfo answers the userinfo endpoint (Core, section 5.3).
func (p *provider) userinfo(c flow.Call) (any, string, error) {
	claims, known := p.granted[token(c)]
	if !known {
		return nil, "", fmt.Errorf("no such token")
	}
	return claims, plainJSON, nil
}

// question is the name of the question that a call asks, or "".
func (p *provider) question(c flow.Call) string {
	for i := range p.settings.Enrich {
		e := &p.settings.Enrich[i]
		if u, err := url.Parse(e.URL); err == nil && c.Method == e.Method && string(c.Body) == e.Body &&
			c.Scheme == u.Scheme && c.Authority == u.Host && c.Path == u.RequestURI() {
			return e.Name
		}
	}
	return ""
}

// tell answers a question about whoever a token is of.
func (p *provider) tell(question string, c flow.Call) (any, string, error) {
	if answer, told := p.people[token(c)].answer(question); told {
		text, err := json.Marshal(answer) // a text is one in JSON, too
		return string(text), plainJSON, err
	}
	return nil, "", fmt.Errorf("no answer was given to %s", question)
}

// introspect answers the introspection endpoint (RFC 7662; RFC 9701).
func (p *provider) introspect(c flow.Call) (any, string, error) {
	form, err := url.ParseQuery(string(c.Body))
	if err != nil {
		return nil, "", err
	}
	answer := Claims{"active": false}
	if claims, known := p.granted[form.Get("token")]; known {
		answer = maps.Clone(claims)
		answer["active"] = true
	}
	const signed = "application/token-introspection+jwt"
	if accept, _ := c.Header.Get("accept"); accept != signed {
		return answer, plainJSON, nil
	}
	token, err := p.signers[quickest(p.settings.Algorithms)].sign("token-introspection+jwt", Claims{
		"iss": p.settings.Issuer, "aud": p.settings.ClientID, "iat": p.now().Unix(), "token_introspection": answer,
	})
	return token, signed, err
}
