package gate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/session"
)

const actingRule = `[{"match":{"paths":["/acting/*"]},"forward":{"access_token":["x-token"],"assertion":{"header":"x-signed"}}}]`

func TestWhatActsAsSomebodyIsShownToTrustedPeersAloneWhateverRuleTellsIt(t *testing.T) {
	const peers = `,"trusted_peers":{"sans":["nginx"]},"forward":{"assertion":{"header":"x-usual"}}`
	for name, test := range map[string]struct {
		top, peer string
		usual     bool
		byRule    bool
	}{
		"a page's script":                {peers, "", false, false},
		"a trusted peer":                 {peers, "nginx", true, false},
		"a trusted peer, by their rules": {peers + `,"auth_request":{"rules":true}`, "nginx", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, parts{top: test.top + fmt.Sprintf(acceptTokens, ""), rules: strings.Replace(actingRule, `"forward"`, `"accept":["session","bearer"],"forward"`, 1)})
			w.peer.names = []string{test.peer}
			for who, field := range map[string][]string{
				"session": {"cookie", w.cookie(w.alice())},
				"token":   {"authorization", "Bearer " + w.accessToken(nil)},
			} {
				v := w.send(w.workers[0], "/oauth2/auth", append(field, "x-original-url", "https://app.example.com/acting/x")...)
				if v.answered(202, "x-auth-request-user") == "" {
					t.Errorf("%s: nobody", who)
				}
				if got := v.field("x-usual") != ""; got != test.usual {
					t.Errorf("%s: the usual assertion is shown: %v", who, got)
				}
				if got := v.field("x-signed") != ""; got != test.byRule {
					t.Errorf("%s: the rule's assertion is shown: %v", who, got)
				}
				if got := v.field("x-token") != ""; got != test.byRule {
					t.Errorf("%s: the rule's token is shown: %v", who, got)
				}
			}
		})
	}
}

func TestASessionKeepsTheAccessTokenThatARuleTells(t *testing.T) {
	w := newWorld(t, 1, parts{rules: actingRule})
	s := w.opened(w.cookie(w.alice()))
	if s.AccessToken == "" {
		t.Error("it was left out")
	}
	s = &session.Session{Confirmed: s.Confirmed, AccessExpires: s.AccessExpires, AccessToken: "a"}
	if w.workers[0].renewalOf(s).IsZero() {
		t.Error("it is not renewed when it expires")
	}
}

func TestATokenIsSpentWhereTheRuleDoesNotTellIt(t *testing.T) {
	w := newWorld(t, 1, parts{
		top:   fmt.Sprintf(acceptTokens, "") + `,"forward":{"access_token":["authorization"]}`,
		rules: `[{"match":{"paths":["/without/*"]},"accept":["bearer"],"forward":{"access_token":[]}}]`,
	})
	token := "Bearer " + w.accessToken(nil)
	v := w.send(w.workers[0], "/without/x", "authorization", token, "dpop", "x")
	if v.told("authorization") != "" || !strings.Contains(strings.Join(v.verdict.Forward.Remove, " "), "authorization") || !strings.Contains(strings.Join(v.verdict.Forward.Remove, " "), "dpop") {
		t.Errorf("the token reaches the application: %v", v.verdict.Forward)
	}
	if v = w.send(w.workers[0], "/x", "authorization", token); v.told("authorization") != token {
		t.Error("the token does not reach the application that is to have it")
	}
}
