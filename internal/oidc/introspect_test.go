package oidc

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postern-auth/postern/internal/flow"
)

const asking = forAPI + `,"check":"introspection"`

// introspecting returns a provider with an introspection endpoint that answers so.
func (f *fake) introspecting(answer flow.Response, err error) *Provider {
	f.t.Helper()
	metadata := with(f.metadata(), "introspection_endpoint", "https://id.example.com/introspect")
	f.on("/realms/main/.well-known/openid-configuration", jsonAnswer(200, metadata), nil)
	f.on("/introspect", answer, err)
	return f.learned("")
}

// introspectionAnswer is what a provider says of a good token.
func (f *fake) introspectionAnswer() map[string]any {
	return with(with(f.accessClaims(), "active", true), "token_type", "Bearer")
}

// signedIntrospection is the same, signed (RFC 9701, section 5).
func (f *fake) signedIntrospection() map[string]any {
	return map[string]any{"iss": issuer, "aud": "shop", "iat": f.now.Unix(), "token_introspection": f.introspectionAnswer()}
}

var answerType = map[jose.HeaderKey]any{"typ": "token-introspection+jwt"}

func (f *fake) signedAnswer(header map[jose.HeaderKey]any, claims any) flow.Response {
	return rawAnswer(200, signedAnswer, sign(f.t, jose.RS256, testKeys().rsa, "r1", header, claims))
}

func TestTheProviderIsAskedAboutAToken(t *testing.T) {
	f := newFake(t)
	p := f.introspecting(jsonAnswer(200, f.introspectionAnswer()), nil)
	claims, err := p.Introspect(f.env(), "opaque.~-token", f.wants(asking))
	if err != nil || f.last.Method != "POST" {
		t.Fatalf("%s: %v", f.last.Method, err)
	}
	want := url.Values{"token": {"opaque.~-token"}, "token_type_hint": {"access_token"}}
	if diff := cmp.Diff(want, form(t, f.last)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if authorization, _ := f.last.Header.Get("authorization"); !strings.HasPrefix(authorization, "Basic ") {
		t.Error("the client did not prove who it is")
	}
	got, err := p.ReadIntrospection(claims, f.wants(asking), f.now)
	if err != nil {
		t.Fatal(err)
	}
	token := AccessToken{
		Issuer: issuer, Subject: "service-a", ClientID: "app-a", Scopes: []string{"orders", "stock"}, Expires: time.Unix(f.now.Unix()+300, 0),
	}
	if diff := cmp.Diff(token, *got, cmpopts.IgnoreUnexported(AccessToken{}), cmpopts.IgnoreFields(AccessToken{}, "Claims")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !p.StillGood(got) {
		t.Error("it was not signed by a key, and none was withdrawn")
	}
}

func TestWhetherATokenIsRefusedOrTheProviderInTrouble(t *testing.T) {
	f := newFake(t)
	for name, c := range map[string]struct {
		answer    flow.Response
		err       error
		reason    string
		temporary bool
	}{
		"not active":                  {jsonAnswer(200, map[string]any{"active": false}), nil, "token_inactive", false},
		"not active, and more":        {jsonAnswer(200, with(f.introspectionAnswer(), "active", false)), nil, "token_inactive", false},
		"active as a string":          {jsonAnswer(200, map[string]any{"active": "true"}), nil, "answer_malformed", true},
		"active as a number":          {jsonAnswer(200, map[string]any{"active": 1}), nil, "answer_malformed", true},
		"active in capitals":          {jsonAnswer(200, map[string]any{"ACTIVE": true}), nil, "answer_malformed", true},
		"nothing about being active":  {jsonAnswer(200, map[string]any{"sub": "u"}), nil, "answer_malformed", true},
		"active twice":                {rawAnswer(200, "application/json", `{"active":false,"active":true}`), nil, "answer_malformed", true},
		"a list":                      {rawAnswer(200, "application/json", `[{"active":true}]`), nil, "answer_malformed", true},
		"no JSON":                     {rawAnswer(200, "application/json", `active`), nil, "answer_malformed", true},
		"nested without end":          {rawAnswer(200, "application/json", `{"active":true,"x":`+brackets(5000)+`}`), nil, "answer_malformed", true},
		"another media type":          {rawAnswer(200, "text/html", `{"active":true}`), nil, "answer_not_json", true},
		"we are not who we say":       {jsonAnswer(401, map[string]any{"error": "invalid_client"}), nil, "status_401", true},
		"we may not ask":              {jsonAnswer(403, map[string]any{}), nil, "status_403", true},
		"no such address":             {jsonAnswer(404, map[string]any{}), nil, "status_404", true},
		"a broken provider":           {jsonAnswer(500, map[string]any{}), nil, "status_500", true},
		"no answer":                   {flow.Response{}, flow.ErrUnavailable, "no_answer", true},
		"an answer that is too large": {rawAnswer(200, "application/json", `{"active":true,"x":"`+strings.Repeat("x", maxOther)+`"}`), nil, "answer_too_large", true},
		"a signed one, not asked for": {f.signedAnswer(answerType, f.signedIntrospection()), nil, "answer_not_json", true},
	} {
		t.Run(name, func(t *testing.T) {
			claims, err := f.introspecting(c.answer, c.err).Introspect(f.env(), "opaque", f.wants(asking))
			if err == nil || Reason(err) != c.reason || Temporary(err) != c.temporary || claims != nil {
				t.Errorf("got %s, %v, want %s", claims, err, c.reason)
			}
		})
	}
}

func TestWhatIsNoTokenIsNotAskedAbout(t *testing.T) {
	f := newFake(t)
	p := f.introspecting(jsonAnswer(200, f.introspectionAnswer()), nil)
	for name, c := range map[string]attack{
		"too long":                      {strings.Repeat("a", MaxAccessToken+1), "too_large"},
		"empty":                         {"", "malformed"},
		"with a space":                  {"a b", "malformed"},
		"with a NUL":                    {"a\x00b", "malformed"},
		"with letters that ASCII lacks": {"t\u00f6ken", "malformed"},
	} {
		if _, err := p.Introspect(f.env(), c.token, f.wants(asking)); Reason(err) != c.reason || Temporary(err) || f.calls["/introspect"] != 0 {
			t.Errorf("%s: %v, %d calls", name, err, f.calls["/introspect"])
		}
	}
}

func TestAProviderThatCannotBeAskedIsAnOutage(t *testing.T) {
	f := newFake(t)
	if _, err := f.learned("").Introspect(f.env(), "opaque", f.wants(asking)); Reason(err) != "no_endpoint" || !Temporary(err) {
		t.Errorf("no endpoint: %v", err)
	}
	if _, err := f.provider("").Introspect(f.env(), "opaque", f.wants(asking)); !Temporary(err) {
		t.Errorf("not known: %v", err)
	}
}

func TestASignedAnswerIsVerified(t *testing.T) {
	f := newFake(t)
	good, k := f.signedIntrospection(), testKeys()
	signed := func(header map[jose.HeaderKey]any, claims any) flow.Response { return f.signedAnswer(header, claims) }
	by := func(key any, kid string) flow.Response {
		return rawAnswer(200, signedAnswer, sign(t, jose.RS256, key, kid, answerType, good))
	}
	inactive := with(good, "token_introspection", map[string]any{"active": false})
	for name, c := range map[string]struct {
		answer flow.Response
		reason string
	}{
		"as it should be":             {signed(answerType, good), ""},
		"with charset and line break": {rawAnswer(200, signedAnswer+"; charset=utf-8", sign(t, jose.RS256, k.rsa, "r1", answerType, good)+"\n"), ""},
		"about a token not active":    {signed(answerType, inactive), "token_inactive"},
		"in JSON instead":             {jsonAnswer(200, f.introspectionAnswer()), "answer_not_signed"},
		"without a type":              {signed(nil, good), "typ_differs"},
		"of the type JWT":             {signed(map[jose.HeaderKey]any{"typ": "JWT"}, good), "typ_differs"},
		"of the type at+jwt":          {signed(atJWT, good), "typ_differs"},
		"by a stranger":               {by(k.other, "r1"), "signature"},
		"by an unknown key":           {by(k.other, "r9"), "key_unknown"},
		"unsigned":                    {rawAnswer(200, signedAnswer, unsigned(`{"alg":"none","typ":"token-introspection+jwt"}`, string(mustJSON(good)))), "malformed_or_algorithm"},
		"of another issuer":           {signed(answerType, with(good, "iss", "https://evil.example.com")), "iss_differs"},
		"for another client":          {signed(answerType, with(good, "aud", "other")), "aud_differs"},
		"for nobody":                  {signed(answerType, with(good, "aud", nil)), "aud_differs"},
		"without a time":              {signed(answerType, with(good, "iat", nil)), "iat_missing"},
		"of the future":               {signed(answerType, with(good, "iat", f.now.Unix()+61)), "iat_in_future"},
		"expired":                     {signed(answerType, with(good, "exp", f.now.Unix()-61)), "expired"},
		"that says nothing":           {signed(answerType, with(good, "token_introspection", nil)), "answer_missing"},
		"that says it in a string":    {signed(answerType, with(good, "token_introspection", "active")), "answer_malformed"},
		"that says it at the top":     {signed(answerType, with(with(good, "token_introspection", map[string]any{}), "active", true)), "answer_malformed"},
		"nested deep":                 {signed(answerType, with(good, "x", json.RawMessage(brackets(50)))), "nested_too_deep"},
		"that is no token":            {rawAnswer(200, signedAnswer, "hello"), "malformed_or_algorithm"},
		"with a member twice":         {signed(answerType, json.RawMessage(strings.TrimSuffix(string(mustJSON(good)), "}")+`,"aud":"shop"}`)), "claims_malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			claims, err := f.introspecting(c.answer, nil).Introspect(f.env(), "opaque", f.wants(asking+`,"introspection":{"jwt":true}`))
			if (err == nil) != (c.reason == "") || err != nil && (Reason(err) != c.reason || claims != nil) {
				t.Fatalf("got %v, want %q", err, c.reason)
			}
			if err != nil && Temporary(err) == (c.reason == "token_inactive") {
				t.Errorf("%v counts against the token", err)
			}
			if accept, _ := f.last.Header.Get("accept"); err == nil && accept != signedAnswer {
				t.Errorf("asked for %s", accept)
			}
			if err == nil {
				if diff := cmp.Diff(string(mustJSON(f.introspectionAnswer())), string(claims)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestWhatAnAnswerSaysOfATokenIsChecked(t *testing.T) {
	f := newFake(t)
	good := f.introspectionAnswer()
	thumbprint := strings.Repeat("A", 43)
	for name, c := range map[string]struct {
		claims any
		reason string
	}{
		"as it should be":             {good, ""},
		"without an issuer":           {with(good, "iss", nil), ""},
		"without times":               {with(with(good, "exp", nil), "iat", nil), ""},
		"that lasts for ever":         {with(good, "exp", 1e300), ""},
		"without a type":              {with(good, "token_type", nil), ""},
		"of the type DPoP":            {with(good, "token_type", "DPoP"), ""},
		"bound to a key":              {with(good, "cnf", map[string]any{"jkt": thumbprint}), ""},
		"with an empty scope":         {with(good, "scope", ""), ""},
		"not active":                  {with(good, "active", false), "token_inactive"},
		"active for all we know":      {with(good, "active", nil), "answer_malformed"},
		"of another issuer":           {with(good, "iss", issuer+"/"), "iss_differs"},
		"for somebody else":           {with(good, "aud", "account"), "aud_differs"},
		"for nobody":                  {with(good, "aud", nil), "aud_missing"},
		"expired":                     {with(good, "exp", f.now.Unix()-60), "expired"},
		"expired long ago":            {with(good, "exp", -1e300), "expired"},
		"of the future":               {with(good, "nbf", f.now.Unix()+61), "not_valid_yet"},
		"issued in the future":        {with(good, "iat", f.now.Unix()+61), "iat_in_future"},
		"with exp as a string":        {with(good, "exp", "1"), "answer_malformed"},
		"about nobody":                {with(with(good, "sub", nil), "azp", nil), "sub_missing"},
		"about two clients":           {with(good, "client_id", "app-b"), "client_differs"},
		"a refresh token of Keycloak": {with(good, "typ", "Refresh"), "not_an_access_token"},
		"a refresh token of Hydra":    {with(good, "token_use", "refresh_token"), "not_an_access_token"},
		"a refresh token by its type": {with(good, "token_type", "refresh_token"), "not_an_access_token"},
		"an ID token":                 {with(good, "at_hash", "x"), "is_id_token"},
		"bound to what is not known":  {with(good, "cnf", map[string]any{"kid": "k"}), "confirmation_unknown"},
		"bound by a string":           {with(good, "cnf", "jkt"), "confirmation_malformed"},
		"without what is required":    {good, "claim_differs"},
	} {
		t.Run(name, func(t *testing.T) {
			extra := asking
			if c.reason == "claim_differs" {
				extra += `,"required_claims":{"tenant":["t-1"]}`
			}
			got, err := f.learned("").ReadIntrospection(mustJSON(c.claims), f.wants(extra), f.now)
			if (err == nil) != (c.reason == "") || err != nil && (Reason(err) != c.reason || got != nil) {
				t.Errorf("got %v, %v, want %q", got, err, c.reason)
			}
			if err == nil && got.Issuer != issuer {
				t.Errorf("issuer %q", got.Issuer)
			}
		})
	}
}

func TestAQuestionThatNobodyWaitsForAnyMoreIsCanceled(t *testing.T) {
	f := newFake(t)
	p := f.introspecting(flow.Response{}, flow.ErrCanceled)
	if _, err := p.Introspect(f.env(), "opaque", f.wants(asking)); !errors.Is(err, flow.ErrCanceled) {
		t.Errorf("got %v", err)
	}
}
