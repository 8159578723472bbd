package idp

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// service asks for a token with a client's secret.
func (w *world) service(id string, more map[string]string) answer {
	w.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {id + "-secret"}}
	return w.do("POST", "/token", with(form, more), nil)
}

// exchanged asks for an exchange as the client middle.
func (w *world) exchanged(token any, more map[string]string) answer {
	w.t.Helper()
	form := map[string]string{"grant_type": grantTokenExchange, "subject_token": token.(string), "subject_token_type": accessTokenType}
	for name, value := range more {
		form[name] = value
	}
	return w.service("middle", form)
}

// forMiddle signs alice in at the gateway, whose tokens are made out to middle.
func (w *world) forMiddle() map[string]any {
	w.t.Helper()
	code := w.code("alice", map[string]string{"client_id": "gateway"})
	return w.do("POST", "/token", with(exchange(code), map[string]string{"client_id": "gateway", "client_secret": "gateway-secret"}), nil).json(w.t)
}

func TestAServiceGetsATokenOfItsOwn(t *testing.T) {
	w := newWorld(t)
	got := w.service("middle", nil).json(t)
	claims := w.verified(got["access_token"])
	want := map[string]any{
		"iss": w.base, "sub": "middle", "aud": "middle", "client_id": "middle", "scope": "orders.read orders.write",
		"iat": 1_790_000_000.0, "exp": 1_790_000_300.0, "jti": claims["jti"],
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	delete(got, "access_token")
	want = map[string]any{"token_type": "Bearer", "expires_in": 300.0, "scope": "orders.read orders.write"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if w.p.Count("token:client_credentials") != 1 || w.p.Count("client:client_secret_post") != 1 {
		t.Error("it was not counted")
	}
}

func TestAServicesTokenIsForWhatWasAskedFor(t *testing.T) {
	w := newWorld(t)
	for name, more := range map[string]map[string]string{
		"an API by its name":    {"audience": "orders", "scope": "orders.read"},
		"an API by its address": {"resource": "https://stock.example", "scope": "orders.read"},
	} {
		claims := w.verified(w.service("middle", more).json(t)["access_token"])
		if want := more["audience"] + more["resource"]; claims["aud"] != want || claims["scope"] != "orders.read" {
			t.Errorf("%s: %v", name, claims)
		}
	}
}

func TestServicesThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		client string
		more   map[string]string
		want   string
	}{
		"one without an account":        {"gateway", nil, "unauthorized_client"},
		"a wrong secret":                {"middle", map[string]string{"client_secret": "guess"}, "invalid_client"},
		"a scope that it may not have":  {"middle", map[string]string{"scope": "orders.read admin"}, "invalid_scope"},
		"an API that it may not call":   {"middle", map[string]string{"audience": "shop"}, "invalid_target"},
		"two APIs":                      {"middle", map[string]string{"audience": "orders", "resource": "https://stock.example"}, "invalid_target"},
		"an exchange by one who cannot": {"opaque", map[string]string{"grant_type": grantTokenExchange}, "unauthorized_client"},
	} {
		t.Run(name, func(t *testing.T) {
			if a := w.service(test.client, test.more); a.json(t)["error"] != test.want {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
}

func TestAnOpaqueTokenSaysSomethingOnlyWhenAskedAbout(t *testing.T) {
	w := newWorld(t)
	token := w.service("opaque", nil).json(t)["access_token"].(string)
	if strings.Contains(token, ".") {
		t.Fatalf("it says something: %s", token)
	}
	want := map[string]any{
		"active": true, "iss": w.base, "sub": "opaque", "client_id": "opaque", "scope": "", "aud": "orders",
		"token_type": "Bearer", "iat": 1_790_000_000.0, "exp": 1_790_000_300.0,
	}
	if diff := cmp.Diff(want, w.tokenForm("/introspect", token, nil).json(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.tokenForm("/revoke", token, map[string]string{"client_id": "opaque", "client_secret": "opaque-secret"})
	if a := w.tokenForm("/introspect", token, nil).json(t); a["active"] != false {
		t.Errorf("it was revoked: %v", a)
	}
	if w.p.Count("introspection") != 2 || w.p.Count("introspection:active") != 1 || w.p.Count("introspection:inactive") != 1 {
		t.Error("the questions were not counted")
	}
}

func TestTheIDOfATokenIsNoToken(t *testing.T) {
	w := newWorld(t)
	id := w.verified(w.service("middle", nil).json(t)["access_token"])["jti"]
	if a := w.tokenForm("/introspect", id, nil).json(t); a["active"] != false {
		t.Errorf("got %v", a)
	}
}

func TestAServicesTokenIsNobodysUserinfo(t *testing.T) {
	w := newWorld(t)
	if a := w.userinfo(w.service("middle", nil).json(t)["access_token"]); a.status != http.StatusUnauthorized {
		t.Errorf("got %d", a.status)
	}
}

func TestATokenIsExchangedForANarrowerOneOfTheSamePerson(t *testing.T) {
	w := newWorld(t)
	first := w.forMiddle()
	w.advance(4 * time.Minute)
	got := w.exchanged(first["access_token"], map[string]string{"audience": "orders", "scope": "groups"}).json(t)
	claims := w.verified(got["access_token"])
	want := map[string]any{
		"iss": w.base, "sub": "id-of-alice", "aud": "orders", "client_id": "middle", "scope": "groups", "groups": []any{"admins"},
		"iat": 1_790_000_240.0, "exp": 1_790_000_300.0, "jti": claims["jti"], "sid": claims["sid"],
		"acr": "bronze", "auth_time": 1_790_000_000.0,
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	delete(got, "access_token")
	want = map[string]any{"token_type": "Bearer", "expires_in": 60.0, "scope": "groups", "issued_token_type": accessTokenType}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestExchangedTokensEndWithWhatTheyCameFrom(t *testing.T) {
	w := newWorld(t)
	first := w.forMiddle()
	second := w.exchanged(first["access_token"], map[string]string{"audience": "orders"}).json(t)
	w.tokenForm("/revoke", first["refresh_token"], map[string]string{"client_id": "gateway", "client_secret": "gateway-secret"})
	if a := w.tokenForm("/introspect", second["access_token"], nil).json(t); a["active"] != false {
		t.Errorf("got %v", a)
	}
}

func TestExchangesThatAreRefused(t *testing.T) {
	w := newWorld(t)
	token := w.forMiddle()["access_token"]
	foreign := w.tokens("alice")["access_token"]
	for name, test := range map[string]struct {
		token any
		more  map[string]string
		want  string
	}{
		"a token of nobody's":            {"x.y.z", nil, "invalid_request"},
		"a token for somebody else":      {foreign, nil, "invalid_request"},
		"a wider scope":                  {token, map[string]string{"scope": "orders.read"}, "invalid_scope"},
		"an API that is out of reach":    {token, map[string]string{"audience": "shop"}, "invalid_target"},
		"a token of another kind":        {token, map[string]string{"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"},
		"a refresh token in its place":   {token, map[string]string{"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"},
		"on behalf of a third":           {token, map[string]string{"actor_token": "x"}, "invalid_request"},
		"an access token for a passport": {token, map[string]string{"requested_token_type": accessTokenType, "subject_token_type": ""}, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			if a := w.exchanged(test.token, test.more); a.json(t)["error"] != test.want {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
	w.advance(5 * time.Minute)
	if a := w.exchanged(token, nil); a.json(t)["error"] != "invalid_request" {
		t.Errorf("an expired token: %d %s", a.status, a.body)
	}
}
