package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/postern-auth/postern/internal/page"
	"github.com/postern-auth/postern/internal/page/showcase"
)

// screens are what pages are looked at on.
var screens = []struct {
	name          string
	width, height int64
}{{"phone", 390, 780}, {"desktop", 800, 700}}

// siteLook is what a site that cares for its looks would say.
var siteLook = page.Options{Title: "Example Shop", Text: "Staff sign in with the company login, everybody else as they like."}

func TestPagesCanBeUsedByEverybody(t *testing.T) {
	c, axe := NewChromium(t), Axe(t)
	for name, look := range map[string]page.Options{
		"our colours":   siteLook,
		"other colours": {Title: "Example Shop", Colors: map[string]string{"accent": "#ffd166", "background": "#fff8e7", "card": "#fffdf7", "text": "#33270a"}},
	} {
		s := NewPageServer(t, look, showcase.Site{Prefix: "/oauth2"})
		for i, sample := range s.Samples {
			if name == "other colours" && i%6 > 0 {
				continue // what differs is in any few of them
			}
			t.Run(name+"/"+sample.Name, func(t *testing.T) {
				c.Open(s.Address("en", sample.Name))
				c.Load(axe)
				for _, screen := range screens {
					for _, scheme := range []string{"light", "dark"} {
						c.Run("change the screen", chromedp.EmulateViewport(screen.width, screen.height), inMedia(map[string]string{"prefers-color-scheme": scheme}))
						if found := c.Violations(); len(found) > 0 {
							t.Errorf("on a %s, %s:\n\t%s", screen.name, scheme, inRows(found))
						}
						if c.Wider() {
							t.Errorf("on a %s it is wider than the screen", screen.name)
						}
					}
				}
			})
		}
	}
}

// WCAG 2.2, 1.4.10 and 1.4.4: nothing is cut off on the narrowest screen, which
// is also what a page at 400 % comes to, in any language and for long names.
func TestPagesFitAnyScreenInAnyLanguage(t *testing.T) {
	c := NewChromium(t)
	long := showcase.Site{Prefix: "/oauth2", Email: true, Choices: []page.Choice{
		{Kind: "oidc", Name: "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", URL: "/a"},
		{Kind: "google", Name: "The Worshipful Company of Makers of Exceptionally Long Names, Department of Identity", URL: "/b"},
		{Kind: "github", Name: "نادي القراءة في المدينة القديمة", URL: "/c", Color: "#24292f"},
	}}
	s := NewPageServer(t, siteLook, long)
	c.Run("take the narrowest screen", chromedp.EmulateViewport(320, 640))
	for _, language := range page.Languages() {
		t.Run(language, func(t *testing.T) {
			for i, sample := range s.Samples {
				if language != "de" && i%3 > 0 {
					continue // German has the longest words
				}
				c.Open(s.Address(language, sample.Name))
				if c.Wider() {
					t.Errorf("%s is wider than the screen", sample.Name)
				}
				if got := get(c, "look at the language", chromedp.Evaluate[string](`document.documentElement.lang`)); got != language {
					t.Errorf("%s is in %q", sample.Name, got)
				}
			}
		})
	}
}

func TestPagesAreMirroredFromRightToLeft(t *testing.T) {
	c := NewChromium(t)
	s := NewPageServer(t, siteLook, showcase.Site{Prefix: "/oauth2"})
	c.Run("take a phone", chromedp.EmulateViewport(390, 780))
	for _, sample := range s.Samples {
		c.Open(s.Address("en", sample.Name))
		const mirrored = `(() => {
			const sides = () => [...document.querySelectorAll("main *")].filter(e => !e.closest("svg")).map(e => {
				const r = e.getBoundingClientRect(); return [r.left, innerWidth - r.right, r.width] })
			const before = sides()
			document.documentElement.dir = "rtl"
			const off = sides().filter((s, i) => ["block", "flex", "grid"].includes(getComputedStyle(
				[...document.querySelectorAll("main *")].filter(e => !e.closest("svg"))[i]).display) && Math.abs(s[0] - before[i][1]) > 1)
			return off.length
		})()`
		if off := get(c, "turn it around", chromedp.Evaluate[int](mirrored)); off > 0 || c.Wider() {
			t.Errorf("%s: %d parts are not where the mirror has them", sample.Name, off)
		}
	}
}

func TestTheKeyboardReachesEveryWayOn(t *testing.T) {
	c := NewChromium(t)
	s := NewPageServer(t, siteLook, showcase.Site{Prefix: "/oauth2"})
	for _, sample := range s.Samples {
		c.Open(s.Address("en", sample.Name))
		ways := get(c, "count the ways", chromedp.Evaluate[int](`document.querySelectorAll("a, button, input:not([type=hidden])").length`))
		seen := map[string]bool{}
		if at := get(c, "see what has the focus", chromedp.Evaluate[string](focused)); at != "" {
			seen[at] = true
		}
		for range ways + 1 { // one of which may have it from the start
			c.Run("press Tab", chromedp.KeyEvent("\t"))
			at := get(c, "see what has the focus", chromedp.Evaluate[string](focused))
			if at != "" {
				seen[at] = true
			}
		}
		if len(seen) != ways {
			t.Errorf("%s: %d of %d ways are reached", sample.Name, len(seen), ways)
		}
	}
}

// focused is what has the focus, if that can be seen.
const focused = `(() => {
	const e = document.activeElement
	return e && e !== document.body && getComputedStyle(e).outlineStyle !== "none"
		? String([...document.querySelectorAll("a, button, input")].indexOf(e)) : ""
})()`
