package idp

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCodeBecomesTokensThatSayWhoSignedIn(t *testing.T) {
	w := newWorld(t)
	got := w.tokens("alice")
	claims := w.verified(got["id_token"])
	half := sha256.Sum256([]byte(got["access_token"].(string)))
	sid := claims["sid"]
	want := map[string]any{
		"iss": w.base, "sub": "id-of-alice", "aud": "shop", "azp": "shop", "nonce": "n0nce", "sid": sid,
		"iat": 1_790_000_000.0, "exp": 1_790_000_300.0, "auth_time": 1_790_000_000.0,
		"acr": "bronze", "amr": []any{"pwd"},
		"at_hash": base64.RawURLEncoding.EncodeToString(half[:16]),
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims of the ID token (-want +got):\n%s", diff)
	}
	access := w.verified(got["access_token"])
	if access["sub"] != "id-of-alice" || access["client_id"] != "shop" || got["token_type"] != "Bearer" || got["expires_in"] != 300.0 {
		t.Errorf("the access token is for %v by %v, type %v, for %v s", access["sub"], access["client_id"], got["token_type"], got["expires_in"])
	}
}

func TestNonceMayBeMissing(t *testing.T) {
	w := newWorld(t)
	a := w.do("POST", "/token", exchange(w.code("alice", map[string]string{"nonce": ""})), nil)
	if _, has := w.verified(a.json(t)["id_token"])["nonce"]; has {
		t.Error("the ID token has a nonce that nobody sent")
	}
}

func TestPublicClientWithES256GetsItsClaimsInTheIDToken(t *testing.T) {
	w := newWorld(t)
	code := w.code("alice", map[string]string{"client_id": "spa"})
	a := w.do("POST", "/token", with(exchange(code), map[string]string{"client_id": "spa", "client_secret": ""}), nil)
	claims := w.verified(a.json(t)["id_token"])
	if claims["email"] != "alice@example.com" || claims["preferred_username"] != "alice" {
		t.Errorf("claims: %v", claims)
	}
	header, _, _ := strings.Cut(a.json(t)["id_token"].(string), ".")
	if plain, _ := base64.RawURLEncoding.DecodeString(header); !strings.Contains(string(plain), `"ES256"`) {
		t.Errorf("header of the ID token: %s", plain)
	}
}

func TestCodesThatCannotBeExchanged(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		changes map[string]string
		wait    time.Duration
		want    string
	}{
		"a wrong verifier":               {map[string]string{"code_verifier": strings.Repeat("x", 43)}, 0, "invalid_grant"},
		"no verifier":                    {map[string]string{"code_verifier": ""}, 0, "invalid_grant"},
		"another redirect address":       {map[string]string{"redirect_uri": "https://app.example/"}, 0, "invalid_grant"},
		"no redirect address":            {map[string]string{"redirect_uri": ""}, 0, "invalid_grant"},
		"an unknown code":                {map[string]string{"code": "x"}, 0, "invalid_grant"},
		"another client's code":          {map[string]string{"client_id": "spa", "client_secret": ""}, 0, "invalid_grant"},
		"a code older than a minute":     {nil, time.Minute, "invalid_grant"},
		"a wrong client secret":          {map[string]string{"client_secret": "guess"}, 0, "invalid_client"},
		"no client secret":               {map[string]string{"client_secret": ""}, 0, "invalid_client"},
		"a secret for the public client": {map[string]string{"client_id": "spa"}, 0, "invalid_client"},
		"an unknown client":              {map[string]string{"client_id": "nobody"}, 0, "invalid_client"},
		"an unknown grant":               {map[string]string{"grant_type": "password"}, 0, "unsupported_grant_type"},
	} {
		t.Run(name, func(t *testing.T) {
			form := with(exchange(w.code("alice", nil)), test.changes)
			w.advance(test.wait)
			a := w.do("POST", "/token", form, nil)
			wantStatus := http.StatusBadRequest
			if test.want == "invalid_client" {
				wantStatus = http.StatusUnauthorized
			}
			if a.status != wantStatus || a.json(t)["error"] != test.want {
				t.Errorf("got %d %s, want %d %s", a.status, a.body, wantStatus, test.want)
			}
		})
	}
}

func TestWrongVerifierSpendsTheCode(t *testing.T) {
	w := newWorld(t)
	code := w.code("alice", nil)
	w.do("POST", "/token", with(exchange(code), map[string]string{"code_verifier": strings.Repeat("x", 43)}), nil)
	if a := w.do("POST", "/token", exchange(code), nil); a.status != http.StatusBadRequest {
		t.Errorf("a second guess was allowed: %d", a.status)
	}
}

func TestReusedCodeRevokesTheTokens(t *testing.T) {
	w := newWorld(t)
	code := w.code("alice", nil)
	got := w.do("POST", "/token", exchange(code), nil).json(t)
	w.advance(2 * time.Minute) // late, when the code itself is no longer good
	if a := w.do("POST", "/token", exchange(code), nil); a.json(t)["error"] != "invalid_grant" {
		t.Errorf("the second use got %d %s", a.status, a.body)
	}
	if a := w.userinfo(got["access_token"]); a.status != http.StatusUnauthorized {
		t.Errorf("the access token still works: %d", a.status)
	}
	if a := w.refresh(got["refresh_token"]); a.json(t)["error"] != "invalid_grant" {
		t.Errorf("the refresh token still works: %d", a.status)
	}
}

func TestClientAuthentication(t *testing.T) {
	w := newWorld(t)
	encoded := url.QueryEscape("s3cret&+/%")
	basic := func(id, secret string) map[string]string {
		return map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}
	}
	none := map[string]string{"client_id": "", "client_secret": ""}
	for name, test := range map[string]struct {
		form   map[string]string
		header map[string]string
		ok     bool
	}{
		"basic": {none, basic("shop", encoded), true},
		"basic with the same client_id beside it": {map[string]string{"client_secret": ""}, basic("shop", encoded), true},
		"post":                           {nil, nil, true},
		"basic that is not form-encoded": {none, basic("shop", "s3cret&+/%"), false},
		"basic and post at once":         {nil, basic("shop", encoded), false},
		"basic beside another client_id": {map[string]string{"client_id": "spa", "client_secret": ""}, basic("shop", encoded), false},
		"a bearer token":                 {nil, map[string]string{"Authorization": "Bearer x"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.do("POST", "/token", with(exchange(w.code("alice", nil)), test.form), test.header)
			if (a.status == http.StatusOK) != test.ok {
				t.Errorf("got %d %s, want success: %v", a.status, a.body, test.ok)
			}
			if !test.ok && a.header.Get("WWW-Authenticate") == "" {
				t.Error("the refusal lacks WWW-Authenticate")
			}
		})
	}
}

func TestTokenEndpointReadsOnlyForms(t *testing.T) {
	w := newWorld(t)
	form := exchange(w.code("alice", nil))
	for name, a := range map[string]answer{
		"parameters in the address": w.do("POST", "/token?"+form.Encode(), nil, nil),
		"JSON":                      w.do("POST", "/token", form, map[string]string{"Content-Type": "application/json"}),
		"a repeated parameter":      w.do("POST", "/token", url.Values{"client_id": {"shop", "shop"}}, nil),
		"a body without end":        w.do("POST", "/token", url.Values{"code": {strings.Repeat("x", 70<<10)}}, nil),
	} {
		if a.status/100 != 4 {
			t.Errorf("%s: got %d", name, a.status)
		}
	}
	if a := w.do("GET", "/token?"+form.Encode(), nil, nil); a.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: got %d", a.status)
	}
}

func TestRefreshRotatesTheToken(t *testing.T) {
	w := newWorld(t)
	first := w.tokens("alice")
	w.advance(time.Minute)
	second := w.refresh(first["refresh_token"]).json(t)
	if second["refresh_token"] == nil || second["refresh_token"] == first["refresh_token"] {
		t.Error("the refresh token did not change")
	}
	old, renewed := w.verified(first["id_token"]), w.verified(second["id_token"])
	if renewed["sub"] != old["sub"] || renewed["sid"] != old["sid"] || renewed["auth_time"] != old["auth_time"] || renewed["iat"] == old["iat"] {
		t.Errorf("the renewed ID token is %v, the first was %v", renewed, old)
	}
	if _, has := renewed["nonce"]; has {
		t.Error("the renewed ID token repeats the nonce")
	}
	if a := w.userinfo(second["access_token"]); a.json(t)["email"] != "alice@example.com" {
		t.Errorf("userinfo with the new token: %s", a.body)
	}
	if n := w.p.Count("token:refresh_token"); n != 1 {
		t.Errorf("counted %d refreshes, want 1", n)
	}
}

func TestReusedRefreshTokenRevokesTheFamily(t *testing.T) {
	w := newWorld(t)
	first := w.tokens("alice")
	second := w.refresh(first["refresh_token"]).json(t)
	if a := w.refresh(first["refresh_token"]); a.json(t)["error"] != "invalid_grant" {
		t.Errorf("the spent token got %d", a.status)
	}
	if a := w.refresh(second["refresh_token"]); a.json(t)["error"] != "invalid_grant" {
		t.Errorf("its successor still works: %d", a.status)
	}
	if a := w.userinfo(second["access_token"]); a.status != http.StatusUnauthorized {
		t.Errorf("the access token still works: %d", a.status)
	}
}

func TestRefreshesThatAreRefused(t *testing.T) {
	w := newWorld(t)
	base := url.Values{"grant_type": {"refresh_token"}, "client_id": {"shop"}, "client_secret": {"s3cret&+/%"}}
	for name, test := range map[string]struct {
		changes map[string]string
		wait    time.Duration
		want    string
	}{
		"another client":    {map[string]string{"client_id": "spa", "client_secret": ""}, 0, "invalid_grant"},
		"an expired token":  {nil, 24 * time.Hour, "invalid_grant"},
		"an unknown token":  {map[string]string{"refresh_token": "x"}, 0, "invalid_grant"},
		"a wider scope":     {map[string]string{"scope": "openid offline_access"}, 0, "invalid_scope"},
		"a narrower scope":  {map[string]string{"scope": "openid"}, 0, ""},
		"a client unproven": {map[string]string{"client_secret": "guess"}, 0, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			form := with(base, map[string]string{"refresh_token": w.tokens("alice")["refresh_token"].(string)})
			w.advance(test.wait)
			got, _ := w.do("POST", "/token", with(form, test.changes), nil).json(t)["error"].(string)
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
