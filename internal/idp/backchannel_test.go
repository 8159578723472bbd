package idp

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testBackchannel = "https://app.example/oauth2/backchannel_logout"

// told is what clients were told on the back channel.
type told struct {
	urls   []string
	tokens []string
	status int
	err    error
}

func (w *world) listen() *told {
	heard := &told{status: http.StatusOK}
	w.p.clients["shop"].BackchannelLogoutURI = testBackchannel
	w.p.cfg.Post = func(address string, form url.Values) (int, error) {
		heard.urls = append(heard.urls, address)
		heard.tokens = append(heard.tokens, form.Get("logout_token"))
		return heard.status, heard.err
	}
	return heard
}

func TestAClientIsToldWhenASessionEndsThatItTookPartIn(t *testing.T) {
	for name, end := range map[string]func(*world, map[string]any){
		"by the person": func(w *world, got map[string]any) {
			w.do("GET", "/end_session?"+url.Values{"id_token_hint": {got["id_token"].(string)}}.Encode(), nil, nil)
		},
		"by an administrator": func(w *world, _ map[string]any) {
			if n := w.p.EndSession("alice"); n != 1 {
				w.t.Errorf("%d sessions ended", n)
			}
		},
		"with everybody's": func(w *world, _ map[string]any) { w.p.EndSessions() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			heard := w.listen()
			got := w.tokens("alice")
			end(w, got)
			if diff := cmp.Diff([]string{testBackchannel}, heard.urls); diff != "" {
				t.Fatalf("addresses (-want +got):\n%s", diff)
			}
			claims := w.verified(heard.tokens[0])
			want := map[string]any{
				"iss": w.base, "aud": "shop", "sub": "id-of-alice", "sid": w.verified(got["id_token"])["sid"],
				"iat": 1_790_000_000.0, "exp": 1_790_000_120.0, "jti": claims["jti"],
				"events": map[string]any{logoutEvent: map[string]any{}},
			}
			if diff := cmp.Diff(want, claims); diff != "" || claims["jti"] == "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
			if a := w.refresh(got["refresh_token"]); a.json(t)["error"] != "invalid_grant" {
				t.Errorf("the refresh token still works: %d", a.status)
			}
			if w.p.Count("backchannel_logout") != 1 || w.p.Count("backchannel_logout:failed") != 0 {
				t.Error("it is not counted as it went")
			}
		})
	}
}

func TestNobodyIsToldOfWhatIsNotTheirs(t *testing.T) {
	w := newWorld(t)
	heard := w.listen()
	w.code("bob", map[string]string{"client_id": "spa"}) // has no address for it
	w.p.EndSession("bob")
	w.newBrowser()
	got := w.tokens("alice")
	w.p.EndSession("bob")
	if len(heard.urls) != 0 {
		t.Errorf("told %v", heard.urls)
	}
	if a := w.refresh(got["refresh_token"]); a.status != http.StatusOK {
		t.Errorf("somebody else's session ended: %d", a.status)
	}
}

func TestALogoutThatAClientDoesNotTakeIsCounted(t *testing.T) {
	for name, answer := range map[string]told{"by status": {status: 400}, "by silence": {status: 200, err: errors.New("no answer")}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			heard := w.listen()
			heard.status, heard.err = answer.status, answer.err
			w.tokens("alice")
			w.p.EndSession("alice")
			if w.p.Count("backchannel_logout:failed") != 1 {
				t.Error("it is not counted")
			}
		})
	}
}

func TestLogoutTokensCanBeMadeAndSpoiledWithoutEndingAnything(t *testing.T) {
	w := newWorld(t)
	heard := w.listen()
	got := w.tokens("alice")
	w.p.EditLogoutToken(func(claims map[string]any) { claims["nonce"] = "n" })
	tokens, err := w.p.LogoutTokens("alice")
	if err != nil || len(tokens) != 1 {
		t.Fatalf("%d tokens, %v", len(tokens), err)
	}
	if tokens[0].Client != "shop" || tokens[0].URI != testBackchannel || w.verified(tokens[0].Raw)["nonce"] != "n" {
		t.Errorf("got %+v", tokens[0])
	}
	if a := w.userinfo(got["access_token"]); a.status != http.StatusOK || len(heard.urls) != 0 {
		t.Error("something ended, or was sent")
	}
}
