package idp

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSettingsThatAreRefused(t *testing.T) {
	client := Client{ID: "c", RedirectURIs: []string{"https://app.example/"}}
	user := User{PreferredUsername: "u", Password: "p"}
	for name, cfg := range map[string]Config{
		"no issuer":                         {},
		"an issuer with a query":            {Issuer: "https://id.example/?a"},
		"an issuer of another scheme":       {Issuer: "ftp://id.example"},
		"a client without redirect address": {Issuer: "https://id.example", Clients: []Client{{ID: "c"}}},
		"two clients of one name":           {Issuer: "https://id.example", Clients: []Client{client, client}},
		"an algorithm it cannot do":         {Issuer: "https://id.example", Clients: []Client{{ID: "c", RedirectURIs: client.RedirectURIs, Algorithm: "HS256"}}},
		"two users of one name":             {Issuer: "https://id.example", Users: []User{user, user}},
		"a user without password":           {Issuer: "https://id.example", Users: []User{{PreferredUsername: "u"}}},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestDiscoveryNamesEndpointsThatExist(t *testing.T) {
	w := newWorld(t)
	found := w.do("GET", "/.well-known/openid-configuration", nil, nil).json(t)
	if found["issuer"] != w.base || found["authorization_response_iss_parameter_supported"] != true {
		t.Errorf("discovery: %v", found)
	}
	for name, value := range found {
		if address, ok := value.(string); ok && (strings.HasSuffix(name, "_endpoint") || name == "jwks_uri") {
			if a := w.do("GET", strings.TrimPrefix(address, w.base), nil, nil); a.status == http.StatusNotFound {
				t.Errorf("%s leads nowhere", name)
			}
		}
	}
}

func TestIssuerWithAPathServesBelowIt(t *testing.T) {
	w := newWorld(t)
	p, err := New(Config{Issuer: "https://id.example/realms/main"})
	if err != nil {
		t.Fatal(err)
	}
	w.p.Intercept(func(rw http.ResponseWriter, r *http.Request) bool { p.ServeHTTP(rw, r); return true })
	found := w.do("GET", "/realms/main/.well-known/openid-configuration", nil, nil).json(t)
	if found["token_endpoint"] != "https://id.example/realms/main/token" {
		t.Errorf("token endpoint: %v", found["token_endpoint"])
	}
}

func TestUserinfoGivesWhatTheScopesAskFor(t *testing.T) {
	w := newWorld(t)
	for scope, want := range map[string]map[string]any{
		"openid":         {"sub": "id-of-alice"},
		"openid profile": {"sub": "id-of-alice", "name": "Alice Liddell", "preferred_username": "alice"},
		"openid email":   {"sub": "id-of-alice", "email": "alice@example.com", "email_verified": true},
		"openid groups":  {"sub": "id-of-alice", "groups": []any{"admins"}},
	} {
		code := w.code("alice", map[string]string{"scope": scope})
		token := w.do("POST", "/token", exchange(code), nil).json(t)["access_token"]
		if diff := cmp.Diff(want, w.userinfo(token).json(t)); diff != "" {
			t.Errorf("scope %q (-want +got):\n%s", scope, diff)
		}
	}
}

func TestUserinfoRefusesWhatIsNoLiveAccessToken(t *testing.T) {
	w := newWorld(t)
	got := w.tokens("alice")
	foreign, err := newKeyring()
	if err != nil {
		t.Fatal(err)
	}
	forged, err := foreign.sign("RS256", "at+jwt", w.verified(got["access_token"]))
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]any{"the ID token": got["id_token"], "a forged token": forged, "junk": "x.y.z"} {
		if a := w.userinfo(token); a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: got %d", name, a.status)
		}
	}
	if a := w.do("GET", "/userinfo?access_token="+got["access_token"].(string), nil, nil); a.status != http.StatusUnauthorized {
		t.Errorf("a token in the address: got %d", a.status)
	}
	if a := w.userinfo(got["access_token"]); a.status != http.StatusOK {
		t.Errorf("the access token itself: got %d", a.status)
	}
	w.advance(5 * time.Minute)
	if a := w.userinfo(got["access_token"]); a.status != http.StatusUnauthorized {
		t.Errorf("an expired token: got %d", a.status)
	}
}

func TestKeyRotationKeepsOldTokensGoodUntilKeysRetire(t *testing.T) {
	w := newWorld(t)
	before := w.tokens("alice")
	if err := w.p.RotateKeys(); err != nil {
		t.Fatal(err)
	}
	after := w.tokens("alice")
	w.verified(before["id_token"])
	w.verified(after["id_token"])
	w.p.RetireKeys()
	w.verified(after["id_token"])
	if a := w.userinfo(before["access_token"]); a.status != http.StatusUnauthorized {
		t.Errorf("a token of a retired key: got %d", a.status)
	}
}

func TestKeySetHoldsNoPrivateKey(t *testing.T) {
	w := newWorld(t)
	for _, key := range w.do("GET", "/jwks", nil, nil).json(t)["keys"].([]any) {
		if _, has := key.(map[string]any)["d"]; has {
			t.Error("a private key is published")
		}
	}
}

func TestLogoutWithTheIDTokenEndsEverything(t *testing.T) {
	w := newWorld(t)
	got := w.tokens("alice")
	w.advance(time.Hour) // an expired ID token is a hint all the same
	q := url.Values{"id_token_hint": {got["id_token"].(string)}, "post_logout_redirect_uri": {"https://app.example/"}, "state": {"x y"}}
	a := w.do("GET", "/end_session?"+q.Encode(), nil, nil)
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "https://app.example/?state=x+y" {
		t.Errorf("got %d to %q", a.status, a.header.Get("Location"))
	}
	if a := w.refresh(got["refresh_token"]); a.json(t)["error"] != "invalid_grant" {
		t.Errorf("the refresh token still works: %d", a.status)
	}
	if a := w.do("GET", request(nil), nil, nil); a.status != http.StatusOK {
		t.Errorf("the next login was silent: %d", a.status)
	}
}

func TestLogoutWithoutProofAsksFirst(t *testing.T) {
	w := newWorld(t)
	stranger := w.tokens("bob")["id_token"].(string)
	w.newBrowser()
	w.tokens("alice")
	for name, path := range map[string]string{
		"no hint":                "/end_session",
		"another person's token": "/end_session?id_token_hint=" + stranger,
	} {
		a := w.do("GET", path, nil, nil)
		if a.status != http.StatusOK || !strings.Contains(a.body, `name="confirm"`) {
			t.Errorf("%s: got %d without a question", name, a.status)
		}
	}
	confirm := url.Values{"confirm": {"yes"}}
	w.do("POST", "/end_session", confirm, map[string]string{"Origin": "https://evil.example"})
	if a := w.do("GET", request(nil), nil, nil); a.status != http.StatusSeeOther {
		t.Errorf("another site's form signed alice out: %d", a.status)
	}
	w.do("POST", "/end_session", confirm, nil)
	if a := w.do("GET", request(nil), nil, nil); a.status != http.StatusOK {
		t.Errorf("alice is still signed in: %d", a.status)
	}
}

func TestLogoutRequestsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	hint := w.tokens("alice")["id_token"].(string)
	for name, q := range map[string]url.Values{
		"an address that is not registered": {"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://evil.example/"}},
		"an address but no client":          {"post_logout_redirect_uri": {"https://app.example/"}},
		"a hint that is not ours":           {"id_token_hint": {"a.b.c"}},
		"a hint for another client":         {"id_token_hint": {hint}, "client_id": {"spa"}},
		"an unknown client":                 {"client_id": {"nobody"}},
	} {
		if a := w.do("GET", "/end_session?"+q.Encode(), nil, nil); a.status != http.StatusBadRequest || a.header.Get("Location") != "" {
			t.Errorf("%s: got %d to %q, want 400", name, a.status, a.header.Get("Location"))
		}
	}
}

func TestAdministratorCanEndAllSessions(t *testing.T) {
	w := newWorld(t)
	got := w.tokens("alice")
	w.p.EndSessions()
	if a := w.refresh(got["refresh_token"]); a.json(t)["error"] != "invalid_grant" {
		t.Errorf("the refresh token still works: %d", a.status)
	}
}

func TestHooksSpoilWhatTheProviderSays(t *testing.T) {
	w := newWorld(t)
	w.p.EditIDToken(func(claims map[string]any) { claims["aud"] = "somebody-else" })
	if got := w.verified(w.tokens("alice")["id_token"])["aud"]; got != "somebody-else" {
		t.Errorf("aud is %v", got)
	}
	w.p.Intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		rw.WriteHeader(http.StatusTeapot)
		return r.URL.Path == "/jwks"
	})
	if a := w.do("GET", "/jwks", nil, nil); a.status != http.StatusTeapot {
		t.Errorf("got %d, want the interceptor's answer", a.status)
	}
}
