package oidc

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// FuzzLogoutToken posts anything: only what the provider signed is accepted.
func FuzzLogoutToken(f *testing.F) {
	world := newFake(&testing.T{})
	p := world.provider("")
	p.Learn(world.env())
	good := world.logoutToken(world.logoutTokenClaims())
	parts := strings.Split(good, ".")
	for _, seed := range []string{
		good, parts[0] + "." + parts[1] + ".", "e30.e30.e30", strings.Repeat(".", 40), good + "A",
		world.idToken(world.claims()), sign(&testing.T{}, jose.ES256, testKeys().ec, "", nil, world.logoutTokenClaims()),
	} {
		f.Add(seed)
	}
	want := LogoutToken{SID: "s-1", Subject: "u-1", ID: "j-1", Issued: time.Unix(world.now.Unix(), 0)}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := p.VerifyLogoutToken(world.env(), raw)
		if err == nil && *got != want {
			t.Errorf("accepted %+v", got)
		}
		if Reason(err) == "internal" && err != nil {
			t.Errorf("an error of no kind: %v", err)
		}
	})
}

// FuzzLogoutClaims reads any claims; another decoder says what was accepted.
func FuzzLogoutClaims(f *testing.F) {
	world := newFake(&testing.T{})
	p := world.provider("")
	good := world.logoutTokenClaims()
	for _, claims := range []map[string]any{
		good, with(good, "aud", []string{"shop", "other"}), with(good, "nonce", ""), with(good, "sid", nil),
		with(good, "exp", 1e300), with(good, "events", "x"), with(good, "events", map[string]any{logoutEvent: 1}),
	} {
		b, err := json.Marshal(claims)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := p.readLogoutClaims(payload, world.now)
		if err != nil {
			return
		}
		var claims map[string]any
		if err := json.Unmarshal(payload, &claims); err != nil {
			t.Fatalf("accepted what is no JSON: %v", err)
		}
		events, _ := claims["events"].(map[string]any)
		_, event := events[logoutEvent].(map[string]any)
		_, nonce := claims["nonce"]
		if claims["iss"] != issuer || claims["jti"] != got.ID || got.ID == "" || !event || nonce {
			t.Errorf("accepted %s", payload)
		}
		if got.SID == "" && got.Subject == "" || got.Issued.Before(world.now.Add(-10*time.Minute)) || got.Issued.After(world.now.Add(5*time.Minute)) {
			t.Errorf("accepted %+v", got)
		}
	})
}
