package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/postern-auth/postern/internal/page"
	"github.com/postern-auth/postern/internal/page/showcase"
)

func TestPagesSayWhichWayWasTheLastWithoutTakingRoomFromIt(t *testing.T) {
	c := NewChromium(t)
	s := NewPageServer(t, siteLook, showcase.Site{Prefix: "/oauth2", Choices: []page.Choice{{Kind: "oidc", Name: "Partner login", URL: "/a"}}})
	const taken = `(() => {
		const label = document.querySelector(".way span"), last = document.querySelector(".way small"), text = document.createRange()
		text.selectNodeContents(label)
		const lines = [...text.getClientRects()], b = last.getBoundingClientRect(), high = label.offsetHeight
		if (lines.some(a => a.left < b.right && b.left < a.right && a.top + 4 < b.bottom && b.top < a.bottom)) return -1
		last.remove()
		return high - label.offsetHeight
	})()`
	for _, width := range []int64{320, 390, 800} {
		for _, language := range page.Languages() {
			c.Run("change the screen", chromedp.EmulateViewport(width, 700))
			c.Open(s.Address(language, "sign_in_last"))
			if n := get(c, "measure the label", chromedp.Evaluate[int](taken)); n != 0 {
				t.Errorf("%s, %d wide: the label is %d pixels higher (-1: it is covered)", language, width, n)
			}
		}
	}
}
