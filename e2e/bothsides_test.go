package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/idp"
)

// TestOneConfigurationForBothSides is about settings that protect an application
// and give tokens to what it sends, on listeners that say which of them they are
// for, as Istio's do, and on one that does not.
func TestOneConfigurationForBothSides(t *testing.T) {
	provider := newEmbedded(t, idp.Client{
		ID: ClientID, Secret: ClientSecret, ServiceAccount: true, Scopes: []string{"stock"}, Targets: []string{"stock-api", "orders-api"},
	})
	service := Service{Provider: provider.Provider, ID: ClientID, Secret: ClientSecret}
	token := func() http.Header {
		return bearer(must(service.Token(map[string][]string{"audience": {"orders-api"}}))(t))
	}
	ForEachEnvoy(t, func(t *testing.T, version string) {
		app, settings := NewApp(t), inboundSettings(provider.Provider, service, Settings{"audiences": []string{"orders-api"}})
		settings["outbound"] = []Settings{toHost(stockHost, Settings{"provider": provider.Name, "audiences": []string{"stock-api"}})}
		direction := func(name string) func(*EnvoySetup) {
			return func(s *EnvoySetup) { s.Listener = func(l map[string]any) { l["traffic_direction"] = name } }
		}
		e := StartEnvoy(t, EnvoySetup{
			Version: version, Workers: 2, App: app.Addr(), IDP: provider.Addr(), Config: settings, Env: NewSecrets(),
			Beside: map[string]func(*EnvoySetup){"inbound": direction("INBOUND"), "outbound": direction("OUTBOUND")},
		})
		s := &bothSides{app: app, provider: provider, out: e.At("outbound")}
		eventuallyServed(t, e.URL("/"), to(ordersHost), token())
		t.Run("what the application sends gets a token", s.sends)
		for name, in := range map[string]*Envoy{"for what it is sent": e.At("inbound"), "that does not say what for": e} {
			t.Run("a listener "+name+" protects", func(t *testing.T) { s.protects(t, in, token()) })
		}
		if n := len(e.Log.Lines("listener_direction_unknown")); n < 1 || n > e.Setup.Workers {
			t.Errorf("%d lines say that a listener tells nothing", n)
		}
		checkLog(t, &Gate{Envoy: e})
	})
}

type bothSides struct {
	app      *App
	provider *Embedded
	out      *Envoy
}

func (s *bothSides) sends(t *testing.T) {
	before := s.provider.IDP.Count("token:client_credentials")
	for _, page := range must(NewScript().AtOnce(20, s.out.URL("/level"), to(stockHost)))(t) {
		seen := must(ReadSeen(page))(t)
		claims := must(readClaims(strings.TrimPrefix(seen.Value("authorization"), "Bearer ")))(t)
		if !hasAudience(claims, "stock-api") || claims["client_id"] != ClientID || seen.Target != "/level" {
			t.Fatalf("%s was sent with a token of %v", seen.Target, claims)
		}
	}
	if n := s.provider.IDP.Count("token:client_credentials") - before; n != 1 {
		t.Errorf("%d tokens were fetched", n)
	}
	for _, host := range []string{"elsewhere.example.net", ordersHost} {
		seen := must(ReadSeen(must(NewScript().Get(s.out.URL("/"), to(host), http.Header{"X-Auth-Request-User": {"alice"}}))(t)))(t)
		if seen.Value("authorization") != "" || seen.Value("x-auth-request-user") != "alice" {
			t.Errorf("to %s the application's request was changed: %v", host, seen.Headers)
		}
	}
}

func (s *bothSides) protects(t *testing.T, in *Envoy, token http.Header) {
	before, fetched := s.app.Requests(), s.provider.IDP.Count("token:client_credentials")
	for host, status := range map[string]int{stockHost: http.StatusUnauthorized, ordersHost: http.StatusUnauthorized, "elsewhere.example.net": http.StatusMisdirectedRequest} {
		if page := must(NewScript().Get(in.URL("/level"), to(host)))(t); page.Status != status {
			t.Errorf("%s without a token: %d", host, page.Status)
		}
	}
	if n := s.app.Requests() - before; n != 0 {
		t.Errorf("%d requests reached the application", n)
	}
	if n := s.provider.IDP.Count("token:client_credentials") - fetched; n != 0 {
		t.Errorf("%d tokens were fetched for somebody", n)
	}
	forged := http.Header{"X-Auth-Request-User": {"eve"}}
	seen := must(ReadSeen(must(NewScript().Get(in.URL("/level"), to(stockHost), token, forged))(t)))(t)
	if seen.Value("x-auth-request-user") != ClientID {
		t.Errorf("the application is called by %q", seen.Value("x-auth-request-user"))
	}
	claims := must(readClaims(strings.TrimPrefix(seen.Value("authorization"), "Bearer ")))(t)
	if !hasAudience(claims, "orders-api") {
		t.Errorf("the caller's token was replaced by one of %v", claims)
	}
}
