package oidc

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/json"
	"github.com/tidwall/gjson"

	"github.com/postern-auth/postern/internal/flow"
)

// plainMetadata is what the settings say of a provider that speaks OAuth 2.0
// alone, in place of a discovery document.
func (p *Provider) plainMetadata() (*metadata, error) {
	const step = "settings"
	e := p.settings.Endpoints
	if p.settings.Type == "github" {
		e = p.gitHubEndpoints()
	}
	m := &metadata{issuer: p.settings.Issuer}
	authorization, err := p.address(step, e.Authorization)
	if err != nil {
		return nil, err
	}
	m.authorization = authorization.String()
	if m.token, err = p.endpoint(step, e.Token); err != nil {
		return nil, err
	}
	for _, optional := range []struct {
		address string
		e       **endpoint
	}{{e.Revocation, &m.revocation}, {e.Introspection, &m.introspection}} {
		if optional.address == "" {
			continue
		}
		found, err := p.endpoint(step, optional.address)
		if err != nil {
			return nil, err
		}
		*optional.e = &found
	}
	return m, nil
}

// askWho asks a provider without ID tokens whom an access token is of. It fails with
// reason "token_refused" where the provider does not know the token.
func (p *Provider) askWho(env flow.Env, access Access) (*IDToken, error) {
	if err := p.await(env); err != nil {
		return nil, err
	}
	if p.settings.Type == "github" {
		return p.askGitHub(env, access)
	}
	const step = "userinfo"
	page, err := p.askOne(env, step, p.settings.Endpoints.Userinfo, access)
	if err != nil {
		return nil, err
	}
	subject, ok := plainSubject(gjson.GetBytes(page, p.settings.Subject))
	if !ok {
		return nil, refuse(step, "sub_malformed")
	}
	return p.identified(step, page, subject)
}

// askOne asks for one page, in which no name comes twice, at any depth: what is
// looked at by a path must be what everybody else sees there.
func (p *Provider) askOne(env flow.Env, step, address string, access Access) ([]byte, error) {
	pages, err := p.Ask(env, step, Question{URL: address, Header: gitHubHeader[p.settings.Type], MaxPages: 1, MaxBytes: maxUserinfo}, access)
	if err != nil {
		return nil, tokenRefused(step, err)
	}
	var whole any
	if json.Unmarshal(pages[0], &whole) != nil {
		return nil, lost(step, "answer_malformed")
	}
	return pages[0], nil
}

// tokenRefused says of a status what it says of a token (RFC 6750, section 3.1).
func tokenRefused(step string, err error) error {
	if reason := Reason(err); reason == "status_401" || reason == "status_403" {
		return refuse(step, "token_refused")
	}
	return err
}

// identified is whom a document is of. What rules and applications are told as the
// subject is what was found as such, whatever else the document calls so.
func (p *Provider) identified(step string, doc []byte, subject string) (*IDToken, error) {
	claims, err := withClaim(doc, "sub", subject)
	if err != nil {
		return nil, lost(step, "answer_malformed")
	}
	return &IDToken{Issuer: p.settings.Issuer, Subject: subject, Claims: claims}, nil
}

// withClaim is a JSON object with a member put in. It fails for what is no object,
// or holds a name twice.
func withClaim(doc []byte, name string, value any) ([]byte, error) {
	var members map[string]*json.RawMessage // as such alone they are written as they are
	if err := json.Unmarshal(doc, &members); err != nil {
		return nil, err
	}
	if members == nil {
		return nil, errors.New("oidc: not an object")
	}
	put, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	members[name] = (*json.RawMessage)(&put)
	return json.Marshal(members)
}

// plainSubject reads an identifier: a string, or a whole number as it is written,
// however large. Two numbers must not become one by rounding, and nothing that has
// more than one spelling may name a person.
func plainSubject(v gjson.Result) (string, bool) {
	s := v.Str
	if v.Type == gjson.Number {
		s = v.Raw
		if digits := strings.TrimPrefix(s, "-"); digits == "" || strings.Trim(digits, "0123456789") != "" {
			return "", false
		}
	}
	odd := func(c rune) bool { return c < ' ' || c == 0x7f || c == utf8.RuneError } // the last is also what is no UTF-8
	return s, (v.Type == gjson.String || v.Type == gjson.Number) && s != "" && len(s) <= maxNameLen && !strings.ContainsFunc(s, odd)
}

// askWhoAgain is askWho for the tokens of a refresh.
func (p *Provider) askWhoAgain(env flow.Env, access Access, was Original) (*IDToken, error) {
	id, err := p.askWho(env, access)
	if err != nil {
		return nil, err
	}
	if id.Subject != was.Subject || id.Issuer != was.Issuer {
		return nil, refuse("userinfo", "sub_differs")
	}
	return id, nil
}

// confirmPlain is Confirm for a provider without ID tokens.
func (p *Provider) confirmPlain(env flow.Env, access Access, subject string) ([]byte, error) {
	id, err := p.askWho(env, access)
	switch {
	case err != nil:
		return nil, passing(err)
	case id.Subject != subject:
		return nil, refuse("userinfo", "sub_differs")
	}
	return id.Claims, nil
}
