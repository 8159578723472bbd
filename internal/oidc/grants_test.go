package oidc

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/flow"
)

// grants are the two ways to a token for a service.
var grants = map[string]func(*Provider, flow.Env, Grant) (Tokens, error){
	"client credentials": (*Provider).ClientCredentials,
	"token exchange": func(p *Provider, env flow.Env, g Grant) (Tokens, error) {
		return p.ExchangeToken(env, "st-secret", g)
	},
}

func grantAnswer() map[string]any {
	return map[string]any{
		"access_token": "at-2", "token_type": "Bearer", "expires_in": 60, "scope": "orders  stock",
		"issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
		// A provider may send them all the same.
		"refresh_token": "rt-2", "id_token": "x.y.z",
	}
}

func TestAGrantAsksForWhatItIsToldAndNoMore(t *testing.T) {
	exchange := url.Values{
		"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token":        {"st-secret"},
		"subject_token_type":   {"urn:ietf:params:oauth:token-type:access_token"},
		"requested_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
	}
	for name, c := range map[string]struct {
		grant string
		g     Grant
		want  url.Values
	}{
		"credentials for anything": {"client credentials", Grant{}, url.Values{"grant_type": {"client_credentials"}}},
		"credentials for one thing": {"client credentials", Grant{[]string{"orders", "stock"}, []string{"a", "b"}, []string{"https://o.example.com", "https://s.example.com"}},
			url.Values{"grant_type": {"client_credentials"}, "scope": {"orders stock"}, "audience": {"a", "b"}, "resource": {"https://o.example.com", "https://s.example.com"}}},
		"an exchange for anything": {"token exchange", Grant{}, exchange},
		"an exchange for one thing": {"token exchange", Grant{Scopes: []string{"orders"}, Audiences: []string{"a"}},
			merged(exchange, url.Values{"scope": {"orders"}, "audience": {"a"}})},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p := f.learned("")
			f.on("/token", jsonAnswer(200, grantAnswer()), nil)
			got, err := grants[c.grant](p, f.env(), c.g)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, form(t, f.last)); diff != "" {
				t.Errorf("form (-wanted +sent):\n%s", diff)
			}
			if want := (Tokens{Access: "at-2", Lifetime: time.Minute, Scope: []string{"orders", "stock"}}); !reflect.DeepEqual(got, want) {
				t.Error("the tokens are not those of the answer, or not the access token alone")
			}
			if auth, _ := f.last.Header.Get("authorization"); !strings.HasPrefix(auth, "Basic ") {
				t.Error("the client does not prove itself")
			}
		})
	}
}

func merged(a, b url.Values) url.Values {
	all := url.Values{}
	for _, values := range []url.Values{a, b} {
		for name, v := range values {
			all[name] = v
		}
	}
	return all
}

func TestAGrantWaitsForTheProviderToBeKnown(t *testing.T) {
	for name, ask := range grants {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			if _, err := ask(f.provider(""), f.env(), Grant{}); Reason(err) != "not_known_yet" || !Temporary(err) || f.calls["/token"] != 0 {
				t.Errorf("got %v after %d calls", err, f.calls["/token"])
			}
		})
	}
}

func TestAGrantThatFailsTellsWhetherItIsForNow(t *testing.T) {
	saying := func(status int, code string) flow.Response {
		return jsonAnswer(status, map[string]any{"error": code, "error_description": "st-secret"})
	}
	for name, c := range map[string]struct {
		answer    flow.Response
		err       error
		reason    string
		temporary bool
	}{
		"the client is refused":            {saying(401, "invalid_client"), nil, "provider_invalid_client", false},
		"the client may not":               {saying(400, "unauthorized_client"), nil, "provider_unauthorized_client", false},
		"the scope is refused":             {saying(400, "invalid_scope"), nil, "provider_invalid_scope", false},
		"the target is refused":            {saying(400, "invalid_target"), nil, "provider_invalid_target", false},
		"the token to exchange is refused": {saying(400, "invalid_request"), nil, "provider_invalid_request", false},
		"refused in words of its own":      {saying(400, "st-secret"), nil, "provider_error", false},
		"the provider is overloaded":       {saying(400, "temporarily_unavailable"), nil, "provider_temporarily_unavailable", true},
		"status 500":                       {rawAnswer(500, "text/html", "<h1>"), nil, "status_500", true},
		"status 502 of a gateway":          {rawAnswer(502, "text/html", "<h1>"), nil, "status_502", true},
		"status 404 of a gateway":          {rawAnswer(404, "text/html", "<h1>"), nil, "status_404", true},
		"no answer":                        {flow.Response{}, flow.ErrUnavailable, "no_answer", true},
		"the call was not taken":           {flow.Response{}, flow.ErrNotSent, "no_answer", true},
		"a page":                           {rawAnswer(200, "text/html", "<h1>"), nil, "answer_not_json", true},
		"no access token":                  {jsonAnswer(200, with(grantAnswer(), "access_token", nil)), nil, "no_access_token", false},
		"a token that is not for bearers":  {jsonAnswer(200, with(grantAnswer(), "token_type", "N_A")), nil, "token_type_not_bearer", false},
		"a token bound to a key":           {jsonAnswer(200, with(grantAnswer(), "token_type", "DPoP")), nil, "token_type_not_bearer", false},
		"a line break in the token":        {jsonAnswer(200, with(grantAnswer(), "access_token", "a\r\nx: y")), nil, "token_malformed", false},
	} {
		for grant, ask := range grants {
			t.Run(name+", "+grant, func(t *testing.T) {
				f := newFake(t)
				p := f.learned("")
				f.on("/token", c.answer, c.err)
				got, err := ask(p, f.env(), Grant{})
				if Reason(err) != c.reason || Temporary(err) != c.temporary {
					t.Errorf("got %v, temporary %v", err, Temporary(err))
				}
				if !reflect.DeepEqual(got, Tokens{}) {
					t.Error("tokens came with the error")
				}
				if strings.Contains(err.Error(), "st-secret") {
					t.Errorf("%q repeats what it was about", err)
				}
			})
		}
	}
}

func TestATokenIsExchangedForAnAccessTokenOnly(t *testing.T) {
	for name, c := range map[string]struct {
		issued any
		reason string
	}{
		"an access token":       {accessTokenType, ""},
		"not told":              {nil, "issued_token_type_differs"},
		"an ID token":           {"urn:ietf:params:oauth:token-type:id_token", "issued_token_type_differs"},
		"a refresh token":       {"urn:ietf:params:oauth:token-type:refresh_token", "issued_token_type_differs"},
		"almost the same words": {"urn:ietf:params:oauth:token-type:Access_Token", "issued_token_type_differs"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p := f.learned("")
			f.on("/token", jsonAnswer(200, with(grantAnswer(), "issued_token_type", c.issued)), nil)
			got, err := p.ExchangeToken(f.env(), "st-1", Grant{})
			if (err == nil) != (c.reason == "") || err != nil && (Reason(err) != c.reason || !reflect.DeepEqual(got, Tokens{})) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWhatIsNoTokenIsNotExchanged(t *testing.T) {
	for name, token := range map[string]string{"nothing": "", "two words": "a b", "a line break": "a\n", "other letters": "é"} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			_, err := f.learned("").ExchangeToken(f.env(), token, Grant{})
			if Reason(err) != "subject_token_malformed" || Temporary(err) || f.calls["/token"] != 0 {
				t.Errorf("got %v after %d calls", err, f.calls["/token"])
			}
		})
	}
}

func TestTheScopeOfATokenIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		scope any
		want  []string
	}{
		"several":         {"openid  email", []string{"openid", "email"}},
		"one":             {"openid", []string{"openid"}},
		"not told":        {nil, nil},
		"told as nothing": {"", nil},
		"told as a list":  {[]string{"openid"}, nil},
		"told as a truth": {true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p := f.learned("")
			f.on("/token", jsonAnswer(200, with(tokenAnswer(), "scope", c.scope)), nil)
			exchanged, err := p.Exchange(f.env(), "c-1", redirectURI, "v-1")
			if err != nil {
				t.Fatal(err)
			}
			refreshed, err := p.Refresh(f.env(), Access{Token: "rt-0"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([][]string{c.want, c.want}, [][]string{exchanged.Scope, refreshed.Scope}); diff != "" {
				t.Error(diff)
			}
		})
	}
}
