package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// services are A and B of the service-to-service flow with Keycloak: an Envoy
// on A's way out, and one in front of B.
type services struct {
	keycloak   *Provider
	admin      *Administrator
	app        *App  // B itself
	out, in    *Gate // A's way out, and the gate before B
	tapA, tapB *Tap  // between them and Keycloak
	withKey    *Gate // the way out of an A that has a key instead of a secret
	asking     *Gate // a gate before B that asks Keycloak about each token
}

func TestServicesCallEachOtherWithTokens(t *testing.T) {
	s := startServices(t)
	t.Run("200 requests at once of A's, which has no token yet, fetch one", s.fetchOnce)
	t.Run("who comes without a good token is told so", s.refusals)
	t.Run("the caller is the client that the token was given to", s.callerIsClient)
	t.Run("a person's token is exchanged for one that is good at B", s.exchange)
	t.Run("a key proves who A is", s.privateKey)
	t.Run("what A sends elsewhere or with a token of its own goes on as it is", s.untouched)
	t.Run("a token that Keycloak withdrew is refused", s.withdrawn)
	t.Run("the tokens of a client that may no longer take part are refused", s.disabled)
	t.Run("a caller at another address is refused", s.address)
	t.Run("a WebSocket opens with a token and not without", s.socket)
	t.Run("keys are changed at Keycloak under load", s.keysChanged)
	t.Run("Keycloak is away: the last good token, and then 503", s.keycloakAway)
	for _, g := range []*Gate{s.out, s.in, s.withKey, s.asking} {
		checkLog(t, g)
	}
}

func startServices(t *testing.T) *services {
	t.Helper()
	p := Keycloak(t)
	s := &services{keycloak: p, admin: must(NewAdministrator(p))(t), app: NewApp(t), tapA: NewTap(t, p), tapB: NewTap(t, p)}
	a, b := KeycloakService(p, "app-a"), KeycloakService(p, "app-b")
	keyed := Service{Provider: p, ID: "app-a-key", Key: NewClientKey(t, "PS256")}
	s.register(t, keyed)
	if err := s.admin.OfferScope("app-a", "orders"); err != nil {
		t.Fatal(err)
	}
	accepted := Settings{"audiences": []string{"app-b"}, "client_id_header": "Client-Id", "client_address": true}
	s.in = launchService(t, EnvoySetup{Workers: 4, App: s.app.Addr(), IDP: s.tapB.Addr(), Config: inboundSettings(p, b, accepted)})
	s.asking = launchService(t, EnvoySetup{App: s.app.Addr(), IDP: p.Addr(), Config: inboundSettings(p, b, Settings{
		"audiences": []string{"app-b"}, "check": "introspection",
		"introspection": Settings{"cache": "1s", "negative_cache": "1s"},
	})})
	s.in.mustBeReady(t)
	s.out = launchService(t, EnvoySetup{Workers: 4, App: s.in.Addr, IDP: s.tapA.Addr(), Config: outboundSettings(p, a,
		toHost(ordersHost, Settings{"scopes": []string{"orders"}}),
		toHost(stockHost, nil),
	)})
	s.asking.mustBeReady(t)
	s.withKey = launchService(t, EnvoySetup{App: s.asking.Addr, IDP: s.tapA.Addr(), Config: outboundSettings(p, keyed,
		toHost(ordersHost, nil),
		toHost(personsHost, Settings{"grant": "token_exchange", "audiences": []string{"app-b"}}),
	)})
	for _, g := range []*Gate{s.out, s.withKey} {
		g.mustBeReady(t)
	}
	eventuallyServed(t, s.in.URL("/"), s.fromA(t), named("app-a"))
	eventuallyServed(t, s.asking.URL("/"), s.fromA(t))
	return s
}

// register tells Keycloak the public half of a service's key.
func (s *services) register(t *testing.T, keyed Service) {
	t.Helper()
	if err := s.admin.EditClient(keyed.ID, func(client map[string]any) {
		maps.Copy(client["attributes"].(map[string]any), map[string]any{
			"use.jwks.string": "true", "jwks.string": string(keyed.Key.set(t)), "token.endpoint.auth.signing.alg": keyed.Key.algorithm,
		})
	}); err != nil {
		t.Fatal(err)
	}
}

// token is a fresh one of a service's.
func (s *services) token(t *testing.T, service string) string {
	t.Helper()
	return must(KeycloakService(s.keycloak, service).Token())(t)
}

// fromA is the header of a request that brings a fresh token of A's.
func (s *services) fromA(t *testing.T) http.Header {
	t.Helper()
	return bearer(s.token(t, "app-a"))
}

// named is the header by which a caller says which client it is.
func named(client string) http.Header { return http.Header{"Client-Id": {client}} }

func to(host string) http.Header { return http.Header{"Host": {host}} }

func (s *services) fetchOnce(t *testing.T) {
	Eventually(t, startLimit, func() error {
		if n := s.tapA.Count("openid-configuration"); n < s.out.Setup.Workers {
			return fmt.Errorf("%d workers know Keycloak", n)
		}
		return nil
	})
	met := must(s.out.workerConnections())(t)
	pages := must(NewScript().AtOnce(atOnce, s.out.URL("/orders/1"), to(ordersHost), named("app-a")))(t)
	allAnswered(t, pages, http.StatusOK)
	if workers := risen(met, must(s.out.workerConnections())(t)); len(workers) != s.out.Setup.Workers {
		t.Errorf("only the workers %q served", workers)
	}
	for _, page := range pages {
		seen := must(ReadSeen(page))(t)
		if seen.Target != "/orders/1" || seen.Host != ordersHost || seen.Value("x-auth-request-user") != "service-account-app-a" {
			t.Fatalf("B saw %s %s of %q", seen.Host, seen.Target, seen.Value("x-auth-request-user"))
		}
	}
	if n := s.tapA.Count("token"); n != 1 {
		t.Errorf("%d tokens were fetched", n)
	}
	claims := s.forwarded(t, pages[0])
	if !slices.Contains(strings.Fields(fmt.Sprint(claims["scope"])), "orders") {
		t.Errorf("the scope is %v", claims["scope"])
	}
}

// forwarded are the claims of the token that reached B.
func (s *services) forwarded(t *testing.T, page *Page) Claims {
	t.Helper()
	token := strings.TrimPrefix(must(ReadSeen(page))(t).Value("authorization"), "Bearer ")
	return must(readClaims(token))(t)
}

func (s *services) refusals(t *testing.T) {
	before := s.app.Requests()
	for name, test := range map[string]struct {
		header http.Header
		code   string
	}{
		"no token":                         {nil, ""},
		"a token that is for another":      {bearer(s.token(t, "app-c")), `error="invalid_token"`},
		"a token whose signature is wrong": {bearer(s.token(t, "app-a")[:400] + "AAAA"), `error="invalid_token"`},
		"no token at all":                  {bearer("x"), `error="invalid_token"`},
	} {
		t.Run(name, func(t *testing.T) {
			page := must(NewScript().Get(s.in.URL("/"), test.header, named("app-a")))(t)
			challenge := page.Header.Get("WWW-Authenticate")
			if page.Status != http.StatusUnauthorized || !strings.HasPrefix(challenge, "Bearer") || !strings.Contains(challenge, test.code) {
				t.Errorf("%d %s", page.Status, challenge)
			}
			if test.code == "" && strings.Contains(challenge, "error=") {
				t.Errorf("who brought nothing is told of an error: %s", challenge)
			}
			var problem struct {
				Status int    `json:"status"`
				Title  string `json:"title"`
			}
			if err := json.Unmarshal([]byte(page.Body), &problem); err != nil || problem.Status != page.Status || problem.Title == "" {
				t.Errorf("%v: %s", err, page.Body)
			}
		})
	}
	if n := s.app.Requests() - before; n != 0 {
		t.Errorf("%d of them reached B", n)
	}
}

func (s *services) callerIsClient(t *testing.T) {
	token := s.fromA(t)
	for name, test := range map[string]struct {
		header http.Header
		status int
	}{
		"its own name":     {named("app-a"), http.StatusOK},
		"another's name":   {named("app-c"), http.StatusUnauthorized},
		"no name":          {nil, http.StatusUnauthorized},
		"its name twice":   {http.Header{"Client-Id": {"app-a", "app-a"}}, http.StatusUnauthorized},
		"a name too long":  {named("app-a-key"), http.StatusUnauthorized},
		"in another case":  {named("APP-A"), http.StatusUnauthorized},
		"its name, spaced": {named("app-a app-a"), http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			if page := must(NewScript().Get(s.in.URL("/"), token, test.header))(t); page.Status != test.status {
				t.Errorf("%d %s", page.Status, page.Body)
			}
		})
	}
}

func (s *services) exchange(t *testing.T) {
	persons := must(KeycloakService(s.keycloak, "front").PersonsToken(Alice))(t)
	s.mustAnswer(t, bearer(persons), http.StatusUnauthorized) // it is for A
	page := must(NewScript().Get(s.withKey.URL("/"), to(personsHost), bearer(persons)))(t)
	if seen := must(ReadSeen(page))(t); seen.Value("x-auth-request-user") != Alice.Name {
		t.Errorf("B saw %q", seen.Value("x-auth-request-user"))
	}
	if claims := s.forwarded(t, page); claims["azp"] != "app-a-key" || !hasAudience(claims, "app-b") || hasAudience(claims, "app-a-key") {
		t.Errorf("the token is %v", claims)
	}
	before := s.tapA.Count("token")
	pages := must(NewScript().AtOnce(atOnce/4, s.withKey.URL("/"), to(personsHost), bearer(persons)))(t)
	allAnswered(t, pages, http.StatusOK)
	if n := s.tapA.Count("token") - before; n != 0 {
		t.Errorf("%d more exchanges of the same token", n)
	}
	if page := must(NewScript().Get(s.withKey.URL("/"), to(personsHost)))(t); page.Status != http.StatusUnauthorized {
		t.Errorf("without a token to exchange: %d", page.Status)
	}
}

func (s *services) privateKey(t *testing.T) {
	page := must(NewScript().Get(s.withKey.URL("/"), to(ordersHost)))(t)
	if seen := must(ReadSeen(page))(t); seen.Value("x-auth-request-user") != "service-account-app-a-key" {
		t.Errorf("B saw %q", seen.Value("x-auth-request-user"))
	}
}

func (s *services) untouched(t *testing.T) {
	before := s.tapA.Count("token")
	if page := must(NewScript().Get(s.out.URL("/healthz"), to("localhost:80")))(t); page.Status != http.StatusOK || must(ReadSeen(page))(t).Value("authorization") != "" {
		t.Errorf("%d %s", page.Status, page.Body)
	}
	own := s.token(t, "app-a")
	page := must(NewScript().Get(s.out.URL("/"), to(ordersHost), bearer(own), named("app-a")))(t)
	if seen := must(ReadSeen(page))(t); seen.Value("authorization") != "Bearer "+own {
		t.Error("the token that A had was not kept")
	}
	if n := s.tapA.Count("token") - before; n != 0 {
		t.Errorf("%d tokens were fetched", n)
	}
}

func (s *services) withdrawn(t *testing.T) {
	token := s.token(t, "app-a")
	s.mustAnswer(t, bearer(token), http.StatusOK)
	if err := KeycloakService(s.keycloak, "app-a").Revoke(token); err != nil {
		t.Fatal(err)
	}
	s.soonAnswers(t, bearer(token), http.StatusUnauthorized)
}

func (s *services) disabled(t *testing.T) {
	token := s.fromA(t)
	s.mustAnswer(t, token, http.StatusOK)
	if err := s.admin.Enable("app-a", false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.admin.Enable("app-a", true); err != nil {
			t.Error(err)
		}
	})
	s.soonAnswers(t, token, http.StatusUnauthorized)
}

func (s *services) mustAnswer(t *testing.T, header http.Header, status int) {
	t.Helper()
	if page := must(NewScript().Get(s.asking.URL("/"), header))(t); page.Status != status {
		t.Fatalf("%d: %v %s", page.Status, page.Header, page.Body)
	}
}

// soonAnswers waits for what was remembered to be asked about again.
func (s *services) soonAnswers(t *testing.T, header http.Header, status int) {
	t.Helper()
	Eventually(t, 10*time.Second, func() error {
		page, err := NewScript().Get(s.asking.URL("/"), header)
		if err == nil && page.Status != status {
			err = fmt.Errorf("it still answers %d", page.Status)
		}
		return err
	})
}

// address relies on Envoy's taking the last address of X-Forwarded-For for the
// caller's, unless it is told to use its own.
func (s *services) address(t *testing.T) {
	token := s.fromA(t)
	for address, status := range map[string]int{"127.0.0.1": http.StatusOK, "127.0.0.2": http.StatusUnauthorized, "2001:db8::1": http.StatusUnauthorized} {
		page := must(NewScript().Get(s.in.URL("/"), token, named("app-a"), http.Header{"X-Forwarded-For": {address}}))(t)
		if page.Status != status {
			t.Errorf("from %s: %d %s", address, page.Status, page.Body)
		}
	}
}

func (s *services) socket(t *testing.T) {
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Client-Id: app-a"}
	s.in.openStream(t, NewBrowser(), socketPath, http.StatusUnauthorized, upgrade...)
	open := s.in.openStream(t, NewBrowser(), socketPath, http.StatusSwitchingProtocols, append(upgrade, "Authorization: "+s.fromA(t).Get("Authorization"))...)
	if err := open.Echo("hello"); err != nil {
		t.Error(err)
	}
}

func (s *services) keysChanged(t *testing.T) {
	older := s.fromA(t)
	var wrong atomic.Int64
	stop := s.load(t, older, &wrong)
	t.Cleanup(func() {
		if err := s.admin.RemoveKey("newer"); err != nil {
			t.Error(err)
		}
	})
	if err := s.admin.AddKey("newer"); err != nil {
		t.Fatal(err)
	}
	before, met := s.tapB.Count("certs"), must(s.in.workerConnections())(t)
	newer := s.token(t, "app-a")
	if keyID(t, newer) == keyID(t, strings.TrimPrefix(older.Get("Authorization"), "Bearer ")) {
		t.Fatal("Keycloak signs with the same key")
	}
	allAnswered(t, must(NewScript().AtOnce(atOnce, s.in.URL("/"), bearer(newer), named("app-a")))(t), http.StatusOK)
	served := len(risen(met, must(s.in.workerConnections())(t)))
	allAnswered(t, must(NewScript().AtOnce(atOnce, s.in.URL("/"), s.fromA(t), named("app-a")))(t), http.StatusOK)
	stop()
	if n := s.tapB.Count("certs") - before; served != s.in.Setup.Workers || n != served {
		t.Errorf("%d workers fetched the keys %d times", served, n)
	}
	if n := wrong.Load(); n != 0 {
		t.Errorf("%d requests with a token of the older key were refused", n)
	}
}

// load keeps each worker busy with requests that bring a token, and counts
// those that were not served.
func (s *services) load(t *testing.T, token http.Header, wrong *atomic.Int64) (stop func()) {
	t.Helper()
	done := make(chan struct{})
	finished := make(chan struct{}, s.in.Setup.Workers)
	for _, worker := range s.in.Workers(t) {
		go func() {
			defer func() { finished <- struct{}{} }()
			for {
				select {
				case <-done:
					return
				default:
				}
				if page, err := newScript(worker).Get(s.in.URL("/"), token, named("app-a")); err != nil || page.Status != http.StatusOK {
					wrong.Add(1)
				}
			}
		}()
	}
	return func() {
		close(done)
		for range s.in.Setup.Workers {
			<-finished
		}
	}
}

// keycloakAway has A's tokens live for a few seconds, as Keycloak says, and
// takes Keycloak away from A.
func (s *services) keycloakAway(t *testing.T) {
	s.tapA.Lifetime(5 * time.Second)
	ask := func() *Page {
		return must(NewScript().Get(s.out.URL("/"), to(stockHost), named("app-a")))(t)
	}
	if page := ask(); page.Status != http.StatusOK {
		t.Fatalf("%d %s", page.Status, page.Body)
	}
	s.tapA.Away(true)
	served := 0
	Eventually(t, 20*time.Second, func() error {
		page := ask()
		switch page.Status {
		case http.StatusOK:
			served++
			return fmt.Errorf("still served")
		case http.StatusServiceUnavailable:
			return nil
		}
		t.Fatalf("%d %s", page.Status, page.Body)
		return nil
	})
	if served < 20 {
		t.Errorf("the last good token served %d requests", served)
	}
	s.tapA.Lifetime(0)
	s.tapA.Away(false)
	Eventually(t, 90*time.Second, func() error {
		if page := ask(); page.Status != http.StatusOK {
			return fmt.Errorf("%d", page.Status)
		}
		return nil
	})
}
