package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// These tests are of the parts themselves, without Postern: when one of them
// fails, the fault is not the gate's.

func TestPlainEnvoyServes(t *testing.T) {
	ForEachEnvoy(t, func(t *testing.T, version string) {
		t.Run("an application", func(t *testing.T) {
			app := NewApp(t)
			e := StartEnvoy(t, EnvoySetup{Version: version, App: app.Addr(), Workers: 2})
			page := must(NewBrowser().Get(e.URL("/a/b?c=d"), http.Header{"x_auth_request_user": {"eve"}}))(t)
			seen := must(ReadSeen(page))(t)
			if seen.Target != "/a/b?c=d" || app.Requests() != 1 {
				t.Errorf("the application saw %q, %d requests", seen.Target, app.Requests())
			}
			if got := seen.Value("X-Auth-Request-User"); got != "eve" {
				t.Errorf("a header with underscores arrives as %q", got)
			}
		})
		t.Run("its own answer", func(t *testing.T) {
			e := StartEnvoy(t, EnvoySetup{Version: version})
			page := must(NewBrowser().Get(e.URL("/")))(t)
			if page.Status != http.StatusOK || page.Body != "direct response\n" {
				t.Errorf("%d %q", page.Status, page.Body)
			}
			if n := e.Stat(t, "http.gate.downstream_rq_2xx"); n != 1 {
				t.Errorf("envoy counts %d answers", n)
			}
		})
	})
}

func TestEnvoysWorkersAreMetOneByOne(t *testing.T) {
	app := NewApp(t)
	port, release, err := ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	e := StartEnvoy(t, EnvoySetup{App: app.Addr(), Workers: 4, Port: port})
	release()
	g := &Gate{Envoy: e, App: app}
	before := must(e.workerConnections())(t)
	workers := e.Workers(t)
	if n := len(risen(before, must(e.workerConnections())(t))); n != 4 || len(workers) != 4 {
		t.Fatalf("%d workers were met, by %d connections", n, len(workers))
	}
	for i, worker := range workers {
		before := must(e.workerConnections())(t)
		must(ReadSeen(must(NewBrowser().Over(worker).Get(g.URL("/again")))(t)))(t)
		if met := risen(before, must(e.workerConnections())(t)); len(met) != 0 {
			t.Errorf("connection %d was replaced by one to %q", i, met)
		}
	}
	t.Run("streams stay open", func(t *testing.T) {
		socket, events := g.OpenSocket(t, NewBrowser()), g.OpenEvents(t, NewBrowser())
		if err := socket.Echo("hello"); err != nil {
			t.Error(err)
		}
		if !events.Open() {
			t.Error("the event stream ended")
		}
		if err := events.Cut(time.Millisecond); err == nil {
			t.Error("an open stream counts as cut")
		}
	})
	t.Run("a burst is as many requests as were asked for", func(t *testing.T) {
		before := app.Requests()
		pages := must(NewBrowser().Burst(g.URL("/")).Send(atOnce).Wait())(t)
		if n := app.Requests() - before; n != atOnce || len(pages) != atOnce {
			t.Errorf("%d requests, %d answers", n, len(pages))
		}
	})
}

func TestProvidersSignPeopleIn(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *Provider{"keycloak": Keycloak, "oidc-provider": OIDCProvider} {
		for _, who := range []Person{Alice, Bob} {
			t.Run(name+" signs in "+who.Name, func(t *testing.T) {
				p := start(t)
				callback := signInDirectly(t, p, who)
				if callback.Get("code") == "" || callback.Get("state") != "some state" || callback.Get("iss") != p.Issuer {
					t.Fatalf("callback: %v", callback)
				}
				claims := exchange(t, p, callback.Get("code"))
				if diff := cmp.Diff(who.Groups, claims.Groups); diff != "" {
					t.Error(diff)
				}
				if claims.User != who.Name || claims.Email != who.Email {
					t.Errorf("userinfo: %+v", claims)
				}
			})
		}
	}
}

func TestProvidersRefuseAWrongPassword(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *Provider{"keycloak": Keycloak, "oidc-provider": OIDCProvider} {
		t.Run(name, func(t *testing.T) {
			p, b := start(t), NewBrowser()
			form := reachForm(t, p, b)
			page := must(p.SignIn(b, form, Person{Name: "alice", Password: "bob-password"}))(t)
			if page.Location() != nil {
				t.Errorf("sent on to %s", page.Location())
			}
		})
	}
}

func TestChromiumShowsPages(t *testing.T) {
	c := NewChromium(t)
	app := NewApp(t)
	app.SetCookies = []string{"kept=1; Path=/; HttpOnly", "__Host-dropped=1; Path=/"}
	c.Open(app.Server.URL + "/x")
	c.WaitURL(app.Server.URL)
	if seen := must(ParseSeen(c.Text()))(t); seen.Target != "/x" {
		t.Errorf("the application saw %q", seen.Target)
	}
	cookies := c.Cookies(app.Server.URL)
	if len(cookies) != 1 || cookies[0].Name != "kept" || !cookies[0].HTTPOnly {
		t.Errorf("cookies: %+v", cookies)
	}
}

const verifier = "a-verifier-that-is-long-enough-for-rfc-7636-0123456789"

const deadEnd = "http://localhost:1/oauth2/callback"

func reachForm(t *testing.T, p *Provider, b *Browser) *Page {
	t.Helper()
	meta := discover(t, p)
	challenge := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"client_id": {ClientID}, "response_type": {"code"}, "scope": {"openid profile email"},
		"redirect_uri": {deadEnd}, "state": {"some state"}, "nonce": {"some nonce"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	way := must(b.Follow(must(b.Get(meta.Authorization+"?"+q.Encode()))(t), nil))(t)
	return way[len(way)-1]
}

func signInDirectly(t *testing.T, p *Provider, who Person) url.Values {
	t.Helper()
	b := NewBrowser()
	page := must(p.SignIn(b, reachForm(t, p, b), who))(t)
	way := must(b.Follow(page, func(u *url.URL) bool { return !p.Owns(u) }))(t)
	last := way[len(way)-1]
	to := last.Location()
	if to == nil || !strings.HasPrefix(to.String(), deadEnd) {
		t.Fatalf("not sent back: %d %s to %v\n%.500s", last.Status, last.URL, to, last.Body)
	}
	return to.Query()
}

type metadata struct {
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Userinfo      string `json:"userinfo_endpoint"`
}

func discover(t *testing.T, p *Provider) metadata {
	t.Helper()
	var m metadata
	page := must(NewBrowser().Get(p.Issuer + "/.well-known/openid-configuration"))(t)
	if err := json.Unmarshal([]byte(page.Body), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

type userinfo struct {
	User   string   `json:"preferred_username"`
	Email  string   `json:"email"`
	Groups []string `json:"groups"`
}

// exchange redeems a code and asks who the person is.
func exchange(t *testing.T, p *Provider, code string) userinfo {
	t.Helper()
	meta, b := discover(t, p), NewBrowser()
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(ClientID+":"+ClientSecret))
	page := must(b.Do(http.MethodPost, meta.Token, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {deadEnd}, "code_verifier": {verifier},
	}.Encode(), http.Header{"Authorization": {basic}}))(t)
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		ID      string `json:"id_token"`
	}
	if err := json.Unmarshal([]byte(page.Body), &tokens); err != nil || tokens.Refresh == "" || tokens.ID == "" {
		t.Fatalf("token answer %d, %v", page.Status, err)
	}
	page = must(b.Get(meta.Userinfo, http.Header{"Authorization": {"Bearer " + tokens.Access}}))(t)
	var who userinfo
	if err := json.Unmarshal([]byte(page.Body), &who); err != nil {
		t.Fatalf("userinfo answer %d: %v", page.Status, err)
	}
	return who
}
