package oidc

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/postern-auth/postern/internal/flow"
)

const plainSettings = `,"type":"oauth2","subject":"data.id","clusters":{"api.example.com":"api"},"endpoints":{
	"authorization":"https://www.example.com/login?tenant=a","token":"https://id.example.com/t","userinfo":"https://api.example.com/v2/me?fields=id","revocation":"https://id.example.com/r"}`

func TestAProviderWithoutADiscoveryDocumentIsKnownAtOnce(t *testing.T) {
	f := newFake(t)
	p := f.provider(plainSettings)
	if !p.Known() || p.Due(f.now) || p.HasUserinfo() || !p.CanConfirm() || !p.HasRevocation() {
		t.Errorf("known %v, due %v, userinfo %v, can confirm %v, revocation %v", p.Known(), p.Due(f.now), p.HasUserinfo(), p.CanConfirm(), p.HasRevocation())
	}
	p.Learn(f.env())
	if err := p.Await(f.env()); err != nil || len(f.calls) > 0 {
		t.Errorf("%v, calls %v", err, f.calls)
	}
	address, err := p.AuthorizationURL(f.env(), Request{RedirectURI: "https://app.example.com/oauth2/callback", State: "s"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	got := []string{u.Host + u.Path, q.Get("tenant"), q.Get("code_challenge_method"), q.Get("nonce"), q.Get("scope")}
	if diff := cmp.Diff([]string{"www.example.com/login", "a", "S256", "", ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestATokenThatIsSignedIsNobodysWhereAProviderHasNoKeys(t *testing.T) {
	f := newFake(t)
	p := f.provider(plainSettings)
	if _, err := p.VerifyIDToken(f.env(), f.idToken(f.claims()), "n-1", "at-1"); Reason(err) != "key_unknown" {
		t.Errorf("an ID token: %v", err)
	}
	if _, err := p.VerifyLogoutToken(f.env(), f.idToken(f.claims())); err == nil {
		t.Error("a logout token was accepted")
	}
	if len(f.calls) > 0 {
		t.Errorf("calls %v", f.calls)
	}
}

func TestWhoAPersonIsWithoutAnIDToken(t *testing.T) {
	long := strings.Repeat("x", 256)
	for name, c := range map[string]struct {
		answer    flow.Response
		err       error
		subject   string
		reason    string
		temporary bool
	}{
		"a string":                       {rawAnswer(200, "application/json", `{"data":{"id":"u-1"},"name":"A"}`), nil, "u-1", "", false},
		"a number":                       {rawAnswer(200, "application/json", `{"data":{"id":17}}`), nil, "17", "", false},
		"a number above 2^53":            {rawAnswer(200, "application/json", `{"data":{"id":9007199254740993}}`), nil, "9007199254740993", "", false},
		"a number below nothing":         {rawAnswer(200, "application/json", `{"data":{"id":-1}}`), nil, "-1", "", false},
		"a number with a fraction":       {rawAnswer(200, "application/json", `{"data":{"id":1.0}}`), nil, "", "sub_malformed", false},
		"a number with an exponent":      {rawAnswer(200, "application/json", `{"data":{"id":1e3}}`), nil, "", "sub_malformed", false},
		"an empty string":                {rawAnswer(200, "application/json", `{"data":{"id":""}}`), nil, "", "sub_malformed", false},
		"nothing":                        {rawAnswer(200, "application/json", `{"data":{}}`), nil, "", "sub_malformed", false},
		"null":                           {rawAnswer(200, "application/json", `{"data":{"id":null}}`), nil, "", "sub_malformed", false},
		"a truth value":                  {rawAnswer(200, "application/json", `{"data":{"id":true}}`), nil, "", "sub_malformed", false},
		"half a character":               {rawAnswer(200, "application/json", `{"data":{"id":"\ud800"}}`), nil, "", "sub_malformed", false},
		"bytes that are no text":         {rawAnswer(200, "application/json", "{\"data\":{\"id\":\"u\xff\"}}"), nil, "", "sub_malformed", false},
		"a line break":                   {rawAnswer(200, "application/json", `{"data":{"id":"u\n1"}}`), nil, "", "sub_malformed", false},
		"an object":                      {rawAnswer(200, "application/json", `{"data":{"id":{"a":1}}}`), nil, "", "sub_malformed", false},
		"a list":                         {rawAnswer(200, "application/json", `{"data":{"id":["u-1"]}}`), nil, "", "sub_malformed", false},
		"what is too long":               {rawAnswer(200, "application/json", `{"data":{"id":"`+long+`"}}`), nil, "", "sub_malformed", false},
		"another one that is called sub": {rawAnswer(200, "application/json", `{"sub":"admin","data":{"id":"u-1"}}`), nil, "u-1", "", false},
		"two of one name":                {rawAnswer(200, "application/json", `{"data":{"id":"u-1"},"data":{"id":"u-2"}}`), nil, "", "answer_malformed", true},
		"two of one name within":         {rawAnswer(200, "application/json", `{"data":{"id":"u-1","id":"u-2"}}`), nil, "", "answer_malformed", true},
		"a list of people":               {rawAnswer(200, "application/json", `[{"data":{"id":"u-1"}}]`), nil, "", "sub_malformed", false},
		"a page":                         {rawAnswer(200, "text/html", `{"data":{"id":"u-1"}}`), nil, "", "answer_not_json", true},
		"a token that is not good":       {rawAnswer(401, "application/json", `{}`), nil, "", "token_refused", false},
		"a token that is good for less":  {rawAnswer(403, "application/json", `{}`), nil, "", "token_refused", false},
		"a provider that is down":        {rawAnswer(503, "application/json", `{}`), nil, "", "status_503", true},
		"no answer":                      {flow.Response{}, flow.ErrUnavailable, "", "no_answer", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.on("/v2/me", c.answer, c.err)
			id, err := f.provider(plainSettings).Identify(f.env(), Tokens{Access: "at-1"}, "n-1")
			if Reason(err) != c.reason && err != nil || Temporary(err) != c.temporary || (err == nil) != (c.reason == "") {
				t.Fatalf("got %+v, %v; want %q", id, err, c.reason)
			}
			if err != nil {
				return
			}
			if id.Subject != c.subject || id.Issuer != issuer || gjson.GetBytes(id.Claims, "sub").Str != c.subject {
				t.Errorf("got %q of %q, %s", id.Subject, id.Issuer, id.Claims)
			}
			if f.last.Cluster != "api" || f.last.Authority != "api.example.com" || f.last.Path != "/v2/me?fields=id" {
				t.Errorf("the call: %+v", f.last)
			}
		})
	}
}

func TestAPersonWithoutAnIDTokenStaysTheSame(t *testing.T) {
	f := newFake(t)
	f.on("/v2/me", rawAnswer(200, "application/json", `{"data":{"id":7}}`), nil)
	p := f.provider(plainSettings)
	access, tokens := Access{Token: "at-1"}, Tokens{Access: "at-1"}
	if id, err := p.IdentifyAgain(f.env(), tokens, Original{Issuer: issuer, Subject: "7"}); err != nil || id.Subject != "7" {
		t.Errorf("renewed: %+v, %v", id, err)
	}
	if _, err := p.IdentifyAgain(f.env(), tokens, Original{Issuer: issuer, Subject: "8"}); Reason(err) != "sub_differs" {
		t.Errorf("renewed as another: %v", err)
	}
	if claims, err := p.Confirm(f.env(), access, "7"); err != nil || gjson.GetBytes(claims, "sub").Str != "7" {
		t.Errorf("confirmed: %s, %v", claims, err)
	}
	if _, err := p.Confirm(f.env(), access, "8"); Reason(err) != "sub_differs" || Temporary(err) {
		t.Errorf("confirmed as another: %v", err)
	}
	for status, want := range map[int]Failure{
		401: {Reason: "token_refused"}, 403: {Reason: "token_refused"},
		404: {Reason: "status_404", Temporary: true}, 500: {Reason: "status_500", Temporary: true},
	} {
		f.on("/v2/me", rawAnswer(status, "application/json", `{}`), nil)
		if _, err := p.Confirm(f.env(), access, "7"); Reason(err) != want.Reason || Temporary(err) != want.Temporary {
			t.Errorf("status %d: %v", status, err)
		}
	}
}

func TestACodeIsExchangedWithoutAnIDToken(t *testing.T) {
	f := newFake(t)
	f.on("/t", jsonAnswer(200, map[string]any{"access_token": "at-1", "token_type": "bearer", "scope": "a b"}), nil)
	tokens, err := f.provider(plainSettings).Exchange(f.env(), "c", "https://app.example.com/oauth2/callback", "v")
	if err != nil || tokens.Access != "at-1" || tokens.ID != "" || len(tokens.Scope) != 2 {
		t.Errorf("%+v, %v", tokens, err)
	}
	if form(t, f.last).Get("code_verifier") != "v" {
		t.Error("the code was exchanged without proof of the one who asked for it")
	}
}

func TestAMemberIsPutIntoAnObject(t *testing.T) {
	for doc, want := range map[string]string{
		`{"b":{"c":[1, 2.50]},"a":null}`: `{"a":null,"b":{"c":[1,2.50]},"sub":"x"}`,
		`{"sub":{"y":1}}`:                `{"sub":"x"}`,
		`{}`:                             `{"sub":"x"}`,
		`null`:                           ``, `[]`: ``, `"a"`: ``, ``: ``, `{"a":1,"a":2}`: ``, `{"a":1}}`: ``,
	} {
		got, err := withClaim([]byte(doc), "sub", "x")
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %s, %v", doc, got, err)
		}
	}
}
