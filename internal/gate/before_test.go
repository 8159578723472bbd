package gate

import (
	"strings"
	"testing"
)

// A session does not name its scopes where they are those of the settings: under
// later settings it must not come to have theirs.
func TestASessionDoesNotComeToHaveAScopeThatTheSettingsAskForLater(t *testing.T) {
	const rules = `[{"name":"orders","match":{"paths":["/orders"]},"require":{"scopes":["orders.read"]}}]`
	before := newWorld(t, 1, parts{rules: rules})
	cookie := before.cookie(before.alice())
	before.get(before.workers[0], "/orders", cookie).want("login")
	w := newWorld(t, 1, parts{rules: rules, provider: `,"scopes":["openid","orders.read"]`})
	sent := w.get(w.workers[0], "/orders", cookie).want("login")
	if scope := sent.asksFor().Get("scope"); scope != "openid orders.read" {
		t.Errorf("the provider is asked for %q", scope)
	}
	_, cookie = w.comeBack(w.workers[0], sent, "", nil)
	w.get(w.workers[0], "/orders", cookie).want("forwarded alice")
	w.get(w.workers[0], "/", before.cookie(before.alice())).want("forwarded alice")
}

// An address that was believed unverified is not, once the settings do not
// believe such any more.
func TestAnAddressIsNotBelievedLongerThanTheSettingsBelieveIt(t *testing.T) {
	const rules = `[{"name":"mail","match":{"paths":["/mail"]},"require":{"email_domains":["example.com"]}}]`
	lax := newWorld(t, 1, parts{rules: rules, provider: `,"insecure_unverified_email":true`})
	sent := lax.get(lax.workers[0], "/mail", "")
	_, cookie := lax.comeBack(lax.workers[0], sent, "", map[string]any{"email_verified": false})
	lax.get(lax.workers[0], "/mail", cookie).want("forwarded alice")
	w := newWorld(t, 1, parts{rules: rules})
	w.get(w.workers[0], "/mail", cookie).want("login")
}

func TestOnlyAYesVerifiesAnAddress(t *testing.T) {
	w := newWorld(t, 1, parts{})
	p := w.workers[0].parties[0].Settings()
	for said, want := range map[string]bool{
		`{}`: false, `{"email_verified":null}`: false, `{"email_verified":true}`: false, `{"email_verified":"true"}`: false, `{"email_verified":1}`: false,
		`{"email_verified":false}`: true, `{"email_verified":"false"}`: true, `{"email_verified":0}`: true, `{"email_verified":"1"}`: true,
		`{"email_verified":[true]}`: true, `{"email_verified":{}}`: true, `{"email_verified":""}`: true,
	} {
		if got := unverified(p, []byte(said)); got != want {
			t.Errorf("%s: %v", said, got)
		}
	}
}

func TestALevelThatHasAQuoteStaysWithinItsParameter(t *testing.T) {
	w := newWorld(t, 1, parts{rules: `[{"name":"a","match":{"paths":["/a"]},"require":{"acr":["x\"y\\"]}}]`})
	v := w.send(w.workers[0], "/a", "cookie", w.cookie(w.alice()))
	if c := v.answered(401, "www-authenticate"); !strings.Contains(c, `acr_values="x\"y\\"`) {
		t.Errorf("challenge: %s", c)
	}
}
