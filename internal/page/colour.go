package page

import "strings"

// colour is one of sRGB.
type colour struct{ r, g, b uint8 }

var black, white = colour{}, colour{255, 255, 255}

func readColour(s string) (c colour, ok bool) {
	if len(s) != 7 || s[0] != '#' {
		return c, false
	}
	var n [6]uint8
	for i := range n {
		d := strings.IndexByte("0123456789abcdef", s[i+1]|0x20)
		if d < 0 || s[i+1] < '0' {
			return c, false
		}
		n[i] = uint8(d)
	}
	return colour{n[0]<<4 | n[1], n[2]<<4 | n[3], n[4]<<4 | n[5]}, true
}

func (c colour) String() string {
	const digits = "0123456789abcdef"
	out := []byte{'#'}
	for _, v := range [...]uint8{c.r, c.g, c.b} {
		out = append(out, digits[v>>4], digits[v&15])
	}
	return string(out)
}

// mix is so many hundredths of another colour in c.
func (c colour) mix(other colour, percent int) colour {
	part := func(a, b uint8) uint8 { return uint8((int(a)*(100-percent) + int(b)*percent) / 100) }
	return colour{part(c.r, other.r), part(c.g, other.g), part(c.b, other.b)}
}

// luminance is that of WCAG 2.2, within a hundredth: the power in its formula is
// taken by a polynomial.
func (c colour) luminance() float64 {
	linear := func(v uint8) float64 {
		x := float64(v) / 255
		return x * (x*(x*0.305306011+0.682171111) + 0.012522878)
	}
	return 0.2126*linear(c.r) + 0.7152*linear(c.g) + 0.0722*linear(c.b)
}

// contrast is that of WCAG 2.2, from 1 to 21.
func (c colour) contrast(other colour) float64 {
	a, b := c.luminance(), other.luminance()
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

// The least contrast of text, and of what shows where a control is (WCAG 2.2,
// 1.4.3 and 1.4.11), with what the polynomial may be off.
const (
	readable = 4.6
	visible  = 3.1
)

// on is black or white, whichever is read better on c.
func (c colour) on() colour {
	if c.contrast(black) > c.contrast(white) {
		return black
	}
	return white
}

// strong is c as it looks under the pointer: further from the text on it.
func (c colour) strong() colour {
	if c.on() == white {
		return c.mix(black, 25)
	}
	return c.mix(white, 30)
}

// towards is c, mixed with other until it has a contrast to all of the grounds.
func (c colour) towards(other colour, contrast float64, grounds ...colour) colour {
	for percent := 0; percent < 100; percent += 5 {
		mixed, enough := c.mix(other, percent), true
		for _, g := range grounds {
			enough = enough && mixed.contrast(g) >= contrast
		}
		if enough {
			return mixed
		}
	}
	return other
}

// palette is the colours of a page that the settings may say.
type palette struct {
	accent, background, card, text colour
	good, bad                      colour // which they may not, beyond what it takes to see them
}

// Ours, as they stand in style.css.
var (
	lightPalette = palette{
		colour{0x1d, 0x5b, 0x4f}, colour{0xf2, 0xf4, 0xf6}, white, colour{0x17, 0x1b, 0x21},
		colour{0x1d, 0x6b, 0x47}, colour{0xa3, 0x3a, 0x1d},
	}
	darkPalette = palette{
		colour{0x8f, 0xd3, 0xc0}, colour{0x10, 0x14, 0x18}, colour{0x18, 0x1d, 0x23}, colour{0xed, 0xf0, 0xf3},
		colour{0x86, 0xd5, 0xab}, colour{0xff, 0xab, 0x91},
	}
)

var colourNames = [...]string{
	"accent", "background", "card", "text", "accent_dark", "background_dark", "card_dark", "text_dark",
}

// with puts what the settings say into a palette, and reports whether they say
// anything beside the accent.
func (p palette) with(colours map[string]string, suffix string) (palette, bool) {
	beside := false
	for i, at := range [...]*colour{&p.accent, &p.background, &p.card, &p.text} {
		if c, ok := readColour(colours[colourNames[i]+suffix]); ok {
			*at = c
			beside = beside || i > 0
		}
	}
	return p, beside
}

// palettes are the styles of the settings' colours, to follow our own. Those of one
// scheme are for that alone: what is not named for the other stays ours there.
func palettes(colours map[string]string) string {
	if len(colours) == 0 {
		return ""
	}
	light, beside := lightPalette.with(colours, "")
	sheet := "@media (prefers-color-scheme:light){:root{" + light.styles(beside) + "}}\n"
	dark, beside := darkPalette.with(colours, "_dark")
	if colours["accent_dark"] == "" && colours["accent"] != "" {
		dark.accent = light.accent.towards(white, readable, dark.card)
	}
	return sheet + "@media (prefers-color-scheme:dark){:root{" + dark.styles(beside) + "}}\n"
}

// styles are the palette's custom properties. What the settings do not name is
// made of what they do.
func (p palette) styles(beside bool) string {
	ring := p.accent
	if ring.contrast(p.card) < visible {
		ring = p.text
	}
	out := "--accent:" + p.accent.String() + ";--on-accent:" + p.accent.on().String() +
		";--accent-strong:" + p.accent.strong().String() + ";--ring:" + ring.String()
	if !beside {
		return out
	}
	toText := func(percent int, contrast float64) string {
		return p.card.mix(p.text, percent).towards(p.text, contrast, p.card, p.background).String()
	}
	return out + ";--ground:" + p.background.String() + ";--card:" + p.card.String() + ";--text:" + p.text.String() +
		";--line:" + toText(14, 1) + ";--soft:" + toText(65, readable) + ";--edge:" + toText(45, visible) +
		";--good:" + p.good.towards(p.text, readable, p.card).String() + ";--bad:" + p.bad.towards(p.text, readable, p.card).String()
}

func colourFlaw(colours map[string]string, name string) string {
	if message := oneOf(name, colourNames[:]); message != "" {
		return message
	}
	if _, ok := readColour(colours[name]); !ok {
		return "must be # and six hexadecimal digits, such as #1d5b4f"
	}
	return ""
}

// paletteFlaw says whose text nobody could read.
func paletteFlaw(colours map[string]string) string {
	for i, ours := range [...]palette{lightPalette, darkPalette} {
		suffix := [...]string{"", "_dark"}[i]
		p, _ := ours.with(colours, suffix)
		for j, ground := range [...]colour{p.background, p.card} {
			if p.text.contrast(ground) < 4.45 {
				return "text" + suffix + " cannot be read on " + colourNames[1+j] + suffix + ": its contrast is below 4.5 to 1 (what is not given is ours)"
			}
		}
	}
	return ""
}
