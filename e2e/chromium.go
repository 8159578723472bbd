package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// Chromium is a real browser with an empty profile, without a window.
type Chromium struct {
	t   testing.TB
	ctx context.Context
}

// chromiumLimit bounds one step: a page that has not come by then never will.
const chromiumLimit = 30 * time.Second

// NewChromium starts a browser; the test's end stops it.
func NewChromium(t testing.TB) *Chromium {
	t.Helper()
	binary, err := command("chromium")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(binary),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, // as root, in containers, there is none to be had
		chromedp.NoFirstRun,
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.WindowSize(1280, 900),
		chromedp.WSURLReadTimeout(chromiumLimit),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeBrowser := chromedp.NewContext(allocator)
	t.Cleanup(func() { closeBrowser(); stop() })
	// The first run starts the browser; it must not hang on a step's time limit,
	// which would end the browser with the step.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("e2e: chromium: %v", err)
	}
	return &Chromium{t: t, ctx: ctx}
}

// Tab is another tab of the same browser, empty.
func (c *Chromium) Tab() *Chromium {
	c.t.Helper()
	ctx, closeTab := chromedp.NewContext(c.ctx)
	c.t.Cleanup(closeTab)
	if err := chromedp.Do(ctx); err != nil {
		c.t.Fatalf("e2e: chromium: %v", err)
	}
	return &Chromium{t: c.t, ctx: ctx}
}

// Run carries out steps, within the limit for them.
func (c *Chromium) Run(what string, steps ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, chromiumLimit)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		c.Screenshot("failed " + c.t.Name())
		c.t.Fatalf("e2e: chromium: %s: %v", what, err)
	}
}

// Open visits an address.
func (c *Chromium) Open(address string) {
	c.t.Helper()
	c.Run("open "+address, chromedp.Navigate(address))
}

// SignIn waits for the provider's login form, fills it, and sends it.
func (c *Chromium) SignIn(p *Provider, who Person) {
	c.t.Helper()
	user, password := chromedp.CSS(`input[name="`+p.userField+`"]`), chromedp.CSS(`input[name="`+p.passwordField+`"]`)
	c.Run("sign in as "+who.Name,
		chromedp.WaitVisible(password),
		chromedp.SendKeys(user, who.Name),
		chromedp.SendKeys(password, who.Password),
		chromedp.Submit(password),
	)
}

// WaitURL waits until the browser shows a page whose address starts so, other than
// one of the gate's that leads on by itself.
func (c *Chromium) WaitURL(prefix string) string {
	c.t.Helper()
	var address string
	Eventually(c.t, chromiumLimit, func() error {
		ctx, cancel := context.WithTimeout(c.ctx, chromiumLimit)
		defer cancel()
		place, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`[location.href, document.querySelector('#keep, #resume') ? 'on its way' : document.readyState]`))
		if err != nil {
			return fmt.Errorf("e2e: chromium: %w", err)
		}
		var state string
		address, state = place[0], place[1]
		if !strings.HasPrefix(address, prefix) || state != "complete" {
			return fmt.Errorf("e2e: chromium is at %.200s (%s), not at %s", address, state, prefix)
		}
		return nil
	})
	return address
}

// Text is what the page says.
func (c *Chromium) Text() string {
	c.t.Helper()
	return get(c, "read the page", chromedp.Evaluate[string](`document.body.innerText`))
}

// Cookies are those that the browser would send to an address.
func (c *Chromium) Cookies(address string) []*network.Cookie {
	c.t.Helper()
	return get(c, "read the cookies", func(ctx context.Context, target *chromedp.Target) ([]*network.Cookie, error) {
		result, err := cdp.Call(ctx, target, network.GetCookies, network.GetCookiesParams{URLs: []string{address}})
		return result.Cookies, err
	})
}

func get[T any](c *Chromium, what string, action chromedp.Action[T]) T {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, chromiumLimit)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		c.t.Fatalf("e2e: chromium: %s: %v", what, err)
	}
	return value
}

// Screenshot writes what the browser shows to build/screenshots.
func (c *Chromium) Screenshot(name string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, chromiumLimit)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		c.t.Logf("e2e: chromium: screenshot: %v", err)
		return
	}
	if err := writeScreenshot(name, png); err != nil {
		c.t.Errorf("e2e: chromium: %v", err)
	}
}

func writeScreenshot(name string, png []byte) error {
	root, err := Root()
	if err != nil {
		return err
	}
	dir := filepath.Join(root, "build", "screenshots")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("screenshot: %w", err)
	}
	file := strings.Map(func(r rune) rune {
		if r == '/' || r == ' ' || r == '_' {
			return '-'
		}
		return r
	}, name) + ".png"
	if err := os.WriteFile(filepath.Join(dir, file), png, 0o644); err != nil {
		return fmt.Errorf("screenshot: %w", err)
	}
	return nil
}
