package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// desk is an application with a form that anybody may see and only people who
// are signed in may send.
type desk struct {
	*Gate
	mu     sync.Mutex
	orders []order
}

// order is a form that reached the application.
type order struct{ Target, Body, Type, Origin, Referer string }

const (
	orderPath  = "/orders?new=1&of=a%20b"
	orderForm  = "/public/form?id=7"
	orderField = `<form method="post" action="` + orderPath + `">
<input name="item" value="Caf&eacute; &amp; &laquo;more&raquo; &#x65E5;&#x672C; &#x1F389;"><input name="item" value="the other">
<textarea name="note">one
two

<b>"four"</b> '</textarea><input name="empty" value=""><input name="plus+&amp;=%" value="a+b=c&amp;d%20;e">
<input type="hidden" name="tab" value="a&#9;b"><input type="checkbox" name="checked" checked>
<button name="go" value="Go">Go</button></form>`
)

// startDesk runs a gate that keeps forms.
func startDesk(t *testing.T) *desk {
	t.Helper()
	d, p := &desk{}, NewEmbedded(t)
	app := &App{Server: httptest.NewServer(http.HandlerFunc(d.serve))}
	t.Cleanup(app.Server.Close)
	s := NewSettings(p.Provider)
	s["hosts"] = []string{loopbackClient + ":*"}
	s["sign_in"] = Settings{"keep_forms": true}
	e := StartEnvoy(t, EnvoySetup{
		Workers: 2, Host: loopbackClient, App: app.Addr(), IDP: p.Addr(), Env: NewSecrets(), Config: s, AllowHeadersStop: true,
	})
	d.Gate = &Gate{Envoy: e, App: app, Provider: p.Provider}
	d.waitProvider(t)
	return d
}

func (d *desk) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if r.Method == http.MethodPost {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.orders = append(d.orders, order{r.RequestURI, string(body), r.Header.Get("Content-Type"), r.Header.Get("Origin"), r.Header.Get("Referer")})
		fmt.Fprint(w, "<!doctype html><title>-</title>ordered")
		return
	}
	fmt.Fprint(w, "<!doctype html><title>-</title>page", strings.TrimPrefix(r.URL.Path, "/"), orderField)
}

// sent are the forms that reached the application so far.
func (d *desk) sent() []order {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]order(nil), d.orders...)
}

func TestKeeping(t *testing.T) {
	d := startDesk(t)
	t.Run("a deep link keeps its query and its fragment", d.testFragment)
	t.Run("without a script a deep link keeps its query", d.testNoScript)
	t.Run("a form is asked about and sent to the letter", d.testForm)
	t.Run("a form that another site sends is not kept", d.testForged)
	t.Run("without a script a form is said not to be kept", d.testFormNoScript)
}

const deepLink = "/deep/page?a=1&b=x%2Fy#part=3&u=%C3%BC/../?x"

func (d *desk) testFragment(t *testing.T) {
	c := NewChromium(t)
	c.Open(d.URL(deepLink))
	if at := c.WaitURL(d.Provider.Issuer); strings.Contains(at, "part") {
		t.Errorf("the provider sees %s", at)
	}
	c.SignIn(d.Provider, Alice)
	if at := c.WaitURL(d.URL("/deep")); at != d.URL(deepLink) {
		t.Errorf("at %s, not %s", at, d.URL(deepLink))
	}
	c.keepsNothing()
	c.Open(d.URL("/oauth2/sign_out?rd=/public/bye"))
	c.WaitURL(d.URL("/public/bye"))
	c.Open(d.URL("/deep/plain?a=1")) // the provider still knows who it is
	if at := c.WaitURL(d.URL("/deep/plain")); at != d.URL("/deep/plain?a=1") {
		t.Errorf("without a fragment at %s", at)
	}
}

// keepsNothing fails the test where something of ours is left in the browser.
func (c *Chromium) keepsNothing() {
	c.t.Helper()
	if left := get(c, "look into its storage", chromedp.Evaluate[string](`JSON.stringify(sessionStorage)`)); left != "{}" {
		c.t.Errorf("the browser still keeps %s", left)
	}
}

// withoutScripts has pages run none.
func (c *Chromium) withoutScripts() {
	c.t.Helper()
	c.Run("switch scripts off", func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return chromedp.Void{}, err
	})
}

func (d *desk) testNoScript(t *testing.T) {
	c := NewChromium(t)
	c.withoutScripts()
	c.Open(d.URL(deepLink))
	c.WaitURL(d.Provider.Issuer)
	c.SignIn(d.Provider, Alice)
	want, _, _ := strings.Cut(d.URL(deepLink), "#")
	if at := c.WaitURL(d.URL("/deep")); at != want {
		t.Errorf("at %s, not %s", at, want)
	}
}

func (d *desk) testForm(t *testing.T) {
	c, before := NewChromium(t), len(d.sent())
	c.Open(d.URL(orderForm))
	c.press("Go")
	c.WaitURL(d.Provider.Issuer)
	c.SignIn(d.Provider, Alice)
	c.waitAsked()
	ask := c.Text()
	for _, want := range []string{strings.TrimPrefix(d.URL("/orders"), "http://"), Alice.Name, "\n8"} {
		if !strings.Contains(ask, want) {
			t.Errorf("the question says nothing of %q: %s", want, ask)
		}
	}
	if got := len(d.sent()); got != before {
		t.Fatalf("%d forms were sent unasked", got-before)
	}
	c.portraits("form to send")
	c.keepsNothing()
	c.press("Send")
	c.WaitURL(d.URL("/orders"))
	// The same form, by somebody who is signed in, is what it should have been.
	c.Open(d.URL(orderForm))
	c.press("Go")
	c.WaitURL(d.URL("/orders"))
	sent := d.sent()[before:]
	if len(sent) != 2 {
		t.Fatalf("%d forms were sent", len(sent))
	}
	if sent[0].Referer != d.URL("/") {
		t.Errorf("sent from %q", sent[0].Referer)
	}
	sent[0].Referer = sent[1].Referer
	if diff := cmp.Diff(sent[1], sent[0]); diff != "" {
		t.Errorf("sent otherwise than it would have been: %s", diff)
	}
	// Whoever does not want to send it goes back to where they were.
	c.Open(d.URL("/oauth2/sign_out?rd=" + "/public/form"))
	c.WaitURL(d.URL("/public/form"))
	c.press("Go")
	c.waitAsked()
	c.press("Do not send")
	c.WaitURL(d.URL("/public/form"))
	if n := len(d.sent()) - before; n != 2 {
		t.Errorf("%d forms were sent in the end", n)
	}
}

// waitAsked waits for the question whether a form is to be sent.
func (c *Chromium) waitAsked() {
	c.t.Helper()
	c.Run("be asked", chromedp.WaitVisible(chromedp.CSS(`form[action^="/orders"] button`)))
}

func (d *desk) testForged(t *testing.T) {
	c, before := NewChromium(t), len(d.sent())
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<form method="post" action=%q><input name="a" value="1"><button>Win</button></form>`, d.URL(orderPath))
	}))
	defer evil.Close()
	c.Open(evil.URL)
	c.press("Win")
	c.WaitURL(d.Provider.Issuer)
	c.SignIn(d.Provider, Alice)
	c.WaitURL(d.URL("/orders"))
	c.keepsNothing()
	if n := len(d.sent()) - before; n != 0 {
		t.Errorf("%d forms were sent", n)
	}
}

func (d *desk) testFormNoScript(t *testing.T) {
	c, before := NewChromium(t), len(d.sent())
	c.withoutScripts()
	c.Open(d.URL(orderForm))
	c.press("Go")
	c.WaitURL(d.URL("/orders"))
	if text := c.Text(); !strings.Contains(text, "could not be kept") {
		t.Errorf("the page says %s", text)
	}
	c.portraits("form not kept")
	c.press("Sign in")
	c.WaitURL(d.Provider.Issuer)
	c.SignIn(d.Provider, Alice)
	c.WaitURL(d.URL(orderForm))
	if n := len(d.sent()) - before; n != 0 {
		t.Errorf("%d forms were sent", n)
	}
}
