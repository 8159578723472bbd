package gate

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/session"
)

// Many providers leave a list out of what userinfo says once nothing is in it.
func TestWhatUserinfoHasCeasedToSayIsGone(t *testing.T) {
	for name, row := range map[string]struct {
		userinfo []string // what it said before
		info     string   // what it says now
		want     string   // the groups
		user     string
		after    []string // what it is known to have said then
	}{
		"the ID token said it":             {nil, `{"sub":"alice-id","email":"a@b"}`, "admins", "alice", []string{"email"}},
		"it said it":                       {[]string{"email", "groups"}, `{"sub":"alice-id","email":"a@b"}`, "", "alice", []string{"email"}},
		"it says otherwise":                {[]string{"groups"}, `{"sub":"alice-id","groups":["guests"]}`, "guests", "alice", []string{"groups"}},
		"it says it beside the ID token":   {nil, `{"sub":"alice-id","groups":["guests"]}`, "guests", "alice", []string{"groups"}},
		"it says that there are none":      {[]string{"groups"}, `{"sub":"alice-id","groups":[]}`, "", "alice", []string{"groups"}},
		"it says null":                     {[]string{"groups"}, `{"sub":"alice-id","groups":null}`, "", "alice", nil},
		"it has no name for them any more": {[]string{"user"}, `{"sub":"alice-id"}`, "admins", "alice-id", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, parts{})
			alice := w.alice()
			alice.Userinfo = row.userinfo
			w.workers[0].parties[0].addClaims(alice, []byte(row.info))
			if got := join(alice.Claims["groups"]); got != row.want || alice.Claims["user"].First() != row.user {
				t.Errorf("groups %q of %q", got, alice.Claims["user"].First())
			}
			if got := join(session.Claim{Values: alice.Userinfo}); got != join(session.Claim{Values: row.after}) {
				t.Errorf("userinfo is known to have said %s", got)
			}
		})
	}
}

func join(c session.Claim) (all string) {
	for _, v := range c.Values {
		all += v
	}
	return all
}

func TestAGroupThatWasTakenAwayAtUserinfoIsGoneAfterTheNextRenewal(t *testing.T) {
	w := newWorld(t, 1, parts{rules: `[{"name":"g","match":{"paths":["/g"]},"require":{"groups":["admins"]}}]`})
	k := w.workers[0]
	sent := w.get(k, "/g", "")
	asked := sent.asksFor()
	back := w.get(k, "/oauth2/callback?code=c-1&state="+url.QueryEscape(asked.Get("state")), sent.binding())
	w.reply(w.call("/token"), 200, w.tokens("access-1", "refresh-1", w.idToken(map[string]any{"nonce": asked.Get("nonce"), "groups": nil})))
	w.reply(w.call("/userinfo"), 200, `{"sub":"alice-id","groups":["admins"]}`)
	back.answered(303, "location")
	cookie := back.cookie()
	w.get(k, "/g", cookie).want("forwarded alice")
	w.advance(5 * time.Minute)
	v := w.get(k, "/g", cookie)
	w.reply(w.call("/token"), 200, w.tokens("access-2", "refresh-2", ""))
	w.reply(w.call("/userinfo"), 200, `{"sub":"alice-id"}`)
	v.want("group_missing")
}

func TestABrowserIsNotToldWhatIsKnownOfItForRulesAlone(t *testing.T) {
	w := newWorld(t, 1, parts{rules: `[{"name":"r","match":{"paths":["/r"]},"require":{"claims":{"risk.score":["low"]}}}]`})
	alice := w.alice()
	alice.Claims["risk.score"] = session.Claim{Values: []string{"low"}}
	w.get(w.workers[0], "/r", w.cookie(alice)).want("forwarded alice")
	v := w.get(w.workers[0], "/oauth2/userinfo", w.cookie(alice))
	if body := string(v.verdict.Respond.Body); strings.Contains(body, "risk") || !strings.Contains(body, `"user":"alice"`) {
		t.Errorf("told: %s", body)
	}
}
