package gate

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-auth/postern/internal/session"
)

// The world's second provider. Its key has the name of the first one's, and is
// another.
const (
	otherOrigin = "https://login.example.net"
	otherIssuer = otherOrigin + "/tenant"
)

// pair is two providers behind one gate.
type pair struct {
	*world
	k *worker

	otherMetadata map[string]any
}

// newPair has the first provider with further settings and metadata, and the
// second likewise.
func newPair(t *testing.T, first, other string, firstSaysIssuer, otherSaysIssuer bool) *pair {
	t.Helper()
	p := &pair{otherMetadata: map[string]any{
		"issuer": otherIssuer, "authorization_endpoint": otherIssuer + "/auth", "token_endpoint": otherIssuer + "/token",
		"jwks_uri": otherIssuer + "/keys", "authorization_response_iss_parameter_supported": otherSaysIssuer,
	}}
	p.world = newWorld(t, 1, parts{
		provider: first + `},{"name":"other","issuer":"` + otherIssuer + `","cluster":"other","client_id":"shop","client_secret":{"value":"secret-at-the-other"}` + other,
		metadata: fmt.Sprintf(`"authorization_response_iss_parameter_supported":%v`, firstSaysIssuer),
	})
	p.k = p.workers[0]
	p.informOther()
	return p
}

// informOther answers what the second provider is asked for by itself.
func (p *pair) informOther() {
	for i := 0; i < len(p.calls); i++ {
		c := p.calls[i]
		var doc any
		switch {
		case c.Authority+c.Path == strings.TrimPrefix(otherIssuer, "https://")+"/.well-known/openid-configuration":
			doc = p.otherMetadata
		case c.Authority+c.Path == strings.TrimPrefix(otherIssuer, "https://")+"/keys":
			doc = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: testKeys().stranger.Public(), KeyID: "k", Use: "sig"}}}
		default:
			continue
		}
		body, _ := json.Marshal(doc)
		p.reply(c, 200, string(body))
		i = -1
	}
}

// login is one that a browser began.
type login struct {
	state, nonce, cookies, redirect string
}

func (p *pair) begin(provider, cookies string) login {
	p.t.Helper()
	v := p.get(p.k, "/oauth2/start?provider="+provider+"&rd=/page", cookies).want("login")
	to, err := url.Parse(v.field("location"))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range v.cookies() {
		cookie, _, _ := strings.Cut(c, ";")
		cookies += "; " + cookie
	}
	back, _ := url.Parse(to.Query().Get("redirect_uri"))
	return login{to.Query().Get("state"), to.Query().Get("nonce"), strings.TrimPrefix(cookies, "; "), back.Path}
}

// idTokenBy is an ID token of a provider's for a login, by a key, with some claims
// changed.
func (p *pair) idTokenBy(key *ecdsa.PrivateKey, issuer string, l login, changes map[string]any) string {
	return p.signed(key, "JWT", map[string]any{
		"iss": issuer, "aud": "shop", "sub": "alice-id", "iat": p.now.Unix(), "exp": p.now.Unix() + 60, "nonce": l.nonce,
		"preferred_username": "alice", "email": "alice@example.com", "groups": []string{"staff"},
	}, changes)
}

// An honest provider answers where the browser's request said, which is where it
// knows us: at its own redirect address if it has one; and it says who it is, if
// it does that at all. Whatever it does, a login that began at another provider is
// not finished by it; and its code reaches that other one only where nothing at all
// tells the two apart, with a verifier that is good for no login here.
func TestACodeReachesAnotherProviderOnlyWhereNothingTellsThemApart(t *testing.T) {
	own := map[bool]string{true: `,"own_callback":true`, false: ""}
	for n := range 16 {
		firstOwn, otherOwn, firstSays, otherSays := n&1 != 0, n&2 != 0, n&4 != 0, n&8 != 0
		name := fmt.Sprintf("own callbacks %v and %v, issuers said %v and %v", firstOwn, otherOwn, firstSays, otherSays)
		t.Run(name, func(t *testing.T) {
			p := newPair(t, own[firstOwn], own[otherOwn], firstSays, otherSays)
			honest, begun := p.begin("main", ""), p.begin("other", "")
			answer := url.Values{"code": {"code-of-main"}, "state": {begun.state}}
			if firstSays {
				answer.Set("iss", testIssuer)
			}
			v := p.get(p.k, honest.redirect+"?"+answer.Encode(), begun.cookies)
			want := ""
			switch {
			case honest.redirect != begun.redirect:
				want = "callback_of_another_provider"
			case firstSays:
				want = "iss_differs"
			case otherSays:
				want = "iss_missing"
			}
			if want != "" {
				v.want(want)
				if len(p.calls) != 0 || p.counted(EventLoginRefused, want) != 1 {
					t.Errorf("calls %s, events %+v", p.pending(), p.events)
				}
				return
			}
			c := p.call("/tenant/token")
			if c.Authority != "login.example.net" || c.Cluster != "other" || strings.Contains(string(c.Body), "secret-of-the-shop") {
				t.Errorf("the code went to %s through %s", c.Authority, c.Cluster)
			}
			p.reply(c, 200, p.tokens("access", "", p.idTokenBy(testKeys().published, testIssuer, begun, nil)))
			p.informOther()
			v.want("signature")
			if v.cookie() != "" {
				t.Error("a session was made")
			}
		})
	}
}

// Two providers may call their keys the same. Neither's signature is worth anything
// in the other's name, whichever was asked first.
func TestKeysOfOneNameAreNotSharedBetweenProviders(t *testing.T) {
	k := testKeys()
	for _, first := range []bool{true, false} {
		p := newPair(t, `,"userinfo":"never"`, `,"userinfo":"never"`, false, false)
		if first {
			p.finish(p.begin("main", ""), k.published, testIssuer, "signed_in")
		}
		p.finish(p.begin("other", ""), k.published, otherIssuer, "signature")
		p.finish(p.begin("other", ""), k.published, testIssuer, "signature")
		p.finish(p.begin("other", ""), k.stranger, testIssuer, "iss_differs")
		p.finish(p.begin("other", ""), k.stranger, otherIssuer, "signed_in")
		p.finish(p.begin("main", ""), k.stranger, testIssuer, "signature")
		p.finish(p.begin("main", ""), k.stranger, otherIssuer, "signature")
		p.finish(p.begin("main", ""), k.published, testIssuer, "signed_in")
	}
}

// finish brings a login back with a code, for which an ID token is given.
func (p *pair) finish(l login, key *ecdsa.PrivateKey, issuer, want string) *visit {
	p.t.Helper()
	v := p.get(p.k, l.redirect+"?"+url.Values{"code": {"code-1"}, "state": {l.state}}.Encode(), l.cookies)
	if len(p.calls) != 1 || !strings.HasSuffix(p.calls[0].Path, "/token") {
		p.t.Fatalf("calls %s, and the request %s", p.pending(), v.outcome())
	}
	p.reply(p.calls[0], 200, p.tokens("access", "", p.idTokenBy(key, issuer, l, nil)))
	p.informOther()
	return v.want(want)
}

// A session belongs to a provider by name, issuer and client. One of which any of
// these is another's is none, though only we can have sealed it.
func TestASessionIsOfItsProviderByNameIssuerAndClient(t *testing.T) {
	for name, change := range map[string]func(*session.Session){
		"the first one's under the other's name":  func(s *session.Session) { s.Provider = "other" },
		"the first one's with the other's issuer": func(s *session.Session) { s.Issuer = otherIssuer },
		"of a provider that is not there":         func(s *session.Session) { s.Provider = "third" },
		"of no provider":                          func(s *session.Session) { s.Provider = "" },
		"of another client":                       func(s *session.Session) { s.ClientID = "office" },
		"with no issuer":                          func(s *session.Session) { s.Issuer = "" },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, "", "", true, true)
			p.get(p.k, "/page", p.cookie(p.alice())).want("forwarded alice")
			s := p.alice()
			change(s)
			p.get(p.k, "/page", p.cookie(s)).want("sign_in")
			if p.counted(EventSessionRefused, "other_provider_or_client") != 1 {
				t.Errorf("events: %+v", p.events)
			}
		})
	}
}

// A provider ends its own sessions: one with the same sid, or of a person with the
// same name, at another provider goes on.
func TestALogoutTokenEndsSessionsOfItsIssuerAlone(t *testing.T) {
	p := newPair(t, "", "", true, true)
	mine, theirs := p.alice(), p.alice()
	theirs.ID, theirs.Provider, theirs.Issuer = "session-at-the-other", "other", otherIssuer
	theirs.Gathered = p.k.wanted["other"].stamp
	at := func(s *session.Session) *visit { return p.get(p.k, "/page", p.cookie(s)) }
	for i, changes := range []map[string]any{{}, {"sub": "alice-id"}, {"sid": nil, "sub": "alice-id"}} {
		p.logOut(p.k, p.logoutToken(fmt.Sprint("main-", i), changes)).want("backchannel_logout")
		at(theirs).want("forwarded alice")
		at(mine).want("sign_in")
	}
	// The other's token is verified with the other's key, although both have one name.
	forged := map[string]any{"iss": otherIssuer}
	v := p.logOut(p.k, p.logoutToken("forged", forged))
	p.informOther()
	v.want("signature")
	at(theirs).want("forwarded alice")
	v = p.logOut(p.k, p.signed(testKeys().stranger, "logout+jwt", map[string]any{
		"iss": otherIssuer, "aud": "shop", "iat": p.now.Unix(), "exp": p.now.Unix() + 60, "jti": "main-0",
		"sid": "sid-1", "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}, nil))
	p.informOther()
	v.want("backchannel_logout") // a jti is its issuer's
	at(theirs).want("sign_in")
}

// We may be two clients of one provider. A token is then for one of them.
func TestTwoClientsOfOneProvider(t *testing.T) {
	w := newWorld(t, 1, parts{
		provider: `,"userinfo":"never"},{"name":"office","issuer":"` + testIssuer + `","cluster":"idp","client_id":"office","client_secret":{"value":"secret-of-the-office"},"userinfo":"never"`,
	})
	p := &pair{world: w, k: w.workers[0]}
	for _, test := range []struct{ provider, aud, want string }{
		{"main", "shop", "signed_in"}, {"main", "office", "aud_differs"}, {"office", "shop", "aud_differs"}, {"office", "office", "signed_in"},
	} {
		l := p.begin(test.provider, "")
		v := p.get(p.k, l.redirect+"?"+url.Values{"code": {"code-1"}, "state": {l.state}}.Encode(), l.cookies)
		p.reply(p.call("/token"), 200, p.tokens("access", "", p.idTokenBy(testKeys().published, testIssuer, l, map[string]any{"aud": test.aud})))
		v.want(test.want)
	}
	office := p.alice()
	office.ID, office.Provider, office.ClientID, office.Gathered = "session-at-the-office", "office", "office", p.k.wanted["office"].stamp
	p.get(p.k, "/page", p.cookie(office)).want("forwarded alice")
	p.logOut(p.k, p.logoutToken("for-the-office", map[string]any{"aud": "office"})).want("backchannel_logout")
	p.get(p.k, "/page", p.cookie(office)).want("sign_in")
	p.logOut(p.k, p.logoutToken("for-nobody-here", map[string]any{"aud": "warehouse"})).want("aud_differs")
}

// A session is renewed at its own provider, which may end it.
func TestARefreshTokenGoesToItsOwnProviderAlone(t *testing.T) {
	p := newPair(t, "", "", true, true)
	s := p.alice()
	s.Provider, s.Issuer, s.Gathered = "other", otherIssuer, p.k.wanted["other"].stamp
	cookie := p.cookie(s)
	p.advance(4 * time.Minute)
	v := p.get(p.k, "/page", cookie)
	c := p.call("/tenant/token")
	if c.Authority != "login.example.net" || c.Cluster != "other" || c.form().Get("refresh_token") != "refresh-1" {
		t.Errorf("the refresh token went to %s through %s", c.Authority, c.Cluster)
	}
	p.reply(c, 400, `{"error":"invalid_grant"}`)
	v.want("sign_in")
	for _, c := range p.calls {
		t.Errorf("a call to %s", c.Path)
	}
}

// Whatever is typed as an e-mail address leads to the provider that has the domain
// behind its last @, or nowhere.
func FuzzEmailAddressesLeadToTheirDomainAlone(f *testing.F) {
	for _, typed := range []string{"a@other.example", "a@b.other.example", "a@b@other.example", "@other.example", "a@other.example.", " a@OTHER.example ",
		"a@other.example\x00", "a\r\n@other.example", `"a@b"@other.example`, "a@evil-other.example", "a@ot\u0131her.example", "a@.other.example", "a@\u212Aother.example", "a@de\u017F\u212A.example", "a@b@c.other.example"} {
		f.Add(typed)
	}
	k := newWorld(&testing.T{}, 1, parts{provider: `},{"name":"other","issuer":"` + otherIssuer + `","cluster":"other","client_id":"shop","email_domains":["other.example","*.other.example","desk.example"]`}).workers[0]
	f.Fuzz(func(t *testing.T, typed string) {
		p := byEmail(k.parties, typed)
		if p == nil {
			return
		}
		domain := strings.TrimSpace(typed[strings.LastIndexByte(typed, '@')+1:])
		if strings.IndexFunc(domain, func(r rune) bool { return r > 127 }) < 0 {
			domain = strings.ToLower(domain)
		}
		if p.Name() != "other" || domain != "other.example" && domain != "desk.example" && !strings.HasSuffix(domain, ".other.example") ||
			strings.Count(typed, "@") != 1 || strings.ContainsAny(strings.TrimSpace(typed), "\x00\r\n <>\"") {
			t.Errorf("%q leads to %s", typed, p.Name())
		}
	})
}

// What a browser says that it remembers never makes an answer that names anything
// but a provider of the settings.
func FuzzRememberedChoice(f *testing.F) {
	for _, value := range []string{"main", "other", "-other", "", "-", "Other", "other=", "https://evil.example", "other\x00", "a\"b", "../main"} {
		f.Add(value)
	}
	p := newPair(&testing.T{}, "", "", true, true)
	f.Fuzz(func(t *testing.T, value string) {
		if strings.ContainsAny(value, ";\r\n\x00") {
			return
		}
		v := p.get(p.k, "/page", "__Host-postern-provider="+value)
		to := v.field("location")
		known := strings.HasPrefix(to, testIssuer+"/auth?") && value == "main" || strings.HasPrefix(to, otherIssuer+"/auth?") && value == "other"
		if !known && to != "/oauth2/sign_in?rd=%2Fpage" {
			t.Errorf("%q leads to %s", value, to)
		}
	})
}
