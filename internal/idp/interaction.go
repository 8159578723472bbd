package idp

import (
	"net/http"
	"slices"
)

// prompts are the values of prompt that are known (OpenID Connect Core, section
// 3.1.2.1).
var prompts = []string{"none", "login", "consent", "select_account"}

func (a *authorization) prompted(value string) bool { return slices.Contains(a.prompts, value) }

// goOn answers, or asks the person for what the answer still needs: to sign in,
// which account to go on with, or for consent. Chosen means that they have said
// that it is this one.
func (p *Provider) goOn(w http.ResponseWriter, r *http.Request, a *authorization, s *session, chosen bool) {
	ask, missing := p.next(a, s, r.Method == http.MethodPost, chosen)
	switch {
	case missing == nil:
		p.redirectCode(w, r, a, s)
	case a.prompted("none"):
		p.redirectError(w, r, a, missing)
	default:
		ask(w, a, s)
	}
}

type question func(w http.ResponseWriter, a *authorization, s *session)

// next is the next question, and what it is to a client that wants none asked.
func (p *Provider) next(a *authorization, s *session, form, chosen bool) (question, error) {
	switch {
	case s == nil:
		return p.askWho, refuse("login_required", "nobody is signed in")
	case p.stale(a, s) && (!form || s.signedInFor != a.challenge):
		return p.askAgain, refuse("login_required", "the person has to sign in again")
	case s.level < min(a.wantedLevel(), s.user.highestLevel()):
		return p.askAgain, refuse("interaction_required", "the person has to sign in again")
	case a.prompted("select_account") && !chosen && (!form || s.signedInFor != a.challenge):
		return p.askAccount, refuse("account_selection_required", "the person has to choose")
	case p.needsConsent(a, s, form):
		return p.askConsent, refuse("consent_required", "the person has to consent")
	}
	return nil, nil
}

// stale says whether a sign-in does not count for this request. A max_age of 0
// is a prompt to sign in.
func (p *Provider) stale(a *authorization, s *session) bool {
	return a.prompted("login") || a.maxAge == 0 || (a.maxAge > 0 && p.now().Sub(s.authTime) > a.maxAge)
}

func (p *Provider) needsConsent(a *authorization, s *session, form bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	given := p.store.consents[consent{a.client, s.user}]
	return (a.prompted("consent") && (!form || s.consentedFor != a.challenge)) ||
		slices.ContainsFunc(s.user.granted(a.scopes), func(scope string) bool {
			return slices.Contains(a.client.ConsentScopes, scope) && !slices.Contains(given, scope)
		})
}

// takeForm takes the answer to a question. Origin tells a form on our page from
// one on another site, which could sign a person in under a foreign name.
func (p *Provider) takeForm(w http.ResponseWriter, r *http.Request, a *authorization) {
	if !p.sameOrigin(r) {
		p.showError(w, refuse("invalid_request", "the form came from another site"))
		return
	}
	if err := r.ParseForm(); err != nil {
		p.showError(w, refuse("invalid_request", "the form cannot be read"))
		return
	}
	switch r.PostForm.Get("answer") {
	case "consent":
		p.consented(r, a)
		p.goOn(w, r, a, p.currentSession(r), true)
	case "deny":
		p.redirectError(w, r, a, refuse("access_denied", "the person did not consent"))
	case "continue":
		p.goOn(w, r, a, p.currentSession(r), true)
	default:
		p.signIn(w, r, a)
	}
}

// signIn takes a name and a password. Who was signed in before, and proves it
// again where more than the lowest level is wanted, has reached that.
func (p *Provider) signIn(w http.ResponseWriter, r *http.Request, a *authorization) {
	user := p.users[r.PostForm.Get("username")]
	if user == nil || !equal(user.Password, r.PostForm.Get("password")) {
		p.count("sign_in:failed")
		a.loginHint = r.PostForm.Get("username")
		p.showSignIn(w, a, "", "The name or the password is wrong.")
		return
	}
	p.count("sign_in")
	level := 0
	if before := p.currentSession(r); before != nil && before.user == user {
		level = min(a.wantedLevel(), user.highestLevel())
	}
	p.goOn(w, r, a, p.startSession(w, user, level, a), true)
}

func (p *Provider) consented(r *http.Request, a *authorization) {
	s := p.currentSession(r)
	if s == nil {
		return
	}
	p.count("consent")
	p.mu.Lock()
	defer p.mu.Unlock()
	s.consentedFor = a.challenge
	key := consent{a.client, s.user}
	p.store.consents[key] = append(p.store.consents[key], a.scopes...)
}

func (p *Provider) askWho(w http.ResponseWriter, a *authorization, _ *session) {
	p.showSignIn(w, a, "", "")
}

func (p *Provider) askAgain(w http.ResponseWriter, a *authorization, s *session) {
	if a.loginHint == "" {
		a.loginHint = s.user.PreferredUsername
	}
	p.showSignIn(w, a, "Please sign in again", "")
}

func (p *Provider) askAccount(w http.ResponseWriter, a *authorization, s *session) {
	p.show(w, http.StatusOK, page{SignIn: true, Client: a.client.ID, Account: s.user.PreferredUsername})
}

func (p *Provider) askConsent(w http.ResponseWriter, a *authorization, s *session) {
	p.show(w, http.StatusOK, page{Client: a.client.ID, Account: s.user.PreferredUsername, Consent: s.user.granted(a.scopes)})
}
