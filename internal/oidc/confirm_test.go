package oidc

import (
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/flow"
)

const discoveryPath = "/realms/main/.well-known/openid-configuration"

// withEndpoints makes the metadata name further endpoints; nil takes one out.
func (f *fake) withEndpoints(changes map[string]any) {
	doc := f.metadata()
	for name, value := range changes {
		doc = with(doc, name, value)
	}
	f.on(discoveryPath, jsonAnswer(200, doc), nil)
}

func TestASignInIsConfirmedAtTheUserinfoEndpoint(t *testing.T) {
	for name, c := range map[string]struct {
		answer    flow.Response
		err       error
		reason    string
		temporary bool
	}{
		"the same person":          {jsonAnswer(200, map[string]any{"sub": "u-1", "email": "al@example.com"}), nil, "", false},
		"another person":           {jsonAnswer(200, map[string]any{"sub": "u-2"}), nil, "sub_differs", false},
		"nobody":                   {jsonAnswer(200, map[string]any{}), nil, "sub_differs", false},
		"status 401":               {rawAnswer(401, "", ""), nil, "token_refused", false},
		"status 403":               {rawAnswer(403, "text/html", "<h1>"), nil, "token_refused", false},
		"status 404 of a gateway":  {rawAnswer(404, "text/html", "<h1>"), nil, "status_404", true},
		"status 500":               {rawAnswer(500, "text/html", "<h1>"), nil, "status_500", true},
		"no answer":                {flow.Response{}, flow.ErrUnavailable, "no_answer", true},
		"a page":                   {rawAnswer(200, "text/html", "<h1>"), nil, "answer_not_json", true},
		"an answer beyond measure": {rawAnswer(200, "application/json", strings.Repeat(" ", maxUserinfo+1)), nil, "answer_too_large", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p := f.learned("")
			f.on("/userinfo", c.answer, c.err)
			claims, err := p.Confirm(f.env(), Access{Token: "at-1"}, "u-1")
			checkConfirmed(t, claims, err, c.reason, c.temporary)
			if err == nil && !strings.Contains(string(claims), "al@example.com") {
				t.Errorf("claims %s", claims)
			}
		})
	}
}

func checkConfirmed(t *testing.T, claims []byte, err error, reason string, temporary bool) {
	t.Helper()
	switch {
	case reason == "" && err != nil:
		t.Errorf("got %v", err)
	case reason != "" && (Reason(err) != reason || Temporary(err) != temporary || claims != nil):
		t.Errorf("got %v, temporary %v; want %s, %v", err, Temporary(err), reason, temporary)
	}
}

func TestASignInIsConfirmedByIntrospectionWhereThereIsNoUserinfo(t *testing.T) {
	for name, c := range map[string]struct {
		answer    flow.Response
		reason    string
		temporary bool
	}{
		"active":                      {jsonAnswer(200, map[string]any{"active": true, "sub": "u-1"}), "", false},
		"active, of whom is not told": {jsonAnswer(200, map[string]any{"active": true}), "", false},
		"active for somebody else":    {jsonAnswer(200, map[string]any{"active": true, "sub": "u-2"}), "sub_differs", false},
		"not active":                  {jsonAnswer(200, map[string]any{"active": false, "sub": "u-1"}), "token_refused", false},
		"neither":                     {jsonAnswer(200, map[string]any{"sub": "u-1"}), "answer_malformed", true},
		"active by a word":            {jsonAnswer(200, map[string]any{"active": "true"}), "answer_malformed", true},
		"a client that is refused":    {jsonAnswer(401, map[string]any{"error": "invalid_client"}), "status_401", true},
		"status 503":                  {rawAnswer(503, "text/html", "<h1>"), "status_503", true},
		"a page":                      {rawAnswer(200, "text/html", "<h1>"), "answer_not_json", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.withEndpoints(map[string]any{"userinfo_endpoint": nil, "introspection_endpoint": "https://id.example.com/introspect"})
			p := f.learned("")
			f.on("/introspect", c.answer, nil)
			if !p.CanConfirm() {
				t.Error("it says that it cannot")
			}
			claims, err := p.Confirm(f.env(), Access{Token: "at-1"}, "u-1")
			checkConfirmed(t, claims, err, c.reason, c.temporary)
			v := form(t, f.last)
			if auth, _ := f.last.Header.Get("authorization"); !strings.HasPrefix(auth, "Basic ") ||
				v.Get("token") != "at-1" || v.Get("token_type_hint") != "access_token" {
				t.Error("the question is not what it should be")
			}
		})
	}
}

func TestAProviderThatCannotBeAskedConfirmsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		endpoints  map[string]any
		clientAuth string
	}{
		"without either endpoint":        {map[string]any{"userinfo_endpoint": nil}, "client_secret_basic"},
		"by a client that has no secret": {map[string]any{"userinfo_endpoint": nil, "introspection_endpoint": "https://id.example.com/introspect"}, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.withEndpoints(c.endpoints)
			p := f.learned("")
			p.settings.ClientAuth = c.clientAuth
			_, err := p.Confirm(f.env(), Access{Token: "at-1"}, "u-1")
			if p.CanConfirm() || Reason(err) != "no_endpoint" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestATokenIsRevokedByTheClientItWasMadeFor(t *testing.T) {
	for name, c := range map[string]struct {
		answer    flow.Response
		err       error
		reason    string
		temporary bool
	}{
		"revoked, or not known":     {rawAnswer(200, "", ""), nil, "", false},
		"revoked, with a page":      {rawAnswer(200, "text/html", "<h1>"), nil, "", false},
		"revoked without content":   {rawAnswer(204, "", ""), nil, "", false},
		"a type it does not revoke": {jsonAnswer(400, map[string]any{"error": "unsupported_token_type"}), nil, "provider_unsupported_token_type", false},
		"a client it does not know": {jsonAnswer(401, map[string]any{"error": "invalid_client"}), nil, "provider_invalid_client", false},
		"status 503":                {rawAnswer(503, "", ""), nil, "status_503", true},
		"no answer":                 {flow.Response{}, flow.ErrUnavailable, "no_answer", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.withEndpoints(map[string]any{"revocation_endpoint": "https://id.example.com/revoke"})
			p := f.learned("")
			f.on("/revoke", c.answer, c.err)
			err := p.Revoke(f.env(), "rt-1", "refresh_token")
			checkConfirmed(t, nil, err, c.reason, c.temporary)
			if v := form(t, f.last); v.Get("token") != "rt-1" || v.Get("token_type_hint") != "refresh_token" {
				t.Errorf("form %v", v)
			}
			if auth, _ := f.last.Header.Get("authorization"); !strings.HasPrefix(auth, "Basic ") || f.last.Method != "POST" {
				t.Error("the client does not prove itself")
			}
		})
	}
}

func TestWithoutARevocationEndpointNothingIsAsked(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	if err := p.Revoke(f.env(), "rt-1", "refresh_token"); p.HasRevocation() || Reason(err) != "no_endpoint" {
		t.Errorf("got %v", err)
	}
}

func TestAnOptionalEndpointOfNoUseCountsAsAbsentAndIsToldOfOnce(t *testing.T) {
	for name, address := range map[string]string{
		"end_session_endpoint":   "http://id.example.com/out",
		"revocation_endpoint":    "https://elsewhere.example.com/revoke",
		"introspection_endpoint": "http://id.example.com/introspect",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.withEndpoints(map[string]any{"userinfo_endpoint": nil, name: address})
			p := f.provider("")
			var told []string
			p.OnFailure = func(err error) { told = append(told, Reason(err)) }
			for range 3 {
				p.Learn(f.env())
				f.now = f.now.Add(48 * 3600e9)
			}
			if !p.Known() || len(told) != 1 || told[0] != name+"_unusable" {
				t.Errorf("known %v, told %v", p.Known(), told)
			}
			if _, has, _ := p.LogoutURL(f.env(), "", "", ""); has || p.HasRevocation() || p.CanConfirm() {
				t.Error("it is in use")
			}
			f.withEndpoints(map[string]any{name: "https://id.example.com/good"})
			p.Learn(f.env())
			f.withEndpoints(map[string]any{name: address})
			f.now = f.now.Add(48 * 3600e9)
			p.Learn(f.env())
			if len(told) != 2 {
				t.Errorf("told %v after it had been good", told)
			}
		})
	}
}
