package gate

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/session"
)

func (w *world) subrequest(k *worker, query, cookie string, more ...string) *visit {
	return w.send(k, "/oauth2/auth"+query, append([]string{"cookie", cookie, "accept", "text/html", "sec-fetch-mode", "navigate"}, more...)...)
}

func TestASubrequestIsToldWhoAsksAndNeverRedirected(t *testing.T) {
	w := newTokenWorld(t, 1, "", `,"forward":{"access_token":["authorization"]},"trusted_peers":{"sans":["nginx"]}`)
	w.peer.names = []string{"nginx"}
	v := w.subrequest(w.workers[0], "", w.cookie(w.alice()))
	if user := v.answered(202, "x-auth-request-user"); user != "alice" {
		t.Errorf("user %q", user)
	}
	if groups := v.field("x-auth-request-groups"); groups != "admins" {
		t.Errorf("groups %q", groups)
	}
	if token := v.field("authorization"); token != "Bearer access-1" {
		t.Errorf("authorization %q", token)
	}
	w.peer.names = nil
	if v := w.subrequest(w.workers[0], "", w.cookie(w.alice())); v.answered(202, "x-auth-request-user") != "alice" || v.field("authorization") != "" {
		t.Error("whoever asks is shown a session's token")
	}
	v = w.subrequest(w.workers[0], "", "")
	if v.answered(401, "www-authenticate") == "" || v.field("location") != "" {
		t.Error("an anonymous subrequest is not challenged, or redirected")
	}
	token := w.accessToken(nil)
	v = w.subrequest(w.workers[0], "", "", "authorization", "Bearer "+token)
	if v.answered(202, "x-auth-request-user") != "service-a-id" || v.field("authorization") != "Bearer "+token {
		t.Error("a token's caller is not told of")
	}
	w.subrequest(w.workers[0], "", w.cookie(w.alice()), "authorization", "Bearer nonsense").answered(401, "")
}

// A host knows a connection in the callback of its own request alone.
func TestATrustedPeerIsTrustedAfterARenewalToo(t *testing.T) {
	w := newWorld(t, 1, parts{top: `,"forward":{"access_token":["authorization"]},"trusted_peers":{"sans":["nginx"]}`})
	w.peer.names = []string{"nginx"}
	due := w.alice()
	due.AccessExpires = w.now.Unix() - 1
	v := w.subrequest(w.workers[0], "", w.cookie(due))
	w.reply(w.call("/token"), 200, w.tokens("access-2", "refresh-2", w.idToken(nil)))
	if token := v.answered(202, "authorization"); token != "Bearer access-2" {
		t.Errorf("authorization %q", token)
	}
	due.RefreshToken = "refresh-of-another"
	due.ID = "another-session-of-alice"
	v = w.subrequest(w.workers[0], "?allowed_groups=admins", w.cookie(due), "x-auth-request-redirect", "/page")
	w.reply(w.call("/token"), 400, `{"error":"invalid_grant"}`)
	v.answered(401, "")
	if page := string(v.verdict.Respond.Body); !strings.Contains(page, "rd=%2Fpage") {
		t.Errorf("the page of the refusal leads elsewhere: %s", page)
	}
}

func TestTheStatusIsASettingAndThePathOfTheRequestMayFollow(t *testing.T) {
	w := newWorld(t, 1, parts{top: `,"auth_request":{"status":200}`})
	v := w.ask(w.workers[0], &httpmsg.Request{Method: "DELETE", Authority: "app.example.com", Target: "/oauth2/auth/some/page?allowed_groups=nobody&x=%zz",
		Header: httpmsg.Fields{{Name: "cookie", Value: w.cookie(w.alice())}}})
	v.answered(200, "")
	w = newWorld(t, 1, parts{})
	w.subrequest(w.workers[0], "/?allowed_groups=nobody", w.cookie(w.alice())).answered(404, "")
}

func TestEnvoyIsToldToTakeOutWhatTheGateDoesNotSay(t *testing.T) {
	const ours = "x-forwarded-access-token,x-forwarded-email,x-forwarded-groups,x-forwarded-preferred-username,x-forwarded-user"
	w := newTokenWorld(t, 1, "", `,"auth_request":{"status":200}`)
	alice := w.alice()
	delete(alice.Claims, "groups")
	for name, test := range map[string]struct{ cookie, authorization, want string }{
		"a person without groups": {w.cookie(alice), "", "x-auth-request-anonymous,x-auth-request-groups,x-auth-request-preferred-username," + ours},
		"a service":               {"", "Bearer " + w.accessToken(nil), "x-auth-request-anonymous,x-auth-request-email,x-auth-request-groups,x-auth-request-preferred-username," + ours + ",authorization,dpop"},
	} {
		fields := []string{"x-auth-request-groups", "admins"}
		if test.authorization != "" {
			fields = append(fields, "authorization", test.authorization)
		}
		v := w.subrequest(w.workers[0], "/page", test.cookie, fields...)
		if got := v.answered(200, "x-envoy-auth-headers-to-remove"); got != test.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	w = newTokenWorld(t, 1, "", "")
	if got := w.subrequest(w.workers[0], "", w.cookie(w.alice())).answered(202, "x-envoy-auth-headers-to-remove"); got != "" {
		t.Errorf("nginx is told %s", got)
	}
}

func TestTheQueryOfASubrequestNarrowsWhoMayPass(t *testing.T) {
	w := newWorld(t, 1, parts{})
	alice := w.alice()
	alice.Claims["roles"] = session.Claim{List: true, Values: []string{"editor", "reader"}}
	cookie := w.cookie(alice)
	for query, status := range map[string]int{
		"":                                    202,
		"?allowed_groups=admins":              202,
		"?allowed_groups=other,admins":        202,
		"?allowed_groups=other":               403,
		"?allowed_groups=":                    403,
		"?allowed_groups=Admins":              403,
		"?allowed_groups=admin":               403,
		"?allowed_emails=ALICE@example.com":   202,
		"?allowed_emails=bob@example.com":     403,
		"?allowed_email_domains=example.com":  202,
		"?allowed_email_domains=EXAMPLE.com":  202,
		"?allowed_email_domains=ample.com":    403,
		"?allowed_email_domains=.example.com": 403,
		"?allowed_email_domains=*":            202,
		"?allowed_email_domains=":             403,
		"?role=editor":                        202,
		"?role=owner|editor":                  202,
		"?role=owner%7Ceditor&role=reader":    202,
		"?role=editor&role=owner":             403,
		"?role=":                              403,
		"?scope=email":                        202,
		"?scope=email|admin":                  202,
		"?scope=admin":                        401,
		"?role=owner&scope=admin":             403,
		"?allowed_groups=admins&role=owner":   403,
		"?allowed_group=admins":               400,
		"?graph=x":                            400,
		"?allowed_groups=%zz":                 400,
	} {
		t.Run(query, func(t *testing.T) {
			w.t = t
			w.subrequest(w.workers[0], query, cookie).answered(status, "")
		})
	}
}

func TestADomainIsThatOfOneAddress(t *testing.T) {
	w := newWorld(t, 1, parts{})
	for email, in := range map[string]bool{
		"alice@example.com": true, "alice@evil.com@example.com": false, "alice@example.com@evil.com": false,
		"@example.com": false, "alice@": false, "example.com": false, "": false, "alice@sub.example.com": false,
	} {
		if w.passesAs(email, "allowed_email_domains=example.com") != in {
			t.Errorf("%s: %v", email, !in)
		}
	}
	for email, in := range map[string]bool{"a@sub.example.com": true, "a@example.com": false, "a@badexample.com": false} {
		for _, domain := range []string{".example.com", "*.example.com"} {
			if w.passesAs(email, "allowed_email_domains="+domain) != in {
				t.Errorf("%s below %s: %v", email, domain, !in)
			}
		}
	}
}

// passesAs reports whether a session with the address passes a subrequest.
func (w *world) passesAs(email, query string) bool {
	w.t.Helper()
	alice := w.alice()
	alice.Claims["email"] = session.Claim{Values: []string{email}}
	return w.subrequest(w.workers[0], "?"+query, w.cookie(alice)).outcome() == "authorized"
}

// needOf is the cookie by which an answer says what is missing.
func needOf(v *visit) string {
	for _, c := range v.cookies() {
		if pair, _, _ := strings.Cut(c, "; "); strings.HasPrefix(pair, "__Host-postern-need=") {
			return pair
		}
	}
	return ""
}

func TestALackThatALoginCuresLeadsToALoginThatAsksForIt(t *testing.T) {
	w := newWorld(t, 1, parts{})
	cookie := w.cookie(w.alice())
	v := w.subrequest(w.workers[0], "?scope=admin", cookie)
	v.answered(401, "")
	need := needOf(v)
	if need == "" || len(v.cookies()) != 1 {
		t.Fatalf("cookies: %v", v.cookies())
	}
	v = w.get(w.workers[0], "/oauth2/start?rd=/page", cookie+"; "+need)
	to, err := url.Parse(v.answered(303, "location"))
	if err != nil || to.Query().Get("scope") != "openid profile email admin" {
		t.Errorf("the provider is asked for %q", to.Query().Get("scope"))
	}
	if cleared := needOf(v); cleared != "__Host-postern-need=" {
		t.Errorf("the need stays: %q", cleared)
	}
	w.advance(session.NeedLifetime + time.Second)
	v = w.get(w.workers[0], "/oauth2/start?rd=/page", cookie+"; "+need)
	if to, _ := url.Parse(v.answered(303, "location")); to.Query().Get("scope") != "openid profile email" {
		t.Error("an old need is asked for")
	}
}

func TestAScopeThatWasAskedForAndNotGrantedIsATerminalNo(t *testing.T) {
	w := newWorld(t, 1, parts{})
	alice := w.alice()
	alice.Asked.Scopes = []string{"admin"}
	w.subrequest(w.workers[0], "?scope=admin", w.cookie(alice)).answered(403, "")
	alice.Scopes = []string{"openid", "admin"}
	w.subrequest(w.workers[0], "?scope=admin", w.cookie(alice)).answered(202, "")
	w.subrequest(w.workers[0], "?scope=email", w.cookie(alice)).answered(401, "")
}

func TestASubrequestRenewsASessionOfOneCookie(t *testing.T) {
	w := newWorld(t, 1, parts{})
	cookie := w.cookie(w.alice())
	w.advance(250 * time.Second)
	v := w.subrequest(w.workers[0], "", cookie)
	w.reply(w.call("/token"), 200, w.tokens("access-2", "refresh-2", ""))
	w.reply(w.call("/userinfo"), 200, `{"sub":"alice-id"}`)
	v.answered(202, "")
	if cookies := v.cookies(); len(cookies) != 1 || w.opened(v.cookie()).RefreshToken != "refresh-2" {
		t.Errorf("%d cookies", len(cookies))
	}
}

// large gives a session more than fits into one cookie.
func large(s *session.Session) *session.Session {
	for i := range 300 {
		claim := s.Claims["groups"]
		sum := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		claim.Values = append(claim.Values, fmt.Sprintf("%x", sum[:8]))
		s.Claims["groups"] = claim
	}
	return s
}

func TestWhatPassesInAnyCaseDoesNotWaitForCookiesThatNobodyHandsOn(t *testing.T) {
	w := newWorld(t, 1, parts{
		top: `,"auth_request":{"rules":true},"trusted_peers":{"listener":true}`,
		rules: `[{"match":{"paths":["/open"]},"allow":"anyone"},{"match":{"paths":["/pass"]},"on_anonymous":"pass"},
			{"match":{"paths":["/seen"]},"require":{"groups":["owners"]},"insecure_observe":true}]`,
	})
	cookie := w.cookie(large(w.alice()))
	w.advance(310 * time.Second)
	for path, status := range map[string]int{"/open": 202, "/pass": 202, "/seen": 202, "/": 401} {
		w.subrequest(w.workers[0], "", cookie, "x-original-url", path).answered(status, "")
	}
	if len(w.calls) != 0 {
		t.Errorf("calls: %s", w.pending())
	}
}

func TestASessionOfSeveralCookiesIsRenewedByAVisitToTheStart(t *testing.T) {
	w := newWorld(t, 1, parts{})
	cookie := w.cookie(large(w.alice()))
	if !strings.Contains(cookie, "__Host-postern-1=") {
		t.Fatal("it fits into one cookie")
	}
	w.advance(250 * time.Second) // due, and still good
	if v := w.subrequest(w.workers[0], "", cookie); v.answered(202, "") != "" || len(v.cookies()) != 0 || len(w.calls) != 0 {
		t.Error("it was renewed though it is good")
	}
	w.advance(60 * time.Second)
	v := w.subrequest(w.workers[0], "", cookie)
	v.answered(401, "")
	if len(w.calls) != 0 {
		t.Errorf("calls: %s", w.pending())
	}
	v = w.get(w.workers[0], "/oauth2/start?rd=/page", cookie+"; "+needOf(v))
	w.reply(w.call("/token"), 200, w.tokens("access-2", "refresh-2", ""))
	w.reply(w.call("/userinfo"), 200, `{"sub":"alice-id"}`)
	if to := v.answered(303, "location"); to != "/page" {
		t.Errorf("sent to %s", to)
	}
	if s := w.opened(v.cookie()); s.RefreshToken != "refresh-2" || s.Generation != 1 {
		t.Error("not the renewed session")
	}
	w.subrequest(w.workers[0], "", v.cookie()).answered(202, "")
}

func TestTheOriginalAddressIsTakenFromTrustedPeersAlone(t *testing.T) {
	for name, c := range map[string]struct {
		top    string
		names  []string
		fields []string
		want   string
	}{
		"nobody is trusted":          {"", nil, []string{"x-auth-request-redirect", "/page"}, "/"},
		"the listener is":            {`,"trusted_peers":{"listener":true}`, nil, []string{"x-auth-request-redirect", "/page"}, "/page"},
		"a named peer":               {`,"trusted_peers":{"sans":["spiffe://nginx"]}`, []string{"spiffe://nginx"}, []string{"x-auth-request-redirect", "/page"}, "/page"},
		"another peer":               {`,"trusted_peers":{"sans":["spiffe://nginx"]}`, []string{"spiffe://nginx2"}, []string{"x-auth-request-redirect", "/page"}, "/"},
		"in parts":                   {`,"trusted_peers":{"listener":true}`, nil, []string{"x-forwarded-proto", "https", "x-forwarded-host", "other.example.com", "x-forwarded-uri", "/page?a=b"}, "https://other.example.com/page?a=b"},
		"on a host that is not ours": {`,"trusted_peers":{"listener":true}`, nil, []string{"x-auth-request-redirect", "https://evil.example/"}, "/"},
		"twice":                      {`,"trusted_peers":{"listener":true}`, nil, []string{"x-auth-request-redirect", "/a", "x-auth-request-redirect", "/b"}, "/"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, parts{top: c.top})
			w.peer.names = c.names
			v := w.send(w.workers[0], "/oauth2/sign_in", c.fields...)
			v.answered(200, "")
			want := url.Values{"rd": {c.want}}.Encode()
			if body := string(v.verdict.Respond.Body); !strings.Contains(body, "/oauth2/start?"+want+`"`) {
				t.Errorf("no link to %s in %s", want, body)
			}
		})
	}
}

func TestAProofIsForTheRequestThatASubrequestIsAbout(t *testing.T) {
	w := newTokenWorld(t, 1, "", `,"trusted_peers":{"sans":["nginx"]}`)
	about := func(fields ...string) [2]string {
		q := &request{Request: &httpmsg.Request{Method: "GET", Target: "/oauth2/auth?scope=a"}, authority: authority{host: "app.example.com"}}
		for i := 0; i < len(fields); i += 2 {
			q.Header = append(q.Header, httpmsg.Field{Name: fields[i], Value: fields[i+1]})
		}
		q.target.Path = "/oauth2/auth"
		method, address := w.workers[0].proven(q)
		return [2]string{method, address}
	}
	if got := about("x-original-method", "POST", "x-original-url", "https://app.example.com/a"); got != [2]string{"GET", ""} {
		t.Errorf("a stranger says what it is about: %v", got)
	}
	w.peer.names = []string{"nginx"}
	if got := about("x-original-method", "POST", "x-original-url", "https://app.example.com/a"); got != [2]string{"POST", "https://app.example.com/a"} {
		t.Errorf("ingress-nginx: %v", got)
	}
	if got := about("x-forwarded-method", "PUT", "x-forwarded-uri", "/a?b=c"); got != [2]string{"PUT", "https://app.example.com/a?b=c"} {
		t.Errorf("nginx: %v", got)
	}
}
