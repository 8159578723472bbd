package gate

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/session"
	"github.com/postern-auth/postern/internal/shared"
)

// BenchmarkSessionInTheCache is the hot path: a browser's request with a
// session that was seen before.
func BenchmarkSessionInTheCache(b *testing.B) {
	benchSession(b, `[{"match":{"paths":["/healthz","/public/*"]},"allow":"anyone"}]`)
}

// BenchmarkSessionUnderAThousandRules is the same where many rules have to be told
// apart, and the one that matches asks for a group.
func BenchmarkSessionUnderAThousandRules(b *testing.B) {
	var rules strings.Builder
	for i := range 249 {
		fmt.Fprintf(&rules, `{"match":{"paths":["/team-%[1]d/public/*"]},"allow":"anyone"},
			{"match":{"paths":["/team-%[1]d/*"],"methods":["POST","PUT"]},"require":{"groups":["writers-%[1]d"]}},
			{"match":{"paths":["/team-%[1]d/*/settings"]},"require":{"groups":["owners-%[1]d"]}},
			{"match":{"hosts":["team-%[1]d.example.com"]},"require":{"groups":["members-%[1]d"]}},`, i)
	}
	benchSession(b, "["+rules.String()+`{"match":{"paths":["/orders/*"],"methods":["DELETE"]},"require":{"groups":["owners"]}},
		{"match":{"paths":["/orders/*"],"headers":{"x-tenant":["red"]}},"require":{"groups":["red"]}},
		{"match":{"hosts":["app.example.com"],"paths":["/orders/*"]},"require":{"groups":["admins"]}}]`)
}

func benchSession(b *testing.B, rules string) {
	b.Helper()
	g, cookie := benchGate(b, rules)
	r := &httpmsg.Request{Method: "GET", Scheme: "https", Authority: "app.example.com", Target: "/orders/17?sort=date", Header: httpmsg.Fields{
		{Name: "sec-ch-ua", Value: `"Chromium";v="156", "Not.A/Brand";v="99"`},
		{Name: "sec-ch-ua-mobile", Value: "?0"},
		{Name: "sec-ch-ua-platform", Value: `"Linux"`},
		{Name: "upgrade-insecure-requests", Value: "1"},
		{Name: "user-agent", Value: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"},
		{Name: "accept", Value: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"},
		{Name: "sec-fetch-site", Value: "same-origin"},
		{Name: "sec-fetch-mode", Value: "navigate"},
		{Name: "sec-fetch-user", Value: "?1"},
		{Name: "sec-fetch-dest", Value: "document"},
		{Name: "referer", Value: "https://app.example.com/orders"},
		{Name: "accept-encoding", Value: "gzip, deflate, br, zstd"},
		{Name: "accept-language", Value: "en-GB,en;q=0.9"},
		{Name: "cookie", Value: "theme=dark; " + cookie},
		{Name: "x-forwarded-proto", Value: "https"},
		{Name: "x-request-id", Value: "4af6d59f-0b70-4f2b-a39e-29a9d4e60741"},
	}}
	b.ReportAllocs()
	for b.Loop() {
		v, flow := g.Handle(r)
		if v.Forward == nil || len(v.Forward.Set) == 0 || flow != nil {
			b.Fatal("not forwarded with an identity")
		}
	}
}

func benchGate(b *testing.B, rules string) (*Gate, string) {
	b.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	c, err := config.Parse([]byte(`{"providers":[{"name":"main","issuer":"https://id.example.com","cluster":"idp","client_id":"shop"}],
		"hosts":["app.example.com"],"session":{"keys":[{"id":"k","env":"KEY"}]},"forward":{"access_token":["authorization"]},
		"rules":`+rules+`}`),
		func(string) (string, bool) { return base64.StdEncoding.EncodeToString(key), true })
	if err != nil {
		b.Fatal(err)
	}
	local := shared.NewLocal()
	now := time.Now() // the plugin's clock stands still between ticks
	clock := func() time.Time { return now }
	g, err := New(c, Deps{Now: clock, Clock: time.Now, Random: rand.Reader, Log: func(Event) {}, Shared: local, Signal: local})
	if err != nil {
		b.Fatal(err)
	}
	token := make([]byte, 1200)
	_, _ = rand.Read(token)
	sealed, _, err := g.keys.SealSession(&session.Session{
		ID: "s", Gathered: g.wanted["main"].stamp, Provider: "main", Issuer: "https://id.example.com", ClientID: "shop", Subject: "u", Begun: session.MomentOf(time.Now()),
		Claims:      map[string]session.Claim{"user": {Values: []string{"alice"}}, "email": {Values: []string{"alice@example.com"}}, "groups": {List: true, Values: []string{"admins", "users"}}},
		AccessToken: base64.RawURLEncoding.EncodeToString(token), RefreshToken: base64.RawURLEncoding.EncodeToString(token[:600]),
	}, 12288)
	if err != nil {
		b.Fatal(err)
	}
	parts, err := g.jar.Split(sealed)
	if err != nil {
		b.Fatal(err)
	}
	cookie := ""
	for i, part := range parts {
		if i > 0 {
			cookie += "; "
		}
		cookie += g.jar.Name(i) + "=" + part
	}
	return g, cookie
}
