package standins

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// code is what a person's consent was turned into, until it is exchanged.
type code struct {
	client, redirect  string
	challenge, method string
	nonce             string
	user              string
	scopes            []string
	offline           bool
	tenant            string
	valid             time.Time
	used              bool
}

// codeLife is the ten minutes of all three services.
const codeLife = 10 * time.Minute

// proves says whether a verifier fits the challenge of the code (RFC 7636).
func (c *code) proves(verifier string) bool {
	if c.challenge == "" {
		return verifier == ""
	}
	if c.method == "S256" {
		sum := sha256.Sum256([]byte(verifier))
		verifier = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return same(verifier, c.challenge)
}

// credentials are the client's, by either of the two ways (RFC 6749, section 2.3.1).
// The form is parsed already.
func credentials(r *http.Request) (id, password string) {
	if id, password, basic := r.BasicAuth(); basic {
		return id, password
	}
	return r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// secret is a string that nobody can guess.
func secret(prefix string) string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // crypto/rand never fails: it ends the process instead
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}

type object = map[string]any

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

// writePage shows a page with a form of hidden and of visible fields. What
// remains of the address stays in the form's.
func writePage(w http.ResponseWriter, status int, title, action string, hidden, visible map[string]string) {
	var fields strings.Builder
	for _, name := range sortedKeys(hidden) {
		fmt.Fprintf(&fields, `<input type="hidden" name="%s" value="%s">`, html.EscapeString(name), html.EscapeString(hidden[name]))
	}
	for _, name := range sortedKeys(visible) {
		fmt.Fprintf(&fields, `<label>%[1]s <input name="%[1]s" type="%[2]s"></label>`, html.EscapeString(name), visible[name])
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if action == "" {
		fmt.Fprintf(w, "<!doctype html><title>%[1]s</title><h1>%[1]s</h1>", html.EscapeString(title))
		return
	}
	fmt.Fprintf(w, `<!doctype html><title>%[1]s</title><h1>%[1]s</h1><form method="post" action="%[2]s">%[3]s<button type="submit">Go on</button></form>`,
		html.EscapeString(title), html.EscapeString(action), fields.String())
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// sendBack adds parameters to a client's address.
func sendBack(w http.ResponseWriter, r *http.Request, to string, add url.Values) {
	u, err := url.Parse(to)
	if err != nil {
		http.Error(w, "bad address", http.StatusBadRequest)
		return
	}
	query := u.Query()
	for k, v := range add {
		if len(v) > 0 && v[0] != "" {
			query[k] = v
		}
	}
	u.RawQuery = query.Encode()
	http.Redirect(w, r, u.String(), http.StatusFound)
}

// again is the address of a request, to come back to from another page.
func again(r *http.Request) string { return r.URL.Path + "?" + r.URL.RawQuery }

// without is the same address less some parameters.
func without(r *http.Request, names ...string) string {
	query := r.URL.Query()
	for _, name := range names {
		query.Del(name)
	}
	return r.URL.Path + "?" + query.Encode()
}

func words(s string) []string { return strings.Fields(s) }

func setCookie(w http.ResponseWriter, name, value string) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

func bearerToken(r *http.Request) string {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "bearer") {
		return ""
	}
	return token
}
