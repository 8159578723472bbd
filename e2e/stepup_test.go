package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// One Envoy serves all of these: each start compiles the module anew.
func TestSteppingUp(t *testing.T) {
	w := startLevels(t)
	t.Run("by level", w.byLevel)
	t.Run("a level is asked for at once", w.levelAtOnce)
	t.Run("a level that cannot be had", w.levelInVain)
	t.Run("by scope", w.byScope)
	t.Run("a scope that is not granted", w.scopeInVain)
	t.Run("a scope that people are asked about", w.consent)
	t.Run("by level and age in one", w.levelAndAge)
	t.Run("by age", w.byAge)
	t.Run("tokens are told what they lack", w.tokens)
	t.Run("roles of a Keycloak", w.roles)
	t.Run("an application verifies the assertion", w.assertion)
	t.Run("chromium", w.chromium)
	t.Run("evidence", w.evidence)
	t.Run("metrics", w.metrics)
	t.Run("Prometheus", w.prometheus)
	checkLog(t, w.Gate)
}

func (w *Levels) byLevel(t *testing.T) {
	b, _ := w.SignInFresh(t, Frank)
	const path = "/gold/x?a=b&c=%2F"
	way, form, err := w.Visit(b, path)
	if err != nil {
		t.Fatal(err)
	}
	if asked := w.asked(way); len(asked) != 1 || asked[0].Get("acr_values") != "gold" {
		t.Fatalf("asked for %v", asked)
	}
	if !form.hasField("otp") || form.hasField("password") {
		t.Fatalf("Keycloak does not ask for the six digits alone: %d %.2000s", form.Status, form.Body)
	}
	way = w.submit(t, b, form, map[string]string{"otp": sixDigits(time.Now())})
	if err := w.arrivedAt(way, path, http.StatusOK); err != nil {
		t.Fatal(err)
	}
	claims := must(readClaims(accessToken(t, way[len(way)-1])))(t)
	if claims["acr"] != "gold" {
		t.Errorf("the application was given a token of the level %v", claims["acr"])
	}
	w.passes(t, b, path)
	w.passes(t, b, "/home")
}

// levelAtOnce: who is not signed in is asked for all that it takes in one go.
func (w *Levels) levelAtOnce(t *testing.T) {
	b := NewBrowser()
	way, form, err := w.Visit(b, "/gold/x")
	if err != nil {
		t.Fatal(err)
	}
	if asked := w.asked(way); len(asked) != 1 || asked[0].Get("acr_values") != "gold" {
		t.Fatalf("asked for %v", asked)
	}
	form = must(w.Provider.SignIn(b, form, Frank))(t)
	form = last(must(b.Follow(form, nil))(t))
	way = w.submit(t, b, form, map[string]string{"otp": sixDigits(time.Now())})
	if err := w.arrivedAt(way, "/gold/x", http.StatusOK); err != nil || len(w.asked(way)) != 0 {
		t.Error(err, w.asked(way))
	}
}

// levelInVain: Keycloak knows no such level, and sends the browser back without.
func (w *Levels) levelInVain(t *testing.T) {
	b, _ := w.SignInFresh(t, Erin)
	w.refusedAfterOneTry(t, b, "/platinum/x", "platinum")
}

func (w *Levels) scopeInVain(t *testing.T) {
	b, _ := w.SignInFresh(t, Erin)
	w.refusedAfterOneTry(t, b, "/orders/x", ordersScope)
}

func (w *Levels) refusedAfterOneTry(t *testing.T, b *Browser, path, missing string) {
	t.Helper()
	for try, want := range []int{1, 0, 0} {
		way, page, err := w.Visit(b, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.arrivedAt(way, path, http.StatusForbidden); err != nil {
			t.Fatal(err)
		}
		if n := len(w.asked(way)); n != want {
			t.Errorf("visit %d led to the provider %d times, not %d", try+1, n, want)
		}
		if !strings.Contains(page.Body, missing) || !strings.Contains(page.Body, "switch=1") {
			t.Errorf("the page does not speak of %s, or of being someone else: %.2000s", missing, page.Body)
		}
	}
	w.passes(t, b, "/home")
}

// byScope: Keycloak grants what it knows the person may have, without a word.
func (w *Levels) byScope(t *testing.T) {
	b, first := w.SignInFresh(t, Frank)
	if scope := scopesOf(t, first); slices.Contains(scope, ordersScope) {
		t.Fatalf("granted from the start: %v", scope)
	}
	way, page, err := w.Visit(b, "/orders/x")
	if err == nil {
		err = w.arrivedAt(way, "/orders/x", http.StatusOK)
	}
	if err != nil {
		t.Fatal(err)
	}
	asked := w.asked(way)
	if len(asked) != 1 || asked[0].Get("scope") != "openid profile email "+ordersScope {
		t.Errorf("asked for %v", asked)
	}
	if scope := scopesOf(t, accessToken(t, page)); !slices.Contains(scope, ordersScope) {
		t.Errorf("the application was given a token with %v", scope)
	}
	w.passes(t, b, "/orders/x")
	t.Run("a level on top of it", func(t *testing.T) {
		_, form, err := w.Visit(b, "/gold/x")
		if err != nil {
			t.Fatal(err)
		}
		way := w.submit(t, b, form, map[string]string{"otp": sixDigits(time.Now())})
		if err := w.arrivedAt(way, "/gold/x", http.StatusOK); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/orders/x", "/gold/x", "/orders/x"} { // without a form
			way, _, err := w.Visit(b, path)
			if err == nil {
				err = w.arrivedAt(way, path, http.StatusOK)
			}
			if n := len(w.asked(way)); err != nil || n > 1 {
				t.Errorf("%s: asked %d times, %v", path, n, err)
			}
		}
	})
}

// consent: who says no is told so, and may say yes another time.
func (w *Levels) consent(t *testing.T) {
	g, b := w.Small, NewBrowser()
	must(g.SignIn(b, "/home", Alice))(t)
	question := func() *Page {
		t.Helper()
		way := must(b.Follow(must(b.Get(g.URL("/orders/x")))(t), nil))(t)
		if page := last(way); !g.Provider.Owns(page.URL) || !strings.Contains(page.Body, ordersScope) || len(g.asked(way)) != 1 {
			t.Fatalf("nobody is asked about the scope: %d at %s:%s", page.Status, page.URL, trail(way))
		}
		return last(way)
	}
	answer := func(value string) []*Page {
		t.Helper()
		page := must(b.Do(http.MethodPost, question().URL.String(), "answer="+value, http.Header{"Origin": {g.Provider.Issuer}, "Sec-Fetch-Site": {"same-origin"}}))(t)
		return must(b.Follow(page, nil))(t)
	}
	before := g.App.Requests()
	if way := answer("deny"); len(g.asked(way)) != 0 || !g.Owns(last(way).URL) || last(way).Status < 400 || g.App.Requests() != before {
		t.Errorf("who says no ends with %d at %s:%s", last(way).Status, last(way).URL, trail(way))
	}
	if page := must(b.Get(g.URL("/home")))(t); page.Status != http.StatusOK {
		t.Errorf("after that, another page answers %d", page.Status)
	}
	way := answer("consent")
	if err := g.arrivedAt(way, "/orders/x", http.StatusOK); err != nil {
		t.Fatal(err)
	}
	if n := w.idp.IDP.Count("consent"); n != 1 {
		t.Errorf("%d times somebody consented", n)
	}
}

func (w *Levels) levelAndAge(t *testing.T) {
	g, b := w.Small, NewBrowser()
	must(g.SignIn(b, "/home", Alice))(t)
	way, forms, err := b.Arrive(g.Provider, must(b.Get(g.URL("/gold/x")))(t), Alice)
	if err == nil {
		err = g.arrivedAt(way, "/gold/x", http.StatusOK)
	}
	if err != nil || forms != 1 {
		t.Fatalf("%d forms, %v", forms, err)
	}
	if asked := g.asked(way); len(asked) != 1 || asked[0].Get("acr_values") != "gold" || asked[0].Get("max_age") != "600" {
		t.Errorf("asked for %v", asked)
	}
}

func (w *Levels) byAge(t *testing.T) {
	b, token := w.SignInFresh(t, Erin)
	w.passes(t, b, "/recent/x")
	Eventually(t, 20*time.Second, func() error {
		page, err := b.Get(w.URL("/recent/x"))
		if err == nil && page.Status == http.StatusOK {
			err = fmt.Errorf("e2e: the sign-in is recent enough")
		}
		return err
	})
	way, form, err := w.Visit(b, "/recent/x")
	if err != nil {
		t.Fatal(err)
	}
	if asked := w.asked(way); len(asked) != 1 || asked[0].Get("max_age") != strings.TrimSuffix(recently, "s") {
		t.Fatalf("asked for %v", asked)
	}
	way = w.submit(t, b, form, map[string]string{"password": Erin.Password})
	if err := w.arrivedAt(way, "/recent/x", http.StatusOK); err != nil || len(w.asked(way)) != 0 {
		t.Error(err, w.asked(way))
	}
	w.challenged(t, "/recent/x", token, http.StatusUnauthorized, "insufficient_user_authentication", `max_age="?`+strings.TrimSuffix(recently, "s")+`"?`)
}

// tokens are RFC 6750, section 3.1, and RFC 9470, section 3.
func (w *Levels) tokens(t *testing.T) {
	_, token := w.SignInFresh(t, Frank)
	for _, path := range []string{"/home", "/keepers/x", "/editors/x", "/team/x"} {
		if page := must(NewScript().Get(w.URL(path), bearer(token)))(t); page.Status != http.StatusOK {
			t.Errorf("%s: %d %.300s", path, page.Status, page.Body)
		}
	}
	w.challenged(t, "/orders/x", token, http.StatusForbidden, "insufficient_scope", `scope="`+ordersScope+`"`)
	w.challenged(t, "/gold/x", token, http.StatusUnauthorized, "insufficient_user_authentication", `acr_values="gold"`)
	_, token = w.SignInFresh(t, Erin)
	page := must(NewScript().Get(w.URL("/team/x"), bearer(token)))(t)
	if page.Status != http.StatusForbidden || !strings.Contains(page.Body, `"group_missing"`) {
		t.Errorf("a token of nobody in the group: %d %.300s", page.Status, page.Body)
	}
}

func (w *Levels) challenged(t *testing.T, path, token string, status int, code, parameter string) {
	t.Helper()
	page := must(NewScript().Get(w.URL(path), bearer(token)))(t)
	challenge := page.Header.Get("WWW-Authenticate")
	if page.Status != status || !strings.Contains(challenge, `error="`+code+`"`) || !regexp.MustCompile(parameter).MatchString(challenge) {
		t.Errorf("%s: %d, challenge %s, want %d, %s, %s", path, page.Status, challenge, status, code, parameter)
	}
}

func (w *Levels) roles(t *testing.T) {
	erin, _ := w.SignInFresh(t, Erin)
	frank, _ := w.SignInFresh(t, Frank)
	for path, reason := range map[string]string{"/keepers/x": "role_missing", "/editors/x": "claim_missing"} {
		w.passes(t, frank, path)
		page := must(erin.Get(w.URL(path), asProgram()))(t)
		if page.Status != http.StatusForbidden || !strings.Contains(page.Body, `"`+reason+`"`) {
			t.Errorf("%s: %d %.300s", path, page.Status, page.Body)
		}
	}
}

// assertion does what an application does that trusts no plain fields.
func (w *Levels) assertion(t *testing.T) {
	const field = "X-Auth-Request-Assertion"
	b, _ := w.SignInFresh(t, Frank)
	seen := must(ReadSeen(must(b.Get(w.URL("/told/x"), http.Header{field: {"forged"}}))(t)))(t)
	var keys jose.JSONWebKeySet
	published := must(NewScript().Get(w.URL("/oauth2/jwks")))(t)
	if err := json.Unmarshal([]byte(published.Body), &keys); err != nil || len(keys.Keys) == 0 {
		t.Fatalf("keys: %d %v %.300s", published.Status, err, published.Body)
	}
	signed := must(jwt.ParseSigned(seen.Value(field), []jose.SignatureAlgorithm{jose.ES256}))(t)
	var claims struct {
		jwt.Claims
		User   string   `json:"user"`
		Groups []string `json:"groups"`
		Roles  []string `json:"roles"`
	}
	if err := signed.Claims(keys, &claims); err != nil {
		t.Fatal(err)
	}
	wanted := jwt.Expected{AnyAudience: jwt.Audience{"told"}, Issuer: strings.TrimSuffix(w.URL(""), "/"), Time: time.Now()}
	if err := claims.ValidateWithLeeway(wanted, 0); err != nil {
		t.Errorf("%v: %+v", err, claims)
	}
	if claims.User != Frank.Name || !slices.Equal(claims.Groups, Frank.Groups) || !slices.Contains(claims.Roles, "shopkeeper") ||
		claims.Expiry == nil || time.Until(claims.Expiry.Time()) > 2*time.Minute || claims.ID == "" || claims.Subject == "" {
		t.Errorf("the assertion says %+v", claims)
	}
	wanted.AnyAudience = jwt.Audience{"another"}
	if err := claims.ValidateWithLeeway(wanted, 0); err == nil {
		t.Error("the assertion is for everybody")
	}
	for _, path := range []string{"/public/x", "/home"} {
		seen := must(ReadSeen(must(b.Get(w.URL(path), http.Header{field: {"forged"}, "x_auth_request_assertion": {"forged"}}))(t)))(t)
		if got := seen.Values(field); len(got) > 0 {
			t.Errorf("%s: the application was told %q", path, got)
		}
	}
}

// evidence: a program's refusal is found again in the log, in the access log and
// among the metrics.
func (w *Levels) evidence(t *testing.T) {
	b, _ := w.SignInFresh(t, Erin)
	page := must(b.Get(w.URL("/team/x"), asProgram()))(t)
	var problem struct {
		RequestID string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(page.Body), &problem); err != nil || problem.RequestID == "" {
		t.Fatalf("%d %v %.300s", page.Status, err, page.Body)
	}
	var lines []string
	Eventually(t, 10*time.Second, func() error { // what Envoy writes is read beside the test
		if lines = w.Log.Lines(problem.RequestID); len(lines) != 1 {
			return fmt.Errorf("e2e: %d lines speak of the request: %q", len(lines), lines)
		}
		return nil
	})
	var line struct{ Event, Reason, Rule, Subject, Provider string }
	_, text, _ := strings.Cut(lines[0], "postern: {")
	if err := json.Unmarshal([]byte("{"+text), &line); err != nil {
		t.Fatal(err)
	}
	if line.Event != "access_denied" || line.Reason != "group_missing" || line.Rule != "team" || line.Provider != w.Provider.Name || line.Subject == "" {
		t.Errorf("the line is %+v", line)
	}
	metric := regexp.MustCompile(`(?m)^\w*postern_access_denied_total\{(.*reason="group_missing".*rule="team".*|.*rule="team".*reason="group_missing".*)\} [1-9]`)
	if text := must(w.AdminGet(context.Background(), "/stats/prometheus"))(t); !metric.Match(text) {
		t.Errorf("no metric by rule and reason: %q", regexp.MustCompile(`(?m)^.*postern_access.*$`).FindAllString(string(text), 20))
	}
	Eventually(t, 20*time.Second, func() error { // Envoy writes it out every ten seconds
		if !slices.ContainsFunc(w.Log.Lines("answered 403 "), func(s string) bool { return strings.Contains(s, "group_missing") }) {
			return fmt.Errorf("e2e: the access log lacks the reason: %q", w.Log.Lines("answered 403"))
		}
		return nil
	})
}

// passes: a page is shown at once.
func (w *Levels) passes(t *testing.T, b *Browser, path string) {
	t.Helper()
	if page := must(b.Get(w.URL(path)))(t); page.Status != http.StatusOK {
		t.Errorf("%s: %d to %v", path, page.Status, page.Location())
	}
}

func (w *Levels) submit(t *testing.T, b *Browser, form *Page, fields map[string]string) []*Page {
	t.Helper()
	return must(b.Follow(must(b.Submit(form, fields))(t), nil))(t)
}

func last(way []*Page) *Page { return way[len(way)-1] }

func scopesOf(t *testing.T, token string) []string {
	t.Helper()
	scope, _ := must(readClaims(token))(t)["scope"].(string)
	return strings.Fields(scope)
}
