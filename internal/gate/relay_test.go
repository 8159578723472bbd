package gate

import (
	"bytes"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/httpmsg"
)

const ordersHost = "orders.example.net"

// newRelayWorld is a world whose gates are on an application's outgoing side.
func newRelayWorld(t *testing.T, workers int, entry string) *world {
	t.Helper()
	w := newWorld(t, 0, parts{})
	c, err := config.Parse([]byte(`{"providers":[{"name":"main","issuer":"`+testIssuer+`","cluster":"idp","client_id":"app-a","client_secret":{"value":"secret-of-app-a"}}],
		"session":{"keys":[`+testKey("new")+`]},
		"outbound":[{"match":{"hosts":["`+ordersHost+`"]},"provider":"main","scopes":["orders"]`+entry+`}]}`),
		func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	for range workers {
		w.begin(c)
	}
	return w
}

// callOrders has the application call another service.
func (w *world) callOrders(k *worker, fields ...string) *visit {
	r := &httpmsg.Request{Method: "GET", Scheme: "http", Authority: ordersHost, Target: "/list"}
	for i := 0; i < len(fields); i += 2 {
		r.Header = append(r.Header, httpmsg.Field{Name: fields[i], Value: fields[i+1]})
	}
	return w.ask(k, r)
}

func TestATokenForOutgoingCallsIsFetchedOnceForAllWorkers(t *testing.T) {
	w := newRelayWorld(t, 4, "")
	var visits []*visit
	for i := range 200 {
		visits = append(visits, w.callOrders(w.workers[i%4]))
	}
	c := w.call("/token")
	if form := c.form(); form.Get("grant_type") != "client_credentials" || form.Get("scope") != "orders" {
		t.Errorf("asked for %v", form)
	}
	w.reply(c, 200, w.tokens("for-orders", "", ""))
	w.advance(time.Second)
	for _, v := range visits {
		if got := v.told("authorization"); got != "Bearer for-orders" {
			t.Fatalf("authorization %q", got)
		}
	}
	if v := w.callOrders(w.workers[3]); v.told("authorization") != "Bearer for-orders" || w.asked["/token"] != 1 {
		t.Errorf("asked %d times", w.asked["/token"])
	}
}

func TestATokenIsRenewedAheadWhileTheLastOneServes(t *testing.T) {
	w := newRelayWorld(t, 2, "")
	w.callOrders(w.workers[0])
	w.reply(w.call("/token"), 200, w.tokens("first", "", ""))
	w.advance(226 * time.Second) // of 300; from three quarters on
	for range 10 {
		if v := w.callOrders(w.workers[0]); v.told("authorization") != "Bearer first" {
			t.Fatal("not the last good one")
		}
	}
	w.tick()
	c := w.call("/token")
	w.callOrders(w.workers[1]) // its own renewal waits for the other's
	w.reply(c, 200, w.tokens("second", "", ""))
	w.advance(time.Second)
	for _, k := range w.workers {
		if v := w.callOrders(k); v.told("authorization") != "Bearer second" {
			t.Errorf("still %s", v.told("authorization"))
		}
	}
	if n := w.asked["/token"]; n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestWhileTheProviderIsAwayTheLastGoodTokenServesAndThenCallsAreRefused(t *testing.T) {
	w := newRelayWorld(t, 1, "")
	w.callOrders(w.workers[0])
	w.reply(w.call("/token"), 200, w.tokens("first", "", ""))
	w.advance(230 * time.Second)
	w.away = true
	for range 12 {
		if v := w.callOrders(w.workers[0]); v.told("authorization") != "Bearer first" {
			t.Fatal("not the last good one")
		}
		w.advance(5 * time.Second)
	}
	w.advance(time.Second)
	if v := w.callOrders(w.workers[0]); v.answered(503, "retry-after") == "" {
		t.Error("no Retry-After")
	}
	w.away = false
	w.advance(time.Minute)
	v := w.callOrders(w.workers[0])
	w.reply(w.call("/token"), 200, w.tokens("second", "", ""))
	if v.told("authorization") != "Bearer second" {
		t.Error("it does not go on")
	}
}

func TestAnExistingFieldIsKeptOrReplaced(t *testing.T) {
	w := newRelayWorld(t, 1, "")
	if v := w.callOrders(w.workers[0], "authorization", "Basic YTpi"); v.told("authorization") != "" || w.asked["/token"] != 0 {
		t.Error("not kept")
	}
	w = newRelayWorld(t, 1, `,"existing":"replace"`)
	v := w.callOrders(w.workers[0], "authorization", "Basic YTpi")
	w.reply(w.call("/token"), 200, w.tokens("mine", "", ""))
	if v.told("authorization") != "Bearer mine" {
		t.Error("not replaced")
	}
}

func TestTheCallersTokenIsExchangedOnceForEach(t *testing.T) {
	w := newRelayWorld(t, 1, `,"grant":"token_exchange","audiences":["orders-api"]`)
	for _, who := range []string{"alice", "bob"} {
		v := w.callOrders(w.workers[0], "authorization", "Bearer of-"+who)
		c := w.call("/token")
		if form := c.form(); form.Get("subject_token") != "of-"+who || form.Get("audience") != "orders-api" {
			t.Errorf("asked for %v", form)
		}
		w.reply(c, 200, `{"access_token":"narrow-`+who+`","token_type":"Bearer","expires_in":300,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`)
		if got := v.told("authorization"); got != "Bearer narrow-"+who {
			t.Errorf("authorization %q", got)
		}
	}
	if v := w.callOrders(w.workers[0], "authorization", "Bearer of-alice"); v.told("authorization") != "Bearer narrow-alice" || w.asked["/token"] != 2 {
		t.Error("exchanged again, or for another's")
	}
	for range 2 {
		w.callOrders(w.workers[0]).answered(401, "")
	}
	r := &httpmsg.Request{Method: "GET", Authority: ordersHost, Target: "//list", Header: httpmsg.Fields{{Name: "authorization", Value: "Bearer of-alice"}}}
	w.ask(w.workers[0], r).answered(400, "")
	for _, code := range []string{"invalid_request", "invalid_grant"} {
		v := w.callOrders(w.workers[0], "authorization", "Bearer of-carol")
		w.reply(w.call("/token"), 400, `{"error":"`+code+`"}`)
		v.answered(401, "")
	}
}

func TestAProviderThatRefusesIsNoReasonToGoOnWithout(t *testing.T) {
	w := newRelayWorld(t, 1, "")
	v := w.callOrders(w.workers[0])
	w.reply(w.call("/token"), 401, `{"error":"invalid_client"}`)
	v.answered(502, "")
	if w.counted(EventOutboundRefused, "token_refused") != 1 || w.counted(EventProviderFailure, "provider_invalid_client") != 1 {
		t.Errorf("not logged: %v", w.events)
	}
}

func TestOtherCallsPassAsTheyAre(t *testing.T) {
	w := newRelayWorld(t, 1, "")
	for _, r := range []*httpmsg.Request{
		{Method: "GET", Authority: "other.example.net", Target: "/"},
		{Method: "GET", Authority: ordersHost + ":8443", Target: "/"},
		{Method: "CONNECT", Authority: ordersHost},
		{Method: "GET", Authority: ordersHost, Target: "//odd"},
		{Method: "GET", Authority: "other.example.net", Target: "/oauth2/start", Header: httpmsg.Fields{{Name: "x-auth-request-user", Value: "a"}, {Name: "cookie", Value: "__Host-postern=x"}}},
	} {
		v := w.ask(w.workers[0], r)
		if v.told("authorization") != "" || !v.verdict.Forward.Plain || v.verdict.Forward.Remove != nil || v.verdict.Forward.Cookie != nil {
			t.Errorf("%s %s: changed", r.Authority, r.Target)
		}
	}
}

func TestSettingsForBothSidesGoByTheListener(t *testing.T) {
	w := newWorld(t, 1, parts{top: `,"outbound":[{"match":{"hosts":["` + ordersHost + `"]},"provider":"main"}]`})
	w.callOrders(w.workers[0]).answered(421, "")
	w.callOrders(w.workers[0])
	if n := w.counted(EventOutboundRefused, "listener_direction_unknown"); n != 1 {
		t.Errorf("told %d times", n)
	}
	w.peer.direction = "inbound"
	w.callOrders(w.workers[0]).answered(421, "")
	w.peer.direction = "outbound"
	v := w.callOrders(w.workers[0])
	w.reply(w.call("/token"), 200, w.tokens("mine", "", ""))
	if v.told("authorization") != "Bearer mine" {
		t.Error("no token on the outgoing side")
	}
}

func TestWhatWorkersShareOfATokenIsSealed(t *testing.T) {
	w := newRelayWorld(t, 1, "")
	w.callOrders(w.workers[0])
	w.reply(w.call("/token"), 200, w.tokens("not-for-neighbours", "", ""))
	for _, name := range w.memory.Names() {
		if value, _, _ := w.memory.Get(name); bytes.Contains(value, []byte("not-for-neighbours")) {
			t.Errorf("%s shows the token", name)
		}
	}
}
