package oidc

import (
	"encoding/base64"
	"encoding/json"
	"slices"
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
	want := LogoutToken{Issuer: issuer, SID: "s-1", Subject: "u-1", ID: "j-1", Issued: time.Unix(world.now.Unix(), 0)}
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

// FuzzAccessToken brings anything: only what the provider signed is accepted,
// and who issued it is read of everything that is.
func FuzzAccessToken(f *testing.F) {
	world := newFake(&testing.T{})
	p := world.provider("")
	p.Learn(world.env())
	want := world.wants(forAPI)
	good := world.accessToken(world.accessClaims())
	for _, attacks := range []map[string]attack{world.headerAttacks(), world.claimAttacks()} {
		for _, a := range attacks {
			if len(a.token) < 4<<10 {
				f.Add(a.token)
			}
		}
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := p.VerifyAccessToken(world.env(), raw, want)
		if err == nil && (raw != good || got.Subject != "service-a") {
			t.Errorf("accepted %+v", *got)
		}
		if err != nil && Reason(err) == "internal" {
			t.Errorf("an error of no kind: %v", err)
		}
		if claimed, ok := IssuerOf(raw); err == nil && (!ok || claimed != issuer) {
			t.Errorf("an accepted token of %q, %t", claimed, ok)
		}
	})
}

// FuzzIssuerOf reads anything; another decoder says what was read.
func FuzzIssuerOf(f *testing.F) {
	f.Add(`{"alg":"RS256"}`, `{"iss":"a"}`, "AAAA")
	f.Add(`{"alg":"none","x":[{}]}`, `{"iss":"a","iss":"b"}`, "")
	f.Add(`[]`, "\"", "..")
	f.Fuzz(func(t *testing.T, header, payload, signature string) {
		part := base64.RawURLEncoding.EncodeToString
		got, ok := IssuerOf(part([]byte(header)) + "." + part([]byte(payload)) + "." + signature)
		if !ok {
			if got != "" {
				t.Errorf("no token, of %q", got)
			}
			return
		}
		var head, claims map[string]any
		if err := json.Unmarshal([]byte(header), &head); err != nil || head["alg"] == "" || signature == "" {
			t.Fatalf("a header that is none: %q", header)
		}
		if got == "" {
			return
		}
		if err := json.Unmarshal([]byte(payload), &claims); err != nil || claims["iss"] != got {
			t.Errorf("read %q of %q", got, payload)
		}
	})
}

// FuzzIntrospection reads any answer; another decoder says what was accepted.
func FuzzIntrospection(f *testing.F) {
	world := newFake(&testing.T{})
	p, want := world.provider(""), world.wants(asking+`,"required_claims":{"scope":["orders"]}`)
	good := world.introspectionAnswer()
	for _, claims := range []map[string]any{
		good, with(good, "active", "true"), with(good, "aud", []string{"shop-admin"}), with(good, "exp", 1e300),
		with(good, "cnf", map[string]any{"jkt": strings.Repeat("A", 43)}), with(good, "typ", "Refresh"), with(good, "scope", []string{"orders"}),
	} {
		f.Add(mustJSON(claims))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		got, err := p.ReadIntrospection(answer, want, world.now)
		if err != nil {
			if Reason(err) == "internal" {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		var claims map[string]any
		if err := json.Unmarshal(answer, &claims); err != nil {
			t.Fatalf("accepted what is no JSON: %v", err)
		}
		issued, told := claims["iss"].(string)
		if claims["active"] != true || told && issued != "" && issued != issuer || got.Issuer != issuer {
			t.Errorf("accepted %s", answer)
		}
		if _, bound := claims["cnf"]; bound != (got.JKT+got.X5T != "") || got.Subject+got.ClientID == "" {
			t.Errorf("accepted %+v of %s", *got, answer)
		}
		if !slices.Contains(got.Scopes, "orders") || !got.Expires.IsZero() && !world.now.Before(got.Expires.Add(time.Minute)) {
			t.Errorf("accepted %+v of %s", *got, answer)
		}
	})
}
