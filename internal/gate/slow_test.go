package gate

import (
	"testing"
	"time"
)

// slow is a provider that may take its time, with a question that may take longer.
var slow = parts{provider: `,"timeout":"10s","clusters":{"graph.example.com":"graph"},"enrich":[
	{"name":"teams","url":"https://graph.example.com/teams","select":{"teams":"value"},"timeout":"50s"}]`}

func TestNobodyElseConfirmsASessionWhileTheProviderIsStillAsked(t *testing.T) {
	p := slow
	p.session = `,"refresh":"1m"`
	w := newWorld(t, 2, p)
	s := w.alice()
	s.RefreshToken = ""
	cookie := w.cookie(s)
	w.advance(time.Minute)
	for _, k := range w.workers {
		w.get(k, "/page", cookie)
	}
	w.advance(9 * time.Second)
	w.reply(w.call("/userinfo"), 200, `{"sub":"alice-id","preferred_username":"alice"}`)
	w.advance(49 * time.Second)
	w.reply(w.call("/teams"), 200, `{"value":["red"]}`)
	w.advance(poll)
	for _, k := range w.workers {
		w.get(k, "/page", cookie).want("forwarded alice")
	}
	if w.asked["/userinfo"] != 1 || w.asked["/teams"] != 1 {
		t.Errorf("the provider was asked %v", w.asked)
	}
}

func TestAGateWaitsAsLongAsAnotherMayTakeToRenewASession(t *testing.T) {
	w, cookie := dueAtTwoGates(t, slow)
	for _, k := range w.workers {
		w.get(k, "/page", cookie)
	}
	w.advance(9 * time.Second)
	w.reply(w.call("/token"), 200, w.renewedTo(2))
	w.advance(49 * time.Second)
	w.reply(w.call("/teams"), 200, `{"value":["red"]}`)
	w.advance(3 * poll)
	var kept []string
	for _, k := range w.workers {
		v := w.get(k, "/page", cookie).want("forwarded alice")
		kept = append(kept, v.cookie())
	}
	if kept[0] == "" || kept[0] != kept[1] || w.counted(EventRefreshLost, "") != 0 {
		t.Errorf("the gates do not agree; events %v", w.events)
	}
}
