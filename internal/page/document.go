package page

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// frame is what is around the content of every page.
type frame struct {
	t       *language
	kind    string // whose template it has beside the one for all
	heading string
	mark    markup
	sheet   string // styles of this page alone
	script  string // the page's script, as its policy names it; "" for none
}

// write writes a page: its content, which the slots fill, within its frame.
func (s *Pages) write(f frame, content markup, slots ...slot) (body []byte, header httpmsg.Fields) {
	mark, title := f.mark, f.heading
	if src := image(s.logo); src != "" {
		mark = fill(logoHTML, text("src", src))
	}
	var site markup
	if s.title != "" {
		title += " \u00b7 " + s.title
		site = fill(siteHTML, text("name", s.title))
	}
	sheet := s.sheet + f.sheet
	slots = append(slots, part("content", fill(content, slots...)), part("style", markup(sheet)),
		text("lang", f.t.tag), text("dir", f.t.dir), text("title", title), text("heading", f.heading), part("mark", mark),
		text("logo", image(s.logo)))
	if own := s.template(f.kind); own != nil {
		return []byte(own.fill(append(slots, text("site", s.title)))), headers(f.t, own.policy(sheet), f.script)
	}
	hash := s.hash
	if f.sheet != "" {
		hash = hashOf(sheet)
	}
	return []byte(fill(documentHTML, append(slots, part("site", site))...)), headers(f.t, hash, f.script)
}

//go:embed html/style.css
var style string

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// headers are the fields that every page is sent with, by the hashes of what it
// holds of styles and scripts.
func headers(t *language, styles, script string) httpmsg.Fields {
	policy := "default-src 'none'; style-src " + styles
	if script != "" {
		policy += "; script-src " + script
	}
	return append(httpmsg.Fields{
		{Name: "content-type", Value: "text/html; charset=utf-8"},
		{Name: "content-language", Value: t.tag},
		{Name: "content-security-policy", Value: policy +
			"; img-src https: data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
		{Name: "x-frame-options", Value: "DENY"},
	}, common()...)
}

// common are the fields that pages and problems share.
func common() httpmsg.Fields {
	return httpmsg.Fields{
		{Name: "cache-control", Value: "no-store"},
		{Name: "x-content-type-options", Value: "nosniff"},
		{Name: "referrer-policy", Value: "no-referrer"},
	}
}
