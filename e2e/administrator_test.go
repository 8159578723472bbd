package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// TestKeycloakTellsOfSessionsThatEnded is of Keycloak alone: it says that our
// realm sends logout tokens at all, and that refresh tokens rotate.
func TestKeycloakTellsOfSessionsThatEnded(t *testing.T) {
	p := Keycloak(t)
	told := make(chan string, 10)
	client := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		told <- string(body)
	}))
	t.Cleanup(client.Close)
	admin := must(NewAdministrator(p))(t)
	if err := admin.BackChannel(client.URL + "/oauth2/backchannel_logout"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin.BackChannel(""); err != nil {
			t.Error(err)
		}
	})
	for range 2 {
		exchange(t, p, signInDirectly(t, p, Bob).Get("code"))
	}
	sessions := must(admin.Sessions(Bob))(t)
	if len(sessions) < 2 {
		t.Errorf("Bob has %d sessions", len(sessions))
	}
	if err := admin.SignOut(Bob); err != nil {
		t.Fatal(err)
	}
	for range sessions {
		select {
		case body := <-told:
			if form := must(url.ParseQuery(body))(t); form.Get("logout_token") == "" {
				t.Errorf("what came was %.100q", body)
			}
		default:
			t.Error("Keycloak was done before it told of every session")
		}
	}
	if sessions := must(admin.Sessions(Bob))(t); len(sessions) != 0 {
		t.Errorf("Bob still has %d sessions", len(sessions))
	}
}
