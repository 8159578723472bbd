package gate

import "testing"

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
