package oidc

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/session"
)

func TestMetadataThatCannotBeTrustedIsRefused(t *testing.T) {
	const path = "/realms/main/.well-known/openid-configuration"
	changed := func(name string, value any) func(*fake) {
		return func(f *fake) { f.on(path, jsonAnswer(200, with(f.metadata(), name, value)), nil) }
	}
	answered := func(r flow.Response, err error) func(*fake) {
		return func(f *fake) { f.on(path, r, err) }
	}
	for name, c := range map[string]struct {
		change func(*fake)
		reason string
	}{
		"issuer of somebody else":        {changed("issuer", "https://evil.example.com"), "issuer_differs"},
		"issuer missing":                 {changed("issuer", nil), "issuer_differs"},
		"token endpoint over http":       {changed("token_endpoint", "http://id.example.com/token"), "endpoint_not_https"},
		"token endpoint elsewhere":       {changed("token_endpoint", "https://evil.example.com/token"), "endpoint_without_cluster"},
		"token endpoint at other port":   {changed("token_endpoint", "https://id.example.com:8443/token"), "endpoint_without_cluster"},
		"token endpoint missing":         {changed("token_endpoint", nil), "bad_endpoint"},
		"keys elsewhere":                 {changed("jwks_uri", "https://evil.example.com/keys"), "endpoint_without_cluster"},
		"authorisation by a script":      {changed("authorization_endpoint", "javascript:alert(1)//x"), "bad_endpoint"},
		"authorisation over http":        {changed("authorization_endpoint", "http://id.example.com/auth"), "endpoint_not_https"},
		"authorisation with a user":      {changed("authorization_endpoint", "https://a@id.example.com/auth"), "bad_endpoint"},
		"userinfo elsewhere":             {changed("userinfo_endpoint", "https://evil.example.com/"), "endpoint_without_cluster"},
		"an endpoint that is a number":   {changed("token_endpoint", 7), "answer_malformed"},
		"no answer":                      {answered(flow.Response{}, flow.ErrUnavailable), "no_answer"},
		"status 500":                     {answered(rawAnswer(500, "text/html", "<h1>"), nil), "status_500"},
		"status 404":                     {answered(rawAnswer(404, "text/html", "<h1>"), nil), "status_404"},
		"a redirect":                     {answered(rawAnswer(302, "text/html", ""), nil), "status_302"},
		"a web page":                     {answered(rawAnswer(200, "text/html", "<h1>"), nil), "answer_not_json"},
		"a web page that is called JSON": {answered(rawAnswer(200, "application/json", "<h1>"), nil), "answer_malformed"},
		"JSON cut short":                 {answered(rawAnswer(200, "application/json", `{"issuer":"`), nil), "answer_malformed"},
		"JSON with more behind it":       {answered(rawAnswer(200, "application/json", `{} {}`), nil), "answer_malformed"},
		"a name given twice":             {answered(rawAnswer(200, "application/json", `{"issuer":"a","issuer":"b"}`), nil), "answer_malformed"},
		"10 MB":                          {answered(rawAnswer(200, "application/json", strings.Repeat(" ", 10<<20)), nil), "answer_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			c.change(f)
			p := f.provider("")
			var got error
			p.OnFailure = func(err error) { got = err }
			p.Learn(f.env())
			if p.Known() || Reason(got) != c.reason {
				t.Errorf("known %v, got %v, want %s", p.Known(), got, c.reason)
			}
			if _, err := p.AuthorizationURL(f.env(), Request{RedirectURI: "https://app.example.com/cb", State: "st", Proof: session.Proof{}}); !Temporary(err) {
				t.Errorf("a login went on: %v", err)
			}
		})
	}
}

func TestWhatWasLearnedStaysInUseWhileTheProviderIsAway(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	failures := 0
	p.OnFailure = func(error) { failures++ }
	for _, path := range []string{"/realms/main/.well-known/openid-configuration", "/keys"} {
		f.on(path, flow.Response{}, flow.ErrUnavailable)
	}
	f.now = f.now.Add(2 * time.Hour)
	for range 5 {
		if !p.Due(f.now) {
			t.Fatal("nothing is due")
		}
		p.Learn(f.env())
		if p.Due(f.now) {
			t.Fatal("the next attempt follows without a pause")
		}
		f.now = f.now.Add(lastBackoff)
	}
	if failures != 5 || !p.Known() {
		t.Errorf("%d failures told, known %v", failures, p.Known())
	}
	if _, err := p.VerifyIDToken(f.env(), f.idToken(f.claims()), "n-1", "at-1"); err != nil {
		t.Errorf("a token of a known key is refused: %v", err)
	}
}

func TestThePauseBetweenAttemptsGrows(t *testing.T) {
	f := newFake(t)
	f.on("/realms/main/.well-known/openid-configuration", flow.Response{}, flow.ErrUnavailable)
	p := f.provider("")
	var pauses []time.Duration
	for range 8 {
		p.Learn(f.env())
		begun := f.now
		for !p.Due(f.now) {
			f.now = f.now.Add(time.Second)
		}
		pauses = append(pauses, f.now.Sub(begun))
	}
	if pauses[0] != firstBackoff || pauses[1] != 2*firstBackoff || pauses[7] != lastBackoff {
		t.Errorf("pauses %v", pauses)
	}
}

func TestAnUnknownKeyIsAskedForOncePerInterval(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	p.OnFailure = func(error) {}
	verify := func() string {
		_, err := p.VerifyIDToken(f.env(), sign(t, jose.RS256, testKeys().rsa, "new", nil, f.claims()), "n-1", "at-1")
		if err != nil {
			return Reason(err)
		}
		return ""
	}
	before := f.calls["/keys"]
	for range 20 {
		if got := verify(); got != "key_unknown" {
			t.Fatalf("got %q", got)
		}
	}
	if asked := f.calls["/keys"] - before; asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	f.keys = append(f.keys, jose.JSONWebKey{Key: &testKeys().rsa.PublicKey, KeyID: "new", Use: "sig"})
	f.now = f.now.Add(keysInterval)
	if got := verify(); got != "" {
		t.Errorf("the new key was not taken up: %s", got)
	}
}

func TestAKeyThatIsNotForSignaturesIsPassedOver(t *testing.T) {
	k := testKeys()
	for name, key := range map[string]string{
		"for encryption":  marshalKey(t, jose.JSONWebKey{Key: &k.rsa.PublicKey, KeyID: "r1", Use: "enc"}),
		"private":         marshalKey(t, jose.JSONWebKey{Key: k.rsa, KeyID: "r1", Use: "sig"}),
		"a shared secret": `{"kty":"oct","kid":"r1","k":"AAAA"}`,
		"of unknown kind": `{"kty":"XYZ","kid":"r1"}`,
		"of 1024 bits":    smallKey,
		"broken":          `{"kty":"RSA","kid":"r1","n":"","e":""}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.on("/keys", rawAnswer(200, "application/jwk-set+json", `{"keys":[`+key+`,`+
				marshalKey(t, jose.JSONWebKey{Key: &k.ec.PublicKey, KeyID: "e1"})+`]}`), nil)
			_, err := f.learned("").VerifyIDToken(f.env(), f.idToken(f.claims()), "n-1", "at-1")
			if Reason(err) != "key_unknown" {
				t.Errorf("got %v", err)
			}
		})
	}
}

// smallKey is a public RSA key of 1024 bits.
var smallKey = `{"kty":"RSA","kid":"r1","e":"AQAB","n":"` +
	base64.RawURLEncoding.EncodeToString(append([]byte{0xff}, make([]byte, 127)...)) + `"}`

func marshalKey(t *testing.T, k jose.JSONWebKey) string {
	t.Helper()
	b, err := k.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAKeySetWithoutAUsableKeyIsRefused(t *testing.T) {
	for name, body := range map[string]string{
		"empty": `{"keys":[]}`, "of nothing": `{}`, "too many": `{"keys":[` + strings.Repeat("{},", maxKeyCount) + `{}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.on("/keys", rawAnswer(200, "application/json", body), nil)
			p := f.provider("")
			p.Learn(f.env())
			if p.Known() {
				t.Error("the provider counts as known")
			}
		})
	}
}

func TestTheAuthorisationRequestAsksForCodeWithPKCEAndNonce(t *testing.T) {
	f := newFake(t)
	proof := session.Proof{Verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", Nonce: "n-1"}
	address, err := f.learned("").AuthorizationURL(f.env(), Request{RedirectURI: "https://app.example.com/oauth2/callback", State: "st", Proof: proof})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"response_type": {"code"}, "client_id": {"shop"}, "scope": {"openid profile email"},
		"redirect_uri": {"https://app.example.com/oauth2/callback"}, "state": {"st"}, "nonce": {"n-1"},
		// RFC 7636, appendix B, has this verifier and this challenge.
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}
	if got := u.Query().Encode(); got != want.Encode() {
		t.Errorf("got  %s\nwant %s", got, want.Encode())
	}
}

func TestTheIssuerParameterIsChecked(t *testing.T) {
	for name, c := range map[string]struct {
		sends   bool
		iss     string
		present bool
		reason  string
	}{
		"right":                             {true, issuer, true, ""},
		"right, though not promised":        {false, issuer, true, ""},
		"absent, where none was promised":   {false, "", false, ""},
		"absent, where one was promised":    {true, "", false, "iss_missing"},
		"of another provider":               {true, "https://evil.example.com", true, "iss_differs"},
		"of another provider, not promised": {false, "https://evil.example.com", true, "iss_differs"},
		"empty":                             {false, "", true, "iss_differs"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.on("/realms/main/.well-known/openid-configuration", jsonAnswer(200,
				with(f.metadata(), "authorization_response_iss_parameter_supported", c.sends)), nil)
			err := f.learned("").CheckIssuer(f.env(), c.iss, c.present)
			if (err == nil) != (c.reason == "") || err != nil && Reason(err) != c.reason {
				t.Errorf("got %v, want %q", err, c.reason)
			}
		})
	}
}

func TestTheClientProvesItselfAsTheSettingsSay(t *testing.T) {
	for method, check := range map[string]func(*testing.T, flow.Call){
		"client_secret_basic": func(t *testing.T, c flow.Call) {
			got, _ := c.Header.Get("authorization")
			// RFC 6749, section 2.3.1: both parts are encoded as in a form.
			want := "Basic " + base64.StdEncoding.EncodeToString([]byte("shop:s3cr3t%2Fwith%3Asigns"))
			if got != want || form(t, c).Has("client_secret") {
				t.Error("the secret is not where it belongs")
			}
		},
		"client_secret_post": func(t *testing.T, c flow.Call) {
			if v := form(t, c); v.Get("client_id") != "shop" || v.Get("client_secret") != secret {
				t.Error("the secret is not where it belongs")
			}
		},
		"none": func(t *testing.T, c flow.Call) {
			if v := form(t, c); v.Get("client_id") != "shop" || v.Has("client_secret") {
				t.Error("the client's name is not where it belongs, or a secret is")
			}
		},
	} {
		t.Run(method, func(t *testing.T) {
			f := newFake(t)
			p := f.learned("")
			p.settings.ClientAuth = method
			f.on("/token", jsonAnswer(200, tokenAnswer()), nil)
			if _, err := p.Exchange(f.env(), "c-1", "https://app.example.com/cb", "v-1"); err != nil {
				t.Fatal(err)
			}
			check(t, f.last)
			v := form(t, f.last)
			if v.Get("grant_type") != "authorization_code" || v.Get("code") != "c-1" ||
				v.Get("redirect_uri") != "https://app.example.com/cb" || v.Get("code_verifier") != "v-1" {
				t.Errorf("form %v", v)
			}
			if f.last.Timeout != 5*time.Second || f.last.Cluster != "idp" || f.last.Authority != "id.example.com" {
				t.Errorf("call %s %s %s", f.last.Cluster, f.last.Authority, f.last.Timeout)
			}
		})
	}
}

func tokenAnswer() map[string]any {
	return map[string]any{
		"access_token": "at-1", "token_type": "bearer", "id_token": "x.y.z", "refresh_token": "rt-1", "expires_in": 300,
	}
}

func TestTokensThatAreNotWholeAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		answer    flow.Response
		err       error
		reason    string
		temporary bool
	}{
		"no access token":         {jsonAnswer(200, with(tokenAnswer(), "access_token", nil)), nil, "no_access_token", false},
		"no ID token":             {jsonAnswer(200, with(tokenAnswer(), "id_token", nil)), nil, "no_id_token", false},
		"a type that is not ours": {jsonAnswer(200, with(tokenAnswer(), "token_type", "DPoP")), nil, "token_type_not_bearer", false},
		"a line break in a token": {jsonAnswer(200, with(tokenAnswer(), "access_token", "a\r\nx: y")), nil, "token_malformed", false},
		"a negative lifetime":     {jsonAnswer(200, with(tokenAnswer(), "expires_in", -1)), nil, "expires_in_malformed", false},
		"a code used before":      {jsonAnswer(400, map[string]any{"error": "invalid_grant"}), nil, "provider_invalid_grant", false},
		"a wrong secret":          {jsonAnswer(401, map[string]any{"error": "invalid_client"}), nil, "provider_invalid_client", false},
		"an error of its own":     {jsonAnswer(400, map[string]any{"error": "<script>"}), nil, "provider_error", false},
		"status 500":              {rawAnswer(500, "text/html", "<h1>"), nil, "status_500", true},
		"status 429":              {rawAnswer(429, "text/html", "<h1>"), nil, "status_429", true},
		"a time-out":              {rawAnswer(504, "", ""), nil, "status_504", true},
		"no answer":               {flow.Response{}, flow.ErrUnavailable, "no_answer", true},
		"a web page":              {rawAnswer(200, "text/html", "<h1>"), nil, "answer_not_json", true},
		"10 MB":                   {rawAnswer(200, "application/json", strings.Repeat("x", 10<<20)), nil, "answer_too_large", true},
		"cut short":               {rawAnswer(200, "application/json", `{"access_token":"a`), nil, "answer_malformed", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p := f.learned("")
			f.on("/token", c.answer, c.err)
			_, err := p.Exchange(f.env(), "c-1", "https://app.example.com/cb", "v-1")
			if Reason(err) != c.reason || Temporary(err) != c.temporary {
				t.Errorf("got %v, temporary %v; want %s, %v", err, Temporary(err), c.reason, c.temporary)
			}
		})
	}
}

func TestTheLifetimeOfATokenIsReadAsANumberHoweverItIsWritten(t *testing.T) {
	for written, want := range map[any]time.Duration{
		300: 5 * time.Minute, "300": 5 * time.Minute, 300.9: 5 * time.Minute, 1e300: 366 * 24 * time.Hour,
	} {
		f := newFake(t)
		p := f.learned("")
		f.on("/token", jsonAnswer(200, with(tokenAnswer(), "expires_in", written)), nil)
		tokens, err := p.Exchange(f.env(), "c", "https://app.example.com/cb", "v")
		if err != nil || tokens.Lifetime != want {
			t.Errorf("%v: got %v, %v", written, tokens.Lifetime, err)
		}
	}
}

func TestUserinfoAboutSomebodyElseIsRefused(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	f.on("/userinfo", jsonAnswer(200, map[string]any{"sub": "u-2", "email": "eve@example.com"}), nil)
	if _, err := p.Userinfo(f.env(), Access{Token: "at-1"}, "u-1"); Reason(err) != "sub_differs" {
		t.Errorf("got %v", err)
	}
	f.on("/userinfo", jsonAnswer(200, map[string]any{"sub": "u-1", "email": "al@example.com"}), nil)
	if _, err := p.Userinfo(f.env(), Access{Token: "at-1"}, "u-1"); err != nil {
		t.Error(err)
	}
	if got, _ := f.last.Header.Get("authorization"); got != "Bearer at-1" {
		t.Error("the access token was not sent")
	}
}

func TestTokensNeverPrint(t *testing.T) {
	tokens := Tokens{Access: "secret"}
	if strings.Contains(tokens.String()+tokens.GoString(), "secret") {
		t.Error("a token prints")
	}
}

func TestARequestThatComesBeforeTheProviderIsKnownWaitsForIt(t *testing.T) {
	f := newFake(t)
	p := f.provider("")
	var calls []flow.Call
	s := flow.NewScheduler(func(c flow.Call) (uint32, error) {
		calls = append(calls, c)
		return uint32(len(calls)), nil
	}, func() time.Time { return f.now })
	results := make([]error, MaxParked+1)
	for i := range results {
		results[i] = errors.New("still waiting")
		s.Go(func(env flow.Env) {
			_, results[i] = p.AuthorizationURL(env, Request{RedirectURI: "https://app.example.com/cb", State: "st", Proof: session.Proof{}})
		})
	}
	if Reason(results[MaxParked]) != "too_many_waiting" || p.Parked() != MaxParked {
		t.Errorf("one too many: %v, %d parked", results[MaxParked], p.Parked())
	}
	s.Go(p.Learn)
	s.Deliver(1, jsonAnswer(200, f.metadata()), nil)
	s.Deliver(2, jsonAnswer(200, jose.JSONWebKeySet{Keys: f.keys}), nil)
	for i, err := range results[:MaxParked] {
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	if len(calls) != 2 || p.Parked() != 0 {
		t.Errorf("%d calls, %d parked", len(calls), p.Parked())
	}
}

func TestARequestDoesNotWaitForEver(t *testing.T) {
	f := newFake(t)
	p := f.provider("")
	s := flow.NewScheduler(func(flow.Call) (uint32, error) { return 0, flow.ErrUnavailable }, func() time.Time { return f.now })
	var got error
	s.Go(func(env flow.Env) {
		_, got = p.AuthorizationURL(env, Request{RedirectURI: "https://app.example.com/cb", State: "st", Proof: session.Proof{}})
	})
	for elapsed := time.Duration(0); elapsed < ParkTime; elapsed += time.Second {
		if p.Due(f.now) {
			s.Go(p.Learn)
		}
		s.Tick()
		if got != nil {
			t.Fatalf("gave up after %s: %v", elapsed, got)
		}
		f.now = f.now.Add(time.Second)
	}
	s.Tick()
	if Reason(got) != "no_answer" || !Temporary(got) { // as the last attempt ended
		t.Errorf("got %v", got)
	}
}
