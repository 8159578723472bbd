package idp

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"net/url"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what page.html shows.
type page struct {
	Title    string
	Client   string
	Username string
	Problem  string
	Message  string
	SignIn   bool
	Account  string   // who is signed in, where there is a choice
	Consent  []string // scopes
	SignOut  bool
	Hidden   map[string]string // fields that the sign-out question keeps
}

func (p *Provider) show(w http.ResponseWriter, status int, content page) {
	content.Title = p.cfg.Title
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	// No form-action here: browsers apply it to the redirects that follow a
	// form as well, and those lead to the client.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	// Not no-referrer: that would make the Origin of our own form null.
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_ = pageTemplate.Execute(w, content)
}

func (p *Provider) showSignIn(w http.ResponseWriter, a *authorization, message, problem string) {
	status := http.StatusOK
	if problem != "" {
		status = http.StatusUnauthorized
	}
	p.show(w, status, page{SignIn: true, Client: a.client.ID, Username: a.loginHint, Message: message, Problem: problem})
}

func (p *Provider) showSignOut(w http.ResponseWriter, form map[string]string) {
	p.show(w, http.StatusOK, page{Message: "Do you want to sign out?", SignOut: true, Hidden: form})
}

func (p *Provider) showSignedOut(w http.ResponseWriter) {
	p.show(w, http.StatusOK, page{Message: "You are signed out."})
}

func (p *Provider) showError(w http.ResponseWriter, err error) {
	var e *oauthError
	if !errors.As(err, &e) {
		e = &oauthError{"server_error", "the request could not be answered"}
	}
	p.count("refused:" + e.code)
	p.show(w, http.StatusBadRequest, page{Problem: "This request cannot be answered: " + e.description + "."})
}

// postTemplate is an answer that the browser posts to the client (OAuth 2.0 Form Post
// Response Mode, section 2): by itself, and by a button where scripts are off.
var postTemplate = template.Must(template.New("post").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Title}}</title></head>
<body><form method="post" action="{{.Action}}">
{{range $name, $values := .Fields}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}<noscript><button>Continue</button></noscript></form>
<script>` + postScript + `</script></body></html>
`))

const postScript = "document.forms[0].submit()"

// postAnswer has the browser carry an answer in a form.
func (p *Provider) postAnswer(w http.ResponseWriter, a *authorization, answer url.Values) {
	script := sha256.Sum256([]byte(postScript))
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'sha256-"+base64.StdEncoding.EncodeToString(script[:])+"'; base-uri 'none'; frame-ancestors 'none'")
	_ = postTemplate.Execute(w, map[string]any{"Title": p.cfg.Title, "Action": a.redirectURI, "Fields": answer})
}
