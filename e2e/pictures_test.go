//go:build pictures

package e2e

import (
	"bytes"
	"cmp"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/postern-auth/postern/internal/page"
	"github.com/postern-auth/postern/internal/page/showcase"
)

var picturesTo = flag.String("to", "../docs/screenshots", "the `directory` for pictures")

// TestPictures takes those of docs/pages.md: each page on a phone and on a
// desktop, by day and by night, side by side.
//
//	go test -tags pictures -run Pictures ./e2e
func TestPictures(t *testing.T) {
	c := NewChromium(t)
	s := NewPageServer(t, siteLook, showcase.Site{Prefix: "/oauth2"})
	if err := os.MkdirAll(*picturesTo, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, sample := range s.Samples {
		c.Open(s.Address("en", sample.Name))
		var sides []image.Image
		for _, screen := range screens {
			for _, scheme := range []string{"light", "dark"} {
				c.Run("change the screen", chromedp.EmulateViewport(screen.width, screen.height), inMedia(map[string]string{"prefers-color-scheme": scheme}))
				sides = append(sides, picture(t, c))
			}
		}
		keepPicture(t, sample.Name, sides)
	}
	c.Run("take a phone by day", chromedp.EmulateViewport(screens[0].width, screens[0].height), inMedia(map[string]string{"prefers-color-scheme": "light"}))
	for _, name := range []string{"sign_in_email_unknown", "denied_several"} {
		var sides []image.Image
		for _, language := range page.Languages()[1:] {
			c.Open(s.Address(language, name))
			sides = append(sides, picture(t, c))
		}
		keepPicture(t, "languages_"+name, sides)
	}
	c.Open(s.Address("en", "sign_in_email_unknown"))
	c.Load(`document.documentElement.dir = "rtl"`)
	mirrored := screen(t, c)
	c.Run("take a screen of few colours", inMedia(map[string]string{"forced-colors": "active", "prefers-color-scheme": "dark"}))
	keepPicture(t, "mirrored_and_forced_colours", []image.Image{mirrored, screen(t, c)})
}

// picture is a whole page, and screen what fits on one.
func picture(t *testing.T, c *Chromium) image.Image {
	t.Helper()
	return asImage(t, get(c, "take a picture", chromedp.FullScreenshot(100)))
}

func screen(t *testing.T, c *Chromium) image.Image {
	t.Helper()
	return asImage(t, get(c, "take a picture", chromedp.CaptureScreenshot()))
}

func asImage(t *testing.T, picture []byte) image.Image {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	return full
}

// keepPicture writes pictures side by side, in the colours that they have most of.
func keepPicture(t *testing.T, name string, sides []image.Image) {
	t.Helper()
	const gap = 16
	var size image.Point
	for _, side := range sides {
		size.X, size.Y = size.X+side.Bounds().Dx()+gap, max(size.Y, side.Bounds().Dy())
	}
	all := image.NewRGBA(image.Rect(0, 0, size.X-gap, size.Y))
	at := 0
	for _, side := range sides {
		draw.Draw(all, image.Rect(at, 0, at+side.Bounds().Dx(), side.Bounds().Dy()), side, image.Point{}, draw.Src)
		at += side.Bounds().Dx() + gap
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, reduced(all)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*picturesTo, name+".png"), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// reduced is a picture in 64 colours, which is all that a page has beside the
// edges of its letters.
func reduced(full *image.RGBA) *image.Paletted {
	count := map[color.RGBA]int{}
	for i := 0; i < len(full.Pix); i += 4 {
		count[rgba(full.Pix[i:])]++
	}
	all := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int {
		return cmp.Or(count[b]-count[a], slices.Compare([]uint8{a.R, a.G, a.B}, []uint8{b.R, b.G, b.B})) // the same each time
	})
	var palette color.Palette
	for _, c := range all {
		distinct := len(palette) < 16 || !slices.ContainsFunc(palette, func(p color.Color) bool { return alike(p.(color.RGBA), c) })
		if distinct && len(palette) < 64 {
			palette = append(palette, c)
		}
	}
	near := make(map[color.RGBA]uint8, len(count))
	for c := range count {
		near[c] = uint8(palette.Index(c))
	}
	small := image.NewPaletted(full.Bounds(), palette)
	for i := range small.Pix {
		small.Pix[i] = near[rgba(full.Pix[4*i:])]
	}
	return small
}

func rgba(pix []byte) color.RGBA { return color.RGBA{pix[0], pix[1], pix[2], pix[3]} }

func alike(a, b color.RGBA) bool {
	far := func(x, y uint8) int { return max(int(x)-int(y), int(y)-int(x)) }
	return far(a.R, b.R)+far(a.G, b.G)+far(a.B, b.B)+far(a.A, b.A) < 20
}
