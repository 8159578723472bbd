package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/idp"
)

// firstPage is the page that each journey begins with and must end at.
const firstPage = "/reports?month=11&view=all"

// step is one thing to try. It says what it checked.
type step struct {
	name string
	try  func() (checked string, err error)
}

// check walks all journeys and prints each step. It is true if all went well.
func check(ctx context.Context, p *place, out io.Writer) bool {
	ok := walk(out, "Nobody", (&visit{ctx: ctx, place: p, browser: newBrowser()}).anonymousSteps())
	for _, person := range people {
		v := &visit{ctx: ctx, place: p, browser: newBrowser(), person: person}
		steps := v.signInSteps()
		if p.rules {
			steps = append(steps, v.ruleSteps()...)
		}
		if person.PreferredUsername == "alice" {
			steps = append(steps, v.hostileSteps()...)
		}
		ok = walk(out, person.Name, append(steps, v.signOutStep())) && ok
	}
	if ok {
		fmt.Fprintln(out, "\nThe journey works.")
	} else {
		fmt.Fprintln(out, "\nThe journey does not work.")
	}
	return ok
}

// walk takes steps that build on each other, so the first failure ends it.
func walk(out io.Writer, who string, steps []step) bool {
	fmt.Fprintf(out, "\n%s\n", who)
	for _, s := range steps {
		checked, err := s.try()
		if err != nil {
			fmt.Fprintf(out, "  ✗ %s: %v\n", s.name, err)
			return false
		}
		fmt.Fprintf(out, "  ✓ %s: %s\n", s.name, checked)
	}
	return true
}

// visit is one person at one browser.
type visit struct {
	ctx     context.Context
	place   *place
	browser *browser
	person  idp.User

	at      *reply   // the latest answer
	state   string   // of the login under way
	session []string // names of the session's cookies
}

func (v *visit) anonymousSteps() []step {
	return []step{
		{"a page that is open to anyone", v.openPage},
		{"a program without a session", v.programRefused},
	}
}

func (v *visit) signInSteps() []step {
	return []step{
		{"the first page leads to the provider", v.sentToProvider},
		{"the provider asks who it is", v.askedToSignIn},
		{"name and password lead back", v.signedIn},
		{"the callback leads to the first page", v.calledBack},
		{"the application knows who it is", v.known},
	}
}

func (v *visit) hostileSteps() []step {
	return []step{
		{"forged identity headers", v.forgedHeaders},
		{"cookies that the application gets", v.cookiesKept},
		{"an altered session cookie", v.alteredCookie},
		{"a second login", v.silentLogin},
	}
}

func (v *visit) openPage() (string, error) {
	s, err := v.ask("/public/hello", forged())
	if err != nil {
		return "", err
	}
	if err := s.isFrom(idp.User{}, false); err != nil {
		return "", err
	}
	return "200 without a session, forged identity headers gone", nil
}

func (v *visit) programRefused() (string, error) {
	r, err := v.browser.send(v.ctx, http.MethodGet, v.place.base()+"/api", nil, http.Header{
		"Accept": {"application/json"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"same-origin"},
	})
	if err != nil {
		return "", err
	}
	if r.status != http.StatusUnauthorized || r.header.Get("Location") != "" {
		return "", fmt.Errorf("expected status 401 and no redirect, got %d", r.status)
	}
	if !json.Valid([]byte(r.body)) || !strings.Contains(r.header.Get("Content-Type"), "json") {
		return "", fmt.Errorf("the answer is not JSON but %q", r.header.Get("Content-Type"))
	}
	return "401 with JSON, no redirect", nil
}

func (v *visit) sentToProvider() (string, error) {
	r, err := v.browser.open(v.ctx, v.place.base()+firstPage)
	if err != nil {
		return "", err
	}
	v.at = r
	return v.checkAuthorizationRequest(r)
}

func (v *visit) checkAuthorizationRequest(r *reply) (string, error) {
	to, err := r.location()
	if err != nil {
		return "", err
	}
	if got, want := origin(to)+to.Path, v.place.issuer()+"/authorize"; got != want {
		return "", fmt.Errorf("expected the way to %s, got %s", want, got)
	}
	q := to.Query()
	v.state = q.Get("state")
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "demo", "code_challenge_method": "S256", "redirect_uri": v.place.base() + "/oauth2/callback",
	} {
		if got := q[name]; len(got) != 1 || got[0] != want {
			return "", fmt.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	for name, atLeast := range map[string]int{"state": 43, "nonce": 22, "code_challenge": 43} {
		if got := q[name]; len(got) != 1 || len(got[0]) < atLeast {
			return "", fmt.Errorf("%s is missing or shorter than %d characters", name, atLeast)
		}
	}
	if !slices.Contains(strings.Fields(q.Get("scope")), "openid") {
		return "", errors.New("the openid scope is missing")
	}
	if !strings.Contains(r.header.Get("Cache-Control"), "no-store") {
		return "", errors.New("the redirect may be stored by caches")
	}
	return fmt.Sprintf("%d, code flow, PKCE S256, state, nonce, not cached", r.status), nil
}

func (v *visit) askedToSignIn() (string, error) {
	to, err := v.at.location()
	if err != nil {
		return "", err
	}
	if v.at, err = v.browser.open(v.ctx, to.String()); err != nil {
		return "", err
	}
	if v.at.status != http.StatusOK || !strings.Contains(v.at.body, `name="password"`) {
		return "", fmt.Errorf("expected a form for a password, got status %d", v.at.status)
	}
	return "a form for name and password", nil
}

func (v *visit) signedIn() (string, error) {
	r, err := v.browser.submit(v.ctx, v.at.address.String(), url.Values{
		"username": {v.person.PreferredUsername}, "password": {v.person.Password},
	})
	if err != nil {
		return "", err
	}
	v.at = r
	return v.checkAnswer(r)
}

func (v *visit) checkAnswer(r *reply) (string, error) {
	to, err := r.location()
	if err != nil {
		return "", err
	}
	q := to.Query()
	switch {
	case origin(to)+to.Path != v.place.base()+"/oauth2/callback":
		return "", fmt.Errorf("the way back is %s", origin(to)+to.Path)
	case q.Get("error") != "":
		return "", fmt.Errorf("the provider refused: %s: %s", q.Get("error"), q.Get("error_description"))
	case q.Get("code") == "" || q.Get("state") != v.state || q.Get("iss") != v.place.issuer():
		return "", errors.New("the answer lacks the code, our state, or the issuer")
	}
	return "a code, our state, the issuer", nil
}

func (v *visit) calledBack() (string, error) {
	to, err := v.at.location()
	if err != nil {
		return "", err
	}
	v.browser.faults = nil
	before := maps.Clone(v.browser.cookies)
	if v.at, err = v.browser.open(v.ctx, to.String()); err != nil {
		return "", err
	}
	back, err := v.at.location()
	if err != nil {
		return "", err
	}
	if back.String() != v.place.base()+firstPage {
		return "", fmt.Errorf("it leads to %s, not to %s", back.RequestURI(), firstPage)
	}
	if len(v.browser.faults) > 0 {
		return "", errors.New(strings.Join(v.browser.faults, "; "))
	}
	v.session = v.sessionCookies(before)
	if len(v.session) == 0 {
		return "", errors.New("no session cookie was set")
	}
	return fmt.Sprintf("%d, the session in %s: HttpOnly, SameSite, this host only", v.at.status, strings.Join(v.session, ", ")), nil
}

// sessionCookies are those that the latest answer set, that are still there, and
// that were not before: what ties a login to the browser was.
func (v *visit) sessionCookies(before map[string]*http.Cookie) []string {
	var names []string
	for _, name := range v.at.set {
		if v.browser.cookies[name] != nil && before[name] == nil && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (v *visit) known() (string, error) {
	s, err := v.ask(firstPage, nil)
	if err != nil {
		return "", err
	}
	if err := s.isFrom(v.person, true); err != nil {
		return "", err
	}
	if s.Path != firstPage {
		return "", fmt.Errorf("the application saw the page %s", s.Path)
	}
	return fmt.Sprintf("user %s, email %s, groups %v, an access token; page %s", s.User, s.Email, s.Groups, s.Path), nil
}

func (v *visit) forgedHeaders() (string, error) {
	s, err := v.ask(firstPage, forged())
	if err != nil {
		return "", err
	}
	if err := s.isFrom(v.person, true); err != nil {
		return "", err
	}
	return "all gone, in every spelling; the true ones stand", nil
}

func (v *visit) cookiesKept() (string, error) {
	b := v.browser.clone()
	b.cookies["theme"] = &http.Cookie{Name: "theme", Value: "dark", Path: "/"}
	s, err := v.askBy(b, firstPage, nil)
	if err != nil {
		return "", err
	}
	for _, name := range s.Cookies {
		if strings.Contains(name, "postern") {
			return "", fmt.Errorf("the application got the gate's cookie %s", name)
		}
	}
	if !slices.Contains(s.Cookies, "theme") {
		return "", errors.New("the application's own cookie did not reach it")
	}
	return "its own, none of the gate's", nil
}

func (v *visit) alteredCookie() (string, error) {
	for _, name := range v.session {
		b := v.browser.clone()
		c := *b.cookies[name]
		c.Value = alter(c.Value)
		b.cookies[name] = &c
		r, err := b.open(v.ctx, v.place.base()+firstPage)
		if err != nil {
			return "", err
		}
		if _, err := v.checkAuthorizationRequest(r); err != nil {
			return "", fmt.Errorf("%s altered: %w", name, err)
		}
	}
	return "counts as no session", nil
}

// alter changes one character in the middle.
func alter(value string) string {
	middle, other := len(value)/2, "A"
	if value[middle] == 'A' {
		other = "B"
	}
	return value[:middle] + other + value[middle+1:]
}

// silentLogin signs in again in a window that lost the gate's cookies but not
// the provider's.
func (v *visit) silentLogin() (string, error) {
	b := v.browser.clone()
	maps.DeleteFunc(b.cookies, func(name string, _ *http.Cookie) bool { return strings.Contains(name, "postern") })
	r, err := b.open(v.ctx, v.place.base()+firstPage)
	for range 3 { // to the provider, to the callback, to the page
		if err != nil {
			return "", err
		}
		to, errLocation := r.location()
		if errLocation != nil {
			return "", errLocation
		}
		r, err = b.open(v.ctx, to.String())
	}
	if err != nil {
		return "", err
	}
	if r.status != http.StatusOK || r.address.RequestURI() != firstPage {
		return "", fmt.Errorf("it ended at %s with status %d", r.address.Path, r.status)
	}
	return "silent, by the provider's own session", nil
}

func (v *visit) signOutStep() step {
	return step{"signing out", func() (string, error) {
		r, err := v.browser.open(v.ctx, v.place.base()+"/oauth2/sign_out?rd=%2Fpublic%2F")
		for hops := 0; err == nil && r.status/100 == 3; hops++ {
			to, errLocation := r.location()
			if errLocation != nil || hops == 6 {
				return "", errors.Join(errors.New("the redirects do not end"), errLocation)
			}
			r, err = v.browser.open(v.ctx, to.String())
		}
		if err != nil {
			return "", err
		}
		if r.status != http.StatusOK {
			return "", fmt.Errorf("it ended with status %d", r.status)
		}
		for _, name := range v.session {
			if v.browser.cookies[name] != nil {
				return "", fmt.Errorf("the cookie %s is still there", name)
			}
		}
		if r, err = v.browser.open(v.ctx, v.place.base()+firstPage); err != nil {
			return "", err
		}
		if _, err := v.checkAuthorizationRequest(r); err != nil {
			return "", err
		}
		return "the session's cookies are gone, the first page leads to the provider again", nil
	}}
}

// ask asks the application what it sees in a request of this browser.
func (v *visit) ask(path string, header http.Header) (*seen, error) {
	return v.askBy(v.browser, path, header)
}

func (v *visit) askBy(b *browser, path string, header http.Header) (*seen, error) {
	all := http.Header{"Accept": {"application/json"}}
	maps.Copy(all, header)
	r, err := b.send(v.ctx, http.MethodGet, v.place.base()+path, nil, all)
	if err != nil {
		return nil, err
	}
	if r.status != http.StatusOK {
		return nil, fmt.Errorf("expected the application's answer, got status %d", r.status)
	}
	s := &seen{}
	if err := json.Unmarshal([]byte(r.body), s); err != nil {
		return nil, fmt.Errorf("the answer is not the application's: %w", err)
	}
	return s, nil
}
