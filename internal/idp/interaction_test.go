package idp

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// ask sends an authorization request of a browser.
func (w *world) ask(changes map[string]string) answer {
	w.t.Helper()
	return w.do("GET", request(changes), nil, nil)
}

// press presses a button of the page that such a request has led to.
func (w *world) press(answer string, changes map[string]string) answer {
	w.t.Helper()
	return w.do("POST", request(changes), url.Values{"answer": {answer}}, nil)
}

// claims are those of the ID token and of the access token that an answer leads to.
func (w *world) claims(a answer) (id, access map[string]any) {
	w.t.Helper()
	tokens := w.do("POST", "/token", exchange(a.location(w.t).Query().Get("code")), nil).json(w.t)
	return w.verified(tokens["id_token"]), w.verified(tokens["access_token"])
}

const (
	askedWho     = `name="password"`
	askedAccount = `value="continue"`
	askedConsent = `value="consent"`
)

func (a answer) asks(t *testing.T, what string) {
	t.Helper()
	if a.status != http.StatusOK || !strings.Contains(a.body, what) {
		t.Fatalf("the answer is %d to %q, a page with %s was expected", a.status, a.header.Get("Location"), what)
	}
}

func (a answer) comesBackWith(t *testing.T, code string) {
	t.Helper()
	if got := a.location(t).Query().Get("error"); got != code {
		t.Errorf("went back with the error %q, want %q", got, code)
	}
}

func TestWhoIsAskedForGoldGivesThePasswordAgain(t *testing.T) {
	w, gold := newWorld(t), map[string]string{"acr_values": "platinum gold"}
	w.code("alice", nil)
	w.advance(time.Minute)
	w.ask(gold).asks(t, askedWho)
	id, access := w.claims(w.do("POST", request(gold), credentials("alice"), nil))
	for name, claims := range map[string]map[string]any{"ID token": id, "access token": access} {
		if claims["acr"] != "gold" || claims["auth_time"] != 1_790_000_060.0 {
			t.Errorf("%s: level %v, at %v", name, claims["acr"], claims["auth_time"])
		}
	}
	for acr, want := range map[string]string{"gold": "gold", "bronze": "bronze", "bronze gold": "gold", "platinum": "gold", "": "gold"} {
		if id, _ := w.claims(w.ask(map[string]string{"acr_values": acr})); id["acr"] != want {
			t.Errorf("after that, %q is answered by %v, want %s", acr, id["acr"], want)
		}
	}
}

func TestANewBrowserIsAskedTwiceForGold(t *testing.T) {
	w, gold := newWorld(t), map[string]string{"acr_values": "gold"}
	w.do("POST", request(gold), credentials("alice"), nil).asks(t, "Please sign in again")
	w.do("POST", request(gold), credentials("bob"), nil) // another person begins at the first level
	w.do("POST", request(gold), credentials("alice"), nil).asks(t, "Please sign in again")
	if id, _ := w.claims(w.do("POST", request(gold), credentials("alice"), nil)); id["acr"] != "gold" {
		t.Errorf("level %v", id["acr"])
	}
}

func TestWhoCannotReachALevelComesBackWithoutIt(t *testing.T) {
	w := newWorld(t)
	w.code("bob", nil)
	if id, access := w.claims(w.ask(map[string]string{"acr_values": "gold"})); id["acr"] != "bronze" || access["acr"] != "bronze" {
		t.Errorf("levels %v and %v", id["acr"], access["acr"])
	}
}

func TestLaterTokensOfALoginSayHowThatOneWas(t *testing.T) {
	w := newWorld(t)
	first := w.tokens("alice")
	w.advance(time.Minute)
	w.code("alice", map[string]string{"acr_values": "gold"})
	claims := w.verified(w.refresh(first["refresh_token"]).json(t)["id_token"])
	if claims["acr"] != "bronze" || claims["auth_time"] != 1_790_000_000.0 {
		t.Errorf("level %v, at %v", claims["acr"], claims["auth_time"])
	}
}

func TestPromptsThatMayNotBeAnsweredByNobody(t *testing.T) {
	w := newWorld(t)
	w.code("alice", nil)
	w.advance(time.Minute)
	for name, test := range map[string]struct {
		changes map[string]string
		want    string
	}{
		"a sign-in that is too old": {map[string]string{"max_age": "59"}, "login_required"},
		"a max_age of 0":            {map[string]string{"max_age": "0"}, "login_required"},
		"a level that is too low":   {map[string]string{"acr_values": "gold"}, "interaction_required"},
		"a scope never allowed":     {map[string]string{"scope": "openid orders.read"}, "consent_required"},
	} {
		t.Run(name, func(t *testing.T) {
			test.changes["prompt"] = "none"
			w.ask(test.changes).comesBackWith(t, test.want)
		})
	}
	w.ask(map[string]string{"prompt": "none"}).comesBackWith(t, "")
}

func TestAFurtherScopeIsAskedForOnce(t *testing.T) {
	w, wider := newWorld(t), map[string]string{"scope": "openid orders.read"}
	w.code("alice", nil)
	w.ask(wider).asks(t, askedConsent)
	w.press("deny", wider).comesBackWith(t, "access_denied")
	w.ask(wider).asks(t, askedConsent)
	if _, access := w.claims(w.press("consent", wider)); access["scope"] != "openid orders.read" {
		t.Errorf("granted %v", access["scope"])
	}
	w.ask(wider).comesBackWith(t, "")
	w.ask(map[string]string{"scope": "openid orders.write"}).asks(t, askedConsent)
	t.Run("or each time that the client says so", func(t *testing.T) {
		again := map[string]string{"prompt": "consent"}
		w.ask(again).asks(t, askedConsent)
		w.press("consent", again).comesBackWith(t, "")
	})
}

func TestAScopeThatAPersonMayNotGiveIsLeftOut(t *testing.T) {
	w, wider := newWorld(t), map[string]string{"scope": "openid orders.read"}
	tokens := w.do("POST", "/token", exchange(w.code("bob", wider)), nil).json(t)
	if tokens["scope"] != "openid" || w.verified(tokens["access_token"])["scope"] != "openid" {
		t.Errorf("granted %v", tokens["scope"])
	}
}

func TestAPersonMayChooseAnotherAccount(t *testing.T) {
	w, choose := newWorld(t), map[string]string{"prompt": "select_account"}
	w.ask(choose).asks(t, askedWho)
	w.code("alice", nil)
	a := w.ask(choose)
	a.asks(t, askedAccount)
	a.asks(t, askedWho)
	if id, _ := w.claims(w.press("continue", choose)); id["sub"] != "id-of-alice" {
		t.Errorf("went on as %v", id["sub"])
	}
	if id, _ := w.claims(w.do("POST", request(choose), credentials("bob"), nil)); id["sub"] != "bob" {
		t.Errorf("changed to %v", id["sub"])
	}
}

func TestAButtonIsNoSignIn(t *testing.T) {
	w := newWorld(t)
	for _, answer := range []string{"continue", "consent"} {
		w.press(answer, nil).asks(t, askedWho)
	}
	w.code("alice", map[string]string{"nonce": "other"})
	w.advance(time.Minute)
	for _, answer := range []string{"continue", "consent"} {
		another := map[string]string{"max_age": "30", "code_challenge": strings.Repeat("A", 43)}
		w.press(answer, another).asks(t, askedWho)
	}
}

func TestALevelThatIsNoneIsNoPersons(t *testing.T) {
	_, err := New(Config{Issuer: "https://id.example", Users: []User{{PreferredUsername: "a", Password: "b", HighestLevel: "copper"}}})
	if err == nil {
		t.Error("the provider took it")
	}
}
