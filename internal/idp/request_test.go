package idp

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// strictWorld is one whose clients push, sign, and get tokens that are bound.
func strictWorld(t *testing.T, edit func(*Config)) *world {
	t.Helper()
	w := newWorld(t)
	cfg := w.p.cfg
	cfg.Clients = []Client{
		{ID: "shop", Secret: "s3cret&+/%", RedirectURIs: []string{testRedirect}, Targets: []string{"https://api.example"}},
		{ID: "pushes", Secret: "s3cret", RedirectURIs: []string{testRedirect}, RequirePushed: true},
		{ID: "signs", Key: publicKey("ec"), RedirectURIs: []string{testRedirect}, SignedRequests: true},
		{ID: "public", RedirectURIs: []string{testRedirect}, BoundTokens: true},
	}
	if edit != nil {
		edit(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.p = p
	previous := newWorldServer(t, p)
	w.base, p.cfg.Issuer = previous.URL, previous.URL
	p.issuer, _ = url.Parse(previous.URL)
	return w
}

// parameters are those of a request for a client.
func parameters(t *testing.T, changes map[string]string) url.Values {
	t.Helper()
	u, err := url.Parse(request(changes))
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func (w *world) push(changes map[string]string, secret string) answer {
	w.t.Helper()
	form := parameters(w.t, changes)
	if secret != "" {
		form.Set("client_secret", secret)
	}
	return w.do("POST", "/par", form, nil)
}

func named(client string, a answer, t *testing.T) string {
	t.Helper()
	name, _ := a.json(t)["request_uri"].(string)
	if a.status != http.StatusCreated || !strings.HasPrefix(name, requestURIPrefix) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return "/authorize?" + url.Values{"client_id": {client}, "request_uri": {name}}.Encode()
}

func TestAPushedRequestIsGoodForOneAnswer(t *testing.T) {
	w := strictWorld(t, nil)
	address := named("pushes", w.push(map[string]string{"client_id": "pushes"}, "s3cret"), t)
	if a := w.do("GET", address, nil, nil); a.status != http.StatusOK || !strings.Contains(a.body, "password") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	w.advance(5 * time.Minute) // people take their time
	back := w.do("POST", address, credentials("alice"), nil).location(t).Query()
	if back.Get("code") == "" || back.Get("state") != "st&te" || back.Get("iss") != w.base {
		t.Errorf("went back with %v", back)
	}
	if a := w.do("GET", address, nil, nil); a.status != http.StatusBadRequest {
		t.Errorf("a second answer: %d", a.status)
	}
}

func TestPushedRequestsThatAreRefused(t *testing.T) {
	w := strictWorld(t, nil)
	for name, c := range map[string]struct {
		changes map[string]string
		secret  string
		want    string
	}{
		"of a client that does not prove itself": {map[string]string{"client_id": "pushes"}, "wrong", "invalid_client"},
		"with a name already":                    {map[string]string{"client_id": "pushes", "request_uri": "urn:x"}, "s3cret", "invalid_request"},
		"to an address that is not registered":   {map[string]string{"client_id": "pushes", "redirect_uri": "https://evil.example"}, "s3cret", "invalid_request"},
		"without PKCE":                           {map[string]string{"client_id": "pushes", "code_challenge": ""}, "s3cret", "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.push(c.changes, c.secret)
			if a.json(t)["error"] != c.want {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	for name, address := range map[string]string{
		"not pushed at all":          request(map[string]string{"client_id": "pushes"}),
		"a name that nobody made":    "/authorize?client_id=pushes&request_uri=" + requestURIPrefix + "x",
		"another client's":           strings.Replace(named("pushes", w.push(map[string]string{"client_id": "pushes"}, "s3cret"), t), "client_id=pushes", "client_id=shop", 1),
		"by value and by name":       named("pushes", w.push(map[string]string{"client_id": "pushes"}, "s3cret"), t) + "&request=x",
		"not signed, though it must": request(map[string]string{"client_id": "signs"}),
	} {
		if a := w.do("GET", address, nil, nil); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	late := named("pushes", w.push(map[string]string{"client_id": "pushes"}, "s3cret"), t)
	w.advance(pushedLifetime)
	if a := w.do("GET", late, nil, nil); a.status != http.StatusBadRequest {
		t.Errorf("late: %d", a.status)
	}
}

func (w *world) object(typ string, changes map[string]any) string {
	w.t.Helper()
	now := w.clock()
	claims := map[string]any{"iss": "signs", "aud": w.base, "nbf": now.Unix(), "exp": now.Add(time.Minute).Unix(), "max_age": 600}
	for name, values := range parameters(w.t, map[string]string{"client_id": "signs"}) {
		claims[name] = values[0]
	}
	maps.Copy(claims, changes)
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: clientKeys()["ec"]}, options)
	if err != nil {
		w.t.Fatal(err)
	}
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

func TestASignedRequestIsTakenForWhatItSays(t *testing.T) {
	w := strictWorld(t, nil)
	const typ = "oauth-authz-req+jwt"
	ask := func(raw string) answer {
		return w.do("GET", "/authorize?"+url.Values{"client_id": {"signs"}, "state": {"forged"}, "request": {raw}}.Encode(), nil, nil)
	}
	kept := ask(w.object(typ, nil)).location(t)
	w.advance(2 * time.Minute) // beyond the object's own time
	back := w.do("POST", strings.TrimPrefix(kept.String(), w.base), credentials("alice"), nil).location(t).Query()
	if back.Get("code") == "" || back.Get("state") != "st&te" {
		t.Errorf("went back with %v", back)
	}
	for name, raw := range map[string]string{
		"of another type":    w.object("JWT", nil),
		"of another issuer":  w.object(typ, map[string]any{"iss": "shop"}),
		"of another client":  w.object(typ, map[string]any{"client_id": "shop"}),
		"for somebody else":  w.object(typ, map[string]any{"aud": "https://other.example"}),
		"that is over":       w.object(typ, map[string]any{"exp": w.clock().Unix()}),
		"not yet good":       w.object(typ, map[string]any{"nbf": w.clock().Add(time.Hour).Unix(), "exp": w.clock().Add(90 * time.Minute).Unix()}),
		"good for a day":     w.object(typ, map[string]any{"exp": w.clock().Add(24 * time.Hour).Unix()}),
		"with one inside":    w.object(typ, map[string]any{"request": "x"}),
		"with another's sig": w.object(typ, nil) + "x",
	} {
		if a := ask(raw); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, a.status)
		}
	}
}

func TestAnAnswerComesAsAFormWhereTheClientWantsThat(t *testing.T) {
	w := strictWorld(t, nil)
	a := w.do("POST", request(map[string]string{"response_mode": "form_post"}), credentials("alice"), nil)
	for _, want := range []string{`<form method="post" action="` + testRedirect + `">`, `name="code"`, `name="state" value="st&amp;te"`, `name="iss"`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("%d without %s: %s", a.status, want, a.body)
		}
	}
	if a.status != http.StatusOK || a.header.Get("Location") != "" {
		t.Errorf("%d to %q", a.status, a.header.Get("Location"))
	}
}

func TestATokenIsForTheResourceThatWasAskedFor(t *testing.T) {
	w := strictWorld(t, nil)
	resource := map[string]string{"resource": "https://api.example"}
	form := with(exchange(w.code("alice", resource)), resource)
	tokens := w.do("POST", "/token", form, nil).json(t)
	if got := w.verified(tokens["access_token"])["aud"]; got != "https://api.example" {
		t.Errorf("for %v", got)
	}
	if a := w.do("POST", "/token", with(exchange(w.code("alice", nil)), resource), nil); a.json(t)["error"] != "invalid_target" {
		t.Errorf("another one at the exchange: %s", a.body)
	}
}
