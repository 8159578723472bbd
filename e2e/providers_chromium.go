package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// named are the accessible names of a page's things of some roles, as a screen
// reader says them, in their order on the page.
func (c *Chromium) named(roles ...string) []string {
	c.t.Helper()
	return get(c, "read the names", func(ctx context.Context, target *chromedp.Target) (names []string, err error) {
		tree, err := cdp.Call(ctx, target, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		for _, node := range tree.Nodes {
			if !node.Ignored && slices.Contains(roles, textOf(node.Role)) {
				names = append(names, textOf(node.Name))
			}
		}
		return names, err
	})
}

func textOf(v *accessibility.Value) (text string) {
	if v == nil || json.Unmarshal([]byte(v.Value), &text) != nil {
		return ""
	}
	return text
}

// press waits for the one link or button of a page whose accessible name begins so,
// and clicks it.
func (c *Chromium) press(name string) {
	c.t.Helper()
	c.Run("press "+name, func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		return chromedp.Void{}, poll(chromiumLimit, ctx.Done(), func(context.Context) error { return pressed(ctx, target, name) })
	})
}

func pressed(ctx context.Context, target *chromedp.Target, name string) error {
	tree, err := cdp.Call(ctx, target, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		return err
	}
	var found []*accessibility.Node
	for _, node := range tree.Nodes {
		if role := textOf(node.Role); !node.Ignored && (role == "link" || role == "button") && strings.HasPrefix(textOf(node.Name), name) {
			found = append(found, node)
		}
	}
	if len(found) != 1 {
		return fmt.Errorf("e2e: chromium: %d links or buttons are called %q", len(found), name)
	}
	object, err := cdp.Call(ctx, target, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: found[0].BackendDOMNodeID})
	if err != nil {
		return err
	}
	_, err = cdp.Call(ctx, target, runtime.CallFunctionOn, runtime.CallFunctionOnParams{
		FunctionDeclaration: "function() { this.click() }", ObjectID: object.Object.ObjectID,
	})
	return err
}

// forget takes a cookie out of the browser.
func (c *Chromium) forget(name, address string) {
	c.t.Helper()
	c.Run("forget "+name, func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, network.DeleteCookies, network.DeleteCookiesParams{Name: name, URL: address})
		return chromedp.Void{}, err
	})
}
