package oidc

import (
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/session"
)

// aRequest is one login's.
func aRequest() Request {
	return Request{
		RedirectURI: redirectURI, State: "st", Locales: "de-CH, fr;q=0.5",
		Proof: session.Proof{Verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", Nonce: "n-1"},
	}
}

// usual are the parameters of aRequest without any settings.
func usual() url.Values {
	return url.Values{
		"response_type": {"code"}, "client_id": {"shop"}, "scope": {"openid profile email"},
		"redirect_uri": {redirectURI}, "state": {"st"}, "nonce": {"n-1"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}
}

// asked returns the parameters with which the browser is sent to the provider.
func asked(t *testing.T, p *Provider, env flow.Env, r Request) url.Values {
	t.Helper()
	address, err := p.AuthorizationURL(env, r)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, "https://id.example.com/auth?") {
		t.Fatalf("%s, %v", address, err)
	}
	return u.Query()
}

// wanted are the usual parameters with others.
func wanted(pairs ...string) url.Values {
	q := usual()
	for i := 0; i < len(pairs); i += 2 {
		if q.Del(pairs[i]); pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

func TestTheAuthorisationRequestSaysWhatTheSettingsAskFor(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*config.Provider)
		step session.Step
		want url.Values
	}{
		"nothing beside": {func(*config.Provider) {}, session.Step{}, usual()},
		"parameters of their own": {func(s *config.Provider) {
			s.AuthorizationParams = map[string]string{"kc_idp_hint": "staff", "audience": "https://api.example.com"}
		}, session.Step{}, wanted("kc_idp_hint", "staff", "audience", "https://api.example.com")},
		"none of which replaces or voids one of ours": {func(s *config.Provider) {
			s.AuthorizationParams = map[string]string{}
			for name := range usual() {
				s.AuthorizationParams[name] = "forged"
			}
			for _, name := range []string{"request", "request_uri", "prompt", "max_age", "login_hint", "acr_values", "response_mode", "ui_locales"} {
				s.AuthorizationParams[name] = "forged"
			}
		}, session.Step{}, usual()},
		"a prompt":                         {func(s *config.Provider) { s.Prompt = "select_account" }, session.Step{}, wanted("prompt", "select_account")},
		"the step's prompt comes first":    {func(s *config.Provider) { s.Prompt = "select_account" }, session.Step{Prompt: "login"}, wanted("prompt", "login")},
		"who signs in":                     {func(*config.Provider) {}, session.Step{Hint: "al@example.com"}, wanted("login_hint", "al@example.com")},
		"the reader's languages":           {func(s *config.Provider) { s.UILocales = true }, session.Step{}, wanted("ui_locales", "de-CH fr")},
		"the answer by a form":             {func(s *config.Provider) { s.ResponseMode = "form_post" }, session.Step{}, wanted("response_mode", "form_post")},
		"levels and an age":                {func(*config.Provider) {}, session.Step{ACR: []string{"gold", "silver"}, MaxAge: 60}, wanted("acr_values", "gold silver", "max_age", "60")},
		"no nonce without ID tokens":       {func(s *config.Provider) { s.Type = "oauth2" }, session.Step{}, wanted("nonce", "")},
		"offline access, with consent":     {func(s *config.Provider) { s.OfflineAccess = true }, session.Step{}, wanted("scope", "openid profile email offline_access", "prompt", "consent")},
		"… beside another prompt":          {func(s *config.Provider) { s.OfflineAccess = true }, session.Step{Prompt: "login"}, wanted("scope", "openid profile email offline_access", "prompt", "login consent")},
		"… but not where none is allowed":  {func(s *config.Provider) { s.OfflineAccess = true }, session.Step{Prompt: "none"}, wanted("scope", "openid profile email offline_access", "prompt", "none")},
		"… nor twice":                      {func(s *config.Provider) { s.OfflineAccess, s.Prompt = true, "consent" }, session.Step{}, wanted("scope", "openid profile email offline_access", "prompt", "consent")},
		"offline access at Keycloak":       {func(s *config.Provider) { s.OfflineAccess, s.Type = true, "keycloak" }, session.Step{}, wanted("scope", "openid profile email offline_access")},
		"offline access at Entra":          {func(s *config.Provider) { s.OfflineAccess, s.Type = true, "entra" }, session.Step{}, wanted("scope", "openid profile email offline_access")},
		"offline access at GitLab, always": {func(s *config.Provider) { s.OfflineAccess, s.Type = true, "gitlab" }, session.Step{}, usual()},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p := f.learned("")
			c.set(p.settings)
			r := aRequest()
			r.Step = c.step
			if diff := cmp.Diff(c.want, asked(t, p, f.env(), r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestResourcesAreNamedWhereverTokensAreAskedFor(t *testing.T) {
	resources := []string{"https://api.example.com", "https://b.example.com"}
	f := newFake(t)
	p := f.learned("")
	p.settings.Resources = resources
	if diff := cmp.Diff(resources, asked(t, p, f.env(), aRequest())["resource"]); diff != "" {
		t.Errorf("authorisation request (-want +got):\n%s", diff)
	}
	f.on("/token", jsonAnswer(200, tokenAnswer()), nil)
	for name, ask := range map[string]func() error{
		"exchange": func() error { _, err := p.Exchange(f.env(), "c-1", redirectURI, "v-1"); return err },
		"refresh":  func() error { _, err := p.Refresh(f.env(), Access{Token: "rt-0"}); return err },
	} {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(resources, form(t, f.last)["resource"]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTheCodeIsBoundToTheKeyOfItsTokens(t *testing.T) {
	f := newFake(t)
	p, keys := f.bound("", 1)
	want, err := binding{"k0", keys[0]}.thumbprint()
	if err != nil {
		t.Fatal(err)
	}
	if got := asked(t, p, f.env(), aRequest()).Get("dpop_jkt"); got != want || len(got) != 43 {
		t.Errorf("dpop_jkt %q, want %q", got, want)
	}
	p.ProofKeys = nil
	if _, err := p.AuthorizationURL(f.env(), aRequest()); Reason(err) != "proof_not_made" || !Temporary(err) {
		t.Errorf("without keys: %v", err)
	}
}

func TestLanguagesAreTakenInTheOrderOfTheirWeight(t *testing.T) {
	for accept, want := range map[string]string{
		"":                                   "",
		"de":                                 "de",
		"fr;q=0.5, de-CH, en ; q=0.7":        "de-CH en fr",
		"en;Q=0.7,fr;q=0.7,de;q=0.9":         "de en fr",
		"*, de;q=0, fr":                      "fr",
		"a,b,c,d,e,f,g;q=0.9":                "a b c d e",
		"g;q=0.1,a,b,c,d,e":                  "a b c d e",
		"zh-Hant-TW,x-klingon":               "zh-Hant-TW x-klingon",
		"de&prompt=none,fr\x00,ü, ,-de,1a":   "",
		"de;q=2,fr;q=NaN,en;q=-1,es;q=,it;x": "",
		strings.Repeat("a", maxTag):          strings.Repeat("a", maxTag),
		strings.Repeat("a", maxTag+1):        "",
		strings.Repeat("de,", 500):           "",
		"de;q=0.5;q=0.7":                     "",
		",,de,,":                             "de",
	} {
		if got := uiLocales(accept); got != want {
			t.Errorf("%.40q: got %q, want %q", accept, got, want)
		}
	}
}

// pushing returns a provider to which requests are pushed, and its answer.
func (f *fake) pushing(extra string, answer flow.Response, err error) *Provider {
	f.t.Helper()
	f.on("/realms/main/.well-known/openid-configuration", jsonAnswer(200, with(f.metadata(),
		"pushed_authorization_request_endpoint", "https://id.example.com/par")), nil)
	f.on("/par", answer, err)
	p := f.learned(extra)
	p.settings.PAR = "always"
	return p
}

const requestURI = "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c"

func pushedAnswer() flow.Response {
	return jsonAnswer(201, map[string]any{"request_uri": requestURI, "expires_in": 60})
}

func TestABrowserCarriesANameForThePushedRequest(t *testing.T) {
	f := newFake(t)
	p := f.pushing("", pushedAnswer(), nil)
	want := url.Values{"client_id": {"shop"}, "request_uri": {requestURI}}
	if diff := cmp.Diff(want, asked(t, p, f.env(), aRequest())); diff != "" {
		t.Errorf("the browser's (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(usual(), form(t, f.last)); diff != "" {
		t.Errorf("the pushed one (-want +got):\n%s", diff)
	}
	if authorization, _ := f.last.Header.Get("authorization"); !strings.HasPrefix(authorization, "Basic ") || f.last.Method != "POST" {
		t.Errorf("%s by %q", f.last.Method, authorization)
	}
}

func TestAPushProvesTheClientByItsKey(t *testing.T) {
	f := newFake(t)
	p := f.pushing(keyed(t, edKey, ``), pushedAnswer(), nil)
	asked(t, p, f.env(), aRequest())
	if _, claims := f.assertionOf(jose.EdDSA, edKey.Public()); claims["aud"] != issuer {
		t.Errorf("for %v", claims["aud"])
	}
}

func TestRequestsArePushedWhereTheSettingsOrTheProviderSaySo(t *testing.T) {
	for name, c := range map[string]struct {
		par     string
		demands bool
		pushed  bool
	}{
		"auto, where it may be":    {"auto", false, false},
		"auto, where it must be":   {"auto", true, true},
		"always":                   {"always", false, true},
		"never, though it must be": {"never", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p := f.pushing("", pushedAnswer(), nil)
			p.settings.PAR, p.meta.demandsPushed = c.par, c.demands
			if got := asked(t, p, f.env(), aRequest()).Has("request_uri"); got != c.pushed {
				t.Errorf("pushed: %v", got)
			}
		})
	}
	f := newFake(t)
	f.on("/realms/main/.well-known/openid-configuration", jsonAnswer(200, with(f.metadata(), "require_pushed_authorization_requests", true)), nil)
	if _, err := f.learned("").AuthorizationURL(f.env(), aRequest()); Reason(err) != "no_endpoint" || Temporary(err) {
		t.Errorf("it must be, and there is no address for it: %v", err)
	}
}

func TestAPushThatIsNotTakenEndsTheLogin(t *testing.T) {
	saying := func(status int, code string) flow.Response { return jsonAnswer(status, map[string]any{"error": code}) }
	named := func(uri any) flow.Response { return jsonAnswer(201, map[string]any{"request_uri": uri}) }
	for name, c := range map[string]struct {
		answer    flow.Response
		err       error
		reason    string
		temporary bool
	}{
		"refused":                    {saying(400, "invalid_request"), nil, "provider_invalid_request", false},
		"refused for the client":     {saying(401, "invalid_client"), nil, "provider_invalid_client", false},
		"refused as forbidden":       {saying(403, "unauthorized_client"), nil, "provider_unauthorized_client", false},
		"refused by a good status":   {saying(201, "invalid_request"), nil, "provider_invalid_request", false},
		"refused in words":           {saying(400, "<script>"), nil, "provider_error", false},
		"overloaded":                 {saying(400, "temporarily_unavailable"), nil, "provider_temporarily_unavailable", true},
		"too many":                   {rawAnswer(429, "", ""), nil, "status_429", true},
		"failed":                     {rawAnswer(500, "", ""), nil, "status_500", true},
		"no answer":                  {flow.Response{}, flow.ErrUnavailable, "no_answer", true},
		"a page":                     {rawAnswer(201, "text/html", "<h1>"), nil, "answer_not_json", true},
		"a redirect":                 {rawAnswer(302, "", ""), nil, "status_302", false},
		"no name":                    {named(nil), nil, "request_uri_malformed", false},
		"an empty name":              {named(""), nil, "request_uri_malformed", false},
		"a name with a line break":   {named("urn:x\r\ny"), nil, "request_uri_malformed", false},
		"a name beyond ASCII":        {named("urn:ü"), nil, "request_uri_malformed", false},
		"a name that is too long":    {named(strings.Repeat("x", maxRequestURI+1)), nil, "request_uri_malformed", false},
		"a name that is no text":     {named(7), nil, "answer_malformed", true},
		"an answer that is too long": {rawAnswer(201, "application/json", strings.Repeat("x", maxOther+1)), nil, "answer_too_large", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			_, err := f.pushing("", c.answer, c.err).AuthorizationURL(f.env(), aRequest())
			if Reason(err) != c.reason || Temporary(err) != c.temporary {
				t.Errorf("got %v, temporary %v", err, Temporary(err))
			}
		})
	}
}

func TestAProviderWithoutAnAddressForWhatMustBePushedIsNotKnown(t *testing.T) {
	f := newFake(t)
	p := f.provider("")
	p.settings.PAR = "always"
	var failed error
	p.OnFailure = func(err error) { failed = err }
	p.Learn(f.env())
	if p.Known() || Reason(failed) != "no_par_endpoint" {
		t.Errorf("known: %v, %v", p.Known(), failed)
	}
}

// signedBy verifies a request object and returns what it says.
func signedBy(t *testing.T, raw string, key any, alg jose.SignatureAlgorithm) (header jose.Header, claims map[string]any) {
	t.Helper()
	token, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{alg})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := token.Verify(key)
	if err != nil {
		t.Fatal(err)
	}
	r := rawAnswer(200, "application/json", string(payload))
	if err := decode("request object", r, &claims); err != nil {
		t.Fatal(err)
	}
	return token.Signatures[0].Protected, claims
}

func TestASignedRequestSaysItAllWithinItsSignature(t *testing.T) {
	f := newFake(t)
	p := f.learned(keyed(t, edKey, `,"client_key_id":"k1"`))
	p.settings.RequestObject, p.settings.Resources = true, []string{"https://a.example.com", "https://b.example.com"}
	p.settings.AuthorizationParams = map[string]string{"iss": "forged", "exp": "9999999999"}
	r := aRequest()
	r.Step = session.Step{MaxAge: 60}
	q := asked(t, p, f.env(), r)
	request := q.Get("request")
	q.Del("request")
	if diff := cmp.Diff(url.Values{"client_id": {"shop"}, "response_type": {"code"}, "scope": {"openid"}}, q); diff != "" {
		t.Errorf("outside (-want +got):\n%s", diff)
	}
	header, claims := signedBy(t, request, edKey.Public(), jose.EdDSA)
	if header.ExtraHeaders["typ"] != "oauth-authz-req+jwt" || header.KeyID != "k1" {
		t.Errorf("header %v", header)
	}
	now := float64(f.now.Unix())
	want := map[string]any{
		"iss": "shop", "aud": issuer, "iat": now, "nbf": now, "exp": now + 60, "jti": claims["jti"],
		"max_age": 60.0, "resource": []any{"https://a.example.com", "https://b.example.com"},
	}
	for name, values := range usual() {
		want[name] = values[0]
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("inside (-want +got):\n%s", diff)
	}
}

func TestASignedRequestIsPushedWithNothingBeside(t *testing.T) {
	f := newFake(t)
	p := f.pushing(keyed(t, testKeys().ec, ``), pushedAnswer(), nil)
	p.settings.RequestObject = true
	if q := asked(t, p, f.env(), aRequest()); q.Get("request_uri") != requestURI || q.Has("request") {
		t.Errorf("the browser carries %v", q)
	}
	pushed := form(t, f.last)
	if _, claims := signedBy(t, pushed.Get("request"), testKeys().ec.Public(), jose.ES256); claims["state"] != "st" {
		t.Errorf("inside: %v", claims)
	}
	for _, name := range []string{"state", "redirect_uri", "response_type", "scope", "code_challenge"} {
		if pushed.Has(name) {
			t.Errorf("%s is outside", name)
		}
	}
}

func TestWithoutASignatureTheLoginDoesNotBegin(t *testing.T) {
	f := newFake(t)
	p := f.learned("") // there is no key
	p.settings.RequestObject = true
	if _, err := p.AuthorizationURL(f.env(), aRequest()); Reason(err) != "request_not_signed" {
		t.Errorf("got %v", err)
	}
}

func TestTheProfileDemandsTheIssuerInAnswersWhateverTheMetadataSay(t *testing.T) {
	for profile, reason := range map[string]string{"fapi2": "iss_missing", "": "internal"} {
		f := newFake(t)
		f.on("/realms/main/.well-known/openid-configuration", jsonAnswer(200, with(f.metadata(), "authorization_response_iss_parameter_supported", false)), nil)
		p := f.provider("")
		p.settings.Profile = profile
		p.Learn(f.env())
		if err := p.CheckIssuer(f.env(), "", false); Reason(err) != reason {
			t.Errorf("%q: %v", profile, err)
		}
	}
}
