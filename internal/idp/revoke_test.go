package idp

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func (w *world) tokenForm(path string, token any, changes map[string]string) answer {
	w.t.Helper()
	form := url.Values{"token": {token.(string)}, "client_id": {"shop"}, "client_secret": {"s3cret&+/%"}}
	return w.do("POST", path, with(form, changes), nil)
}

func TestARevokedRefreshTokenTakesTheWholeLoginWithIt(t *testing.T) {
	w := newWorld(t)
	got := w.tokens("alice")
	if a := w.tokenForm("/revoke", got["refresh_token"], map[string]string{"token_type_hint": "access_token"}); a.status != http.StatusOK || a.body != "" {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	if a := w.refresh(got["refresh_token"]); a.json(t)["error"] != "invalid_grant" {
		t.Errorf("the refresh token still works: %d", a.status)
	}
	if a := w.userinfo(got["access_token"]); a.status != http.StatusUnauthorized {
		t.Errorf("the access token still works: %d", a.status)
	}
	if w.p.Count("revocation") != 1 {
		t.Errorf("counted %d", w.p.Count("revocation"))
	}
}

func TestARevokedAccessTokenEndsAlone(t *testing.T) {
	w := newWorld(t)
	got := w.tokens("alice")
	w.tokenForm("/revoke", got["access_token"], nil)
	if a := w.userinfo(got["access_token"]); a.status != http.StatusUnauthorized {
		t.Errorf("the access token still works: %d", a.status)
	}
	if a := w.refresh(got["refresh_token"]); a.status != http.StatusOK {
		t.Errorf("the refresh token died with it: %d", a.status)
	}
}

func TestRevocationsAndIntrospectionsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	got := w.tokens("alice")
	public := map[string]string{"client_id": "spa", "client_secret": ""}
	for name, test := range map[string]struct {
		path    string
		token   any
		changes map[string]string
		status  int
		want    any
	}{
		"revoking without proof":                {"/revoke", got["refresh_token"], map[string]string{"client_secret": "guess"}, 401, "invalid_client"},
		"revoking another client's refresh":     {"/revoke", got["refresh_token"], public, 400, "invalid_grant"},
		"revoking another client's access":      {"/revoke", got["access_token"], public, 400, "invalid_grant"},
		"revoking nothing":                      {"/revoke", "", nil, 400, "invalid_request"},
		"asking without proof":                  {"/introspect", got["access_token"], map[string]string{"client_secret": ""}, 401, "invalid_client"},
		"asking as a client that has no secret": {"/introspect", got["access_token"], public, 401, "invalid_client"},
		"asking about nothing":                  {"/introspect", "", nil, 400, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.tokenForm(test.path, test.token, test.changes)
			if a.status != test.status || a.json(t)["error"] != test.want {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
	if a := w.tokenForm("/revoke", "nobody's", nil); a.status != http.StatusOK {
		t.Errorf("a token that is not known: got %d", a.status)
	}
	if a := w.userinfo(got["access_token"]); a.status != http.StatusOK {
		t.Errorf("what was refused had an effect: %d", a.status)
	}
}

func TestIntrospectionTellsAboutAGoodTokenAndNothingAboutAnother(t *testing.T) {
	w := newWorld(t)
	got := w.tokens("alice")
	claims := w.verified(got["access_token"])
	want := map[string]any{
		"active": true, "iss": w.base, "sub": "id-of-alice", "sid": claims["sid"], "client_id": "shop", "username": "alice",
		"scope": "openid profile email groups", "exp": claims["exp"], "iat": claims["iat"], "jti": claims["jti"],
		"token_type": "Bearer", "aud": "shop", "acr": "bronze", "auth_time": 1_790_000_000.0,
	}
	if diff := cmp.Diff(want, w.tokenForm("/introspect", got["access_token"], nil).json(t)); diff != "" {
		t.Errorf("the access token (-want +got):\n%s", diff)
	}
	if a := w.tokenForm("/introspect", got["refresh_token"], nil).json(t); a["active"] != true || a["token_type"] != nil {
		t.Errorf("the refresh token: %v", a)
	}
	inactive := map[string]any{"active": false}
	w.refresh(got["refresh_token"])
	for name, token := range map[string]any{
		"junk": "x.y.z", "the ID token": got["id_token"], "a spent refresh token": got["refresh_token"],
	} {
		if diff := cmp.Diff(inactive, w.tokenForm("/introspect", token, nil).json(t)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	w.advance(5 * time.Minute)
	if diff := cmp.Diff(inactive, w.tokenForm("/introspect", got["access_token"], nil).json(t)); diff != "" {
		t.Errorf("an expired token (-want +got):\n%s", diff)
	}
}
