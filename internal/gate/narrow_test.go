package gate

import (
	"net/url"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
)

func TestAnAddressIsNoOtherBecauseItsLettersLookAlike(t *testing.T) {
	w := newWorld(t, 1, parts{})
	for name, c := range map[string]struct {
		email, parameter, allowed string
		ok                        bool
	}{
		"another case":             {"Mark@Example.com", "allowed_emails", "mark@example.com", true},
		"a Kelvin sign":            {"mar\u212a@example.com", "allowed_emails", "mark@example.com", false},
		"a Kelvin sign, allowed":   {"mark@example.com", "allowed_emails", "mar\u212a@example.com", false},
		"a domain, another case":   {"mark@OAK.example", "allowed_email_domains", "oak.Example", true},
		"a domain's Kelvin sign":   {"mark@oa\u212a.example", "allowed_email_domains", "oak.example", false},
		"below a domain with that": {"mark@a.oa\u212a.example", "allowed_email_domains", ".oak.example", false},
	} {
		t.Run(name, func(t *testing.T) {
			if w.passesAs(c.email, c.parameter+"="+url.QueryEscape(c.allowed)) != c.ok {
				t.Errorf("%s: %v", c.email, !c.ok)
			}
		})
	}
}

func TestAScopeThatIsNoneIsRefusedAndNotRepeated(t *testing.T) {
	w := newTokenWorld(t, 1, "", "")
	token := "Bearer " + w.accessToken(nil)
	for _, query := range []string{"?scope=", "?scope=a%20b", "?scope=a%22,error=%22x", "?scope=a%0d%0ab:c", "?scope=a|", "?scope=%c3%a4", `?scope=a%5cb`} {
		v := w.send(w.workers[0], "/oauth2/auth"+query, "authorization", token)
		if got := v.answered(400, "www-authenticate"); got != "" {
			t.Errorf("%s is answered %q", query, got)
		}
	}
	w.send(w.workers[0], "/oauth2/auth?scope=no.such|urn:x:y", "authorization", token).answered(403, "")
}

func TestAPreflightBringsNothingElse(t *testing.T) {
	w := newTokenWorld(t, 1, "", `,"cors":{"origins":["https://spa.example.net"],"forward_preflights":true}`)
	ask := func(name, value string) *visit {
		return w.ask(w.workers[0], &httpmsg.Request{Method: "OPTIONS", Authority: "app.example.com", Target: "/api", Header: httpmsg.Fields{
			{Name: "origin", Value: "https://spa.example.net"}, {Name: "access-control-request-method", Value: "PUT"}, {Name: name, Value: value}}})
	}
	ask("content-length", "0").told("")
	ask("access-control-request-headers", "authorization").told("")
	for name, value := range map[string]string{
		"cookie": "a=b", "authorization": "Basic YTpi", "content-length": "1", "transfer-encoding": "chunked",
		"x-http-method-override": "DELETE", "x-method-override": "DELETE", "x-http-method": "DELETE", "x_http_method_override": "DELETE",
	} {
		if v := ask(name, value); v.verdict.Forward != nil {
			t.Errorf("one with %s passes", name)
		}
	}
}

func TestWhoWaitsForATokenLeavesRoomForPeople(t *testing.T) {
	w := newTokenWorld(t, 1, `,"check":"introspection"`, "")
	var visits []*visit
	for range maxTokenFlows {
		visits = append(visits, w.send(w.workers[0], "/", "authorization", "Bearer opaque-1"))
	}
	w.send(w.workers[0], "/", "authorization", "Bearer opaque-2").answered(503, "retry-after")
	if w.counted(EventRequestRefused, "too_many_flows") != 1 {
		t.Error("it is not told of")
	}
	visits[0].task.Cancel()
	if v := w.send(w.workers[0], "/", "authorization", "Bearer opaque-1"); !v.waits() {
		t.Errorf("who has gone leaves no room: %s", v.outcome())
	}
	w.reply(w.call("/introspect"), 200, `{"active":true,"aud":"shop-api","sub":"service-b","client_id":"b"}`)
	w.advance(time.Second)
	if w.workers[0].callers != 0 {
		t.Errorf("%d wait still", w.workers[0].callers)
	}
}

func TestAClientIsNamedInOneSpelling(t *testing.T) {
	w := newTokenWorld(t, 1, `,"client_id_header":"Client-Id"`, "")
	token := "Bearer " + w.accessToken(nil)
	w.send(w.workers[0], "/", "authorization", token, "client-id", "service-a").told("")
	for _, spelling := range []string{"client_id", "client.id"} {
		w.send(w.workers[0], "/", "authorization", token, "client-id", "service-a", spelling, "service-b").answered(401, "")
		w.send(w.workers[0], "/", "authorization", token, spelling, "service-a").answered(401, "")
	}
}
