package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestSeveralProviders is about one gate in front of three providers: two realms
// of Keycloak, with the same names for different people, and oidc-provider.
func TestSeveralProviders(t *testing.T) {
	w := startSeveral(t)
	t.Run("a code of one under the state of another is refused and logged", w.mixUp)
	t.Run("each in one browser after the other", w.oneAfterTheOther)
	t.Run("each in a browser of its own, on all workers", w.sideBySide)
	t.Run("each is renewed at its provider", w.renewed)
	t.Run("each is signed out of its provider", w.signedOut)
	t.Run("one provider's logout ends its own sessions alone", w.loggedOut)
	t.Run("what is of one provider is not for people of another", w.ofOneAlone)
	t.Run("chromium chooses each on the page", w.chromiumChooses)
	t.Run("chromium signs in at three in three tabs at once", w.chromiumTabs)
	t.Run("chromium is led by e-mail address, host and path", w.chromiumIsLed)
	checkLog(t, w.Gate)
}

// answered is what the provider sent the browser back with.
func (w *Several) answered(t *testing.T, b *Browser, at atParty) *Login {
	t.Helper()
	login := must(at.StartAt(b, "/shop?of="+at.Provider.Name))(t)
	if err := login.AtProvider(at.who); err != nil {
		t.Fatal(err)
	}
	return login
}

// mixUp is RFC 9700, section 4.4: somebody is led to one provider in a login that
// they began at another. No code reaches a provider that did not make it.
func (w *Several) mixUp(t *testing.T) {
	b := NewBrowser()
	customers, staff, partners := w.answered(t, b, w.people[0]), w.answered(t, b, w.people[1]), w.answered(t, b, w.people[2])
	exchanged := w.tapKeycloak.Count(exchanges) + w.tapPartners.Count(exchanges)
	for _, test := range []struct {
		name             string
		path             *Login // whose redirect address
		code, state, iss *Login
		reason, of       string
	}{
		{"customers' code under staff's state", staff, customers, staff, customers, "iss_differs", "staff"},
		{"partners' code under staff's state", staff, partners, staff, partners, "iss_differs", "staff"},
		{"staff's code under customers' state", customers, staff, customers, staff, "iss_differs", "customers"},
		{"partners' code under customers' state", customers, partners, customers, partners, "iss_differs", "customers"},
		{"customers' code under partners' state", partners, customers, partners, customers, "iss_differs", "partners"},
		{"customers' code under staff's state, without an issuer", staff, customers, staff, nil, "iss_missing", "staff"},
		{"customers' answer at its own address under staff's state", customers, customers, staff, customers, "callback_of_another_provider", "staff"},
		{"customers' answer at its own address under staff's state, with staff's name", customers, customers, staff, staff, "callback_of_another_provider", "staff"},
		{"staff's answer at its own address under customers' state", staff, staff, customers, staff, "callback_of_another_provider", "customers"},
	} {
		t.Run(test.name, func(t *testing.T) {
			logged := len(w.refusals(test.reason, test.of))
			q := url.Values{"code": {test.code.Back.Query().Get("code")}, "state": {test.state.Back.Query().Get("state")}}
			if test.iss != nil {
				q.Set("iss", test.iss.Back.Query().Get("iss"))
			}
			page := must(b.Get(w.URL(test.path.Back.Path + "?" + q.Encode())))(t)
			if page.Status != http.StatusForbidden || !strings.Contains(page.Body, test.reason) {
				t.Errorf("answered %d, not 403 for %s", page.Status, test.reason)
			}
			if slices.ContainsFunc(page.Cookies, func(c *http.Cookie) bool { return c.Name == SessionCookie }) {
				t.Error("a session was made")
			}
			Eventually(t, 10*time.Second, func() error {
				if n := len(w.refusals(test.reason, test.of)) - logged; n != 1 {
					return fmt.Errorf("e2e: %d events say so", n)
				}
				return nil
			})
		})
	}
	if n := w.tapKeycloak.Count(exchanges) + w.tapPartners.Count(exchanges) - exchanged; n != 0 {
		t.Errorf("%d codes were sent to a provider", n)
	}
	for i, login := range []*Login{customers, staff, partners} {
		way := must(login.Finish())(t)
		checkIdentity(t, must(ReadSeen(way[len(way)-1]))(t), w.people[i].who)
	}
}

// refusals are the events of logins that were refused.
func (w *Several) refusals(reason, provider string) (lines []string) {
	for _, line := range w.Log.Lines(`"event":"login_refused"`) {
		if strings.Contains(line, `"reason":"`+reason+`"`) && strings.Contains(line, `"provider":"`+provider+`"`) {
			lines = append(lines, line)
		}
	}
	return lines
}

func (w *Several) oneAfterTheOther(t *testing.T) {
	b := NewBrowser()
	for _, at := range append(slices.Clone(w.people), w.people[0]) {
		page := must(at.SignInAt(b, "/shop?at="+at.Provider.Name, at.who))(t)
		seen := must(ReadSeen(page))(t)
		checkIdentity(t, seen, at.who)
		checkAccessToken(t, at.Provider, seen, at.who)
	}
	if refused := b.Jar.Refused(); len(refused) > 0 {
		t.Errorf("cookies that browsers refuse: %q", refused)
	}
}

func (w *Several) sideBySide(t *testing.T) {
	browsers := make([]*Browser, len(w.people))
	inParallel(t, len(w.people), func(i int) error {
		browsers[i] = NewBrowser()
		_, err := w.people[i].SignInAt(browsers[i], "/shop", w.people[i].who)
		return err
	})
	for i, at := range w.people {
		for _, worker := range w.Workers(t) {
			page := must(NewBrowser().Over(worker).Get(w.URL("/shop"), copied(browsers[i], w.URL("/shop"))))(t)
			checkIdentity(t, must(ReadSeen(page))(t), at.who)
		}
	}
}

// renewed has each session's access token expire, and wants a new one from the
// provider that it is of.
func (w *Several) renewed(t *testing.T) {
	for _, tap := range []*Tap{w.tapKeycloak, w.tapPartners} {
		tap.Lifetime(shortLife)
		defer tap.Lifetime(0)
	}
	old := make([]string, len(w.people))
	browsers := make([]*Browser, len(w.people))
	for i, at := range w.people {
		browsers[i] = NewBrowser()
		old[i] = must(ReadSeen(must(at.SignInAt(browsers[i], "/shop", at.who))(t)))(t).Value("authorization")
	}
	expire()
	for _, tap := range []*Tap{w.tapKeycloak, w.tapPartners} {
		tap.Lifetime(0)
	}
	for i, at := range w.people {
		keycloak, partners := w.tapKeycloak.Count(refreshes), w.tapPartners.Count(refreshes)
		seen := must(ReadSeen(must(browsers[i].Get(w.URL("/shop")))(t)))(t)
		checkIdentity(t, seen, at.who)
		checkAccessToken(t, at.Provider, seen, at.who)
		if seen.Value("authorization") == old[i] {
			t.Errorf("%s: the access token is the old one", at.Provider.Name)
		}
		keycloak, partners = w.tapKeycloak.Count(refreshes)-keycloak, w.tapPartners.Count(refreshes)-partners
		if atPartners := at.Gate == w.Partners; atPartners && (keycloak != 0 || partners != 1) || !atPartners && (keycloak != 1 || partners != 0) {
			t.Errorf("%s: %d refreshes at Keycloak, %d at oidc-provider", at.Provider.Name, keycloak, partners)
		}
	}
}

// signedOut signs in at two providers in one browser, and out of the second: the
// first still knows the person.
func (w *Several) signedOut(t *testing.T) {
	for i, at := range w.people {
		t.Run(at.Provider.Name, func(t *testing.T) {
			b, first := NewBrowser(), w.people[(i+1)%len(w.people)]
			must(first.SignInAt(b, "/shop", first.who))(t)
			must(at.SignInAt(b, "/shop", at.who))(t)
			out := must(b.Get(w.URL("/oauth2/sign_out")))(t)
			to := out.Location()
			if to == nil || !strings.HasPrefix(to.String(), at.Provider.Issuer) || issuerOf(t, to.Query().Get("id_token_hint")) != at.Provider.Issuer {
				t.Fatalf("sign_out answered %d to %.80v", out.Status, to)
			}
			way := must(b.Follow(out, nil))(t)
			if last := way[len(way)-1]; at.Provider.Owns(last.URL) { // it asks once more
				way = must(b.Follow(must(b.Submit(last, map[string]string{"logout": "yes"}))(t), nil))(t)
			}
			if last := way[len(way)-1]; last.URL.Path != "/oauth2/signed_out" || !w.Owns(last.URL) {
				t.Fatalf("the way ends with %d at %s:%s", last.Status, last.URL, trail(way))
			}
			if n := w.forms(t, b, at); n != 1 {
				t.Errorf("%s asked %d times who it is", at.Provider.Name, n)
			}
			if n := w.forms(t, b, first); n != 0 {
				t.Errorf("%s asked %d times who it is", first.Provider.Name, n)
			}
		})
	}
}

// forms is how often a provider asks who it is.
func (w *Several) forms(t *testing.T, b *Browser, at atParty) int {
	t.Helper()
	way, forms, err := b.Arrive(at.Provider, must(b.Get(at.start("/shop")))(t), at.who)
	if err != nil {
		t.Fatal(err)
	}
	checkIdentity(t, must(ReadSeen(way[len(way)-1]))(t), at.who)
	return forms
}

// issuerOf reads whose an ID token is.
func issuerOf(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("a token of %d parts", len(parts))
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[1]))(t), &claims); err != nil {
		t.Fatal(err)
	}
	return claims.Issuer
}

// loggedOut has the second realm's administrator sign its Alice out. The first
// realm's Alice stays.
func (w *Several) loggedOut(t *testing.T) {
	admin := must(NewAdministrator(w.Staff.Provider))(t)
	registered := func(address string) {
		t.Helper()
		if err := admin.EditClient(staffClient, func(client map[string]any) {
			client["attributes"].(map[string]any)["backchannel.logout.url"] = address
		}); err != nil {
			t.Fatal(err)
		}
	}
	registered(w.URL(backChannel))
	defer registered("")
	workers := w.Workers(t)
	cookies := make([]http.Header, len(w.people))
	for i, at := range w.people {
		b := NewBrowser()
		must(at.SignInAt(b, "/shop", at.who))(t)
		cookies[i] = copied(b, w.URL("/shop"))
		checkEverywhere(t, w.Gate, workers, cookies[i], servedTo(at.who))
	}
	if err := admin.SignOut(AliceAtWork); err != nil {
		t.Fatal(err)
	}
	for i, at := range w.people {
		check := servedTo(at.who)
		if at.Gate == w.Staff {
			check = isOver
		}
		checkEverywhere(t, w.Gate, workers, cookies[i], check)
	}
}

// isOver wants a request answered as to somebody who has no session.
func isOver(p *Page) error {
	if seen, err := ReadSeen(p); err == nil {
		return fmt.Errorf("e2e: served to %q", seen.Value("x-auth-request-user"))
	}
	return nil
}

func (w *Several) ofOneAlone(t *testing.T) {
	for _, at := range w.people {
		b := NewBrowser()
		must(at.SignInAt(b, "/shop", at.who))(t)
		page := must(b.Get(w.URL("/vault/x")))(t)
		if at.Gate == w.Staff {
			checkIdentity(t, must(ReadSeen(page))(t), at.who)
		} else if page.Status != http.StatusForbidden || !strings.Contains(page.Body, "provider_not_allowed") {
			t.Errorf("%s: answered %d", at.Provider.Name, page.Status)
		}
		if at.Gate != w.Staff { // where to sign in is said of the office, not who may enter
			checkIdentity(t, must(ReadSeen(must(b.Get(w.URL("/office/x")))(t)))(t), at.who)
		}
	}
}

func (w *Several) chromiumChooses(t *testing.T) {
	c := NewChromium(t)
	for i, at := range w.people {
		if i == 0 {
			c.Open(w.URL(deepPage))
		} else {
			c.Open(w.URL("/oauth2/sign_in?" + url.Values{"rd": {deepPage}}.Encode()))
		}
		c.WaitURL(w.URL("/oauth2/sign_in"))
		names := c.named("link", "button")
		for _, other := range w.people {
			if !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, other.button) }) {
				t.Errorf("the page has no %q among %q", other.button, names)
			}
		}
		if labels := c.named("textbox"); !slices.Equal(labels, []string{"E-mail address"}) {
			t.Errorf("the page asks for %q", labels)
		}
		c.Screenshot("three providers " + at.Provider.Name)
		c.press(at.button)
		c.arrives(at, deepPage)
	}
	c.forget(SessionCookie, w.URL("/"))
	c.Open(w.URL("/shop/again"))
	c.shown(w.people[2], "/shop/again") // remembered, by us and by the provider
	c.Open(w.URL("/oauth2/sign_out"))
	c.press("Sign out")
	c.WaitURL(w.URL("/oauth2/signed_out"))
	c.Open(w.URL("/shop/afterwards"))
	c.WaitURL(w.URL("/oauth2/sign_in"))
}

// arrives signs somebody in at the provider that is shown, and wants them back on a
// page of the application.
func (c *Chromium) arrives(at atParty, page string) {
	c.t.Helper()
	c.WaitURL(at.Provider.Issuer)
	c.SignIn(at.Provider, at.who)
	c.shown(at, page)
}

// shown waits for a page of the application, which is for somebody.
func (c *Chromium) shown(at atParty, page string) {
	c.t.Helper()
	if place := c.WaitURL(at.URL(page)); place != at.URL(page) {
		c.t.Errorf("back at %s, want %s", place, at.URL(page))
	}
	seen, err := ParseSeen(c.Text())
	if err != nil {
		c.t.Fatal(err)
	}
	if email := seen.Value("x-auth-request-email"); email != at.who.Email {
		c.t.Errorf("%s is shown to %q, not to %q", page, email, at.who.Email)
	}
}

// chromiumTabs opens three tabs, chooses another provider in each, has all three
// forms on the screen, and sends them in another order.
func (w *Several) chromiumTabs(t *testing.T) {
	first := NewChromium(t)
	all := []*Chromium{first, first.Tab(), first.Tab()}
	for i := range all {
		all[i].Open(w.URL(tabPage(i)))
		all[i].WaitURL(w.URL("/oauth2/sign_in"))
	}
	for i, at := range w.people {
		all[i].press(at.button)
		all[i].WaitURL(at.Provider.Issuer)
		all[i].Run("wait for the form", chromedp.WaitVisible(chromedp.CSS(`input[name="`+at.Provider.passwordField+`"]`)))
	}
	for _, i := range []int{2, 0, 1} {
		all[i].arrives(w.people[i], tabPage(i))
	}
	for i := range all {
		all[i].Open(w.URL(tabPage(i)))
		all[i].shown(w.people[1], tabPage(i)) // the last
	}
}

func (w *Several) chromiumIsLed(t *testing.T) {
	c := NewChromium(t)
	c.Open(w.URL("/office/x"))
	c.WaitURL(w.Staff.Provider.Issuer)
	c.Open(strings.Replace(w.URL("/shop"), "//localhost:", "//127.0.0.1:", 1))
	c.WaitURL(w.Partners.Provider.Issuer)
	c.Open(w.URL("/shop/mail"))
	c.WaitURL(w.URL("/oauth2/sign_in"))
	field := chromedp.CSS(`input[name="email"]`)
	c.Run("enter a stranger's address", chromedp.SendKeys(field, "eve@nobody.example"), chromedp.Submit(field))
	c.WaitURL(w.URL("/oauth2/sign_in?email="))
	if text := c.Text(); !strings.Contains(text, "No login is known for this address") {
		t.Errorf("the page reads %.300s", text)
	}
	c.Screenshot("three providers unknown address")
	c.Run("enter one of staff's", chromedp.Clear(field), chromedp.SendKeys(field, Dora.Email), chromedp.Submit(field))
	c.WaitURL(w.Staff.Provider.Issuer)
	password := chromedp.CSS(`input[name="password"]`)
	c.Run("wait for the form", chromedp.WaitVisible(password))
	if hint := get(c, "read the name", chromedp.Value(chromedp.CSS(`input[name="username"]`))); hint != Dora.Email {
		t.Errorf("Keycloak was told of %q", hint)
	}
	c.Run("enter the password", chromedp.SendKeys(password, Dora.Password), chromedp.Submit(password))
	c.shown(atParty{Gate: w.Staff, who: Dora}, "/shop/mail")
}
