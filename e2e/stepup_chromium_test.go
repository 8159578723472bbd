package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

func (w *Levels) chromium(t *testing.T) {
	t.Run("steps up", func(t *testing.T) { w.chromiumStepsUp(t, NewChromium(t)) })
	t.Run("is told no, and signs in as someone else", func(t *testing.T) { w.chromiumSwitches(t, NewChromium(t)) })
	t.Run("signs in as someone else at oidc-provider", func(t *testing.T) { w.chromiumSwitchesElsewhere(t, NewChromium(t)) })
}

func (w *Levels) chromiumStepsUp(t *testing.T, c *Chromium) {
	c.Open(w.URL("/home"))
	c.WaitURL(w.Provider.Issuer)
	c.SignIn(w.Provider, Frank)
	c.WaitURL(w.URL("/home"))
	c.Open(w.URL("/gold/x"))
	c.WaitURL(w.Provider.Issuer)
	digits := chromedp.CSS(`input[name="otp"]`)
	c.Run("give the six digits", chromedp.WaitVisible(digits), chromedp.SendKeys(digits, sixDigits(time.Now())))
	if n := get(c, "look for a password", chromedp.Evaluate[int](`document.querySelectorAll('input[type=password]').length`)); n != 0 {
		t.Error("the password is asked for again")
	}
	c.Run("send them", chromedp.Submit(digits))
	c.WaitURL(w.URL("/gold/x"))
	checkPerson(t, c, Frank)
	c.Open(w.URL("/platinum/x"))
	c.WaitURL(w.URL("/platinum/x"))
	if text := c.Text(); !strings.Contains(text, "platinum") {
		t.Errorf("the page reads %.500s", text)
	}
	c.Screenshot("refused after stepping up")
}

func (w *Levels) chromiumSwitches(t *testing.T, c *Chromium) {
	c.Open(w.URL("/team/x"))
	c.WaitURL(w.Provider.Issuer)
	c.SignIn(w.Provider, Erin)
	c.WaitURL(w.URL("/team/x"))
	if text := c.Text(); !strings.Contains(text, "group2") || !strings.Contains(text, Erin.Name) {
		t.Errorf("the page reads %.500s", text)
	}
	c.portraits("refused")
	c.someoneElse()
	c.WaitURL(w.Provider.Issuer)
	// Keycloak takes it that the same person comes again, and has a button for others.
	another := chromedp.CSS(`[aria-label="Restart login"]`)
	c.Run("start over at Keycloak", chromedp.WaitVisible(another), chromedp.Click(another))
	c.SignInWhenAsked(w.Provider, Frank)
	c.WaitURL(w.URL("/team/x"))
	checkPerson(t, c, Frank)
}

func (w *Levels) chromiumSwitchesElsewhere(t *testing.T, c *Chromium) {
	g := w.Other
	c.Open(g.URL("/team/x"))
	c.WaitURL(g.Provider.Issuer)
	c.SignIn(g.Provider, Alice)
	c.WaitURL(g.URL("/team/x"))
	c.someoneElse()
	c.WaitURL(g.Provider.Issuer)
	c.SignIn(g.Provider, Bob)
	c.WaitURL(g.URL("/team/x"))
	checkPerson(t, c, Bob)
}

func checkPerson(t *testing.T, c *Chromium, who Person) {
	t.Helper()
	seen, err := ParseSeen(c.Text())
	if err != nil {
		t.Error(err)
	} else if got := seen.Value("x-auth-request-user"); got != who.Name {
		t.Errorf("the application was told of %q", got)
	}
}

// someoneElse follows the link of a page that says no.
func (c *Chromium) someoneElse() {
	c.t.Helper()
	link := chromedp.CSS(`a[href*="switch=1"]`)
	c.Run("sign in as someone else", chromedp.WaitVisible(link), chromedp.Click(link))
}

// SignInWhenAsked waits for the form that asks for the name, too.
func (c *Chromium) SignInWhenAsked(p *Provider, who Person) {
	c.t.Helper()
	c.Run("wait for the form", chromedp.WaitVisible(chromedp.CSS(`input[name="`+p.userField+`"]:not([type=hidden])`)))
	c.SignIn(p, who)
}

// portraits takes pictures of a page on a phone and on a desk, by day and by night.
func (c *Chromium) portraits(name string) {
	c.t.Helper()
	for device, size := range map[string][2]int64{"phone": {390, 844}, "desktop": {1280, 800}} {
		for _, scheme := range []string{"light", "dark"} {
			c.Run("look at it", chromedp.EmulateViewport(size[0], size[1]), inScheme(scheme))
			c.Screenshot(name + " " + device + " " + scheme)
		}
		if wide := get(c, "measure", chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`)); wide {
			c.t.Errorf("on a %s the page is wider than the screen", device)
		}
	}
	c.Run("look at it as before", chromedp.EmulateReset(), inScheme(""))
}

func inScheme(scheme string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return chromedp.Void{}, err
	}
}
