package demo

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
)

//go:embed app.html
var appText string

var appTemplate = template.Must(template.New("app").Parse(appText))

// seen is what the sample application learned from one request.
type seen struct {
	Path    string   `json:"path"`
	User    string   `json:"user"`
	Email   string   `json:"email"`
	Groups  []string `json:"groups"`
	Headers []header `json:"headers"` // all of them, tokens shortened
	Cookies []string `json:"cookies"` // the names
	Switch  string   `json:"-"`       // where one becomes somebody else
}

type header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Identity says whether a header tells who is calling.
func (h header) Identity() bool {
	name := strings.ToLower(strings.ReplaceAll(h.Name, "_", "-"))
	return name == "authorization" || strings.HasPrefix(name, "x-auth-request-")
}

// app is the sample application: it shows what it was told. It trusts its
// headers blindly, as an application behind a gate does. Its page has a
// link to the address at which one becomes somebody else.
func app(switchAt string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := look(r)
		s.Switch = switchAt
		s.show(w, r)
	}
}

func (s seen) show(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	_ = appTemplate.Execute(w, s)
}

func look(r *http.Request) seen {
	s := seen{
		Path:    r.URL.RequestURI(),
		User:    r.Header.Get("X-Auth-Request-User"),
		Email:   r.Header.Get("X-Auth-Request-Email"),
		Groups:  []string{},
		Cookies: []string{},
	}
	for _, group := range strings.Split(r.Header.Get("X-Auth-Request-Groups"), ",") {
		if group = strings.TrimSpace(group); group != "" {
			s.Groups = append(s.Groups, group)
		}
	}
	for name, values := range r.Header {
		for _, value := range values {
			if name != "Cookie" {
				s.Headers = append(s.Headers, header{name, shorten(value)})
			}
		}
	}
	slices.SortFunc(s.Headers, func(a, b header) int { return strings.Compare(a.Name+a.Value, b.Name+b.Value) })
	for _, cookie := range r.Cookies() {
		s.Cookies = append(s.Cookies, cookie.Name)
	}
	return s
}

// shorten cuts the tokens in a value: a page may be shown to others.
func shorten(value string) string {
	words := strings.Split(value, " ")
	for i, word := range words {
		if len(word) > 40 && (strings.Count(word, ".") >= 2 || !strings.ContainsAny(word, "/;,")) {
			words[i] = fmt.Sprintf("%s… (%d characters)", word[:8], len(word))
		}
	}
	return strings.Join(words, " ")
}
