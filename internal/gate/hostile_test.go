package gate

import (
	"strings"
	"testing"
)

func TestASessionIsNotBroughtBackByARenewalThatNamesAnotherOneAtTheProvider(t *testing.T) {
	w, cookie := due(t, 2, parts{})
	v := w.get(w.workers[0], "/page", cookie)
	refresh := w.call("/token")
	w.logOut(w.workers[1], w.logoutToken("token-1", nil)).want("backchannel_logout")
	w.reply(refresh, 200, w.tokens("access-2", "refresh-2", w.idToken(map[string]any{"sid": "sid-2"})))
	if !v.want("login").cleared() {
		t.Error("the cookie is not cleared")
	}
	if c := w.call("/revoke"); c.form().Get("token") != "refresh-2" {
		t.Error("the new refresh token is not revoked")
	}
}

func TestATicketThatSomebodyMadeUpAsksTheStoreForNothing(t *testing.T) {
	w := newWorld(t, 1, parts{session: `,"store":{"webdis":{"cluster":"webdis","sessions":true}}`})
	before := len(w.calls)
	for _, target := range []string{"/page", "/open/page", "/oauth2/userinfo", "/oauth2/sign_out"} {
		v := w.get(w.workers[0], target, "__Host-postern=t."+strings.Repeat("A", 91), ours)
		if v.waits() || len(w.calls) != before {
			t.Errorf("%s: %s, calls %s", target, v.outcome(), w.pending())
		}
	}
	if n := w.counted(EventSessionRefused, "does_not_open"); n != 4 {
		t.Errorf("told %d times", n)
	}
}
