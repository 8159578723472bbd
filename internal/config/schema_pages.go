package config

import "time"

// SignIn says how signing in looks.
type SignIn struct {
	// Page says when people see a page before they are sent to the provider:
	// `auto`, only when there is a choice of providers; `always`; or `never`.
	//
	// Default: "auto"
	Page string `json:"page"`

	// Title is what people sign in to, as pages name it: up to 100 characters.
	//
	// Example: "Example Shop"
	Title string `json:"title"`

	// Logo is the picture at the head of pages: an https address, or a
	// `data:image/` one of at most 8192 bytes.
	//
	// Example: "https://www.example.com/logo.svg"
	Logo string `json:"logo"`

	// Text is a sentence or two on the sign-in page: up to 500 characters.
	//
	// Example: "Staff sign in with the company login, everybody else with Google."
	Text string `json:"text"`

	// Remember is how long a browser remembers at which provider somebody signed
	// in, so that the page is not shown again until they sign out, up to 9600h;
	// `0s` for not at all. `/oauth2/sign_in` always shows it. With a `public_url` it
	// is remembered on that host, and signing out on another one reaches it by way of
	// the provider only (`sign_out.at_provider`).
	//
	// Default: "720h"
	Remember Duration `json:"remember"`

	// KeepFragment keeps what stands behind `#` in the address that somebody wanted
	// to open without being signed in: a page of ours with a script of four lines
	// comes before the way to the provider. Only browsers get it.
	//
	// Default: true
	KeepFragment bool `json:"keep_fragment"`

	// KeepForms keeps a form that somebody sends whose session is over: sealed, in
	// the browser's own storage, and after they have signed in they are asked
	// whether it shall be sent. For forms of up to 32768 bytes from pages of the
	// same origin, without files, where the host lets bodies through
	// (docs/security.md).
	//
	// Default: false
	KeepForms bool `json:"keep_forms"`

	// LoginTimeout is how long a person may take at the provider, from 1m to
	// 1h.
	//
	// Default: "15m"
	LoginTimeout Duration `json:"login_timeout"`
}

func (s *SignIn) setDefaults() {
	s.Page = "auto"
	s.Remember = Duration(30 * 24 * time.Hour)
	s.KeepFragment = true
	s.LoginTimeout = Duration(15 * time.Minute)
}

// Pages says how our pages look, and what they say.
type Pages struct {
	// Language is the language of pages: `auto`, for what the browser prefers; or
	// one of `en`, `de`, `fr`, `es`, `zh` and `ja` for everybody.
	//
	// Default: "auto"
	Language string `json:"language"`

	// Colors are colours of pages, each `#` and six hexadecimal digits: `accent`
	// of buttons, `background`, `card`, `text`; and the same with `_dark` for
	// screens that are set to dark. What is not given is ours, but for
	// `accent_dark`, which is then made of `accent`. Text that could not be read on
	// `background` or `card` is refused (docs/pages.md).
	//
	// Example: {"accent": "#8a1538", "accent_dark": "#f0a6b8"}
	Colors map[string]string `json:"colors"`

	// Texts are words of your own: language to name to text, of up to 600 bytes.
	// `postern pages --texts` prints the names with our own words, whose
	// placeholders yours must have (docs/pages.md).
	//
	// Example: {"en": {"sign_in": "Log in"}}
	Texts map[string]map[string]string `json:"texts"`

	// Templates are whole pages of your own: `page` for all of them, or one of
	// `sign_in`, `signed_out`, `error` and `denied`, to HTML with placeholders
	// (docs/pages.md), of at most 65536 bytes. What is put in is always escaped.
	// They run no script.
	//
	// Example: {"page": "<!doctype html><title>{{title}}</title><style>{{style}}</style>{{content}}"}
	Templates map[string]Template `json:"templates"`
}

func (p *Pages) setDefaults() { p.Language = "auto" }

// Template is HTML with placeholders.
type Template string

const maxTemplate = 64 << 10

func (t *Template) decode(r *reader, path string, n *node) {
	if !r.is(path, n, kindString) {
		return
	}
	if flaw := badlySized(n.text, maxTemplate); flaw != "" {
		r.problem(path, "%s", flaw)
		return
	}
	*t = Template(n.text)
}
