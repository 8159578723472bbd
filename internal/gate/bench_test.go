package gate

import (
	"crypto/rand"
	"encoding/base64"
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
	g, cookie := benchGate(b)
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

func benchGate(b *testing.B) (*Gate, string) {
	b.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	c, err := config.Parse([]byte(`{"providers":[{"name":"main","issuer":"https://id.example.com","cluster":"idp","client_id":"shop"}],
		"hosts":["app.example.com"],"session":{"keys":[{"id":"k","env":"KEY"}]},"forward":{"access_token":["authorization"]},
		"rules":[{"match":{"paths":["/healthz","/public/*"]},"allow":"anyone"}]}`),
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
		ID: "s", Provider: "main", Issuer: "https://id.example.com", ClientID: "shop", Subject: "u", Begun: session.MomentOf(time.Now()),
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
