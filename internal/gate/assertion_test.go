package gate

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/session"
)

// asserted are the claims of an assertion, and the header's field, verified as
// an application does it: with the keys that a gate publishes, for an audience.
func (w *world) asserted(k *worker, fields httpmsg.Fields, audience string) (map[string]any, error) {
	w.t.Helper()
	text, ok := fields.Get("x-auth-request-assertion")
	if !ok {
		return nil, errors.New("no assertion")
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(w.jwks(k), &set); err != nil {
		w.t.Fatal(err)
	}
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, err
	}
	var standard jwt.Claims
	claims := map[string]any{}
	if err := token.Claims(set, &standard, &claims); err != nil {
		return nil, err
	}
	return claims, standard.Validate(jwt.Expected{Issuer: "https://app.example.com", AnyAudience: jwt.Audience{audience}, Time: w.now})
}

// jwks is what a gate publishes.
func (w *world) jwks(k *worker) []byte {
	w.t.Helper()
	v := w.send(k, "/oauth2/jwks")
	if kind := v.answered(200, "content-type"); kind != "application/jwk-set+json" {
		w.t.Errorf("content type %s", kind)
	}
	return v.verdict.Respond.Body
}

func newAssertionWorld(t *testing.T, assertion string) *world {
	t.Helper()
	return newWorld(t, 1, parts{top: `,"forward":{"assertion":{` + assertion + `}}`})
}

// assertingSettings are settings with these hosts and keys.
func assertingSettings(t *testing.T, hosts, keys string) *config.Config {
	t.Helper()
	c, err := config.Parse([]byte(`{"providers":[{"name":"main","issuer":"`+testIssuer+`","cluster":"idp","client_id":"shop"}],
		"hosts":[`+hosts+`],"session":{"keys":[`+keys+`]},"forward":{"assertion":{}}}`), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const appOrigin = "https://app.example.com"

func TestAnAssertionSaysWhoIsCallingAndIsVerifiedWithThePublishedKeys(t *testing.T) {
	w := newAssertionWorld(t, `"claims":["user","groups","preferred_username"]`)
	s := w.alice()
	s.ACR, s.AMR = "gold", []string{"pwd", "otp"}
	claims, err := w.asserted(w.workers[0], w.tells(s, 0), appOrigin)
	if err != nil {
		t.Fatal(err)
	}
	if id, _ := claims["jti"].(string); len(id) != 22 {
		t.Errorf("jti %v", claims["jti"])
	}
	delete(claims, "jti")
	at := float64(w.now.Unix())
	want := map[string]any{
		"iss": appOrigin, "sub": "alice-id", "aud": appOrigin, "iat": at, "exp": at + 120, "provider": "main",
		"user": "alice", "groups": []any{"admins"}, "acr": "gold", "amr": []any{"pwd", "otp"}, "auth_time": at - 60,
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Error(diff)
	}
}

func TestAnAssertionIsAJWTByES256ThatNamesItsKey(t *testing.T) {
	w := newAssertionWorld(t, ``)
	text, _ := w.tells(w.alice(), 0).Get("x-auth-request-assertion")
	head, _, _ := strings.Cut(text, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var header map[string]string
	if err := json.Unmarshal(raw, &header); err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(w.jwks(w.workers[0]), &set); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"alg": "ES256", "typ": "JWT", "kid": set.Keys[0]["kid"]}, header); diff != "" {
		t.Error(diff)
	}
	for i, key := range set.Keys {
		if key["d"] != "" || key["use"] != "sig" || key["alg"] != "ES256" || key["crv"] != "P-256" || len(key["kid"]) != 43 {
			t.Errorf("key %d: %v", i, key)
		}
	}
	if len(set.Keys) != 2 {
		t.Errorf("%d keys published", len(set.Keys))
	}
}

func TestAnAssertionForOneAudienceIsNoneForAnother(t *testing.T) {
	for name, test := range map[string]struct {
		settings, audience string
		good               bool
	}{
		"the host itself":        {``, appOrigin, true},
		"another host":           {``, "https://other.example.com", false},
		"the settings' audience": {`"audience":"orders"`, "orders", true},
		"the host beside that":   {`"audience":"orders"`, appOrigin, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newAssertionWorld(t, test.settings)
			if _, err := w.asserted(w.workers[0], w.tells(w.alice(), 0), test.audience); (err == nil) != test.good {
				t.Errorf("verified: %v", err)
			}
		})
	}
}

func TestAssertionsAreVerifiedWhileKeysAreRotated(t *testing.T) {
	w := newAssertionWorld(t, ``)
	told := w.tells(w.alice(), 0) // signed with "new"
	for name, test := range map[string]struct {
		keys string
		good bool
	}{
		"another order":      {testKey("old") + "," + testKey("new"), true},
		"a newer key before": {testKey("newest") + "," + testKey("new"), true},
		"without that key":   {testKey("newest") + "," + testKey("old"), false},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			if _, err := w.asserted(w.begin(assertingSettings(t, `"app.example.com"`, test.keys)), told, appOrigin); (err == nil) != test.good {
				t.Errorf("verified: %v", err)
			}
		})
	}
}

func TestTheSameAssertionIsSentUntilHalfOfItsLifetimeIsOver(t *testing.T) {
	w := newAssertionWorld(t, `"lifetime":"1m"`)
	k := w.workers[0]
	o := k.newOpened(w.alice())
	sent := func() string {
		text, _ := k.identityFor(o, 0, w.request(k, "app.example.com")).Get("x-auth-request-assertion")
		return text
	}
	first := sent()
	w.now = w.now.Add(29 * time.Second)
	if first == "" || sent() != first {
		t.Error("another one before half of its lifetime is over")
	}
	w.now = w.now.Add(time.Second)
	second := sent()
	if second == first {
		t.Error("the same one after half of its lifetime")
	}
	claims, err := w.asserted(k, httpmsg.Fields{{Name: "x-auth-request-assertion", Value: second}}, appOrigin)
	if err != nil || claims["exp"] != float64(w.now.Unix()+60) {
		t.Errorf("the second: %v %v", claims, err)
	}
	renewed := k.newOpened(w.alice())
	if text, _ := k.identityFor(renewed, 0, w.request(k, "app.example.com")).Get("x-auth-request-assertion"); text == second {
		t.Error("a renewed session is told what the one before was")
	}
}

func TestAnAssertionEndsWithItsSessionAndIsNotMadeAnewWithEachRequestBefore(t *testing.T) {
	w := newAssertionWorld(t, ``)
	k := w.workers[0]
	s := w.alice()
	s.Until = session.MomentOf(w.now.Add(90*time.Second + 500*time.Millisecond))
	o := k.newOpened(s)
	sent := map[string]bool{}
	for range 90 {
		told := k.identityFor(o, 0, w.request(k, "app.example.com"))
		claims, err := w.asserted(k, told, appOrigin)
		if err != nil || claims["exp"].(float64) > float64(s.Until.Time().Unix()+1) {
			t.Fatalf("%v %v", claims, err)
		}
		sent[lines(told)[len(told)-1]] = true
		w.now = w.now.Add(time.Second)
	}
	if len(sent) != 1 {
		t.Errorf("%d assertions", len(sent))
	}
}

func TestEachHostHasAssertionsOfItsOwnAndSomeAreRemembered(t *testing.T) {
	w := newAssertionWorld(t, ``)
	k := w.begin(assertingSettings(t, `"app.example.com","other.example.com","*.many.example"`, testKey("new")))
	o := k.newOpened(w.alice())
	first := lines(k.identityFor(o, 0, w.request(k, "app.example.com")))
	if cmp.Equal(first, lines(k.identityFor(o, 0, w.request(k, "other.example.com")))) {
		t.Error("two hosts share one")
	}
	if !cmp.Equal(first, lines(k.identityFor(o, 0, w.request(k, "app.example.com")))) {
		t.Error("the first host's is not remembered")
	}
	for i := range 100 {
		k.identityFor(o, 0, w.request(k, fmt.Sprintf("h%d.many.example", i)))
	}
	if len(o.told.made) != maxMade {
		t.Errorf("%d remembered", len(o.told.made))
	}
}

func TestWhatIsRememberedOfAnIdentityIsReckoned(t *testing.T) {
	plain := newWorld(t, 1, parts{})
	if plain.workers[0].newOpened(plain.alice()).told.room != 0 {
		t.Error("room for what is never made")
	}
	w := newWorld(t, 1, forwarding(`"assertion":{}`, `"headers":{}`))
	o := w.workers[0].newOpened(w.alice())
	bytes := 0
	for forward := range 3 {
		for _, f := range w.workers[0].identityFor(o, forward, w.request(w.workers[0], "app.example.com")) {
			bytes += len(f.Value)
		}
	}
	if o.told.room < bytes*2/3 || o.size() < o.told.room {
		t.Errorf("room %d of %d for %d", o.told.room, o.size(), bytes)
	}
}

func TestAnAssertionOfATokenSaysItsClientAndItsScopes(t *testing.T) {
	w := newTokenWorld(t, 1, ``, `,"forward":{"headers":{},"assertion":{"claims":["user"]}}`)
	k := w.workers[0]
	for name, test := range map[string]struct {
		changes map[string]any
		want    map[string]any
	}{
		"a service's": {nil, map[string]any{"sub": "service-a-id", "user": "service-a-id", "client_id": "service-a", "scope": "orders.read profile"}},
		"a person's": {
			map[string]any{"sub": "bob-id", "preferred_username": "bob", "acr": "gold", "auth_time": w.now.Unix() - 5, "scope": nil},
			map[string]any{"sub": "bob-id", "user": "bob", "client_id": "service-a", "acr": "gold", "auth_time": float64(w.now.Unix() - 5)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			token := w.accessToken(test.changes)
			w.send(k, "/", "authorization", "Bearer "+token)
			c := k.tokens.Known(token, w.now)
			if c == nil {
				t.Fatal("the token is not known")
			}
			claims, err := w.asserted(k, k.callerIdentity(c, 0, w.request(k, "app.example.com")), appOrigin)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"iss", "aud", "iat", "jti", "provider"} {
				if claims[name] == nil {
					t.Errorf("no %s", name)
				}
				delete(claims, name)
			}
			leeway := w.settings.Providers[0].Leeway.Std()
			if end := float64(w.now.Add(time.Minute + leeway).Unix()); claims["exp"].(float64) > end {
				t.Errorf("it ends at %v, after the token", claims["exp"])
			}
			delete(claims, "exp")
			if diff := cmp.Diff(test.want, claims); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnIssuerIsThePublicURLWhereThereIsOne(t *testing.T) {
	w := newWorld(t, 1, parts{top: `,"public_url":"https://auth.example.com","forward":{"assertion":{"audience":"orders"}}`})
	text, _ := w.tells(w.alice(), 0).Get("x-auth-request-assertion")
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := token.UnsafeClaimsWithoutVerification(&claims); err != nil || claims.Issuer != "https://auth.example.com" {
		t.Errorf("issuer %s: %v", claims.Issuer, err)
	}
}

func TestAnAssertionThatCannotBeMadeIsLeftOutAndSaid(t *testing.T) {
	for name, test := range map[string]struct {
		host   string
		change func(w *world, s *session.Session)
		reason string
	}{
		"for a host that is not ours": {"evil.example.org", func(*world, *session.Session) {}, "host_not_allowed"},
		"too long": {"app.example.com", func(_ *world, s *session.Session) {
			s.Claims["user"] = session.Claim{Values: []string{strings.Repeat("a", 16<<10)}}
		}, "too_long"},
		"without randomness": {"app.example.com", func(w *world, _ *session.Session) {
			w.workers[0].random = iotest.ErrReader(errors.New("broken"))
		}, "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, parts{top: `,"forward":{"headers":{"x-mail":"email"},"assertion":{}}`})
			s, k := w.alice(), w.workers[0]
			test.change(w, s)
			o := k.newOpened(s)
			for range 3 {
				told := k.identityFor(o, 0, w.request(k, test.host))
				if diff := cmp.Diff([]string{"x-mail: alice@example.com"}, lines(told)); diff != "" {
					t.Error(diff)
				}
			}
			if w.counted(EventIdentityTrimmed, test.reason) != 1 || len(w.events) != 1 {
				t.Errorf("events %v", w.events)
			}
		})
	}
}

func TestWhatIsTooLongIsNotSaidAgainWithEachAssertion(t *testing.T) {
	w := newWorld(t, 1, parts{top: `,"forward":{"headers":{"x-user":"user"},"assertion":{"claims":["email"]}}`})
	s, k := w.alice(), w.workers[0]
	s.Claims["user"] = session.Claim{Values: []string{strings.Repeat("a", 16<<10)}}
	o := k.newOpened(s)
	for range 3 {
		k.identityFor(o, 0, w.request(k, "app.example.com"))
		w.now = w.now.Add(time.Minute)
	}
	if n := w.counted(EventIdentityTrimmed, "too_long"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

func TestNobodyIsAssertedWhereNobodyIsKnown(t *testing.T) {
	w := newAssertionWorld(t, ``)
	v := w.send(w.workers[0], "/open/x", "x-auth-request-assertion", "eyJhbGciOiJub25lIn0.e30.")
	if v.told("x-auth-request-assertion") != "" || len(v.verdict.Forward.Remove) != 1 {
		t.Errorf("the client's reaches the application: %v", v.verdict.Forward)
	}
}

func TestKeysArePublishedOnEveryHostOfOursAndOnlyWhereTheyAreNeeded(t *testing.T) {
	w := newAssertionWorld(t, ``)
	ask := func(w *world, method, host string) *visit {
		return w.ask(w.workers[0], &httpmsg.Request{Method: method, Scheme: "https", Authority: host, Target: "/oauth2/jwks"})
	}
	for _, method := range []string{"GET", "HEAD"} {
		for _, host := range []string{"app.example.com", "other.example.com"} {
			v := ask(w, method, host)
			if v.answered(200, "cache-control") != "public, max-age=300" || v.field("access-control-allow-origin") != "*" {
				t.Errorf("%s on %s: %v", method, host, v.verdict.Respond.Header)
			}
		}
	}
	ask(w, "GET", "evil.example.org").answered(421, "")
	ask(w, "POST", "app.example.com").answered(405, "")
	ask(newWorld(t, 1, parts{}), "GET", "app.example.com").answered(404, "")
	ask(newWorld(t, 1, forwarding(``, `"assertion":{}`)), "GET", "app.example.com").answered(200, "")
}
