package config

import (
	"time"

	"github.com/postern-auth/postern/internal/page"
)

// maxRemember is as long as browsers keep a cookie at all (RFC 6265bis, section
// 5.5): 400 days.
const maxRemember = 400 * 24 * time.Hour

func (r *reader) signIn(path string, s *SignIn) {
	r.oneOf(at(path, "page"), s.Page, "auto", "always", "never")
	r.atMost(at(path, "title"), s.Title, 100)
	r.atMost(at(path, "text"), s.Text, 500)
	r.picture(at(path, "logo"), s.Logo)
	r.within(at(path, "remember"), s.Remember, 0, maxRemember)
	r.within(at(path, "login_timeout"), s.LoginTimeout, minute, hour)
}

// pages checks how pages look and what they say, as the room that writes them
// knows it.
func (r *reader) pages(path string, p *Pages) {
	if !r.clean(path) {
		return
	}
	for _, f := range page.Check(page.Options{Language: p.Language, Colors: p.Colors, Texts: p.Texts, Templates: p.templates()}) {
		place := path
		for _, key := range f.Path {
			place = at(place, key)
		}
		r.problem(place, "%s", f.Message)
	}
}

func (p *Pages) templates() map[string]string {
	all := make(map[string]string, len(p.Templates))
	for name, t := range p.Templates {
		all[name] = string(t)
	}
	return all
}

// Look is how pages look and what they say.
func (c *Config) Look() page.Options {
	return page.Options{
		Title: c.SignIn.Title, Logo: c.SignIn.Logo, Text: c.SignIn.Text,
		Language: c.Pages.Language, Colors: c.Pages.Colors, Texts: c.Pages.Texts, Templates: c.Pages.templates(),
	}
}
