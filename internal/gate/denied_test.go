package gate

import (
	"net/url"
	"strings"
	"testing"
)

// firstLink is where the link that an answer's page sets off leads, and what it
// is called.
func (v *visit) firstLink() (at, name string) {
	v.w.t.Helper()
	_, rest, _ := strings.Cut(string(v.verdict.Respond.Body), `<a class="button" href="`)
	at, rest, _ = strings.Cut(rest, `"><span>`)
	name, _, _ = strings.Cut(rest, "<")
	return strings.ReplaceAll(at, "&amp;", "&"), name
}

func TestAStepThatWasInVainCanBeTriedAgain(t *testing.T) {
	w := newWorld(t, 1, parts{rules: stepRules})
	k := w.workers[0]
	sent := w.get(k, "/gold/a?x=1", w.cookie(w.alice()))
	_, refused := w.comeBack(k, sent, "", map[string]any{"acr": "bronze"})

	page := w.get(k, "/gold/a?x=1", refused).want("acr_insufficient")
	page.answered(403, "")
	at, name := page.firstLink()
	if at != "/oauth2/start?rd=%2Fgold%2Fa%3Fx%3D1" || name != "Try again" {
		t.Fatalf("the page sets off %q, which leads to %q", name, at)
	}
	if !strings.Contains(string(page.verdict.Respond.Body), ">Sign in as someone else<") {
		t.Error("the page does not say how to be someone else")
	}
	plain := w.get(k, at, refused)
	if level := plain.asksFor().Get("acr_values"); level != "" {
		t.Errorf("a login that nobody was sent to asks for %q", level)
	}
	_, anew := w.comeBack(k, plain, "", nil)
	step := w.get(k, "/gold/a?x=1", anew)
	if level := step.asksFor().Get("acr_values"); level != "gold platinum" {
		t.Errorf("the rule asks for %q", level)
	}
	_, good := w.comeBack(k, step, "", map[string]any{"acr": "gold"})
	w.get(k, "/gold/a", good).want("forwarded alice")
}

// A script that goes to sign_in_url whenever it is told of it would go in circles.
func TestAScriptIsToldWhereAStepThatWasInVainIsTriedAgainAndIsNotSentThere(t *testing.T) {
	w := newWorld(t, 1, parts{rules: stepRules})
	k := w.workers[0]
	_, refused := w.comeBack(k, w.get(k, "/orders/a", w.cookie(w.alice())), "openid profile email", nil)
	v := w.send(k, "/orders/a", "cookie", refused, "accept", "application/json", "referer", "https://app.example.com/page")
	v.answered(403, "")
	body := string(v.verdict.Respond.Body)
	if !strings.Contains(body, `"try_again_url":"https://app.example.com/oauth2/start?rd=%2Fpage"`) || strings.Contains(body, "sign_in_url") {
		t.Errorf("told %s", body)
	}
	v = w.send(k, "/both/a", "cookie", w.cookie(w.alice()), "accept", "application/json")
	if body := string(v.verdict.Respond.Body); strings.Contains(body, "try_again_url") {
		t.Errorf("told %s", body)
	}
}

func TestAPageThatMayNotRedirectLeadsToTheLoginThatHelps(t *testing.T) {
	w := newWorld(t, 1, parts{rules: stepRules})
	k := w.workers[0]
	page := w.get(k, "/script/a", w.cookie(w.alice()))
	page.answered(401, "")
	at, name := page.firstLink()
	if at != "/oauth2/start?rd=%2Fscript%2Fa" || name != "Sign in again" {
		t.Fatalf("the page sets off %q, which leads to %q", name, at)
	}
	need, _, _ := strings.Cut(page.cookies()[0], "; ")
	if level := w.get(k, at, w.cookie(w.alice())+"; "+need).asksFor().Get("acr_values"); level != "gold" {
		t.Errorf("that login asks for %q", level)
	}
}

func TestWhatNoLoginBringsIsNotTriedAgain(t *testing.T) {
	w := newWorld(t, 1, parts{rules: strings.Replace(stepRules, `"admins"`, `"owners"`, 1)})
	if at, name := w.get(w.workers[0], "/both/a", w.cookie(w.alice())).firstLink(); name != "Sign in as someone else" || !strings.Contains(at, "switch=1") {
		t.Errorf("the page sets off %q, which leads to %q", name, at)
	}
}

// The page is handed on by the proxy that asked: a login must not lead back to
// the address by which it did.
func TestAPageBehindAnotherProxyLeadsBackToWhatWasAskedFor(t *testing.T) {
	w := newWorld(t, 1, parts{
		top:   `,"auth_request":{"rules":true},"trusted_peers":{"sans":["nginx"]}`,
		rules: `[{"name":"team","match":{"paths":["/team/*"]},"require":{"groups":["owners"]}}]`,
	})
	w.peer.names = []string{"nginx"}
	page := w.subrequest(w.workers[0], "", w.cookie(w.alice()), "x-original-url", "/team/a?x=1", "accept", "text/html")
	page.answered(403, "")
	at, _ := page.firstLink()
	u, err := url.Parse(at)
	if err != nil || u.Path != "/oauth2/start" || u.Query().Get("rd") != "/team/a?x=1" || u.Query().Get("switch") != "1" {
		t.Errorf("the page leads to %q", at)
	}
}
